"""Order book of one symbol: exact prices, built for many small changes.

A level is ``(price, size)`` in :class:`~decimal.Decimal`. A ``Decimal`` keeps the digits it was made
from, so the venue's own strings come back out (``text``), which its checksum is computed over.
Inside, prices are integers (price x 10^places), kept in one ascending list a side: a change of a
known level is one dictionary write, a new level one binary search.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from decimal import Decimal

from trader.paper.contract import Side, places

Level = tuple[Decimal, Decimal]
TextLevel = tuple[str, str]

MAX_LEVELS = 5000
"""Levels kept a side; the worst ones fall off (a venue's own snapshot holds 1000)."""

_MAX_CACHED = 65_536
_ZERO = Decimal(0)


def text(value: Decimal) -> str:
    """Plain decimal text, never an exponent, with the digits the number was made from."""
    return format(value, "f")


class Book:
    """Price levels of one symbol. Not thread safe; nothing in it waits.

    ``tick`` only sets the first scale of the integers: a finer price rescales the book, so every
    decimal price is exact.
    """

    __slots__ = (
        "_ask_keys", "_asks", "_bid_keys", "_bids", "_keys", "_places", "_scale", "_sizes", "_stirred", "_watched",
        "max_levels", "snapshots",
    )  # fmt: skip

    recovers = False
    """True when levels come back by themselves, because nothing on the tape ever says that they did."""

    def __init__(self, tick: Decimal = Decimal("0.01"), *, max_levels: int = MAX_LEVELS) -> None:
        self.max_levels = max_levels
        self.snapshots = 0
        """How often everything was replaced: what was known of single levels is void then."""
        self._places = places(tick)
        self._scale = 10**self._places
        self._bid_keys: list[int] = []
        self._ask_keys: list[int] = []
        self._bids: dict[int, Level] = {}
        self._asks: dict[int, Level] = {}
        self._keys: dict[str, tuple[int, Decimal]] = {}
        self._sizes: dict[str, Decimal] = {}
        self._watched: dict[tuple[bool, int], Decimal] = {}
        self._stirred: set[tuple[Side, Decimal]] = set()

    # watching levels

    def watch(self, side: Side, price: Decimal) -> None:
        """From now on ``stirred`` names this level when it was set, to whatever size."""
        key, _ = self._key(text(price))
        self._watched[side == "buy", key] = price

    def unwatch(self, side: Side, price: Decimal) -> None:
        self._watched.pop((side == "buy", self._key(text(price))[0]), None)

    def unwatch_all(self) -> None:
        self._watched.clear()
        self._stirred.clear()

    def stirred(self) -> set[tuple[Side, Decimal]]:
        """The watched levels that were set since the last call: the book may show them anew."""
        if not self._stirred:
            return self._stirred
        found, self._stirred = self._stirred, set()
        return found

    def _stir(self, *, is_bid: bool, key: int) -> None:
        price = self._watched.get((is_bid, key))
        if price is not None:
            self._stirred.add(("buy" if is_bid else "sell", price))

    # changing

    def clear(self) -> None:
        for part in (self._bid_keys, self._ask_keys, self._bids, self._asks):
            part.clear()

    def snapshot(self, bids: Iterable[TextLevel], asks: Iterable[TextLevel]) -> None:
        """Replace everything."""
        self.clear()
        self.snapshots += 1
        self.apply(bids, asks)

    def apply(self, bids: Iterable[TextLevel], asks: Iterable[TextLevel]) -> None:
        """Set levels to the given sizes; size 0 removes. Sizes and prices are the venue's strings.

        Text that is no number raises ``ValueError`` or ``ArithmeticError`` with earlier changes done:
        the caller starts the book anew.
        """
        self._apply(self._bids, self._bid_keys, bids)
        self._apply(self._asks, self._ask_keys, asks)
        if len(self._bid_keys) > self.max_levels or len(self._ask_keys) > self.max_levels:
            self._trim()

    def set(self, side: Side, price: Decimal, size: Decimal) -> None:
        """One level; ``side`` "buy" is the bid side."""
        level = ((text(price), text(size)),)
        self.apply(level if side == "buy" else (), level if side == "sell" else ())

    # reading

    @property
    def best_bid(self) -> Level | None:
        return self._bids[self._bid_keys[-1]] if self._bid_keys else None

    @property
    def best_ask(self) -> Level | None:
        return self._asks[self._ask_keys[0]] if self._ask_keys else None

    @property
    def mid(self) -> Decimal | None:
        """Half way between the best prices; ``None`` while a side is empty."""
        bid, ask = self.best_bid, self.best_ask
        return (bid[0] + ask[0]) / 2 if bid and ask else None

    @property
    def crossed(self) -> bool:
        """True when the best bid is not below the best ask: never so in a sound book."""
        bid, ask = self.best_bid, self.best_ask
        return bool(bid and ask and bid[0] >= ask[0])

    def bids(self, count: int | None = None) -> list[Level]:
        """Best first."""
        keys = self._bid_keys[-count:] if count else self._bid_keys if count is None else []
        return [self._bids[key] for key in reversed(keys)]

    def asks(self, count: int | None = None) -> list[Level]:
        """Best first."""
        return [self._asks[key] for key in self._ask_keys[:count]]

    def depth(self, count: int | None = None) -> tuple[list[Level], list[Level]]:
        """``(bids, asks)``, best first, at most ``count`` levels each (all when ``None``)."""
        return self.bids(count), self.asks(count)

    def size_at(self, side: Side, price: Decimal) -> Decimal:
        """What rests at ``price`` on the bid ("buy") or ask ("sell") side; 0 when nothing."""
        scaled = price * self._scale
        key = int(scaled)
        level = (self._bids if side == "buy" else self._asks).get(key) if key == scaled else None
        return level[1] if level else _ZERO

    def best_first(self, side: Side) -> Iterator[Level]:
        """Levels of the bid ("buy") or ask ("sell") side. Not while the book is being changed."""
        if side == "buy":
            levels = self._bids
            return (levels[key] for key in reversed(self._bid_keys))
        levels = self._asks
        return (levels[key] for key in self._ask_keys)

    def walk(self, side: Side, size: Decimal, limit: Decimal | None = None) -> list[Level]:
        """What a taker of ``size`` gets: ``[(price, size)]``, best price first.

        ``side`` is the taker's: "buy" eats the asks. Levels beyond ``limit`` are left alone. The
        sizes add up to less than asked when the book (or the limit) ends first. Changes nothing.
        """
        buying = side == "buy"
        keys = self._ask_keys if buying else reversed(self._bid_keys)
        levels = self._asks if buying else self._bids
        taken: list[Level] = []
        left = size
        for key in keys:
            if left <= 0:
                break
            price, resting = levels[key]
            if limit is not None and (price > limit if buying else price < limit):
                break
            part = min(left, resting)
            taken.append((price, part))
            left -= part
        return taken

    def checksum(self, count: int = 25) -> int:
        """Signed CRC32 over ``bid:size:ask:size...`` of the top levels, as Bitget documents it."""
        bids, asks = self.depth(count)
        parts: list[str] = []
        for index in range(max(len(bids), len(asks))):
            for levels in (bids, asks):
                if index < len(levels):
                    parts.extend(text(number) for number in levels[index])
        crc = zlib.crc32(":".join(parts).encode())
        return crc - (1 << 32) if crc >= 1 << 31 else crc

    # inside

    def _apply(self, levels: dict[int, Level], keys: list[int], changes: Iterable[TextLevel]) -> None:
        known, sizes, watched = self._keys.get, self._sizes.get, self._watched
        for price_text, size_text in changes:
            key, price = known(price_text) or self._key(price_text)
            if watched:
                self._stir(is_bid=levels is self._bids, key=key)
            size = sizes(size_text)
            if size is None:
                size = self._amount(size_text)
            if size:
                if key not in levels:
                    insort(keys, key)
                levels[key] = (price, size)
            elif key in levels:
                del levels[key]
                del keys[bisect_left(keys, key)]

    def _amount(self, size_text: str) -> Decimal:
        """The number behind a size's text; the same few sizes come again and again."""
        found = self._sizes.get(size_text)
        if found is not None:
            return found
        size = Decimal(size_text)
        if size < 0:
            size = _ZERO
        if len(self._sizes) >= _MAX_CACHED:
            self._sizes.clear()
        self._sizes[size_text] = size
        return size

    def _key(self, price_text: str) -> tuple[int, Decimal]:
        found = self._keys.get(price_text)
        if found is not None:
            return found
        price = Decimal(price_text)
        if not price.is_finite():
            raise ValueError(f"{price_text!r} is not a price")
        while price * self._scale % 1:
            self._rescale()
        if len(self._keys) >= _MAX_CACHED:
            self._keys.clear()
        found = self._keys[price_text] = (int(price * self._scale), price)
        return found

    def _rescale(self) -> None:
        """One decimal more. Lists and dictionaries change in place: ``_apply`` holds references."""
        self._places += 1
        self._scale *= 10
        self._keys.clear()
        self._bid_keys[:] = [key * 10 for key in self._bid_keys]
        self._ask_keys[:] = [key * 10 for key in self._ask_keys]
        for levels in (self._bids, self._asks):
            scaled = {key * 10: level for key, level in levels.items()}
            levels.clear()
            levels.update(scaled)
        watched = {(is_bid, key * 10): price for (is_bid, key), price in self._watched.items()}
        self._watched.clear()
        self._watched.update(watched)

    def _trim(self) -> None:
        for key in self._bid_keys[: -self.max_levels]:
            del self._bids[key]
        del self._bid_keys[: -self.max_levels]
        for key in self._ask_keys[self.max_levels :]:
            del self._asks[key]
        del self._ask_keys[self.max_levels :]
