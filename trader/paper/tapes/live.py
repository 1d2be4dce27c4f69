"""The real market, as Bitget publishes it (public REST and websocket of classic v2, no key).

Every futures contract is known with its last price (one REST call for all tickers every 5 s and a
modelled book); the ``STREAMED`` most traded ones get the venue's own ``ticker``, ``books15`` and
``trade`` channels. A lost connection is tried again after 1, 2, 4 ... 60 s with jitter; meanwhile the
streamed symbols keep their last book, and REST prices go on as long as REST answers. Contracts that
the venue adds appear within ``CONTRACTS_S``. Time is the venue's: the clock's speed plays no part.
"""

from __future__ import annotations

import asyncio
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, InvalidOperation

import aiohttp
import msgspec

from shared import clock
from shared.errors import KestrelError, TapeError
from shared.settings import BitgetSettings, settings
from trader.paper.book import Book
from trader.paper.contract import FUTURES, Side
from trader.paper.market import MAX_SYMBOLS, MarketHub, MarketState, Status
from trader.paper.modelled import ModelledBook
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.base import Tape
from trader.paper.tapes.bitgetwire import (
    MAX_BODY,
    PRODUCT,
    STATUS,
    Contract,
    Depth,
    Push,
    Ticker,
    Trade,
    as_float,
    decode,
    get,
    spec_of,
    volatility_of,
)

log = logging.getLogger(__name__)

STREAMED = 16
"""Symbols with their own channels: three channels each stay below the venue's advised 50."""
ALWAYS = ("BTCUSDT", "ETHUSDT")
TICKERS_S = 5.0
CONTRACTS_S = 30.0
PING_S = 25.0
SILENT_S = 60.0
FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0
_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)


async def probe(bitget: BitgetSettings | None = None, timeout_s: float = 3.0) -> bool:
    """Whether the venue's server time can be had within ``timeout_s``: is there a live tape to play?"""
    host = (bitget or settings().bitget).rest_url.rstrip("/")
    try:
        async with asyncio.timeout(timeout_s), aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            await get(session, f"{host}/api/v2/public/time")
    except (KestrelError, TimeoutError):
        return False
    return True


class LiveTape(Tape):
    """Bitget's public USDT futures market. ``reconnects``, ``bad_frames`` count since the start."""

    name = "live"

    def __init__(self, hub: MarketHub, clock_: TapeClock, bitget: BitgetSettings | None = None) -> None:
        super().__init__(hub, clock_)
        self.bitget = bitget or settings().bitget
        self.host = self.bitget.rest_url.rstrip("/")
        self.reconnects = 0
        self.bad_frames = 0
        self.connected = asyncio.Event()
        self._streamed: list[str] = []
        self._jitter = random.Random()  # noqa: S311  # spreads reconnects, guards nothing

    def prepare(self) -> None:
        """Contracts and prices over REST; ``TapeError`` when the venue does not answer."""
        with ThreadPoolExecutor(1) as thread:  # its own event loop: the caller may be inside one
            contracts, tickers = thread.submit(asyncio.run, self._load()).result()
        self._take_contracts(contracts, tickers)
        by_value = sorted(tickers, key=lambda symbol: -as_float(tickers[symbol].usdt_volume))
        wanted = dict.fromkeys([*ALWAYS, *by_value])
        self._streamed = [symbol for symbol in wanted if self.hub.get(FUTURES, symbol)][:STREAMED]
        if not self._streamed:
            raise TapeError(f"tape live: {self.host} lists no contract with a price")

    async def play(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat())
            tasks.create_task(self._poll())
            tasks.create_task(self._stream())

    # REST

    async def _load(self) -> tuple[list[Contract], dict[str, Ticker]]:
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
                return await self._contracts(session), await self._tickers(session)
        except KestrelError as error:
            raise TapeError(f"tape live: {error}; without a network take --tape synthetic:1") from None

    async def _contracts(self, session: aiohttp.ClientSession) -> list[Contract]:
        data = await get(session, f"{self.host}/api/v2/mix/market/contracts?productType={PRODUCT}")
        rows = decode(data, list[Contract], "contracts")
        return [row for row in rows if row.symbol_type == "perpetual" and row.quote_coin == "USDT"]

    async def _tickers(self, session: aiohttp.ClientSession) -> dict[str, Ticker]:
        data = await get(session, f"{self.host}/api/v2/mix/market/tickers?productType={PRODUCT}")
        return {row.symbol: row for row in decode(data, list[Ticker], "tickers")}

    async def _poll(self) -> None:
        """Prices of all symbols, and the contract list from time to time."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            listed_ns = clock.monotonic_ns()
            while True:
                await asyncio.sleep(TICKERS_S)
                try:
                    tickers = await self._tickers(session)
                    if clock.monotonic_ns() - listed_ns > CONTRACTS_S * clock.SECOND:
                        self._take_contracts(await self._contracts(session), tickers)
                        listed_ns = clock.monotonic_ns()
                except KestrelError as error:
                    log.warning("tape live: %s", error)
                    continue
                streamed = set(self._streamed) if self.connected.is_set() else set()
                for symbol, ticker in tickers.items():
                    state = self.hub.get(FUTURES, symbol)
                    if state is not None and symbol not in streamed:
                        self._take_ticker(state, ticker, priced=True)

    def _take_contracts(self, contracts: list[Contract], tickers: dict[str, Ticker]) -> None:
        for row in contracts:
            state = self.hub.get(FUTURES, row.symbol)
            status = STATUS.get(row.symbol_status, "maintain")
            if state is not None:
                opens_later = state.spec.open_time_ms > self.clock.now_ns() // clock.MILLISECOND
                if not (status == "open" and opens_later):
                    self.hub.set_status(state, status)
                continue
            ticker = tickers.get(row.symbol)
            if ticker is None or len(self.hub.states) >= MAX_SYMBOLS:
                continue
            try:
                self._add(row, ticker, status)
            except (ValueError, ArithmeticError, KestrelError) as error:
                self.bad_frames += 1
                log.warning("tape live: contract %s is not understood: %s", row.symbol, error)

    def _add(self, row: Contract, ticker: Ticker, status: Status) -> None:
        price = Decimal(ticker.last_pr)
        state = self.hub.add(
            spec_of(row), price, daily_volume=as_float(ticker.base_volume), volatility=volatility_of(ticker)
        )
        self._take_ticker(state, ticker, priced=False)
        self.hub.set_status(state, status)

    # websocket

    async def _stream(self) -> None:
        wait_s = FIRST_BACKOFF_S
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    await self._listen(session)
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    log.warning("tape live: stream lost: %s", str(error) or type(error).__name__)
                if self.connected.is_set():
                    wait_s = FIRST_BACKOFF_S
                self.connected.clear()
                self.reconnects += 1
                await asyncio.sleep(wait_s * self._jitter.uniform(0.5, 1.0))
                wait_s = min(wait_s * 2, MAX_BACKOFF_S)

    async def _listen(self, session: aiohttp.ClientSession) -> None:
        """One connection, until it is closed or silent for too long."""
        async with session.ws_connect(
            self.bitget.ws_public_url, timeout=aiohttp.ClientWSTimeout(ws_close=2), max_msg_size=MAX_BODY
        ) as socket:
            for channel in ("ticker", "books15", "trade"):
                args = [
                    {"instType": PRODUCT, "channel": channel, "instId": symbol} for symbol in self._streamed
                ]
                await socket.send_str(msgspec.json.encode({"op": "subscribe", "args": args}).decode())
            pinger = asyncio.create_task(_ping(socket))
            try:
                while True:
                    message = await socket.receive(timeout=SILENT_S)
                    if message.type is not aiohttp.WSMsgType.TEXT:
                        return
                    if message.data != "pong":
                        self.take(message.data)
            finally:
                pinger.cancel()
                await asyncio.gather(pinger, return_exceptions=True)

    def take(self, text: str) -> None:
        """One text frame of the public stream; what is not understood is counted and left."""
        try:
            push = msgspec.json.decode(text, type=Push)
            if push.event == "error":
                log.warning("tape live: the venue says %s %s", push.code, push.msg)
            if not push.action or push.arg is None:
                return
            state = self.hub.get(FUTURES, push.arg.inst_id)
            if state is not None:
                self.connected.set()
                self._take_push(state, push.arg.channel, push)
        except (msgspec.MsgspecError, ValueError, ArithmeticError) as error:
            self.bad_frames += 1
            if self.bad_frames <= 20:
                log.warning("tape live: a frame is not understood: %s", error)

    def _take_push(self, state: MarketState, channel: str, push: Push) -> None:
        now = self.clock.now_ns()
        if channel == "books15":
            for depth in msgspec.json.decode(push.data, type=list[Depth]):
                if isinstance(state.tape_book, ModelledBook):
                    self.hub.attach_book(state, Book(state.spec.tick))
                state.tape_book.snapshot(depth.bids, depth.asks)
                self.hub.feed_book(state, now)
        elif channel == "ticker":
            for ticker in msgspec.json.decode(push.data, type=list[Ticker]):
                self._take_ticker(state, ticker, priced=False)
        elif channel == "trade" and push.action == "update":
            for trade in reversed(msgspec.json.decode(push.data, type=list[Trade])):
                side: Side = "buy" if trade.side.lower() == "buy" else "sell"
                self.hub.feed_trade(
                    state, Decimal(trade.price), Decimal(trade.size), side, now, trade_id=trade.trade_id
                )

    def _take_ticker(self, state: MarketState, ticker: Ticker, *, priced: bool) -> None:
        """Marks and funding; with ``priced`` the last price moves a modelled book too."""
        now = self.clock.now_ns()
        try:
            if ticker.mark_price:
                mark = Decimal(ticker.mark_price)
                index = Decimal(ticker.index_price or ticker.mark_price)
                if mark > 0 and index > 0:
                    self.hub.feed_marks(state, mark, index, now)
            if ticker.funding_rate:
                state.funding_rate = Decimal(ticker.funding_rate)
            due = int(ticker.next_funding_time or 0) * clock.MILLISECOND
            if due > now and due != state.next_funding_ns:
                self.hub.set_funding(state, next_ns=due)
            price = Decimal(ticker.last_pr)
            if priced and price > 0 and price != state.tape_last:
                if not isinstance(state.tape_book, ModelledBook):  # its stream is away
                    book = ModelledBook(state.spec, price, state.daily_volume, state.volatility)
                    self.hub.attach_book(state, book)
                self.hub.feed_price(state, price, now, now // clock.SECOND)
        except (ValueError, InvalidOperation):
            self.bad_frames += 1

    async def _beat(self) -> None:
        while True:
            await self.until(self.clock.now_ns() + clock.SECOND)


async def _ping(socket: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        await asyncio.sleep(PING_S)
        await socket.send_str("ping")
