"""Conditional orders and protection over REST and ``orders-algo``: rows, lists, refusals, read-back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.trader.paper.client import FUTURES, Client
from trader.paper.server import PaperServer

PLACE = "/api/v2/mix/order/place-plan-order"
MODIFY = "/api/v2/mix/order/modify-plan-order"
TPSL = "/api/v2/mix/order/place-tpsl-order"
MODIFY_TPSL = "/api/v2/mix/order/modify-tpsl-order"
CANCEL = "/api/v2/mix/order/cancel-plan-order"
PENDING = "/api/v2/mix/order/orders-plan-pending"
HISTORY = "/api/v2/mix/order/orders-plan-history"
SUB = "/api/v2/mix/order/plan-sub-order"
BTC = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}
TRIGGER: dict[str, object] = {
    **BTC,
    "planType": "normal_plan",
    "marginMode": "isolated",
    "size": "0.01",
    "side": "buy",
    "orderType": "market",
    "triggerPrice": "61000",
    "triggerType": "fill_price",
}
TRACK: dict[str, object] = {**TRIGGER, "planType": "track_plan", "side": "sell", "callbackRatio": "1"}


async def pending(client: Client, family: str, **query: object) -> list[dict[str, Any]]:
    answer = await client.get(PENDING, productType=FUTURES, planType=family, **query)
    return answer.data["entrustedList"] or []


async def ended(client: Client, family: str, **query: object) -> list[dict[str, Any]]:
    answer = await client.get(HISTORY, productType=FUTURES, planType=family, **query)
    return answer.data["entrustedList"] or []


async def sub_orders(client: Client, number: str, family: str = "normal_plan") -> Any:
    answer = await client.get(SUB, productType=FUTURES, planType=family, planOrderId=number)
    return answer.data


async def test_a_trigger_order_from_placing_to_what_it_became(client: Client) -> None:
    sent = TRIGGER | {
        "clientOid": "mine",
        "orderType": "limit",
        "price": "61500",
        "stopSurplusTriggerPrice": "65000",
        "stopSurplusExecutePrice": "64900",
        "stopSurplusTriggerType": "mark_price",
    }
    placed = (await client.post(PLACE, **sent)).data
    assert placed["clientOid"] == "mine"
    (row,) = await pending(client, "normal_plan", clientOid="mine")
    assert row["orderId"] == placed["orderId"]
    assert {name: row[name] for name in ("planStatus", "price", "executePrice", "callbackRatio")} == {
        "planStatus": "live",
        "price": "61500",
        "executePrice": "61500",
        "callbackRatio": "",
    }
    assert (row["stopSurplusTriggerPrice"], row["stopSurplusTriggerType"], row["stopLossTriggerType"]) == (
        "65000",
        "mark_price",
        "",
    )
    assert await sub_orders(client, placed["orderId"]) == []
    await client.price("BTCUSDT", "61000")
    assert await pending(client, "normal_plan") == []
    (past,) = await ended(client, "normal_plan", clientOid="mine", planStatus="executed")
    assert (past["orderId"], past["planStatus"], past["baseVolume"]) == (
        placed["orderId"],
        "executed",
        "0.01",
    )
    order = (
        await client.get("/api/v2/mix/order/detail", **BTC, clientOid=placed["orderId"])
    ).data  # the order's clientOid is the plan's id
    assert (order["orderId"], order["orderSource"]) == (past["executeOrderId"], "plan_limit")
    assert (order["presetStopSurplusPrice"], order["presetStopSurplusType"]) == ("65000", "mark_price")
    assert past["priceAvg"] == order["priceAvg"]
    assert await sub_orders(client, placed["orderId"]) == [
        {"orderId": order["orderId"], "price": "61500", "type": "limit", "status": "success"}
    ]
    (guard,) = await pending(client, "profit_loss")
    assert (guard["planType"], guard["triggerPrice"], guard["executePrice"], guard["triggerType"]) == (
        "pos_profit",
        "65000",
        "64900",
        "mark_price",
    )
    assert await ended(client, "track_plan") == []
    assert await ended(client, "normal_plan", planStatus="cancelled") == []


async def test_a_plan_that_fails_is_seen_in_history_and_on_the_stream(client: Client) -> None:
    socket = await client.socket("ws_private")
    await socket.login()
    await socket.subscribe("orders-algo")
    placed = (await client.post(PLACE, **TRIGGER | {"side": "sell", "reduceOnly": "YES"})).data
    live = (await socket.push("orders-algo"))["data"][0]
    assert (live["orderId"], live["planType"], live["status"], live["actualSize"]) == (
        placed["orderId"],
        "pl",
        "live",
        "0",
    )
    await client.price("BTCUSDT", "61000")
    assert (await socket.push("orders-algo"))["data"][0]["status"] == "fail_execute"
    (past,) = await ended(client, "normal_plan", planStatus="fail_execute")
    assert (past["orderId"], past["executeOrderId"], past["baseVolume"]) == (placed["orderId"], "", "")
    assert (await sub_orders(client, placed["orderId"]))[0]["status"] == "fail"
    assert [row["kind"] for row in await client.ledger()] == ["deposit"]


async def test_trailing_plans_on_every_face(client: Client) -> None:
    socket = await client.socket("ws_private")
    await socket.login()
    await socket.subscribe("orders-algo")
    entry = (await client.post(PLACE, **TRACK | {"stopLossTriggerPrice": "2"})).data
    (row,) = await pending(client, "track_plan")
    assert (row["callbackRatio"], row["stopLossTriggerPrice"], row["orderType"]) == ("1", "2", "market")
    assert (await socket.push("orders-algo"))["data"][0]["planType"] == "track"
    await client.price("BTCUSDT", "61000")
    tracking = await sub_orders(client, entry["orderId"], "track_plan")
    assert tracking == [{"orderId": "", "price": "", "type": "market", "status": "in_progress_tracking"}]
    await client.price("BTCUSDT", "62000")
    await client.price("BTCUSDT", "61380")  # 62000 less 1 %
    (past,) = await ended(client, "track_plan")
    order = (await client.get("/api/v2/mix/order/detail", **BTC, orderId=past["executeOrderId"])).data
    assert (order["orderSource"], order["side"], order["state"]) == ("tracking_market", "sell", "filled")
    stop = {**BTC, "planType": "moving_plan", "holdSide": "sell", "size": "0.01", "rangeRate": "2"}
    moving = (await client.post(TPSL, **stop, triggerPrice="60000")).data
    rows = {row["planType"]: row for row in await pending(client, "profit_loss")}
    assert set(rows) == {"pos_loss", "moving_plan"}
    assert (rows["moving_plan"]["callbackRatio"], rows["moving_plan"]["stopLossTriggerPrice"]) == ("2", None)
    await client.price("BTCUSDT", "60000")
    await client.price("BTCUSDT", "61200")  # 60000 plus 2 %
    (past,) = await ended(client, "moving_plan")
    assert (past["orderId"], past["planStatus"]) == (moving["orderId"], "executed")
    order = (await client.get("/api/v2/mix/order/detail", **BTC, orderId=past["executeOrderId"])).data
    assert (order["orderSource"], order["side"]) == ("move_market", "buy")


async def test_both_modify_calls_and_their_read_back(client: Client) -> None:
    placed = (await client.post(PLACE, **TRIGGER | {"stopLossTriggerPrice": "60500"})).data
    changed = {"newSize": "0.02", "newTriggerPrice": "61500", "newStopSurplusTriggerPrice": "63000"}
    answer = await client.post(MODIFY, **BTC, **placed, **changed, newStopLossTriggerPrice="0")
    assert answer.data == placed
    (row,) = await pending(client, "normal_plan")
    assert (row["size"], row["triggerPrice"]) == ("0.02", "61500")
    assert (row["stopSurplusTriggerPrice"], row["stopLossTriggerPrice"]) == ("63000", "")
    await client.order("buy", "0.1")
    guard = (await client.post(TPSL, **BTC, planType="pos_loss", holdSide="buy", triggerPrice="59000")).data
    answer = await client.post(
        MODIFY_TPSL, **BTC, **guard, triggerPrice="58000", triggerType="mark_price", size=""
    )
    assert answer.data == guard
    (row,) = await pending(client, "pos_loss")
    assert (row["triggerPrice"], row["triggerType"], row["size"]) == ("58000", "mark_price", "0")


PLACING: list[tuple[str, dict[str, object], str]] = [
    (PLACE, TRIGGER | {"planType": "pos_profit"}, "40020"),
    (PLACE, TRIGGER | {"planType": ""}, "40019"),
    (PLACE, TRIGGER | {"triggerType": ""}, "40019"),
    (PLACE, TRIGGER | {"triggerType": "index_price"}, "40020"),
    (PLACE, TRIGGER | {"triggerPrice": ""}, "40019"),
    (PLACE, TRIGGER | {"triggerPrice": "61000.05"}, "41103"),
    (PLACE, TRIGGER | {"orderType": "limit"}, "40019"),
    (PLACE, TRIGGER | {"size": "0"}, "45111"),
    (PLACE, TRIGGER | {"stopSurplusTriggerPrice": "60000"}, "45064"),
    (PLACE, TRIGGER | {"stopLossTriggerPrice": "62000"}, "45066"),
    (PLACE, TRIGGER | {"side": "sell", "stopSurplusTriggerPrice": "62000"}, "45065"),
    (PLACE, TRIGGER | {"side": "sell", "stopLossTriggerPrice": "60000"}, "45067"),
    (PLACE, TRIGGER | {"clientOid": "taken"}, "40786"),
    (PLACE, TRIGGER | {"clientOid": "no!"}, "40305"),
    (PLACE, TRIGGER | {"symbol": "NOPEUSDT"}, "40102"),
    (PLACE, TRACK | {"callbackRatio": ""}, "40019"),
    (PLACE, TRACK | {"callbackRatio": "10.1"}, "43011"),
    (PLACE, TRACK | {"triggerPrice": "59000"}, "43035"),
    (PLACE, TRACK | {"side": "buy"}, "43034"),
    (PLACE, TRACK | {"orderType": "limit", "price": "61000"}, "40020"),
    (PLACE, TRACK | {"stopLossTriggerPrice": "2", "stopLossTriggerType": "mark_price"}, "43011"),
    (TPSL, {"planType": "pos_profit", "triggerPrice": "60000"}, "40830"),
    (TPSL, {"planType": "pos_loss", "triggerPrice": "60001"}, "40834"),
    (TPSL, {"planType": "pos_profit", "triggerPrice": "59000", "triggerType": "mark_price"}, "40915"),
    (TPSL, {"planType": "pos_loss", "triggerPrice": "61000", "triggerType": "mark_price"}, "40917"),
    (TPSL, {"planType": "pos_profit", "triggerPrice": "59000", "holdSide": "sell"}, "40891"),
    (TPSL, {"planType": "profit_plan", "triggerPrice": "61000", "size": "0.2"}, "43023"),
    (TPSL, {"planType": "profit_plan", "triggerPrice": "61000"}, "40019"),
    (TPSL, {"planType": "moving_plan", "triggerPrice": "61000", "size": "0.1"}, "40019"),
    (TPSL, {"planType": "moving_plan", "triggerPrice": "59000", "size": "0.1", "rangeRate": "1"}, "43035"),
    (TPSL, {"planType": "normal_plan", "triggerPrice": "61000"}, "40020"),
    (CANCEL, {"planType": "nothing"}, "40020"),
    (CANCEL, {"orderIdList": [{"orderId": "1"}] * 51}, "40912"),
    (MODIFY, {"orderId": "1"}, "43025"),
    (MODIFY, {}, "40913"),
    (MODIFY_TPSL, {"orderId": "1", "triggerPrice": "59000"}, "43020"),
    (MODIFY_TPSL, {"orderId": "1", "triggerPrice": "59000", "rangeRate": "1"}, "43033"),
]


async def test_refusals_have_their_codes_and_change_nothing(client: Client, server: PaperServer) -> None:
    await client.order("buy", "0.1")
    plan = (await client.post(PLACE, **TRIGGER | {"triggerPrice": "70000", "clientOid": "taken"})).data
    guard = (await client.post(TPSL, **BTC, planType="loss_plan", holdSide="buy", size="0.1", triggerPrice="50000")).data  # fmt: skip
    over = (await client.post(PLACE, **TRIGGER)).data
    await client.post(CANCEL, **BTC, orderIdList=[{"orderId": over["orderId"]}])
    dead = (await client.post(TPSL, **BTC, planType="loss_plan", holdSide="buy", size="0.1", triggerPrice="51000")).data  # fmt: skip
    await client.post(CANCEL, **BTC, planType="loss_plan", orderIdList=[{"orderId": dead["orderId"]}])
    tables = [
        *PLACING,
        (MODIFY, {"orderId": over["orderId"], "newSize": "0.02"}, "43026"),
        (MODIFY, {"orderId": guard["orderId"], "newSize": "0.02"}, "43025"),
        (MODIFY, {"orderId": plan["orderId"], "newPrice": "70000"}, "43011"),
        (MODIFY, {"orderId": plan["orderId"], "newTriggerType": "mark_price"}, "43011"),
        (MODIFY, {"orderId": plan["orderId"], "newCallbackRatio": "1"}, "43011"),
        (MODIFY, {"orderId": plan["orderId"], "newSize": "0.00001"}, "40808"),
        (MODIFY_TPSL, {"orderId": dead["orderId"], "triggerPrice": "50000"}, "43021"),
        (MODIFY_TPSL, {"orderId": plan["orderId"], "triggerPrice": "50000"}, "43020"),
        (MODIFY_TPSL, {"orderId": guard["orderId"], "triggerPrice": "60000"}, "40834"),
        (MODIFY_TPSL, {"orderId": guard["orderId"], "triggerPrice": "50000", "size": "0.2"}, "43023"),
    ]
    account = server.engine.accounts[0]
    before = [*map(repr, account.plans.values())], account.record.seq, dict(account.orders)
    for path, body, code in tables:
        sent = BTC | ({"holdSide": "buy"} if path == TPSL else {}) | body
        answer = await client.post(path, **sent)
        assert (answer.code, answer.status) == (code, 400), (path, body, answer)
        assert ([*map(repr, account.plans.values())], account.record.seq, dict(account.orders)) == before
    for path in (PENDING, HISTORY):
        for query, code in (({}, "40019"), ({"planType": "x"}, "40020")):
            assert (await client.get(path, productType=FUTURES, **query)).code == code
    assert (
        await client.get(HISTORY, productType=FUTURES, planType="normal_plan", planStatus="x")
    ).code == "40020"
    assert (
        await client.get(SUB, productType=FUTURES, planType="normal_plan", planOrderId="1")
    ).code == "43025"


async def test_cancelling_by_family_touches_no_other(client: Client) -> None:
    await client.order("buy", "0.1", presetStopLossPrice="50000")
    plan = (await client.post(PLACE, **TRIGGER)).data
    track = (await client.post(PLACE, **TRACK)).data
    by_default = (await client.post(CANCEL, **BTC)).data
    assert by_default == {"successList": [plan], "failureList": []}
    named = (await client.post(CANCEL, **BTC, orderIdList=[{"orderId": track["orderId"]}])).data
    assert (named["successList"], named["failureList"][0]["orderId"]) == ([], track["orderId"])
    assert [row["orderId"] for row in await pending(client, "track_plan")] == [track["orderId"]]
    assert len((await client.post(CANCEL, **BTC, planType="profit_loss")).data["successList"]) == 1
    assert await pending(client, "profit_loss") == []


@pytest.mark.parametrize(("side", "position"), [("buy", "long"), ("sell", "short")])
async def test_in_hedge_mode_side_names_the_position(client: Client, side: str, position: str) -> None:
    await client.post("/api/v2/mix/account/set-position-mode", productType=FUTURES, posMode="hedge_mode")
    assert (await client.post(PLACE, **TRIGGER)).code == "40774"
    await client.post(PLACE, **TRIGGER | {"side": side, "tradeSide": "close"})
    (row,) = await pending(client, "normal_plan")
    assert (row["side"], row["tradeSide"], row["posSide"]) == (side, "close", position)
    blocked = await client.post(
        "/api/v2/mix/account/set-position-mode", productType=FUTURES, posMode="one_way_mode"
    )
    assert blocked.code == "40920"
