"""Candle files played as a market.

A candle says where the price was, not how it went there. The path assumed inside one: a rising candle
(close >= open) goes open - low - high - close, a falling one open - high - low - close, in straight
lines through 12 trades a minute at even distances. The volume is split over the trades in a fixed
pattern and adds up to the candle's volume exactly, as the trades give back its open, high, low and
close. A candle without volume moves the price without a trade. The book is a modelled one
(``trader/paper/modelled.py``), shaped by the volume and the range of the last hour.

Several files play on one timeline, over the time that all of them cover. The first candle plays in the
minute that the clock shows when the tape starts (a clock that starts at ``start_ns`` plays the
recorded times as they were); after the last candle the first follows with time going on.
"""

from __future__ import annotations

import heapq
import logging
import math
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from shared.errors import TapeError
from trader.paper.contract import FUTURES, Side, default_spec
from trader.paper.market import Funding, FundingSource, MarketHub, MarketState
from trader.paper.minutes import MINUTE
from trader.paper.modelled import ModelledBook
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.base import Tape
from trader.paper.tapes.candlefile import CandleFile, Row
from trader.paper.tapes.funding import FundingFile, MarkFile, beside

log = logging.getLogger(__name__)

POINTS = 12
"""Trades a minute."""
WEIGHTS = (9, 4, 3, 6, 11, 5, 3, 8, 12, 4, 7, 10)
_DAY_NS = 1440 * MINUTE
_HOUR_OF_CANDLES = 60
_PRIMED = 60
_MAX_POINTS = 12 * 60
_NEVER = 1 << 62


class Point(NamedTuple):
    """A moment inside a candle: nanoseconds after its opening, price, coins traded (may be 0)."""

    after_ns: int
    price: Decimal
    size: Decimal
    side: Side


class Activity:
    """Running estimates of daily volume and volatility from candles: means over about an hour.

    Volatility is Parkinson's range estimator (Journal of Business, 1980): variance = ln(high/low)^2 / (4 ln 2).
    """

    def __init__(self, period_ns: int) -> None:
        self._a_day = _DAY_NS / period_ns
        self._volume = -1.0
        self._variance = 0.0

    def add(self, row: Row) -> None:
        span = math.log(float(row.high) / float(row.low))
        variance = span * span / (4 * math.log(2))
        volume = float(row.volume)
        if self._volume < 0:
            self._volume, self._variance = volume, variance
        self._volume += (volume - self._volume) / _HOUR_OF_CANDLES
        self._variance += (variance - self._variance) / _HOUR_OF_CANDLES

    @property
    def daily_volume(self) -> float:
        return max(self._volume, 0.0) * self._a_day

    @property
    def volatility(self) -> float:
        return math.sqrt(self._variance * self._a_day)


class _Track:
    """One file on its way to the hub."""

    def __init__(self, file: CandleFile) -> None:
        self.file = file
        self.funding: FundingFile | None = None
        self.marks: MarkFile | None = None
        self.activity = Activity(file.period_ns)
        self.state: MarketState | None = None
        if file.market == FUTURES:
            rates, marks = beside(file.path, "-funding_rate.feather"), beside(file.path, "-mark.feather")
            self.funding = FundingFile(rates) if rates else None
            self.marks = MarkFile(marks) if marks else None
            if self.funding is not None and len(self.funding.times) < 2:
                self.funding = None

    def events(
        self, first_ns: int, last_ns: int
    ) -> Iterator[tuple[int, _Track, Row | Decimal, Point | None]]:
        """In the file's time: every point of every candle, and the recorded mark prices between."""
        marks = iter(self.marks.between(first_ns, last_ns) if self.marks else ())
        mark_ns, mark = next(marks, (_NEVER, Decimal(0)))
        for row in self.file.rows():
            if not first_ns <= row.ns <= last_ns:
                continue
            for point in path(row, self.file.tick, self.file.step, self.file.period_ns):
                now = row.ns + point.after_ns
                while mark_ns <= now:
                    yield mark_ns - 1, self, mark, None  # it counts for the settlement at mark_ns
                    mark_ns, mark = next(marks, (_NEVER, mark))
                yield now, self, row, point


class CandleTape(Tape):
    """Plays one file or several together."""

    def __init__(self, hub: MarketHub, clock: TapeClock, paths: list[Path]) -> None:
        super().__init__(hub, clock)
        self.name = "candles " + ", ".join(path.name for path in paths)
        self.paths = paths
        self.start_ns = 0
        self.end_ns = 0
        self.passes = 0
        self._tracks: list[_Track] = []

    def prepare(self) -> None:
        self._tracks = [_Track(CandleFile(path)) for path in self.paths]
        files = [track.file for track in self._tracks]
        self.start_ns = max(file.first_ns for file in files)
        self.end_ns = min(file.last_ns for file in files)
        if self.start_ns > self.end_ns:
            raise TapeError(f"tape {', '.join(map(str, self.paths))}: the files have no time in common")
        shift = self._first_shift()
        for track in self._tracks:
            self._add(track, shift)

    async def play(self) -> None:
        shift = self._first_shift()
        longest = max(track.file.period_ns for track in self._tracks)
        while True:
            for track in self._tracks:
                self._schedule(track, shift)
                if self.passes == 0 and track.file.damaged:
                    log.warning(
                        "tape %s: %d rows stepped over %s",
                        track.file.path,
                        track.file.damaged,
                        track.file.first_damage,
                    )
            await self._play_once(shift)
            shift += self.end_ns + longest - self.start_ns
            self.passes += 1

    async def _play_once(self, shift: int) -> None:
        streams = [track.events(self.start_ns, self.end_ns) for track in self._tracks]
        for ns, track, what, point in heapq.merge(*streams, key=lambda event: event[0]):
            state = track.state
            if state is None:
                continue
            now = ns + shift
            if not self.due(now):
                await self.until(now)
            if point is None:
                if isinstance(what, Decimal):
                    self.hub.feed_mark_once(state, what, now)
                continue
            if point.after_ns == 0 and isinstance(what, Row):
                track.activity.add(what)
                self._reshape(track, state, what.open)
            self.hub.feed_price(state, point.price, now, now // MINUTE)
            if point.size:
                self.hub.feed_trade(state, point.price, point.size, point.side, now)

    def _first_shift(self) -> int:
        return self.clock.now_ns() // MINUTE * MINUTE - self.start_ns // MINUTE * MINUTE

    def _add(self, track: _Track, shift: int) -> None:
        file = track.file
        price = file.first.open
        for count, row in enumerate(file.rows()):
            if row.ns == self.start_ns:
                price = row.open
            track.activity.add(row)
            if count >= _PRIMED and row.ns >= self.start_ns:
                break
        spec = default_spec(file.symbol, price, market=file.market, tick=file.tick, step=file.step)
        track.state = self.hub.add(
            spec, price, daily_volume=track.activity.daily_volume, volatility=track.activity.volatility
        )
        track.activity = Activity(file.period_ns)
        self._schedule(track, shift)

    def _schedule(self, track: _Track, shift: int) -> None:
        if track.funding is not None and track.state is not None:
            self.hub.set_funding(track.state, source=_shifted(track.funding, shift))

    @staticmethod
    def _reshape(track: _Track, state: MarketState, price: Decimal) -> None:
        state.daily_volume, state.volatility = track.activity.daily_volume, track.activity.volatility
        if isinstance(state.tape_book, ModelledBook):
            state.tape_book.set_activity(price, state.daily_volume, state.volatility)


def _shifted(file: FundingFile, shift: int) -> FundingSource:
    def coming(ns: int) -> Funding:
        found = file.after(ns - shift)
        return Funding(found.ns + shift, found.rate, found.interval_h)

    return coming


def path(row: Row, tick: Decimal, step: Decimal, period_ns: int = MINUTE) -> list[Point]:
    """The points of one candle, as the module says. Pure; the same row gives the same points."""
    rising = row.close >= row.open
    corners = [row.open, *((row.low, row.high) if rising else (row.high, row.low)), row.close]
    count = min(POINTS * max(1, period_ns // MINUTE), _MAX_POINTS)
    turns = (0, count // 3, 2 * count // 3, count - 1)
    prices: list[Decimal] = []
    for (first, last), (begin, end) in zip(pairwise(turns), pairwise(corners), strict=True):
        span = last - first
        slope = int((end - begin) / tick)
        prices.extend(begin + slope * index // span * tick if index else begin for index in range(span))
    prices.append(row.close)
    sizes = _split(row.volume, step, count, turns)
    points: list[Point] = []
    before = row.open
    for index, (price, size) in enumerate(zip(prices, sizes, strict=True)):
        buys = price > before or (price == before and index % 2 == 0)
        points.append(Point(index * period_ns // count, price, size, "buy" if buys else "sell"))
        before = price
    return points


def _split(volume: Decimal, step: Decimal, count: int, turns: tuple[int, ...]) -> list[Decimal]:
    """``volume`` over ``count`` trades. The corners come first when there is little to go round."""
    steps = int(volume / step)
    weights = [WEIGHTS[index % len(WEIGHTS)] for index in range(count)]
    total = sum(weights)
    parts = [steps * weight // total for weight in weights]
    left = steps - sum(parts)
    order = [*dict.fromkeys(turns), *(index for index in range(count) if index not in turns)]
    for index in range(left):
        parts[order[index % count]] += 1
    sizes = [part * step for part in parts]
    sizes[turns[-1]] += volume - steps * step
    return sizes
