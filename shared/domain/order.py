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

    ``REJECTED`` and ``DENIED`` with a code of :data:`PRESUMED_CODES` are ends that *we* concluded: the
    venue did not know the order, or nothing left this machine. Such an end is final for whoever asks,
    yet it yields to proof that the order exists: a report of a state of :data:`PROOF` with more filled
    than was known, or with the venue's order id where none was known. Both only ever grow, so reports
    in any order and with doubles still end in one state.
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

#: Codes of an end that is our conclusion, not the venue's word.
PRESUMED_CODES = frozenset({"absent", "not_sent"})

#: States in which only an order can be that the venue has accepted.
PROOF = frozenset({OrderState.LIVE, OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELED})

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
