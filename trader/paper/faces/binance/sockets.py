"""What the stream sockets and the order websocket have in common: handshake, heartbeat, pace, end of life.

The server pings every three minutes and cuts who has not answered within ten; a socket lives for a day; ten
frames a second are taken, pings and pongs among them.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque

from aiohttp import WSCloseCode, WSMsgType, web

from shared import clock
from trader.paper.door import Door
from trader.paper.faces.bitget.limits import Paces, VenueLimits
from trader.paper.faces.guests import Guests
from trader.paper.faces.outbox import Outbox
from trader.paper.faults.dialect import BINANCE
from trader.paper.faults.stream import Line
from trader.paper.faults.wire import Wire

LONGEST_FRAME = 65_536
_MOST_PINGS = 16


class SocketFace(ABC):
    """All connections of one kind."""

    def __init__(self, door: Door, limits: VenueLimits) -> None:
        self.door = door
        self.limits = limits
        self._guests: Guests[Connection] = Guests(limits)
        self.connections = self._guests.connections
        self.dropped = 0
        self.failures = 0

    @abstractmethod
    def connection(
        self, request: web.Request, socket: web.WebSocketResponse, wire: Wire
    ) -> Connection | None:
        """The connection that a handshake asks for; ``None`` when there is nothing at its path."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        refusal = self._guests.refusal(request)
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse(
            compress=False, max_msg_size=LONGEST_FRAME, timeout=2.0, autoping=False
        )
        wire = request.protocol
        assert isinstance(wire, Wire)
        connection = self.connection(request, socket, wire)
        if connection is None:
            return web.Response(status=404)
        await socket.prepare(request)
        wire.answered(101)
        await self._guests.host(request, connection)
        return socket

    async def close(self) -> None:
        for connection in list(self.connections):
            await connection.outbox.hang_up(WSCloseCode.GOING_AWAY)

    def count_drop(self) -> None:
        self.dropped += 1


class Connection(ABC):
    """One client. ``run`` reads; the outbox has a writer of its own.

    ``paced``: text frames count against the limit of frames too.
    """

    paced = True

    def __init__(self, house: SocketFace, socket: web.WebSocketResponse, wire: Wire) -> None:
        self.outbox = Outbox(socket, wire, house.count_drop)
        self.wire = wire
        self.faults = house.door.faults
        self.line = Line(self.faults, wire.reset, self.deafen, BINANCE)
        self._house = house
        self._limits = house.limits
        self._socket = socket
        self._frames = Paces(house.limits.binance_ws_messages_per_s, 1.0)
        self._pinged: deque[bytes] = deque(maxlen=_MOST_PINGS)
        self._heartbeat: asyncio.TimerHandle | None = None
        self._deadline: asyncio.TimerHandle | None = None

    @abstractmethod
    async def heard(self, data: str) -> None:
        """One text frame."""

    @abstractmethod
    def opened(self) -> None:
        """The handshake is done."""

    @abstractmethod
    def forget(self) -> None:
        """Leave everything that this connection hears."""

    @property
    def number(self) -> int | None:
        """Of the account that speaks here."""
        return None

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        writer = loop.create_task(self.outbox.write())
        limits = self._limits
        life = (
            loop.call_later(limits.binance_ws_life_s, self.outbox.finish)
            if limits.binance_ws_life_s
            else None
        )
        if limits.binance_ws_ping_s:
            self._heartbeat = loop.call_later(limits.binance_ws_ping_s, self._ping)
        try:
            self.opened()
            while not self.outbox.closing:
                message = await self._socket.receive()
                if message.type is WSMsgType.TEXT:
                    await self._take(message.data)
                elif message.type is WSMsgType.PING:
                    if not self._too_fast():
                        self.outbox.beat(bytes(message.data), ping=False)
                elif message.type is WSMsgType.PONG:
                    if not self._too_fast():
                        self._ponged(bytes(message.data))
                elif message.type is not WSMsgType.BINARY:
                    break
        finally:
            for timer in (life, self._heartbeat, self._deadline):
                if timer is not None:
                    timer.cancel()
            self.outbox.finish()
            await writer

    async def _take(self, data: str) -> None:
        if not self.paced or not self._too_fast():
            await self.heard(data)

    def _too_fast(self) -> bool:
        """Count a frame; a client that sends too many is cut."""
        if not self._frames.over(None):
            return False
        self.outbox.finish(WSCloseCode.POLICY_VIOLATION)
        return True

    def note(self, method: object, body: bytes) -> None:
        """Frames are in the log of what arrived."""
        name = method[:40] if isinstance(method, str) else ""
        self._house.door.log.add(
            "ws", name, self.wire.path, self.number, stamps=self.wire.stamps(), body=body
        )

    # heartbeat

    def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        payload = str(clock.now_ms()).encode()
        self._pinged.append(payload)
        self.outbox.beat(payload, ping=True)
        self._heartbeat = loop.call_later(self._limits.binance_ws_ping_s, self._ping)
        if self._deadline is None and self._limits.binance_ws_pong_s:
            late = WSCloseCode.POLICY_VIOLATION
            self._deadline = loop.call_later(self._limits.binance_ws_pong_s, self.outbox.finish, late)

    def _ponged(self, payload: bytes) -> None:
        """A pong counts when it repeats a ping's payload."""
        if payload in self._pinged:
            self._pinged.clear()
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

    # what faults do

    def deafen(self) -> None:
        self.wire.deaf = True

    def cut(self) -> None:
        self.wire.reset()

    def hang_up_soon(self) -> None:
        self.outbox.finish()
