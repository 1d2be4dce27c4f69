"""The only place that reads time.

All times are UTC nanoseconds since 1970 in an ``int`` (64 bits are enough until 2262). Code calls
``clock.now_ns()`` through the module, never a copied function, so that a test or a replay can
swap the source with :func:`use`. Durations come from :func:`monotonic_ns`, which never jumps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
MICROSECOND = 1_000

_now: Callable[[], int] = time.time_ns
_monotonic: Callable[[], int] = time.monotonic_ns


def now_ns() -> int:
    """UTC now, nanoseconds since 1970."""
    return _now()


def now_ms() -> int:
    """UTC now, milliseconds since 1970: the unit of every venue's signature."""
    return _now() // MILLISECOND


def monotonic_ns() -> int:
    """A clock for durations and deadlines: never goes back, no meaning as a date."""
    return _monotonic()


def utc(ns: int) -> datetime:
    """The aware datetime of a nanosecond stamp, cut to microseconds."""
    seconds, rest = divmod(ns, SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // MICROSECOND)


def from_datetime(moment: datetime) -> int:
    """The nanosecond stamp of an aware datetime; a naive one raises ``ValueError``."""
    if moment.tzinfo is None:
        raise ValueError("a time without a zone has no meaning here: give it tzinfo")
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds * MICROSECOND


def iso(ns: int) -> str:
    """``2026-11-20T03:53:00.123456Z``: for people, logs and JSON."""
    return utc(ns).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@contextmanager
def use(now: Callable[[], int] | None = None, monotonic: Callable[[], int] | None = None) -> Iterator[None]:
    """Swap the time source for the length of a ``with`` block (tests, replays, lock-step runs)."""
    global _now, _monotonic
    before = (_now, _monotonic)
    _now, _monotonic = now or _now, monotonic or _monotonic
    try:
        yield
    finally:
        _now, _monotonic = before
