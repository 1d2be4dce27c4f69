"""All websocket connections of the venue, both generations, and who of them hears of what was stored."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import WSCloseCode, web

from trader.paper.door import Door
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.faces.bitget.connection import Connection
from trader.paper.faces.bitget.dialect import Dialect
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faces.bitget.v3.ws import UnifiedSocket
from trader.paper.faces.bitget.wsclassic import ClassicSocket
from trader.paper.faces.guests import Guests
from trader.paper.faults.wire import Wire

log = logging.getLogger(__name__)

LONGEST_FRAME = 65_536


class WsFace:
    """Hears the engine and hands private pushes to whom they belong."""

    def __init__(self, rest: RestFace, door: Door, limits: VenueLimits) -> None:
        self.rest = rest
        self.engine = rest.engine
        self.door = door
        self.limits = limits
        self.classic = ClassicSocket(rest)
        self.unified = UnifiedSocket(rest)
        self._guests: Guests[Connection] = Guests(limits)
        self.connections = self._guests.connections
        self.private: dict[int, dict[Connection, None]] = {}
        self.work: set[asyncio.Task[None]] = set()
        self.dropped = 0
        self.failures = 0
        self.engine.listen(self._on_stored)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """``/v2/ws/...``"""
        return await self._handle(request, self.classic)

    async def handle_v3(self, request: web.Request) -> web.StreamResponse:
        """``/v3/ws/...``"""
        return await self._handle(request, self.unified)

    async def _handle(self, request: web.Request, dialect: Dialect) -> web.StreamResponse:
        refusal = self._guests.refusal(request)
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse(compress=False, max_msg_size=LONGEST_FRAME, timeout=2.0)
        wire = request.protocol
        assert isinstance(wire, Wire)
        await socket.prepare(request)
        wire.answered(101)
        connection = Connection(self, dialect, socket, wire)
        await self._guests.host(request, connection)
        return socket

    async def close(self) -> None:
        for connection in list(self.connections):
            await connection.hang_up(WSCloseCode.GOING_AWAY)
        for task in self.work:
            task.cancel()
        if self.work:
            await asyncio.wait(self.work)

    def count_drop(self) -> None:
        self.dropped += 1

    def listens(self, connection: Connection, account: Account) -> None:
        self.private.setdefault(account.id, {})[connection] = None

    def left(self, connection: Connection, account: Account) -> None:
        listeners = self.private.get(account.id, {})
        listeners.pop(connection, None)
        if not listeners:
            self.private.pop(account.id, None)

    def _on_stored(self, batches: list[Batch]) -> None:
        """Whole pictures (positions, account, equity) go out once for all of an account's batches."""
        self.unified.stored(batches)
        if not self.private:
            return
        concerned: dict[int, list[Batch]] = {}
        for batch in batches:
            for number in batch.accounts | batch.spot.accounts if batch.spot.accounts else batch.accounts:
                if number in self.private:
                    concerned.setdefault(number, []).append(batch)
        for number, own in concerned.items():
            try:
                self._push(number, own)
            except Exception:  # what is stored stays done, whatever becomes of its push
                self.failures += 1
                log.exception("a private push failed; account=%s", number)

    def _push(self, number: int, batches: list[Batch]) -> None:
        account = self.engine.core.accounts[number]
        for dialect in (self.classic, self.unified):
            listeners = [one for one in self.private[number] if one.dialect is dialect]
            wanted = {group for connection in listeners for group in connection.channels}
            if not wanted:
                continue
            for push in dialect.pushes(account, batches, wanted):
                for connection in listeners:
                    connection.push_private(push)
            for connection in listeners:
                connection.check_outbox()
