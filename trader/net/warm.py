"""A connection that is kept warm: connected ahead of time, used now and then, replaced when it dies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress

import structlog

from shared.errors import NotSentError, VenueError
from trader.net.backoff import Backoff
from trader.net.connection import HttpConnection
from trader.net.origin import Origin
from trader.net.response import MAX_BODY, Response

#: Seconds between two looks whether the spare is free again.
SPARE_S = 0.02

log = structlog.get_logger(__name__)


class WarmConnection:
    """Keeps one :class:`HttpConnection` ready from :meth:`start` to :meth:`stop`.

    :param keepalive: builds a harmless request (server time). It is sent once before the connection
        counts as ready, and again whenever it was idle for ``keepalive_s`` seconds.
    :param on_keepalive: gets those answers, for example to measure the clock's offset.
    :param on_change: called with True when it becomes ready, with False when that ends.
    :param spare: another connection that stands in for this one. It is never kept alive at the same
        time, so that one of the two is free.
    :param stable_s: seconds a connection must have lived for the back-off to begin anew.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        ssl_context: ssl.SSLContext | None = None,
        keepalive: Callable[[], bytes] | None = None,
        keepalive_s: float = 15.0,
        connect_timeout_s: float = 5.0,
        answer_timeout_s: float = 5.0,
        stable_s: float = 10.0,
        backoff: Backoff | None = None,
        max_body: int = MAX_BODY,
        name: str = "",
        spare: WarmConnection | None = None,
        on_change: Callable[[bool], None] | None = None,
        on_keepalive: Callable[[Response], None] | None = None,
    ) -> None:
        self.connection = HttpConnection(origin, ssl_context=ssl_context, max_body=max_body, name=name)
        self.name = self.connection.name
        self.connects = 0
        self.failures = 0
        self.last_error = ""
        self.spare = spare
        self._keepalive = keepalive
        self._keepalive_s = keepalive_s
        self._connect_timeout_s = connect_timeout_s
        self._answer_timeout_s = answer_timeout_s
        self._stable_s = stable_s
        self._backoff = backoff or Backoff()
        self._on_change = on_change
        self._on_keepalive = on_keepalive
        self._warm = False
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Begin in the background; needs a running loop."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"warm {self.name}")

    async def stop(self) -> None:
        """Close and leave nothing behind. A request in flight becomes unknown."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self.connection.close("stopped")
        await self.connection.wait_closed()
        self._set_warm(warm=False)

    @property
    def ready(self) -> bool:
        """Whether a request can be written now: warm, connected, none in flight."""
        return self._warm and self.connection.connected and not self.connection.busy

    @property
    def warm(self) -> bool:
        """Connected and tried; it may be busy."""
        return self._warm and self.connection.connected

    async def wait_warm(self, timeout_s: float) -> None:
        """Return as soon as it is warm; :class:`NotSentError` when it is not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.warm:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise NotSentError(
                f"{self.name}: not connected ({self.last_error or 'no answer in time'})"
            ) from None

    async def wait_ready(self, timeout_s: float) -> None:
        """As :meth:`wait_warm`, and until nothing is in flight on it."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.ready:
                    await self.wait_warm(timeout_s)
                    await self.connection.wait_idle()
        except TimeoutError:
            raise NotSentError(f"{self.name}: busy") from None

    def send(self, request: bytes, timeout_s: float | None = None) -> asyncio.Future[Response]:
        """See :meth:`HttpConnection.send`."""
        return self.connection.send(request, timeout_s)

    async def request(self, request: bytes, timeout_s: float) -> Response:
        """See :meth:`HttpConnection.request`."""
        return await self.connection.request(request, timeout_s)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await self._live()
            except VenueError as error:
                self._note(str(error))
            except Exception as error:
                self._note(f"{type(error).__name__}: {error}")
                log.exception("keeping a connection warm failed", connection=self.name)
            finally:
                self._set_warm(warm=False)
                self.connection.close("given up")
            if loop.time() - began >= self._stable_s:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next())

    async def _live(self) -> None:
        """Connect, warm up, and return when the connection has ended."""
        connection = self.connection
        await connection.connect(self._connect_timeout_s)
        await self._warm_up()
        self.connects += 1
        self._set_warm(warm=True)
        if self._keepalive is None:
            await connection.wait_closed()
        loop = asyncio.get_running_loop()
        while connection.connected:
            due_s = connection.idle_since + self._keepalive_s - loop.time()
            if connection.busy:
                due_s = self._keepalive_s
            elif due_s <= 0:
                if self.spare is None or not self.spare.connection.busy:
                    await self._warm_up()
                    continue
                due_s = SPARE_S
            with suppress(TimeoutError):
                async with asyncio.timeout(due_s):
                    await connection.wait_closed()
        raise NotSentError(f"{self.name}: {connection.closed_because}")

    async def _warm_up(self) -> None:
        if self._keepalive is None:
            return
        response = await self.connection.request(self._keepalive(), self._answer_timeout_s)
        if self._on_keepalive is not None:
            self._on_keepalive(response)

    def _note(self, error: str) -> None:
        self.failures += 1
        self.last_error = error
        log.info("connection down", connection=self.name, reason=error)

    def _set_warm(self, *, warm: bool) -> None:
        if warm != self._warm:
            self._warm = warm
            self._changed.set()
            if self._on_change is not None:
                self._on_change(warm)
