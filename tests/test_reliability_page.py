"""The page of faults names every fault once, and only tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text("utf-8")
ROWS = re.findall(r"^\| F(\d+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@cache
def functions_of(file: str) -> set[str]:
    """Names of the test functions of a file, without running it."""
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_every_fault_is_there_once_and_in_order() -> None:
    assert [int(number) for number, _, _ in ROWS] == list(range(1, 62))


def test_every_fault_is_shown_owed_or_cannot_apply() -> None:
    for number, _, shown in ROWS:
        proved = re.search(r"`tests/[\w/]+\.py::test_\w+`", shown)
        assert proved or "owed by **" in shown or shown.startswith("cannot apply: "), f"F{number}"


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_the_named_test_exists(file: str, name: str) -> None:
    assert (ROOT / file).is_file(), file
    assert name in functions_of(file)


def test_files_without_a_name_exist_too() -> None:
    for file in re.findall(r"`(tests/[\w/]+\.py)`", PAGE):
        assert (ROOT / file).is_file(), file


def test_it_ends_with_what_is_assumed() -> None:
    assert re.findall(r"^## (.+)$", PAGE, re.MULTILINE)[-1] == "Assumptions and limits"
