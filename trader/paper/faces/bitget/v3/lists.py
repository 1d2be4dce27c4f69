"""Signed v3 calls that look orders and fills up. Without a category both markets are in one list."""

from __future__ import annotations

import msgspec

from trader.paper.engine.batch import Query
from trader.paper.engine.model import Order
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.v3 import rows
from trader.paper.faces.bitget.v3.calls import (
    Category,
    category,
    optional_category,
    page,
    paged,
    signed_get,
    which,
)
from trader.paper.faces.bitget.v3.errors import refusal


def _found(call: Call, number: int, client_id: str) -> Order | None:
    """Any order: of several with one client id the open one, else the newest."""
    account = call.account
    found = [
        order
        for order in (
            call.engine.order(account, number, client_id),
            call.engine.spot.order(account, number, client_id),
        )
        if order is not None
    ]
    return max(found, key=lambda order: (order.live, order.id), default=None)


@signed_get("trade/order-info")
def order_info(call: Call) -> object:
    order = _found(call, *which(call.params))
    if order is None:
        raise refusal("25204")
    return rows.order_info(order)


@signed_get("trade/unfilled-orders")
def unfilled(call: Call) -> object:
    found, asked = optional_category(call.params), page(call)
    account = call.account
    live: list[Order] = []
    if found in (None, Category.FUTURES):
        live += account.orders.values()
    if found in (None, Category.SPOT):
        live += account.spot.orders.values()
    shown = [
        order
        for order in sorted(live, key=lambda order: -order.id)
        if asked.symbol in {"", order.symbol}
        and (not asked.before or order.id < asked.before)
        and order.created_ns >= asked.since_ns
        and (not asked.until_ns or order.created_ns <= asked.until_ns)
    ]
    return paged([rows.unfilled(order) for order in shown[: asked.limit]], "orderId")


def _of_spot(asked: Query) -> SpotQuery:
    return SpotQuery(
        symbol=asked.symbol,
        order_id=asked.order_id,
        before=asked.before,
        since_ns=asked.since_ns,
        until_ns=asked.until_ns,
        limit=asked.limit,
    )


@signed_get("trade/history-orders")
def history(call: Call) -> object:
    """Orders that are over."""
    found, asked = category(call.params), page(call)
    ended: list[Order] = []
    if found is Category.FUTURES:
        ended += call.engine.orders(call.account, asked)
    elif found is Category.SPOT:
        ended += call.engine.spot.store.orders(call.account.id, _of_spot(asked))
    return paged([rows.history(order) for order in ended], "orderId")


@signed_get("trade/fills")
def fills(call: Call) -> object:
    found = optional_category(call.params)
    asked = msgspec.structs.replace(page(call), order_id=call.params.number("orderId"))
    shown: list[tuple[int, dict[str, object]]] = []
    if found in (None, Category.FUTURES):
        shown += [(fill.id, rows.fill(fill)) for fill in call.engine.fills(call.account, asked)]
    if found in (None, Category.SPOT):
        traded = call.engine.spot.store.fills(call.account.id, _of_spot(asked))
        shown += [(fill.id, rows.fill(fill)) for fill in traded]
    shown.sort(key=lambda item: -item[0])
    return paged([row for _, row in shown[: asked.limit]], "execId")
