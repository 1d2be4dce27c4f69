"""From the venue's shapes to ours, shared by REST answers and pushes."""

from __future__ import annotations

from shared.domain.order import OrderState, Side
from shared.errors import ProtocolError
from trader.venues.bitget import wire
from trader.venues.model import (
    AccountReport,
    FillReport,
    OrderReport,
    PlanReport,
    PositionMode,
    PositionReport,
    Price,
)
from trader.venues.numbers import (
    negative,
    number,
    optional,
    optional_price,
    positive,
    stamp_ns,
    total,
    unsigned,
    whole,
)


def order(raw: wire.OrderWire) -> OrderReport:
    symbol = _symbol(raw.symbol or raw.inst_id)
    mode = wire.word(wire.POSITION_MODE, raw.pos_mode, "posMode")
    side, reduces, forced = wire.trade_sides(mode, raw.side, raw.trade_side, raw.pos_side)
    position = wire.word(wire.POSITION_SIDE, raw.pos_side, "posSide") if mode is PositionMode.HEDGE else None
    state = wire.word(wire.STATE, raw.state or raw.status, "the order's state")
    pushed = bool(raw.inst_id)
    filled = unsigned((raw.acc_base_volume if pushed else raw.base_volume) or "0", "the filled size")
    average = optional_price(raw.price_avg, "priceAvg") if filled > 0 else None
    if average is None and (filled > 0 or state is OrderState.FILLED):
        raise ProtocolError(f"{symbol}: a filled order without a size or an average price")
    client_id = raw.client_oid or ""
    return OrderReport(
        symbol=symbol,
        order_id=_order_id(raw.order_id),
        client_id=client_id,
        side=side,
        position=position,
        reduce_only=reduces or wire.word(wire.REDUCE_ONLY, raw.reduce_only, "reduceOnly"),
        order_type=wire.word(wire.ORDER_TYPE, raw.order_type, "orderType"),
        state=state,
        size=positive(raw.size, "size"),
        filled_size=filled,
        price=optional_price(raw.price, "price"),
        average_price=average,
        take_profit=optional_price(raw.preset_stop_surplus_price, "presetStopSurplusPrice"),
        stop=optional_price(raw.preset_stop_loss_price, "presetStopLossPrice"),
        forced=forced,
        cancel_reason=raw.cancel_reason,
        created_ns=stamp_ns(raw.c_time, "cTime"),
        updated_ns=stamp_ns(raw.u_time, "uTime"),
        fill=_pushed_fill(raw, symbol, side, client_id) if pushed and raw.trade_id else None,
        triggered=raw.order_source.startswith(wire.TRIGGERED),
    )


def _pushed_fill(raw: wire.OrderWire, symbol: str, side: Side, client_id: str) -> FillReport:
    return FillReport(
        fill_id=raw.trade_id,
        order_id=raw.order_id,
        client_id=client_id,
        symbol=symbol,
        side=side,
        price=positive(raw.fill_price, "fillPrice"),
        size=positive(raw.base_volume, "baseVolume"),
        fee=negative(number(raw.fill_fee, "fillFee")),
        fee_currency=raw.fill_fee_coin,
        taker=wire.word(wire.TAKER, raw.trade_scope, "tradeScope"),
        realized=optional(raw.pnl, "pnl"),
        filled_ns=stamp_ns(raw.fill_time, "fillTime"),
    )


def fill(raw: wire.FillWire, *, pushed: bool = False) -> FillReport:
    """One fill. REST keeps the order's convention for ``side`` in hedge mode, the channel tells the trade's."""
    mode = wire.word(wire.POSITION_MODE, raw.pos_mode, "posMode")
    side, _, _ = wire.trade_sides(mode, raw.side, raw.trade_side, "")
    if pushed:
        side = wire.word(wire.SIDE, raw.side, "side")
    coins = {fee.fee_coin for fee in raw.fee_detail}
    if len(coins) != 1:
        raise ProtocolError(f"{raw.symbol}: a fill with fees in {len(coins)} currencies")
    return FillReport(
        fill_id=_order_id(raw.trade_id),
        order_id=_order_id(raw.order_id),
        client_id=raw.client_oid or "",
        symbol=_symbol(raw.symbol),
        side=side,
        price=positive(raw.price, "price"),
        size=positive(raw.base_volume, "baseVolume"),
        fee=negative(total(number(fee.total_fee, "totalFee") for fee in raw.fee_detail)),
        fee_currency=coins.pop(),
        taker=wire.word(wire.TAKER, raw.trade_scope, "tradeScope"),
        realized=optional(raw.profit, "profit"),
        filled_ns=stamp_ns(raw.c_time, "cTime"),
    )


def plan(raw: wire.PlanWire) -> PlanReport:
    return PlanReport(
        symbol=_symbol(raw.symbol),
        order_id=_order_id(raw.order_id),
        client_id=raw.client_oid or "",
        plan=raw.plan_type,
        protects=wire.PROTECTION.get(raw.plan_type),
        position=wire.POSITION_SIDE.get(raw.pos_side),
        trigger_price=positive(raw.trigger_price, "triggerPrice"),
        size=optional_price(raw.size, "size"),
        created_ns=stamp_ns(raw.c_time, "cTime"),
    )


def position(raw: wire.PositionWire) -> PositionReport | None:
    """A position, or None for a row of size zero."""
    size = unsigned(raw.total, "total")
    if size == 0:
        return None
    return PositionReport(
        symbol=_symbol(raw.symbol or raw.inst_id),
        side=wire.word(wire.POSITION_SIDE, raw.hold_side, "holdSide"),
        size=size,
        available=unsigned(raw.available, "available"),
        average_price=positive(raw.open_price_avg, "openPriceAvg"),
        mark_price=optional_price(raw.mark_price, "markPrice"),
        margin=number(raw.margin_size, "marginSize"),
        margin_mode=wire.word(wire.MARGIN_MODE, raw.margin_mode, "marginMode"),
        position_mode=wire.word(wire.POSITION_MODE, raw.pos_mode, "posMode"),
        leverage=whole(str(raw.leverage), "leverage"),
        unrealized=number(raw.unrealized or "0", "unrealizedPL"),
        realized=number(raw.achieved_profits or "0", "achievedProfits"),
        liquidation_price=optional_price(raw.liquidation_price, "liquidationPrice"),
        take_profit_id=raw.take_profit_id,
        stop_id=raw.stop_loss_id,
        created_ns=stamp_ns(raw.c_time, "cTime"),
        updated_ns=stamp_ns(raw.u_time, "uTime"),
    )


def account(raw: wire.AccountWire) -> AccountReport:
    return AccountReport(
        coin=raw.margin_coin.upper(),
        equity=number(raw.account_equity or raw.equity, "equity"),
        available=number(raw.available, "available"),
        max_isolated=optional(raw.isolated_max_available, "isolatedMaxAvailable"),
        max_crossed=optional(raw.crossed_max_available or raw.max_open_pos_available, "crossedMaxAvailable"),
        unrealized=number(raw.unrealized or "0", "unrealizedPL"),
        margin_mode=wire.word(wire.MARGIN_MODE, raw.margin_mode, "marginMode") if raw.margin_mode else None,
        position_mode=wire.word(wire.POSITION_MODE, raw.pos_mode, "posMode") if raw.pos_mode else None,
        crossed_leverage=whole(str(raw.crossed_margin_leverage or 0), "crossedMarginLeverage"),
        long_leverage=whole(str(raw.isolated_long_lever or 0), "isolatedLongLever"),
        short_leverage=whole(str(raw.isolated_short_lever or 0), "isolatedShortLever"),
    )


def price(raw: wire.TickerWire) -> Price:
    return Price(
        symbol=_symbol(raw.inst_id or raw.symbol),
        last=positive(raw.last_pr, "lastPr"),
        bid=optional_price(raw.bid_pr, "bidPr"),
        ask=optional_price(raw.ask_pr, "askPr"),
        mark=optional_price(raw.mark_price, "markPrice"),
        ns=stamp_ns(raw.ts, "ts"),
    )


def _symbol(text: str) -> str:
    """Upper case: the venue's own samples have it both ways."""
    if not text:
        raise ProtocolError("a row without a symbol")
    return text.upper()


def _order_id(text: str) -> str:
    if not text:
        raise ProtocolError("a row without an id")
    return text
