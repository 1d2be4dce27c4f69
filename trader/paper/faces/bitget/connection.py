"""One websocket connection: frames, heartbeat, limits, login, subscriptions, requests.

Public and private paths take every channel (some clients use one path for both); private ones need a
login.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from trader.paper.door import Door
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget import auth
from trader.paper.faces.bitget.dialect import (
    EVERY,
    TEXTS,
    Dialect,
    Group,
    Private,
    Public,
    Push,
    Request,
    encode,
)
from trader.paper.faces.bitget.feed import TopicKey
from trader.paper.faces.bitget.limits import Paces, VenueLimits
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faces.outbox import Outbox
from trader.paper.faults.stream import Line
from trader.paper.faults.wire import Wire

log = logging.getLogger(__name__)

#: Requests of one connection that may be under way; further frames wait until one is done.
MOST_AT_ONCE = 100
_HOUR_S = 3600.0
_ALIASES = {"inst_type": "instType", "inst_id": "instId", "api_key": "apiKey"}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class House(Protocol):
    """What all connections share."""

    rest: RestFace
    engine: Engine
    door: Door
    limits: VenueLimits
    work: set[asyncio.Task[None]]
    """Requests under way, of all connections."""

    def count_drop(self) -> None:
        """A message was thrown away."""

    def listens(self, connection: Connection, account: Account) -> None:
        """The connection has logged in."""

    def left(self, connection: Connection, account: Account) -> None:
        """It is gone."""


class _Heard(msgspec.Struct, frozen=True):
    """A private subscription; ``text`` is its arg as JSON."""

    symbol: str
    text: str


class Connection:
    """One client. ``run`` reads; a writer task empties the outbox; requests run beside both."""

    def __init__(self, house: House, dialect: Dialect, socket: web.WebSocketResponse, wire: Wire) -> None:
        self.house = house
        self.dialect = dialect
        self.account: Account | None = None
        self._socket = socket
        self._wire = wire
        self._name = secrets.token_hex(8)
        self._faults = house.door.faults
        self._line = Line(self._faults, wire.reset, self.deafen)
        self._public: dict[TopicKey, None] = {}
        self._private: dict[Group, list[_Heard]] = {}
        self._outbox = Outbox(socket, wire, house.count_drop)
        self._send = self._outbox.send
        self.check_outbox = self._outbox.check
        self.hang_up = self._outbox.hang_up
        self._frames = Paces(house.limits.ws_messages_per_s, 1.0)
        self._subscribes = Paces(house.limits.ws_subscribes_per_hour, _HOUR_S)
        self._work: set[asyncio.Task[None]] = set()

    # reading

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        writer = loop.create_task(self._outbox.write())
        limits = self.house.limits
        life = loop.call_later(limits.ws_life_s, self._outbox.finish) if limits.ws_life_s else None
        try:
            while not self._outbox.closing:
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
            self._outbox.finish()
            await writer

    async def _heard(self, data: str) -> None:
        if self._frames.over(None):
            self._fail(30006)
            self._outbox.closing = True
            return
        if data == "ping":
            self._wire.stamps()
            self._send("pong")
            return
        body = data.encode("utf-8", "surrogatepass")
        most = self.house.limits.ws_frame_bytes
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
        await self._command(op, message, args)

    def _note(self, op: object, body: bytes) -> None:
        """Frames but pings are in the log of what arrived."""
        name = op[:40] if isinstance(op, str) else ""
        self.house.door.log.add(
            "ws", name, self._wire.path, self._number, stamps=self._wire.stamps(), body=body
        )

    async def _command(self, op: object, message: dict[str, Any], args: list[dict[str, Any]]) -> None:
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
                await self._trade(self.dialect.requests(message, args, self._name))
            case _:
                self._fail(30003)

    # login

    def _login(self, arg: dict[str, Any]) -> None:
        code = self._check_login(_plain(arg))
        if code:
            self._fail(code)
            self._outbox.closing = True
            return
        self._send('{"event":"login","code":0,"msg":""}')

    def _check_login(self, arg: dict[str, Any]) -> int:
        """0 when the login holds, else the venue's code. The timestamp is in seconds or milliseconds."""
        account = self.account or self.house.engine.by_key(
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
        elif abs(self.house.door.wall.now_ms() - _milliseconds(stamp)) > auth.WINDOW_MS:
            code = 30014
        elif not auth.matches(account.record.secret, f"{stamp}GET/user/verify", str(arg.get("sign", ""))):
            code = 30015
        else:
            self.account = account
            self.house.listens(self, account)
        return code

    # subscriptions

    def _subscribe(self, received: dict[str, Any]) -> None:
        wanted, most = self.dialect.read(_plain(received)), self.house.limits.ws_channels
        if most and len(self._public) + sum(map(len, self._private.values())) >= most:
            self._fail(30007, received)
        elif isinstance(wanted, Private):
            self._subscribe_private(received, wanted)
        elif wanted is None or not self._subscribe_public(received, wanted):
            self._fail(30001, received)

    def _subscribe_public(self, received: dict[str, Any], wanted: Public) -> bool:
        """False when there is no such topic."""
        if wanted.key in self._public:
            self._acknowledge("subscribe", received)
            return True
        topic = self.dialect.feed.topic(wanted.key, wanted.arg)
        if topic is None:
            return False
        self._acknowledge("subscribe", received)
        self._public[wanted.key] = None
        topic.add(self)
        return True

    def _subscribe_private(self, received: dict[str, Any], wanted: Private) -> None:
        if self.account is None:
            self._fail(30004, received)
            return
        self._acknowledge("subscribe", received)
        if not self.dialect.hears(self.account):
            return
        self._forget(wanted.group, wanted.symbol)
        heard = _Heard(wanted.symbol, encode(wanted.arg).decode())
        self._private.setdefault(wanted.group, []).append(heard)
        first = self.dialect.first(self.account, wanted)
        if first is not None:
            self._push(wanted.group[1], first.frame(heard.text))

    def _unsubscribe(self, received: dict[str, Any]) -> None:
        wanted = self.dialect.read(_plain(received))
        if isinstance(wanted, Private):
            self._forget(wanted.group, wanted.symbol)
        elif wanted is not None and wanted.key in self._public:
            del self._public[wanted.key]
            self.dialect.feed.unsubscribe(wanted.key, self)
        self._acknowledge("unsubscribe", received)

    def _forget(self, group: Group, symbol: str) -> None:
        """Leave one private channel."""
        left = [one for one in self._private.pop(group, []) if one.symbol != symbol]
        if left:
            self._private[group] = left

    def forget(self) -> None:
        """Leave every topic."""
        for key in self._public:
            self.dialect.feed.unsubscribe(key, self)
        if self.account is not None:
            self.house.left(self, self.account)

    # requests

    async def _trade(self, requests: list[Request]) -> None:
        """Those of one frame go one after the other, beside what is read meanwhile."""
        while len(self._work) >= MOST_AT_ONCE:
            await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)
        task = asyncio.get_running_loop().create_task(self._serve(requests))
        self._work.add(task)
        self.house.work.add(task)
        task.add_done_callback(self._served)

    def _served(self, task: asyncio.Task[None]) -> None:
        self._work.discard(task)
        self.house.work.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a request over a websocket failed", exc_info=task.exception())

    async def _serve(self, requests: list[Request]) -> None:
        frames = self.house.door.frames
        for request in requests:
            path = f"{self._wire.path}/{request.name}"
            work = self._asked(request)
            for text in await frames.serve(path, self._number, self, refuse=request.refused, work=work):
                self._send(text)

    def _asked(self, request: Request) -> Callable[[], Awaitable[str]]:
        async def asked() -> str:
            if self.account is None:
                return request.refused(400, "30004", TEXTS[30004])
            return await request.carry_out(self.house.rest, self.account)

        return asked

    def cut(self) -> None:
        self._wire.reset()

    def hang_up_soon(self) -> None:
        self._outbox.finish()

    def deafen(self) -> None:
        self._wire.deaf = True

    # writing

    def push_public(self, key: TopicKey, message: str, *, latest: bool) -> None:
        """Market data: a whole picture replaces its unsent elder, a full outbox loses its oldest."""
        if self._faults.channels or self._line.busy:
            self._line.push(key[2], self._number, message, self._outbox.stream)
            return
        if latest:
            self._outbox.latest(key, message)
        else:
            self._outbox.stream(message)

    @property
    def channels(self) -> Iterable[Group]:
        """Every private channel that it hears."""
        return self._private.keys()

    def push_private(self, push: Push) -> None:
        for heard in self._private.get(push.group, ()):
            chosen = push if heard.symbol == EVERY else self.dialect.chosen(push, heard.symbol)
            if chosen is not None:
                self._push(push.group[1], chosen.frame(heard.text))

    def _acknowledge(self, event: str, received: dict[str, Any]) -> None:
        self._send(encode({"event": event, "arg": received}).decode())

    def _fail(self, code: int, received: dict[str, Any] | None = None) -> None:
        message: dict[str, object] = {"event": "error"}
        if received is not None:
            message["arg"] = received
        self._send(encode(message | {"code": code, "msg": TEXTS[code]}).decode())

    @property
    def _number(self) -> int | None:
        return self.account.id if self.account is not None else None

    def _push(self, channel: str, message: str) -> None:
        """A private push; faults may have it."""
        if self._faults.channels or self._line.busy:
            self._line.push(channel, self._number, message, self._send)
        else:
            self._send(message)


def _plain(arg: dict[str, Any]) -> dict[str, Any]:
    """Snake-case names (the vendor's Python SDK) as the documented ones."""
    return {_ALIASES.get(name, name): value for name, value in arg.items()}


def _milliseconds(stamp: str) -> int:
    return int(stamp) * (1 if len(stamp) > 11 else 1000)
