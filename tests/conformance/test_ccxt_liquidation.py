"""A liquidation, and spot symbols that stop trading, as ccxt shows them."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.pro
import pytest

from tests.conformance.clients import classic
from tests.conformance.conftest import Refusals
from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES
from tests.trader.paper.process import Process

BTC = "BTC/USDT:USDT"
ISOLATED = {"marginMode": "isolated"}
ANSWER_S = 10.0


def equity(venue: ccxt.bitget) -> float:
    return float(venue.fetch_balance({"type": "swap"})["USDT"]["total"])


def test_a_long_is_liquidated_by_the_mark_price(
    venue: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    """E 60000, q 0.005, 10x: margin 30, opening fee 0.18, liquidation (300 - 30) / (0.005 (1 - 0.0046)) = 54249.55."""
    venue.set_leverage(10, BTC)
    venue.create_order(BTC, "market", "buy", 0.005, None, {**ISOLATED, "presetStopSurplusPrice": "70000"})
    venue.create_order(BTC, "limit", "sell", 0.002, 62000, {**ISOLATED, "reduceOnly": True})
    assert venue.fetch_position(BTC)["liquidationPrice"] == pytest.approx(54_249.55, abs=0.01)
    with control.held("BTCUSDT", "54250"):
        assert venue.fetch_position(BTC)["contracts"] == 0.005
        assert equity(venue) == pytest.approx(9971.07)  # 10000 - 0.18 - 28.75 unrealised
    with control.held("BTCUSDT", "54249"):
        assert venue.fetch_positions([BTC]) == []
        assert venue.fetch_open_orders(BTC) == []
        assert venue.fetch_open_orders(BTC, params={"planType": "profit_loss", "trigger": True}) == []
    assert equity(venue) == 9969.82
    trade = venue.fetch_my_trades(BTC)[-1]
    assert (trade["side"], trade["amount"]) == ("sell", 0.005)
    assert trade["info"]["tradeSide"] == "burst_sell_single"
    order = venue.fetch_order(trade["order"], BTC)
    assert (order["status"], order["info"]["orderSource"]) == ("closed", "liquidation")
    bills = venue.private_mix_get_v2_mix_account_bill({"productType": FUTURES, "businessType": "burst_sell"})
    (bill,) = bills["data"]["bills"]
    assert float(bill["amount"]) + float(bill["fee"]) == pytest.approx(-30)
    (past,) = venue.fetch_positions_history([BTC])
    assert float(past["info"]["closeTotalPos"]) == 0.005
    control.check_ledger(account, "9969.82")


def test_a_crossed_short_takes_all_there_is(venue: ccxt.bitget, control: Control) -> None:
    """10000 USDT carry 1.6 short at about 60000: 7000 against it is more than they can bear."""
    venue.set_leverage(10, BTC)
    venue.create_order(BTC, "market", "sell", 1.6, None, {"marginMode": "cross"})
    with control.held("BTCUSDT", "67000"):
        assert venue.fetch_positions([BTC]) == []
        assert 0 <= equity(venue) < 100
    assert {trade["info"]["tradeSide"] for trade in venue.fetch_my_trades(BTC)} == {
        "sell_single",
        "burst_buy_single",
    }


@pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")
async def test_a_liquidation_is_streamed(
    streaming: ccxt.pro.bitget, exchange: Process, account: dict[str, Any], control: Control
) -> None:
    await streaming.set_leverage(10, BTC)
    await streaming.create_order(BTC, "market", "buy", 0.005, None, ISOLATED)
    async with asyncio.timeout(ANSWER_S):
        first = asyncio.ensure_future(streaming.watch_balance({"type": "swap"}))
        trades = asyncio.ensure_future(streaming.watch_my_trades(BTC))
        await first  # the login is done
        await streaming.fetch_balance({"type": "swap"})
        await asyncio.to_thread(control.price, "BTCUSDT", "54000")
        try:
            (trade,) = await trades
        finally:
            await asyncio.to_thread(control.price, "BTCUSDT", "60000")
    assert (trade["side"], trade["amount"], trade["info"]["tradeSide"]) == (
        "sell",
        0.005,
        "burst_sell_single",
    )


@pytest.mark.parametrize(("word", "code"), [("halt", "45043"), ("offline", "40309")])
def test_a_spot_symbol_that_stops_trading(
    venue: ccxt.bitget, control: Control, refusals: Refusals, word: str, code: str
) -> None:
    """A resting order stays and can be cancelled; nothing new comes in until it trades again."""
    venue.options["defaultType"] = "spot"
    venue.transfer("USDT", 1000, "swap", "spot")
    resting = venue.create_order("SOL/USDT", "limit", "buy", 1, 149)
    control.call("/symbols/SOLUSDT", {"market": "spot", "status": word})
    try:
        fresh = ccxt.bitget(classic(control.ready, refusals.account))
        assert fresh.load_markets()["SOL/USDT"]["active"] is False
        fresh.session.close()
        assert refusals.code(lambda: venue.create_order("SOL/USDT", "market", "sell", 1)) == code
        assert refusals.code(lambda: venue.create_order("SOL/USDT", "limit", "buy", 1, 149)) == code
        if word == "halt":
            venue.cancel_order(resting["id"], "SOL/USDT")
    finally:
        control.call("/symbols/SOLUSDT", {"market": "spot", "status": "online"})
    assert [row["id"] for row in venue.fetch_open_orders("SOL/USDT")] == (
        [] if word == "halt" else [resting["id"]]
    )
    venue.create_order("SOL/USDT", "limit", "buy", 1, 148)
    venue.cancel_all_orders("SOL/USDT")
