"""The engine's notions in the venue's words: position sides, margin modes, orders' status and times in force."""

from __future__ import annotations

from enum import StrEnum

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.engine.model import (
    Ended,
    Force,
    MarginMode,
    Order,
    Position,
    PositionMode,
    PriceMatch,
    SelfTrade,
    Source,
    State,
)


class SideWord(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class PositionSideWord(StrEnum):
    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


class TypeWord(StrEnum):
    """All types; those after the first two are served by the algo endpoints."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    STOP = "STOP"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"


class SelfTradeWord(StrEnum):
    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"


class MatchWord(StrEnum):
    NONE = "NONE"
    OPPONENT = "OPPONENT"
    OPPONENT_5 = "OPPONENT_5"
    OPPONENT_10 = "OPPONENT_10"
    OPPONENT_20 = "OPPONENT_20"
    QUEUE = "QUEUE"
    QUEUE_5 = "QUEUE_5"
    QUEUE_10 = "QUEUE_10"
    QUEUE_20 = "QUEUE_20"


FORCES = {
    TimeInForce.GTC: Force.GTC,
    TimeInForce.IOC: Force.IOC,
    TimeInForce.FOK: Force.FOK,
    TimeInForce.GTX: Force.POST_ONLY,
    TimeInForce.GTD: Force.GTC,
}
_TIMES = {Force.GTC: "GTC", Force.IOC: "IOC", Force.FOK: "FOK", Force.POST_ONLY: "GTX"}
SELF_TRADES = {
    SelfTradeWord.NONE: SelfTrade.NONE,
    SelfTradeWord.EXPIRE_TAKER: SelfTrade.CANCEL_TAKER,
    SelfTradeWord.EXPIRE_MAKER: SelfTrade.CANCEL_MAKER,
    SelfTradeWord.EXPIRE_BOTH: SelfTrade.CANCEL_BOTH,
}
_SELF_TRADE_WORDS = {rule: word.value for word, rule in SELF_TRADES.items()}
MARGIN_WORDS = {MarginMode.CROSSED: "cross", MarginMode.ISOLATED: "isolated"}

#: Orders of the exchange's own.
TAKEN_OVER = frozenset({Source.LIQUIDATION, Source.REDUCTION})
#: Why orders ended that neither a client nor a liquidation ended.
_EXPIRIES = frozenset(
    {
        Ended.UNFILLED, Ended.NOT_MAKER, Ended.EXPIRED, Ended.REDUCE_ONLY, Ended.MARGIN, Ended.POSITION_CLOSED,
    }
)  # fmt: skip


def side_of(position: Position) -> str:
    """``positionSide`` of a position: BOTH in one-way mode."""
    return position_side(position.mode, position.side)


def position_side(mode: PositionMode, side: PositionSide) -> str:
    return "BOTH" if mode is PositionMode.ONE_WAY else side.value.upper()


def status(order: Order) -> str:
    """What ends without anybody's doing has expired; so has what a market or immediate order could not trade."""
    if order.state is State.LIVE:
        return "NEW"
    if order.state is not State.CANCELED:
        return order.state.value.upper()
    if order.cancel_reason == Ended.SELF_TRADE:
        return "EXPIRED_IN_MATCH"
    return "EXPIRED" if order.cancel_reason in _EXPIRIES else "CANCELED"


def order_type(order: Order) -> str:
    """What the exchange takes over goes as an immediate limit order, as on the venue."""
    if order.source in TAKEN_OVER:
        return "LIMIT"
    return "LIMIT" if order.type is OrderType.LIMIT else "MARKET"


def time_in_force(order: Order) -> str:
    if order.source in TAKEN_OVER:
        return "IOC"
    if order.expires_ns:
        return "GTD"
    return "GTC" if order.type is OrderType.MARKET else _TIMES[order.force]


def client_id(order: Order) -> str:
    """Liquidations can be told by theirs."""
    return f"autoclose-{order.client_id}" if order.source in TAKEN_OVER else order.client_id


def self_trade(rule: SelfTrade) -> str:
    return _SELF_TRADE_WORDS[rule]


def trade_side(side: Side) -> str:
    return side.value.upper()


def price_match(match: PriceMatch) -> str:
    return match.value.upper() or "NONE"


def to_match(word: MatchWord) -> PriceMatch:
    return PriceMatch.NONE if word is MatchWord.NONE else PriceMatch(word.value.lower())
