"""Instruments and last prices of one host, kept in memory so that an entry needs no question.

Prices come by websocket and, because a stream is a hint, also by a slow REST read; a price is usable
only while it is young or its stream is alive. Instruments are read again and again, new ones are
subscribed at once.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import msgspec
import structlog

from shared import clock
from shared.domain.instrument import Instrument, InstrumentStatus
from shared.errors import KestrelError
from trader.net.feed import Heard, Liveness
from trader.net.http import Origin, WarmConnection
from trader.net.stream import Stream
from trader.venues import bitget
from trader.venues.model import Call, Price

log = structlog.get_logger(__name__)

#: Channels per websocket connection; the venue advises fewer than 50 and admits 1000.
PER_STREAM = 48
#: A price this young is usable; REST reads renew those whose stream has nothing to say.
YOUNG_S = 10.0
MAX_PAUSE_S = 10.0
_TIMEOUT_S = 5.0


class _Feed(msgspec.Struct):
    """One websocket and the symbols on it."""

    stream: Stream
    symbols: set[str]


class MarketHost(msgspec.Struct, frozen=True):
    """Where market data comes from."""

    rest_url: str
    ws_url: str
    ssl_context: ssl.SSLContext | None = None


class MarketData:
    """The tradable perpetuals of one host. ``on_instruments`` gets the new and changed ones."""

    def __init__(
        self, host: MarketHost, *, refresh_s: float, on_instruments: Callable[[list[Instrument]], None]
    ) -> None:
        self.origin = Origin.parse(host.rest_url)
        self._host = host
        self._refresh_s = refresh_s
        self._on_instruments = on_instruments
        self._usable_ns = int((YOUNG_S + 1.5 * refresh_s) * clock.SECOND)
        self._connection = WarmConnection(
            self.origin, ssl_context=host.ssl_context, max_body=16 << 20, name=f"market {self.origin}"
        )
        self._feeds: list[_Feed] = []
        self.instruments: dict[str, Instrument] = {}
        self.by_coin: dict[str, Instrument] = {}
        self.prices: dict[str, Price] = {}
        self._received: dict[str, int] = {}
        self._feed_of: dict[str, _Feed] = {}
        self.loaded = asyncio.Event()
        self.problems: list[str] = []
        self.errors = 0
        self.last_error = ""

    async def run(self) -> None:
        """Read and follow until cancelled."""
        self._connection.start()
        pause = 0.5
        try:
            while True:
                try:
                    await self._refresh()
                    pause = self._refresh_s
                except KestrelError as error:
                    self.errors += 1
                    self.last_error = str(error)
                    log.warning("market.refresh_failed", host=str(self.origin), reason=str(error))
                    pause = min(max(0.5, 2 * pause), MAX_PAUSE_S) if not self.loaded.is_set() else 1.0
                await asyncio.sleep(pause)
        finally:
            await asyncio.gather(self._connection.stop(), *(feed.stream.stop() for feed in self._feeds))

    async def _ask(self, call: Call) -> tuple[bytes, int]:
        await self._connection.wait_warm(_TIMEOUT_S)
        answer = await self._connection.request(bitget.public(call, self.origin.authority), _TIMEOUT_S)
        return answer.body, answer.status

    async def _refresh(self) -> None:
        contracts = bitget.parse_contracts(*await self._ask(bitget.contracts()))
        prices, problems = bitget.parse_tickers(*await self._ask(bitget.tickers()))
        self.problems = [*contracts.problems, *problems][:50]
        instruments = {instrument.symbol: instrument for instrument in contracts.instruments}
        changed = [new for symbol, new in instruments.items() if self.instruments.get(symbol) != new]
        self.instruments = instruments
        self.by_coin = self._by_coin()
        now = clock.now_ns()
        for price in prices:
            before = self.prices.get(price.symbol)
            if before is None or price.ns > before.ns:
                self.prices[price.symbol] = price
            self._received[price.symbol] = now
        self._subscribe(sorted(self.instruments.keys() - self._feed_of.keys()))
        if changed:
            self._on_instruments(changed)
        self.loaded.set()

    def _by_coin(self) -> dict[str, Instrument]:
        """The instrument of each coin: one that trades before others, one coin per unit before a thousand."""

        def order(instrument: Instrument) -> tuple[bool, int]:
            return instrument.status is not InstrumentStatus.TRADING, instrument.multiplier

        chosen: dict[str, Instrument] = {}
        for instrument in sorted(self.instruments.values(), key=order):
            chosen.setdefault(instrument.base, instrument)
        return chosen

    def _subscribe(self, symbols: list[str]) -> None:
        while symbols:
            feed = self._feeds[-1] if self._feeds else None
            if feed is None or len(feed.symbols) >= PER_STREAM:
                feed = self._open_feed()
            room = PER_STREAM - len(feed.symbols)
            batch, symbols = symbols[:room], symbols[room:]
            for subscription in bitget.subscriptions("ticker", batch):
                feed.stream.subscribe(subscription)
            for symbol in batch:
                feed.symbols.add(symbol)
                self._feed_of[symbol] = feed

    def _open_feed(self) -> _Feed:
        stream = Stream(
            self._host.ws_url,
            on_message=self._heard,
            channels={"ticker": Liveness(first_s=15.0)},
            ssl_context=self._host.ssl_context,
            name=f"prices {len(self._feeds) + 1}",
        )
        feed = _Feed(stream, set())
        self._feeds.append(feed)
        stream.start()
        return feed

    def _heard(self, message: memoryview, received_ns: int) -> Heard | str | None:
        event = bitget.parse_push(message)
        if isinstance(event, bitget.Ticker):
            for price in event.prices:
                self.prices[price.symbol] = price
                self._received[price.symbol] = received_ns
        return event.heard

    def ask_price(self, symbol: str, now_ns: int) -> Price | None:
        """The price to enter at, or None when there is none that can be trusted now."""
        price = self.prices.get(symbol)
        if price is None:
            return None
        age_ns = now_ns - self._received.get(symbol, 0)
        return price if age_ns <= self._usable_ns else None

    def fresh_prices(self, now_ns: int) -> int:
        """How many instruments have a usable price."""
        return sum(self.ask_price(symbol, now_ns) is not None for symbol in self.instruments)

    @property
    def streams_active(self) -> tuple[int, int]:
        """How many price streams are active, of how many."""
        return sum(feed.stream.active for feed in self._feeds), len(self._feeds)
