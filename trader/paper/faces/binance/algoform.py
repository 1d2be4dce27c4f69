"""From the parameters of a new algo order to what the engine takes; what the venue refuses before its price comes."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from shared.domain.order import OrderType, Side
from trader.paper.contract import ContractSpec
from trader.paper.engine.algos import NewAlgo
from trader.paper.engine.model import PlanKind, PriceMatch
from trader.paper.faces.binance import orderform, words
from trader.paper.faces.binance.algorows import ALGO_TYPE, REFERENCES
from trader.paper.faces.binance.calls import Call
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.words import SideWord, TimeInForce, TypeWord

#: Kind, and whether the order has a price.
_KINDS = {
    TypeWord.STOP: (PlanKind.ALGO_STOP, True),
    TypeWord.STOP_MARKET: (PlanKind.ALGO_STOP, False),
    TypeWord.TAKE_PROFIT: (PlanKind.ALGO_PROFIT, True),
    TypeWord.TAKE_PROFIT_MARKET: (PlanKind.ALGO_PROFIT, False),
    TypeWord.TRAILING_STOP_MARKET: (PlanKind.ALGO_TRAIL, False),
}
_TRAILING = ("activatePrice", "callbackRate")


class AlgoWord(StrEnum):
    CONDITIONAL = ALGO_TYPE


class WorkingWord(StrEnum):
    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


def new_algo(call: Call, params: Params) -> NewAlgo:
    params.choice("algoType", AlgoWord, -1130)
    state, account = call.state(params.symbol()), call.account
    spec = state.spec
    side = Side(params.choice("side", SideWord, -1117).lower())
    wanted = params.choice("type", TypeWord, -1116)
    if wanted not in _KINDS:
        raise refusal(-1116)
    kind, limit = _KINDS[wanted]
    orderform.response_type(params)
    _check_wanted(params, kind, limit)
    closes_all = params.flag("closePosition")
    if closes_all:
        _check_closing(params, wanted)
    hedge_close, reduce_only = orderform.direction(account, params, side)
    if closes_all and hedge_close is False:
        raise refusal(-4136, f"{wanted.value},closePosition true")
    force = params.choice("timeInForce", TimeInForce, -1115, TimeInForce.GTC)
    match = orderform.match(params, OrderType.LIMIT if limit else OrderType.MARKET)
    trigger = _price(spec, params, "activatePrice" if kind.trails else "triggerPrice")
    price = None
    if limit and match is PriceMatch.NONE:
        price = orderform.check_price(spec, params.need_decimal("price"))
    if price is not None and trigger is not None:
        _check_reach(spec, side, price, trigger)
    size = Decimal(0)
    if not closes_all:
        lot = OrderType.LIMIT if limit else OrderType.MARKET
        size = orderform.check_size(spec, params.need_decimal("quantity"), lot)
        if not reduce_only and not hedge_close:
            orderform.check_notional(spec, size, price or trigger or state.mark)
    return NewAlgo(
        symbol=state.symbol,
        kind=kind,
        side=side,
        size=size,
        trigger=trigger,
        reference=REFERENCES[params.choice("workingType", WorkingWord, -1130, WorkingWord.CONTRACT_PRICE)],
        price=price,
        match=match,
        force=words.FORCES[force],
        ratio=params.need_decimal("callbackRate") if kind.trails else Decimal(0),
        hedge_close=hedge_close,
        reduce_only=reduce_only,
        closes_all=closes_all,
        price_protect=params.flag("priceProtect"),
        self_trade=orderform.self_trade(params),
        client_id=params.client_id("clientAlgoId"),
        expires_ns=orderform.good_till(call, params, force),
    )


def _check_wanted(params: Params, kind: PlanKind, limit: bool) -> None:
    """What a type must have (-1102) and may not have (-1106)."""
    unwanted = ("triggerPrice",) if kind.trails else _TRAILING
    for name in unwanted if limit else (*unwanted, "price"):
        if params.has(name):
            raise refusal(-1106, name.lower())
    params.need("callbackRate" if kind.trails else "triggerPrice")


def _check_closing(params: Params, wanted: TypeWord) -> None:
    if wanted not in (TypeWord.STOP_MARKET, TypeWord.TAKE_PROFIT_MARKET):
        raise refusal(-4136, f"{wanted.value},closePosition true")
    if params.decimal("quantity"):
        raise refusal(-4137)
    if params.flag("reduceOnly"):
        raise refusal(-1106, "reduceonly")


def _price(spec: ContractSpec, params: Params, name: str) -> Decimal | None:
    value = params.decimal(name)
    return None if value is None else orderform.check_price(spec, value)


def _check_reach(spec: ContractSpec, side: Side, price: Decimal, trigger: Decimal) -> None:
    """A limit price may lie no farther beyond the trigger than the percent band is wide: -4183, -4184."""
    if side is Side.BUY and price > trigger * (1 + spec.buy_limit_ratio):
        raise refusal(-4183)
    if side is Side.SELL and price < trigger * (1 - spec.sell_limit_ratio):
        raise refusal(-4184)
