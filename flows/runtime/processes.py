"""The processes of flow runs, found by their environment: whoever started them, and whoever has died since."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections import defaultdict
from pathlib import Path
from uuid import UUID

from shared import clock, procfs

RUN_ID = "PREFECT__FLOW_RUN_ID"
GONE_S = 5.0
_BEAT_S = 0.02


def running(home: Path) -> dict[UUID, list[procfs.Stat]]:
    """The living processes of this home by flow run: a run may have started more than one."""
    found: dict[UUID, list[procfs.Stat]] = defaultdict(list)
    for pid in procfs.pids():
        run = procfs.variable(pid, RUN_ID)
        if run is None or not procfs.has_variable(pid, "KESTREL_HOME", str(home)):
            continue
        one = procfs.stat(pid)
        with contextlib.suppress(ValueError):
            if one is not None and one.state not in "ZX" and pid != os.getpid():
                found[UUID(run)].append(one)
    return dict(found)


def send(found: dict[UUID, list[procfs.Stat]], number: int) -> None:
    for one in (one for members in found.values() for one in members):
        if procfs.alive(one.pid, one.start):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one.pid, number)


def end(home: Path) -> int:
    """SIGKILL every flow run of this home and wait until all are gone; how many there were."""
    first = len(running(home))
    deadline = clock.monotonic_ns() + int(GONE_S * clock.SECOND)
    while (found := running(home)) and clock.monotonic_ns() < deadline:
        send(found, signal.SIGKILL)
        select.select([], [], [], _BEAT_S)
    return first
