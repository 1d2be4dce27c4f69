"""An order's way out and back: our HTTP client against aiohttp, our signature against ``hmac.new``.

``python -m benchmarks.net_http`` prints one JSON object a line. Both clients talk to the same server (a
process of its own) in turns, so that noise meets both; the ratios matter, not the microseconds.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import NamedTuple, cast

import aiohttp
import trustme
import uvloop

from shared import clock
from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import Side
from trader.net.http import HttpConnection, Origin
from trader.net.tls import client_context
from trader.venues import bitget
from trader.venues.bitget.requests import PLACE_ORDER
from trader.venues.model import MarginMode, PositionMode

ROUNDS, PER_ROUND = 20, 200
ANSWER_BODY = (
    b'{"code":"00000","msg":"success","requestTime":1700000000123,"data":{"clientOid":"a1","orderId":"1"}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(ANSWER_BODY),
    ANSWER_BODY,
)
BTC = Instrument(
    id="bitget:perp:BTC-USDT",
    venue=Venue.BITGET,
    market=Market.PERP,
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=Decimal("0.1"),
    step=Decimal("0.001"),
    min_size=Decimal("0.001"),
    min_notional=Decimal(5),
)
TICKER = (
    b'{"action":"snapshot","arg":{"instType":"USDT-FUTURES","channel":"ticker","instId":"BTCUSDT"},"data":[{"instId":'
    b'"BTCUSDT","lastPr":"27000.5","bidPr":"27000","askPr":"27000.5","bidSz":"2.71","askSz":"8.76","open24h":"27000.5",'
    b'"high24h":"30668.5","low24h":"26999.0","change24h":"-0.00002","fundingRate":"0.000010","nextFundingTime":'
    b'"1695722400000","markPrice":"27000.0","indexPrice":"25702.4","holdingAmount":"929.502","baseVolume":"368.900",'
    b'"quoteVolume":"10152429.961","openUtc":"27000.5","symbolType":1,"symbol":"BTCUSDT","deliveryPrice":"0","ts":'
    b'"1695715383021"}],"ts":1695715383039}'
)


class Keys(NamedTuple):
    key: str = "bg_0123456789abcdef0123456789abcdef"
    secret: str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    passphrase: str = "passphrase"


class Server(asyncio.Protocol):
    """Answers every complete request with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, blank, rest = self.data.partition(b"\r\n\r\n")
        if not blank:
            return
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        if len(rest) >= int(length or 0):
            self.data = b""
            self.transport.write(ANSWER)


async def serve(certificate: str) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def place_call() -> bytes:
    call = bitget.place_order(
        BTC,
        side=Side.BUY,
        size=Decimal("0.0123"),
        client_id="aB3d0123456789",
        position_mode=PositionMode.HEDGE,
        margin_mode=MarginMode.ISOLATED,
        take_profit=Decimal(30000),
    )
    assert call.body is not None
    return call.body


def show(name: str, ours_us: float, theirs_us: float, baseline: str) -> None:
    row = {
        "name": name,
        "us": round(ours_us, 2),
        baseline: round(theirs_us, 2),
        "ratio": round(ours_us / theirs_us, 3),
    }
    print(json.dumps(row), flush=True)


async def timed(send: Callable[[], Awaitable[object]]) -> list[float]:
    times = []
    for _ in range(PER_ROUND):
        began = clock.monotonic_ns()
        await send()
        times.append((clock.monotonic_ns() - began) / clock.MICROSECOND)
    return times


async def round_trips(name: str, origin: Origin, context: ssl.SSLContext | None) -> None:
    body = place_call()
    signer = bitget.Signer(Keys(), origin.authority)
    request = signer.post(PLACE_ORDER, body, clock.now_ms())
    lines = request.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    headers = dict(line.split(": ", 1) for line in lines if not line.startswith(("Host", "Content-Length")))
    connection = HttpConnection(origin, ssl_context=context)
    await connection.connect()
    connector = aiohttp.TCPConnector(ssl=context if context is not None else True)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def by_aiohttp() -> None:
            async with session.post(f"{origin}{PLACE_ORDER}", data=body, headers=headers) as response:
                await response.read()

        async def by_us() -> None:
            await connection.request(request, 5.0)

        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            ours += await timed(by_us)
            theirs += await timed(by_aiohttp)
    connection.close()
    await connection.wait_closed()
    show(f"round trip, {name}, p50", median(ours), median(theirs), "aiohttp_us")
    show(
        f"round trip, {name}, p99",
        sorted(ours)[-len(ours) // 100],
        sorted(theirs)[-len(theirs) // 100],
        "aiohttp_us",
    )


def per_call(work: Callable[[], object], count: int = 20_000) -> float:
    best = float("inf")
    for _ in range(5):
        began = clock.monotonic_ns()
        for _ in range(count):
            work()
        best = min(best, (clock.monotonic_ns() - began) / count / clock.MICROSECOND)
    return best


def costs() -> None:
    keys = Keys()
    body = place_call()
    signer = bitget.Signer(keys, "api.bitget.com")
    now_ms = clock.now_ms()
    text = b"%dPOST%b%b" % (now_ms, PLACE_ORDER.encode(), body)
    secret = keys.secret.encode()

    def by_hmac() -> bytes:
        signature = base64.b64encode(
            hmac.new(secret, f"{now_ms}POST{PLACE_ORDER}".encode() + body, hashlib.sha256).digest()
        )
        return (
            f"POST {PLACE_ORDER} HTTP/1.1\r\nHost: api.bitget.com\r\nACCESS-KEY: {keys.key}\r\n"
            f"ACCESS-PASSPHRASE: {keys.passphrase}\r\nACCESS-TIMESTAMP: {now_ms}\r\nACCESS-SIGN: {signature.decode()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    show(
        "sign",
        per_call(lambda: signer.sign(text)),
        per_call(lambda: hmac.new(secret, text, hashlib.sha256).digest()),
        "hmac_new_us",
    )
    show(
        "sign and build",
        per_call(lambda: signer.post(PLACE_ORDER, body, now_ms)),
        per_call(by_hmac),
        "hmac_new_us",
    )
    show(
        "order body",
        per_call(place_call),
        per_call(lambda: json.dumps(json.loads(body))),
        "json_round_trip_us",
    )
    frame = memoryview(TICKER)
    show(
        "read a ticker frame",
        per_call(lambda: bitget.parse_push(frame)),
        per_call(lambda: json.loads(TICKER)),
        "json_loads_us",
    )
    show(
        "read an order's answer",
        per_call(lambda: bitget.parse_ack(ANSWER_BODY, 200, "a1")),
        per_call(lambda: json.loads(ANSWER_BODY)),
        "json_loads_us",
    )


def main() -> int:
    if "--serve" in sys.argv:
        uvloop.run(serve(sys.argv[2] if len(sys.argv) > 2 else ""))
        return 0
    costs()
    with tempfile.TemporaryDirectory() as folder:
        authority, certificate, ca_file = trustme.CA(), Path(folder, "server.pem"), Path(folder, "ca.pem")
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
        authority.cert_pem.write_to_path(str(ca_file))
        for name, scheme, argument in (("plain", "http", ""), ("TLS", "https", str(certificate))):
            command = [sys.executable, "-m", "benchmarks.net_http", "--serve", argument]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout is not None
                port = int(server.stdout.readline())
                context = client_context(ca_file) if argument else None
                uvloop.run(round_trips(name, Origin(scheme, "127.0.0.1", port), context))
                server.terminate()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
