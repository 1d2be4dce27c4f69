"""Runs the COT flow as the worker does and prints its time and memory.

    python -m tests.verify.cot_flow

Starts `kestrel flows` in a home of its own, lets a server on this machine play the CFTC with three years of all
our contracts in both reports, and starts the deployment `cot/weekly` twice: with nothing stored, and again. Ends
non-zero when a run does not complete.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from datetime import date
from pathlib import Path

import psutil
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.settings import PREFECT_API_URL, temporary_settings

from shared.domain.cot import CODES, Report
from tests.flows import cot_files
from tests.flows.schedule_story import Story
from tests.flows.socrata_server import SocrataServer

WEEKS = 156
NEWEST = date(2026, 11, 17)


async def once(client: PrefectClient, root: int) -> tuple[FlowRun, float]:
    """One run from the deployment to its end; the run, and the most memory (MB) of its process."""
    deployment = await client.read_deployment_by_name("cot/weekly")
    made = await client.create_flow_run_from_deployment(deployment.id)
    most = 0.0
    while True:
        run = await client.read_flow_run(made.id)
        for child in psutil.Process(root).children(recursive=True):
            try:
                if "flows.runtime.run" in child.cmdline():
                    most = max(most, child.memory_info().rss / 1e6)
            except psutil.NoSuchProcess:
                continue
        if run.state is not None and run.state.is_final():
            return run, most
        await asyncio.sleep(0.05)


async def measure(home: Path) -> int:
    story = Story(home, beat_s=60, beats=1, kills={})
    async with SocrataServer() as cftc, story.flows(cftc) as (process, api):
        for report in Report:
            cftc.publish(cot_files.weeks(report, sorted(CODES), NEWEST, WEEKS))
        with temporary_settings({PREFECT_API_URL: api}):
            async with get_client() as client:
                good = True
                for name in ("nothing stored", "everything stored"):
                    run, most = await once(client, process.pid)
                    assert run.state is not None
                    good &= run.state.is_completed()
                    figures = {
                        "run": name,
                        "state": run.state.name,
                        "told": run.state.message,
                        "flow_s": round(run.total_run_time.total_seconds(), 2),
                        "from_order_to_end_s": round((run.end_time - run.created).total_seconds(), 2)
                        if run.end_time and run.created
                        else None,
                        "most_mb": round(most, 1),
                    }
                    print(json.dumps(figures), flush=True)
                for child in psutil.Process(process.pid).children(recursive=True):
                    for role in ("server", "worker"):
                        if f"flows.runtime.{role}" in child.cmdline():
                            print(
                                json.dumps({"process": role, "mb": round(child.memory_info().rss / 1e6, 1)})
                            )
    print("holds" if good else "DOES NOT HOLD")
    return 0 if good else 1


def main() -> int:
    place = Path(tempfile.mkdtemp(prefix="kestrel-flow-"))
    place.chmod(0o711)
    try:
        return asyncio.run(measure(place / "home"))
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    raise SystemExit(main())
