"""Topics of market data: rendered once for all their subscribers, at a pace of their own.

A topic pushes at most once per interval; what happens in between is folded together, so a slow or a fast
market costs the same. Nothing runs while nobody listens.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from trader.paper.market import MarketEvent


class Subscriber(Protocol):
    def push_public(self, key: Any, message: str, *, latest: bool) -> None:
        """``latest``: an older unsent message of the same topic is worthless now."""


class Topic(ABC):
    """``latest_only`` topics are whole pictures: only the newest counts. Intervals are of real time."""

    latest_only = True
    interval_ms = 300
    gathers = False
    """Wants to hear of every event, also while a push is already due."""
    repeats = False
    """Pushes every interval, whether or not anything happened."""

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.subscribers: dict[Subscriber, None] = {}
        self.timer: asyncio.TimerHandle | None = None
        self._sent_at = 0.0

    @abstractmethod
    def updates(self) -> Iterable[str]:
        """The next messages to all; empty when there is nothing to say."""

    def first(self) -> str | None:
        """What a new subscriber gets at once, if anything."""
        return None

    def heard(self, event: MarketEvent) -> bool:
        """Take an event in; whether a push is due."""
        return isinstance(event, MarketEvent)

    def add(self, subscriber: Subscriber) -> None:
        if not self.repeats:
            self.flush()  # what comes next is news to this one too
        self.subscribers[subscriber] = None
        first = self.first()
        if first is not None:
            subscriber.push_public(self.key, first, latest=False)
        if self.repeats:
            self.touch()

    def remove(self, subscriber: Subscriber) -> bool:
        """True when nobody is left."""
        self.subscribers.pop(subscriber, None)
        if self.subscribers:
            return False
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        return True

    def touch(self) -> None:
        """Push now, or when the interval since the last push is over."""
        if self.timer is None:
            loop = asyncio.get_running_loop()
            if self.repeats and not self._sent_at:
                self._sent_at = loop.time()
            self.timer = loop.call_at(max(loop.time(), self._sent_at + self.interval_ms / 1000), self.flush)

    def flush(self) -> None:
        if self.timer is None:
            return
        self.timer.cancel()
        self.timer = None
        self._sent_at = asyncio.get_running_loop().time()
        for message in self.updates():
            for subscriber in self.subscribers:
                subscriber.push_public(self.key, message, latest=self.latest_only)
        if self.repeats and self.subscribers:
            self.touch()
