"""The websocket: heartbeat, login, market data, private pushes and their order, bounds."""

from __future__ import annotations

import asyncio
import zlib
from decimal import Decimal

import aiohttp
import pytest

from shared import clock
from tests.trader.paper.client import FUTURES, Client, Socket, signature
from tests.trader.paper.conftest import Exchanges
from trader.paper.faces import outbox
from trader.paper.faces.bitget import connection as connections
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.server import PaperServer

D = Decimal
PRIVATE = ("orders", "fill", "positions", "account", "orders-algo")


@pytest.fixture
async def public(client: Client) -> Socket:
    return await client.socket()


@pytest.fixture
async def private(client: Client) -> Socket:
    socket = await client.socket("ws_private")
    assert await socket.login() == {"event": "login", "code": 0, "msg": ""}
    return socket


async def closed(socket: Socket) -> None:
    message = await asyncio.wait_for(socket.raw.receive(), 5)
    assert message.type in {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSED,
        aiohttp.WSMsgType.CLOSING,
    }


async def test_text_ping_is_answered_with_text_pong(public: Socket) -> None:
    await public.raw.send_str("ping")
    assert await public.raw.receive_str(timeout=5) == "pong"


async def test_acknowledgements_echo_the_argument_as_received(public: Socket) -> None:
    odd: dict[str, object] = {"inst_type": "usdt-futures", "channel": "ticker", "inst_id": "btcusdt", "x": 1}
    await public.send("subscribe", odd)
    assert await public.receive() == {"event": "subscribe", "arg": odd}
    push = await public.receive()
    assert push["action"] == "snapshot"
    assert push["arg"] == {"instType": FUTURES, "channel": "ticker", "instId": "BTCUSDT"}
    await public.send("unsubscribe", odd)
    assert await public.receive() == {"event": "unsubscribe", "arg": odd}


async def test_the_ticker_follows_the_price(public: Socket, client: Client) -> None:
    await public.subscribe("ticker", "BTCUSDT")
    assert (await public.push("ticker"))["data"][0]["lastPr"] == "60000"
    await client.price("BTCUSDT", "61000")
    row = (await public.push("ticker"))["data"][0]
    assert (row["lastPr"], row["markPrice"], row["instId"], row["symbolType"]) == (
        "61000",
        "61000",
        "BTCUSDT",
        1,
    )


async def test_whole_book_pictures(public: Socket, client: Client) -> None:
    for channel, levels in (("books1", 1), ("books5", 5), ("books15", 15)):
        await public.subscribe(channel, "BTCUSDT")
        first = (await public.push(channel))["data"][0]
        assert len(first["asks"]) == len(first["bids"]) == levels
    await client.price("BTCUSDT", "61000")
    row = (await public.push("books1"))["data"][0]
    assert D(row["bids"][0][0]) < D(row["asks"][0][0]) < 61010


async def test_book_changes_rebuild_the_book_and_its_checksum(public: Socket, client: Client) -> None:
    await public.subscribe("books", "BTCUSDT")
    first = await public.push("books")
    assert first["action"] == "snapshot"
    bids = dict(first["data"][0]["bids"])
    asks = dict(first["data"][0]["asks"])
    seq = first["data"][0]["seq"]
    for price in ("60010", "59990", "60500"):
        await client.price("BTCUSDT", price)
        message = await public.push("books")
        assert message["action"] == "update"
        row = message["data"][0]
        assert row["pseq"] == seq
        seq = row["seq"]
        for side, changes in ((bids, row["bids"]), (asks, row["asks"])):
            for level, size in changes:
                side.pop(level, None)
                if size != "0":
                    side[level] = size
        best_bids = sorted(bids.items(), key=lambda level: -D(level[0]))[:25]
        best_asks = sorted(asks.items(), key=lambda level: D(level[0]))[:25]
        joined = ":".join(
            part for bid, ask in zip(best_bids, best_asks, strict=True) for part in (*bid, *ask)
        )
        crc = zlib.crc32(joined.encode())
        assert row["checksum"] == (crc - 2**32 if crc >= 2**31 else crc)


async def test_trades_and_candles(exchanges: Exchanges) -> None:
    server = await exchanges.start(tape="synthetic:7", speed=50.0)
    client = await exchanges.client(server)
    socket = await client.socket()
    await socket.subscribe("candle1m", "BTCUSDT")
    first = await socket.push("candle1m")
    assert first["action"] == "snapshot"
    assert len(first["data"][-1]) == 8
    await socket.subscribe("trade", "BTCUSDT")
    message = await socket.expect(lambda m: m.get("action") == "update" and m["arg"]["channel"] == "trade")
    assert set(message["data"][0]) == {"ts", "price", "size", "side", "tradeId"}


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"op":"fly","args":[{"a":1}]}', 30003),
        ('{"op":"subscribe"}', 30002),
        ('{"op":"subscribe","args":["x"]}', 30002),
        ("hello", 30002),
        ("[]", 30002),
        ("x" * 5000, 30016),
        (
            '{"op":"subscribe","args":[{"instType":"USDT-FUTURES","channel":"ticker","instId":"NOUSDT"}]}',
            30001,
        ),
        (
            '{"op":"subscribe","args":[{"instType":"USDT-FUTURES","channel":"none","instId":"BTCUSDT"}]}',
            30001,
        ),
        ('{"op":"subscribe","args":[{"instType":"MARS","channel":"ticker","instId":"BTCUSDT"}]}', 30001),
        (
            '{"op":"subscribe","args":[{"instType":"USDT-FUTURES","channel":"orders","instId":"default"}]}',
            30004,
        ),
    ],
)
async def test_errors(public: Socket, message: str, code: int) -> None:
    await public.raw.send_str(message)
    answer = await public.receive()
    assert (answer["event"], answer["code"]) == ("error", code)
    await public.raw.send_str("ping")
    assert await public.raw.receive_str(timeout=5) == "pong"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"apiKey": "nobody"}, 30011),
        ({"passphrase": "wrong"}, 30012),
        ({"timestamp": "soon"}, 30013),
        ({"timestamp": "1700000000"}, 30014),
        ({"sign": "d3Jvbmc="}, 30015),
    ],
)
async def test_a_failed_login_is_told_and_cut(client: Client, changes: dict[str, object], code: int) -> None:
    socket = await client.socket("ws_private")
    answer = await socket.login(**changes)
    assert (answer["event"], answer["code"]) == ("error", code)
    await closed(socket)


async def test_login_takes_milliseconds_and_numbers_and_snake_case(client: Client) -> None:
    socket = await client.socket()  # the public path does for both
    stamp = clock.now_ms()
    await socket.send(
        "login",
        {
            "api_key": client.account["key"],
            "passphrase": client.account["passphrase"],
            "timestamp": stamp,
            "sign": signature(client.account["secret"], f"{stamp}GET/user/verify"),
        },
    )
    assert (await socket.receive())["code"] == 0
    assert (await socket.subscribe("orders"))["event"] == "subscribe"


async def test_snapshots_come_first_and_pushes_in_their_order(private: Socket, client: Client) -> None:
    for channel in PRIVATE:
        await private.subscribe(channel)
    await private.raw.send_str("ping")
    while (await private.raw.receive_str(timeout=5)) != "pong":
        pass
    placed = (await client.order("buy", "0.001", clientOid="p1", presetStopSurplusPrice="66000")).data
    messages = [
        await private.push(channel) for channel in ("orders", "orders", "fill", "positions", "account")
    ]
    live, filled, fill, positions, account = (message["data"][0] for message in messages)
    assert all(message["action"] == "snapshot" for message in messages)
    assert (live["status"], "fillPrice" in live) == ("live", False)
    assert (filled["status"], filled["orderId"], filled["tradeScope"]) == ("filled", placed["orderId"], "T")
    assert filled["clientOid"] == "p1"
    assert filled["fillFee"] == filled["feeDetail"][0]["fee"] == fill["feeDetail"][0]["totalFee"]
    assert D(filled["fillFee"]) < 0
    assert (fill["tradeId"], fill["symbol"]) == (filled["tradeId"], "BTCUSDT")
    assert (positions["total"], positions["holdSide"], positions["leverage"]) == ("0.001", "long", 10)
    assert D(account["equity"]) < 10_000
    plan = (await private.push("orders-algo"))["data"][0]
    assert (plan["planType"], plan["triggerPrice"], plan["status"]) == ("ptp", "66000", "live")


async def test_a_closed_position_vanishes_from_the_list(private: Socket, client: Client) -> None:
    await private.subscribe("positions")
    assert (await private.push("positions"))["data"] == []
    await private.subscribe("positions-history")
    await client.order("buy", "0.001")
    assert len((await private.push("positions"))["data"]) == 1
    await client.post("/api/v2/mix/order/close-positions", productType=FUTURES)
    assert (await private.push("positions"))["data"] == []
    row = (await private.push("positions-history"))["data"][0]
    assert (row["openSize"], row["closeSize"], row["marginMode"]) == ("0.001", "0.001", "fixed")


async def test_pushes_reach_their_own_account_and_symbol_only(
    exchanges: Exchanges, server: PaperServer, client: Client, private: Socket
) -> None:
    other = await exchanges.client(server, 1)
    await private.subscribe("orders", "ETHUSDT")
    await other.order("buy", "0.001")
    await client.order("buy", "0.001")
    eth = (await client.order("buy", "0.1", symbol="ETHUSDT")).data
    first = await private.push("orders")
    assert (first["arg"]["instId"], first["data"][0]["orderId"]) == ("ETHUSDT", eth["orderId"])


async def test_a_unified_key_may_log_in_and_hears_nothing(
    exchanges: Exchanges, server: PaperServer, client: Client
) -> None:
    unified = Client(server.ready, await client.control("/accounts", {"kind": "unified"}))
    exchanges.clients.append(await unified.__aenter__())
    socket = await unified.socket("ws_private")
    assert (await socket.login())["code"] == 0
    assert (await socket.subscribe("positions"))["event"] == "subscribe"
    await socket.raw.send_str("ping")
    assert await socket.raw.receive_str(timeout=5) == "pong"


async def test_too_many_messages_a_second_cut_the_connection(exchanges: Exchanges) -> None:
    client = await exchanges.client(await exchanges.start(limits=True))
    socket = await client.socket()
    for _ in range(12):
        await socket.raw.send_str("ping")
    for _ in range(10):
        assert await socket.raw.receive_str(timeout=5) == "pong"
    assert (await socket.receive())["code"] == 30006
    await closed(socket)


async def test_silence_and_old_age_cut_the_connection(exchanges: Exchanges) -> None:
    quiet = await exchanges.client(await exchanges.start(venue=VenueLimits(ws_idle_s=0.05)))
    await closed(await quiet.socket())
    old = await exchanges.client(await exchanges.start(venue=VenueLimits(ws_life_s=0.05)))
    await closed(await old.socket())


async def test_a_slow_reader_loses_the_oldest_market_data_and_keeps_the_newest_picture(
    server: PaperServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_PUBLIC", 3)
    connection = connections.Connection(
        server.ws, server.ws.classic, aiohttp.web.WebSocketResponse(), server._protocol()
    )
    ticker, trade = ("futures", "BTCUSDT", "ticker"), ("futures", "BTCUSDT", "trade")
    connection.push_public(ticker, "old", latest=True)
    connection.push_public(ticker, "new", latest=True)
    for number in range(5):
        connection.push_public(trade, f"t{number}", latest=False)
    assert list(connection._outbox._items) == ["t2", "t3", "t4"]
    assert server.ws.dropped == 3
    connection.push_public(ticker, "newest", latest=True)
    assert connection._outbox._latest == {ticker: "newest"}


async def test_a_private_reader_that_does_not_read_is_cut(
    server: PaperServer, client: Client, private: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MOST_PUBLIC", 0)
    monkeypatch.setattr(outbox, "MOST_PRIVATE", 2)
    await private.subscribe("orders")
    (connection,) = server.ws.connections
    monkeypatch.setattr(connection._outbox, "_wake", asyncio.Event())  # the writer sleeps on
    await client.order("buy", "0.001")
    await client.order("buy", "0.001")
    await closed(private)
