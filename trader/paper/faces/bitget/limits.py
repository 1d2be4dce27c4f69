"""Requests per second: one bucket per endpoint and caller, refilled evenly."""

from __future__ import annotations

from shared import clock

_MOST_BUCKETS = 50_000


class Limits:
    """Token buckets that hold one second's worth. ``enabled`` off lets everything pass."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._buckets: dict[tuple[object, str], tuple[float, int]] = {}

    def take(self, caller: object, path: str, per_second: int) -> int:
        """Tokens left after this request, or -1 when it is one too many."""
        if not self.enabled:
            return per_second
        now = clock.monotonic_ns()
        bucket = (caller, path)
        known = self._buckets.get(bucket)
        if known is None:
            self._make_room(now)
            left = float(per_second)
        else:
            left = min(per_second, known[0] + (now - known[1]) * per_second / clock.SECOND)
        if left < 1:
            self._buckets[bucket] = (left, now)
            return -1
        self._buckets[bucket] = (left - 1, now)
        return int(left - 1)

    def _make_room(self, now: int) -> None:
        """A bucket that was not used for a second is full again: forget it."""
        if len(self._buckets) >= _MOST_BUCKETS:
            fresh = now - clock.SECOND
            self._buckets = {key: item for key, item in self._buckets.items() if item[1] > fresh}
