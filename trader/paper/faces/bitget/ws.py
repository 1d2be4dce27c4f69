"""The websocket: login, subscriptions, heartbeat, and an outbox that never grows without bound.

Public and private paths take every channel (some clients use one path for both); private ones need a
login. A client that does not read loses its oldest market data, and its connection when private
pushes pile up: it must then reconnect and ask over REST, as the venue itself prescribes.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from shared import clock
from shared.errors import VenueRefusedError
from trader.paper.contract import FUTURES, SPOT
from trader.paper.door import Door
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget import auth, spot_pushes, wstrade
from trader.paper.faces.bitget.feed import Arg, Feed, TopicKey, frame
from trader.paper.faces.bitget.limits import Paces, VenueLimits, connect_pace
from trader.paper.faces.bitget.pushes import (
    CHANNELS,
    Row,
    account_rows,
    equity_rows,
    position_rows,
    pushes,
)
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faults.stream import Line
from trader.paper.faults.wire import Wire

log = logging.getLogger(__name__)

MOST_CONNECTIONS = 5000
MOST_PUBLIC = 2000
MOST_PRIVATE = 5000
LONGEST_FRAME = 65_536
_HOUR_S = 3600.0

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


class WsFace:
    """All connections; hears the engine and hands private pushes to whom they belong."""

    def __init__(self, rest: RestFace, door: Door, limits: VenueLimits) -> None:
        self.rest = rest
        self.engine = rest.engine
        self.door = door
        self.limits = limits
        self.feed = Feed(rest.hub, rest.engine.open_interest)
        self._connects = connect_pace(limits)
        self._addresses: Counter[str | None] = Counter()
        self.connections: dict[Connection, None] = {}
        self.private: dict[int, dict[Connection, None]] = {}
        self.dropped = 0
        self.failures = 0
        self.engine.listen(self._on_stored)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        remote, most = request.remote, self.limits.ws_connections_per_ip
        if len(self.connections) >= MOST_CONNECTIONS:
            return web.Response(status=503, text="too many connections")
        if self._connects.over(remote) or (most and self._addresses[remote] >= most):
            return web.Response(status=429, text="too many connections of this address")
        if not all(value.isascii() for value in request.headers.values()):
            return web.Response(status=400, text="the headers of a handshake are ASCII")
        socket = web.WebSocketResponse(compress=False, max_msg_size=LONGEST_FRAME, timeout=2.0)
        wire = request.protocol
        assert isinstance(wire, Wire)
        await socket.prepare(request)
        wire.answered(101)
        connection = Connection(self, socket, wire)
        self.connections[connection] = None
        self._addresses[remote] += 1
        try:
            await connection.run()
        finally:
            connection.forget()
            self.connections.pop(connection, None)
            self._addresses[remote] -= 1
            if not self._addresses[remote]:
                del self._addresses[remote]
        return socket

    async def close(self) -> None:
        for connection in list(self.connections):
            await connection.hang_up(WSCloseCode.GOING_AWAY)

    def _on_stored(self, batches: list[Batch]) -> None:
        """Whole pictures (positions, account, equity) go out once for all of an account's batches."""
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
        listeners = list(self.private[number])
        account = self.engine.core.accounts[number]
        wanted = {key for connection in listeners for key in connection.channels}
        for market, rows in (
            ("USDT-FUTURES", pushes(self.engine, account, batches, wanted)),
            ("SPOT", spot_pushes.pushes(self.engine, account, batches, wanted)),
        ):
            for channel, made in rows:
                push = Push(channel, made)
                for connection in listeners:
                    connection.push_private(push, market)
        for connection in listeners:
            connection.check_outbox()


class Push:
    """One push for all who hear its channel: its rows are encoded once."""

    __slots__ = ("_text", "channel", "rows")

    def __init__(self, channel: str, rows: list[Row]) -> None:
        self.channel = channel
        self.rows = rows
        self._text = ""

    def frame(self, head: str) -> str:
        if not self._text:
            self._text = f'{_encode(self.rows).decode()},"ts":{clock.now_ms()}}}'
        return head + self._text


def _head(arg: Arg) -> str:
    """The beginning of every push of a subscription."""
    return f'{{"action":"snapshot","arg":{_encode(arg).decode()},"data":'


class _Private(msgspec.Struct, frozen=True):
    """A private subscription; ``symbol`` "default" is every one."""

    symbol: str
    arg: Arg
    head: str


class Connection:
    """One client. ``run`` reads; a writer task empties the outbox."""

    def __init__(self, face: WsFace, socket: web.WebSocketResponse, wire: Wire) -> None:
        self.face = face
        self.account: Account | None = None
        self._socket = socket
        self._wire = wire
        self._faults = face.door.faults
        self._line = Line(self._faults, wire.reset, self._deafen)
        self._public: dict[TopicKey, None] = {}
        self._private: dict[tuple[str, str], list[_Private]] = {}
        self._outbox: deque[str | TopicKey] = deque()
        self._latest: dict[TopicKey, str] = {}
        self._wake = asyncio.Event()
        self._frames = Paces(face.limits.ws_messages_per_s, 1.0)
        self._subscribes = Paces(face.limits.ws_subscribes_per_hour, _HOUR_S)
        self._closing = False

    # reading

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        writer = loop.create_task(self._write())
        limits = self.face.limits
        life = loop.call_later(limits.ws_life_s, self._end_of_life) if limits.ws_life_s else None
        try:
            while not self._closing:
                message = await self._socket.receive(timeout=limits.ws_idle_s or None)
                if message.type is WSMsgType.TEXT:
                    await self._heard(message.data)
                elif message.type is not WSMsgType.BINARY:
                    break
        except TimeoutError:
            await self.hang_up(WSCloseCode.POLICY_VIOLATION)
        finally:
            if life is not None:
                life.cancel()
            self._closing = True
            self._wake.set()
            await writer

    async def _heard(self, data: str) -> None:
        if self._frames.over(None):
            self._fail(30006)
            self._closing = True
            return
        if data == "ping":
            self._wire.stamps()
            self._send("pong")
            return
        body = data.encode("utf-8", "surrogatepass")
        most = self.face.limits.ws_frame_bytes
        if most and len(body) > most:
            self._fail(30016)
            return
        try:
            message = _decode(body)
        except (msgspec.MsgspecError, RecursionError):
            self._note("", b"")
            self._fail(30002)
            return
        op, args = message.get("op"), message.get("args")
        self._note(op, body)
        if not isinstance(args, list) or not args or not all(isinstance(arg, dict) for arg in args):
            self._fail(30002)
            return
        await self._command(op, args)

    def _note(self, op: object, body: bytes) -> None:
        """Frames but pings are in the log of what arrived."""
        name = op[:40] if isinstance(op, str) else ""
        self.face.door.log.add(
            "ws", name, self._wire.path, self._number, stamps=self._wire.stamps(), body=body
        )

    async def _command(self, op: object, args: list[dict[str, Any]]) -> None:
        match op:
            case "login":
                self._login(args[0])
            case "subscribe":
                if self._subscribes.over(None):
                    self._fail(30007)
                    return
                for arg in args:
                    self._subscribe(arg)
            case "unsubscribe":
                for arg in args:
                    self._unsubscribe(arg)
            case "trade":
                for arg in args:
                    await self._trade(arg)
            case _:
                self._fail(30003)

    async def _trade(self, arg: dict[str, Any]) -> None:
        if self.account is None:
            self._fail(30004, [arg])
            return
        try:
            answer = await wstrade.trade(self.face.rest, self.account, _plain(arg))
        except wstrade.BadTradeError as bad:
            self._fail(bad.code, [arg])
        except VenueRefusedError as error:
            self._send(_encode(wstrade.refused(arg, error)).decode())
        else:
            self._send(_encode(answer).decode())

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
        account = self.account or self.face.engine.by_key(
            str(arg.get("apiKey", "")), AccountKind.CLASSIC, AccountKind.UNIFIED
        )
        stamp = str(arg.get("timestamp", ""))
        code = 0
        if account is None:
            code = 30011
        elif str(arg.get("passphrase", "")) != account.record.passphrase:
            code = 30012
        elif not stamp.isascii() or not stamp.isdigit() or len(stamp) > 16:
            code = 30013
        elif (
            abs(self.face.door.wall.now_ms() - int(stamp) * (1 if len(stamp) > 11 else 1000)) > auth.WINDOW_MS
        ):
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
        most = self.face.limits.ws_channels
        if most and len(self._public) + sum(map(len, self._private.values())) >= most:
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
        named = _naming(channel, arg)
        symbol = str(arg.get(named, "default"))
        canonical: dict[str, object] = {"instType": market, "channel": channel}
        if channel not in {"equity", "adl-noti"} or named in arg:
            canonical[named] = symbol
        self._acknowledge("subscribe", received)
        if self.account.record.kind is not AccountKind.CLASSIC:
            return  # seen on the venue: a unified key may log in and subscribe, and then hears nothing
        self._forget(market, channel, symbol)
        self._private.setdefault((market, channel), []).append(_Private(symbol, canonical, _head(canonical)))
        rows: list[dict[str, object]] | None = None
        if market == "SPOT":
            rows = spot_pushes.account_rows(self.account, symbol) if channel == "account" else None
        elif channel == "account":
            rows = account_rows(self.face.engine, self.account)
        elif channel == "positions":
            rows = position_rows(self.face.engine, self.account)
        elif channel == "equity":
            rows = equity_rows(self.face.engine, self.account)
        if rows is not None:
            self._push(channel, frame("snapshot", canonical, rows))

    def _unsubscribe(self, received: dict[str, Any]) -> None:
        arg = _plain(received)
        channel, market = str(arg.get("channel", "")), str(arg.get("instType", "")).upper()
        named = _naming(channel, arg)
        self._forget(market, channel, str(arg.get(named, "default")))
        key = (_MARKETS.get(market, ""), str(arg.get("instId", "")).upper(), channel)
        if key in self._public:
            del self._public[key]
            self.face.feed.unsubscribe(key, self)
        self._acknowledge("unsubscribe", received)

    def _forget(self, market: str, channel: str, symbol: str) -> None:
        """Leave one private channel."""
        left = [one for one in self._private.pop((market, channel), []) if one.symbol != symbol]
        if left:
            self._private[market, channel] = left

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
        if self._faults.channels or self._line.busy:
            self._line.push(key[2], self._number, message, self._emit_public)
            return
        if latest:
            waiting = key in self._latest
            self._latest[key] = message
            if waiting:
                return
        self._append_public(key if latest else _Stream(message))

    def _emit_public(self, message: str) -> None:
        self._append_public(_Stream(message))

    def _append_public(self, item: str | TopicKey) -> None:
        self._outbox.append(item)
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

    @property
    def channels(self) -> Iterable[tuple[str, str]]:
        """(market, channel) of every private subscription."""
        return self._private.keys()

    def push_private(self, push: Push, market: str) -> None:
        for subscribed in self._private.get((market, push.channel), ()):
            if subscribed.symbol == "default" or push.channel == "equity":
                self._push(push.channel, push.frame(subscribed.head))
            else:
                wanted = _chosen(push, market, subscribed.symbol)
                if wanted is not None:
                    self._push(push.channel, frame("snapshot", subscribed.arg, wanted))

    def check_outbox(self) -> None:
        """Cut a client that does not read."""
        if len(self._outbox) > MOST_PUBLIC + MOST_PRIVATE:
            log.warning("a private websocket does not read: cut")
            self._outbox.clear()
            self._latest.clear()
            if self._wire.transport is not None:
                self._wire.transport.abort()

    def _acknowledge(self, event: str, received: dict[str, Any]) -> None:
        self._send(_encode({"event": event, "arg": received}).decode())

    def _fail(self, code: int, received: dict[str, Any] | list[dict[str, Any]] | None = None) -> None:
        message: dict[str, object] = {"event": "error"}
        if received is not None:
            message["arg"] = received
        self._send(_encode(message | {"code": code, "msg": _TEXTS[code]}).decode())

    @property
    def _number(self) -> int | None:
        return self.account.id if self.account is not None else None

    def _push(self, channel: str, message: str) -> None:
        """A private push; faults may have it."""
        if self._faults.channels or self._line.busy:
            self._line.push(channel, self._number, message, self._send)
        else:
            self._send(message)

    def _deafen(self) -> None:
        self._wire.deaf = True

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


def _chosen(push: Push, market: str, symbol: str) -> list[Row] | None:
    """The rows of one symbol or coin; ``None`` = nothing to push (a picture of positions always is)."""
    if push.channel == "account":
        if market != "SPOT":
            return push.rows
        found = [row for row in push.rows if row["coin"] == symbol.upper()]
    else:
        found = [row for row in push.rows if symbol in (row.get("instId"), row.get("symbol"))]
    return found if found or push.channel == "positions" else None


def _naming(channel: str, arg: dict[str, Any]) -> str:
    """The key that says which ones: ``account`` has coin, though some clients give (and look for) instId."""
    return "coin" if channel == "account" and ("coin" in arg or "instId" not in arg) else "instId"
