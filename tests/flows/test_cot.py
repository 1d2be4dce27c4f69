"""The flow under a real Prefect server, against a server that answers as the CFTC's does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest
from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter, LogFilter
from prefect.client.schemas.objects import FlowRun, State

from flows.cot import cot, tell
from shared import clock
from shared.db import cot_store, source_runs
from shared.db.engine import transaction
from shared.domain.cot import Positions, Report
from shared.errors import KestrelError
from shared.settings import ROOT
from tests.flows import cot_files
from tests.flows.socrata_server import SocrataServer

NEWEST = date(2026, 11, 17)
NOW = 1_795_253_700 * clock.SECOND  # Saturday 2026-11-21 09:35 UTC, after its release on the 20th
CODES = ("133741", "133742", "099741")
TOKEN = "token-that-nobody-may-read-4711"


@pytest.fixture
async def cftc() -> AsyncIterator[SocrataServer]:
    async with SocrataServer() as server:
        for report in Report:
            server.publish(cot_files.weeks(report, CODES, NEWEST, 12))
        yield server


@pytest.fixture
def desk(
    prefect_api: str, postgres_url: str, cftc: SocrataServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Everything that the flow reads from its environment; gives the database."""
    for name, value in environment(prefect_api, postgres_url, cftc, home).items():
        monkeypatch.setenv(name, value)
    with clock.use(now=lambda: NOW):
        yield postgres_url


def environment(api: str, database: str, cftc: SocrataServer, home: Path) -> dict[str, str]:
    return {
        "PREFECT_API_URL": api,
        "KESTREL_HOME": str(home),
        "KESTREL_DATABASE_URL": database,
        "KESTREL_COT__SOCRATA_URL": cftc.url,
        "KESTREL_COT__FILES_URL": cftc.files_url,
        "KESTREL_COT__APP_TOKEN": TOKEN,
        "KESTREL_COT__HISTORY_FROM": "2026-01-01",
        "KESTREL_COT__RETRY_S": "0",
        "KESTREL_COT__TIMEOUT_S": "5",
    }


async def run(*, only_if_due: bool = False, full: bool = False) -> State[Any]:
    return await cot(only_if_due=only_if_due, full=full, return_state=True)


def stored(url: str) -> dict[Report, set[tuple[str, date, tuple[int, ...]]]]:
    """Every current row of both tables, by code, date and open interest with both small sides."""
    found = {}
    with psycopg.connect(url) as connection:
        for report in Report:
            rows = connection.execute(
                "select code, as_of, open_interest, nonreportable_long, nonreportable_short"
                f" from cot_{report.value}"
            ).fetchall()
            assert len({row[:2] for row in rows}) == len(rows)
            found[report] = {(code, as_of, tuple(values)) for code, as_of, *values in rows}
    return found


def published(*rows: Positions) -> set[tuple[str, date, tuple[int, ...]]]:
    return {(row.code, row.as_of, (row.values[0], *row.values[-2:])) for row in rows}


def everything(count: int = 12) -> dict[Report, set[tuple[str, date, tuple[int, ...]]]]:
    return {report: published(*cot_files.weeks(report, CODES, NEWEST, count)) for report in Report}


def runs(url: str) -> list[tuple[Any, ...]]:
    """State and the five counts of each run."""
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select state, read_rows, new_rows, unchanged_rows, revised_rows, refused_rows"
            " from source_runs order by id"
        ).fetchall()


def detail(url: str) -> dict[str, Any]:
    with psycopg.connect(url) as connection:
        row = connection.execute("select detail from source_runs order by id desc limit 1").fetchone()
    assert row is not None
    found: dict[str, Any] = row[0]
    return found


def times(server: SocrataServer, part: str) -> int:
    return sum(part in asked.path for asked in server.requests)


async def test_the_first_run_brings_in_the_whole_history_and_tells_of_it(
    desk: str, cftc: SocrataServer
) -> None:
    state = await run()
    assert state.is_completed(), state.message
    assert stored(desk) == everything()
    assert runs(desk) == [("done", 72, 72, 0, 0, 0)]
    assert state.message == "newest: legacy 2026-11-17, tff 2026-11-17; 72 read, 72 new, 0 revised, 0 refused"
    assert {asked.headers["X-App-Token"] for asked in cftc.requests} == {TOKEN}
    assert all("2026-01-01" in asked.query["$where"] and "$order" in asked.query for asked in cftc.requests)
    async with get_client() as client:
        artifacts = {artifact.key: artifact for artifact in await client.read_latest_artifacts()}
    assert {"cot-came-in", "cot-bitcoin"} <= set(artifacts)
    table = str(artifacts["cot-came-in"].data)
    assert "socrata 6dca-aqww" in table
    assert "socrata gpe5-46if" in table
    assert "(data:image/png;base64," in str(artifacts["cot-bitcoin"].data)


async def test_a_second_run_reads_the_last_weeks_and_changes_nothing(desk: str, cftc: SocrataServer) -> None:
    await run()
    cftc.requests.clear()
    before = stored(desk)
    state = await run()
    assert state.is_completed()
    assert stored(desk) == before
    assert runs(desk)[-1] == ("done", 54, 0, 54, 0, 0), "nine weeks of three codes, twice"
    assert all("2026-09-22" in asked.query["$where"] for asked in cftc.requests)


async def test_the_whole_history_can_be_asked_for_again(desk: str, cftc: SocrataServer) -> None:
    await run()
    await run(full=True)
    assert runs(desk)[-1] == ("done", 72, 0, 72, 0, 0)


async def test_nothing_is_asked_when_nothing_is_due(desk: str, cftc: SocrataServer) -> None:
    await run()
    cftc.requests.clear()
    state = await run(only_if_due=True)
    assert state.is_completed()
    assert state.message == "Nothing to do: the reports of 2026-11-17 are stored"
    assert cftc.requests == []
    assert len(runs(desk)) == 1
    with clock.use(now=lambda: NOW + 7 * 86_400 * clock.SECOND):  # Saturday: the release waits for Monday
        assert (await run(only_if_due=True)).message == "Nothing to do: the reports of 2026-11-17 are stored"
    with clock.use(now=lambda: NOW + 10 * 86_400 * clock.SECOND):  # Tuesday: it should be there
        state = await run(only_if_due=True)
    assert cftc.requests
    assert state.message is not None
    assert "the legacy report is late: nothing newer than 2026-11-17" in state.message


async def test_a_week_without_new_rows_is_no_failure(desk: str, cftc: SocrataServer) -> None:
    await run()
    cftc.fault("empty", times=-1)
    state = await run()
    assert state.is_completed()
    assert runs(desk)[-1] == ("done", 0, 0, 0, 0, 0)
    assert stored(desk) == everything()


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("status", {"status": 429, "headers": {"Retry-After": "1"}}),
        ("status", {"status": 500}),
        ("status", {"status": 503}),
        ("truncate", {}),
        ("reset", {}),
        ("drop", {}),
    ],
)
async def test_what_can_heal_is_asked_again(
    desk: str, cftc: SocrataServer, kind: str, options: dict[str, Any]
) -> None:
    cftc.fault(kind, path="6dca-aqww", times=2, **options)
    began = clock.monotonic_ns()
    state = await run()
    assert state.is_completed(), state.message
    assert times(cftc, "6dca-aqww") == 3
    assert times(cftc, "gpe5-46if") == 1
    assert times(cftc, ".zip") == 0
    assert stored(desk) == everything()
    if "headers" in options:
        assert clock.monotonic_ns() - began >= 2 * clock.SECOND, "it waited as long as it was asked to"


async def test_nobody_waits_after_the_last_repetition(desk: str, cftc: SocrataServer) -> None:
    cftc.fault("status", status=429, headers={"Retry-After": "1"}, path="6dca-aqww", times=-1)
    began = clock.monotonic_ns()
    assert (await run()).is_completed()
    assert times(cftc, "6dca-aqww") == 5
    assert clock.monotonic_ns() - began >= 4 * clock.SECOND


async def test_what_cannot_heal_is_asked_once_and_then_the_yearly_files_are_read(
    desk: str, cftc: SocrataServer
) -> None:
    cftc.tokens = {"another"}
    state = await run()
    assert state.is_completed(), state.message
    assert times(cftc, "6dca-aqww") == times(cftc, "gpe5-46if") == 1
    assert stored(desk) == everything()
    assert "Invalid app_token" in detail(desk)["sources"][-1]["note"]


async def test_a_service_that_stays_away_leads_to_the_yearly_files(desk: str, cftc: SocrataServer) -> None:
    await run()
    for report in Report:
        cftc.publish(cot_files.weeks(report, CODES, date(2026, 11, 24), 1))
    cftc.requests.clear()
    cftc.fault("status", path="/resource/", status=500, times=-1)
    with clock.use(now=lambda: NOW + 10 * 86_400 * clock.SECOND):
        state = await run()
    assert state.is_completed(), state.message
    assert {asked.path for asked in cftc.requests if ".zip" in asked.path} == {
        "/files/dea/history/deacot2026.zip",
        "/files/dea/history/fut_fin_txt_2026.zip",
    }
    assert times(cftc, "6dca-aqww") == 5, "once, and four repetitions"
    assert len(stored(desk)[Report.TFF]) == 13 * 3


async def test_when_nobody_answers_the_run_fails_in_one_line_and_the_next_one_heals(
    desk: str, cftc: SocrataServer
) -> None:
    cftc.fault("status", status=503, times=-1)
    state = await run()
    assert state.is_failed()
    with pytest.raises(KestrelError, match="503"):
        await state.aresult()
    assert runs(desk) == [("failed", 0, 0, 0, 0, 0)]
    assert "503" in detail(desk)["error"]
    assert stored(desk) == {report: set() for report in Report}
    cftc.faults.clear()
    assert (await run()).is_completed()
    assert stored(desk) == everything()


async def test_a_service_that_drips_leads_to_the_yearly_files(
    desk: str, cftc: SocrataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never falls silent for long enough to be called dead, and never ends."""
    monkeypatch.setattr("flows.cot.ASK_S", 0.5)
    cftc.fault("slow", path="/resource/", seconds=4, times=-1)
    state = await run()
    assert state.is_completed(), state.message
    assert stored(desk) == everything()
    assert "no whole answer within 0.5 s" in detail(desk)["sources"][-1]["note"]


async def test_a_run_that_is_out_of_time_says_so(desk: str, cftc: SocrataServer) -> None:
    cftc.fault("slow", path="gpe5-46if", seconds=30)
    short = cot.with_options(timeout_seconds=3)
    state = await short(return_state=True)
    assert state.name == "TimedOut"
    assert runs(desk) == [("failed", 36, 36, 0, 0, 0)]
    assert detail(desk)["error"]


async def test_a_failure_without_words_is_no_success(
    desk: str, cftc: SocrataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("flows.keeping.keep", broken)
    assert (await run()).is_failed()
    assert [state for state, *_ in runs(desk)] == ["failed"]
    assert "AssertionError" in detail(desk)["error"]


async def test_a_chart_that_cannot_be_drawn_fails_nothing(
    desk: str, cftc: SocrataServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: object) -> None:
        raise RuntimeError("the page is unwell")

    monkeypatch.setattr("flows.artifacts.came_in", broken)
    monkeypatch.setattr("flows.cot.tell", tell.with_options(retries=0))
    assert (await run()).is_completed()
    assert stored(desk) == everything()


async def test_one_market_imported_by_hand_is_not_the_whole_history(desk: str, cftc: SocrataServer) -> None:
    with transaction(desk) as connection:
        run_id = source_runs.start(connection, "cot", "import")
    only = cot_files.row(Report.TFF, CODES[0], NEWEST)
    cot_store.store(desk, run_id, "hand", Report.TFF, [only], snapshot_ns=1)
    state = await run(only_if_due=True)
    assert cftc.requests, "the other report is not there"
    assert state.is_completed()
    assert stored(desk) == everything()


async def test_one_report_that_fails_takes_the_other_not_along(desk: str, cftc: SocrataServer) -> None:
    cftc.fault("status", path="gpe5-46if", status=403, times=-1)
    cftc.fault("status", path="fut_fin_txt_", status=404, times=-1)
    assert (await run()).is_failed()
    assert stored(desk) == {Report.LEGACY: everything()[Report.LEGACY], Report.TFF: set()}
    assert runs(desk) == [("failed", 36, 36, 0, 0, 0)]


async def test_a_damaged_row_is_refused_by_its_place_and_the_good_ones_stay(
    desk: str, cftc: SocrataServer
) -> None:
    whole = cftc.rows[Report.TFF][0]
    del whole["lev_money_positions_short"]
    cftc.rows[Report.LEGACY][1]["open_interest_all"] = "1"
    state = await run()
    assert state.is_completed()
    assert runs(desk) == [("done", 72, 70, 0, 0, 2)]
    reasons = sorted(refusal["reason"] for refusal in detail(desk)["refusals"])
    assert reasons[0] == "no leveraged short"
    assert reasons[1] == f"open interest 1 is not the long side {cot_files.BITCOIN.values[0] + 1101}"


async def test_an_answer_without_one_sound_row_is_not_believed(desk: str, cftc: SocrataServer) -> None:
    for row in cftc.rows[Report.TFF]:
        row["report_date_as_yyyy_mm_dd"] = "yesterday"
    state = await run()
    assert state.is_failed()
    assert stored(desk)[Report.TFF] == set()
    assert stored(desk)[Report.LEGACY] == everything()[Report.LEGACY]


async def test_a_correction_replaces_the_row_and_keeps_what_it_said(desk: str, cftc: SocrataServer) -> None:
    await run()
    corrected = cot_files.row(Report.TFF, "133741", NEWEST, size=77_777)
    cftc.revise(corrected)
    with clock.use(now=lambda: NOW + 3_600 * clock.SECOND):
        await run()
    assert runs(desk)[-1] == ("done", 54, 0, 53, 1, 0)
    assert published(corrected) <= stored(desk)[Report.TFF]
    with psycopg.connect(desk) as connection:
        kept = connection.execute("select report, code, as_of, superseded_ns from cot_revisions").fetchall()
    assert kept == [("tff", "133741", NEWEST, NOW + 3_600 * clock.SECOND)]


async def test_killed_in_the_middle_and_run_again(
    desk: str, cftc: SocrataServer, prefect_api: str, home: Path, tmp_path: Path
) -> None:
    """The first report is stored, the second one still awaited, when the process is killed."""
    cftc.fault("slow", path="gpe5-46if", seconds=60)
    values = {**os.environ, **environment(prefect_api, desk, cftc, home), "PREFECT_HOME": str(tmp_path)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import asyncio; from flows.cot import cot; asyncio.run(cot())"),
        cwd=ROOT,
        env=values,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    await asyncio.wait_for(cftc.asked(2), 60)
    async with await psycopg.AsyncConnection.connect(desk, autocommit=True) as connection:
        while not await (await connection.execute("select 1 from cot_legacy limit 1")).fetchone():
            assert process.returncode is None
            await asyncio.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    assert stored(desk) == {Report.LEGACY: everything()[Report.LEGACY], Report.TFF: set()}
    assert runs(desk) == [("running", 36, 36, 0, 0, 0)]
    state = await run(full=True)
    assert state.is_completed()
    assert stored(desk) == everything()
    assert runs(desk)[-1] == ("done", 72, 36, 36, 0, 0)


async def test_no_secret_reaches_prefect(desk: str, cftc: SocrataServer) -> None:
    cftc.fault("status", path="/resource/", status=500, times=-1)
    cftc.fault("status", path=".zip", status=403, times=-1)
    state = await run()
    run_id = state.state_details.flow_run_id
    assert run_id is not None
    password = psycopg.conninfo.conninfo_to_dict(desk)["password"]
    async with get_client() as client:
        kept = FlowRunFilter.model_validate({"id": {"any_": [run_id]}})
        found: list[FlowRun] = await client.read_flow_runs(flow_run_filter=kept)
        only = LogFilter.model_validate({"flow_run_id": {"any_": [run_id]}})
        told = ""
        while "Finished in state" not in told:
            told = " ".join(log.message for log in await client.read_logs(log_filter=only))
    told += repr(found) + repr(state) + str(detail(desk))
    assert "500" in told
    for secret in (TOKEN, str(password)):
        assert secret not in told
