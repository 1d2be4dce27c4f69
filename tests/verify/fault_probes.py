"""One probe per kind of fault: a real client meets it, and says what it saw. Shared by the command and the tests."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from shared import clock
from tests.trader.paper.client import FUTURES, Client, Socket

PLACE = "/api/v2/mix/order/place-order"
DETAIL = "/api/v2/mix/order/detail"
PENDING = "/api/v2/mix/order/orders-pending"
POSITIONS = "/api/v2/mix/position/all-position"
CANCEL_ALL = "/api/v2/mix/order/cancel-all-orders"
TIME = "/api/v2/public/time"
TICKER = f"/api/v2/mix/market/ticker?symbol=BTCUSDT&productType={FUTURES}"
BTC = {"symbol": "BTCUSDT", "productType": FUTURES}
_NOTHING_S = 0.12
_SOON_S = 5.0


class Raw:
    """One TCP connection and the bytes on it."""

    def __init__(self, client: Client, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.client = client
        self.reader = reader
        self.writer = writer

    async def send(self, method: str, path: str, body: str = "", *, signed: bool = False) -> None:
        headers = self.client.headers(method, path, body) if signed else {}
        lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", body]).encode())
        await self.writer.drain()

    async def order(self, client_id: str) -> None:
        """A resting limit order far below the market."""
        body = json.dumps(BTC | resting(client_id))
        await self.send("POST", PLACE, body, signed=True)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Status, headers (lower case) and as many bytes as Content-Length promises."""
        head = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), _SOON_S)).decode()
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), _SOON_S)
        return int(first.split()[1]), headers, body

    async def end(self) -> bytes:
        """Everything until the server closes."""
        return await asyncio.wait_for(self.reader.read(), _SOON_S)

    async def silent(self) -> bool:
        """Nothing comes and nothing ends for a while."""
        try:
            await asyncio.wait_for(self.reader.read(1), _NOTHING_S)
        except TimeoutError:
            return True
        return False


def resting(client_id: str) -> dict[str, object]:
    return {
        "marginMode": "isolated", "marginCoin": "USDT", "side": "buy", "orderType": "limit", "size": "0.001",
        "price": "30000", "clientOid": client_id,
    }  # fmt: skip


class Fault:
    """A fault that stands; ``row`` after its removal."""

    def __init__(self, number: str) -> None:
        self.id = number
        self.row: dict[str, Any] = {}


class Bench:
    """An exchange to probe: one account, with or without TLS."""

    def __init__(self, client: Client, context: ssl.SSLContext | None = None) -> None:
        self.client = client
        self.context = context
        self._count = 0
        self._open: list[asyncio.StreamWriter] = []

    def name(self) -> str:
        self._count += 1
        return f"probe{self._count}"

    async def raw(self) -> Raw:
        url = urlsplit(self.client.ready["rest"])
        reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=self.context)
        self._open.append(writer)
        return Raw(self.client, reader, writer)

    @asynccontextmanager
    async def fault(
        self, do: str, match: dict[str, object], *, hits: int | None = None, **args: object
    ) -> AsyncIterator[Fault]:
        """The fault inside the block; afterwards it was hit, and so often."""
        made = await self.client.control("/faults", {"do": do, "match": match, "args": args})
        fault = Fault(made["id"])
        try:
            yield fault
        finally:
            fault.row = await self.remove(fault.id)
        assert fault.row["hits"] >= 1, fault.row
        assert hits in (None, fault.row["hits"]), fault.row

    async def remove(self, number: str) -> dict[str, Any]:
        url = f"{self.client.ready['control']}/faults/{number}"
        async with self.client.session.delete(url) as response:
            row: dict[str, Any] = await response.json()
            return row

    async def there(self, client_id: str) -> bool:
        """Whether the order exists, asked past all faults."""
        found = await self.client.control(f"/accounts/{self.client.account['id']}")
        return any(order["clientOid"] == client_id for order in found["orders"])

    async def eventually(self, client_id: str) -> None:
        while not await self.there(client_id):
            await asyncio.sleep(0)

    async def stream(self, *channels: str) -> Socket:
        socket = await self.client.socket("ws_private")
        assert (await socket.login())["code"] == 0
        for channel in channels:
            await socket.subscribe(channel)
        await socket.raw.send_str("ping")  # what the subscriptions brought is behind us
        while (await socket.raw.receive_str(timeout=_SOON_S)) != "pong":
            pass
        return socket

    async def close(self) -> None:
        """Close every raw connection."""
        for writer in self._open:
            writer.close()
        for writer in self._open:
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
        self._open.clear()

    async def clean(self) -> None:
        await self.close()
        async with self.client.session.delete(self.client.ready["control"] + "/faults"):
            pass
        await self.client.post(CANCEL_ALL, productType=FUTURES)
        await self.client.post("/api/v2/mix/order/close-positions", productType=FUTURES)


Probe = Callable[[Bench], Awaitable[str]]


async def delay(bench: Bench) -> str:
    raw, name, began = await bench.raw(), bench.name(), clock.monotonic_ns()
    async with bench.fault("delay", {"path": PLACE}, before_ms=80, jitter_ms=20, seed=1):
        await raw.order(name)
        assert await raw.silent() or clock.monotonic_ns() - began >= 80 * clock.MILLISECOND
    before = bench.name()
    async with bench.fault("delay", {"path": PLACE}, before_ms=30_000):
        await raw.answer()
        await raw.order(before)
        assert await raw.silent()
        assert not await bench.there(before)
    await raw.answer()
    after = bench.name()
    async with bench.fault("delay", {"path": PLACE}, after_ms=30_000):
        await raw.order(after)
        await bench.eventually(after)
        assert await raw.silent()
    assert (await raw.answer())[0] == 200
    return "before: no order and no answer yet; after: the order stands, its answer is late"


async def drop_request(bench: Bench) -> str:
    name = bench.name()
    async with bench.fault("drop_request", {"path": PLACE}, then="close"):
        raw = await bench.raw()
        await raw.order(name)
        assert await raw.end() == b""
    hanging = await bench.raw()
    async with bench.fault("drop_request", {"path": PLACE}, then="hang"):
        await hanging.order(name)
        assert await hanging.silent()
    assert await hanging.end() == b""
    assert not await bench.there(name)
    return "no order; the connection closed, or hung until the fault was removed"


async def answer_lost(bench: Bench) -> str:
    first, second = bench.name(), bench.name()
    async with bench.fault("answer_lost", {"path": PLACE}):
        raw = await bench.raw()
        await raw.order(first)
        assert await raw.end() == b""
        assert await bench.there(first)
    hanging = await bench.raw()
    async with bench.fault("answer_lost", {"path": PLACE}, then="hang"):
        await hanging.order(second)
        await bench.eventually(second)
        assert await hanging.silent()
    return "the order stands; its answer never came, the connection closed or hung"


async def duplicate_answer(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("duplicate_answer", {"path": TIME}):
        await raw.send("GET", TIME)
        first, second = await raw.answer(), await raw.answer()
    assert first == second
    await raw.send("GET", TIME)
    assert (await raw.answer())[0] == 200
    return f"{len(first[2])} bytes of body twice on one connection, which goes on"


async def status(bench: Bench) -> str:
    raw, name = await bench.raw(), bench.name()
    async with bench.fault("status", {"path": PLACE}, status=502):
        await raw.order(name)
        code, headers, body = await raw.answer()
        assert (code, headers["content-type"].partition(";")[0]) == (502, "text/html")
        assert body.startswith(b"<html>")
        assert not await bench.there(name)
    async with bench.fault("status", {"path": PLACE}, status=429, code="429", retry_after_s=3):
        await raw.order(name)
        code, headers, body = await raw.answer()
        assert (code, headers["retry-after"], json.loads(body)["code"]) == (429, "3", "429")
    async with bench.fault("status", {"path": PLACE}, status=400, code="40725", executed=True):
        await raw.order(name)
        code, _, body = await raw.answer()
        assert (code, json.loads(body)["code"], json.loads(body)["data"]) == (400, "40725", None)
        assert await bench.there(name)
    return "502 as HTML, 429 with Retry-After, 400 with 40725 though it was executed"


async def malformed_json(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("malformed_json", {"path": TIME}):
        await raw.send("GET", TIME)
        code, _, body = await raw.answer()
    assert code == 200
    assert not _is_json(body)
    return f"HTTP 200 and {body[:24].decode()}…"


async def truncated_json(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("truncated_json", {"path": TIME}, keep=0.5):
        await raw.send("GET", TIME)
        _, _, body = await raw.answer()
        assert not _is_json(body)
    async with bench.fault("truncated_json", {"path": TIME}, keep=0.5, length="too_large"):
        await raw.send("GET", TIME)
        head, _, part = (await raw.end()).partition(b"\r\n\r\n")
        promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(part) < promised
    return f"{len(body)} bytes as promised; then {len(part)} of {promised} promised bytes and the end"


async def unknown_enum(bench: Bench) -> str:
    name = bench.name()
    await bench.client.order("buy", "0.001", "30000", clientOid=name)
    async with bench.fault("unknown_enum", {"path": DETAIL}):
        row = (await bench.client.get(DETAIL, **BTC, clientOid=name)).data
        assert (row["state"], row["side"]) == ("not_documented", "buy")
    async with bench.fault("unknown_enum", {"path": PENDING}, field="side", value="sideways"):
        rows = (await bench.client.get(PENDING, **BTC)).data["entrustedList"]
        assert {row["side"] for row in rows} == {"sideways"}
    stream = await bench.stream("orders")
    async with bench.fault("unknown_enum", {"channel": "orders"}, value="napping"):
        await bench.client.order("buy", "0.001", "30000")
        assert (await stream.push("orders"))["data"][0]["status"] == "napping"
    await stream.raw.close()
    return "state not_documented, side sideways over REST, status napping in a push"


async def null_price(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("null_price", {"path": TICKER.partition("?")[0]}):
        await raw.send("GET", TICKER)
        row = json.loads((await raw.answer())[2])["data"][0]
        assert (row["lastPr"], row["markPrice"]) == (None, None)
        assert row["high24h"] is not None
    async with bench.fault("null_price", {"path": "/api/v2/mix/market/*"}, field="indexPrice"):
        await raw.send("GET", TICKER)
        row = json.loads((await raw.answer())[2])["data"][0]
        assert row["indexPrice"] is None
        assert row["lastPr"] is not None
    return "lastPr and markPrice null; a named field alone"


async def not_found(bench: Bench) -> str:
    client, old, name = bench.client, bench.name(), bench.name()
    await client.order("buy", "0.001", "30000", clientOid=old)
    async with bench.fault("not_found", {"path": "/api/*"}, young_ms=600_000):
        made = (await client.order("buy", "0.001", "30000", clientOid=name)).data
        await client.order("buy", "0.001")
        assert (await client.get(DETAIL, **BTC, orderId=made["orderId"])).code == "40109"
        assert (await client.get(DETAIL, **BTC, clientOid=old)).code == "00000"
        rows = (await client.get(PENDING, **BTC)).data["entrustedList"]
        assert [row["clientOid"] for row in rows] == [old]
        assert (await client.get(POSITIONS, productType=FUTURES)).data == []
    async with bench.fault("not_found", {"path": "*"}, young_ms=40):
        made = (await client.order("buy", "0.001", "30000", clientOid=bench.name())).data
        assert (await client.get(DETAIL, **BTC, orderId=made["orderId"])).code == "40109"
        while (await client.get(DETAIL, **BTC, orderId=made["orderId"])).code != "00000":
            await asyncio.sleep(0.01)
    return "detail 40109, not pending, no position, while older ones are there; found when old enough"


async def reset(bench: Bench) -> str:
    first, second = bench.name(), bench.name()
    for name, executed in ((first, False), (second, True)):
        raw = await bench.raw()
        async with bench.fault("reset", {"path": PLACE}, executed=executed):
            await raw.order(name)
            assert await _was_reset(raw)
        assert await bench.there(name) is executed
    return "connection reset by peer, before and after the order was executed"


async def black_hole(bench: Bench) -> str:
    raw, name = await bench.raw(), bench.name()
    async with bench.fault("black_hole", {"path": PLACE}):
        await raw.order(name)
        assert await raw.silent()
        await raw.send("GET", TIME)  # taken, like everything after it
        assert await raw.silent()
        assert (await bench.client.get(TIME)).code == "00000"
    assert await raw.end() == b""
    assert not await bench.there(name)
    return "bytes are taken and nothing comes; other connections live; ends with the fault"


async def slow_slices(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("slow_slices", {"path": TIME}, bytes=16, pause_ms=4):
        await raw.send("GET", TIME)
        began, slices, text = clock.monotonic_ns(), 0, b""
        while b"}}" not in text:
            text += await asyncio.wait_for(raw.reader.read(65_536), _SOON_S)
            slices += 1
    took_ms = (clock.monotonic_ns() - began) / clock.MILLISECOND
    assert json.loads(text.partition(b"\r\n\r\n")[2])["code"] == "00000"
    assert slices >= 5
    assert took_ms >= 4 * (len(text) / 16 - 3)
    return f"{len(text)} bytes in {slices} reads over {took_ms:.0f} ms"


async def close_idle(bench: Bench) -> str:
    raw, name = await bench.raw(), bench.name()
    await raw.send("GET", TIME)
    await raw.answer()
    async with bench.fault("close_idle", {"path": PLACE}, at="write", idle_ms=1):
        assert await raw.silent()
        await raw.send("GET", TIME)  # another path: not meant
        await raw.answer()
        await asyncio.sleep(0.01)
        await raw.order(name)
        assert await raw.end() == b""
    raw = await bench.raw()
    async with bench.fault("close_idle", {"path": PLACE}, at="write", then="reset"):
        await raw.order(name)
        assert await _was_reset(raw)
    assert not await bench.there(name)
    raw = await bench.raw()
    await raw.send("GET", TIME)
    await raw.answer()
    async with bench.fault("close_idle", {"path": TIME}, at="timer", idle_ms=30):
        assert await raw.end() == b""
    return "closed as the next request began to arrive (FIN, RST), and by the clock"


async def stale_snapshot(bench: Bench) -> str:
    client, name = bench.client, bench.name()
    async with bench.fault("stale_snapshot", {"path": PENDING}, hold_ms=600_000, hits=1):
        before = await client.get(PENDING, **BTC)
        await client.order("buy", "0.001", "30000", clientOid=name)
        after = await client.get(PENDING, **BTC)
        assert after.data == before.data
        assert after.body["requestTime"] >= before.body["requestTime"]
    rows = (await client.get(PENDING, **BTC)).data["entrustedList"]
    assert name in [row["clientOid"] for row in rows]
    return "the pending list of before the order, with a new requestTime"


async def skewed_clock(bench: Bench) -> str:
    client = bench.client
    made = await client.control("/faults", {"do": "skewed_clock", "args": {"ms": 45_000}})
    ahead = int((await client.send("GET", TIME)).data["serverTime"]) - clock.now_ms()
    refused = await client.get(PENDING, **BTC)
    stamp = str(clock.now_ms() + 45_000)
    path = f"{PENDING}?symbol=BTCUSDT&productType={FUTURES}"
    taken = await client.send("GET", path, headers=client.headers("GET", path, "", stamp=stamp))
    await bench.remove(made["id"])
    assert 44_000 < ahead < 46_000
    assert (refused.code, taken.code) == ("40008", "00000")
    assert refused.body["requestTime"] > clock.now_ms() + 40_000
    assert (await client.get(PENDING, **BTC)).code == "00000"
    return f"public/time {ahead / 1000:.0f} s ahead; a right stamp 40008, a shifted one served"


async def maintenance(bench: Bench) -> str:
    client, name = bench.client, bench.name()
    await client.order("buy", "0.001", "30000", clientOid=name)
    async with bench.fault("maintenance", {"path": "*"}):
        down = await client.get(PENDING, **BTC)
        raw = await bench.raw()
        await raw.send("GET", "/v2/ws/public")
        assert (await raw.answer())[0] == 503
    assert (down.status, down.code) == (503, "40725")
    async with bench.fault("maintenance", {"path": "*"}, mode="cancel_only"):
        assert (await client.order("buy", "0.001", "30000")).code == "40725"
        assert (await client.get(PENDING, **BTC)).code == "00000"
        done = await client.post("/api/v2/mix/order/cancel-order", **BTC, clientOid=name)
        assert done.code == "00000"
    return "503/40725 for all, handshakes too; cancel-only refuses orders, reads and cancels"


async def mute_stream(bench: Bench) -> str:
    stream = await bench.stream("orders")
    async with bench.fault("mute_stream", {"channel": "orders"}):
        await bench.client.order("buy", "0.001", "30000")
        await stream.raw.send_str("ping")
        assert await stream.raw.receive_str(timeout=_SOON_S) == "pong"
        assert (await stream.subscribe("fill"))["event"] == "subscribe"
    await bench.client.order("buy", "0.001", "30000", clientOid="heard")
    assert (await stream.push("orders"))["data"][0]["clientOid"] == "heard"
    await stream.raw.close()
    return "no push, but pongs and acknowledgements; pushes again after the fault"


async def drop_push(bench: Bench) -> str:
    seen = await _pushes(bench, "drop_push", "a", "b", "c")
    assert seen == ["a", "c"]
    return "orders a b c: the client heard a c"


async def reorder_push(bench: Bench) -> str:
    seen = await _pushes(bench, "reorder_push", "a", "b", "c")
    assert seen == ["a", "c", "b"]
    return "orders a b c: the client heard a c b"


async def duplicate_push(bench: Bench) -> str:
    seen = await _pushes(bench, "duplicate_push", "a", "b", "c")
    assert seen == ["a", "b", "b", "c"]
    return "orders a b c: the client heard a b b c"


async def _pushes(bench: Bench, do: str, *names: str) -> list[str]:
    """Client ids as the stream told them; the fault strikes the second push."""
    stream = await bench.stream("orders")
    async with bench.fault(do, {"channel": "orders", "nth": 2}, hits=1):
        for name in names:
            await bench.client.order("buy", "0.001", "30000", clientOid=name)
    await stream.raw.send_str("ping")
    heard: list[str] = []
    while (text := await stream.raw.receive_str(timeout=_SOON_S)) != "pong":
        heard.append(json.loads(text)["data"][0]["clientOid"])
    await stream.raw.close()
    await bench.client.post(CANCEL_ALL, productType=FUTURES)
    return heard


async def _was_reset(raw: Raw) -> bool:
    try:
        await raw.end()
    except ConnectionResetError:
        return True
    return False


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except json.JSONDecodeError:
        return False
    return True


PROBES: dict[str, Probe] = {
    probe.__name__: probe
    for probe in (
        delay, drop_request, answer_lost, duplicate_answer, status, malformed_json, truncated_json, unknown_enum,
        null_price, not_found, reset, black_hole, slow_slices, close_idle, stale_snapshot, skewed_clock, maintenance,
        mute_stream, drop_push, reorder_push, duplicate_push,
    )
}  # fmt: skip
