"""How well a tape keeps its time: how late events are fed, in wall time."""

from __future__ import annotations

from shared import clock
from trader.paper.tapeclock import TapeClock


class Pace:
    """Counts lateness of events. What a leap of the clock made due is not late: it waits for nobody.

    ``late_ns`` is of the last event, ``worst_ns`` the most since the tape began; wall nanoseconds.
    """

    __slots__ = ("_clock", "late_ns", "since_ns", "worst_ns")

    def __init__(self, tape_clock: TapeClock) -> None:
        self._clock = tape_clock
        self.since_ns = tape_clock.now_ns()
        self.late_ns = 0
        self.worst_ns = 0

    def begin(self) -> None:
        """The tape starts to play: what lies before counts for nothing."""
        self.since_ns = self._clock.now_ns()

    def fed(self, ns: int, now: int) -> None:
        """An event of tape time ``ns`` is fed when the clock shows ``now``."""
        if ns <= self.since_ns or ns <= self._clock.leapt_ns:
            return
        self.late_ns = round((now - ns) / (self._clock.speed or 1.0))
        self.worst_ns = max(self.worst_ns, self.late_ns)

    def report(self) -> dict[str, object]:
        """Milliseconds of wall time, with three decimals."""
        return {
            "lag_ms": round(self.late_ns / clock.MILLISECOND, 3),
            "worst_lag_ms": round(self.worst_ns / clock.MILLISECOND, 3),
        }
