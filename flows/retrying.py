"""Which failures a task repeats: only those that asking again can heal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import TaskRunContext
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
async def asking(limit_s: float, pauses: Sequence[float]) -> AsyncIterator[None]:
    """One question to a source: it takes ``limit_s`` at most, however slowly the answer drips.

    A source that asked for a longer pause than the next one of ``pauses`` gets it, before the failure is told
    and with it the repetition; after the last repetition nobody waits.
    """
    try:
        async with asyncio.timeout(limit_s):
            yield
    except TimeoutError:
        raise SourceAwayError(f"no whole answer within {limit_s:g} s") from None
    except SourceAwayError as error:
        attempt = _attempt()
        if error.retry_after_s <= MOST_S and attempt < len(pauses):
            await asyncio.sleep(max(0.0, error.retry_after_s - pauses[attempt]))
        raise


def _attempt() -> int:
    """0 for the first one of the task that runs."""
    context = TaskRunContext.get()
    return max(0, context.task_run.run_count - 1) if context is not None else 0
