"""The small parts: origins, request bytes, back-off, TLS contexts, dialling."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotSentError, UsageError
from trader.net.backoff import Backoff
from trader.net.dial import Dialer
from trader.net.origin import Origin
from trader.net.request import build_get, build_post
from trader.net.tls import client_context


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("https://api.bitget.com", Origin("https", "api.bitget.com", 443), "api.bitget.com"),
        ("http://127.0.0.1:9500/x", Origin("http", "127.0.0.1", 9500), "127.0.0.1:9500"),
        ("wss://ws.bitget.com/v2/ws/public", Origin("wss", "ws.bitget.com", 443), "ws.bitget.com"),
        ("ws://[::1]:80/", Origin("ws", "::1", 80), "[::1]"),
    ],
)
def test_origins(url: str, origin: Origin, authority: str) -> None:
    found = Origin.parse(url)
    assert found == origin
    assert found.authority == authority
    assert str(found) == f"{origin.scheme}://{authority}"
    assert found.secure is (origin.scheme in ("https", "wss"))


@pytest.mark.parametrize(
    "url", ["", "api.bitget.com", "ftp://x", "https://", "http://x:99999", "http://[::1"]
)
def test_what_is_no_origin_is_named(url: str) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        Origin.parse(url)


def test_an_origin_carries_no_credentials() -> None:
    with pytest.raises(UsageError, match="credentials") as caught:
        Origin.parse("https://user:hunter2@host/")
    assert "hunter2" not in str(caught.value)


def test_requests_as_h11_reads_them() -> None:
    server = h11.Connection(h11.SERVER)
    server.receive_data(build_post("h:1", "/a?b=%20", {"X-Y": "z z"}, b"body"))
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (b"POST", b"/a?b=%20")
    assert dict(request.headers) == {b"host": b"h:1", b"x-y": b"z z", b"content-length": b"4"}
    data = server.next_event()
    assert isinstance(data, h11.Data)
    assert bytes(data.data) == b"body"
    assert build_get("h", "/") == b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("path", ["", "a", "/a b", "/a\r\nX: y", "/é"])
def test_a_path_that_would_break_the_request(path: str) -> None:
    with pytest.raises(UsageError, match="path"):
        build_get("h", path)


@pytest.mark.parametrize("value", ["", "hunter2\r\nX: y", "hunter2\0", "hunter2é", " hunter2"])
def test_a_header_that_would_break_the_request_is_not_repeated(value: str) -> None:
    with pytest.raises(UsageError, match="the value of X-Secret") as caught:
        build_get("h", "/", {"X-Secret": value})
    assert "hunter2" not in str(caught.value)


@given(st.floats(0.01, 1), st.floats(1, 60))
def test_the_back_off_grows_and_is_capped(first_s: float, cap_s: float) -> None:
    backoff = Backoff(first_s, cap_s)
    bound_s = first_s
    for _ in range(20):
        assert bound_s / 2 <= backoff.next() <= bound_s <= cap_s
        bound_s = min(cap_s, bound_s * 2)
    backoff.reset()
    assert backoff.next() <= first_s


def test_a_back_off_needs_sense() -> None:
    with pytest.raises(ValueError, match="0 < first_s <= cap_s"):
        Backoff(2, 1)


def test_certificates_are_always_verified() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_missing_ca_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.pem"):
        client_context(tmp_path / "nothing.pem")
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(UsageError, match=r"empty\.pem"):
        client_context(tmp_path / "empty.pem")


class Names:
    """A name server's answers, in order; an exception is raised."""

    def __init__(self, *answers: list[tuple[str, int]] | OSError) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.real = asyncio.get_running_loop().getaddrinfo

    async def __call__(self, host: str, port: int, **options: Any) -> list[Any]:
        if host == "127.0.0.1":  # uvloop asks even for these
            return await self.real(host, port, **options)
        self.asked.append(host)
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in answer]


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


async def test_every_address_gets_its_chance(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names([("127.0.0.1", refused_port()), ("127.0.0.1", host.port)])
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    sock = await Dialer(Origin("http", "exchange.example", 80)).open(2.0)
    assert sock.getpeername()[1] == host.port
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    sock.close()


async def test_names_are_asked_each_time_and_the_last_answer_helps_out(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names(
        [("127.0.0.1", refused_port())], [("127.0.0.1", host.port)], OSError("the name server is away")
    )
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    dialer = Dialer(Origin("http", "exchange.example", 80))
    with pytest.raises(NotSentError, match="cannot connect"):
        await dialer.open(2.0)
    for _ in range(2):
        (await dialer.open(2.0)).close()
    assert names.asked == ["exchange.example"] * 3


async def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names(OSError("unknown name")))
    with pytest.raises(NotSentError, match=r"cannot find the address of exchange\.example: unknown name"):
        await Dialer(Origin("http", "exchange.example", 80)).open(2.0)


async def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Names([]))
    with pytest.raises(NotSentError, match="no address"):
        await Dialer(Origin("http", "exchange.example", 80)).open(2.0)


async def test_a_silent_name_server_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent(*_: Any, **__: Any) -> list[Any]:
        await asyncio.get_running_loop().create_future()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", silent)
    with pytest.raises(NotSentError, match="no answer in time"):
        await Dialer(Origin("http", "exchange.example", 80)).open(0.02)


async def test_a_silent_address_leaves_time_for_the_next(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first listener's queue is full: its kernel answers no new connection."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = []
    for _ in range(3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(full.getsockname())
        waiting.append(client)
    names = Names([full.getsockname(), ("127.0.0.1", host.port)])
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", names)
    sock = await Dialer(Origin("http", "exchange.example", 80)).open(0.4)
    assert sock.getpeername()[1] == host.port
    for each in (sock, full, *waiting):
        each.close()


async def test_dialling_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    waiting = [socket.socket() for _ in range(3)]
    for client in waiting:
        client.setblocking(False)
        client.connect_ex(full.getsockname())
    task = asyncio.create_task(Dialer(Origin("http", "127.0.0.1", full.getsockname()[1])).open(5.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for each in (full, *waiting):
        each.close()


async def test_ipv6_addresses_are_used_as_they_are() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    sock = await Dialer(Origin("http", "::1", listener.getsockname()[1])).open(2.0)
    assert sock.family is socket.AF_INET6
    sock.close()
    listener.close()
