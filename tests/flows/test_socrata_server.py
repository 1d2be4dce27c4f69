"""The test server behaves as Socrata is documented to, so that what passes against it means something."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import httpx
import pytest

from shared.domain.cot import Report
from tests.flows.cot_files import BITCOIN, socrata, weeks
from tests.flows.socrata_server import SocrataServer

ROWS = weeks(Report.LEGACY, ["133741", "133742"], date(2026, 9, 22), 600)


@pytest.fixture
async def server() -> AsyncIterator[SocrataServer]:
    async with SocrataServer() as running:
        running.publish(ROWS)
        yield running


async def ask(server: SocrataServer, **query: Any) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        params = {f"${name}": str(value) for name, value in query.items()}
        return await client.get(f"{server.url}/resource/6dca-aqww.json", params=params)


async def test_a_thousand_rows_unless_more_are_asked_for(server: SocrataServer) -> None:
    assert len((await ask(server)).json()) == 1000
    assert len((await ask(server, limit=50_000)).json()) == 1200
    assert (await ask(server, limit=50_001)).status_code == 400


async def test_pages_without_an_order_overlap_and_with_one_they_do_not(server: SocrataServer) -> None:
    async def pages(**query: Any) -> int:
        first = (await ask(server, limit=600, **query)).json()
        second = (await ask(server, limit=600, offset=600, **query)).json()
        return len({row["id"] for row in first + second})

    assert await pages() < 1200
    assert await pages(order="report_date_as_yyyy_mm_dd,:id") == 1200


async def test_conditions(server: SocrataServer) -> None:
    where = "cftc_contract_market_code in('133741', '099741') AND report_date_as_yyyy_mm_dd >= '2026-09-01T00:00:00.000'"
    rows = (await ask(server, where=where, order="report_date_as_yyyy_mm_dd DESC")).json()
    assert [row["report_date_as_yyyy_mm_dd"][:10] for row in rows] == [
        "2026-09-22",
        "2026-09-15",
        "2026-09-08",
        "2026-09-01",
    ]
    assert rows[0] == socrata(ROWS[-2])
    assert all(isinstance(value, str) for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"where": "no_such_field = 'x'"}, "query.soql.no-such-column"),
        ({"where": "id = 'x' OR id = 'y'"}, "query.compiler.malformed"),
        ({"where": "id like x"}, "query.compiler.malformed"),
        ({"order": "no_such_field"}, "query.soql.no-such-column"),
        ({"limit": "many"}, "query.soql.invalid-parameter"),
        ({"nonsense": "1"}, "query.soql.no-such-parameter"),
    ],
)
async def test_a_wrong_question_is_a_400_with_a_code(
    server: SocrataServer, query: dict[str, str], code: str
) -> None:
    answer = await ask(server, **query)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, code)


async def test_a_correction_takes_the_place_of_the_row(server: SocrataServer) -> None:
    revised = ROWS[0].__class__(
        report=BITCOIN.report,
        code=BITCOIN.code,
        as_of=ROWS[0].as_of,
        market="NEW NAME",
        values=BITCOIN.values,
    )
    server.revise(revised)
    rows = (await ask(server, limit=5000, where="market_and_exchange_names = 'NEW NAME'")).json()
    assert [row["open_interest_all"] for row in rows] == ["22315"]
    assert len(server.rows[Report.LEGACY]) == 1200


async def test_faults_meet_the_request_they_were_written_for(server: SocrataServer) -> None:
    server.fault("status", status=500, path="/files")
    server.fault("status", status=429, after=1, times=2)
    assert [(await ask(server, limit=1)).status_code for _ in range(4)] == [200, 429, 429, 200]
    assert [fault.path for fault in server.faults] == ["/files"]


async def test_it_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.flows.socrata_server", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        started = json.loads(await process.stdout.readline())
        async with httpx.AsyncClient(trust_env=False, base_url=started["url"]) as client:
            body = {"report": "legacy", "rows": [socrata(BITCOIN)], "replace": True}
            assert (await client.post("/control/rows", json=body)).json()["rows"]["legacy"] == 1
            assert (await client.get("/resource/6dca-aqww.json")).json() == [socrata(BITCOIN)]
            await client.post("/control/faults", json=[{"kind": "status", "status": 503}])
            assert (await client.get("/resource/6dca-aqww.json")).status_code == 503
            await client.post("/control/files", json={"deacot2026.zip": None})
            assert (await client.get("/files/dea/history/deacot2026.zip")).status_code == 404
            assert len((await client.get("/control/requests")).json()) == 3
    finally:
        process.terminate()
        await process.wait()
