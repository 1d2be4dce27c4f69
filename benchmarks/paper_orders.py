"""Signed orders per second of the paper exchange, against an empty handler on the same HTTP server.

``python -m benchmarks.paper_orders [--accounts 200] [--rounds 6]``. The exchange runs as users run it: limits
and signatures on, state on disk, one private websocket with all channels open per account. The empty handler is
an aiohttp application with one route that reads the body and answers a fixed one. The same client process
drives both with the same bytes over as many connections, one request on its way on each, in turns; its own cost
is in both figures. Fails when a median ratio is below 0.4.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hmac
import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any, cast

import aiohttp
import psutil
import uvloop

from shared import clock

LEAST = 0.4
ROOT = Path(__file__).resolve().parent.parent
PER_ROUND = 8
"""Requests a connection and round: below the 10 a second of every call."""
CHANNELS = ("orders", "fill", "positions", "account", "orders-algo")
EMPTY = """
import asyncio, sys, uvloop
from aiohttp import web
ANSWER = b'{"code":"00000","msg":"success","requestTime":1700000000123,"data":{"clientOid":"a1","orderId":"1"}}'
async def handle(request):
    await request.read()
    return web.Response(body=ANSWER, content_type="application/json")
async def main():
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()
uvloop.run(main())
"""


class Driver(asyncio.Protocol):
    """One connection: sends its requests one after the other, each when the last was answered."""

    def __init__(self) -> None:
        self._queue: list[bytes] = []
        self._buffer = b""
        self._need = 0
        self.refused = 0
        self.first_refusal = b""
        self.done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def start(self, requests: list[bytes]) -> asyncio.Future[None]:
        self._queue = requests[::-1]
        self.done = asyncio.get_running_loop().create_future()
        self._transport.write(self._queue.pop())
        return self.done

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._need:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            at = self._buffer.find(b"Content-Length: ") + 16
            self._need = end + 4 + int(self._buffer[at : self._buffer.index(b"\r\n", at)])
        if len(self._buffer) < self._need:
            return
        if self._buffer[9:12] != b"200":
            self.refused += 1
            self.first_refusal = self.first_refusal or self._buffer
        self._buffer, self._need = b"", 0
        if self._queue:
            self._transport.write(self._queue.pop())
        elif self.done is not None:
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed the connection"))


def signed(account: dict[str, Any], path: str, body: dict[str, str], host: str) -> bytes:
    text, stamp = json.dumps(body, separators=(",", ":")), str(clock.now_ms())
    digest = hmac.digest(account["secret"].encode(), f"{stamp}POST{path}{text}".encode(), "sha256")
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"ACCESS-KEY: {account['key']}\r\nACCESS-SIGN: {base64.b64encode(digest).decode()}\r\n"
        f"ACCESS-TIMESTAMP: {stamp}\r\nACCESS-PASSPHRASE: {account['passphrase']}\r\n"
        f"Content-Length: {len(text)}\r\n\r\n{text}"
    ).encode()


def requests(kind: str, account: dict[str, Any], host: str, first: int) -> list[bytes]:
    """Limit orders are placed and cancelled, market orders open a position and close it."""
    common = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT"}
    made: list[bytes] = []
    for number in range(first, first + PER_ROUND // 2):
        order = common | {"marginMode": "isolated", "size": "0.001", "clientOid": f"{kind}{number}"}
        if kind == "limit":
            order |= {"side": "buy", "orderType": "limit", "price": "58000", "force": "gtc"}
            made.append(signed(account, "/api/v2/mix/order/place-order", order, host))
            named = common | {"clientOid": f"{kind}{number}"}
            made.append(signed(account, "/api/v2/mix/order/cancel-order", named, host))
        else:
            order |= {"orderType": "market"}
            made.append(signed(account, "/api/v2/mix/order/place-order", order | {"side": "buy"}, host))
            close = order | {"side": "sell", "reduceOnly": "YES", "clientOid": f"{kind}{number}x"}
            made.append(signed(account, "/api/v2/mix/order/place-order", close, host))
    return made


async def listen(
    session: aiohttp.ClientSession, url: str, account: dict[str, Any]
) -> aiohttp.ClientWebSocketResponse:
    socket = await session.ws_connect(url, autoping=True)
    stamp = str(clock.now_ms() // 1000)
    digest = hmac.digest(account["secret"].encode(), f"{stamp}GET/user/verify".encode(), "sha256")
    login = {"apiKey": account["key"], "passphrase": account["passphrase"], "timestamp": stamp}
    login["sign"] = base64.b64encode(digest).decode()
    await socket.send_json({"op": "login", "args": [login]})
    args = [
        {
            "instType": "USDT-FUTURES",
            "channel": channel,
            "coin" if channel == "account" else "instId": "default",
        }
        for channel in CHANNELS
    ]
    await socket.send_json({"op": "subscribe", "args": args})
    return socket


async def drain(socket: aiohttp.ClientWebSocketResponse, counts: list[int]) -> None:
    async for _ in socket:
        counts[0] += 1


class Side:
    """One server, its connections, and what its rounds took."""

    def __init__(self, port: int, process: int) -> None:
        self.port = port
        self.process = psutil.Process(process)
        self.drivers: list[Driver] = []
        self.rates: list[float] = []
        self.costs: list[float] = []

    async def connect(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(count):
            _, driver = await loop.create_connection(Driver, "127.0.0.1", self.port)
            self.drivers.append(driver)

    async def round(self, batches: list[list[bytes]]) -> None:
        cpu = self.process.cpu_times()
        begun = clock.monotonic_ns()
        await asyncio.gather(
            *(driver.start(batch) for driver, batch in zip(self.drivers, batches, strict=True))
        )
        took = (clock.monotonic_ns() - begun) / clock.SECOND
        after = self.process.cpu_times()
        count = sum(len(batch) for batch in batches)
        self.rates.append(count / took)
        self.costs.append((after.user + after.system - cpu.user - cpu.system) / count * 1e6)

    def forget(self) -> None:
        self.rates.clear()
        self.costs.clear()


def measure(accounts: int, rounds: int) -> bool:
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", "trader.paper", "--port", "0", "--tape", "manual", "--home", home]
        exchange = subprocess.Popen(
            [*command, "--accounts", str(accounts), "--balance", "100000"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        empty = subprocess.Popen([sys.executable, "-c", EMPTY], stdout=subprocess.PIPE, text=True)
        try:
            assert exchange.stdout is not None
            assert empty.stdout is not None
            ready = json.loads(exchange.stdout.readline())
            ours = Side(int(ready["rest"].rpartition(":")[2]), exchange.pid)
            theirs = Side(int(empty.stdout.readline()), empty.pid)
            return uvloop.run(compare(ready, ours, theirs, rounds))
        finally:
            for process in (exchange, empty):
                process.terminate()
                process.wait()


async def compare(ready: dict[str, Any], ours: Side, theirs: Side, rounds: int) -> bool:
    good, counts, accounts = True, [0], ready["accounts"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        sockets = [await listen(session, ready["ws_private"], account) for account in accounts]
        readers = [asyncio.create_task(drain(socket, counts)) for socket in sockets]
        for side in (ours, theirs):
            await side.connect(len(accounts))
        for kind in ("limit", "market"):
            for side in (ours, theirs):
                side.forget()
            for number in range(rounds + 1):
                for side in (ours, theirs):
                    host = f"127.0.0.1:{side.port}"
                    batches = [requests(kind, one, host, number * PER_ROUND) for one in accounts]
                    await side.round(batches)
                    if number == 0:
                        side.forget()  # the first round opens files, fills caches
                await asyncio.sleep(1)  # the limits per second start full again
            good &= report(kind, ours, theirs)
        pushes, state = counts[0], await asyncio.to_thread(fetch, ready["control"] + "/state")
        print(f"{len(accounts)} accounts, {pushes} private pushes read, failures {state['failures']}")
        for reader in readers:
            reader.cancel()
        refused = [driver for driver in ours.drivers if driver.refused]
        if refused or state["failures"] or not pushes:
            print(
                f"refused: {sum(d.refused for d in refused)} {refused[0].first_refusal[:400]!r}"
                if refused
                else "no pushes"
            )
            return False
    return good


def fetch(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def report(kind: str, ours: Side, theirs: Side) -> bool:
    ratios = [mine / other for mine, other in zip(ours.rates, theirs.rates, strict=True)]
    ratio = median(ratios)
    print(
        f"{kind:6} orders {median(ours.rates):6.0f}/s, empty handler {median(theirs.rates):6.0f}/s: "
        f"ratio {ratio:.3f} ({min(ratios):.3f} to {max(ratios):.3f}); processor "
        f"{median(ours.costs):.0f} and {median(theirs.costs):.0f} us a request, ratio "
        f"{median(theirs.costs) / median(ours.costs):.3f}",
        flush=True,
    )
    return ratio >= LEAST


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    good = measure(given.accounts, given.rounds)
    print("holds" if good else f"DOES NOT HOLD: at least {LEAST} is needed")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
