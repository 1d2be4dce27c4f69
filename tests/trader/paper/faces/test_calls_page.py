"""The page of calls and the routes of the server are one list."""

from __future__ import annotations

import re
from pathlib import Path

from trader.paper.faces.bitget import rest
from trader.paper.faces.bitget.calls import ROUTES

PAGE = Path(__file__).resolve().parents[4] / "docs" / "paper-exchange-calls.md"
ROW = re.compile(r"^\| `(GET|POST) (\S+)` \| (\d+) \|", re.MULTILINE)


def test_every_call_is_on_the_page_with_its_limit_and_nothing_else_is() -> None:
    assert rest.HANDLERS
    rows: list[tuple[str, str, int]] = []
    version = "v2"
    for line in PAGE.read_text("utf-8").splitlines():
        if line.startswith("### "):
            version = "v3" if line.startswith("### Unified:") else "v2"
        for method, path, limit in ROW.findall(line):
            rows.append((method, f"/api/{version}/{path}", int(limit)))
    assert len(rows) == len(set(rows))
    assert set(rows) == {(method, path, route.per_second) for (method, path), route in ROUTES.items()}
