"""A running `kestrel flows` for tests: its own API, a deployed scratch flow, and what its runs wrote down."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec

from kestrel.prefect_api import PrefectApi
from shared.settings import Settings
from tests.kestrel.support import Ports, eventually

SCRATCH = "tests.flows.runtime.scratch"


class Line(NamedTuple):
    what: str
    run: str
    pid: int
    at_ns: int


class FlowStage:
    """Asks the server of one home; the deployments are those of the scratch flows."""

    def __init__(self, ports: Ports, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{ports.prefect}"
        self.journal = folder / "journal.txt"

    def deploy(self) -> None:
        """The scratch flows, into our pool: as `prefect deploy` would, without its seconds."""
        with PrefectApi(self.url, Settings()) as api:
            for name in ("tick", "blab"):
                flow = self._post(api, "/flows/", {"name": name})
                body = {"name": name, "flow_id": flow["id"], "work_pool_name": "kestrel", "pull_steps": []}
                self._post(api, "/deployments/", body | {"entrypoint": f"{SCRATCH}.{name}"})

    def run(self, name: str, **parameters: Any) -> str:
        """Start a run of a deployment; its id."""
        if name == "tick":
            parameters["journal"] = str(self.journal)
        with PrefectApi(self.url, Settings()) as api:
            deployment = next(one for one in api.deployments().values() if one.name == name)
            body = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
            return str(self._post(api, f"/deployments/{deployment.id}/create_flow_run", body)["id"])

    @staticmethod
    def _post(api: PrefectApi, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = api._send("POST", path, json=body, headers=api._tokens())
        return dict(msgspec.json.decode(answer.content))

    def read(self, run: str) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/api/flow_runs/{run}", trust_env=False, timeout=5)
        return dict(answer.json())

    def state(self, run: str) -> str:
        try:
            return str(self.read(run).get("state_name"))
        except httpx.HTTPError:
            return "unknown"

    def until(self, run: str, state: str, timeout_s: float = 60) -> None:
        eventually(lambda: self.state(run) == state, timeout_s, f"the run is {state}")

    def until_begun(self, run: str, count: int = 1, timeout_s: float = 60) -> int:
        """The pid of the process that runs it, once it has begun this often."""
        eventually(lambda: len(self.lines("begin", run)) >= count, timeout_s, "the run has begun")
        return self.lines("begin", run)[-1].pid

    def lines(self, what: str, run: str) -> list[Line]:
        if not self.journal.exists():
            return []
        rows = [line.split() for line in self.journal.read_text().splitlines()]
        found = [Line(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
        return [one for one in found if (one.what, one.run) == (what, run)]
