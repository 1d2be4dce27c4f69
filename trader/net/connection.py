"""One HTTP/1.1 connection for prebuilt bytes: one request in flight, written at once.

What went wrong is told apart with care, because an order hangs on it:

- :class:`NotSentError`: the venue cannot have seen the request. The connection was down, busy or already
  closed by the peer (asked of the kernel just before the write), or the kernel refused the write.
- :class:`OutcomeUnknownError`: the bytes were handed to the kernel and no usable answer came back.

HTTP/1.1 has no ids, an answer belongs to a request by its place alone. So a connection is closed as soon as that
place is in doubt: bytes nobody asked for, bytes after an answer, a request that was given up.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from typing import cast

import aiofastnet

from shared import clock
from shared.errors import NotSentError, OutcomeUnknownError, ProtocolError
from trader.net.dial import Dialer, reason
from trader.net.origin import Origin
from trader.net.response import MAX_BODY, Response, ResponseParser
from trader.net.tls import client_context

#: One TLS record: a write that fails has then never delivered a readable byte.
MAX_REQUEST = 16_384
_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL | getattr(select, "POLLRDHUP", 0)


class HttpConnection:
    """A handle that can be connected again after it was closed.

    :param origin: where to; https is verified with ``ssl_context`` or the system's authorities.
    :param max_body: bytes; a larger answer is unusable.
    :param name: how the connection is called in messages.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_body: int = MAX_BODY,
        name: str = "",
    ) -> None:
        if origin.secure and ssl_context is None:
            ssl_context = client_context(None)
        self.origin = origin
        self.name = name or str(origin)
        self._ssl = ssl_context if origin.secure else None
        self._max_body = max_body
        self._dialer = Dialer(origin)
        self._wire: _Wire | None = None
        self._connecting = False

    async def connect(self, timeout_s: float = 5.0) -> None:
        """Connect within ``timeout_s``, or raise :class:`NotSentError`; does nothing when connected."""
        if self.connected:
            return
        if self._connecting:
            raise NotSentError(f"{self.name}: is being connected already")
        self._connecting = True
        try:
            self._wire = await self._open(timeout_s)
        finally:
            self._connecting = False

    async def _open(self, timeout_s: float) -> _Wire:
        loop = asyncio.get_running_loop()
        wire = _Wire(self.name, self._max_body, secure=self.origin.secure)
        try:
            async with asyncio.timeout(timeout_s):
                sock = await self._dialer.open(timeout_s)
                await aiofastnet.create_connection(
                    loop,
                    lambda: wire,
                    sock=sock,
                    ssl=self._ssl,
                    server_hostname=self.origin.host if self._ssl else None,
                )
        except (OSError, TimeoutError) as error:
            wire.abort("the connection could not be made")
            raise NotSentError(f"cannot connect to {self.name}: {reason(error)}") from None
        return wire

    @property
    def connected(self) -> bool:
        return self._wire is not None and self._wire.open

    @property
    def busy(self) -> bool:
        """Whether a request is in flight."""
        return self._wire is not None and self._wire.in_flight is not None

    @property
    def written_ns(self) -> int:
        """When the last request was handed to the kernel, UTC ns; 0 = none on this connection."""
        return 0 if self._wire is None else self._wire.written_ns

    @property
    def closed_because(self) -> str:
        return "never connected" if self._wire is None else self._wire.reason

    @property
    def idle_since(self) -> float:
        """Loop time of the last use, seconds."""
        return 0.0 if self._wire is None else self._wire.used

    def send(self, request: bytes, timeout_s: float | None = None) -> asyncio.Future[Response]:
        """Write a request now, before this returns; the future holds its answer.

        Raises :class:`NotSentError` here when nothing was sent. The future fails with
        :class:`OutcomeUnknownError` only. With ``timeout_s`` an answer that is late closes the
        connection. Cancelling the future leaves the connection busy until its answer has passed.
        """
        if self._wire is None:
            raise NotSentError(f"{self.name}: not connected")
        return self._wire.send(request, timeout_s)

    async def request(self, request: bytes, timeout_s: float) -> Response:
        """Send and wait. When it is late, or the caller is cancelled, the connection is closed."""
        future = self.send(request, timeout_s)
        try:
            return await future
        except asyncio.CancelledError:
            self.close("the request was given up")
            raise

    def close(self, reason: str = "closed by us") -> None:
        """Close at once; a request in flight becomes unknown. Safe to call at any time."""
        if self._wire is not None:
            self._wire.abort(reason)

    async def wait_idle(self) -> None:
        """Return when nothing is in flight (at once when nothing is)."""
        while self._wire is not None and self._wire.in_flight is not None:
            future = self._wire.in_flight
            if future.done():  # abandoned: its answer still has to pass
                await asyncio.sleep(0.005)
            else:
                await asyncio.wait([future])

    async def wait_closed(self) -> None:
        """Return when the connection is down (at once when it is)."""
        if self._wire is not None:
            await self._wire.gone.wait()


class _Wire(asyncio.Protocol):
    """One TCP connection, from its birth to its end."""

    def __init__(self, name: str, max_body: int, *, secure: bool) -> None:
        self.name = name
        self.gone = asyncio.Event()
        self.reason = ""
        self.written_ns = 0
        self.used = 0.0
        self._secure = secure
        self._max_body = max_body
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._answered = False
        self.in_flight: asyncio.Future[Response] | None = None
        self._parser = ResponseParser()
        self._first_byte_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def send(self, request: bytes, timeout_s: float | None) -> asyncio.Future[Response]:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise NotSentError(f"{self.name}: not connected ({self.reason})")
        if self.in_flight is not None:
            raise NotSentError(f"{self.name}: busy, a request is in flight")
        if len(request) > MAX_REQUEST:
            raise NotSentError(f"{self.name}: a request of {len(request)} bytes is too large to send")
        for _, events in self._poll.poll(0):
            self._refuse_stale(events)
        transport.write(request)
        self.written_ns = clock.now_ns()
        if transport.is_closing():
            self.reason = self.reason or "the kernel refused the write"
            raise NotSentError(f"{self.name}: {self.reason}")
        self.used = self._loop.time()
        self._parser = ResponseParser(head=request.startswith(b"HEAD "), max_body=self._max_body)
        self._first_byte_ns = 0
        self.in_flight = self._loop.create_future()
        if timeout_s is not None:
            self._timer = self._loop.call_later(timeout_s, self._expire, timeout_s)
        return self.in_flight

    def _refuse_stale(self, events: int) -> None:
        """What the kernel already knows and the loop has not told us yet.

        Unread bytes on an idle connection are nobody's answer. On TLS they may be the handshake's
        last messages, until the first answer has come.
        """
        if events & _GONE:
            self.abort("closed by the server while idle")
            raise NotSentError(f"{self.name}: closed by the server while idle")
        if events & select.POLLIN and (self._answered or not self._secure):
            self.abort("the server sent bytes that nobody asked for")
            raise NotSentError(f"{self.name}: the server sent bytes that nobody asked for")

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.used = self._loop.time()
        sock: socket.socket = transport.get_extra_info("socket")
        self._poll.register(sock.fileno(), select.POLLIN | getattr(select, "POLLRDHUP", 0))

    def data_received(self, data: bytes) -> None:
        if self.in_flight is None:
            self.abort("the server sent bytes that nobody asked for")
            return
        if self._first_byte_ns == 0:
            self._first_byte_ns = clock.now_ns()
        try:
            complete = self._parser.feed(data)
        except ProtocolError as error:
            self.abort(str(error))
            return
        if complete:
            self._deliver()

    def eof_received(self) -> bool:
        if self.in_flight is not None:
            try:
                self._parser.eof()
            except ProtocolError as error:
                self.abort(str(error))
            else:
                self._deliver()
        self.reason = self.reason or "closed by the server"
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.reason = self.reason or (f"lost: {exc}" if exc else "closed by the server")
        self._fail()
        self._transport = None
        self.gone.set()

    # Ends of an exchange

    def _deliver(self) -> None:
        future, parser = self._settle(), self._parser
        self._answered = True
        self.used = self._loop.time()
        if parser.excess:
            self.abort("the server sent bytes after the answer")
        elif not parser.keep_alive:
            self.abort("closed after the answer, as the server wished")
        if future is not None and not future.done():
            future.set_result(
                Response(
                    parser.status, parser.headers, bytes(parser.body), self._first_byte_ns, clock.now_ns()
                )
            )

    def _expire(self, timeout_s: float) -> None:
        self.abort(f"no answer within {timeout_s:g} s")

    def abort(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._fail()
        if self._transport is not None:
            self._transport.abort()

    def _fail(self) -> None:
        future = self._settle()
        if future is not None and not future.done():
            future.set_exception(OutcomeUnknownError(f"{self.name}: the outcome is unknown: {self.reason}"))

    def _settle(self) -> asyncio.Future[Response] | None:
        future, self.in_flight = self.in_flight, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return future
