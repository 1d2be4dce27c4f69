"""Signed order calls: place, cancel, look up."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from shared.domain.order import OrderType, Side
from shared.errors import VenueRefusedError
from trader.paper.engine.accounts import Account
from trader.paper.engine.legs import LegChange
from trader.paper.engine.model import (
    Force,
    NewOrder,
    Order,
    PositionMode,
    Preset,
    SelfTrade,
    opened_by,
)
from trader.paper.engine.modifying import Change
from trader.paper.engine.money import ZERO
from trader.paper.engine.refusals import Refused
from trader.paper.faces.bitget import shapes
from trader.paper.faces.bitget.account import margin_mode, traded
from trader.paper.faces.bitget.calls import Call, signed_get, signed_post
from trader.paper.faces.bitget.errors import from_engine, refusal
from trader.paper.faces.bitget.params import Params

_MOST_IN_BATCH = 50


class _TradeSide(StrEnum):
    OPEN = "open"
    CLOSE = "close"


@signed_post("/api/v2/mix/order/place-order")
def place_order(call: Call) -> object:
    state, params = traded(call), call.params
    new = new_order(call.account, params, state.symbol)
    placed = call.engine.place(call.account, new)
    row: dict[str, str | None] = {**shapes.placed(placed.order)}
    if placed.displaced:
        row["orderId"] = None  # documented: with older reduce-only orders cancelled the id can be missing
    return row


def new_order(account: Account, params: Params, symbol: str) -> NewOrder:
    """Read an order. In hedge mode the venue's ``side`` names the position: closing a long is a *buy*."""
    kind = params.choice("orderType", OrderType)
    side = params.choice("side", Side)
    hedge_close: bool | None = None
    if account.record.position_mode is PositionMode.HEDGE and params.text("tradeSide"):
        hedge_close = params.choice("tradeSide", _TradeSide) is _TradeSide.CLOSE
        if hedge_close:
            side = Side.SELL if side is Side.BUY else Side.BUY
    limit = kind is OrderType.LIMIT
    return NewOrder(
        symbol=symbol,
        side=side,
        type=kind,
        size=params.need_decimal("size"),
        margin_mode=margin_mode(params),
        price=params.need_decimal("price") if limit else None,
        force=params.choice("force", Force, Force.GTC) if limit else Force.GTC,
        client_id=params.text("clientOid"),
        self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
        hedge_close=hedge_close,
        reduce_only=params.flag("reduceOnly") and account.record.position_mode is PositionMode.ONE_WAY,
        preset=Preset(
            take_profit=params.price("presetStopSurplusPrice"),
            stop_loss=params.price("presetStopLossPrice"),
            take_profit_execute=params.price("presetStopSurplusExecutePrice"),
            stop_loss_execute=params.price("presetStopLossExecutePrice"),
        ),
    )


@signed_post("/api/v2/mix/order/batch-place-order", 5)
def batch_place(call: Call) -> object:
    """Up to 50 orders of one symbol; each is placed or refused by itself. The code stays 00000."""
    state, params = traded(call), call.params
    success: list[dict[str, str]] = []
    failure: list[dict[str, str]] = []
    for item in listed(params, "orderList"):
        one = params.over(item)
        try:
            placed = call.engine.place(call.account, new_order(call.account, one, state.symbol))
        except (Refused, VenueRefusedError) as error:
            refused = from_engine(error) if isinstance(error, Refused) else error
            failure.append(
                {
                    "orderId": "",
                    "clientOid": Params(item).brief("clientOid"),
                    "errorMsg": refused.text,
                    "errorCode": refused.code,
                }
            )
        else:
            success.append(shapes.placed(placed.order))
    return {"successList": success, "failureList": failure}


def listed(params: Params, name: str, most: int = _MOST_IN_BATCH) -> list[dict[str, Any]]:
    """A list of objects with one member at least; too many are 40912."""
    items = params.raw(name)
    if not items:
        raise refusal("40019", name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise refusal("40020", name)
    if len(items) > most:
        raise refusal("40912")
    return items


@signed_post("/api/v2/mix/order/modify-order")
def modify_order(call: Call) -> object:
    """A new size and price make a new order, found by ``newClientOid``; presets: "" keeps, 0 deletes."""
    state, params = traded(call), call.params
    number, client_id = _which(params)
    order = call.engine.pending(call.account, number, client_id)
    if order is None or order.symbol != state.symbol:
        raise refusal("45031" if _found(call, number, client_id) else "40768")
    size, price = params.decimal("newSize"), params.decimal("newPrice")
    if (size is None) != (price is None):
        raise refusal("40925")
    new_id = params.text("newClientOid")
    if size is not None and not new_id:
        raise refusal("40019", "newClientOid")
    change = Change(
        client_id=new_id,
        size=size,
        price=price,
        profit=LegChange(trigger=params.decimal("newPresetStopSurplusPrice")),
        loss=LegChange(trigger=params.decimal("newPresetStopLossPrice")),
    )
    return shapes.placed(call.engine.modify(call.account, order, change))


@signed_post("/api/v2/mix/order/click-backhand")
def reverse(call: Call) -> object:
    """Turn a position round at market. In hedge mode ``side`` names it: buy = the long one."""
    state, params = traded(call), call.params
    account, size = call.account, params.decimal("size")
    if account.record.position_mode is PositionMode.HEDGE:
        side = params.choice("side", Side)
        position = account.positions.get((state.symbol, opened_by(side)))
    else:
        position = account.netted(state.symbol)
    if position is None:
        raise refusal("22002")
    return shapes.placed(call.engine.reverse(account, position, size or None, params.text("clientOid")))


@signed_post("/api/v2/mix/order/cancel-order")
def cancel_order(call: Call) -> object:
    state = traded(call)
    number, client_id = _which(call.params)
    order = call.engine.pending(call.account, number, client_id)
    if order is None or order.symbol != state.symbol:
        raise refusal("22001" if _found(call, number, client_id) else "40768")
    call.engine.cancel(call.account, order)
    return shapes.placed(order)


def _which(params: Params) -> tuple[int, str]:
    number, client_id = params.number("orderId"), params.text("clientOid")
    if not number and not client_id:
        raise refusal("40913", "orderId, clientOid")
    return number, client_id


def _found(call: Call, number: int, client_id: str) -> Order | None:
    return call.engine.order(call.account, number, client_id)


@signed_post("/api/v2/mix/order/cancel-all-orders")
def cancel_all(call: Call) -> object:
    done = call.engine.cancel_all(call.account) if call.params.served() else []
    if not done:
        raise refusal("22001")
    return {"successList": [shapes.placed(order) for order in done], "failureList": []}


@signed_post("/api/v2/mix/order/batch-cancel-orders")
def batch_cancel(call: Call) -> object:
    """Without a list: every order of the symbol."""
    if not call.params.raw("orderIdList"):
        symbol = call.params.symbol()
        done = call.engine.cancel_all(call.account, symbol) if call.params.served() else []
        if not done:
            raise refusal("22001")
        return {"successList": [shapes.placed(order) for order in done], "failureList": []}
    success: list[dict[str, str]] = []
    failure: list[dict[str, str]] = []
    for item in listed(call.params, "orderIdList"):
        params = Params(item)
        number, client_id = params.number("orderId"), params.text("clientOid")
        order = call.engine.pending(call.account, number, client_id)
        if order is None:
            named = {"orderId": params.text("orderId"), "clientOid": client_id}
            failure.append(named | {"errorMsg": "Order does not exist", "errorCode": "40768"})
        else:
            call.engine.cancel(call.account, order)
            success.append(shapes.placed(order))
    return {"successList": success, "failureList": failure}


@signed_get("/api/v2/mix/order/detail")
def detail(call: Call) -> object:
    state = traded(call)
    order = _found(call, *_which(call.params))
    if order is None or order.symbol != state.symbol:
        raise refusal("40109")
    return shapes.order_row(order, "state")


@signed_get("/api/v2/mix/order/orders-pending")
def pending(call: Call) -> object:
    params, account = call.params, call.account
    page, client_id = params.page(), params.text("clientOid")
    status = params.text("status").lower()
    found = [
        order
        for order in sorted(account.orders.values(), key=lambda order: -order.id)
        if page.symbol in {"", order.symbol}
        and page.order_id in {0, order.id}
        and client_id in {"", order.client_id}
        and status in {"", order.state.value}
        and (not page.before or order.id < page.before)
        and order.created_ns >= page.since_ns
        and (not page.until_ns or order.created_ns <= page.until_ns)
    ]
    return _order_list(found[: page.limit] if params.served() else [])


@signed_get("/api/v2/mix/order/orders-history")
def history(call: Call) -> object:
    params, page = call.params, call.params.page()
    if not params.served():
        return _order_list([])
    client_id = params.text("clientOid")
    if page.order_id or client_id:
        order = _found(call, page.order_id, client_id)
        return _order_list([order] if order is not None and not order.live else [])
    return _order_list(call.engine.orders(call.account, page))


def _order_list(orders: list[Order]) -> dict[str, object]:
    """An empty list is null, as the venue sends it."""
    rows = [shapes.order_row(order, "status") for order in orders]
    for row, order in zip(rows, orders, strict=True):
        row["posAvg"] = shapes.price(order.average)
        row["liqPrice"] = shapes.price(order.liquidation_price) if order.liquidation_price != ZERO else ""
    return {"entrustedList": rows or None, "endId": str(orders[-1].id) if orders else None}


@signed_get("/api/v2/mix/order/fills")
def fills(call: Call) -> object:
    return _fill_list(call, {})


@signed_get("/api/v2/mix/order/fill-history")
def fill_history(call: Call) -> object:
    return _fill_list(call, {"marginCoin": shapes.COIN})


def _fill_list(call: Call, extra: dict[str, object]) -> dict[str, object]:
    page = call.params.page()
    found = call.engine.fills(call.account, page) if call.params.served() else []
    return {
        "fillList": [shapes.fill_row(fill) | extra for fill in found],
        "endId": str(found[-1].id) if found else None,
    }
