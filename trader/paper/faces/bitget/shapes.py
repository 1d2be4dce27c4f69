"""How orders, fills and positions look over REST, and the words that the push channels share."""

from __future__ import annotations

from decimal import Decimal

from shared.clock import MILLISECOND
from shared.domain.order import OrderType, PositionSide
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.engine import Engine
from trader.paper.engine.maths import break_even, keep_margin_rate, maintenance
from trader.paper.engine.model import (
    Ended,
    Fill,
    MarginMode,
    Order,
    PlanKind,
    Position,
    PositionMode,
    Reference,
    Source,
)
from trader.paper.engine.money import ZERO, divided, text

COIN = "USDT"

_SOURCES = {
    Source.TAKE_PROFIT: "profit",
    Source.STOP_LOSS: "loss",
    Source.POSITION_TAKE_PROFIT: "pos_profit",
    Source.POSITION_STOP_LOSS: "pos_loss",
    Source.TRIGGER: "plan",
    Source.TRAILING_ENTRY: "tracking",
    Source.TRAILING_STOP: "move",
}
TRIGGERS = {Reference.LAST: "fill_price", Reference.MARK: "mark_price"}


def ms(ns: int) -> str:
    return str(ns // MILLISECOND)


def price(value: Decimal | None) -> str:
    """Empty when it is not set."""
    return text(value) if value else ""


def hedged(mode: PositionMode) -> bool:
    return mode is PositionMode.HEDGE


def side(order: Order | Fill) -> str:
    """The venue's word: in hedge mode it names the position (long is buy), not the trade."""
    if hedged(order.mode):
        return "buy" if order.position_side is PositionSide.LONG else "sell"
    return order.side.value


#: What the venue has no word of its own for.
_CANCEL_REASONS: dict[str, str] = {Ended.UNFILLED: Ended.CLIENT, Ended.NOT_MAKER: Ended.CLIENT}


def cancel_reason(order: Order) -> str:
    return str(_CANCEL_REASONS.get(order.cancel_reason, order.cancel_reason))


def trade_side(order: Order | Fill) -> str:
    """open/close in hedge mode, buy_single/sell_single in one-way mode, burst_* and reduce_* for liquidations."""
    if order.source is Source.LIQUIDATION:
        return _forced("burst", order)
    if order.source is Source.REDUCTION:
        return _forced("reduce", order)
    if hedged(order.mode):
        return "close" if order.closing else "open"
    return f"{order.side.value}_single"


def _forced(how: str, order: Order | Fill) -> str:
    if hedged(order.mode):
        return f"{how}_close_{order.position_side.value}"
    return f"{how}_{order.side.value}_single"


def position_side(order: Order) -> str:
    return order.position_side.value if hedged(order.mode) else "net"


def order_source(order: Order) -> str:
    if order.source in (Source.LIQUIDATION, Source.REDUCTION):
        return "liquidation"
    form = order.type.value
    if order.source is Source.REVERSAL:
        return "reverse"
    if order.source is Source.MODIFIED:
        return "modify_order_limit"
    if order.source in _SOURCES:
        return f"{_SOURCES[order.source]}_{form}"
    return "market" if order.type is OrderType.MARKET else "normal"


def placed(order: Order) -> dict[str, str]:
    return {"orderId": str(order.id), "clientOid": order.client_id}


def order_row(order: Order, state_name: str) -> dict[str, object]:
    """An order; ``state_name`` is "state" in detail and "status" in lists."""
    preset = order.preset
    return {
        "symbol": order.symbol,
        "size": text(order.size),
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "baseVolume": text(order.filled),
        "fee": text(order.fee),
        "price": price(order.price),
        "priceAvg": price(order.average),
        state_name: order.state.value,
        "side": side(order),
        "force": order.force.value,
        "totalProfits": text(order.profit),
        "posSide": position_side(order),
        "marginCoin": COIN,
        "presetStopSurplusPrice": price(preset.take_profit),
        "presetStopSurplusType": TRIGGERS[preset.take_profit_reference] if preset.take_profit else "",
        "presetStopSurplusExecutePrice": price(preset.take_profit_execute),
        "presetStopLossPrice": price(preset.stop_loss),
        "presetStopLossType": TRIGGERS[preset.stop_loss_reference] if preset.stop_loss else "",
        "presetStopLossExecutePrice": price(preset.stop_loss_execute),
        "quoteVolume": text(order.value),
        "orderType": order.type.value,
        "leverage": str(order.leverage),
        "marginMode": order.margin_mode.value,
        "reduceOnly": "YES" if order.reduce_only else "NO",
        "enterPointSource": order.point,
        "tradeSide": trade_side(order),
        "newTradeSide": None,
        "posMode": order.mode.value,
        "orderSource": order_source(order),
        "cancelReason": cancel_reason(order),
        "cTime": ms(order.created_ns),
        "uTime": ms(order.updated_ns),
    }


def fee_detail(fee: Decimal) -> list[dict[str, str]]:
    return [{"deduction": "no", "feeCoin": COIN, "totalDeductionFee": "0", "totalFee": text(fee)}]


def fill_row(fill: Fill) -> dict[str, object]:
    return {
        "tradeId": str(fill.id),
        "symbol": fill.symbol,
        "orderId": str(fill.order_id),
        "price": text(fill.price),
        "baseVolume": text(fill.size),
        "feeDetail": fee_detail(fill.fee),
        "side": side(fill),
        "quoteVolume": text(fill.value),
        "profit": text(fill.profit),
        "enterPointSource": fill.point,
        "tradeSide": trade_side(fill),
        "posMode": fill.mode.value,
        "tradeScope": "taker" if fill.taker else "maker",
        "cTime": ms(fill.ns),
    }


def position_row(engine: Engine, account: Account, position: Position, funds: Funds) -> dict[str, object]:
    spec, mark = engine.core.spec(position.symbol), engine.core.mark(position)
    profit = engine.guard(account, position, PlanKind.POS_PROFIT)
    loss = engine.guard(account, position, PlanKind.POS_LOSS)
    return {
        "marginCoin": COIN,
        "symbol": position.symbol,
        "holdSide": position.side.value,
        "openDelegateSize": text(opening_size(account, position)),
        "marginSize": text(position.initial_margin()),
        "available": text(max(ZERO, position.size - position.frozen)),
        "locked": text(min(position.size, position.frozen)),
        "total": text(position.size),
        "leverage": str(position.leverage),
        "achievedProfits": text(position.profit),
        "openPriceAvg": text(position.entry),
        "marginMode": position.margin_mode.value,
        "posMode": position.mode.value,
        "unrealizedPL": text(position.unrealised(mark)),
        "liquidationPrice": text(engine.liquidation_price(account, position, funds)),
        "keepMarginRate": text(keep_margin_rate(spec, position.open_value)),
        "markPrice": text(mark),
        "marginRatio": text(margin_ratio(engine, account, position, funds)),
        "breakEvenPrice": text(break_even(spec, position)),
        "totalFee": price(position.funding),
        "deductedFee": text(-position.open_fee - position.close_fee),
        "cashDividend": "0",
        "grant": "",
        "assetMode": "single",
        "autoMargin": "on" if position.auto_margin else "off",
        "takeProfit": text(profit.trigger) if profit else "",
        "stopLoss": text(loss.trigger) if loss else "",
        "takeProfitId": str(profit.id) if profit else "",
        "stopLossId": str(loss.id) if loss else "",
        "cTime": ms(position.created_ns),
        "uTime": ms(position.updated_ns),
    }


def opening_size(account: Account, position: Position) -> Decimal:
    """What resting orders would add to the position."""
    adds = (
        order.remaining
        for order in account.pending(position.symbol)
        if not order.closing and order.position_side is position.side
    )
    return sum(adds, ZERO)


def margin_ratio(engine: Engine, account: Account, position: Position, funds: Funds) -> Decimal:
    """Isolated M q (r + f) / (margin + uPL), crossed the sum over the account / its equity."""
    mark = engine.core.mark(position)
    if position.margin_mode is MarginMode.ISOLATED:
        backing = position.margin + position.unrealised(mark)
        needed = maintenance(engine.core.spec(position.symbol), position, mark)
    else:
        backing, needed = engine.crossed_margins(account, funds)
    return divided(needed, backing) if backing > 0 else Decimal(1)


def history_row(position: Position) -> dict[str, object]:
    """A closed position; times in lower case, as the venue spells them there."""
    net = position.profit + position.funding + position.open_fee + position.close_fee
    return {
        "positionId": str(position.id),
        "symbol": position.symbol,
        "marginCoin": COIN,
        "holdSide": position.side.value,
        "posMode": position.mode.value,
        "openAvgPrice": text(divided(position.opened_value, position.opened_size)),
        "closeAvgPrice": text(divided(position.closed_value, position.closed_size)),
        "marginMode": position.margin_mode.value,
        "openTotalPos": text(position.opened_size),
        "closeTotalPos": text(position.closed_size),
        "pnl": text(position.profit),
        "netProfit": text(net),
        "totalFunding": text(position.funding),
        "openFee": text(position.open_fee),
        "closeFee": text(position.close_fee),
        "cashDividend": "0",
        "ctime": ms(position.created_ns),
        "utime": ms(position.updated_ns),
    }
