"""What every tape is: a name, symbols to add, and a loop that feeds the hub in tape time."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod

from shared import clock
from trader.paper.market import MarketHub
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.pace import Pace

BATCH = 256
"""Events fed before other tasks get their turn."""
_NAP_WALL_NS = 250_000_000
"""A symbol added in a silent moment is noticed within this."""
_SHORTEST_WALL_NS = 1_000_000
"""The event loop's timers are no finer: what falls due within a millisecond is fed together."""


class Tape(ABC):
    """A source of market events.

    ``prepare`` checks the input and adds the symbols (before anything listens); ``run`` feeds events
    until cancelled. Both raise :class:`~shared.errors.TapeError` with one clear line. A tape that ends
    starts again, with time going on.
    """

    name: str

    def __init__(self, hub: MarketHub, clock_: TapeClock) -> None:
        self.hub = hub
        self.clock = clock_
        self._fed_ns = 0
        self._seen_ns = 0
        self._first_ns = 0
        self._settlers: list[tuple[int, asyncio.Future[None]]] = []
        self._since_yield = 0
        self._ended = False
        self.pace = Pace(clock_)

    @abstractmethod
    def prepare(self) -> None:
        """Check the input, add the symbols to the hub."""

    @abstractmethod
    async def play(self) -> None:
        """Feed events for ever, each after ``await self.until(its time)``."""

    async def run(self) -> None:
        """Play until cancelled. Whoever waits for ``settled`` then waits no longer."""
        self.pace.begin()
        try:
            await self.play()
        finally:
            self._ended = True
            for _, waiter in self._settlers:
                if not waiter.done():
                    waiter.set_result(None)
            self._settlers.clear()

    def progress(self) -> dict[str, object]:
        """What ``GET /control/state`` tells of the tape: how late it runs; recorded ones count more."""
        return self.pace.report()

    async def settled(self) -> None:
        """Return when every event up to the clock's time of this call has been fed (or the tape ended)."""
        target = self.clock.now_ns()
        if self._ended or self._fed_ns >= target:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._settlers.append((target, waiter))
        self.clock.nudge()
        await waiter

    def due(self, ns: int) -> bool:
        """True when ``ns`` has come and nobody else must have a turn: feed on without ``until``."""
        self._since_yield += 1
        return ns <= self._seen_ns and self._since_yield < BATCH

    async def until(self, ns: int) -> None:
        """Wait until tape time ``ns``; at least every ``BATCH`` calls the others get their turn.

        While waiting, openings and funding fall due and ``settled`` is answered. A wait lasts a
        millisecond at least, so an event may come that much after its time.
        """
        self._since_yield += 1
        now = self.clock.now_ns()
        # the first event since the last call is the one that waited longest
        self.pace.fed(self._first_ns, now)
        while now < ns:
            self._reached(now)
            self._since_yield = 0
            speed = self.clock.speed
            nap = max(clock.MILLISECOND, int(_NAP_WALL_NS * speed))
            wake = min(ns, max(self.hub.next_due_ns, now + 1), now + nap)
            await self.clock.pause(max(wake, now + int(_SHORTEST_WALL_NS * speed)))
            now = self.clock.now_ns()
        self._first_ns, self._seen_ns = ns, now
        if self._since_yield >= BATCH:
            self._since_yield = 0
            await asyncio.sleep(0)

    def _reached(self, ns: int) -> None:
        """Every event up to ``ns`` has been fed."""
        self.hub.tick(ns)
        self._fed_ns = max(self._fed_ns, ns)
        if self._settlers:
            for target, waiter in self._settlers:
                if target <= ns and not waiter.done():
                    waiter.set_result(None)
            self._settlers = [item for item in self._settlers if not item[1].done()]
