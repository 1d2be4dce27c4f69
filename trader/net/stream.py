"""A websocket that comes back: connect, log in, subscribe, listen, and notice when it has gone quiet.

::

    CONNECTING -> LOGIN -> SUBSCRIBING -> ACTIVE
         ^  \\______\\___________\\___________/
         |                  v
         +------------- BACKOFF

Every state but BACKOFF has a deadline; whatever misses it is closed and tried again after a jittered,
capped delay. A stream is a hint: each time it becomes active again, ``on_active`` lets the owner read
by REST what the gap has hidden.
"""

from __future__ import annotations

import asyncio
import inspect
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import picows
import structlog

from shared.errors import NotSentError, ProtocolError, VenueError, VenueRefusedError
from trader.net.backoff import Backoff
from trader.net.dial import Dialer, reason
from trader.net.feed import Liveness, Subscription
from trader.net.origin import Origin
from trader.net.session import OnMessage, Plan, Session, StreamCounters, StreamState, Timing
from trader.net.tls import client_context

log = structlog.get_logger(__name__)

#: Seconds after a renewal that failed.
RENEW_AGAIN_S = 60.0

__all__ = ["Stream", "StreamCounters", "StreamState", "Timing"]


class Stream:
    """One websocket, from :meth:`start` to :meth:`stop`.

    :param on_message: gets each text or binary message as a memoryview that is **valid only within
        the call**, and the UTC ns at which it was received. It returns the channel's name for data,
        a :class:`Heard` for control messages. :class:`ProtocolError` from it means that this message
        is malformed: it is counted, told to ``on_malformed``, and the stream goes on. Any other
        exception closes the connection, so that a backfill follows.
    :param subscriptions: sent after each (re)connect; add to it with :meth:`subscribe`.
    :param login: builds the login message, for private streams.
    :param channels: how lively each channel must be, by the name that ``on_message`` returns.
    :param on_active: called each time the stream is active again; may be a coroutine function.
    :param on_state: told every change of state with its reason.
    :param ping: text sent as a ping, answered by the text ``pong``; None uses websocket pings.
    :param address: asked before each connection for what is added to ``url``. It may hold a secret, so it
        is never logged. A ``VenueError`` from it counts as a failed attempt to connect.
    :param renew: called every ``renew_s`` seconds while a connection lives. A refusal ends the connection;
        any other ``VenueError`` has it called again after ``RENEW_AGAIN_S``.
    """

    def __init__(
        self,
        url: str,
        *,
        on_message: OnMessage,
        subscriptions: Sequence[Subscription] = (),
        login: Callable[[], bytes] | None = None,
        channels: Mapping[str, Liveness] | None = None,
        on_active: Callable[[], Awaitable[None] | None] | None = None,
        on_state: Callable[[StreamState, str], None] | None = None,
        on_malformed: Callable[[ProtocolError], None] | None = None,
        timing: Timing | None = None,
        backoff: Backoff | None = None,
        ssl_context: ssl.SSLContext | None = None,
        ping: bytes | None = b"ping",
        pong: bytes = b"pong",
        max_message: int = 4 * 1024 * 1024,
        name: str = "",
        address: Callable[[], Awaitable[str]] | None = None,
        renew: Callable[[], Awaitable[None]] | None = None,
        renew_s: float = 0.0,
    ) -> None:
        self.origin = Origin.parse(url)
        self.name = name or str(self.origin)
        self.state = StreamState.STOPPED
        self.reason = ""
        self.counters = StreamCounters()
        self.subscriptions = list(subscriptions)
        self._plan = Plan(
            url=url,
            name=self.name,
            on_message=on_message,
            login=login,
            channels=dict(channels or {}),
            on_malformed=on_malformed,
            timing=timing or Timing(),
            ping=ping,
            pong=pong,
            max_message=max_message,
        )
        self._address = address
        self._renew = renew
        self._renew_s = renew_s
        self._on_active = on_active
        self._on_state = on_state
        self._backoff = backoff or Backoff(0.2, 30.0)
        self._ssl = (ssl_context or client_context(None)) if self.origin.secure else None
        self._dialer = Dialer(self.origin)
        self._task: asyncio.Task[None] | None = None
        self._active_task: asyncio.Task[None] | None = None
        self._session: Session | None = None

    # For the owner

    def start(self) -> None:
        """Begin in the background; needs a running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"stream {self.name}")

    async def stop(self) -> None:
        """Say goodbye, close, and leave nothing behind; no callback runs after this has returned."""
        tasks = [task for task in (self._task, self._active_task) if task is not None]
        self._task = self._active_task = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._enter(StreamState.STOPPED, "stopped")

    @property
    def active(self) -> bool:
        return self.state is StreamState.ACTIVE

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription for good; it is sent now when the stream is past its login."""
        self.subscriptions.append(subscription)
        if self._session is not None:
            self._session.queue_when_subscribing(subscription)

    def unsubscribe(self, subscription: Subscription, farewell: Subscription) -> None:
        """Forget a subscription; ``farewell`` is the frame that tells the venue."""
        self.subscriptions.remove(subscription)
        if self._session is not None:
            self._session.queue_when_subscribing(farewell)

    def drop(self, why: str) -> None:
        """Close the connection and come back by the usual way (for example on a gap in a book)."""
        if self._session is not None:
            self._session.end(why)

    # The machine

    async def _run(self) -> None:
        while True:
            became_active = self.counters.activations
            began = asyncio.get_running_loop().time()
            why = await self._connect_and_listen()
            self.counters.drops += 1
            lived_s = asyncio.get_running_loop().time() - began
            if self.counters.activations > became_active and lived_s >= self._plan.timing.stable_s:
                self._backoff.reset()
            delay_s = self._backoff.next()
            log.info("stream down", stream=self.name, reason=why, retry_s=round(delay_s, 3))
            self._enter(StreamState.BACKOFF, why)
            await asyncio.sleep(delay_s)

    async def _connect_and_listen(self) -> str:
        """One life of the connection; returns why it ended."""
        self._enter(StreamState.CONNECTING, self.reason)
        self.counters.connects += 1
        plan = self._plan
        if self._address is not None:
            try:
                plan = replace(plan, url=plan.url + await self._address())
            except VenueError as error:
                return f"no address to connect to: {error}"
        session = self._session = Session(plan, self.counters, self.subscriptions, self._reached)
        renewing: asyncio.Task[None] | None = None
        try:
            await session.open(self._dialer, self._ssl)
            if self._renew is not None:
                renewing = asyncio.create_task(self._keep(self._renew, session), name=f"renew {self.name}")
            await session.watch()
        except NotSentError as error:
            session.end(str(error))
        except picows.WSError as error:
            session.end(f"the websocket handshake failed: {error}")
        except (OSError, TimeoutError) as error:
            session.end(f"cannot connect: {reason(error)}")
        except Exception as error:
            self.counters.handler_errors += 1
            log.exception("stream failed", stream=self.name)
            session.end(f"{type(error).__name__}: {error}")
        finally:
            session.end("stopped")
            self._session = None
            for task in (self._active_task, renewing):
                if task is not None:
                    task.cancel()
            await session.closed()
        return session.ended

    async def _keep(self, renew: Callable[[], Awaitable[None]], session: Session) -> None:
        """Renew what the connection lives by, until it is cancelled with the connection."""
        pause_s = self._renew_s
        while True:
            await asyncio.sleep(pause_s)
            pause_s = self._renew_s
            try:
                await renew()
            except VenueRefusedError as refusal:
                session.end(f"what the connection lives by was not renewed: {refusal}")
            except VenueError as error:
                log.warning("stream not renewed", stream=self.name, reason=str(error))
                pause_s = min(RENEW_AGAIN_S, self._renew_s)
            except Exception as error:
                self.counters.handler_errors += 1
                log.exception("renewing a stream failed", stream=self.name)
                session.end(f"renewing failed: {type(error).__name__}")

    def _enter(self, state: StreamState, why: str) -> None:
        if state is self.state:
            return
        self.state, self.reason = state, why
        if self._on_state is not None:
            try:
                self._on_state(state, why)
            except Exception:
                self.counters.handler_errors += 1
                log.exception("telling the state of a stream failed", stream=self.name)

    def _reached(self, state: StreamState) -> None:
        self._enter(state, "")
        if state is not StreamState.ACTIVE:
            return
        self.counters.activations += 1
        if self._on_active is not None:
            task = asyncio.get_running_loop().create_task(self._call_on_active(self._on_active))
            self._active_task = task

    async def _call_on_active(self, hook: Callable[[], Awaitable[None] | None]) -> None:
        try:
            result = hook()
            if inspect.isawaitable(result):
                await result
        except Exception:
            self.counters.handler_errors += 1
            log.exception("the work after a reconnect failed", stream=self.name)
            self.drop("the work after a reconnect failed")
