"""What waits to be written to one websocket, and never grows without bound.

A client that does not read loses its oldest market data, and its connection when private pushes pile up:
it must then reconnect and ask over REST, as the venues prescribe.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Hashable

from aiohttp import WSCloseCode, web

from trader.paper.faults.wire import Wire

log = logging.getLogger(__name__)

MOST_PUBLIC = 2000
MOST_PRIVATE = 5000


class _Stream(str):
    """A message of a channel whose messages build on each other; the first to go when a client is slow."""

    __slots__ = ()


class _Topic:
    """Stands in the queue for the newest message of a topic."""

    __slots__ = ("key",)

    def __init__(self, key: Hashable) -> None:
        self.key = key


class _Beat:
    """A ping or pong frame."""

    __slots__ = ("payload", "ping")

    def __init__(self, payload: bytes, *, ping: bool) -> None:
        self.payload = payload
        self.ping = ping


class Outbox:
    """``write`` is the task that empties it; ``on_drop`` hears of every message that is thrown away."""

    __slots__ = ("_code", "_items", "_latest", "_on_drop", "_socket", "_wake", "_wire", "closing")

    def __init__(self, socket: web.WebSocketResponse, wire: Wire, on_drop: Callable[[], None]) -> None:
        self._socket = socket
        self._wire = wire
        self._on_drop = on_drop
        self._items: deque[str | _Topic | _Beat] = deque()
        self._latest: dict[Hashable, str] = {}
        self._wake = asyncio.Event()
        self._code: int = WSCloseCode.OK
        self.closing = False

    # putting in

    def send(self, message: str) -> None:
        """An answer or a private push: never dropped."""
        self._items.append(message)
        self._wake.set()

    def stream(self, message: str) -> None:
        """Market data that builds on what came before."""
        self._public(_Stream(message))

    def latest(self, key: Hashable, message: str) -> None:
        """Market data that replaces what still waits under the same key."""
        waiting = key in self._latest
        self._latest[key] = message
        if not waiting:
            self._public(_Topic(key))

    def beat(self, payload: bytes, *, ping: bool) -> None:
        """A ping frame, or the pong that answers one."""
        self._items.append(_Beat(payload, ping=ping))
        self._wake.set()

    def _public(self, item: _Stream | _Topic) -> None:
        self._items.append(item)
        if len(self._items) > MOST_PUBLIC:
            self._drop_oldest()
        self._wake.set()

    def _drop_oldest(self) -> None:
        for at, item in enumerate(self._items):
            if isinstance(item, _Stream | _Topic):
                del self._items[at]
                if isinstance(item, _Topic):
                    del self._latest[item.key]
                self._on_drop()
                return

    # ends

    def check(self) -> None:
        """Cut a client that does not read."""
        if len(self._items) > MOST_PUBLIC + MOST_PRIVATE:
            log.warning("a private websocket does not read: cut")
            self._items.clear()
            self._latest.clear()
            if self._wire.transport is not None:
                self._wire.transport.abort()

    def finish(self, code: int = WSCloseCode.OK) -> None:
        """Write what waits, then close."""
        if not self.closing:
            self._code = code
        self.closing = True
        self._wake.set()

    async def hang_up(self, code: WSCloseCode) -> None:
        """Close now."""
        self.finish()
        await self._socket.close(code=code)

    async def write(self) -> None:
        """Write until told to finish, or the client is gone; then close the socket."""
        try:
            while True:
                while self._items:
                    item = self._items.popleft()
                    if isinstance(item, _Topic):
                        await self._socket.send_str(self._latest.pop(item.key))
                    elif isinstance(item, _Beat):
                        await (self._socket.ping if item.ping else self._socket.pong)(item.payload)
                    else:
                        await self._socket.send_str(item)
                if self.closing:
                    break
                self._wake.clear()
                await self._wake.wait()
        except ConnectionError:
            self.closing = True  # the client is gone
        await self._socket.close(code=self._code)
