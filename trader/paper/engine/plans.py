"""The life of a plan, whatever its kind: it waits for a price, is changed, ends.

What may be placed is decided in :mod:`.protection` and :mod:`.conditional`, what happens when a price
is reached in :mod:`.triggers`. Everything here works for any market a plan names.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, Side
from trader.paper.contract import ContractSpec
from trader.paper.engine import checks
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import Order, Plan, PlanKind, PlanState, Reference
from trader.paper.engine.money import decimals, text
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.timers import Due, Timer
from trader.paper.engine.trailing import Group
from trader.paper.market import MarketState

#: Percent; above 10 is documented as refused, the rest is assumed.
LARGEST_RATIO = Decimal(10)
SMALLEST_RATIO = Decimal("0.01")
_RATIO_PLACES = 2


def reference_price(state: MarketState, reference: Reference) -> Decimal:
    return state.last if reference is Reference.LAST else state.mark


def against(reference: Reference) -> checks.Against:
    return checks.Against.LAST if reference is Reference.LAST else checks.Against.MARK


# what a trailing plan must look like


def check_ratio(ratio: Decimal, name: str) -> None:
    """0.01 to 10 percent, at most two decimals."""
    checks.number(ratio, name)
    if not SMALLEST_RATIO <= ratio <= LARGEST_RATIO or decimals(ratio) > _RATIO_PLACES:
        allowed = f"{text(SMALLEST_RATIO)} <= {name} <= {text(LARGEST_RATIO)}, {_RATIO_PLACES} decimals"
        raise Refused(Reason.PLAN_PARAMETER, allowed)


def check_start(price: Decimal, trigger: Decimal, *, rising: bool) -> None:
    """A trail that sells starts at or above the price, one that buys at or below it."""
    if rising and trigger < price:
        raise Refused(Reason.TRAIL_STARTS_ABOVE, text(price))
    if not rising and trigger > price:
        raise Refused(Reason.TRAIL_STARTS_BELOW, text(price))


def check_execute(spec: ContractSpec, execute: Decimal | None) -> None:
    if execute is not None:
        checks.tick(spec, execute, "executePrice")


def check_room(account: Account, symbol: str, kind: PlanKind) -> None:
    """Conditional orders: so many in all and per symbol. Protection: so many per symbol."""
    same = [plan for plan in account.plans.values() if plan.kind.protects == kind.protects]
    here = sum(1 for plan in same if plan.symbol == symbol)
    if kind.protects:
        if here >= checks.MOST_GUARDS:
            raise Refused(Reason.TOO_MANY_GUARDS, str(checks.MOST_GUARDS))
        return
    if here >= checks.MOST_SYMBOL_PLANS:
        raise Refused(Reason.TOO_MANY_SYMBOL_PLANS, str(checks.MOST_SYMBOL_PLANS))
    if len(same) >= checks.MOST_PLANS:
        raise Refused(Reason.TOO_MANY_PLANS, str(checks.MOST_PLANS))


def plan_size(spec: ContractSpec, size: Decimal, kind: OrderType) -> None:
    if not size:
        raise Refused(Reason.SIZE_MINIMUM, text(spec.min_size))
    checks.size(spec, size, kind)


# life


def add(core: Core, account: Account, plan: Plan) -> Plan:
    """A new plan starts to wait."""
    account.plans[plan.id] = plan
    account.plan_clients[plan.client_id] = plan.id
    core.live_plans[plan.id] = plan
    watch(core, plan)
    core.touch(account)
    core.batch.plan(plan)
    return plan


def change(core: Core, account: Account, plan: Plan, **fields: object) -> None:
    """Replace fields of a waiting plan. The caller has checked that they may be replaced."""
    unwatch(core, plan)
    for name, value in fields.items():
        setattr(plan, name, value)
    plan.updated_ns = core.now_ns
    watch(core, plan)
    core.touch(account)
    core.batch.plan(plan)


def end(core: Core, account: Account, plan: Plan, state: PlanState) -> None:
    """Executed, failed or cancelled: it waits no more and its client id is free again."""
    unwatch(core, plan)
    del account.plans[plan.id]
    del account.plan_clients[plan.client_id]
    del core.live_plans[plan.id]
    step(core, account, plan, state)


def step(core: Core, account: Account, plan: Plan, state: PlanState) -> None:
    plan.state = state
    plan.updated_ns = core.now_ns
    core.touch(account)
    core.batch.plan(plan)


def order_made(core: Core, account: Account, order: Order) -> None:
    """The order of an algo order is there."""
    plan = account.fired[order.plan_id]
    plan.execute_order_id = order.id
    step(core, account, plan, PlanState.TRIGGERED)


def order_ended(core: Core, account: Account, order: Order) -> None:
    """The order of an algo order is filled or cancelled."""
    plan = account.fired.pop(order.plan_id)
    plan.executed_size, plan.executed_price = order.filled, order.average
    step(core, account, plan, PlanState.FINISHED)


def pair(core: Core, one: Plan, other: Plan) -> None:
    """Make two plans, of which one at least is new, the halves of one."""
    one.sibling, other.sibling = other.id, one.id
    siblings = {one.id: other.id, other.id: one.id}
    for told in core.batch.plan_steps:
        told.sibling = siblings.get(told.id, told.sibling)
    for plan in (one, other):
        core.batch.plans[plan.id] = plan


def end_sibling(core: Core, account: Account, plan: Plan) -> None:
    """One half was executed: the other goes with it."""
    other = account.plans.get(plan.sibling)
    if other is not None:
        end(core, account, other, PlanState.CANCELLED)


def activate(core: Core, plan: Plan, price: Decimal) -> None:
    """A trailing plan has reached its trigger: from now on it follows the price."""
    unwatch(core, plan)
    plan.active, plan.extreme, plan.updated_ns = True, price, core.now_ns
    watch(core, plan)
    core.batch.plans[plan.id] = plan


# what it waits for


def watch(core: Core, plan: Plan) -> None:
    if plan.market == "futures":
        core.index(plan.symbol)  # the engine listens to symbols that have one
    if plan.expires_ns:
        core.timers.set(Timer(Due.PLAN, plan.id), plan.expires_ns)
    watching = core.watching(plan.market, plan.symbol)
    if plan.active:
        # It waited for a rise and follows the highest since, or the other way round.
        watching.trails(plan.reference, rising=not plan.rising).add(plan.id, plan.extreme, plan.ratio)
    else:
        watching.triggers(plan.reference, rising=plan.fires_above).add(plan.trigger, plan.id)


def unwatch(core: Core, plan: Plan) -> None:
    if plan.expires_ns:
        core.timers.set(Timer(Due.PLAN, plan.id), 0)
    watching = core.watching(plan.market, plan.symbol)
    if plan.active:
        plan.extreme = watching.trails(plan.reference, rising=not plan.rising).remove(plan.id)
    else:
        watching.triggers(plan.reference, rising=plan.fires_above).remove(plan.trigger, plan.id)


def reached(core: Core, plan: Plan, price: Decimal) -> bool:
    """Whether this price of its reference fires the plan, or starts its trail."""
    if plan.active:
        trails = core.watching(plan.market, plan.symbol).trails(plan.reference, rising=not plan.rising)
        stop = trails.stop(trails.extreme(plan.id), plan.ratio)
        return price <= stop if plan.rising else price >= stop
    return price >= plan.trigger if plan.fires_above else price <= plan.trigger


def keep(core: Core, group: Group) -> None:
    """Have a trail's extreme stored with the current batch."""
    group.kept = group.extreme
    for number in group.ids:
        plan = core.live_plans[number]
        plan.extreme = group.extreme
        core.batch.plans[number] = plan


def keep_all(core: Core) -> None:
    """Before an orderly stop: every extreme as it stands now."""
    for watching in core.watches.values():
        for group in watching.unstored():
            keep(core, group)


def trail_rises(trade: Side) -> bool:
    """A trail that sells waits for a rise and follows the highest price; one that buys the lowest."""
    return trade is Side.SELL


def market_or_limit(execute: Decimal | None) -> OrderType:
    return OrderType.MARKET if execute is None else OrderType.LIMIT
