"""A small client of the paper exchange, written from the documents alone: it shares no code with the server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
from types import TracebackType
from typing import Any

import aiohttp

from shared import clock

FUTURES = "USDT-FUTURES"


def signature(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


class Answer:
    """Status, code, data and headers of one answer."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = headers

    @property
    def code(self) -> str:
        return str(self.body["code"])

    @property
    def data(self) -> Any:
        assert self.code == "00000", self.body
        return self.body["data"]

    def __repr__(self) -> str:
        return f"Answer({self.status}, {self.body})"


class Client:
    """One account on one exchange; without credentials only public calls work."""

    def __init__(
        self,
        ready: dict[str, Any],
        account: dict[str, Any] | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.ready = ready
        self.context = context
        self.account = account or {}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Client:
        connector = aiohttp.TCPConnector(ssl=self.context) if self.context is not None else None
        self._session = aiohttp.ClientSession(connector=connector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        assert self._session is not None
        return self._session

    def headers(
        self, method: str, path: str, body: str, *, stamp: str | None = None, **changes: str | None
    ) -> dict[str, str]:
        """Changes replace a header; ``None`` leaves it out."""
        stamp = stamp or str(clock.now_ms())
        wanted: dict[str, str | None] = {
            "ACCESS-KEY": self.account["key"],
            "ACCESS-SIGN": signature(self.account["secret"], f"{stamp}{method}{path}{body}"),
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-PASSPHRASE": self.account["passphrase"],
            "Content-Type": "application/json",
        }
        wanted |= {name.replace("_", "-"): value for name, value in changes.items()}
        return {name: value for name, value in wanted.items() if value is not None}

    async def send(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        url = self.ready["rest"] + path
        async with self.session.request(method, url, data=body or None, headers=headers) as response:
            text = await response.text()
            return Answer(response.status, json.loads(text), dict(response.headers))

    async def get(self, path: str, **query: object) -> Answer:
        if query:
            path += "?" + "&".join(f"{name}={value}" for name, value in query.items())
        signed = self.headers("GET", path, "") if self.account else None
        return await self.send("GET", path, headers=signed)

    async def post(self, path: str, **body: object) -> Answer:
        text = json.dumps(body)
        return await self.send("POST", path, text, self.headers("POST", path, text))

    async def order(self, side: str, size: str, price: str | None = None, /, **more: object) -> Answer:
        """A BTCUSDT order, isolated; names as the venue spells them."""
        body: dict[str, object] = {
            "symbol": "BTCUSDT",
            "productType": FUTURES,
            "marginMode": "isolated",
            "marginCoin": "USDT",
            "side": side,
            "size": size,
            "orderType": "market" if price is None else "limit",
        }
        if price is not None:
            body["price"] = price
        return await self.post("/api/v2/mix/order/place-order", **(body | more))

    async def control(self, path: str, body: dict[str, object] | None = None) -> Any:
        """POST with a body, else GET; the decoded answer, which must be a success."""
        status, answer = await self.try_control(path, body)
        assert status == 200, answer
        return answer

    async def try_control(self, path: str, body: dict[str, object] | str | None = None) -> tuple[int, Any]:
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        method = "GET" if text is None else "POST"
        async with self.session.request(method, self.ready["control"] + path, data=text) as response:
            return response.status, await response.json()

    async def price(self, symbol: str, price: str | None) -> None:
        await self.control("/price", {"symbol": symbol, "price": price})

    async def ledger(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.control(f"/accounts/{self.account['id']}/ledger")
        return rows

    async def socket(self, name: str = "ws_public") -> Socket:
        return Socket(self, await self.session.ws_connect(self.ready[name]))


class Socket:
    """One websocket; ``expect`` waits for the message that fits."""

    def __init__(self, client: Client, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.client = client
        self.raw = socket
        self.seen: list[dict[str, Any]] = []

    async def send(self, op: str, *args: dict[str, object]) -> None:
        await self.raw.send_str(json.dumps({"op": op, "args": list(args)}))

    async def login(self, **changes: object) -> dict[str, Any]:
        account, stamp = self.client.account, str(clock.now_ms() // 1000)
        arg: dict[str, object] = {
            "apiKey": account["key"],
            "passphrase": account["passphrase"],
            "timestamp": stamp,
            "sign": signature(account["secret"], f"{stamp}GET/user/verify"),
        }
        await self.send("login", arg | changes)
        return await self.receive()

    async def subscribe(self, channel: str, name: str = "default", kind: str = FUTURES) -> dict[str, Any]:
        """The acknowledgement, or the error."""
        named = "coin" if channel == "account" else "instId"
        arg: dict[str, object] = {"instType": kind, "channel": channel, named: name}
        await self.send("subscribe", arg)
        return await self.expect(lambda message: "event" in message and message.get("arg") == arg)

    async def receive(self) -> dict[str, Any]:
        message = await asyncio.wait_for(self.raw.receive(), 5)
        assert message.type is aiohttp.WSMsgType.TEXT, message
        found: dict[str, Any] = json.loads(message.data)
        self.seen.append(found)
        return found

    async def expect(self, fits: Any) -> dict[str, Any]:
        while not fits(message := await self.receive()):
            pass
        return message

    async def push(self, channel: str) -> dict[str, Any]:
        """The next push of a channel."""
        return await self.expect(lambda m: "action" in m and m["arg"]["channel"] == channel)
