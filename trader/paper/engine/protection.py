"""Protection: take profit, stop loss and trailing stop that guard a position, whole or in part.

At most one whole-position take profit and one stop loss guard a position. A partial one never stays
larger than its position: it is trimmed when the position shrinks below it. All die with it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import PositionSide
from trader.paper.engine import checks, legs, plans
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.legs import Leg, LegChange
from trader.paper.engine.model import (
    Ended,
    Order,
    Plan,
    PlanKind,
    PlanState,
    Position,
    Preset,
    Reference,
    SelfTrade,
    exit_side,
)
from trader.paper.engine.money import ZERO, text
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState


class NewPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Protection as a face hands it in. ``size`` is ignored for whole-position kinds, ``ratio`` is a
    trailing stop's callback in percent; that one executes at market only."""

    symbol: str
    kind: PlanKind
    side: PositionSide
    trigger: Decimal
    reference: Reference = Reference.LAST
    execute: Decimal | None = None
    size: Decimal = ZERO
    ratio: Decimal = ZERO
    client_id: str = ""
    self_trade: SelfTrade = SelfTrade.NONE


def check(core: Core, account: Account, new: NewPlan) -> Position:
    """Every refusal of :func:`place`, without placing."""
    state = core.state(new.symbol)
    checks.free_client_id(account, account.plan_clients, new.client_id)
    position = account.positions.get((new.symbol, new.side))
    if position is None:
        raise Refused(Reason.PLAN_WITHOUT_POSITION, new.symbol)
    _check_prices(state, new)
    if new.kind.whole:
        if account.protection(position, new.kind) is not None:
            exists = Reason.TAKE_PROFIT_EXISTS if new.kind.takes_profit else Reason.STOP_LOSS_EXISTS
            raise Refused(exists, new.symbol)
    else:
        _check_part(state, position, new)
    plans.check_room(account, new.symbol, new.kind)
    return position


def _check_prices(state: MarketState, new: NewPlan) -> None:
    spec, price = state.spec, plans.reference_price(state, new.reference)
    checks.tick(spec, new.trigger, "triggerPrice")
    if not new.kind.trails:
        if new.ratio:
            raise Refused(Reason.PLAN_PARAMETER, "rangeRate")
        plans.check_execute(spec, new.execute)
        checks.trigger(new.side, new.kind.takes_profit, new.trigger, price, plans.against(new.reference))
        return
    if new.execute is not None:
        raise Refused(Reason.PLAN_PARAMETER, "executePrice")
    plans.check_ratio(new.ratio, "rangeRate")
    plans.check_start(price, new.trigger, rising=_starts_rising(new.side))


def _check_part(state: MarketState, position: Position, new: NewPlan) -> None:
    plans.plan_size(state.spec, new.size, plans.market_or_limit(new.execute))
    if new.size > position.size:
        raise Refused(Reason.PLAN_ABOVE_POSITION, text(position.size))


def _starts_rising(side: PositionSide) -> bool:
    return plans.trail_rises(exit_side(side))


def place(core: Core, account: Account, new: NewPlan) -> Plan:
    return _add(core, account, check(core, account, new), new)


def _add(core: Core, account: Account, position: Position, new: NewPlan) -> Plan:
    return plans.add(
        core,
        account,
        Plan(
            id=core.next_id(),
            account=account.id,
            symbol=new.symbol,
            client_id=new.client_id or str(core.next_id()),
            kind=new.kind,
            side=new.side,
            trigger=new.trigger,
            reference=new.reference,
            execute=new.execute,
            size=ZERO if new.kind.whole else new.size,
            ratio=new.ratio,
            rising=_starts_rising(new.side) if new.kind.trails else False,
            mode=position.mode,
            margin_mode=position.margin_mode,
            created_ns=core.now_ns,
            updated_ns=core.now_ns,
            self_trade=new.self_trade,
        ),
    )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A modification: the trigger and the execute price are replaced, the others only when given."""

    trigger: Decimal
    execute: Decimal | None = None
    reference: Reference | None = None
    size: Decimal | None = None
    ratio: Decimal | None = None


def modify(core: Core, account: Account, plan: Plan, wanted: Change) -> None:
    """Judged like a new plan. A trailing stop with another trigger or reference starts anew."""
    new = check_change(core, account, plan, wanted)
    same = _follows_on(plan, new)
    plans.change(
        core,
        account,
        plan,
        trigger=new.trigger,
        reference=new.reference,
        execute=new.execute,
        size=new.size,
        ratio=new.ratio,
        active=same,
    )


def _follows_on(plan: Plan, new: NewPlan) -> bool:
    return plan.active and (new.trigger, new.reference) == (plan.trigger, plan.reference)


def check_change(core: Core, account: Account, plan: Plan, wanted: Change) -> NewPlan:
    """Every refusal of :func:`modify`, without changing anything: the plan as it would be."""
    state = core.state(plan.symbol)
    new = NewPlan(
        symbol=plan.symbol,
        kind=plan.kind,
        side=plan.side,
        trigger=wanted.trigger,
        reference=wanted.reference or plan.reference,
        execute=wanted.execute,
        size=plan.size if wanted.size is None or plan.kind.whole else wanted.size,
        ratio=plan.ratio if wanted.ratio is None else wanted.ratio,
    )
    if _follows_on(plan, new):
        if new.execute is not None:
            raise Refused(Reason.PLAN_PARAMETER, "executePrice")
        plans.check_ratio(new.ratio, "rangeRate")
    else:
        _check_prices(state, new)
    if not plan.kind.whole:
        _check_part(state, account.positions[(plan.symbol, plan.side)], new)
    return new


# what rides on orders


def attach(core: Core, account: Account, order: Order, position: Position) -> None:
    """An order with protection opened or grew a position: set it, or move what is set already."""
    _set(core, account, position, PlanKind.POS_PROFIT, legs.take_profit(order.preset))
    _set(core, account, position, PlanKind.POS_LOSS, legs.stop_loss(order.preset))
    if order.preset.paired:
        profit = account.protection(position, PlanKind.POS_PROFIT)
        loss = account.protection(position, PlanKind.POS_LOSS)
        if profit is not None and loss is not None and not profit.sibling and not loss.sibling:
            plans.pair(core, profit, loss)


def _set(core: Core, account: Account, position: Position, kind: PlanKind, leg: Leg) -> None:
    if leg.trigger is None:
        return
    known = account.protection(position, kind)
    if known is None:
        new = NewPlan(
            symbol=position.symbol,
            kind=kind,
            side=position.side,
            trigger=leg.trigger,
            execute=leg.execute,
            reference=leg.reference,
        )
        _add(core, account, position, new)
    elif (known.trigger, known.execute, known.reference) != (leg.trigger, leg.execute, leg.reference):
        plans.change(core, account, known, trigger=leg.trigger, execute=leg.execute, reference=leg.reference)


def check_preset_change(core: Core, order: Order, profit: LegChange, loss: LegChange) -> Preset:
    """The preset that a resting order would have; raises what placing it so would raise."""
    wanted = legs.changed(order.preset, profit, loss)
    state = core.state(order.symbol)
    if order.price:
        checks.preset(state.spec, wanted, order.position_side, order.price, checks.Against.ORDER)
    else:
        checks.preset(state.spec, wanted, order.position_side, state.last)
    return wanted


def change_preset(core: Core, account: Account, order: Order, profit: LegChange, loss: LegChange) -> None:
    """Change what a resting order will set when it fills. Guards that are set already stay as they are."""
    order.preset = check_preset_change(core, order, profit, loss)
    order.updated_ns = core.now_ns
    core.touch(account)
    core.batch.order(order)


# what the position does to it


def shrunk(core: Core, account: Account, position: Position) -> None:
    """A position became smaller: its protection is trimmed to it, or dies with it, as what would close it does."""
    for plan in list(account.guards(position)):
        if not position.size:
            plans.end(core, account, plan, PlanState.CANCELLED)
        elif plan.size > position.size:
            plans.change(core, account, plan, size=position.size)
    if not position.size:
        for plan in list(account.closers(position)):
            plan.failure = Ended.POSITION_CLOSED
            plans.end(core, account, plan, PlanState.EXPIRED)
