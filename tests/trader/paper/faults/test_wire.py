"""Every kind of fault, met by a real client; and the control calls around them."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from shared import clock
from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges
from tests.verify.fault_faces import FACES, account_of
from tests.verify.fault_orders import ORDER_PROBES
from tests.verify.fault_probes import BTC, CANCEL_ALL, PENDING, PLACE, PROBES, TIME, Bench, resting
from trader.paper.faults.kinds import NAMES
from trader.paper.server import PaperServer


def test_there_is_a_probe_for_every_kind() -> None:
    assert set(PROBES) == set(NAMES)


@pytest.mark.parametrize("kind", NAMES)
async def test_each_kind_acts_on_every_face(server: PaperServer, client: Client, kind: str) -> None:
    """Over REST and private streams, and where it acts on orders over a websocket, on these."""
    for face in FACES.values():
        async with Client(server.ready, await account_of(client, face.kind)) as own:
            bench = Bench(own, face=face)
            for probes in (PROBES, ORDER_PROBES):
                if kind in probes:
                    assert await probes[kind](bench)
                    await bench.clean()
    assert (await client.control("/state"))["failures"] == 0
    assert server.door.faults.rows() == []


async def test_faults_are_listed_counted_and_removed(client: Client, bench: Bench) -> None:
    made = await client.control(
        "/faults", {"match": {"path": PLACE, "account": 1, "nth": 2}, "do": "answer_lost", "args": {}}
    )
    assert list(made) == ["id"]
    assert (await client.order("buy", "0.001", "30000")).code == "00000"
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.order("buy", "0.001", "30000")
    (row,) = await client.control("/faults")
    assert row == {
        "id": made["id"],
        "do": "answer_lost",
        "match": {"path": PLACE, "account": 1, "nth": 2},
        "args": {"then": "close", "times": 0, "seed": 0},
        "seen": 2,
        "hits": 1,
    }
    await bench.remove(made["id"])
    assert await client.control("/faults") == []
    assert "no fault" in (await bench.remove(made["id"]))["error"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"do": "explode", "match": {}}, "explode"),
        ({"match": {"path": "*"}}, "do"),
        ({"do": "reset", "match": {"path": "*", "colour": "red"}}, "colour"),
        ({"do": "reset", "match": {"path": "*", "probability": 2}}, "probability"),
        ({"do": "reset", "match": {"path": "*", "nth": 0}}, "nth"),
        ({"do": "reset", "match": {"path": "*", "account": 77}}, "77"),
        ({"do": "reset", "match": {"path": "*"}, "args": {"when": 1}}, "when"),
        ("[]", "object"),
    ],
)
async def test_a_wrong_fault_is_refused(client: Client, body: dict[str, object] | str, word: str) -> None:
    status, answer = await client.try_control("/faults", body)
    assert status == 400
    assert list(answer) == ["error"]
    assert word in answer["error"]
    assert await client.control("/faults") == []


async def test_a_fault_of_one_account_leaves_the_others_alone(
    exchanges: Exchanges, server: PaperServer, client: Client
) -> None:
    other = await exchanges.client(server, 1)
    await client.control(
        "/faults", {"do": "status", "match": {"path": "*", "account": 2}, "args": {"code": "40725"}}
    )
    assert (await client.get(PENDING, **BTC)).code == "00000"
    assert (await other.get(PENDING, **BTC)).code == "40725"
    assert (await client.send("GET", TIME)).code == "00000"


async def test_two_runs_with_one_seed_have_the_same_hits(client: Client, bench: Bench) -> None:
    runs = []
    for _ in range(2):
        async with bench.fault(
            "status", {"path": TIME, "probability": 0.4}, code="40725", status=400, seed=11
        ):
            runs.append([(await client.send("GET", TIME)).code for _ in range(30)])
    assert runs[0] == runs[1]
    assert set(runs[0]) == {"00000", "40725"}


async def test_faults_combine(bench: Bench) -> None:
    """The second answer of a gateway page, in slices: each does its part."""
    raw = await bench.raw()
    async with (
        bench.fault("status", {"path": TIME}, status=504),
        bench.fault("duplicate_answer", {"path": TIME}),
        bench.fault("slow_slices", {"path": TIME}, bytes=100, pause_ms=1),
    ):
        await raw.send("GET", TIME)
        first, second = await raw.answer(), await raw.answer()
    assert first == second
    assert first[0] == 504


async def test_removing_a_fault_ends_its_waits(client: Client, bench: Bench) -> None:
    made = await client.control(
        "/faults", {"do": "delay", "match": {"path": TIME}, "args": {"before_ms": 600_000}}
    )
    raw = await bench.raw()
    await raw.send("GET", TIME)
    assert await raw.silent()
    await bench.remove(made["id"])
    assert (await raw.answer())[0] == 200


async def test_an_exchange_stops_while_connections_hang(exchanges: Exchanges, bench: Bench) -> None:
    raw = await bench.raw()
    await bench.client.control("/faults", {"do": "black_hole", "match": {"path": TIME}})
    await raw.send("GET", TIME)
    assert await raw.silent()
    (server,) = exchanges.running
    await asyncio.wait_for(exchanges.stop(server), 5)
    assert await raw.end() == b""


async def test_pushes_can_be_late_broken_and_cut(client: Client, bench: Bench) -> None:
    stream = await bench.stream("orders")
    began = clock.monotonic_ns()
    async with bench.fault("delay", {"channel": "orders"}, before_ms=60):
        await client.order("buy", "0.001", "30000", clientOid="late")
        assert (await stream.push("orders"))["data"][0]["clientOid"] == "late"
    assert clock.monotonic_ns() - began >= 60 * clock.MILLISECOND
    for do in ("malformed_json", "truncated_json"):
        async with bench.fault(do, {"channel": "*"}):
            await client.order("buy", "0.001", "30000")
            text = await stream.raw.receive_str(timeout=5)
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)
    async with bench.fault("null_price", {"channel": "orders"}):
        await client.order("buy", "0.001", "30000")
        assert (await stream.push("orders"))["data"][0]["price"] is None
    async with bench.fault("black_hole", {"channel": "orders"}):
        await client.order("buy", "0.001", "30000")
        await stream.raw.send_str("ping")
        with pytest.raises(TimeoutError):
            await stream.raw.receive(timeout=0.1)
    second = await bench.stream("orders")
    async with bench.fault("reset", {"channel": "orders"}, hits=1, times=1):
        await client.order("buy", "0.001", "30000")
        message = await second.raw.receive(timeout=5)
        assert message.type in {aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSED}


async def test_reordering_every_push_swaps_pairs(client: Client, bench: Bench) -> None:
    stream = await bench.stream("orders")
    async with bench.fault("reorder_push", {"channel": "orders"}, hits=2):
        for name in "abcd":
            await client.order("buy", "0.001", "30000", clientOid=name)
        seen = [(await stream.push("orders"))["data"][0]["clientOid"] for _ in range(4)]
    assert seen == ["b", "a", "d", "c"]


async def test_a_held_push_comes_when_no_other_does(client: Client, bench: Bench) -> None:
    stream = await bench.stream("orders")
    async with bench.fault("reorder_push", {"channel": "orders"}, hold_ms=30):
        await client.order("buy", "0.001", "30000", clientOid="alone")
        assert (await stream.push("orders"))["data"][0]["clientOid"] == "alone"


async def test_market_data_pushes_too(client: Client, bench: Bench) -> None:
    socket = await client.socket()
    await socket.subscribe("ticker", "BTCUSDT")
    await socket.push("ticker")
    async with bench.fault("unknown_enum", {"channel": "ticker"}, field="lastPr", value="dear"):
        await client.price("BTCUSDT", "61000")
        assert (await socket.push("ticker"))["data"][0]["lastPr"] == "dear"


async def test_a_handshake_meets_faults(client: Client, bench: Bench) -> None:
    async with bench.fault("status", {"path": "/v2/ws/*"}, status=502):
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await client.socket()
    async with bench.fault("reset", {"path": "/v2/ws/private"}):
        with pytest.raises(aiohttp.ClientError):
            await client.socket("ws_private")
    await bench.stream()


async def test_the_login_follows_the_skewed_clock(client: Client) -> None:
    await client.control("/faults", {"do": "skewed_clock", "args": {"ms": -45_000}})
    socket = await client.socket("ws_private")
    assert (await socket.login())["code"] == 30014


async def test_notices_meet_faults_too(client: Client, bench: Bench) -> None:
    path = "/api/v1/announcements"
    async with bench.fault("status", {"path": path}, status=503):
        raw = await bench.raw()
        await raw.send("GET", path)
        assert (await raw.answer())[0] == 503


async def test_a_stale_answer_is_of_the_same_account_only(
    exchanges: Exchanges, server: PaperServer, client: Client, bench: Bench
) -> None:
    other = await exchanges.client(server, 1)
    async with bench.fault("stale_snapshot", {"path": PENDING, "nth": [2, 3]}, hold_ms=600_000, hits=1):
        assert (await client.get(PENDING, **BTC)).data["entrustedList"] is None
        await client.order("buy", "0.001", "30000")
        await other.order("buy", "0.001", "30000", clientOid="theirs")
        assert (await client.get(PENDING, **BTC)).data["entrustedList"] is None
        (row,) = (await other.get(PENDING, **BTC)).data["entrustedList"]
        assert row["clientOid"] == "theirs"
        assert len((await client.get(PENDING, **BTC)).data["entrustedList"]) == 1


async def test_what_was_there_before_the_fault_stays_there(client: Client, bench: Bench) -> None:
    await client.order("buy", "0.001")
    async with bench.fault("not_found", {"path": "*"}, young_ms=600_000):
        (row,) = (await client.get("/api/v2/mix/position/all-position", productType=FUTURES)).data
        assert row["total"] == "0.001"
        await client.post(PLACE, **BTC, **resting("new"))
        rows = (await client.get("/api/v2/mix/order/fills", productType=FUTURES)).data["fillList"]
        assert len(rows) == 1
        assert (await client.get(PENDING, **BTC)).data["entrustedList"] is None
        done = await client.post(CANCEL_ALL, productType=FUTURES)
        assert done.code == "00000"
