"""User data: what a stored batch looks like to each of the accounts that listen."""

from __future__ import annotations

from collections.abc import Callable, Container

import msgspec

from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine

_encode = msgspec.json.Encoder().encode


class Event(msgspec.Struct, frozen=True):
    """``name`` is what filters and faults know it by."""

    name: str
    text: str


def event(name: str, body: dict[str, object]) -> Event:
    return Event(name, _encode({"e": name} | body).decode())


def expired(key: str, now: int) -> Event:
    return event("listenKeyExpired", {"E": now, "listenKey": key})


class Chronicle:
    def __init__(self, engine: Engine, now: Callable[[], int]) -> None:
        self._engine = engine
        self._now = now

    def of(self, batches: list[Batch], listening: Container[int]) -> dict[int, list[Event]]:
        return {}
