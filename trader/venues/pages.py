"""Lists that a venue tells page after page, newest first, naming the row to go on from.

Pages may overlap or repeat: a row counts once, and a page without a new row ends the reading.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trader.venues.dialect import Ask
from trader.venues.model import Call

T = TypeVar("T")

#: Pages of one reading.
MAX_PAGES = 50


async def read_pages(
    ask: Ask,
    call: Callable[[str], Call],
    parse: Callable[[bytes, int], tuple[list[T], str]],
    key: Callable[[T], str],
    *,
    full: int,
    enough: Callable[[dict[str, T]], bool] = lambda _: False,
) -> tuple[dict[str, T], bool]:
    """Rows by id, and whether the venue has no more (or ``enough`` says so).

    ``call`` gets where to go on from, "" at first; ``parse`` gives rows and the next such place, "" for
    none; a page of ``full`` rows may have others behind it.
    """
    found: dict[str, T] = {}
    before = ""
    for _ in range(MAX_PAGES):
        answer = await ask(call(before))
        page, end_id = parse(answer.body, answer.status)
        new = {key(row): row for row in page if key(row) not in found}
        found |= new
        if enough(found) or not page or not end_id:
            return found, True
        if not new or end_id == before:
            # The page came again. A full one hides what follows, a short one has nothing after it.
            return found, len(page) < full
        before = end_id
    return found, False
