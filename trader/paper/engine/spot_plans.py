"""Spot trigger orders: they lock nothing and become an order when the last price comes to their trigger.

The market has no mark price of its own: ``mark_price`` watches the last price too.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, Side
from trader.paper.engine import checks, spot
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.index import PriceIndex
from trader.paper.engine.money import ZERO, plus, times, to_step
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_model import NewSpotPlan, PlanUnit, SpotOrder, SpotPlan, SpotPlanState

_QUOTE_STEP = Decimal(1).scaleb(-spot.QUOTE_PLACES)


def place(core: Core, account: Account, new: NewSpotPlan) -> SpotPlan:
    checks.free_client_id(account, account.spot.plan_clients, new.client_id)
    if len(account.spot.plans) >= spot.MOST_PLANS:
        raise Refused(Reason.TOO_MANY_PLANS, str(spot.MOST_PLANS))
    check(core, new)
    return add(core, account, new)


def check(core: Core, new: NewSpotPlan) -> None:
    """The filters of its symbol. Whether there is money is asked when it fires."""
    state = spot.open_market(core, new.symbol)
    spec = state.spec
    checks.tick(spec, new.trigger, "triggerPrice")
    if new.execute is not None:
        checks.tick(spec, new.execute, "executePrice")
    if new.unit is PlanUnit.BASE:
        checks.size(spec, new.size, OrderType.MARKET if new.execute is None else OrderType.LIMIT)
        value = times(new.execute or new.trigger, new.size)
    else:
        spot.check_budget(new.size)
        value = new.size
    spot.check_worth(core, spec, value)


def add(core: Core, account: Account, new: NewSpotPlan) -> SpotPlan:
    number = core.next_id()
    plan = SpotPlan(
        id=number,
        account=account.id,
        symbol=new.symbol,
        client_id=new.client_id or str(core.next_id()),
        side=new.side,
        trigger=new.trigger,
        size=new.size,
        unit=new.unit,
        execute=new.execute,
        by_mark=new.by_mark,
        rising=new.trigger >= spot.market(core, new.symbol).last,
        created_ns=core.now_ns,
        updated_ns=core.now_ns,
    )
    account.spot.plans[number] = plan
    account.spot.plan_clients[plan.client_id] = number
    core.spot.plans[number] = plan
    watch(core, plan)
    _record(core, account, plan)
    return plan


def modify(core: Core, account: Account, plan: SpotPlan, new: NewSpotPlan) -> None:
    """Trigger, execute price and size; the rest of ``new`` repeats the plan."""
    check(core, new)
    _waiting(core, plan).remove(plan.trigger, plan.id)
    plan.trigger, plan.execute, plan.size = new.trigger, new.execute, new.size
    plan.rising = new.trigger >= spot.market(core, new.symbol).last
    plan.updated_ns = core.now_ns
    watch(core, plan)
    _record(core, account, plan)


def end(core: Core, account: Account, plan: SpotPlan, state: SpotPlanState) -> None:
    """Executed, failed or cancelled: it waits no more and its client id is free again."""
    _waiting(core, plan).remove(plan.trigger, plan.id)
    del account.spot.plans[plan.id]
    del account.spot.plan_clients[plan.client_id]
    del core.spot.plans[plan.id]
    plan.state = state
    plan.updated_ns = core.now_ns
    _record(core, account, plan)


def attach(core: Core, account: Account, order: SpotOrder) -> None:
    """Protection that rode on an order begins for what was filled, the fee taken off.

    A buy is protected by sells, a sell by buying back; of a take profit and a stop loss the one that
    is executed cancels the other.
    """
    made: list[SpotPlan] = []
    for trigger, execute in (
        (order.preset.take_profit, order.preset.take_profit_execute),
        (order.preset.stop_loss, order.preset.stop_loss_execute),
    ):
        if trigger is None:
            continue
        size, unit = _protected(core, order, execute)
        if size:
            side = Side.SELL if order.side is Side.BUY else Side.BUY
            new = NewSpotPlan(
                symbol=order.symbol, side=side, trigger=trigger, execute=execute, size=size, unit=unit
            )
            made.append(add(core, account, new))
    if len(made) == 2:
        made[0].sibling, made[1].sibling = made[1].id, made[0].id


def _protected(core: Core, order: SpotOrder, execute: Decimal | None) -> tuple[Decimal, PlanUnit]:
    """How much a plan of the other side trades; nothing when it is less than the symbol admits."""
    spec = spot.market(core, order.symbol).spec
    if order.side is Side.SELL and execute is None:
        return to_step(plus(order.value, order.fee), _QUOTE_STEP), PlanUnit.QUOTE
    size = order.filled if order.side is Side.SELL else to_step(plus(order.filled, order.fee), spec.step)
    return (size if size >= spec.min_size else ZERO), PlanUnit.BASE


def _record(core: Core, account: Account, plan: SpotPlan) -> None:
    core.batch.spot.touch(account.record)
    core.batch.spot.plan(plan)


def watch(core: Core, plan: SpotPlan) -> None:
    _waiting(core, plan).add(plan.trigger, plan.id)


def _waiting(core: Core, plan: SpotPlan) -> PriceIndex:
    index = core.spot.index(plan.symbol)
    return index.rising if plan.rising else index.falling
