"""What arrived: stamps from the transport, filters, bounds, and never a secret."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from shared import clock
from tests.trader.paper.client import Client
from tests.trader.paper.conftest import Exchanges
from tests.verify.fault_probes import BTC, PENDING, PLACE, TIME, Bench, resting
from trader.paper import requestlog
from trader.paper.requestlog import RequestLog
from trader.paper.server import PaperServer


async def rows(client: Client, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await client.control(f"/requests?{query}")
    return found


async def test_first_and_last_byte_and_the_answer_are_stamped(client: Client, bench: Bench) -> None:
    raw = await bench.raw()
    body = json.dumps(BTC | resting("slow"))
    headers = client.headers("POST", PLACE, body)
    head = "\r\n".join(
        [
            f"POST {PLACE}?a=b HTTP/1.1",
            "Host: x",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
    )
    began = clock.now_ns()
    raw.writer.write(f"{head}\r\n\r\n{body[:10]}".encode())
    await asyncio.sleep(0.05)
    middle = clock.now_ns()
    raw.writer.write(body[10:].encode())
    await raw.answer()
    (row,) = await rows(client)
    assert began < row["first_ns"] < middle < row["last_ns"] < row["answered_ns"] < clock.now_ns()
    assert row["last_ns"] - row["first_ns"] > 40 * clock.MILLISECOND
    assert (row["kind"], row["method"], row["path"], row["account"]) == ("rest", "POST", f"{PLACE}?a=b", 1)
    assert (row["body"]["clientOid"], row["size"]) == ("slow", len(body))
    assert row["status"] == 400  # the signature was of the path alone


async def test_an_idle_connection_does_not_date_the_next_request(client: Client, bench: Bench) -> None:
    raw = await bench.raw()
    for _ in range(2):
        await raw.send("GET", TIME)
        await raw.answer()
        await asyncio.sleep(0.02)
    first, second = await rows(client)
    assert second["first_ns"] - first["answered_ns"] > 15 * clock.MILLISECOND
    assert second["first_ns"] <= second["last_ns"] < second["answered_ns"]


async def test_queries_choose(exchanges: Exchanges, server: PaperServer, client: Client) -> None:
    other = await exchanges.client(server, 1)
    await client.send("GET", TIME)
    await client.get(PENDING, **BTC)
    await other.get(PENDING, **BTC)
    everything = await rows(client)
    assert [row["seq"] for row in everything] == [1, 2, 3]
    assert [row["account"] for row in everything] == [None, 1, 2]
    assert [row["seq"] for row in await rows(client, "account=2")] == [3]
    assert [row["seq"] for row in await rows(client, f"path={PENDING}&limit=1")] == [2]
    assert [row["seq"] for row in await rows(client, "path=/api/v2/public/*")] == [1]
    assert [row["seq"] for row in await rows(client, "after=2")] == [3]
    url = client.ready["control"] + "/requests"
    async with client.session.delete(url) as response:
        assert await response.json() == {"removed": 3}
    assert await rows(client) == []
    await client.send("GET", TIME)
    assert [row["seq"] for row in await rows(client)] == [4]


async def test_frames_are_noted_and_no_secret_is_shown(client: Client) -> None:
    account = client.account
    socket = await client.socket("ws_private")
    await socket.login()
    await socket.subscribe("orders")
    await client.send("GET", f"/api/v2/public/time?apiKey={account['key']}&x=1")
    await client.post(PLACE, note=account["secret"], passphrase="p", nested=[{"sign": "s"}])
    await client.send("POST", PLACE, account["passphrase"])
    found = await rows(client)
    text = json.dumps(found)
    for name in ("key", "secret", "passphrase"):
        assert account[name] not in text
    connect, login, subscribe, query, body, broken = found
    assert (connect["path"], connect["status"], connect["answered_ns"] > 0) == ("/v2/ws/private", 101, True)
    assert (login["kind"], login["method"], login["path"]) == ("ws", "login", "/v2/ws/private")
    assert {login["body"]["args"][0][name] for name in ("apiKey", "passphrase", "sign")} == {"***"}
    assert (subscribe["account"], subscribe["method"]) == (1, "subscribe")
    assert subscribe["first_ns"] <= subscribe["last_ns"]
    assert subscribe["body"]["args"][0]["channel"] == "orders"
    assert query["path"] == "/api/v2/public/time?apiKey=***&x=1"
    assert body["body"] == {"note": "***", "passphrase": "***", "nested": [{"sign": "***"}]}
    assert (broken["body"], broken["size"]) == (None, 16)


async def test_what_gets_no_answer_has_no_status(client: Client, bench: Bench) -> None:
    async with bench.fault("answer_lost", {"path": TIME}):
        raw = await bench.raw()
        await raw.send("GET", TIME)
        await raw.end()
    (row,) = await rows(client)
    assert (row["status"], row["answered_ns"]) == (0, 0)


async def test_late_answers_are_stamped_when_they_are_written(client: Client, bench: Bench) -> None:
    async with bench.fault("delay", {"path": TIME}, after_ms=30):
        await client.send("GET", TIME)
    (row,) = await rows(client)
    assert row["answered_ns"] - row["last_ns"] >= 30 * clock.MILLISECOND
    assert row["status"] == 200


def test_the_log_is_a_ring_and_large_bodies_are_told_by_size() -> None:
    log = RequestLog()
    for number in range(requestlog.MOST + 5):
        log.add("rest", "GET", f"/{number}", None, stamps=(1, 2), body=b"")
    log.add("rest", "POST", "/big", None, stamps=(1, 2), body=b'{"a":"' + b"x" * 5000 + b'"}')
    found = log.rows(after=0, limit=10**6, path="", account=None, secrets=set())
    assert (len(found), found[0]["path"]) == (requestlog.MOST, "/6")
    assert (found[-1]["size"], found[-1]["body"]) == (5008, None)


async def test_a_wrong_query_is_refused(client: Client) -> None:
    status, answer = await client.try_control("/requests?after=x")
    assert status == 400
    assert "after" in answer["error"]


def test_forms_are_shown_without_their_secrets() -> None:
    log = RequestLog()
    body = b"symbol=BTCUSDT&side=BUY&newClientOrderId=a%3A1&signature=abcdef"
    log.add("rest", "POST", "/fapi/v1/order", 1, stamps=(1, 2), body=body)
    log.add("rest", "POST", "/fapi/v1/order", 1, stamps=(1, 2), body=b"\x00=\xff")
    first, second = log.rows(after=0, limit=10, path="", account=None, secrets=frozenset())
    assert first["body"] == {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "newClientOrderId": "a:1",
        "signature": "***",
    }
    assert second["body"] is None
