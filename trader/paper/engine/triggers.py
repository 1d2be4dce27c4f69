"""Firing protection when the price it watches crosses its trigger."""

from __future__ import annotations

from shared.domain.order import PositionSide
from trader.paper.engine import matching, orders, protection
from trader.paper.engine.core import Core
from trader.paper.engine.crossing import meet
from trader.paper.engine.model import Plan, PlanKind, PlanState, Reference, Source
from trader.paper.market import MarketState

_SOURCES = {
    PlanKind.POS_PROFIT: Source.POSITION_TAKE_PROFIT,
    PlanKind.POS_LOSS: Source.POSITION_STOP_LOSS,
    PlanKind.PROFIT: Source.TAKE_PROFIT,
    PlanKind.LOSS: Source.STOP_LOSS,
}


def fire(core: Core, state: MarketState) -> bool:
    """Execute what the symbol's last and mark price have reached. True when something was."""
    index = core.symbols[state.market, state.symbol]
    done = False
    for reference in Reference:
        price = protection.reference_price(state, reference)
        due = index.rising[reference].due(price) + index.falling[reference].due(price)
        for number in due:
            plan = core.live_plans.get(number)
            if plan is not None:
                done |= _execute(core, state, plan)
    return done


def _execute(core: Core, state: MarketState, plan: Plan) -> bool:
    """Turn a plan into an order. Without a counter side in the book it stays and waits."""
    account = core.accounts[plan.account]
    position = account.positions[(plan.symbol, plan.side)]
    if (state.book.best_bid if plan.side is PositionSide.LONG else state.book.best_ask) is None:
        return False
    order = orders.forced(
        core,
        account,
        position,
        _SOURCES[plan.kind],
        size=min(plan.size, position.size) if plan.size else position.size,
        price=plan.execute,
        client_id=str(plan.id),
    )
    plan.execute_order_id = order.id
    protection.end(core, account, plan, PlanState.EXECUTED)
    if plan.execute is None:
        matching.take_all(core, account, order, state)
        return True
    matching.take(core, account, order, state, meet(core, state, matching.taker_of(order), order.size))
    if order.live:
        orders.rest(core, account, order, order.remaining, matching.queue_ahead(state, order))
    return True
