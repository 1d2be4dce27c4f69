"""The tape's book without what orders of this exchange have taken from it.

A tape tells what others did; it never learns of our orders. What an order took from a level is
therefore remembered and is gone for the next order, until the tape shows that level with another
size, were it for a moment (it was quoted anew), or the whole book is replaced. A modelled book never says so by itself:
there what was taken comes back evenly within :data:`RECOVERY_NS` of tape time, an assumption in the
order of what was measured on stock exchanges (depth is back after about twenty quote updates: Degryse,
de Jong, van Ravenswaaij and Wuyts, "Aggressive orders and the resiliency of a limit order market",
Review of Finance 2005).
"""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

import msgspec

from shared.clock import SECOND
from trader.paper.book import Book, Level
from trader.paper.contract import Side
from trader.paper.engine.money import ZERO, plus
from trader.paper.market import MarketState

RECOVERY_NS = 10 * SECOND
#: Levels a symbol that are remembered; the oldest is forgotten first (a book holds 5000 a side).
MOST_LEVELS = 10_000


class _Taken(msgspec.Struct):
    """``size`` was taken from a level that showed ``shown``, last at ``ns``."""

    shown: Decimal
    size: Decimal
    ns: int


class Depth:
    """What is left for takers of one symbol."""

    __slots__ = ("_book", "_snapshots", "_taken")

    def __init__(self) -> None:
        self._book: Book | None = None
        self._snapshots = 0
        self._taken: dict[tuple[Side, Decimal], _Taken] = {}

    def __len__(self) -> int:
        """Levels that are remembered."""
        return len(self._taken)

    def walk(
        self, state: MarketState, taker: Side, size: Decimal, limit: Decimal | None, ns: int
    ) -> list[Level]:
        """``[(price, size)]`` that a taker gets now, best first; as :meth:`Book.walk`, less what is gone."""
        if self._taken:
            self.look(state)
        if not self._taken:
            return state.book.walk(taker, size, limit)
        side: Side = "sell" if taker == "buy" else "buy"
        left, levels = size, list[Level]()
        for price, shown in state.book.best_first(side):
            if left <= 0 or (limit is not None and (price > limit if taker == "buy" else price < limit)):
                break
            part = min(left, self._left(state, side, price, shown, ns))
            if part > 0:
                levels.append((price, part))
                left -= part
        return levels

    def look(self, state: MarketState) -> None:
        """The market moved: forget the levels that it shows with another size."""
        if not self._taken:
            return
        self._watch(state.book)
        for side, price in state.book.stirred():
            taken = self._taken.get((side, price))
            if taken is not None and state.book.size_at(side, price) != taken.shown:
                self._forget(side, price)

    def _left(self, state: MarketState, side: Side, price: Decimal, shown: Decimal, ns: int) -> Decimal:
        """What is left of a level; what the tape has shown anew is forgotten."""
        taken = self._taken.get((side, price))
        if taken is None:
            return shown
        missing = self._remaining(taken, state, ns) if taken.shown == shown else ZERO
        if not missing:
            self._forget(side, price)
        return shown - missing

    def take(self, state: MarketState, taker: Side, price: Decimal, size: Decimal, ns: int) -> None:
        """An order has traded ``size`` of the level at ``price``."""
        self.look(state)
        self._watch(state.book)  # also with nothing taken yet
        side: Side = "sell" if taker == "buy" else "buy"
        shown = state.book.size_at(side, price)
        known = self._taken.pop((side, price), None)  # the newest stand last
        before = self._remaining(known, state, ns) if known and known.shown == shown else ZERO
        self._taken[side, price] = _Taken(shown, plus(before, size), ns)
        if state.book.recovers:
            self._drop_recovered(ns)
        else:
            state.book.watch(side, price)
        if len(self._taken) > MOST_LEVELS:
            self._forget(*next(iter(self._taken)))

    def _drop_recovered(self, ns: int) -> None:
        """A modelled book moves away from levels that nobody will look at again."""
        for key, taken in list(self._taken.items()):
            if ns - taken.ns < RECOVERY_NS:
                return
            del self._taken[key]

    def _forget(self, side: Side, price: Decimal) -> None:
        del self._taken[side, price]
        if self._book is not None and not self._book.recovers:
            self._book.unwatch(side, price)

    def _watch(self, book: Book) -> None:
        if book is not self._book or book.snapshots != self._snapshots:
            if self._book is not None:
                self._book.unwatch_all()
            self._book, self._snapshots = book, book.snapshots
            self._taken.clear()

    @staticmethod
    def _remaining(taken: _Taken, state: MarketState, ns: int) -> Decimal:
        if not state.book.recovers:
            return taken.size
        left = max(0, RECOVERY_NS - max(0, ns - taken.ns))
        step = state.spec.step
        return (taken.size * left / RECOVERY_NS / step).to_integral_value(ROUND_UP) * step
