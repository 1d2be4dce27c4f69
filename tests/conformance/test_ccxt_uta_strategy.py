"""Take profit, stop loss and trigger orders of unified accounts: attached to an order, for a position, on their own."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tests.conformance.venue import Control

BTC = "BTC/USDT:USDT"
FUTURES = "USDT-FUTURES"
#: A strategy order that opens at market when the last price gets there.
TRIGGER: dict[str, object] = {
    "category": FUTURES,
    "symbol": "BTCUSDT",
    "type": "trigger",
    "qty": "0.01",
    "side": "buy",
    "triggerBy": "market",
    "triggerPrice": "60500",
    "triggerOrderType": "market",
}


def held(venue: ccxt.bitget) -> dict[str, float]:
    return {row["side"]: row["contracts"] for row in venue.fetch_positions([BTC])}


def waiting(venue: ccxt.bitget) -> list[dict[str, Any]]:
    """Rows of strategy orders that wait, of both types."""
    found: list[dict[str, Any]] = []
    for kind in ("tpsl", "trigger"):
        query = {"category": FUTURES, "type": kind}
        found += venue.private_uta_get_v3_trade_unfilled_strategy_orders(query)["data"] or []
    return found


def test_protection_that_rides_on_an_order(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    """Sold at 66000 what was bought at 59000 by a maker: 70 for 0.01."""
    legs = {"takeProfit": {"triggerPrice": 66_000}, "stopLoss": {"triggerPrice": 55_000}}
    placed = uta.create_order(BTC, "limit", "buy", 0.01, 59_000, legs)
    (pending,) = uta.fetch_open_orders(BTC)
    assert (pending["info"]["takeProfit"], pending["info"]["stopLoss"]) == ("66000", "55000")
    with control.held("BTCUSDT", "58900"):
        assert uta.fetch_order(placed["id"], BTC)["status"] == "closed"
        rows = waiting(uta)
        assert {row["takeProfit"] for row in rows} | {row["stopLoss"] for row in rows} >= {"66000", "55000"}
        control.price("BTCUSDT", "66000")
        assert held(uta) == {}
        assert waiting(uta) == []
    money = control.call(f"/accounts/{unified_account['id']}")["balance"]
    assert float(money) == pytest.approx(10_000 + 70 - 0.118 - 0.396, abs=0.02)
    control.check_sum(unified_account, money)


@pytest.mark.parametrize(("leg", "price", "there"), [("stopLossPrice", 59_000, "58990"), ("takeProfitPrice", 61_000, "61010")])  # fmt: skip
def test_protection_of_a_position(
    uta: ccxt.bitget, control: Control, leg: str, price: float, there: str
) -> None:
    uta.create_order(BTC, "market", "buy", 0.01)
    plan = uta.create_order(BTC, "market", "sell", 0.01, None, {leg: price, "reduceOnly": True})
    (row,) = uta.fetch_open_orders(BTC, params={"trigger": True})
    assert row["id"] == plan["id"]
    assert row["info"]["stopLoss" if leg == "stopLossPrice" else "takeProfit"] == str(price)
    with control.held("BTCUSDT", there):
        assert held(uta) == {}
    assert uta.fetch_open_orders(BTC, params={"trigger": True}) == []
    (past,) = uta.fetch_canceled_and_closed_orders(BTC, params={"trigger": True})
    assert past["id"] == plan["id"]


def test_a_stop_is_moved_and_cancelled(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    uta.create_order(BTC, "market", "buy", 0.005)
    plan = uta.create_order(BTC, "market", "sell", 0.005, None, {"stopLossPrice": 55_000, "reduceOnly": True})
    uta.edit_order(plan["id"], BTC, "market", "sell", 0.005, None, {"stopLossPrice": 57_000})
    (row,) = waiting(uta)
    assert row["stopLoss"] == "57000"
    with control.held("BTCUSDT", "57100"):
        assert held(uta) == {"long": 0.005}
    uta.cancel_order(row["orderId"], BTC, {"trigger": True})
    assert waiting(uta) == []
    with control.held("BTCUSDT", "56900"):
        assert held(uta) == {"long": 0.005}
    control.check_money(unified_account, ("open_fee", "-0.18"))


def test_the_protection_goes_with_its_position(uta: ccxt.bitget) -> None:
    uta.create_order(BTC, "market", "buy", 0.01)
    both = {"category": FUTURES, "symbol": "BTCUSDT", "type": "tpsl", "tpslMode": "full", "posSide": "long"}
    legs = {"takeProfit": "66000", "stopLoss": "55000", "tpTriggerBy": "mark", "slTriggerBy": "mark"}
    placed = uta.private_uta_post_v3_trade_place_strategy_order({**both, **legs, "clientOid": "guards"})[
        "data"
    ]
    assert placed["clientOid"] == "guards"
    (row,) = waiting(uta)
    assert (row["orderId"], row["takeProfit"], row["stopLoss"], row["status"]) == (
        placed["orderId"],
        "66000",
        "55000",
        "pending",
    )
    uta.close_position(BTC)
    assert waiting(uta) == []


@pytest.mark.parametrize("watched", ["market", "mark"])
def test_a_trigger_order_opens_at_market(uta: ccxt.bitget, control: Control, watched: str) -> None:
    sent = {**TRIGGER, "triggerBy": watched, "clientOid": f"opens-{watched}"}
    placed = uta.private_uta_post_v3_trade_place_strategy_order(sent)["data"]
    (row,) = waiting(uta)
    assert (row["orderId"], row["triggerPrice"], row["triggerBy"], row["triggerOrderType"], row["qty"]) == (
        placed["orderId"],
        "60500",
        watched,
        "market",
        "0.01",
    )
    with control.held("BTCUSDT", "60400"):
        assert held(uta) == {}
    with control.held("BTCUSDT", "60500"):
        assert held(uta) == {"long": 0.01}
    query = {"category": FUTURES, "type": "trigger"}
    (past,) = uta.private_uta_get_v3_trade_history_strategy_orders(query)["data"]["list"]
    assert (past["orderId"], past["status"]) == (placed["orderId"], "success")


def test_a_trigger_order_opens_a_limit_order(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    sent = {**TRIGGER, "triggerPrice": "59500", "triggerOrderType": "limit", "triggerOrderPrice": "59000"}
    uta.private_uta_post_v3_trade_place_strategy_order(sent)
    with control.held("BTCUSDT", "59500"):
        (order,) = uta.fetch_open_orders(BTC)
        assert (order["price"], order["amount"], order["status"]) == (59_000.0, 0.01, "open")
    uta.cancel_order(order["id"], BTC)
    control.check_money(unified_account)


def test_a_trigger_order_is_changed_and_cancelled(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    placed = uta.private_uta_post_v3_trade_place_strategy_order(TRIGGER)["data"]
    uta.private_uta_post_v3_trade_modify_strategy_order(
        {"orderId": placed["orderId"], "qty": "0.02", "triggerPrice": "60800"}
    )
    (row,) = waiting(uta)
    assert (row["qty"], row["triggerPrice"]) == ("0.02", "60800")
    uta.cancel_order(row["orderId"], BTC, {"trigger": True})
    assert waiting(uta) == []
    control.check_money(unified_account)
