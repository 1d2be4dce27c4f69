"""Flows start beside the rest: what goes wrong with them is said in one line, and nothing else notices."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from kestrel import environment, flows, prefect_database, preflight, services, status
from kestrel.child import ChildSpec
from kestrel.database import Database
from kestrel.flow_services import FlowPorts, FlowServices
from kestrel.flows import Flows
from kestrel.supervisor import Reaper, RestartPolicy, State, Supervisor
from shared.errors import DatabaseError
from shared.settings import Settings
from tests.kestrel.support import PROGRAMS
from tests.kestrel.test_supervisor import Recorder

QUICK = RestartPolicy(first_s=0.1, cap_s=0.2, most=2, window_s=30, health_s=0.1, start_beat_s=0.02)


class Stand(FlowServices, frozen=True):
    """Small programs in the place of Prefect's; ``how`` holds extra arguments by name."""

    how: dict[str, tuple[str, ...]]

    def server(self, database_url: str) -> ChildSpec:
        return self._stand("prefect", self.ports.server)

    def worker(self) -> ChildSpec:
        return self._stand("worker", self.ports.worker)

    def deploy(self) -> ChildSpec:
        return self._stand("deploy", 1)

    def _stand(self, name: str, port: int) -> ChildSpec:
        extra = self.how.get(name, ("--exit", "0") if name == "deploy" else ())
        program = (sys.executable, str(PROGRAMS / "child.py"), "--port", str(port), "--name", name)
        return ChildSpec(
            name=name,
            argv=(*program, "--journal", str(self.home / "journal.txt"), *extra),
            environment=environment.for_child(self.home),
            health=services.http_health(self.client, f"http://127.0.0.1:{port}/"),
        )


@asynccontextmanager
async def stage(home: Path, **how: tuple[str, ...]) -> AsyncIterator[tuple[Flows, Recorder, Supervisor]]:
    home = preflight.prepare_home(home)
    recorder, reaper = Recorder(), Reaper(home, preflight.FLOWS)
    reaper.start()
    supervisor = Supervisor(home, reaper, recorder, QUICK, preflight.FLOWS)
    ports = FlowPorts(server=preflight.free_port(), worker=preflight.free_port())
    async with httpx.AsyncClient(trust_env=False) as client:
        made = Flows(Stand(Settings(home=home), home, ports, client, how), supervisor, recorder)
        with preflight.only_one(home, preflight.FLOWS):
            try:
                yield made, recorder, supervisor
            finally:
                await made.stop()
                reaper.bye()


@pytest.fixture
def database(home: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(prefect_database, "prepare", lambda settings, url: "postgresql+asyncpg://x/y")
    return Database(Settings(home=home))


async def test_all_healthy(home: Path, database: Database) -> None:
    async with stage(home) as (made, recorder, supervisor):
        made.start(database)
        assert await asyncio.wait_for(made.first, 20) == ""
        assert {name: supervisor.states[name] for name in flows.NAMES} == {
            "prefect": State.HEALTHY,
            "deploy": State.DONE,
            "worker": State.HEALTHY,
        }
        assert recorder.lines == []
        assert status.read_flows(home) is not None
    assert supervisor.states["worker"] is State.STOPPED
    assert recorder.states.index(("worker", State.STOPPED)) < recorder.states.index(
        ("prefect", State.STOPPED)
    )
    assert status.read_flows(home) is None


async def test_deployments_that_fail_are_said_once_and_tried_again(home: Path, database: Database) -> None:
    async with stage(home, deploy=("--exit", "3")) as (made, recorder, supervisor):
        made.start(database)
        problem = await asyncio.wait_for(made.first, 20)
        assert problem == "deploy ended with exit code 3: the reason of the end"
        await recorder.until("deploy", State.GIVEN_UP)
        assert len([line for line in recorder.lines if problem in line]) == 1
        await supervisor.until("worker", State.HEALTHY)  # what is deployed already runs on


async def test_a_server_that_does_not_start_is_told_and_the_rest_waits(
    home: Path, database: Database
) -> None:
    async with stage(home, prefect=("--exit", "3")) as (made, recorder, supervisor):
        made.start(database)
        assert await asyncio.wait_for(made.first, 20) == "the prefect process ends at its start"
        await supervisor.until("prefect", State.GIVEN_UP)
        assert recorder.lines[0].startswith("prefect ended with exit code 3: the reason of the end")


async def test_a_database_that_cannot_be_made_is_said_once_and_tried_again(
    home: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def prepare(settings: Settings, url: str) -> str:
        tries.append(url)
        if len(tries) < 3:
            raise DatabaseError("Prefect needs a database of its own")
        return "postgresql+asyncpg://x/y"

    monkeypatch.setattr(prefect_database, "prepare", prepare)
    async with stage(home) as (made, recorder, _supervisor):
        made.start(database)
        assert await asyncio.wait_for(made.first, 20) == "Prefect needs a database of its own"
        await recorder.until("worker", State.HEALTHY)
        (line,) = recorder.lines
        assert line == "Prefect needs a database of its own; the rest runs on, tried again in 0.1 s"
