"""Signed spot order calls: place, cancel, replace, look up. Lists are plain lists here."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from shared.domain.order import OrderType, Side
from shared.errors import VenueRefusedError
from trader.paper.contract import SPOT
from trader.paper.engine.model import Force, Preset, SelfTrade
from trader.paper.engine.refusals import Refused
from trader.paper.engine.spot_model import NewSpotOrder, Origin, SpotOrder
from trader.paper.faces.bitget import spot_shapes
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.errors import from_spot, refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.spot_calls import each, fresh, items, page, spot_get, spot_post, traded, which

_TRADE = "/api/v2/spot/trade"


class _Kind(StrEnum):
    NORMAL = "normal"
    TRIGGER = "tpsl"


class _BatchMode(StrEnum):
    SINGLE = "single"
    MULTIPLE = "multiple"


def new_order(params: Params, symbol: str) -> NewSpotOrder:
    """Read an order. The ``size`` of a market buy is quote currency, every other one base coin."""
    kind, side = params.choice("orderType", OrderType), params.choice("side", Side)
    limit = kind is OrderType.LIMIT
    waits = params.choice("tpslType", _Kind, _Kind.NORMAL) is _Kind.TRIGGER
    return NewSpotOrder(
        symbol=symbol,
        side=side,
        type=kind,
        size=params.need_decimal("size"),
        price=params.need_decimal("price") if limit else None,
        force=params.choice("force", Force, Force.GTC) if limit else Force.GTC,
        self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
        client_id=params.text("clientOid"),
        by_value=not limit and side is Side.BUY,
        trigger=params.need_decimal("triggerPrice") if waits else None,
        preset=Preset() if waits else preset(params),
        origin=Origin.TRIGGER if waits else Origin.CLIENT,
    )


def preset(params: Params) -> Preset:
    return Preset(
        take_profit=params.price("presetTakeProfitPrice"),
        stop_loss=params.price("presetStopLossPrice"),
        take_profit_execute=params.price("executeTakeProfitPrice"),
        stop_loss_execute=params.price("executeStopLossPrice"),
    )


@spot_post(f"{_TRADE}/place-order")
def place_order(call: Call) -> object:
    state = traded(call)
    fresh(call)
    return spot_shapes.placed(call.engine.spot.place(call.account, new_order(call.params, state.symbol)))


def _outer(call: Call) -> str:
    """The symbol of a whole batch; in ``multiple`` mode every item names its own."""
    params = call.params
    if params.choice("batchMode", _BatchMode, _BatchMode.SINGLE) is _BatchMode.MULTIPLE:
        return ""
    return traded(call).symbol if params.text("symbol") else ""


@spot_post(f"{_TRADE}/batch-orders", 5)
def place_orders(call: Call) -> object:
    """One after the other, each on its own."""
    outer = _outer(call)
    fresh(call)

    def place(item: Params) -> dict[str, str]:
        state = traded(call, item, outer)
        return spot_shapes.placed(call.engine.spot.place(call.account, new_order(item, state.symbol)))

    return each(items(call.params, "orderList"), place)


def _pending(call: Call, params: Params, symbol: str) -> SpotOrder:
    order = call.engine.spot.pending(call.account, *which(params))
    if order is None or order.symbol != symbol:
        raise refusal("43001")
    return order


@spot_post(f"{_TRADE}/cancel-order")
def cancel_order(call: Call) -> object:
    symbol = traded(call).symbol
    fresh(call)
    order = _pending(call, call.params, symbol)
    call.engine.spot.cancel(call.account, order)
    return spot_shapes.placed(order)


@spot_post(f"{_TRADE}/batch-cancel-order", 5)
def cancel_orders(call: Call) -> object:
    outer = _outer(call)

    def cancel(item: Params) -> dict[str, str]:
        order = _pending(call, item, traded(call, item, outer).symbol)
        call.engine.spot.cancel(call.account, order)
        return spot_shapes.placed(order)

    return each(items(call.params, "orderList"), cancel)


@spot_post(f"{_TRADE}/cancel-symbol-order", 5)
def cancel_symbol(call: Call) -> object:
    """Every order of the symbol; success also when there is none."""
    symbol = traded(call).symbol
    call.engine.spot.cancel_all(call.account, symbol)
    return {"symbol": symbol}


def _replace(call: Call, params: Params, symbol: str) -> SpotOrder:
    """A resting limit order at a new price and size. A refused replacement leaves the old one as it is."""
    old = _pending(call, params, symbol)
    if old.type is not OrderType.LIMIT or old.waiting:
        raise refusal("40020", "orderId")
    return call.engine.spot.replace(
        call.account,
        old,
        params.need_decimal("price"),
        params.need_decimal("size"),
        client_id=params.text("newClientOid"),
        preset=preset(params),
    )


@spot_post(f"{_TRADE}/cancel-replace-order")
def replace_order(call: Call) -> object:
    symbol = traded(call).symbol
    fresh(call)
    order = _replace(call, call.params, symbol)
    return {**spot_shapes.placed(order), "success": "success", "msg": None}


@spot_post(f"{_TRADE}/batch-cancel-replace-order", 5)
def replace_orders(call: Call) -> object:
    rows: list[dict[str, object]] = []
    for item in items(call.params, "orderList"):
        try:
            order = _replace(call, item, traded(call, item).symbol)
            rows.append({**spot_shapes.placed(order), "success": "success", "msg": None})
        except (Refused, VenueRefusedError) as error:
            refused = from_spot(error) if isinstance(error, Refused) else error
            named = item.raw("orderId")
            row: dict[str, object] = {"orderId": str(named)[:64] if named else None, "clientOid": None}
            rows.append(row | {"success": "failure", "msg": refused.text})
    return rows


@spot_get(f"{_TRADE}/orderInfo", 20)
def order_info(call: Call) -> object:
    fresh(call)
    order = call.engine.spot.order(call.account, *which(call.params))
    if order is None:
        raise refusal("40109")
    return [spot_shapes.order(order)]


def _known(call: Call) -> None:
    """A symbol that is named must exist."""
    if call.params.text("symbol"):
        call.state(call.params.symbol(), SPOT, "40102")


@spot_get(f"{_TRADE}/unfilled-orders", 20)
def unfilled_orders(call: Call) -> object:
    """Orders in the book, newest first; with ``tpslType`` tpsl those that wait for their trigger."""
    _known(call)
    params, asked = call.params, page(call.params)
    waiting = params.choice("tpslType", _Kind, _Kind.NORMAL) is _Kind.TRIGGER
    found = [
        order
        for order in sorted(call.account.spot.orders.values(), key=lambda order: -order.id)
        if order.waiting is waiting
        and asked.symbol in {"", order.symbol}
        and asked.order_id in {0, order.id}
        and (not asked.before or order.id < asked.before)
        and order.created_ns >= asked.since_ns
        and (not asked.until_ns or order.created_ns <= asked.until_ns)
    ]
    return [spot_shapes.unfilled(order) for order in found[: asked.limit]]


@spot_get(f"{_TRADE}/history-orders", 20)
def history_orders(call: Call) -> object:
    """Finished orders, newest first; ``tpslType`` narrows them down."""
    _known(call)
    params, asked = call.params, page(call.params)
    desk = call.engine.spot
    if asked.order_id:
        order = desk.order(call.account, asked.order_id)
        found = [order] if order is not None and not order.live else []
    else:
        waited = params.choice("tpslType", _Kind) is _Kind.TRIGGER if params.text("tpslType") else None
        query = msgspec.structs.replace(asked, waited=waited, client_id=params.text("clientOid"))
        found = desk.store.orders(call.account.id, query)
    return [spot_shapes.order(order) for order in found]


@spot_get(f"{_TRADE}/fills")
def fills(call: Call) -> object:
    _known(call)
    found = call.engine.spot.store.fills(call.account.id, page(call.params))
    return [spot_shapes.fill_row(fill) for fill in found]
