"""Account, positions, settings, income and market data over REST."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.trader.paper.binance.rest import BTC, Market, Rest
from tests.trader.paper.binance.test_rest_door import code

D = Decimal


async def test_the_money_of_a_crossed_position_and_a_resting_order(market: Market, rest: Rest) -> None:
    """0.1 at 60000, 20x, mark 61000: notional 6100, margin 305, profit 100; fee 3.6; an order of 0.01 at 59000."""
    await rest.order("BUY", "0.1")
    await rest.order("BUY", "0.01", 59_000)
    market.move(60_000, mark=61_000)
    (balance,) = await rest.get("/fapi/v3/balance")
    assert (balance["balance"], balance["crossUnPnl"]) == ("9996.40000000", "100.00000000")
    assert await rest.get("/fapi/v2/balance") == [balance]
    account = await rest.get("/fapi/v3/account")
    (asset,), (position,) = account["assets"], account["positions"]
    assert asset["walletBalance"] == account["totalWalletBalance"] == "9996.40000000"
    assert account["totalMarginBalance"] == asset["marginBalance"] == "10096.40000000"
    assert account["totalPositionInitialMargin"] == "305.00000000"
    assert D(account["totalOpenOrderInitialMargin"]) == D("29.5") + D("0.354")
    assert D(account["totalMaintMargin"]) == D(6100) * D("0.004")
    assert (position["positionAmt"], position["notional"]) == ("0.1000", "6100")
    (risk,) = await rest.get("/fapi/v3/positionRisk", symbol=BTC)
    assert (risk["entryPrice"], risk["markPrice"], risk["unRealizedProfit"]) == (
        "60000.0",
        "61000.00000000",
        "100.00000000",
    )
    assert (risk["bidNotional"], risk["askNotional"], risk["isolatedMargin"]) == ("590", "0", "0.00000000")
    v2 = await rest.get("/fapi/v2/account")
    assert {row["symbol"] for row in v2["positions"]} == {
        row.symbol for row in market.hub.states.values() if row.market == "futures"
    }
    held = next(row for row in v2["positions"] if row["symbol"] == BTC)
    assert (held["leverage"], held["isolated"], held["positionAmt"]) == ("20", False, "0.1000")


async def test_the_liquidation_price_follows_the_documented_formula(market: Market, rest: Rest) -> None:
    """Isolated, W = margin 300, cum 0, r 0.004: (300 - 0.1 x 60000) / (0.1 x (0.004 - 1))."""
    await rest.post("/fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    await rest.order("BUY", "0.1")
    (risk,) = await rest.get("/fapi/v3/positionRisk")
    expected = (D(300) - D(6000)) / (D("0.1") * D("-0.996"))
    assert abs(D(risk["liquidationPrice"]) - expected) < D("1e-7")
    assert (risk["isolatedWallet"], risk["isolatedMargin"]) == ("300.00000000", "300.00000000")
    (v2,) = await rest.get("/fapi/v2/positionRisk", symbol=BTC)
    assert (v2["marginType"], v2["leverage"], v2["isAutoAddMargin"]) == ("isolated", "20", "false")


async def test_leverage(market: Market, rest: Rest) -> None:
    path = "/fapi/v1/leverage"
    answer = await rest.post(path, symbol=BTC, leverage=10)
    assert answer == {"leverage": 10, "maxNotionalValue": answer["maxNotionalValue"], "symbol": BTC}
    for wrong, expected in (("0", -4028), ("126", -4028), ("x", -1102), ("", -1102), ("1.5", -1102)):
        assert code(await rest.post(path, symbol=BTC, leverage=wrong)) == expected
    (config,) = await rest.get("/fapi/v1/symbolConfig", symbol=BTC)
    assert (config["leverage"], config["marginType"]) == (10, "CROSSED")
    await rest.order("BUY", "0.01", 59_000)
    locked = rest.account.locked
    assert (await rest.post(path, symbol=BTC, leverage=20))["leverage"] == 20
    assert rest.account.locked == locked - D("29.5")
    await rest.delete("/fapi/v1/allOpenOrders", symbol=BTC)
    assert rest.account.locked == 0
    await rest.post("/fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    await rest.order("BUY", "0.01")
    assert code(await rest.post(path, symbol=BTC, leverage=10)) == -4161
    assert (await rest.post(path, symbol=BTC, leverage=40))["leverage"] == 40


async def test_modes_say_when_they_are_what_they_should_be(market: Market, rest: Rest) -> None:
    kind, dual, multi = "/fapi/v1/marginType", "/fapi/v1/positionSide/dual", "/fapi/v1/multiAssetsMargin"
    assert code(await rest.post(kind, symbol=BTC, marginType="CROSSED")) == -4046
    assert code(await rest.post(kind, symbol=BTC, marginType="crossed")) == -1130
    assert code(await rest.post(dual, dualSidePosition="false")) == -4059
    await rest.order("BUY", "0.01", 59_000)
    assert code(await rest.post(kind, symbol=BTC, marginType="ISOLATED")) == -4047
    assert code(await rest.post(dual, dualSidePosition="true")) == -4067
    await rest.delete("/fapi/v1/allOpenOrders", symbol=BTC)
    await rest.order("BUY", "0.01")
    assert code(await rest.post(kind, symbol=BTC, marginType="ISOLATED")) == -4048
    assert code(await rest.post(dual, dualSidePosition="true")) == -4068
    await rest.order("SELL", "0.01", reduceOnly="True")
    assert await rest.post(kind, symbol=BTC, marginType="ISOLATED") == {"code": 200, "msg": "success"}
    assert await rest.post(dual, dualSidePosition="True") == {"code": 200, "msg": "success"}
    assert await rest.get(dual) == {"dualSidePosition": True}
    assert (await rest.get("/fapi/v1/accountConfig"))["dualSidePosition"] is True
    assert await rest.get(multi) == {"multiAssetsMargin": False}
    assert code(await rest.post(multi, multiAssetsMargin="false")) == -4171
    assert code(await rest.post(multi, multiAssetsMargin="true")) == -4167


async def test_margin_is_added_and_taken_back(market: Market, rest: Rest) -> None:
    path = "/fapi/v1/positionMargin"
    assert code(await rest.post(path, symbol=BTC, amount="5", type=1)) == -4049
    await rest.post("/fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    assert code(await rest.post(path, symbol=BTC, amount="5", type=1)) == -4054
    await rest.order("BUY", "0.1")
    answer = await rest.post(path, symbol=BTC, amount="50", type=1)
    assert (answer["code"], answer["amount"], answer["type"]) == (200, 50, 1)
    await rest.post(path, symbol=BTC, amount="20", type=2, positionSide="BOTH")
    for params, expected in (
        ({"amount": "99999", "type": 1}, -4050),
        ({"amount": "99", "type": 2}, -4051),
        ({"amount": "0", "type": 1}, -4055),
        ({"amount": "5", "type": 3}, -1130),
        ({"amount": "5", "type": 1, "positionSide": "LONG"}, -4061),
    ):
        assert code(await rest.post(path, symbol=BTC, **params)) == expected
    rows = await rest.get(f"{path}/history", symbol=BTC)
    assert [(row["type"], row["amount"], row["positionSide"]) for row in rows] == [
        (2, "20", "BOTH"),
        (1, "50", "BOTH"),
    ]
    assert [row["type"] for row in await rest.get(f"{path}/history", symbol=BTC, type=1)] == [1]


async def test_income_is_the_ledger(market: Market, rest: Rest) -> None:
    path = "/fapi/v1/income"
    await rest.order("BUY", "0.01")
    market.hub.tick(market.hub.next_due_ns)
    await rest.order("SELL", "0.01")
    rows = await rest.get(path)
    kinds = [row["incomeType"] for row in rows]
    assert kinds == ["TRANSFER", "COMMISSION", "FUNDING_FEE", "REALIZED_PNL", "COMMISSION"]
    assert [(row["incomeType"], D(row["income"])) for row in rows] == [
        (kind, D(amount)) for kind, (_, amount) in zip(kinds, rest.ledger(), strict=True)
    ]
    (balance,) = await rest.get("/fapi/v3/balance")
    assert sum(D(row["income"]) for row in rows) == D(balance["balance"])
    trades = {str(row["id"]) for row in await rest.get("/fapi/v1/userTrades", symbol=BTC)}
    assert {row["tradeId"] for row in rows} - {""} == trades
    assert await rest.get(path, incomeType="FUNDING_FEE") == rows[2:3]
    assert await rest.get(path, symbol=BTC, limit=2) == rows[-2:]
    start = rows[1]["time"]
    assert await rest.get(path, startTime=start) == rows[1:]
    assert await rest.get(path, startTime=start, limit=2, page=2) == rows[3:5]
    assert await rest.get(path, startTime=1, endTime=rows[0]["time"] - 1) == []
    assert code(await rest.get(path, incomeType="LUCK")) == -1130


async def test_a_liquidation_shows_as_forced(market: Market, rest: Rest) -> None:
    await rest.post("/fapi/v1/marginType", symbol=BTC, marginType="ISOLATED")
    await rest.order("BUY", "0.1")
    market.move(50_000)
    (row,) = await rest.get("/fapi/v1/forceOrders")
    assert (row["status"], row["type"], row["timeInForce"], row["side"]) == ("FILLED", "LIMIT", "IOC", "SELL")
    assert row["clientOrderId"].startswith("autoclose-")
    assert await rest.get("/fapi/v1/forceOrders", autoCloseType="ADL") == []
    assert await rest.get("/fapi/v3/positionRisk") == []


# market data


async def test_contracts_and_their_filters(market: Market, rest: Rest) -> None:
    info = await rest.raw("GET", "/fapi/v1/exchangeInfo", key="")
    row = next(row for row in info["symbols"] if row["symbol"] == BTC)
    assert (row["status"], row["contractType"], row["marginAsset"]) == ("TRADING", "PERPETUAL", "USDT")
    filters: dict[str, Any] = {item["filterType"]: item for item in row["filters"]}
    assert set(filters) >= {
        "PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MAX_NUM_ORDERS", "MAX_NUM_ALGO_ORDERS",
        "MIN_NOTIONAL", "PERCENT_PRICE",
    }  # fmt: skip
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert (filters["PERCENT_PRICE"]["multiplierUp"], filters["MIN_NOTIONAL"]["notional"]) == ("1.0500", "5")
    limits = {(row["rateLimitType"], row["interval"]): row["limit"] for row in info["rateLimits"]}
    assert limits == {
        ("REQUEST_WEIGHT", "MINUTE"): 2400,
        ("ORDERS", "MINUTE"): 1200,
        ("ORDERS", "SECOND"): 300,
    }
    brackets = await rest.get("/fapi/v1/leverageBracket", symbol=BTC)
    first, second = brackets[0]["brackets"][:2]
    assert (first["notionalFloor"], first["cum"]) == (0, 0)
    gap = second["maintMarginRatio"] - first["maintMarginRatio"]
    assert second["cum"] == pytest.approx(float(second["notionalFloor"] * gap))


async def test_prices(market: Market, rest: Rest) -> None:
    async def ask(path: str, query: str = f"symbol={BTC}") -> Any:
        return await rest.raw("GET", path, query, key="")

    depth = await ask("/fapi/v1/depth", f"symbol={BTC}&limit=5")
    assert (len(depth["bids"]), len(depth["asks"])) == (5, 5)
    best = await ask("/fapi/v1/ticker/bookTicker")
    assert [best["bidPrice"], best["bidQty"]] == depth["bids"][0]
    assert (await ask("/fapi/v1/ticker/price"))["price"] == "60000.0"
    assert (await ask("/fapi/v1/premiumIndex"))["markPrice"] == "60000.00000000"
    assert (await ask("/fapi/v1/openInterest"))["openInterest"] == "0.0000"
    for path in ("ticker/24hr", "ticker/price", "ticker/bookTicker", "premiumIndex"):
        many = await ask(f"/fapi/v1/{path}", "")
        assert {row["symbol"] for row in many} >= {BTC}
    for interval in ("1m", "1h", "1d", "1w", "1M"):
        *_, candle = await ask("/fapi/v1/klines", f"symbol={BTC}&interval={interval}")
        assert (len(candle), candle[4]) == (12, "60000.0")
        assert candle[0] <= market.clock.now_ns() // 10**6 <= candle[6]
    pair = f"pair={BTC}&interval=1m"
    assert len((await ask("/fapi/v1/continuousKlines", f"{pair}&contractType=PERPETUAL"))[0]) == 12
    assert await ask("/fapi/v1/continuousKlines", f"{pair}&contractType=CURRENT_QUARTER") == []
    for path, query, expected in (
        ("klines", f"symbol={BTC}&interval=7m", -1120),
        ("klines", f"symbol={BTC}", -1102),
        ("klines", f"symbol={BTC}&interval=1m&limit=0", -1130),
        ("depth", f"symbol={BTC}&limit=7", -4021),
        ("depth", "symbol=NOSUCH", -1121),
        ("depth", "", -1102),
    ):
        assert code(await ask(f"/fapi/v1/{path}", query)) == expected


async def test_trades_are_numbered_and_paged(market: Market, rest: Rest) -> None:
    state = market.state
    for at in range(3):
        market.hub.feed_trade(state, D(60_000 + at), D("0.5"), "sell" if at else "buy", market.clock.now_ns())
    rows = await rest.raw("GET", "/fapi/v1/trades", f"symbol={BTC}", key="")
    assert [row["isBuyerMaker"] for row in rows] == [False, True, True]
    ids = [row["id"] for row in rows]
    assert ids == list(range(ids[0], ids[0] + 3))
    old = await rest.raw("GET", "/fapi/v1/historicalTrades", f"symbol={BTC}&fromId={ids[1]}")
    assert old == rows[1:]
    assert code(await rest.raw("GET", "/fapi/v1/historicalTrades", f"symbol={BTC}", key="")) == -2014
    joined = await rest.raw("GET", "/fapi/v1/aggTrades", f"symbol={BTC}&fromId={ids[2]}", key="")
    assert [(row["a"], row["p"], row["m"]) for row in joined] == [(ids[2], "60002.0", True)]
    day = await rest.raw("GET", "/fapi/v1/ticker/24hr", f"symbol={BTC}", key="")
    assert (day["lastId"], day["count"], day["lastQty"]) == (ids[2], 3, "0.5000")


async def test_settled_funding(market: Market, rest: Rest) -> None:
    assert await rest.raw("GET", "/fapi/v1/fundingRate", f"symbol={BTC}", key="") == []
    due = market.hub.next_due_ns
    market.hub.tick(due)
    (row,) = await rest.raw("GET", "/fapi/v1/fundingRate", f"symbol={BTC}", key="")
    assert row == {
        "symbol": BTC,
        "fundingTime": due // 10**6,
        "fundingRate": "0.00010000",
        "markPrice": "60000.00000000",
    }
    info = await rest.raw("GET", "/fapi/v1/fundingInfo", key="")
    assert {row["fundingIntervalHours"] for row in info} == {8}
