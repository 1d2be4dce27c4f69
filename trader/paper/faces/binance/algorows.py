"""Algo orders as the answers show them, and their words. The calls differ in a few fields."""

from __future__ import annotations

from trader.paper import shortids
from trader.paper.contract import ContractSpec
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import Plan, PlanKind, PlanState, PriceMatch, Reference
from trader.paper.engine.money import ZERO, text
from trader.paper.faces.binance import numbers, orderwords
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.words import TypeWord

ALGO_TYPE = "CONDITIONAL"
#: What a stop or take profit is called at market and with a limit price.
_TYPES = {
    PlanKind.ALGO_STOP: (TypeWord.STOP_MARKET, TypeWord.STOP),
    PlanKind.ALGO_PROFIT: (TypeWord.TAKE_PROFIT_MARKET, TypeWord.TAKE_PROFIT),
    PlanKind.ALGO_TRAIL: (TypeWord.TRAILING_STOP_MARKET, TypeWord.TRAILING_STOP_MARKET),
}
_STATES = {
    PlanState.LIVE: "NEW",
    PlanState.CANCELLED: "CANCELED",
    PlanState.TRIGGERING: "TRIGGERING",
    PlanState.TRIGGERED: "TRIGGERED",
    PlanState.FINISHED: "FINISHED",
    PlanState.FAILED: "REJECTED",
    PlanState.EXPIRED: "EXPIRED",
}
REFERENCES = {"CONTRACT_PRICE": Reference.LAST, "MARK_PRICE": Reference.MARK}
_REFERENCE_WORDS = {reference: word for word, reference in REFERENCES.items()}


def limit(plan: Plan) -> bool:
    """Whether its order has a price."""
    return plan.execute is not None or plan.match is not PriceMatch.NONE


def order_type(plan: Plan) -> str:
    return _TYPES[plan.kind][limit(plan)].value


def status(plan: Plan) -> str:
    return _STATES[plan.state]


def working_type(plan: Plan) -> str:
    return _REFERENCE_WORDS[plan.reference]


def time_in_force(plan: Plan) -> str:
    return "GTD" if plan.expires_ns else orderwords.FORCES[plan.force]


def reduces(plan: Plan) -> bool:
    """As the venue shows it: what closes all of a position, or closes in hedge mode, is reduce-only."""
    return plan.reduce_only or plan.closes_all or bool(plan.hedge_close)


def outcome(spec: ContractSpec, account: Account, plan: Plan) -> dict[str, str]:
    """What the order of a plan has traded, and how: id, average price, quantity, type; all empty without one."""
    made = account.orders.get(plan.execute_order_id)
    price, size = (made.average, made.filled) if made else (plan.executed_price, plan.executed_size)
    kind = "LIMIT" if limit(plan) else "MARKET"
    return {
        "actualOrderId": str(shortids.shown(plan.execute_order_id) or ""),
        "actualPrice": numbers.average(spec, price),
        "actualQty": numbers.size(spec, size),
        "actualType": kind if plan.execute_order_id else "",
    }


def placed(spec: ContractSpec, plan: Plan) -> dict[str, object]:
    """The answer to a new one."""
    trails = plan.kind.trails
    row = _row(spec, plan)
    late = {name: row.pop(name) for name in ("createTime", "updateTime", "triggerTime", "goodTillDate")}
    return (
        row
        | {
            "activatePrice": numbers.price(spec, plan.trigger) if trails else "",
            "callbackRate": text(plan.ratio) if trails else "",
        }
        | late
    )


def cancelled(spec: ContractSpec, plan: Plan) -> dict[str, object]:
    """The venue's own page has only the ids, code and message; recorded answers have the order. Both are here."""
    return _row(spec, plan) | {"code": "200", "msg": "success"}


def found(spec: ContractSpec, account: Account, plan: Plan) -> dict[str, object]:
    """One that was asked for. It has no take profit and stop loss of its own, as none here has."""
    return _row(spec, plan) | outcome(spec, account, plan) | _legs(spec)


def waiting(spec: ContractSpec, account: Account, plan: Plan) -> dict[str, object]:
    """One of the open ones."""
    made = outcome(spec, account, plan)
    return (
        _row(spec, plan)
        | {"actualOrderId": made["actualOrderId"], "actualPrice": made["actualPrice"]}
        | _legs(spec)
    )


def _legs(spec: ContractSpec) -> dict[str, object]:
    zero = numbers.price(spec, ZERO)
    return {
        "tpTriggerPrice": zero,
        "tpPrice": zero,
        "slTriggerPrice": zero,
        "slPrice": zero,
        "tpOrderType": "",
    }


def _row(spec: ContractSpec, plan: Plan) -> dict[str, object]:
    """What all of them have. ``triggerPrice`` of a trailing one is what activates it."""
    assert plan.trade is not None
    return {
        "algoId": shortids.shown(plan.id),
        "clientAlgoId": plan.client_id,
        "algoType": ALGO_TYPE,
        "orderType": order_type(plan),
        "symbol": plan.symbol,
        "side": plan.trade.value.upper(),
        "positionSide": orderwords.position_side(plan.mode, plan.side),
        "timeInForce": time_in_force(plan),
        "quantity": numbers.size(spec, plan.size),
        "algoStatus": status(plan),
        "triggerPrice": numbers.price(spec, plan.trigger),
        "price": numbers.price(spec, plan.execute or ZERO),
        "icebergQuantity": None,
        "selfTradePreventionMode": orderwords.SELF_TRADES[plan.self_trade],
        "workingType": working_type(plan),
        "priceMatch": orderwords.price_match(plan),
        "closePosition": plan.closes_all,
        "priceProtect": plan.price_protect,
        "reduceOnly": reduces(plan),
        "createTime": ms(plan.created_ns),
        "updateTime": ms(plan.updated_ns),
        "triggerTime": ms(plan.triggered_ns),
        "goodTillDate": ms(plan.expires_ns),
    }
