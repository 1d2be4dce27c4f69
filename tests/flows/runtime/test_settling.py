"""No run is lost when its process dies, none is started twice, and none for ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.states import Cancelling, Completed, Crashed, Pending, Running

from flows.runtime import processes
from flows.runtime.settling import PAUSE_S, STARTS, TRIES, Settled, Settler, pause_s
from shared import clock, procfs

OURS = "kestrel-ABCD"


@pytest.fixture
def settler(client: PrefectClient, home: Path) -> Settler:
    home.mkdir()
    return Settler(client, home, OURS)


async def make(
    client: PrefectClient, deployment: UUID, *states: State[Any], worker: str | None = OURS
) -> FlowRun:
    """A run of our pool that went through these states."""
    run = await client.create_flow_run_from_deployment(deployment)
    if worker:
        await client.update_flow_run_labels(run.id, {"prefect.worker.name": worker})
    for state in states:
        answer = await client.set_flow_run_state(run.id, state)
        assert answer.status.value == "ACCEPT"
    return await client.read_flow_run(run.id)


async def state(client: PrefectClient, run: FlowRun) -> str:
    found = (await client.read_flow_run(run.id)).state
    assert found is not None
    return found.name or ""


class Process:
    """A process that looks like a flow run's."""

    def __init__(self, home: Path, run: UUID) -> None:
        values = {**os.environ, "KESTREL_HOME": str(home), processes.RUN_ID: str(run)}
        self.process = subprocess.Popen(
            [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"],
            env=values,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def started(home: Path) -> Iterator[list[Process]]:
    found: list[Process] = []
    yield found
    for one in found:
        one.end()


async def test_what_a_dead_worker_left_is_scheduled_again(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    running = await make(client, deployment, Pending(), Running())
    done = await settler.at_start()
    assert done == [Settled(running.name, "crashed"), Settled(running.name, "scheduled again")]
    again = await client.read_flow_run(running.id)
    assert again.state is not None
    assert again.state.name == "AwaitingRetry"
    assert again.state.state_details.scheduled_time is not None
    assert again.state.state_details.scheduled_time <= clock.utc(clock.now_ns())
    # the place it held is free: the only one of its deployment
    pending: State[Any] = Pending()
    answer = await client.set_flow_run_state(running.id, pending)
    assert answer.status.value == "ACCEPT"


async def test_a_run_that_never_began_is_scheduled_again(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    pending = await make(client, deployment, Pending(), worker=None)
    await settler.at_start()
    assert await state(client, pending) == "AwaitingRetry"


async def test_a_run_that_was_to_be_cancelled_is_cancelled(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    run = await make(client, deployment, Pending(), Running(), Cancelling())
    assert await settler.at_start() == [Settled(run.name, "cancelled")]
    assert await state(client, run) == "Cancelled"


async def test_what_is_done_or_still_to_come_stays(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    done = await make(client, deployment, Pending(), Running(), Completed())
    coming = await make(client, deployment)
    assert await settler.at_start() == []
    assert [await state(client, run) for run in (done, coming)] == ["Completed", "Scheduled"]


async def test_runs_of_another_worker_and_runs_without_a_pool_are_left_alone(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    from tests.flows.runtime.scratch import tick

    other = await make(client, deployment, Pending(), Running(), worker="kestrel-WXYZ")
    by_hand = await client.create_flow_run(tick, parameters={"journal": "/dev/null"}, state=Running())
    assert await settler.at_start() == []
    assert [await state(client, run) for run in (other, by_hand)] == ["Running", "Running"]


async def test_a_process_without_a_worker_is_ended_before_its_run_starts_again(
    client: PrefectClient, deployment: UUID, settler: Settler, home: Path, started: list[Process]
) -> None:
    run = await make(client, deployment, Pending(), Running())
    started.append(Process(home, run.id))
    await settler.at_start()
    assert procfs.start_time(started[0].process.pid) is None
    assert await state(client, run) == "AwaitingRetry"


async def test_while_the_worker_lives_a_run_is_dead_after_two_looks(
    client: PrefectClient, deployment: UUID, settler: Settler, home: Path, started: list[Process]
) -> None:
    run = await make(client, deployment, Pending(), Running())
    started.append(Process(home, run.id))
    for _ in range(3):
        assert await settler.on_beat() == []
    started[0].end()
    assert await settler.on_beat() == []  # it may be telling the server right now how it ended
    assert [one.what for one in await settler.on_beat()] == ["crashed", "scheduled again"]
    started.clear()


async def test_a_run_that_changes_between_two_looks_is_alive(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    run = await make(client, deployment, Pending())
    assert await settler.on_beat() == []
    await client.set_flow_run_state(run.id, Running())
    assert await settler.on_beat() == []
    assert await state(client, run) == "Running"


async def test_a_run_that_crashes_again_and_again_is_left_alone(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    run = await make(client, deployment, Pending(), Running())
    await settler.at_start()
    waits = []
    for _ in range(STARTS - 1):
        found = (await client.read_flow_run(run.id)).state
        assert found is not None
        assert found.state_details.scheduled_time is not None
        waits.append(found.state_details.scheduled_time - found.timestamp)
        ways: list[State[Any]] = [Pending(), Running(), Crashed()]
        for next_state in ways:
            await client.set_flow_run_state(run.id, next_state, force=True)
        done = await settler.on_beat()
    assert waits[0] <= timedelta(0)
    assert timedelta(seconds=PAUSE_S - 5) < waits[1] <= timedelta(seconds=PAUSE_S)
    assert done == [Settled(run.name, "crashed 3 times and is not started again")]
    assert await state(client, run) == "Crashed"
    assert await settler.on_beat() == []  # and it is said once


async def test_a_run_that_never_began_is_tried_longer(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    run = await make(client, deployment)
    ways: list[State[Any]] = [Pending(), Crashed()]
    for _ in range(TRIES - 1):
        for next_state in ways:
            await client.set_flow_run_state(run.id, next_state, force=True)
        assert await settler.on_beat() == [Settled(run.name, "scheduled again")]
    for next_state in ways:
        await client.set_flow_run_state(run.id, next_state, force=True)
    assert await settler.on_beat() == [Settled(run.name, f"crashed {TRIES} times and is not started again")]


def test_the_pauses_grow_and_are_bounded() -> None:
    assert [pause_s(crashes) for crashes in (1, 2, 3, 4, 6, 7, 12)] == [0, 30, 60, 120, 480, 600, 600]


async def test_a_crash_of_long_ago_is_history(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    run = await make(client, deployment, Pending(), Running(), Crashed())
    tomorrow = clock.now_ns() + 25 * 3600 * clock.SECOND
    with clock.use(now=lambda: tomorrow):
        assert await settler.at_start() == []
    assert await state(client, run) == "Crashed"


async def test_a_worker_that_is_told_to_stop_gives_its_runs_back_without_a_crash(
    client: PrefectClient, deployment: UUID, settler: Settler
) -> None:
    run = await make(client, deployment, Pending(), Running())
    await settler.at_stop()
    states = await client.read_flow_run_states(run.id)
    assert [one.name for one in states] == ["Scheduled", "Pending", "Running", "AwaitingRetry"]
    assert StateType.CRASHED not in {one.type for one in states}


def test_processes_are_found_by_home_and_run(home: Path, started: list[Process]) -> None:
    home.mkdir()
    first, second = uuid4(), uuid4()
    started += [Process(home, first), Process(home, first), Process(home.parent, second)]
    found = processes.running(home)
    assert set(found) == {first}
    assert {one.pid for one in found[first]} == {one.process.pid for one in started[:2]}
    assert processes.end(home) == 1
    assert processes.running(home) == {}
    assert set(processes.running(home.parent)) == {second}
