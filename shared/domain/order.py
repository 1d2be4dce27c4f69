"""Orders. Order side is buy/sell, position side is long/short; the two are never mixed."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class PositionSide(StrEnum):
    LONG = "long"
    SHORT = "short"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class OrderState(StrEnum):
    """Where an order is, seen from here. States only move forward (:data:`RANK`).

    ``UNKNOWN`` means that it may live on the venue: no usable answer came back. It is never read
    as "no", and only the venue's own word moves an order out of it.
    """

    INTENDED = "intended"
    SENT = "sent"
    UNKNOWN = "unknown"
    LIVE = "live"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    DENIED = "denied"


TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.DENIED})

#: An update with a lower rank than the present state is stale and changes nothing.
RANK: dict[OrderState, int] = {
    OrderState.INTENDED: 0,
    OrderState.SENT: 1,
    OrderState.UNKNOWN: 2,
    OrderState.LIVE: 3,
    OrderState.PARTIALLY_FILLED: 4,
    OrderState.CANCELED: 5,
    OrderState.REJECTED: 5,
    OrderState.DENIED: 5,
    OrderState.FILLED: 6,
}


class Step(StrEnum):
    """What an order is for; part of its client id."""

    ENTRY = "entry"
    TAKE_PROFIT = "take_profit"
    STOP = "stop"
    CLOSE = "close"
