"""The words in which clients ask, and what they mean to the engine. How answers speak is in ``orderwords``."""

from __future__ import annotations

from enum import StrEnum

from trader.paper.engine.model import Force, MarginMode, PriceMatch, SelfTrade


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
SELF_TRADES = {
    SelfTradeWord.NONE: SelfTrade.NONE,
    SelfTradeWord.EXPIRE_TAKER: SelfTrade.CANCEL_TAKER,
    SelfTradeWord.EXPIRE_MAKER: SelfTrade.CANCEL_MAKER,
    SelfTradeWord.EXPIRE_BOTH: SelfTrade.CANCEL_BOTH,
}
MARGIN_WORDS = {MarginMode.CROSSED: "cross", MarginMode.ISOLATED: "isolated"}


def to_match(word: MatchWord) -> PriceMatch:
    return PriceMatch.NONE if word is MatchWord.NONE else PriceMatch(word.value.lower())
