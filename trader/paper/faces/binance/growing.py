"""Candles of any interval, put together from the hub's one-minute candles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from trader.paper.engine.money import text
from trader.paper.faces.binance import ids, intervals, numbers
from trader.paper.market import MarketState
from trader.paper.minutes import Candle


def add(candle: Candle, later: Candle) -> None:
    """Let ``candle`` grow by one that follows it."""
    candle.high, candle.low = max(candle.high, later.high), min(candle.low, later.low)
    candle.close = later.close
    candle.base_volume += later.base_volume
    candle.quote_volume += later.quote_volume
    candle.trades += later.trades
    candle.taker_base += later.taker_base
    candle.taker_quote += later.taker_quote


def merged(minutes: Iterable[Candle], interval: str) -> list[Candle]:
    """Oldest first, like the input, which is left as it is."""
    out: list[Candle] = []
    end = 0
    for candle in minutes:
        if out and candle.open_ns < end:
            add(out[-1], candle)
        else:
            start = intervals.start(interval, candle.open_ns)
            end = intervals.end(interval, start)
            out.append(msgspec.structs.replace(candle, open_ns=start))
    return out


class Growing:
    """The newest candle of an interval. What its finished minutes add up to is kept."""

    def __init__(self, state: MarketState, interval: str) -> None:
        self._state = state
        self._interval = interval
        self._start_ns = intervals.start(interval, state.minutes.candles[-1].open_ns)
        self._done: Candle | None = None
        self._upto_ns = -1

    def row(self) -> dict[str, object]:
        """As it is now."""
        newest = self._state.minutes.candles[-1]
        self._start_ns = intervals.start(self._interval, newest.open_ns)
        if newest.open_ns != self._upto_ns:
            self._done = self._sum(newest.open_ns)
            self._upto_ns = newest.open_ns
        whole = msgspec.structs.replace(self._done or newest)
        if self._done is not None:
            add(whole, newest)
        return self._row(whole, ids.trade_number(self._state), finished=False)

    def moved(self) -> Iterator[dict[str, object]]:
        """The candle that was shown last, when it is finished now, and the newest."""
        newest = self._state.minutes.candles[-1]
        end = intervals.end(self._interval, self._start_ns)
        if newest.open_ns >= end:
            finished = self._sum(end)
            if finished is not None:
                later = sum(candle.trades for candle in self._since(end))
                yield self._row(finished, ids.trade_number(self._state, later), finished=True)
        yield self.row()

    def _since(self, ns: int) -> Iterator[Candle]:
        """The minutes from ``ns`` on, newest first."""
        for candle in reversed(self._state.minutes.candles):
            if candle.open_ns < ns:
                return
            yield candle

    def _sum(self, end_ns: int) -> Candle | None:
        """The minutes of the shown interval before ``end_ns``."""
        found = [candle for candle in self._since(self._start_ns) if candle.open_ns < end_ns]
        return merged(reversed(found), self._interval)[0] if found else None

    def _row(self, candle: Candle, last: int, *, finished: bool) -> dict[str, object]:
        spec, start = self._state.spec, intervals.start(self._interval, candle.open_ns)
        return {
            "t": numbers.ms(start),
            "T": numbers.ms(intervals.end(self._interval, start)) - 1,
            "s": self._state.symbol,
            "i": self._interval,
            "f": last - candle.trades + 1 if candle.trades else -1,
            "L": last if candle.trades else -1,
            "o": numbers.price(spec, candle.open),
            "c": numbers.price(spec, candle.close),
            "h": numbers.price(spec, candle.high),
            "l": numbers.price(spec, candle.low),
            "v": numbers.size(spec, candle.base_volume),
            "n": candle.trades,
            "x": finished,
            "q": text(candle.quote_volume),
            "V": numbers.size(spec, candle.taker_base),
            "Q": text(candle.taker_quote),
            "B": "0",
        }
