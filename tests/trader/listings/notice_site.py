"""A notice site on 127.0.0.1 whose next answers are scripted; without a script it serves its page with an ETag."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from shared import clock

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def row(
    native: int, title: str = "업비트 안내", stamp: str = "2026-03-02T11:00:00+09:00", **fields: Any
) -> dict[str, Any]:
    return {
        "listed_at": stamp,
        "first_listed_at": stamp,
        "id": native,
        "uuid": str(90_000_000 + native),
        "title": title,
        "category": "거래",
        "need_new_badge": False,
        "need_update_badge": False,
    } | fields


def page(*rows: dict[str, Any], **data: Any) -> bytes:
    body = {"total_pages": 1, "total_count": len(rows), "notices": list(rows), "fixed_notices": []} | data
    return json.dumps({"success": True, "data": body}, ensure_ascii=False).encode()


class Site:
    """``async with Site() as site``: ``site.url``, ``site.body`` to set, ``site.script`` for the next answers."""

    def __init__(self) -> None:
        self.body = page(row(1))
        self.script: deque[Answer] = deque()
        self.requests: list[web.Request] = []
        self.times: list[float] = []
        self.answered: list[int] = []
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Site:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def etag(self) -> str:
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:16]}"'

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.times.append(clock.monotonic_ns() / clock.SECOND)
        async with self._changed:
            self._changed.notify_all()
        response = await (self.script.popleft() if self.script else self.serve)(request)
        self.answered.append(response.status)
        return response

    async def serve(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-None-Match") == self.etag:
            return web.Response(status=304, headers={"ETag": self.etag})
        return web.Response(body=self.body, headers={"ETag": self.etag}, content_type="application/json")

    async def asked(self, times: int) -> None:
        """Return when this many requests have come."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= times)


def status(code: int, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(
            status=code, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    return answer


def body(content: bytes, **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(
            body=content, headers={"ETag": 'W/"odd"'} | headers, content_type="application/json"
        )

    return answer


async def drop(request: web.Request) -> web.StreamResponse:
    """Close the connection without a word."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=499)


async def half(request: web.Request) -> web.StreamResponse:
    """Promise a whole page, send half of it, close."""
    content = page(row(1), row(2))
    response = web.StreamResponse(headers={"Content-Length": str(len(content)), "ETag": 'W/"half"'})
    await response.prepare(request)
    await response.write(content[: len(content) // 2])
    assert request.transport is not None
    request.transport.abort()
    return response


def slow(seconds: float) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return web.Response(status=500)

    return answer
