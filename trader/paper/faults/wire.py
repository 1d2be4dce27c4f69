"""The HTTP connection below its framework: stamps of bytes, raw answers, resets, silence, idle closing.

Stamps are UTC nanoseconds, taken when the transport hands bytes over (under TLS: decrypted ones). Requests that a
client sends without waiting for answers share the stamps of the packet they came in.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import weakref
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from shared import clock
from trader.paper.faults.kinds import CloseIdle, SlowSlices, Then
from trader.paper.faults.rules import FaultBoard, Rule
from trader.paper.requestlog import Arrival

MOST_HANGING_S = 600.0
_LINGER_0 = struct.pack("ii", 1, 0)
_PATH = re.compile(rb"[A-Z]+ ([^ ?]+)")
_KEY = re.compile(rb"\r\n(?:access-key|x-mbx-apikey): *([^\r]*)\r\n", re.IGNORECASE)


class WireHub:
    """What the connections of one exchange share."""

    def __init__(self, board: FaultBoard, account_of_key: Callable[[str], int | None]) -> None:
        self.board = board
        self.account_of_key = account_of_key
        self.wires: weakref.WeakSet[Wire] = weakref.WeakSet()
        board.changed.append(self._on_change)

    def _on_change(self, rule: Rule) -> None:
        if not rule.removed and isinstance(rule.kind, CloseIdle) and rule.kind.at == "timer":
            for wire in list(self.wires):
                wire.watch(rule)


class Wire(web.RequestHandler):
    """aiohttp's connection with our eyes and hands on it."""

    __slots__ = (
        "__weakref__", "_hub", "account", "deaf", "first_ns", "gone", "idle_ns", "last_ns", "path", "record"
    )  # fmt: skip

    def __init__(self, manager: web.Server, hub: WireHub, **options: Any) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._hub = hub
        self.first_ns = 0
        self.last_ns = 0
        self.idle_ns = 0
        self.path = ""
        self.account: int | None = None
        self.deaf = False
        self.record: Arrival | None = None
        self.gone = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._hub.wires.add(self)
        self._idle()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._hub.wires.discard(self)
        self.gone.set()

    def data_received(self, data: bytes) -> None:
        if data:
            now = clock.now_ns()
            if self.idle_ns or not self.first_ns:
                self.first_ns = now
            self.last_ns = now
            if self.deaf or (self._hub.board.idle and self._closed_now(data)):
                return
            self.idle_ns = 0
        super().data_received(data)

    def stamps(self) -> tuple[int, int]:
        """First and last byte of the request that was just read."""
        first, self.first_ns = self.first_ns or self.last_ns, 0
        return first, self.last_ns

    def answered(self, status: int) -> None:
        """The answer of the present request is in the hands of the kernel."""
        if self.record is not None:
            self.record.status = status
            self.record.answered_ns = clock.now_ns()
            self.record = None

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        if not isinstance(resp, Silence):
            self.answered(resp.status)
        self._idle()
        return finished

    # ends

    def reset(self) -> None:
        """RST: what is unsent is lost, the client sees a connection reset."""
        transport = self.transport
        if transport is not None:
            sock = transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_0)
            transport.abort()

    async def end(self, then: Then, rule: Rule) -> None:
        """Close, reset or hang; a hanging connection waits for its client, the fault's end or ten minutes."""
        if then == "reset":
            self.reset()
            return
        if then == "hang":
            waits = [asyncio.ensure_future(event.wait()) for event in (self.gone, rule.over)]
            await asyncio.wait(waits, timeout=MOST_HANGING_S, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        if self.transport is not None:
            self.transport.close()

    # idle connections

    def _idle(self) -> None:
        self.idle_ns = clock.monotonic_ns()
        for rule in self._hub.board.idle:
            if isinstance(rule.kind, CloseIdle) and rule.kind.at == "timer":
                self.watch(rule)

    def watch(self, rule: Rule) -> None:
        """Close when it stays idle long enough."""
        if self.idle_ns and isinstance(rule.kind, CloseIdle) and rule.fits(self.path, self.account):
            gone_ms = (clock.monotonic_ns() - self.idle_ns) / clock.MILLISECOND
            delay_s = max(0.0, rule.kind.idle_ms - gone_ms) / 1000
            asyncio.get_running_loop().call_later(delay_s, self._idle_out, rule, self.idle_ns)

    def _idle_out(self, rule: Rule, since: int) -> None:
        if self.idle_ns == since and not rule.removed and rule.strikes():
            self._end_idle(rule)

    def _closed_now(self, data: bytes) -> bool:
        """The next request begins to arrive on an idle connection: the moment to hang up."""
        if not self.idle_ns:
            return False
        found, key = _PATH.match(data), _KEY.search(data)
        path = found[1].decode("ascii", "replace") if found else ""
        account = self._hub.account_of_key(key[1].decode("ascii", "replace")) if key else None
        idle_ms = (clock.monotonic_ns() - self.idle_ns) / clock.MILLISECOND
        for rule in self._hub.board.idle:
            kind = rule.kind
            if not isinstance(kind, CloseIdle) or kind.at != "write" or idle_ms < kind.idle_ms:
                continue
            if rule.fits(path, account) and rule.strikes():
                self.deaf = True
                self._end_idle(rule)
                return True
        return False

    def _end_idle(self, rule: Rule) -> None:
        if isinstance(rule.kind, CloseIdle) and rule.kind.then == "reset":
            self.reset()
        elif self.transport is not None:
            self.transport.close()


class Silence(web.Response):
    """No answer at all: what was to happen on the connection has happened."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        del request
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        del data


class RawAnswer(web.Response):
    """Bytes on the connection as they are, in the slices of a ``slow_slices`` fault when there is one."""

    def __init__(self, status: int, sent: bytes, slices: Rule | None) -> None:
        super().__init__(status=status)
        self._sent = sent
        self._slices = slices
        self._wire: Wire | None = None

    @property
    def keep_alive(self) -> bool | None:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        assert isinstance(request.protocol, Wire)
        self._wire = request.protocol
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        del data
        rule = self._slices
        sent = self._sent
        if rule is not None and isinstance(rule.kind, SlowSlices):
            loop = asyncio.get_running_loop()
            kind, end = rule.kind, loop.time() + rule.kind.most_ms / 1000
            while len(sent) > kind.bytes and loop.time() < end and not rule.removed:
                self._put(sent[: kind.bytes])
                sent = sent[kind.bytes :]
                await rule.wait(kind.pause_ms / 1000)
        self._put(sent)

    def _put(self, data: bytes) -> None:
        if self._wire is None or self._wire.transport is None:
            raise ConnectionResetError("the client is gone")
        self._wire.transport.write(data)


def rendered(response: web.Response, body: bytes, length: int) -> bytes:
    """The bytes of an HTTP/1.1 answer; ``length`` is what Content-Length claims."""
    reason = response.reason or HTTPStatus(response.status).phrase
    lines = [f"HTTP/1.1 {response.status} {reason}"]
    lines += [f"{name}: {value}" for name, value in response.headers.items() if name != "Content-Length"]
    lines += [f"Content-Length: {length}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
