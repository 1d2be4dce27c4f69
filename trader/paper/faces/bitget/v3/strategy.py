"""Signed v3 strategy order calls: take profit and stop loss of positions (``tpsl``), and trigger orders."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.engine import conditional, legs
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import PlanQuery
from trader.paper.engine.conditional import NewTrigger
from trader.paper.engine.legs import LegChange
from trader.paper.engine.model import Plan, PlanKind, PlanState, PositionMode, Preset, closed_by
from trader.paper.engine.money import ZERO
from trader.paper.engine.protection import Change, NewPlan
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.v3 import strategyrows
from trader.paper.faces.bitget.v3.calls import (
    Category,
    category,
    contract,
    page,
    paged,
    signed_get,
    signed_post,
    which,
)
from trader.paper.faces.bitget.v3.errors import refusal
from trader.paper.faces.bitget.v3.orders import Direction, Trigger, leg, margin_mode, preset

_LEGS = (
    ("tp", "takeProfit", PlanKind.POS_PROFIT, PlanKind.PROFIT),
    ("sl", "stopLoss", PlanKind.POS_LOSS, PlanKind.LOSS),
)


class _Type(StrEnum):
    PROTECTION = "tpsl"
    TRIGGER = "trigger"


class _Mode(StrEnum):
    FULL = "full"
    PARTIAL = "partial"


_KINDS = {
    _Type.PROTECTION: tuple(kind for kind in PlanKind if kind.protects),
    _Type.TRIGGER: (PlanKind.NORMAL, PlanKind.TRACK),
}


@signed_post("trade/place-strategy-order")
def place(call: Call) -> object:
    """``tpsl`` is for the whole position unless ``tpslMode`` is partial."""
    params = call.params
    if category(params) is Category.SPOT:
        raise refusal("25593")
    symbol = contract(call).symbol
    if params.choice("type", _Type, _Type.PROTECTION) is _Type.TRIGGER:
        plan = call.engine.place_trigger(call.account, _new_trigger(call.account, params, symbol))
        return strategyrows.placed([plan])
    wanted = _new_protection(call.account, params, symbol)
    return strategyrows.placed(call.engine.place_plans(call.account, wanted, paired=True))


def _new_trigger(account: Account, params: Params, symbol: str) -> NewTrigger:
    direction = Direction(account, params)
    protection = preset(params)
    if direction.closes and protection != Preset():
        raise refusal("25612")
    limit = params.choice("triggerOrderType", OrderType, OrderType.MARKET) is OrderType.LIMIT
    return NewTrigger(
        symbol=symbol,
        kind=PlanKind.NORMAL,
        side=direction.side,
        size=params.need_decimal("qty"),
        margin_mode=margin_mode(params),
        trigger=params.need_decimal("triggerPrice"),
        reference=params.choice("triggerBy", Trigger, Trigger.MARKET).reference,
        price=params.need_decimal("triggerOrderPrice") if limit else None,
        hedge_close=direction.hedge_close,
        reduce_only=direction.reduce_only,
        preset=protection,
        client_id=params.text("clientOid"),
    )


def _new_protection(account: Account, params: Params, symbol: str) -> list[NewPlan]:
    partial = params.choice("tpslMode", _Mode, _Mode.FULL) is _Mode.PARTIAL
    size, side = params.need_decimal("qty") if partial else ZERO, _guarded(account, params, symbol)
    name = params.text("clientOid")
    wanted: list[NewPlan] = []
    for short, word, whole, part in _LEGS:
        found = leg(params, short, word)
        if found.trigger is None:
            continue
        wanted.append(
            NewPlan(
                symbol=symbol,
                kind=part if partial else whole,
                side=side,
                trigger=found.trigger,
                reference=found.reference,
                execute=found.execute,
                size=size,
                client_id="" if wanted else name,
            )
        )
    if not wanted:
        raise refusal("400172", "takeProfit, stopLoss")
    return wanted


def _guarded(account: Account, params: Params, symbol: str) -> PositionSide:
    """``posSide``, or in one-way mode the position that ``side`` closes, or the one there is."""
    if params.text("posSide"):
        return params.choice("posSide", PositionSide)
    if account.record.position_mode is PositionMode.HEDGE:
        raise refusal("25236")
    if params.text("side"):
        return closed_by(params.choice("side", Side))
    position = account.netted(symbol)
    if position is None:
        raise refusal("25601")
    return position.side


def _waiting(call: Call) -> list[Plan]:
    """The live halves of the strategy order that a call names; 25597 when there are none."""
    plan = call.engine.plan(call.account, *which(call.params))
    halves = strategyrows.whole(call.engine, call.account, plan) if plan is not None else []
    live = [half for half in halves if half.id in call.account.plans]
    if not live:
        raise refusal("25597")
    return live


@signed_post("trade/modify-strategy-order")
def modify(call: Call) -> object:
    """What is left out stays as it is; a take profit or stop loss that is missing is added."""
    halves, params = _waiting(call), call.params
    if halves[0].kind.protects:
        _modify_protection(call, halves, params)
    else:
        _modify_trigger(call, halves[0], params)
    return strategyrows.placed(strategyrows.whole(call.engine, call.account, halves[0]))


def _modify_protection(call: Call, halves: list[Plan], params: Params) -> None:
    first = halves[0]
    size = ZERO if first.kind.whole else params.decimal("qty") or first.size
    changes: list[tuple[Plan, Change]] = []
    added: NewPlan | None = None
    for short, word, whole, part in _LEGS:
        plan = next((half for half in halves if half.kind in (whole, part)), None)
        if plan is not None:
            changes.append((plan, _change(plan, params, short, word, size)))
            continue
        found = leg(params, short, word)
        if found.trigger is not None:
            added = NewPlan(
                symbol=first.symbol,
                kind=whole if first.kind.whole else part,
                side=first.side,
                trigger=found.trigger,
                reference=found.reference,
                execute=found.execute,
                size=size,
            )
    if added is None and all(_same(plan, change) for plan, change in changes):
        raise refusal("25600")
    call.engine.modify_pair(call.account, changes, added)


def _change(plan: Plan, params: Params, name: str, word: str, size: Decimal) -> Change:
    """One half as it is wanted. A limit price alone makes it a limit one; ``market`` drops the price."""
    trigger = params.decimal(word)
    if trigger is not None and trigger <= 0:
        raise refusal("25602" if name == "tp" else "25603")
    old = OrderType.MARKET if plan.execute is None else OrderType.LIMIT
    execute = plan.execute
    if params.choice(f"{name}OrderType", OrderType, old) is OrderType.MARKET:
        execute = None
    elif params.text(f"{name}LimitPrice") or execute is None:
        execute = params.need_decimal(f"{name}LimitPrice")
    by = f"{name}TriggerBy"
    return Change(
        trigger=plan.trigger if trigger is None else trigger,
        execute=execute,
        reference=params.choice(by, Trigger).reference if params.text(by) else plan.reference,
        size=size,
    )


def _same(plan: Plan, change: Change) -> bool:
    wanted = (change.trigger, change.execute, change.reference, change.size)
    return wanted == (plan.trigger, plan.execute, plan.reference, plan.size)


def _modify_trigger(call: Call, plan: Plan, params: Params) -> None:
    """Whether it trades at market or with a limit stays."""
    old = OrderType.MARKET if plan.execute is None else OrderType.LIMIT
    if params.choice("triggerOrderType", OrderType, old) is not old:
        raise refusal("400172", "triggerOrderType")
    trigger = params.decimal("triggerPrice")
    reference = params.choice("triggerBy", Trigger).reference if params.text("triggerBy") else None
    profit, loss = (_leg_change(params, name, word) for name, word, *_ in _LEGS)
    wanted = conditional.Change(
        size=params.decimal("qty"),
        price=params.decimal("triggerOrderPrice") if old is OrderType.LIMIT else None,
        trigger=plan.trigger if trigger is None and reference is not None else trigger,
        reference=reference,
        preset=legs.changed(plan.preset, profit, loss),
    )
    if wanted == conditional.Change(preset=plan.preset):
        raise refusal("25600")
    call.engine.modify_trigger(call.account, plan, wanted)


def _leg_change(params: Params, name: str, word: str) -> LegChange:
    found = leg(params, name, word)
    if found.trigger is None:
        return LegChange()
    return LegChange(trigger=found.trigger, execute=found.execute or ZERO, reference=found.reference)


@signed_post("trade/cancel-strategy-order")
def cancel(call: Call) -> object:
    for plan in _waiting(call):
        call.engine.cancel_plan(call.account, plan)
    return None


def _wanted_kinds(call: Call) -> tuple[PlanKind, ...]:
    """By ``type``; both without one."""
    if not call.params.text("type"):
        return tuple(PlanKind)
    return _KINDS[call.params.choice("type", _Type)]


@signed_get("trade/unfilled-strategy-orders")
def unfilled(call: Call) -> object:
    """A plain list, newest first."""
    found, kinds = category(call.params), _wanted_kinds(call)
    if found is not Category.FUTURES:
        return []
    symbol = call.params.text("symbol").upper()
    live = [
        plan
        for plan in sorted(call.account.plans.values(), key=lambda plan: -plan.id)
        if plan.kind in kinds and symbol in {"", plan.symbol}
    ]
    return [strategyrows.row(call.account, halves) for halves in strategyrows.strategies(live)]


@signed_get("trade/history-strategy-orders")
def history(call: Call) -> object:
    """What was executed, failed or was cancelled."""
    found, kinds, asked = category(call.params), _wanted_kinds(call), page(call)
    if found is not Category.FUTURES:
        return paged([], "orderId")
    query = PlanQuery(
        symbol=asked.symbol,
        before=asked.before,
        since_ns=asked.since_ns,
        until_ns=asked.until_ns,
        limit=2 * asked.limit,
        kinds=kinds,
    )
    shown = []
    for plan in call.engine.plans(call.account, query):
        halves = strategyrows.whole(call.engine, call.account, plan)
        if plan is halves[0] and strategyrows.status(halves) is not PlanState.LIVE:
            shown.append(strategyrows.row(call.account, halves))
    return paged(shown[: asked.limit], "orderId")
