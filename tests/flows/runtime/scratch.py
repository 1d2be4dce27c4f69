"""Flows for the tests of the runtime: they write down when a process begins and ends a run."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from shared import clock


@flow(persist_result=False)
async def tick(journal: str, seconds: float = 0.0, say: str = "") -> None:
    """One line when it begins, one when it ends: what, run, pid, time."""
    if say:
        get_run_logger().info(say)
        print(say)
    _write(journal, "begin")
    await asyncio.sleep(seconds)
    _write(journal, "end")


@flow(persist_result=False)
async def fail(say: str) -> None:
    raise RuntimeError(say)


def _write(journal: str, what: str) -> None:
    with Path(journal).open("a") as file:
        file.write(f"{what} {flow_run.get_id()} {os.getpid()} {clock.now_ns()}\n")
