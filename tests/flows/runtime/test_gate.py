"""In front of the server: strangers are refused, the page loads nothing from elsewhere, secrets are not stored."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from flows.runtime.gate import Gate, Message

SECRET = 'a"secret/of ours'


class Inner:
    """An application that remembers what reached it and answers 200."""

    def __init__(self) -> None:
        self.scopes: list[Message] = []
        self.received: list[Message] = []

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.received.append(await receive())
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"x-own", b"1")]})
            await send({"type": "http.response.body", "body": b"ok"})


async def ask(
    inner: Inner,
    messages: Sequence[Message],
    *,
    kind: str = "http",
    host: bytes | None = b"127.0.0.1:4200",
    method: str = "POST",
) -> list[Message]:
    waiting, sent = list(messages), []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Message = {"type": kind, "method": method, "headers": [] if host is None else [(b"host", host)]}
    await Gate(inner, 4200, [SECRET, "short"])(scope, receive, send)
    return sent


def body(content: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": content, "more_body": more}


@pytest.mark.parametrize("host", [b"127.0.0.1:4200", b"localhost:4200", b"localhost", b"LOCALHOST:4200"])
async def test_requests_to_this_machine_are_served_under_a_content_policy(host: bytes) -> None:
    start, _ = await ask(Inner(), [body(b"{}")], host=host)
    headers = dict(start["headers"])
    assert start["status"] == 200
    assert headers[b"x-own"] == b"1"
    policy = dict(
        part.strip().split(" ", 1) for part in headers[b"content-security-policy"].decode().split(";")
    )
    assert policy["default-src"] == "'self'"
    allowed = set(policy["connect-src"].split())
    assert allowed == {"'self'"} | {
        f"{scheme}://{name}:4200" for scheme in ("http", "ws") for name in ("127.0.0.1", "localhost")
    }
    assert "https:" not in headers[b"content-security-policy"].decode()


@pytest.mark.parametrize("host", [b"evil.example", b"evil.example:4200", b"127.0.0.1.evil.example", None])
async def test_a_request_to_another_name_is_refused(host: bytes | None) -> None:
    inner = Inner()
    start, _ = await ask(inner, [body(b"{}")], host=host)
    assert start["status"] == 421
    (closed,) = await ask(inner, [{"type": "websocket.connect"}], kind="websocket", host=host)
    assert closed["type"] == "websocket.close"
    assert inner.scopes == []


async def test_a_secret_is_taken_out_of_a_body_also_across_its_pieces() -> None:
    inner = Inner()
    content = json.dumps({"message": f"it was {SECRET}!", "word": "short"}).encode()
    middle = content.index(b"of ours")
    await ask(inner, [body(content[:middle], more=True), body(content[middle:])])
    (message,) = inner.received
    assert message["more_body"] is False
    assert json.loads(message["body"]) == {"message": "it was [hidden]!", "word": "short"}


async def test_a_secret_is_taken_out_of_websocket_frames() -> None:
    inner = Inner()
    await ask(inner, [{"type": "websocket.receive", "text": json.dumps([SECRET])}], kind="websocket")
    await ask(inner, [{"type": "websocket.receive", "bytes": SECRET.encode()}], kind="websocket")
    assert [one.get("text") or one.get("bytes") for one in inner.received] == ['["[hidden]"]', b"[hidden]"]


async def test_the_frame_that_signs_in_keeps_its_password() -> None:
    inner = Inner()
    frame = json.dumps({"type": "auth", "token": SECRET})
    await ask(inner, [{"type": "websocket.receive", "text": frame}], kind="websocket")
    assert [one["text"] for one in inner.received] == [frame]


async def test_a_client_that_goes_away_in_the_middle_is_told_so() -> None:
    inner = Inner()
    await ask(inner, [body(b"{", more=True), {"type": "http.disconnect"}])
    assert inner.received == [{"type": "http.disconnect"}]


async def test_start_and_stop_pass_untouched() -> None:
    inner = Inner()
    await ask(inner, [{"type": "lifespan.startup"}], kind="lifespan", host=None)
    assert inner.received == [{"type": "lifespan.startup"}]
