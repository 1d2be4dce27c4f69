"""What the server does by itself when something happens. The list here is the truth for every name that begins
with :data:`OURS`; others are left alone."""

from __future__ import annotations

from datetime import timedelta

from prefect.automations import (
    AutomationCore,
    ChangeFlowRunState,
    EventTrigger,
    Posture,
    ResourceSpecification,
)
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.schemas.automations import Automation

OURS = "kestrel: "
HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = ("Completed", "Failed", "Cancelled", "Crashed")
SILENCE = timedelta(seconds=540)
"""Three heartbeats, which come every 180 seconds."""

AUTOMATIONS = (
    AutomationCore(
        name=f"{OURS}a flow run that fell silent has crashed",
        description="Its machine or its worker is gone. Ours are found earlier, by their processes.",
        trigger=EventTrigger(
            posture=Posture.Proactive,
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            for_each={"prefect.resource.id"},
            after={HEARTBEAT},
            expect={HEARTBEAT, *(f"prefect.flow-run.{name}" for name in ENDS)},
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message=f"No heartbeat for {SILENCE.seconds // 60} minutes."
            )
        ],
    ),
)


async def apply(client: PrefectClient) -> None:
    """One of each: made, brought back to its form, or deleted when it stands here no longer or twice."""
    found: dict[str, Automation] = {}
    for automation in await client.read_automations():
        if not automation.name.startswith(OURS):
            continue
        if automation.name in found or automation.name not in {one.name for one in AUTOMATIONS}:
            await client.delete_automation(automation.id)
        else:
            found[automation.name] = automation
    for wanted in AUTOMATIONS:
        have = found.get(wanted.name)
        if have is None:
            await client.create_automation(wanted)
        elif _form(have) != _form(wanted):
            await client.update_automation(have.id, wanted)


def _form(automation: AutomationCore) -> object:
    """What we say about it: neither ids, which the server gives, nor on and off, which is a person's choice."""
    fields = set(AutomationCore.model_fields) - {"enabled"}
    return _without_ids(automation.model_dump(mode="json", include=fields))


def _without_ids(value: object) -> object:
    if isinstance(value, dict):
        return {name: _without_ids(item) for name, item in value.items() if name != "id"}
    if isinstance(value, list):
        items = [_without_ids(item) for item in value]
        return sorted(items, key=str)
    return value
