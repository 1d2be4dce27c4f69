"""Signed calls over all plans: cancel, what waits, what has ended, and what a plan became."""

from __future__ import annotations

from trader.paper.engine.batch import PlanQuery
from trader.paper.engine.model import Order, Plan, PlanKind, PlanState
from trader.paper.faces.bitget import planrows
from trader.paper.faces.bitget.calls import Call, signed_get, signed_post
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.shapes import price
from trader.paper.faces.bitget.tpsl import placed

_MOST_IN_BATCH = 50
#: What ``planType`` may name; ``profit_loss`` is every kind that protects.
_FAMILIES: dict[str, tuple[PlanKind, ...]] = {
    "profit_loss": tuple(kind for kind in PlanKind if kind.protects),
    **{kind.value: (kind,) for kind in PlanKind if not kind.algo},
}
_ENDED = {state.value: state for state in (PlanState.EXECUTED, PlanState.FAILED, PlanState.CANCELLED)}
_SUB_ORDER_STATES = {
    PlanState.EXECUTED: "success",
    PlanState.FAILED: "fail",
    PlanState.CANCELLED: "cancelled",
    PlanState.LIVE: "in_progress",
}


def _family(params: Params, default: str = "") -> tuple[PlanKind, ...]:
    named = params.text("planType", default).lower()
    if not named:
        raise refusal("40019", "planType")
    if named not in _FAMILIES:
        raise refusal("40020", "planType")
    return _FAMILIES[named]


@signed_get("/api/v2/mix/order/orders-plan-pending")
def pending(call: Call) -> object:
    params, page = call.params, call.params.page()
    family, client_id = _family(params), params.text("clientOid")
    if page.order_id:
        client_id = ""  # documented: orderId prevails
    found = [
        plan
        for plan in sorted(call.account.plans.values(), key=lambda plan: -plan.id)
        if plan.kind in family
        and page.symbol in {"", plan.symbol}
        and page.order_id in {0, plan.id}
        and client_id in {"", plan.client_id}
        and (not page.before or plan.id < page.before)
        and plan.created_ns >= page.since_ns
        and (not page.until_ns or plan.created_ns <= page.until_ns)
    ]
    shown = found[: page.limit] if params.served() else []
    return _listed([planrows.pending_row(plan) for plan in shown])


@signed_get("/api/v2/mix/order/orders-plan-history")
def history(call: Call) -> object:
    params, page = call.params, call.params.page()
    family, status = _family(params), params.text("planStatus").lower()
    if status and status not in _ENDED:
        raise refusal("40020", "planStatus")
    query = PlanQuery(
        symbol=page.symbol,
        order_id=page.order_id,
        before=page.before,
        since_ns=page.since_ns,
        until_ns=page.until_ns,
        limit=page.limit,
        client_id="" if page.order_id else params.text("clientOid"),
        kinds=family,
        state=_ENDED.get(status),
    )
    shown = call.engine.plans(call.account, query) if params.served() else []
    return _listed([planrows.history_row(plan, _became(call, plan)) for plan in shown])


def _became(call: Call, plan: Plan) -> Order | None:
    return call.engine.order(call.account, plan.execute_order_id) if plan.execute_order_id else None


def _listed(rows: list[planrows.Row]) -> dict[str, object]:
    """An empty list is null, as the venue sends it."""
    return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}


@signed_get("/api/v2/mix/order/plan-sub-order")
def sub_orders(call: Call) -> object:
    """What a plan became, or how far it is; one that only waits has no sub-order."""
    params = call.params
    family = _family(params)
    if not params.need("planOrderId"):
        raise refusal("40019", "planOrderId")
    number = params.number("planOrderId")
    plan = call.engine.plan(call.account, number) if params.served() else None
    if plan is None or plan.kind not in family:
        raise refusal("43025")
    if plan.state is PlanState.LIVE and not plan.active:
        return []
    order = _became(call, plan)
    status = "in_progress_tracking" if plan.active and plan.state is PlanState.LIVE else ""
    return [
        {
            "orderId": str(order.id) if order is not None else "",
            "price": price(planrows.sub_order_price(order)) if order is not None else "",
            "type": planrows.order_type(plan),
            "status": status or _SUB_ORDER_STATES[plan.state],
        }
    ]


@signed_post("/api/v2/mix/order/cancel-plan-order")
def cancel(call: Call) -> object:
    """By list, or all of the plan type (and symbol). The type defaults to ``normal_plan``: name it."""
    params, account = call.params, call.account
    served, symbol = params.served(), params.text("symbol").upper()
    family, wanted = _family(params, "normal_plan"), params.raw("orderIdList")
    success: list[dict[str, str]] = []
    failure: list[dict[str, str]] = []
    if not wanted:
        for plan in [p for p in account.plans.values() if p.kind in family and symbol in {"", p.symbol}]:
            if served:
                call.engine.cancel_plan(account, plan)
                success.append(placed(plan))
        return {"successList": success, "failureList": failure}
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise refusal("40020", "orderIdList")
    if len(wanted) > _MOST_IN_BATCH:
        raise refusal("40912")
    names = [(item.number("orderId"), item.text("clientOid")) for item in map(Params, wanted)]
    for number, client_id in names:
        found = call.engine.live_plan(account, number, client_id)
        if not served or found is None or found.kind not in family or symbol not in {"", found.symbol}:
            ids = {"orderId": str(number or ""), "clientOid": client_id}
            failure.append(ids | {"errorMsg": "The plan order does not exist"})
        else:
            call.engine.cancel_plan(account, found)
            success.append(placed(found))
    return {"successList": success, "failureList": failure}
