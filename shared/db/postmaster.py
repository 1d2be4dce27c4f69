"""One look at a data folder: does a server run on it, and on which port?

The pid file alone proves nothing: its process may be dead, or its number may belong to somebody
else by now. A server runs when the process of that number is a ``postgres`` started on this folder.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import msgspec


class Postmaster(msgspec.Struct, frozen=True):
    pid: int
    port: int
    ready: bool


def look(data: Path) -> Postmaster | None:
    """The running server of a data folder, or ``None``."""
    lines = _lines(data)
    pid = _number(lines, 0)
    if pid <= 0 or not is_postmaster(pid, data):
        return None
    return Postmaster(pid, _number(lines, 3), len(lines) > 7 and lines[7].strip() == "ready")


def remove_stale(data: Path) -> None:
    """Delete a pid file whose number is taken by an unrelated or an unreaped process.

    Postgres would take that process for a server and refuse to start. Two servers on one folder
    stay impossible: Postgres also finds the shared memory of a living one by the folder's inode.
    A pid file whose process is gone is left to Postgres, which cleans it up itself.
    """
    pid = _number(_lines(data), 0)
    if pid > 0 and _taken(pid) and not is_postmaster(pid, data):
        (data / "postmaster.pid").unlink(missing_ok=True)


def is_postmaster(pid: int, data: Path) -> bool:
    """Whether this process is a ``postgres`` that was started on ``data``."""
    if not alive(pid):
        return False
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return _is_postmaster_by_ps(pid, data)
    return Path(os.fsdecode(arguments[0])).name == "postgres" and os.fsencode(data) in arguments


def _is_postmaster_by_ps(pid: int, data: Path) -> bool:
    answer = subprocess.run(
        ["ps", "-ww", "-o", "args=", "-p", str(pid)], check=False, capture_output=True, text=True, timeout=30
    ).stdout
    return "postgres" in answer and f"-D {data} " in answer


def alive(pid: int) -> bool:
    """Whether a process of this number runs; one that only waits to be collected does not."""
    if not _taken(pid):
        return False
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return not Path("/proc/self").exists() and _taken(pid)  # without /proc the signal's answer counts
    return state not in ("Z", "X")


def _taken(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def last_words(data: Path) -> str:
    """Why the server did not start: the last fatal line of its newest logs with its hint, or nothing."""
    words = ""
    logs = [data / "start.log", *(data / "log").glob("*.log")]
    for log in sorted((path for path in logs if path.is_file()), key=lambda path: path.stat().st_mtime):
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            for line in file.read().decode("utf-8", "replace").splitlines():
                _, fatal, rest = line.partition("FATAL:")
                _, hint, advice = line.partition("HINT:")
                if fatal:
                    words = rest.strip()
                elif hint and words:
                    words = f"{words}; {advice.strip()}"
    return words


def _lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text("utf-8", "surrogateescape").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return []


def _number(lines: list[str], index: int) -> int:
    try:
        return int(lines[index])
    except (IndexError, ValueError):
        return 0
