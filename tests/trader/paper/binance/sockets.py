"""Plain websocket clients of the Binance face, with its own idea of the documents."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from shared import clock
from trader.paper.server import PaperServer

PATIENCE_S = 5.0


class Stream:
    """One socket; ``next`` waits for the message that fits, others are kept in ``seen``."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[Any] = []
        self._id = 0

    async def receive(self) -> Any:
        message = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE_S))
        self.seen.append(message)
        return message

    async def next(self, fits: Callable[[Any], bool]) -> Any:
        while not fits(message := await self.receive()):
            pass
        return message

    async def event(self, name: str) -> Any:
        """The next push with that ``e``."""
        return await self.next(lambda message: isinstance(message, dict) and message.get("e") == name)

    async def ask(self, method: str, *params: object) -> Any:
        """The answer to a request, success or not."""
        self._id += 1
        number = self._id
        request: dict[str, object] = {"method": method, "id": number}
        if params:
            request["params"] = list(params)
        await self.socket.send(json.dumps(request))
        return await self.next(lambda message: isinstance(message, dict) and message.get("id") == number)

    async def send(self, message: object) -> Any:
        """A frame as it is; the next message."""
        await self.socket.send(message if isinstance(message, str) else json.dumps(message))
        return await self.receive()

    async def silent(self) -> bool:
        """Nothing has come: what was sent before this question's answer would be seen."""
        before = len(self.seen)
        await self.ask("LIST_SUBSCRIPTIONS")
        return len(self.seen) == before + 1


class Sockets:
    """Opens sockets on a server and closes them with it."""

    def __init__(self, server: PaperServer) -> None:
        ready = server.ready["binance"]
        assert isinstance(ready, dict)
        self.server = server
        self.streams = str(ready["streams"])
        self.ws_api = str(ready["ws_api"])
        self._open: list[ClientConnection] = []

    async def stream(self, path: str, **options: Any) -> Stream:
        return Stream(await self._connect(self.streams + path, options))

    async def api(self, number: int = 0, query: str = "") -> Api:
        """An order websocket for one of the accounts there are at start."""
        accounts = self.server.ready["accounts"]
        assert isinstance(accounts, list)
        socket = await self._connect(self.ws_api + query, {})
        return Api(socket, accounts[number]["key"], accounts[number]["secret"])

    async def user(self, api: Api, path: str = "/private/ws?listenKey={}", **options: Any) -> Stream:
        """User data of an account."""
        answer = await api.raw("userDataStream.start", {"apiKey": api.key})
        return await self.stream(path.format(answer["result"]["listenKey"]), **options)

    async def _connect(self, url: str, options: dict[str, Any]) -> ClientConnection:
        socket = await connect(url, ping_interval=None, compression=None, proxy=None, **options)
        self._open.append(socket)
        return socket

    async def close(self) -> None:
        for socket in self._open:
            await socket.close()


def sign(secret: str, params: dict[str, object]) -> str:
    """Over the parameters sorted by name, numbers as they print."""
    text = "&".join(f"{name}={_text(params[name])}" for name in sorted(params))
    return hmac.new(secret.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def now_ms() -> int:
    return clock.now_ms()


class Api(Stream):
    """The order websocket: ``call`` signs, ``raw`` sends what it is given."""

    def __init__(self, socket: ClientConnection, key: str, secret: str) -> None:
        super().__init__(socket)
        self.key = key
        self.secret = secret

    async def call(self, method: str, **params: object) -> Any:
        """The whole answer to a signed request."""
        signed: dict[str, object] = params | {"apiKey": self.key, "timestamp": now_ms()}
        return await self.raw(method, signed | {"signature": sign(self.secret, signed)})

    async def result(self, method: str, **params: object) -> Any:
        answer = await self.call(method, **params)
        assert answer["status"] == 200, answer
        return answer["result"]

    async def code(self, method: str, **params: object) -> int:
        """Of a refusal."""
        answer = await self.call(method, **params)
        assert answer["status"] != 200, answer
        code: int = answer["error"]["code"]
        return code

    async def raw(self, method: str, params: dict[str, object] | None = None) -> Any:
        self._id += 1
        number = f"r{self._id}"
        request: dict[str, object] = {"id": number, "method": method}
        if params is not None:
            request["params"] = params
        await self.socket.send(json.dumps(request))
        return await self.next(lambda message: message.get("id") == number)
