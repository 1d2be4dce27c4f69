"""All streams that somebody listens to, and what happens to them."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from trader.paper.contract import FUTURES
from trader.paper.engine.model import Order
from trader.paper.faces.binance.booktopics import BookTickerTopic, DepthTopic, DiffTopic
from trader.paper.faces.binance.streamnames import Stream
from trader.paper.faces.binance.topics import (
    ForceTopic,
    KlineTopic,
    MarkTopic,
    Now,
    TickerTopic,
    Topic,
    TradesTopic,
)
from trader.paper.faces.binance.wholetopics import ForceWhole, WholeTopic, make_whole
from trader.paper.faces.topics import Subscriber
from trader.paper.faces.topics import Topic as Paced
from trader.paper.market import MarketEvent, MarketHub, MarketState, SymbolAdded

_TOPICS: dict[str, type[Topic]] = {
    "aggTrade": TradesTopic,
    "trade": TradesTopic,
    "bookTicker": BookTickerTopic,
    "markPrice": MarkTopic,
    "ticker": TickerTopic,
    "miniTicker": TickerTopic,
    "kline": KlineTopic,
    "continuousKline": KlineTopic,
    "forceOrder": ForceTopic,
}


def make_topic(stream: Stream, state: MarketState, now: Now) -> Topic | None:
    """``None`` for a stream that is silent here."""
    if stream.kind in {"depth", "rpiDepth"}:
        return (DepthTopic if stream.levels else DiffTopic)(stream, state, now)
    made = _TOPICS.get(stream.kind)
    return None if made is None else made(stream, state, now)


class Feed:
    """All streams that somebody listens to."""

    def __init__(self, hub: MarketHub, now: Now) -> None:
        self._hub = hub
        self._now = now
        self._topics: dict[str, dict[Stream, Topic]] = {}
        self._whole: dict[Stream, WholeTopic] = {}
        hub.subscribe(self._on_market)

    def topic(self, stream: Stream) -> Paced | None:
        """The topic to add a subscriber to; ``None`` for one that will never say anything."""
        if not stream.symbol:
            whole = self._whole.get(stream) or make_whole(stream, self._hub, self._now)
            if whole is not None:
                self._whole[stream] = whole
            return whole
        topics = self._topics.get(stream.symbol, {})
        topic = topics.get(stream)
        if topic is None:
            state = self._hub.get(FUTURES, stream.symbol)
            topic = None if state is None else make_topic(stream, state, self._now)
        if topic is not None:
            topics[stream] = topic
            self._topics[stream.symbol] = topics
        return topic

    def unsubscribe(self, stream: Stream, subscriber: Subscriber) -> None:
        topics: MutableMapping[Stream, Any] = (
            self._topics.get(stream.symbol, {}) if stream.symbol else self._whole
        )
        topic = topics.get(stream)
        if topic is not None and topic.remove(subscriber):
            del topics[stream]

    def liquidated(self, order: Order) -> None:
        """A liquidation order has been carried out."""
        for topic in list(self._topics.get(order.symbol, {}).values()):
            if isinstance(topic, ForceTopic):
                topic.take(order)
        for whole in self._whole.values():
            if isinstance(whole, ForceWhole):
                whole.take(order)

    def _on_market(self, event: MarketEvent) -> None:
        if event.state.market != FUTURES:
            return
        topics = self._topics.get(event.state.symbol)
        if topics and not isinstance(event, SymbolAdded):
            _tell(topics.values(), event)
        if self._whole:
            _tell(self._whole.values(), event)


def _tell(topics: Iterable[Paced], event: MarketEvent) -> None:
    for topic in topics:
        # with a push due anyway an event makes a difference only to a topic that gathers them
        if (topic.timer is None or topic.gathers) and topic.heard(event):
            topic.touch()
