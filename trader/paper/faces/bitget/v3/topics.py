"""Market data of the unified websocket: topics, paced like the venue's.

The same pictures as for classic accounts under other names; depth carries ``seq`` and ``pseq`` instead of a
checksum. ``liquidation`` is of all contracts: what was liquidated on this exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from shared.clock import MILLISECOND
from trader.paper.contract import FUTURES
from trader.paper.engine.batch import Batch
from trader.paper.engine.model import Fill, Source
from trader.paper.engine.money import text
from trader.paper.faces.bitget import feed
from trader.paper.faces.bitget.feed import Arg, Feed, OpenInterest, TopicKey, frame, pairs
from trader.paper.faces.bitget.public import change_24h, top
from trader.paper.faces.bitget.shapes import ms
from trader.paper.faces.bitget.v3.market import INTERVALS
from trader.paper.faces.topics import Subscriber
from trader.paper.faces.topics import Topic as Paced
from trader.paper.market import MarketHub, MarketState, PublicTrade, Traded

Row = dict[str, object]

_DEPTHS = {"books1": 1, "books5": 5, "books50": 50}
_PACES_MS = {"books1": 10, "books5": 10, "books50": 20}
_MOST_DEPTH = "200"
#: A push of liquidations is due every 20 s, and when so many have come together.
_MOST_LIQUIDATIONS = 10_000
_LIQUIDATED = (Source.LIQUIDATION, Source.REDUCTION)


class TickerTopic(feed.Topic):
    def __init__(self, key: TopicKey, state: MarketState, arg: Arg, open_interest: OpenInterest) -> None:
        super().__init__(key, state, arg)
        self._open_interest = open_interest
        self.interval_ms = 300 if state.market == FUTURES else 200

    def data(self) -> object:
        state = self.state
        bid, bid_size, ask, ask_size = top(state)
        row: Row = {
            "highPrice24h": text(state.high_24h),
            "lowPrice24h": text(state.low_24h),
            "openPrice24h": text(state.open_24h),
            "lastPrice": text(state.last),
            "turnover24h": text(state.quote_volume),
            "volume24h": text(state.base_volume),
            "bid1Price": bid,
            "ask1Price": ask,
            "bid1Size": bid_size,
            "ask1Size": ask_size,
            "price24hPcnt": change_24h(state),
        }
        if state.market == FUTURES:
            row |= {
                "indexPrice": text(state.index),
                "markPrice": text(state.mark),
                "fundingRate": text(state.funding_rate),
                "nextFundingTime": ms(state.next_funding_ns),
                "openInterest": text(self._open_interest(state.symbol)),
            }
        return [row]


def _depth(state: MarketState, bids: object, asks: object, seq: int, before: int) -> Row:
    return {
        "a": asks,
        "b": bids,
        "pseq": before,
        "seq": seq,
        "maxDepth": _MOST_DEPTH,
        "ts": str(state.ts_ns // MILLISECOND),
    }


class DepthTopic(feed.DepthTopic):
    """books1, books5, books50."""

    def __init__(self, key: TopicKey, state: MarketState, arg: Arg) -> None:
        super().__init__(key, state, arg, _DEPTHS[key[2]])
        self.interval_ms = _PACES_MS[key[2]]

    def data(self) -> object:
        bids, asks = self.state.book.depth(self.levels)
        return [_depth(self.state, pairs(bids), pairs(asks), self.state.seq, 0)]


class BookTopic(feed.BookTopic):
    interval_ms = 50

    def row(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], before: int) -> Row:
        return _depth(self.state, bids, asks, self.seq, before)


class TradeTopic(feed.TradeTopic):
    def row(self, trade: PublicTrade | Traded) -> dict[str, str]:
        return {
            "p": text(trade.price),
            "S": trade.side,
            "T": ms(trade.ts_ns),
            "v": text(trade.size),
            "i": trade.trade_id,
            "L": trade.trade_id,
            "isRPI": "no",
        }


class KlineTopic(feed.CandleTopic):
    interval_ms = 1000

    def rows(self, count: int) -> list[object]:
        return [
            {
                "start": start,
                "open": opened,
                "close": close,
                "high": high,
                "low": low,
                "volume": volume,
                "turnover": turnover,
            }
            for start, opened, high, low, close, volume, turnover in self.plain(count)
        ]


class LiquidationTopic(Paced):
    """Every push has all since the last one; what nobody listens to is forgotten."""

    latest_only = False
    repeats = True
    interval_ms = 20_000

    def __init__(self, key: TopicKey, arg: Arg) -> None:
        super().__init__(key)
        self._arg = arg
        self._rows: list[Row] = []

    def updates(self) -> Iterable[str]:
        rows, self._rows = self._rows, []
        return (frame("update", self._arg, rows),) if rows else ()

    def liquidated(self, fill: Fill) -> None:
        """``side`` is the position's: buy for a long one. ``amount`` is in quote currency."""
        self._rows.append(
            {
                "symbol": fill.symbol,
                "side": "buy" if fill.side == "sell" else "sell",
                "price": text(fill.price),
                "amount": text(fill.value),
                "ts": ms(fill.ns),
            }
        )
        if len(self._rows) >= _MOST_LIQUIDATIONS:
            self.flush()


def maker(open_interest: OpenInterest) -> Callable[[TopicKey, MarketState, Arg], feed.Topic | None]:
    def make(key: TopicKey, state: MarketState, arg: Arg) -> feed.Topic | None:
        topic, interval = key[2:4]
        if topic == "ticker":
            return TickerTopic(key, state, arg, open_interest)
        if topic == "books":
            return BookTopic(key, state, arg)
        if topic in _DEPTHS:
            return DepthTopic(key, state, arg)
        if topic == "publicTrade":
            return TradeTopic(key, state, arg)
        if topic == "kline" and interval in INTERVALS:
            return KlineTopic(key, state, arg, INTERVALS[interval])
        return None

    return make


class UnifiedFeed(Feed):
    """Keys are (market, symbol, topic, interval, the name that the client gives the symbol)."""

    def __init__(self, hub: MarketHub, open_interest: OpenInterest) -> None:
        super().__init__(hub, maker(open_interest))
        self._liquidations: dict[TopicKey, LiquidationTopic] = {}

    def topic(self, key: TopicKey, arg: Arg) -> Paced | None:
        if key[2] != "liquidation":
            return super().topic(key, arg)
        if key[0] != FUTURES:
            return None
        return self._liquidations.setdefault(key, LiquidationTopic(key, arg))

    def unsubscribe(self, key: TopicKey, subscriber: Subscriber) -> None:
        if key not in self._liquidations:
            super().unsubscribe(key, subscriber)
        elif self._liquidations[key].remove(subscriber):
            del self._liquidations[key]

    def stored(self, batches: list[Batch]) -> None:
        if not self._liquidations:
            return
        for batch in batches:
            for fill in batch.fills:
                if fill.source in _LIQUIDATED:
                    for topic in self._liquidations.values():
                        topic.liquidated(fill)
