"""The margin of isolated positions: added, taken back, and appended by itself.

Margin is a part of the wallet that binds to one position, so none of this moves wallet money; each move
has a line in the statement.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from shared.domain.order import PositionSide
from trader.paper.engine import checks, maths, positions
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import Bill, BillKind, MarginMode, Position, PositionMode
from trader.paper.engine.money import ONE, ZERO, divided, plus, text, times
from trader.paper.engine.refusals import Reason, Refused


def isolated(core: Core, account: Account, symbol: str, side: PositionSide | None) -> Position:
    """The isolated position that is meant; hedge mode must name the side, one-way mode may.

    Refused without such a position, or when it is crossed.
    """
    core.spec(symbol)
    if side is None and account.record.position_mode is PositionMode.HEDGE:
        raise Refused(Reason.BAD_VALUE, "holdSide")
    position = account.netted(symbol) if side is None else account.positions.get((symbol, side))
    if position is None:
        raise Refused(Reason.NO_POSITION, symbol)
    if position.margin_mode is not MarginMode.ISOLATED:
        raise Refused(Reason.NOT_ISOLATED)
    return position


def adjust(core: Core, account: Account, position: Position, amount: Decimal) -> None:
    """Add margin from what is free, or (negative) take it back down to the initial margin.

    Taking back counts an unrealised loss: margin + min(0, uPL) stays at or above E q / L.
    """
    checks.number(abs(amount), "amount")
    if not amount:
        raise Refused(Reason.BAD_VALUE, "amount")
    if amount > 0:
        free = account.funds(core.mark).free
        if amount > free:
            raise Refused(Reason.NO_BALANCE, text(max(ZERO, free)))
    else:
        spare = removable(core, position)
        if -amount > spare:
            raise Refused(Reason.MARGIN_TOO_LOW, text(max(ZERO, spare)))
    kind = BillKind.ADD_MARGIN if amount > 0 else BillKind.REMOVE_MARGIN
    _move(core, account, position, amount, kind)


def removable(core: Core, position: Position) -> Decimal:
    """What may be taken back; negative when the position has less than its initial margin."""
    loss = min(ZERO, position.unrealised(core.mark(position)))
    return position.margin + loss - divided(position.open_value, Decimal(position.leverage))


def set_auto(core: Core, account: Account, position: Position, on: bool) -> None:
    if position.auto_margin is not on:
        position.auto_margin = on
        positions.changed(core, account, position)


def append(core: Core, account: Account, position: Position, mark: Decimal) -> None:
    """Save a position at its liquidation price: one initial margin after the other, as far as money is free.

    In a gap all that is needed comes at once. What is free is used up even when it does not suffice.
    """
    lacking = maths.lacking_margin(core.spec(position.symbol), position, mark)
    free = account.funds(core.mark).free
    unit = divided(position.open_value, Decimal(position.leverage))
    if lacking < 0 or free <= 0:
        return
    steps = (lacking / unit).to_integral_value(ROUND_FLOOR) + ONE
    _move(core, account, position, min(free, times(steps, unit)), BillKind.AUTO_MARGIN)


def _move(core: Core, account: Account, position: Position, amount: Decimal, kind: BillKind) -> None:
    position.margin = plus(position.margin, amount)
    position.updated_ns = core.now_ns
    positions.changed(core, account, position)
    core.batch.bills.append(
        Bill(
            id=core.next_id(),
            account=account.id,
            ns=core.now_ns,
            kind=kind,
            symbol=position.symbol,
            amount=amount,
            fee=ZERO,
            balance=account.record.wallet,
            side=position.side,
        )
    )
