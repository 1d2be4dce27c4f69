"""The doctor's look at flows: server, worker, what is deployed, and how each went last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from kestrel import status
from kestrel.prefect_api import Deployment, PrefectApi, Run
from shared.errors import StartError
from shared.settings import ROOT, Settings

if TYPE_CHECKING:
    from kestrel.doctor import Findings

CHECK = "flows"
TIMEOUT_S = 3.0
_ENDED_WELL = {"Completed", "Running", "Cached"}


def flows(settings: Settings) -> Findings:
    """Nothing is asked when nothing runs."""
    from kestrel.doctor import Finding, Level

    home = settings.home.expanduser().resolve()
    found = status.read_flows(home)
    if found is None:
        how = (
            "`kestrel up` or `kestrel flows` starts them"
            if settings.flows.run
            else "KESTREL_FLOWS__RUN=false"
        )
        yield Finding(CHECK, Level.OK, f"flows do not run here now ({how})")
        return
    server = found.prefect_url
    with PrefectApi(server, settings) as api:
        if not api.ready():
            yield Finding(
                CHECK,
                Level.FAIL,
                f"Prefect at {server} does not answer",
                f"see {home / 'logs' / 'prefect.out'}",
            )
            return
        yield Finding(CHECK, Level.OK, f"Prefect answers at {server}")
        problem = _worker_problem(found.worker_url)
        if problem:
            yield Finding(CHECK, Level.FAIL, f"the worker {problem}", f"see {home / 'logs' / 'worker.out'}")
        else:
            yield Finding(CHECK, Level.OK, "the worker asks for work")
        deployments = api.deployments()
        for name in sorted(_in_file() - {one.name for one in deployments.values()}):
            yield Finding(
                CHECK,
                Level.FAIL,
                f"{name} of prefect.yaml is not deployed",
                f"see {home / 'logs' / 'deploy.out'}",
            )
        for name, one in sorted(deployments.items()):
            level, text = _words(name, one, api.last_run(one))
            yield Finding(CHECK, Level(level), text)


def _worker_problem(url: str) -> str:
    try:
        answer = httpx.get(f"{url}/health", timeout=TIMEOUT_S, trust_env=False)
    except httpx.HTTPError:
        return "does not answer"
    return "" if answer.status_code == 200 else str(answer.json().get("state", "is not healthy"))


def _in_file() -> set[str]:
    """The names of the deployments in ``prefect.yaml``."""
    import yaml

    file = ROOT / "prefect.yaml"
    if not file.is_file():
        return set()
    try:
        return {str(one["name"]) for one in yaml.safe_load(file.read_text(encoding="utf-8"))["deployments"]}
    except (yaml.YAMLError, KeyError, TypeError):
        raise StartError(f"{file} is no list of deployments") from None


def _words(name: str, deployment: Deployment, run: Run | None) -> tuple[str, str]:
    paused = ", paused" if deployment.paused else ""
    if run is None:
        return "ok", f"{name}: has not run yet{paused}"
    at = run.end_time or run.start_time
    when = f" {at[:16].replace('T', ' ')} UTC" if at else ""
    well = run.state_name in _ENDED_WELL
    return "ok" if well else "warn", f"{name}: last run {run.state_name}{when}{paused}"
