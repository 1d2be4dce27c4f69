"""Signed and unsigned calls against a started server: success, documented refusals, read-back."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges
from trader.paper.engine.money import ZERO
from trader.paper.server import PaperServer

D = Decimal
ORDER = "/api/v2/mix/order/place-order"
TPSL = "/api/v2/mix/order/place-tpsl-order"
BTC = {"symbol": "BTCUSDT", "productType": FUTURES}


async def position(client: Client, symbol: str = "BTCUSDT") -> dict[str, Any] | None:
    query = {"productType": FUTURES, "symbol": symbol, "marginCoin": "USDT"}
    rows: list[dict[str, Any]] = (await client.get("/api/v2/mix/position/single-position", **query)).data
    return rows[0] if rows else None


async def detail(client: Client, **which: str) -> dict[str, Any]:
    found: dict[str, Any] = (await client.get("/api/v2/mix/order/detail", **BTC, **which)).data
    return found


async def test_a_market_order_with_protection_from_placing_to_the_ledger(client: Client) -> None:
    await client.post("/api/v2/mix/account/set-margin-mode", **BTC, marginCoin="USDT", marginMode="isolated")
    leverage = await client.post("/api/v2/mix/account/set-leverage", **BTC, marginCoin="USDT", leverage="20")
    assert leverage.data["longLeverage"] == leverage.data["shortLeverage"] == "20"
    placed = (
        await client.order(
            "buy", "0.001", clientOid="mine", presetStopSurplusPrice="66000", presetStopLossPrice="54000"
        )
    ).data
    assert placed["clientOid"] == "mine"
    found = await detail(client, clientOid="mine")
    assert found["orderId"] == placed["orderId"]
    assert (found["state"], found["baseVolume"], found["posSide"], found["tradeSide"]) == (
        "filled",
        "0.001",
        "net",
        "buy_single",
    )
    held = await position(client)
    assert held is not None
    assert (held["holdSide"], held["total"], held["takeProfit"], held["stopLoss"], held["leverage"]) == (
        "long",
        "0.001",
        "66000",
        "54000",
        "20",
    )
    plans = await client.get(
        "/api/v2/mix/order/orders-plan-pending", productType=FUTURES, planType="profit_loss"
    )
    kinds = {row["planType"]: row["orderId"] for row in plans.data["entrustedList"]}
    assert kinds == {"pos_profit": held["takeProfitId"], "pos_loss": held["stopLossId"]}
    await client.price("BTCUSDT", "66100")
    assert await position(client) is None
    history = (await client.get("/api/v2/mix/order/orders-history", **BTC)).data["entrustedList"]
    assert (history[0]["orderSource"], history[0]["side"], history[0]["enterPointSource"]) == (
        "pos_profit_market",
        "sell",
        "SYS",
    )
    closed = (await client.get("/api/v2/mix/position/history-position", **BTC)).data["list"][0]
    ledger = await client.ledger()
    assert [row["kind"] for row in ledger] == ["deposit", "open_fee", "realised_pnl", "close_fee"]
    assert sum((D(row["amount"]) for row in ledger[1:]), ZERO) == D(closed["netProfit"])
    accounts = (await client.get("/api/v2/mix/account/accounts", productType=FUTURES)).data
    assert accounts[0]["accountEquity"] == ledger[-1]["balance"]
    assert accounts[0]["unrealizedPL"] == ""


async def test_resting_orders_are_listed_cancelled_and_gone(client: Client) -> None:
    placed = (await client.order("buy", "0.01", "59000", clientOid="rest", force="GTC")).data
    pending = (await client.get("/api/v2/mix/order/orders-pending", **BTC)).data
    assert [row["orderId"] for row in pending["entrustedList"]] == [placed["orderId"]]
    assert (pending["entrustedList"][0]["status"], pending["entrustedList"][0]["priceAvg"]) == ("live", "")
    account = (await client.get("/api/v2/mix/account/account", **BTC, marginCoin="USDT")).data
    assert (account["locked"], account["available"]) == ("59.354", "9940.646")
    assert (await client.order("buy", "0.01", "59000", clientOid="rest")).code == "40786"
    cancelled = await client.post("/api/v2/mix/order/cancel-order", **BTC, clientOid="rest")
    assert cancelled.data == placed
    again = await client.post("/api/v2/mix/order/cancel-order", **BTC, orderId=placed["orderId"])
    assert again.code == "22001"
    assert (await detail(client, orderId=placed["orderId"]))["state"] == "canceled"
    empty = (await client.get("/api/v2/mix/order/orders-pending", **BTC)).data
    assert empty == {"entrustedList": None, "endId": None}


async def test_cancel_all_and_by_list(client: Client) -> None:
    first = (await client.order("buy", "0.01", "59000")).data
    second = (await client.order("buy", "0.01", "58900")).data
    answer = await client.post(
        "/api/v2/mix/order/batch-cancel-orders",
        **BTC,
        orderIdList=[{"orderId": first["orderId"]}, {"clientOid": "nobody"}],
    )
    assert answer.data["successList"] == [first]
    assert answer.data["failureList"][0]["errorCode"] == "40768"
    everything = await client.post("/api/v2/mix/order/cancel-all-orders", productType=FUTURES)
    assert everything.data["successList"] == [second]
    assert (await client.post("/api/v2/mix/order/cancel-all-orders", productType=FUTURES)).code == "22001"
    assert (await client.post("/api/v2/mix/order/batch-cancel-orders", **BTC)).code == "22001"


async def test_hedge_mode_side_names_the_position(client: Client) -> None:
    mode = await client.post(
        "/api/v2/mix/account/set-position-mode", productType=FUTURES, posMode="hedge_mode"
    )
    assert mode.data == {"posMode": "hedge_mode"}
    assert (await client.order("buy", "0.01")).code == "40774"
    (await client.order("buy", "0.01", tradeSide="Open")).data  # noqa: B018  (asserts success)
    (await client.order("sell", "0.02", tradeSide="open")).data  # noqa: B018
    rows = (await client.get("/api/v2/mix/position/all-position", productType=FUTURES)).data
    assert {row["holdSide"]: row["total"] for row in rows} == {"long": "0.01", "short": "0.02"}
    closing = (await client.order("sell", "0.02", tradeSide="Close")).data
    found = await detail(client, orderId=closing["orderId"])
    assert (found["side"], found["tradeSide"], found["posSide"]) == ("sell", "close", "short")
    rows = (await client.get("/api/v2/mix/position/all-position", productType=FUTURES)).data
    assert [row["holdSide"] for row in rows] == ["long"]
    done = await client.post("/api/v2/mix/order/close-positions", **BTC, holdSide="long")
    assert len(done.data["successList"]) == 1


async def test_protection_by_hand(client: Client) -> None:
    await client.order("buy", "0.01")
    tpsl = {**BTC, "marginCoin": "USDT", "planType": "pos_profit", "holdSide": "buy"}
    placed = await client.post(TPSL, **tpsl, triggerPrice=66000, triggerType="mark_price", clientOid="tp")
    assert placed.data["clientOid"] == "tp"
    assert (await client.post(TPSL, **tpsl, triggerPrice="66000")).code == "43030"
    both = await client.post(
        "/api/v2/mix/order/place-pos-tpsl",
        **BTC,
        marginCoin="USDT",
        holdSide="buy",
        stopLossTriggerPrice="55000",
        stopLossClientOid="sl",
    )
    assert both.data == [
        {"orderId": both.data[0]["orderId"], "stopSurplusClientOid": "", "stopLossClientOid": "sl"}
    ]
    cancel = "/api/v2/mix/order/cancel-plan-order"
    by_default = await client.post(cancel, **BTC, orderIdList=[{"clientOid": "tp"}])
    assert [row["clientOid"] for row in by_default.data["failureList"]] == ["tp"]
    named = await client.post(cancel, **BTC, planType="pos_profit", orderIdList=[{"clientOid": "tp"}])
    assert named.data["successList"] == [placed.data]
    rest = await client.post(cancel, **BTC, planType="profit_loss")
    assert [row["clientOid"] for row in rest.data["successList"]] == ["sl"]
    history = await client.get(
        "/api/v2/mix/order/orders-plan-history", productType=FUTURES, planType="profit_loss"
    )
    assert [row["planStatus"] for row in history.data["entrustedList"]] == ["cancelled", "cancelled"]


#: (what is sent besides a plain market buy of 0.01 BTCUSDT, the documented code)
REFUSED_ORDERS: list[tuple[dict[str, object], str]] = [
    ({"size": None}, "40019"),
    ({"side": ""}, "40019"),
    ({"side": "up"}, "40020"),
    ({"orderType": "stop"}, "40020"),
    ({"marginMode": "both"}, "40020"),
    ({"productType": None}, "40019"),
    ({"productType": "FRUIT-FUTURES"}, "40020"),
    ({"productType": "COIN-FUTURES"}, "40102"),
    ({"symbol": "NOSUCHUSDT"}, "40102"),
    ({"marginCoin": "USDC"}, "40020"),
    ({"size": "abc"}, "40020"),
    ({"size": "NaN"}, "40020"),
    ({"size": "0.00001"}, "40808"),
    ({"size": "0"}, "45111"),
    ({"size": "999999999"}, "45112"),
    ({"size": "0.0001", "orderType": "limit", "price": "40000"}, "45110"),
    ({"orderType": "limit"}, "40019"),
    ({"orderType": "limit", "price": "60000.05"}, "41103"),
    ({"orderType": "limit", "price": "70000"}, "40815"),
    ({"side": "sell", "orderType": "limit", "price": "50000"}, "40816"),
    ({"size": "100"}, "40762"),
    ({"clientOid": "x" * 65}, "40305"),
    ({"clientOid": "a/b"}, "40305"),
    ({"reduceOnly": "YES"}, "22002"),
    ({"reduceOnly": "maybe"}, "40020"),
    ({"presetStopSurplusPrice": "59000"}, "40915"),
    ({"presetStopLossPrice": "61000"}, "40917"),
    ({"side": "sell", "presetStopSurplusPrice": "61000"}, "40832"),
    ({"side": "sell", "presetStopLossPrice": "59000"}, "45122"),
]


@pytest.mark.parametrize(("changes", "code"), REFUSED_ORDERS)
async def test_refused_orders_have_their_code_and_change_nothing(
    client: Client, changes: dict[str, object], code: str
) -> None:
    before = await client.control(f"/accounts/{client.account['id']}")
    answer = await client.order("buy", "0.01", **changes)
    assert (answer.status, answer.code, answer.body["data"]) == (400, code, None)
    assert answer.body["msg"]
    assert await client.control(f"/accounts/{client.account['id']}") == before
    assert len(await client.ledger()) == 1


async def test_refusals_of_the_other_calls(exchanges: Exchanges, server: PaperServer, client: Client) -> None:
    coin = {**BTC, "marginCoin": "USDT"}
    leverage, mode = "/api/v2/mix/account/set-leverage", "/api/v2/mix/account/set-margin-mode"
    assert (await client.post(leverage, **coin, leverage="0")).code == "45044"
    assert (await client.post(leverage, **coin, leverage="126")).code == "45045"
    assert (await client.post(leverage, **coin, leverage="ten")).code == "40020"
    assert (await client.post(leverage, **coin)).code == "40019"
    assert (await client.post(TPSL, **coin, planType="pos_profit", triggerPrice="1")).code == "40019"
    assert (await client.post(TPSL, **coin, planType="normal_plan", triggerPrice="1")).code == "40020"
    assert (await client.post("/api/v2/mix/order/close-positions", **BTC)).code == "22002"
    assert (await client.post("/api/v2/mix/order/cancel-order", **BTC, orderId="77")).code == "40768"
    assert (await client.post("/api/v2/mix/order/cancel-order", **BTC, orderId="7x")).code == "40402"
    assert (await client.post("/api/v2/mix/order/cancel-order", **BTC)).code == "40913"
    assert (await client.get("/api/v2/mix/order/detail", **BTC, orderId="77")).code == "40109"
    resting = (await client.order("buy", "0.01", "59000")).data
    assert (await client.post(leverage, **coin, leverage="11")).code == "40730"
    assert (await client.post(mode, **coin, marginMode="crossed")).code == "45117"
    position_mode = "/api/v2/mix/account/set-position-mode"
    answer = await client.post(position_mode, productType=FUTURES, posMode="hedge_mode")
    assert answer.code == "40920"
    assert (await client.order("buy", "0.01", marginMode="crossed")).code == "45117"
    await client.post("/api/v2/mix/order/cancel-order", **BTC, orderId=resting["orderId"])
    poor = Client(server.ready, await client.control("/accounts", {"balance": 0}))
    exchanges.clients.append(await poor.__aenter__())
    assert (await poor.order("buy", "0.01")).code == "40754"


async def test_unknown_paths_and_broken_bodies_are_the_venues_errors(client: Client) -> None:
    for method, path in (
        ("GET", "/api/v2/mix/order/nothing"),
        ("POST", "/api/v2/mix/order/batch-everything"),
        ("GET", ORDER),
        ("DELETE", "/"),
    ):
        answer = await client.send(method, path, headers=client.headers(method, path, ""))
        assert (answer.status, answer.code) == (404, "40404")
    assert (await client.send("POST", "/api/mix/v1/order/placeOrder")).code == "30032"
    for body in ("[1]", "{", '"x"', "nonsense", '{"size": {}}', "\x00"):
        answer = await client.send("POST", ORDER, body, client.headers("POST", ORDER, body))
        assert answer.status == 400
        assert answer.code in {"40017", "40019", "40020"}
    raw = b"\xff\xfe"
    async with client.session.post(
        client.ready["rest"] + ORDER, data=raw, headers=client.headers("POST", ORDER, "")
    ) as response:
        assert (await response.json())["code"] == "40017"
    assert (await client.control("/state"))["failures"] == 0


async def test_tolerated_forms(client: Client) -> None:
    answer = await client.order(
        "BUY",
        "0.01",
        symbol="btcusdt",
        productType="usdt-futures",
        orderType="Market",
        force="GTC",
        price=None,
        clientOid=None,
        tradeSide="open",
        stpMode="none",
        presetStopSurplusPrice="",
        presetStopLossPrice=0,
        surprise={"a": [1]},
    )
    assert (await detail(client, orderId=answer.data["orderId"]))["state"] == "filled"
    numbers = await client.order("sell", "x", size=0.01, reduceOnly="YES")
    assert (await detail(client, orderId=numbers.data["orderId"]))["baseVolume"] == "0.01"


async def test_limits_answer_429_and_tell_what_remains(exchanges: Exchanges) -> None:
    server = await exchanges.start(limits=True)
    client, other = await exchanges.client(server), await exchanges.client(server, 1)
    first = await client.post("/api/v2/mix/order/close-positions", productType=FUTURES)
    assert first.headers["x-mbx-used-remain-limit"] == "0"
    second = await client.post("/api/v2/mix/order/close-positions", productType=FUTURES)
    assert (second.status, second.code) == (429, "429")
    assert (await other.post("/api/v2/mix/order/close-positions", productType=FUTURES)).code == "22002"
    answers = await asyncio.gather(*(client.order("buy", "0") for _ in range(30)))
    codes = [answer.code for answer in answers]
    assert 10 <= codes.count("45111") <= 20
    assert codes.count("45111") + codes.count("429") == 30


async def test_positions_survive_only_on_their_own_account(
    exchanges: Exchanges, server: PaperServer, client: Client
) -> None:
    other = await exchanges.client(server, 1)
    placed = (await client.order("buy", "0.01", "59000", clientOid="mine")).data
    assert (await other.get("/api/v2/mix/order/detail", **BTC, orderId=placed["orderId"])).code == "40109"
    assert (await other.get("/api/v2/mix/order/detail", **BTC, clientOid="mine")).code == "40109"
    cancel = await other.post("/api/v2/mix/order/cancel-order", **BTC, orderId=placed["orderId"])
    assert cancel.code == "40768"


async def test_fills_page_backwards(client: Client) -> None:
    for _ in range(5):
        await client.order("buy", "0.001")
    first = (await client.get("/api/v2/mix/order/fills", **BTC, limit=3)).data
    second = (await client.get("/api/v2/mix/order/fill-history", **BTC, idLessThan=first["endId"])).data
    numbers = [row["tradeId"] for row in first["fillList"] + second["fillList"]]
    assert len(numbers) == len(set(numbers)) == 5
    assert numbers == sorted(numbers, reverse=True)
    assert second["fillList"][0]["marginCoin"] == "USDT"
    assert second["fillList"][0]["feeDetail"][0]["feeCoin"] == "USDT"
