"""ccxt trades on a Binance account by nothing but other hosts: orders and positions, one-way and hedge mode."""

from __future__ import annotations

import json
from typing import Any

import ccxt
import pytest

from tests.conformance.venue import Control

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
#: 0.005 bought at 60000 and sold at 59999.9, taker 0.0006.
ROUND_TRIP = (("open_fee", "-0.18"), ("realised_pnl", "-0.0005"), ("close_fee", "-0.1799997"))


def held(venue: ccxt.binanceusdm) -> dict[str, float]:
    return {row["side"]: row["contracts"] for row in venue.fetch_positions([BTC]) if row["contracts"]}


def resting(
    venue: ccxt.binanceusdm, price: float = 59_000, amount: float = 0.01, **params: Any
) -> dict[str, Any]:
    placed: dict[str, Any] = venue.create_order(BTC, "limit", "buy", amount, price, params)
    return placed


def wallet(venue: ccxt.binanceusdm) -> str:
    """The wallet's exact text."""
    (row,) = (row for row in venue.fapiprivatev3_get_balance() if row["asset"] == "USDT")
    return str(row["balance"])


def test_the_whole_way_of_a_trade(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    venue = usdm
    assert venue.fetch_balance()["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0}
    assert venue.set_leverage(20, BTC)["leverage"] == 20
    placed = venue.create_order(BTC, "market", "buy", 0.005, None, {"clientOrderId": "x-way.1"})
    # ccxt asks for RESULT: a market order is answered when it is filled (§5)
    assert (placed["status"], placed["filled"], placed["average"], placed["clientOrderId"]) == (
        "closed",
        0.005,
        60_000.0,
        "x-way.1",
    )
    order = venue.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["cost"], order["type"]) == (
        "closed",
        0.005,
        300.0,
        "market",
    )
    (position,) = venue.fetch_positions([BTC])
    assert (position["side"], position["contracts"], position["entryPrice"], position["hedged"]) == (
        "long",
        0.005,
        60_000.0,
        False,
    )
    (fill,) = venue.fetch_my_trades(BTC)
    assert (fill["order"], fill["price"], fill["amount"], fill["takerOrMaker"], fill["side"]) == (
        placed["id"],
        60_000.0,
        0.005,
        "taker",
        "buy",
    )
    assert fill["fee"] == {"cost": 0.18, "currency": "USDT"}
    closing = venue.create_order(BTC, "market", "sell", 0.005, None, {"reduceOnly": True})
    assert (closing["status"], closing["average"], closing["reduceOnly"]) == ("closed", 59_999.9, True)
    assert held(venue) == {}
    control.check_money(binance_account, *ROUND_TRIP)
    assert venue.fetch_balance()["USDT"]["total"] == 9_999.6395003
    assert float(wallet(venue)) == 9_999.6395003


@pytest.mark.parametrize("margin_mode", ["isolated", "cross"])
@pytest.mark.parametrize("hedged", [False, True])
def test_opening_adding_reducing_and_closing_in_every_mode(
    usdm: ccxt.binanceusdm,
    control: Control,
    binance_account: dict[str, Any],
    margin_mode: str,
    hedged: bool,
) -> None:
    """Hedge mode has the true trade side: a long is closed by SELL with LONG (§5)."""
    venue = usdm
    if hedged:
        venue.set_position_mode(True)
    if margin_mode == "isolated":
        venue.set_margin_mode("isolated", BTC)
    venue.set_leverage(10, BTC)
    mode: dict[str, Any] = {"hedged": True} if hedged else {}
    for side, opposite, name in (("buy", "sell", "long"), ("sell", "buy", "short")):
        venue.create_order(BTC, "market", side, 0.01, None, mode)
        venue.create_order(BTC, "market", side, 0.02, None, mode)
        assert held(venue) == {name: 0.03}
        (position,) = (row for row in venue.fetch_positions([BTC]) if row["contracts"])
        assert (position["hedged"], position["marginMode"]) == (hedged, margin_mode)
        reduced = venue.create_order(BTC, "market", opposite, 0.01, None, mode | {"reduceOnly": True})
        assert (reduced["status"], reduced["filled"], reduced["side"]) == ("closed", 0.01, opposite)
        assert reduced["info"]["positionSide"] == (name.upper() if hedged else "BOTH")
        assert held(venue) == {name: 0.02}
        venue.create_order(BTC, "market", opposite, 0.02, None, mode | {"reduceOnly": True})
        assert held(venue) == {}
    control.check_sum(binance_account, wallet(venue))


def test_hedge_mode_holds_both_sides(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    venue = usdm
    venue.set_position_mode(True)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"positionSide": "LONG"})
    venue.create_order(BTC, "market", "sell", 0.02, None, {"positionSide": "SHORT"})
    assert held(venue) == {"long": 0.01, "short": 0.02}
    rows = venue.fapiprivatev3_get_positionrisk({"symbol": "BTCUSDT"})
    assert {row["positionSide"]: float(row["positionAmt"]) for row in rows} == {"LONG": 0.01, "SHORT": -0.02}
    venue.create_order(BTC, "market", "sell", 0.01, None, {"positionSide": "LONG"})
    assert held(venue) == {"short": 0.02}
    control.check_sum(binance_account, wallet(venue))


def test_one_way_mode_nets_and_flips(usdm: ccxt.binanceusdm) -> None:
    usdm.create_order(BTC, "market", "buy", 0.01)
    usdm.create_order(BTC, "market", "sell", 0.03)
    assert held(usdm) == {"short": 0.02}


def test_limit_orders(usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]) -> None:
    """With 20x the margin of 0.01 at 59000 is 29.5."""
    venue = usdm
    venue.set_leverage(20, BTC)
    placed = resting(venue, clientOrderId="c1")
    assert (placed["status"], placed["price"], placed["timeInForce"]) == ("open", 59_000.0, "GTC")
    (pending,) = venue.fetch_open_orders(BTC)
    assert (pending["id"], pending["clientOrderId"], pending["amount"]) == (placed["id"], "c1", 0.01)
    assert venue.fetch_open_order(placed["id"], BTC)["id"] == placed["id"]
    assert venue.fetch_order("", BTC, {"origClientOrderId": "c1"})["id"] == placed["id"]
    assert venue.fetch_balance()["USDT"]["used"] == pytest.approx(29.5, rel=0.05)
    gone = venue.cancel_order(placed["id"], BTC)
    assert (gone["status"], gone["id"]) == ("canceled", placed["id"])
    assert venue.fetch_open_orders(BTC) == []
    assert [row["id"] for row in venue.fetch_canceled_orders(BTC)] == [placed["id"]]
    resting(venue)
    resting(venue, 58_000)
    venue.cancel_all_orders(BTC)
    assert venue.fetch_open_orders(BTC) == []
    control.check_money(binance_account)
    assert venue.fetch_balance()["USDT"]["free"] == 10_000.0


def test_a_resting_order_fills_as_maker(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    placed = resting(usdm)
    with control.held("BTCUSDT", "58900"):
        order = usdm.fetch_order(placed["id"], BTC)
        assert (order["status"], order["average"], order["filled"]) == ("closed", 59_000.0, 0.01)
        fills = usdm.fetch_my_trades(BTC)
        assert {(fill["order"], fill["takerOrMaker"], fill["price"]) for fill in fills} == {
            (placed["id"], "maker", 59_000.0)
        }
        assert sum(fill["fee"]["cost"] for fill in fills) == pytest.approx(0.118)
        assert [row["id"] for row in usdm.fetch_closed_orders(BTC)] == [placed["id"]]
    assert control.call(f"/accounts/{binance_account['id']}")["balance"] == "9999.882"


def test_immediate_or_cancel_expires(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    order = resting(usdm, timeInForce="IOC")
    assert (order["status"], order["filled"]) == ("expired", 0.0)
    taken = resting(usdm, 60_100, 0.005, timeInForce="IOC")
    assert (taken["status"], taken["average"]) == ("closed", 60_000.0)
    filled = resting(usdm, 60_100, 0.005, timeInForce="FOK")
    assert filled["status"] == "closed"
    assert [row["kind"] for row in control.ledger(binance_account)[:2]] == ["deposit", "open_fee"]


def test_post_only_rests(usdm: ccxt.binanceusdm) -> None:
    order = resting(usdm, postOnly=True)
    assert (order["status"], order["info"]["timeInForce"], order["postOnly"]) == ("open", "GTX", True)


def test_acknowledged_orders(usdm: ccxt.binanceusdm) -> None:
    """ACK answers NEW at once; the order itself is filled (§5)."""
    sent = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.005"}
    answer = usdm.fapiprivate_post_order({**sent, "newOrderRespType": "ACK", "newClientOrderId": "acked"})
    assert (answer["status"], float(answer["executedQty"]), float(answer["avgPrice"])) == ("NEW", 0, 0)
    assert usdm.fetch_order(answer["orderId"], BTC)["status"] == "closed"


def test_batches(usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]) -> None:
    wanted: list[dict[str, Any]] = [
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": price, "params": {}}
        for price in (59_000, 58_000, 57_000)
    ]
    wanted[1]["params"] = {"clientOrderId": "second"}
    placed = usdm.create_orders(wanted)
    assert [(row["price"], row["status"]) for row in placed] == [
        (59_000.0, "open"),
        (58_000.0, "open"),
        (57_000.0, "open"),
    ]
    assert placed[1]["clientOrderId"] == "second"
    assert {row["id"] for row in usdm.fetch_open_orders(BTC)} == {row["id"] for row in placed}
    edits = [
        {
            "id": row["id"],
            "symbol": BTC,
            "type": "limit",
            "side": "buy",
            "amount": 0.02,
            "price": row["price"],
        }
        for row in placed[:2]
    ]
    changed = usdm.edit_orders(edits)
    assert [(row["id"], row["amount"]) for row in changed] == [(row["id"], 0.02) for row in placed[:2]]
    gone = usdm.cancel_orders([placed[0]["id"], placed[1]["id"]], BTC)
    assert [(row["id"], row["status"]) for row in gone] == [
        (placed[0]["id"], "canceled"),
        (placed[1]["id"], "canceled"),
    ]
    assert [row["id"] for row in usdm.fetch_open_orders(BTC)] == [placed[2]["id"]]
    control.check_money(binance_account)


def test_a_bad_order_in_a_batch_fails_alone(usdm: ccxt.binanceusdm) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "59000"}
    many = [
        {**order, "quantity": "0.01", "newClientOrderId": "good"},
        {**order, "quantity": "0.0000001", "newClientOrderId": "tiny"},
        {**order, "quantity": "0.01", "newClientOrderId": "good"},
    ]
    good, tiny, twice = usdm.fapiprivate_post_batchorders({"batchOrders": many})
    assert (good["clientOrderId"], good["status"]) == ("good", "NEW")
    assert [set(row) for row in (tiny, twice)] == [{"code", "msg"}] * 2
    assert (str(tiny["code"]), str(twice["code"])) == ("-1111", "-4116")
    assert [row["clientOrderId"] for row in usdm.fetch_open_orders(BTC)] == ["good"]


def test_an_edited_order_keeps_its_id(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    placed = resting(usdm, clientOrderId="first")
    changed = usdm.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 58_500)
    assert (changed["id"], changed["price"], changed["amount"], changed["status"]) == (
        placed["id"],
        58_500.0,
        0.02,
        "open",
    )
    (order,) = usdm.fetch_open_orders(BTC)
    assert (order["id"], order["clientOrderId"], order["price"]) == (placed["id"], "first", 58_500.0)
    control.check_money(binance_account)


def test_a_countdown_cancels_everything(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    """The dead man's switch runs on the tape's clock; 0 stops it."""
    resting(usdm)

    def countdown(ms: int) -> Any:
        return usdm.fapiprivate_post_countdowncancelall({"symbol": "BTCUSDT", "countdownTime": str(ms)})

    assert countdown(120_000) == {"symbol": "BTCUSDT", "countdownTime": "120000"}
    countdown(0)
    control.advance(180_000)
    assert len(usdm.fetch_open_orders(BTC)) == 1
    countdown(120_000)
    control.advance(60_000)
    assert len(usdm.fetch_open_orders(BTC)) == 1
    control.advance(61_000)
    assert usdm.fetch_open_orders(BTC) == []
    control.check_money(binance_account)


def test_an_order_that_is_good_till_a_date(usdm: ccxt.binanceusdm, control: Control) -> None:
    now = control.call("/clock", {"advance_ms": 0})["now_ns"] // 10**6
    sent = {"timeInForce": "GTD", "goodTillDate": (now // 1000 + 700) * 1000}
    placed = resting(usdm, **sent)
    assert placed["info"]["goodTillDate"] == sent["goodTillDate"]
    control.advance(650_000)
    assert usdm.fetch_order(placed["id"], BTC)["status"] == "open"
    control.advance(60_000)
    assert usdm.fetch_order(placed["id"], BTC)["status"] == "expired"


def test_a_price_that_the_book_gives(usdm: ccxt.binanceusdm) -> None:
    placed = usdm.create_order(BTC, "limit", "buy", 0.005, None, {"priceMatch": "QUEUE"})
    assert (placed["price"], placed["status"], placed["info"]["priceMatch"]) == (59_999.9, "open", "QUEUE")


def test_a_test_order_leaves_no_trace(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    sent = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.005"}
    usdm.fapiprivate_post_order_test(sent)
    assert held(usdm) == {}
    control.check_money(binance_account)


def test_lists_go_from_an_id_on(usdm: ccxt.binanceusdm) -> None:
    ids = [resting(usdm, 59_000 - n)["id"] for n in range(5)]
    first = usdm.fapiprivate_get_allorders({"symbol": "BTCUSDT", "orderId": ids[2], "limit": "2"})
    assert [str(row["orderId"]) for row in first] == ids[2:4]
    assert usdm.fetch_open_orders(ETH) == []
    usdm.options["warnOnFetchOpenOrdersWithoutSymbol"] = False
    assert {row["id"] for row in usdm.fetch_open_orders()} == set(ids)


def test_a_liquidated_long(usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]) -> None:
    """§6: E 60000, q 0.005, 10x isolated: W 30, first bracket cum 0 and mmr 0.004, no fee in it:
    (30 - 300) / (0.005 (0.004 - 1)) = 54216.867...; the margin is gone and no more."""
    usdm.set_margin_mode("isolated", BTC)
    usdm.set_leverage(10, BTC)
    usdm.create_order(BTC, "market", "buy", 0.005)
    (position,) = (row for row in usdm.fetch_positions([BTC]) if row["contracts"])
    assert position["liquidationPrice"] == pytest.approx(54_216.867, abs=0.1)
    with control.held("BTCUSDT", "54217.5"):
        assert held(usdm) == {"long": 0.005}
    with control.held("BTCUSDT", "54216"):
        assert held(usdm) == {}
    assert float(wallet(usdm)) == 9_969.82
    fill = usdm.fetch_my_trades(BTC)[-1]
    assert (fill["side"], fill["amount"]) == ("sell", 0.005)
    order = usdm.fetch_order(fill["order"], BTC)
    assert order["clientOrderId"].startswith("autoclose-")
    forced = usdm.fapiprivate_get_forceorders({"symbol": "BTCUSDT"})
    assert [str(row["orderId"]) for row in forced] == [fill["order"]]
    control.check_sum(binance_account, "9969.82")


def test_numbers_are_text_and_ids_are_numbers(usdm: ccxt.binanceusdm) -> None:
    resting(usdm)
    usdm.fapiprivate_get_openorders({"symbol": "BTCUSDT"})
    (row,) = json.loads(usdm.last_http_response)
    assert {type(row[name]) for name in ("price", "origQty", "executedQty", "avgPrice", "cumQuote")} == {str}
    assert {type(row[name]) for name in ("orderId", "time", "updateTime", "goodTillDate")} == {int}
    assert {type(row[name]) for name in ("reduceOnly", "closePosition", "priceProtect")} == {bool}
