"""The websocket: login, subscriptions, heartbeat, and an outbox that never grows without bound.

Public and private paths take every channel (some clients use one path for both); private ones need a
login. A client that does not read loses its oldest market data, and its connection when private
pushes pile up: it must then reconnect and ask over REST, as the venue itself prescribes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from shared import clock
from trader.paper.contract import FUTURES, SPOT
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine
from trader.paper.faces.bitget import auth
from trader.paper.faces.bitget.feed import Feed, TopicKey, frame
from trader.paper.faces.bitget.pushes import CHANNELS, account_rows, equity_rows, position_rows, pushes
from trader.paper.market import MarketHub

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 5000
MOST_CHANNELS = 1000
MOST_PUBLIC = 2000
MOST_PRIVATE = 5000
LONGEST_FRAME = 4096
FRAMES_PER_SECOND = 10

_TEXTS = {
    30001: "the channel or instrument does not exist",
    30002: "illegal request",
    30003: "the op does not exist",
    30004: "login is required",
    30005: "error",
    30006: "too many requests",
    30007: "over the limit",
    30011: "invalid ACCESS_KEY",
    30012: "invalid ACCESS_PASSPHRASE",
    30013: "invalid ACCESS_TIMESTAMP",
    30014: "the request timestamp has expired",
    30015: "invalid ACCESS_SIGN",
    30016: "parameter error",
}
_MARKETS = {"USDT-FUTURES": FUTURES, "SPOT": SPOT}
_ALIASES = {"inst_type": "instType", "inst_id": "instId", "api_key": "apiKey"}
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Stream(str):
    """A message of a channel whose messages build on each other; the first to go when a client is slow."""

    __slots__ = ()


class WsOptions(msgspec.Struct, frozen=True):
    """Seconds of silence before the server hangs up, and the longest life of a connection."""

    idle_s: float = 120.0
    life_s: float = 86_400.0
    limits: bool = True


class WsFace:
    """All connections; hears the engine and hands private pushes to whom they belong."""

    def __init__(self, engine: Engine, hub: MarketHub, options: WsOptions) -> None:
        self.engine = engine
        self.options = options
        self.feed = Feed(hub)
        self.connections: dict[Connection, None] = {}
        self.private: dict[int, dict[Connection, None]] = {}
        self.dropped = 0
        self.failures = 0
        engine.listen(self._on_batch)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if len(self.connections) >= MOST_CONNECTIONS:
            return web.Response(status=503, text="too many connections")
        if not all(value.isascii() for value in request.headers.values()):
            return web.Response(status=400, text="the headers of a handshake are ASCII")
        socket = web.WebSocketResponse(compress=False, max_msg_size=65_536, timeout=2.0)
        await socket.prepare(request)
        connection = Connection(self, socket, request.transport)
        self.connections[connection] = None
        try:
            await connection.run()
        finally:
            connection.forget()
            self.connections.pop(connection, None)
        return socket

    async def close(self) -> None:
        for connection in list(self.connections):
            await connection.hang_up(WSCloseCode.GOING_AWAY)

    def _on_batch(self, batch: Batch) -> None:
        if not self.private:
            return
        for number in batch.accounts:
            listeners = self.private.get(number)
            if listeners:
                try:
                    rows = pushes(self.engine, self.engine.core.accounts[number], batch)
                    for connection in list(listeners):
                        connection.push_private(rows)
                except Exception:  # what is stored stays done, whatever becomes of its push
                    self.failures += 1
                    log.exception("a private push failed; account=%s", number)


class Connection:
    """One client. ``run`` reads; a writer task empties the outbox."""

    def __init__(
        self, face: WsFace, socket: web.WebSocketResponse, transport: asyncio.Transport | None
    ) -> None:
        self.face = face
        self.account: Account | None = None
        self._socket = socket
        self._transport = transport
        self._public: dict[TopicKey, None] = {}
        self._private: dict[tuple[str, str], dict[str, object]] = {}
        self._outbox: deque[str | TopicKey] = deque()
        self._latest: dict[TopicKey, str] = {}
        self._wake = asyncio.Event()
        self._seconds: deque[int] = deque(maxlen=FRAMES_PER_SECOND)
        self._closing = False

    # reading

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        writer = loop.create_task(self._write())
        life = loop.call_later(self.face.options.life_s, self._end_of_life)
        try:
            while not self._closing:
                message = await self._socket.receive(timeout=self.face.options.idle_s)
                if message.type is WSMsgType.TEXT:
                    self._heard(message.data)
                elif message.type is not WSMsgType.BINARY:
                    break
        except TimeoutError:
            await self.hang_up(WSCloseCode.POLICY_VIOLATION)
        finally:
            life.cancel()
            self._closing = True
            self._wake.set()
            await writer

    def _heard(self, data: str) -> None:
        if self._too_fast():
            self._fail(30006)
            self._closing = True
            return
        if data == "ping":
            self._send("pong")
            return
        if len(data) > LONGEST_FRAME:
            self._fail(30016)
            return
        try:
            message = _decode(data)
        except (msgspec.MsgspecError, RecursionError):
            self._fail(30002)
            return
        args = message.get("args")
        if not isinstance(args, list) or not args or not all(isinstance(arg, dict) for arg in args):
            self._fail(30002)
            return
        match message.get("op"):
            case "login":
                self._login(args[0])
            case "subscribe":
                for arg in args:
                    self._subscribe(arg)
            case "unsubscribe":
                for arg in args:
                    self._unsubscribe(arg)
            case _:
                self._fail(30003)

    def _too_fast(self) -> bool:
        """More than ten frames within a second, heartbeats included."""
        if not self.face.options.limits:
            return False
        now = clock.monotonic_ns()
        full = len(self._seconds) == FRAMES_PER_SECOND and now - self._seconds[0] < clock.SECOND
        self._seconds.append(now)
        return full

    # login and subscriptions

    def _login(self, arg: dict[str, Any]) -> None:
        code = self._check_login(_plain(arg))
        if code:
            self._fail(code)
            self._closing = True
            return
        self._send('{"event":"login","code":0,"msg":""}')

    def _check_login(self, arg: dict[str, Any]) -> int:
        """0 when the login holds, else the venue's code. The timestamp is in seconds or milliseconds."""
        account = self.account or self.face.engine.by_key(str(arg.get("apiKey", "")))
        stamp = str(arg.get("timestamp", ""))
        code = 0
        if account is None:
            code = 30011
        elif str(arg.get("passphrase", "")) != account.record.passphrase:
            code = 30012
        elif not stamp.isascii() or not stamp.isdigit() or len(stamp) > 16:
            code = 30013
        elif abs(clock.now_ms() - int(stamp) * (1 if len(stamp) > 11 else 1000)) > auth.WINDOW_MS:
            code = 30014
        elif not auth.matches(account.record.secret, f"{stamp}GET/user/verify", str(arg.get("sign", ""))):
            code = 30015
        else:
            self.account = account
            self.face.private.setdefault(account.id, {})[self] = None
        return code

    def _subscribe(self, received: dict[str, Any]) -> None:
        arg = _plain(received)
        channel, market = str(arg.get("channel", "")), str(arg.get("instType", "")).upper()
        if len(self._public) + len(self._private) >= MOST_CHANNELS:
            self._fail(30007, received)
        elif market not in _MARKETS:
            self._fail(30001, received)
        elif channel in CHANNELS:
            self._subscribe_private(received, market, channel, arg)
        else:
            symbol = str(arg.get("instId", "")).upper()
            key = (_MARKETS[market], symbol, channel)
            if key in self._public:
                self._acknowledge("subscribe", received)
                return
            topic = self.face.feed.topic(key, {"instType": market, "channel": channel, "instId": symbol})
            if topic is None:
                self._fail(30001, received)
                return
            self._acknowledge("subscribe", received)
            self._public[key] = None
            topic.add(self)

    def _subscribe_private(
        self, received: dict[str, Any], market: str, channel: str, arg: dict[str, Any]
    ) -> None:
        if self.account is None:
            self._fail(30004, received)
            return
        named = "coin" if channel == "account" else "instId"
        symbol = str(arg.get(named, "default"))
        canonical: dict[str, object] = {"instType": market, "channel": channel}
        if channel != "equity":
            canonical[named] = symbol
        self._acknowledge("subscribe", received)
        if self.account.record.kind != "classic":
            return  # seen on the venue: a unified key may log in and subscribe, and then hears nothing
        if market == "USDT-FUTURES":
            self._private[(channel, symbol)] = canonical
        rows: list[dict[str, object]] | None = None
        if channel == "account":
            rows = account_rows(self.face.engine, self.account) if market == "USDT-FUTURES" else []
        elif channel == "positions":
            rows = position_rows(self.face.engine, self.account)
        elif channel == "equity":
            rows = equity_rows(self.face.engine, self.account)
        if rows is not None:
            self._send(frame("snapshot", canonical, rows))

    def _unsubscribe(self, received: dict[str, Any]) -> None:
        arg = _plain(received)
        channel, market = str(arg.get("channel", "")), str(arg.get("instType", "")).upper()
        named = "coin" if channel == "account" else "instId"
        self._private.pop((channel, str(arg.get(named, "default"))), None)
        key = (_MARKETS.get(market, ""), str(arg.get("instId", "")).upper(), channel)
        if key in self._public:
            del self._public[key]
            self.face.feed.unsubscribe(key, self)
        self._acknowledge("unsubscribe", received)

    def forget(self) -> None:
        """Leave every topic."""
        for key in self._public:
            self.face.feed.unsubscribe(key, self)
        if self.account is not None:
            listeners = self.face.private.get(self.account.id, {})
            listeners.pop(self, None)
            if not listeners:
                self.face.private.pop(self.account.id, None)

    # writing

    def push_public(self, key: TopicKey, message: str, *, latest: bool) -> None:
        """Market data: a whole picture replaces its unsent elder, a full outbox loses its oldest."""
        if latest:
            waiting = key in self._latest
            self._latest[key] = message
            if waiting:
                return
        self._outbox.append(key if latest else _Stream(message))
        if len(self._outbox) > MOST_PUBLIC:
            self._drop_oldest()
        self._wake.set()

    def _drop_oldest(self) -> None:
        for at, item in enumerate(self._outbox):
            if isinstance(item, _Stream | tuple):
                del self._outbox[at]
                if isinstance(item, tuple):
                    del self._latest[item]
                self.face.dropped += 1
                return

    def push_private(self, batch: list[tuple[str, list[dict[str, object]]]]) -> None:
        for channel, rows in batch:
            for (subscribed, symbol), arg in self._private.items():
                if subscribed != channel:
                    continue
                wanted = rows
                if symbol != "default" and channel not in {"account", "equity"}:
                    wanted = [row for row in rows if symbol in (row.get("instId"), row.get("symbol"))]
                    if not wanted and channel != "positions":
                        continue
                self._send(frame("snapshot", arg, wanted))
        if len(self._outbox) > MOST_PUBLIC + MOST_PRIVATE:
            log.warning("a private websocket does not read: cut")
            self._outbox.clear()
            self._latest.clear()
            if self._transport is not None:
                self._transport.abort()

    def _acknowledge(self, event: str, received: dict[str, Any]) -> None:
        self._send(_encode({"event": event, "arg": received}).decode())

    def _fail(self, code: int, received: dict[str, Any] | None = None) -> None:
        message: dict[str, object] = {"event": "error"}
        if received is not None:
            message["arg"] = received
        self._send(_encode(message | {"code": code, "msg": _TEXTS[code]}).decode())

    def _send(self, message: str) -> None:
        self._outbox.append(message)
        self._wake.set()

    async def _write(self) -> None:
        """Empty the outbox; after the last word of a closing connection, close it."""
        try:
            while True:
                while self._outbox:
                    item = self._outbox.popleft()
                    await self._socket.send_str(self._latest.pop(item) if isinstance(item, tuple) else item)
                if self._closing:
                    break
                self._wake.clear()
                await self._wake.wait()
        except ConnectionError:
            self._closing = True  # the client is gone
        await self._socket.close()

    def _end_of_life(self) -> None:
        self._closing = True
        self._wake.set()

    async def hang_up(self, code: WSCloseCode) -> None:
        self._closing = True
        self._wake.set()
        await self._socket.close(code=code)


def _plain(arg: dict[str, Any]) -> dict[str, Any]:
    """Snake-case names (the vendor's Python SDK) as the documented ones."""
    return {_ALIASES.get(name, name): value for name, value in arg.items()}
