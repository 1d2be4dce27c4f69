"""The processes that run flows: their command lines, environments and health.

Prefect itself is imported in those processes only. What it is told comes from ``prefect.toml`` in the checkout,
which is their working directory, and from the environment made here: nothing of the user's own Prefect, no
secret on a command line, everything on the loopback address.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import msgspec

from kestrel import environment
from kestrel.child import ChildSpec
from kestrel.services import http_health, url
from shared.settings import ENV_FILE, ROOT, Settings, env_files

SERVER = "prefect"
DEPLOY = "deploy"
WORKER = "worker"
STOP_ORDER = [WORKER, DEPLOY, SERVER]
NICE = 10
"""Trading comes first: where both want the processor, this leaves it nine tenths."""
DEPLOY_S = 300.0
HUNG_S = 180.0
STOP_S = 5.0


class FlowPorts(msgspec.Struct, frozen=True):
    server: int
    worker: int


class FlowServices(msgspec.Struct, frozen=True):
    """The children that make flows run, for one home."""

    settings: Settings
    home: Path
    ports: FlowPorts
    client: httpx.AsyncClient

    @property
    def api(self) -> str:
        return f"{url(self.ports.server)}/api"

    def server(self, database_url: str) -> ChildSpec:
        return self._spec(SERVER, "server", self._server_environment(database_url), f"{self.api}/ready")

    def worker(self) -> ChildSpec:
        return self._spec(WORKER, "worker", self._environment(), f"{url(self.ports.worker)}/health")

    def deploy(self) -> ChildSpec:
        return self._spec(DEPLOY, "deploy", self._environment(), "")

    def _spec(self, name: str, module: str, values: dict[str, str], health: str) -> ChildSpec:
        return ChildSpec(
            name=name,
            argv=(sys.executable, "-m", f"flows.runtime.{module}"),
            environment=values,
            health=http_health(self.client, health),
            start_timeout_s=DEPLOY_S,
            stop_grace_s=STOP_S,
            cwd=ROOT,
            nice=NICE,
            hung_after_s=HUNG_S,
        )

    def _environment(self) -> dict[str, str]:
        """What all three share, and every flow run after them."""
        home = self.home
        values = {
            "KESTREL_FLOWS__PORT": str(self.ports.server),
            "KESTREL_FLOWS__WORKER_PORT": str(self.ports.worker),
            ENV_FILE: os.pathsep.join(map(str, env_files()))
            or os.devnull,  # as seen from the user's own folder
            "PYTHONPATH": str(ROOT),
            "MPLCONFIGDIR": str(home / "prefect" / "matplotlib"),
            "DO_NOT_TRACK": "1",
            "PREFECT_API_URL": self.api,
            "PREFECT_UI_URL": url(self.ports.server),
            "PREFECT_PROFILES_PATH": str(home / "prefect" / "profiles.toml"),
            "PREFECT_LOGGING_SETTINGS_PATH": str(ROOT / "flows" / "runtime" / "logging.yml"),
            "PREFECT_LOGGING_COLORS": "false",
            "PREFECT_SERVER_EPHEMERAL_ENABLED": "false",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        }
        if self.settings.flows.password is not None:
            values["PREFECT_API_AUTH_STRING"] = self.settings.flows.password.get_secret_value()
        return environment.for_child(home, values)

    def _server_environment(self, database_url: str) -> dict[str, str]:
        port = self.ports.server
        values = {
            "PREFECT_SERVER_API_HOST": "127.0.0.1",
            "PREFECT_SERVER_API_PORT": str(port),
            "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{port},http://localhost:{port}",
            "PREFECT_SERVER_UI_API_URL": "/api",
            "PREFECT_SERVER_DATABASE_CONNECTION_URL": database_url,
        }
        if self.settings.flows.password is not None:
            values["PREFECT_SERVER_API_AUTH_STRING"] = self.settings.flows.password.get_secret_value()
        return self._environment() | values
