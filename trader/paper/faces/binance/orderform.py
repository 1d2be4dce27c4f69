"""From the parameters of a new order to what the engine takes; what the venue refuses before it looks at money.

Filters first say how many decimals there may be (-1111), then on which step (-4014, -4023), then how large.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from shared.clock import MILLISECOND
from shared.domain.order import OrderType, Side
from trader.paper.contract import ContractSpec
from trader.paper.engine import placing
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import NewOrder, Order, PositionMode, PriceMatch, SelfTrade
from trader.paper.engine.money import decimals, is_multiple, times
from trader.paper.faces.binance import words
from trader.paper.faces.binance.calls import Call
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.symbols import highest, price_precision
from trader.paper.faces.binance.words import (
    MatchWord,
    PositionSideWord,
    SelfTradeWord,
    SideWord,
    TimeInForce,
    TypeWord,
)
from trader.paper.market import MarketState

_SHORTEST_NS = 600_000 * MILLISECOND
_LATEST_MS = 253_402_300_799_000
#: What a type does not want; the venue names them in small letters.
_UNWANTED = {
    OrderType.LIMIT: ("stopPrice", "activationPrice", "callbackRate"),
    OrderType.MARKET: ("price", "timeInForce", "stopPrice", "activationPrice", "callbackRate"),
}


class ResponseType(StrEnum):
    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


def response_type(params: Params) -> ResponseType:
    return params.choice("newOrderRespType", ResponseType, -1136, ResponseType.ACK)


def check_price(spec: ContractSpec, value: Decimal) -> Decimal:
    """A price as the price filter admits it."""
    if value <= 0:
        raise refusal(-4001 if value < 0 else -4013)
    if decimals(value) > price_precision(spec):
        raise refusal(-1111)
    if value < spec.tick:
        raise refusal(-4013)
    if value > highest(spec):
        raise refusal(-4002)
    if not is_multiple(value, spec.tick):
        raise refusal(-4014)
    return value


def check_size(spec: ContractSpec, value: Decimal, kind: OrderType) -> Decimal:
    """A quantity as the lot filters admit it."""
    if value <= 0:
        raise refusal(-4003)
    if decimals(value) > spec.size_places:
        raise refusal(-1111)
    if value < spec.min_size:
        raise refusal(-4004)
    if value > (spec.max_market_size if kind is OrderType.MARKET else spec.max_size):
        raise refusal(-4005)
    if not is_multiple(value, spec.step):
        raise refusal(-4023)
    return value


def check_notional(spec: ContractSpec, size: Decimal, price: Decimal) -> None:
    if times(size, price) < spec.min_notional:
        raise refusal(-4164, spec.min_notional)


def direction(account: Account, params: Params, side: Side) -> tuple[bool | None, bool]:
    """(whether a hedge-mode order closes, ``None`` in one-way mode; reduce-only).

    -4061 when ``positionSide`` does not fit the account's mode, -1106 for reduceOnly in hedge mode.
    """
    word = params.choice("positionSide", PositionSideWord, -4060, PositionSideWord.BOTH)
    hedge = account.record.position_mode is PositionMode.HEDGE
    if hedge is (word is PositionSideWord.BOTH):
        raise refusal(-4061)
    reduce_only = params.flag("reduceOnly")
    if hedge:
        if params.has("reduceOnly"):
            raise refusal(-1106, "reduceonly")
        return (side is Side.BUY) is (word is PositionSideWord.SHORT), False
    return None, reduce_only


def self_trade(params: Params) -> SelfTrade:
    word = params.choice("selfTradePreventionMode", SelfTradeWord, -5039, SelfTradeWord.EXPIRE_MAKER)
    return words.SELF_TRADES[word]


def good_till(call: Call, params: Params, force: TimeInForce) -> int:
    """Nanoseconds of the tape's clock at which a GTD order ends, 0 for the others; -5040 when it is too near."""
    if force is not TimeInForce.GTD:
        if params.integer("goodTillDate"):
            raise refusal(-1106, "goodtilldate")
        return 0
    until = params.need_integer("goodTillDate") // 1000 * 1000  # the venue goes by whole seconds
    now_ns = max(call.engine.core.now_ns, call.hub.clock.now_ns())
    if until * MILLISECOND <= now_ns + _SHORTEST_NS or until >= _LATEST_MS:
        raise refusal(-5040)
    return until * MILLISECOND


def new_order(call: Call, params: Params) -> NewOrder:
    """A limit or market order. Conditional types belong to the algo endpoints: -4120."""
    state, account = call.state(params.symbol()), call.account
    side = Side(params.choice("side", SideWord, -1117).lower())
    wanted = params.choice("type", TypeWord, -1116)
    if wanted not in (TypeWord.LIMIT, TypeWord.MARKET):
        raise refusal(-4120)
    kind = OrderType(wanted.lower())
    if params.flag("closePosition"):
        raise refusal(-4136, f"{wanted.value},closePosition true")
    for name in _UNWANTED[kind]:
        if params.has(name):
            raise refusal(-1106, name.lower())
    hedge_close, reduce_only = direction(account, params, side)
    force, matched = TimeInForce.GTC, match(params, kind)
    if kind is OrderType.LIMIT:
        force = params.choice("timeInForce", TimeInForce, -1115)
    size = check_size(state.spec, params.need_decimal("quantity"), kind)
    price = None
    if kind is OrderType.LIMIT and matched is PriceMatch.NONE:
        price = check_price(state.spec, params.need_decimal("price"))
    if not reduce_only and not hedge_close:
        check_notional(state.spec, size, price or state.mark)
    if kind is OrderType.MARKET:
        check_counterparty(state, side)
    return NewOrder(
        symbol=state.symbol,
        side=side,
        type=kind,
        size=size,
        margin_mode=account.settings(state.spec).margin_mode,
        price=price,
        force=words.FORCES[force],
        client_id=params.client_id(),
        hedge_close=hedge_close,
        reduce_only=reduce_only,
        self_trade=self_trade(params),
        strict=True,
        match=matched,
        expires_ns=good_till(call, params, force),
    )


def match(params: Params, kind: OrderType) -> PriceMatch:
    """The price that is read from the book; -5038 for orders without a price, -1106 beside one."""
    found = words.to_match(params.choice("priceMatch", MatchWord, -5037, MatchWord.NONE))
    if found is not PriceMatch.NONE:
        if kind is OrderType.MARKET:
            raise refusal(-5038)
        if params.has("price"):
            raise refusal(-1106, "price")
    return found


def matched_price(call: Call, params: Params, order: Order) -> Decimal:
    """The price that a change reads from the book."""
    new = NewOrder(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        size=order.size,
        margin_mode=order.margin_mode,
        match=match(params, order.type),
    )
    price = placing.priced(call.state(order.symbol), new).price
    assert price is not None
    return price


def check_counterparty(state: MarketState, side: Side) -> None:
    """A market order must find somebody within the percent band around the mark price: else -4131."""
    spec, mark = state.spec, state.mark
    best = state.book.best_ask if side is Side.BUY else state.book.best_bid
    if not state.trading or not mark:
        return  # the engine refuses with a reason of its own
    if best is None:
        raise refusal(-4131)
    if side is Side.BUY:
        beyond = best[0] > mark * (1 + spec.buy_limit_ratio)
    else:
        beyond = best[0] < mark * (1 - spec.sell_limit_ratio)
    if beyond:
        raise refusal(-4131)
