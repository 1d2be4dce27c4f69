"""``/control/latency``, ``/control/lockstep`` and the hash of the ledger: what a repeatable run needs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec
from aiohttp import web

from shared.errors import UsageError
from trader.paper.control.api import Part, whole
from trader.paper.engine.engine import Engine
from trader.paper.gate import Gate
from trader.paper.latency import Ways

_PAGE = 10_000
_encode = msgspec.msgpack.Encoder().encode


class NewLatency(Ways, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``account`` 0 = every account."""

    account: int = 0


class Seats(msgspec.Struct, forbid_unknown_fields=True):
    accounts: list[int]


class Acknowledgement(msgspec.Struct, forbid_unknown_fields=True):
    account: int


class PaceControl:
    """Handlers for the control API to mount."""

    def __init__(self, engine: Engine, gate: Gate) -> None:
        self._engine = engine
        self._gate = gate

    def routes(self) -> Mapping[tuple[str, str], Part]:
        return {
            ("GET", "/latency"): self._show,
            ("POST", "/latency"): self._delay,
            ("GET", "/lockstep"): self._seats,
            ("POST", "/lockstep"): self._start,
            ("DELETE", "/lockstep"): self._stop,
            ("POST", "/lockstep/ack"): self._acknowledge,
            ("GET", "/ledger/hash"): self._hash,
        }

    async def _show(self, request: web.Request) -> object:
        return self._gate.latency.of(whole(request, "account", 0))

    async def _delay(self, request: web.Request) -> object:
        wanted = msgspec.json.decode(await request.read() or b"{}", type=NewLatency)
        if wanted.account:
            self._known(wanted.account)
        ways = Ways(request=wanted.request, answer=wanted.answer, seed=wanted.seed)
        self._gate.latency.set(ways, wanted.account)
        return wanted

    async def _seats(self, request: web.Request) -> object:
        del request
        return {"accounts": self._gate.lockstep.seats(), "steps": self._gate.lockstep.steps}

    async def _start(self, request: web.Request) -> object:
        wanted = msgspec.json.decode(await request.read() or b"{}", type=Seats)
        for number in wanted.accounts:
            self._known(number)
        self._gate.lockstep.start(wanted.accounts)
        return {"accounts": self._gate.lockstep.seats(), "steps": self._gate.lockstep.steps}

    async def _stop(self, request: web.Request) -> object:
        del request
        self._gate.lockstep.stop()
        return {"accounts": [], "steps": self._gate.lockstep.steps}

    async def _acknowledge(self, request: web.Request) -> object:
        """Answers at the next step of the clock."""
        wanted = msgspec.json.decode(await request.read() or b"{}", type=Acknowledgement)
        return {"now_ns": await self._gate.lockstep.acknowledge(wanted.account)}

    async def _hash(self, request: web.Request) -> object:
        """SHA-256 over every ledger line, account by account, in the order of booking."""
        del request
        digest, lines = hashlib.sha256(), 0
        for account in sorted(self._engine.accounts, key=lambda one: one.id):
            after = 0
            while entries := self._engine.entries(account, after, _PAGE):
                for entry in entries:
                    digest.update(_encode(entry))
                lines += len(entries)
                after = entries[-1].seq
        return {"sha256": digest.hexdigest(), "entries": lines}

    def _known(self, number: int) -> None:
        if self._engine.account(number) is None:
            raise UsageError(f"there is no account {number}: GET /control/state lists them")
