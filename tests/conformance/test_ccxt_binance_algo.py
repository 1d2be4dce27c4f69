"""ccxt's stops, take profits and trailing orders of a Binance account: algo orders, a namespace of their own (§5)."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tests.conformance.venue import Control

BTC = "BTC/USDT:USDT"
TRIGGER = {"trigger": True}


def held(venue: ccxt.binanceusdm) -> dict[str, float]:
    return {row["side"]: row["contracts"] for row in venue.fetch_positions([BTC]) if row["contracts"]}


def waiting(venue: ccxt.binanceusdm) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = venue.fetch_open_orders(BTC, params=TRIGGER)
    return found


def past(venue: ccxt.binanceusdm, number: str) -> Any:
    return venue.fapiprivate_get_algoorder({"algoId": number})


@pytest.mark.parametrize(
    ("leg", "prices", "kind"),
    [
        ("stopLossPrice", ("59000", "59010", "58990"), "STOP_MARKET"),
        ("takeProfitPrice", ("61000", "60990", "61010"), "TAKE_PROFIT_MARKET"),
    ],
)
def test_a_stop_and_a_take_profit_of_a_long(
    usdm: ccxt.binanceusdm, control: Control, leg: str, prices: tuple[str, str, str], kind: str
) -> None:
    price, before, there = float(prices[0]), *prices[1:]
    usdm.create_order(BTC, "market", "buy", 0.01)
    placed = usdm.create_order(
        BTC, "market", "sell", 0.01, None, {leg: price, "reduceOnly": True, "clientOrderId": "guard"}
    )
    (row,) = waiting(usdm)
    assert (row["id"], row["triggerPrice"], row["side"], row["amount"]) == (placed["id"], price, "sell", 0.01)
    assert (row["info"]["orderType"], row["info"]["algoStatus"], row["info"]["clientAlgoId"]) == (
        kind,
        "NEW",
        "guard",
    )
    assert usdm.fetch_open_orders(BTC) == []
    with control.held("BTCUSDT", before):
        assert held(usdm) == {"long": 0.01}
    with control.held("BTCUSDT", there):
        assert held(usdm) == {}
        assert waiting(usdm) == []
    found = past(usdm, placed["id"])
    assert found["algoStatus"] == "FINISHED"
    made = usdm.fetch_order(found["actualOrderId"], BTC)
    assert (made["status"], made["filled"]) == ("closed", 0.01)


def test_a_trigger_order_opens_a_limit_order(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    """A STOP above the price that buys: at 60500 a limit order at 60400, which rests below."""
    placed = usdm.create_order(BTC, "limit", "buy", 0.01, 60_400, {"triggerPrice": 60_500})
    assert placed["info"]["orderType"] == "STOP"
    # nothing is reserved while it waits
    assert usdm.fetch_balance()["USDT"]["free"] == 10_000.0
    with control.held("BTCUSDT", "60500"):
        (order,) = usdm.fetch_open_orders(BTC)
        assert (order["price"], order["amount"], order["status"]) == (60_400.0, 0.01, "open")
    usdm.cancel_all_orders(BTC)
    assert control.ledger(binance_account)[0]["kind"] == "deposit"


@pytest.mark.parametrize("watched", ["CONTRACT_PRICE", "MARK_PRICE"])
def test_the_price_that_is_watched(usdm: ccxt.binanceusdm, control: Control, watched: str) -> None:
    """The mark is held at 60000 while the last price goes: only CONTRACT_PRICE sees it."""
    usdm.create_order(BTC, "market", "buy", 0.01, None, {"triggerPrice": 60_500, "workingType": watched})
    try:
        control.call("/price", {"symbol": "BTCUSDT", "price": "60600", "mark": "60000"})
        assert held(usdm) == ({"long": 0.01} if watched == "CONTRACT_PRICE" else {})
        control.call("/price", {"symbol": "BTCUSDT", "price": "60600", "mark": "60600"})
        assert held(usdm) == {"long": 0.01}
    finally:
        control.call("/price", {"symbol": "BTCUSDT", "price": "60000", "mark": "60000"})


def test_closing_the_whole_position(usdm: ccxt.binanceusdm, control: Control) -> None:
    """closePosition needs no quantity and dies with its position."""
    usdm.create_order(BTC, "market", "buy", 0.01)
    close = {"closePosition": True}
    stop = usdm.create_order(BTC, "market", "sell", 0, None, {"stopLossPrice": 59_000} | close)
    usdm.create_order(BTC, "market", "sell", 0, None, {"takeProfitPrice": 61_000} | close)
    assert {row["info"]["closePosition"] for row in waiting(usdm)} == {True}
    usdm.create_order(BTC, "market", "buy", 0.02)
    with control.held("BTCUSDT", "58990"):
        assert held(usdm) == {}
        assert waiting(usdm) == []
    assert past(usdm, stop["id"])["algoStatus"] == "FINISHED"


def test_a_trailing_stop(usdm: ccxt.binanceusdm, control: Control) -> None:
    """Active at 60500; 1 % below the best price of 61000 is 60390."""
    usdm.create_order(BTC, "market", "buy", 0.01)
    params = {"trailingPercent": 1, "trailingTriggerPrice": 60_500, "reduceOnly": True}
    placed = usdm.create_order(BTC, "market", "sell", 0.01, None, params)
    assert placed["info"]["orderType"] == "TRAILING_STOP_MARKET"
    assert float(placed["info"]["callbackRate"]) == 1
    with control.held("BTCUSDT", "60400"):
        assert held(usdm) == {"long": 0.01}
    with control.held("BTCUSDT", "61000", after="60395"):
        pass
    assert held(usdm) == {"long": 0.01}
    with control.held("BTCUSDT", "60389"):
        assert held(usdm) == {}


def test_algo_orders_are_cancelled_one_by_one_and_all(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    first, second, third = (
        usdm.create_order(BTC, "market", "buy", 0.01, None, {"triggerPrice": price})["id"]
        for price in (61_000, 62_000, 63_000)
    )
    usdm.cancel_order(first, BTC, TRIGGER)
    assert {row["id"] for row in waiting(usdm)} == {second, third}
    assert usdm.fetch_order(first, BTC, TRIGGER)["status"] == "canceled"
    usdm.cancel_all_orders(BTC, TRIGGER)
    assert waiting(usdm) == []
    rows = usdm.fapiprivate_get_allalgoorders({"symbol": "BTCUSDT"})
    assert {str(row["algoId"]): row["algoStatus"] for row in rows} == dict.fromkeys(
        (first, second, third), "CANCELED"
    )
    control.check_money(binance_account)


def test_a_hedge_mode_stop_closes_its_side(usdm: ccxt.binanceusdm, control: Control) -> None:
    usdm.set_position_mode(True)
    usdm.create_order(BTC, "market", "buy", 0.01, None, {"positionSide": "LONG"})
    usdm.create_order(BTC, "market", "sell", 0.02, None, {"positionSide": "SHORT"})
    usdm.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 59_000, "positionSide": "LONG"})
    usdm.create_order(BTC, "market", "buy", 0.02, None, {"stopLossPrice": 61_000, "positionSide": "SHORT"})
    with control.held("BTCUSDT", "58990"):
        assert held(usdm) == {"short": 0.02}
    with control.held("BTCUSDT", "61010"):
        assert held(usdm) == {}
