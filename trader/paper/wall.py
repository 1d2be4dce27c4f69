"""The exchange's idea of the wall clock: signatures, ``requestTime`` and ``public/time`` follow it."""

from __future__ import annotations

from shared import clock
from trader.paper.faults.rules import FaultBoard


class Wall:
    """Real time, and ahead or behind it while a ``skewed_clock`` fault stands."""

    def __init__(self, board: FaultBoard | None = None) -> None:
        self._board = board

    def now_ms(self) -> int:
        return clock.now_ms() + (self._board.skew_ms if self._board is not None else 0)


#: The right time.
TRUE_WALL = Wall()
