"""What faults do to the pushes of one websocket connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from trader.paper.faults import bodies
from trader.paper.faults.dialect import BITGET, Dialect
from trader.paper.faults.kinds import (
    BlackHole,
    Delay,
    DropPush,
    DuplicatePush,
    Kind,
    MuteStream,
    ReorderPush,
    Reset,
)
from trader.paper.faults.rules import FaultBoard, Rule

MOST_HELD = 1000
MOST_LATE = 10_000

Emit = Callable[[str], None]


class Held(msgspec.Struct, eq=False):
    """A push that waits for ``left`` later ones."""

    rule: Rule
    message: str
    left: int
    emit: Emit


class Line:
    """One connection. ``cut`` resets it, ``deafen`` makes it a black hole."""

    def __init__(
        self,
        board: FaultBoard,
        cut: Callable[[], None],
        deafen: Callable[[], None],
        dialect: Dialect = BITGET,
    ) -> None:
        self._board = board
        self._dialect = dialect
        self._cut = cut
        self._deafen = deafen
        self._held: list[Held] = []
        self._mute: Rule | None = None
        self._dead = False
        self._due = 0.0
        self._late = 0

    @property
    def busy(self) -> bool:
        """Whether pushes wait here that later ones must not overtake unasked."""
        return bool(self._late or self._held or self._dead)

    def push(self, channel: str | tuple[str, ...], account: int | None, message: str, emit: Emit) -> None:
        """Send a push as the faults let it; called while there are faults of channels, or it is ``busy``.

        A channel with several names is meant by any of them.
        """
        if self._silent():
            return  # nothing can strike what is not heard
        names = (channel,) if isinstance(channel, str) else channel
        fitting = [rule for rule in self._board.channels if any(rule.fits(name, account) for name in names)]
        struck = [rule for rule in fitting if rule.strikes() and not self._swaps(rule)]
        out = [message]
        delay_s = 0.0
        for rule in struck:
            kind = rule.kind
            if isinstance(kind, Delay):
                delay_s += rule.seconds(kind.before_ms, kind.jitter_ms)
                delay_s += rule.seconds(kind.after_ms, kind.jitter_ms)
            else:
                out = self._struck(rule, out, emit)
        for text in out:
            self._later(text, delay_s, emit)
        self._release([rule for rule in fitting if rule not in struck])

    def _swaps(self, rule: Rule) -> bool:
        """A fault that reorders every push lets one pass for each that it holds."""
        if any(held.rule is rule for held in self._held):
            rule.missed()
            return True
        return False

    def _silent(self) -> bool:
        if self._mute is not None and self._mute.removed:
            self._mute = None
        return self._dead or self._mute is not None

    def _struck(self, rule: Rule, out: list[str], emit: Emit) -> list[str]:
        kind = rule.kind
        if isinstance(kind, MuteStream | Reset | BlackHole):
            self._silence(rule)
            return []
        if isinstance(kind, DropPush):
            return []
        if isinstance(kind, DuplicatePush):
            return out + out * kind.copies
        if isinstance(kind, ReorderPush):
            for text in out:
                self._hold(rule, kind, text, emit)
            return []
        return self._changed(rule, kind, out)

    def _silence(self, rule: Rule) -> None:
        if isinstance(rule.kind, MuteStream):
            self._mute = self._mute or rule
        else:
            self._dead = True
            (self._cut if isinstance(rule.kind, Reset) else self._deafen)()

    def _changed(self, rule: Rule, kind: Kind, out: list[str]) -> list[str]:
        texts: list[str] = []
        for text in out:
            body = bodies.changed(kind, text.encode(), self._dialect)
            if body is None:
                rule.missed()
            texts.append(text if body is None else body.decode("utf-8", "ignore"))
        return texts

    def _hold(self, rule: Rule, kind: ReorderPush, message: str, emit: Emit) -> None:
        if len(self._held) >= MOST_HELD:
            rule.missed()
            emit(message)
            return
        held = Held(rule, message, kind.by, emit)
        self._held.append(held)
        asyncio.get_running_loop().call_later(kind.hold_ms / 1000, self._let_go, held)

    def _release(self, passed: list[Rule]) -> None:
        """A push has gone out that these faults let pass: what they hold comes one nearer."""
        for held in list(self._held):
            if held.rule in passed:
                held.left -= 1
                if held.left <= 0:
                    self._let_go(held)

    def _let_go(self, held: Held) -> None:
        if held in self._held:
            self._held.remove(held)
            if not self._silent():
                held.emit(held.message)

    def _later(self, text: str, delay_s: float, emit: Emit) -> None:
        """Pushes keep their order, also behind one that is late."""
        loop = asyncio.get_running_loop()
        due = max(self._due, loop.time() + delay_s)
        if due <= loop.time() or self._late >= MOST_LATE:
            emit(text)
            return
        self._due = due
        self._late += 1
        loop.call_at(due, self._emit_late, text, emit)

    def _emit_late(self, text: str, emit: Emit) -> None:
        self._late -= 1
        if not self._silent():
            emit(text)
