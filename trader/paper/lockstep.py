"""Lock-step: time moves only when everybody who takes part has said that it is done.

A participant is an account that has a seat. It is *running* from the moment something reaches it (a step of
the clock, the answer to a request) until it sends a request or acknowledges. Its signed requests are held
until nobody is running, and are then carried out one by one in the order (due time, account, arrival),
so that a run does not depend on who was quicker on the socket. Acknowledging returns at the next step.

A participant has one request on its way at a time; with more, their order is that of their arrival.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable

from shared.errors import UsageError
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import Tape

PATIENCE_S = 60.0
MOST_SEATS = 1000

_Entry = tuple[int, int, int, asyncio.Future[None]]


class _Seat:
    """``resting`` is resolved when time has moved on."""

    __slots__ = ("resting", "running")

    def __init__(self) -> None:
        self.running = True
        self.resting: asyncio.Future[int] | None = None


class LockStep:
    """``on`` while somebody has a seat."""

    def __init__(self, clock: TapeClock, tape: Tape) -> None:
        self._clock = clock
        self._tape = tape
        self._seats: dict[int, _Seat] = {}
        self._due: list[_Entry] = []
        self._arrivals = 0
        self._working = False
        self._changed = asyncio.Event()
        self._stepping = asyncio.Lock()
        self.steps = 0

    @property
    def on(self) -> bool:
        return bool(self._seats)

    def seats(self) -> list[int]:
        return list(self._seats)

    def start(self, accounts: Iterable[int]) -> None:
        """Give seats to these accounts (an account keeps the one it has). The clock must stand still."""
        wanted = list(accounts)
        if self._clock.speed:
            raise UsageError("lock-step: set the clock's speed to 0 first")
        if len(self._seats.keys() | set(wanted)) > MOST_SEATS:
            raise UsageError(f"lock-step: at most {MOST_SEATS} accounts take part")
        for account in wanted:
            self._seats.setdefault(account, _Seat())

    def stop(self) -> None:
        """Take all seats away; what is held goes on in its order."""
        seats, self._seats = self._seats, {}
        for seat in seats.values():
            if seat.resting is not None and not seat.resting.done():
                seat.resting.set_result(self._clock.now_ns())
        while self._due:
            ready = heapq.heappop(self._due)[3]
            if not ready.done():
                ready.set_result(None)
        self._working = False
        self._changed.set()

    def has(self, account: int) -> bool:
        return account in self._seats

    # participants

    async def acknowledge(self, account: int) -> int:
        """Done for now; returns the time when the clock has moved on."""
        seat = self._seats.get(account)
        if seat is None:
            raise UsageError(f"lock-step: account {account} has no seat: POST /control/lockstep first")
        if seat.resting is not None and not seat.resting.done():
            raise UsageError(f"lock-step: account {account} has acknowledged already")
        seat.running = False
        seat.resting = asyncio.get_running_loop().create_future()
        self._pump()
        return await seat.resting

    async def turn(self, account: int, due_ns: int) -> None:
        """Wait for the turn of a request that is due at ``due_ns``; :meth:`answer` must follow its work."""
        seat = self._seats[account]
        seat.running = False
        await self._hold(account, due_ns)

    async def answer(self, account: int, due_ns: int) -> None:
        """The work is done: wait until its answer arrives, from then on the participant is running again."""
        self._working = False
        if account in self._seats:
            await self._hold(account, due_ns)
        seat = self._seats.get(account)
        if seat is not None:
            seat.running = True
        self._working = False
        self._pump()

    async def _hold(self, account: int, due_ns: int) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrivals += 1
        heapq.heappush(self._due, (due_ns, account, self._arrivals, ready))
        self._pump()
        await ready

    # the clock

    async def step(self, ms: int) -> int:
        """Move on by ``ms``, through every due request on the way; the new time, when all is quiet again."""
        async with self._stepping:
            target = self._clock.now_ns() + ms * 1_000_000
            await self._quiet()
            while self._due and self._due[0][0] <= target:
                await self._move_to(self._due[0][0])
                await self._quiet()
            await self._move_to(target)
            self.steps += 1
            for seat in self._seats.values():
                if seat.resting is not None and not seat.resting.done():
                    seat.running = True
                    seat.resting.set_result(target)
            await self._quiet()
            return target

    async def _move_to(self, ns: int) -> None:
        left = ns - self._clock.now_ns()
        if left > 0:
            self._clock.advance_ns(left)
        await self._tape.settled()
        self._pump()

    async def _quiet(self) -> None:
        """Nobody is running and nothing is due now."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not self._is_quiet():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            late = [str(account) for account, seat in self._seats.items() if seat.running]
            raise UsageError(
                f"lock-step: waited {PATIENCE_S:.0f} s for account {', '.join(late)} to ask or acknowledge"
            ) from None

    def _is_quiet(self) -> bool:
        if self._working or any(seat.running for seat in self._seats.values()):
            return False
        return not (self._due and self._due[0][0] <= self._clock.now_ns())

    def _pump(self) -> None:
        """Let the next due request go when nobody is running."""
        if not self._working and not any(seat.running for seat in self._seats.values()):
            while self._due and self._due[0][0] <= self._clock.now_ns():
                ready = heapq.heappop(self._due)[3]
                if not ready.done():
                    self._working = True
                    ready.set_result(None)
                    break
        self._changed.set()
