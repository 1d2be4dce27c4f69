"""How long requests and answers are on their way: a distribution each, drawn anew for every request.

Round trips have a floor and a long tail; a log-normal above the floor is the usual form (two figures say
it all: the median and the 99th percentile). Draws come from one seeded generator per account, so the n-th
request of an account has the same fate in every run. Times are tape time: at 20 times speed a delay of 5 ms
lasts 0.25 ms of wall time.
"""

from __future__ import annotations

import math
import random

import msgspec

from shared.clock import MICROSECOND, MILLISECOND
from shared.errors import UsageError

#: The 99th percentile of a standard normal.
_Z99 = 2.3263478740408408
LONGEST_MS = 60_000.0


class Delay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way. ``p99_ms`` equal to ``median_ms`` is a constant; nothing is shorter than ``floor_ms``."""

    median_ms: float = 0.0
    p99_ms: float | None = None
    floor_ms: float = 0.0

    def check(self) -> None:
        """``UsageError`` for numbers that make no distribution."""
        tail = self.median_ms if self.p99_ms is None else self.p99_ms
        numbers = (self.floor_ms, self.median_ms, tail)
        if not all(math.isfinite(number) and 0 <= number <= LONGEST_MS for number in numbers):
            raise UsageError(f"latency: milliseconds between 0 and {LONGEST_MS:.0f} are needed")
        if not self.floor_ms <= self.median_ms <= tail:
            raise UsageError("latency: floor_ms <= median_ms <= p99_ms is needed")

    def draw(self, rng: random.Random) -> int:
        """Nanoseconds, in whole microseconds."""
        median, tail = self.median_ms - self.floor_ms, (self.p99_ms or self.median_ms) - self.floor_ms
        if median <= 0:
            return round(self.floor_ms * MILLISECOND)
        sigma = math.log(tail / median) / _Z99
        drawn = self.floor_ms + median * math.exp(sigma * rng.gauss(0.0, 1.0))
        return round(min(drawn, LONGEST_MS) * MILLISECOND / MICROSECOND) * MICROSECOND


class Ways(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Both ways of a request, and the seed of their draws."""

    request: Delay = Delay()
    answer: Delay = Delay()
    seed: int = 1

    @property
    def none(self) -> bool:
        return self.request == self.answer == Delay()


class Latency:
    """The delays of all accounts; ``off`` while there are none."""

    def __init__(self, ways: Ways | None = None) -> None:
        self.off = True
        self.ways = Ways()
        self._own: dict[int, Ways] = {}
        self._generators: dict[int, random.Random] = {}
        if ways is not None:
            self.set(ways)

    def set(self, ways: Ways, account: int = 0) -> None:
        """For every account (0) or for one; its draws start anew. Checked first."""
        ways.request.check()
        ways.answer.check()
        if account:
            self._own[account] = ways
            self._generators.pop(account, None)
        else:
            self.ways = ways
            self._own.clear()
            self._generators.clear()
        self.off = self.ways.none and all(own.none for own in self._own.values())

    def of(self, account: int) -> Ways:
        return self._own.get(account, self.ways)

    def draw(self, account: int) -> tuple[int, int]:
        """(request, answer) in nanoseconds of tape time."""
        ways = self.of(account)
        rng = self._generators.get(account)
        if rng is None:
            rng = self._generators[account] = random.Random(f"{ways.seed}/{account}")  # noqa: S311  # a market, not a secret
        return ways.request.draw(rng), ways.answer.draw(rng)


def parse(text: str) -> Ways:
    """``MEDIAN[~P99][/MEDIAN[~P99]]`` in milliseconds: the way there, and back (the same when not given)."""
    there, _, back = text.partition("/")
    ways = Ways(request=_delay(there), answer=_delay(back or there))
    ways.request.check()
    ways.answer.check()
    return ways


def _delay(text: str) -> Delay:
    median, _, tail = text.partition("~")
    try:
        return Delay(median_ms=float(median), p99_ms=float(tail) if tail else None)
    except ValueError:
        raise UsageError(
            f"latency {text!r}: give milliseconds, median and 99th percentile, like 5~20 or 5~20/3~15"
        ) from None
