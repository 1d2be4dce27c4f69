"""The door of the exchange: every request is noted with its stamps, and meets the faults that stand.

With no fault standing it costs one look-up of the key and one entry in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet

from aiohttp import web

from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.faults.dialect import dialect_of
from trader.paper.faults.frames import FrameFaults
from trader.paper.faults.rest import Handle, RestFaults
from trader.paper.faults.rules import FaultBoard
from trader.paper.faults.wire import Wire, WireHub
from trader.paper.faults.young import Nursery
from trader.paper.requestlog import RequestLog
from trader.paper.wall import Wall


class Door:
    """Owns the faults, the request log and the exchange's wall clock."""

    def __init__(self, engine: Engine) -> None:
        self.faults = FaultBoard()
        self.wall = Wall(self.faults)
        self.log = RequestLog()
        self.hub = WireHub(self.faults, self._number)
        self.frames = FrameFaults(self.faults)
        self.passing_secrets: list[Callable[[], Iterable[str]]] = []
        """Credentials that are no account's for long, as listen keys."""
        self._engine = engine
        self._effects = RestFaults(self.faults, Nursery(engine, self.faults), self.wall)

    def protocol(self, server: web.Server, **options: object) -> Wire:
        """The connection that aiohttp is to use instead of its own."""
        return Wire(server, self.hub, **options)

    def guard(self, handle: Handle) -> Handle:
        """A handler behind the door."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            wire = request.protocol
            assert isinstance(wire, Wire)
            try:
                body = await request.read()
            except web.RequestPayloadError:  # the handler meets it again and answers
                body = b""
            key = request.headers.get(dialect_of(request.path).key_header)
            account = self._engine.by_key(key) if key else None
            number = account.id if account is not None else None
            raw = request.raw_path
            wire.path, wire.account = raw.partition("?")[0], number
            wire.record = self.log.add("rest", request.method, raw, number, stamps=wire.stamps(), body=body)
            if self.faults.paths:
                return await self._effects.serve(request, wire, account, handle)
            return await handle(request)

        return guarded

    def account(self, number: int) -> Account | None:
        return self._engine.account(number)

    def secrets(self) -> AbstractSet[str]:
        """Every credential there is: what no log shows."""
        return {
            secret
            for account in self._engine.accounts
            for secret in (
                account.record.key,
                account.record.secret,
                account.record.passphrase,
                account.record.second_key,
            )
            if secret
        } | {secret for source in self.passing_secrets for secret in source()}

    def _number(self, key: str) -> int | None:
        account: Account | None = self._engine.by_key(key)
        return account.id if account is not None else None

    def close(self) -> None:
        """Let go of everything that hangs."""
        self.faults.clear()
