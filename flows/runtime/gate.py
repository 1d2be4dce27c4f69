"""In front of the Prefect server: who may ask, what the page may load, and no secret in what is stored.

Prefect listens on the loopback address, but a browser on the same machine can be sent there by any web page.
So only requests that were addressed to this machine are served (another name means that a stranger's name
was pointed here), and a content policy keeps the page from loading or sending anything elsewhere.

Everything that Prefect stores comes through here: log lines, states with their messages, artifacts, events,
parameters. The secrets of this installation are taken out of it by value.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

HOSTS = ("127.0.0.1", "localhost", "[::1]")
SHORTEST = 12
"""Characters. A shorter value may be a word that Prefect's own messages need."""
HIDDEN = b"[hidden]"
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src {connect};"
    " object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)


class Gate:
    """An ASGI application around another."""

    def __init__(self, app: App, port: int, secrets: Iterable[str]) -> None:
        self._app = app
        self._hosts = {name.encode() for host in HOSTS for name in (host, f"{host}:{port}")}
        self._secrets = _forms(secrets)
        connect = ["'self'"] + [
            f"{scheme}://{host}:{port}" for scheme in ("http", "ws") for host in HOSTS[:2]
        ]
        self._headers = [
            (b"content-security-policy", POLICY.format(connect=" ".join(connect)).encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
        elif not self._addressed_to_us(scope):
            await _refuse(kind, receive, send)
        elif kind == "websocket":
            await self._app(scope, self._cleaned_frames(receive), send)
        else:
            await self._app(scope, self._cleaned_body(scope, receive), self._with_headers(send))

    def _addressed_to_us(self, scope: Message) -> bool:
        hosts = [value.lower() for name, value in scope["headers"] if name == b"host"]
        return len(hosts) == 1 and hosts[0] in self._hosts

    def clean(self, content: bytes) -> bytes:
        for secret in self._secrets:
            if secret in content:
                content = content.replace(secret, HIDDEN)
        return content

    def _cleaned_body(self, scope: Message, receive: Receive) -> Receive:
        """The whole body in one piece: a secret may lie across the border of two."""
        if not self._secrets or scope["method"] not in {"POST", "PUT", "PATCH"}:
            return receive
        whole = False

        async def read() -> Message:
            nonlocal whole
            if whole:
                return await receive()
            parts = []
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return message
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    whole = True
                    return {"type": "http.request", "body": self.clean(b"".join(parts)), "more_body": False}

        return read

    def _cleaned_frames(self, receive: Receive) -> Receive:
        async def read() -> Message:
            message = await receive()
            if message.get("text") is not None and not _signs_in(message["text"]):
                message["text"] = self.clean(message["text"].encode()).decode()
            if message.get("bytes") is not None:
                message["bytes"] = self.clean(message["bytes"])
            return message

        return read if self._secrets else receive

    def _with_headers(self, send: Send) -> Send:
        async def write(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        return write


def _forms(secrets: Iterable[str]) -> list[bytes]:
    """Each secret as it looks plain and inside JSON, the longest first."""
    long = [secret for secret in secrets if len(secret) >= SHORTEST]
    found = {form.encode() for secret in long for form in (secret, json.dumps(secret)[1:-1])}
    return sorted(found, key=len, reverse=True)


def _signs_in(text: str) -> bool:
    """The first frame of a client holds the password on purpose, and is not stored."""
    try:
        content = json.loads(text)
    except ValueError:
        return False
    return isinstance(content, dict) and content.get("type") == "auth"


async def _refuse(kind: str, receive: Receive, send: Send) -> None:
    if kind == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    text = b"This server answers only requests to 127.0.0.1 or localhost."
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": text})
