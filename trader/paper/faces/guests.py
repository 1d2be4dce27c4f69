"""The websockets of one face: who is let in, and who is there."""

from __future__ import annotations

from collections import Counter
from typing import Generic, Protocol, TypeVar

from aiohttp import web

from trader.paper.faces.bitget.limits import VenueLimits, connect_pace

MOST_CONNECTIONS = 5000


class Guest(Protocol):
    """A connection: it lives as long as :meth:`run`."""

    async def run(self) -> None: ...
    def forget(self) -> None:
        """Leave everything that it hears."""


G = TypeVar("G", bound=Guest)


class Guests(Generic[G]):
    """``connections`` in the order they came."""

    def __init__(self, limits: VenueLimits) -> None:
        self.connections: dict[G, None] = {}
        self._most = limits.ws_connections_per_ip
        self._connects = connect_pace(limits)
        self._addresses: Counter[str | None] = Counter()

    def refusal(self, request: web.Request) -> web.Response | None:
        """Why a handshake is not taken; it counts against the address's limit of connects."""
        remote = request.remote
        if len(self.connections) >= MOST_CONNECTIONS:
            return web.Response(status=503, text="too many connections")
        if self._connects.over(remote) or (self._most and self._addresses[remote] >= self._most):
            return web.Response(status=429, text="too many connections of this address")
        if not all(value.isascii() for value in request.headers.values()):
            return web.Response(status=400, text="the headers of a handshake are ASCII")
        return None

    async def host(self, request: web.Request, guest: G) -> None:
        """Until it goes."""
        remote = request.remote
        self.connections[guest] = None
        self._addresses[remote] += 1
        try:
            await guest.run()
        finally:
            guest.forget()
            self.connections.pop(guest, None)
            self._addresses[remote] -= 1
            if not self._addresses[remote]:
                del self._addresses[remote]
