"""Orders: new, changed, cancelled, in batches, and the countdown that cancels all."""

from __future__ import annotations

from collections.abc import Callable

from shared.clock import MILLISECOND
from shared.errors import VenueRefusedError
from trader.paper.engine.model import Order
from trader.paper.engine.money import ZERO
from trader.paper.engine.refusals import Refused
from trader.paper.faces.binance import errors, orderform, orderrows
from trader.paper.faces.binance.calls import Call, signed
from trader.paper.faces.binance.errors import from_engine, refusal
from trader.paper.faces.binance.orderform import ResponseType, response_type
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.words import MatchWord, SideWord

_MOST_NEW = 5
_MOST_CANCELLED = 10
#: Some clients write these names in small letters, and the venue takes them so too.
_LISTS = {
    "orderIdList": "orderId",
    "orderidlist": "orderId",
    "origClientOrderIdList": "origClientOrderId",
    "origclientorderidlist": "origClientOrderId",
}
_LONGEST_COUNTDOWN_MS = 400 * 86_400_000
ALL_CANCELLED = {"code": 200, "msg": "The operation of cancel all open order is done."}


def _batch_size(params: Params) -> int:
    """The orders of a batch that can be read, at least one."""
    try:
        return max(1, min(_MOST_NEW, len(params.list_of("batchOrders"))))
    except VenueRefusedError:
        return 1


# new


@signed("POST", "/fapi/v1/order", 0, 1)
def place(call: Call) -> object:
    return _place(call, call.params)


def _place(call: Call, params: Params) -> dict[str, object]:
    how = response_type(params)
    new = orderform.new_order(call, params)
    order = call.engine.place(call.account, new).order
    spec = call.state(order.symbol).spec
    return orderrows.placed(spec, order, at_once=how is ResponseType.ACK)


@signed("POST", "/fapi/v1/order/test")
def test(call: Call) -> object:
    """Judged like a new order, and forgotten. It has no number."""
    response_type(call.params)
    new, ticket = call.engine.judge(call.account, orderform.new_order(call, call.params))
    now_ns = call.engine.core.now_ns
    order = Order(
        id=0,
        account=call.account.id,
        symbol=new.symbol,
        client_id=new.client_id,
        side=new.side,
        position_side=ticket.side,
        type=new.type,
        force=new.force,
        price=new.price or ZERO,
        size=ticket.size,
        margin_mode=new.margin_mode,
        leverage=ticket.leverage,
        mode=call.account.record.position_mode,
        closing=ticket.closing,
        reduce_only=new.reduce_only,
        source=new.source,
        point=new.point,
        created_ns=now_ns,
        updated_ns=now_ns,
        self_trade=new.self_trade,
        match=new.match,
        expires_ns=new.expires_ns,
    )
    return orderrows.placed(call.state(new.symbol).spec, order)


# changed and cancelled


def pending(call: Call, params: Params, unknown: int) -> Order:
    """The resting order that is named by ``orderId`` or ``origClientOrderId``; ``unknown`` refuses others."""
    symbol, number, name = call.state(params.symbol()).symbol, *named(params)
    order = call.engine.pending(call.account, number, name)
    if order is None or order.symbol != symbol:
        raise refusal(unknown)
    return order


def named(params: Params) -> tuple[int, str]:
    """(orderId, origClientOrderId), one of which is given: -1102 when none is."""
    number = params.id("orderId")
    name = "" if number else params.text("origClientOrderId")
    if not number and not name:
        raise refusal(-1102, "origClientOrderId' or 'orderId")
    return max(0, number), name


@signed("PUT", "/fapi/v1/order", 1, 1)
def modify(call: Call) -> object:
    return _modify(call, call.params)


def _modify(call: Call, params: Params) -> dict[str, object]:
    """Side, quantity and price are wanted all three, changed or not."""
    spec, side = call.state(params.symbol()).spec, params.choice("side", SideWord, -1117)
    matched = params.text("priceMatch", MatchWord.NONE) != MatchWord.NONE
    size, wanted = params.need_decimal("quantity"), None if matched else params.need_decimal("price")
    order = pending(call, params, -2013)
    if side.lower() != order.side:
        raise refusal(-1130, "side")
    orderform.check_size(spec, size, order.type)
    if wanted is None:
        price = orderform.matched_price(call, params, order)
    else:
        price = orderform.check_price(spec, wanted)
    if not order.closing:
        orderform.check_notional(spec, size, price)
    return orderrows.amended(spec, call.engine.amend(call.account, order, size, price))


@signed("DELETE", "/fapi/v1/order")
def cancel(call: Call) -> object:
    order = pending(call, call.params, -2011)
    call.engine.cancel(call.account, order)
    return orderrows.cancelled(call.state(order.symbol).spec, order)


@signed("DELETE", "/fapi/v1/allOpenOrders")
def cancel_all(call: Call) -> object:
    """Those of one symbol; algo orders stay."""
    call.engine.cancel_all(call.account, call.state().symbol)
    return ALL_CANCELLED


@signed("POST", "/fapi/v1/countdownCancelAll", 10)
def countdown(call: Call) -> object:
    """In so many milliseconds of the tape's clock all orders of the symbol are cancelled; 0 stops it."""
    symbol, wait = call.state().symbol, call.params.need_integer("countdownTime")
    if not 0 <= wait <= _LONGEST_COUNTDOWN_MS:
        raise refusal(-1130, "countdownTime")
    call.engine.countdown(call.account, symbol, wait * MILLISECOND)
    return {"symbol": symbol, "countdownTime": str(wait)}


# batches: each member succeeds or fails by itself


def _each(call: Call, do: Callable[[Call, Params], dict[str, object]]) -> list[dict[str, object]]:
    items = call.params.list_of("batchOrders")
    if len(items) > _MOST_NEW:
        raise refusal(-4082)
    rows: list[dict[str, object]] = []
    for item in items:
        try:
            if not isinstance(item, dict):
                raise refusal(-1102, "batchOrders")
            rows.append(do(call, Params(item)))
        except Refused as refused:
            rows.append(errors.body(from_engine(refused)))
        except VenueRefusedError as refused:
            rows.append(errors.body(refused))
    return rows


@signed("POST", "/fapi/v1/batchOrders", 5, _batch_size)
def place_batch(call: Call) -> object:
    return _each(call, _place)


@signed("PUT", "/fapi/v1/batchOrders", 5, _batch_size)
def modify_batch(call: Call) -> object:
    return _each(call, _modify)


@signed("DELETE", "/fapi/v1/batchOrders")
def cancel_batch(call: Call) -> object:
    params, symbol = call.params, call.state().symbol
    field = params.only_one(_LISTS)
    items = params.list_of(field)
    if len(items) > _MOST_CANCELLED:
        raise refusal(-4082)
    name = _LISTS[field]
    rows: list[dict[str, object]] = []
    for item in items:
        try:
            order = pending(call, Params({"symbol": symbol, name: item}), -2011)
            call.engine.cancel(call.account, order)
            rows.append(orderrows.cancelled(call.state(symbol).spec, order))
        except VenueRefusedError as refused:
            rows.append(errors.body(refused))
    return rows
