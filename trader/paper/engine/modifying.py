"""Changing an order, and turning a position round. Everything is checked before anything changes.

:func:`modify`: a new size or price makes a new order with a new id at the end of the queue; new protection
alone changes the order where it stands. :func:`amend`: the order keeps its id, and its place in the queue
when it only becomes smaller.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import msgspec

from shared.domain.order import OrderType
from trader.paper.engine import legs, matching, orders, placing, protection
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.crossing import Taker
from trader.paper.engine.legs import KEEP, LegChange
from trader.paper.engine.model import (
    Amendment,
    Ended,
    NewOrder,
    Order,
    Position,
    PositionMode,
    Source,
    State,
    exit_side,
)
from trader.paper.engine.money import ZERO, plus, times
from trader.paper.engine.refusals import Reason, Refused

#: As often as one order may be amended.
MOST_AMENDMENTS = 10_000
#: Of these the order remembers so many.
KEPT_AMENDMENTS = 50


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """``size`` and ``price`` are given both or none; ``profit`` and ``loss`` are what rides on the order."""

    client_id: str = ""
    size: Decimal | None = None
    price: Decimal | None = None
    profit: LegChange = KEEP
    loss: LegChange = KEEP


def modify(core: Core, account: Account, order: Order, change: Change) -> Order:
    """The changed order: the same one, or the new one that took its place."""
    if order.state is not State.LIVE or order.id not in core.resting:
        raise Refused(Reason.NOT_MODIFIABLE, str(order.id))
    preset = legs.changed(order.preset, change.profit, change.loss)
    if change.size is None or change.price is None:
        if preset == order.preset:
            raise Refused(Reason.NOTHING_CHANGED)
        if order.closing:
            raise Refused(Reason.NOT_MODIFIABLE, str(order.id))
        protection.change_preset(core, account, order, change.profit, change.loss)
        return order
    new = NewOrder(
        symbol=order.symbol,
        side=order.side,
        type=OrderType.LIMIT,
        size=change.size,
        margin_mode=order.margin_mode,
        price=change.price,
        force=order.force,
        client_id=change.client_id,
        hedge_close=order.closing if order.mode is PositionMode.HEDGE else None,
        reduce_only=order.reduce_only,
        preset=preset,
        point=order.point,
        self_trade=order.self_trade,
        source=Source.MODIFIED,
    )
    with _without(account, order):
        ticket = placing.check(core, account, new)
    orders.cancel(core, account, order)
    return placing.carry_out(core, account, new, ticket, core.state(order.symbol)).order


def amend(core: Core, account: Account, order: Order, size: Decimal, price: Decimal) -> Order:
    """Another size (what has traded included) and price for a resting limit order, which stays the same order.

    It is judged as a new one would be; a refusal leaves it as it was. At another price or with a greater
    size it goes to the end of the queue, and trades what it meets there. It is cancelled instead when no more
    than ``size`` is left to trade, or when it is post-only and would take.
    """
    if order.type is not OrderType.LIMIT or order.id not in core.resting:
        raise Refused(Reason.NOT_MODIFIABLE, str(order.id))
    if (size, price) == (order.size, order.price):
        raise Refused(Reason.NOTHING_CHANGED)
    if order.amendments >= MOST_AMENDMENTS:
        raise Refused(Reason.TOO_MANY_AMENDMENTS, str(MOST_AMENDMENTS))
    state = core.state(order.symbol)
    new = NewOrder(
        symbol=order.symbol,
        side=order.side,
        type=OrderType.LIMIT,
        size=size,
        margin_mode=order.margin_mode,
        price=price,
        force=order.force,
        hedge_close=order.closing if order.mode is PositionMode.HEDGE else None,
        reduce_only=order.reduce_only,
        self_trade=order.self_trade,
    )
    with _without(account, order):
        if size <= order.filled:
            placing.check_form(core, account, state, new)
        else:
            ticket = placing.check(core, account, new, filled=order.filled)
    if size <= order.filled:
        orders.cancel(core, account, order, Ended.AMENDED)
        return order
    for older in ticket.displaced:
        orders.cancel(core, account, older, Ended.REDUCE_ONLY)
    smaller = price == order.price and size < order.size
    orders.unrest(core, account, order)
    before = (order.price, order.size)
    order.size = plus(ticket.size, order.filled)
    order.price = price
    order.leverage = ticket.leverage
    order.amendments += 1
    change = Amendment(
        core.next_id(), order.amendments, core.now_ns, (before[0], price), (before[1], order.size)
    )
    order.amended = (*order.amended[1 - KEPT_AMENDMENTS :], change)
    order.updated_ns = core.now_ns
    if not smaller:
        order.turn = core.next_id()
    core.touch(account)
    core.batch.order(order, amended=True)
    placing.work(core, account, order, ticket, state, ahead=order.ahead if smaller else None)
    return order


@contextmanager
def _without(account: Account, order: Order) -> Iterator[None]:
    """The account as it would be without one resting order; then it is there again, as it was."""
    known, clients = account.orders, account.clients
    locked, position = account.locked, account.positions.get((order.symbol, order.position_side))
    frozen = position.frozen if position is not None else ZERO
    account.orders = {number: one for number, one in known.items() if number != order.id}
    account.locked = locked - order.locked
    if order.closing and position is not None:
        position.frozen = frozen - order.remaining
    try:
        yield
    finally:
        account.orders, account.clients, account.locked = known, clients, locked
        if position is not None:
            position.frozen = frozen


def reverse(core: Core, account: Account, position: Position, size: Decimal | None, client_id: str) -> Order:
    """Close a position at market and open one of ``size`` (as large as it was) on the other side."""
    state = core.state(position.symbol)
    wanted = position.size if size is None else size
    side = exit_side(position.side)
    netting = position.mode is PositionMode.ONE_WAY
    new = NewOrder(
        symbol=position.symbol,
        side=side,
        type=OrderType.MARKET,
        size=plus(position.size, wanted) if netting else wanted,
        margin_mode=position.margin_mode,
        client_id=client_id,
        hedge_close=None if netting else False,
        source=Source.REVERSAL,
    )
    if netting:
        return placing.place(core, account, new).order
    closing = matching.FuturesPit(core, state).meet(Taker(account.id, side, None), position.size)
    levels = closing.levels
    value = sum((times(price, part) for price, part in levels), ZERO)
    if closing.size < position.size:
        raise Refused(Reason.NO_LIQUIDITY, position.symbol)
    placing.check(core, account, new, placing.set_free(core, position, position.size, value))
    placing.close_position(core, account, position)
    return placing.place(core, account, new).order
