"""A real Prefect server for the tests of flows: one per test run, on the tests' own Postgres.

Use it by ``from tests.flows.prefect_server import prefect_api`` in a ``conftest.py``. While it is up, flows
called in this process report to it; asking for it costs its start (about six seconds) once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg import sql

from kestrel import environment, preflight
from shared import clock
from shared.settings import ROOT

START_S = 90.0
FAST = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE": "4",
    "PREFECT_SERVER_DATABASE_SQLALCHEMY_MAX_OVERFLOW": "4",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "DO_NOT_TRACK": "1",
}


@pytest.fixture(scope="session")
def prefect_api(postgres_server: str) -> Iterator[str]:
    """The API's URL; in force for every flow that this process calls, as long as the fixture lives."""
    with running(postgres_server) as url, in_force(url):
        yield url


@contextmanager
def running(postgres: str, name: str = "prefect_tests") -> Iterator[str]:
    """A server on a database of its own beside ``postgres``; its API's URL."""
    base = postgres.rpartition("/")[0]
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    url = f"{base}/{name}".replace("postgresql://", "postgresql+asyncpg://")
    with tempfile.TemporaryDirectory(prefix="kestrel-prefect-") as folder, ExitStack() as stack:
        port = preflight.free_port()
        values = {name: value for name, value in os.environ.items() if not name.startswith("KESTREL_")}
        environment.scrub(values)
        values |= FAST | {
            "PREFECT_HOME": folder,
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": url,
        }
        output = stack.enter_context((Path(folder) / "out").open("w+b"))
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.runtime.server"],
            cwd=ROOT,
            env=values,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        stack.callback(_end, process)
        api = f"http://127.0.0.1:{port}/api"
        _await(process, api, Path(folder) / "out")
        yield api


def _await(process: subprocess.Popen[bytes], api: str, output: Path) -> None:
    deadline = clock.monotonic_ns() + int(START_S * clock.SECOND)
    with httpx.Client(trust_env=False, timeout=2) as client:
        while True:
            try:
                if client.get(f"{api}/health").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            told = output.read_text(errors="replace")[-2000:]
            assert process.poll() is None, f"the Prefect server ended: {told}"
            assert clock.monotonic_ns() < deadline, f"the Prefect server is not up after {START_S} s: {told}"
            time.sleep(0.05)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def in_force(api: str) -> Iterator[None]:
    """Flows and clients of this process talk to this API, whatever thread or context they run in."""
    from prefect.context import _temporary_global_settings_context, get_settings_context
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker
    from prefect.settings import PREFECT_API_URL, PREFECT_LOGGING_TO_API_BATCH_INTERVAL, temporary_settings

    with (
        temporary_settings({PREFECT_API_URL: api, PREFECT_LOGGING_TO_API_BATCH_INTERVAL: 0.1}),
        _temporary_global_settings_context(get_settings_context()),
    ):
        try:
            yield
        finally:
            for sender in (APILogWorker, EventsWorker):  # threads that would miss the server at the end
                sender.drain_all(timeout=10)
