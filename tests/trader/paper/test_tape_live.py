"""The live tape against a local server that speaks the documented frames."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest
from aiohttp import WSMsgType, web

from shared.errors import TapeError
from shared.settings import BitgetSettings
from trader.paper.market import BookChanged, MarketEvent, MarketHub, StatusChanged, SymbolAdded, Traded
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import live
from trader.paper.tapes.live import LiveTape, probe

D = Decimal


def contract(symbol: str, **changes: object) -> dict[str, object]:
    base = symbol.removesuffix("USDT")
    return {
        "symbol": symbol, "baseCoin": base, "quoteCoin": "USDT", "buyLimitPriceRatio": "0.05",
        "sellLimitPriceRatio": "0.05", "makerFeeRate": "0.0002", "takerFeeRate": "0.0006", "minTradeNum": "0.001",
        "priceEndStep": "5", "volumePlace": "3", "pricePlace": "1", "sizeMultiplier": "0.001",
        "symbolType": "perpetual", "minTradeUSDT": "5", "symbolStatus": "normal", "openTime": "", "launchTime": "",
        "fundInterval": "4", "maxLever": "75", "maxMarketOrderQty": "120", "maxOrderQty": "1200", **changes,
    }  # fmt: skip


def ticker(symbol: str, price: str, **changes: object) -> dict[str, object]:
    return {
        "symbol": symbol, "instId": symbol, "lastPr": price, "bidPr": price, "askPr": price, "markPrice": price,
        "indexPrice": price, "fundingRate": "0.000125", "baseVolume": "10000", "usdtVolume": "7000000",
        "high24h": "110", "low24h": "90", "nextFundingTime": "", **changes,
    }  # fmt: skip


class Venue:
    """Bitget's public side, as far as the tape asks it."""

    def __init__(self) -> None:
        self.contracts = [contract("BTCUSDT"), contract("AAAUSDT"), contract("BTCPERP", quoteCoin="USDC")]
        self.tickers = [ticker("BTCUSDT", "60000.5"), ticker("AAAUSDT", "100.5")]
        self.sockets: list[web.WebSocketResponse] = []
        self.subscribed: asyncio.Queue[list[dict[str, str]]] = asyncio.Queue()
        self.host = ""

    def bitget(self) -> BitgetSettings:
        return BitgetSettings(rest_url=self.host, ws_public_url=f"ws{self.host[4:]}/v2/ws/public")

    async def push(self, channel: str, symbol: str, data: list[object], action: str = "snapshot") -> None:
        arg = {"instType": "USDT-FUTURES", "channel": channel, "instId": symbol}
        await self.sockets[-1].send_json({"action": action, "arg": arg, "data": data, "ts": 1})

    async def _answer(self, request: web.Request) -> web.Response:
        data: object
        if request.path.endswith("/time"):
            data = {"serverTime": "1700000000123"}
        else:
            assert request.query["productType"] == "USDT-FUTURES"
            data = self.contracts if request.path.endswith("/contracts") else self.tickers
        return web.json_response({"code": "00000", "msg": "success", "requestTime": 1, "data": data})

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT and message.data != "ping":
                args = json.loads(message.data)["args"]
                for arg in args:
                    await socket.send_json({"event": "subscribe", "arg": arg})
                self.subscribed.put_nowait(args)
            elif message.type is WSMsgType.TEXT:
                await socket.send_str("pong")
        return socket

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = web.Application()
        app.add_routes([web.get("/v2/ws/public", self._socket), web.get("/api/v2/{rest:.*}", self._answer)])
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.host = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield
        finally:
            for socket in self.sockets:
                await socket.close()
            await runner.cleanup()


class Heard:
    """Events, and a way to wait for the next one that fits."""

    def __init__(self, hub: MarketHub) -> None:
        self.events: asyncio.Queue[MarketEvent] = asyncio.Queue()
        hub.subscribe(self.events.put_nowait)

    async def next(self, kind: type[MarketEvent], symbol: str) -> MarketEvent:
        async with asyncio.timeout(10):
            while True:
                event = await self.events.get()
                if isinstance(event, kind) and event.symbol == symbol:
                    return event


@asynccontextmanager
async def playing(venue: Venue) -> AsyncIterator[tuple[LiveTape, MarketHub, Heard]]:
    async with venue.serving():
        tape_clock = TapeClock()
        hub = MarketHub(tape_clock)
        tape = LiveTape(hub, tape_clock, venue.bitget())
        await asyncio.to_thread(tape.prepare)
        heard = Heard(hub)
        running = asyncio.create_task(tape.run())
        try:
            yield tape, hub, heard
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def all_subscribed(venue: Venue) -> list[dict[str, str]]:
    async with asyncio.timeout(10):
        return [arg for _ in range(3) for arg in await venue.subscribed.get()]


async def test_contracts_prices_and_pushes_become_a_market() -> None:
    venue = Venue()
    async with playing(venue) as (_, hub, heard):
        assert set(hub.states) == {("futures", "BTCUSDT"), ("futures", "AAAUSDT")}
        state = hub.states["futures", "BTCUSDT"]
        spec = state.spec
        assert (spec.tick, spec.step, spec.max_leverage, spec.funding_interval_h) == (
            D("0.5"),
            D("0.001"),
            75,
            4,
        )
        assert (state.last, state.mark, state.funding_rate) == (D("60000.5"), D("60000.5"), D("0.000125"))
        args = await all_subscribed(venue)
        assert {arg["channel"] for arg in args} == {"ticker", "books15", "trade"}
        assert len(args) == 6

        await venue.push(
            "books15", "BTCUSDT", [{"asks": [["60001.0", "2"]], "bids": [["60000.0", "1.5"]], "ts": "1"}]
        )
        await heard.next(BookChanged, "BTCUSDT")
        assert state.book.depth() == ([(D(60000), D("1.5"))], [(D(60001), D(2))])

        old, new = (
            {"ts": "1", "price": price, "size": "0.4", "side": "sell", "tradeId": number}
            for price, number in (("60000.0", "11"), ("60000.5", "12"))
        )
        await venue.push("trade", "BTCUSDT", [new, old])  # the first push repeats the past
        await venue.push("trade", "BTCUSDT", [new, old], "update")
        await heard.next(Traded, "BTCUSDT")
        await heard.next(Traded, "BTCUSDT")
        assert [(item.trade_id, item.side) for item in state.trades] == [("11", "sell"), ("12", "sell")]

        await venue.push(
            "ticker", "BTCUSDT", [ticker("BTCUSDT", "60002", markPrice="60003.1", indexPrice="60004.2")]
        )
        await heard.next(BookChanged, "BTCUSDT")
        assert (state.mark, state.index) == (D("60003.1"), D("60004.2"))


async def test_what_is_not_understood_is_counted_and_left() -> None:
    venue = Venue()
    async with playing(venue) as (tape, hub, heard):
        await all_subscribed(venue)
        for text in (
            "{",
            "[]",
            '{"action":"snapshot","arg":{"channel":"books15","instId":"BTCUSDT"},"data":{}}',
        ):
            await venue.sockets[-1].send_str(text)
        await venue.push("books15", "BTCUSDT", [{"asks": [["x", "2"]], "bids": []}])
        await venue.push("books15", "BTCUSDT", [{"asks": [["60001", "2"]], "bids": [["60000", "1"]]}])
        await heard.next(BookChanged, "BTCUSDT")
        assert tape.bad_frames == 4
        assert hub.states["futures", "BTCUSDT"].book.best_ask == (D(60001), D(2))


async def test_a_lost_stream_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "FIRST_BACKOFF_S", 0.05)
    venue = Venue()
    async with playing(venue) as (tape, _, heard):
        await all_subscribed(venue)
        await venue.sockets[0].close()
        await all_subscribed(venue)
        assert tape.reconnects == 1
        await venue.push("books15", "AAAUSDT", [{"asks": [["101", "2"]], "bids": [["100", "1"]]}])
        await heard.next(BookChanged, "AAAUSDT")


async def test_prices_of_symbols_without_a_stream_and_new_contracts_come_over_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "TICKERS_S", 0.05)
    monkeypatch.setattr(live, "CONTRACTS_S", 0.0)
    monkeypatch.setattr(live, "STREAMED", 1)
    venue = Venue()
    async with playing(venue) as (_, hub, heard):
        venue.tickers = [ticker("BTCUSDT", "60000.5"), ticker("AAAUSDT", "104.5"), ticker("NEWUSDT", "7.5")]
        venue.contracts.append(contract("NEWUSDT", symbolStatus="maintain"))
        await heard.next(SymbolAdded, "NEWUSDT")
        await heard.next(StatusChanged, "NEWUSDT")
        assert hub.states["futures", "NEWUSDT"].status == "maintain"
        if hub.states["futures", "AAAUSDT"].last != D("104.5"):
            await heard.next(BookChanged, "AAAUSDT")
        assert hub.states["futures", "AAAUSDT"].last == D("104.5")
        venue.contracts[-1] = contract("NEWUSDT")
        await heard.next(StatusChanged, "NEWUSDT")
        assert hub.states["futures", "NEWUSDT"].trading


async def test_the_probe_tells_whether_the_venue_answers() -> None:
    venue = Venue()
    async with venue.serving():
        assert await probe(venue.bitget())
        gone = venue.bitget()
    assert not await probe(gone)


async def test_the_probe_waits_no_longer_than_it_may() -> None:
    hung_up = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()  # to the end: the caller has gone
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with asyncio.timeout(5):
        assert not await probe(BitgetSettings(rest_url=f"http://127.0.0.1:{port}"), timeout_s=0.2)
        await hung_up.wait()
    server.close()
    await server.wait_closed()


def test_without_the_venue_there_is_one_clear_line() -> None:
    tape_clock = TapeClock()
    tape = LiveTape(MarketHub(tape_clock), tape_clock, BitgetSettings(rest_url="http://127.0.0.1:9"))
    with pytest.raises(TapeError, match="synthetic:1") as caught:
        tape.prepare()
    assert "\n" not in str(caught.value)
