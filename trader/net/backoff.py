"""How long to wait before the next attempt: exponential, capped, with jitter."""

from __future__ import annotations

from collections.abc import Callable
from random import SystemRandom

_random = SystemRandom()


class Backoff:
    """Delays in seconds: the n-th lies between half and all of ``min(cap_s, first_s * 2**n)``.

    Half of it is random, so that many connections that dropped together do not come back together.
    """

    def __init__(
        self,
        first_s: float = 0.1,
        cap_s: float = 30.0,
        uniform: Callable[[float, float], float] = _random.uniform,
    ) -> None:
        if not 0 < first_s <= cap_s:
            raise ValueError(f"a back-off needs 0 < first_s <= cap_s: {first_s}, {cap_s}")
        self._first_s = first_s
        self._cap_s = cap_s
        self._uniform = uniform
        self._bound_s = first_s

    def next(self) -> float:
        bound_s = self._bound_s
        self._bound_s = min(self._cap_s, bound_s * 2)
        return self._uniform(bound_s / 2, bound_s)

    def reset(self) -> None:
        self._bound_s = self._first_s
