"""Per-symbol indexes, so that a market event touches only the orders whose price it crossed."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from trader.paper.engine.depth import Depth
from trader.paper.engine.model import Position


class PriceIndex:
    """Ids by price. ``rising``: due when the market is at or above their price; else at or below.

    The nearest price comes first, and of equal prices the lower ``turn``: the id unless one is given.
    """

    __slots__ = ("_items", "_sign")

    def __init__(self, *, rising: bool) -> None:
        self._sign = 1 if rising else -1
        self._items: list[tuple[Decimal, int, int]] = []

    def __iter__(self) -> Iterator[tuple[Decimal, int]]:
        """(price, id), nearest first. Not while it is being changed."""
        sign = self._sign
        return ((sign * price, number) for price, _, number in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def add(self, price: Decimal, number: int, turn: int = 0) -> None:
        insort(self._items, (self._sign * price, turn or number, number))

    def remove(self, price: Decimal, number: int, turn: int = 0) -> None:
        """Forget an entry; one that is not there is a bug and raises ``KeyError``."""
        item = (self._sign * price, turn or number, number)
        at = bisect_left(self._items, item)
        if at == len(self._items) or self._items[at] != item:
            raise KeyError(item)
        del self._items[at]

    def due(self, market: Decimal) -> list[int]:
        """Ids that a market at this price has reached, nearest first. Does not remove them."""
        items = self._items
        if not items:
            return []
        level = self._sign * market
        found: list[int] = []
        for price, _, number in items:
            if price > level:
                break
            found.append(number)
        return found


class SymbolIndex:
    """The orders and positions that wait for one symbol's price (plans: ``watching.py``).

    ``buys`` are due when the best ask falls to them, ``sells`` when the best bid rises to them;
    ``long_liquidations`` when the mark falls, ``short_liquidations`` when it rises. ``crossed``
    holds the accounts with a cross-margin position here, ``held`` all positions by id (a dict keeps
    their order). ``depth`` is the tape's book without what orders have taken from it.
    """

    __slots__ = (
        "buys",
        "checked_mark",
        "crossed",
        "depth",
        "held",
        "long_liquidations",
        "sells",
        "short_liquidations",
    )

    def __init__(self) -> None:
        self.buys = PriceIndex(rising=False)
        self.sells = PriceIndex(rising=True)
        self.long_liquidations = PriceIndex(rising=False)
        self.short_liquidations = PriceIndex(rising=True)
        self.crossed: dict[int, bool] = {}
        self.depth = Depth()
        self.held: dict[int, Position] = {}
        self.checked_mark: Decimal | None = None
