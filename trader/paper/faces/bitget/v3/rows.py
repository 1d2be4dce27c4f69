"""How orders, fills and positions of unified accounts look, and the words that the push topics share.

``side`` is the true trade side in both holding modes. Fees that were paid are positive here, those of a
position's whole life negative.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType
from trader.paper.contract import FUTURES
from trader.paper.engine import legs
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.engine import Engine
from trader.paper.engine.legs import Leg
from trader.paper.engine.maths import break_even, keep_margin_rate
from trader.paper.engine.model import (
    Ended,
    Fill,
    Force,
    Order,
    Position,
    PositionMode,
    Preset,
    Reference,
    Source,
    State,
)
from trader.paper.engine.money import ZERO, divided, text
from trader.paper.engine.spot_model import Origin, SpotFill, SpotOrder
from trader.paper.faces.bitget.shapes import COIN, ms, price
from trader.paper.faces.bitget.v3.calls import CATEGORIES, Category, Row

TRIGGERS = {Reference.LAST: "market", Reference.MARK: "mark"}

_SOURCES = {
    Source.TAKE_PROFIT: "stop_profit",
    Source.STOP_LOSS: "stop_loss",
    Source.POSITION_TAKE_PROFIT: "position_stop_profit",
    Source.POSITION_STOP_LOSS: "position_stop_loss",
    Source.TRIGGER: "plan",
    Source.TRAILING_ENTRY: "tracking_plan",
    Source.TRAILING_STOP: "move_stop",
}
_WORDS = {
    Source.LIQUIDATION: "liquidation",
    Source.REDUCTION: "liquidation",
    Source.REVERSAL: "back_contract",
    Source.MODIFIED: "modify_limit_order",
}
_ORIGINS = {Origin.PLAN: "plan", Origin.TRIGGER: "strategy_tpsl"}
_EXECUTIONS = {Source.LIQUIDATION: "liquidation", Source.REDUCTION: "reduce"}
#: What was not cancelled by its client, in the venue's words.
_REASONS = {
    Ended.NOT_MAKER: "post_only_fill_cancel",
    Ended.AMENDED: "modify_limit_order",
    Ended.SELF_TRADE: "stp_cancel",
    Ended.MARGIN: "delegated_risk_order_cancel",
    Ended.LIQUIDATION: "burst_cancel",
}
_UNFILLED = {Force.IOC: "ioc_not_full_cancel", Force.FOK: "fok_not_full_cancel"}


def placed(order: Order) -> Row:
    return {"orderId": str(order.id), "clientOid": order.client_id}


def status(order: Order) -> str:
    return "cancelled" if order.state is State.CANCELED else order.state.value


def delegate_type(order: Order) -> str:
    form = order.type.value
    plain = "market" if order.type is OrderType.MARKET else "normal"
    if isinstance(order, SpotOrder):
        return f"{_ORIGINS[order.origin]}_{form}" if order.origin in _ORIGINS else plain
    if order.source in _SOURCES:
        return f"{_SOURCES[order.source]}_{form}"
    return _WORDS.get(order.source, plain)


def cancel_reason(order: Order) -> str:
    """Empty while it lives and when it is full."""
    if not order.cancel_reason:
        return ""
    if order.cancel_reason == Ended.UNFILLED:
        return _UNFILLED.get(order.force, "normal_cancel")
    return _REASONS.get(Ended(order.cancel_reason), "normal_cancel")


def trade_side(order: Order | Fill) -> str:
    """open, close; burst_* and reduce_* for liquidations."""
    if isinstance(order, SpotOrder):
        return "open"
    how = {Source.LIQUIDATION: "burst", Source.REDUCTION: "reduce"}.get(order.source)
    if how is None:
        return "close" if order.closing else "open"
    if order.mode is PositionMode.HEDGE:
        return f"{how}_close_{order.position_side.value}"
    return f"{how}_{order.side.value}_single"


def position_side(order: Order) -> str:
    """The position that it opens or closes, in one-way mode too; a pair has none."""
    return "" if isinstance(order, SpotOrder) else order.position_side.value


def fee_detail(coin: str, fee: Decimal) -> list[dict[str, str]]:
    """``fee`` is the engine's: negative = paid."""
    return [{"feeCoin": coin, "fee": text(-fee)}]


def _fees(order: Order) -> list[dict[str, str]]:
    if not order.filled:
        return [{"feeCoin": "", "fee": ""}]
    return fee_detail(order.gets if isinstance(order, SpotOrder) else COIN, order.fee)


def _leg(name: str, word: str, leg: Leg) -> Row:
    """``name`` is tp or sl; all empty when there is none."""
    there = leg.trigger is not None
    form = "market" if leg.execute is None else "limit"
    return {
        word: price(leg.trigger),
        f"{name}TriggerBy": TRIGGERS[leg.reference] if there else "",
        f"{name}OrderType": form if there else "",
        f"{name}LimitPrice": price(leg.execute),
    }


def legs_of(preset: Preset) -> Row:
    """A take profit and a stop loss as both kinds of orders show them."""
    return _leg("tp", "takeProfit", legs.take_profit(preset)) | _leg("sl", "stopLoss", legs.stop_loss(preset))


def _order(order: Order) -> Row:
    spot = isinstance(order, SpotOrder)
    budget = order.budget if isinstance(order, SpotOrder) else ZERO
    return {
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "category": CATEGORIES[order.market].value,
        "symbol": order.symbol,
        "orderType": order.type.value,
        "side": order.side.value,
        "price": text(order.price),
        "qty": "0" if budget else text(order.size),
        "amount": text(budget),
        "cumExecQty": text(order.filled),
        "cumExecValue": text(order.value),
        "avgPrice": text(order.average),
        "timeInForce": order.force.value,
        "orderStatus": status(order),
        "posSide": position_side(order),
        "holdMode": "" if spot else order.mode.value,
        "reduceOnly": "YES" if order.reduce_only else "NO",
        "marginMode": order.margin_mode.value,
        "stpMode": order.self_trade.value,
        **legs_of(order.preset),
        "feeDetail": _fees(order),
        "createdTime": ms(order.created_ns),
        "updatedTime": ms(order.updated_ns),
    }


def _ended(order: Order) -> Row:
    spot = isinstance(order, SpotOrder)
    return {
        "cancelReason": cancel_reason(order),
        "execType": "normal" if spot else _EXECUTIONS.get(order.source, "normal"),
    }


def order_info(order: Order) -> Row:
    return _order(order) | _ended(order) | {"tradeSide": trade_side(order)}


def unfilled(order: Order) -> Row:
    return _order(order) | {"delegateType": delegate_type(order)}


def history(order: Order) -> Row:
    return unfilled(order) | _ended(order)


def fill(fill: Fill | SpotFill) -> Row:
    spot = isinstance(fill, SpotFill)
    return {
        "execId": str(fill.id),
        "execLinkId": str(fill.id),
        "orderId": str(fill.order_id),
        "clientOid": fill.client_id,
        "category": (Category.SPOT if spot else Category.FUTURES).value,
        "symbol": fill.symbol,
        "orderType": fill.type.value,
        "side": fill.side.value,
        "execPrice": text(fill.price),
        "execQty": text(fill.size),
        "execValue": text(fill.value),
        "tradeScope": "taker" if fill.taker else "maker",
        "tradeSide": "open" if isinstance(fill, SpotFill) else trade_side(fill),
        "feeDetail": fee_detail(fill.fee_coin if isinstance(fill, SpotFill) else COIN, fill.fee),
        "createdTime": ms(fill.ns),
        "updatedTime": ms(fill.ns),
        "execPnl": "0" if isinstance(fill, SpotFill) else text(fill.profit),
        "isRPI": "no",
    }


# positions


def position(engine: Engine, account: Account, position: Position, funds: Funds) -> Row:
    spec, mark = engine.core.spec(position.symbol), engine.core.mark(position)
    margin, gain = position.initial_margin(), position.unrealised(mark)
    return {
        "category": CATEGORIES[FUTURES].value,
        "symbol": position.symbol,
        "marginCoin": COIN,
        "holdMode": position.mode.value,
        "posSide": position.side.value,
        "marginMode": position.margin_mode.value,
        "positionBalance": text(margin),
        "available": text(max(ZERO, position.size - position.frozen)),
        "frozen": text(min(position.size, position.frozen)),
        "total": text(position.size),
        "leverage": str(position.leverage),
        "curRealisedPnl": text(position.profit),
        "avgPrice": text(position.entry),
        "positionStatus": "normal",
        "unrealisedPnl": text(gain),
        "liquidationPrice": text(engine.liquidation_price(account, position, funds)),
        "mmr": text(keep_margin_rate(spec, position.open_value)),
        "profitRate": text(divided(gain, margin)) if margin > 0 else "0",
        "markPrice": text(mark),
        "breakEvenPrice": text(break_even(spec, position)),
        "totalFunding": text(position.funding),
        "openFeeTotal": text(position.open_fee),
        "closeFeeTotal": text(position.close_fee),
        "createdTime": ms(position.created_ns),
        "updatedTime": ms(position.updated_ns),
    }


def closed(position: Position) -> Row:
    net = position.profit + position.funding + position.open_fee + position.close_fee
    return {
        "positionId": str(position.id),
        "category": CATEGORIES[FUTURES].value,
        "symbol": position.symbol,
        "marginCoin": COIN,
        "holdMode": position.mode.value,
        "posSide": position.side.value,
        "marginMode": position.margin_mode.value,
        "openPriceAvg": text(divided(position.opened_value, position.opened_size)),
        "closePriceAvg": text(divided(position.closed_value, position.closed_size)),
        "openTotalPos": text(position.opened_size),
        "closeTotalPos": text(position.closed_size),
        "cumRealisedPnl": text(position.profit),
        "netProfit": text(net),
        "totalFunding": text(position.funding),
        "openFeeTotal": text(position.open_fee),
        "closeFeeTotal": text(position.close_fee),
        "createdTime": ms(position.created_ns),
        "updatedTime": ms(position.updated_ns),
    }
