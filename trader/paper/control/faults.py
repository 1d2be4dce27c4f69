"""``/control/faults`` and ``/control/requests``: what is to go wrong, and what arrived."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from shared.errors import UsageError
from trader.paper.control.api import Part, whole
from trader.paper.door import Door
from trader.paper.faults.rules import NewFault

_MOST_ROWS = 20_000
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class FaultControl:
    """Handlers for the control API to mount."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def routes(self) -> Mapping[tuple[str, str], Part]:
        return {
            ("POST", "/faults"): self._add,
            ("GET", "/faults"): self._list,
            ("DELETE", "/faults"): self._clear,
            ("DELETE", "/faults/{id}"): self._remove,
            ("GET", "/requests"): self._requests,
            ("DELETE", "/requests"): self._empty,
        }

    async def _add(self, request: web.Request) -> object:
        body = _decode(await request.read() or b"{}")
        new = msgspec.convert(body, NewFault, strict=False)
        if new.match.account is not None and self._door.account(new.match.account) is None:
            raise UsageError(f"match: there is no account {new.match.account}: GET /control/state lists them")
        rule = self._door.faults.add(new)
        return {"id": str(rule.id)}

    async def _list(self, request: web.Request) -> object:
        del request
        return self._door.faults.rows()

    async def _remove(self, request: web.Request) -> object:
        """Answers what the fault has done."""
        return self._door.faults.remove(request.match_info["id"]).row()

    async def _clear(self, request: web.Request) -> object:
        del request
        return {"removed": self._door.faults.clear()}

    async def _requests(self, request: web.Request) -> object:
        """Query: ``after`` (seq), ``limit``, ``path`` (exact, or a beginning with ``*``), ``account``."""
        account = whole(request, "account", 0)
        return self._door.log.rows(
            after=whole(request, "after", 0),
            limit=min(whole(request, "limit", 1000), _MOST_ROWS),
            path=request.query.get("path", ""),
            account=account or None,
            secrets=self._door.secrets(),
        )

    async def _empty(self, request: web.Request) -> object:
        del request
        return {"removed": self._door.log.clear()}
