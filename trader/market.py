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
from trader.net.feed import Heard
from trader.net.http import Origin, Response, WarmConnection
from trader.net.stream import Stream
from trader.venues.model import Call, Price
from trader.venues.public import PublicSide

log = structlog.get_logger(__name__)

#: A price this young is usable; REST reads renew those whose stream has nothing to say.
YOUNG_S = 10.0
MAX_PAUSE_S = 10.0
_TIMEOUT_S = 5.0


class _Feed(msgspec.Struct):
    """One websocket and the symbols on it."""

    stream: Stream
    symbols: set[str]


class MarketHost(msgspec.Struct, frozen=True):
    """Where market data comes from. ``ws_url`` is what the venue's own path for prices is added to."""

    rest_url: str
    ws_url: str
    ssl_context: ssl.SSLContext | None = None


class MarketData:
    """The tradable perpetuals of one host. ``on_instruments`` gets the new and changed ones."""

    def __init__(
        self,
        venue: PublicSide,
        host: MarketHost,
        *,
        refresh_s: float,
        on_instruments: Callable[[list[Instrument]], None],
    ) -> None:
        self.origin = Origin.parse(host.rest_url)
        self.venue = venue
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
        self._leverages: dict[str, int] = {}
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

    async def _ask(self, call: Call) -> Response:
        await self._connection.wait_warm(_TIMEOUT_S)
        return await self._connection.request(self.venue.request(call, self.origin.authority), _TIMEOUT_S)

    async def _refresh(self) -> None:
        contracts = await self.venue.contracts(self._ask)
        prices, problems = await self.venue.prices(self._ask)
        self.problems = [*contracts.problems, *problems][:50]
        changed = self._take(contracts.instruments)
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

    def _take(self, instruments: list[Instrument]) -> list[Instrument]:
        """The instruments are these now; returns what is new or changed."""
        found = {instrument.symbol: self._limited(instrument) for instrument in instruments}
        changed = [new for symbol, new in found.items() if self.instruments.get(symbol) != new]
        self.instruments = found
        self.by_coin = self._by_coin()
        return changed

    def _limited(self, instrument: Instrument) -> Instrument:
        leverage = self._leverages.get(instrument.symbol, instrument.max_leverage)
        if leverage == instrument.max_leverage:
            return instrument
        return msgspec.structs.replace(instrument, max_leverage=leverage)

    def knows_leverage(self, symbol: str) -> bool:
        """Whether the largest leverage of an instrument is known, not only what the venue allows at all."""
        return self.venue.tells_leverage or symbol in self._leverages

    def learn_leverages(self, leverages: dict[str, int]) -> None:
        """Take over what an account was told of the largest leverages."""
        self._leverages |= leverages
        if changed := self._take(list(self.instruments.values())):
            self._on_instruments(changed)

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
            if feed is None or len(feed.symbols) >= self.venue.per_stream:
                feed = self._open_feed()
            room = self.venue.per_stream - len(feed.symbols)
            batch, symbols = symbols[:room], symbols[room:]
            for subscription in self.venue.subscriptions(batch):
                feed.stream.subscribe(subscription)
            for symbol in batch:
                feed.symbols.add(symbol)
                self._feed_of[symbol] = feed

    def _open_feed(self) -> _Feed:
        stream = Stream(
            self._host.ws_url + self.venue.path,
            on_message=self._heard,
            channels=self.venue.channels,
            ping=self.venue.ping,
            ssl_context=self._host.ssl_context,
            name=f"prices {len(self._feeds) + 1}",
        )
        feed = _Feed(stream, set())
        self._feeds.append(feed)
        stream.start()
        return feed

    def _heard(self, message: memoryview, received_ns: int) -> Heard | str | None:
        quotes = self.venue.parse(message, self.prices)
        for price in quotes.prices:
            self.prices[price.symbol] = price
            self._received[price.symbol] = received_ns
        return quotes.heard

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
