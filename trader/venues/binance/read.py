"""From the venue's shapes to ours."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from shared.domain.order import OrderState, PositionSide, Side
from shared.errors import ProtocolError
from trader.venues.binance import wire
from trader.venues.model import (
    EndedPlan,
    FillReport,
    MarginMode,
    OrderReport,
    PlanEnd,
    PlanReport,
    PositionMode,
    PositionReport,
)
from trader.venues.numbers import negative, number, optional_price, positive, unsigned
from trader.venues.strict import word

#: How the venue's words for the end of an algo order read; what waits or is being triggered is not there.
_ENDS = {
    "TRIGGERED": PlanEnd.EXECUTED,
    "FINISHED": PlanEnd.EXECUTED,
    "REJECTED": PlanEnd.FAILED,
    "CANCELED": PlanEnd.CANCELED,
    "EXPIRED": PlanEnd.CANCELED,
}
_WAITING = frozenset({"NEW", "TRIGGERING"})


def order(raw: wire.OrderWire) -> OrderReport:
    side = word(wire.SIDE, raw.side, "side")
    state = word(wire.STATE, raw.status, "the order's status")
    filled = unsigned(raw.executed_qty, "executedQty")
    return OrderReport(
        symbol=wire.symbol(raw.symbol),
        order_id=str(raw.order_id),
        client_id=raw.client_order_id,
        side=side,
        position=(position := wire.position(raw.position_side)),
        reduce_only=reduces(side, position, raw.reduce_only or raw.close_position),
        order_type=wire.order_type(raw.type),
        state=state,
        size=order_size(raw.orig_qty, filled, whole=raw.close_position),
        filled_size=filled,
        price=optional_price(raw.price, "price"),
        average_price=average(raw.avg_price, filled, state, raw.symbol),
        take_profit=None,
        stop=None,
        forced=wire.forced(raw.client_order_id),
        cancel_reason=raw.status.lower() if raw.status in wire.EXPIRED else "",
        created_ns=wire.stamp_ns(raw.time, "time"),
        updated_ns=wire.stamp_ns(raw.update_time, "updateTime"),
    )


def reduces(side: Side, position: PositionSide | None, flag: bool) -> bool:
    """Hedge mode has no reduce-only: there a sell of the long position, or a buy of the short one, reduces."""
    if position is None:
        return flag
    return (side is Side.SELL) == (position is PositionSide.LONG)


def order_size(text: str, filled: Decimal, *, whole: bool) -> Decimal:
    """The size of an order; one that closes whatever there is may have none of its own."""
    size = unsigned(text, "origQty")
    if size == 0 and whole:
        return filled
    if size <= 0:
        raise ProtocolError(f"origQty is not above zero: {text[:40]!r}")
    return size


def average(text: str, filled: Decimal, state: OrderState, symbol: str) -> Decimal | None:
    found = optional_price(text, "the average price") if filled > 0 else None
    if found is None and (filled > 0 or state is OrderState.FILLED):
        raise ProtocolError(f"{symbol[:40]}: a filled order without a size or an average price")
    return found


def trade(raw: wire.TradeWire) -> FillReport:
    fee = number(raw.commission, "commission")
    return FillReport(
        fill_id=str(raw.id),
        order_id=str(raw.order_id),
        client_id="",
        symbol=wire.symbol(raw.symbol),
        side=word(wire.SIDE, raw.side, "side"),
        price=positive(raw.price, "price"),
        size=positive(raw.qty, "qty"),
        fee=negative(fee) if fee < 0 else fee,
        fee_currency=raw.commission_asset,
        taker=not raw.maker,
        realized=number(raw.realized_pnl, "realizedPnl"),
        filled_ns=wire.stamp_ns(raw.time, "time"),
    )


def plan(raw: wire.AlgoWire) -> PlanReport | None:
    """An algo order that waits, or None for one that does no more.

    ``protects`` is set for what closes a whole position; in one-way mode its side tells which.
    """
    if raw.algo_status not in _WAITING:
        word(_ENDS, raw.algo_status, "algoStatus")
        return None
    side = word(wire.SIDE, raw.side, "side")
    position = wire.position(raw.position_side)
    if position is None and raw.close_position:
        position = PositionSide.LONG if side is Side.SELL else PositionSide.SHORT
    return PlanReport(
        symbol=wire.symbol(raw.symbol),
        order_id=str(raw.algo_id),
        client_id=raw.client_algo_id,
        plan=raw.order_type,
        protects=wire.PROTECTION.get(raw.order_type) if raw.close_position else None,
        position=position,
        trigger_price=unsigned(raw.trigger_price, "triggerPrice"),
        size=optional_price(raw.quantity or "", "quantity"),
        whole=raw.close_position,
        created_ns=wire.stamp_ns(raw.create_time, "createTime"),
    )


def ended_plan(raw: wire.AlgoWire) -> EndedPlan | None:
    """How an algo order ended, or None for one that waits. One that was triggered may not name its order yet.

    What became an order is executed, whatever became of that order: it may have found no counterparty.
    """
    if raw.algo_status in _WAITING:
        return None
    end = word(_ENDS, raw.algo_status, "algoStatus")
    executed_as = str(raw.actual_order_id or "")
    if executed_as not in ("", "0"):
        end = PlanEnd.EXECUTED
    else:
        executed_as = ""
        if raw.algo_status == "FINISHED":
            end = PlanEnd.FAILED  # nothing was traded
    return EndedPlan(
        client_id=raw.client_algo_id,
        order_id=str(raw.algo_id),
        end=end,
        status=raw.algo_status,
        executed_as=executed_as,
    )


def position_amount(raw: wire.PositionWire) -> Decimal:
    """The signed size: below zero is short."""
    amount = number(raw.position_amt, "positionAmt")
    named = wire.position(raw.position_side)
    if named is not None and amount != 0 and (amount > 0) != (named is PositionSide.LONG):
        raise ProtocolError(f"{raw.symbol[:40]}: a {named.value} position of {raw.position_amt[:40]}")
    return amount


def position(
    raw: wire.PositionWire, configs: Mapping[str, wire.ConfigWire], opened_ns: int
) -> PositionReport:
    """A position that is held. Margin mode and leverage are told elsewhere, its beginning nowhere."""
    amount = position_amount(raw)
    size = abs(amount) if amount > 0 else negative(amount)
    config = configs.get(raw.symbol)
    if config is None:
        raise ProtocolError(f"{raw.symbol[:40]}: a position without a margin mode and leverage")
    mode = margin_mode(config)
    isolated = mode is MarginMode.ISOLATED
    return PositionReport(
        symbol=wire.symbol(raw.symbol),
        side=PositionSide.LONG if amount > 0 else PositionSide.SHORT,
        size=size,
        available=size,
        average_price=positive(raw.entry_price, "entryPrice"),
        mark_price=optional_price(raw.mark_price, "markPrice"),
        margin=number(raw.isolated_wallet if isolated else raw.initial_margin or "0", "the margin"),
        margin_mode=mode,
        position_mode=PositionMode.ONE_WAY if raw.position_side == "BOTH" else PositionMode.HEDGE,
        leverage=config.leverage,
        unrealized=number(raw.un_realized_profit, "unRealizedProfit"),
        realized=Decimal(0),
        liquidation_price=optional_price(raw.liquidation_price, "liquidationPrice"),
        take_profit_id="",
        stop_id="",
        created_ns=opened_ns,
        updated_ns=wire.stamp_ns(raw.update_time, "updateTime"),
    )


def margin_mode(config: wire.ConfigWire) -> MarginMode:
    return word(wire.MARGIN_MODE, config.margin_type, "marginType")
