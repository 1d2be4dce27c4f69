"""What falls due by time: orders and plans that expire, countdowns that cancel.

Each is due at a time of the tape's clock; the market rings when it comes there (``MarketHub.set_alarm``), in
its turn among the market's events, also while a leap of the clock is played.
"""

from __future__ import annotations

import heapq
from enum import IntEnum

import msgspec


class Due(IntEnum):
    """What happens; of several at one time in this order."""

    ORDER = 0
    PLAN = 1
    COUNTDOWN = 2


class Timer(msgspec.Struct, frozen=True, order=True):
    """``number`` is the id of the order or plan, or for a ``symbol``'s countdown of the account."""

    what: Due
    number: int
    symbol: str = ""


class Timers:
    """Timers by time; one each. What was taken off or put off stays in the heap until it is its turn."""

    __slots__ = ("_due", "_heap")

    def __init__(self) -> None:
        self._due: dict[Timer, int] = {}
        self._heap: list[tuple[int, Timer]] = []

    def __len__(self) -> int:
        return len(self._due)

    def set(self, timer: Timer, ns: int) -> None:
        """Due at ``ns``, instead of when it was due before; 0 = never."""
        if not ns:
            self._due.pop(timer, None)
            return
        self._due[timer] = ns
        heapq.heappush(self._heap, (ns, timer))
        if len(self._heap) > 100 + 2 * len(self._due):
            self._heap = [(at, one) for one, at in self._due.items()]
            heapq.heapify(self._heap)

    @property
    def next_ns(self) -> int:
        """When the next one is due; 0 = none."""
        heap, due = self._heap, self._due
        while heap and due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0][0] if heap else 0

    def pop(self, ns: int) -> Timer | None:
        """The next one that is due at ``ns``."""
        due = self.next_ns
        if not due or due > ns:
            return None
        timer = heapq.heappop(self._heap)[1]
        del self._due[timer]
        return timer
