"""Private channels: what a stored batch looks like to each of the accounts it concerns.

Pushes go out in the order orders, fill, positions, account, then the algo orders and the positions
that were closed. The rows differ from REST: true trade side in ``fill``, numbers for ``leverage``.
"""

from __future__ import annotations

from collections.abc import Container
from decimal import Decimal

from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch, OrderStep
from trader.paper.engine.engine import Engine
from trader.paper.engine.maths import break_even, keep_margin_rate
from trader.paper.engine.model import Fill, MarginMode, Order, Position
from trader.paper.engine.money import ZERO, divided, text
from trader.paper.faces.bitget import planrows, shapes
from trader.paper.faces.bitget.shapes import COIN, ms, price

Row = dict[str, object]

MARKET = "USDT-FUTURES"

#: ``adl-noti`` is acknowledged and stays silent: nothing is auto-deleveraged here.
CHANNELS = (
    "orders",
    "fill",
    "positions",
    "account",
    "orders-algo",
    "positions-history",
    "equity",
    "adl-noti",
)


def pushes(
    engine: Engine, account: Account, batches: list[Batch], wanted: Container[tuple[str, str]]
) -> list[tuple[str, list[Row]]]:
    """(channel, rows) in the order in which they go out, of the channels that somebody ``wanted``.

    Rows carry ``instId`` for per-symbol filters. Pictures of everything come once, as it is now.
    """
    number = account.id
    out: list[tuple[str, list[Row]]] = []
    if (MARKET, "orders") in wanted:
        out += [
            ("orders", [_order(engine, step)])
            for batch in batches
            for step in batch.steps
            if step.order.account == number
        ]
    if (MARKET, "fill") in wanted:
        fills = [_fill(fill) for batch in batches for fill in batch.fills if fill.account == number]
        if fills:
            out.append(("fill", fills))
    if (MARKET, "positions") in wanted and any(
        key[0] == number for batch in batches for key in batch.positions
    ):
        out.append(("positions", position_rows(engine, account)))
    if any(number in batch.accounts for batch in batches):
        if (MARKET, "account") in wanted:
            out.append(("account", account_rows(engine, account)))
        if (MARKET, "equity") in wanted:
            out.append(("equity", equity_rows(engine, account)))
    if (MARKET, "orders-algo") in wanted:
        plans = [planrows.pushed(p) for batch in batches for p in batch.plan_steps if p.account == number]
        if plans:
            out.append(("orders-algo", plans))
    if (MARKET, "positions-history") in wanted:
        closed = [_closed(p) for batch in batches for p in batch.closed if p.account == number]
        if closed:
            out.append(("positions-history", closed))
    return out


def account_rows(engine: Engine, account: Account) -> list[Row]:
    funds = engine.funds(account)
    free = text(max(ZERO, funds.free))
    equity, needed = engine.crossed_margins(account, funds)
    return [
        {
            "marginCoin": COIN,
            "frozen": text(funds.locked),
            "available": text(funds.available),
            "maxOpenPosAvailable": free,
            "maxTransferOut": free,
            "equity": text(funds.equity),
            "usdtEquity": text(funds.equity),
            "crossedRiskRate": text(divided(needed, equity)) if needed and equity > 0 else "0",
            "unrealizedPL": text(funds.isolated_unrealised + funds.crossed_unrealised),
            "unionTotalMargin": "0",
            "unionAvailable": "0",
            "unionMm": "0",
            "assetsMode": "single",
        }
    ]


def equity_rows(engine: Engine, account: Account) -> list[Row]:
    funds = engine.funds(account)
    return [
        {
            "usdtEquity": text(funds.equity),
            "btcEquity": "0",
            "unrealizedPL": text(funds.isolated_unrealised + funds.crossed_unrealised),
            "unionTotalMargin": "0",
            "unionAvailable": "0",
            "unionMm": "0",
        }
    ]


def position_rows(engine: Engine, account: Account) -> list[Row]:
    """Every position that is held; a closed one is simply not there."""
    funds = engine.funds(account)
    rows: list[Row] = []
    for position in account.positions.values():
        spec, mark = engine.core.spec(position.symbol), engine.core.mark(position)
        margin, unrealised = position.initial_margin(), position.unrealised(mark)
        isolated = position.margin_mode is MarginMode.ISOLATED
        ratio = text(shapes.margin_ratio(engine, account, position, funds))
        rows.append(
            {
                "posId": str(position.id),
                "instId": position.symbol,
                "marginCoin": COIN,
                "marginSize": text(margin),
                "marginMode": position.margin_mode,
                "holdSide": position.side,
                "posMode": position.mode,
                "total": text(position.size),
                "available": text(max(ZERO, position.size - position.frozen)),
                "frozen": text(min(position.size, position.frozen)),
                "openPriceAvg": text(position.entry),
                "leverage": position.leverage,
                "achievedProfits": text(position.profit),
                "unrealizedPL": text(unrealised),
                "unrealizedPLR": text(divided(unrealised, margin)) if margin else "0",
                "liquidationPrice": text(engine.liquidation_price(account, position, funds)),
                "keepMarginRate": text(keep_margin_rate(spec, position.open_value)),
                "isolatedMarginRate": ratio if isolated else "0",
                "marginRate": ratio,
                "breakEvenPrice": text(break_even(spec, position)),
                "totalFee": text(position.funding),
                "deductedFee": text(-position.open_fee - position.close_fee),
                "markPrice": text(mark),
                "cashDividend": "0",
                "assetMode": "single",
                "autoMargin": "on" if position.auto_margin else "off",
                "cTime": ms(position.created_ns),
                "uTime": ms(position.updated_ns),
            }
        )
    return rows


def _order(engine: Engine, step: OrderStep) -> Row:
    order, fill, preset = step.order, step.fill, step.order.preset
    row: Row = {
        "instId": order.symbol,
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "price": text(order.price),
        "size": text(order.size),
        "posMode": order.mode,
        "enterPointSource": order.point,
        "tradeSide": shapes.trade_side(order),
        "notionalUsd": text(_notional(engine, order)),
        "orderType": order.type,
        "force": order.force,
        "side": shapes.side(order),
        "posSide": shapes.position_side(order),
        "marginMode": order.margin_mode,
        "marginCoin": COIN,
        "accBaseVolume": text(order.filled),
        "priceAvg": price(order.average) or "0",
        "status": order.state,
        "leverage": str(order.leverage),
        "feeDetail": [{"feeCoin": COIN, "fee": text(order.fee)}],
        "pnl": text(fill.profit if fill else ZERO),
        "totalProfits": text(order.profit),
        "reduceOnly": "yes" if order.reduce_only else "no",
        "stpMode": order.self_trade,
        "presetStopSurplusPrice": price(preset.take_profit),
        "presetStopSurplusType": shapes.TRIGGERS[preset.take_profit_reference] if preset.take_profit else "",
        "presetStopSurplusExecutePrice": price(preset.take_profit_execute),
        "presetStopLossPrice": price(preset.stop_loss),
        "presetStopLossType": shapes.TRIGGERS[preset.stop_loss_reference] if preset.stop_loss else "",
        "presetStopLossExecutePrice": price(preset.stop_loss_execute),
        "cTime": ms(order.created_ns),
        "uTime": ms(order.updated_ns),
    }
    if order.cancel_reason:
        row["cancelReason"] = shapes.cancel_reason(order)
    if fill is not None:
        row |= {
            "fillPrice": text(fill.price),
            "tradeId": str(fill.id),
            "baseVolume": text(fill.size),
            "fillTime": ms(fill.ns),
            "fillFee": text(fill.fee),
            "fillFeeCoin": COIN,
            "tradeScope": "T" if fill.taker else "M",
            "fillNotionalUsd": text(fill.value),
        }
    return row


def _notional(engine: Engine, order: Order) -> Decimal:
    """The order's size at its price; a market order's at what it got, or at the last price."""
    at = order.price or order.average or engine.core.state(order.symbol).last
    return at * order.size


def _fill(fill: Fill) -> Row:
    return {
        "orderId": str(fill.order_id),
        "clientOid": fill.client_id,
        "tradeId": str(fill.id),
        "symbol": fill.symbol,
        "side": fill.side,
        "orderType": fill.type,
        "posMode": fill.mode,
        "price": text(fill.price),
        "baseVolume": text(fill.size),
        "quoteVolume": text(fill.value),
        "profit": text(fill.profit),
        "tradeSide": shapes.trade_side(fill),
        "tradeScope": "taker" if fill.taker else "maker",
        "feeDetail": shapes.fee_detail(fill.fee),
        "cTime": ms(fill.ns),
        "uTime": ms(fill.ns),
    }


def _closed(position: Position) -> Row:
    return {
        "posId": str(position.id),
        "instId": position.symbol,
        "marginCoin": COIN,
        "marginMode": "fixed" if position.margin_mode is MarginMode.ISOLATED else "crossed",
        "holdSide": position.side,
        "posMode": position.mode,
        "openPriceAvg": text(divided(position.opened_value, position.opened_size)),
        "closePriceAvg": text(divided(position.closed_value, position.closed_size)),
        "openSize": text(position.opened_size),
        "closeSize": text(position.closed_size),
        "achievedProfits": text(position.profit),
        "settleFee": text(position.funding),
        "openFee": text(position.open_fee),
        "closeFee": text(position.close_fee),
        "cTime": ms(position.created_ns),
        "uTime": ms(position.updated_ns),
    }
