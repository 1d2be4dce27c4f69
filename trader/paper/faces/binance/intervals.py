"""Candle intervals as the venue names them. Days begin at 00:00 UTC, weeks on Monday, months on their first."""

from __future__ import annotations

from datetime import UTC, datetime

from shared.clock import SECOND, from_datetime

_MINUTE = 60 * SECOND
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
#: 1970-01-01 was a Thursday.
_TO_MONDAY = 3 * _DAY
_WEEK = 7 * _DAY
MONTH = "1M"

#: Name -> nanoseconds; a month has its own length.
WIDTHS = {
    "1m": _MINUTE, "3m": 3 * _MINUTE, "5m": 5 * _MINUTE, "15m": 15 * _MINUTE, "30m": 30 * _MINUTE,
    "1h": _HOUR, "2h": 2 * _HOUR, "4h": 4 * _HOUR, "6h": 6 * _HOUR, "8h": 8 * _HOUR, "12h": 12 * _HOUR,
    "1d": _DAY, "3d": 3 * _DAY, "1w": _WEEK, MONTH: 0,
}  # fmt: skip


def start(name: str, ns: int) -> int:
    """The first nanosecond of the interval that holds ``ns``."""
    if name == MONTH:
        return from_datetime(_first(ns))
    width = WIDTHS[name]
    shift = _TO_MONDAY if width == _WEEK else 0
    return (ns + shift) // width * width - shift


def end(name: str, start_ns: int) -> int:
    """The first nanosecond after the interval that begins at ``start_ns``."""
    if name == MONTH:
        first = _first(start_ns)
        return from_datetime(first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1))
    return start_ns + WIDTHS[name]


def _first(ns: int) -> datetime:
    day = datetime.fromtimestamp(ns // SECOND, UTC)
    return day.replace(day=1, hour=0, minute=0, second=0)
