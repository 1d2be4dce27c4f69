"""What faults do to a request that comes over an open websocket: an order, a look-up, a cancel.

Such a request has a path too: that of the socket and the name of the operation, ``/ws-fapi/v1/order.place`` or
``/v2/ws/private/place-order``. Kinds that act on bytes of HTTP, and those that only reading knows, pass it by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from trader.paper.faults import bodies
from trader.paper.faults.dialect import Dialect, dialect_of
from trader.paper.faults.kinds import (
    AnswerLost,
    BlackHole,
    Delay,
    DropRequest,
    DuplicateAnswer,
    Maintenance,
    MalformedJson,
    NullPrice,
    Reset,
    Status,
    Then,
    TruncatedJson,
    UnknownEnum,
)
from trader.paper.faults.rules import FaultBoard, Rule

#: The answer to the request, as text.
Work = Callable[[], Awaitable[str]]
#: (status, code, text) -> the refusal as this socket puts it.
Refuse = Callable[[int, str, str], str]

_CONTENT = (MalformedJson, TruncatedJson, UnknownEnum, NullPrice)


class Socket(Protocol):
    """What can be done to the connection."""

    def cut(self) -> None:
        """RST."""

    def deafen(self) -> None:
        """Read it, and never say anything again."""

    def hang_up_soon(self) -> None:
        """Close it in order."""


class _Course(msgspec.Struct):
    """One request on its way. ``answers`` None = not executed yet; [] = nobody hears of it."""

    socket: Socket
    refuse: Refuse
    dialect: Dialect
    answers: list[str] | None = None
    silent: bool = False


class FrameFaults:
    """``serve`` carries out a request; with no fault standing that is all it does."""

    def __init__(self, board: FaultBoard) -> None:
        self._board = board

    async def serve(
        self, path: str, account: int | None, socket: Socket, *, refuse: Refuse, work: Work
    ) -> list[str]:
        """What is to be sent: the answer, as the faults leave it, or nothing."""
        fitting = self._board.asked(path, account) if self._board.paths else []
        if not fitting:
            return [await work()]
        struck = [rule for rule in fitting if rule.strikes()]
        course = _Course(socket, refuse, dialect_of(path))
        for rule in struck:
            await self._before(rule, path, course)
            if course.silent:
                return []
        if course.answers is None:
            course.answers = [await work()]
        for rule in struck:
            await self._after(rule, course)
            if course.silent:
                return []
        return course.answers

    async def _before(self, rule: Rule, path: str, course: _Course) -> None:
        kind = rule.kind
        if isinstance(kind, Delay):
            await rule.wait(rule.seconds(kind.before_ms, kind.jitter_ms))
        elif isinstance(kind, DropRequest):
            _end(course, kind.then)
        elif isinstance(kind, Status) and not kind.executed:
            course.answers = [_status(kind, course)]
        elif isinstance(kind, Reset) and not kind.executed:
            _end(course, "reset")
        elif isinstance(kind, BlackHole) and not kind.executed:
            _deafen(course)
        elif isinstance(kind, Maintenance):
            if kind.mode == "cancel_only" and not course.dialect.enters("POST", path):
                rule.missed()
                return
            status = 400 if kind.mode == "cancel_only" else kind.status
            code = kind.code or course.dialect.maintenance
            course.answers = [course.refuse(status, code, "system maintenance")]

    async def _after(self, rule: Rule, course: _Course) -> None:
        kind = rule.kind
        assert course.answers is not None
        if isinstance(kind, Delay):
            await rule.wait(rule.seconds(kind.after_ms, kind.jitter_ms))
        elif isinstance(kind, AnswerLost):
            _end(course, kind.then)
        elif isinstance(kind, Status):
            if kind.executed:
                course.answers = [_status(kind, course)]
        elif isinstance(kind, Reset):
            _end(course, "reset")
        elif isinstance(kind, BlackHole):
            _deafen(course)
        elif isinstance(kind, DuplicateAnswer):
            course.answers = course.answers * 2
        elif isinstance(kind, _CONTENT):
            course.answers = [_changed(rule, text, course.dialect) for text in course.answers]
        elif not isinstance(kind, Maintenance):
            rule.missed()


def _end(course: _Course, then: Then) -> None:
    """``hang`` leaves the connection as it is: this one request is never answered."""
    course.silent = True
    if then == "reset":
        course.socket.cut()
    elif then == "close":
        course.socket.hang_up_soon()


def _deafen(course: _Course) -> None:
    course.silent = True
    course.socket.deafen()


def _status(kind: Status, course: _Course) -> str:
    return course.refuse(kind.status, kind.code or course.dialect.unknown, kind.message)


def _changed(rule: Rule, text: str, dialect: Dialect) -> str:
    body = bodies.changed(rule.kind, text.encode(), dialect)
    if body is None:
        rule.missed()
        return text
    return body.decode("utf-8", "ignore")
