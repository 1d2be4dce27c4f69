"""How plans look over REST and in the ``orders-algo`` channel.

The two families differ: protection leaves what it does not have ``null``, a conditional order leaves it
empty and shows the protection that its order will set.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, PositionSide
from trader.paper.engine import legs
from trader.paper.engine.conditional import trade_side
from trader.paper.engine.legs import Leg
from trader.paper.engine.model import Order, Plan, PlanKind, PositionMode
from trader.paper.engine.money import text
from trader.paper.engine.plans import market_or_limit
from trader.paper.faces.bitget.shapes import COIN, TRIGGERS, ms, price

Row = dict[str, object]

_PUSHED_KINDS = {
    PlanKind.NORMAL: "pl",
    PlanKind.TRACK: "track",
    PlanKind.MOVING: "mtpsl",
    PlanKind.POS_PROFIT: "ptp",
    PlanKind.POS_LOSS: "psl",
    PlanKind.PROFIT: "tp",
    PlanKind.LOSS: "sl",
}


def _hedged(plan: Plan) -> bool:
    return plan.mode is PositionMode.HEDGE


def _side(plan: Plan) -> str:
    """In hedge mode it names the position (long is buy), not the trade."""
    if _hedged(plan):
        return "buy" if plan.side is PositionSide.LONG else "sell"
    return trade_side(plan).value


def _trade_side(plan: Plan) -> str:
    if not _hedged(plan):
        return f"{trade_side(plan).value}_single"
    return "close" if plan.kind.protects or plan.hedge_close else "open"


def _source(plan: Plan) -> str:
    """What the plan is, in the words of an order: what it becomes has the words of a triggered one."""
    form = market_or_limit(plan.execute)
    if not plan.kind.protects:
        return "market" if form is OrderType.MARKET else "normal"
    if plan.kind is PlanKind.MOVING:
        return f"move_{form.value}"
    return f"{plan.kind.value.removesuffix('_plan')}_{form.value}"


def _common(plan: Plan) -> Row:
    return {
        "planType": plan.kind.value,
        "symbol": plan.symbol,
        "size": text(plan.size),
        "orderId": str(plan.id),
        "clientOid": plan.client_id,
        "price": price(plan.execute),
        "executePrice": price(plan.execute),
        "callbackRatio": price(plan.ratio),
        "triggerPrice": text(plan.trigger),
        "triggerType": TRIGGERS[plan.reference],
        "planStatus": plan.state.value,
        "side": _side(plan),
        "posSide": plan.side.value if _hedged(plan) else "net",
        "marginCoin": COIN,
        "marginMode": plan.margin_mode.value,
        "enterPointSource": "API",
        "tradeSide": _trade_side(plan),
        "posMode": plan.mode.value,
        "orderType": order_type(plan),
        "cTime": ms(plan.created_ns),
        "uTime": ms(plan.updated_ns),
    }


def _guarding(plan: Plan) -> Row:
    """Protection shows itself as its own leg; the other one is null."""
    row: Row = {}
    for name, mine in (
        ("stopSurplus", plan.kind.takes_profit),
        ("stopLoss", not plan.kind.takes_profit and not plan.kind.trails),
    ):
        row[f"{name}TriggerPrice"] = text(plan.trigger) if mine else None
        row[f"{name}ExecutePrice"] = (price(plan.execute) or None) if mine else None
        row[f"{name}TriggerType"] = TRIGGERS[plan.reference] if mine else None
    return row


def _leg(name: str, leg: Leg) -> Row:
    return {
        f"preset{name[0].upper()}{name[1:]}Price": price(leg.execute),
        f"{name}TriggerPrice": price(leg.trigger),
        f"{name}ExecutePrice": price(leg.execute),
        f"{name}TriggerType": TRIGGERS[leg.reference] if leg.trigger is not None else "",
    }


def _carried(plan: Plan) -> Row:
    """What the order of a conditional plan will set; of a trailing entry percentages."""
    profit, loss = legs.take_profit(plan.preset), legs.stop_loss(plan.preset)
    return _leg("stopSurplus", profit) | _leg("stopLoss", loss)


def pending_row(plan: Plan) -> Row:
    legs_of = _guarding if plan.kind.protects else _carried
    return _common(plan) | legs_of(plan) | {"orderSource": _source(plan)}


def history_row(plan: Plan, order: Order | None) -> Row:
    """``order`` is what it became."""
    legs_of = _guarding if plan.kind.protects else _carried
    return (
        _common(plan)
        | legs_of(plan)
        | {
            "executeOrderId": str(plan.execute_order_id) if plan.execute_order_id else "",
            "priceAvg": price(order.average) if order is not None else "",
            "baseVolume": text(order.filled) if order is not None else "",
        }
    )


def pushed(plan: Plan) -> Row:
    """``actualSize`` is the size of the order that it became."""
    if plan.kind.protects:
        mine = Leg(trigger=plan.trigger, execute=plan.execute, reference=plan.reference)
        profit = mine if plan.kind.takes_profit else Leg()
        loss = Leg() if plan.kind.takes_profit or plan.kind.trails else mine
    else:
        profit, loss = legs.take_profit(plan.preset), legs.stop_loss(plan.preset)
    return {
        "instId": plan.symbol,
        "orderId": str(plan.id),
        "clientOid": plan.client_id,
        "triggerPrice": text(plan.trigger),
        "triggerType": TRIGGERS[plan.reference],
        "triggerTime": ms(plan.updated_ns) if plan.execute_order_id else "",
        "planType": _PUSHED_KINDS[plan.kind],
        "price": price(plan.execute),
        "executePrice": price(plan.execute),
        "size": text(plan.size),
        "actualSize": text(plan.executed_size),
        "orderType": order_type(plan),
        "side": _side(plan),
        "tradeSide": _trade_side(plan),
        "posSide": plan.side.value if _hedged(plan) else "net",
        "marginCoin": COIN,
        "status": plan.state.value,
        "posMode": plan.mode.value,
        "enterPointSource": "api",
        **_pushed_leg("stopSurplus", profit),
        **_pushed_leg("stopLoss", loss),
        "stpMode": plan.self_trade.value,
        "cTime": ms(plan.created_ns),
        "uTime": ms(plan.updated_ns),
    }


def _pushed_leg(name: str, leg: Leg) -> Row:
    return {
        f"{name}Price": price(leg.execute),
        f"{name}TriggerPrice": price(leg.trigger),
        f"{name}TriggerType": TRIGGERS[leg.reference] if leg.trigger is not None else "",
    }


def order_type(plan: Plan) -> str:
    return market_or_limit(plan.execute).value


def sub_order_price(order: Order) -> Decimal:
    """A market order has no price of its own: what it got."""
    return order.price or order.average
