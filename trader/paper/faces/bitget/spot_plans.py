"""Signed spot trigger order calls."""

from __future__ import annotations

from enum import StrEnum

from shared.domain.order import OrderType, Side
from trader.paper.contract import SPOT
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.engine.spot_model import NewSpotPlan, PlanUnit, SpotPlan, SpotPlanState
from trader.paper.faces.bitget import spot_shapes
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.shapes import price
from trader.paper.faces.bitget.spot_calls import fresh, page, spot_get, spot_post, traded, which

_TRADE = "/api/v2/spot/trade"


class _Trigger(StrEnum):
    LAST = "fill_price"
    MARK = "mark_price"


def _placed(plan: SpotPlan) -> dict[str, str]:
    return {"orderId": str(plan.id), "clientOid": plan.client_id}


def _live(call: Call) -> SpotPlan:
    plan = call.engine.spot.live_plan(call.account, *which(call.params))
    if plan is None:
        raise refusal("43025")
    return plan


@spot_post(f"{_TRADE}/place-plan-order", 20)
def place(call: Call) -> object:
    """``planType`` amount: ``size`` is base coin; total: quote currency."""
    state, params = traded(call), call.params
    fresh(params)
    limit = params.choice("orderType", OrderType) is OrderType.LIMIT
    plan = call.engine.spot.place_plan(
        call.account,
        NewSpotPlan(
            symbol=state.symbol,
            side=params.choice("side", Side),
            trigger=params.need_decimal("triggerPrice"),
            size=params.need_decimal("size"),
            unit=params.choice("planType", PlanUnit, PlanUnit.BASE),
            execute=params.need_decimal("executePrice") if limit else None,
            by_mark=params.choice("triggerType", _Trigger, _Trigger.LAST) is _Trigger.MARK,
            client_id=params.text("clientOid"),
        ),
    )
    return _placed(plan)


@spot_post(f"{_TRADE}/modify-plan-order", 20)
def modify(call: Call) -> object:
    """What is left out stays as it is."""
    plan, params = _live(call), call.params
    old = OrderType.MARKET if plan.execute is None else OrderType.LIMIT
    limit = params.choice("orderType", OrderType, old) is OrderType.LIMIT
    execute = params.price("executePrice") or plan.execute
    if limit and execute is None:
        raise refusal("40019", "executePrice")
    size, trigger = params.decimal("size"), params.decimal("triggerPrice")
    changed = NewSpotPlan(
        symbol=plan.symbol,
        side=plan.side,
        trigger=plan.trigger if trigger is None else trigger,
        size=plan.size if size is None else size,
        unit=plan.unit,
        execute=execute if limit else None,
    )
    call.engine.spot.modify_plan(call.account, plan, changed)
    return _placed(plan)


@spot_post(f"{_TRADE}/cancel-plan-order", 20)
def cancel(call: Call) -> object:
    call.engine.spot.cancel_plans(call.account, [_live(call)])
    return {"result": "success"}


@spot_post(f"{_TRADE}/batch-cancel-plan-order", 5)
def cancel_all(call: Call) -> object:
    """All of the named symbols, or all."""
    wanted = call.params.raw("symbolList") or []
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise refusal("40020", "symbolList")
    symbols = {call.state(name.upper(), SPOT, "40102").symbol for name in wanted}
    found = [plan for plan in call.account.spot.plans.values() if not symbols or plan.symbol in symbols]
    call.engine.spot.cancel_plans(call.account, found)
    return {"successList": [_placed(plan) for plan in found], "failureList": []}


@spot_get(f"{_TRADE}/current-plan-order", 20)
def current(call: Call) -> object:
    asked = page(call.params)
    found = [
        plan
        for plan in sorted(call.account.spot.plans.values(), key=lambda plan: -plan.id)
        if asked.symbol in {"", plan.symbol}
        and asked.order_id in {0, plan.id}
        and (not asked.before or plan.id < asked.before)
        and plan.created_ns >= asked.since_ns
        and (not asked.until_ns or plan.created_ns <= asked.until_ns)
    ]
    return _list(found, asked.limit)


@spot_get(f"{_TRADE}/history-plan-order", 20)
def history(call: Call) -> object:
    asked = page(call.params)
    query = SpotQuery(
        symbol=asked.symbol,
        before=asked.before,
        since_ns=asked.since_ns,
        until_ns=asked.until_ns,
        limit=asked.limit + 1,
    )
    return _list(call.engine.spot.store.plans(call.account.id, query), asked.limit)


def _list(plans: list[SpotPlan], limit: int) -> dict[str, object]:
    shown = plans[:limit]
    return {
        "nextFlag": len(plans) > limit,
        "idLessThan": str(shown[-1].id) if shown else None,
        "orderList": [spot_shapes.plan_row(plan) for plan in shown],
    }


@spot_get(f"{_TRADE}/plan-sub-order", 20)
def sub_orders(call: Call) -> object:
    """The order that a plan became, if it did."""
    number = Params({"orderId": call.params.need("planOrderId")}).number("orderId")
    plan = call.account.spot.plans.get(number) or call.engine.spot.store.plan(call.account.id, number)
    if plan is None:
        raise refusal("43025")
    if plan.state not in (SpotPlanState.EXECUTED, SpotPlanState.FAILED):
        return []
    done = plan.state is SpotPlanState.EXECUTED
    return [
        {
            "orderId": str(plan.execute_order_id) if done else "",
            "price": price(plan.execute) or "0",
            "type": "market" if plan.execute is None else "limit",
            "status": "success" if done else "fail",
        }
    ]
