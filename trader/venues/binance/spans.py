"""Lists of the past that the venue tells upwards: a span of at most seven days a call, or from an id on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from shared import clock
from trader.net.response import Response
from trader.venues.binance.requests import PAGE
from trader.venues.dialect import Ask
from trader.venues.model import Call

T = TypeVar("T")

WEEK_MS = 7 * 86_400_000
#: Calls of one reading; enough for three months.
MAX_CALLS = 50


async def read_upward(
    ask: Ask,
    start_ms: int,
    *,
    between: Callable[[int, int], Call],
    onward: Callable[[int], Call],
    parse: Callable[[Response], list[T]],
    number: Callable[[T], int],
    until_ms: int = 0,
) -> tuple[list[T], bool]:
    """Rows since a moment, oldest first and each once, and whether these are certainly all.

    ``until_ms`` ends the reading early; rows after it may be among what comes. Spans follow one another up to now. Where one holds more than a page, ids lead on from there.
    """
    rows: dict[int, T] = {}
    until_ms = until_ms or clock.now_ms()
    for _ in range(MAX_CALLS):
        page = parse(await ask(between(start_ms, start_ms + WEEK_MS - 1)))
        rows |= {number(row): row for row in page}
        if len(page) >= PAGE:
            complete = await _read_on(ask, rows, onward, parse, number)
            return _sorted(rows), complete
        start_ms += WEEK_MS
        if start_ms > until_ms:
            return _sorted(rows), True
    return _sorted(rows), False


async def _read_on(
    ask: Ask,
    rows: dict[int, T],
    onward: Callable[[int], Call],
    parse: Callable[[Response], list[T]],
    number: Callable[[T], int],
) -> bool:
    for _ in range(MAX_CALLS):
        newest = max(rows)
        page = parse(await ask(onward(newest + 1)))
        rows |= {number(row): row for row in page}
        if len(page) < PAGE:
            return True
        if max(rows) == newest:
            return False  # a full page without news hides what follows
    return False


def _sorted(rows: dict[int, T]) -> list[T]:
    return [rows[number] for number in sorted(rows)]
