"""What every dialect answers in: venue-neutral orders, fills, positions, accounts, prices.

Sides are the true trade side (a closed long is a sell), whatever form the venue uses on the wire.
Prices and sizes are exact Decimals, sizes in base coin, stamps UTC nanoseconds with 0 = unset,
``None`` = the venue says "not set". Fees are positive when paid.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.domain.instrument import Instrument
from shared.domain.order import OrderState, OrderType, PositionSide, Side


class PositionMode(StrEnum):
    HEDGE = "hedge"
    ONE_WAY = "one_way"


class MarginMode(StrEnum):
    ISOLATED = "isolated"
    CROSSED = "crossed"


class Forced(StrEnum):
    """Who made an order, when it was neither the user nor we."""

    NO = ""
    REDUCED = "reduced"
    """Partial reduction by the venue's risk control, or set off against another position."""
    LIQUIDATED = "liquidated"
    DELEVERAGED = "deleveraged"
    """Auto-deleveraging (ADL)."""
    DELIVERED = "delivered"


class Force(StrEnum):
    """How long a limit order rests."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"


class Trigger(StrEnum):
    """Which price sets a trigger off."""

    MARK = "mark"
    LAST = "last"


class Protection(StrEnum):
    """Protection of a whole position; it has no size and dies with the position."""

    TAKE_PROFIT = "take_profit"
    STOP = "stop"


def position_of(side: Side, *, reduce_only: bool) -> PositionSide:
    """The position that an order works on: a reducing sell works on the long."""
    return PositionSide.LONG if (side is Side.BUY) != reduce_only else PositionSide.SHORT


class Call(msgspec.Struct, frozen=True):
    """One request of a dialect, unsigned. Without ``method`` a GET when ``body`` is None, else a POST."""

    path: str
    body: bytes | None = None
    method: str = ""


class OrderAck(msgspec.Struct, frozen=True, kw_only=True):
    """The venue took the order. ``order_id`` is "" when it gave none: look the order up by client id."""

    client_id: str
    order_id: str


class FillReport(msgspec.Struct, frozen=True, kw_only=True):
    """One fill. ``client_id`` is "" where the venue does not repeat it."""

    fill_id: str
    order_id: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_currency: str
    taker: bool
    realized: Decimal | None
    filled_ns: int


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order stands. ``position`` is None in one-way mode; ``fill`` is set on a push that tells one."""

    symbol: str
    order_id: str
    client_id: str
    side: Side
    position: PositionSide | None
    reduce_only: bool
    order_type: OrderType
    state: OrderState
    size: Decimal
    filled_size: Decimal
    price: Decimal | None
    average_price: Decimal | None
    take_profit: Decimal | None
    stop: Decimal | None
    forced: Forced
    cancel_reason: str
    created_ns: int
    updated_ns: int
    fill: FillReport | None = None
    triggered: bool = False
    """A trigger order (take profit, stop, …) became this one. Not every venue tells."""


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """A resting trigger order. ``plan`` is the venue's own word for its kind, ``protects`` ours for some.

    ``whole``: it is for all of its position, whatever that grows to; else for ``size``. ``shared``: it
    rests in one order with other protection, and to cancel the one is to cancel both.
    """

    symbol: str
    order_id: str
    client_id: str
    plan: str
    protects: Protection | None = None
    position: PositionSide | None
    trigger_price: Decimal
    size: Decimal | None
    whole: bool = True
    shared: bool = False
    created_ns: int


class PlanEnd(StrEnum):
    """How a trigger order ended."""

    EXECUTED = "executed"
    FAILED = "failed"
    """It was triggered, and the venue could not trade."""
    CANCELED = "canceled"


class EndedPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger order that no longer rests. ``executed_as`` is the order it became, "" when none."""

    client_id: str
    order_id: str
    end: PlanEnd
    status: str
    """The venue's own word."""
    executed_as: str


class EndedPosition(msgspec.Struct, frozen=True, kw_only=True):
    """A closed position. ``net`` is its profit after fees and funding, in quote currency."""

    symbol: str
    side: PositionSide
    close_price: Decimal
    net: Decimal
    created_ns: int
    closed_ns: int


class PositionReport(msgspec.Struct, frozen=True, kw_only=True):
    symbol: str
    side: PositionSide
    size: Decimal
    available: Decimal
    average_price: Decimal
    mark_price: Decimal | None
    margin: Decimal
    margin_mode: MarginMode
    position_mode: PositionMode
    leverage: int
    unrealized: Decimal
    realized: Decimal
    """Profit of the parts closed so far, before fees."""
    liquidation_price: Decimal | None
    take_profit_id: str
    stop_id: str
    created_ns: int
    updated_ns: int


class AccountReport(msgspec.Struct, frozen=True, kw_only=True):
    """Money in one margin coin. ``max_isolated`` and ``max_crossed`` bound what an order may use.

    Modes and leverages are known from the account of one symbol only, else None or 0.
    """

    coin: str
    equity: Decimal
    available: Decimal
    max_isolated: Decimal | None
    max_crossed: Decimal | None
    unrealized: Decimal
    margin_mode: MarginMode | None = None
    position_mode: PositionMode | None = None
    crossed_leverage: int = 0
    long_leverage: int = 0
    short_leverage: int = 0


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """A ticker. ``last`` is always there; an empty book side, or spot's missing mark, is None."""

    symbol: str
    last: Decimal
    bid: Decimal | None
    ask: Decimal | None
    mark: Decimal | None
    ns: int


class BookTop(msgspec.Struct, frozen=True, kw_only=True):
    """Best prices and sizes; None for an empty side."""

    symbol: str
    bid: Decimal | None
    bid_size: Decimal | None
    ask: Decimal | None
    ask_size: Decimal | None
    ns: int


class Contracts(msgspec.Struct, frozen=True):
    """The perpetuals of a venue. A row that cannot be trusted is left out and named in ``problems``."""

    instruments: list[Instrument]
    problems: list[str]
