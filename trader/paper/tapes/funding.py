"""Funding and mark files beside a candle file (``BTC_USDT_USDT-8h-funding_rate.feather``, ``...-mark...``).

In a funding file the rate that was settled at ``date`` is in ``open``; the distance of two rows is the
interval, which a symbol may change (LAYER went from 4 h to 1 h). In a mark file ``open`` is the mark
price at ``date``.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from decimal import Decimal
from pathlib import Path

from shared import clock
from trader.paper.market import Funding
from trader.paper.tapes.candlefile import feather_rows

_HOUR = 3600 * clock.SECOND
_MAX_ROWS = 200_000


class FundingFile:
    """Settlements of one symbol, in the file's own time."""

    def __init__(self, path: Path) -> None:
        points = _points(path)
        self.times = [ns for ns, _ in points]
        self.rates = [rate for _, rate in points]

    def after(self, ns: int) -> Funding:
        """The first settlement after ``ns``; past the end the last rate and interval go on."""
        index = bisect_right(self.times, ns)
        if index < len(self.times):
            return Funding(self.times[index], self.rates[index], self._interval_h(index))
        last = len(self.times) - 1
        interval_h = self._interval_h(last)
        interval = interval_h * _HOUR
        return Funding(
            self.times[last] + ((ns - self.times[last]) // interval + 1) * interval,
            self.rates[last],
            interval_h,
        )

    def _interval_h(self, index: int) -> int:
        index = max(1, index)
        return max(1, round((self.times[index] - self.times[index - 1]) / _HOUR))


class MarkFile:
    """Mark prices at certain moments."""

    def __init__(self, path: Path) -> None:
        self.points = _points(path)

    def between(self, first_ns: int, last_ns: int) -> list[tuple[int, Decimal]]:
        low = bisect_left(self.points, first_ns, key=lambda point: point[0])
        high = bisect_right(self.points, last_ns, key=lambda point: point[0])
        return self.points[low:high]


def beside(candles: Path, ending: str) -> Path | None:
    """The file of the same symbol in the same folder whose name ends in ``ending``, if there is one."""
    head = candles.name.partition("-")[0] + "-"
    found = sorted(
        path for path in candles.parent.iterdir() if path.name.startswith(head) and path.name.endswith(ending)
    )
    return found[0] if found else None


def _points(path: Path) -> list[tuple[int, Decimal]]:
    """``(ns, open)``; stamps a few milliseconds past the second are cut to it."""
    points: list[tuple[int, Decimal]] = []
    for _, row in feather_rows(path):
        if isinstance(row[0], int) and isinstance(row[1], float) and len(points) < _MAX_ROWS:
            ns = row[0] // clock.SECOND * clock.SECOND
            if not points or ns > points[-1][0]:
                points.append((ns, Decimal(format(Decimal(repr(row[1])), "f"))))
    return points
