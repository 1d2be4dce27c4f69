"""Firing spot plans and waiting orders when the last price comes to their trigger."""

from __future__ import annotations

from shared.domain.order import OrderType, Side
from trader.paper.engine import spot_orders, spot_plans
from trader.paper.engine.core import Core
from trader.paper.engine.money import times, to_step
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_model import NewSpotOrder, Origin, PlanUnit, SpotPlan, SpotPlanState
from trader.paper.market import MarketState


def fire(core: Core, state: MarketState) -> bool:
    """True when something became an order, or failed to."""
    index = core.spot.symbols[state.symbol]
    done = False
    for number in index.rising.due(state.last) + index.falling.due(state.last):
        order, plan = core.spot.orders.get(number), core.spot.plans.get(number)
        if order is not None and order.waiting:
            done |= spot_orders.activate(core, core.accounts[order.account], order, state)
        elif plan is not None:
            done |= _execute(core, state, plan)
    return done


def _execute(core: Core, state: MarketState, plan: SpotPlan) -> bool:
    """Without a counter side in the book it stays and waits; without money it has failed."""
    account = core.accounts[plan.account]
    try:
        order = spot_orders.place(core, account, _order(state, plan))
    except Refused as refused:
        if refused.reason is Reason.NO_LIQUIDITY:
            return False
        spot_plans.end(core, account, plan, SpotPlanState.FAILED)
        return True
    plan.execute_order_id = order.id
    spot_plans.end(core, account, plan, SpotPlanState.EXECUTED)
    sibling = account.spot.plans.get(plan.sibling)
    if sibling is not None:
        spot_plans.end(core, account, sibling, SpotPlanState.CANCELLED)
    return True


def _order(state: MarketState, plan: SpotPlan) -> NewSpotOrder:
    """The order carries the plan's id as its client id: that is how clients find it."""
    size, market = plan.size, plan.execute is None
    by_value = market and plan.side is Side.BUY and plan.unit is PlanUnit.QUOTE
    if plan.unit is PlanUnit.QUOTE and not by_value:
        price, step = plan.execute or state.last, state.spec.step
        size = to_step(size / price, step)
        if times(size, price) > plan.size:
            size -= step
    return NewSpotOrder(
        symbol=plan.symbol,
        side=plan.side,
        type=OrderType.MARKET if market else OrderType.LIMIT,
        size=size,
        price=plan.execute,
        client_id=str(plan.id),
        by_value=by_value,
        origin=Origin.PLAN,
    )
