"""Unified accounts over REST, against a started server: orders, positions, strategy orders, refusals, the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.trader.paper.client import Client
from tests.trader.paper.conftest import Exchanges
from tests.trader.paper.unified.conftest import CATEGORY, Unified, unified
from trader.paper.server import PaperServer

BTC: dict[str, object] = {"category": CATEGORY, "symbol": "BTCUSDT"}
SPOT: dict[str, object] = {"category": "SPOT", "symbol": "BTCUSDT"}
D = Decimal


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((D(row[name]) for row in rows), D(0))


# whose calls these are


async def test_each_kind_of_account_is_refused_on_the_paths_of_the_other(
    client: Unified, server: PaperServer, exchanges: Exchanges
) -> None:
    path = "/api/v2/mix/account/accounts?productType=USDT-FUTURES"
    unsigned = client.headers("GET", path, "", ACCESS_SIGN="d3Jvbmc=")
    answer = await client.send("GET", path, headers=unsigned)  # before its signature is looked at
    assert (answer.status, answer.code, answer.body["data"]) == (400, "40085", None)
    classic = await exchanges.client(server)
    for path in ("/api/v3/account/settings", "/api/v3/no/such/call"):
        assert (await classic.get(path)).code == "40084"
        wrong = classic.headers("GET", path, "", ACCESS_SIGN="d3Jvbmc=")
        assert (await classic.send("GET", path, headers=wrong)).code == "40009"
    assert (await client.v3("no/such/call")).code == "40404"
    path = "/api/v3/account/settings"
    for changes, code in (({"ACCESS_KEY": None}, "40001"), ({"ACCESS_SIGN": "d3Jvbmc="}, "40009")):
        assert (
            await client.send("GET", path, headers=client.headers("GET", path, "", **changes))
        ).code == code
    public = Client(server.ready)
    exchanges.clients.append(await public.__aenter__())
    assert len((await public.get("/api/v3/market/instruments", category=CATEGORY)).data) == 2


async def test_settings_and_the_key(client: Unified) -> None:
    settings = (await client.v3("account/settings")).data
    assert (settings["holdMode"], settings["symbolConfigList"]) == ("one_way_mode", [])
    assert (await client.call("account/set-leverage", **BTC, leverage="25")).data == "success"
    settings = (await client.v3("account/settings")).data
    assert settings["symbolConfigList"] == [
        {"category": CATEGORY, "symbol": "BTCUSDT", "marginMode": "crossed", "leverage": "25"}
    ]
    info = (await client.v3("account/info")).data
    assert info["userId"] == settings["uid"] == str(client.account["id"])
    assert (await client.v3("account/fee-rate", **BTC)).data == {
        "makerFeeRate": "0.0002",
        "takerFeeRate": "0.0006",
    }
    assert (await client.v3("account/fee-rate", **SPOT)).data["takerFeeRate"] == "0.001"
    rates = (await client.v3("account/all-fee-rate", category="SPOT")).data
    assert [row["symbol"] for row in rates] == ["BTCUSDT", "ETHUSDT"]
    for path, body in (("adjust-account-mode", {"mode": "basic"}), ("switch", {})):
        assert (await client.call(f"account/{path}", **body)).code == "25009"
    assert (await client.v3("account/funding-assets")).data == []
    assert (await client.v3("account/funding-financial-records")).data == {"list": None, "cursor": None}


# orders of contracts


async def test_an_order_from_placing_to_the_ledger_in_one_way_mode(client: Unified) -> None:
    placed = (await client.place("buy", "0.01", "59000", clientOid="far.1/a:b", takeProfit="66000")).data
    assert placed["clientOid"] == "far.1/a:b"
    (row,) = await client.past("trade/unfilled-orders", symbol="BTCUSDT")
    assert (row["orderId"], row["orderStatus"], row["price"], row["qty"], row["amount"]) == (
        placed["orderId"],
        "live",
        "59000",
        "0.01",
        "0",
    )
    assert (
        row["takeProfit"],
        row["tpTriggerBy"],
        row["tpOrderType"],
        row["stopLoss"],
        row["slTriggerBy"],
    ) == (
        "66000",
        "market",
        "market",
        "",
        "",
    )
    assert (row["posSide"], row["holdMode"], row["avgPrice"], row["delegateType"]) == (
        "long",
        "one_way_mode",
        "0",
        "normal",
    )
    assert (await client.call("trade/cancel-order", clientOid="far.1/a:b")).data == placed
    (row,) = await client.past("trade/history-orders")
    assert (row["orderStatus"], row["cancelReason"], row["execType"]) == (
        "cancelled",
        "normal_cancel",
        "normal",
    )

    await client.place("buy", "0.01", clientOid="now")
    info = await client.info(clientOid="now")
    assert (info["orderStatus"], info["cumExecQty"], info["price"], info["tradeSide"]) == (
        "filled",
        "0.01",
        "0",
        "open",
    )
    fills = (await client.v3("trade/fills", orderId=info["orderId"])).data["list"]
    assert {(fill["side"], fill["tradeScope"], fill["execPnl"]) for fill in fills} == {("buy", "taker", "0")}
    assert total(fills, "execQty") == D("0.01")
    (fee,) = info["feeDetail"]
    assert (fee["feeCoin"], D(fee["fee"])) == ("USDT", sum(D(fill["feeDetail"][0]["fee"]) for fill in fills))
    (held,) = await client.held()
    assert (held["posSide"], held["total"], held["marginMode"], held["positionStatus"]) == (
        "long",
        "0.01",
        "isolated",
        "normal",
    )
    assert held["openFeeTotal"] == "-" + fee["fee"]

    assert (await client.place("sell", "0.02", "61000", reduceOnly="yes")).data["orderId"]
    await client.place("sell", "0.004", reduceOnly="YES", clientOid="part")
    info = await client.info(clientOid="part")
    assert (info["reduceOnly"], info["tradeSide"], info["posSide"]) == ("YES", "close", "long")
    closed = (await client.call("trade/close-positions", category=CATEGORY)).data["list"]
    assert len(closed) == 1
    assert await client.held() == []
    (past,) = await client.past("position/history-position")
    assert (past["posSide"], past["openTotalPos"], past["closeTotalPos"]) == ("long", "0.01", "0.01")
    assert (await client.call("trade/close-positions", category=CATEGORY)).code == "25227"
    bills = await client.past("account/financial-records")
    assert {bill["type"] for bill in bills} == {"SELL_DEAL", "BUY_DEAL"}
    assert total(bills, "amount") + total(bills, "fee") + 10_000 == D(bills[0]["balance"])
    assert bills[0]["balance"] == (await client.usdt())["balance"]
    (deposit,) = await client.past("account/financial-records", category="OTHER")
    assert (deposit["type"], deposit["amount"]) == ("TRANSFER_IN", "10000")
    await client.adds_up()


async def test_hedge_mode_says_the_true_trade_side_and_the_position(hedged: Unified) -> None:
    client = hedged
    assert (await client.place("buy", "0.01")).code == "25236"
    await client.place("buy", "0.01", posSide="long")
    await client.place("sell", "0.02", posSide="short")
    assert {(row["posSide"], row["total"], row["holdMode"]) for row in await client.held()} == {
        ("long", "0.01", "hedge_mode"),
        ("short", "0.02", "hedge_mode"),
    }
    assert (await client.place("buy", "0.01", posSide="long", reduceOnly="yes")).code == "25236"
    assert (await client.place("sell", "0.011", posSide="long")).code == "25225"
    await client.place("sell", "0.004", posSide="long", clientOid="less")
    info = await client.info(clientOid="less")
    assert (info["side"], info["posSide"], info["tradeSide"]) == ("sell", "long", "close")
    assert (await client.call("account/set-hold-mode", holdMode="one_way_mode")).code == "25107"
    assert (await client.call("trade/close-positions", **BTC, posSide="short")).data["list"]
    (row,) = await client.held()
    assert (row["posSide"], row["total"]) == ("long", "0.006")
    bills = await client.past("account/financial-records", type="CLOSE_SHORT")
    assert {bill["type"] for bill in bills} == {"CLOSE_SHORT"}
    await client.adds_up()


async def test_a_closed_position_leaves_no_orders_that_block_the_holding_mode(client: Unified) -> None:
    await client.place("buy", "0.01", "59000")
    assert (await client.call("account/set-hold-mode", holdMode="hedge_mode")).code == "25570"
    done = (await client.call("trade/cancel-symbol-order", **BTC)).data["list"]
    assert len(done) == 1
    assert (await client.call("trade/cancel-symbol-order", category=CATEGORY)).data == {"list": []}
    assert (await client.call("account/set-hold-mode", holdMode="hedge_mode")).data == "success"


async def test_time_in_force_and_what_a_cancelled_order_says(client: Unified) -> None:
    for force, reason in (
        ("ioc", "ioc_not_full_cancel"),
        ("fok", "fok_not_full_cancel"),
    ):
        await client.place("buy", "0.01", "59000", timeInForce=force, clientOid=force)
        info = await client.info(clientOid=force)
        assert (info["orderStatus"], info["cancelReason"]) == ("cancelled", reason)
    await client.place("buy", "0.01", "62000", timeInForce="post_only", clientOid="po")
    info = await client.info(clientOid="po")
    assert (info["orderStatus"], info["cancelReason"]) == ("cancelled", "post_only_fill_cancel")


async def test_older_reduce_only_orders_give_way_and_then_there_is_no_id(client: Unified) -> None:
    await client.place("buy", "0.01")
    await client.place("sell", "0.01", "61000", reduceOnly="yes", clientOid="old")
    placed = (await client.place("sell", "0.01", "61500", reduceOnly="yes", clientOid="new")).data
    assert placed == {"orderId": None, "clientOid": "new"}
    assert (await client.info(clientOid="old"))["orderStatus"] == "cancelled"


async def test_batches_take_each_order_by_itself(client: Unified) -> None:
    order = BTC | {"side": "buy", "orderType": "limit", "price": "59000", "qty": "0.01"}
    rows = (
        await client.batch(
            "trade/place-batch",
            order | {"clientOid": "one"},
            order | {"clientOid": "one"},
            order | {"clientOid": "two", "qty": "0.00001"},
            order | {"clientOid": "three"},
        )
    ).data
    assert [row.get("code") for row in rows] == [None, "25212", "25610", None]
    assert rows[1]["clientOid"] == "one"
    assert rows[1]["msg"]
    gone = (
        await client.batch(
            "trade/cancel-batch", BTC | {"orderId": rows[0]["orderId"]}, BTC | {"clientOid": "nobody"}
        )
    ).data
    assert (gone[0], gone[1]["code"]) == (rows[0], "25204")
    assert [row["clientOid"] for row in await client.past("trade/unfilled-orders")] == ["three"]
    assert (await client.batch("trade/place-batch")).code == "400172"
    assert (await client.batch("trade/place-batch", *[order] * 21)).code == "400172"
    assert (await client.batch("trade/place-batch", order, order | {"category": "SPOT"})).code == "400172"
    assert (await client.call("trade/place-batch", **order)).code == "40017"
    assert (await client.batch("trade/place-order", order)).code == "40017"


async def test_pages_go_on_below_the_cursor(client: Unified) -> None:
    placed = [(await client.place("buy", "0.001", "59000")).data["orderId"] for _ in range(5)]
    seen: list[str] = []
    cursor: dict[str, object] = {}
    while True:
        page = (await client.v3("trade/unfilled-orders", category=CATEGORY, limit=2, **cursor)).data
        if page["list"] is None:
            break
        seen += [row["orderId"] for row in page["list"]]
        assert page["cursor"] == seen[-1]
        cursor = {"cursor": page["cursor"]}
    assert seen == placed[::-1]
    days = 86_400_000
    assert (await client.past("trade/history-orders")) == []
    assert (
        await client.v3("trade/history-orders", category=CATEGORY, startTime=1, endTime=31 * days)
    ).code == "40705"
    assert (await client.v3("trade/fills", startTime=2, endTime=1)).code == "40707"


async def test_a_modified_order_keeps_its_id_on_both_markets(client: Unified) -> None:
    for market in (BTC, SPOT):
        order = market | {"side": "buy", "orderType": "limit"}
        placed = (await client.call("trade/place-order", **order, qty="0.01", price="59000")).data
        which = {"orderId": placed["orderId"]}
        assert (await client.call("trade/modify-order", **which)).code == "400172"
        assert (await client.call("trade/modify-order", **which, qty="0.01")).code == "25571"
        assert (await client.call("trade/modify-order", **which, price="59000.001")).code == "25244"
        assert (await client.call("trade/modify-order", **which, qty="0.02", price="58000")).data == placed
        info = await client.info(**which)
        assert (info["qty"], info["price"], info["orderStatus"]) == ("0.02", "58000", "live")
        assert (await client.call("trade/modify-order", **which, price="60500")).data == placed
        info = await client.info(**which)
        assert (info["cumExecQty"], info["orderStatus"]) == ("0.02", "filled")
        assert (await client.call("trade/modify-order", **which, price="60000")).code == "25204"
        placed = (await client.call("trade/place-order", **order, qty="0.01", price="59000")).data
        which = {"orderId": placed["orderId"], "category": order["category"]}
        refused = await client.batch("trade/batch-modify-order", which | {"qty": "5", "autoCancel": "yes"})
        assert refused.data[0]["code"] in {"25203", "25202"}
        info = await client.info(orderId=placed["orderId"])
        assert (info["orderStatus"], info["qty"]) == ("cancelled", "0.01")
    await client.adds_up()


async def test_reduce_only_orders_are_not_modified(client: Unified) -> None:
    await client.place("buy", "0.01")
    placed = (await client.place("sell", "0.01", "61000", reduceOnly="yes")).data
    assert (await client.call("trade/modify-order", **placed, price="61500")).code == "25568"


async def test_a_countdown_cancels_both_markets_unless_it_is_put_off(client: Unified) -> None:
    for market in (BTC, SPOT):
        order = market | {"side": "buy", "orderType": "limit", "qty": "0.01", "price": "59000"}
        assert (await client.call("trade/place-order", **order)).code == "00000"
    for seconds, code in (("4", "400172"), ("61", "400172"), ("", "400172"), ("30", "00000")):
        assert (await client.call("trade/countdown-cancel-all", countdown=seconds)).code == code
    await client.control("/clock", {"advance_ms": 20_000})
    assert (await client.call("trade/countdown-cancel-all", countdown="30")).data == "success"
    await client.control("/clock", {"advance_ms": 20_000})
    assert len((await client.v3("trade/unfilled-orders")).data["list"]) == 2
    await client.control("/clock", {"advance_ms": 11_000})
    assert (await client.v3("trade/unfilled-orders")).data["list"] is None
    await client.adds_up()


# strategy orders


async def test_protection_that_came_with_an_order_is_one_strategy_order(client: Unified) -> None:
    await client.place("buy", "0.01", takeProfit="66000", stopLoss="54000", slTriggerBy="mark")
    (row,) = await client.strategies()
    assert (row["takeProfit"], row["stopLoss"], row["tpTriggerBy"], row["slTriggerBy"], row["status"]) == (
        "66000",
        "54000",
        "market",
        "mark",
        "pending",
    )
    assert (row["qty"], row["posSide"], row["triggerPrice"]) == ("0.01", "long", "")
    assert (await client.place("sell", "0.01", reduceOnly="yes", stopLoss="54000")).code == "25612"
    await client.price("BTCUSDT", "53000")
    assert await client.strategies() == []
    assert await client.held() == []
    (past,) = await client.past("trade/history-strategy-orders")
    assert (past["orderId"], past["status"], past["qty"]) == (row["orderId"], "success", "0.01")
    (sold, _bought) = await client.past("trade/history-orders")
    assert (sold["delegateType"], sold["side"]) == ("position_stop_loss_market", "sell")
    await client.adds_up()


async def test_a_stop_is_placed_moved_given_a_take_profit_and_cancelled(client: Unified) -> None:
    stop = BTC | {"posSide": "long", "stopLoss": "57000", "clientOid": "stop"}
    assert (await client.call("trade/place-strategy-order", **stop)).code == "25601"
    await client.place("buy", "0.01")
    placed = (await client.call("trade/place-strategy-order", **stop)).data
    assert placed["clientOid"] == "stop"
    assert (await client.call("trade/place-strategy-order", **(stop | {"clientOid": "x"}))).code == "25594"
    which = {"orderId": placed["orderId"]}
    modify = "trade/modify-strategy-order"
    assert (await client.call(modify, **which, stopLoss="57000")).code == "25600"
    assert (await client.call(modify, **which, stopLoss="0")).code == "25603"
    assert (await client.call(modify, **which, stopLoss="61000")).code == "25586"
    moved = await client.call(modify, **which, stopLoss="58000", slOrderType="limit", slLimitPrice="57900")
    assert moved.data == placed
    (row,) = await client.strategies()
    assert (row["stopLoss"], row["slOrderType"], row["slLimitPrice"], row["takeProfit"]) == (
        "58000",
        "limit",
        "57900",
        "",
    )
    assert (await client.call(modify, **which, takeProfit="66000", stopLoss="62000")).code == "25586"
    assert (await client.strategies()) == [row]  # both or nothing
    assert (await client.call(modify, **which, takeProfit="66000")).data == placed
    (row,) = await client.strategies()
    assert (row["orderId"], row["takeProfit"], row["stopLoss"]) == (placed["orderId"], "66000", "58000")
    answer = await client.call("trade/cancel-strategy-order", **which)
    assert (answer.code, answer.body["data"]) == ("00000", None)
    assert await client.strategies() == []
    assert (await client.call("trade/cancel-strategy-order", **which)).code == "25597"
    (past,) = await client.past("trade/history-strategy-orders", type="tpsl")
    assert (past["orderId"], past["status"]) == (placed["orderId"], "cancelled")
    assert await client.past("trade/history-strategy-orders", type="trigger") == []


async def test_of_a_partial_pair_the_executed_half_takes_the_other_with_it(hedged: Unified) -> None:
    client = hedged
    await client.place("buy", "0.01", posSide="long")
    pair = BTC | {"posSide": "long", "tpslMode": "partial", "takeProfit": "66000", "stopLoss": "54000"}
    assert (await client.call("trade/place-strategy-order", **pair)).code == "400172"
    assert (await client.call("trade/place-strategy-order", **pair, qty="0.02")).code == "25595"
    (await client.call("trade/place-strategy-order", **pair, qty="0.004")).data  # noqa: B018  (it must be a success)
    await client.price("BTCUSDT", "66500")
    assert await client.strategies() == []
    (row,) = await client.held()
    assert row["total"] == "0.006"
    (past,) = await client.past("trade/history-strategy-orders")
    assert (past["status"], past["qty"]) == ("success", "0.004")
    await client.adds_up()


async def test_trigger_orders_become_orders(client: Unified) -> None:
    trigger = BTC | {"type": "trigger", "side": "buy", "qty": "0.01", "triggerPrice": "61000"}
    place = "trade/place-strategy-order"
    assert (await client.call(place, **trigger, posSide="long")).code == "25236"
    placed = (
        await client.call(place, **trigger, clientOid="t", marginMode="isolated", stopLoss="55000")
    ).data
    (row,) = await client.strategies()
    assert (row["triggerPrice"], row["triggerBy"], row["triggerOrderType"], row["stopLoss"], row["qty"]) == (
        "61000",
        "market",
        "market",
        "55000",
        "0.01",
    )
    assert (
        await client.call("trade/modify-strategy-order", clientOid="t", triggerPrice="62000")
    ).data == placed
    assert await client.held() == []
    await client.price("BTCUSDT", "62500")
    (held,) = await client.held()
    assert held["total"] == "0.01"
    (past,) = await client.past("trade/history-strategy-orders", type="trigger")
    assert (past["status"], past["triggerPrice"]) == ("success", "62000")
    (protects,) = await client.strategies()
    assert protects["stopLoss"] == "55000"
    (sent,) = await client.past("trade/history-orders")
    assert sent["delegateType"] == "plan_market"
    assert (await client.call(place, **SPOT, stopLoss="1")).code == "25593"


# pairs


async def test_pairs_trade_from_the_same_wallet(client: Unified) -> None:
    buy = SPOT | {"side": "buy", "orderType": "market", "qty": "600", "clientOid": "spot"}
    placed = (await client.call("trade/place-order", **buy)).data
    info = await client.info(orderId=placed["orderId"])
    assert (info["category"], info["qty"], info["amount"], info["posSide"], info["holdMode"]) == (
        "SPOT",
        "0",
        "600",
        "",
        "",
    )
    (fee,) = info["feeDetail"]
    assert (fee["feeCoin"], info["orderStatus"]) == ("BTC", "filled")
    rows = {row["coin"]: row for row in (await client.v3("account/assets")).data["assets"]}
    assert rows["BTC"]["balance"] == rows["BTC"]["available"] != "0"
    await client.call("trade/place-order", **SPOT, side="sell", orderType="limit", qty="0.005", price="62000")
    rows = {row["coin"]: row for row in (await client.v3("account/assets")).data["assets"]}
    assert rows["BTC"]["locked"] == "0.005"
    await client.place("buy", "0.01", "59000")
    both = (await client.v3("trade/unfilled-orders")).data["list"]
    assert [row["category"] for row in both] == [CATEGORY, "SPOT"]
    assert [row["category"] for row in await client.past("trade/unfilled-orders", category="SPOT")] == [
        "SPOT"
    ]
    assert len((await client.call("trade/cancel-symbol-order", category="SPOT")).data["list"]) == 1
    assert {row["category"] for row in (await client.v3("trade/fills")).data["list"]} == {"SPOT"}
    bills = await client.past("account/financial-records", category="SPOT")
    assert {(bill["coin"], bill["type"], bill["symbol"]) for bill in bills} == {
        ("USDT", "ORDER_DEALT_FROZEN_OUT", "BTCUSDT"),
        ("BTC", "ORDER_DEALT_IN", "BTCUSDT"),
    }
    bought = [row["orderId"] for row in await client.past("trade/history-orders", category="SPOT")]
    assert placed["orderId"] in bought
    assert (await client.call("trade/place-order", **buy, stopLoss="50000")).code == "25593"
    await client.adds_up()


# money


async def test_assets_add_up_and_what_could_be_opened(client: Unified) -> None:
    before = await client.usdt()
    assert (before["balance"], before["available"], before["equity"]) == ("10000", "10000", "10000")
    await client.place("buy", "0.1", marginMode="crossed")
    await client.price("BTCUSDT", "61000")
    whole = (await client.v3("account/assets")).data
    (row,) = whole["assets"]
    assert float(row["equity"]) == pytest.approx(float(row["balance"]) + float(whole["unrealisedPnl"]))
    assert float(whole["unrealisedPnl"]) > 90
    assert whole["accountEquity"] == whole["usdtEquity"] == row["equity"]
    assert float(whole["imr"]) > 0
    assert 0 < float(whole["mgnRatio"]) < 1
    query = BTC | {"orderType": "limit", "side": "buy", "price": "60000", "size": "0.1"}
    by_post = (await client.call("account/max-open-available", **query)).data
    assert by_post == (await client.v3("account/max-open-available", **query)).data
    assert float(by_post["maxSellAvailable"]) == pytest.approx(float(by_post["maxSellOpen"]) + 0.1)
    assert float(by_post["buyOpenCost"]) == pytest.approx(6000 / 20 + 3.6)
    pair = await client.v3("account/max-open-available", **SPOT, orderType="market", side="sell")
    assert (pair.data["available"], pair.data["maxOpen"]) == ("0", "")
    assert (await client.v3("account/max-transferable", coin="USDT")).data["maxTransfer"] == row["available"]
    limit = (await client.v3("account/open-interest-limit", **BTC)).data
    assert float(limit["masterSubLimit"]) == pytest.approx(5 * float(limit["singleUserLimit"]))


async def test_the_margin_of_an_isolated_position_is_moved(client: Unified) -> None:
    margin = BTC | {"posSide": "long", "operation": "add", "amount": "10"}
    assert (await client.call("account/set-margin", **margin)).code == "25227"
    await client.place("buy", "0.01")
    (before,) = await client.held()
    assert (await client.call("account/set-margin", **margin)).data == "success"
    (after,) = await client.held()
    assert float(after["positionBalance"]) == pytest.approx(float(before["positionBalance"]) + 10)
    margin |= {"operation": "remove", "amount": "5"}
    assert (await client.call("account/set-margin", **(margin | {"amount": "1000"}))).code == "25242"
    assert (await client.call("account/set-margin", **margin)).data == "success"


async def test_leverage_by_margin_mode_and_side(hedged: Unified) -> None:
    client = hedged
    leverage = "account/set-leverage"
    assert (
        await client.call(leverage, **BTC, leverage="30", marginMode="isolated", posSide="long")
    ).code == "00000"
    assert (await client.call(leverage, **BTC, leverage="500")).code == "25223"
    assert (await client.call(leverage, **BTC, leverage="0.5")).code == "400172"
    assert (
        await client.call(leverage, category="COIN-FUTURES", symbol="BTCUSD", leverage="5")
    ).code == "25100"
    both = BTC | {"marginMode": "isolated", "longLeverage": "12", "shortLeverage": "13", "leverage": "5"}
    assert (await client.call(leverage, **both)).code == "00000"
    await client.place("buy", "0.01", posSide="long")
    await client.place("sell", "0.01", posSide="short")
    assert {row["posSide"]: row["leverage"] for row in await client.held()} == {"long": "12", "short": "13"}
    await client.place("buy", "0.001", "59000", posSide="long")
    assert (await client.call(leverage, **BTC, leverage="7")).code == "25570"


async def test_a_liquidation_in_the_venues_words(client: Unified) -> None:
    await client.call("account/set-leverage", **BTC, leverage="50", marginMode="isolated")
    await client.place("buy", "0.1")
    await client.price("BTCUSDT", "58000")
    assert await client.held() == []
    (row, _bought) = await client.past("trade/history-orders")
    assert (row["execType"], row["delegateType"]) == ("liquidation", "liquidation")
    fill = (await client.v3("trade/fills")).data["list"][0]
    assert fill["tradeSide"] == "burst_sell_single"
    assert (await client.past("account/financial-records"))[0]["type"] == "BURST_SELL_SSM"
    await client.adds_up()


# refusals


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"category": None}, "400172"),
        ({"category": "BONDS"}, "400172"),
        ({"symbol": None}, "400172"),
        ({"symbol": "NOSUCHUSDT"}, "25100"),
        ({"category": "USDC-FUTURES"}, "25100"),
        ({"category": "MARGIN"}, "25100"),
        ({"side": "up"}, "400172"),
        ({"qty": None}, "400172"),
        ({"qty": "a lot"}, "400172"),
        ({"qty": "0.00001"}, "25610"),
        ({"qty": "0"}, "25207"),
        ({"qty": "100000"}, "25208"),
        ({"qty": "100"}, "25230"),
        ({"price": "59000.01"}, "25244"),
        ({"price": None}, "400172"),
        ({"price": "70000"}, "25206"),
        ({"side": "sell", "price": "50000"}, "25205"),
        ({"clientOid": "with space"}, "25200"),
        ({"clientOid": "x" * 33}, "25200"),
        ({"posSide": "long"}, "25236"),
        ({"reduceOnly": "yes"}, "25227"),
        ({"reduceOnly": "perhaps"}, "400172"),
        ({"timeInForce": "rpi"}, "400172"),
        ({"marginMode": "portfolio"}, "400172"),
        ({"takeProfit": "58000"}, "25652"),
        ({"stopLoss": "59500"}, "25650"),
        ({"side": "sell", "price": "61000", "takeProfit": "62000"}, "25651"),
        ({"takeProfit": "0"}, "25602"),
        ({"stopLoss": "0"}, "25603"),
        ({"stopLoss": "55000", "slOrderType": "limit"}, "400172"),
        ({"qty": "5"}, "25203"),
    ],
)
async def test_refusals_have_the_codes_of_unified_accounts_and_change_nothing(
    client: Unified, changes: dict[str, object], code: str
) -> None:
    before = await client.ledger()
    order = BTC | {"side": "buy", "orderType": "limit", "price": "59000", "qty": "0.01"} | changes
    answer = await client.call("trade/place-order", **order)
    assert (answer.status, answer.code, answer.body["data"]) == (400, code, None), answer
    assert await client.ledger() == before
    assert (await client.v3("trade/unfilled-orders")).data["list"] is None


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("trade/order-info", {}, "400172"),
        ("trade/order-info", {"orderId": "12"}, "25204"),
        ("trade/order-info", {"orderId": "x"}, "400172"),
        ("trade/history-orders", {}, "400172"),
        ("trade/unfilled-orders", {"limit": "0"}, "400172"),
        ("position/current-position", {"category": CATEGORY, "posSide": "up"}, "400172"),
        ("position/current-position", {"category": CATEGORY, "symbol": "NOPE"}, "25100"),
        ("account/max-open-available", {"category": CATEGORY, "symbol": "BTCUSDT"}, "400172"),
        ("market/orderbook", {"category": CATEGORY, "symbol": "BTCUSDT", "limit": "500"}, "400172"),
        ("market/candles", {"category": CATEGORY, "symbol": "BTCUSDT", "interval": "7m"}, "400172"),
        ("market/history-candles", {**BTC, "interval": "1m", "limit": "101"}, "400172"),
        ("market/tickers", {}, "400172"),
        ("market/tickers", {"category": "SPOT", "symbol": "NOPE"}, "25100"),
        ("market/position-tier", {"category": "SPOT", "symbol": "BTCUSDT"}, "25240"),
    ],
)
async def test_questions_that_are_refused(
    client: Unified, path: str, query: dict[str, object], code: str
) -> None:
    assert (await client.v3(path, **query)).code == code


async def test_limits_a_second_and_their_header(exchanges: Exchanges) -> None:
    client = await unified(exchanges, await exchanges.start(limits=True))
    codes = [(await client.call("trade/close-positions", category=CATEGORY)).code for _ in range(7)]
    assert codes[:5] == ["25227"] * 5
    assert "429" in codes[5:]
    answer = await client.v3("account/settings")
    assert int(answer.headers["x-mbx-used-remain-limit"]) == 19


# market data


async def test_market_data_of_every_category(client: Unified) -> None:
    for category in ("MARGIN", "COIN-FUTURES", "USDC-FUTURES"):
        for path in ("instruments", "tickers"):
            assert (await client.v3(f"market/{path}", category=category)).data == []
    row = (await client.v3("market/instruments", **BTC)).data[0]
    assert (row["priceMultiplier"], row["status"], row["type"], row["maxLeverage"]) == (
        "0.1",
        "online",
        "perpetual",
        "125",
    )
    (pair,) = (await client.v3("market/instruments", **SPOT)).data
    assert "maxLeverage" not in pair
    (ticker,) = (await client.v3("market/tickers", **BTC)).data
    assert (ticker["category"], ticker["lastPrice"]) == (CATEGORY, "60000")
    book = (await client.v3("market/orderbook", **BTC)).data
    assert len(book["a"]) == len(book["b"]) == 5
    assert isinstance(book["a"][0][0], float | int)
    assert book["a"][0][0] > book["b"][0][0]
    rows = (await client.v3("market/candles", **SPOT, interval="1m", type="MARK")).data
    assert all(len(row) == 7 for row in rows)
    assert (await client.v3("market/history-candles", **BTC, interval="1H", limit=100)).data
    assert isinstance((await client.v3("market/fills", **BTC)).data, list)
    (rate,) = (await client.v3("market/current-fund-rate", symbol="BTCUSDT")).data
    assert rate["fundingRateInterval"] == "8"
    assert (await client.v3("market/history-fund-rate", **BTC)).data == {"resultList": []}
    interest = (await client.v3("market/open-interest", **BTC)).data
    assert interest["list"] == [{"symbol": "BTCUSDT", "openInterest": "0"}]
    tiers = (await client.v3("market/position-tier", **BTC)).data
    assert (tiers[0]["tier"], tiers[0]["mmr"]) == ("1", "0.004")
    assert (await client.v3("market/position-tier", category="MARGIN", coin="BTC")).data == []
    assert (await client.v3("market/oi-limit", category=CATEGORY)).data[0]["symbol"] == "BTCUSDT"
    assert (await client.v3("market/discount-rate")).data[0]["coin"] == "USDT"
    assert (await client.v3("public/time")).data["serverTime"].isdigit()
