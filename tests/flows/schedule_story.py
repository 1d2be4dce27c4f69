"""A schedule lived through: new weeks appear while worker, server and database are killed once each.

``kestrel flows`` runs as a user starts it, in a home of its own; a server plays the CFTC and publishes a week
on every beat. Afterwards every beat has exactly one flow run, all of them completed, and what is stored is what
was published, each row once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import psycopg
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_API_URL, temporary_settings

from kestrel import preflight
from shared import clock
from shared.db import embedded
from shared.domain.cot import Positions, Report
from shared.settings import ROOT, Settings
from tests.flows import cot_files
from tests.flows.socrata_server import SocrataServer

CODES = ("133741", "133742", "099741")
LAST = date(2026, 11, 17)
VICTIMS = {"worker": "flows.runtime.worker", "server": "flows.runtime.server", "database": "postgres"}
READY_S = 120.0
HEAL_S = 240.0
"""After the last fault everything that was due must have come to its end within this."""
SLOW_S = 3.0
"""How long the CFTC takes to answer on the beat of a kill, so that a run is under way."""


class Story:
    """``beats`` beats of ``beat_s`` seconds; who is killed on which beat is in ``kills``."""

    def __init__(self, home: Path, beat_s: int, beats: int, kills: dict[int, str]) -> None:
        self.home = home
        self.beat_s = beat_s
        self.beats = beats
        self.kills = kills
        self.weeks = [LAST - timedelta(weeks=back) for back in reversed(range(beats + 3))]
        self.killed: list[str] = []

    async def live(self) -> dict[str, object]:
        """Figures of the story; AssertionError when something was missed or stored twice."""
        async with SocrataServer() as cftc, self.flows(cftc) as (process, api):
            with temporary_settings({PREFECT_API_URL: api}):
                async with get_client() as client:
                    for week in self.weeks[:3]:
                        publish(cftc, week)
                    begin = next_beat(self.beat_s)
                    deployment = await self._deploy(client, begin)
                    await self._beats(cftc, process, begin)
                    end = begin + timedelta(seconds=self.beat_s * self.beats)
                    runs = await self._healed(client, deployment, begin, end)
            return await asyncio.to_thread(self._judge, runs, begin)

    async def _beats(self, cftc: SocrataServer, process: subprocess.Popen[bytes], begin: datetime) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._publish(cftc, begin))
            both.create_task(self._kills(cftc, process, begin))

    async def _publish(self, cftc: SocrataServer, begin: datetime) -> None:
        """A week before each beat: a run waits for its second and may ask in the first millisecond of it.

        Apart from the kills, for a kill waits until something runs, and the next beat's run does not wait for it.
        """
        for beat in range(self.beats):
            await until(begin + timedelta(seconds=self.beat_s * beat - 2))
            publish(cftc, self.weeks[beat + 3])

    async def _kills(self, cftc: SocrataServer, process: subprocess.Popen[bytes], begin: datetime) -> None:
        for beat, victim in sorted(self.kills.items()):
            await until(begin + timedelta(seconds=self.beat_s * beat - 1))
            cftc.fault("slow", seconds=SLOW_S)
            await until(begin + timedelta(seconds=self.beat_s * beat))
            before = len(cftc.requests)
            await asyncio.wait_for(cftc.asked(before + 1), READY_S)
            self._kill(process, victim)

    def _kill(self, process: subprocess.Popen[bytes], victim: str) -> None:
        """SIGKILL the one process among those we started that plays this part."""
        if victim == "database":
            pid = int((self.home / "postgres" / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, signal.SIGKILL)
        else:
            found = [
                child
                for child in psutil.Process(process.pid).children(recursive=True)
                if VICTIMS[victim] in child.cmdline()
            ]
            assert len(found) == 1, f"{victim}: {found}"
            found[0].kill()
        self.killed.append(victim)

    async def _deploy(self, client: PrefectClient, begin: datetime) -> UUID:
        from tests.flows.every_minute import cot

        schedule = (
            CronSchedule(cron="* * * * *", timezone="UTC")
            if self.beat_s == 60
            else IntervalSchedule(interval=timedelta(seconds=self.beat_s), anchor_date=begin)
        )
        return await client.create_deployment(
            await client.create_flow(cot),
            name="beat",
            entrypoint="tests.flows.every_minute.cot",
            work_pool_name="kestrel",
            schedules=[DeploymentScheduleCreate(schedule=schedule, active=True)],
            parameters={},
        )

    async def _healed(
        self, client: PrefectClient, deployment: UUID, begin: datetime, end: datetime
    ) -> list[FlowRun]:
        """The runs of all beats, once each of them has come to its end."""
        deadline = clock.monotonic_ns() + int(HEAL_S * clock.SECOND)
        while True:
            try:
                rows = await client.read_flow_runs(
                    flow_run_filter=FlowRunFilter.model_validate(
                        {
                            "deployment_id": {"any_": [deployment]},
                            "expected_start_time": {"after_": begin, "before_": end - timedelta(seconds=1)},
                        }
                    ),
                    sort=FlowRunSort.EXPECTED_START_TIME_ASC,
                    limit=200,
                )
            except (httpx.HTTPError, PrefectException):
                rows = []  # the server is just coming back
            open_runs = [run for run in rows if run.state is None or not run.state.is_completed()]
            if len(rows) >= self.beats and not open_runs:
                return rows
            assert clock.monotonic_ns() < deadline, [
                f"{len(rows)} of {self.beats}",
                *(
                    (run.expected_start_time, run.state_name, run.state and run.state.message)
                    for run in open_runs
                ),
            ]
            await asyncio.sleep(0.5)

    def _judge(self, runs: list[FlowRun], begin: datetime) -> dict[str, object]:
        slots = [
            round((run.expected_start_time - begin).total_seconds() / self.beat_s)
            for run in runs
            if run.expected_start_time
        ]
        assert sorted(slots) == list(range(self.beats)), "every beat has one run, and no beat has two"
        with embedded.lease(Settings(home=self.home)) as url, psycopg.connect(url) as connection:
            for report in Report:
                rows = connection.execute(
                    "select code, as_of, open_interest, revision from cot_" + report.value
                ).fetchall()
                published = {
                    (row.code, row.as_of, row.values[0], 0)
                    for week in self.weeks
                    for row in rows_of(report, week)
                }
                assert len(rows) == len(published)
                assert set(rows) == published
            assert connection.execute("select count(*) from cot_revisions").fetchone() == (0,)
            counted = connection.execute(
                "select count(*), sum(new_rows), sum(revised_rows + refused_rows) from source_runs"
            ).fetchone()
            assert counted is not None
            assert counted[1:] == (2 * len(self.weeks) * len(CODES), 0), "each row came in once"
        return {
            "beats": self.beats,
            "beat_s": self.beat_s,
            "killed": self.killed,
            "completed": len(runs),
            "started_again": sum(run.run_count > 1 for run in runs),
            "latest_start_s": round(
                max(
                    (run.start_time - run.expected_start_time).total_seconds()
                    for run in runs
                    if run.start_time and run.expected_start_time
                ),
                1,
            ),
            "rows": int(counted[1]),
            "readings": counted[0],
        }

    @asynccontextmanager
    async def flows(self, cftc: SocrataServer) -> AsyncIterator[tuple[subprocess.Popen[bytes], str]]:
        """``kestrel flows`` in this home; its process, and the API when everything is healthy."""
        port, worker = preflight.free_port(), preflight.free_port()
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("KESTREL_")
        } | {
            "KESTREL_HOME": str(self.home),
            "KESTREL_ENV_FILE": os.devnull,
            "KESTREL_FLOWS__PORT": str(port),
            "KESTREL_FLOWS__WORKER_PORT": str(worker),
            "KESTREL_COT__SOCRATA_URL": cftc.url,
            "KESTREL_COT__FILES_URL": cftc.files_url,
            "KESTREL_COT__HISTORY_FROM": "2024-01-02",
            "KESTREL_COT__RETRY_S": "1",
        }
        command = [sys.executable, "-m", "kestrel", "flows"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                api = f"http://127.0.0.1:{port}/api"
                deployed = f"{api}/deployments/name/cot/weekly"
                for address in (f"{api}/ready", f"http://127.0.0.1:{worker}/health", deployed):
                    await ready(client, address, process)
            yield process, api
        finally:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def rows_of(report: Report, week: date) -> list[Positions]:
    return cot_files.weeks(report, CODES, week, 1)


def publish(cftc: SocrataServer, week: date) -> None:
    for report in Report:
        cftc.publish(rows_of(report, week))


def next_beat(beat_s: int) -> datetime:
    """The next whole beat that is far enough away for the deployment to be made."""
    now = clock.now_ns() // clock.SECOND
    return clock.utc(((now + 5) // beat_s + 1) * beat_s * clock.SECOND)


async def until(moment: datetime) -> None:
    await asyncio.sleep(max(0.0, (clock.from_datetime(moment) - clock.now_ns()) / clock.SECOND))


async def ready(client: httpx.AsyncClient, address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = clock.monotonic_ns() + int(READY_S * clock.SECOND)
    while True:
        try:
            if (await client.get(address, timeout=2)).status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, "`kestrel flows` ended"
        assert clock.monotonic_ns() < deadline, f"{address} is not healthy"
        await asyncio.sleep(0.1)
