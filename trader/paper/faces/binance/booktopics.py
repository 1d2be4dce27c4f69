"""Streams of a book: the best prices, the top as a whole, and what changed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trader.paper.book import Level
from trader.paper.engine.money import ZERO
from trader.paper.faces.binance import ids, market_data
from trader.paper.faces.binance.market_data import levels
from trader.paper.faces.binance.streamnames import Stream
from trader.paper.faces.binance.topics import Now, Row, Topic
from trader.paper.market import MarketEvent, MarketState, Traded

#: Levels a side of the diff stream: as many as the largest snapshot has.
LEVELS = 1000


class BookTickerTopic(Topic):
    """The best bid and ask, whenever one of them changes."""

    interval_ms = 10

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self._shown: object = None

    def picture(self) -> Row:
        self._shown = self._best()
        return book_ticker_row(self.state, self.now())

    def rows(self) -> Iterable[Row]:
        if self._best() != self._shown:
            yield self.picture()

    def _best(self) -> tuple[Level | None, Level | None]:
        return self.state.book.best_bid, self.state.book.best_ask


def book_ticker_row(state: MarketState, now: int) -> Row:
    best = market_data.best(state)
    return {
        "e": "bookTicker",
        "u": best["lastUpdateId"],
        "s": state.symbol,
        "b": best["bidPrice"],
        "B": best["bidQty"],
        "a": best["askPrice"],
        "A": best["askQty"],
        "T": best["time"],
        "E": now,
    }


class DepthTopic(Topic):
    """The top of the book as a whole, when something changed."""

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self._levels = stream.levels
        self._last = ids.update_id(state)
        self._shown: object = None

    def picture(self) -> Row:
        self._shown = bids, asks = self.state.book.depth(self._levels)
        before, self._last = self._last, ids.update_id(self.state)
        return {
            "e": "depthUpdate",
            "E": self.now(),
            "T": self.at,
            "s": self.state.symbol,
            "U": min(before + 1, self._last),
            "u": self._last,
            "pu": before,
            "b": levels(self.state, bids),
            "a": levels(self.state, asks),
        }

    def rows(self) -> Iterable[Row]:
        if self.state.book.depth(self._levels) != self._shown:
            yield self.picture()


class DiffTopic(Topic):
    """Changes of the book. ``pu`` of each is ``u`` of the one before.

    Every level that was touched is told, also one that stands again as it did: a snapshot may have been taken
    in between.
    """

    latest_only = False
    gathers = True

    def __init__(self, stream: Stream, state: MarketState, now: Now) -> None:
        super().__init__(stream, state, now)
        self._last = ids.update_id(state)
        self._bids, self._asks = state.book.depth(LEVELS)
        self._touched: tuple[dict[Decimal, Decimal], dict[Decimal, Decimal]] = ({}, {})

    def heard(self, event: MarketEvent) -> bool:
        if isinstance(event, Traded):
            return False
        bids, asks = self.state.book.depth(LEVELS)
        self._touched[0].update(changes(self._bids, bids))
        self._touched[1].update(changes(self._asks, asks))
        self._bids, self._asks = bids, asks
        return any(self._touched)

    def rows(self) -> Iterable[Row]:
        bids, asks = self._touched
        if not bids and not asks:
            return
        self._touched = ({}, {})
        before, self._last = self._last, ids.update_id(self.state)
        yield {
            "e": "depthUpdate",
            "E": self.now(),
            "T": self.at,
            "s": self.state.symbol,
            "U": before + 1,
            "u": self._last,
            "pu": before,
            "b": levels(self.state, list(bids.items())),
            "a": levels(self.state, list(asks.items())),
        }


def changes(before: list[Level], after: list[Level]) -> list[Level]:
    """Levels to set, and with size 0 to delete. A level that the book has left alone is the same object."""
    old, new = {id(level) for level in before}, {id(level) for level in after}
    gone = dict(level for level in before if id(level) not in new)
    fresh = dict(level for level in after if id(level) not in old)
    changed = [(price, size) for price, size in fresh.items() if gone.get(price) != size]
    return changed + [(price, ZERO) for price in gone if price not in fresh]
