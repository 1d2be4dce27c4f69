"""Leverage, margin mode and position mode: what may change, and when."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import PositionSide
from trader.paper.engine import maths, positions
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import MarginMode, Order, Position, PositionMode, SymbolSettings
from trader.paper.engine.money import ZERO, divided, minus, plus, times
from trader.paper.engine.refusals import Reason, Refused


class Leverage(msgspec.Struct, frozen=True):
    """The wanted values; ``None`` leaves one as it is."""

    long: int | None = None
    short: int | None = None
    crossed: int | None = None


def set_leverage(core: Core, account: Account, symbol: str, wanted: Leverage) -> SymbolSettings:
    """Change leverage, and with it the margin of a position that is held.

    Setting what is set already succeeds. Refused while orders rest on the symbol (unless the account's
    venue lets them stay, with another margin), out of the symbol's range, above the tier of a held
    position, or when the money does not reach.
    """
    spec = core.spec(symbol)
    for value in (wanted.long, wanted.short, wanted.crossed):
        if value is not None and value < spec.min_leverage:
            raise Refused(Reason.LEVERAGE_RANGE, str(spec.max_leverage))
        if value is not None and value > spec.max_leverage:
            raise Refused(Reason.LEVERAGE_MAXIMUM, str(spec.max_leverage))
    before = account.settings(spec)
    after = msgspec.structs.replace(
        before,
        long_leverage=before.long_leverage if wanted.long is None else wanted.long,
        short_leverage=before.short_leverage if wanted.short is None else wanted.short,
        cross_leverage=before.cross_leverage if wanted.crossed is None else wanted.crossed,
    )
    if after == before and symbol in account.record.settings:
        return before
    moved = [
        (position, after.leverage(position.margin_mode, position.side))
        for position in account.held(symbol)
        if after.leverage(position.margin_mode, position.side) != position.leverage
    ]
    waiting = list(account.pending(symbol)) if after != before else []
    if waiting and not account.record.rules.leverage_beside_orders:
        raise Refused(Reason.LEVERAGE_ORDERS, symbol)
    locks = _locks(core, account, waiting, after)
    _check_margins(core, account, moved, more=sum((locked - order.locked for order, locked in locks), ZERO))
    account.record.settings[symbol] = after
    for order, locked in locks:
        account.locked = plus(account.locked, minus(locked, order.locked))
        order.locked, order.leverage = locked, after.leverage(order.margin_mode, order.position_side)
        core.batch.orders[order.id] = order
    for position, leverage in moved:
        if position.margin_mode is MarginMode.ISOLATED:
            position.margin = plus(position.margin, _more(position, leverage))
        position.leverage = leverage
        positions.changed(core, account, position)
    core.touch(account)
    return after


def _locks(
    core: Core, account: Account, waiting: list[Order], wanted: SymbolSettings
) -> list[tuple[Order, Decimal]]:
    """What resting orders that open would reserve at other leverages."""
    found: list[tuple[Order, Decimal]] = []
    for order in waiting:
        if not order.closing:
            value = times(order.price, positions.opening_part(account, order))
            leverage = wanted.leverage(order.margin_mode, order.position_side)
            fee = times(value, core.spec(order.symbol).taker_fee)
            found.append((order, plus(divided(value, Decimal(leverage)), fee)))
    return found


def _check_margins(
    core: Core, account: Account, moved: list[tuple[Position, int]], more: Decimal = ZERO
) -> None:
    """``more`` is what else the change takes from what is free."""
    for position, leverage in moved:
        spec = core.spec(position.symbol)
        largest = maths.largest_value(spec, leverage)
        if largest is not None and position.open_value > largest:
            raise Refused(Reason.ABOVE_TIER, str(largest))
        change = _more(position, leverage)
        more += change
        if position.margin_mode is MarginMode.ISOLATED:
            mark = core.mark(position)
            if position.margin + change + position.unrealised(mark) <= maths.maintenance(
                spec, position, mark
            ):
                raise Refused(Reason.LEVERAGE_MARGIN)
    if more > 0 and more > account.funds(core.mark).free:
        raise Refused(Reason.LEVERAGE_MARGIN)


def _more(position: Position, leverage: int) -> Decimal:
    """What another leverage adds to the initial margin; margin that was added by hand stays on top."""
    value = position.open_value
    return minus(divided(value, Decimal(leverage)), divided(value, Decimal(position.leverage)))


def set_margin_mode(core: Core, account: Account, symbol: str, mode: MarginMode) -> SymbolSettings:
    """Refused while the symbol has a position or an order, unless nothing would change."""
    settings = account.settings(core.spec(symbol))
    if settings.margin_mode is mode:
        return settings
    if account.busy(symbol):
        raise Refused(Reason.MARGIN_MODE_BLOCKED, symbol)
    settings = msgspec.structs.replace(settings, margin_mode=mode)
    account.record.settings[symbol] = settings
    core.touch(account)
    return settings


def set_position_mode(core: Core, account: Account, mode: PositionMode) -> None:
    """One-way or hedge for all symbols; refused while anything is open, unless nothing would change."""
    if account.record.position_mode is mode:
        return
    if account.positions or account.orders or account.plans:
        raise Refused(Reason.POSITION_MODE_BLOCKED)
    account.record.position_mode = mode
    core.touch(account)


def leverage_for(mode: MarginMode, hedge: bool, value: int, side: PositionSide | None) -> Leverage:
    """One number as the venue spreads it: crossed is one value, isolated one a side.

    In isolated hedge mode a named side changes alone; in one-way mode both sides always move.
    """
    if mode is MarginMode.CROSSED:
        return Leverage(crossed=value)
    if hedge and side is PositionSide.LONG:
        return Leverage(long=value)
    if hedge and side is PositionSide.SHORT:
        return Leverage(short=value)
    return Leverage(long=value, short=value)
