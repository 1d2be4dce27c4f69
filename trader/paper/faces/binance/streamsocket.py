"""One stream socket: its requests and its subscriptions.

{"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1}   ->   {"result": null, "id": 1}
"""

from __future__ import annotations

import re
from typing import Any, Protocol

import msgspec
from aiohttp import web

from trader.paper.faces.binance import streampaths, userevents
from trader.paper.faces.binance.feed import Feed
from trader.paper.faces.binance.listenkeys import ListenKeys
from trader.paper.faces.binance.sockets import Connection, SocketFace
from trader.paper.faces.binance.streamnames import Stream, parse
from trader.paper.faults.wire import Wire

_KEY = re.compile(r"[A-Za-z0-9]{1,128}\Z")
_LONGEST_ID = 36
_METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Streams(Protocol):
    """What all stream sockets share."""

    feed: Feed
    keys: ListenKeys

    def listen(self, account: int, connection: StreamConnection) -> None: ...
    def unlisten(self, account: int, connection: StreamConnection) -> None: ...


class _Private(msgspec.Struct, frozen=True):
    """A listen key that is heard here; the account it opened, 0 when it opens none."""

    account: int
    events: frozenset[str]


class StreamConnection(Connection):
    """``streams`` by name, with ``None`` for those that stay silent."""

    def __init__(
        self,
        house: SocketFace,
        streams: Streams,
        socket: web.WebSocketResponse,
        wire: Wire,
        wanted: streampaths.Wanted,
    ) -> None:
        super().__init__(house, socket, wire)
        self.house = streams
        self._wanted = wanted
        self._prefix = wanted.prefix
        self._combined = wanted.combined
        self._streams: dict[str, Stream | None] = {}
        self._keys: dict[str, _Private] = {}

    @property
    def number(self) -> int | None:
        return next((one.account for one in self._keys.values() if one.account), None)

    def opened(self) -> None:
        for name in self._wanted.names:
            self._subscribe(name, self._wanted.events)

    def forget(self) -> None:
        for name in [*self._streams, *self._keys]:
            self._unsubscribe(name)

    # requests

    async def heard(self, data: str) -> None:
        body = data.encode("utf-8", "surrogatepass")
        try:
            message = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            self.note("", b"")
            self._refuse(3, "Invalid JSON: expected value at line 1 column 1", None)
            return
        if not isinstance(message, dict):
            self.note("", b"")
            self._refuse(2, "Invalid request: expected an object", None)
            return
        self.note(message.get("method"), body)
        number = message.get("id")
        try:
            result = self._answer(message)
        except _BadRequestError as bad:
            self._refuse(bad.code, bad.text, number if _is_id(number) else None)
        else:
            self.outbox.send(_encode({"result": result, "id": number}).decode())

    def _answer(self, message: dict[str, Any]) -> object:
        method, params = message.get("method"), message.get("params")
        if not _is_id(message.get("id")):
            raise _BadRequestError(2, "Invalid request: request ID must be an unsigned integer")
        if method is None:
            raise _BadRequestError(2, "Invalid request: missing field `method` at line 1 column 1")
        if method == "LIST_SUBSCRIPTIONS":
            return [*self._streams, *self._keys]
        if method in {"SUBSCRIBE", "UNSUBSCRIBE"}:
            self._change(method, params)
            return None
        if method in {"SET_PROPERTY", "GET_PROPERTY"}:
            return self._property(method, params)
        known = ", ".join(f"`{name}`" for name in _METHODS)
        raise _BadRequestError(
            2,
            f"Invalid request: unknown variant `{str(method)[:40]}`, expected one of {known} at line 1 column 1",
        )

    def _change(self, method: str, params: object) -> None:
        if not isinstance(params, list) or not params:
            raise _BadRequestError(2, "Invalid request: missing field `params` at line 1 column 1")
        names: list[str] = []
        for name in params:
            if not isinstance(name, str) or not (_KEY.match(name) or parse(name)):
                raise _BadRequestError(2, "Invalid request: invalid stream")
            names.append(name)
        if method == "UNSUBSCRIBE":
            for name in names:
                self._unsubscribe(name)
            return
        held = self._streams.keys() | self._keys.keys()
        most = self._limits.binance_ws_streams
        if most and len(held | set(names)) > most:
            raise _BadRequestError(2, f"Invalid request: more than {most} streams")
        for name in names:
            self._subscribe(name, frozenset())

    def _property(self, method: str, params: object) -> object:
        wanted = 2 if method == "SET_PROPERTY" else 1
        if not isinstance(params, list) or not params or not isinstance(params[0], str):
            raise _BadRequestError(2, "Invalid request: property name must be a string")
        if len(params) > wanted:
            raise _BadRequestError(2, "Invalid request: too many parameters")
        if params[0] != "combined":
            raise _BadRequestError(0, "Unknown property")
        if method == "GET_PROPERTY":
            return self._combined
        if len(params) < wanted or not isinstance(params[1], bool):
            raise _BadRequestError(1, "Invalid value type: expected Boolean")
        self._combined = params[1]
        return None

    def _refuse(self, code: int, text: str, number: object) -> None:
        message: dict[str, object] = {"error": {"code": code, "msg": text}}
        self.outbox.send(_encode(message if number is None else message | {"id": number}).decode())

    # subscriptions

    def _subscribe(self, name: str, events: frozenset[str]) -> None:
        if name in self._streams or name in self._keys:
            return
        stream = parse(name)
        if stream is None:
            self._listen(name, events)
            return
        topic = self.house.feed.topic(stream) if stream.served(self._prefix) else None
        self._streams[name] = None if topic is None else stream
        if topic is not None:
            topic.add(self)

    def _listen(self, key: str, events: frozenset[str]) -> None:
        """A key that is none, or is none any more, is heard in vain."""
        account = self.house.keys.account(key) if self._prefix in ("", "private") else None
        self._keys[key] = _Private(account or 0, events)
        if account is not None:
            self.house.listen(account, self)

    def _unsubscribe(self, name: str) -> None:
        stream = self._streams.pop(name, None)
        if stream is not None:
            self.house.feed.unsubscribe(stream, self)
        if name in self._keys:
            self.key_ended(name)
            del self._keys[name]

    def key_ended(self, key: str) -> None:
        """Nothing more comes of it."""
        one = self._keys.get(key)
        if one is not None and one.account:
            self._keys[key] = _Private(0, one.events)
            if not any(other.account == one.account for other in self._keys.values()):
                self.house.unlisten(one.account, self)

    # pushes

    def push_public(self, key: Stream, message: str, *, latest: bool) -> None:
        if self._combined:
            message = f'{{"stream":"{key.name}","data":{message}}}'
        if self.faults.channels or self.line.busy:
            self.line.push(key.fault_names, self.number, message, self.outbox.stream)
        elif latest:
            self.outbox.latest(key, message)
        else:
            self.outbox.stream(message)

    def push(self, key: str, account: int, event: userevents.Event) -> None:
        """User data of an account, once for each of its keys here (or for one ``key``)."""
        for name, one in self._keys.items():
            if one.account != account or key not in ("", name):
                continue
            if one.events and event.name not in one.events:
                continue
            message = f'{{"stream":"{name}","data":{event.text}}}' if self._combined else event.text
            if self.faults.channels or self.line.busy:
                self.line.push(event.name, account, message, self.outbox.send)
            else:
                self.outbox.send(message)


class _BadRequestError(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def _is_id(value: object) -> bool:
    """An unsigned integer as documented; clients also send short texts."""
    if isinstance(value, str):
        return len(value) <= _LONGEST_ID
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
