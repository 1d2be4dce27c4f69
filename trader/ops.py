"""What the trader says about itself: health over HTTP on 127.0.0.1, a heartbeat row, a quiet collector.

The health server speaks just enough HTTP/1.1 for a probe, because a web framework would weigh more
than the trader. Answers are JSON: 200 when armed, 503 before that or when something is wrong.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import PortBusyError

_HEAD_LIMIT = 8192
_READ_TIMEOUT_S = 5.0

HEARTBEAT = """
insert into heartbeats (service, pid, state, detail, started_ns, at_ns)
values (%(service)s, %(pid)s, %(state)s, %(detail)s, %(started_ns)s, %(at_ns)s)
on conflict (service) do update set pid = excluded.pid, state = excluded.state, detail = excluded.detail,
    started_ns = excluded.started_ns, at_ns = excluded.at_ns
"""

STATEMENTS = {"heartbeat": HEARTBEAT}


def resident_bytes() -> int:
    """Resident memory of this process, from the kernel."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


class HealthServer:
    """Serves ``GET /health``; ``status`` returns (healthy, body)."""

    def __init__(self, status: Callable[[], tuple[bool, dict[str, Any]]]) -> None:
        self._status = status
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self, port: int) -> None:
        """Listen on 127.0.0.1; raises :class:`PortBusyError`."""
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=_HEAD_LIMIT)
        except OSError as error:
            raise PortBusyError(
                f"port {port} is busy ({error.strerror}): set KESTREL_TRADER__OPS_PORT to a free one"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_READ_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            code, body = self._answer(head)
            writer.write(
                b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                b"Connection: close\r\n\r\n%s" % (code, len(body), body)
            )
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a probe that went away or talks nonsense gets no answer
        finally:
            writer.close()

    def _answer(self, head: bytes) -> tuple[bytes, bytes]:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return b"405 Method Not Allowed", b"{}"
        if path != b"/health":
            return b"404 Not Found", b"{}"
        healthy, body = self._status()
        return b"200 OK" if healthy else b"503 Service Unavailable", msgspec.json.encode(body)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


def quiet_collector() -> None:
    """Take the garbage collector off the hot path once everything long-lived exists.

    After this, :func:`collect` is called from a timer at a quiet moment.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def collect(*, whole: bool) -> int:
    """A short collection of young objects, or now and then of all that is not frozen."""
    return gc.collect(2 if whole else 1)
