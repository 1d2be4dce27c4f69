"""Fixtures of the tests of the runtime: a client, our pool, and deployments of the scratch flows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from prefect.client.orchestration import PrefectClient, get_client

from flows.runtime import pool
from tests.flows.runtime.scratch import tick


@pytest.fixture
async def client(prefect_api: str) -> AsyncIterator[PrefectClient]:
    """Leaves nothing of our pool behind."""
    async with get_client() as opened:
        yield opened
        for deployment in await opened.read_deployments(limit=200):
            await opened.delete_deployment(deployment.id)
        for automation in await opened.read_automations():
            await opened.delete_automation(automation.id)
        for run in await opened.read_flow_runs(limit=200):
            await opened.delete_flow_run(run.id)


@pytest.fixture
async def deployment(client: PrefectClient) -> UUID:
    """The scratch flow ``tick``, deployed to our pool without a schedule."""
    await pool.ensure(client)
    flow_id = await client.create_flow(tick)
    return await client.create_deployment(
        flow_id=flow_id,
        name="tick",
        work_pool_name=pool.POOL,
        entrypoint="tests.flows.runtime.scratch.tick",
        concurrency_limit=1,
    )
