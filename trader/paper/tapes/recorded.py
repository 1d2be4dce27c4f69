"""Recorded frames of Binance combined streams, played at their own pace, again and again.

Time: a frame plays at ``start + (its local stamp - the first local stamp)``; the exchange's stamps
inside are not used for pacing. After the last frame the first follows 1 ms later with time going on;
the book starts anew then, because the recording's end and start do not join.

Book: from the depth differences, the best prices laid over them, and a REST snapshot where the
recording holds one. Until both sides are known a modelled book stands in. A gap in the update ids starts
the book anew. Funding: rate from ``markPriceUpdate`` frames where recorded, settled on the clock's
own 8 hour grid.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

from shared import clock
from shared.errors import TapeError
from trader.paper.book import MAX_LEVELS, TextLevel
from trader.paper.contract import FUTURES, SPOT, Market, default_spec, places
from trader.paper.market import MarketHub, MarketState
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.base import Tape
from trader.paper.tapes.framebook import FrameBook
from trader.paper.tapes.frames import Data, Frame, FrameReader

log = logging.getLogger(__name__)

_SCANNED = 5000
_SCANNED_LEVELS = 200_000
_MAX_SYMBOLS = 200
_MAX_WAITING = 2000
_LOOP_GAP_NS = clock.MILLISECOND

Depth = tuple[int, Sequence[TextLevel], Sequence[TextLevel]]


class _Scan:
    """What the first frames say about one symbol."""

    def __init__(self) -> None:
        self.price = Decimal(0)
        self.price_places = 0
        self.size_places = 0
        self.futures = False
        self.inverse = False
        self.has_tops = False

    def see(self, data: Data) -> None:
        self.inverse = self.inverse or bool(data.ps)
        self.futures = self.futures or bool(data.pu or data.X or (data.B and data.e))
        if isinstance(data.b, list) and isinstance(data.a, list):
            for price, size in [*data.b, *data.a]:
                self._number(price, size)
        elif isinstance(data.b, str) and data.b and data.B:
            self.has_tops = True
            self.price = self.price or Decimal(data.b)
            self._number(data.b, data.B)
        elif data.p and data.q:
            self.price = self.price or Decimal(data.p)
            self._number(data.p, data.q)

    def _number(self, price: str, size: str) -> None:
        self.price_places = max(self.price_places, places(Decimal(price)))
        if size.strip("0."):
            self.size_places = max(self.size_places, places(Decimal(size)))


class _Feed:
    """One symbol on its way from frames to the hub. Starts anew on each pass and after a gap."""

    def __init__(self, hub: MarketHub, state: MarketState, *, has_tops: bool) -> None:
        self.hub = hub
        self.state = state
        self.has_tops = has_tops
        self.gaps = 0
        self.restart()

    def restart(self) -> None:
        self.book = FrameBook(self.state.spec.tick, max_levels=MAX_LEVELS)
        self.attached = False
        self.last_id = 0
        self.snapshot_id = 0
        self.top_id = 0
        self.top: tuple[TextLevel, TextLevel] | None = None
        self.waiting: deque[Depth] | None = deque(maxlen=_MAX_WAITING)
        self.joined = False

    def depth(self, data: Data, ns: int) -> None:
        bids, asks = data.b, data.a
        if not isinstance(bids, list) or not isinstance(asks, list):
            raise TypeError("a depthUpdate without lists of levels")
        if data.u <= self.last_id:
            return
        if self.last_id and not self._follows(data):
            self.gaps += 1
            if self.gaps <= 10:
                log.warning(
                    "tape: %s: gap in the update ids at %s, the book starts anew", self.state.symbol, data.U
                )
            self.restart()
        if self.waiting is not None:
            self.waiting.append((data.u, bids, asks))
        self.book.differences(bids, asks)
        self.last_id = data.u
        if self.top is not None and self.top_id > self.last_id:
            self.book.lay(*self.top)
        self._show(ns)

    def best(self, data: Data, ns: int) -> None:
        if not isinstance(data.b, str) or not isinstance(data.a, str):
            raise TypeError("a bookTicker without prices")
        if data.u <= self.top_id:
            return
        self.top_id = data.u
        self.top = ((data.b, data.B), (data.a, data.A))
        if data.u > self.last_id:
            self.book.lay(*self.top)
            self._show(ns)

    def trade(self, data: Data, ns: int) -> None:
        price, size = Decimal(data.p), Decimal(data.q)
        if data.X not in {"", "MARKET"} or price <= 0 or size <= 0:
            return  # insurance fund and ADL trades do not happen in the book
        if not self.joined:
            self._join(price, ns)
        trade_id = data.t or data.a
        self.hub.feed_trade(
            self.state,
            price,
            size,
            "sell" if data.m else "buy",
            ns,
            trade_id=str(trade_id) if trade_id else "",
        )

    def marks(self, data: Data, ns: int) -> None:
        mark, index = Decimal(data.p), Decimal(data.i or data.p)
        if mark > 0 and index > 0:
            self.hub.feed_marks(self.state, mark, index, ns)
        if data.r:
            self.state.funding_rate = Decimal(data.r)

    def snapshot(self, frame: Frame, ns: int) -> None:
        """A REST snapshot: the differences that it does not hold yet go on top."""
        self.book.snapshot(frame.bids, frame.asks)
        later = [item for item in self.waiting or () if item[0] > frame.lastUpdateId]
        for _, bids, asks in later:
            self.book.apply(bids, asks)
        self.waiting = None
        self.snapshot_id = frame.lastUpdateId
        self.last_id = later[-1][0] if later else max(self.last_id, frame.lastUpdateId)
        if self.top is not None and self.top_id > self.last_id:
            self.book.lay(*self.top)
        self._show(ns)

    def _follows(self, data: Data) -> bool:
        if data.pu:  # the first frame after a snapshot may begin before it
            return data.pu == self.last_id or data.pu < self.last_id == self.snapshot_id
        return self.last_id + 1 >= data.U

    def _show(self, ns: int) -> None:
        if not self.attached:
            if not self.book.ready or (self.has_tops and self.top is None):
                return
            self.attached = True
            self.hub.attach_book(self.state, self.book)
            mid = self.book.mid
            if mid is not None and not self.joined:
                self._join(mid, ns)
        self.hub.feed_book(self.state, ns)

    def _join(self, price: Decimal, ns: int) -> None:
        """The first price of a pass may be far from the last one of the pass before."""
        self.joined = True
        if not self.state.overridden:
            self.state.marks.reset(float(price), ns)


class RecordedTape(Tape):
    """Plays one file. ``frames`` counts what was fed, ``gaps`` breaks in the update ids, since the start."""

    def __init__(self, hub: MarketHub, clock_: TapeClock, path: Path) -> None:
        super().__init__(hub, clock_)
        self.name = f"recorded {path.name}"
        self.path = path
        self.start_ns = 0
        self.frames = 0
        self.passes = 0
        self.damaged = 0
        self._feeds: dict[str, _Feed] = {}
        self._reader = FrameReader(path)

    @property
    def gaps(self) -> int:
        return sum(feed.gaps for feed in self._feeds.values())

    def progress(self) -> dict[str, object]:
        counted = {"frames": self.frames, "passes": self.passes, "gaps": self.gaps, "damaged": self.damaged}
        return counted | super().progress()

    def measure_ns(self) -> int:
        """From the first frame to the last; reads the file."""
        first = last = 0
        for ns, _ in FrameReader(self.path):
            first = first or ns
            last = max(last, ns)
        return last - first

    def prepare(self) -> None:
        scans: dict[str, _Scan] = {}
        levels = 0
        for index, (ns, frame) in enumerate(self._reader):
            self.start_ns = self.start_ns or ns
            if frame.data is None:
                continue
            try:
                scans.setdefault(_symbol(frame.stream, frame.data), _Scan()).see(frame.data)
            except (ValueError, ArithmeticError):
                continue  # counted when it is played
            levels += len(frame.data.b) if isinstance(frame.data.b, list) else 0
            if index >= _SCANNED or levels > _SCANNED_LEVELS or len(scans) > _MAX_SYMBOLS:
                break
        for symbol, scan in sorted(scans.items()):
            if symbol and scan.price:
                self._add(symbol, scan)
        if not self._feeds:
            raise TapeError(
                f"tape {self.path}: no frames of a Binance combined stream with a price in its first "
                f"{_SCANNED} lines"
            )

    async def play(self) -> None:
        resume_ns = self.clock.now_ns()
        while True:
            resume_ns = await self._play_once(resume_ns - self.start_ns) + _LOOP_GAP_NS
            self.passes += 1

    async def _play_once(self, shift_ns: int) -> int:
        """One pass; the tape time of its last frame."""
        for feed in self._feeds.values():
            feed.restart()
        now = self.start_ns + shift_ns
        damaged = 0
        for local_ns, frame in self._reader:
            if self._reader.damaged > damaged:
                damaged = self._reader.damaged
                self._warn()
            now = max(now, local_ns + shift_ns)
            if not self.due(now):
                await self.until(now)
            try:
                self._apply(frame, now)
            except (TypeError, ValueError, ArithmeticError) as error:
                self._reader.damage(self._reader.line, str(error) or type(error).__name__)
            self.frames += 1
        if self._reader.damaged > damaged:
            self._warn()
        self.damaged = self._reader.damaged
        return now

    def _apply(self, frame: Frame, ns: int) -> None:
        data = frame.data
        if data is None:
            if frame.lastUpdateId:
                name = frame.symbol or (next(iter(self._feeds)) if len(self._feeds) == 1 else "")
                if feed := self._feeds.get(name):
                    feed.snapshot(frame, ns)
            return
        feed = self._feeds.get(_symbol(frame.stream, data))
        if feed is None:
            return
        if data.B:
            feed.best(data, ns)
        elif data.U:
            feed.depth(data, ns)
        elif data.q and data.p:
            feed.trade(data, ns)
        elif data.e == "markPriceUpdate":
            feed.marks(data, ns)

    def _add(self, symbol: str, scan: _Scan) -> None:
        if scan.inverse:
            raise TapeError(
                f"tape {self.path}: {symbol} is a coin-margined contract; the paper exchange plays "
                "USDT-margined futures and spot"
            )
        market: Market = FUTURES if scan.futures else SPOT
        spec = default_spec(
            symbol,
            scan.price,
            market=market,
            tick=Decimal(1).scaleb(-scan.price_places),
            step=Decimal(1).scaleb(-scan.size_places),
        )
        state = self.hub.add(spec, scan.price, daily_volume=2e9 / float(scan.price), volatility=0.03)
        self._feeds[symbol] = _Feed(self.hub, state, has_tops=scan.has_tops)

    def _warn(self) -> None:
        if self.passes == 0 and self._reader.damaged <= 10:
            log.warning(
                "tape %s: %d damaged lines so far %s",
                self.path,
                self._reader.damaged,
                self._reader.first_damage,
            )


def _symbol(stream: str, data: Data) -> str:
    return data.s or stream.partition("@")[0].upper()
