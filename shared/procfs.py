"""Processes as Linux shows them: who is alive, since when, and who listens on a port.

A pid alone names nobody for long: the kernel gives it out again. A pid with its start time
(clock ticks since boot, field 22 of ``/proc/PID/stat``) and the boot id does.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_LISTEN = "0A"


class Stat(NamedTuple):
    """The fields of ``/proc/PID/stat`` that matter here; ``start`` is in clock ticks since boot."""

    pid: int
    name: str
    state: str
    group: int
    session: int
    start: int


def stat(pid: int) -> Stat | None:
    """None when there is no such process."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    # the name is in brackets and may itself hold blanks and brackets
    name, _, rest = text.partition("(")[2].rpartition(")")
    fields = rest.split()
    return Stat(pid, name, fields[0], int(fields[2]), int(fields[3]), int(fields[19]))


def start_time(pid: int) -> int | None:
    """When a living process started; None when it is gone or only waits to be buried (a zombie)."""
    found = stat(pid)
    return None if found is None or found.state in "ZX" else found.start


def alive(pid: int, start: int) -> bool:
    """Is this very process still running? A later one with the same pid is not it."""
    return start_time(pid) == start


def pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def session_members(session: int) -> list[Stat]:
    """Every living process of a session, its leader included."""
    found = (stat(pid) for pid in pids())
    return [one for one in found if one is not None and one.session == session and one.state not in "ZX"]


def has_variable(pid: int, name: str, value: str) -> bool:
    """Did the process start with ``name=value`` in its environment? False when it cannot be read."""
    try:
        content = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return False
    return f"{name}={value}".encode() in content.split(b"\0")


def variable(pid: int, name: str) -> str | None:
    """The value that a variable had when the process started; None when it has none or cannot be read."""
    try:
        content = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    mark = f"{name}=".encode()
    found = next((part for part in content.split(b"\0") if part.startswith(mark)), None)
    return None if found is None else found[len(mark) :].decode(errors="replace")


def boot_id() -> str:
    """Changes at every boot; start times of different boots cannot be compared."""
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def memory_mb(pid: int) -> float:
    """Resident memory in MB, 0 when it cannot be read."""
    try:
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def listener(port: int) -> Stat | None:
    """The process that listens on a TCP port, when we may see it."""
    inodes = _listening_inodes(port)
    if not inodes:
        return None
    for pid in pids():
        try:
            for descriptor in (PROC / str(pid) / "fd").iterdir():
                if str(descriptor.readlink()) in inodes:
                    return stat(pid)
        except OSError:
            continue  # gone meanwhile, or another user's
    return None


def _listening_inodes(port: int) -> set[str]:
    found = set()
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (PROC / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found
