"""The life of an order: made, resting, finished. What it trades is decided elsewhere."""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.engine import plans
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import (
    Ended,
    Force,
    NewOrder,
    Order,
    Position,
    Source,
    State,
    exit_side,
)
from trader.paper.engine.money import ZERO, divided, minus, plus, times
from trader.paper.engine.timers import Due, Timer


def make(
    core: Core,
    account: Account,
    new: NewOrder,
    *,
    position_side: PositionSide,
    closing: bool,
    size: Decimal,
    leverage: int,
    source: Source | None = None,
) -> Order:
    """A live order that neither rests nor has traded yet."""
    number = core.next_id()
    order = Order(
        id=number,
        account=account.id,
        symbol=new.symbol,
        client_id=new.client_id or str(core.next_id()),
        side=new.side,
        position_side=position_side,
        type=new.type,
        force=new.force,
        price=new.price if new.price is not None else ZERO,
        size=size,
        margin_mode=new.margin_mode,
        leverage=leverage,
        mode=account.record.position_mode,
        closing=closing,
        reduce_only=new.reduce_only,
        source=source or new.source,
        point=new.point,
        created_ns=core.now_ns,
        updated_ns=core.now_ns,
        preset=new.preset,
        self_trade=new.self_trade,
        market=new.market,
        match=new.match,
        expires_ns=new.expires_ns,
        plan_id=new.plan_id,
        closes_all=new.closes_all,
    )
    account.orders[number] = order
    account.clients[order.client_id] = number
    core.live_orders[number] = order
    core.touch(account)
    if order.plan_id:
        plans.order_made(core, account, order)
    core.batch.order(order)
    return order


def forced(
    core: Core,
    account: Account,
    position: Position,
    source: Source,
    *,
    size: Decimal | None = None,
    price: Decimal | None = None,
    client_id: str = "",
) -> Order:
    """An order of the exchange itself that shrinks a position: at market, or at ``price``."""
    new = NewOrder(
        symbol=position.symbol,
        side=exit_side(position.side),
        type=OrderType.MARKET if price is None else OrderType.LIMIT,
        size=position.size if size is None else size,
        margin_mode=position.margin_mode,
        price=price,
        force=Force.GTC if price is not None else Force.IOC,
        client_id=client_id,
        reduce_only=True,
        point="SYS",
    )
    return make(
        core,
        account,
        new,
        position_side=position.side,
        closing=True,
        size=new.size,
        leverage=position.leverage,
        source=source,
    )


def rest(core: Core, account: Account, order: Order, opening: Decimal, ahead: Decimal) -> None:
    """Into the book behind ``ahead``: reserve margin for the ``opening`` part, or the size that it will close."""
    order.ahead = ahead
    _enter(core, order)
    if order.closing:
        position = account.positions[(order.symbol, order.position_side)]
        position.frozen = plus(position.frozen, order.remaining)
        core.batch.position(position)
    else:
        value = times(order.price, opening)
        order.locked = plus(
            divided(value, Decimal(order.leverage)), times(value, core.spec(order.symbol).taker_fee)
        )
        account.locked = plus(account.locked, order.locked)
    core.batch.orders[order.id] = order
    core.touch(account)


def index_again(core: Core, account: Account, order: Order) -> None:
    """After a restart: what it reserves was stored with it."""
    _enter(core, order)
    account.locked = plus(account.locked, order.locked)


def _enter(core: Core, order: Order) -> None:
    core.resting.add(order.id)
    index = core.index(order.symbol, order.market)
    (index.buys if order.side is Side.BUY else index.sells).add(order.price, order.id, order.turn)
    if order.expires_ns:
        core.timers.set(Timer(Due.ORDER, order.id), order.expires_ns)


def unrest(core: Core, account: Account, order: Order) -> None:
    """Out of the book, with what it reserved given back. An order that does not rest is left alone."""
    if order.id not in core.resting:
        return
    index = core.index(order.symbol, order.market)
    (index.buys if order.side is Side.BUY else index.sells).remove(order.price, order.id, order.turn)
    if order.closing:
        position = account.positions.get((order.symbol, order.position_side))
        if position is not None:
            position.frozen = minus(position.frozen, order.remaining)
            core.batch.position(position)
    account.locked = minus(account.locked, order.locked)
    order.locked = ZERO
    core.resting.discard(order.id)
    core.touch(account)


def finish(core: Core, account: Account, order: Order) -> None:
    """No longer pending: its client id is free again."""
    if order.expires_ns:
        core.timers.set(Timer(Due.ORDER, order.id), 0)
    if order.plan_id:
        plans.order_ended(core, account, order)
    del account.orders[order.id]
    del account.clients[order.client_id]
    del core.live_orders[order.id]


def cancel(core: Core, account: Account, order: Order, reason: str = Ended.CLIENT) -> None:
    unrest(core, account, order)
    order.state = State.CANCELED
    order.cancel_reason = reason
    order.updated_ns = core.now_ns
    finish(core, account, order)
    core.touch(account)
    core.batch.order(order)


def cancel_closing(core: Core, account: Account, position: Position) -> None:
    """The position is gone: nothing is left that its closing orders could close."""
    for order in list(account.pending(position.symbol)):
        if order.closing and order.position_side is position.side and order.id in core.resting:
            cancel(core, account, order, Ended.POSITION_CLOSED)
