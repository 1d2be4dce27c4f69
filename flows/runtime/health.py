"""A word about a process's health over HTTP, on the loopback address: 200, or 503 with what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

HOST = "127.0.0.1"
READ_S = 5.0

Problem = Callable[[], str | None]
"""None = healthy, else what is missing, in a few words."""


@asynccontextmanager
async def served(port: int, problem: Problem) -> AsyncIterator[None]:
    """Answer every request on this port for the length of the block."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(READ_S):
                await reader.readuntil(b"\r\n\r\n")
                told = problem()
                body = json.dumps({"state": told or "ok"}).encode()
                status = "503 Service Unavailable" if told else "200 OK"
                writer.write(
                    f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
                    "Connection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, HOST, port)
    async with server:
        yield
