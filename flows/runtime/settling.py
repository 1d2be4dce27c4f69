"""Brings the server's picture of flow runs back to the truth: no run is lost, none runs twice.

A worker, a flow run or the machine can die at any point. What the server then calls running has no process any
more, and nobody would ever start it again. So before a worker begins, and on a slow beat while it works, every
run of ours whose process is gone is set to Crashed and, unless it has crashed too often, scheduled again. That is
safe because flows may be ended at any point and repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import AwaitingRetry, Cancelled, Crashed

from flows.runtime import processes
from flows.runtime.pool import POOL
from shared import clock

STARTS = 3
"""A run that began this often and whose process died each time is left alone: something in it kills it."""
TRIES = 12
"""The same for one that never even began: that is the surroundings' fault, and they are given longer."""
PAUSE_S = 30.0
"""Before it is tried for the third time; the second try follows at once, later ones after the double each time."""
MOST_PAUSE_S = 600.0
RECENT = timedelta(hours=24)
"""A run that crashed longer ago is history."""
PAGE = 200
MOST_PAGES = 50
WORKER_LABEL = "prefect.worker.name"
UNFINISHED = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)


class Settled(msgspec.Struct, frozen=True):
    """What was done about one run, in words for a person."""

    run: str
    what: str


class Settler:
    """Settles the runs of one worker; ``worker`` is its name, the same after every restart."""

    def __init__(self, client: PrefectClient, home: Path, worker: str) -> None:
        self._client = client
        self._home = home
        self._worker = worker
        self._suspects: dict[UUID, UUID] = {}
        self._left: set[UUID] = set()

    async def at_start(self) -> list[Settled]:
        """No worker of ours lives: whatever is unfinished is dead, and a process that still runs is ended."""
        processes.end(self._home)
        done = [one for run in await self._unfinished() for one in await self._bury(run)]
        return done + await self._revive()

    async def on_beat(self) -> list[Settled]:
        """While the worker lives: a run is dead when two looks in a row saw the same state and no process."""
        seen: dict[UUID, UUID] = {}
        done: list[Settled] = []
        unfinished = await self._unfinished()
        alive = processes.running(self._home)
        for run in unfinished:
            state = _state(run)
            if run.id in alive:
                continue
            if self._suspects.get(run.id) == state.id:
                done += await self._bury(run)
            else:
                seen[run.id] = state.id
        self._suspects = seen
        return done + await self._revive()

    async def at_stop(self) -> list[Settled]:
        """The worker is told to stop: what runs is scheduled again, which is no crash of its own."""
        done = []
        for run in await self._unfinished():
            if _state(run).type is StateType.CANCELLING:
                done += await self._bury(run)
            else:
                await self._bury_children(run)
                again: State[Any] = AwaitingRetry(
                    scheduled_time=clock.utc(clock.now_ns()), message="The worker was stopped."
                )
                done += await self._set(run, again, "scheduled again")
        return done

    async def _unfinished(self) -> list[FlowRun]:
        return await self._ours(UNFINISHED, MOST_PAGES)

    async def _ours(self, types: Sequence[StateType], pages: int) -> list[FlowRun]:
        """Runs of our pool in these states that this worker took, or that nobody has taken yet."""
        found: list[FlowRun] = []
        for page in range(pages):
            rows = await self._client.read_flow_runs(
                work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
                ),
                sort=FlowRunSort.END_TIME_DESC,
                limit=PAGE,
                offset=page * PAGE,
            )
            found += [run for run in rows if run.labels.get(WORKER_LABEL, self._worker) == self._worker]
            if len(rows) < PAGE:
                break
        return found

    async def _bury(self, run: FlowRun) -> list[Settled]:
        """A run without a process: cancelled when somebody wanted that, else crashed."""
        await self._bury_children(run)
        if _state(run).type is StateType.CANCELLING:
            message = "Its process had ended before it was told to."
            return await self._set(run, Cancelled(message=message), "cancelled")
        return await self._set(run, Crashed(message="Its process is gone."), "crashed")

    async def _bury_children(self, run: FlowRun) -> None:
        """Flows that a flow called ran in its process; they are begun afresh when it is."""
        children = await self._client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(UNFINISHED))),
            ),
            limit=PAGE,
        )
        for child in children:
            await self._set(child, Crashed(message="The process of its parent is gone."), "crashed")

    async def _revive(self) -> list[Settled]:
        """Schedule again what crashed lately, whoever said that it did: we, the worker, or an automation."""
        done = []
        now = clock.utc(clock.now_ns())
        for run in await self._ours([StateType.CRASHED], 1):
            if run.id in self._left or run.deployment_id is None or now - _state(run).timestamp > RECENT:
                continue
            states = await self._client.read_flow_run_states(run.id)
            begun = sum(1 for state in states if state.type is StateType.RUNNING)
            crashes = sum(1 for state in states if state.type is StateType.CRASHED)
            if begun >= STARTS or crashes >= TRIES:
                self._left.add(run.id)
                done.append(Settled(run.name, f"crashed {crashes} times and is not started again"))
                continue
            again: State[Any] = AwaitingRetry(
                scheduled_time=now + timedelta(seconds=pause_s(crashes)),
                message=f"Tried again after crash number {crashes}.",
            )
            done += await self._set(run, again, "scheduled again")
        return done

    async def _set(self, run: FlowRun, state: State[Any], what: str) -> list[Settled]:
        """Through the server's own rules, which also give back what the run held."""
        answer = await self._client.set_flow_run_state(run.id, state)
        if answer.status is not SetStateStatus.ACCEPT:
            return []  # it ended meanwhile, and the server knows
        return [Settled(run.name, what)]


def pause_s(crashes: int) -> float:
    """Seconds before the next try after so many crashes (1 = the first)."""
    return 0.0 if crashes <= 1 else float(min(MOST_PAUSE_S, PAUSE_S * 2 ** (crashes - 2)))


def _state(run: FlowRun) -> State[Any]:
    assert run.state is not None, "the server gives every run a state"
    return run.state
