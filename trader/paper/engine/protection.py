"""Protection: take profit and stop loss that guard a position, whole or in part.

At most one whole-position take profit and one stop loss guard a position. Plans die with it.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import OrderType, PositionSide
from trader.paper.engine import checks
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.index import PriceIndex
from trader.paper.engine.model import Order, Plan, PlanKind, PlanState, Position, Reference
from trader.paper.engine.money import ZERO
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState


class NewPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as a face hands it in. ``size`` is ignored for whole-position kinds."""

    symbol: str
    kind: PlanKind
    side: PositionSide
    trigger: Decimal
    reference: Reference = Reference.LAST
    execute: Decimal | None = None
    size: Decimal = ZERO
    client_id: str = ""


def reference_price(state: MarketState, reference: Reference) -> Decimal:
    return state.last if reference is Reference.LAST else state.mark


def check(core: Core, account: Account, new: NewPlan) -> Position:
    """Every refusal of :func:`place`, without placing."""
    state = core.state(new.symbol)
    checks.plan_client_id(account, new.client_id)
    position = account.positions.get((new.symbol, new.side))
    if position is None:
        raise Refused(Reason.PLAN_WITHOUT_POSITION, new.symbol)
    checks.tick(state.spec, new.trigger, "triggerPrice")
    if new.execute is not None:
        checks.tick(state.spec, new.execute, "executePrice")
    checks.trigger(new.side, new.kind.takes_profit, new.trigger, reference_price(state, new.reference))
    if new.kind.whole:
        if account.protection(position, new.kind) is not None:
            exists = Reason.TAKE_PROFIT_EXISTS if new.kind.takes_profit else Reason.STOP_LOSS_EXISTS
            raise Refused(exists, new.symbol)
    else:
        checks.size(state.spec, new.size, OrderType.LIMIT)
        if new.size > position.size:
            raise Refused(Reason.ABOVE_POSITION, str(position.size))
    if len(account.plans) >= checks.MOST_PLANS:
        raise Refused(Reason.TOO_MANY_PLANS, str(checks.MOST_PLANS))
    return position


def place(core: Core, account: Account, new: NewPlan) -> Plan:
    return _add(core, account, check(core, account, new), new)


def attach(core: Core, account: Account, order: Order, position: Position) -> None:
    """An order with protection opened or grew a position: set it, or move what is set already."""
    preset = order.preset
    for kind, trigger, execute in (
        (PlanKind.POS_PROFIT, preset.take_profit, preset.take_profit_execute),
        (PlanKind.POS_LOSS, preset.stop_loss, preset.stop_loss_execute),
    ):
        if trigger is None:
            continue
        known = account.protection(position, kind)
        if known is None:
            new = NewPlan(
                symbol=order.symbol, kind=kind, side=position.side, trigger=trigger, execute=execute
            )
            _add(core, account, position, new)
        elif (known.trigger, known.execute) != (trigger, execute):
            unwatch(core, known)
            known.trigger, known.execute, known.updated_ns = trigger, execute, core.now_ns
            watch(core, known)
            core.touch(account)
            core.batch.plan(known)


def _add(core: Core, account: Account, position: Position, new: NewPlan) -> Plan:
    plan = Plan(
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
        mode=position.mode,
        margin_mode=position.margin_mode,
        created_ns=core.now_ns,
        updated_ns=core.now_ns,
    )
    account.plans[plan.id] = plan
    account.plan_clients[plan.client_id] = plan.id
    core.live_plans[plan.id] = plan
    watch(core, plan)
    core.touch(account)
    core.batch.plan(plan)
    return plan


def end(core: Core, account: Account, plan: Plan, state: PlanState) -> None:
    """Executed, failed or cancelled: it waits no more and its client id is free again."""
    unwatch(core, plan)
    del account.plans[plan.id]
    del account.plan_clients[plan.client_id]
    del core.live_plans[plan.id]
    plan.state = state
    plan.updated_ns = core.now_ns
    core.touch(account)
    core.batch.plan(plan)


def cancel_guards(core: Core, account: Account, position: Position) -> None:
    """Whole or partial, protection dies with its position."""
    for plan in list(account.guards(position)):
        end(core, account, plan, PlanState.CANCELLED)


def watch(core: Core, plan: Plan) -> None:
    _waiting(core, plan).add(plan.trigger, plan.id)


def unwatch(core: Core, plan: Plan) -> None:
    _waiting(core, plan).remove(plan.trigger, plan.id)


def _waiting(core: Core, plan: Plan) -> PriceIndex:
    index = core.index(plan.symbol)
    return (index.rising if plan.fires_above else index.falling)[plan.reference]
