"""Fills and orders of an account, page after page.

The venue tells at most a hundred rows at a time, newest first, and names the row to go on from. Pages
may overlap or repeat: a row counts once, and a page without a new row ends the reading.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import structlog

from trader.lane import Lane
from trader.venues import bitget
from trader.venues.bitget.requests import PAGE
from trader.venues.model import Call, FillReport, OrderReport

T = TypeVar("T")

log = structlog.get_logger(__name__)

#: Pages of one reading: five thousand rows.
MAX_PAGES = 50


async def all_fills(
    lane: Lane, symbol: str, order_id: str, *, wanted: Decimal | None = None
) -> list[FillReport]:
    """Every fill of one order, each once, newest first.

    With ``wanted`` (the order's filled size, base coin) the reading ends as soon as the fills add up
    to it. Raises what :meth:`Lane.ask` raises, ``VenueRefusedError`` and ``ProtocolError``.
    """

    def enough(rows: dict[str, FillReport]) -> bool:
        mine = (fill.size for fill in rows.values() if fill.order_id == order_id)
        return wanted is not None and sum(mine, start=Decimal(0)) >= wanted

    rows, complete = await _pages(
        lane,
        lambda before: bitget.fills(symbol=symbol, order_id=order_id, before=before),
        _fills,
        lambda fill: fill.fill_id,
        enough,
    )
    if not complete:
        log.warning("fills.not_all_read", symbol=symbol, order_id=order_id, fills=len(rows))
    return [fill for fill in rows.values() if fill.order_id == order_id]


async def symbol_fills(lane: Lane, symbol: str, start_ms: int) -> tuple[list[FillReport], bool]:
    """All fills of a symbol since a moment, whoever made them, and whether these are certainly all.

    Raises as :func:`all_fills`.
    """
    rows, complete = await _pages(
        lane,
        lambda before: bitget.fills(symbol=symbol, before=before, start_ms=start_ms),
        _fills,
        lambda fill: fill.fill_id,
    )
    return list(rows.values()), complete


async def symbol_orders(lane: Lane, symbol: str, start_ms: int) -> tuple[list[OrderReport], bool]:
    """All orders of a symbol, resting ones and those since a moment, and whether these are certainly all.

    Raises as :func:`all_fills`.
    """
    resting, all_resting = await _pages(
        lane,
        lambda before: bitget.orders_pending(symbol=symbol, before=before),
        _orders,
        lambda order: order.order_id,
    )
    ended, all_ended = await _pages(
        lane,
        lambda before: bitget.orders_history(symbol=symbol, before=before, start_ms=start_ms),
        _orders,
        lambda order: order.order_id,
    )
    return list((resting | ended).values()), all_resting and all_ended


async def _pages(
    lane: Lane,
    call: Callable[[str], Call],
    parse: Callable[[bytes, int], tuple[list[T], str]],
    key: Callable[[T], str],
    enough: Callable[[dict[str, T]], bool] = lambda _: False,
) -> tuple[dict[str, T], bool]:
    """Rows by id, and whether the venue has no more (or ``enough`` says so)."""
    found: dict[str, T] = {}
    before = ""
    for _ in range(MAX_PAGES):
        answer = await lane.ask(call(before))
        page, end_id = parse(answer.body, answer.status)
        new = {key(row): row for row in page if key(row) not in found}
        found |= new
        if enough(found) or not page or not end_id:
            return found, True
        if not new or end_id == before:
            # The page came again. A full one hides what follows, a short one has nothing after it.
            return found, len(page) < PAGE
        before = end_id
    return found, False


def _fills(body: bytes, status: int) -> tuple[list[FillReport], str]:
    page = bitget.parse_fills(body, status)
    return page.fills, page.end_id


def _orders(body: bytes, status: int) -> tuple[list[OrderReport], str]:
    page = bitget.parse_orders(body, status)
    return page.orders, page.end_id
