"""Orders, trades and liquidations that were."""

from __future__ import annotations

import msgspec

from trader.paper import shortids
from trader.paper.engine.batch import Query
from trader.paper.engine.model import Fill, Order
from trader.paper.engine.money import text
from trader.paper.faces.binance import numbers, orderrows, orderwords
from trader.paper.faces.binance.calls import Call, by_symbol, signed
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.orders import named, pending
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.spans import span

_DAYS = 7
_PAGE = 200
_MOST_PAGES = 50


@signed("GET", "/fapi/v1/order")
def order(call: Call) -> object:
    """Any order, pending or ended."""
    state, (number, name) = call.state(), named(call.params)
    found = call.engine.order(call.account, number, name)
    if found is None or found.symbol != state.symbol:
        raise refusal(-2013)
    return orderrows.found(state.spec, found)


@signed("GET", "/fapi/v1/openOrder")
def open_order(call: Call) -> object:
    found = pending(call, call.params, -2013)
    return orderrows.found(call.state(found.symbol).spec, found)


@signed("GET", "/fapi/v1/openOrders", by_symbol(1, 40))
def open_orders(call: Call) -> object:
    """Oldest first."""
    symbol = call.state().symbol if call.params.has("symbol") else ""
    return [
        orderrows.found(call.state(found.symbol).spec, found)
        for found in call.account.orders.values()
        if symbol in ("", found.symbol)
    ]


@signed("GET", "/fapi/v1/orderAmendment")
def amendments(call: Call) -> object:
    """How an order was changed in place, newest first; the last 50 changes are kept."""
    params, state = call.params, call.state()
    number, name = named(params)
    limit = params.limit(50, 100)
    since_ns, until_ns = span(call, 0, 0)
    found = call.engine.order(call.account, number, name)
    if found is None or found.symbol != state.symbol:
        raise refusal(-2013)
    spec = state.spec
    return [
        {
            "amendmentId": shortids.shown(change.id),
            "symbol": found.symbol,
            "pair": found.symbol,
            "orderId": shortids.shown(found.id),
            "clientOrderId": orderwords.client_id(found),
            "time": ms(change.ns),
            "amendment": {
                "price": _change(*(numbers.price(spec, price) for price in change.price)),
                "origQty": _change(*(numbers.size(spec, size) for size in change.size)),
                "count": change.number,
            },
            "priceMatch": orderwords.price_match(found),
        }
        for change in reversed(found.amended)
        if change.ns >= since_ns and (not until_ns or change.ns <= until_ns)
    ][:limit]


def _change(before: str, after: str) -> dict[str, str]:
    return {"before": before, "after": after}


@signed("GET", "/fapi/v1/allOrders", 5)
def all_orders(call: Call) -> object:
    """Oldest first: from a named order or start on, else the newest of the last 7 days."""
    state, params = call.state(), call.params
    limit, first = params.limit(500, 1000), params.id("orderId")
    since_ns, until_ns = (0, 0) if first else span(call, _DAYS, _DAYS)
    upward = bool(first or params.time("startTime"))
    query = Query(
        symbol=state.symbol,
        first=max(0, first),
        since_ns=since_ns,
        until_ns=until_ns,
        limit=limit,
        upward=upward,
    )
    found = call.engine.orders(call.account, query)
    found += [
        live
        for live in call.account.pending(state.symbol)
        if live.id >= first and live.created_ns >= since_ns and (not until_ns or live.created_ns <= until_ns)
    ]
    found.sort(key=lambda one: one.id)
    return [orderrows.found(state.spec, one) for one in (found[:limit] if upward else found[-limit:])]


@signed("GET", "/fapi/v1/userTrades", 5)
def user_trades(call: Call) -> object:
    """Oldest first: from a named trade or start on, else the newest of the last 7 days."""
    state, params = call.state(), call.params
    limit, first, number = params.limit(500, 1000), params.id("fromId"), params.id("orderId")
    if first and (params.has("startTime") or params.has("endTime")):
        raise refusal(-1128)
    since_ns, until_ns = (0, 0) if first or number else span(call, _DAYS, _DAYS)
    upward = bool(first or params.time("startTime"))
    query = Query(
        symbol=state.symbol,
        order_id=max(0, number),
        first=max(0, first),
        since_ns=since_ns,
        until_ns=until_ns,
        limit=limit,
        upward=upward,
    )
    found = call.engine.fills(call.account, query)
    return [_trade(call, fill) for fill in (found if upward else reversed(found))]


def _trade(call: Call, fill: Fill) -> dict[str, object]:
    """``commission`` is positive when it was paid."""
    spec = call.state(fill.symbol).spec
    return {
        "symbol": fill.symbol,
        "id": shortids.shown(fill.id),
        "orderId": shortids.shown(fill.order_id),
        "side": fill.side.value.upper(),
        "price": numbers.price(spec, fill.price),
        "qty": numbers.size(spec, fill.size),
        "realizedPnl": numbers.money(fill.profit),
        "quoteQty": text(fill.value),
        "commission": numbers.money(-fill.fee),
        "commissionAsset": spec.quote,
        "time": ms(fill.ns),
        "positionSide": orderwords.position_side(fill.mode, fill.position_side),
        "buyer": fill.side.value == "buy",
        "maker": not fill.taker,
    }


def _forced_weight(params: Params) -> int:
    return 20 if params.has("symbol") else 50


@signed("GET", "/fapi/v1/forceOrders", _forced_weight)
def forced_orders(call: Call) -> object:
    """Liquidations of the last 7 days, newest first. There is no auto-deleveraging here."""
    params = call.params
    symbol = call.state().symbol if params.has("symbol") else ""
    kind, limit = params.text("autoCloseType"), params.limit(50, 100)
    if kind not in ("", "LIQUIDATION", "ADL"):
        raise refusal(-1130, "autoCloseType")
    since_ns, until_ns = span(call, _DAYS, _DAYS)
    if kind == "ADL":
        return []
    query = Query(symbol=symbol, since_ns=since_ns, until_ns=until_ns, limit=_PAGE)
    return [orderrows.forced(call.state(one.symbol).spec, one) for one in _forced(call, query, limit)]


def _forced(call: Call, query: Query, limit: int) -> list[Order]:
    found: list[Order] = []
    for _ in range(_MOST_PAGES):
        page = call.engine.orders(call.account, query)
        found += [one for one in page if one.source in orderwords.LIQUIDATIONS]
        if len(page) < query.limit or len(found) >= limit:
            break
        query = msgspec.structs.replace(query, before=page[-1].id)
    return found[:limit]
