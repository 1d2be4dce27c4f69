"""Unsigned market data."""

from __future__ import annotations

import re

import pytest

from shared import clock
from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges
from trader.paper.server import PaperServer

MARKET = "/api/v2/mix/market"
PRODUCTS = ("USDT-FUTURES", "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES")
NUMBER = re.compile(r"-?\d+(\.\d+)?\Z")


@pytest.fixture
async def public(exchanges: Exchanges) -> Client:
    return await exchanges.client(await exchanges.start(accounts=0))


async def test_time_is_wall_time_in_milliseconds_as_text(public: Client) -> None:
    data = (await public.get("/api/v2/public/time")).data
    assert abs(int(data["serverTime"]) - clock.now_ms()) < 2000


async def test_contracts_of_the_used_and_the_unused_products(public: Client) -> None:
    lists = [(await public.get(f"{MARKET}/contracts", productType=p.lower())).data for p in PRODUCTS]
    assert [len(rows) for rows in lists] == [2, 0, 0, 0, 0, 0]
    row = lists[0][0]
    assert (row["symbol"], row["baseCoin"], row["symbolStatus"], row["supportMarginCoins"]) == (
        "BTCUSDT",
        "BTC",
        "normal",
        ["USDT"],
    )
    tick = float(row["priceEndStep"]) * 10 ** -int(row["pricePlace"])
    assert tick == pytest.approx(0.1)
    assert len((await public.get(f"{MARKET}/contracts", productType=FUTURES, symbol="ETHUSDT")).data) == 1


async def test_prices(public: Client) -> None:
    await public.price("BTCUSDT", "61234.5")
    row = (await public.get(f"{MARKET}/ticker", productType=FUTURES, symbol="BTCUSDT")).data[0]
    assert row["lastPr"] == row["markPrice"] == "61234.5"
    assert float(row["bidPr"]) < float(row["askPr"])
    texts = ("high24h", "low24h", "change24h", "baseVolume", "fundingRate", "open24h", "indexPrice", "ts")
    assert all(NUMBER.match(row[name]) for name in texts)
    assert len((await public.get(f"{MARKET}/tickers", productType=FUTURES)).data) == 2
    assert (await public.get(f"{MARKET}/ticker", productType=FUTURES, symbol="XUSDT")).code == "40034"
    assert (await public.get(f"{MARKET}/ticker", productType=FUTURES)).code == "40019"


async def test_depth_is_numbers_and_merges_away_from_the_middle(public: Client) -> None:
    query = {"productType": FUTURES, "symbol": "BTCUSDT"}
    fine = (await public.get(f"{MARKET}/merge-depth", **query, limit=5)).data
    assert len(fine["asks"]) == len(fine["bids"]) == 5
    assert all(isinstance(number, float | int) for level in fine["asks"] for number in level)
    assert fine["asks"][0][0] > fine["bids"][0][0]
    coarse = (await public.get(f"{MARKET}/merge-depth", **query, limit=1, precision="scale2")).data
    assert coarse["scale"] == "10"
    assert coarse["asks"][0][0] >= fine["asks"][0][0]
    assert coarse["bids"][0][0] <= fine["bids"][0][0]
    assert (await public.get(f"{MARKET}/merge-depth", **query, limit=7)).code == "40020"


async def test_candles_funding_tiers_and_trades(public: Client) -> None:
    query = {"productType": FUTURES, "symbol": "BTCUSDT"}
    candles = (await public.get(f"{MARKET}/candles", **query, granularity="1m")).data
    assert [len(row) for row in candles] == [7] * len(candles) != []
    assert int(candles[-1][0]) % 60_000 == 0
    assert (await public.get(f"{MARKET}/candles", **query, granularity="7m")).code == "40020"
    assert (await public.get(f"{MARKET}/history-candles", **query, granularity="1H")).data
    funding = (await public.get(f"{MARKET}/current-fund-rate", **query)).data[0]
    assert int(funding["nextUpdate"]) > clock.now_ms()
    when = (await public.get(f"{MARKET}/funding-time", **query)).data[0]
    assert when["nextFundingTime"] == funding["nextUpdate"]
    tiers = (await public.get(f"{MARKET}/query-position-lever", **query)).data
    assert tiers[0] == {
        "symbol": "BTCUSDT",
        "level": "1",
        "startUnit": "0",
        "endUnit": "150000",
        "leverage": "125",
        "keepMarginRate": "0.004",
    }
    assert (await public.get(f"{MARKET}/fills", **query)).data == []


async def test_spot_symbols_and_the_calls_that_clients_make_first(
    server: PaperServer, client: Client
) -> None:
    opens = clock.now_ms() + 3_600_000
    body: dict[str, object] = {"symbol": "NEWUSDT", "market": "spot", "price": "1.5", "open_time_ms": opens}
    await client.control("/symbols", body)
    row = (await client.get("/api/v2/spot/public/symbols", symbol="NEWUSDT")).data[0]
    assert (row["status"], row["openTime"], row["quoteCoin"]) == ("gray", str(opens), "USDT")
    assert (await client.get("/api/v2/spot/market/tickers", symbol="NEWUSDT")).data[0]["lastPr"] == "1.5"
    coins = {item["coin"] for item in (await client.get("/api/v2/spot/public/coins")).data}
    assert coins == {"BTC", "ETH", "NEW", "USDT"}
    assert (await client.get("/api/v2/margin/currencies")).data == []
    info = (await client.get("/api/v2/spot/account/info")).data
    assert info["userId"] == str(client.account["id"])
    rate = await client.get("/api/v2/common/trade-rate", symbol="BTCUSDT", businessType="mix")
    assert rate.data == {"makerFeeRate": "0.0002", "takerFeeRate": "0.0006"}
    assert (await client.get("/api/v2/spot/account/assets")).data[0]["available"] == "0"
