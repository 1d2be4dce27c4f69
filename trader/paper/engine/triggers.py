"""Firing plans when the price that they watch reaches their trigger.

A trailing plan first becomes active and then follows. Protection that cannot trade because the book has
no counter side waits for one; a conditional or algo order that cannot be placed fails, and nothing else
changes.
"""

from __future__ import annotations

from shared.domain.order import PositionSide
from trader.paper.engine import algos, conditional, matching, orders, placing, plans, protection
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import NewOrder, Order, Plan, PlanKind, PlanState, Reference, Source, opened_by
from trader.paper.engine.pit import taker_of
from trader.paper.engine.refusals import Refused
from trader.paper.market import MarketState

_SOURCES = {
    PlanKind.POS_PROFIT: Source.POSITION_TAKE_PROFIT,
    PlanKind.POS_LOSS: Source.POSITION_STOP_LOSS,
    PlanKind.PROFIT: Source.TAKE_PROFIT,
    PlanKind.LOSS: Source.STOP_LOSS,
    PlanKind.MOVING: Source.TRAILING_STOP,
}


def fire(core: Core, state: MarketState) -> bool:
    """Execute what the symbol's last and mark price have reached. True when something was."""
    watching = core.watches.get((state.market, state.symbol))
    if watching is None or not len(watching):
        return False
    done = False
    for reference in Reference:
        price = plans.reference_price(state, reference)
        if not price:
            continue
        for group in watching.move(reference, price):
            plans.keep(core, group)
        for number in watching.due(reference, price):
            # What was executed before it in this round may have ended or moved it.
            plan = core.live_plans.get(number)
            if plan is None or plan.reference is not reference or not plans.reached(core, plan, price):
                continue
            if plan.kind.trails and not plan.active:
                plans.activate(core, plan, price)
            else:
                done |= _execute(core, state, plan)
    return done


def _execute(core: Core, state: MarketState, plan: Plan) -> bool:
    account = core.accounts[plan.account]
    if plan.kind.protects:
        return _protect(core, account, state, plan)
    if plan.kind.algo:
        algos.fire(core, account, state, plan)
        return True
    _submit(core, account, state, plan)
    return True


def _protect(core: Core, account: Account, state: MarketState, plan: Plan) -> bool:
    """Turn protection into an order. Without a counter side in the book it stays and waits."""
    position = account.positions[(plan.symbol, plan.side)]
    if (state.book.best_bid if plan.side is PositionSide.LONG else state.book.best_ask) is None:
        return False
    name = str(plan.id)
    order = orders.forced(
        core,
        account,
        position,
        _SOURCES[plan.kind],
        size=min(plan.size, position.size) if plan.size else position.size,
        price=plan.execute,
        client_id="" if name in account.clients else name,
    )
    order.self_trade = plan.self_trade
    _executed(core, account, plan, order)
    if plan.execute is None:
        matching.take_all(core, account, order, state)
        return True
    pit = matching.FuturesPit(core, state)
    pit.take(order, pit.meet(taker_of(order), order.size))
    if order.live:
        orders.rest(core, account, order, order.remaining, pit.ahead_of(order))
    return True


def _executed(core: Core, account: Account, plan: Plan, order: Order) -> None:
    plan.execute_order_id = order.id
    plan.executed_size = order.size
    plans.end(core, account, plan, PlanState.EXECUTED)
    plans.end_sibling(core, account, plan)


def _submit(core: Core, account: Account, state: MarketState, plan: Plan) -> None:
    """Place the order of a conditional plan as if its client did now."""
    try:
        order = _placed(core, account, conditional.order_of(account, plan))
    except Refused as refused:
        plan.failure = str(refused)
        plans.end(core, account, plan, PlanState.FAILED)
        return
    _executed(core, account, plan, order)
    if plan.kind.trails and order.filled and not order.closing:
        _protect_entry(core, account, state, plan, order)


def _placed(core: Core, account: Account, new: NewOrder) -> Order:
    return placing.place(core, account, new).order


def _protect_entry(core: Core, account: Account, state: MarketState, plan: Plan, order: Order) -> None:
    """A trailing entry has traded: now its percentages are prices."""
    position = account.positions.get((plan.symbol, opened_by(order.side)))
    if position is None:
        return
    order.preset = conditional.preset_at(state.spec, plan, order.average)
    core.batch.orders[order.id] = order
    protection.attach(core, account, order, position)
