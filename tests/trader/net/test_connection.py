"""What became of a request is told exactly: not sent, unknown, or its own answer and never another's."""

from __future__ import annotations

import asyncio
import select
import socket
from contextlib import suppress
from typing import Any

import pytest

from shared import clock
from shared.errors import NotSentError, OutcomeUnknownError
from trader.net.http import MAX_REQUEST, HttpConnection, Origin, Response, build_get, build_post

GET = build_get("x", "/a")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"


async def connected(host: Any, **options: Any) -> tuple[HttpConnection, Any]:
    connection = HttpConnection(host.origin, name="test", **options)
    await connection.connect(2.0)
    return connection, await host.accept()


async def settle() -> None:
    """Let the loop see what the kernel has: a few turns are enough for bytes that are there already."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_request_gets_its_answer_and_its_stamps(host: Any) -> None:
    connection, line = await connected(host)
    before = clock.now_ns()
    future = connection.send(build_post("x", "/a?b=c", {"K": "v"}, b'{"a":1}'))
    written = connection.written_ns
    assert connection.busy
    assert (
        await line.request() == b'POST /a?b=c HTTP/1.1\r\nHost: x\r\nK: v\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
    line.send(ANSWER[:10])
    await settle()
    line.send(ANSWER[10:])
    response = await future
    assert (response.status, response.body) == (200, b"{}")
    assert response.headers == {"content-type": "application/json", "content-length": "2"}
    assert before <= written <= response.first_byte_ns <= response.received_ns <= clock.now_ns()
    assert (connection.connected, connection.busy) == (True, False)
    connection.close()
    await connection.wait_closed()


async def test_the_bytes_have_left_when_send_returns(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    assert line.unread() == GET  # the loop has not run in between
    line.answer()
    await future
    connection.close()


@pytest.mark.parametrize(
    ("answer", "body", "stays"),
    [
        (ANSWER, b"{}", True),
        (CHUNKED, b"abcde", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" + ANSWER, b"{}", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b'HTTP/1.1 304 Not Modified\r\nETag: W/"1"\r\nContent-Length: 99\r\n\r\n', b"", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", b"{}", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}", b"{}", False),
        (ANSWER + b"more", b"{}", False),
        (ANSWER + ANSWER, b"{}", False),
    ],
)
async def test_kinds_of_answers(host: Any, answer: bytes, body: bytes, stays: bool) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    line.send(answer)
    assert (await future).body == body
    assert connection.connected is stays
    if stays:
        second = connection.send(GET)
        line.answer(b"second")
        assert (await second).body == b"second"
    connection.close()
    await connection.wait_closed()


async def test_a_head_request_has_no_body(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
    line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    assert (await future).body == b""
    assert connection.connected
    connection.close()


async def test_a_body_may_run_until_the_close(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    await line.request()
    line.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    line.close()
    assert (await future).body == b"all of it"
    assert not connection.connected
    await connection.wait_closed()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("answer", [ANSWER, CHUNKED])
async def test_an_answer_cut_anywhere_is_unknown(host: Any, answer: bytes, reset: bool) -> None:
    for cut in range(len(answer)):
        connection, line = await connected(host)
        future = connection.send(GET)
        await line.request()
        line.send(answer[:cut])
        if reset:
            await settle()
            line.reset()
        else:
            line.close()
        with pytest.raises(OutcomeUnknownError, match="the outcome is unknown"):
            await future
        await connection.wait_closed()
        assert not connection.connected


async def test_a_reset_ends_a_body_without_length_in_doubt(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    await line.request()
    line.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    await settle()
    line.reset()
    with pytest.raises(OutcomeUnknownError):
        await future


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    ],
)
async def test_an_unusable_answer_is_unknown_and_ends_the_connection(host: Any, answer: bytes) -> None:
    connection, line = await connected(host, max_body=1000)
    future = connection.send(GET)
    line.send(answer)
    with pytest.raises(OutcomeUnknownError):
        await future
    assert not connection.connected
    with pytest.raises(NotSentError):
        connection.send(GET)


# Nothing left this machine


async def test_before_connecting_nothing_is_sent(host: Any) -> None:
    connection = HttpConnection(host.origin)
    assert not connection.connected
    assert connection.written_ns == 0
    with pytest.raises(NotSentError, match="not connected"):
        connection.send(GET)
    await connection.wait_closed()
    connection.close()
    assert connection.closed_because == "never connected"


async def test_while_one_is_in_flight_nothing_else_is_sent(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    with pytest.raises(NotSentError, match="busy"):
        connection.send(GET)
    assert line.unread() == GET
    line.answer()
    await future
    connection.close()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_close_that_the_loop_has_not_seen_is_seen_before_the_write(host: Any, reset: bool) -> None:
    connection, line = await connected(host)
    if reset:
        line.reset()
    else:
        line.close()
    assert connection.connected  # as far as the loop knows
    with pytest.raises(NotSentError, match="closed by the server while idle"):
        connection.send(GET)
    await connection.wait_closed()


async def test_an_idle_close_that_the_loop_has_seen(host: Any) -> None:
    connection, line = await connected(host)
    line.close()
    await connection.wait_closed()
    with pytest.raises(NotSentError, match="closed by the server"):
        connection.send(GET)


async def test_the_kernel_refuses_the_write(host: Any) -> None:
    connection, line = await connected(host)
    wire: Any = connection._wire
    wire._transport.get_extra_info("socket").shutdown(socket.SHUT_WR)
    with pytest.raises(NotSentError, match="the kernel refused the write"):
        connection.send(GET)
    assert not connection.busy
    assert not connection.connected
    assert await line.receive() == b""
    await connection.wait_closed()


async def test_a_request_that_is_too_large_is_not_sent(host: Any) -> None:
    connection, line = await connected(host)
    with pytest.raises(NotSentError, match="too large"):
        connection.send(b"x" * (MAX_REQUEST + 1))
    assert line.unread() == b""
    connection.close()


async def test_our_close_makes_what_is_in_flight_unknown(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    connection.close("shutting down")
    with pytest.raises(OutcomeUnknownError, match="shutting down"):
        await future
    assert line.unread() == GET
    await connection.wait_closed()


async def test_a_server_that_leaves_without_an_answer(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    await line.request()
    line.close()
    with pytest.raises(OutcomeUnknownError, match="middle of the answer"):
        await future


# An answer belongs to its request


async def test_a_late_answer_is_never_the_next_ones(host: Any) -> None:
    connection, line = await connected(host)
    with pytest.raises(OutcomeUnknownError, match=r"no answer within 0\.02 s"):
        await connection.request(GET, 0.02)
    assert not connection.connected
    await connection.connect(2.0)
    second = await host.accept()
    future = connection.send(GET)
    with suppress(OSError):  # the late answer finds nobody
        line.send(ANSWER)
    await settle()
    second.answer(b"second")
    assert (await future).body == b"second"
    connection.close()


async def test_a_request_that_was_given_up_closes_the_connection(host: Any) -> None:
    connection, line = await connected(host)
    task = asyncio.create_task(connection.request(GET, 5.0))
    await line.request()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not connection.connected
    assert connection.closed_because == "the request was given up"


async def test_an_abandoned_future_keeps_the_connection_busy_until_its_answer_has_passed(host: Any) -> None:
    connection, line = await connected(host)
    connection.send(GET).cancel()
    with pytest.raises(NotSentError, match="busy"):
        connection.send(GET)
    line.answer(b"first")
    while connection.busy:
        await asyncio.sleep(0)
    future = connection.send(GET)
    line.answer(b"second")
    assert (await future).body == b"second"
    connection.close()


async def test_a_doubled_answer_that_waits_in_the_kernel_is_not_read_as_the_next_one(host: Any) -> None:
    connection, line = await connected(host)
    future = connection.send(GET)
    line.answer(b"first")
    await future
    line.answer(b"first")
    with pytest.raises(NotSentError, match="nobody asked for"):
        connection.send(GET)
    assert line.unread() == GET  # the first request, and no second one
    assert not connection.connected


async def test_bytes_on_an_idle_connection_close_it(host: Any) -> None:
    connection, line = await connected(host)
    line.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    await connection.wait_closed()
    assert connection.closed_because == "the server sent bytes that nobody asked for"


async def test_an_answer_that_waits_while_the_loop_is_held_up_is_still_read(host: Any) -> None:
    """Both loops read before they run timers: a late loop does not make a timely answer unknown."""
    connection, line = await connected(host)
    future = connection.send(GET, timeout_s=0.01)
    line.answer(b"in time")
    select.select([], [], [], 0.05)  # somebody blocks the loop beyond the deadline
    assert (await future).body == b"in time"
    assert connection.connected
    connection.close()


async def test_the_deadline_ends_with_the_answer(host: Any) -> None:
    connection, line = await connected(host)
    first = connection.send(GET, timeout_s=0.05)
    line.answer()
    await first
    second = connection.send(GET)
    await asyncio.wait([second], timeout=0.08)  # past the first one's deadline
    assert connection.connected
    line.answer(b"second")
    assert (await second).body == b"second"
    connection.close()


# Connecting


async def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(NotSentError, match="cannot connect"):
        await HttpConnection(Origin("http", "127.0.0.1", port)).connect(2.0)


async def test_connecting_again_does_nothing_while_connected(host: Any) -> None:
    connection, _ = await connected(host)
    await connection.connect(2.0)
    with pytest.raises(BlockingIOError):
        host.listener.accept()
    connection.close()


async def test_connecting_twice_at_the_same_time_is_refused(host: Any) -> None:
    connection = HttpConnection(host.origin)
    first = asyncio.create_task(connection.connect(2.0))
    await asyncio.sleep(0)
    with pytest.raises(NotSentError, match="being connected"):
        await connection.connect(2.0)
    await first
    connection.close()
    await connection.wait_closed()


# TLS


class TlsLine:
    """The server's end of a TLS connection, driven in a thread."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    async def receive(self) -> bytes:
        data: bytes = await asyncio.to_thread(self.raw.recv, 65_536)
        return data


async def tls_connected(host: Any, certificates: Any) -> tuple[HttpConnection, Any]:
    from trader.net.tls import client_context

    connection = HttpConnection(
        Origin("https", "127.0.0.1", host.port), ssl_context=client_context(certificates.ca_file)
    )
    connecting = asyncio.create_task(connection.connect(5.0))
    line = await host.accept()
    line.sock.setblocking(True)
    line.sock = await asyncio.to_thread(certificates.server.wrap_socket, line.sock, server_side=True)
    await connecting
    return connection, line


async def test_tls_round_trips(host: Any, certificates: Any) -> None:
    connection, line = await tls_connected(host, certificates)
    for number in range(3):
        future = connection.send(GET)
        assert await TlsLine(line.sock).receive() == GET
        line.answer(b"%d" % number)
        response: Response = await future
        assert response.body == b"%d" % number
    connection.close()
    await connection.wait_closed()


async def test_tls_unread_bytes_after_an_answer_are_refused(host: Any, certificates: Any) -> None:
    connection, line = await tls_connected(host, certificates)
    future = connection.send(GET)
    line.answer(b"first")
    await future
    line.answer(b"first")
    with pytest.raises(NotSentError, match="nobody asked for"):
        connection.send(GET)


@pytest.mark.parametrize("polite", [True, False])
async def test_tls_a_body_without_length_needs_a_proper_end(
    host: Any, certificates: Any, polite: bool
) -> None:
    """Anybody on the way can send a FIN; only the server can send close_notify."""
    connection, line = await tls_connected(host, certificates)
    future = connection.send(GET)
    await TlsLine(line.sock).receive()
    line.send(b"HTTP/1.1 200 OK\r\n\r\nall of it")
    if polite:
        closing = asyncio.create_task(asyncio.to_thread(line.sock.unwrap))
        assert (await future).body == b"all of it"
        await asyncio.wait([closing])
        closing.exception()
    else:
        line.sock.shutdown(socket.SHUT_WR)
        with pytest.raises(OutcomeUnknownError):
            await future


async def test_tls_an_untrusted_server_gets_nothing(host: Any, certificates: Any) -> None:
    connection = HttpConnection(Origin("https", "127.0.0.1", host.port))  # the system's authorities
    connecting = asyncio.create_task(connection.connect(5.0))
    line = await host.accept()
    line.sock.setblocking(True)
    with pytest.raises(OSError):
        await asyncio.to_thread(certificates.server.wrap_socket, line.sock, server_side=True)
    with pytest.raises(NotSentError, match="cannot connect"):
        await connecting
    assert not connection.connected


async def test_tls_a_silent_handshake_ends_in_time(host: Any) -> None:
    connection = HttpConnection(Origin("https", "127.0.0.1", host.port), name="quiet")
    with pytest.raises(NotSentError, match="cannot connect to quiet: no answer in time"):
        await connection.connect(0.05)
    assert not connection.connected


async def test_tls_the_handshakes_last_messages_do_not_stop_the_first_request(
    host: Any, certificates: Any
) -> None:
    connection, line = await tls_connected(host, certificates)
    wire: Any = connection._wire
    wire._refuse_stale(select.POLLIN)  # as the kernel would report them
    future = connection.send(GET)
    line.answer()
    assert (await future).status == 200
    connection.close()
    await connection.wait_closed()
