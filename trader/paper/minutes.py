"""One-minute candles and the statistics of the last 24 hours, from trades."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

MINUTE = 60_000_000_000
DAY_MINUTES = 1440

_ZERO = Decimal(0)


class Candle(msgspec.Struct):
    """One minute. ``open_ns`` is its first nanosecond; volumes in base coin and quote currency.

    ``trades`` counts the trades; ``taker_base`` and ``taker_quote`` are the part that takers bought. A tape's
    own past that does not tell leaves these three at zero.
    """

    open_ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    base_volume: Decimal = _ZERO
    quote_volume: Decimal = _ZERO
    trades: int = 0
    taker_base: Decimal = _ZERO
    taker_quote: Decimal = _ZERO


class Minutes:
    """The last 1440 minutes of one symbol; the newest one is still growing.

    Minutes without a trade become flat candles without volume. High and low of the window are kept
    in monotone queues, so a trade costs the same whatever the window holds.
    """

    __slots__ = ("_highs", "_lows", "base_volume", "candles", "quote_volume", "trades")

    def __init__(self, price: Decimal, ns: int) -> None:
        self.candles: deque[Candle] = deque()
        self._highs: deque[Candle] = deque()
        self._lows: deque[Candle] = deque()
        self.base_volume = _ZERO
        self.quote_volume = _ZERO
        self.trades = 0
        self._open(price, ns // MINUTE * MINUTE)

    @property
    def open_24h(self) -> Decimal:
        return self.candles[0].open

    @property
    def high_24h(self) -> Decimal:
        now = self.candles[-1].high
        return max(now, self._highs[0].high) if self._highs else now

    @property
    def low_24h(self) -> Decimal:
        now = self.candles[-1].low
        return min(now, self._lows[0].low) if self._lows else now

    def add(self, price: Decimal, size: Decimal, ns: int, *, bought: bool = False) -> None:
        """A trade (``bought`` by its taker, or sold), or with size 0 a price that was seen without one.

        Late ones count for now.
        """
        candle = self.candles[-1]
        if ns >= candle.open_ns + MINUTE:
            candle = self._roll(price, ns // MINUTE * MINUTE)
        if price > candle.high:
            candle.high = price
        elif price < candle.low:
            candle.low = price
        candle.close = price
        if size:
            value = price * size
            candle.base_volume += size
            candle.quote_volume += value
            candle.trades += 1
            if bought:
                candle.taker_base += size
                candle.taker_quote += value
            self.trades += 1
            self.base_volume += size
            self.quote_volume += value

    def roll(self, ns: int) -> None:
        """Let time pass without a price: flat candles up to the minute of ``ns``."""
        minute = ns // MINUTE * MINUTE
        while self.candles[-1].open_ns < minute:
            close = self.candles[-1].close
            before = self.candles[-1].open_ns
            self._close()
            # older minutes would be dropped at once: skip them
            self._open(close, max(before + MINUTE, minute - (DAY_MINUTES - 1) * MINUTE))

    def seed(self, candles: Iterable[Candle]) -> None:
        """Put finished minutes before the newest one (a tape's own past); oldest first, no gaps."""
        newest = self.candles[-1]
        for queue in (self.candles, self._highs, self._lows):
            queue.clear()
        self.base_volume = self.quote_volume = _ZERO
        self.trades = 0
        for candle in [*candles, newest]:
            if self.candles:
                self._close()
            self.candles.append(candle)
            self.trades += candle.trades
            self.base_volume += candle.base_volume
            self.quote_volume += candle.quote_volume
            self._drop(candle.open_ns)

    def _roll(self, price: Decimal, minute: int) -> Candle:
        self.roll(minute - MINUTE)
        self._close()
        return self._open(price, minute)

    def _close(self) -> None:
        """The newest minute is finished: it counts in the window's high and low from now on."""
        done = self.candles[-1]
        while self._highs and self._highs[-1].high <= done.high:
            self._highs.pop()
        self._highs.append(done)
        while self._lows and self._lows[-1].low >= done.low:
            self._lows.pop()
        self._lows.append(done)

    def _open(self, price: Decimal, minute: int) -> Candle:
        candle = Candle(minute, price, price, price, price)
        self.candles.append(candle)
        self._drop(minute)
        return candle

    def _drop(self, minute: int) -> None:
        first = minute - (DAY_MINUTES - 1) * MINUTE
        while self.candles[0].open_ns < first:
            gone = self.candles.popleft()
            self.trades -= gone.trades
            self.base_volume -= gone.base_volume
            self.quote_volume -= gone.quote_volume
        while self._highs and self._highs[0].open_ns < first:
            self._highs.popleft()
        while self._lows and self._lows[0].open_ns < first:
            self._lows.popleft()
