"""ccxt's market data, futures and spot."""

from __future__ import annotations

from itertools import pairwise

import ccxt
import pytest

from tests.conformance.venue import Control

BTC, ETH, SOL = "BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT"
SPOT_BTC, SPOT_SOL = "BTC/USDT", "SOL/USDT"


def test_markets(venue: ccxt.bitget) -> None:
    markets = venue.load_markets(reload=True)
    assert set(markets) == {BTC, ETH, SOL, SPOT_BTC, SPOT_SOL}
    market = markets[BTC]
    assert (market["swap"], market["linear"], market["active"], market["settle"]) == (
        True,
        True,
        True,
        "USDT",
    )
    assert market["precision"] == {**market["precision"], "price": 0.1, "amount": 0.0001}
    assert market["limits"]["leverage"]["max"] == 125
    assert market["limits"]["cost"]["min"] == 5
    assert (market["taker"], market["maker"]) == (0.0006, 0.0002)
    spot = markets[SPOT_BTC]
    assert (spot["spot"], spot["active"], spot["base"], spot["quote"]) == (True, True, "BTC", "USDT")
    assert (spot["taker"], spot["maker"]) == (0.001, 0.001)
    assert spot["precision"]["price"] == pytest.approx(0.01)


def test_a_symbol_that_is_not_open_is_not_active(venue: ccxt.bitget, control: Control) -> None:
    soon = venue.milliseconds() + 400 * 86_400_000
    for market in ("futures", "spot"):
        name = f"SOON{market.upper()}USDT"
        control.call("/symbols", {"symbol": name, "market": market, "price": "1", "open_time_ms": soon})
    markets = venue.load_markets(reload=True)
    assert markets["SOONFUTURES/USDT:USDT"]["active"] is False
    assert markets["SOONSPOT/USDT"]["active"] is False
    assert markets["SOONSPOT/USDT"]["info"]["status"] == "gray"
    assert markets["SOONSPOT/USDT"]["info"]["openTime"] == str(soon)
    assert markets["SOONFUTURES/USDT:USDT"]["info"]["symbolStatus"] == "listed"


def test_tickers(venue: ccxt.bitget) -> None:
    ticker = venue.fetch_ticker(BTC)
    assert (ticker["last"], ticker["markPrice"]) == (60_000.0, 60_000.0)
    assert ticker["bid"] < ticker["ask"]
    assert ticker["low"] <= ticker["last"] <= ticker["high"]
    assert {BTC, ETH, SOL} <= set(venue.fetch_tickers())
    spot = venue.fetch_ticker(SPOT_BTC)
    assert spot["last"] == 60_000.0
    assert spot["bid"] < spot["ask"]
    assert {SPOT_BTC, SPOT_SOL} <= set(venue.fetch_tickers([SPOT_BTC, SPOT_SOL]))
    assert venue.fetch_mark_price(BTC)["markPrice"] == 60_000.0


@pytest.mark.parametrize("symbol", [BTC, SPOT_BTC])
def test_order_book(venue: ccxt.bitget, symbol: str) -> None:
    book = venue.fetch_order_book(symbol, 5)
    assert (len(book["bids"]), len(book["asks"])) == (5, 5)
    bids, asks = [level[0] for level in book["bids"]], [level[0] for level in book["asks"]]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < 60_000.0 < asks[0] or bids[0] <= 60_000.0 <= asks[0]
    ticker = venue.fetch_ticker(symbol)
    assert (ticker["bid"], ticker["ask"]) == (bids[0], asks[0])


@pytest.mark.parametrize("symbol", [SOL, SPOT_SOL])
def test_trades_and_candles(venue: ccxt.bitget, control: Control, symbol: str) -> None:
    control.advance(180_000)
    trades = venue.fetch_trades(symbol)
    assert trades
    assert [trade["timestamp"] for trade in trades] == sorted(trade["timestamp"] for trade in trades)
    assert len({trade["id"] for trade in trades}) == len(trades)
    assert all(trade["amount"] > 0 and trade["side"] in {"buy", "sell"} for trade in trades)
    candles = venue.fetch_ohlcv(symbol, "1m")
    assert len(candles) >= 3
    for (time, *prices, _), (after, *_) in pairwise(candles):
        opened, high, low, closed = prices
        assert low <= min(opened, closed) <= max(opened, closed) <= high
        assert after - time == 60_000
    assert venue.fetch_ohlcv(symbol, "1m", limit=2) == candles[-2:] or len(candles) > 2
    assert len(venue.fetch_ohlcv(symbol, "5m")) >= 1
    middle = candles[-2][0]
    # ccxt cuts a range at its own clock, which the tape's may be ahead of: asked in the venue's words
    call = venue.public_spot_get_v2_spot_market_candles
    query = {"symbol": "SOLUSDT", "granularity": "1min"}
    if symbol == SOL:
        call = venue.public_mix_get_v2_mix_market_candles
        query = {"symbol": "SOLUSDT", "granularity": "1m", "productType": "USDT-FUTURES"}
    found = call(query | {"startTime": str(middle), "endTime": str(middle + 60_000), "limit": "1"})["data"]
    assert [int(row[0]) for row in found] == [middle]


@pytest.mark.parametrize("kind", ["mark", "index"])
def test_mark_and_index_candles(venue: ccxt.bitget, kind: str) -> None:
    candles = venue.fetch_ohlcv(BTC, "1m", limit=5, params={"price": kind})
    assert candles
    assert all(candle[4] == pytest.approx(60_000, rel=0.01) for candle in candles)


def test_funding(venue: ccxt.bitget) -> None:
    rate = venue.fetch_funding_rate(BTC)
    assert rate["fundingRate"] == pytest.approx(0.0001)
    assert rate["interval"] == "8h"
    assert rate["fundingTimestamp"] % (8 * 3_600_000) == 0
    interval = venue.fetch_funding_interval(BTC)
    assert interval["interval"] == "8h"
    assert set(venue.fetch_funding_rates([BTC, ETH])) == {BTC, ETH}


def test_open_interest(venue: ccxt.bitget) -> None:
    found = venue.fetch_open_interest(BTC)
    assert found["symbol"] == BTC
    assert found["openInterestAmount"] >= 0


def test_fees_time_and_coins(venue: ccxt.bitget) -> None:
    assert venue.fetch_trading_fee(BTC)["taker"] == 0.0006
    assert venue.fetch_trading_fee(SPOT_BTC)["taker"] == 0.001
    assert abs(venue.fetch_time() - venue.milliseconds()) < 5_000
    assert {"BTC", "USDT", "SOL"} <= set(venue.fetch_currencies())


@pytest.mark.parametrize(
    "product", ["COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"]
)
def test_other_products_are_empty(venue: ccxt.bitget, product: str) -> None:
    query = {"productType": product}
    assert venue.public_mix_get_v2_mix_market_contracts(query)["data"] == []
    assert venue.public_mix_get_v2_mix_market_tickers(query)["data"] == []
    assert venue.private_mix_get_v2_mix_position_all_position(query)["data"] == []
    assert venue.private_mix_get_v2_mix_account_accounts(query)["data"] == []
