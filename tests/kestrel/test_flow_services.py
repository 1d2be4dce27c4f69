"""What the processes of flows are told: everything of ours, nothing of the user's Prefect, no secret in arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from kestrel.flow_services import NICE, FlowPorts, FlowServices
from shared.settings import ROOT, FlowsSettings, Settings

DATABASE = "postgresql+asyncpg://prefect:database-password@127.0.0.1:5432/prefect"


@pytest.fixture
async def services(home: Path, monkeypatch: pytest.MonkeyPatch) -> FlowServices:
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere.invalid/api")
    monkeypatch.setenv("PREFECT_API_KEY", "a-key-of-the-users-own")
    monkeypatch.setenv("PREFECT_PROFILE", "cloud")
    settings = Settings(home=home, flows=FlowsSettings(password=SecretStr("anna:page-password")))
    return FlowServices(settings, home, FlowPorts(server=4201, worker=4211), httpx.AsyncClient())


async def test_nothing_of_the_users_own_prefect_comes_along(services: FlowServices, home: Path) -> None:
    for spec in (services.server(DATABASE), services.worker(), services.deploy()):
        values = spec.environment
        assert values["PREFECT_API_URL"] == "http://127.0.0.1:4201/api"
        assert "PREFECT_API_KEY" not in values
        assert "PREFECT_PROFILE" not in values
        assert values["PREFECT_HOME"] == str(home / "prefect")
        assert values["PREFECT_PROFILES_PATH"].startswith(str(home))
        assert values["DO_NOT_TRACK"] == "1"
        assert values["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
        assert values["PREFECT_SERVER_EPHEMERAL_ENABLED"] == "false"
        assert spec.cwd == ROOT  # where prefect.toml is; never the folder of whoever called us
        assert spec.nice == NICE


async def test_secrets_are_in_environments_only_and_the_databases_in_the_servers(
    services: FlowServices,
) -> None:
    server, worker, deploy = services.server(DATABASE), services.worker(), services.deploy()
    for spec in (server, worker, deploy):
        assert "password" not in " ".join(spec.argv)
        assert "password" not in repr(spec)
        assert spec.environment["PREFECT_API_AUTH_STRING"] == "anna:page-password"
    assert server.environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] == DATABASE
    assert server.environment["PREFECT_SERVER_API_AUTH_STRING"] == "anna:page-password"
    for spec in (worker, deploy):
        assert "database-password" not in "".join(spec.environment.values())


async def test_the_server_listens_and_is_asked_on_this_machine_only(services: FlowServices) -> None:
    values = services.server(DATABASE).environment
    assert values["PREFECT_SERVER_API_HOST"] == "127.0.0.1"
    assert values["PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS"] == "http://127.0.0.1:4201,http://localhost:4201"
    assert values["PREFECT_SERVER_UI_API_URL"] == "/api"


async def test_an_env_file_of_the_users_folder_is_still_read(
    services: FlowServices, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services.worker().environment["KESTREL_ENV_FILE"] == os.devnull
    monkeypatch.delenv("KESTREL_ENV_FILE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("KESTREL_COT__OVERLAP_WEEKS=3\n")
    assert services.worker().environment["KESTREL_ENV_FILE"].split(os.pathsep)[-1] == str(tmp_path / ".env")


def test_our_own_processes_never_load_prefect() -> None:
    """It costs seconds and 80 MB; it belongs to the processes that run flows."""
    code = (
        "import sys, kestrel.cli, kestrel.up, kestrel.flows_alone, kestrel.doctor, kestrel.demo, kestrel.facts\n"
        "print([name for name in ('prefect', 'flows.runtime', 'asyncpg') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "[]"
