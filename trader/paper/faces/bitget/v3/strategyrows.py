"""Strategy orders as unified accounts see them: one per take profit and stop loss that belong together.

The engine keeps a plan per trigger. Two that are siblings are one strategy order: its id and client id
are those of the first.
"""

from __future__ import annotations

from collections.abc import Iterable

from trader.paper.contract import FUTURES
from trader.paper.engine import legs
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.legs import Leg
from trader.paper.engine.model import Plan, PlanState
from trader.paper.engine.money import ZERO, text
from trader.paper.faces.bitget.shapes import ms, price
from trader.paper.faces.bitget.v3.calls import CATEGORIES, Row
from trader.paper.faces.bitget.v3.rows import TRIGGERS, legs_of

_STATUS = {
    PlanState.LIVE: "pending",
    PlanState.EXECUTED: "success",
    PlanState.FAILED: "failed",
    PlanState.CANCELLED: "cancelled",
}
#: Of the halves the one that tells most.
_TELLING = (PlanState.EXECUTED, PlanState.FAILED, PlanState.LIVE, PlanState.CANCELLED)


def number_of(plan: Plan) -> int:
    """The id of its strategy order."""
    return min(plan.id, plan.sibling) if plan.sibling else plan.id


def strategies(plans: Iterable[Plan]) -> list[list[Plan]]:
    """Plans by strategy order, in the order of the first plan of each; halves in the order of their ids."""
    found: dict[int, list[Plan]] = {}
    for plan in plans:
        found.setdefault(number_of(plan), []).append(plan)
    return [sorted(halves, key=lambda plan: plan.id) for halves in found.values()]


def whole(engine: Engine, account: Account, plan: Plan) -> list[Plan]:
    """A plan with its sibling, whatever has become of that."""
    other = engine.plan(account, plan.sibling) if plan.sibling else None
    return sorted([plan] if other is None else [plan, other], key=lambda one: one.id)


def placed(halves: list[Plan]) -> Row:
    return {"orderId": str(number_of(halves[0])), "clientOid": halves[0].client_id}


def status(halves: list[Plan]) -> PlanState:
    return min((plan.state for plan in halves), key=_TELLING.index)


def row(account: Account, halves: list[Plan]) -> Row:
    """One strategy order. ``qty`` of one for a whole position is the position's, or what it closed."""
    first = halves[0]
    there: Row = {
        "orderId": str(number_of(first)),
        "clientOid": first.client_id,
        "category": CATEGORIES[FUTURES].value,
        "symbol": first.symbol,
        "qty": _size(account, halves),
        "posSide": first.side.value,
        "status": _STATUS[status(halves)],
    }
    return (
        there
        | (_protection(halves) if first.kind.protects else _trigger(first))
        | {
            "createdTime": ms(first.created_ns),
            "updatedTime": ms(max(plan.updated_ns for plan in halves)),
        }
    )


def _size(account: Account, halves: list[Plan]) -> str:
    first = halves[0]
    if first.size:
        return text(first.size)
    closed = sum((plan.executed_size for plan in halves), ZERO)
    held = account.positions.get((first.symbol, first.side))
    if status(halves) is PlanState.LIVE and held is not None:
        return text(held.size)
    return text(closed)


def _protection(halves: list[Plan]) -> Row:
    """A half that is not there shows the words it would have without being named, and no prices."""
    profit, loss = Leg(), Leg()
    for plan in halves:
        leg = Leg(trigger=plan.trigger, execute=plan.execute, reference=plan.reference)
        if plan.kind.takes_profit:
            profit = leg
        else:
            loss = leg
    words: Row = {f"{name}TriggerBy": "market" for name in ("tp", "sl")}
    words |= {f"{name}OrderType": "market" for name in ("tp", "sl")}
    shown = {name: value for name, value in legs_of(legs.preset_of(profit, loss)).items() if value != ""}
    empty: Row = dict.fromkeys(("takeProfit", "stopLoss", "tpLimitPrice", "slLimitPrice"), "")
    nothing: Row = dict.fromkeys(("triggerBy", "triggerPrice", "triggerOrderType", "triggerOrderPrice"), "")
    return words | empty | shown | nothing


def _trigger(plan: Plan) -> Row:
    return legs_of(plan.preset) | {
        "triggerBy": TRIGGERS[plan.reference],
        "triggerPrice": text(plan.trigger),
        "triggerOrderType": "market" if plan.execute is None else "limit",
        "triggerOrderPrice": price(plan.execute),
    }
