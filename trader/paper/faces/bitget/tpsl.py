"""Signed calls that protect a position: take profit, stop loss and trailing stop, whole or in part."""

from __future__ import annotations

from enum import StrEnum

from shared.domain.order import PositionSide
from trader.paper.engine.model import Plan, PlanKind, Position, PositionMode, Reference, SelfTrade
from trader.paper.engine.money import ZERO
from trader.paper.engine.protection import Change, NewPlan
from trader.paper.faces.bitget.account import traded
from trader.paper.faces.bitget.calls import Call, signed_post
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params

_HOLD_SIDES = {
    "long": PositionSide.LONG,
    "buy": PositionSide.LONG,
    "short": PositionSide.SHORT,
    "sell": PositionSide.SHORT,
}


class Trigger(StrEnum):
    FILL_PRICE = "fill_price"
    MARK_PRICE = "mark_price"

    @property
    def reference(self) -> Reference:
        return Reference.LAST if self is Trigger.FILL_PRICE else Reference.MARK


class _Kind(StrEnum):
    """The plan types that protect."""

    MOVING = "moving_plan"
    POS_PROFIT = "pos_profit"
    POS_LOSS = "pos_loss"
    PROFIT = "profit_plan"
    LOSS = "loss_plan"


def reference(params: Params, name: str) -> Reference | None:
    """``None`` when it is not given."""
    return params.choice(name, Trigger).reference if params.text(name) else None


def placed(plan: Plan) -> dict[str, str]:
    return {"orderId": str(plan.id), "clientOid": plan.client_id}


def _hold_side(call: Call, symbol: str) -> PositionSide:
    """long/short, in one-way mode buy/sell (buy is the long position).

    The documents want it always; in one-way mode a held position leaves no doubt, so it may be left out.
    """
    named = call.params.text("holdSide").lower()
    if named:
        if named not in _HOLD_SIDES:
            raise refusal("40020", "holdSide")
        return _HOLD_SIDES[named]
    one_way = call.account.record.position_mode is PositionMode.ONE_WAY
    held: Position | None = call.account.netted(symbol) if one_way else None
    if held is None:
        raise refusal("40019", "holdSide")
    return held.side


@signed_post("/api/v2/mix/order/place-tpsl-order")
def place_tpsl(call: Call) -> object:
    """The size of a whole-position kind is ignored, as clients send one."""
    state, params = traded(call), call.params
    kind = PlanKind(params.choice("planType", _Kind))
    plan = call.engine.place_plan(
        call.account,
        NewPlan(
            symbol=state.symbol,
            kind=kind,
            side=_hold_side(call, state.symbol),
            trigger=params.need_decimal("triggerPrice"),
            reference=reference(params, "triggerType") or Reference.LAST,
            execute=params.price("executePrice"),
            size=ZERO if kind.whole else params.need_decimal("size"),
            ratio=params.need_decimal("rangeRate") if kind.trails else ZERO,
            client_id=params.text("clientOid"),
            self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
        ),
    )
    return placed(plan)


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
                reference=reference(params, f"{name}TriggerType") or Reference.LAST,
                execute=params.price(f"{name}ExecutePrice"),
                size=size,
                client_id=params.text(f"{name}ClientOid"),
                self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
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


@signed_post("/api/v2/mix/order/modify-tpsl-order")
def modify_tpsl(call: Call) -> object:
    """``executePrice`` left out or 0 means at market; what else is left out stays as it is."""
    state, params = traded(call), call.params
    missing = "43033" if params.text("rangeRate") else "43020"
    plan = waiting(call, protects=True, missing=missing, ended="43021")
    if plan.symbol != state.symbol:
        raise refusal(missing)
    call.engine.modify_protection(
        call.account,
        plan,
        Change(
            trigger=params.need_decimal("triggerPrice"),
            execute=params.price("executePrice"),
            reference=reference(params, "triggerType"),
            size=params.decimal("size"),
            ratio=params.decimal("rangeRate"),
        ),
    )
    return placed(plan)


def waiting(call: Call, *, protects: bool, missing: str, ended: str) -> Plan:
    """The live plan that ``orderId`` (it prevails) or ``clientOid`` names, or one of the two refusals."""
    number, client_id = call.params.number("orderId"), call.params.text("clientOid")
    if not number and not client_id:
        raise refusal("40913", "orderId, clientOid")
    plan = call.engine.plan(call.account, number, client_id)
    if plan is None or plan.kind.protects is not protects:
        raise refusal(missing)
    if plan.id not in call.account.plans:
        raise refusal(ended)
    return plan
