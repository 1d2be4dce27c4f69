"""How spot orders, fills, plans, coins, bills and transfers look over REST.

Statuses are spelt with two l here (``cancelled``); amounts of orders are padded to 16 decimals.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import State
from trader.paper.engine.money import text
from trader.paper.engine.spot_model import Bill, Origin, SpotFill, SpotOrder, SpotPlan, Transfer
from trader.paper.faces.bitget.shapes import cancel_reason, ms, price

Row = dict[str, object]

WALLETS = {"spot": "spot", "futures": "usdt_futures"}


def padded(value: Decimal) -> str:
    return format(value, ".16f")


def average(order: SpotOrder) -> str:
    """The price it got; "0" while it has none."""
    return padded(order.average) if order.filled else "0"


def status(order: SpotOrder) -> str:
    return "cancelled" if order.state is State.CANCELED else order.state.value


def size(order: SpotOrder) -> Decimal:
    """As it was ordered: quote currency for a market buy, else base coin."""
    return order.budget or order.size


def source(order: SpotOrder) -> str:
    if order.origin is Origin.PLAN:
        return f"plan_{order.type.value}"
    return "market" if order.type is OrderType.MARKET else "normal"


def placed(order: SpotOrder) -> dict[str, str]:
    return {"orderId": str(order.id), "clientOid": order.client_id}


def fee_detail(order: SpotOrder) -> str:
    """JSON inside a string; empty while no fee was paid. Numbers in it are numbers."""
    if not order.fee:
        return ""
    paid = text(order.fee)
    return (
        f'{{"newFees":{{"c":0,"d":0,"deduction":false,"r":{paid},"t":{paid},"totalDeductionFee":0}},'
        f'"{order.gets}":{{"deduction":false,"feeCoinCode":"{order.gets}",'
        f'"totalDeductionFee":0,"totalFee":{paid}}}}}'
    )


def _trigger(order: SpotOrder) -> Row:
    return {
        "tpslType": "tpsl" if order.trigger else "normal",
        "triggerPrice": text(order.trigger) if order.trigger else None,
    }


def order(order: SpotOrder) -> Row:
    """``orderInfo``; ``history-orders`` has the same keys."""
    return {
        "userId": str(order.account),
        "symbol": order.symbol,
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "price": padded(order.price) if order.price else "0",
        "size": padded(size(order)),
        "orderType": order.type.value,
        "side": order.side.value,
        "status": status(order),
        "priceAvg": average(order),
        "baseVolume": padded(order.filled),
        "quoteVolume": padded(order.value),
        "enterPointSource": order.point,
        "feeDetail": fee_detail(order),
        "orderSource": source(order),
        **_trigger(order),
        "quoteCoin": order.quote,
        "baseCoin": order.base,
        "cancelReason": cancel_reason(order),
        "cTime": ms(order.created_ns),
        "uTime": ms(order.updated_ns),
    }


def unfilled(order: SpotOrder) -> Row:
    """``unfilled-orders``: a limit order shows its price as ``priceAvg``, what it got as ``basePrice``."""
    return {
        "userId": str(order.account),
        "symbol": order.symbol,
        "orderId": str(order.id),
        "clientOid": order.client_id,
        "priceAvg": padded(order.price) if order.price else average(order),
        "size": padded(size(order)),
        "orderType": order.type.value,
        "side": order.side.value,
        "status": status(order),
        "basePrice": average(order),
        "baseVolume": padded(order.filled),
        "quoteVolume": padded(order.value),
        "enterPointSource": order.point,
        "orderSource": source(order),
        "cTime": ms(order.created_ns),
        "uTime": ms(order.updated_ns),
        **_trigger(order),
    }


def fill_row(fill: SpotFill) -> Row:
    return {
        "userId": str(fill.account),
        "symbol": fill.symbol,
        "orderId": str(fill.order_id),
        "tradeId": str(fill.id),
        "orderType": fill.type.value,
        "side": fill.side.value,
        "priceAvg": text(fill.price),
        "size": text(fill.size),
        "amount": text(fill.value),
        "feeDetail": {
            "deduction": "no",
            "feeCoin": fill.fee_coin,
            "totalDeductionFee": "",
            "totalFee": text(fill.fee),
        },
        "tradeScope": "taker" if fill.taker else "maker",
        "cTime": ms(fill.ns),
        "uTime": ms(fill.ns),
    }


def plan_row(plan: SpotPlan) -> Row:
    return {
        "orderId": str(plan.id),
        "clientOid": plan.client_id,
        "symbol": plan.symbol,
        "size": text(plan.size),
        "executePrice": price(plan.execute),
        "triggerPrice": text(plan.trigger),
        "status": plan.state.value,
        "orderType": "market" if plan.execute is None else "limit",
        "side": plan.side.value,
        "planType": plan.unit.value,
        "triggerType": "mark_price" if plan.by_mark else "fill_price",
        "enterPointSource": "API",
        "uTime": ms(plan.updated_ns),
        "cTime": ms(plan.created_ns),
    }


def asset_row(account: Account, coin: str) -> Row:
    holdings = account.spot
    return {
        "coin": coin,
        "available": text(holdings.available(coin)),
        "frozen": text(holdings.frozen(coin)),
        "locked": "0",
        "limitAvailable": "0",
        "uTime": ms(account.record.spot_ns.get(coin, account.record.created_ns)),
    }


def coins(account: Account) -> list[dict[str, str]]:
    """The control API's view of a spot wallet."""
    holdings = account.spot
    return [
        {
            "coin": coin,
            "total": text(total),
            "available": text(holdings.available(coin)),
            "frozen": text(holdings.frozen(coin)),
        }
        for coin, total in sorted(account.record.spot.items())
    ]


def bill_row(bill: Bill) -> Row:
    return {
        "cTime": ms(bill.ns),
        "coin": bill.coin,
        "groupType": bill.group,
        "businessType": bill.business,
        "size": text(bill.size),
        "balance": text(bill.balance),
        "fees": text(bill.fee),
        "billId": str(bill.id),
    }


def transfer_row(transfer: Transfer) -> Row:
    return {
        "coin": transfer.coin,
        "status": "Successful",
        "toType": WALLETS[transfer.target],
        "toSymbol": "",
        "fromType": WALLETS[transfer.source],
        "fromSymbol": "",
        "size": text(transfer.amount),
        "ts": ms(transfer.ns),
        "clientOid": transfer.client_id,
        "transferId": str(transfer.id),
    }
