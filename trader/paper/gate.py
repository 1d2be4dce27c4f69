"""Between a signed request's arrival and its execution, and between execution and answer.

Nothing at all, as a rule. With latency set, tape time passes on both ways; in lock-step every account that
takes part waits for its turn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from trader.paper.latency import Latency
from trader.paper.lockstep import LockStep
from trader.paper.tapeclock import TapeClock

T = TypeVar("T")


class Gate:
    """Every signed request passes it, over REST and over the websocket."""

    def __init__(self, clock: TapeClock, latency: Latency, lockstep: LockStep) -> None:
        self.latency = latency
        self.lockstep = lockstep
        self._clock = clock

    @property
    def open(self) -> bool:
        """True when a request may be carried out at once and answered at once."""
        return self.latency.off and not self.lockstep.on

    async def carry_out(self, account: int, work: Callable[[], T]) -> T:
        """Run ``work`` when the request has arrived; return when its answer has. What it raises too."""
        there, back = self.latency.draw(account)
        if self.lockstep.has(account):
            return await self._in_step(account, work, there, back)
        if there:
            await self._clock.sleep_until(self._clock.now_ns() + there)
        try:
            return work()
        finally:
            if back:
                await self._clock.sleep_until(self._clock.now_ns() + back)

    async def _in_step(self, account: int, work: Callable[[], T], there: int, back: int) -> T:
        await self.lockstep.turn(account, self._clock.now_ns() + there)
        try:
            return work()
        finally:
            await self.lockstep.answer(account, self._clock.now_ns() + back)
