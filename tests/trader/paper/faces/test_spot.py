"""Spot over the venue's own protocol. The tape stands still: BTCUSDT at 60000, tick 0.1, step 0.0001, fee 0.1 %."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from shared import clock
from tests.trader.paper.client import Answer, Client
from tests.trader.paper.conftest import Exchanges
from tests.trader.paper.process import Processes
from trader.paper.server import PaperServer

TRADE = "/api/v2/spot/trade"
MARKET = "/api/v2/spot/market"
ACCOUNT = "/api/v2/spot/account"
SAMPLES = Path(__file__).parents[5] / "shared/reference/wire_samples/bitget.json"


@pytest.fixture
async def rich(exchanges: Exchanges, server: PaperServer) -> Client:
    """10000 USDT for futures; 1000 USDT and 0.5 BTC on spot."""
    first = await exchanges.client(server)
    spot = {"USDT": "1000", "BTC": "0.5"}
    made = await first.control("/accounts", {"balance": 10_000, "spot": spot})
    client = Client(server.ready, made)
    exchanges.clients.append(await client.__aenter__())
    return client


async def order(client: Client, side: str, size: str, price: str | None = None, /, **more: object) -> Answer:
    body: dict[str, object] = {"symbol": "BTCUSDT", "side": side, "size": size, "force": "gtc"}
    body |= {"orderType": "market"} if price is None else {"orderType": "limit", "price": price}
    return await client.post(f"{TRADE}/place-order", **(body | more))


async def coins(client: Client) -> dict[str, tuple[str, str]]:
    """coin -> (available, frozen)."""
    rows = (await client.get(f"{ACCOUNT}/assets")).data
    return {row["coin"]: (row["available"], row["frozen"]) for row in rows}


async def test_an_order_and_everything_that_is_said_of_it(rich: Client) -> None:
    placed = (await order(rich, "buy", "0.01", "59000", clientOid="far")).data
    assert set(placed) == {"orderId", "clientOid"}
    (row,) = (await rich.get(f"{TRADE}/unfilled-orders", symbol="BTCUSDT")).data
    assert row["priceAvg"] == "59000.0000000000000000"
    assert (row["basePrice"], row["size"], row["status"]) == ("0", "0.0100000000000000", "live")
    assert await coins(rich) == {"USDT": ("410", "590"), "BTC": ("0.5", "0")}
    cancelled = await rich.post(f"{TRADE}/cancel-order", symbol="BTCUSDT", clientOid="far")
    assert cancelled.data == placed
    (info,) = (await rich.get(f"{TRADE}/orderInfo", orderId=placed["orderId"])).data
    assert (info["status"], info["feeDetail"], info["priceAvg"]) == ("cancelled", "", "0")

    bought = (await order(rich, "buy", "120", clientOid="now")).data
    (info,) = (await rich.get(f"{TRADE}/orderInfo", clientOid="now")).data
    # the ask is a tick or more above 60000: 120 buys 0.0019, its fee is 0.0000019
    assert (info["status"], info["size"], info["price"]) == ("filled", "120.0000000000000000", "0")
    assert info["baseVolume"] == "0.0019000000000000"
    fees = json.loads(info["feeDetail"])
    assert fees["BTC"] == {
        "deduction": False, "feeCoinCode": "BTC", "totalDeductionFee": 0, "totalFee": -0.0000019
    }  # fmt: skip
    assert set(fees) == {"newFees", "BTC"}
    (fill,) = (await rich.get(f"{TRADE}/fills", symbol="BTCUSDT", orderId=bought["orderId"])).data
    assert fill["feeDetail"] == {
        "deduction": "no", "feeCoin": "BTC", "totalDeductionFee": "", "totalFee": "-0.0000019"
    }  # fmt: skip
    assert (fill["size"], fill["tradeScope"]) == ("0.0019", "taker")
    history = (await rich.get(f"{TRADE}/history-orders", symbol="BTCUSDT")).data
    assert [(row["clientOid"], row["tpslType"]) for row in history] == [("now", "normal"), ("far", "normal")]
    assert (await coins(rich))["BTC"] == ("0.5018981", "0")
    bills = (await rich.get(f"{ACCOUNT}/bills", coin="BTC", groupType="transaction")).data
    assert [(row["businessType"], row["size"], row["fees"], row["balance"]) for row in bills] == [
        ("buy", "0.0019", "-0.0000019", "0.5018981")
    ]
    assert len((await rich.get(f"{ACCOUNT}/bills")).data) == 4
    assert [
        b["coin"] for b in (await rich.get(f"{ACCOUNT}/bills", businessType="deposit", limit=1)).data
    ] == ["BTC"]


PLACE_REFUSALS: list[tuple[str, str, str | None, dict[str, object], str]] = [
    ("buy", "1001", None, {}, "43012"),
    ("sell", "0.6", None, {}, "43012"),
    ("sell", "0.6", "61000", {}, "43012"),
    ("buy", "0.5", None, {}, "45110"),
    ("buy", "0.00001", "59000", {}, "40808"),
    ("buy", "0", "59000", {}, "43006"),
    ("buy", "99999", "59000", {}, "43007"),
    ("buy", "0.01", "59000.01", {}, "41103"),
    ("buy", "0.01", "63000.1", {}, "43009"),
    ("sell", "0.01", "56999.9", {}, "43008"),
    ("buy", "0.01", "59000", {"clientOid": "taken"}, "43118"),
    ("buy", "0.01", "59000", {"clientOid": "x" * 65}, "40305"),
    ("buy", "0.01", "59000", {"symbol": "NONEUSDT"}, "40102"),
    ("buy", "0.01", "59000", {"symbol": None}, "40019"),
    ("buy", "0.01", "59000", {"price": None}, "40019"),
    ("buy", "0.01", "59000", {"force": "never"}, "40020"),
    ("buy", "0.01", "59000", {"presetTakeProfitPrice": "58000"}, "40915"),
    ("buy", "0.01", "59000", {"presetStopLossPrice": "59500"}, "40917"),
    ("buy", "0.01", "59000", {"tpslType": "tpsl"}, "40019"),
    ("buy", "0.01", "59000", {"requestTime": "1700000000000", "receiveWindow": "5000"}, "40008"),
]


async def test_every_refusal_of_an_order_leaves_all_as_it_was(rich: Client) -> None:
    assert (await order(rich, "buy", "0.001", "59000", clientOid="taken")).code == "00000"
    before = await rich.control(f"/accounts/{rich.account['id']}"), await rich.ledger()
    for side, size, price, more, code in PLACE_REFUSALS:
        answer = await order(rich, side, size, price, **more)
        assert (answer.status, answer.code) == (400, code), (side, size, price, more, answer)
        assert answer.body["data"] is None
    for path, body, code in (
        ("cancel-order", {"symbol": "BTCUSDT", "orderId": "1"}, "43001"),
        ("cancel-order", {"symbol": "BTCUSDT"}, "40913"),
        ("cancel-order", {"symbol": "ETHUSDT", "clientOid": "taken"}, "43001"),
        ("cancel-symbol-order", {"symbol": "NONEUSDT"}, "40102"),
        (
            "cancel-replace-order",
            {"symbol": "BTCUSDT", "clientOid": "no", "price": "1", "size": "1"},
            "43001",
        ),
        (
            "cancel-replace-order",
            {"symbol": "BTCUSDT", "clientOid": "taken", "price": "59000", "size": "0.1"},
            "43012",
        ),
        ("cancel-plan-order", {"orderId": "1"}, "43025"),
        ("modify-plan-order", {"orderId": "1", "triggerPrice": "1"}, "43025"),
        ("batch-orders", {"symbol": "BTCUSDT", "orderList": [{}] * 51}, "40912"),
        ("batch-orders", {"symbol": "BTCUSDT", "orderList": "x"}, "40020"),
    ):
        answer = await rich.post(f"{TRADE}/{path}", **body)
        assert (answer.status, answer.code) == (400, code), (path, body, answer)
    assert (await rich.get(f"{TRADE}/orderInfo", orderId="1")).code == "40109"
    assert (await rich.get(f"{TRADE}/plan-sub-order", planOrderId="1")).code == "43025"
    assert (await rich.control(f"/accounts/{rich.account['id']}"), await rich.ledger()) == before


async def test_batches_and_replacements(rich: Client) -> None:
    one = {"side": "buy", "orderType": "limit", "force": "gtc", "price": "59000", "size": "0.001"}
    rows = [one | {"clientOid": "a"}, one | {"clientOid": "b"}, one | {"clientOid": "a"}]
    placed = (await rich.post(f"{TRADE}/batch-orders", symbol="BTCUSDT", orderList=rows)).data
    assert [row["clientOid"] for row in placed["successList"]] == ["a", "b"]
    assert [(row["clientOid"], row["errorCode"]) for row in placed["failureList"]] == [("a", "43118")]
    changed = (
        await rich.post(
            f"{TRADE}/cancel-replace-order",
            symbol="BTCUSDT", clientOid="a", newClientOid="c", price="58000", size="0.002",
        )
    ).data  # fmt: skip
    assert (changed["clientOid"], changed["success"], changed["msg"]) == ("c", "success", None)
    item = {"symbol": "BTCUSDT", "clientOid": "b", "price": "58000", "size": "1"}
    (refused,) = (await rich.post(f"{TRADE}/batch-cancel-replace-order", orderList=[item])).data
    assert refused["success"] == "failure"
    assert (await coins(rich))["USDT"] == ("825", "175")
    gone = (
        await rich.post(
            f"{TRADE}/batch-cancel-order",
            symbol="BTCUSDT",
            orderList=[{"clientOid": "b"}, {"clientOid": "x"}],
        )
    ).data
    assert [row["clientOid"] for row in gone["successList"]] == ["b"]
    assert [row["errorCode"] for row in gone["failureList"]] == ["43001"]
    assert (await rich.post(f"{TRADE}/cancel-symbol-order", symbol="btcusdt")).data == {"symbol": "BTCUSDT"}
    assert await coins(rich) == {"USDT": ("1000", "0"), "BTC": ("0.5", "0")}


async def test_plans_and_waiting_orders(rich: Client) -> None:
    body: dict[str, object] = {"symbol": "BTCUSDT", "side": "sell", "size": "0.1", "orderType": "market"}
    plan = (
        await rich.post(f"{TRADE}/place-plan-order", **body, triggerPrice="58000", triggerType="mark_price")
    ).data
    listed = (await rich.get(f"{TRADE}/current-plan-order", symbol="BTCUSDT")).data
    assert (listed["nextFlag"], listed["idLessThan"]) == (False, plan["orderId"])
    assert [(row["status"], row["planType"]) for row in listed["orderList"]] == [("live", "amount")]
    changed = {"orderId": plan["orderId"], "triggerPrice": "58500", "size": "0.2", "orderType": "market"}
    assert (await rich.post(f"{TRADE}/modify-plan-order", **changed)).data == plan
    waiting = (await order(rich, "sell", "0.1", tpslType="tpsl", triggerPrice="57000")).data
    assert (await rich.get(f"{TRADE}/unfilled-orders")).data == []
    (row,) = (await rich.get(f"{TRADE}/unfilled-orders", tpslType="tpsl")).data
    assert (row["orderId"], row["tpslType"], row["triggerPrice"]) == (waiting["orderId"], "tpsl", "57000")
    assert (await coins(rich))["BTC"] == ("0.4", "0.1")
    await rich.price("BTCUSDT", "58500")
    (done,) = (await rich.get(f"{TRADE}/history-plan-order", symbol="BTCUSDT")).data["orderList"]
    assert (done["status"], done["size"]) == ("executed", "0.2")
    (sub,) = (await rich.get(f"{TRADE}/plan-sub-order", planOrderId=plan["orderId"])).data
    (made,) = (await rich.get(f"{TRADE}/orderInfo", clientOid=plan["orderId"])).data
    assert (sub["orderId"], sub["status"]) == (made["orderId"], "success")
    assert (made["status"], made["orderSource"]) == ("filled", "plan_market")
    await rich.price("BTCUSDT", "57000")
    (info,) = (await rich.get(f"{TRADE}/orderInfo", orderId=waiting["orderId"])).data
    assert info["status"] == "filled"
    again = (await rich.post(f"{TRADE}/place-plan-order", **body, triggerPrice="50000")).data
    cleared = (await rich.post(f"{TRADE}/batch-cancel-plan-order", symbolList=["BTCUSDT"])).data
    assert cleared == {"successList": [again], "failureList": []}
    assert (await rich.post(f"{TRADE}/cancel-plan-order", orderId=again["orderId"])).code == "43025"


async def test_transfers(rich: Client) -> None:
    body: dict[str, object] = {"fromType": "usdt_futures", "toType": "spot", "amount": 250.5, "coin": "usdt"}
    done = (await rich.post("/api/v2/spot/wallet/transfer", **body, clientOid="t")).data
    assert done["clientOid"] == "t"
    before = await rich.ledger()
    for changes, code in (
        ({"clientOid": "t"}, "43118"),
        ({"amount": "99999"}, "40754"),
        ({"fromType": "spot", "toType": "usdt_futures", "amount": "1250.6"}, "43012"),
        ({"toType": "p2p"}, "40020"),
        ({"toType": "moon"}, "40020"),
        ({"fromType": "spot"}, "40020"),
        ({"coin": "BTC"}, "40020"),
        ({"amount": "0"}, "40020"),
        ({"amount": "0.000000001"}, "40808"),
        ({"amount": None}, "40019"),
    ):
        answer = await rich.post("/api/v2/spot/wallet/transfer", **(body | changes))
        assert (answer.status, answer.code) == (400, code), (changes, answer)
    assert await rich.ledger() == before
    assert [(row["kind"], row["wallet"], row["coin"], row["amount"]) for row in before[-2:]] == [
        ("transfer_out", "futures", "USDT", "-250.5"),
        ("transfer_in", "spot", "USDT", "250.5"),
    ]
    (row,) = (await rich.get(f"{ACCOUNT}/transferRecords", coin="USDT", fromType="usdt_futures")).data
    assert (row["size"], row["toType"], row["status"]) == ("250.5", "spot", "Successful")
    assert row["transferId"] == done["transferId"]
    assert (await rich.get(f"{ACCOUNT}/transferRecords", coin="USDT", fromType="spot")).data == []
    worth = {
        r["accountType"]: r["usdtBalance"]
        for r in (await rich.get("/api/v2/account/all-account-balance")).data
    }
    assert (worth["spot"], worth["futures"]) == ("31250.5", "9749.5")


async def test_the_private_channels(rich: Client) -> None:
    socket = await rich.socket("ws_private")
    await socket.login()
    await socket.subscribe("account", kind="SPOT")
    first = await socket.push("account")
    assert [row["coin"] for row in first["data"]] == ["BTC", "USDT"]
    for channel in ("orders", "fill", "orders-algo"):
        await socket.subscribe(channel, kind="SPOT")
    await socket.subscribe("orders")  # of contracts: hears nothing of all this
    await order(rich, "buy", "120", clientOid="ws")
    live, filled = await socket.push("orders"), await socket.push("orders")
    assert (live["data"][0]["status"], filled["data"][0]["status"]) == ("live", "filled")
    row = filled["data"][0]
    assert (row["newSize"], row["accBaseVolume"], row["fillFee"], row["fillFeeCoin"]) == (
        "120", "0.0019", "-0.0000019", "BTC"
    )  # fmt: skip
    assert "price" not in row
    fill = (await socket.push("fill"))["data"][0]
    assert fill["feeDetail"] == [
        {"feeCoin": "BTC", "deduction": "no", "totalDeductionFee": "0", "totalFee": "0.0000019"}
    ]
    changed = (await socket.push("account"))["data"]
    assert {row["coin"]: row["available"] for row in changed}["BTC"] == "0.5018981"
    body: dict[str, object] = {"symbol": "BTCUSDT", "side": "sell", "size": "0.1", "orderType": "limit"}
    await rich.post(f"{TRADE}/place-plan-order", **body, triggerPrice="58000", executePrice="57990")
    algo = (await socket.push("orders-algo"))["data"][0]
    assert (algo["status"], algo["price"], algo["executePrice"]) == ("live", "58000", "57990")
    assert not [seen for seen in socket.seen if seen.get("action") and seen["arg"]["instType"] != "SPOT"]
    shapes = _samples("ws")
    if shapes:
        for name, found in (("Spot/Order", row), ("Spot/UserTrade", fill), ("Spot/TriggerOrder", algo),
                            ("Spot/Balance", changed[0])):  # fmt: skip
            assert not set(shapes[name]) - set(found), name


def _samples(part: str) -> dict[str, dict[str, Any]]:
    """Name -> the row of a documented answer or push; nothing when the reference is not at hand."""
    if not SAMPLES.exists():
        return {}
    rows: dict[str, dict[str, Any]] = {}
    for sample in json.loads(SAMPLES.read_text())[part]:
        data = sample["frames"][-1]["frame"].get("data") if part == "ws" else sample["response"].get("data")
        row = data[0] if isinstance(data, list) and data else data
        if isinstance(row, dict):
            rows[sample["name"]] = row
    return rows


async def test_market_data(rich: Client) -> None:
    book = (await rich.get(f"{MARKET}/orderbook", symbol="BTCUSDT", limit=5)).data
    assert set(book) == {"asks", "bids", "ts"}
    assert len(book["asks"]) == 5
    assert all(isinstance(value, str) for level in book["asks"] + book["bids"] for value in level)
    coarse = (await rich.get(f"{MARKET}/orderbook", symbol="BTCUSDT", type="step3", limit=2)).data
    assert coarse["asks"][0][0] == "60100"
    assert (await rich.get(f"{MARKET}/orderbook", symbol="BTCUSDT", type="step6")).code == "40020"
    assert (await rich.get(f"{MARKET}/orderbook", symbol="NONEUSDT")).code == "40034"
    for granularity in ("1min", "1h", "1day", "1Dutc"):
        rows = (await rich.get(f"{MARKET}/candles", symbol="BTCUSDT", granularity=granularity)).data
        assert len(rows[-1]) == 8
    assert (await rich.get(f"{MARKET}/candles", symbol="BTCUSDT", granularity="1m")).code == "40020"
    assert (await rich.get(f"{MARKET}/history-candles", symbol="BTCUSDT", granularity="1min")).data
    assert (await rich.get(f"{MARKET}/fills", symbol="BTCUSDT")).data == []
    assert (await rich.get(f"{MARKET}/fills-history", symbol="BTCUSDT")).data == []
    coin = (await rich.get("/api/v2/spot/public/coins", coin="USDT")).data[0]
    assert (coin["transfer"], coin["chains"][0]["withdrawable"]) == ("true", "false")


async def test_the_moment_of_an_opening(exchanges: Exchanges, rich: Client) -> None:
    """What was dropped before can be sold the moment the symbol opens."""
    number = rich.account["id"]
    body: dict[str, object] = {"coin": "NEW", "amount": "100"}
    assert (await rich.control(f"/accounts/{number}/deposit", body))["spot"][1]["available"] == "100"
    opens = clock.now_ms() + 60_000
    await rich.control(
        "/symbols", {"symbol": "NEWUSDT", "market": "spot", "price": "2", "open_time_ms": opens}
    )
    symbols = f"{MARKET.removesuffix('market')}public/symbols"
    row = (await rich.get(symbols, symbol="NEWUSDT")).data[0]
    assert (row["status"], row["openTime"]) == ("gray", str(opens))
    assert (await order(rich, "sell", "100", symbol="NEWUSDT")).code == "43119"
    await rich.control("/clock", {"advance_ms": 60_000})
    assert (await rich.get(symbols, symbol="NEWUSDT")).data[0]["status"] == "online"
    sold = (await order(rich, "sell", "100", symbol="NEWUSDT")).data
    assert (await rich.get(f"{TRADE}/orderInfo", orderId=sold["orderId"])).data[0]["status"] == "filled"
    for status, shown, code in (("maintain", "halt", "45043"), ("off", "offline", "40309")):
        await rich.control("/symbols/NEWUSDT", {"market": "spot", "status": status})
        assert (await rich.get(symbols, symbol="NEWUSDT")).data[0]["status"] == shown
        assert (await order(rich, "sell", "1", symbol="NEWUSDT")).code == code
    refused, _ = await rich.try_control("/symbols/NONEUSDT", {"market": "spot", "status": "off"})
    assert refused == 400


async def test_rows_have_the_documented_keys(rich: Client) -> None:
    samples = _samples("rest")
    if not samples:
        pytest.skip("the reference is not at hand")
    await order(rich, "buy", "0.001", "59000")
    await order(rich, "buy", "120")
    body: dict[str, object] = {"symbol": "BTCUSDT", "side": "sell", "size": "0.1", "orderType": "market"}
    plan = (await rich.post(f"{TRADE}/place-plan-order", **body, triggerPrice="60000")).data
    await rich.post(f"{TRADE}/place-plan-order", **body, triggerPrice="58000")
    transfer: dict[str, object] = {
        "fromType": "spot",
        "toType": "usdt_futures",
        "amount": "1",
        "coin": "USDT",
    }
    await rich.post("/api/v2/spot/wallet/transfer", **transfer)
    newest = (await rich.get(f"{TRADE}/history-orders")).data[0]["orderId"]
    for name, path, query in (
        ("Trading/GetOpenOrders", f"{TRADE}/unfilled-orders", {}),
        ("Trading/GetClosedOrders", f"{TRADE}/history-orders", {}),
        ("Trading/GetOrder", f"{TRADE}/orderInfo", {"orderId": newest}),
        ("Trading/GetUserTrades", f"{TRADE}/fills", {}),
        ("Trading/GetTriggerSubOrders", f"{TRADE}/plan-sub-order", {"planOrderId": plan["orderId"]}),
        ("Account/GetLedger", f"{ACCOUNT}/bills", {}),
        ("Account/GetSpotBalances", f"{ACCOUNT}/assets", {}),
        ("Account/GetTransferRecords", f"{ACCOUNT}/transferRecords", {}),
        ("Account/GetFundingBalances", "/api/v2/account/all-account-balance", None),
        ("ExchangeData/GetSymbols", "/api/v2/spot/public/symbols", {}),
        ("ExchangeData/GetAssets", "/api/v2/spot/public/coins", {}),
        ("ExchangeData/GetTickers", f"{MARKET}/tickers", {}),
        ("ExchangeData/GetOrderBook", f"{MARKET}/orderbook", {"symbol": "BTCUSDT"}),
        ("ExchangeData/GetVipFeeRates", f"{MARKET}/vip-fee-rate", {}),
    ):
        if query is None:
            continue
        data = (await rich.get(path, **query)).data
        row, sample = data[0] if isinstance(data, list) else data, samples[f"Spot/{name}"]
        assert not set(sample) - set(row), name
        kinds = {key: (type(row[key]), type(value)) for key, value in sample.items()}
        assert not {k: v for k, v in kinds.items() if v[0] is not v[1] and type(None) not in v}, name


async def test_a_killed_exchange_has_lost_nothing_of_spot(processes: Processes, tmp_path: Path) -> None:
    process = processes.start("--home", str(tmp_path), "--accounts", "1")
    async with Client(process.ready, process.ready["accounts"][0]) as client:
        await client.control(f"/accounts/{client.account['id']}/deposit", {"coin": "BTC", "amount": "1"})
        transfer = {"fromType": "usdt_futures", "toType": "spot", "amount": "1000", "coin": "USDT"}
        await client.post("/api/v2/spot/wallet/transfer", **transfer)
        assert (await order(client, "buy", "0.01", "59000", clientOid="rests")).code == "00000"
        assert (await order(client, "sell", "0.2", tpslType="tpsl", triggerPrice="58000")).code == "00000"
        assert (await order(client, "buy", "120")).code == "00000"
        await client.control("/symbols/ETHUSDT", {"market": "spot", "status": "maintain"})
        number = client.account["id"]
        before = await client.control(f"/accounts/{number}"), await client.ledger()
    process.end(signal.SIGKILL)
    process = processes.start("--home", str(tmp_path), "--accounts", "1")
    async with Client(process.ready, process.ready["accounts"][0]) as client:
        assert (await client.control(f"/accounts/{number}"), await client.ledger()) == before
        assert (await order(client, "buy", "0.01", "2900", symbol="ETHUSDT")).code == "45043"
        await client.price("BTCUSDT", "58000")
        after = await client.control(f"/accounts/{number}")
        assert after["spot_orders"] == []
        assert [row["frozen"] for row in after["spot"]] == ["0", "0"]
        await client.post(f"{TRADE}/cancel-symbol-order", symbol="BTCUSDT")
