"""The order websocket, ``/ws-fapi/v1``: the handlers of REST behind names of methods.

    {"id": "7", "method": "order.place", "params": {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET",
     "quantity": "0.01", "apiKey": "...", "timestamp": 1796000000000, "signature": "..."}}
    {"id": "7", "status": 200, "result": {"orderId": 1, ...}, "rateLimits": [...]}

Weights, order counts and codes are those of REST. There is no batch here, and no call for time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from shared import clock
from shared.errors import VenueRefusedError
from trader.paper.door import Door
from trader.paper.engine.accounts import Account
from trader.paper.faces.binance import errors, wsauth
from trader.paper.faces.binance.calls import ROUTES, Route, Security, amount
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.params import Params
from trader.paper.faces.binance.rest import RestFace
from trader.paper.faces.binance.sockets import Connection, SocketFace
from trader.paper.faces.binance.weights import Verdict, rate_limits
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.faults.wire import Wire

log = logging.getLogger(__name__)

PATH = "/ws-fapi/v1"
#: Weight of a handshake.
_HANDSHAKE = 5
#: Requests of one connection that may be on their way at once.
_MOST_WAITING = 200
_LONGEST_ID = 36

METHODS = {
    "order.place": ("POST", "/fapi/v1/order"),
    "order.modify": ("PUT", "/fapi/v1/order"),
    "order.cancel": ("DELETE", "/fapi/v1/order"),
    "order.status": ("GET", "/fapi/v1/order"),
    "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
    "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
    "account.balance": ("GET", "/fapi/v2/balance"),
    "v2/account.balance": ("GET", "/fapi/v3/balance"),
    "account.status": ("GET", "/fapi/v2/account"),
    "v2/account.status": ("GET", "/fapi/v3/account"),
    "account.position": ("GET", "/fapi/v2/positionRisk"),
    "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
    "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
    "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
    "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    "depth": ("GET", "/fapi/v1/depth"),
    "ticker.price": ("GET", "/fapi/v1/ticker/price"),
    "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
}
_SESSION = frozenset({"session.logon", "session.status", "session.logout"})
_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Any] = msgspec.json.Decoder(Any, float_hook=wsauth.Written).decode


class WsApiFace(SocketFace):
    """All order websockets."""

    def __init__(self, rest: RestFace, door: Door, limits: VenueLimits) -> None:
        super().__init__(door, limits)
        self.rest = rest
        self.tasks: set[asyncio.Task[None]] = set()
        """Requests on their way. One that has arrived is carried out, also when its client has gone."""

    def connection(
        self, request: web.Request, socket: web.WebSocketResponse, wire: Wire
    ) -> ApiConnection | None:
        return ApiConnection(self, socket, wire, request)

    async def close(self) -> None:
        await super().close()
        for task in self.tasks:
            task.cancel()
        if self.tasks:
            await asyncio.wait(self.tasks)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        verdict = self.rest.weights.take(request.remote, _HANDSHAKE)
        if verdict.code:
            refused = refusal(verdict.code, verdict.detail)
            headers = {"Retry-After": str(verdict.retry_after_s)}
            return web.Response(status=refused.status, body=_encode(errors.body(refused)), headers=headers)
        return await super().handle(request)


class Asked(msgspec.Struct):
    """One request. ``id`` goes back as it came."""

    id: str | int | None
    method: str
    values: dict[str, Any]
    limits: bool = True


class ApiConnection(Connection):
    """One client; after a ``session.logon`` it need not sign any more."""

    paced = False

    def __init__(
        self, house: WsApiFace, socket: web.WebSocketResponse, wire: Wire, request: web.Request
    ) -> None:
        super().__init__(house, socket, wire)
        self.rest = house.rest
        self._all_tasks = house.tasks
        self._door = house.door
        self._remote = request.remote
        self._limits_shown = dict(parse_qsl(request.query_string)).get("returnRateLimits") != "false"
        self._since = self.rest.wall.now_ms()
        self._session: Account | None = None
        self._session_key = ""
        self._session_since = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def number(self) -> int | None:
        return self._session.id if self._session is not None else None

    def opened(self) -> None:
        return

    def forget(self) -> None:
        return

    # a request

    async def heard(self, data: str) -> None:
        body = data.encode("utf-8", "surrogatepass")
        try:
            asked = self._read(body)
        except VenueRefusedError as refused:
            self.note("", b"")
            self.outbox.send(self._refused(None, refused))
            return
        self.note(asked.method, body)
        if len(self._tasks) >= _MOST_WAITING:
            await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.get_running_loop().create_task(self._serve(asked))
        for tasks in (self._tasks, self._all_tasks):
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    def _read(self, body: bytes) -> Asked:
        try:
            message = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            raise refusal(-1135) from None
        if not isinstance(message, dict):
            raise refusal(-1135)
        number, method, values = message.get("id"), message.get("method"), message.get("params")
        if not _is_id(number):
            raise refusal(-1102, "id")
        if values is None:
            values = {}
        if not isinstance(method, str) or not isinstance(values, dict):
            raise refusal(-1135)
        shown = values.get("returnRateLimits", self._limits_shown)
        return Asked(number, method, values, shown not in (False, "false"))

    async def _serve(self, asked: Asked) -> None:
        def refuse(status: int, code: str, text: str) -> str:
            return self._refused(asked, VenueRefusedError(code, text, status))

        account = self._whose(asked)
        answers = await self._door.frames.serve(
            f"{PATH}/{asked.method[:40]}",
            account.id if account is not None else None,
            self,
            refuse=refuse,
            work=lambda: self._answer(asked),
        )
        for answer in answers:
            self.outbox.send(answer)

    def _whose(self, asked: Asked) -> Account | None:
        key = asked.values.get("apiKey")
        return self.rest.engine.by_key(key) if isinstance(key, str) else self._session

    async def _answer(self, asked: Asked) -> str:
        try:
            if asked.method in _SESSION:
                return self._done(asked, self._of_session(asked), None)
            return await self._executed(asked)
        except _OverLimitError as over:
            return self._refused(asked, over.refused, over.verdict)
        except VenueRefusedError as refused:
            return self._refused(asked, refused)
        except Exception:  # the border of one request: counted, logged, never without an answer
            self._house.failures += 1
            log.exception("a request failed; method=%s", asked.method[:40])
            return self._refused(asked, refusal(-1000))

    async def _executed(self, asked: Asked) -> str:
        where = METHODS.get(asked.method)
        route = ROUTES.get(where) if where else None
        params = Params(wsauth.plain(asked.values))
        self._pass(self.rest.weights.take(self._remote, amount(route.weight, params) if route else 1))
        if route is None:
            raise refusal(-1020)
        caller = self._caller(route, asked, params)
        if caller is not None and route.orders:
            self._pass(self.rest.orders.take(caller.id, amount(route.orders, params)))
        result = await self.rest.execute(route, params, caller)
        return self._done(asked, result, caller if route.orders else None)

    @staticmethod
    def _pass(verdict: Verdict) -> None:
        if verdict.code:
            raise _OverLimitError(verdict)

    def _caller(self, route: Route, asked: Asked, params: Params) -> Account | None:
        if route.security is Security.NONE:
            return None
        if self._session is not None and not params.has("apiKey"):
            if route.security is Security.SIGNED:
                wsauth.timely(params, self.rest.wall)
            return self._session
        if route.security is Security.KEY:
            return wsauth.owner(self.rest.engine, params.text("apiKey"))
        return wsauth.authenticate(self.rest.engine, asked.values, params, wall=self.rest.wall)

    # the session

    def _of_session(self, asked: Asked) -> dict[str, object]:
        self._pass(self.rest.weights.take(self._remote, 2))
        if asked.method == "session.logon":
            params = Params(wsauth.plain(asked.values))
            account = wsauth.logon(self.rest.engine, asked.values, params, wall=self.rest.wall)
            self._session, self._session_key = account, params.text("apiKey")
            self._session_since = self.rest.wall.now_ms()
        elif asked.method == "session.logout":
            self._session, self._session_key, self._session_since = None, "", 0
        return {
            "apiKey": self._session_key or None,
            "authorizedSince": self._session_since or None,
            "connectedSince": self._since,
            "returnRateLimits": self._limits_shown,
            "serverTime": self.rest.wall.now_ms(),
        }

    # answers

    def _done(self, asked: Asked, result: object, caller: Account | None) -> str:
        answer = {"id": asked.id, "status": 200, "result": result}
        return self._written(answer, asked, caller)

    def _refused(
        self, asked: Asked | None, refused: VenueRefusedError, verdict: Verdict | None = None
    ) -> str:
        error = errors.body(refused)
        if verdict is not None:
            now = self.rest.wall.now_ms()
            error["data"] = {"serverTime": now, "retryAfter": clock.now_ms() + verdict.retry_after_s * 1000}
        answer: dict[str, object] = {
            "id": asked.id if asked is not None else None,
            "status": refused.status,
            "error": error,
        }
        return self._written(answer, asked, None)

    def _written(self, answer: dict[str, object], asked: Asked | None, caller: Account | None) -> str:
        if asked is None or asked.limits:
            answer["rateLimits"] = self._used(caller)
        return _encode(answer).decode()

    def _used(self, caller: Account | None) -> list[dict[str, object]]:
        """How much of the limits is used: of orders too, when the call counted as one."""
        rest = self.rest
        minute, ten = rest.orders.used(caller.id) if caller is not None else (0, 0)
        counts = {("REQUEST_WEIGHT", 1): rest.weights.used(self._remote)}
        if caller is not None:
            counts |= {("ORDERS", 1): minute, ("ORDERS", 10): ten}
        return [
            row | {"count": counts[str(row["rateLimitType"]), int(str(row["intervalNum"]))]}
            for row in rate_limits(rest.weights, rest.orders)
            if (row["rateLimitType"], row["intervalNum"]) in counts
        ]


def _is_id(value: object) -> bool:
    """A short text, a whole number, or null."""
    if isinstance(value, bool | wsauth.Written):
        return False
    return isinstance(value, str | int | None) and len(str(value)) <= _LONGEST_ID


class _OverLimitError(Exception):
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.code)
        self.verdict = verdict
        self.refused = refusal(verdict.code, verdict.detail)
