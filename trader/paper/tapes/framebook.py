"""A book made from Binance's depth differences and best-price frames together.

Depth frames say what changed between two update ids; ``bookTicker`` frames say the best prices at one
id, often a little ahead. The best prices are laid over the differences and taken off again before the
next depth frame, so that an overlay never damages what the differences built.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from decimal import Decimal

from trader.paper.book import Book, Level, TextLevel

Undo = list[tuple[bool, int, Level | None]]


class FrameBook(Book):
    """A :class:`Book` with an overlay of the best prices."""

    __slots__ = ("_top", "_undo")

    def __init__(self, tick: Decimal, *, max_levels: int) -> None:
        super().__init__(tick, max_levels=max_levels)
        self._undo: Undo = []
        self._top: tuple[int, int] | None = None

    def clear(self) -> None:
        super().clear()
        self._undo.clear()
        self._top = None

    @property
    def ready(self) -> bool:
        """Both sides hold something."""
        return bool(self._bid_keys and self._ask_keys)

    def differences(self, bids: Sequence[TextLevel], asks: Sequence[TextLevel]) -> None:
        """Apply a depth frame; the overlay is gone afterwards."""
        self.take_off()
        self.apply(bids, asks)

    def lay(self, bid: TextLevel, ask: TextLevel) -> None:
        """Make ``bid`` and ``ask`` the best prices; better levels vanish until ``take_off``."""
        known = self._keys.get
        bid_key, bid_price = known(bid[0]) or self._key(bid[0])
        found = known(ask[0])
        if found is None:
            found = self._key(ask[0])
            bid_key = self._key(bid[0])[0]  # the ask may have rescaled the book
        ask_key, ask_price = found
        bid_level = (bid_price, self._amount(bid[1]))
        ask_level = (ask_price, self._amount(ask[1]))
        if self._watched:
            self._stir_above(bid_key, ask_key)
        if self._top == (bid_key, ask_key):  # the same prices, other sizes: already noted
            self._bids[bid_key] = bid_level
            self._asks[ask_key] = ask_level
            return
        self.take_off()
        bids, asks, undo = self._bid_keys, self._ask_keys, self._undo
        while bids and bids[-1] > bid_key:
            key = bids.pop()
            undo.append((True, key, self._bids.pop(key)))
        while asks and asks[0] < ask_key:
            key = asks.pop(0)
            undo.append((False, key, self._asks.pop(key)))
        undo.append((True, bid_key, self._bids.get(bid_key)))
        if bid_key not in self._bids:
            bids.append(bid_key)
        self._bids[bid_key] = bid_level
        undo.append((False, ask_key, self._asks.get(ask_key)))
        if ask_key not in self._asks:
            asks.insert(0, ask_key)
        self._asks[ask_key] = ask_level
        self._top = (bid_key, ask_key)

    def take_off(self) -> None:
        """Back to what the depth frames alone say."""
        if self._top is None:
            return
        if self._watched:
            for is_bid, key, _ in self._undo:
                self._stir(is_bid=is_bid, key=key)
        for is_bid, key, level in reversed(self._undo):
            levels, keys = (self._bids, self._bid_keys) if is_bid else (self._asks, self._ask_keys)
            if level is None:
                if levels.pop(key, None) is not None:
                    del keys[bisect_left(keys, key)]
            else:
                if key not in levels:
                    insort(keys, key)
                levels[key] = level
        self._undo.clear()
        self._top = None

    def _stir_above(self, bid_key: int, ask_key: int) -> None:
        """The two best levels are set, and what is better than they are vanishes."""
        for is_bid, key in self._watched:
            if key >= bid_key if is_bid else key <= ask_key:
                self._stir(is_bid=is_bid, key=key)

    def _rescale(self) -> None:
        super()._rescale()
        self._undo = [(is_bid, key * 10, level) for is_bid, key, level in self._undo]
        self._top = (self._top[0] * 10, self._top[1] * 10) if self._top else None
