"""``prefect.yaml`` read strictly: Prefect itself ignores keys that it does not know."""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from shared.settings import ROOT


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Schedule(Strict):
    slug: str
    cron: str
    timezone: str
    parameters: dict[str, Any] = {}


class WorkPool(Strict):
    name: Literal["kestrel"]
    work_queue_name: str


class Deployment(Strict):
    name: str
    description: str
    entrypoint: str
    tags: list[str]
    parameters: dict[str, Any]
    work_pool: WorkPool
    schedules: list[Schedule]


class PrefectYaml(Strict):
    name: Literal["kestrel"]
    prefect_version: str = Field(alias="prefect-version")
    build: list[Any]
    push: list[Any]
    pull: list[Any]
    definitions: dict[str, Any]
    deployments: list[Deployment]


def read(text: str | None = None) -> PrefectYaml:
    return PrefectYaml.model_validate(yaml.safe_load(text or (ROOT / "prefect.yaml").read_text()))
