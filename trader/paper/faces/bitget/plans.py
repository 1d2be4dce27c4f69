"""Signed protection calls: take profit and stop loss of a position, whole or in part.

Trigger orders that open (``normal_plan``, ``track_plan``) and trailing protection (``moving_plan``) are
not served: placing is 40020, their lists are empty.
"""

from __future__ import annotations

from enum import StrEnum

from shared.domain.order import PositionSide
from trader.paper.engine.model import Plan, PlanKind, Position, Reference
from trader.paper.engine.money import ZERO
from trader.paper.engine.protection import NewPlan
from trader.paper.faces.bitget import shapes
from trader.paper.faces.bitget.account import traded
from trader.paper.faces.bitget.calls import Call, signed_get, signed_post
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params

_HOLD_SIDES = {
    "long": PositionSide.LONG,
    "buy": PositionSide.LONG,
    "short": PositionSide.SHORT,
    "sell": PositionSide.SHORT,
}
#: What ``planType`` may name when plans are listed or cancelled; the first family is never present here.
_FAMILIES: dict[str, frozenset[PlanKind]] = {
    "normal_plan": frozenset(),
    "track_plan": frozenset(),
    "moving_plan": frozenset(),
    "profit_loss": frozenset(PlanKind),
    **{kind.value: frozenset({kind}) for kind in PlanKind},
}


class _Trigger(StrEnum):
    FILL_PRICE = "fill_price"
    MARK_PRICE = "mark_price"

    @property
    def reference(self) -> Reference:
        return Reference.LAST if self is _Trigger.FILL_PRICE else Reference.MARK


def _hold_side(call: Call, symbol: str) -> PositionSide:
    """long/short, in one-way mode buy/sell (buy is the long position); left out: the one that is held."""
    named = call.params.text("holdSide").lower()
    if named:
        if named not in _HOLD_SIDES:
            raise refusal("40020", "holdSide")
        return _HOLD_SIDES[named]
    held: Position | None = call.account.netted(symbol)
    if held is None:
        raise refusal("40891")
    return held.side


@signed_post("/api/v2/mix/order/place-tpsl-order")
def place_tpsl(call: Call) -> object:
    state, params = traded(call), call.params
    kind = params.choice("planType", PlanKind)
    plan = call.engine.place_plan(
        call.account,
        NewPlan(
            symbol=state.symbol,
            kind=kind,
            side=_hold_side(call, state.symbol),
            trigger=params.need_decimal("triggerPrice"),
            reference=params.choice("triggerType", _Trigger, _Trigger.FILL_PRICE).reference,
            execute=params.price("executePrice"),
            size=ZERO if kind.whole else params.need_decimal("size"),
            client_id=params.text("clientOid"),
        ),
    )
    return {"orderId": str(plan.id), "clientOid": plan.client_id}


@signed_post("/api/v2/mix/order/place-pos-tpsl")
def place_pos_tpsl(call: Call) -> object:
    """Take profit and stop loss in one call; both are set or none."""
    state, params = traded(call), call.params
    side = _hold_side(call, state.symbol)
    wanted: list[NewPlan] = []
    for name, whole, part in (
        ("stopSurplus", PlanKind.POS_PROFIT, PlanKind.PROFIT),
        ("stopLoss", PlanKind.POS_LOSS, PlanKind.LOSS),
    ):
        trigger = params.price(f"{name}TriggerPrice")
        if trigger is None:
            continue
        size = params.decimal(f"{name}Size") or ZERO
        wanted.append(
            NewPlan(
                symbol=state.symbol,
                kind=part if size else whole,
                side=side,
                trigger=trigger,
                reference=params.choice(f"{name}TriggerType", _Trigger, _Trigger.FILL_PRICE).reference,
                execute=params.price(f"{name}ExecutePrice"),
                size=size,
                client_id=params.text(f"{name}ClientOid"),
            )
        )
    if not wanted:
        raise refusal("40913", "stopSurplusTriggerPrice, stopLossTriggerPrice")
    return [
        {
            "orderId": str(plan.id),
            "stopSurplusClientOid": plan.client_id if plan.kind.takes_profit else "",
            "stopLossClientOid": "" if plan.kind.takes_profit else plan.client_id,
        }
        for plan in call.engine.place_plans(call.account, wanted)
    ]


def _family(params: Params, default: str) -> frozenset[PlanKind]:
    family = _FAMILIES.get(params.text("planType", default).lower())
    if family is None:
        raise refusal("40020", "planType")
    return family


@signed_get("/api/v2/mix/order/orders-plan-pending")
def pending(call: Call) -> object:
    params, page = call.params, call.params.page()
    params.need("planType")
    family, client_id = _family(params, ""), params.text("clientOid")
    found = [
        plan
        for plan in sorted(call.account.plans.values(), key=lambda plan: -plan.id)
        if plan.kind in family
        and page.symbol in {"", plan.symbol}
        and page.order_id in {0, plan.id}
        and client_id in {"", plan.client_id}
        and (not page.before or plan.id < page.before)
    ]
    return _plan_list(found[: page.limit] if params.served() else [])


@signed_get("/api/v2/mix/order/orders-plan-history")
def history(call: Call) -> object:
    params, page = call.params, call.params.page()
    params.need("planType")
    family, status = _family(params, ""), params.text("planStatus").lower()
    found = [
        plan
        for plan in call.engine.plans(call.account, page)
        if plan.kind in family and status in {"", plan.state.value}
    ]
    return _plan_list(found if params.served() else [])


def _plan_list(plans: list[Plan]) -> dict[str, object]:
    rows = [shapes.plan_row(plan) for plan in plans]
    return {"entrustedList": rows or None, "endId": str(plans[-1].id) if plans else None}


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
            call.engine.cancel_plan(account, plan)
            success.append({"orderId": str(plan.id), "clientOid": plan.client_id})
        return {"successList": success, "failureList": failure}
    if not isinstance(wanted, list) or not all(isinstance(item, dict) for item in wanted):
        raise refusal("40020", "orderIdList")
    for item in wanted[:50]:
        named = Params(item)
        found = call.engine.live_plan(account, named.number("orderId"), named.text("clientOid"))
        if not served or found is None or found.kind not in family or symbol not in {"", found.symbol}:
            ids = {"orderId": named.text("orderId"), "clientOid": named.text("clientOid")}
            failure.append(ids | {"errorMsg": "The plan order does not exist"})
        else:
            call.engine.cancel_plan(account, found)
            success.append({"orderId": str(found.id), "clientOid": found.client_id})
    return {"successList": success, "failureList": failure}
