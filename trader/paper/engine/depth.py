"""The tape's book without what orders of this exchange have taken from it.

A tape tells what others did; it never learns of our orders. What an order took from a level is
therefore remembered and is gone for the next order, until the tape shows that level with another
size (it was quoted anew) or the whole book is replaced. A modelled book never says so by itself:
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

    def walk(
        self, state: MarketState, taker: Side, size: Decimal, limit: Decimal | None, ns: int
    ) -> list[Level]:
        """``[(price, size)]`` that a taker gets now, best first; as :meth:`Book.walk`, less what is gone."""
        gone = self._gone(state, "sell" if taker == "buy" else "buy", ns)
        if not gone:
            return state.book.walk(taker, size, limit)
        left, levels = size, list[Level]()
        # Asking for as much more as is gone, the walk is long enough whatever it meets.
        for price, shown in state.book.walk(taker, plus(size, sum(gone.values(), ZERO)), limit):
            part = min(left, shown - gone.get(price, ZERO))
            if part > 0:
                levels.append((price, part))
                left -= part
        return levels

    def take(self, state: MarketState, taker: Side, price: Decimal, size: Decimal, ns: int) -> None:
        """An order has traded ``size`` of the level at ``price``."""
        self._watch(state.book)
        side: Side = "sell" if taker == "buy" else "buy"
        shown = state.book.size_at(side, price)
        known = self._taken.get((side, price))
        before = self._remaining(known, state, ns) if known and known.shown == shown else ZERO
        self._taken[side, price] = _Taken(shown, plus(before, size), ns)
        if len(self._taken) > MOST_LEVELS:
            del self._taken[next(iter(self._taken))]

    def _watch(self, book: Book) -> None:
        if book is not self._book or book.snapshots != self._snapshots:
            self._book, self._snapshots = book, book.snapshots
            self._taken.clear()

    def _gone(self, state: MarketState, side: Side, ns: int) -> dict[Decimal, Decimal]:
        """What is still missing, by price; what the tape has shown anew is forgotten."""
        if not self._taken:
            return {}
        self._watch(state.book)
        gone: dict[Decimal, Decimal] = {}
        for key, taken in list(self._taken.items()):
            if key[0] != side:
                continue
            missing = ZERO
            if state.book.size_at(side, key[1]) == taken.shown:
                missing = self._remaining(taken, state, ns)
            if missing:
                gone[key[1]] = missing
            else:
                del self._taken[key]
        return gone

    @staticmethod
    def _remaining(taken: _Taken, state: MarketState, ns: int) -> Decimal:
        if not state.book.recovers:
            return taken.size
        left = max(0, RECOVERY_NS - max(0, ns - taken.ns))
        step = state.spec.step
        return (taken.size * left / RECOVERY_NS / step).to_integral_value(ROUND_UP) * step
