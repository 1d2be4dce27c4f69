"""The server is brought to what the file says, as often as one likes, and a person's choices stay."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect.automations import AutomationCore
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.schedules import IntervalSchedule

from flows.runtime import automations, deploy, pool
from shared.errors import SettingsError, StartError
from shared.settings import ROOT
from tests.flows.runtime.scratch import tick

TICK = "tests.flows.runtime.scratch.tick"


@pytest.fixture
def file(tmp_path: Path, prefect_api: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)  # for the `prefect deploy` that is started
    monkeypatch.setattr(deploy, "OURS", "tests.")
    return tmp_path / "prefect.yaml"


def write(file: Path, *deployments: dict[str, Any]) -> None:
    common = {"entrypoint": TICK, "parameters": {"journal": "/dev/null"}, "work_pool": {"name": "kestrel"}}
    content = {
        "name": "t",
        "build": [],
        "push": [],
        "pull": [],
        "deployments": [common | one for one in deployments],
    }
    file.write_text(yaml.safe_dump(content))


async def names(client: PrefectClient) -> set[str]:
    return {one.name for one in await client.read_deployments(limit=200)}


async def test_the_file_is_applied_once_and_a_persons_choices_stay(client: PrefectClient, file: Path) -> None:
    minute = {"schedules": [{"interval": 60, "slug": "minute"}]}
    write(file, {"name": "often", **minute}, {"name": "seldom"})
    assert await deploy.apply(file) == "2 deployed"
    assert await names(client) == {"often", "seldom"}
    often = await client.read_deployment_by_name("tick/often")
    (schedule,) = often.schedules
    await client.update_deployment_schedule(often.id, schedule.id, active=False)
    own = await client.create_flow(tick)
    await client.create_deployment(
        flow_id=own, name="mine", work_pool_name=pool.POOL, entrypoint="mine.py:tick"
    )

    assert await deploy.apply(file) == "2 unchanged"
    (kept,) = (await client.read_deployment_by_name("tick/often")).schedules
    assert (kept.id, kept.active) == (schedule.id, False)

    write(file, {"name": "often", **minute})
    assert await deploy.apply(file) == "1 deployed, 1 deleted"
    assert await names(client) == {"often", "mine"}

    # somebody deletes it on the page: the next start brings it back
    await client.delete_deployment((await client.read_deployment_by_name("tick/often")).id)
    assert await deploy.apply(file) == "1 deployed"
    again = await client.read_deployment_by_name("tick/often")
    (coming,) = again.schedules
    assert isinstance(coming.schedule, IntervalSchedule)
    assert coming.schedule.interval == timedelta(minutes=1)
    runs = await client.read_flow_runs(limit=200)
    assert len({run.expected_start_time for run in runs}) == len(runs) > 0


async def test_a_flow_that_cannot_be_loaded_is_one_line(client: PrefectClient, file: Path) -> None:
    write(file, {"name": "broken", "entrypoint": "tests.flows.runtime.nowhere.tick"})
    with pytest.raises(StartError, match=r"cannot be deployed: \w+Error: .*nowhere") as caught:
        await deploy.apply(file)
    assert "\n" not in str(caught.value)
    assert await names(client) == set()


def test_a_file_that_is_no_list_of_deployments_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "prefect.yaml"
    with pytest.raises(StartError, match="cannot be read"):
        deploy.entries(path)
    for text in ("deployments: [{name: x}]", "a: [", "- 1"):
        path.write_text(text)
        with pytest.raises(SettingsError, match="is no list of deployments") as caught:
            deploy.entries(path)
        assert "\n" not in str(caught.value)


async def test_automations_are_made_once_mended_and_cleared(client: PrefectClient) -> None:
    await automations.apply(client)
    (first,) = await client.read_automations()
    await automations.apply(client)
    assert [one.id for one in await client.read_automations()] == [first.id]

    (wanted,) = automations.AUTOMATIONS
    await client.create_automation(wanted)  # as `prefect automation create` would, a second time
    other = wanted.model_copy(update={"name": "somebody's own"})
    await client.create_automation(AutomationCore.model_validate(other.model_dump()))
    old = wanted.model_copy(update={"name": f"{automations.OURS}no longer wanted"})
    await client.create_automation(AutomationCore.model_validate(old.model_dump()))
    await client.update_automation(
        first.id, wanted.model_copy(update={"description": "changed", "enabled": False})
    )
    await automations.apply(client)
    found = {one.name: one for one in await client.read_automations()}
    assert len(await client.read_automations()) == 2
    assert set(found) == {wanted.name, "somebody's own"}
    assert found[wanted.name].description == wanted.description


async def test_the_pool_is_brought_back_to_its_form(client: PrefectClient) -> None:
    await pool.ensure(client)
    from prefect.client.schemas.actions import WorkPoolUpdate

    await client.update_work_pool(pool.POOL, WorkPoolUpdate(description="changed"))
    await pool.ensure(client)
    found = await client.read_work_pool(pool.POOL)
    assert found.type == "process"
    assert found.description == pool.DESCRIPTION
    assert found.concurrency_limit is None
    defaults = {
        name: one.get("default") for name, one in found.base_job_template["variables"]["properties"].items()
    }
    assert defaults["command"] == pool.COMMAND
    assert defaults["working_dir"] == str(ROOT)
