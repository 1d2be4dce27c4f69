"""One probe per kind of fault: a real client meets it on any face, and says what it saw. Shared by the command and the tests."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from shared import clock
from tests.trader.paper.client import Client, Socket
from tests.verify.fault_faces import ClassicFace, Ear, Face, Request, settled

PLACE = ClassicFace.place
PENDING = ClassicFace.pending
TIME = ClassicFace.time
CANCEL_ALL = "/api/v2/mix/order/cancel-all-orders"
BTC = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
_NOTHING_S = 0.12
_SOON_S = 5.0


class Raw:
    """One TCP connection and the bytes on it."""

    def __init__(self, face: Face, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.face = face
        self.reader = reader
        self.writer = writer

    async def write(self, request: Request) -> None:
        lines = [f"{request.method} {request.target} HTTP/1.1", "Host: 127.0.0.1"]
        lines += [f"Content-Length: {len(request.body)}"]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        self.writer.write("\r\n".join([*lines, "", request.body]).encode())
        await self.writer.drain()

    async def send(self, method: str, path: str) -> None:
        """Unsigned and without a body."""
        await self.write(Request(method, path, "", {}))

    async def order(self, client_id: str) -> None:
        """A resting limit order far below the market."""
        await self.write(self.face.request("POST", self.face.place, self.face.resting(client_id)))

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
    """A classic account's resting order without its symbol."""
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
    """An exchange to probe through one face: one account, with or without TLS."""

    def __init__(
        self, client: Client, context: ssl.SSLContext | None = None, face: type[Face] = ClassicFace
    ) -> None:
        self.client = client
        self.context = context
        self.face = face(client)
        self._count = 0
        self._open: list[asyncio.StreamWriter] = []

    def name(self) -> str:
        self._count += 1
        return f"probe{self._count}"

    async def raw(self) -> Raw:
        url = urlsplit(self.client.ready["rest"])
        reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=self.context)
        self._open.append(writer)
        return Raw(self.face, reader, writer)

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
        await self.face.clean()


Probe = Callable[[Bench], Awaitable[str]]


async def delay(bench: Bench) -> str:
    raw, name, began = await bench.raw(), bench.name(), clock.monotonic_ns()
    async with bench.fault("delay", {"path": bench.face.place}, before_ms=80, jitter_ms=20, seed=1):
        await raw.order(name)
        assert await raw.silent() or clock.monotonic_ns() - began >= 80 * clock.MILLISECOND
    before = bench.name()
    async with bench.fault("delay", {"path": bench.face.place}, before_ms=30_000):
        await raw.answer()
        await raw.order(before)
        assert await raw.silent()
        assert not await bench.there(before)
    await raw.answer()
    after = bench.name()
    async with bench.fault("delay", {"path": bench.face.place}, after_ms=30_000):
        await raw.order(after)
        await bench.eventually(after)
        assert await raw.silent()
    assert (await raw.answer())[0] == 200
    return "before: no order and no answer yet; after: the order stands, its answer is late"


async def drop_request(bench: Bench) -> str:
    name = bench.name()
    async with bench.fault("drop_request", {"path": bench.face.place}, then="close"):
        raw = await bench.raw()
        await raw.order(name)
        assert await raw.end() == b""
    hanging = await bench.raw()
    async with bench.fault("drop_request", {"path": bench.face.place}, then="hang"):
        await hanging.order(name)
        assert await hanging.silent()
    assert await hanging.end() == b""
    assert not await bench.there(name)
    return "no order; the connection closed, or hung until the fault was removed"


async def answer_lost(bench: Bench) -> str:
    first, second = bench.name(), bench.name()
    async with bench.fault("answer_lost", {"path": bench.face.place}):
        raw = await bench.raw()
        await raw.order(first)
        assert await raw.end() == b""
        assert await bench.there(first)
    hanging = await bench.raw()
    async with bench.fault("answer_lost", {"path": bench.face.place}, then="hang"):
        await hanging.order(second)
        await bench.eventually(second)
        assert await hanging.silent()
    return "the order stands; its answer never came, the connection closed or hung"


async def duplicate_answer(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("duplicate_answer", {"path": bench.face.time}):
        await raw.send("GET", bench.face.time)
        first, second = await raw.answer(), await raw.answer()
    assert first == second
    await raw.send("GET", bench.face.time)
    assert (await raw.answer())[0] == 200
    return f"{len(first[2])} bytes of body twice on one connection, which goes on"


async def status(bench: Bench) -> str:
    raw, name = await bench.raw(), bench.name()
    async with bench.fault("status", {"path": bench.face.place}, status=502):
        await raw.order(name)
        code, headers, body = await raw.answer()
        assert (code, headers["content-type"].partition(";")[0]) == (502, "text/html")
        assert body.startswith(b"<html>")
        assert not await bench.there(name)
    face = bench.face
    async with bench.fault("status", {"path": face.place}, status=429, code=face.throttled, retry_after_s=3):
        await raw.order(name)
        code, headers, body = await raw.answer()
        assert (code, headers["retry-after"], face.code(body)) == (429, "3", face.throttled)
    async with bench.fault("status", {"path": face.place}, status=400, code=face.maintenance, executed=True):
        await raw.order(name)
        code, _, body = await raw.answer()
        assert (code, face.code(body)) == (400, face.maintenance)
        assert await bench.there(name)
    return f"502 as HTML, 429 with Retry-After, 400 with {face.maintenance} though it was executed"


async def malformed_json(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("malformed_json", {"path": bench.face.time}):
        await raw.send("GET", bench.face.time)
        code, _, body = await raw.answer()
    assert code == 200
    assert not _is_json(body)
    return f"HTTP 200 and {body[:24].decode()}…"


async def truncated_json(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("truncated_json", {"path": bench.face.time}, keep=0.5):
        await raw.send("GET", bench.face.time)
        _, _, body = await raw.answer()
        assert not _is_json(body)
    async with bench.fault("truncated_json", {"path": bench.face.time}, keep=0.5, length="too_large"):
        await raw.send("GET", bench.face.time)
        head, _, part = (await raw.end()).partition(b"\r\n\r\n")
        promised = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert len(part) < promised
    return f"{len(body)} bytes as promised; then {len(part)} of {promised} promised bytes and the end"


async def unknown_enum(bench: Bench) -> str:
    face, name = bench.face, bench.name()
    await face.rest(name)
    async with bench.fault("unknown_enum", {"path": face.detail}):
        row = (await face.look(name)).data
        assert (row[face.status_field], row["side"].lower()) == ("not_documented", "buy")
    async with bench.fault("unknown_enum", {"path": face.pending}, field="side", value="sideways"):
        assert {row["side"] for row in await face.resting_now()} == {"sideways"}
    ear = await face.ear()
    async with bench.fault("unknown_enum", {"channel": face.channel}, value="napping"):
        await face.rest(bench.name())
        assert (await ear.event()).status == "napping"
    await ear.raw.close()
    return f"{face.status_field} not_documented, side sideways over REST, a napping push"


async def null_price(bench: Bench) -> str:
    raw, (path, query) = await bench.raw(), bench.face.ticker
    price, named, other = bench.face.prices
    async with bench.fault("null_price", {"path": path}):
        await raw.send("GET", f"{path}?{query}")
        row = bench.face.quote((await raw.answer())[2])
        assert (row[price], row["markPrice"]) == (None, None)
        assert row[other] is not None
    async with bench.fault("null_price", {"path": f"{path[:12]}*"}, field=named):
        await raw.send("GET", f"{path}?{query}")
        row = bench.face.quote((await raw.answer())[2])
        assert row[named] is None
        assert row[price] is not None
    return f"{price} and markPrice null; a named field alone"


async def not_found(bench: Bench) -> str:
    face, old, name = bench.face, bench.name(), bench.name()
    await face.rest(old)
    async with bench.fault("not_found", {"path": f"/{face.place.split('/')[1]}/*"}, young_ms=600_000):
        assert (await face.rest(name)).code == ""
        await face.ask("POST", face.place, face.market())
        assert (await face.look(name)).code == face.absent
        assert (await face.look(old)).code == ""
        assert len(await face.resting_now()) == 1
        assert await face.held() == []
    assert len(await face.resting_now()) == 2
    assert len(await face.held()) == 1
    name = bench.name()
    async with bench.fault("not_found", {"path": "*"}, young_ms=40):
        await face.rest(name)
        assert (await face.look(name)).code == face.absent
        while (await face.look(name)).code:
            await asyncio.sleep(0.01)
    return (
        f"detail {face.absent}, not pending, no position, while older ones are there; found when old enough"
    )


async def reset(bench: Bench) -> str:
    first, second = bench.name(), bench.name()
    for name, executed in ((first, False), (second, True)):
        raw = await bench.raw()
        async with bench.fault("reset", {"path": bench.face.place}, executed=executed):
            await raw.order(name)
            assert await _was_reset(raw)
        assert await bench.there(name) is executed
    return "connection reset by peer, before and after the order was executed"


async def black_hole(bench: Bench) -> str:
    raw, name = await bench.raw(), bench.name()
    async with bench.fault("black_hole", {"path": bench.face.place}):
        await raw.order(name)
        assert await raw.silent()
        await raw.send("GET", bench.face.time)  # taken, like everything after it
        assert await raw.silent()
        assert await bench.face.server_ms() > 0
    assert await raw.end() == b""
    assert not await bench.there(name)
    return "bytes are taken and nothing comes; other connections live; ends with the fault"


async def slow_slices(bench: Bench) -> str:
    raw = await bench.raw()
    async with bench.fault("slow_slices", {"path": bench.face.time}, bytes=16, pause_ms=4):
        await raw.send("GET", bench.face.time)
        began, slices, text = clock.monotonic_ns(), 0, b""
        while not _whole(text):
            text += await asyncio.wait_for(raw.reader.read(65_536), _SOON_S)
            slices += 1
    took_ms = (clock.monotonic_ns() - began) / clock.MILLISECOND
    assert _is_json(text.partition(b"\r\n\r\n")[2])
    assert slices >= 5
    assert took_ms >= 4 * (len(text) / 16 - 3)
    return f"{len(text)} bytes in {slices} reads over {took_ms:.0f} ms"


async def close_idle(bench: Bench) -> str:
    raw, name = await bench.raw(), bench.name()
    await raw.send("GET", bench.face.time)
    await raw.answer()
    async with bench.fault("close_idle", {"path": bench.face.place}, at="write", idle_ms=1):
        assert await raw.silent()
        await raw.send("GET", bench.face.time)  # another path: not meant
        await raw.answer()
        await asyncio.sleep(0.01)
        await raw.order(name)
        assert await raw.end() == b""
    raw = await bench.raw()
    async with bench.fault("close_idle", {"path": bench.face.place}, at="write", then="reset"):
        await raw.order(name)
        assert await _was_reset(raw)
    assert not await bench.there(name)
    raw = await bench.raw()
    await raw.send("GET", bench.face.time)
    await raw.answer()
    async with bench.fault("close_idle", {"path": bench.face.time}, at="timer", idle_ms=30):
        assert await raw.end() == b""
    return "closed as the next request began to arrive (FIN, RST), and by the clock"


async def stale_snapshot(bench: Bench) -> str:
    face, name = bench.face, bench.name()
    async with bench.fault("stale_snapshot", {"path": face.pending}, hold_ms=600_000, hits=1):
        before = await face.ask("GET", face.pending, face.scope)
        await face.rest(name)
        after = await face.ask("GET", face.pending, face.scope)
        assert after.data == before.data
        if isinstance(before.body, dict):
            assert after.body["requestTime"] >= before.body["requestTime"]
    assert name in str(await face.resting_now())
    return "the pending list of before the order"


async def skewed_clock(bench: Bench) -> str:
    face = bench.face
    made = await bench.client.control("/faults", {"do": "skewed_clock", "args": {"ms": 75_000}})
    ahead = await face.server_ms() - clock.now_ms()
    refused = await face.ask("GET", face.pending, face.scope)
    shifted = face.request("GET", face.pending, face.scope, stamp_ms=clock.now_ms() + 75_000)
    taken = await face.send(shifted)
    await bench.remove(made["id"])
    assert 74_000 < ahead < 76_000
    assert (refused.code, taken.code) == (face.late, "")
    if "requestTime" in refused.body:
        assert refused.body["requestTime"] > clock.now_ms() + 70_000
    assert (await face.ask("GET", face.pending, face.scope)).code == ""
    return f"the server's time {ahead / 1000:.0f} s ahead; a right stamp {face.late}, a shifted one served"


async def maintenance(bench: Bench) -> str:
    face, name = bench.face, bench.name()
    await face.rest(name)
    async with bench.fault("maintenance", {"path": "*"}):
        down = await face.ask("GET", face.pending, face.scope)
        raw = await bench.raw()
        await raw.send("GET", face.handshake)
        assert (await raw.answer())[0] == 503
    assert (down.status, down.code) == (503, face.maintenance)
    async with bench.fault("maintenance", {"path": "*"}, mode="cancel_only"):
        assert (await face.rest(bench.name())).code == face.maintenance
        assert len(await face.resting_now()) == 1
        assert (await face.cancel(name)).code == ""
    return f"503/{face.maintenance} for all, handshakes too; cancel-only refuses orders, reads and cancels"


async def mute_stream(bench: Bench) -> str:
    face = bench.face
    ear = await face.ear()
    async with bench.fault("mute_stream", {"channel": face.channel}):
        await face.rest(bench.name())
        assert await settled(ear) == []  # the question itself is answered
    name = bench.name()
    await face.rest(name)
    assert (await ear.event()).client_id == name
    await ear.raw.close()
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
    ear: Ear = await bench.face.ear()
    async with bench.fault(do, {"channel": bench.face.channel, "nth": 2}, hits=1):
        for name in names:
            await bench.face.rest(name)
    heard = await settled(ear)
    await ear.raw.close()
    await bench.face.clean()
    return heard


def _whole(text: bytes) -> bool:
    """An answer has come to the last byte that its head promises."""
    head, mark, body = text.partition(b"\r\n\r\n")
    return bool(mark) and len(body) >= int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])


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
