"""ccxt's market data and account calls of a Binance account."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.conformance.venue import Control

BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"


def test_markets(usdm: ccxt.binanceusdm) -> None:
    """Ticks and steps come from the filters; the first bracket's 125x from leverageBracket."""
    assert {BTC, ETH, SOL} <= set(usdm.markets)
    market = usdm.markets[BTC]
    assert (market["swap"], market["linear"], market["active"], market["settle"]) == (
        True,
        True,
        True,
        "USDT",
    )
    assert (market["precision"]["price"], market["precision"]["amount"]) == (0.1, 0.0001)
    assert (market["limits"]["amount"]["min"], market["limits"]["cost"]["min"]) == (0.0001, 5)
    filters = {row["filterType"]: row for row in market["info"]["filters"]}
    assert set(filters) >= {
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
        "MIN_NOTIONAL",
        "PERCENT_PRICE",
    }


def test_prices(usdm: ccxt.binanceusdm) -> None:
    ticker = usdm.fetch_ticker(BTC)
    assert ticker["last"] == 60_000.0
    assert {BTC, ETH, SOL} <= set(usdm.fetch_tickers())
    quotes = usdm.fetch_bids_asks([BTC])
    assert (quotes[BTC]["bid"], quotes[BTC]["ask"]) == (59_999.9, 60_000.0)
    assert usdm.fetch_last_prices([BTC])[BTC]["price"] == 60_000.0
    assert usdm.fetch_mark_price(BTC)["markPrice"] == 60_000.0
    assert usdm.fetch_mark_prices([BTC])[BTC]["markPrice"] == 60_000.0
    assert abs(usdm.fetch_time() - usdm.milliseconds()) < 5_000


@pytest.mark.parametrize("limit", [5, 20, 50])
def test_order_book(usdm: ccxt.binanceusdm, limit: int) -> None:
    book = usdm.fetch_order_book(BTC, limit)
    assert (len(book["bids"]), len(book["asks"])) == (limit, limit)
    assert (book["bids"][0][0], book["asks"][0][0]) == (59_999.9, 60_000.0)
    assert book["nonce"] > 0


def test_trades_and_candles(usdm: ccxt.binanceusdm, control: Control) -> None:
    control.advance(180_000)
    trades = usdm.fetch_trades(SOL)
    assert len({trade["id"] for trade in trades}) == len(trades) > 0
    assert [trade["timestamp"] for trade in trades] == sorted(trade["timestamp"] for trade in trades)
    plain = usdm.fapipublic_get_trades({"symbol": "SOLUSDT", "limit": "5"})
    assert len(plain) == 5
    candles = usdm.fetch_ohlcv(SOL, "1m", limit=10)
    assert len(candles) >= 3
    for (time, opened, high, low, closed, _), (after, *_) in pairwise(candles):
        assert low <= min(opened, closed) <= max(opened, closed) <= high
        assert after - time == 60_000
    for kind in ("mark", "index"):
        assert usdm.fetch_ohlcv(SOL, "1m", limit=3, params={"price": kind})
    assert len(usdm.fapipublic_get_klines({"symbol": "SOLUSDT", "interval": "1m", "limit": "2"})[0]) == 12


def test_funding_and_open_interest(usdm: ccxt.binanceusdm) -> None:
    rate = usdm.fetch_funding_rate(BTC)
    assert rate["fundingRate"] == pytest.approx(0.0001)
    assert rate["fundingTimestamp"] % (8 * 3_600_000) == 0
    assert {BTC, ETH} <= set(usdm.fetch_funding_rates())
    assert usdm.fetch_open_interest(BTC)["openInterestAmount"] >= 0


def test_leverage_brackets(usdm: ccxt.binanceusdm) -> None:
    tiers = usdm.fetch_leverage_tiers([BTC])[BTC]
    assert (tiers[0]["minNotional"], tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == (
        0.0,
        125.0,
        0.004,
    )
    for lower, upper in pairwise(tiers):
        assert lower["maxNotional"] == upper["minNotional"]
        assert lower["maxLeverage"] > upper["maxLeverage"]
        # the sum that makes the maintenance continuous: cum' = cum + floor x (mmr' - mmr)
        step = upper["minNotional"] * (upper["maintenanceMarginRate"] - lower["maintenanceMarginRate"])
        assert float(upper["info"]["cum"]) == pytest.approx(float(lower["info"]["cum"]) + step)


def test_leverage_and_modes_are_read_back(usdm: ccxt.binanceusdm) -> None:
    usdm.set_leverage(25, BTC)
    usdm.set_margin_mode("isolated", BTC)
    found = usdm.fetch_leverages([BTC])[BTC]
    assert (found["marginMode"], found["longLeverage"], found["shortLeverage"]) == ("isolated", 25, 25)
    assert usdm.fetch_margin_mode(BTC)["marginMode"] == "isolated"
    assert usdm.fetch_margin_mode(ETH)["marginMode"] == "cross"
    for hedged in (True, False):
        usdm.set_position_mode(hedged)
        assert usdm.fetch_position_mode()["hedged"] is hedged
    fee = usdm.fetch_trading_fee(BTC)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.0006)
    fees = usdm.fetch_trading_fees()
    assert fees[BTC]["taker"] > 0
    config = usdm.fapiprivate_get_accountconfig()
    assert config["dualSidePosition"] is False
    assert usdm.fapiprivate_get_multiassetsmargin() == {"multiAssetsMargin": False}


def test_margin_is_added_and_taken(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    """20 more behind 0.005 move the liquidation 20 / (0.005 x 0.996) = 4016.06 down."""
    usdm.set_margin_mode("isolated", BTC)
    usdm.set_leverage(10, BTC)
    usdm.create_order(BTC, "market", "buy", 0.005)

    def position() -> Any:
        return next(row for row in usdm.fetch_positions([BTC]) if row["contracts"])

    before = position()
    usdm.add_margin(BTC, 20)
    after = position()
    assert before["liquidationPrice"] - after["liquidationPrice"] == pytest.approx(4_016.06, abs=0.2)
    assert float(after["info"]["isolatedWallet"]) - float(before["info"]["isolatedWallet"]) == pytest.approx(
        20
    )
    usdm.reduce_margin(BTC, 5)
    assert float(position()["info"]["isolatedWallet"]) == pytest.approx(45, abs=0.2)
    rows = usdm.fapiprivate_get_positionmargin_history({"symbol": "BTCUSDT"})
    assert sorted((float(row["amount"]), row["type"]) for row in rows) == [(5.0, 2), (20.0, 1)]
    control.check_money(binance_account, ("open_fee", "-0.18"))


def test_income_over_the_ledger(
    usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    usdm.create_order(BTC, "market", "buy", 0.005)
    usdm.create_order(BTC, "market", "sell", 0.005, None, {"reduceOnly": True})
    rows = usdm.fapiprivate_get_income({"symbol": "BTCUSDT"})
    found = [(row["incomeType"], float(row["income"])) for row in rows if row["incomeType"] != "TRANSFER"]
    assert sorted(found) == [
        ("COMMISSION", -0.18),
        ("COMMISSION", pytest.approx(-0.1799997, abs=1e-8)),
        ("REALIZED_PNL", -0.0005),
    ]
    assert {row["asset"] for row in rows} == {"USDT"}
    only = usdm.fapiprivate_get_income({"incomeType": "REALIZED_PNL"})
    assert [float(row["income"]) for row in only] == [-0.0005]
    ledger = usdm.fetch_ledger("USDT")
    assert sum(row["amount"] * (1 if row["direction"] == "in" else -1) for row in ledger if row["type"] != "transfer") == pytest.approx(-0.3604997)  # fmt: skip


def test_funding_is_booked(usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]) -> None:
    """0.01 at a mark of 60000 make 600 of notional: at 0.0001 a long pays 0.06."""
    usdm.create_order(BTC, "limit", "buy", 0.01, 59_000)
    with control.held("BTCUSDT", "58900"):
        pass
    shown = control.call("/symbols/BTCUSDT")
    now = control.call("/clock", {"advance_ms": 0})["now_ns"] // 10**6
    control.advance(shown["next_ms"] - now + 1_000)
    assert [row["amount"] for row in control.ledger(binance_account) if row["kind"] == "funding"] == ["-0.06"]
    (paid,) = usdm.fetch_funding_history(BTC)
    assert (paid["amount"], paid["symbol"]) == (-0.06, BTC)
    rates = usdm.fetch_funding_rate_history(BTC)
    assert rates[-1]["fundingRate"] == pytest.approx(0.0001)


def test_account_totals(usdm: ccxt.binanceusdm) -> None:
    """Two accounts' shapes: v2 lists every symbol, v3 what is held (§6)."""
    usdm.create_order(BTC, "market", "buy", 0.005)
    third = usdm.fapiprivatev3_get_account()
    assert [row["symbol"] for row in third["positions"]] == ["BTCUSDT"]
    assert float(third["totalWalletBalance"]) == 9_999.82
    second = usdm.fapiprivatev2_get_account()
    assert len(second["positions"]) >= 3
    (held,) = (row for row in usdm.fapiprivatev2_get_positionrisk() if float(row["positionAmt"]))
    assert (held["symbol"], held["marginType"], held["leverage"]) == ("BTCUSDT", "cross", "20")
    assert len(usdm.fapiprivatev2_get_positionrisk()) >= 3


@pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")
async def test_many_orders_at_once(
    usdm_async: ccxt.async_support.binanceusdm, control: Control, binance_account: dict[str, Any]
) -> None:
    venue = usdm_async
    placed = await asyncio.gather(
        *(venue.create_order(BTC, "limit", "buy", 0.001, 59_000 - n) for n in range(20))
    )
    ids = {row["id"] for row in placed}
    assert {row["id"] for row in await venue.fetch_open_orders(BTC)} == ids
    await asyncio.gather(*(venue.cancel_order(number, BTC) for number in ids))
    assert await venue.fetch_open_orders(BTC) == []
    control.check_money(binance_account)
    before = control.picture(binance_account)
    with pytest.raises(ccxt.InsufficientFunds):
        await venue.create_order(BTC, "market", "buy", 50)
    with pytest.raises(ccxt.OrderNotFound):
        await venue.cancel_order("123", BTC)
    assert control.picture(binance_account) == before
