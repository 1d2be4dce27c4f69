"""The page of calls and the routes of the server are one list."""

from __future__ import annotations

import re
from pathlib import Path

from trader.paper.faces.binance import errors, rest
from trader.paper.faces.binance.calls import ROUTES, Security

PAGE = Path(__file__).resolve().parents[4] / "docs" / "paper-exchange-binance.md"
ROW = re.compile(r"^\| `(GET|POST|PUT|DELETE) (\S+)` \| (none|key|signed) \| ([^|]+) \|", re.MULTILINE)
WORDS = {Security.NONE: "none", Security.KEY: "key", Security.SIGNED: "signed"}


def test_every_call_is_on_the_page_with_its_keys_and_weight() -> None:
    assert rest.HANDLERS
    rows = {
        (method, f"/fapi/{path}"): (keys, weight)
        for method, path, keys, weight in ROW.findall(PAGE.read_text("utf-8"))
    }
    assert set(rows) == {call for call in ROUTES if call[1].startswith("/fapi/")}
    for call, route in ROUTES.items():
        if call in rows:
            keys, weight = rows[call]
            assert (call, keys) == (call, WORDS[route.security])
            if isinstance(route.weight, int):
                assert (call, weight) == (call, str(route.weight))
            else:
                assert not weight.isdigit()


def test_every_code_is_on_the_page() -> None:
    """``-4001 to -4005`` stands for those of them that there are."""
    known = {errors.refusal(code, "x").code for code in errors.CODES}
    section = PAGE.read_text("utf-8").partition("## Refusals")[2].partition("\n## ")[0]
    listed: set[str] = set()
    for first, last in re.findall(r"(-\d{4})(?:\s+to\s+(-\d{4}))?", section):
        codes = {str(code) for code in range(int(last or first), int(first) + 1)}
        listed |= codes & known if last else codes
    assert listed == known
