"""One child process: started so that it can never be lost, its output kept, its end waited for.

A child runs in its own session: the terminal's Ctrl-C reaches only ``kestrel up``, which then stops
the children in order. It starts behind a gate: the pid exists and is registered with the
reaper before the program runs, and when the parent dies between the two, the gate reads end of file
and nothing starts. What the child prints goes straight to a file, so that a parent that
is slow or stopped can never block a trader.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from kestrel import reaper
from shared import clock, procfs

GATE = 'read -r go && exec "$@" </dev/null'
OUTPUT_BYTES = 2_000_000
"""The file of what a child printed is cut at this size; one older part is kept beside it."""
_KILL_BEAT_S = 0.02
_KILL_TRIES = 100

Health = Callable[[], Awaitable[str | None]]
"""None = healthy, else what is missing, in a few words."""


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """How to start a child and how to see that it works; times in seconds."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    health: Health
    start_timeout_s: float = 60.0
    stop_grace_s: float = 10.0
    hung_after_s: float = 0.0
    """A child that was not healthy for this long is killed and started again; 0 = it is waited for."""
    cwd: Path | None = None
    nice: int = 0

    def __repr__(self) -> str:  # an environment may hold a database password
        return f"ChildSpec({self.name})"


class Child:
    """A running (or ended) instance of a :class:`ChildSpec`."""

    def __init__(self, spec: ChildSpec, logs: Path, home: Path) -> None:
        self.spec = spec
        self.output = logs / f"{spec.name}.out"
        self.pid = 0
        self.start = 0
        self.spawned_ns = 0
        self._home = home
        self._process: Process | None = None
        self._offset = 0

    async def spawn(self, register: Callable[[int, int], None]) -> None:
        """Start it; ``register(pid, start time)`` is called before its program runs."""
        descriptor = os.open(self.output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            self._offset = os.fstat(descriptor).st_size
            process = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                GATE,
                "kestrel-child",
                *(("nice", "-n", str(self.spec.nice)) if self.spec.nice else ()),
                *self.spec.argv,
                stdin=PIPE,
                stdout=descriptor,
                stderr=descriptor,
                env=dict(self.spec.environment),
                cwd=self.spec.cwd,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._process = process
        self.pid = process.pid
        self.spawned_ns = clock.monotonic_ns()
        self.start = procfs.start_time(process.pid) or 0
        register(self.pid, self.start)
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.close()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def wait(self) -> int:
        """The exit code; negative = the signal that ended it."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self, grace_s: float | None = None) -> bool:
        """SIGTERM, a grace, SIGKILL for it and all it started; False when the grace was not enough."""
        polite = True
        if self.running:
            self._signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(self.spec.stop_grace_s if grace_s is None else grace_s):
                    await self.wait()
            except TimeoutError:
                polite = False
        await self.kill()
        return polite

    async def kill(self) -> None:
        """SIGKILL it and whatever it started, and wait until nothing is left."""
        for _ in range(_KILL_TRIES):
            if not self.kill_now():
                break
            await asyncio.sleep(_KILL_BEAT_S)
        if self._process is not None:
            await self.wait()

    def kill_now(self) -> int:
        """SIGKILL without waiting; how many processes there still were."""
        return reaper.signal_all({(self.pid, self.start)}, signal.SIGKILL, self._home) if self.start else 0

    def _signal(self, number: int) -> None:
        assert self._process is not None
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            return

    def last_words(self) -> str:
        """The last line it printed since it was started, for the reason of its end."""
        try:
            with self.output.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(self._offset if size >= self._offset else 0, size - 4096))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            return ""
        return next((line.strip()[:300] for line in reversed(lines) if line.strip()), "")

    def trim(self) -> None:
        """Keep the output bounded: the old part moves aside, the file starts anew."""
        try:
            if self.output.stat().st_size <= OUTPUT_BYTES:
                return
            older = self.output.with_suffix(".out.1")
            older.write_bytes(self.output.read_bytes()[-OUTPUT_BYTES:])
            older.chmod(0o600)
            os.truncate(self.output, 0)  # the child appends, so its next line lands at the new start
        except OSError:
            return
        self._offset = 0
