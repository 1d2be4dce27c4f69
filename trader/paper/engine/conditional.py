"""Conditional orders: placed as a normal order when a price reaches their trigger, whatever is held then.

Nothing is reserved for them. A trigger order (``NORMAL``) is reached from the side on which it was
placed. A trailing entry (``TRACK``) trades at market; its protection is in percent of the average price
at which its order trades.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.contract import ContractSpec
from trader.paper.engine import checks, plans, statuses
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import (
    MarginMode,
    NewOrder,
    Plan,
    PlanKind,
    PositionMode,
    Preset,
    Reference,
    SelfTrade,
    Source,
    closed_by,
    opened_by,
)
from trader.paper.engine.money import ZERO, decimals, times
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState

#: Percent, as documented for the protection of a trailing entry.
SMALLEST_PERCENT = Decimal("0.01")
LARGEST_PERCENT = Decimal("999.99")
_HUNDRED = Decimal(100)


class NewTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """A conditional order as a face hands it in: the order that it becomes, and when.

    ``side`` is the true trade side. ``price`` ``None`` = at market. ``ratio`` is a trailing entry's
    callback in percent, and the prices of its ``preset`` are percentages.
    """

    symbol: str
    kind: PlanKind
    side: Side
    size: Decimal
    margin_mode: MarginMode
    trigger: Decimal
    reference: Reference
    price: Decimal | None = None
    ratio: Decimal = ZERO
    hedge_close: bool | None = None
    reduce_only: bool = False
    preset: Preset = Preset()
    client_id: str = ""
    self_trade: SelfTrade = SelfTrade.NONE

    @property
    def closes(self) -> bool:
        return bool(self.hedge_close) or self.reduce_only

    @property
    def position_side(self) -> PositionSide:
        return closed_by(self.side) if self.closes else opened_by(self.side)


def check(core: Core, account: Account, new: NewTrigger) -> MarketState:
    """Every refusal of :func:`place`. Money and positions are looked at when it is triggered."""
    state = core.state(new.symbol)
    statuses.admit(state, closing=new.closes)
    checks.free_client_id(account, account.plan_clients, new.client_id)
    _check_form(account, state, new)
    if new.kind.trails:
        price = plans.reference_price(state, new.reference)
        plans.check_start(price, new.trigger, rising=plans.trail_rises(new.side))
    plans.check_room(account, new.symbol, new.kind)
    return state


def _check_form(account: Account, state: MarketState, new: NewTrigger) -> None:
    spec = state.spec
    if account.record.position_mode is PositionMode.HEDGE and new.hedge_close is None:
        raise Refused(Reason.MODE_MISMATCH)
    plans.plan_size(spec, new.size, plans.market_or_limit(new.price))
    checks.tick(spec, new.trigger, "triggerPrice")
    if new.price is not None:
        checks.tick(spec, new.price, "price")
    at = new.price if new.price is not None else new.trigger
    if not new.closes and next(account.held(new.symbol), None) is None:
        checks.value(spec, new.size, at)
    if new.kind.trails:
        plans.check_ratio(new.ratio, "callbackRatio")
        _check_percentages(new)
    else:
        if new.ratio:
            raise Refused(Reason.PLAN_PARAMETER, "callbackRatio")
        if not new.closes:
            checks.preset(spec, new.preset, new.position_side, at, checks.Against.ORDER)


def _check_percentages(new: NewTrigger) -> None:
    """Within the venue's limits; a price below zero cannot be reached."""
    preset = new.preset
    if new.price is not None:
        raise Refused(Reason.PLAN_PARAMETER, "price")
    if preset.take_profit_execute is not None or preset.stop_loss_execute is not None:
        raise Refused(Reason.PLAN_PARAMETER, "stopSurplusExecutePrice, stopLossExecutePrice")
    if Reference.MARK in (preset.take_profit_reference, preset.stop_loss_reference):
        raise Refused(Reason.PLAN_PARAMETER, "stopSurplusTriggerType, stopLossTriggerType")
    for percent, name, downwards in (
        (preset.take_profit, "stopSurplusTriggerPrice", new.position_side is PositionSide.SHORT),
        (preset.stop_loss, "stopLossTriggerPrice", new.position_side is PositionSide.LONG),
    ):
        if percent is None:
            continue
        checks.number(percent, name)
        largest = _HUNDRED - SMALLEST_PERCENT if downwards else LARGEST_PERCENT
        if not SMALLEST_PERCENT <= percent <= largest or decimals(percent) > 2:
            raise Refused(Reason.PLAN_PARAMETER, name)


def place(core: Core, account: Account, new: NewTrigger) -> Plan:
    state = check(core, account, new)
    return plans.add(
        core,
        account,
        Plan(
            id=core.next_id(),
            account=account.id,
            symbol=new.symbol,
            client_id=new.client_id or str(core.next_id()),
            kind=new.kind,
            side=new.position_side,
            trigger=new.trigger,
            reference=new.reference,
            execute=new.price,
            size=new.size,
            mode=account.record.position_mode,
            margin_mode=new.margin_mode,
            created_ns=core.now_ns,
            updated_ns=core.now_ns,
            trade=new.side,
            hedge_close=new.hedge_close,
            reduce_only=new.reduce_only,
            preset=new.preset,
            rising=_rising(state, new),
            ratio=new.ratio,
            self_trade=new.self_trade,
        ),
    )


def _rising(state: MarketState, new: NewTrigger) -> bool:
    """From which side the price comes to the trigger. One at the price itself is reached at once."""
    if new.kind.trails:
        return plans.trail_rises(new.side)
    return new.trigger >= plans.reference_price(state, new.reference)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A modification; ``None`` keeps. ``preset`` is the whole new one."""

    size: Decimal | None = None
    price: Decimal | None = None
    ratio: Decimal | None = None
    trigger: Decimal | None = None
    reference: Reference | None = None
    preset: Preset | None = None


def modify(core: Core, account: Account, plan: Plan, wanted: Change) -> None:
    """Judged like a new one. With another trigger a trail starts anew."""
    if wanted.price is not None and plan.execute is None:
        raise Refused(Reason.PLAN_PARAMETER, "newPrice")
    if wanted.reference is not None and wanted.trigger is None:
        raise Refused(Reason.PLAN_PARAMETER, "newTriggerPrice")
    state, old = core.state(plan.symbol), _as_new(plan)
    new = msgspec.structs.replace(
        old,
        size=old.size if wanted.size is None else wanted.size,
        price=old.price if wanted.price is None else wanted.price,
        ratio=old.ratio if wanted.ratio is None else wanted.ratio,
        trigger=old.trigger if wanted.trigger is None else wanted.trigger,
        reference=old.reference if wanted.reference is None else wanted.reference,
        preset=old.preset if wanted.preset is None else wanted.preset,
    )
    _check_form(account, state, new)
    moved = (new.trigger, new.reference) != (old.trigger, old.reference)
    if moved and new.kind.trails:
        price = plans.reference_price(state, new.reference)
        plans.check_start(price, new.trigger, rising=plan.rising)
    plans.change(
        core,
        account,
        plan,
        size=new.size,
        execute=new.price,
        ratio=new.ratio,
        trigger=new.trigger,
        reference=new.reference,
        preset=new.preset,
        rising=_rising(state, new) if moved else plan.rising,
        active=plan.active and not moved,
    )


def _as_new(plan: Plan) -> NewTrigger:
    return NewTrigger(
        symbol=plan.symbol,
        kind=plan.kind,
        side=trade_side(plan),
        size=plan.size,
        margin_mode=plan.margin_mode,
        trigger=plan.trigger,
        reference=plan.reference,
        price=plan.execute,
        ratio=plan.ratio,
        hedge_close=plan.hedge_close,
        reduce_only=plan.reduce_only,
        preset=plan.preset,
        self_trade=plan.self_trade,
    )


def trade_side(plan: Plan) -> Side:
    """The true side of the trade: given for conditional orders, the exit for protection."""
    if plan.trade is not None:
        return plan.trade
    return Side.SELL if plan.side is PositionSide.LONG else Side.BUY


# what it becomes


def order_of(account: Account, plan: Plan) -> NewOrder:
    """The order of a triggered plan; its client id is the plan's id unless a client has taken that."""
    name = str(plan.id)
    order = msgspec.structs.replace(_order(_as_new(plan)), client_id="" if name in account.clients else name)
    return msgspec.structs.replace(order, preset=Preset()) if plan.kind.trails else order


def _order(new: NewTrigger) -> NewOrder:
    return NewOrder(
        symbol=new.symbol,
        side=new.side,
        type=OrderType.MARKET if new.price is None else OrderType.LIMIT,
        size=new.size,
        margin_mode=new.margin_mode,
        price=new.price,
        hedge_close=new.hedge_close,
        reduce_only=new.reduce_only,
        preset=new.preset,
        self_trade=new.self_trade,
        source=Source.TRAILING_ENTRY if new.kind.trails else Source.TRIGGER,
    )


def preset_at(spec: ContractSpec, plan: Plan, price: Decimal) -> Preset:
    """A trailing entry's percentages as prices around ``price``, on the nearest tick."""
    sign = 1 if plan.side is PositionSide.LONG else -1

    def around(percent: Decimal | None, direction: int) -> Decimal | None:
        if percent is None:
            return None
        exact = times(price, 1 + direction * percent / _HUNDRED)
        ticks = max(Decimal(1), (exact / spec.tick).to_integral_value(ROUND_HALF_EVEN))
        return times(ticks, spec.tick)

    return Preset(
        take_profit=around(plan.preset.take_profit, sign), stop_loss=around(plan.preset.stop_loss, -sign)
    )
