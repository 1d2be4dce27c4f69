"""Stream names: what they ask for, and on which of the three paths they are served.

    btcusdt@aggTrade   btcusdt@depth20@100ms   btcusdt_perpetual@continuousKline_1m   !ticker@arr

On a path that does not carry a stream its subscription is accepted and nothing ever comes, as seen on the
venue since the paths were split; the same goes for symbols that do not exist (names are lower case).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from trader.paper.faces.binance.intervals import WIDTHS

#: "" is the legacy root, which carries everything.
Prefix = Literal["", "public", "market", "private"]
PREFIXES: tuple[Prefix, ...] = ("", "public", "market", "private")

_LONGEST = 80
_SYMBOL = re.compile(r"[^@!\s]{2,40}\Z")
_PUBLIC = frozenset({"depth", "rpiDepth", "bookTicker", "trade"})
_PLAIN = frozenset({"aggTrade", "trade", "ticker", "miniTicker", "bookTicker", "forceOrder", "compositeIndex", "assetIndex"})  # fmt: skip
#: Streams of all symbols: the whole name -> (kind, interval in ms when the name gives one).
_ALL = {
    "!markPrice@arr": ("markPrice", 3000),
    "!markPrice@arr@3s": ("markPrice", 3000),
    "!markPrice@arr@1s": ("markPrice", 1000),
    "!ticker@arr": ("ticker", 0),
    "!miniTicker@arr": ("miniTicker", 0),
    "!bookTicker": ("bookTicker", 0),
    "!forceOrder@arr": ("forceOrder", 0),
    "!contractInfo": ("contractInfo", 0),
    "!assetIndex@arr": ("assetIndex", 0),
}
_DEPTH = re.compile(r"depth(|5|10|20)(?:@(100|250|500)ms)?\Z")
_MARK = {"markPrice": 3000, "markPrice@1s": 1000, "markPrice@3s": 3000}
_DEPTH_MS = 250
_RPI_MS = 500


class Stream(msgspec.Struct, frozen=True):
    """``symbol`` "" is all of them; ``levels`` 0 is the diff stream of a book; ``every_ms`` 0 is the kind's own pace."""

    name: str
    kind: str
    symbol: str = ""
    levels: int = 0
    every_ms: int = 0
    interval: str = ""

    @property
    def fault_names(self) -> tuple[str, str]:
        """What a fault's ``channel`` may name: the stream, or what it is of any symbol."""
        return self.name, self.name.partition("@")[2] if self.symbol else self.name

    def served(self, prefix: Prefix) -> bool:
        """Whether that path carries it."""
        return prefix in ("", "public" if self.kind in _PUBLIC else "market")


def parse(name: str) -> Stream | None:
    """``None`` for what is no market stream: perhaps a listen key."""
    if len(name) > _LONGEST:
        return None
    whole = _ALL.get(name)
    if whole is not None:
        return Stream(name, whole[0], every_ms=whole[1])
    symbol, _, rest = name.partition("@")
    if not rest or not _SYMBOL.match(symbol):
        return None
    return _of_symbol(name, symbol, rest)


def _of_symbol(name: str, symbol: str, rest: str) -> Stream | None:
    # a name in capitals is no symbol: it stays as it is and is found nowhere
    named = symbol.upper() if symbol == symbol.lower() else ""
    kind, _, interval = rest.partition("_")
    found: Stream | None = None
    if rest in _PLAIN:
        found = Stream(name, rest, named or "?")
    elif rest in _MARK:
        found = Stream(name, "markPrice", named or "?", every_ms=_MARK[rest])
    elif rest == "rpiDepth@500ms":
        found = Stream(name, "rpiDepth", named or "?", every_ms=_RPI_MS)
    elif kind == "kline" and interval in WIDTHS:
        found = Stream(name, kind, named or "?", interval=interval)
    elif kind == "continuousKline" and interval in WIDTHS:
        pair, _, contract = named.partition("_")
        found = Stream(name, kind, pair if contract == "PERPETUAL" else "?", interval=interval)
    else:
        depth = _DEPTH.match(rest)
        if depth is not None:
            levels, every = int(depth[1] or 0), int(depth[2] or _DEPTH_MS)
            found = Stream(name, "depth", named or "?", levels, every)
    return found
