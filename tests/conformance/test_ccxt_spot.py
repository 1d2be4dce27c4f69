"""ccxt's spot market: coins in the purse, market buys by cost, limit and trigger orders, refusals."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from tests.conformance import codes
from tests.conformance.conftest import Refusals
from tests.conformance.venue import Control

BTC, SOL = "BTC/USDT", "SOL/USDT"
POST = "private_spot_post_v2_spot_trade_"
PLACE = POST + "place_order"
PLAIN: dict[str, Any] = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "force": "gtc", "size": "600"}  # fmt: skip
LIMIT: dict[str, Any] = {**PLAIN, "orderType": "limit", "price": "59000", "size": "0.01"}
PLAN: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "buy",
    "orderType": "limit",
    "triggerPrice": "61000",
    "executePrice": "61100",
    "size": "0.01",
    "triggerType": "fill_price",
    "planType": "amount",
}


@pytest.fixture
def spot(venue: ccxt.bitget) -> ccxt.bitget:
    """5000 USDT in the spot purse, 5000 left in the futures one."""
    venue.options["defaultType"] = "spot"
    venue.transfer("USDT", 5000, "swap", "spot")
    return venue


def purse(venue: ccxt.bitget) -> dict[str, float]:
    found: dict[str, float] = {
        coin: amount for coin, amount in venue.fetch_balance({"type": "spot"})["total"].items() if amount
    }
    return found


def test_a_market_buy_spends_its_cost_and_pays_in_the_coin(
    spot: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    placed = spot.create_market_buy_order_with_cost(BTC, 600)
    order = spot.fetch_order(placed["id"], BTC)
    assert (order["status"], order["side"], order["type"]) == ("closed", "buy", "market")
    assert order["cost"] == pytest.approx(600, abs=0.1)
    assert order["cost"] <= 600
    assert order["average"] == pytest.approx(60_000, rel=1e-3)
    fills = spot.fetch_my_trades(BTC)
    bought = sum(fill["amount"] for fill in fills)
    for fill in fills:  # 0.001 of what was bought, in the coin bought
        assert (fill["fee"]["currency"], fill["takerOrMaker"], fill["order"]) == (
            "BTC",
            "taker",
            placed["id"],
        )
        assert fill["fee"]["cost"] == pytest.approx(fill["amount"] * 0.001, rel=1e-3)
    held = purse(spot)
    assert held["BTC"] == pytest.approx(bought * 0.999)
    assert held["USDT"] == pytest.approx(5000 - order["cost"])
    control.check_ledger(account, "5000")


def test_a_sale_pays_in_the_quote_coin(spot: ccxt.bitget) -> None:
    spot.create_market_buy_order_with_cost(BTC, 600)
    before = purse(spot)
    placed = spot.create_order(BTC, "market", "sell", 0.005)
    order = spot.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"]) == ("closed", 0.005)
    sold = [fill for fill in spot.fetch_my_trades(BTC) if fill["order"] == placed["id"]]
    for fill in sold:
        assert (fill["side"], fill["fee"]["currency"]) == ("sell", "USDT")
        assert fill["fee"]["cost"] == pytest.approx(fill["cost"] * 0.001, rel=1e-3)
    value = sum(fill["cost"] for fill in sold)
    after = purse(spot)
    assert after["BTC"] == pytest.approx(before["BTC"] - 0.005)
    assert after["USDT"] == pytest.approx(before["USDT"] + value * 0.999)


def test_limit_orders_bind_money_and_give_it_back(spot: ccxt.bitget, control: Control) -> None:
    placed = spot.create_order(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "mine"})
    assert spot.fetch_balance({"type": "spot"})["USDT"] == {"free": 4410.0, "used": 590.0, "total": 5000.0}
    (pending,) = spot.fetch_open_orders(BTC)
    assert (pending["id"], pending["clientOrderId"], pending["price"], pending["status"]) == (
        placed["id"],
        "mine",
        59_000.0,
        "open",
    )
    assert spot.cancel_order(placed["id"], BTC)["id"] == placed["id"]
    assert spot.fetch_balance({"type": "spot"})["USDT"]["free"] == 5000.0
    assert spot.fetch_order(placed["id"], BTC)["status"] == "canceled"
    assert [order["id"] for order in spot.fetch_canceled_orders(BTC)] == [placed["id"]]
    second = spot.create_order(BTC, "limit", "buy", 0.01, 59_000)
    with control.held("BTCUSDT", "58900"):
        order = spot.fetch_order(second["id"], BTC)
        assert (order["status"], order["average"]) == ("closed", 59_000.0)
        assert [o["id"] for o in spot.fetch_closed_orders(BTC)] == [second["id"]]
        fills = spot.fetch_my_trades(BTC)
        assert {fill["takerOrMaker"] for fill in fills} == {"maker"}
        assert sum(fill["fee"]["cost"] for fill in fills) == pytest.approx(0.00001)


@pytest.mark.parametrize("force", ["IOC", "FOK", "PO"])
def test_forces(spot: ccxt.bitget, force: str) -> None:
    params = {"postOnly": True} if force == "PO" else {"timeInForce": force}
    price = 61_000 if force == "PO" else 59_000
    placed = spot.create_order(BTC, "limit", "buy", 0.01, price, params)
    order = spot.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"]) == ("canceled", 0.0)
    assert purse(spot) == {"USDT": 5000.0}


def test_batches(spot: ccxt.bitget) -> None:
    wanted: list[dict[str, Any]] = [
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": price, "params": {}}
        for price in (59_000, 58_000, 57_000, 56_000)
    ]
    ids = [order["id"] for order in spot.create_orders(wanted)]
    assert {order["id"] for order in spot.fetch_open_orders(BTC)} == set(ids)
    spot.cancel_orders(ids[:2], BTC)
    assert {order["id"] for order in spot.fetch_open_orders(BTC)} == set(ids[2:])
    spot.cancel_all_orders(BTC)
    assert spot.fetch_open_orders(BTC) == []
    assert spot.fetch_balance({"type": "spot"})["USDT"]["free"] == 5000.0


def test_an_edited_order_is_a_new_one(spot: ccxt.bitget) -> None:
    placed = spot.create_order(BTC, "limit", "buy", 0.01, 59_000)
    edited = spot.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 58_000)
    (order,) = spot.fetch_open_orders(BTC)
    assert order["id"] == edited["id"] != placed["id"]
    assert (order["price"], order["amount"]) == (58_000.0, 0.02)
    assert spot.fetch_order(placed["id"], BTC)["status"] == "canceled"


def test_trigger_orders(spot: ccxt.bitget, control: Control) -> None:
    placed = spot.create_order(BTC, "limit", "buy", 0.01, 61_100, {"triggerPrice": 61_000})
    (plan,) = spot.fetch_open_orders(BTC, params={"trigger": True})
    assert (plan["id"], plan["triggerPrice"], plan["price"]) == (placed["id"], 61_000.0, 61_100.0)
    spot.cancel_order(placed["id"], BTC, {"trigger": True})
    assert spot.fetch_open_orders(BTC, params={"trigger": True}) == []
    second = spot.create_order(BTC, "limit", "buy", 0.01, 60_600, {"triggerPrice": 60_500})
    with control.held("BTCUSDT", "60500"):
        assert spot.fetch_open_orders(BTC, params={"trigger": True}) == []
        # ccxt ends the range at its own clock, which the tape's may be ahead of
        late = {"trigger": True, "endTime": 4 * 10**12}
        past = spot.fetch_canceled_and_closed_orders(BTC, params=late)
        status = {order["id"]: order["info"]["status"] for order in past}
        assert status == {placed["id"]: "cancelled", second["id"]: "executed"}
        assert sum(fill["amount"] for fill in spot.fetch_my_trades(BTC)) == pytest.approx(0.01)
        # §9: the real order is found by the plan's id as its client id
        found = spot.private_spot_get_v2_spot_trade_orderinfo({"clientOid": second["id"]})["data"]
        assert [row["status"] for row in found] == ["filled"]
    for price in (61_000, 62_000):
        spot.create_order(BTC, "limit", "buy", 0.01, 61_100, {"triggerPrice": price})
    spot.cancel_all_orders(BTC, {"trigger": True})
    assert spot.fetch_open_orders(BTC, params={"trigger": True}) == []


def test_an_order_in_the_venues_own_words(spot: ccxt.bitget) -> None:
    """§11: fee detail is JSON inside a string; cancelled has two l."""
    bought = spot.create_market_buy_order_with_cost(BTC, 600)
    (row,) = spot.private_spot_get_v2_spot_trade_orderinfo({"orderId": bought["id"]})["data"]
    fees = json.loads(row["feeDetail"])
    assert set(fees) == {"newFees", "BTC"}
    assert set(fees["newFees"]) >= {"c", "d", "deduction", "r", "t", "totalDeductionFee"}
    assert fees["BTC"]["feeCoinCode"] == "BTC"
    resting = spot.create_order(BTC, "limit", "buy", 0.01, 59_000)
    (row,) = spot.private_spot_get_v2_spot_trade_unfilled_orders({"symbol": "BTCUSDT"})["data"]
    # 16 decimals of padding are normal
    assert (row["orderId"], row["status"], float(row["priceAvg"])) == (resting["id"], "live", 59_000)
    spot.cancel_order(resting["id"], BTC)
    (row,) = spot.private_spot_get_v2_spot_trade_orderinfo({"orderId": resting["id"]})["data"]
    assert row["status"] == "cancelled"


def test_bills_of_the_purse(spot: ccxt.bitget) -> None:
    spot.create_market_buy_order_with_cost(BTC, 600)
    entries = spot.fetch_ledger("USDT", params={"type": "spot"})
    assert entries[0]["amount"] == 5000.0
    moved = {entry["info"]["coin"] for entry in spot.fetch_ledger(params={"type": "spot"})}
    assert moved == {"USDT", "BTC"}


REFUSALS: list[tuple[str, dict[str, Any], set[str]]] = [
    (PLACE, {**PLAIN, "symbol": "NOSUCHUSDT"}, codes.SYMBOL),
    (PLACE, {**PLAIN, "symbol": ""}, codes.PARAMETER),
    (PLACE, {**PLAIN, "side": "up"}, codes.PARAMETER),
    (PLACE, {**PLAIN, "orderType": "stop"}, codes.PARAMETER),
    (PLACE, {**PLAIN, "size": ""}, codes.PARAMETER),
    (PLACE, {**PLAIN, "size": "x"}, codes.PARAMETER),
    (PLACE, {**PLAIN, "size": "0"}, codes.BELOW_SIZE | codes.BELOW_VALUE | codes.PARAMETER),
    (PLACE, {**PLAIN, "size": "0.5"}, codes.BELOW_VALUE | codes.BELOW_SIZE),
    (PLACE, {**PLAIN, "size": "5000.01"}, codes.MONEY),
    (PLACE, {**PLAIN, "side": "sell", "size": "0.01"}, codes.MONEY),
    (PLACE, {**PLAIN, "clientOid": "a/b"}, {"40304", "40305"}),
    (PLACE, {**LIMIT, "price": ""}, codes.PARAMETER),
    (PLACE, {**LIMIT, "price": "59000.001"}, codes.PRICE_STEP | {"40808"}),
    (PLACE, {**LIMIT, "price": "99000"}, codes.BAND),
    (PLACE, {**LIMIT, "size": "0.00000001"}, codes.SIZE_DECIMALS | codes.BELOW_SIZE),
    (PLACE, {**LIMIT, "size": "0.00001"}, codes.BELOW_VALUE | codes.BELOW_SIZE),
    (PLACE, {**LIMIT, "size": "1"}, codes.MONEY),
    (PLACE, {**LIMIT, "force": "day"}, codes.PARAMETER),
    (POST + "cancel_order", {"symbol": "BTCUSDT", "orderId": "1"}, codes.NO_ORDER),
    (POST + "cancel_order", {"symbol": "BTCUSDT"}, codes.PARAMETER),
    (POST + "cancel_order", {"symbol": "BTCUSDT", "orderId": "x"}, {"40402"} | codes.PARAMETER),
    (POST + "cancel_replace_order", {"symbol": "BTCUSDT", "orderId": "1", "price": "58000", "size": "0.01"}, codes.NO_ORDER),
    (POST + "batch_orders", {"symbol": "BTCUSDT", "orderList": []}, codes.PARAMETER | codes.BATCH),
    (POST + "batch_orders", {"symbol": "BTCUSDT", "orderList": [LIMIT] * 51}, codes.BATCH),
    (POST + "place_plan_order", {**PLAN, "triggerPrice": ""}, codes.PARAMETER),
    (POST + "place_plan_order", {**PLAN, "triggerPrice": "x"}, codes.PARAMETER),
    (POST + "place_plan_order", {**PLAN, "executePrice": ""}, codes.PARAMETER),
    (POST + "place_plan_order", {**PLAN, "symbol": "NOSUCHUSDT"}, codes.SYMBOL),
    (POST + "place_plan_order", {**PLAN, "triggerType": "moon"}, codes.PARAMETER),
    (POST + "modify_plan_order", {"orderId": "1", "triggerPrice": "60000", "size": "0.01", "orderType": "market"}, codes.NO_PLAN),
    (POST + "cancel_plan_order", {"orderId": "1"}, codes.NO_PLAN),
    ("private_spot_get_v2_spot_trade_orderinfo", {}, codes.PARAMETER),
    ("public_spot_get_v2_spot_market_tickers", {"symbol": "NOSUCHUSDT"}, codes.SYMBOL),
    ("public_spot_get_v2_spot_market_orderbook", {"symbol": "NOSUCHUSDT"}, codes.SYMBOL),
    ("public_spot_get_v2_spot_market_candles", {"symbol": "BTCUSDT", "granularity": "7min"}, codes.PARAMETER),
]  # fmt: skip


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal[0].partition("_v2_spot_")[2])
def test_a_documented_refusal_reaches_the_client_and_changes_nothing(
    spot: ccxt.bitget, refusals: Refusals, refusal: tuple[str, Any, set[str]]
) -> None:
    call, sent, code = refusal
    assert refusals.code(lambda: getattr(spot, call)(sent)) in code


def test_refusals_that_need_an_order(spot: ccxt.bitget, refusals: Refusals) -> None:
    placed = spot.create_order(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "dup"})
    again = {**LIMIT, "clientOid": "dup"}
    assert refusals.code(lambda: getattr(spot, PLACE)(again)) in codes.DUPLICATE
    other = {"symbol": "SOLUSDT", "orderId": placed["id"]}
    assert refusals.code(lambda: getattr(spot, POST + "cancel_order")(other)) in codes.NO_ORDER
    assert refusals.code(lambda: spot.transfer("USDT", 4500, "spot", "swap")) in codes.MONEY  # 590 are bound
    spot.cancel_order(placed["id"], BTC)
    assert refusals.code(lambda: spot.cancel_order(placed["id"], BTC)) in codes.FINAL


@pytest.mark.parametrize("word", ["gray"])
def test_a_symbol_that_is_not_open_takes_no_order(
    spot: ccxt.bitget, control: Control, refusals: Refusals, word: str
) -> None:
    soon = spot.milliseconds() + 400 * 86_400_000
    name = f"{word.upper()}USDT"
    control.call("/symbols", {"symbol": name, "market": "spot", "price": "1", "open_time_ms": soon})
    (row,) = spot.public_spot_get_v2_spot_public_symbols({"symbol": name})["data"]
    assert row["status"] == word
    sent = {**PLAIN, "symbol": name, "size": "10"}
    assert refusals.code(lambda: getattr(spot, PLACE)(sent)) in codes.NOT_OPEN
