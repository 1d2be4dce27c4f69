"""What faults do to a request: before it is executed, to its answer, and to the bytes of the answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable

import msgspec
from aiohttp import web

from shared import clock
from trader.paper.engine.accounts import Account
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
    NotFound,
    NullPrice,
    Reset,
    SlowSlices,
    StaleSnapshot,
    Status,
    Then,
    TruncatedJson,
    UnknownEnum,
)
from trader.paper.faults.rules import FaultBoard, Rule
from trader.paper.faults.wire import RawAnswer, Silence, Wire, rendered
from trader.paper.faults.young import Nursery
from trader.paper.wall import Wall

MOST_SNAPSHOTS = 1000

Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
_JSON = "application/json"
_HTML = "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n</body>\r\n</html>\r\n"


class Snapshot(msgspec.Struct):
    """An answer as it was."""

    at: int
    response: web.Response


class Plan(msgspec.Struct):
    """What is to become of one request: its answer, and how that goes onto the wire."""

    request: web.Request
    wire: Wire
    account: Account | None
    dialect: Dialect
    answer: web.Response | None = None
    ended: bool = False
    short: Rule | None = None
    slices: Rule | None = None
    twice: bool = False


class RestFaults:
    """``serve`` takes a request for which at least one fault stands."""

    def __init__(self, board: FaultBoard, nursery: Nursery, wall: Wall) -> None:
        self._board = board
        self._nursery = nursery
        self._wall = wall
        self._snapshots: OrderedDict[tuple[int, int | None, str], Snapshot] = OrderedDict()

    async def serve(
        self, request: web.Request, wire: Wire, account: Account | None, handle: Handle
    ) -> web.StreamResponse:
        """The answer, or :class:`Silence` when the connection was dealt with."""
        fitting = self._board.fitting(request.path, account.id if account else None)
        struck = [rule for rule in fitting if rule.strikes()]
        plan = Plan(request, wire, account, dialect_of(request.path))
        for rule in struck:
            await self._before(rule, plan)
            if plan.ended:
                return Silence()
        if plan.answer is None:
            response = await handle(request)
            if not isinstance(response, web.Response):
                return response  # a websocket that has had its life
            plan.answer = response
            for rule in fitting:
                if isinstance(rule.kind, StaleSnapshot) and request.method == "GET":
                    self._remember(rule, plan)
        for rule in struck:
            await self._after(rule, plan)
            if plan.ended:
                return Silence()
        return await self._deliver(plan)

    # before execution

    async def _before(self, rule: Rule, plan: Plan) -> None:
        kind = rule.kind
        if isinstance(kind, Delay):
            await rule.wait(rule.seconds(kind.before_ms, kind.jitter_ms))
        elif isinstance(kind, DropRequest):
            await self._end(plan, rule, kind.then)
        elif isinstance(kind, Status) and not kind.executed:
            plan.answer = self._status(kind, plan)
        elif isinstance(kind, Reset) and not kind.executed:
            await self._end(plan, rule, "reset")
        elif isinstance(kind, BlackHole) and not kind.executed:
            await self._swallow(plan, rule)
        elif isinstance(kind, Maintenance):
            self._maintain(rule, kind, plan)
        elif isinstance(kind, StaleSnapshot):
            self._recall(rule, kind, plan)

    async def _end(self, plan: Plan, rule: Rule, then: Then) -> None:
        plan.ended = True
        await plan.wire.end(then, rule)

    async def _swallow(self, plan: Plan, rule: Rule) -> None:
        plan.wire.deaf = True
        await self._end(plan, rule, "hang")

    def _maintain(self, rule: Rule, kind: Maintenance, plan: Plan) -> None:
        request = plan.request
        if kind.mode == "cancel_only" and not plan.dialect.enters(request.method, request.path):
            rule.missed()
            return
        status = 400 if kind.mode == "cancel_only" else kind.status
        code = kind.code or plan.dialect.maintenance
        plan.answer = self._envelope(status, code, "system maintenance", plan)

    def _status(self, kind: Status, plan: Plan) -> web.Response:
        if kind.code:
            response = self._envelope(kind.status, kind.code, kind.message, plan)
        else:
            response = web.Response(status=kind.status)
            text = kind.body or _HTML.format(f"{kind.status} {response.reason}")
            response = web.Response(status=kind.status, text=text, content_type="text/html")
        if kind.retry_after_s:
            response.headers["Retry-After"] = str(kind.retry_after_s)
        return response

    def _envelope(self, status: int, code: str, message: str, plan: Plan) -> web.Response:
        body = plan.dialect.refusal(code, message, self._wall.now_ms())
        return web.Response(status=status, body=body, content_type=_JSON)

    # earlier answers

    def _key(self, rule: Rule, plan: Plan) -> tuple[int, int | None, str]:
        call = plan.dialect.same_call(plan.request.raw_path)
        return rule.id, plan.account.id if plan.account else None, call

    def _remember(self, rule: Rule, plan: Plan) -> None:
        if plan.answer is not None and plan.answer.status == 200:
            key = self._key(rule, plan)
            self._snapshots[key] = Snapshot(clock.monotonic_ns(), plan.answer)
            self._snapshots.move_to_end(key)
            if len(self._snapshots) > MOST_SNAPSHOTS:
                self._snapshots.popitem(last=False)

    def _recall(self, rule: Rule, kind: StaleSnapshot, plan: Plan) -> None:
        old = self._snapshots.get(self._key(rule, plan)) if plan.request.method == "GET" else None
        if old is None or clock.monotonic_ns() - old.at > kind.hold_ms * clock.MILLISECOND:
            rule.missed()
            return
        message = plan.dialect.renewed(bodies.read(_bytes(old.response)), self._wall.now_ms())
        plan.answer = _like(old.response, bodies.write(message))

    # after execution

    async def _after(self, rule: Rule, plan: Plan) -> None:
        kind = rule.kind
        if isinstance(kind, Delay):
            await rule.wait(rule.seconds(kind.after_ms, kind.jitter_ms))
        elif isinstance(kind, AnswerLost):
            await self._end(plan, rule, kind.then)
        elif isinstance(kind, Status) and kind.executed:
            plan.answer = self._status(kind, plan)
        elif isinstance(kind, Reset):
            await self._end(plan, rule, "reset")
        elif isinstance(kind, BlackHole):
            await self._swallow(plan, rule)
        elif isinstance(kind, DuplicateAnswer):
            plan.twice = True
        elif isinstance(kind, SlowSlices):
            plan.slices = rule
        elif isinstance(kind, TruncatedJson) and kind.length == "too_large":
            plan.short = rule
        else:
            self._change(rule, plan)

    def _change(self, rule: Rule, plan: Plan) -> None:
        """Kinds that change the content."""
        assert plan.answer is not None
        kind = rule.kind
        if isinstance(kind, NotFound):
            self._hide(rule, kind, plan)
        elif isinstance(kind, MalformedJson | TruncatedJson | UnknownEnum | NullPrice):
            body = bodies.changed(kind, _bytes(plan.answer), plan.dialect)
            if body is None:
                rule.missed()
            else:
                plan.answer = _like(plan.answer, body)

    def _hide(self, rule: Rule, kind: NotFound, plan: Plan) -> None:
        assert plan.answer is not None
        body = None
        if plan.account is not None and plan.request.method == "GET":
            body = self._nursery.without(_bytes(plan.answer), plan.account, kind, plan.dialect)
        if body is None:
            rule.missed()
        elif not body:
            status, code, message = plan.dialect.absent
            plan.answer = self._envelope(status, code, message, plan)
        else:
            plan.answer = _like(plan.answer, body)

    # onto the wire

    async def _deliver(self, plan: Plan) -> web.StreamResponse:
        answer = plan.answer
        assert answer is not None
        if plan.short is None and plan.slices is None and not plan.twice:
            return answer
        body = _bytes(answer)
        sent = rendered(answer, body, len(body))
        if plan.short is not None and isinstance(plan.short.kind, TruncatedJson):
            kept = bodies.changed(plan.short.kind, body, plan.dialect) or b""
            sent = rendered(answer, kept, len(body))
        if plan.twice:
            sent *= 2
        raw = RawAnswer(answer.status, sent, plan.slices)
        if plan.short is None or not isinstance(plan.short.kind, TruncatedJson):
            return raw
        await raw.prepare(plan.request)
        await raw.write_eof()
        await self._end(plan, plan.short, plan.short.kind.then)
        return Silence()


def _bytes(response: web.Response) -> bytes:
    body = response.body
    return bytes(body) if isinstance(body, bytes | bytearray) else b""


def _like(response: web.Response, body: bytes) -> web.Response:
    """The same answer with another body."""
    made = web.Response(status=response.status, body=body, content_type=response.content_type)
    for name, value in response.headers.items():
        if name not in {"Content-Type", "Content-Length"}:
            made.headers[name] = value
    return made
