"""The work pool that our deployments and our worker share."""

from __future__ import annotations

import shlex
import sys
from typing import Any

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.process import ProcessWorker

from shared.settings import ROOT

POOL = "kestrel"
TYPE = "process"
DESCRIPTION = "Flow runs as processes of this machine. Brought to this form at every start of the worker."
COMMAND = shlex.join([sys.executable, "-m", "flows.runtime.run"])


def template() -> dict[str, Any]:
    """Prefect's own for processes, with our command and folder: one interpreter start instead of two."""
    made = ProcessWorker.get_default_base_job_template()
    properties = made["variables"]["properties"]
    properties["command"]["default"] = COMMAND
    properties["working_dir"]["default"] = str(ROOT)
    return made


async def ensure(client: PrefectClient) -> None:
    """Make the pool, or bring it back to our form. Two processes may do this at the same time."""
    wanted = template()
    try:
        found = await client.read_work_pool(POOL)
    except ObjectNotFound:
        try:
            await client.create_work_pool(
                WorkPoolCreate(name=POOL, type=TYPE, description=DESCRIPTION, base_job_template=wanted)
            )
        except ObjectAlreadyExists:
            return
        return
    if found.base_job_template != wanted or found.description != DESCRIPTION:
        await client.update_work_pool(POOL, WorkPoolUpdate(description=DESCRIPTION, base_job_template=wanted))
