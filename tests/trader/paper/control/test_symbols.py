"""Rules, status, funding and mark of a symbol through the control API, and over a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.trader.paper.client import FUTURES
from tests.trader.paper.conftest import Exchanges

LADDER = [
    {"end": "1000", "leverage": 50, "keep_margin_rate": "0.01"},
    {"end": "5000", "leverage": 10, "keep_margin_rate": "0.05"},
]
M = "/api/v2/mix/market/"
BTC = {"symbol": "BTCUSDT", "productType": FUTURES}


async def test_changes_of_a_symbol_are_seen_and_survive_a_restart(
    exchanges: Exchanges, tmp_path: Path
) -> None:
    server = await exchanges.start(home=tmp_path)
    client = await exchanges.client(server)
    rules = {"tiers": LADDER, "taker_fee": "0.001", "maker_fee": 0.0005, "min_notional": "7"}
    await client.control("/symbols/BTCUSDT", rules)
    await client.control("/symbols/BTCUSDT", {"status": "limit_open"})
    await client.control("/funding", {"symbol": "btcusdt", "rate": "-0.01", "interval_h": 4})
    await client.control("/price", {"symbol": "ETHUSDT", "price": "2500", "mark": "2400"})
    await client.control("/clock", {"advance_ms": 4 * 3_600_000})

    async def picture() -> tuple[Any, ...]:
        rows = [(await client.get(M + path, **BTC)).data for path in (
            "query-position-lever", "contracts", "current-fund-rate", "history-fund-rate")]  # fmt: skip
        rows[2][0].pop("nextUpdate")
        eth = (await client.get(M + "ticker", symbol="ETHUSDT", productType=FUTURES)).data[0]
        return *rows, eth["lastPr"], eth["markPrice"]

    before = await picture()
    tiers, contracts, funding, history, last, mark = before
    assert [(row["endUnit"], row["leverage"], row["keepMarginRate"]) for row in tiers] == [
        ("1000", "50", "0.01"), ("5000", "10", "0.05")]  # fmt: skip
    shown = contracts[0]
    assert (shown["takerFeeRate"], shown["makerFeeRate"], shown["minTradeUSDT"]) == ("0.001", "0.0005", "7")
    assert (shown["maxLever"], shown["symbolStatus"], shown["fundInterval"]) == ("50", "limit_open", "4")
    assert (funding[0]["fundingRate"], funding[0]["minFundingRate"]) == ("-0.01", "-0.01")
    assert [row["fundingRate"] for row in history] == ["-0.01"]
    assert (last, mark) == ("2500", "2400")
    await exchanges.stop(server)
    client = await exchanges.client(await exchanges.start(home=tmp_path))
    assert await picture() == before


@pytest.mark.parametrize(
    ("status", "opens", "closes"),
    [
        ("normal", "00000", "00000"),
        ("limit_open", "45119", "00000"),
        ("restrictedAPI", "45107", "45108"),
        ("maintain", "40308", "40308"),
        ("off", "40309", "40309"),
    ],
)
async def test_what_a_status_admits(exchanges: Exchanges, status: str, opens: str, closes: str) -> None:
    client = await exchanges.client(await exchanges.start())
    await client.order("buy", "0.01")
    await client.control("/symbols/BTCUSDT", {"status": status})
    assert (await client.order("buy", "0.01")).code == opens
    assert (await client.order("sell", "0.01", reduceOnly="YES")).code == closes
    assert (await client.get(M + "contracts", **BTC)).data[0]["symbolStatus"] == status


async def test_a_symbol_waits_for_its_opening(exchanges: Exchanges) -> None:
    client = await exchanges.client(await exchanges.start())
    now_ms = (await client.control("/state"))["clock"]["now_ns"] // 1_000_000
    await client.control("/symbols/BTCUSDT", {"status": "listed", "open_time_ms": now_ms + 60_000})
    assert (await client.order("buy", "0.01")).code == "43119"
    contract = (await client.get(M + "contracts", **BTC)).data[0]
    assert (contract["symbolStatus"], contract["openTime"]) == ("listed", str(now_ms + 60_000))
    await client.control("/clock", {"advance_ms": 61_000})
    assert (await client.order("buy", "0.01")).code == "00000"


async def test_spot_speaks_its_own_words(exchanges: Exchanges) -> None:
    client = await exchanges.client(await exchanges.start())
    await client.control("/symbols", {"symbol": "GAONUSDT", "market": "spot", "price": "0.5"})
    for word in ("halt", "offline", "online"):
        await client.control("/symbols/GAONUSDT", {"market": "spot", "status": word})
        assert (await client.get("/api/v2/spot/public/symbols", symbol="GAONUSDT")).data[0]["status"] == word


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/symbols/BTCUSDT", {"status": "online"}, "status"),
        ("/symbols/BTCUSDT", {"status": "listed"}, "open_time_ms"),
        ("/symbols/BTCUSDT", {"tiers": []}, "tiers"),
        ("/symbols/BTCUSDT", {"tiers": [LADDER[1], LADDER[0]]}, "number 2"),
        (
            "/symbols/BTCUSDT",
            {"tiers": [{"end": "9", "leverage": 50, "keep_margin_rate": "0.02"}]},
            "keep_margin",
        ),
        ("/symbols/BTCUSDT", {"taker_fee": "1"}, "taker_fee"),
        ("/symbols/BTCUSDT", {"taker_fee": "-1"}, "taker_fee"),
        ("/symbols/BTCUSDT", {"taker_fee": "NaN"}, "taker_fee"),
        ("/symbols/BTCUSDT", {"max_leverage": 0}, "leverage"),
        ("/symbols/BTCUSDT", {"market": "spot", "status": "normal"}, "status"),
        ("/symbols/BTCUSDT", {"colour": "red"}, "colour"),
        ("/symbols/NONEUSDT", {"status": "normal"}, "NONEUSDT"),
        ("/funding", {"symbol": "BTCUSDT"}, "rate"),
        ("/funding", {"symbol": "BTCUSDT", "rate": "1"}, "rate"),
        ("/funding", {"symbol": "BTCUSDT", "interval_h": 5}, "interval_h"),
        ("/funding", {"symbol": "BTCUSDT", "next_ms": 1}, "next_ms"),
        ("/price", {"symbol": "BTCUSDT", "price": "1000", "mark": "0"}, "tick"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    exchanges: Exchanges, path: str, body: dict[str, object], word: str
) -> None:
    client = await exchanges.client(await exchanges.start())
    before = await client.control("/symbols/BTCUSDT")
    status, answer = await client.try_control(path, body)
    assert status == 400
    assert word in answer["error"]
    assert await client.control("/symbols/BTCUSDT") == before
