"""Plain sockets for the fuzzer: HTTP that may be wrong on purpose, websockets that may be cut."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from shared import clock
from tests.conformance.wire import signed

ANSWER_S = 10.0
RAW_S = LATE_S = 0.05


@dataclass(frozen=True)
class Reply:
    """HTTP status (0 = the connection was cut without an answer) and body."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        """Bitget's code, or nothing when this is not its envelope."""
        found = self.json
        if not isinstance(found, dict) or {"code", "msg", "requestTime", "data"} - set(found):
            return ""
        return found["code"] if isinstance(found["code"], str) else ""

    @property
    def json(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Web:
    """One kept HTTP/1.1 connection, opened again when the server closes it."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(
        self, method: str, target: str, fields: dict[str, str] | None = None, body: bytes = b""
    ) -> Reply:
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}:{self.port}"]
        lines += [f"{name}: {value}" for name, value in (fields or {}).items()]
        given = {name.lower() for name in fields or {}}
        if not given & {"content-length", "transfer-encoding"} and (body or method != "GET"):
            lines.append(f"Content-Length: {len(body)}")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        for fresh in (False, True):  # a kept connection may have been closed meanwhile
            reused = self._open is not None
            reply = await self._once(head + body)
            if reply.status or fresh or not reused:
                return reply
        return reply

    async def _once(self, data: bytes) -> Reply:
        if self._open is None:
            self._open = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._open
        try:
            writer.write(data)
            return await asyncio.wait_for(self._answer(reader), ANSWER_S)
        except (ConnectionError, asyncio.IncompleteReadError):
            await self.close()
            return Reply(0, b"")

    async def _answer(self, reader: asyncio.StreamReader) -> Reply:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if status == 100:
            return await self._answer(reader)
        body = await reader.readexactly(int(fields.get("content-length", "0")))
        if fields.get("connection", "").lower() == "close":
            await self.close()
        return Reply(status, body)

    async def close(self) -> None:
        if self._open is not None:
            _, writer = self._open
            self._open = None
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def raw_exchange(host: str, port: int, data: bytes) -> bytes:
    """What the server says to these bytes before it closes or a moment has passed."""
    reader, writer = await asyncio.open_connection(host, port)
    heard = b""
    try:
        writer.write(data)
        writer.write_eof()
        while chunk := await asyncio.wait_for(reader.read(65_536), RAW_S):
            heard += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    return heard


async def talk(
    dice: random.Random, url: str, account: dict[str, Any], batch: list[str | bytes | list[str]]
) -> list[dict[str, Any]] | None:
    """Log in (mostly), send the frames, and hear everything out. A list is one frame in fragments.

    ``None`` when the exchange hung up: what was asked before may have been done all the same.
    """
    heard: list[dict[str, Any]] = []
    async with connect(url, max_size=None, open_timeout=ANSWER_S, close_timeout=1) as socket:
        try:
            if dice.random() < 0.9:
                stamp = str(clock.now_ms() // 1000)
                sign = signed(account["secret"], f"{stamp}GET/user/verify")
                arg = {"apiKey": account["key"], "passphrase": account["passphrase"]}
                await socket.send(
                    json.dumps({"op": "login", "args": [arg | {"timestamp": stamp, "sign": sign}]})
                )
            for item in batch:
                await socket.send(item)
            await socket.send("ping")
            pongs = 1 + batch.count("ping")  # the last one is ours
            while pongs:
                message = await asyncio.wait_for(socket.recv(), ANSWER_S)
                if message == "pong":
                    pongs -= 1
                else:
                    heard.append(json.loads(message))
            await late(socket, heard)
        except ConnectionClosed:
            return None
    return heard


async def late(socket: ClientConnection, heard: list[dict[str, Any]]) -> None:
    """Orders are carried out beside the reading of frames: the answers to the last ones may come behind ours."""
    with contextlib.suppress(TimeoutError):
        while True:
            message = json.loads(await asyncio.wait_for(socket.recv(), LATE_S))
            heard += [message] if isinstance(message, dict) else []


async def talk_plainly(url: str, batch: list[str | bytes | list[str]]) -> list[dict[str, Any]] | None:
    """Binance's websockets, which have no login of their own: the frames, and everything that comes of them."""
    heard: list[dict[str, Any]] = []
    async with connect(url, max_size=None, open_timeout=ANSWER_S, close_timeout=1) as socket:
        try:
            for item in batch:
                await socket.send(item)
            await socket.send(json.dumps({"id": "the end", "method": "LIST_SUBSCRIPTIONS"}))
            while True:
                message = json.loads(await asyncio.wait_for(socket.recv(), ANSWER_S))
                if isinstance(message, list):  # a push about many symbols
                    continue
                if message.get("id") == "the end":
                    break
                heard.append(message)
            await late(socket, heard)
        except ConnectionClosed:
            return None
    return heard
