"""Market streams: names, paths, requests, payloads, and a local book kept as documented."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.trader.paper.binance.sockets import Sockets, Stream
from trader.paper.book import Book
from trader.paper.faces.binance import ids, intervals
from trader.paper.faces.binance.growing import Growing, merged
from trader.paper.faces.binance.streamnames import parse
from trader.paper.faces.binance.streampaths import read
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.market import MarketState
from trader.paper.minutes import Candle
from trader.paper.server import PaperServer

SAMPLES = Path(__file__).parents[3] / "conformance" / "wire_shapes.json"
D = Decimal
BTC = "BTCUSDT"
MINUTE = 60_000_000_000


def state(server: PaperServer) -> MarketState:
    return server.hub.states["futures", BTC]


def book(server: PaperServer, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
    """The symbol's book, level for level."""
    one = state(server)
    if type(one.tape_book) is not Book:
        server.hub.attach_book(one, Book(one.spec.tick))
    one.book.snapshot(bids, asks)
    server.hub.feed_book(one, server.clock.now_ns())


def trade(server: PaperServer, price: str, size: str, side: Any = "buy") -> None:
    server.hub.feed_trade(state(server), D(price), D(size), side, server.clock.now_ns())


# names and paths


@pytest.mark.parametrize(
    ("name", "kind", "symbol", "levels", "every_ms"),
    [
        ("btcusdt@aggTrade", "aggTrade", BTC, 0, 0),
        ("btcusdt@markPrice", "markPrice", BTC, 0, 3000),
        ("btcusdt@markPrice@1s", "markPrice", BTC, 0, 1000),
        ("btcusdt@depth", "depth", BTC, 0, 250),
        ("btcusdt@depth@500ms", "depth", BTC, 0, 500),
        ("btcusdt@depth20@100ms", "depth", BTC, 20, 100),
        ("btcusdt@rpiDepth@500ms", "rpiDepth", BTC, 0, 500),
        ("!markPrice@arr@1s", "markPrice", "", 0, 1000),
        ("!bookTicker", "bookTicker", "", 0, 0),
    ],
)
def test_a_stream_name_says_what_is_wanted(
    name: str, kind: str, symbol: str, levels: int, every_ms: int
) -> None:
    found = parse(name)
    assert found is not None
    assert (found.kind, found.symbol, found.levels, found.every_ms) == (kind, symbol, levels, every_ms)


@pytest.mark.parametrize(
    "name",
    ["btcusdt@foo", "btcusdt@depth7", "btcusdt@depth@300ms", "btcusdt@kline_7m", "btcusdt", "!all", "@depth"],
)
def test_what_is_no_stream_is_told_apart(name: str) -> None:
    assert parse(name) is None


def test_capitals_name_no_symbol() -> None:
    found = parse("BTCUSDT@aggTrade")
    assert found is not None
    assert found.symbol not in ("", BTC)


@pytest.mark.parametrize(
    ("name", "prefixes"),
    [
        ("btcusdt@depth", ["", "public"]),
        ("btcusdt@bookTicker", ["", "public"]),
        ("!bookTicker", ["", "public"]),
        ("btcusdt@aggTrade", ["", "market"]),
        ("btcusdt@kline_1m", ["", "market"]),
        ("!forceOrder@arr", ["", "market"]),
        ("!ticker@arr", ["", "market"]),
    ],
)
def test_each_kind_has_its_path(name: str, prefixes: list[str]) -> None:
    stream = parse(name)
    assert stream is not None
    assert [prefix for prefix in ("", "public", "market", "private") if stream.served(prefix)] == prefixes


@pytest.mark.parametrize(
    ("path", "prefix", "combined", "names"),
    [
        ("/ws", "", False, ()),
        ("/ws/btcusdt@aggTrade/btcusdt%40depth", "", False, ("btcusdt@aggTrade", "btcusdt@depth")),
        ("/market/ws/0", "market", False, ()),
        ("/public/stream?streams=a@depth/b@depth", "public", True, ("a@depth", "b@depth")),
        ("/stream", "", True, ()),
        ("/private/ws?listenKey=K", "private", False, ("K",)),
        ("/private/stream?listenKey=K", "private", True, ("K",)),
        ("/ws/K", "", False, ("K",)),
    ],
)
def test_a_path_says_what_to_begin_with(
    path: str, prefix: str, combined: bool, names: tuple[str, ...]
) -> None:
    found = read(path)
    assert found is not None
    assert (found.prefix, found.combined, found.names) == (prefix, combined, names)


def test_events_of_user_data_may_be_chosen_in_the_path() -> None:
    found = read("/private/ws?listenKey=K&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE")
    assert found is not None
    assert found.events == {"ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE"}


async def test_other_paths_are_not_there(sockets: Sockets) -> None:
    for path in ("/public/nothing", "/market", "/stream/btcusdt@depth"):
        with pytest.raises(InvalidStatus) as refused:
            await sockets.stream(path)
        assert refused.value.response.status_code == 404


# requests


async def test_subscribing_listing_and_leaving(sockets: Sockets, binance: PaperServer) -> None:
    stream = await sockets.stream("/ws")
    assert await stream.ask("SUBSCRIBE", "btcusdt@aggTrade", "nope@aggTrade") == {"result": None, "id": 1}
    listed = await stream.ask("LIST_SUBSCRIPTIONS")
    assert listed["result"] == ["btcusdt@aggTrade", "nope@aggTrade"]
    trade(binance, "60000", "0.5")
    assert (await stream.event("aggTrade"))["q"] == "0.5000"
    assert (await stream.ask("UNSUBSCRIBE", "btcusdt@aggTrade"))["result"] is None
    trade(binance, "60000", "0.7")
    assert await stream.silent()
    assert binance.streams.feed._topics[BTC] == {}


async def test_the_combined_property_wraps_what_comes(sockets: Sockets, binance: PaperServer) -> None:
    stream = await sockets.stream("/stream?streams=btcusdt@aggTrade")
    assert (await stream.ask("GET_PROPERTY", "combined"))["result"] is True
    trade(binance, "60000", "0.5")
    wrapped = await stream.next(lambda message: "stream" in message)
    assert wrapped["stream"] == "btcusdt@aggTrade"
    assert wrapped["data"]["e"] == "aggTrade"
    assert (await stream.ask("SET_PROPERTY", "combined", False))["result"] is None
    trade(binance, "60000", "0.5")
    await stream.event("aggTrade")


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("{", 3),
        ("[]", 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@nothing"], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": "btcusdt@depth", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": [1], "id": 1}, 2),
        ({"method": "SUBSCRIBE", "id": 1}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@depth"]}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": -1}, 2),
        ({"method": "SUBSCRIBE", "params": ["btcusdt@depth"], "id": [1]}, 2),
        ({"method": "LISTEN", "params": [], "id": 1}, 2),
        ({"params": [], "id": 1}, 2),
        ({"method": "GET_PROPERTY", "params": ["color"], "id": 1}, 0),
        ({"method": "GET_PROPERTY", "params": [1], "id": 1}, 2),
        ({"method": "GET_PROPERTY", "params": ["combined", 1], "id": 1}, 2),
        ({"method": "SET_PROPERTY", "params": ["combined", "yes"], "id": 1}, 1),
    ],
)
async def test_a_bad_request_is_told_what_is_wrong(sockets: Sockets, frame: object, code: int) -> None:
    stream = await sockets.stream("/ws")
    answer = await stream.send(frame)
    assert answer["error"]["code"] == code
    assert isinstance(answer["error"]["msg"], str)
    assert (await stream.ask("LIST_SUBSCRIPTIONS"))["result"] == []


async def test_more_streams_than_one_connection_may_have_are_refused(
    sockets: Sockets, binance: PaperServer
) -> None:
    binance.streams.limits = VenueLimits(binance_ws_streams=2)
    stream = await sockets.stream("/ws/btcusdt@depth")
    answer = await stream.ask("SUBSCRIBE", "ethusdt@depth", "solusdt@depth")
    assert answer["error"]["code"] == 2
    assert (await stream.ask("LIST_SUBSCRIPTIONS"))["result"] == ["btcusdt@depth"]


async def test_a_stream_on_the_wrong_path_is_accepted_and_silent(
    sockets: Sockets, binance: PaperServer
) -> None:
    stream = await sockets.stream("/market/ws")
    assert (await stream.ask("SUBSCRIBE", "btcusdt@bookTicker", "btcusdt@trade"))["result"] is None
    trade(binance, "60000", "0.5")
    assert await stream.silent()


# lives


async def closed(stream: Stream) -> int:
    try:
        while True:
            await stream.receive()
    except ConnectionClosed as gone:
        return gone.rcvd.code if gone.rcvd else 1006


async def test_ten_frames_a_second_are_taken(sockets: Sockets, binance: PaperServer) -> None:
    binance.streams.limits = VenueLimits()
    stream = await sockets.stream("/ws")
    for number in range(11):
        await stream.socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
    assert await closed(stream) == 1008
    assert len(stream.seen) == 10


async def test_the_server_pings_and_cuts_who_does_not_answer(sockets: Sockets, binance: PaperServer) -> None:
    binance.streams.limits = VenueLimits(binance_ws_ping_s=0.02, binance_ws_pong_s=0.05)
    stream = await sockets.stream("/ws")
    stream.socket.protocol.send_pong = lambda data: None  # type: ignore[method-assign]  # a client that is stuck
    assert await closed(stream) == 1008


async def test_who_answers_pings_stays(sockets: Sockets, binance: PaperServer) -> None:
    binance.streams.limits = VenueLimits(
        binance_ws_ping_s=0.01, binance_ws_pong_s=0.03, binance_ws_messages_per_s=0
    )
    stream = await sockets.stream("/ws")
    for _ in range(20):
        await stream.ask("LIST_SUBSCRIPTIONS")
        await (await stream.socket.ping())


async def test_a_day_is_the_longest_life(sockets: Sockets, binance: PaperServer) -> None:
    binance.streams.limits = VenueLimits(binance_ws_life_s=0.02)
    assert await closed(await sockets.stream("/ws")) == 1000


# payloads


async def test_a_trade_is_an_aggregate_of_one(sockets: Sockets, binance: PaperServer) -> None:
    stream = await sockets.stream("/ws/btcusdt@aggTrade/btcusdt@trade")
    trade(binance, "60000.1", "0.25", "sell")
    aggregate, single = await stream.event("aggTrade"), stream.seen[-1]
    single = single if single["e"] == "trade" else await stream.event("trade")
    number = ids.trade_number(state(binance))
    assert aggregate["a"] == aggregate["f"] == aggregate["l"] == single["t"] == number
    assert (aggregate["p"], aggregate["q"], aggregate["m"]) == ("60000.1", "0.2500", True)


async def test_the_best_prices_come_when_they_change(sockets: Sockets, binance: PaperServer) -> None:
    book(binance, [("60000.1", "1")], [("60000.2", "2")])
    stream = await sockets.stream("/public/ws/btcusdt@bookTicker")
    first = await stream.event("bookTicker")
    assert (first["b"], first["B"], first["a"], first["A"]) == ("60000.1", "1.0000", "60000.2", "2.0000")
    book(binance, [("60000.1", "1")], [("60000.2", "2")])  # the same again: nothing to say
    book(binance, [("60000.1", "1")], [("60000.2", "2.5")])
    second = await stream.event("bookTicker")
    assert second["A"] == "2.5000"
    assert second["u"] == ids.update_id(state(binance)) > first["u"]


class LocalBook:
    """Kept as documented: buffer, snapshot, drop, first event, then every ``pu`` the ``u`` before."""

    def __init__(self, snapshot: dict[str, Any]) -> None:
        self.sides = {name: dict(snapshot[name]) for name in ("bids", "asks")}
        self.snapshot_id = snapshot["lastUpdateId"]
        self.last: int | None = None

    def take(self, event: dict[str, Any]) -> None:
        if self.last is None:
            if event["u"] < self.snapshot_id:
                return
            assert event["U"] <= self.snapshot_id <= event["u"], (event, self.snapshot_id)
        else:
            assert event["pu"] == self.last
        self.last = event["u"]
        for name, changes in (("bids", event["b"]), ("asks", event["a"])):
            for price, size in changes:
                if D(size):
                    self.sides[name][price] = size
                else:
                    self.sides[name].pop(price, None)


def snapshot(server: PaperServer) -> dict[str, Any]:
    from trader.paper.faces.binance.calls import ROUTES, Call
    from trader.paper.faces.binance.params import Params

    face = server.binance
    call = Call(face.engine, face.hub, Params({"symbol": BTC, "limit": 1000}), face)
    found: dict[str, Any] = json.loads(json.dumps(ROUTES["GET", "/fapi/v1/depth"].handler(call)))
    return found


async def test_a_local_book_follows_wherever_the_snapshot_falls(
    sockets: Sockets, binance: PaperServer
) -> None:
    def change(step: int) -> None:
        bids = [(f"{60000 - level - step % 3}", f"{1 + (step * level) % 5}") for level in range(5)]
        asks = [(f"{60001 + level + step % 2}", f"{1 + (step + level) % 4}") for level in range(5)]
        book(binance, bids, asks)

    change(0)
    stream = await sockets.stream("/public/stream?streams=btcusdt@depth@100ms")
    books = [LocalBook(snapshot(binance))]
    for step in range(1, 8):
        change(step)
        books.append(LocalBook(snapshot(binance)))
        if step % 2:
            event = (await stream.next(lambda message: "stream" in message))["data"]
            for local in books:
                local.take(event)
            books.append(LocalBook(snapshot(binance)))
    await stream.ask("LIST_SUBSCRIPTIONS")
    final = snapshot(binance)
    wanted = {name: dict(final[name]) for name in ("bids", "asks")}
    assert len(books) == 12
    assert [local.sides for local in books] == [wanted] * 12


async def test_a_partial_book_is_the_top_of_the_whole(sockets: Sockets, binance: PaperServer) -> None:
    stream = await sockets.stream("/public/ws/btcusdt@depth5@100ms")
    whole, first = snapshot(binance), await stream.event("depthUpdate")
    assert (first["b"], first["a"]) == (whole["bids"][:5], whole["asks"][:5])
    trade(binance, "60000", "1")
    book(binance, [("59000", "1")], [("61000", "1")])
    second = await stream.event("depthUpdate")
    assert (second["b"], second["a"]) == ([["59000.0", "1.0000"]], [["61000.0", "1.0000"]])
    assert second["pu"] == first["u"] < second["U"] <= second["u"]


async def test_prices_of_all_symbols_come_as_lists(sockets: Sockets, binance: PaperServer) -> None:
    stream = await sockets.stream("/market/ws/!markPrice@arr@1s/!ticker@arr/!miniTicker@arr")
    lists = {(await stream.next(lambda message: isinstance(message, list)))[0]["e"] for _ in range(3)}
    assert lists == {"markPriceUpdate", "24hrTicker", "24hrMiniTicker"}
    assert all(len(rows) == len(binance.hub.states) // 2 or len(rows) > 3 for rows in stream.seen)


async def test_a_new_symbol_is_announced(sockets: Sockets, binance: PaperServer) -> None:
    stream = await sockets.stream("/market/ws/!contractInfo")
    from trader.paper.contract import default_spec

    later = binance.clock.now_ns() // 1_000_000 + 60_000
    binance.hub.add(default_spec("NEWUSDT", D("1.5"), open_time_ms=later), D("1.5"))
    told = await stream.event("contractInfo")
    assert (told["s"], told["cs"], told["ot"]) == ("NEWUSDT", "PENDING_TRADING", later)


async def test_a_candle_grows_and_is_finished_once(sockets: Sockets, binance: PaperServer) -> None:
    binance.clock.set_speed(0)
    stream = await sockets.stream("/market/ws/btcusdt@kline_1m/btcusdt_perpetual@continuousKline_1m")
    first = await stream.event("kline")
    trade(binance, "61000", "2", "buy")
    trade(binance, "61000", "1", "sell")
    grown = (await stream.next(lambda m: m.get("e") == "kline" and m["k"]["n"] == 2))["k"]
    assert (grown["c"], grown["h"], grown["v"], grown["V"], grown["x"]) == (
        "61000.0",
        "61000.0",
        "3.0000",
        "2.0000",
        False,
    )
    assert grown["L"] - grown["f"] == 1
    binance.clock.advance(60_000)
    trade(binance, "62000", "5")
    finished = (await stream.next(lambda m: m.get("e") == "kline" and m["k"]["x"]))["k"]
    assert (finished["t"], finished["T"]) == (first["k"]["t"], first["k"]["t"] + 59_999)
    assert (finished["c"], finished["v"], finished["L"]) == ("61000.0", "3.0000", grown["L"])
    newest = (await stream.next(lambda m: m.get("e") == "kline"))["k"]
    assert (newest["t"], newest["x"], newest["v"]) == (first["k"]["t"] + 60_000, False, "5.0000")
    continuous = next(m for m in stream.seen if m.get("e") == "continuous_kline")
    assert "s" not in continuous["k"]
    assert (continuous["ps"], continuous["ct"]) == (BTC, "PERPETUAL")


def test_weeks_begin_on_monday_and_months_on_their_first() -> None:
    monday, sunday = 1_793_577_600, 1_793_577_600 - 1  # 2026-11-02, 00:00 UTC
    assert intervals.start("1w", monday * 10**9) == monday * 10**9
    assert intervals.start("1w", sunday * 10**9) == (monday - 7 * 86_400) * 10**9
    first = intervals.start("1M", monday * 10**9)
    assert first == 1_793_491_200 * 10**9
    assert intervals.end("1M", first) == 1_796_083_200 * 10**9


def test_merging_keeps_every_sum_and_leaves_its_input() -> None:
    minutes = [
        Candle(n * MINUTE, D(n), D(n + 1), D(n - 1), D(n), D(1), D(n), 2, D(1), D(n)) for n in range(1, 7)
    ]
    whole = merged(minutes, "3m")
    assert [candle.open_ns // MINUTE for candle in whole] == [0, 3, 6]
    assert (whole[1].high, whole[1].low, whole[1].trades, whole[1].quote_volume) == (D(6), D(2), 6, D(12))
    assert minutes[2].trades == 2


def test_a_growing_candle_equals_the_sum_of_its_minutes(binance: PaperServer) -> None:
    one = state(binance)
    growing = Growing(one, "1h")
    before = growing.row()
    for _ in range(3):
        one.minutes.add(D(61_000), D(1), one.minutes.candles[-1].open_ns + MINUTE, bought=True)
        row = growing.row()
    whole = merged(one.minutes.candles, "1h")[-1]
    assert row["v"] == f"{whole.base_volume:.4f}"
    assert row["n"] == whole.trades
    assert before["n"] == 0
