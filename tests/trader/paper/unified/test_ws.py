"""The unified websocket: topics and their keys, first pushes, the order of pushes, orders over the socket."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from tests.trader.paper.client import Client, Socket
from tests.trader.paper.conftest import Exchanges
from tests.trader.paper.unified.conftest import Unified, unified
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.faces.bitget.v3 import topics
from trader.paper.server import PaperServer

D = Decimal
FUTURES = "usdt-futures"
TOPICS = ("order", "fast-fill", "fill", "position", "account", "strategy-order")


def keys(text: str) -> set[str]:
    return set(text.split())


# as the venue's pages list them
TICKER = keys(
    "highPrice24h lowPrice24h openPrice24h lastPrice turnover24h volume24h bid1Price ask1Price bid1Size ask1Size "
    "price24hPcnt"
)
OF_CONTRACTS = {"indexPrice", "markPrice", "fundingRate", "nextFundingTime", "openInterest"}
DEPTH = {"a", "b", "pseq", "seq", "maxDepth", "ts"}
TRADE = {"p", "S", "T", "v", "i", "L", "isRPI"}
KLINE = {"start", "open", "close", "high", "low", "volume", "turnover"}
ACCOUNT = {"unrealisedPnL", "totalEquity", "positionMgnRatio", "mmr", "effEquity", "imr", "mgnRatio", "coin"}
COIN = {"debts", "balance", "available", "borrow", "locked", "equity", "coin", "usdValue"}
POSITION = keys(
    "symbol leverage openFeeTotal mmr breakEvenPrice available liqPrice marginMode unrealisedPnl markPrice createdTime "
    "avgPrice totalFundingFee updatedTime marginCoin frozen profitRate closeFeeTotal marginSize curRealisedPnl size "
    "positionStatus posSide holdMode"
)
ORDER = keys(
    "category symbol orderId clientOid price qty amount holdMode holdSide delegateType tradeSide orderType timeInForce "
    "side marginMode marginCoin reduceOnly cumExecQty cumExecValue avgPrice totalProfit orderStatus cancelReason "
    "leverage feeDetail createdTime updatedTime stpMode"
)
FILL = keys(
    "symbol orderType updatedTime side orderId execPnl feeDetail execTime tradeScope tradeSide execId execLinkId "
    "execPrice holdSide execValue category execQty clientOid isRPI"
)
FAST = keys(
    "symbol updatedTime side orderId execTime tradeScope execId execPrice holdSide category execQty clientOid"
)
STRATEGY = keys(
    "category symbol orderId clientOid qty side posSide reduceOnly type status triggerType tpTriggerBy slTriggerBy "
    "takeProfit stopLoss tpOrderType slOrderType tpLimitPrice slLimitPrice triggerBy triggerPrice triggerOrderType "
    "triggerOrderPrice createdTime updatedTime"
)


class Line:
    """One socket in v3's words."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self._id = 0

    async def want(self, topic: str, kind: str = "UTA", **more: object) -> dict[str, Any]:
        """The acknowledgement, or the error."""
        arg: dict[str, object] = {"instType": kind, "topic": topic, **more}
        await self.socket.send("subscribe", arg)
        return await self.socket.expect(lambda message: "event" in message and message.get("arg") == arg)

    async def push(self, topic: str) -> dict[str, Any]:
        return await self.socket.expect(lambda m: "action" in m and m["arg"]["topic"] == topic)

    async def pushes(self, last: str) -> dict[str, list[dict[str, Any]]]:
        """Everything up to the next push of one topic, by topic in the order of arrival."""
        found: dict[str, list[dict[str, Any]]] = {}
        while last not in found:
            message = await self.socket.receive()
            if "action" in message:
                found.setdefault(message["arg"]["topic"], []).append(message)
        return found

    async def trade(self, topic: str, *args: object, category: str | None = FUTURES) -> dict[str, Any]:
        """The answer to one request."""
        self._id += 1
        frame = {"op": "trade", "id": str(self._id), "topic": topic, "args": list(args)}
        if category is not None:
            frame["category"] = category
        await self.socket.raw.send_str(json.dumps(frame))
        answer = await self.socket.expect(lambda m: m.get("id") == str(self._id))
        assert answer["event"] in {"trade", "error"}
        return answer


def order(
    side: str = "buy", qty: str = "0.01", price: str | None = None, **more: object
) -> dict[str, object]:
    body: dict[str, object] = {"symbol": "BTCUSDT", "side": side, "qty": qty, "marginMode": "isolated"}
    body |= {"orderType": "market"} if price is None else {"orderType": "limit", "price": price}
    return body | more


@pytest.fixture
async def public(client: Unified) -> Line:
    return Line(await client.socket("ws_v3_public"))


async def private_of(client: Client) -> Line:
    socket = await client.socket("ws_v3_private")
    assert await socket.login() == {"event": "login", "code": 0, "msg": ""}
    return Line(socket)


@pytest.fixture
async def private(client: Unified) -> Line:
    """Subscribed to everything; the first pictures are read."""
    line = await private_of(client)
    for topic in TOPICS:
        await line.want(topic)
    seen = {m["arg"]["topic"] for m in line.socket.seen if "action" in m}
    while seen != {"account", "position"}:  # what else is pushed at first would stand before their last
        seen.add((await line.socket.receive())["arg"]["topic"])
    return line


# market data


@pytest.mark.parametrize("kind", [FUTURES, "spot"])
async def test_market_data_have_the_venues_names(public: Line, server: PaperServer, kind: str) -> None:
    """A first picture of each; arguments are echoed as they came, pushes name the symbol as the client did."""
    ack = await public.want("ticker", kind.upper(), symbol="btcusdt")
    assert ack == {
        "event": "subscribe",
        "arg": {"instType": kind.upper(), "topic": "ticker", "symbol": "btcusdt"},
    }
    push = await public.push("ticker")
    assert push["arg"] == {"instType": kind, "topic": "ticker", "symbol": "BTCUSDT"}
    assert push["data"][0].keys() == TICKER | (OF_CONTRACTS if kind == FUTURES else set())
    assert {type(value) for value in push["data"][0].values()} == {str}
    for topic, levels in (("books1", 1), ("books5", 5), ("books50", 50)):
        await public.want(topic, kind, instId="BTCUSDT")
        push = await public.push(topic)
        assert push["arg"] == {"instType": kind, "topic": topic, "instId": "BTCUSDT"}
        (row,) = push["data"]
        assert (row.keys(), len(row["a"]), len(row["b"])) == (DEPTH, levels, levels)
        assert (row["pseq"], type(row["seq"])) == (0, int)
    await public.want("publicTrade", kind, symbol="BTCUSDT")
    assert (await public.push("publicTrade"))["action"] == "snapshot"
    await public.want("kline", kind, symbol="BTCUSDT", interval="1H")
    push = await public.push("kline")
    assert push["arg"]["interval"] == "1H"
    assert push["data"][-1].keys() == KLINE
    state = server.hub.states["futures" if kind == FUTURES else "spot", "BTCUSDT"]
    server.hub.feed_trade(state, D(61_000), D("0.5"), "buy", server.clock.now_ns(), trade_id="77")
    heard: dict[str, dict[str, Any]] = {}
    while not {"ticker", "publicTrade", "kline"} <= heard.keys():
        message = await public.socket.receive()
        heard[message["arg"]["topic"]] = message
    assert heard["ticker"]["data"][0]["lastPrice"] == "61000"
    (trade,) = heard["publicTrade"]["data"]
    assert (heard["publicTrade"]["action"], trade.keys()) == ("update", TRADE)
    assert (trade["p"], trade["v"], trade["S"], trade["i"]) == ("61000", "0.5", "buy", "77")
    (candle,) = heard["kline"]["data"]
    assert (heard["kline"]["action"], candle["close"], candle["high"]) == ("update", "61000", "61000")


async def test_the_book_is_kept_by_its_changes(public: Line, client: Unified) -> None:
    await public.want("books", FUTURES, symbol="BTCUSDT")
    first = (await public.push("books"))["data"][0]
    sides = {name: dict(first[name]) for name in ("a", "b")}
    seq = first["seq"]
    assert first["pseq"] == 0
    for price in ("60050", "60020", "60100"):
        await client.price("BTCUSDT", price)
        push = await public.push("books")
        (row,) = push["data"]
        assert (push["action"], row.keys(), row["pseq"]) == ("update", DEPTH, seq)
        seq = row["seq"]
        for name, levels in sides.items():
            levels.update(row[name])
            for at in [at for at, size in levels.items() if size == "0"]:
                del levels[at]
    depth = (await client.v3("market/orderbook", category="USDT-FUTURES", symbol="BTCUSDT", limit=5)).data
    asks = sorted([float(price), float(size)] for price, size in sides["a"].items())
    bids = sorted([float(price), float(size)] for price, size in sides["b"].items())
    assert (asks[:5], bids[:-6:-1]) == (depth["a"], depth["b"])


async def test_what_is_not_there(public: Line) -> None:
    for topic, kind, more in (
        ("ticker", FUTURES, {"symbol": "NOUSDT"}),
        ("ticker", "coin-futures", {"symbol": "BTCUSDT"}),
        ("ticker", "UTA", {"symbol": "BTCUSDT"}),
        ("books15", FUTURES, {"symbol": "BTCUSDT"}),
        ("kline", FUTURES, {"symbol": "BTCUSDT", "interval": "2m"}),
        ("liquidation", "spot", {}),
        ("order", FUTURES, {}),
        ("orders", "UTA", {}),
    ):
        answer = await public.want(topic, kind, **more)
        assert (answer["event"], answer["code"]) == ("error", 30001), topic
    assert (await public.want("order"))["code"] == 30004
    await public.socket.raw.send_str("ping")
    assert await public.socket.raw.receive_str(timeout=5) == "pong"


async def test_unsubscribed_topics_are_silent(public: Line, client: Unified) -> None:
    arg: dict[str, object] = {"instType": "spot", "topic": "kline", "symbol": "BTCUSDT", "interval": "1m"}
    await public.socket.send("subscribe", arg)
    await public.push("kline")
    await public.socket.send("unsubscribe", arg)
    assert await public.socket.receive() == {"event": "unsubscribe", "arg": arg}
    await public.want("ticker", "spot", symbol="BTCUSDT")
    await public.push("ticker")
    await client.price("BTCUSDT", "61000")
    await public.push("ticker")
    assert all(m["arg"]["topic"] != "kline" for m in public.socket.seen[3:] if "action" in m)


async def test_liquidations_are_pushed_together(
    public: Line, client: Unified, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics.LiquidationTopic, "interval_ms", 50)
    assert (await public.want("liquidation", FUTURES))["event"] == "subscribe"
    assert (await client.place("buy", "0.1")).code == "00000"
    await client.price("BTCUSDT", "55000")
    push = await public.push("liquidation")
    assert (push["action"], push["arg"]) == ("update", {"instType": FUTURES, "topic": "liquidation"})
    (row,) = push["data"]
    assert row.keys() == {"symbol", "side", "price", "amount", "ts"}
    assert (row["symbol"], row["side"]) == ("BTCUSDT", "buy")
    assert float(row["amount"]) == pytest.approx(0.1 * float(row["price"]))


# private topics


async def test_first_pictures_and_one_order_in_the_order_of_its_pushes(
    private: Line, client: Unified
) -> None:
    pushes = {m["arg"]["topic"]: m for m in private.socket.seen if "action" in m}
    assert pushes["position"]["data"] == []
    assert (pushes["account"]["action"], pushes["account"]["data"][0]["totalEquity"]) == ("snapshot", "10000")
    answer = await client.place("buy", "0.001", clientOid="mine")
    found = await private.pushes("account")
    assert list(found) == ["order", "fast-fill", "fill", "position", "account"]
    steps = [push["data"][0] for push in found["order"]]
    assert [step["orderStatus"] for step in steps] == ["new", "filled"]
    last = steps[-1]
    assert last.keys() == ORDER
    assert (last["orderId"], last["clientOid"], last["category"]) == (answer.data["orderId"], "mine", FUTURES)
    assert (last["price"], last["cumExecQty"], last["reduceOnly"], last["holdSide"]) == (
        "",
        "0.001",
        "no",
        "long",
    )
    assert last["feeDetail"] == [{"feeCoin": "USDT", "fee": "0.0360003"}]
    (fill,) = found["fill"][0]["data"]
    assert (fill.keys(), fill["tradeScope"], fill["execPnl"]) == (FILL, "taker", "0")
    fast = found["fast-fill"][0]["data"]
    assert (fast.keys(), fast["execId"]) == (FAST, fill["execId"])
    (held,) = found["position"][0]["data"]
    assert held.keys() == POSITION
    assert (held["size"], held["positionStatus"], held["leverage"]) == ("0.001", "opening", "20")
    (money,) = found["account"][0]["data"]
    assert (money.keys(), money["coin"][0].keys()) == (ACCOUNT, COIN)
    assert money["coin"][0] | {"coin": "USDT"} == money["coin"][0]
    row = await client.usdt()
    assert {name: money["coin"][0][name] for name in ("balance", "available", "locked", "equity")} == {
        name: row[name] for name in ("balance", "available", "locked", "equity")
    }
    again = await private_of(client)
    await again.want("position")
    assert [row["size"] for row in (await again.push("position"))["data"]] == ["0.001"]


async def test_positions_come_as_they_change_and_end(private: Line, client: Unified) -> None:
    await client.place("buy", "0.01")
    await private.pushes("account")
    eth = {"symbol": "ETHUSDT"}
    await client.place("sell", "0.1", **eth)
    (push,) = (await private.pushes("account"))["position"]
    assert (push["action"], [row["symbol"] for row in push["data"]]) == ("update", ["ETHUSDT"])
    await client.place("sell", "0.01", reduceOnly="yes")
    (push,) = (await private.pushes("account"))["position"]
    (row,) = push["data"]
    assert (row.keys(), row["symbol"], row["size"], row["positionStatus"]) == (
        POSITION,
        "BTCUSDT",
        "0",
        "ended",
    )
    assert float(row["curRealisedPnl"]) < 0
    answer = await client.place("buy", "0.1", "2900", reduceOnly="yes", **eth)
    assert answer.code == "00000"
    (push,) = (await private.pushes("position"))["position"]
    assert (push["data"][0]["frozen"], push["data"][0]["available"]) == ("0.1", "0")


async def test_pairs_share_the_topics(private: Line, client: Unified) -> None:
    body = {"category": "SPOT", "symbol": "BTCUSDT", "side": "buy", "orderType": "market", "qty": "60"}
    await client.call("trade/place-order", **body)
    found = await private.pushes("account")
    last = found["order"][-1]["data"][0]
    assert (last.keys(), last["category"], last["orderStatus"]) == (ORDER, "spot", "filled")
    assert (last["qty"], last["amount"], last["holdMode"], last["holdSide"]) == ("0", "60", "", "")
    (fill,) = found["fill"][0]["data"]
    assert (fill.keys(), fill["category"], fill["feeDetail"][0]["feeCoin"]) == (FILL, "spot", "BTC")
    money = found["account"][-1]["data"][0]
    assert [coin["coin"] for coin in money["coin"]] == ["BTC", "USDT"]
    assert "position" not in found
    body |= {"orderType": "limit", "price": "59000", "qty": "0.01"}
    placed = await client.call("trade/place-order", **body)
    found = await private.pushes("account")
    assert found["order"][0]["data"][0]["orderStatus"] == "new"
    assert found["account"][0]["data"][0]["coin"][1]["locked"] == "590"
    await client.call("trade/cancel-order", orderId=placed.data["orderId"])
    found = await private.pushes("account")
    assert found["order"][0]["data"][0]["orderStatus"] == "cancelled"
    assert found["account"][0]["data"][0]["coin"][1]["locked"] == "0"


async def test_strategy_orders_from_placing_to_execution(private: Line, client: Unified) -> None:
    await client.place("buy", "0.01", takeProfit="61000", stopLoss="59000")
    (push,) = (await private.pushes("strategy-order"))["strategy-order"]
    assert push["arg"] == {"instType": "UTA", "topic": "strategy-order", "symbol": "default"}
    (row,) = push["data"]
    assert row.keys() == STRATEGY
    assert (row["type"], row["status"], row["takeProfit"], row["stopLoss"]) == (
        "tpsl",
        "pending",
        "61000",
        "59000",
    )
    assert (row["side"], row["posSide"], row["category"]) == ("sell", "long", FUTURES)
    await client.price("BTCUSDT", "58990")
    found = await private.pushes("strategy-order")
    (row,) = found["strategy-order"][-1]["data"]
    assert (row["status"], row["triggerType"]) == ("success", "stopLoss")
    assert found["position"][-1]["data"][0]["positionStatus"] == "ended"
    await client.adds_up()


async def test_fast_fills_of_one_symbol(client: Unified) -> None:
    line = await private_of(client)
    await line.want("fast-fill", symbol="ETHUSDT")
    await client.place("buy", "0.01")
    await client.place("buy", "0.1", symbol="ETHUSDT")
    push = await line.push("fast-fill")
    assert (push["arg"], push["data"]["symbol"]) == ({"instType": "UTA", "topic": "fast-fill"}, "ETHUSDT")


async def test_a_classic_account_hears_nothing_and_may_not_trade(
    exchanges: Exchanges, server: PaperServer
) -> None:
    classic = await exchanges.client(server)
    line = await private_of(classic)
    for topic in TOPICS:
        assert (await line.want(topic))["event"] == "subscribe"
    assert (await classic.order("buy", "0.01")).code == "00000"
    answer = await line.trade("place-order", order())
    assert (answer["event"], answer["code"]) == ("error", "40084")
    assert not [m for m in line.socket.seen if "action" in m]


async def test_a_unified_account_may_not_trade_on_the_classic_socket(client: Unified) -> None:
    socket = await client.socket("ws_private")
    await socket.login()
    params = {
        "orderType": "market",
        "side": "buy",
        "size": "0.01",
        "marginCoin": "USDT",
        "marginMode": "crossed",
    }
    await socket.send(
        "trade",
        {
            "id": "1",
            "instType": "USDT-FUTURES",
            "instId": "BTCUSDT",
            "channel": "place-order",
            "params": params,
        },
    )
    assert (await socket.receive())["code"] == 40085


# orders


async def test_an_order_over_the_socket(private: Line, client: Unified) -> None:
    answer = await private.trade("place-order", order(price="59000", clientOid="one", takeprofit="60000"))
    (row,) = answer["args"]
    assert answer.keys() == {"event", "id", "category", "topic", "args", "code", "msg", "connId", "ts"}
    assert (answer["category"], answer["topic"], answer["code"]) == (FUTURES, "place-order", "0")
    assert row.keys() == {"symbol", "orderId", "clientOid", "cTime"}
    kept = await client.info(orderId=row["orderId"])
    assert (kept["clientOid"], kept["createdTime"], kept["takeProfit"]) == ("one", row["cTime"], "60000")
    answer = await private.trade("modify-order", {"orderId": row["orderId"], "price": 59100.5}, category=None)
    assert answer.keys() == {"event", "id", "topic", "args", "code", "msg", "connId", "ts"}
    assert answer["args"] == [{"orderId": row["orderId"], "clientOid": "one"}]
    assert (await client.info(clientOid="one"))["price"] == "59100.5"
    answer = await private.trade("cancel-order", {"clientOid": "one"}, category=None)
    assert (answer["code"], answer["args"]) == ("0", [{"orderId": row["orderId"], "clientOid": "one"}])
    answer = await private.trade("cancel-order", {"clientOid": "one"}, category=None)
    assert answer == {"event": "error", "id": answer["id"], "code": "25204", "msg": answer["msg"]}
    await client.adds_up()


async def test_batches_over_the_socket(private: Line, client: Unified) -> None:
    answer = await private.trade(
        "batch-place",
        order(price="59000", clientOid="a"),
        order(qty="0"),
        order(price="58000", clientOid="b"),
    )
    assert (answer["code"], answer["category"]) == ("0", FUTURES)
    first, refused, second = answer["args"]
    assert first.keys() == {"code", "msg", "symbol", "orderId", "clientOid"}
    assert (first["code"], first["symbol"], second["code"]) == ("0", "BTCUSDT", "0")
    assert refused["code"] not in {"0", ""}
    change = {"orderId": first["orderId"], "qty": "0.02"}
    answer = await private.trade("batch-modify", change, {"clientOid": "no", "qty": "1"}, category=None)
    assert [row["code"] for row in answer["args"]] == ["0", "25204"]
    assert (await client.info(clientOid="a"))["qty"] == "0.02"
    answer = await private.trade(
        "batch-cancel", {"clientOid": "a"}, {"orderId": second["orderId"]}, category=None
    )
    assert [row["code"] for row in answer["args"]] == ["0", "0"]
    answer = await private.trade("batch-place", *[order(price="59000")] * 21)
    assert (answer["event"], answer["code"]) == ("error", "400172")
    await client.adds_up()


async def test_a_pair_over_the_socket(private: Line, client: Unified) -> None:
    body = {"symbol": "BTCUSDT", "side": "buy", "orderType": "market", "qty": "600"}
    answer = await private.trade("place-order", body, category="spot")
    assert (answer["code"], answer["category"]) == ("0", "spot")
    assert (await client.info(orderId=answer["args"][0]["orderId"]))["orderStatus"] == "filled"
    await client.adds_up()


async def test_refusals_over_the_socket_change_nothing(private: Line, public: Line, client: Unified) -> None:
    before = await client.control(f"/accounts/{client.account['id']}")
    for args, category, code in (
        ([order(qty="10")], FUTURES, "25203"),
        ([order(symbol="NOUSDT")], FUTURES, "25100"),
        ([order()], None, "400172"),
        ([order()], "nothing", "400172"),
        ([order(), order()], FUTURES, "30016"),
    ):
        answer = await private.trade("place-order", *args, category=category)
        assert (answer["event"], answer["code"]) == ("error", code)
    assert (await private.trade("move-order", order()))["code"] == "30001"
    assert (await public.trade("place-order", order()))["code"] == "30004"
    frames: tuple[tuple[dict[str, object], object], ...] = (
        ({"op": "trade", "topic": "place-order", "category": FUTURES, "args": [order()]}, "30016"),
        ({"op": "trade", "id": "1", "topic": "place-order", "category": FUTURES, "args": []}, 30002),
        ({"op": "place", "id": "1", "args": [order()]}, 30003),
    )
    for frame, refused in frames:
        await private.socket.raw.send_str(json.dumps(frame))
        assert (await private.socket.receive())["code"] == refused
    assert await client.control(f"/accounts/{client.account['id']}") == before


async def test_orders_over_the_socket_have_the_limits_of_rest(exchanges: Exchanges) -> None:
    """Ten a second and account, whichever way they come."""
    venue = VenueLimits(ws_messages_per_s=100)
    client = await unified(exchanges, await exchanges.start(limits=True, venue=venue))
    line = await private_of(client)
    codes = [(await line.trade("cancel-order", {"orderId": "1"}, category=None))["code"] for _ in range(12)]
    assert codes[:10] == ["25204"] * 10
    assert "429" in codes[10:]


async def test_the_pace_of_frames_and_faults_hold_here_too(exchanges: Exchanges) -> None:
    client = await unified(exchanges, await exchanges.start(limits=True))
    line = await private_of(client)
    await line.want("order")
    await client.control("/faults", {"do": "duplicate_push", "match": {"channel": "order", "nth": 1}})
    await client.place("buy", "0.01")
    first, second = (await line.push("order"))["data"], (await line.push("order"))["data"]
    assert first == second
    path = "/v3/ws/private/place-order"
    await client.control(
        "/faults", {"do": "answer_lost", "match": {"path": path, "nth": 1}, "args": {"then": "hang"}}
    )
    await line.socket.raw.send_str(
        json.dumps({"op": "trade", "id": "x", "topic": "place-order", "category": FUTURES, "args": [order()]})
    )
    while (await line.push("order"))["data"][0]["orderStatus"] != "filled":
        pass
    rows = await client.control("/requests?path=/v3/ws/*")
    assert [row["method"] for row in rows if row["kind"] == "ws"] == ["login", "subscribe", "trade"]
    assert not [m for m in line.socket.seen if m.get("id") == "x"]
    for _ in range(12):
        await line.socket.raw.send_str("ping")
    texts: list[str] = []
    while (message := await asyncio.wait_for(line.socket.raw.receive(), 5)).type is aiohttp.WSMsgType.TEXT:
        texts.append(message.data)
    assert json.loads(texts[-1])["code"] == 30006
