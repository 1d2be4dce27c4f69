"""A client that shares nothing with ccxt: its own signing, its own websockets, and models that every answer must fit.

``typed-bitget`` checks each answer against types made from the vendor's documents and recordings, so that a key
that is missing or a word that is not in its list fails here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from typed_bitget import Bitget
from typed_bitget.core.transport.ws.classic import ClassicSocketStreamClient
from typed_core.exceptions import ApiError

from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES
from tests.trader.paper.process import Process

D = Decimal
ANSWER_S = 10.0
#: Where its models are narrower than the venue: field, what the venue sends, what the model takes instead.
NARROW: dict[tuple[str, object], object] = {
    ("priceAvg", ""): "0",  # an order without a fill (a sample of ccxt)
    ("posSide", "net"): "long",  # lists of orders in one-way mode (the newer sample)
    ("totalFee", ""): "0",  # a position until funding was paid (bitget.md §10)
    ("unrealizedPL", ""): "0",  # the account list while there is none (bitget.md §7)
    # the other half of a take profit or stop loss (the sample of the list)
    ("stopSurplusExecutePrice", None): "",
    ("stopSurplusTriggerPrice", None): "",
    ("stopSurplusTriggerType", None): "",
    ("stopLossExecutePrice", None): "",
    ("stopLossTriggerPrice", None): "",
    ("stopLossTriggerType", None): "",
}
#: It wants text in ``symbolType`` of a pushed ticker; that is a number (bitget.md §3 and the sample).
NUMBER: dict[str, Any] = {"validate": False}
PRODUCT: Any = FUTURES
ID: dict[str, Any] = {"symbol": "BTCUSDT", "product_type": FUTURES}
COIN: dict[str, Any] = {**ID, "margin_coin": "USDT"}
MARKET: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "productType": FUTURES,
    "marginMode": "isolated",
    "marginCoin": "USDT",
    "size": "0.01",
    "side": "buy",
    "orderType": "market",
}
LIMIT: dict[str, Any] = {**MARKET, "orderType": "limit", "price": "59000", "force": "gtc"}


def widened(value: Any) -> Any:
    """The same answer with the fields of ``NARROW`` as its models take them."""
    if isinstance(value, dict):
        return {
            name: widened(NARROW.get((name, item), item) if _plain(item) else item)
            for name, item in value.items()
        }
    return [widened(item) for item in value] if isinstance(value, list) else value


def _plain(value: object) -> bool:
    return value is None or isinstance(value, str)


class Widened:
    """Holds the widened answer against the model, and hands on the one that came."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def python(self, data: Any) -> Any:
        self.model.python(widened(data))
        return data


@pytest.fixture
async def client(exchange: Process, account: dict[str, Any]) -> AsyncIterator[Any]:
    made = Bitget.new(
        access_key=account["key"], secret_key=account["secret"], passphrase=account["passphrase"]
    )
    made.http_client.base_url = exchange.ready["rest"]
    read = made.http_client.result

    def result(response: Any, validator: Any = None, *, validate: bool | None = None) -> Any:
        model: Any = validator and Widened(validator)
        return read(response, model, validate=validate)

    made.http_client.result = result  # type: ignore[method-assign]  # its models, not its ways, are widened
    made.classic_streams_client = ClassicSocketStreamClient.new(
        public_url=exchange.ready["ws_public"],
        private_url=exchange.ready["ws_private"],
        credentials=made.http_client.credentials,
    )
    async with made.http_client, made.classic_streams_client:
        yield made


async def test_market_data(client: Any) -> None:
    market = client.classic.mix.market
    (ticker,) = await market.ticker("BTCUSDT", product_type=PRODUCT)
    assert D(ticker["lastPr"]) == 60_000
    assert {row["symbol"] for row in await market.contracts(PRODUCT)} >= {"BTCUSDT", "ETHUSDT"}
    book = await market.orderbook("BTCUSDT", product_type=PRODUCT, limit="5")
    assert (len(book["asks"]), len(book["bids"])) == (5, 5)
    assert await market.position_tier(product_type=PRODUCT, symbol="BTCUSDT")
    assert await client.classic.spot.symbols()
    assert await client.classic.spot.tickers()


async def test_orders_are_placed_changed_and_cancelled(
    client: Any, control: Control, account: dict[str, Any]
) -> None:
    order = client.classic.mix.order
    placed = await order.place(LIMIT | {"clientOid": "typed"})
    assert placed["clientOid"] == "typed"
    detail = await order.detail(**ID, order_id=placed["orderId"])
    assert (detail["state"], detail["price"]) == ("live", "59000")
    pending = (await order.open(**ID))["entrustedList"]
    assert pending
    assert [row["orderId"] for row in pending] == [placed["orderId"]]
    await order.modify(
        **ID, order_id=placed["orderId"], new_client_oid="typed-2", new_size="0.02", new_price="58000"
    )
    changed = await order.detail(**ID, client_oid="typed-2")
    assert (changed["size"], changed["price"]) == ("0.02", "58000")
    await order.cancel(**ID, client_oid="typed-2")
    assert not (await order.open(**ID))["entrustedList"]
    history = (await order.history(**ID))["entrustedList"]
    assert history
    assert {row["status"] for row in history} == {"canceled"}
    control.check_ledger(account, "10000")


async def test_batches(client: Any) -> None:
    order = client.classic.mix.order
    leg: Any = {"size": "0.01", "side": "buy", "orderType": "limit", "price": "59000", "force": "gtc"}
    placed = await order.batch_place(**COIN, margin_mode="isolated", order_list=[leg, leg])
    assert (len(placed["successList"]), placed["failureList"]) == (2, [])
    gone = await order.batch_cancel([{"orderId": row["orderId"]} for row in placed["successList"]], **ID)
    assert len(gone["successList"]) == 2


async def test_a_position_with_everything_around_it(
    client: Any, control: Control, account: dict[str, Any]
) -> None:
    mix = client.classic.mix
    assert (await mix.account.set_margin_mode(**COIN, margin_mode="isolated"))["marginMode"] == "isolated"
    await mix.account.set_leverage(**COIN, leverage="20")
    bought = await mix.order.place(MARKET)
    assert (await mix.order.detail(**ID, order_id=bought["orderId"]))["state"] == "filled"
    (position,) = await mix.position.list(PRODUCT, margin_coin="USDT")
    assert (position["holdSide"], D(position["total"]), D(position["leverage"])) == ("long", D("0.01"), D(20))
    assert await mix.position.get(PRODUCT, symbol="BTCUSDT", margin_coin="USDT") == [position]
    fills = (await mix.order.fills(**ID))["fillList"]
    assert fills
    assert {fill["orderId"] for fill in fills} == {bought["orderId"]}
    assert (await mix.account.get(**COIN))["marginMode"] == "isolated"
    assert len(await mix.account.list(PRODUCT)) == 1
    await mix.account.set_margin(**COIN, hold_side="long", amount="10")
    legs = await mix.order.tpsl.place_for_position(
        **COIN,
        hold_side="buy",
        stop_surplus_trigger_price="66000",
        stop_surplus_trigger_type="fill_price",
        stop_loss_trigger_price="55000",
        stop_loss_trigger_type="mark_price",
    )
    assert len(legs) == 2
    (held,) = await mix.position.list(PRODUCT, margin_coin="USDT")
    assert (D(held["takeProfit"]), D(held["stopLoss"])) == (D(66_000), D(55_000))
    closed = await mix.position.close("BTCUSDT", product_type=PRODUCT)
    assert len(closed["successList"]) == 1
    past = (await mix.position.history(symbol="BTCUSDT", product_type=PRODUCT))["list"]
    assert [D(row["closeTotalPos"]) for row in past] == [D("0.01")]
    assert (await mix.account.bills(PRODUCT))["bills"]
    control.check_ledger(account, str((await mix.account.list(PRODUCT))[0]["accountEquity"]))


async def test_plan_orders(client: Any, control: Control) -> None:
    plan = client.classic.mix.order.plan
    request: Any = {**MARKET, "planType": "normal_plan", "triggerPrice": "60500", "triggerType": "fill_price"}
    placed = await plan.place(request)
    found = (await plan.open(plan_type="normal_plan", product_type=PRODUCT))["entrustedList"]
    assert found
    assert [row["orderId"] for row in found] == [placed["orderId"]]
    await plan.modify(
        "normal_plan", **ID, order_id=placed["orderId"], new_trigger_price="60400", new_size="0.02"
    )
    with control.held("BTCUSDT", "60400"):
        past = (await plan.history(plan_type="normal_plan", product_type=PRODUCT))["entrustedList"]
        assert past
        assert [row["planStatus"] for row in past] == ["executed"]
        assert len(await client.classic.mix.position.list(PRODUCT, margin_coin="USDT")) == 1
    other = await plan.place(request | {"triggerPrice": "62000"})
    gone = await plan.cancel([{"orderId": other["orderId"]}], **ID, plan_type="normal_plan")
    assert [row["orderId"] for row in gone["successList"]] == [other["orderId"]]


async def test_take_profit_and_stop_loss(client: Any, control: Control) -> None:
    order = client.classic.mix.order
    await order.place(MARKET)
    placed = await order.tpsl.place(
        **COIN,
        plan_type="profit_plan",
        trigger_price="66000",
        trigger_type="fill_price",
        hold_side="buy",
        size="0.004",
    )
    await order.tpsl.modify(**COIN, order_id=placed["orderId"], trigger_price="61000", size="0.005")
    found = (await order.plan.open(plan_type="profit_loss", product_type=PRODUCT))["entrustedList"]
    assert found
    assert [(D(row["triggerPrice"]), D(row["size"])) for row in found] == [(D(61_000), D("0.005"))]
    with control.held("BTCUSDT", "61000"):
        (held,) = await client.classic.mix.position.list(PRODUCT, margin_coin="USDT")
        assert D(held["total"]) == D("0.005")


async def test_refusals_keep_their_code(client: Any, control: Control, account: dict[str, Any]) -> None:
    before = control.picture(account)
    for change, code in (
        ({"size": "0.00001"}, "40808"),
        ({"size": "100"}, "40762"),
        ({"symbol": "NOSUCHUSDT"}, "40102"),
    ):
        with pytest.raises(ApiError, match=code):
            await client.classic.mix.order.place(MARKET | change)
    assert control.picture(account) == before


async def test_streams_while_orders_run(client: Any) -> None:
    streams, order = client.classic_streams, client.classic.mix.order
    async with asyncio.timeout(ANSWER_S):
        async with (
            streams.orders(PRODUCT, inst_id="default") as order_stream,
            streams.fill(PRODUCT, inst_id="default") as fill_stream,
            streams.position.updates(PRODUCT, inst_id="default") as position_stream,
            streams.account(PRODUCT, coin="default") as money_stream,
        ):
            orders, fills = aiter(order_stream), aiter(fill_stream)
            positions, money = aiter(position_stream), aiter(money_stream)
            assert (await anext(positions))["data"] == []
            assert (await anext(money))["data"][0]["equity"] in {"10000", D(10_000)}
            placed = await order.place(LIMIT)
            live = await anext(orders)
            while not live["data"]:
                live = await anext(orders)
            assert [(row["orderId"], row["status"]) for row in live["data"]] == [(placed["orderId"], "live")]
            await order.cancel(**ID, order_id=placed["orderId"])
            assert (await anext(orders))["data"][0]["status"] == "canceled"
            bought = await order.place(MARKET)
            assert (await anext(fills))["data"][0]["orderId"] == bought["orderId"]
            while not (held := await anext(positions))["data"]:
                pass
            assert D(held["data"][0]["total"]) == D("0.01")


async def test_market_streams(client: Any) -> None:
    streams = client.classic_streams
    async with asyncio.timeout(ANSWER_S):
        async with streams.ticker(PRODUCT, inst_id="BTCUSDT", **NUMBER) as tickers:
            assert D((await anext(aiter(tickers)))["data"][0]["lastPr"]) == 60_000
        async with streams.orderbook(PRODUCT, inst_id="BTCUSDT", depth="5") as books:
            assert len((await anext(aiter(books)))["data"][0]["asks"]) == 5


async def test_orders_over_the_websocket(client: Any, control: Control, account: dict[str, Any]) -> None:
    order = client.classic_streams.order
    params: Any = {
        "orderType": "limit",
        "side": "buy",
        "size": "0.01",
        "price": "59000",
        "force": "gtc",
        "marginCoin": "USDT",
        "marginMode": "isolated",
        "clientOid": "by-socket",
    }
    async with asyncio.timeout(ANSWER_S):
        reply = await order.place(PRODUCT, "BTCUSDT", params)
        result = reply["arg"][0]["params"]
        assert (reply["event"], reply["code"], result["clientOid"]) == ("trade", 0, "by-socket")
        found = await client.classic.mix.order.detail(**ID, client_oid="by-socket")
        assert (found["orderId"], found["state"]) == (result["orderId"], "live")
        gone = await order.cancel(PRODUCT, "BTCUSDT", {"orderId": result["orderId"]})
        assert gone["arg"][0]["params"]["orderId"] == result["orderId"]
        before = control.picture(account)
        with pytest.raises(ApiError):
            await order.place(PRODUCT, "BTCUSDT", params | {"size": "0.00001"})
        with pytest.raises(ApiError):
            await order.cancel(PRODUCT, "BTCUSDT", {"orderId": "123"})
        assert control.picture(account) == before


async def test_spot(client: Any) -> None:
    await client.classic.spot.transfer.create(
        from_type="usdt_futures", to_type="spot", amount="5000", coin="USDT"
    )
    request: Any = {
        "symbol": "BTCUSDT",
        "side": "buy",
        "orderType": "limit",
        "force": "gtc",
        "price": "59000",
        "size": "0.01",
    }
    placed = await client.classic.spot.order.place(request)
    (row,) = await client.classic.spot.order.info(order_id=placed["orderId"])
    assert (row["status"], D(row["price"])) == ("live", D(59_000))
    await client.classic.spot.order.cancel(symbol="BTCUSDT", order_id=placed["orderId"])
    coins = {row["coin"]: row["available"] for row in await client.classic.spot.account.assets()}
    assert D(coins["USDT"]) == 5000
