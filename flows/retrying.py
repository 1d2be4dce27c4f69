"""Which failures a task repeats: only those that asking again can heal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from shared.errors import DatabaseError, SourceAwayError

HEALING = (SourceAwayError, DatabaseError)
MOST_S = 120.0
"""A source that asks for a longer pause is asked again by the next run, not by this one."""

#: A task that talks to the outside: never cached, its results never written to disk.
OPTIONS: dict[str, Any] = {"cache_policy": NO_CACHE, "persist_result": False, "retry_jitter_factor": 0.3}


async def can_heal(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """For ``retry_condition_fn``."""
    error = await state.aresult(raise_on_failure=False)
    if isinstance(error, SourceAwayError) and error.retry_after_s > MOST_S:
        return False
    return isinstance(error, HEALING)


def delays(first_s: float, times: int) -> list[float]:
    """Seconds before each repetition: doubled each time, bounded."""
    return [min(first_s * 2**attempt, MOST_S) for attempt in range(times)]


@asynccontextmanager
async def obeying() -> AsyncIterator[None]:
    """Wait as long as a busy source asked for before the failure is told, and with it the repetition."""
    try:
        yield
    except SourceAwayError as error:
        if error.retry_after_s <= MOST_S:
            await asyncio.sleep(error.retry_after_s)
        raise
