"""A TCP proxy before the exchange that misbehaves on chosen requests, as networks do.

``lose_answer``: the request is executed and the connection dies before its answer. ``lose_request``: it dies
before the request arrives. ``hold_answer``: the answer comes after the client has given up. Each fault
strikes once and counts itself; everything else passes unchanged, websockets too. Besides, requests can be
``refused`` with an answer of the venue's form for as long as wanted, and something can be done ``before`` one.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable


class Proxy:
    """Runs in a thread of its own; ``url`` stands for the exchange."""

    def __init__(self, port: int, listen: int = 0) -> None:
        self._listen = listen
        self._target = port
        self._fault: tuple[str, bytes] | None = None
        self.struck = 0
        self._refusals: dict[bytes, bytes] = {}
        self._containing = b""
        self._before: dict[bytes, Callable[[], None]] = {}
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(5)

    def arm(self, fault: str, path: str) -> None:
        """The next request whose line holds ``path`` suffers."""
        self._fault = (fault, path.encode())

    def refuse(self, path: str, code: str, status: str = "400 Bad Request", containing: str = "") -> None:
        """From now on requests to ``path`` (whose bytes contain a text) get this error, and never arrive."""
        body = json.dumps(
            {"code": code, "msg": "refused by the test", "requestTime": 1, "data": None}
        ).encode()
        head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._containing = containing.encode()
        self._refusals[path.encode()] = head.encode() + body

    def accept(self, path: str) -> None:
        """No more refusals of ``path``."""
        self._refusals.pop(path.encode(), None)

    def before(self, path: str, act: Callable[[], None]) -> None:
        """Do something once, before the next request to ``path`` is passed on."""
        self._before[path.encode()] = act

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self._listen)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        upstream: asyncio.StreamWriter | None = None
        try:
            answers, upstream = await asyncio.open_connection("127.0.0.1", self._target)
            state = {"swallow": False, "hold": False}
            await asyncio.gather(
                self._forward(reader, upstream, lambda data: self._request(data, state, writer)),
                self._forward(answers, writer, lambda data: self._answer(data, state, writer)),
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, upstream):
                if each is not None:
                    each.close()
            self._tasks.discard(task)

    @staticmethod
    async def _forward(
        source: asyncio.StreamReader, target: asyncio.StreamWriter, look: Callable[[bytes], float | None]
    ) -> None:
        while data := await source.read(65536):
            pause = look(data)
            if pause is None:
                continue
            if pause:
                await asyncio.sleep(pause)
            target.write(data)
            await target.drain()
        target.close()

    def _request(self, data: bytes, state: dict[str, bool], client: asyncio.StreamWriter) -> float | None:
        """How long to hold these bytes back; None = they are lost."""
        line = data.split(b"\r\n", 1)[0]
        for path in [path for path in self._before if path in line]:
            self._before.pop(path)()
        for path, answer in list(self._refusals.items()):
            if path in line and self._containing in data:
                self.struck += 1
                client.write(answer)
                return None
        if self._fault is None or self._fault[1] not in line:
            return 0.0
        fault, self._fault = self._fault[0], None
        self.struck += 1
        if fault == "lose_request":
            client.transport.abort()
            return None
        state["swallow"] = fault == "lose_answer"
        state["hold"] = fault == "hold_answer"
        return 0.0

    def _answer(self, data: bytes, state: dict[str, bool], client: asyncio.StreamWriter) -> float | None:
        del data
        if state["swallow"]:
            client.transport.abort()
            return None
        if state["hold"]:
            state["hold"] = False
            return 3.0
        return 0.0
