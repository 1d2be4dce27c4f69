"""Changing an order, and turning a position round. Everything is checked before anything changes.

A new size or price makes a new order with a new id at the end of the queue, as on the venue; new
protection alone changes the order where it stands.
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
