"""Margin, statement and market calls over REST: what they answer, what they refuse, and that a refusal changes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges

BASE = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}
A, M = "/api/v2/mix/account/", "/api/v2/mix/market/"

#: From the wire samples, call by call.
KEYS = {
    A + "bill": {"bills", "endId"},
    M + "open-interest": {"openInterestList", "ts"},
    M + "symbol-price": {"symbol", "price", "indexPrice", "markPrice", "ts"},
    M + "oi-limit": {"symbol", "notionalValue", "totalNotionalValue"},
    M + "vip-fee-rate": {
        "level", "dealAmount", "assetAmount", "takerFeeRate", "makerFeeRate", "btcWithdrawAmount",
        "usdtWithdrawAmount",
    },
    M + "current-fund-rate": {
        "symbol", "fundingRate", "fundingRateInterval", "nextUpdate", "minFundingRate", "maxFundingRate"
    },
    M + "funding-time": {"symbol", "nextFundingTime", "ratePeriod"},
    "/api/v2/mix/position/adlRank": {"marginCoin", "symbol", "adlRank"},
    "/api/v2/account/all-account-balance": {"accountType", "usdtBalance"},
}  # fmt: skip
BILL = {"billId", "symbol", "amount", "fee", "feeByCoupon", "businessType", "coin", "balance", "cTime"}


async def held(exchanges: Exchanges, **order: object) -> Client:
    """A client with a long of 0.1 BTC (isolated unless the order says otherwise) of 10000 USDT."""
    client = await exchanges.client(await exchanges.start())
    assert (await client.order("buy", "0.1", **order)).code == "00000"
    return client


async def row(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/api/v2/mix/position/single-position", **BASE)).data[0]
    return found


async def test_answers_have_the_keys_of_the_samples_and_text_values(exchanges: Exchanges) -> None:
    client = await held(exchanges)
    for path, keys in KEYS.items():
        data = (await client.get(path, **BASE)).data
        first = data[0] if isinstance(data, list) else data
        assert set(first) == keys, path
        assert all(isinstance(value, str) for value in first.values() if not isinstance(value, list)), path
    (deposit,) = (await client.get(A + "bill", **BASE, businessType="trans_from_exchange")).data["bills"]
    assert set(deposit) == BILL
    assert (deposit["amount"], deposit["balance"], deposit["fee"]) == ("10000", "10000", "0")
    interest = (await client.get(M + "open-interest", **BASE)).data["openInterestList"]
    assert interest == [{"symbol": "BTCUSDT", "size": "0.1"}]
    assert (await client.get(M + "ticker", **BASE)).data[0]["holdingAmount"] == "0.1"


async def test_margin_is_added_and_taken_back_down_to_the_initial_margin(exchanges: Exchanges) -> None:
    client = await held(exchanges)
    before = Decimal((await row(client))["marginSize"])
    ledger = await client.ledger()
    assert (await client.post(A + "set-margin", **BASE, amount="50", holdSide="long")).data == ""
    assert Decimal((await row(client))["marginSize"]) == before + 50
    assert (await client.post(A + "set-margin", **BASE, amount=-20)).data == ""
    assert Decimal((await row(client))["marginSize"]) == before + 30
    assert await client.ledger() == ledger
    bills = (await client.get(A + "bill", **BASE, limit=2)).data["bills"]
    assert [(b["businessType"], b["amount"]) for b in bills] == [
        ("reduce_margin", "-20"),
        ("append_margin", "50"),
    ]


@pytest.mark.parametrize(
    ("call", "body", "code"),
    [
        ("set-margin", {}, "40019"),
        ("set-margin", {"amount": "0"}, "40020"),
        ("set-margin", {"amount": "x"}, "40020"),
        ("set-margin", {"amount": "1", "holdSide": "both"}, "40020"),
        ("set-margin", {"amount": "1", "holdSide": "short"}, "22002"),
        ("set-margin", {"amount": "20000"}, "40754"),
        ("set-margin", {"amount": "-1"}, "40800"),
        ("set-margin", {"amount": "1", "symbol": "ETHUSDT"}, "22002"),
        ("set-margin", {"amount": "1", "symbol": "NONEUSDT"}, "40102"),
        ("set-margin", {"amount": "1", "marginCoin": "BTC"}, "40020"),
        ("set-auto-margin", {}, "40019"),
        ("set-auto-margin", {"autoMargin": "maybe"}, "40020"),
        ("set-auto-margin", {"autoMargin": "on", "symbol": "ETHUSDT"}, "22002"),
        ("set-asset-mode", {"assetMode": "union"}, "40020"),
        ("set-asset-mode", {}, "40019"),
        ("set-leverage", {}, "40019"),
        ("set-leverage", {"leverage": "0"}, "45044"),
        ("set-leverage", {"leverage": "126"}, "45045"),
        ("set-leverage", {"leverage": "1.5"}, "40020"),
        ("set-margin-mode", {"marginMode": "crossed"}, "45117"),
        ("set-position-mode", {"posMode": "hedge_mode"}, "40920"),
    ],
)
async def test_a_refused_change_changes_nothing(
    one: Client, call: str, body: dict[str, object], code: str
) -> None:
    before = await one.control("/accounts/1"), await one.ledger()
    assert (await one.post(A + call, **(BASE | body))).code == code
    assert (await one.control("/accounts/1"), await one.ledger()) == before


@pytest.fixture
async def one(exchanges: Exchanges) -> Client:
    return await held(exchanges)


async def test_margin_of_a_crossed_position_cannot_be_moved(exchanges: Exchanges) -> None:
    client = await held(exchanges, marginMode="crossed")
    assert (await client.post(A + "set-margin", **BASE, amount="1")).code == "40017"
    assert (await client.post(A + "set-auto-margin", **BASE, autoMargin="on")).code == "40017"


async def test_automatic_margin_shows_in_the_position(exchanges: Exchanges) -> None:
    client = await held(exchanges)
    assert (await client.post(A + "set-auto-margin", **BASE, autoMargin="on", holdSide="long")).data == ""
    assert (await row(client))["autoMargin"] == "on"
    bare = {"symbol": "BTCUSDT", "marginCoin": "USDT", "autoMargin": "off", "holdSide": "long"}
    assert (await client.post(A + "set-auto-margin", **bare)).data == ""
    assert (await row(client))["autoMargin"] == "off"
    assert (await client.post(A + "set-asset-mode", **BASE, assetMode="single")).data == "success"


async def test_what_could_be_opened(exchanges: Exchanges) -> None:
    """10000 USDT at 10x and 50000: 10000 x 10 / (50000 x 1.006) = 1.98807... on a step of 0.0001.

    Tier 1 of BTC ends at 150000 and 125x; at 10x the tiers allow more than that. 500 of margin at 20x
    open 500 x 20 / (50000 x 1.012) = 0.19762... Liquidation isolated at 10x:
    (50000 - 5000) / (1 - 0.004 - 0.0006) = 45207.95660...
    """
    client = await exchanges.client(await exchanges.start())
    await client.post(A + "set-margin-mode", **BASE, marginMode="isolated")
    at: dict[str, object] = {"posSide": "long", "orderType": "limit", "openPrice": "50000"}
    assert (await client.get(A + "max-open", **BASE, **at)).data == {"maxOpen": "1.988"}
    price = (await client.get(A + "liq-price", **BASE, **at, openAmount="0.1")).data["liqPrice"]
    assert price.startswith("45207.9566003616")
    count = {"openAmount": "500", "openPrice": "50000", "leverage": "20"}
    assert (await client.get(A + "open-count", **BASE, **count)).data == {"size": "0.1976"}
    for path, query, code in (
        ("max-open", {"posSide": "both"}, "40020"),
        ("max-open", {"posSide": "long"}, "40019"),
        ("liq-price", at, "40019"),
        ("open-count", count | {"leverage": "999"}, "45044"),
        ("open-count", count | {"openAmount": "-1"}, "40020"),
    ):
        assert (await client.get(A + path, **BASE, **query)).code == code, (path, query)


async def test_the_statement_is_paged_filtered_and_adds_up_to_the_ledger(exchanges: Exchanges) -> None:
    client = await held(exchanges)
    await client.post("/api/v2/mix/order/close-positions", **BASE)
    ledger = await client.ledger()
    rows: list[dict[str, str]] = []
    last: dict[str, object] = {}
    while page := (await client.get(A + "bill", **BASE, limit=1, **last)).data["bills"]:
        rows += page
        last = {"idLessThan": page[-1]["billId"]}
    words = [r["businessType"] for r in rows]  # one line per fill
    assert list(dict.fromkeys(words)) == ["sell", "buy", "trans_from_exchange"]
    total = sum(Decimal(r["amount"]) + Decimal(r["fee"]) for r in rows)
    assert total == sum(Decimal(entry["amount"]) for entry in ledger) == Decimal(rows[0]["balance"])
    assert (await client.get(A + "bill", **BASE, onlyFunding="yes")).data == {"bills": [], "endId": None}
    assert (await client.get(A + "bill", **BASE, businessType="adl_long")).data["bills"] == []
    now, day = int(rows[0]["cTime"]), 86_400_000
    for times, code in (
        ({"startTime": now, "endTime": now - 1}, "40707"),
        ({"startTime": now - 31 * day, "endTime": now}, "40705"),
        ({"onlyFunding": "perhaps"}, "40020"),
        ({"limit": 0}, "40020"),
    ):
        assert (await client.get(A + "bill", **BASE, **times)).code == code, times
    within = (await client.get(A + "bill", **BASE, startTime=now - 30 * day, endTime=now)).data["bills"]
    assert within == rows
