"""Reading REST answers of v3. Each function takes the body and the HTTP status.

They raise :class:`VenueRefusedError` when the venue said no (``codes.classify`` tells what that means)
and :class:`ProtocolError` when the answer cannot be what the venue documents, an empty body among them:
then nothing is known.
"""

from __future__ import annotations

import msgspec

from shared import clock
from trader.venues.bitget.unified import read, wire
from trader.venues.bitget.wire import data_of
from trader.venues.model import (
    AccountReport,
    EndedPosition,
    FillReport,
    OrderReport,
    PlanReport,
    PositionReport,
)
from trader.venues.numbers import stamp_ns

#: What a triggered order's beginning may differ from the strategy order's end.
_NEAR_NS = 60 * clock.SECOND

_ORDER = msgspec.json.Decoder(wire.Order)
_ORDERS = msgspec.json.Decoder(wire.Listed[wire.Order])
_FILLS = msgspec.json.Decoder(wire.Listed[wire.Fill])
_STRATEGIES = msgspec.json.Decoder(list[wire.Strategy] | None)
_ENDED_STRATEGIES = msgspec.json.Decoder(wire.Listed[wire.Strategy])
_SUB_ORDERS = msgspec.json.Decoder(wire.Listed[wire.SubOrder])
_POSITIONS = msgspec.json.Decoder(wire.Listed[wire.Position])
_ENDED_POSITIONS = msgspec.json.Decoder(wire.Listed[wire.EndedPosition])
_SETTINGS = msgspec.json.Decoder(wire.Settings)
_ASSETS = msgspec.json.Decoder(wire.Assets)


def parse_order(body: bytes, status: int) -> OrderReport:
    return read.order(data_of(body, status, _ORDER))


def parse_orders(body: bytes, status: int) -> tuple[list[OrderReport], str]:
    """One page of orders, newest first, and its cursor."""
    page = data_of(body, status, _ORDERS)
    return [read.order(row) for row in page.rows or () if read.ours(row.category)], _cursor(page.cursor)


def parse_fills(body: bytes, status: int) -> tuple[list[FillReport], str]:
    page = data_of(body, status, _FILLS)
    return [read.fill(row) for row in page.rows or () if read.ours(row.category)], _cursor(page.cursor)


def parse_plans(body: bytes, status: int) -> list[PlanReport]:
    """Resting take profits and stops. The venue lists them without pages."""
    return [
        plan
        for row in data_of(body, status, _STRATEGIES) or ()
        if wire.waits(row)
        for plan in read.plans(row)
    ]


def parse_ended_plans(body: bytes, status: int) -> tuple[list[wire.Strategy], str]:
    page = data_of(body, status, _ENDED_STRATEGIES)
    return page.rows or [], _cursor(page.cursor)


def parse_sub_orders(body: bytes, status: int) -> list[str]:
    """The ids of the orders that a strategy order became."""
    return [row.sub_order_id for row in data_of(body, status, _SUB_ORDERS).rows or () if row.sub_order_id]


def find_triggered(body: bytes, status: int, ended: wire.Strategy) -> str:
    """The order of a page of history that a strategy order became, by what it says of itself; "" when none.

    It has the position's side, says what set it off, and began when the strategy order ended.
    """
    leg = ended.trigger_type or ("takeProfit" if ended.take_profit else "stopLoss")
    at_ns = stamp_ns(ended.updated_time, "updatedTime")
    near = [
        (abs(stamp_ns(row.created_time, "createdTime") - at_ns), row.order_id)
        for row in data_of(body, status, _ORDERS).rows or ()
        if row.symbol.upper() == ended.symbol.upper()
        and (row.pos_side or "") in ("", ended.pos_side)
        and (row.delegate_type or "").startswith(wire.TRIGGERED.get(leg, ("",)))
    ]
    distance, order_id = min(near, default=(_NEAR_NS, ""))
    return order_id if distance < _NEAR_NS else ""


def parse_positions(body: bytes, status: int) -> list[PositionReport]:
    rows = (read.position(row) for row in data_of(body, status, _POSITIONS).rows or ())
    return [row for row in rows if row is not None]


def parse_ended_positions(body: bytes, status: int) -> list[EndedPosition]:
    """Newest first, as the venue lists them."""
    return [read.ended_position(row) for row in data_of(body, status, _ENDED_POSITIONS).rows or ()]


def parse_settings(body: bytes, status: int) -> wire.Settings:
    return data_of(body, status, _SETTINGS)


def parse_money(body: bytes, status: int) -> AccountReport:
    return read.money(data_of(body, status, _ASSETS))


def _cursor(cursor: str | int | None) -> str:
    return "" if cursor is None else str(cursor)
