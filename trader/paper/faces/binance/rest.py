"""From an HTTP request to the venue's answer: weight, key, signature, order count, handler.

Answers have no envelope: an object or a list, and ``{"code", "msg"}`` for a refusal.
"""

from __future__ import annotations

import logging

import msgspec
from aiohttp import web

from shared.errors import VenueRefusedError
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import StateLostError
from trader.paper.engine.engine import Engine
from trader.paper.engine.refusals import Refused
from trader.paper.faces.binance import (
    account,
    algo,
    errors,
    general,
    history,
    klines,
    market_data,
    orders,
    positions,
    settings,
    symbols,
)
from trader.paper.faces.binance.auth import KEY_HEADER, authenticate, owner
from trader.paper.faces.binance.calls import ROUTES, Call, Route, Security, amount
from trader.paper.faces.binance.errors import from_engine, refusal
from trader.paper.faces.binance.listenkeys import ListenKeys
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.weights import Verdict, address_weights, order_counts
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.gate import Gate
from trader.paper.market import MarketHub
from trader.paper.state import SqliteStore
from trader.paper.wall import TRUE_WALL, Wall

#: Importing them enters their routes.
HANDLERS = (account, algo, general, history, klines, market_data, orders, positions, settings, symbols)

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_JSON = "application/json"


class RestFace:
    """``handle`` serves every path of the venue's REST; ``failures`` counts answers with -1000 (our bugs)."""

    def __init__(
        self,
        engine: Engine,
        hub: MarketHub,
        *,
        venue: VenueLimits | None = None,
        wall: Wall = TRUE_WALL,
        gate: Gate,
        store: SqliteStore,
    ) -> None:
        venue = venue or VenueLimits()
        self.engine = engine
        self.hub = hub
        self.wall = wall
        self.gate = gate
        self.store = store
        self.weights = address_weights(venue)
        self.orders = order_counts(venue)
        self.keys = ListenKeys(venue.binance_listen_key_s)
        self.failures = 0

    async def handle(self, request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        headers: dict[str, str] = {}
        try:
            data = await self._serve(request, path, query, headers)
        except VenueRefusedError as refused:
            status, data = refused.status, errors.body(refused)
        else:
            status = 200
        headers["X-MBX-USED-WEIGHT-1M"] = str(self.weights.used(request.remote))
        return web.Response(body=_encode(data), status=status, content_type=_JSON, headers=headers)

    async def _serve(self, request: web.Request, path: str, query: str, headers: dict[str, str]) -> object:
        try:
            body = await request.read()
        except web.RequestPayloadError:  # not in the coding that its header claims, or cut short
            raise refusal(-1102, "body") from None
        route = ROUTES.get((request.method, path))
        params = Params.of_request(query, body)
        weight = amount(route.weight, params) if route else 1
        self._pass(self.weights.take(request.remote, weight), headers)
        if route is None:
            raise refusal(-5000, f"{path}, Method {request.method}")
        caller = self._caller(route, request, query, body, params)
        if caller is not None and route.orders:
            verdict = self.orders.take(caller.id, amount(route.orders, params))
            headers |= self.order_headers(caller)
            self._pass(verdict, headers)
        return await self.execute(route, params, caller)

    def _caller(
        self, route: Route, request: web.Request, query: str, body: bytes, params: Params
    ) -> Account | None:
        if route.security is Security.NONE:
            return None
        if route.security is Security.KEY:
            return owner(self.engine, request.headers.get(KEY_HEADER))
        return authenticate(self.engine, request.headers, query, body, params, wall=self.wall)

    @staticmethod
    def _pass(verdict: Verdict, headers: dict[str, str]) -> None:
        if verdict.code:
            headers["Retry-After"] = str(verdict.retry_after_s)
            raise refusal(verdict.code, verdict.detail)

    def order_headers(self, caller: Account) -> dict[str, str]:
        minute, ten = self.orders.used(caller.id)
        return {"X-MBX-ORDER-COUNT-1M": str(minute), "X-MBX-ORDER-COUNT-10S": str(ten)}

    async def execute(self, route: Route, params: Params, caller: Account | None) -> object:
        """Every call passes here between authentication and execution, those over the websocket too.

        Limits are the caller's business (``weights``, ``orders``). Raises ``VenueRefusedError``.
        """
        call = Call(self.engine, self.hub, params, self, caller, self.wall)
        if caller is None or self.gate.open:
            found = self._run(route, call)
        else:
            found = await self.gate.carry_out(caller.id, lambda: self._run(route, call))
        if self.store.behind:
            try:
                await self.store.durable()
            except StateLostError:
                self.failures += 1
                raise refusal(-1000) from None
        return found

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
            raise refusal(-1000) from None
