"""The page about settings names every preference with its default."""

from __future__ import annotations

from pathlib import Path

from shared.rules.preferences import CAP, DEFINITIONS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "settings.md").read_text(encoding="utf-8")


def test_every_preference_is_on_the_page_with_its_default() -> None:
    for definition in DEFINITIONS.values():
        assert f"| `{definition.name}` | {definition.default} |" in PAGE
        if definition.cappable:
            assert f"`{CAP}{definition.name}`" in PAGE
