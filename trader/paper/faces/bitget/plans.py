"""Signed calls for conditional orders: trigger orders and trailing entries."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from shared.domain.order import OrderType, Side
from trader.paper.engine import legs
from trader.paper.engine.accounts import Account
from trader.paper.engine.conditional import Change, NewTrigger
from trader.paper.engine.legs import Leg, LegChange
from trader.paper.engine.model import PlanKind, PositionMode, Preset, Reference, SelfTrade
from trader.paper.engine.money import ZERO
from trader.paper.faces.bitget.account import margin_mode, traded
from trader.paper.faces.bitget.calls import Call, signed_post
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.tpsl import Trigger, placed, reference, waiting


class _Kind(StrEnum):
    NORMAL = "normal_plan"
    TRACK = "track_plan"


class _TradeSide(StrEnum):
    OPEN = "open"
    CLOSE = "close"


@signed_post("/api/v2/mix/order/place-plan-order")
def place_plan(call: Call) -> object:
    state, params = traded(call), call.params
    kind = PlanKind(params.choice("planType", _Kind))
    side, hedge_close = _direction(call.account, params)
    one_way = call.account.record.position_mode is PositionMode.ONE_WAY
    plan = call.engine.place_trigger(
        call.account,
        NewTrigger(
            symbol=state.symbol,
            kind=kind,
            side=side,
            size=params.need_decimal("size"),
            margin_mode=margin_mode(params),
            trigger=params.need_decimal("triggerPrice"),
            reference=params.choice("triggerType", Trigger).reference,
            price=_limit_price(params, kind),
            ratio=params.need_decimal("callbackRatio") if kind.trails else ZERO,
            hedge_close=hedge_close,
            reduce_only=params.flag("reduceOnly") and one_way,
            preset=_preset(params),
            client_id=params.text("clientOid"),
            self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
        ),
    )
    return placed(plan)


def _direction(account: Account, params: Params) -> tuple[Side, bool | None]:
    """(true trade side, hedge-mode close). In hedge mode ``side`` names the position, as in orders."""
    side = params.choice("side", Side)
    if account.record.position_mode is PositionMode.ONE_WAY or not params.text("tradeSide"):
        return side, None
    if params.choice("tradeSide", _TradeSide) is _TradeSide.OPEN:
        return side, False
    return (Side.SELL if side is Side.BUY else Side.BUY), True


def _limit_price(params: Params, kind: PlanKind) -> Decimal | None:
    """``None`` = at market, and then a price is ignored; a trailing entry is always at market."""
    limit = params.choice("orderType", OrderType) is OrderType.LIMIT
    if kind.trails:
        if limit:
            raise refusal("40020", "orderType")
        return None
    if not limit:
        return None
    price = params.price("price") or params.price("executePrice")
    if price is None:
        raise refusal("40019", "price")
    return price


def _preset(params: Params) -> Preset:
    """``presetStop…Price`` stands in the vendor's own example and means the trigger as well."""

    def leg(name: str, other: str) -> Leg:
        return Leg(
            trigger=params.price(f"{name}TriggerPrice") or params.price(other),
            execute=params.price(f"{name}ExecutePrice"),
            reference=reference(params, f"{name}TriggerType") or Reference.LAST,
        )

    return legs.preset_of(
        leg("stopSurplus", "presetStopSurplusPrice"), leg("stopLoss", "presetStopLossPrice")
    )


@signed_post("/api/v2/mix/order/modify-plan-order")
def modify_plan(call: Call) -> object:
    """What is left out stays. A take profit or stop loss of 0 is removed."""
    params = call.params
    if not params.served():
        raise refusal("43025")
    plan = waiting(call, protects=False, missing="43025", ended="43026")
    call.engine.modify_trigger(
        call.account,
        plan,
        Change(
            size=params.decimal("newSize"),
            price=params.price("newPrice"),
            ratio=params.decimal("newCallbackRatio"),
            trigger=params.price("newTriggerPrice"),
            reference=reference(params, "newTriggerType"),
            preset=legs.changed(
                plan.preset, _leg_change(params, "newStopSurplus"), _leg_change(params, "newStopLoss")
            ),
        ),
    )
    return placed(plan)


def _leg_change(params: Params, name: str) -> LegChange:
    return LegChange(
        trigger=params.decimal(f"{name}TriggerPrice"),
        execute=params.decimal(f"{name}ExecutePrice"),
        reference=reference(params, f"{name}TriggerType"),
    )
