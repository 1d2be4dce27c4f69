"""A small process that outlives its parent's SIGKILL and cleans up after it.

``kestrel up`` starts it first, in a session of its own, and writes one line to its stdin for
every child: ``add PID START`` before the child runs, ``del PID START`` after it ended, ``bye``
when all is over. End of file without ``bye`` means that the parent died: everything that is
still registered gets SIGTERM, after :data:`GRACE_S` SIGKILL, and the embedded Postgres is
stopped when nobody uses it any more. A pid that was given to another process meanwhile is
recognised by its start time and left alone.

While it lives it holds ``run/reaper.lock``, so that the next ``kestrel up`` can wait for the end
of the cleaning. ``kestrel flows`` alone has one of its own.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
from pathlib import Path

from shared import clock, procfs

GRACE_S = 2.0
_BEAT_S = 0.02


def lock_file(home: Path, name: str) -> Path:
    return home / "run" / ("reaper.lock" if name == "up" else f"reaper-{name}.lock")


def members(pid: int, start: int, home: Path) -> list[procfs.Stat]:
    """The living processes of a child's session: the child and what it started.

    When the child itself is gone its session's number could, in theory, be another's by now; then
    only processes that carry this home in their environment count.
    """
    leader = procfs.stat(pid)
    if leader is not None and leader.start != start:
        return []
    found = procfs.session_members(pid)
    if leader is None:
        found = [one for one in found if procfs.has_variable(one.pid, "KESTREL_HOME", str(home))]
    return found


def signal_all(children: set[tuple[int, int]], number: int, home: Path) -> int:
    """Send a signal to every living process of the registered children; how many there were."""
    count = 0
    for pid, start in children:
        for one in members(pid, start, home):
            count += 1
            if procfs.alive(one.pid, one.start):
                try:
                    os.kill(one.pid, number)
                except (ProcessLookupError, PermissionError):
                    continue
    return count


def end(children: set[tuple[int, int]], home: Path, grace_s: float = GRACE_S) -> int:
    """SIGTERM, a grace, SIGKILL until nothing is left; how many processes there were."""
    total = signal_all(children, signal.SIGTERM, home)
    deadline = clock.monotonic_ns() + int(grace_s * clock.SECOND)
    while total and clock.monotonic_ns() < deadline:
        if not any(members(pid, start, home) for pid, start in children):
            return total
        select.select([], [], [], _BEAT_S)
    for _ in range(50):  # SIGKILL is not refused; the bound is for a process stuck in the kernel
        if not signal_all(children, signal.SIGKILL, home):
            break
        select.select([], [], [], _BEAT_S)
    return total


def follow(children: set[tuple[int, int]]) -> bool:
    """Read the parent's lines until ``bye`` (True) or end of file (False)."""
    for text in sys.stdin:
        words = text.split()
        if words == ["bye"]:
            return True
        if len(words) == 3 and words[0] in {"add", "del"}:
            entry = (int(words[1]), int(words[2]))
            (children.add if words[0] == "add" else children.discard)(entry)
    return False


def main(home: Path, name: str) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    lock = os.open(lock_file(home, name), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    children: set[tuple[int, int]] = set()
    if follow(children):
        return 0
    end(children, home)
    from shared.db.embedded import stop_if_unused

    stop_if_unused(home)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
