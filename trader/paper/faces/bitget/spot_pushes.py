"""Private spot channels: what a stored batch looks like to each of the accounts it concerns."""

from __future__ import annotations

from collections.abc import Container

from shared.domain.order import OrderType
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine
from trader.paper.engine.money import text
from trader.paper.engine.spot_batch import SpotStep
from trader.paper.engine.spot_model import SpotFill, SpotOrder, SpotPlan
from trader.paper.faces.bitget import spot_shapes
from trader.paper.faces.bitget.shapes import COIN, ms, price

Row = dict[str, object]

#: Channels that exist for ``instType`` SPOT; what is not among them stays silent.
CHANNELS = ("orders", "fill", "account", "orders-algo")


def pushes(
    engine: Engine, account: Account, batches: list[Batch], wanted: Container[tuple[str, str]]
) -> list[tuple[str, list[Row]]]:
    """(channel, rows) in the order in which they go out: orders, fill, account, plans; what is ``wanted``."""
    number, parts = account.id, [batch.spot for batch in batches if batch.spot.accounts]
    out: list[tuple[str, list[Row]]] = []
    if not parts:
        return out
    if ("SPOT", "orders") in wanted:
        steps = [step for part in parts for step in part.steps if step.order.account == number]
        out += [("orders", [_order(engine, step)]) for step in steps]
    if ("SPOT", "fill") in wanted:
        fills = [_fill(fill) for part in parts for fill in part.fills if fill.account == number]
        if fills:
            out.append(("fill", fills))
    changed = dict.fromkeys(coin for part in parts for coin in part.coins.get(number, {}))
    if changed and ("SPOT", "account") in wanted:
        out.append(("account", [spot_shapes.asset_row(account, coin) for coin in changed]))
    if ("SPOT", "orders-algo") in wanted:
        plans = [_plan(plan) for part in parts for plan in part.plan_steps if plan.account == number]
        if plans:
            out.append(("orders-algo", plans))
    return out


def account_rows(account: Account, coin: str = "default") -> list[Row]:
    """What a subscription begins with: every coin that is held, or the one that was asked for."""
    held = {name for name, total in account.record.spot.items() if total} | {COIN}
    wanted = sorted(held) if coin == "default" else [coin.upper()]
    return [spot_shapes.asset_row(account, name) for name in wanted]


def _order(engine: Engine, step: SpotStep) -> Row:
    """``newSize`` is the order's size as it was ordered; ``size`` and ``notional`` are its worth in quote."""
    order, fill = step.order, step.fill
    worth = _worth(engine, order)
    row: Row = {
        "instId": order.symbol,
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "size": worth,
        "newSize": text(spot_shapes.size(order)),
        "notional": worth,
        "orderType": order.type.value,
        "force": order.force.value,
        "side": order.side.value,
        "accBaseVolume": text(order.filled),
        "priceAvg": text(order.average),
        "status": spot_shapes.status(order),
        "cTime": ms(order.created_ns),
        "uTime": ms(order.updated_ns),
        "feeDetail": [{"feeCoin": order.gets, "fee": text(order.fee)}] if order.fee else [],
        "enterPointSource": order.point,
    }
    if order.type is OrderType.LIMIT:
        row["price"] = text(order.price)
    if fill is not None:
        row |= {
            "fillPrice": text(fill.price),
            "tradeId": str(fill.id),
            "baseVolume": text(fill.size),
            "fillTime": ms(fill.ns),
            "fillFee": text(fill.fee),
            "fillFeeCoin": fill.fee_coin,
            "tradeScope": "T" if fill.taker else "M",
        }
    return row


def _worth(engine: Engine, order: SpotOrder) -> str:
    if order.budget:
        return text(order.budget)
    state = engine.core.hub.get("spot", order.symbol)
    at = order.price or order.average or (state.last if state is not None else order.trigger)
    return text(at * order.size)


def _fill(fill: SpotFill) -> Row:
    """The fee is positive here when it was paid, as on the venue's channel."""
    paid = {
        "feeCoin": fill.fee_coin,
        "deduction": "no",
        "totalDeductionFee": "0",
        "totalFee": text(-fill.fee),
    }
    return {
        "orderId": str(fill.order_id),
        "tradeId": str(fill.id),
        "symbol": fill.symbol,
        "orderType": fill.type.value,
        "side": fill.side.value,
        "priceAvg": text(fill.price),
        "size": text(fill.size),
        "amount": text(fill.value),
        "tradeScope": "taker" if fill.taker else "maker",
        "feeDetail": [paid],
        "cTime": ms(fill.ns),
        "uTime": ms(fill.ns),
    }


def _plan(plan: SpotPlan) -> Row:
    row = spot_shapes.plan_row(plan)
    done = plan.execute_order_id != 0
    kept = (
        "orderId", "clientOid", "triggerPrice", "triggerType", "planType", "size", "orderType", "side",
        "status", "cTime", "uTime",
    )  # fmt: skip
    return {
        "instId": plan.symbol,
        **{name: row[name] for name in kept},
        "price": text(plan.trigger),
        "actualSize": text(plan.size) if done else "0",
        "executePrice": price(plan.execute),
        "enterPointSource": "api",
    }
