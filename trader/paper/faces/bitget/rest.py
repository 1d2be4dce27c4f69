"""From an HTTP request to the venue's envelope: limits, signature, handler, answer."""

from __future__ import annotations

import logging

import msgspec
from aiohttp import web

from shared import clock
from shared.errors import VenueRefusedError
from trader.paper.engine.engine import Engine
from trader.paper.engine.refusals import Refused
from trader.paper.faces.bitget import account, orders, plans, positions, public
from trader.paper.faces.bitget.auth import authenticate
from trader.paper.faces.bitget.calls import ROUTES, Call, Route
from trader.paper.faces.bitget.errors import from_engine, refusal
from trader.paper.faces.bitget.limits import Limits
from trader.paper.faces.bitget.params import Params
from trader.paper.market import MarketHub

#: Importing them enters their routes.
HANDLERS = (account, orders, plans, positions, public)

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_JSON = "application/json"


class RestFace:
    """``handle`` serves everything under ``/api/``; ``failures`` counts answers with 40015 (our bugs)."""

    def __init__(self, engine: Engine, hub: MarketHub, *, limits: bool = True) -> None:
        self.engine = engine
        self.hub = hub
        self.limits = Limits(enabled=limits)
        self.failures = 0

    async def handle(self, request: web.Request) -> web.Response:
        path, _, query = request.raw_path.partition("?")
        try:
            body = await request.read()
        except web.RequestPayloadError:  # not in the coding that its header claims, or cut short
            return _refused(refusal("40017", "body"), None)
        route = ROUTES.get((request.method, path))
        left: int | None = None
        try:
            if route is None:
                self._unserved(request, path, body)
                raise refusal("40404")
            caller = None
            if route.signed:
                caller = authenticate(self.engine, request.headers, request.method, request.raw_path, body)
            left = self.limits.take(caller.id if caller else request.remote, path, route.per_second)
            if left < 0:
                raise refusal("429")
            params = Params.of_body(body) if request.method == "POST" else Params.of_query(query)
            data = self._run(route, Call(self.engine, self.hub, params, caller))
        except VenueRefusedError as refused:
            return _refused(refused, left)
        return _answer(200, "00000", "success", data, left)

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
            try:
                authenticate(self.engine, request.headers, request.method, request.raw_path, body)
            except VenueRefusedError as refused:
                if refused.code == "40085":
                    raise refusal("40404") from None
                raise
            raise refusal("40084")


def _refused(refused: VenueRefusedError, left: int | None) -> web.Response:
    return _answer(refused.status, refused.code, refused.text, None, left)


def _answer(status: int, code: str, message: str, data: object, left: int | None) -> web.Response:
    body = _encode({"code": code, "msg": message, "requestTime": clock.now_ms(), "data": data})
    response = web.Response(body=body, status=status, content_type=_JSON)
    if left is not None:
        response.headers["x-mbx-used-remain-limit"] = str(max(0, left))
    return response
