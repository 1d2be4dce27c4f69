"""Processes for these tests: started in temporary homes, watched by pid, always ended."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from kestrel import preflight
from shared import clock, procfs
from shared.db.embedded import EmbeddedPostgres

PROGRAMS = Path(__file__).parent / "programs"


def eventually(check: Callable[[], bool], timeout_s: float, what: str) -> float:
    """Wait until ``check`` holds; seconds it took. For states of other processes, which send no event."""
    begun = clock.monotonic_ns()
    while not check():
        waited = (clock.monotonic_ns() - begun) / clock.SECOND
        assert waited < timeout_s, f"{what}: not within {timeout_s} s"
        time.sleep(0.01)
    return (clock.monotonic_ns() - begun) / clock.SECOND


class Program:
    """A process whose lines can be waited for."""

    def __init__(
        self, argv: Sequence[str], *, env: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self.process.pid
        self.start = procfs.start_time(self.pid) or 0
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def until(self, text: str, timeout_s: float = 30) -> str:
        """The first line that holds ``text``."""
        for line in self.lines:
            if text in line:
                return line
        while True:
            try:
                line_or_end = self._queue.get(timeout=timeout_s)
            except queue.Empty:
                raise AssertionError(
                    f"no line with {text!r} within {timeout_s} s; had {self.lines}"
                ) from None
            assert line_or_end is not None, f"it ended without a line with {text!r}; had {self.lines}"
            self.lines.append(line_or_end)
            if text in line_or_end:
                return line_or_end

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def wait(self, timeout_s: float = 30) -> int:
        code = self.process.wait(timeout_s)
        self._thread.join(5)
        while (line := self._queue.get_nowait() if not self._queue.empty() else None) is not None:
            self.lines.append(line)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self._thread.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()


def parent(home: Path, ports: Sequence[int], *extra: str) -> Program:
    return Program(
        [
            *(sys.executable, str(PROGRAMS / "parent.py"), str(home), ",".join(map(str, ports))),
            *(str(PROGRAMS / "child.py"), *extra),
        ]
    )


def journal(home: Path, what: str) -> list[tuple[str, int]]:
    """The (name, pid) entries of one kind, in the order they were written."""
    path = home / "journal.txt"
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    return [(row[1], int(row[2])) for row in rows if row[0] == what]


START_S = 90.0
"""The first start of a home makes a database; a loaded machine is slow."""

Start = Callable[..., Program]
"""Starts `kestrel up` with these arguments in the test's home."""


class Ports:
    """Free ports, the same for every start of one test."""

    def __init__(self) -> None:
        self.web, self.exchange, self.trader, self.prefect, self.worker = (
            preflight.free_port() for _ in range(5)
        )

    def environment(self, home: Path) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KESTREL_")}
        return kept | {
            "KESTREL_HOME": str(home),
            "KESTREL_WEB__PORT": str(self.web),
            "KESTREL_EXCHANGE__PORT": str(self.exchange),
            "KESTREL_TRADER__OPS_PORT": str(self.trader),
            "KESTREL_FLOWS__RUN": "false",  # test_flows.py has them
            "KESTREL_FLOWS__PORT": str(self.prefect),
            "KESTREL_FLOWS__WORKER_PORT": str(self.worker),
            "PGHOST": "nowhere.invalid",  # a user's own variable must not matter
        }


def ours(home: Path) -> list[str]:
    """Every process of this home, Postgres included: name and pid."""
    found = [
        f"{one.name} {pid}"
        for pid in procfs.pids()
        if procfs.has_variable(pid, "KESTREL_HOME", str(home))
        and (one := procfs.stat(pid)) is not None
        and one.state not in "ZX"
    ]
    if home.exists() and EmbeddedPostgres(home).running():
        found.append("postgres")
    return found


def healthy(program: Program) -> None:
    program.until("Ctrl-C stops everything", START_S)
