"""A paper exchange in a process of its own and a small client, for the checks in this folder.

It shares no code with the server: REST and signatures are written from the venue's documents.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared import clock

ROOT = Path(__file__).resolve().parents[2]
MARKET = ROOT.parent / "shared" / "data" / "market"
Json = dict[str, Any]


class Missing(SystemExit):
    """The recorded data is not on this machine."""


def recorded(*names: str) -> Path:
    """A file of the recorded market data; ends the program with one clear line when it is absent."""
    path = MARKET.joinpath(*names)
    if not path.exists():
        raise Missing(f"this check needs recorded market data, and there is none at {path}")
    return path


def load() -> str:
    """How busy the machine is, for the reader of a figure."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


class Exchange:
    """One started exchange. ``call`` signs for an account; anything but success raises ``AssertionError``."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "trader.paper", "--port", "0", "--no-limits", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the exchange did not start")
        self.ready: Json = json.loads(line)
        self.accounts: list[Json] = self.ready["accounts"]
        host, _, port = self.ready["rest"].removeprefix("http://").partition(":")
        self._http = http.client.HTTPConnection(host, int(port), timeout=600)

    def stop(self) -> None:
        self._http.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def control(self, path: str, body: Json | None = None) -> Any:
        """``GET`` without a body, else ``POST``."""
        text = "" if body is None else json.dumps(body)
        status, answer = self._send("GET" if body is None else "POST", f"/control{path}", text, {})
        assert status == 200, answer
        return answer

    def forget_requests(self) -> None:
        """Empty the log of what arrived."""
        status, _ = self._send("DELETE", "/control/requests", "", {})
        assert status == 200

    def advance(self, ms: int) -> None:
        """Lock-step: returns when the market has been played up to the new time."""
        self.control("/clock", {"advance_ms": ms})

    def now_ns(self) -> int:
        return int(self.control("/state")["clock"]["now_ns"])

    def call(self, account: Json, method: str, path: str, body: Json | None = None) -> Any:
        """A signed call; the answer's data."""
        status, answer = self.try_call(account, method, path, body)
        assert status == 200, (path, body, answer)
        assert answer["code"] == "00000", (path, body, answer)
        return answer["data"]

    def try_call(self, account: Json, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        text = "" if body is None else json.dumps(body)
        stamp = str(clock.now_ms())
        signed = hmac.new(
            account["secret"].encode(), f"{stamp}{method}{path}{text}".encode(), hashlib.sha256
        ).digest()
        headers = {
            "ACCESS-KEY": account["key"],
            "ACCESS-SIGN": base64.b64encode(signed).decode(),
            "ACCESS-TIMESTAMP": stamp,
            "ACCESS-PASSPHRASE": account["passphrase"],
            "Content-Type": "application/json",
        }
        return self._send(method, path, text, headers)

    def market(
        self,
        account: Json,
        symbol: str,
        side: str,
        size: str,
        price: str | None = None,
        *,
        mode: str = "isolated",
        **more: object,
    ) -> str:
        """Place an order (at market without a price); its id."""
        body: Json = {
            "symbol": symbol,
            "productType": "USDT-FUTURES",
            "marginMode": mode,
            "marginCoin": "USDT",
            "side": side,
            "size": size,
            "orderType": "market" if price is None else "limit",
        }
        if price is not None:
            body["price"] = price
        return str(self.call(account, "POST", "/api/v2/mix/order/place-order", body | more)["orderId"])

    def detail(self, account: Json, symbol: str, order: str) -> Json:
        path = f"/api/v2/mix/order/detail?symbol={symbol}&productType=USDT-FUTURES&orderId={order}"
        found: Json = self.call(account, "GET", path)
        return found

    def fills(self, account: Json, order: str) -> list[Json]:
        """All fills of one order, oldest first, page after page."""
        found: list[Json] = []
        before = ""
        while True:
            path = f"/api/v2/mix/order/fills?productType=USDT-FUTURES&orderId={order}&limit=100{before}"
            page = self.call(account, "GET", path)["fillList"] or []
            found.extend(page)
            if len(page) < 100:
                return found[::-1]
            before = f"&idLessThan={page[-1]['tradeId']}"

    def _send(self, method: str, path: str, text: str, headers: dict[str, str]) -> tuple[int, Json]:
        self._http.request(method, path, text or None, headers)
        response = self._http.getresponse()
        return response.status, json.loads(response.read())


@contextmanager
def started(*arguments: str) -> Iterator[Exchange]:
    exchange = Exchange(*arguments)
    try:
        yield exchange
    finally:
        exchange.stop()
