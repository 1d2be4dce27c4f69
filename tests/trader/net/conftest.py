"""Every coroutine test of this folder runs on both event loops; a scripted server speaks raw bytes to it."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import trustme
import uvloop

from trader.net.http import Origin


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Line:
    """The server's end of one connection. What it sends is in the client's kernel when ``send`` returns."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._unread = b""

    async def receive(self) -> bytes:
        """Some bytes, b"" at the end."""
        return await asyncio.get_running_loop().sock_recv(self.sock, 65_536)

    async def request(self) -> bytes:
        """One complete request (head, and a body by content-length)."""
        data = self._unread
        while True:
            head, blank, rest = data.partition(b"\r\n\r\n")
            if blank:
                length = 0
                for line in head.lower().split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                if len(rest) >= length:
                    self._unread = rest[length:]
                    return head + blank + rest[:length]
            piece = await self.receive()
            assert piece, f"the client left in the middle of a request: {data!r}"
            data += piece

    def unread(self) -> bytes:
        """What has arrived and was not read, without waiting."""
        try:
            return self.sock.recv(65_536)
        except BlockingIOError:
            return b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(self, body: bytes = b"{}", status: int = 200) -> None:
        self.send(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def close(self) -> None:
        self.sock.close()

    def reset(self) -> None:
        """End with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Host:
    """A listening socket on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.port: int = self.listener.getsockname()[1]
        self.lines: list[Line] = []

    @property
    def origin(self) -> Origin:
        return Origin("http", "127.0.0.1", self.port)

    async def accept(self) -> Line:
        sock, _ = await asyncio.get_running_loop().sock_accept(self.listener)
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line = Line(sock)
        self.lines.append(line)
        return line

    def close(self) -> None:
        self.listener.close()
        for line in self.lines:
            line.close()


@pytest.fixture
def host() -> Iterator[Host]:
    server = Host()
    yield server
    server.close()


class Certificates:
    """A throwaway authority, a server certificate for localhost and 127.0.0.1."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(self.server)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))
