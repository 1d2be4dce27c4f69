"""What the generations of the websocket say each in its own way; the connection itself is the same for all.

A dialect reads what a client names, knows the topics of market data, puts stored changes into pushes and
carries requests out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable
from typing import Any

import msgspec

from shared import clock
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.faces.bitget.feed import Arg, Feed, TopicKey
from trader.paper.faces.bitget.rest import RestFace

#: A private channel: (instType, channel).
Group = tuple[str, str]
#: The symbol of a subscription to all of a channel.
EVERY = "default"

TEXTS = {
    30001: "the channel or instrument does not exist",
    30002: "illegal request",
    30003: "the op does not exist",
    30004: "login is required",
    30005: "error",
    30006: "too many requests",
    30007: "over the limit",
    30011: "invalid ACCESS_KEY",
    30012: "invalid ACCESS_PASSPHRASE",
    30013: "invalid ACCESS_TIMESTAMP",
    30014: "the request timestamp has expired",
    30015: "invalid ACCESS_SIGN",
    30016: "parameter error",
}

encode = msgspec.json.Encoder().encode


class Public(msgspec.Struct, frozen=True):
    """A topic of market data; ``arg`` is what its pushes name."""

    key: TopicKey
    arg: Arg


class Private(msgspec.Struct, frozen=True):
    """A private channel, of one symbol or coin or of :data:`EVERY`; ``arg`` is what its pushes name."""

    group: Group
    symbol: str
    arg: Arg


class Push:
    """One push for all who hear its channel: its data are encoded once."""

    __slots__ = ("_text", "action", "data", "group")

    def __init__(self, group: Group, data: object, action: str = "snapshot") -> None:
        self.group = group
        self.data = data
        self.action = action
        self._text = ""

    def frame(self, arg: str) -> str:
        """``arg`` is JSON."""
        if not self._text:
            self._text = f'{encode(self.data).decode()},"ts":{clock.now_ms()}}}'
        return f'{{"action":"{self.action}","arg":{arg},"data":{self._text}'

    def of(self, data: object) -> Push:
        """The same with a part of its data."""
        return Push(self.group, data, self.action)


class Request(ABC):
    """One request over an open socket. ``name`` is its operation: with the socket's path what faults know it by."""

    name: str

    @abstractmethod
    async def carry_out(self, rest: RestFace, account: Account) -> str:
        """The answer; a refusal is one too."""

    @abstractmethod
    def refused(self, status: int, code: str, text: str) -> str:
        """The answer when it is refused."""


class Dialect(ABC):
    """``feed`` has its topics of market data."""

    feed: Feed

    @abstractmethod
    def read(self, arg: dict[str, Any]) -> Public | Private | None:
        """What a subscription names; ``None``: there is no such channel."""

    @abstractmethod
    def hears(self, account: Account) -> bool:
        """False: the account may log in and subscribe, and hears nothing."""

    @abstractmethod
    def first(self, account: Account, wanted: Private) -> Push | None:
        """What a private subscription begins with, if anything."""

    @abstractmethod
    def pushes(self, account: Account, batches: list[Batch], wanted: Container[Group]) -> Iterable[Push]:
        """What of stored changes concerns an account, in the order in which it goes out."""

    @abstractmethod
    def chosen(self, push: Push, symbol: str) -> Push | None:
        """The part of a push that is of one symbol or coin; ``None`` = nothing to push."""

    @abstractmethod
    def requests(self, message: dict[str, Any], args: list[dict[str, Any]], connection: str) -> list[Request]:
        """What a frame of op ``trade`` asks for; ``connection`` is the connection's id."""

    def stored(self, batches: list[Batch]) -> None:
        """Hear of stored changes for topics that are public."""
        del batches


def exact(value: dict[str, Any]) -> dict[str, Any]:
    """Numbers as they were written: a float of a frame has its shortest text."""
    return {name: repr(one) if isinstance(one, float) else one for name, one in value.items()}
