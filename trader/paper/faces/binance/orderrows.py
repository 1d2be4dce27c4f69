"""Orders as the answers show them. The calls differ in a few fields."""

from __future__ import annotations

from trader.paper import shortids
from trader.paper.contract import ContractSpec
from trader.paper.engine.model import Order
from trader.paper.engine.money import ZERO
from trader.paper.faces.binance import numbers, orderwords
from trader.paper.faces.binance.numbers import ms

_QUOTE_PLACES = 5


def _type(order: Order) -> str:
    """What the exchange takes over shows as a limit order here."""
    return "LIMIT" if order.source in orderwords.LIQUIDATIONS else order.type.value.upper()


def _row(spec: ContractSpec, order: Order) -> dict[str, object]:
    """What all of them have."""
    return {
        "orderId": shortids.shown(order.id),
        "symbol": order.symbol,
        "status": orderwords.status(order),
        "clientOrderId": orderwords.client_id(order),
        "price": numbers.price(spec, order.price),
        "origQty": numbers.size(spec, order.size),
        "executedQty": numbers.size(spec, order.filled),
        "cumQuote": numbers.padded(order.value, _QUOTE_PLACES),
        "timeInForce": orderwords.time_in_force(order),
        "type": _type(order),
        "reduceOnly": orderwords.reduces(order),
        "closePosition": order.closes_all,
        "side": order.side.value.upper(),
        "positionSide": orderwords.position_side(order.mode, order.position_side),
        "stopPrice": numbers.price(spec, ZERO),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": _type(order),
        "priceMatch": orderwords.price_match(order),
        "selfTradePreventionMode": orderwords.SELF_TRADES[order.self_trade],
        "goodTillDate": ms(order.expires_ns),
        "updateTime": ms(order.updated_ns),
    }


def placed(spec: ContractSpec, order: Order, *, at_once: bool = False) -> dict[str, object]:
    """The answer to a new order. ``at_once`` (ACK): as it came in, whatever has become of it since."""
    row = _row(spec, order) | {
        "avgPrice": numbers.average(spec, order.average),
        "cumQty": numbers.size(spec, order.filled),
    }
    if at_once:
        nothing = numbers.size(spec, ZERO)
        row |= {
            "status": "NEW",
            "executedQty": nothing,
            "cumQty": nothing,
            "cumQuote": numbers.padded(ZERO, _QUOTE_PLACES),
            "avgPrice": numbers.average(spec, ZERO),
            "updateTime": ms(order.created_ns),
        }
    return row


def amended(spec: ContractSpec, order: Order) -> dict[str, object]:
    filled = numbers.size(spec, order.filled)
    return placed(spec, order) | {"pair": order.symbol, "cumBase": filled}


def cancelled(spec: ContractSpec, order: Order) -> dict[str, object]:
    return _row(spec, order) | {"cumQty": numbers.size(spec, order.filled)}


def found(spec: ContractSpec, order: Order) -> dict[str, object]:
    """One that was asked for."""
    return _row(spec, order) | {
        "avgPrice": numbers.average(spec, order.average),
        "time": ms(order.created_ns),
    }


def forced(spec: ContractSpec, order: Order) -> dict[str, object]:
    """One of the exchange's own: a liquidation."""
    names = (
        "orderId", "symbol", "status", "clientOrderId", "price", "origQty", "executedQty", "cumQuote",
        "timeInForce", "type", "reduceOnly", "closePosition", "side", "positionSide", "stopPrice",
        "workingType", "origType", "updateTime",
    )  # fmt: skip
    row = _row(spec, order)
    return {name: row[name] for name in names} | {
        "price": numbers.price(spec, order.price or order.average),
        "avgPrice": numbers.average(spec, order.average),
        "time": ms(order.created_ns),
    }
