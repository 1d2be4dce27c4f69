"""Opening a TCP connection: names are resolved anew each time, every address gets its share of time."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

from shared.errors import NotSentError
from trader.net.origin import Origin

MAX_ADDRESSES = 4
_Address = tuple[int, tuple[Any, ...]]

#: Linux names; what a system does not know is left out. Unacknowledged data ends a connection after 10 s.
_TCP_OPTIONS = {
    "TCP_NODELAY": 1,
    "TCP_KEEPIDLE": 15,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 10_000,
}


class Dialer:
    """Connects to one origin. When the name server is away, the addresses of last time are used."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self._last: list[_Address] = []

    async def open(self, timeout_s: float) -> socket.socket:
        """A connected, non-blocking socket; :class:`NotSentError` when there is none in time."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        addresses = await self._resolve(timeout_s)
        problem = "no address"
        for index, (family, address) in enumerate(addresses):
            share_s = max(0.0, until - loop.time()) / (len(addresses) - index)
            sock = socket.socket(family, socket.SOCK_STREAM)
            try:
                sock.setblocking(False)
                _set_options(sock)
                async with asyncio.timeout(share_s):
                    await loop.sock_connect(sock, address)
            except (OSError, TimeoutError) as error:
                sock.close()
                problem = reason(error)
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise NotSentError(f"cannot connect to {self.origin}: {problem}")

    async def _resolve(self, timeout_s: float) -> list[_Address]:
        host, port = self.origin.host, self.origin.port
        try:
            version = ipaddress.ip_address(host).version
        except ValueError:
            pass
        else:
            return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]
        try:
            async with asyncio.timeout(timeout_s):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError) as error:
            if not self._last:
                raise NotSentError(f"cannot find the address of {host}: {reason(error)}") from None
        else:
            self._last = [(family, address) for family, _, _, _, address in found[:MAX_ADDRESSES]]
        return self._last


def _set_options(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _TCP_OPTIONS.items():
        option = getattr(socket, name, None)
        if option is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


def reason(error: OSError | TimeoutError) -> str:
    """What to tell about it, in one line; asyncio's own timeout has no text."""
    return str(error) or "no answer in time"
