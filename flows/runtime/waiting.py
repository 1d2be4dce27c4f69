"""Waiting for the server: worker and deployments start beside it, so that their own start costs no time."""

from __future__ import annotations

import asyncio

from prefect.client.orchestration import PrefectClient

from shared import clock
from shared.errors import StartError

SERVER_S = 90.0
POLL_S = 0.1


async def until_up(client: PrefectClient, wait_s: float = SERVER_S) -> None:
    """Return when the server answers; :class:`StartError` when it does not in this time."""
    deadline = clock.monotonic_ns() + int(wait_s * clock.SECOND)
    while (problem := await client.api_healthcheck()) is not None:
        if clock.monotonic_ns() > deadline:
            raise StartError(f"the Prefect server does not answer ({type(problem).__name__})")
        await asyncio.sleep(POLL_S)
