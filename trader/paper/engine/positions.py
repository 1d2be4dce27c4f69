"""Positions: what a fill does to them and to the ledger.

A fill first shrinks the opposite position (one-way mode nets, hedge-mode closes name theirs) and
what is left of it opens. Reducing keeps the entry price, adding averages it:
(E1 q1 + E2 q2) / (q1 + q2). Realised profit excludes fees.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trader.paper.engine import maths
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import (
    Kind,
    MarginMode,
    Order,
    Position,
    PositionMode,
    exit_side,
    opened_by,
)
from trader.paper.engine.money import ZERO, divided, minus, negated, plus, share, times


class Trade(msgspec.Struct, frozen=True):
    """One fill to apply: its id, price, size, and the fee as a fraction of its value."""

    id: int
    price: Decimal
    size: Decimal
    rate: Decimal


def shrunk_by(account: Account, order: Order) -> Position | None:
    """The position that a fill of this order makes smaller."""
    if order.closing:
        return account.positions.get((order.symbol, order.position_side))
    if order.mode is PositionMode.HEDGE:
        return None
    position = account.netted(order.symbol)
    return position if position is not None and exit_side(position.side) is order.side else None


def opening_part(account: Account, order: Order) -> Decimal:
    """How much of what is left of an order would open, once the position it nets is gone."""
    if order.closing:
        return ZERO
    shrunk = shrunk_by(account, order)
    return max(ZERO, minus(order.remaining, shrunk.size if shrunk is not None else ZERO))


def settle(
    core: Core, account: Account, order: Order, trade: Trade
) -> tuple[Decimal, Decimal, Position | None]:
    """Apply one fill; returns (profit, fee, the position it opened or grew). A paid fee is negative."""
    profit = fee = ZERO
    position = shrunk_by(account, order)
    left = trade.size
    if position is not None:
        part = min(left, position.size)
        profit, fee = _shrink(core, account, position, msgspec.structs.replace(trade, size=part))
        left = minus(left, part)
    opened = None
    if left:
        opened, open_fee = _grow(core, account, order, msgspec.structs.replace(trade, size=left))
        fee = plus(fee, open_fee)
    return profit, fee, opened


def _shrink(core: Core, account: Account, position: Position, trade: Trade) -> tuple[Decimal, Decimal]:
    size = trade.size
    value = times(trade.price, size)
    cost = share(position.open_value, size, position.size)
    profit = times(Decimal(position.sign), minus(value, cost))
    fee = negated(times(value, trade.rate))
    core.post(account, Kind.REALISED_PNL, trade.id, position.symbol, profit)
    core.post(account, Kind.CLOSE_FEE, trade.id, position.symbol, fee)
    position.margin = minus(position.margin, share(position.margin, size, position.size))
    position.open_value = minus(position.open_value, cost)
    position.size = minus(position.size, size)
    position.profit = plus(position.profit, profit)
    position.close_fee = plus(position.close_fee, fee)
    position.closed_size = plus(position.closed_size, size)
    position.closed_value = plus(position.closed_value, value)
    position.updated_ns = core.now_ns
    if not position.size:
        del account.positions[(position.symbol, position.side)]
        del core.open_positions[position.id]
        core.batch.closed.append(position)
    changed(core, account, position)
    return profit, fee


def _grow(core: Core, account: Account, order: Order, trade: Trade) -> tuple[Position, Decimal]:
    size = trade.size
    side = opened_by(order.side)
    position = account.positions.get((order.symbol, side)) or _new(core, account, order)
    value = times(trade.price, size)
    fee = negated(times(value, trade.rate))
    core.post(account, Kind.OPEN_FEE, trade.id, order.symbol, fee)
    position.size = plus(position.size, size)
    position.open_value = plus(position.open_value, value)
    if position.margin_mode is MarginMode.ISOLATED:
        position.margin = plus(position.margin, divided(value, Decimal(position.leverage)))
    position.open_fee = plus(position.open_fee, fee)
    position.opened_size = plus(position.opened_size, size)
    position.opened_value = plus(position.opened_value, value)
    position.updated_ns = core.now_ns
    changed(core, account, position)
    return position, fee


def _new(core: Core, account: Account, order: Order) -> Position:
    position = Position(
        id=core.next_id(),
        account=account.id,
        symbol=order.symbol,
        side=opened_by(order.side),
        margin_mode=order.margin_mode,
        leverage=order.leverage,
        mode=order.mode,
        created_ns=core.now_ns,
        updated_ns=core.now_ns,
        upkeep=account.record.rules.upkeep,
    )
    account.positions[(position.symbol, position.side)] = position
    core.open_positions[position.id] = position
    return position


def fund(core: Core, symbol: str, rate: Decimal, mark: Decimal, ns: int) -> None:
    """The settlement of time ``ns``: a long pays rate x mark x size when the rate is positive, a short gets it.

    Once per position and settlement time, also when a restart brings the time again. An isolated
    position pays out of its margin; what is above it the insurance pays, and liquidation follows.
    """
    for position in list(core.index(symbol).held.values()):
        if position.funded_ns >= ns:
            continue
        account = core.accounts[position.account]
        amount = times(Decimal(-position.sign), times(rate, times(mark, position.size)))
        core.post(account, Kind.FUNDING, position.id, symbol, amount)
        position.funding = plus(position.funding, amount)
        position.funded_ns = ns
        if position.margin_mode is MarginMode.ISOLATED:
            carry(core, account, position, plus(position.margin, amount), position.id)
        changed(core, account, position)


def carry(core: Core, account: Account, position: Position, margin: Decimal, ref: int) -> None:
    """The isolated margin after a gain or loss that it bears; the insurance fills what is below zero."""
    position.margin = max(ZERO, margin)
    if margin < 0:
        core.post(account, Kind.INSURANCE, ref, position.symbol, negated(margin))


def changed(core: Core, account: Account, position: Position) -> None:
    """Record the position for the store and keep the liquidation indexes true."""
    core.batch.position(position)
    core.touch(account)
    watch(core, account, position)


def watch(core: Core, account: Account, position: Position) -> None:
    """(Re)enter a position into its symbol's liquidation indexes; one without size leaves them."""
    index = core.index(position.symbol)
    side = index.long_liquidations if position.sign > 0 else index.short_liquidations
    known = core.liquidation_prices.pop(position.id, None)
    if known is not None:
        side.remove(known, position.id)
    if position.size:
        index.held[position.id] = position
    else:
        index.held.pop(position.id, None)
    if position.margin_mode is MarginMode.CROSSED:
        if next(account.held(position.symbol), None) is not None:
            index.crossed[account.id] = True
        else:
            index.crossed.pop(account.id, None)
    elif position.size:
        price = maths.isolated_liquidation(core.spec(position.symbol), position)
        core.liquidation_prices[position.id] = price
        side.add(price, position.id)
    index.checked_mark = None
    core.doubt(account)
