"""The few questions we ask Prefect's server ourselves, over plain HTTP: Prefect is never imported here."""

from __future__ import annotations

import secrets
from types import TracebackType
from typing import Any

import httpx
import msgspec

from shared.errors import StartError
from shared.settings import Settings

TIMEOUT_S = 5.0
POOL = "kestrel"
PAGE = 200


class Run(msgspec.Struct, frozen=True):
    """One flow run as the server tells it; times are ISO 8601."""

    deployment_id: str | None
    state_name: str | None = None
    start_time: str | None = None
    end_time: str | None = None
    expected_start_time: str | None = None


class Deployment(msgspec.Struct, frozen=True):
    id: str
    name: str
    flow_id: str
    paused: bool = False
    entrypoint: str | None = None
    work_pool_name: str | None = None


class _Flow(msgspec.Struct, frozen=True):
    id: str
    name: str


class PrefectApi:
    """One client; use it with ``with``. Loopback only, so no proxy of the user's is asked."""

    def __init__(self, url: str, settings: Settings) -> None:
        password = settings.flows.password
        user, _, secret = (password.get_secret_value() if password else "").partition(":")
        self._client = httpx.Client(
            base_url=f"{url.rstrip('/')}/api",
            timeout=TIMEOUT_S,
            trust_env=False,
            auth=(user, secret) if password else None,
        )
        self._csrf: dict[str, str] = {}

    def __enter__(self) -> PrefectApi:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def ready(self) -> bool:
        """Whether the server answers and reaches its database."""
        try:
            return self._client.get("/ready").status_code == 200
        except httpx.HTTPError:
            return False

    def deployments(self) -> dict[str, Deployment]:
        """Our pool's deployments by ``flow/deployment``."""
        flows = {one.id: one.name for one in self._filter("/flows/filter", {}, _Flow)}
        found = self._filter("/deployments/filter", {}, Deployment)
        return {
            f"{flows.get(one.flow_id, '?')}/{one.name}": one for one in found if one.work_pool_name == POOL
        }

    def last_run(self, deployment: Deployment) -> Run | None:
        """The run of a deployment that started last; None when none has."""
        body = {
            "deployments": {"id": {"any_": [deployment.id]}},
            "flow_runs": {"start_time": {"is_null_": False}},
            "sort": "START_TIME_DESC",
            "limit": 1,
        }
        return next(iter(self._filter("/flow_runs/filter", body, Run)), None)

    def _filter(self, path: str, body: dict[str, Any], kind: type[Any]) -> list[Any]:
        answer = self._send("POST", path, json={"limit": PAGE, **body}, headers=self._tokens())
        try:
            return msgspec.json.decode(answer.content, type=list[kind])  # type: ignore[valid-type]
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise StartError(f"Prefect answered something else than documented: {error}") from None

    def _tokens(self) -> dict[str, str]:
        """What the server wants with every request that is not a mere read, so that no other page can send one."""
        if not self._csrf:
            me = secrets.token_hex(16)
            answer = self._send("GET", "/csrf-token", params={"client": me})
            token = msgspec.json.decode(answer.content, type=dict[str, Any])["token"]
            self._csrf = {"Prefect-Csrf-Client": me, "Prefect-Csrf-Token": token}
        return self._csrf

    def _send(self, method: str, path: str, **how: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **how)
        except httpx.HTTPError as error:
            raise StartError(f"Prefect does not answer ({type(error).__name__})") from None
        if answer.status_code == 401:
            raise StartError(
                "Prefect asks for another password: set KESTREL_FLOWS__PASSWORD as it was set for it"
            )
        if answer.status_code >= 400:
            raise StartError(f"Prefect answers {answer.status_code} to {path}")
        return answer
