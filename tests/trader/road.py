"""A TCP road to Postgres that can be cut and mended, for processes; it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit, urlunsplit


class Road:
    """``cut()`` ends every connection and takes no new one; ``cut(silent=True)`` lets all of them hang instead.

    A connection that hung once never speaks again; after :meth:`mend` new ones pass.
    """

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = True
        self._age = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    @property
    def url(self) -> str:
        user = (self._to.netloc.rpartition("@")[0] + "@") if "@" in self._to.netloc else ""
        return urlunsplit(self._to._replace(netloc=f"{user}127.0.0.1:{self._port}"))

    def cut(self, *, silent: bool = False) -> None:
        self._do(self._cut(silent=silent))

    def mend(self) -> None:
        self._do(self._mend())

    def close(self) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _cut(self, *, silent: bool) -> None:
        self._open = False
        self._age += 1
        if silent:
            return
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _end(self) -> None:
        await self._cut(silent=False)
        passing = asyncio.all_tasks() - {asyncio.current_task()}
        for task in passing:
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)

    async def _mend(self) -> None:
        self._open = True
        if self._server is None:
            await self._listen()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        age = self._age
        self._writers.add(writer)
        if not self._open:
            return  # accepted, as by a machine that hangs, and never answered
        far_reader, far_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._writers.add(far_writer)
        await asyncio.gather(self._pump(reader, far_writer, age), self._pump(far_reader, writer, age))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, age: int) -> None:
        with suppress(ConnectionError, asyncio.CancelledError):
            while data := await reader.read(65_536):
                if age == self._age:
                    writer.write(data)
                    await writer.drain()
        writer.close()
