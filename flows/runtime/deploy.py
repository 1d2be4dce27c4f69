"""Brings the server to what ``prefect.yaml`` says: ``python -m flows.runtime.deploy [FILE]``.

It may run as often as one likes. To deploy makes a deployment's coming runs anew and forgets what was changed on
Prefect's page (a paused schedule, say), so nothing is deployed again while the file, the flows and Prefect itself
are what they were.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import prefect
import yaml
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import VariableCreate, VariableUpdate
from prefect.client.schemas.responses import DeploymentResponse

from flows.runtime import automations, pool, redaction
from flows.runtime.waiting import until_up
from shared import clock, redact
from shared.errors import KestrelError, SettingsError, StartError
from shared.settings import ROOT

FILE = ROOT / "prefect.yaml"
OURS = "flows."
"""Deployments of our pool whose entrypoint begins so belong to the file; a person's own are left alone."""
APPLIED = "kestrel_deployed"
DEPLOY_S = 300.0
PAGE = 200
_FRAME = "─│╭╮╰╯ "
_ERROR = re.compile(r"\w+(\.\w+)*(Error|Exception|NotFound): ")


async def apply(file: Path = FILE) -> str:
    """Pool, deployments, automations; what was done, in words. Raises :class:`KestrelError` in one line."""
    wanted = entries(file)
    mark = fingerprint(file)
    async with get_client() as client:
        await until_up(client)
        await pool.ensure(client)
        found = await deployed(client)
        changed = await applied(client) != mark or not set(wanted) <= {_key(one) for one in found}
        if changed:
            before = clock.utc(clock.now_ns())
            await asyncio.to_thread(deploy_all, file)
            found = await deployed(client)
            for one in found:
                # runs that fell due while the old ones were deleted and the new ones not yet made
                await client.request(
                    "POST",
                    "/deployments/{id}/schedule",
                    path_params={"id": one.id},
                    json={"start_time": before.isoformat()},
                )
        gone = [one for one in found if _key(one) not in wanted and (one.entrypoint or "").startswith(OURS)]
        for one in gone:
            await client.delete_deployment(one.id)
        await automations.apply(client)
        if changed:
            await remember(client, mark)
    words = f"{len(wanted)} deployed" if changed else f"{len(wanted)} unchanged"
    return f"{words}, {len(gone)} deleted" if gone else words


def entries(file: Path) -> set[tuple[str, str]]:
    """(name, entrypoint) of each deployment in the file."""
    try:
        content: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        found = [(one["name"], one["entrypoint"]) for one in content["deployments"]]
    except OSError as error:
        raise StartError(f"{file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise SettingsError(f"{file} is no list of deployments: {' '.join(str(error).split())}") from None
    return set(found)


def fingerprint(file: Path) -> str:
    """Changes with whatever decides how a deployment looks: the file, the flows' code, Prefect, our place."""
    digest = hashlib.sha256(f"{prefect.__version__}\0{ROOT}\0".encode())
    for path in (file, *sorted((ROOT / "flows").rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:40]


def deploy_all(file: Path) -> None:
    """``prefect deploy --all``, which reads the file's whole language; :class:`StartError` with its last word."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    answer = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEPLOY_S,
    )
    lines = [line.strip(_FRAME) for line in redact.text(answer.stdout).splitlines()]
    if answer.returncode:
        print("\n".join(lines), flush=True)  # noqa: T201  (the whole story, for logs/deploy.out)
        errors = [line for line in lines if _ERROR.match(line)]
        last = (errors or [line for line in lines if line] or ["no reason given"])[-1]
        raise StartError(f"{file} cannot be deployed: {last}")


async def deployed(client: PrefectClient) -> list[DeploymentResponse]:
    """The deployments of our pool."""
    found: list[DeploymentResponse] = []
    while True:
        page = await client.read_deployments(limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return [one for one in found if one.work_pool_name == pool.POOL]


async def applied(client: PrefectClient) -> str:
    variable = await client.read_variable_by_name(APPLIED)
    return str(variable.value) if variable else ""


async def remember(client: PrefectClient, mark: str) -> None:
    if await client.read_variable_by_name(APPLIED) is None:
        await client.create_variable(VariableCreate(name=APPLIED, value=mark))
    else:
        await client.update_variable(VariableUpdate(name=APPLIED, value=mark))


def _key(one: DeploymentResponse) -> tuple[str, str]:
    return one.name, one.entrypoint or ""


def main() -> int:
    redaction.install()
    try:
        told = asyncio.run(apply(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE))
    except KestrelError as error:
        print(error, flush=True)  # noqa: T201  (the parent reads the last line)
        return error.exit_code
    print(told, flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
