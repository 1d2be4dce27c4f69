"""Which requests and pushes a fault strikes: matching, counting, chance; the list of all faults.

Everything is seeded and counted per fault: the same faults and the same requests give the same hits.
Nothing survives the process.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from shared.errors import UsageError
from trader.paper.faults.dialect import SOCKETS
from trader.paper.faults.kinds import (
    CHANNEL_KINDS,
    HANDSHAKE,
    PATH_KINDS,
    CloseIdle,
    Kind,
    SkewedClock,
    read_args,
)

MOST_FAULTS = 1000
_OWN = "/control"

Count = Annotated[int, msgspec.Meta(ge=1)]


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """``path`` of a request (exact, or a beginning with ``*``) or ``channel`` of a push (or ``*``).

    ``account`` is the number of the account that asks. ``nth`` counts what matches from 1.
    """

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] | None = None
    channel: Annotated[str, msgspec.Meta(min_length=1, max_length=60)] | None = None
    account: int | None = None
    nth: Count | Annotated[list[Count], msgspec.Meta(min_length=1, max_length=1000)] | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0


class NewFault(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``POST /control/faults``."""

    do: str
    match: Match = Match()
    args: dict[str, Any] = {}


class Rule:
    """One fault. ``seen`` counts what matched, ``hits`` what was struck."""

    def __init__(self, number: int, do: str, match: Match, kind: Kind) -> None:
        self.id = number
        self.do = do
        self.match = match
        self.kind = kind
        self.seen = 0
        self.hits = 0
        self.chance = random.Random(kind.seed)  # noqa: S311  (chance, not secrets)
        self.over = asyncio.Event()
        nth = match.nth
        self._nth = frozenset([nth] if isinstance(nth, int) else nth or ())
        self._pattern = match.channel or match.path or "*"

    @property
    def removed(self) -> bool:
        return self.over.is_set()

    def fits(self, name: str, account: int | None) -> bool:
        """Whether a path or channel of an account is meant. Calls of the control API never are."""
        pattern = self._pattern
        if pattern != name and not (pattern.endswith("*") and name.startswith(pattern[:-1])):
            return False
        return self.match.account in (None, account) and not name.startswith(_OWN)

    def strikes(self) -> bool:
        """Count one that fits; whether it is hit."""
        self.seen += 1
        if self.kind.times and self.hits >= self.kind.times:
            return False
        if self._nth and self.seen not in self._nth:
            return False
        if self.match.probability < 1 and self.chance.random() >= self.match.probability:
            return False
        self.hits += 1
        return True

    def missed(self) -> None:
        """It was to be hit, and had nothing that the fault could change."""
        self.hits -= 1

    def seconds(self, base: float, jitter: float) -> float:
        """A delay with its jitter, in seconds; none stays none."""
        return (base + self.chance.uniform(0, jitter)) / 1000 if base else 0.0

    async def wait(self, seconds: float) -> None:
        """Sleep, and no longer than the fault stands."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self.over.wait()
            except TimeoutError:
                return

    def row(self) -> dict[str, object]:
        return {
            "id": str(self.id),
            "do": self.do,
            "match": msgspec.to_builtins(self.match),
            "args": msgspec.to_builtins(self.kind),
            "seen": self.seen,
            "hits": self.hits,
        }


class FaultBoard:
    """All faults that stand. ``paths``, ``channels`` and ``idle`` are empty when nothing is to be done."""

    def __init__(self) -> None:
        self.paths: list[Rule] = []
        self.channels: list[Rule] = []
        self.idle: list[Rule] = []
        self.skew_ms = 0
        self.changed: list[Callable[[Rule], None]] = []
        self._rules: dict[str, Rule] = {}
        self._last = 0

    def add(self, new: NewFault) -> Rule:
        """``UsageError`` for what no kind takes."""
        match = new.match
        if match.path is not None and match.channel is not None:
            raise UsageError("match: give path or channel, not both")
        if match.path is not None and not match.path.startswith(("/", "*")):
            raise UsageError("match: path begins with /, or is *")
        if len(self._rules) >= MOST_FAULTS:
            raise UsageError(f"there are {MOST_FAULTS} faults, more are not taken: DELETE some")
        channel = match.channel is not None or (match.path is None and new.do not in PATH_KINDS)
        if channel and match.channel is None and new.do in CHANNEL_KINDS:
            match = msgspec.structs.replace(match, channel="*")
        kind = read_args(new.do, new.args, channel=channel)
        if isinstance(kind, SkewedClock) and match != Match():
            raise UsageError("match: the clock is one for all, skewed_clock takes none")
        self._last += 1
        rule = Rule(self._last, new.do, match, kind)
        self._rules[str(rule.id)] = rule
        self._sort()
        for hear in self.changed:
            hear(rule)
        return rule

    def remove(self, number: str) -> Rule:
        rule = self._rules.pop(number, None)
        if rule is None:
            raise UsageError(f"there is no fault {number[:20]}: GET /control/faults lists them")
        rule.over.set()
        self._sort()
        for hear in self.changed:
            hear(rule)
        return rule

    def clear(self) -> int:
        """Remove all, for example at the end; how many there were."""
        numbers = list(self._rules)
        for number in numbers:
            self.remove(number)
        return len(numbers)

    def rows(self) -> list[dict[str, object]]:
        return [rule.row() for rule in self._rules.values()]

    def standing(self, kind: type[Kind]) -> list[Rule]:
        return [rule for rule in self._rules.values() if isinstance(rule.kind, kind)]

    def _sort(self) -> None:
        rules = self._rules.values()
        self.skew_ms = sum(rule.kind.ms for rule in rules if isinstance(rule.kind, SkewedClock))
        self.idle = [rule for rule in rules if isinstance(rule.kind, CloseIdle)]
        self.channels = [rule for rule in rules if rule.match.channel is not None]
        self.paths = [
            rule
            for rule in rules
            if rule.match.channel is None and not isinstance(rule.kind, CloseIdle | SkewedClock)
        ]

    def fitting(self, path: str, account: int | None) -> list[Rule]:
        """Faults of a request, in the order they were made; a handshake knows only some kinds."""
        found = [rule for rule in self.paths if rule.fits(path, account)]
        if path.startswith(SOCKETS):
            found = [rule for rule in found if isinstance(rule.kind, HANDSHAKE)]
        return found

    def asked(self, path: str, account: int | None) -> list[Rule]:
        """Faults of a request over an open websocket; ``path`` ends with the name of the operation."""
        return [rule for rule in self.paths if rule.fits(path, account)]
