"""The real ccxt trades on the paper exchange by nothing but another host."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.conformance.venue import Control

D = Decimal
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
FUTURES = "USDT-FUTURES"
ID = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}


def wallet(venue: ccxt.bitget) -> str:
    """accountEquity while nothing is held, as exact text."""
    return str(venue.fetch_balance()["info"][0]["accountEquity"])


def test_markets(venue: ccxt.bitget) -> None:
    markets = venue.load_markets()
    assert set(markets) == {BTC, ETH}
    market = markets[BTC]
    assert (market["swap"], market["linear"], market["active"], market["settle"]) == (
        True,
        True,
        True,
        "USDT",
    )
    assert market["precision"]["price"] == pytest.approx(0.1)
    assert market["limits"]["leverage"]["max"] == 125
    assert (market["taker"], market["maker"]) == (0.0006, 0.0002)


def test_the_whole_way_of_a_trade(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    assert venue.fetch_balance()["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0}
    assert venue.set_margin_mode("isolated", BTC)["data"]["marginMode"] == "isolated"
    assert venue.set_leverage(20, BTC)["data"]["longLeverage"] == "20"
    placed = venue.create_order(
        BTC, "market", "buy", 0.01, None, {"marginMode": "isolated", "takeProfit": {"triggerPrice": 66_000}}
    )
    order = venue.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["side"]) == ("closed", 0.01, "buy")
    assert order["average"] == pytest.approx(60_000, rel=1e-3)
    (position,) = venue.fetch_positions([BTC])
    assert (position["side"], position["contracts"], position["leverage"], position["marginMode"]) == (
        "long",
        0.01,
        20.0,
        "isolated",
    )
    assert position["liquidationPrice"] == pytest.approx(57_260, rel=1e-3)
    assert position["info"]["takeProfit"] == "66000"
    (plan,) = venue.fetch_open_orders(BTC, params={"planType": "profit_loss"})
    assert (plan["triggerPrice"], plan["info"]["planType"]) == (66_000.0, "pos_profit")
    fills = venue.fetch_my_trades(BTC)
    assert sum(fill["amount"] for fill in fills) == pytest.approx(0.01)
    closing = venue.close_position(BTC)
    assert venue.fetch_order(closing["id"], BTC)["status"] == "closed"
    assert venue.fetch_positions([BTC]) == []
    assert venue.fetch_open_orders(BTC, params={"planType": "profit_loss"}) == []
    control.check_ledger(account, wallet(venue))
    (past,) = venue.fetch_positions_history([BTC])
    change = D(control.ledger(account)[-1]["balance"]) - 10_000
    assert D(past["info"]["netProfit"]) == change


def test_the_take_profit_is_executed(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    params = {"takeProfit": {"triggerPrice": 61_000}, "stopLoss": {"triggerPrice": 59_000}}
    venue.create_order(BTC, "market", "buy", 0.01, None, params)
    control.call("/price", {"symbol": "BTCUSDT", "price": "61000"})
    assert venue.fetch_positions([BTC]) == []
    control.check_ledger(account, wallet(venue))
    assert D(wallet(venue)) > 10_000


def test_limit_orders(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    placed = venue.create_order(
        BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "c1", "timeInForce": "GTC"}
    )
    (pending,) = venue.fetch_open_orders(BTC)
    assert (pending["id"], pending["clientOrderId"], pending["price"]) == (placed["id"], "c1", 59_000.0)
    assert venue.fetch_balance()["USDT"]["free"] < 10_000
    venue.cancel_order(placed["id"], BTC)
    assert venue.fetch_open_orders(BTC) == []
    assert [order["status"] for order in venue.fetch_canceled_orders(BTC)] == ["canceled"]
    venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"postOnly": True})
    assert len(venue.cancel_all_orders(BTC)) == 1
    control.check_ledger(account, "10000")


def test_stop_orders_by_hand_and_hedge_mode(
    venue: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue.set_position_mode(True, BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"hedged": True})
    venue.create_order(BTC, "market", "sell", 0.02, None, {"hedged": True})
    assert {p["side"]: p["contracts"] for p in venue.fetch_positions([BTC])} == {"long": 0.01, "short": 0.02}
    stop = venue.create_order(BTC, "market", "sell", 0.01, None, {"hedged": True, "stopLossPrice": 58_000})
    plans = venue.fetch_open_orders(BTC, params={"planType": "profit_loss"})
    assert [plan["id"] for plan in plans] == [stop["id"]]
    venue.cancel_order(stop["id"], BTC, {"trigger": True, "planType": "pos_loss"})
    assert venue.fetch_open_orders(BTC, params={"planType": "profit_loss"}) == []
    venue.create_order(BTC, "market", "buy", 0.02, None, {"hedged": True, "reduceOnly": True})
    assert [p["side"] for p in venue.fetch_positions([BTC])] == ["long"]
    assert len(venue.close_all_positions()) == 1
    control.check_ledger(account, wallet(venue))


def test_market_data(venue: ccxt.bitget) -> None:
    ticker = venue.fetch_ticker(BTC)
    assert (ticker["last"], ticker["markPrice"]) == (60_000.0, 60_000.0)
    assert ticker["bid"] < ticker["ask"]
    assert set(venue.fetch_tickers()) == {BTC, ETH}
    book = venue.fetch_order_book(BTC, 5)
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)
    assert len(venue.fetch_ohlcv(BTC, "1m")[-1]) == 6
    assert venue.fetch_funding_rate(BTC)["fundingRate"] == pytest.approx(0.0001)
    assert venue.fetch_market_leverage_tiers(BTC)[0]["maxLeverage"] == 125
    assert venue.fetch_trading_fee(BTC)["taker"] == 0.0006
    assert venue.fetch_leverage(BTC)["longLeverage"] == 10
    assert venue.fetch_time() > 1_700_000_000_000


#: (implicit call, what is sent, documented code). A plain order of 0.01 BTCUSDT at market is accepted.
PLACE = "private_mix_post_v2_mix_order_place_order"
PLAIN: dict[str, object] = {
    **ID,
    "marginMode": "isolated",
    "size": "0.01",
    "side": "buy",
    "orderType": "market",
}
LEVERAGE = "private_mix_post_v2_mix_account_set_leverage"
TPSL = "private_mix_post_v2_mix_order_place_tpsl_order"
CANCEL = "private_mix_post_v2_mix_order_cancel_order"
REFUSALS: list[tuple[str, dict[str, object], str]] = [
    (PLACE, {**PLAIN, "symbol": "NOSUCHUSDT"}, "40102"),
    (PLACE, {**PLAIN, "side": "up"}, "40020"),
    (PLACE, {**PLAIN, "size": ""}, "40019"),
    (PLACE, {**PLAIN, "size": "0.00001"}, "40808"),
    (PLACE, {**PLAIN, "size": "0"}, "45111"),
    (PLACE, {**PLAIN, "size": "99999999"}, "45112"),
    (PLACE, {**PLAIN, "size": "100"}, "40762"),
    (PLACE, {**PLAIN, "clientOid": "a/b"}, "40305"),
    (PLACE, {**PLAIN, "orderType": "limit", "price": "59000.05"}, "41103"),
    (PLACE, {**PLAIN, "orderType": "limit", "price": "90000"}, "40815"),
    (PLACE, {**PLAIN, "orderType": "limit", "price": "30000", "side": "sell"}, "40816"),
    (PLACE, {**PLAIN, "orderType": "limit", "price": "40000", "size": "0.0001"}, "45110"),
    (PLACE, {**PLAIN, "reduceOnly": "YES"}, "22002"),
    (PLACE, {**PLAIN, "presetStopSurplusPrice": "59000"}, "40915"),
    (PLACE, {**PLAIN, "presetStopLossPrice": "61000"}, "40917"),
    (PLACE, {**PLAIN, "side": "sell", "presetStopSurplusPrice": "61000"}, "40832"),
    (PLACE, {**PLAIN, "side": "sell", "presetStopLossPrice": "59000"}, "45122"),
    (LEVERAGE, {**ID, "leverage": "0"}, "45044"),
    (LEVERAGE, {**ID, "leverage": "500"}, "45045"),
    (TPSL, {**ID, "planType": "pos_profit", "triggerPrice": "66000", "holdSide": "buy"}, "40891"),
    (CANCEL, {**ID, "orderId": "123"}, "40768"),
    (CANCEL, {**ID, "orderId": "x"}, "40402"),
    (CANCEL, dict(ID), "40913"),
    ("private_mix_post_v2_mix_order_cancel_all_orders", {"productType": FUTURES}, "22001"),
    ("private_mix_post_v2_mix_order_close_positions", {"productType": FUTURES}, "22002"),
    ("private_mix_get_v2_mix_order_detail", {**ID, "orderId": "123"}, "40109"),
    ("public_mix_get_v2_mix_market_ticker", {"symbol": "NOSUCHUSDT", "productType": FUTURES}, "40034"),
    ("private_mix_post_v2_mix_order_batch_place_order", {**ID, "orderList": []}, "40404"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal[0][-20:]}-{refusal[2]}")
def test_documented_refusals_reach_the_client_and_cost_nothing(
    venue: ccxt.bitget, control: Control, account: dict[str, Any], refusal: tuple[str, Any, str]
) -> None:
    call, sent, code = refusal
    with pytest.raises(ccxt.BaseError):
        getattr(venue, call)(sent)
    assert json.loads(venue.last_http_response)["code"] == code
    assert [row["kind"] for row in control.ledger(account)] == ["deposit"]


def test_refusals_that_need_a_history(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    def refused(call: str, sent: Mapping[str, object]) -> str:
        with pytest.raises(ccxt.BaseError):
            getattr(venue, call)(sent)
        return str(json.loads(venue.last_http_response)["code"])

    venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "dup", "marginMode": "isolated"})
    assert refused(PLACE, {**PLAIN, "clientOid": "dup"}) == "40786"
    assert refused(PLACE, {**PLAIN, "marginMode": "crossed"}) == "45117"
    assert (
        refused("private_mix_post_v2_mix_account_set_margin_mode", {**ID, "marginMode": "crossed"}) == "45117"
    )
    mode = {"productType": FUTURES, "posMode": "hedge_mode"}
    assert refused("private_mix_post_v2_mix_account_set_position_mode", mode) == "40920"
    assert refused(LEVERAGE, {**ID, "leverage": "33"}) == "40730"
    venue.cancel_all_orders(BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"marginMode": "isolated"})
    profit = {**ID, "planType": "pos_profit", "holdSide": "buy", "triggerPrice": "66000"}
    venue.private_mix_post_v2_mix_order_place_tpsl_order(profit)
    assert refused(TPSL, profit) == "43030"
    loss = {**ID, "planType": "pos_loss", "holdSide": "buy", "triggerPrice": "60000"}
    assert refused(TPSL, loss) == "40917"
    venue.private_mix_post_v2_mix_order_place_tpsl_order({**loss, "triggerPrice": "55000"})
    assert refused(TPSL, {**loss, "triggerPrice": "55000"}) == "43031"
    part = {**profit, "planType": "profit_plan", "size": "1"}
    assert refused(TPSL, part) == "40757"
    venue.close_position(BTC)
    venue.set_position_mode(True, BTC)
    assert refused(PLACE, PLAIN) == "40774"
    venue.set_leverage(125, BTC)
    assert refused(PLACE, {**PLAIN, "size": "3", "tradeSide": "open"}) in {"45120", "40762"}
    control.check_ledger(account, wallet(venue))


def test_an_empty_account_is_told_so(venue: ccxt.bitget, control: Control) -> None:
    empty = control.account("0")
    venue.apiKey, venue.secret, venue.password = empty["key"], empty["secret"], empty["passphrase"]
    with pytest.raises(ccxt.BaseError):
        venue.create_order(BTC, "market", "buy", 0.01)
    assert json.loads(venue.last_http_response)["code"] == "40754"


def test_wrong_credentials(venue: ccxt.bitget) -> None:
    venue.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        venue.fetch_balance()
    venue.password = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        venue.fetch_balance()
    venue.apiKey = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        venue.fetch_balance()


def test_the_unified_probe_finds_a_classic_account(venue: ccxt.bitget) -> None:
    venue.options["uta"] = None
    assert venue.fetch_balance()["USDT"]["total"] == 10_000.0
    assert venue.options["uta"] is False


@pytest.mark.filterwarnings(
    "ignore:enable_cleanup_closed ignored:DeprecationWarning"
)  # said by ccxt's own use
async def test_the_whole_way_of_a_trade_async(
    async_venue: ccxt.async_support.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue = async_venue
    assert set(await venue.load_markets()) == {BTC, ETH}
    await venue.set_margin_mode("isolated", BTC)
    await venue.set_leverage(15, BTC)
    params = {"marginMode": "isolated", "takeProfit": {"triggerPrice": 66_000}}
    placed = await venue.create_order(BTC, "market", "buy", 0.013, None, params)
    eth = await asyncio.gather(*(venue.create_order(ETH, "market", "sell", 0.1) for _ in range(3)))
    assert len({order["id"] for order in eth}) == 3
    assert (await venue.fetch_order(placed["id"], BTC))["status"] == "closed"
    assert {p["symbol"]: p["contracts"] for p in await venue.fetch_positions()} == {BTC: 0.013, ETH: 0.3}
    await venue.close_all_positions()
    assert await venue.fetch_positions() == []
    balance = await venue.fetch_balance()
    control.check_ledger(account, balance["info"][0]["accountEquity"])
