"""Flows for the tests of the runtime: they write down when a process begins and ends a run."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from prefect import flow, get_run_logger
from prefect.runtime import flow_run

from shared import clock


@flow(persist_result=False)
async def tick(journal: str, seconds: float = 0.0) -> None:
    """One line when it begins, one when it ends: what, run, pid, time in ns."""
    _write(journal, "begin")
    await asyncio.sleep(seconds)
    _write(journal, "end")


@flow(persist_result=False)
async def blab(variable: str) -> None:
    """Tell a variable's value in every way that a flow has, and fail with it."""
    secret = os.environ[variable]
    get_run_logger().info("it is %s", secret)
    print(secret)  # noqa: T201
    subprocess.run(["printenv", variable], check=True)
    raise RuntimeError(f"refused: {secret}")


def _write(journal: str, what: str) -> None:
    with Path(journal).open("a") as file:
        file.write(f"{what} {flow_run.get_id()} {os.getpid()} {clock.now_ns()}\n")
