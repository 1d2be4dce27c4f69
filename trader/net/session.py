"""One websocket connection of a stream: its progress, its deadlines, its pings."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import picows
import structlog

from shared import clock
from shared.errors import NotSentError, ProtocolError
from trader.net.dial import Dialer
from trader.net.feed import Heard, Liveness, Subscription

log = structlog.get_logger(__name__)

#: Frames that may wait to be sent; more is a mistake of the caller.
MAX_OUTBOX = 1_000


class StreamState(StrEnum):
    STOPPED = "stopped"
    CONNECTING = "connecting"
    LOGIN = "login"
    SUBSCRIBING = "subscribing"
    ACTIVE = "active"
    BACKOFF = "backoff"


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Deadlines and beats of a stream, in seconds. The defaults fit Bitget (ping every 30 s at most)."""

    connect_s: float = 5.0
    """TCP, TLS and the websocket handshake together."""
    login_s: float = 5.0
    subscribe_s: float = 5.0
    """From the last subscription sent to the last answer."""
    frame_s: float = 45.0
    """Without any frame for this long the connection is dead."""
    ping_s: float = 20.0
    pong_s: float = 10.0
    stable_s: float = 30.0
    """A connection that was active for this long lets the back-off begin anew."""
    pace_s: float = 0.12
    """Between two frames of ours; Bitget allows 10 a second."""


class StreamCounters(msgspec.Struct):
    """What happened since the start."""

    connects: int = 0
    activations: int = 0
    drops: int = 0
    malformed: int = 0
    refused: int = 0
    handler_errors: int = 0


OnMessage = Callable[[memoryview, int], "Heard | str | None"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What stays the same over all connections of a stream; :class:`Stream` tells what each is."""

    url: str
    name: str
    on_message: OnMessage
    login: Callable[[], bytes] | None
    channels: Mapping[str, Liveness]
    on_malformed: Callable[[ProtocolError], None] | None
    timing: Timing
    ping: bytes | None
    pong: bytes
    max_message: int


class Session(picows.WSListener):
    """One connection. ``enter`` is told each state it reaches; :attr:`ended` is why it ended, "" before."""

    def __init__(
        self,
        plan: Plan,
        counters: StreamCounters,
        subscriptions: Sequence[Subscription],
        enter: Callable[[StreamState], None],
    ) -> None:
        self.ended = ""
        self.state = StreamState.CONNECTING
        self._plan = plan
        self._counters = counters
        self._subscriptions = subscriptions
        self._enter = enter
        self._timing = plan.timing
        self._loop = asyncio.get_running_loop()
        self._transport: picows.WSTransport | None = None
        self._socket: socket.socket | None = None
        self._changed = asyncio.Event()
        self._last_frame = self._loop.time()
        self._ping_sent = 0.0
        self._next_ping = self._last_frame + self._timing.ping_s
        self._login_until = 0.0
        self._missing_acks = 0
        self._acks_until = 0.0
        self._last_data: dict[str, float] = {}
        self._first_until: dict[str, float] = {}
        self._outbox: deque[Subscription] = deque()
        self._pump: asyncio.TimerHandle | None = None
        self._parts: bytearray | None = None

    # Called by the stream

    async def open(self, dialer: Dialer, context: ssl.SSLContext | None) -> None:
        """Connect and shake hands in time, or raise and leave no socket behind."""

        async def dial(_: object) -> socket.socket:
            self._socket = await dialer.open(self._timing.connect_s)
            return self._socket

        connecting = self._loop.create_task(
            picows.ws_connect(
                lambda: self,
                self._plan.url,
                ssl_context=context,
                websocket_handshake_timeout=None,
                max_frame_size=self._plan.max_message,
                max_redirects=0,
                socket_factory=dial,
            )
        )
        try:
            async with asyncio.timeout(self._timing.connect_s):
                await asyncio.shield(connecting)
        except (TimeoutError, asyncio.CancelledError):
            await self._hang_up(connecting)
            raise
        if self._transport is None:  # picows does not tell this end of a handshake from its success
            raise ConnectionError("closed by the server during the handshake")

    async def _hang_up(self, connecting: asyncio.Task[Any]) -> None:
        """End a handshake from below: picows keeps its transport to itself until it is through."""
        if self._socket is None:
            connecting.cancel()
        else:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            connecting.exception()

    async def closed(self) -> None:
        """Return when the socket is closed."""
        if self._transport is not None:
            with suppress(Exception):  # the reason is known already, this only waits
                await self._transport.wait_disconnected()

    async def watch(self) -> None:
        """Return when the connection has ended; meanwhile keep its deadlines and send its pings."""
        while not self.ended:
            now = self._loop.time()
            overdue = self._overdue(now)
            if overdue:
                self.end(overdue)
                return
            if now >= self._next_ping:
                self._send_ping(now)
            self._changed.clear()
            try:
                async with asyncio.timeout_at(self._next_deadline()):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def queue_when_subscribing(self, subscription: Subscription) -> None:
        """As :meth:`queue`; before that, nothing: what is subscribed is read when it is time."""
        if self.state in (StreamState.SUBSCRIBING, StreamState.ACTIVE):
            self.queue(subscription)

    def queue(self, subscription: Subscription) -> None:
        """Send a subscription, at the pace that the venue allows."""
        if len(self._outbox) >= MAX_OUTBOX:
            raise NotSentError(f"{self._plan.name}: {MAX_OUTBOX} messages wait to be sent already")
        self._outbox.append(subscription)
        self._missing_acks += subscription.acks
        self._set_acks_deadline()
        if self._pump is None:
            self._send_next()

    def end(self, why: str) -> None:
        """Close now. The first reason stays."""
        if self.ended:
            return
        self.ended = why
        self._changed.set()
        if self._pump is not None:
            self._pump.cancel()
        if self._transport is not None:
            self._transport.send_close(picows.WSCloseCode.OK)
            self._transport.disconnect(graceful=False)

    # picows.WSListener

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self._transport = transport
        if self.ended:  # given up while the handshake was under way
            transport.disconnect(graceful=False)
            return
        self._last_frame = self._loop.time()
        self._next_ping = self._last_frame + self._timing.ping_s
        if self._plan.login is None:
            self._subscribe()
        else:
            self._log_in(self._plan.login)

    def _log_in(self, login: Callable[[], bytes]) -> None:
        self._login_until = self._loop.time() + self._timing.login_s
        self._go(StreamState.LOGIN)
        try:
            message = login()
        except Exception as error:
            self._counters.handler_errors += 1
            log.exception("building the login message failed", stream=self._plan.name)
            self.end(f"building the login message failed: {type(error).__name__}")
        else:
            self._send(message)

    def on_ws_disconnected(self, _transport: picows.WSTransport) -> None:
        self.end("closed by the server")

    def on_ws_frame(self, _transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if self.ended:
            return
        received_ns = clock.now_ns()
        now = self._last_frame = self._loop.time()
        kind = frame.msg_type
        if kind is picows.WSMsgType.TEXT and frame.fin and not frame.rsv1:
            self._message(frame.get_payload_as_memoryview(), received_ns, now)
            return
        self._rare_frame(frame, kind, received_ns, now)

    def _rare_frame(
        self, frame: picows.WSFrame, kind: picows.WSMsgType, received_ns: int, now: float
    ) -> None:
        if kind is picows.WSMsgType.PONG:
            self._ping_sent = 0.0
        elif kind is picows.WSMsgType.CLOSE:
            code = int.from_bytes(frame.get_payload_as_bytes()[:2], "big")
            self.end(f"closed by the server (code {code})")
        elif frame.rsv1:
            self.end("the server sent a compressed frame that was not agreed on")
        elif kind in (picows.WSMsgType.TEXT, picows.WSMsgType.BINARY) and self._parts is None:
            if frame.fin:
                self._message(frame.get_payload_as_memoryview(), received_ns, now)
            else:
                self._parts = bytearray(frame.get_payload_as_memoryview())
        elif kind is picows.WSMsgType.CONTINUATION and self._parts is not None:
            self._continue(frame, received_ns, now)
        else:
            self.end("the server broke the order of message fragments")

    def _continue(self, frame: picows.WSFrame, received_ns: int, now: float) -> None:
        parts = self._parts
        assert parts is not None
        parts += frame.get_payload_as_memoryview()
        if len(parts) > self._plan.max_message:
            self.end("the server sent a message that is too large")
        elif frame.fin:
            self._parts = None
            self._message(memoryview(parts), received_ns, now)

    # Progress

    def _message(self, payload: memoryview, received_ns: int, now: float) -> None:
        plan = self._plan
        if payload == plan.pong:
            self._ping_sent = 0.0
            return
        try:
            heard = plan.on_message(payload, received_ns)
        except ProtocolError as error:
            self._set_aside(error)
            return
        except Exception as error:
            log.exception("handling a message failed", stream=plan.name)
            self._blame_handler(error)
            return
        if isinstance(heard, str):
            self._last_data[heard] = now
        elif heard is not None:
            self._control(heard)

    def _set_aside(self, error: ProtocolError) -> None:
        self._counters.malformed += 1
        log.warning("malformed message set aside", stream=self._plan.name, reason=str(error))
        if self._plan.on_malformed is not None:
            try:
                self._plan.on_malformed(error)
            except Exception as mistake:
                log.exception("handling a malformed message failed", stream=self._plan.name)
                self._blame_handler(mistake)

    def _blame_handler(self, error: Exception) -> None:
        self._counters.handler_errors += 1
        self.end(f"handling a message failed: {type(error).__name__}")

    def _control(self, heard: Heard) -> None:
        if heard is Heard.LOGGED_IN and self._login_until:
            self._login_until = 0.0
            self._subscribe()
        elif heard is Heard.LOGIN_REFUSED:
            self.end("the login was refused")
        elif heard is Heard.ENDED:
            self.end("the server wants the connection to be made anew")
        elif heard in (Heard.ACKNOWLEDGED, Heard.REFUSED) and self._missing_acks:
            self._counters.refused += heard is Heard.REFUSED
            self._missing_acks -= 1
            if self._missing_acks == 0:
                self._subscribed()

    def _subscribe(self) -> None:
        subscriptions = tuple(self._subscriptions)  # the owner may add to them when told the state
        self._go(StreamState.SUBSCRIBING)
        for subscription in subscriptions:
            self.queue(subscription)
        self._changed.set()
        if self._missing_acks == 0:
            self._subscribed()

    def _subscribed(self) -> None:
        now = self._loop.time()
        for channel, liveness in self._plan.channels.items():
            if liveness.first_s and channel not in self._last_data:
                self._first_until.setdefault(channel, now + liveness.first_s)
        self._changed.set()
        if self.state is StreamState.SUBSCRIBING:
            self._go(StreamState.ACTIVE)

    def _go(self, state: StreamState) -> None:
        self.state = state
        self._enter(state)

    # Sending

    def _send(self, message: bytes) -> None:
        if self._transport is not None:
            self._transport.send(picows.WSMsgType.TEXT, message)

    def _send_next(self) -> None:
        self._pump = None
        if self.ended or not self._outbox:
            return
        self._send(self._outbox.popleft().message)
        self._set_acks_deadline()
        self._pump = self._loop.call_later(self._timing.pace_s, self._send_next)

    def _send_ping(self, now: float) -> None:
        self._next_ping = now + self._timing.ping_s
        self._ping_sent = self._ping_sent or now
        if self._plan.ping is not None:
            self._send(self._plan.ping)
        elif self._transport is not None:
            self._transport.send_ping()

    # Deadlines, in loop time; 0 = none

    def _set_acks_deadline(self) -> None:
        self._acks_until = self._loop.time() + self._timing.subscribe_s
        self._changed.set()

    def _overdue(self, now: float) -> str:
        for until, text in self._deadlines():
            if now >= until:
                return text
        return ""

    def _next_deadline(self) -> float:
        return min(self._next_ping, *(until for until, _ in self._deadlines()))

    def _deadlines(self) -> list[tuple[float, str]]:
        timing = self._timing
        found = [(self._last_frame + timing.frame_s, f"no frame for {timing.frame_s:g} s")]
        if self._login_until:
            found.append((self._login_until, f"the login was not answered within {timing.login_s:g} s"))
        if self._missing_acks:
            found.append((self._acks_until, f"{self._missing_acks} subscriptions were not answered in time"))
        if self._ping_sent:
            found.append((self._ping_sent + timing.pong_s, f"no pong within {timing.pong_s:g} s"))
        for channel, liveness in self._plan.channels.items():
            last = self._last_data.get(channel)
            if last is None:
                if channel in self._first_until:
                    found.append(
                        (
                            self._first_until[channel],
                            f"{channel}: no first message within {liveness.first_s:g} s",
                        )
                    )
            elif liveness.silence_s:
                found.append((last + liveness.silence_s, f"{channel}: silent for {liveness.silence_s:g} s"))
        return found
