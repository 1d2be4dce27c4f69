"""A small order book from recorded frames, written a second time: json and Decimal, plain and slow.

It shares no code with the exchange. Rules of the recording: a ``depth`` frame sets or (size 0) deletes
levels; a REST snapshot replaces the book and the differences it does not hold go on top; a
``bookTicker`` frame with a later update id than the last depth frame says the best prices: better
levels are gone, these two have the sizes said. Frames count from their local stamp, never backwards.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Levels = dict[Decimal, Decimal]
Taken = list[tuple[Decimal, Decimal]]


def frames(path: Path) -> Iterator[tuple[int, Json]]:
    """``(nanoseconds after the first frame, frame)``."""
    first = latest = 0
    with gzip.open(path, "rt") as file:
        for line in file:
            stamp, _, text = line.partition(" ")
            first = first or int(stamp)
            latest = max(latest, int(stamp))
            yield latest - first, json.loads(text)


class RawBook:
    """``until`` reads on; ``walk`` says what an order gets at that moment."""

    def __init__(self, path: Path) -> None:
        self._frames = frames(path)
        self._next = next(self._frames, None)
        self._sides: dict[str, Levels] = {"b": {}, "a": {}}
        self._last = 0
        self._snapshot = 0
        self._kept: list[Json] = []
        self._top: Json = {}
        self._top_id = 0
        self._gone: dict[tuple[str, Decimal], tuple[Decimal, Decimal]] = {}
        """What orders took from a level, and the size that it showed then."""

    def until(self, ns: int) -> bool:
        """Take in every frame up to ``ns`` after the first; False when the recording ends before."""
        while self._next is not None and self._next[0] <= ns:
            self._take(self._next[1])
            if self._gone:
                self._quoted_anew()
            self._next = next(self._frames, None)
        return self._next is not None

    def _take(self, frame: Json) -> None:
        if "lastUpdateId" in frame:
            self._last = self._snapshot = int(frame["lastUpdateId"])
            self._sides = {"b": {}, "a": {}}
            self._set("b", frame["bids"])
            self._set("a", frame["asks"])
            later = [data for data in self._kept if int(data["u"]) > self._last]
            for data in later:
                self._depth(data)
            self._kept.clear()
            return
        data = frame["data"]
        if data.get("e") == "depthUpdate":
            if int(data["u"]) <= self._last:
                return
            joins = data["pu"] == self._last or data["pu"] < self._last == self._snapshot
            assert not self._last or joins, "the recording has a gap: this check does not play across one"
            if not self._snapshot:
                self._kept.append(data)
            self._depth(data)
        elif data.get("e") == "bookTicker" and int(data["u"]) > self._top_id:
            self._top_id, self._top = int(data["u"]), data

    def _depth(self, data: Json) -> None:
        self._set("b", data["b"])
        self._set("a", data["a"])
        self._last = int(data["u"])

    def _set(self, side: str, levels: list[list[str]]) -> None:
        for price_text, size_text in levels:
            price, size = Decimal(price_text), Decimal(size_text)
            if size:
                self._sides[side][price] = size
            else:
                self._sides[side].pop(price, None)

    def _quoted_anew(self) -> None:
        """Forget what was taken from levels that show another size after this frame."""
        ahead = self._top if self._top_id > self._last else None
        best = {side: Decimal(ahead[side]) for side in ("b", "a")} if ahead else {}
        for (side, price), (shown, _) in list(self._gone.items()):
            now = self._sides[side].get(price, Decimal(0))
            if ahead and price == best[side]:
                now = Decimal(ahead[side.upper()])
            elif ahead and (price > best[side] if side == "b" else price < best[side]):
                now = Decimal(0)
            if now != shown:
                del self._gone[side, price]

    def side(self, side: str) -> Taken:
        """The bids ("b") or asks ("a") now, best first."""
        levels = dict(self._sides[side])
        if self._top and self._top_id > self._last:
            best, size = Decimal(self._top[side]), Decimal(self._top[side.upper()])
            levels = {p: s for p, s in levels.items() if (p < best if side == "b" else p > best)}
            levels[best] = size
        return sorted(levels.items(), reverse=side == "b")

    def take(self, taker: str, size: Decimal) -> Taken:
        """What a taker ("buy" or "sell") of ``size`` gets: prices and sizes.

        It is gone from these levels for the next one, until the recording shows them with another size,
        were it for a moment.
        """
        taken: Taken = []
        name = "a" if taker == "buy" else "b"
        for price, shown in self.side(name):
            if not size:
                break
            _, gone = self._gone.get((name, price), (shown, Decimal(0)))
            part = min(size, shown - gone)
            if part:
                taken.append((price, part))
                self._gone[name, price] = (shown, gone + part)
                size -= part
        assert not size, "the recorded book is not deep enough for this order"
        return taken
