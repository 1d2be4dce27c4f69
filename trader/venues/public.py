"""What the market data of a venue is made of: the border between :mod:`trader.market` and a venue's public side.

As with dialects no socket, clock or key is in it; questions go through an ``ask`` that the caller hands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from shared.domain.instrument import Venue
from trader.net.feed import Heard, Liveness, Subscription
from trader.venues.dialect import Ask
from trader.venues.model import Call, Contracts, Price


class Quotes(msgspec.Struct, frozen=True):
    """What one frame of a price stream told."""

    heard: Heard | str | None
    prices: Sequence[Price] = ()


class PublicSide(Protocol):
    """Instruments and prices of one venue."""

    @property
    def venue(self) -> Venue: ...
    @property
    def path(self) -> str:
        """What is added to the venue's websocket address for prices."""

    @property
    def per_stream(self) -> int:
        """Symbols on one connection."""

    @property
    def channels(self) -> Mapping[str, Liveness]:
        """How lively the price stream is."""

    @property
    def ping(self) -> bytes | None:
        """Text that the venue answers with ``pong``; None for pings of the websocket protocol."""

    @property
    def tells_leverage(self) -> bool:
        """Whether the contract list tells the largest leverage; else only accounts are told it."""

    def request(self, call: Call, host: str) -> bytes:
        """The bytes of a call that needs no key."""

    async def contracts(self, ask: Ask) -> Contracts: ...

    async def prices(self, ask: Ask) -> tuple[list[Price], list[str]]:
        """All prices, and what was wrong with those that are left out."""

    def subscriptions(self, symbols: Sequence[str]) -> list[Subscription]:
        """Frames that subscribe the prices of some symbols."""

    def parse(self, payload: bytes | memoryview, known: Mapping[str, Price]) -> Quotes:
        """One frame, with what it leaves unsaid taken from ``known`` prices. Raises ``ProtocolError``."""
