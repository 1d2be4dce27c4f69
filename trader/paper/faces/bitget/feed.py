"""Public channels: one topic per channel and symbol, at the venue's own pace."""

from __future__ import annotations

import zlib
from abc import abstractmethod
from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from shared import clock
from shared.clock import MILLISECOND
from trader.paper.contract import FUTURES
from trader.paper.engine.money import text
from trader.paper.faces.bitget import candles
from trader.paper.faces.bitget.public import change_24h, change_utc, top, trade_row
from trader.paper.faces.topics import Subscriber
from trader.paper.faces.topics import Topic as Paced
from trader.paper.market import MarketEvent, MarketHub, MarketState, PublicTrade, SymbolAdded, Traded

Arg = dict[str, object]
TopicKey = tuple[str, ...]  # market, symbol, channel, and what else tells topics apart
OpenInterest = Callable[[str], Decimal]  # of a contract, in base coin

_BOOK_LEVELS = 200
_TRADES_IN_SNAPSHOT = 50
_CANDLES_IN_SNAPSHOT = 500
_encode = msgspec.json.Encoder().encode


def frame(action: str, arg: Arg, data: object) -> str:
    message = {"action": action, "arg": arg, "data": data, "ts": clock.now_ms()}
    return _encode(message).decode()


class Topic(Paced):
    """One channel of one symbol."""

    def __init__(self, key: TopicKey, state: MarketState, arg: Arg) -> None:
        self.state = state
        self.arg = arg
        super().__init__(key)

    @abstractmethod
    def data(self) -> object:
        """What a push carries."""

    def first(self) -> str:
        return frame("snapshot", self.arg, self.data())

    def update(self) -> str | None:
        """The next push to all, or ``None`` when there is nothing to say."""
        return frame("snapshot", self.arg, self.data())

    def updates(self) -> Iterable[str]:
        message = self.update()
        return () if message is None else (message,)


class TickerTopic(Topic):
    def __init__(self, key: TopicKey, state: MarketState, arg: Arg, open_interest: OpenInterest) -> None:
        super().__init__(key, state, arg)
        self._open_interest = open_interest

    def data(self) -> object:
        state = self.state
        bid, bid_size, ask, ask_size = top(state)
        start, change = text(state.open_24h), change_24h(state)
        row: dict[str, object] = {
            "instId": state.symbol,
            "lastPr": text(state.last),
            "bidPr": bid,
            "askPr": ask,
            "bidSz": bid_size,
            "askSz": ask_size,
            "open24h": start,
            "high24h": text(state.high_24h),
            "low24h": text(state.low_24h),
            "change24h": change,
        }
        if state.market == FUTURES:
            row |= {
                "fundingRate": text(state.funding_rate),
                "nextFundingTime": str(state.next_funding_ns // MILLISECOND),
                "markPrice": text(state.mark),
                "indexPrice": text(state.index),
                "holdingAmount": text(self._open_interest(state.symbol)),
            }
        row |= {
            "baseVolume": text(state.base_volume),
            "quoteVolume": text(state.quote_volume),
            "openUtc": text(state.open_utc),
        }
        if state.market == FUTURES:
            row |= {"symbolType": 1, "symbol": state.symbol, "deliveryPrice": "0"}
        else:
            row["changeUtc24h"] = change_utc(state)
        row["ts"] = str(state.ts_ns // MILLISECOND)
        return [row]


def pairs(levels: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    return [[text(price), text(size)] for price, size in levels]


class DepthTopic(Topic):
    """books1, books5, books15: always a whole picture of the top."""

    def __init__(self, key: TopicKey, state: MarketState, arg: Arg, levels: int) -> None:
        super().__init__(key, state, arg)
        self.levels = levels
        self.interval_ms = 10 if levels == 1 else 150

    def data(self) -> object:
        bids, asks = self.state.book.depth(self.levels)
        return [
            {
                "asks": pairs(asks),
                "bids": pairs(bids),
                "checksum": 0,
                "seq": self.state.seq,
                "ts": str(self.state.ts_ns // MILLISECOND),
            }
        ]


class BookTopic(Topic):
    """books: a snapshot, then changes; ``pseq`` of each equals ``seq`` of the one before."""

    latest_only = False
    interval_ms = 150

    def __init__(self, key: TopicKey, state: MarketState, arg: Arg) -> None:
        super().__init__(key, state, arg)
        self.seq = 0
        self._bids: dict[str, str] = {}
        self._asks: dict[str, str] = {}
        self._take()

    def data(self) -> object:
        return [self.row(list(self._bids.items()), list(self._asks.items()), 0)]

    def update(self) -> str | None:
        bids, asks, before = self._bids, self._asks, self.seq
        self._take()
        changed_bids, changed_asks = _changes(bids, self._bids), _changes(asks, self._asks)
        if not changed_bids and not changed_asks:
            self.seq = before
            return None
        return frame("update", self.arg, [self.row(changed_bids, changed_asks, before)])

    def _take(self) -> None:
        bids, asks = self.state.book.depth(_BOOK_LEVELS)
        self._bids = {text(price): text(size) for price, size in bids}
        self._asks = {text(price): text(size) for price, size in asks}
        self.seq = max(self.seq + 1, self.state.seq)

    def row(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], before: int) -> Arg:
        return {
            "asks": asks,
            "bids": bids,
            "checksum": self._checksum(),
            "seq": self.seq,
            "pseq": before,
            "ts": str(self.state.ts_ns // MILLISECOND),
        }

    def _checksum(self) -> int:
        """Signed CRC32 over the strings of the top 25 levels: bid:size:ask:size..."""
        return checksum(list(self._bids.items())[:25], list(self._asks.items())[:25])


def checksum(bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> int:
    parts: list[str] = []
    for index in range(max(len(bids), len(asks))):
        for levels in (bids, asks):
            parts.extend(levels[index] if index < len(levels) else ())
    crc = zlib.crc32(":".join(parts).encode())
    return crc - (1 << 32) if crc >= 1 << 31 else crc


def _changes(before: dict[str, str], after: dict[str, str]) -> list[tuple[str, str]]:
    """Levels to set, and with size 0 to delete."""
    changed = [(price, size) for price, size in after.items() if before.get(price) != size]
    return changed + [(price, "0") for price in before if price not in after]


class TradeTopic(Topic):
    latest_only = False
    interval_ms = 50
    gathers = True

    def __init__(self, key: TopicKey, state: MarketState, arg: Arg) -> None:
        super().__init__(key, state, arg)
        self._fresh: list[dict[str, str]] = []

    def row(self, trade: PublicTrade | Traded) -> dict[str, str]:
        return trade_row(trade)

    def data(self) -> object:
        newest = list(self.state.trades)[-_TRADES_IN_SNAPSHOT:]
        return [self.row(trade) for trade in reversed(newest)]

    def heard(self, event: MarketEvent) -> bool:
        if isinstance(event, Traded):
            self._fresh.append(self.row(event))
            return True
        return False

    def update(self) -> str | None:
        fresh, self._fresh = self._fresh, []
        return frame("update", self.arg, fresh[::-1]) if fresh else None


class CandleTopic(Topic):
    interval_ms = 500

    def __init__(self, key: TopicKey, state: MarketState, arg: Arg, minutes: int) -> None:
        super().__init__(key, state, arg)
        self._minutes = minutes

    def data(self) -> object:
        return self.rows(_CANDLES_IN_SNAPSHOT)

    def update(self) -> str | None:
        return frame("update", self.arg, self.rows(1))

    def rows(self, count: int) -> list[object]:
        return [[*row, row[-1]] for row in self.plain(count)]

    def plain(self, count: int) -> list[list[str]]:
        """The newest, oldest first: open time (ms), o, h, l, c, base and quote volume."""
        merged = candles.merged(self.state.candles(count * self._minutes), self._minutes)
        return [candles.row(candle) for candle in merged[-count:]]


class TopicMaker:
    """The topics of classic accounts."""

    def __init__(self, open_interest: OpenInterest) -> None:
        self._open_interest = open_interest

    def __call__(self, key: TopicKey, state: MarketState, arg: Arg) -> Topic | None:
        channel = key[2]
        if channel == "ticker":
            return TickerTopic(key, state, arg, self._open_interest)
        if channel == "books":
            return BookTopic(key, state, arg)
        if channel in {"books1", "books5", "books15"}:
            return DepthTopic(key, state, arg, int(channel[5:]))
        if channel == "trade":
            return TradeTopic(key, state, arg)
        if channel.startswith("candle") and channel[6:] in candles.MINUTES:
            return CandleTopic(key, state, arg, candles.MINUTES[channel[6:]])
        return None


class Feed:
    """All topics that somebody listens to. ``make`` answers ``None`` for a channel that is not served."""

    def __init__(self, hub: MarketHub, make: Callable[[TopicKey, MarketState, Arg], Topic | None]) -> None:
        self._hub = hub
        self._make = make
        self._topics: dict[TopicKey, dict[TopicKey, Topic]] = {}
        hub.subscribe(self._on_market)

    def topic(self, key: TopicKey, arg: Arg) -> Paced | None:
        """The topic to add a subscriber to; ``None`` when there is no such symbol or channel."""
        market, symbol = key[:2]
        state = self._hub.get(market, symbol)
        if state is None:
            return None
        topics = self._topics.get((market, symbol), {})
        topic = topics.get(key) or self._make(key, state, arg)
        if topic is not None:
            topics[key] = topic
            self._topics[(market, symbol)] = topics
        return topic

    def unsubscribe(self, key: TopicKey, subscriber: Subscriber) -> None:
        topics = self._topics.get(key[:2], {})
        topic = topics.get(key)
        if topic is not None and topic.remove(subscriber):
            del topics[key]

    def _on_market(self, event: MarketEvent) -> None:
        topics = self._topics.get((event.state.market, event.state.symbol))
        if not topics or isinstance(event, SymbolAdded):
            return
        for topic in topics.values():
            # with a push due anyway an event makes a difference only to a topic that gathers them
            if (topic.timer is None or topic.gathers) and topic.heard(event):
                topic.touch()
