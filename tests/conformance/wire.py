"""A client of the wire: what §2 and §12 of bitget.md say about signing and framing, and nothing more."""

from __future__ import annotations

import base64
import hmac
import http.client
import json
import urllib.parse
from collections.abc import Callable
from typing import Any

from websockets.sync.client import ClientConnection, connect

from shared import clock

FUTURES = "USDT-FUTURES"
ANSWER_S = 5.0


class RefusedError(Exception):
    """The exchange said no: HTTP status and the venue's code."""

    def __init__(self, call: str, status: int, code: str, text: str) -> None:
        super().__init__(f"{call}: HTTP {status}, {code} {text}")
        self.status = status
        self.code = code


def signed(secret: str, text: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), "sha256")).decode()


def headers(account: dict[str, Any], method: str, path: str, body: str = "") -> dict[str, str]:
    stamp = str(clock.now_ms())
    return {
        "ACCESS-KEY": account["key"],
        "ACCESS-PASSPHRASE": account["passphrase"],
        "ACCESS-TIMESTAMP": stamp,
        "ACCESS-SIGN": signed(account["secret"], f"{stamp}{method}{path}{body}"),
        "Content-Type": "application/json",
        "locale": "en-US",
    }


class Rest:
    """Signed requests over one kept connection; ``heard`` is called with every (call, data)."""

    def __init__(
        self, base: str, account: dict[str, Any], heard: Callable[[str, Any], None] | None = None
    ) -> None:
        host = urllib.parse.urlsplit(base).netloc
        self.account = account
        self.connection = http.client.HTTPConnection(host, timeout=10)
        self.heard = heard

    def exchange(self, method: str, path: str, body: str = "") -> tuple[int, dict[str, Any]]:
        """HTTP status and envelope."""
        sent = headers(self.account, method, path, body)
        self.connection.request(method, path, body.encode() if method == "POST" else None, sent)
        with self.connection.getresponse() as response:
            answer: dict[str, Any] = json.loads(response.read())
            return response.status, answer

    def _data(self, method: str, path: str, full: str, body: str = "") -> Any:
        call = f"{method} {path}"
        status, answer = self.exchange(method, full, body)
        if answer["code"] != "00000":
            raise RefusedError(call, status, answer["code"], answer.get("msg") or answer.get("message") or "")
        assert status == 200, (call, status, answer)
        assert type(answer["requestTime"]) is int, (call, answer)
        assert set(answer) <= {"code", "msg", "message", "requestTime", "data"}, (call, answer)
        if self.heard is not None:
            self.heard(call, answer["data"])
        return answer["data"]

    def get(self, path: str, **query: object) -> Any:
        text = urllib.parse.urlencode({name: str(value) for name, value in query.items()})
        return self._data("GET", path, f"{path}?{text}" if text else path)

    def post(self, path: str, **body: object) -> Any:
        return self._data("POST", path, path, json.dumps(body))

    def code(self, path: str, **body: object) -> str:
        """The code of a POST, refused or not."""
        return str(self.exchange("POST", path, json.dumps(body))[1]["code"])

    def close(self) -> None:
        self.connection.close()


class Socket:
    """One websocket; everything that arrived is kept in ``seen``."""

    def __init__(self, url: str) -> None:
        self.raw: ClientConnection = connect(url, open_timeout=ANSWER_S, close_timeout=1)
        self.seen: list[dict[str, Any]] = []

    def send(self, op: str, *args: dict[str, Any]) -> None:
        self.raw.send(json.dumps({"op": op, "args": list(args)}))

    def receive(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.raw.recv(timeout=ANSWER_S))
        self.seen.append(found)
        return found

    def expect(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        while not fits(message := self.receive()):
            pass
        return message

    def login(self, account: dict[str, Any]) -> dict[str, Any]:
        stamp = str(clock.now_ms() // 1000)
        sign = signed(account["secret"], f"{stamp}GET/user/verify")
        arg = {"apiKey": account["key"], "passphrase": account["passphrase"]}
        self.send("login", arg | {"timestamp": stamp, "sign": sign})
        return self.receive()

    def subscribe(self, channel: str, name: str = "default", kind: str = FUTURES) -> dict[str, Any]:
        """The acknowledgement or the refusal, which both echo the argument."""
        arg = {"instType": kind, "channel": channel, "coin" if channel == "account" else "instId": name}
        self.send("subscribe", arg)
        return self.expect(lambda message: "event" in message and message.get("arg") == arg)

    def push(self, channel: str, kind: str = FUTURES) -> dict[str, Any]:
        """The next push of a channel."""
        return self.expect(
            lambda message: (
                "action" in message
                and (message["arg"]["channel"], message["arg"]["instType"]) == (channel, kind)
            )
        )

    def settle(self) -> None:
        """Everything that was pushed before now is in ``seen``: the exchange answers in order."""
        self.raw.send("ping")
        while (text := self.raw.recv(timeout=ANSWER_S)) != "pong":
            self.seen.append(json.loads(text))

    def close(self) -> None:
        self.raw.close()
