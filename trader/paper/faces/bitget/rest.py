"""From an HTTP request to the venue's envelope: limits, signature, handler, answer."""

from __future__ import annotations

import logging

import msgspec
from aiohttp import web

from shared.errors import VenueRefusedError
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import StateLostError
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind
from trader.paper.engine.refusals import Refused
from trader.paper.faces.bitget import (
    account,
    bills,
    margins,
    orders,
    planlists,
    plans,
    positions,
    public,
    reference,
    spot_account,
    spot_orders,
    spot_plans,
    spot_public,
    tpsl,
    v3,
)
from trader.paper.faces.bitget.auth import authenticate, check_kind
from trader.paper.faces.bitget.calls import ROUTES, Call, Route
from trader.paper.faces.bitget.errors import from_engine, refusal
from trader.paper.faces.bitget.limits import Limits, VenueLimits, address_pace
from trader.paper.faces.bitget.params import Params
from trader.paper.gate import Gate
from trader.paper.market import MarketHub
from trader.paper.state import SqliteStore
from trader.paper.wall import TRUE_WALL, Wall

#: Importing them enters their routes.
HANDLERS = (
    account, bills, margins, orders, planlists, plans, positions, public, reference, spot_account,
    spot_orders, spot_plans, spot_public, tpsl, *v3.HANDLERS,
)  # fmt: skip

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_JSON = "application/json"


class RestFace:
    """``handle`` serves everything under ``/api/``; ``failures`` counts answers with 40015 (our bugs)."""

    def __init__(
        self,
        engine: Engine,
        hub: MarketHub,
        *,
        limits: bool = True,
        venue: VenueLimits | None = None,
        wall: Wall = TRUE_WALL,
        gate: Gate,
        store: SqliteStore,
    ) -> None:
        self.engine = engine
        self.store = store
        self.gate = gate
        self.hub = hub
        self.wall = wall
        self.limits = Limits(enabled=limits)
        self.addresses = address_pace(venue or VenueLimits())
        self.failures = 0

    async def handle(self, request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        try:
            body = await request.read()
        except web.RequestPayloadError:  # not in the coding that its header claims, or cut short
            broken = refusal("40017", "body")
            return self._answer(broken.status, broken.code, broken.text, None, None)
        route = ROUTES.get((request.method, path))
        left: int | None = None
        try:
            if self.addresses.over(request.remote):
                raise refusal("429")
            if route is None:
                self._unserved(request, path, body)
                raise refusal("40404")
            caller = self._caller(request, body, route.kind) if route.signed else None
            left = self.limits.take(caller.id if caller else request.remote, path, route.per_second)
            if left < 0:
                raise refusal("429")
            data = await self.execute(route, _params(route, request.method, query, body), caller)
        except VenueRefusedError as refused:
            return self._answer(refused.status, refused.code, refused.text, None, left)
        return self._answer(200, "00000", "success", data, left)

    def _caller(self, request: web.Request, body: bytes, kind: AccountKind) -> Account:
        return authenticate(
            self.engine, request.headers, request.method, request.raw_path, body, wall=self.wall, kind=kind
        )

    async def execute(self, route: Route, params: Params, caller: Account | None) -> object:
        """Every call passes here between authentication and execution, those over the websocket too.

        Raises ``VenueRefusedError``.
        """
        call = Call(self.engine, self.hub, params, caller, self.wall)
        if caller is None or self.gate.open:
            found = self._run(route, call)
        else:
            found = await self.gate.carry_out(caller.id, lambda: self._run(route, call))
        if self.store.behind:
            try:
                await self.store.durable()
            except StateLostError:
                self.failures += 1
                raise refusal("40015") from None
        return found

    async def execute_signed(self, path: str, params: Params, caller: Account) -> object:
        """A signed POST that came another way than HTTP, under the same limit per second."""
        route = ROUTES[("POST", path)]
        if self.limits.take(caller.id, path, route.per_second) < 0:
            raise refusal("429")
        check_kind(caller, route.kind)
        return await self.execute(route, params, caller)

    def _run(self, route: Route, call: Call) -> object:
        try:
            return route.handler(call)
        except Refused as refused:
            raise from_engine(refused) from None
        except VenueRefusedError:
            raise
        except Exception:  # the border of one request: counted, logged, never a broken connection
            self.failures += 1
            log.exception("a request failed; handler=%s", route.handler.__name__)
            raise refusal("40015") from None

    def _unserved(self, request: web.Request, path: str, body: bytes) -> None:
        """Paths of the other interface versions have answers of their own."""
        if path.startswith(("/api/mix/v1/", "/api/spot/v1/", "/api/margin/v1/", "/api/user/v1/")):
            raise refusal("30032")
        if path.startswith("/api/v3/") and not path.startswith(("/api/v3/market/", "/api/v3/public/")):
            self._caller(request, body, AccountKind.UNIFIED)

    def _answer(self, status: int, code: str, message: str, data: object, left: int | None) -> web.Response:
        body = _encode({"code": code, "msg": message, "requestTime": self.wall.now_ms(), "data": data})
        response = web.Response(body=body, status=status, content_type=_JSON)
        if left is not None:
            response.headers["x-mbx-used-remain-limit"] = str(max(0, left))
        return response


def _params(route: Route, method: str, query: str, body: bytes) -> Params:
    if method != "POST":
        return Params.of_query(query)
    return Params.of_list(body) if route.listed else Params.of_body(body)
