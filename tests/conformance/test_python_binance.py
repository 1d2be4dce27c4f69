"""python-binance trades here: form bodies over REST, numbers as numbers over the websocket, algo orders, its sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conformance.pybinance import AsyncClient, BinanceAPIException, client, sockets
from tests.conformance.streams import within
from tests.conformance.venue import Control
from tests.trader.paper.process import Process

BTC = "BTCUSDT"
BUY: dict[str, Any] = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": 0.005}
LIMIT: dict[str, Any] = {**BUY, "type": "LIMIT", "price": 59_000, "timeInForce": "GTC", "quantity": 0.01}
STOP: dict[str, Any] = {
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": 0.005,
    "triggerPrice": 59_000,
}


@pytest.fixture
async def binance(exchange: Process, binance_account: dict[str, Any]) -> AsyncIterator[AsyncClient]:
    made = client(exchange.ready, binance_account)
    yield made
    await made.ws_future.close()  # the client leaves it open
    await made.close_connection()


async def held(binance: AsyncClient) -> dict[str, float]:
    rows = await binance.futures_position_information()
    return {row["positionSide"]: float(row["positionAmt"]) for row in rows if float(row["positionAmt"])}


async def refused(awaitable: Any) -> int:
    with pytest.raises(BinanceAPIException) as caught:
        await awaitable
    return int(caught.value.code)


async def test_the_whole_way_of_a_trade(
    binance: AsyncClient, control: Control, binance_account: dict[str, Any]
) -> None:
    """0.005 bought at 60000 and sold at 59999.9, taker 0.0006."""
    info = await binance.futures_exchange_info()
    assert BTC in {row["symbol"] for row in info["symbols"]}
    assert (await binance.futures_change_leverage(symbol=BTC, leverage=20))["leverage"] == 20
    placed = await binance.futures_create_order(**BUY, newOrderRespType="RESULT")
    assert (placed["status"], float(placed["avgPrice"]), float(placed["executedQty"])) == (
        "FILLED",
        60_000.0,
        0.005,
    )
    assert (await binance.futures_get_order(symbol=BTC, orderId=placed["orderId"]))["status"] == "FILLED"
    assert await held(binance) == {"BOTH": 0.005}
    (fill,) = await binance.futures_account_trades(symbol=BTC)
    assert (fill["orderId"], fill["maker"], abs(float(fill["commission"]))) == (
        placed["orderId"],
        False,
        0.18,
    )
    await binance.futures_create_order(**BUY | {"side": "SELL", "reduceOnly": True})
    assert await held(binance) == {}
    control.check_money(
        binance_account, ("open_fee", "-0.18"), ("realised_pnl", "-0.0005"), ("close_fee", "-0.1799997")
    )
    (balance,) = (row for row in await binance.futures_account_balance() if row["asset"] == "USDT")
    assert float(balance["balance"]) == 9_999.6395003
    income = await binance.futures_income_history(symbol=BTC)
    assert sum(float(row["income"]) for row in income) == pytest.approx(-0.3604997)


async def test_resting_orders(
    binance: AsyncClient, control: Control, binance_account: dict[str, Any]
) -> None:
    placed = await binance.futures_create_order(**LIMIT)
    assert placed["clientOrderId"].startswith("x-")
    number = {"symbol": BTC, "orderId": placed["orderId"]}
    changed = await binance.futures_modify_order(**number, side="BUY", quantity=0.02, price=58_500)
    assert (changed["orderId"], float(changed["price"]), float(changed["origQty"])) == (
        placed["orderId"],
        58_500.0,
        0.02,
    )
    assert [row["orderId"] for row in await binance.futures_get_open_orders(symbol=BTC)] == [
        placed["orderId"]
    ]
    assert (await binance.futures_cancel_order(**number))["status"] == "CANCELED"
    batch = [
        {name: str(value) for name, value in LIMIT.items()} | {"price": str(price)}
        for price in (59_000, 58_000)
    ]
    made = await binance.futures_place_batch_order(batchOrders=batch)
    assert [float(row["price"]) for row in made] == [59_000.0, 58_000.0]
    gone = await binance.futures_cancel_orders(symbol=BTC, orderidlist=[row["orderId"] for row in made])
    assert [row["status"] for row in gone] == ["CANCELED", "CANCELED"]
    await binance.futures_create_order(**LIMIT)
    assert (await binance.futures_cancel_all_open_orders(symbol=BTC))["code"] == 200
    assert (await binance.futures_countdown_cancel_all(symbol=BTC, countdownTime=0))["symbol"] == BTC
    control.check_money(binance_account)


async def test_algo_orders(binance: AsyncClient, control: Control, binance_account: dict[str, Any]) -> None:
    """Stops that are asked for as ordinary orders go to the algo orders by the client itself."""
    await binance.futures_create_order(**BUY)
    placed = await binance.futures_create_order(**STOP, reduceOnly=True)
    assert (placed["algoStatus"], placed["orderType"], float(placed["triggerPrice"])) == (
        "NEW",
        "STOP_MARKET",
        59_000.0,
    )
    (row,) = await binance.futures_get_open_algo_orders(symbol=BTC)
    assert (row["algoId"], row["reduceOnly"]) == (placed["algoId"], True)
    assert (await binance.futures_get_algo_order(algoId=placed["algoId"]))["algoStatus"] == "NEW"
    await binance.futures_cancel_algo_order(algoId=placed["algoId"])
    # it spells a boolean True
    whole = {name: value for name, value in STOP.items() if name != "quantity"}
    await binance.futures_create_algo_order(**whole, closePosition=True, clientAlgoId="whole")
    (row,) = await binance.futures_get_open_algo_orders()
    assert (row["clientAlgoId"], row["closePosition"]) == ("whole", True)
    with control.held(BTC, "58990"):
        assert await held(binance) == {}
        assert await binance.futures_get_open_algo_orders() == []
    found = {
        row["clientAlgoId"]: row["algoStatus"]
        for row in await binance.futures_get_all_algo_orders(symbol=BTC)
    }
    assert found == {placed["clientAlgoId"]: "CANCELED", "whole": "FINISHED"}
    await binance.futures_create_algo_order(**STOP | {"side": "BUY", "triggerPrice": 61_000})
    await binance.futures_cancel_all_algo_open_orders(symbol=BTC)
    assert await binance.futures_get_open_algo_orders() == []
    kinds = [line["kind"] for line in control.ledger(binance_account)]
    assert kinds == ["deposit", "open_fee", "realised_pnl", "close_fee"]


async def test_settings(binance: AsyncClient) -> None:
    assert (await binance.futures_get_position_mode())["dualSidePosition"] is False
    assert (await binance.futures_change_position_mode(dualSidePosition=True))["code"] == 200
    await binance.futures_create_order(**BUY, positionSide="LONG")
    await binance.futures_create_order(**BUY | {"side": "SELL"}, positionSide="SHORT")
    assert await held(binance) == {"LONG": 0.005, "SHORT": -0.005}
    assert (await binance.futures_change_margin_type(symbol="ETHUSDT", marginType="ISOLATED"))["code"] == 200
    account = await binance.futures_account()
    assert float(account["totalWalletBalance"]) < 10_000
    (brackets,) = await binance.futures_leverage_bracket(symbol=BTC)
    assert brackets["brackets"][0]["initialLeverage"] == 125


async def test_market_data(binance: AsyncClient, control: Control) -> None:
    assert (await binance.futures_ping()) == {}
    book = await binance.futures_order_book(symbol=BTC, limit=5)
    assert [float(side[0][0]) for side in (book["bids"], book["asks"])] == [59_999.9, 60_000.0]
    control.advance(120_000)
    assert len(await binance.futures_klines(symbol="SOLUSDT", interval="1m", limit=2)) == 2
    assert float((await binance.futures_mark_price(symbol=BTC))["markPrice"]) == 60_000.0
    assert float((await binance.futures_symbol_ticker(symbol=BTC))["price"]) == 60_000.0
    assert float((await binance.futures_orderbook_ticker(symbol=BTC))["askPrice"]) == 60_000.0
    assert (await binance.futures_ticker(symbol=BTC))["symbol"] == BTC
    assert len(await binance.futures_recent_trades(symbol="SOLUSDT", limit=3)) == 3
    assert len(await binance.futures_aggregate_trades(symbol="SOLUSDT", limit=3)) == 3


async def test_orders_over_the_websocket(
    binance: AsyncClient, control: Control, binance_account: dict[str, Any]
) -> None:
    """Quantities and prices come as JSON numbers, signed as they print (§7)."""
    placed = await within(binance.ws_futures_create_order(**LIMIT))
    assert (placed["status"], float(placed["price"])) == ("NEW", 59_000.0)
    number = {"symbol": BTC, "orderId": placed["orderId"]}
    changed = await within(binance.ws_futures_edit_order(**number, side="BUY", quantity=0.02, price=58_500))
    assert (changed["orderId"], float(changed["origQty"])) == (placed["orderId"], 0.02)
    assert (await within(binance.ws_futures_get_order(**number)))["status"] == "NEW"
    assert (await within(binance.ws_futures_cancel_order(**number)))["status"] == "CANCELED"
    control.check_money(binance_account)
    await within(binance.ws_futures_create_order(**BUY, newOrderRespType="RESULT"))
    (position,) = await within(binance.ws_futures_v2_account_position(symbol=BTC))
    assert float(position["positionAmt"]) == 0.005
    stop = await within(binance.ws_futures_create_order(**STOP, reduceOnly=True))
    assert stop["algoStatus"] == "NEW"
    await within(binance.ws_futures_cancel_order(algoId=stop["algoId"]))
    balance = await within(binance.ws_futures_v2_account_balance())
    assert float(next(row for row in balance if row["asset"] == "USDT")["balance"]) == 9_999.82
    assert float((await within(binance.ws_futures_v2_account_status()))["totalWalletBalance"]) == 9_999.82
    book = await within(binance.ws_futures_get_order_book(symbol=BTC))
    assert float(book["asks"][0][0]) == 60_000.0
    assert float((await within(binance.ws_futures_get_order_book_ticker(symbol=BTC)))["bidPrice"]) == 59_999.9
    control.check_money(binance_account, ("open_fee", "-0.18"))
    before = control.picture(binance_account)
    assert await refused(within(binance.ws_futures_create_order(**BUY | {"quantity": 10}))) == -2019
    assert await refused(within(binance.ws_futures_cancel_order(symbol=BTC, orderId=1))) == -2011
    assert control.picture(binance_account) == before


async def test_refusals(binance: AsyncClient, control: Control, binance_account: dict[str, Any]) -> None:
    before = control.picture(binance_account)
    expected: list[tuple[Any, int]] = [
        (lambda: binance.futures_create_order(**BUY | {"symbol": "NOSUCHUSDT"}), -1121),
        (lambda: binance.futures_create_order(**BUY | {"quantity": 0.00015}), -1111),
        (lambda: binance.futures_create_order(**BUY | {"quantity": 10}), -2019),
        (lambda: binance.futures_create_order(**BUY | {"side": "SELL"}, reduceOnly=True), -2022),
        (lambda: binance.futures_create_order(**LIMIT | {"price": 60_500, "timeInForce": "GTX"}), -5022),
        (lambda: binance.futures_create_order(**STOP | {"triggerPrice": 61_000}), -2021),
        (lambda: binance.futures_cancel_order(symbol=BTC, orderId=1), -2011),
        (lambda: binance.futures_get_order(symbol=BTC, orderId=1), -2013),
        (lambda: binance.futures_change_leverage(symbol=BTC, leverage=126), -4028),
        (lambda: binance.futures_change_position_mode(dualSidePosition=False), -4059),
        (lambda: binance.futures_change_margin_type(symbol=BTC, marginType="CROSSED"), -4046),
        (lambda: binance.futures_v1_get_open_order(symbol=BTC, orderId=1), -2013),
    ]
    for do, code in expected:
        assert await refused(do()) == code
    assert control.picture(binance_account) == before


async def test_the_user_socket(
    exchange: Process, binance: AsyncClient, control: Control, binance_account: dict[str, Any]
) -> None:
    """Each event of a fill in the order TRADE_LITE, ORDER_TRADE_UPDATE, ACCOUNT_UPDATE (§8)."""
    manager = sockets(exchange.ready, binance)
    async with manager.futures_user_socket() as socket:
        placed = await binance.futures_create_order(**BUY, newClientOrderId="seen")
        events: list[dict[str, Any]] = []
        while not events or events[-1]["e"] != "ACCOUNT_UPDATE":
            events.append(await within(socket.recv()))
        filled = [event for event in events if event["e"] == "ORDER_TRADE_UPDATE"][-1]["o"]
        assert (filled["i"], filled["c"], filled["X"], filled["x"]) == (
            placed["orderId"],
            "seen",
            "FILLED",
            "TRADE",
        )
        assert (float(filled["n"]), filled["N"], float(filled["L"]), filled["m"]) == (
            0.18,
            "USDT",
            60_000.0,
            False,
        )
        assert [event["e"] for event in events][-3:] == ["TRADE_LITE", "ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"]
        update = events[-1]["a"]
        assert (update["m"], float(update["B"][0]["wb"]), float(update["P"][0]["pa"])) == (
            "ORDER",
            9_999.82,
            0.005,
        )
        stop = await binance.futures_create_order(**STOP, reduceOnly=True)
        algo = await within(socket.recv())
        assert (algo["e"], algo["o"]["aid"], algo["o"]["X"]) == ("ALGO_UPDATE", stop["algoId"], "NEW")
        await binance.futures_change_leverage(symbol=BTC, leverage=7)
        config = await within(socket.recv())
        assert (config["e"], config["ac"]) == ("ACCOUNT_CONFIG_UPDATE", {"s": BTC, "l": 7})
    control.check_money(binance_account, ("open_fee", "-0.18"))


async def test_market_sockets(exchange: Process, binance: AsyncClient, control: Control) -> None:
    manager = sockets(exchange.ready, binance)
    async with (
        manager.futures_multiplex_socket(["btcusdt@bookTicker"], category="public") as quotes,
        manager.symbol_mark_price_socket("BTCUSDT", fast=True) as marks,
        manager.aggtrade_futures_socket("SOLUSDT") as trades,
        manager.futures_depth_socket("BTCUSDT") as depth,
    ):
        nudged = asyncio.ensure_future(within(depth.recv()))
        await asyncio.sleep(0)
        control.advance(60_000)
        control.price("BTCUSDT", "60010")
        assert (await within(quotes.recv()))["data"]["s"] == "BTCUSDT"
        assert (await within(marks.recv()))["data"]["s"] == "BTCUSDT"
        assert (await within(trades.recv()))["data"]["s"] == "SOLUSDT"
        assert (await nudged)["data"]["s"] == "BTCUSDT"
