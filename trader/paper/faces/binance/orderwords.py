"""What the venue calls the state of an order, its kind, its sides."""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, PositionSide
from trader.paper.engine.core import Core
from trader.paper.engine.maths import break_even as _break_even
from trader.paper.engine.model import (
    Ended,
    Force,
    Order,
    Plan,
    Position,
    PositionMode,
    SelfTrade,
    Source,
    State,
)

LIQUIDATIONS = (Source.LIQUIDATION, Source.REDUCTION)
SELF_TRADES = {
    SelfTrade.NONE: "NONE",
    SelfTrade.CANCEL_TAKER: "EXPIRE_TAKER",
    SelfTrade.CANCEL_MAKER: "EXPIRE_MAKER",
    SelfTrade.CANCEL_BOTH: "EXPIRE_BOTH",
}
FORCES = {Force.GTC: "GTC", Force.IOC: "IOC", Force.FOK: "FOK", Force.POST_ONLY: "GTX"}
_LIVE = {State.LIVE: "NEW", State.PARTIALLY_FILLED: "PARTIALLY_FILLED", State.FILLED: "FILLED"}
#: Why an order ended that neither its client nor a countdown nor a liquidation cancelled.
_REASONS = {
    Ended.SELF_TRADE: "1",
    Ended.UNFILLED: "2",
    Ended.REDUCE_ONLY: "4",
    Ended.POSITION_CLOSED: "4",
    Ended.LIQUIDATION: "5",
}
_CANCELED = frozenset({Ended.CLIENT, Ended.COUNTDOWN, Ended.AMENDED, Ended.LIQUIDATION})


def status(order: Order) -> str:
    found = _LIVE.get(order.state)
    if found is not None:
        return found
    if order.cancel_reason == Ended.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return "CANCELED" if order.cancel_reason in _CANCELED else "EXPIRED"


def expiry_reason(order: Order) -> str:
    """``er``; 9 is a market order for which there was nothing left."""
    if order.cancel_reason == Ended.UNFILLED and order.type is OrderType.MARKET:
        return "9"
    return _REASONS.get(Ended(order.cancel_reason), "0")


def kind(order: Order) -> str:
    return "LIQUIDATION" if order.source in LIQUIDATIONS else order.type.value.upper()


def time_in_force(order: Order) -> str:
    """A market order shows GTC, as on the venue."""
    if order.source in LIQUIDATIONS:
        return "IOC"
    if order.type is OrderType.MARKET:
        return "GTC"
    return "GTD" if order.expires_ns else FORCES[order.force]


def client_id(order: Order) -> str:
    """The exchange's own orders are known by the beginning of theirs."""
    return f"autoclose-{order.id}" if order.source in LIQUIDATIONS else order.client_id


def reduces(order: Order) -> bool:
    """Reduce-only as the venue shows it: closing orders of hedge mode are."""
    return order.reduce_only or order.closing


def position_side(mode: PositionMode, side: PositionSide) -> str:
    return "BOTH" if mode is PositionMode.ONE_WAY else side.value.upper()


def price_match(order: Order | Plan) -> str:
    return order.match.value.upper() or "NONE"


def break_even(core: Core, position: Position) -> Decimal:
    return _break_even(core.spec(position.symbol), position)
