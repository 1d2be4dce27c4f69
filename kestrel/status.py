"""``run/up.json``: what the running ``kestrel up`` tells other commands of the same home."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from shared import files
from shared.settings import Settings


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """Addresses are on 127.0.0.1; ``started_ns`` is UTC."""

    pid: int
    started_ns: int
    tape: str
    demo: bool
    exchange_url: str
    trader_url: str
    web_url: str


class FlowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """``run/flows.json``: the same about flows, by whoever runs them."""

    pid: int
    prefect_url: str
    worker_url: str


def path(home: Path) -> Path:
    return home / "run" / "up.json"


def write(home: Path, status: Status) -> None:
    files.write_atomic(path(home), msgspec.json.format(msgspec.json.encode(status), indent=1) + b"\n")


def remove(home: Path) -> None:
    path(home).unlink(missing_ok=True)


def read(home: Path) -> Status | None:
    """The status of the ``kestrel up`` that runs in this home now, if one does."""
    from kestrel import preflight

    pid = preflight.running_pid(home)
    try:
        found = msgspec.json.decode(path(home).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.pid == pid else None


def flows_path(home: Path) -> Path:
    return home / "run" / "flows.json"


def write_flows(home: Path, prefect_url: str, worker_url: str) -> None:
    found = FlowStatus(pid=os.getpid(), prefect_url=prefect_url, worker_url=worker_url)
    files.write_atomic(flows_path(home), msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")


def read_flows(home: Path) -> FlowStatus | None:
    """Where the flows of this home are now, if they run."""
    from kestrel import preflight

    pid = preflight.running_pid(home, preflight.FLOWS)
    try:
        found = msgspec.json.decode(flows_path(home).read_bytes(), type=FlowStatus)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.pid == pid else None


def paper_url(settings: Settings) -> str:
    """Where the paper exchange of this home is: what ``up`` started, else the setting."""
    found = read(settings.home.expanduser().resolve())
    return found.exchange_url if found else settings.paper.url
