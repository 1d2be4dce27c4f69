"""From the shapes of v3 to ours, shared by REST answers and pushes."""

from __future__ import annotations

from shared.domain.order import OrderState, PositionSide, Side
from shared.errors import ProtocolError
from trader.venues.bitget import wire as words
from trader.venues.bitget.forms import MARGIN_COIN, PRODUCT
from trader.venues.bitget.unified import wire
from trader.venues.model import (
    AccountReport,
    EndedPosition,
    FillReport,
    Forced,
    MarginMode,
    OrderReport,
    PlanReport,
    PositionMode,
    PositionReport,
    Protection,
)
from trader.venues.numbers import (
    number,
    optional,
    optional_price,
    positive,
    stamp_ns,
    total,
    unsigned,
    whole,
)

_TRIGGERED = tuple(beginning for each in wire.TRIGGERED.values() for beginning in each)


def ours(category: str) -> bool:
    """Whether a row is of USDT futures; a unified account has spot and other futures in the same lists."""
    return category.upper() == PRODUCT


def order(raw: wire.Order) -> OrderReport:
    mode = words.word(words.POSITION_MODE, raw.hold_mode, "holdMode")
    side = words.word(words.SIDE, raw.side, "side")
    forced = _forced(raw)
    position: PositionSide | None = None
    reduces = words.word(words.REDUCE_ONLY, raw.reduce_only or "", "reduceOnly") or forced is not Forced.NO
    if mode is PositionMode.HEDGE:
        position = words.word(words.POSITION_SIDE, raw.pos_side or raw.hold_side or "", "posSide")
        reduces = (side is Side.BUY) is not (position is PositionSide.LONG)
    state = words.word(wire.STATE, raw.order_status, "orderStatus")
    filled = unsigned(raw.cum_exec_qty or "0", "cumExecQty")
    average = optional_price(raw.avg_price or "", "avgPrice") if filled > 0 else None
    if average is None and (filled > 0 or state is OrderState.FILLED):
        raise ProtocolError(f"{raw.symbol}: a filled order without a size or an average price")
    return OrderReport(
        symbol=_symbol(raw.symbol),
        order_id=_id(raw.order_id),
        client_id=raw.client_oid or "",
        side=side,
        position=position,
        reduce_only=reduces,
        order_type=words.word(words.ORDER_TYPE, raw.order_type, "orderType"),
        state=state,
        size=positive(raw.qty, "qty"),
        filled_size=filled,
        price=optional_price(raw.price or "", "price"),
        average_price=average,
        take_profit=optional_price(raw.take_profit or "", "takeProfit"),
        stop=optional_price(raw.stop_loss or "", "stopLoss"),
        forced=forced,
        cancel_reason=raw.cancel_reason or "",
        created_ns=stamp_ns(raw.created_time, "createdTime"),
        updated_ns=stamp_ns(raw.updated_time or "", "updatedTime"),
        triggered=(raw.delegate_type or "").startswith(_TRIGGERED),
    )


def _forced(raw: wire.Order) -> Forced:
    """Who made it: ``tradeSide`` tells most, and is not in every list."""
    trade_side = raw.trade_side or ""
    if trade_side:
        found = next((who for word, who in wire.TRADE_SIDES.items() if trade_side.startswith(word)), None)
        if found is None:
            raise ProtocolError(f"tradeSide has a value that is not documented: {trade_side[:40]!r}")
        if found is not Forced.NO:
            return found
    if (raw.delegate_type or "").startswith("liquidation"):
        return Forced.LIQUIDATED
    return words.word(wire.EXEC_TYPE, raw.exec_type or "", "execType")


def fill(raw: wire.Fill) -> FillReport:
    coins = {fee.fee_coin or "" for fee in raw.fee_detail}
    if len(coins) != 1:
        raise ProtocolError(f"{raw.symbol}: a fill with fees in {len(coins)} currencies")
    return FillReport(
        fill_id=_id(raw.exec_id),
        order_id=_id(raw.order_id),
        client_id=raw.client_oid or "",
        symbol=_symbol(raw.symbol),
        side=words.word(words.SIDE, raw.side, "side"),
        price=positive(raw.exec_price, "execPrice"),
        size=positive(raw.exec_qty, "execQty"),
        fee=total(number(fee.fee or "", "fee") for fee in raw.fee_detail),
        fee_currency=coins.pop(),
        taker=words.word(words.TAKER, raw.trade_scope, "tradeScope"),
        realized=optional(raw.exec_pnl or "", "execPnl"),
        filled_ns=stamp_ns(raw.created_time or raw.exec_time, "the fill's time"),
    )


def plans(raw: wire.Strategy) -> list[PlanReport]:
    """What a resting strategy order protects: one report for its take profit, one for its stop."""
    prices = {
        Protection.TAKE_PROFIT: optional_price(raw.take_profit or "", "takeProfit"),
        Protection.STOP: optional_price(raw.stop_loss or "", "stopLoss"),
    }
    size = optional_price(raw.qty or "", "qty")
    legs = {kind: price for kind, price in prices.items() if price is not None}
    return [
        PlanReport(
            symbol=_symbol(raw.symbol),
            order_id=_id(raw.order_id),
            client_id=raw.client_oid or "",
            plan="tpsl",
            protects=kind,
            position=words.POSITION_SIDE.get(raw.pos_side or ""),
            trigger_price=price,
            size=size,
            whole=raw.tpsl_mode == "full" or size is None,
            shared=len(legs) > 1,
            created_ns=stamp_ns(raw.created_time, "createdTime"),
        )
        for kind, price in legs.items()
    ]


def position(raw: wire.Position) -> PositionReport | None:
    """A position, or None for a row of size zero."""
    size = unsigned(raw.total, "total")
    if size == 0:
        return None
    return PositionReport(
        symbol=_symbol(raw.symbol),
        side=words.word(words.POSITION_SIDE, raw.pos_side, "posSide"),
        size=size,
        available=unsigned(raw.available, "available"),
        average_price=positive(raw.avg_price, "avgPrice"),
        mark_price=optional_price(raw.mark_price or "", "markPrice"),
        margin=number(raw.position_balance, "positionBalance"),
        margin_mode=words.word(words.MARGIN_MODE, raw.margin_mode, "marginMode"),
        position_mode=words.word(words.POSITION_MODE, raw.hold_mode, "holdMode"),
        leverage=whole(raw.leverage, "leverage"),
        unrealized=number(raw.unrealised_pnl or "0", "unrealisedPnl"),
        realized=number(raw.cur_realised_pnl or "0", "curRealisedPnl"),
        liquidation_price=optional_price(raw.liquidation_price or "", "liquidationPrice"),
        take_profit_id="",
        stop_id="",
        created_ns=stamp_ns(raw.created_time, "createdTime"),
        updated_ns=stamp_ns(raw.updated_time, "updatedTime"),
    )


def ended_position(raw: wire.EndedPosition) -> EndedPosition:
    return EndedPosition(
        symbol=_symbol(raw.symbol),
        side=words.word(words.POSITION_SIDE, raw.pos_side, "posSide"),
        close_price=positive(raw.close_price_avg, "closePriceAvg"),
        net=number(raw.net_profit, "netProfit"),
        created_ns=stamp_ns(raw.created_time, "createdTime"),
        closed_ns=stamp_ns(raw.updated_time, "updatedTime"),
    )


def money(raw: wire.Assets) -> AccountReport:
    """Equity is that of all coins in USDT; ``available`` is the USDT that is free, none when it is not listed."""
    available = next((row.available for row in raw.assets or () if row.coin == MARGIN_COIN), "0")
    return AccountReport(
        coin=MARGIN_COIN,
        equity=number(raw.usdt_equity, "usdtEquity"),
        available=number(available, "available"),
        max_isolated=None,
        max_crossed=None,
        unrealized=number(raw.usdt_unrealised_pnl or "0", "usdtUnrealisedPnl"),
    )


def modes(raw: wire.Settings, symbol: str) -> dict[str, object]:
    """What the settings add to an :class:`AccountReport`; a symbol that nobody touched has no setting."""
    found: dict[str, object] = {
        "position_mode": words.word(words.POSITION_MODE, raw.hold_mode, "holdMode"),
    }
    mine = next(
        (row for row in raw.symbol_config_list or () if row.symbol == symbol and ours(row.category)), None
    )
    if mine is None:
        return found
    mode = words.word(words.MARGIN_MODE, mine.margin_mode, "marginMode")
    leverage = whole(str(mine.leverage), "leverage")
    if mode is MarginMode.CROSSED:
        return found | {"margin_mode": mode, "crossed_leverage": leverage}
    return found | {"margin_mode": mode, "long_leverage": leverage, "short_leverage": leverage}


def _symbol(text: str) -> str:
    if not text:
        raise ProtocolError("a row without a symbol")
    return text.upper()


def _id(text: str) -> str:
    if not text:
        raise ProtocolError("a row without an id")
    return text
