"""The clock of the market: wall time, faster, slower, or stepped by hand.

Tape time is UTC nanoseconds like every time. It starts at wall time (or at ``start_ns``), runs
``speed`` times as fast as wall time, may be moved on by ``advance`` and never goes back.
``speed`` 0 stands still: only ``advance`` moves it (lock-step runs).
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime

from shared import clock
from shared.errors import UsageError

MAX_SPEED = 1_000_000.0
MAX_ADVANCE_MS = 400 * 86_400_000

_PPM = 1_000_000
_LONGEST_NAP_S = 3600.0


def moment(text: str) -> int:
    """Nanoseconds of an ISO 8601 time, UTC unless it names a zone; ``UsageError`` when it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--start {text[:40]}: give a time as in 2026-01-01 or 2026-01-01T00:00:00Z"
        ) from None
    return clock.from_datetime(found if found.tzinfo else found.replace(tzinfo=UTC))


class TapeClock:
    """Monotone tape time. Sleepers wake at once when speed changes or the clock is moved on."""

    def __init__(self, speed: float = 1.0, *, start_ns: int | None = None) -> None:
        self._base_ns = clock.now_ns() if start_ns is None else start_ns
        self._base_wall_ns = clock.monotonic_ns()
        self._ppm = 0
        self.leapt_ns = self._base_ns
        """Where the last ``advance`` ended."""
        self._sleepers: set[asyncio.Future[None]] = set()
        self.set_speed(speed)

    def now_ns(self) -> int:
        """Tape time, UTC nanoseconds."""
        return self._base_ns + (clock.monotonic_ns() - self._base_wall_ns) * self._ppm // _PPM

    @property
    def speed(self) -> float:
        """Tape seconds per wall second."""
        return self._ppm / _PPM

    def set_speed(self, speed: float) -> None:
        """From now on run ``speed`` times as fast as wall time; ``UsageError`` when out of range."""
        if not math.isfinite(speed) or not 0 <= speed <= MAX_SPEED:
            raise UsageError(f"speed must be between 0 (stand still) and {MAX_SPEED:.0f}, not {speed}")
        self._rebase(0)
        self._ppm = round(speed * _PPM)
        self._wake()

    def advance(self, ms: int) -> int:
        """Move on by ``ms`` milliseconds of tape time; the new time. Never backwards."""
        if not 0 <= ms <= MAX_ADVANCE_MS:
            raise UsageError(f"advance_ms must be between 0 and {MAX_ADVANCE_MS}, not {ms}")
        return self.advance_ns(ms * clock.MILLISECOND)

    def advance_ns(self, ns: int) -> int:
        """The same in nanoseconds, for a step that was checked already."""
        self._rebase(max(0, ns))
        self.leapt_ns = self._base_ns
        self._wake()
        return self.now_ns()

    async def sleep_until(self, ns: int) -> None:
        """Return when tape time has reached ``ns``."""
        while self.now_ns() < ns:
            await self.pause(ns)

    async def pause(self, ns: int) -> None:
        """Wait until ``ns``, or until speed changes, the clock is moved on or ``nudge`` is called."""
        left = ns - self.now_ns()
        if left > 0:
            await self._nap(
                min(left * _PPM / self._ppm / clock.SECOND, _LONGEST_NAP_S) if self._ppm else None
            )

    def nudge(self) -> None:
        """Let every ``pause`` return now."""
        self._wake()

    async def sleep(self, seconds: float) -> None:
        """Sleep for ``seconds`` of tape time."""
        await self.sleep_until(self.now_ns() + round(seconds * clock.SECOND))

    async def _nap(self, wall_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._sleepers.add(woken)
        timer = None if wall_s is None else loop.call_later(wall_s, _resolve, woken)
        try:
            await woken
        finally:
            self._sleepers.discard(woken)
            if timer is not None:
                timer.cancel()

    def _rebase(self, add_ns: int) -> None:
        wall = clock.monotonic_ns()
        self._base_ns += (wall - self._base_wall_ns) * self._ppm // _PPM + add_ns
        self._base_wall_ns = wall

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            _resolve(sleeper)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
