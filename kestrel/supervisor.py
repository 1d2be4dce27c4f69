"""Keeps children running: starts them, watches them, brings the dead back, stops them in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from collections import deque
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from kestrel import environment
from kestrel.child import Child, ChildSpec
from shared import clock, files, procfs
from shared.errors import StartError

log = logging.getLogger(__name__)

_REAPER_START_S = 10
UP = "up"


class State(StrEnum):
    WAITING = "waiting"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "not healthy"
    RESTARTING = "restarting"
    GIVEN_UP = "given up"
    DONE = "done"
    STOPPING = "stopping"
    STOPPED = "stopped"


class Reporter(Protocol):
    """Who tells a person what happens."""

    def state(self, name: str, state: State, detail: str = "") -> None: ...
    def say(self, text: str) -> None: ...


class RestartPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The wait before the n-th restart within the window is first * 2^(n-1), at most ``cap_s``;
    more than ``most`` deaths within ``window_s`` and the child is left alone."""

    first_s: float = 0.5
    cap_s: float = 30.0
    most: int = 6
    window_s: float = 180.0
    health_s: float = 2.0
    """Seconds between two health checks of a child that was healthy."""
    start_beat_s: float = 0.1
    """Seconds between two health checks of a child that starts."""

    def wait_s(self, deaths: int) -> float:
        return float(min(self.cap_s, self.first_s * 2 ** max(0, deaths - 1)))


class Reaper:
    """The parent's end of :mod:`kestrel.reaper`: tells it which children there are.

    ``name`` is that of the command: each command of a home has a reaper of its own.
    """

    def __init__(self, home: Path, name: str = UP) -> None:
        self._home = home
        self._name = name
        self._process: subprocess.Popen[str] | None = None
        self._children: set[tuple[int, int]] = set()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start it in its own session and wait until it holds its lock and ignores signals."""
        process = subprocess.Popen(
            [sys.executable, "-m", "kestrel.reaper", str(self._home), self._name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment.for_child(self._home),
            start_new_session=True,
            text=True,
        )
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise StartError("the cleaning process did not start: run `kestrel doctor`")
        process.stdout.close()
        self._close()
        self._process = process
        for pid, start in self._children:
            self._tell(f"add {pid} {start}")

    def add(self, pid: int, start: int) -> None:
        self._children.add((pid, start))
        self._tell(f"add {pid} {start}")

    def remove(self, pid: int, start: int) -> None:
        self._children.discard((pid, start))
        self._tell(f"del {pid} {start}")

    def check(self) -> bool:
        """Start it again when somebody killed it; True when it had to be."""
        if self._process is None or self._process.poll() is None:
            return False
        self.start()
        return True

    def bye(self) -> None:
        """All children are gone: let it go too."""
        if self._process is None:
            return
        self._tell("bye")
        self._close()
        try:
            self._process.wait(_REAPER_START_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _close(self) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _tell(self, line: str) -> None:
        if self._process is None:
            return
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # it was killed; check() starts another, which is told everything again


class Supervisor:
    """All children of one ``kestrel up``, in the order of their start."""

    def __init__(
        self,
        home: Path,
        reaper: Reaper,
        reporter: Reporter,
        policy: RestartPolicy | None = None,
        name: str = UP,
    ) -> None:
        self._name = name
        self._news = asyncio.Event()
        self.policy = policy or RestartPolicy()
        self.children: dict[str, Child] = {}
        self.states: dict[str, State] = {}
        self.restarts: dict[str, int] = {}
        self._home = home
        self._reaper = reaper
        self._reporter = reporter
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._told: set[str] = set()
        """Children of which it was said that they are not healthy: that they are again is said too."""

    async def start(self, spec: ChildSpec) -> Child:
        """Start a child, wait until it is healthy, and keep it running from then on.

        Raises :class:`StartError` when it ends by itself or is not healthy in time.
        """
        child = await self._spawn(spec)
        while True:
            problem = await self._until_healthy(child)
            if problem is None:
                break
            if child.running:
                raise StartError(
                    f"{spec.name} is not healthy after {spec.start_timeout_s:.0f} s ({problem}): see {child.output}"
                )
            code = await child.wait()
            self._forget(child)
            if code >= 0:
                raise StartError(_why(child, code))
            self._reporter.say(f"{spec.name} was ended by signal {-code} while it started: starting it again")
            await asyncio.sleep(self.policy.first_s)
            child = await self._spawn(spec)
        self._look_after(spec, child)
        return child

    async def keep(self, spec: ChildSpec) -> None:
        """Start a child that nothing else waits for: however its start goes, it is watched and brought back.

        :meth:`until` tells how it went.
        """
        self._look_after(spec, await self._spawn(spec))

    async def until(self, name: str, *states: State) -> State:
        """Wait until a child is in one of these states; which one."""
        while self.states[name] not in states:
            await self._news.wait()
        return self.states[name]

    async def run(self, spec: ChildSpec) -> None:
        """Start a child that ends by itself and wait for that; :class:`StartError` unless it ends well."""
        child = await self._spawn(spec)
        try:
            async with asyncio.timeout(spec.start_timeout_s):
                code = await child.wait()
        except TimeoutError:
            raise StartError(f"{spec.name} is not done after {spec.start_timeout_s:.0f} s") from None
        finally:
            self._forget(child)
            self.children.pop(spec.name, None)
        if code:
            raise StartError(_why(child, code))
        self._set(spec.name, State.DONE)

    def _look_after(self, spec: ChildSpec, child: Child) -> None:
        task = asyncio.create_task(self._keep(spec, child), name=f"keep {spec.name}")
        task.add_done_callback(self._keeper_ended)
        self._tasks[spec.name] = task

    def _keeper_ended(self, task: asyncio.Task[None]) -> None:
        """A keeper that fails would leave its child unwatched in silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a keeper ended", exc_info=error)
            self._reporter.say(
                f"{task.get_name()}: unexpected {type(error).__name__}, nobody restarts it now"
            )

    async def stop(self, names: list[str]) -> None:
        """Stop these children one after the other, in this order."""
        keepers = [self._tasks.pop(name) for name in names if name in self._tasks]
        for task in keepers:
            task.cancel()  # all of them first: who dies now is not to be started again
        await asyncio.gather(*keepers, return_exceptions=True)
        for name in names:
            child = self.children.pop(name, None)
            if child is None:
                continue
            self._set(name, State.STOPPING)
            if not await child.stop():
                self._reporter.say(
                    f"{name} did not stop within {child.spec.stop_grace_s:.0f} s and was killed"
                )
            self._forget(child)
            self._set(name, State.STOPPED)

    def kill(self) -> None:
        """SIGKILL everything at once, without waiting."""
        for child in self.children.values():
            child.kill_now()

    def trim(self) -> None:
        """Bound the children's output files; call it on a slow beat."""
        for child in self.children.values():
            child.trim()

    async def _spawn(self, spec: ChildSpec) -> Child:
        self._set(spec.name, State.STARTING)
        child = Child(spec, self._home / "logs", self._home)
        self.children[spec.name] = child
        await child.spawn(self._register)
        return child

    def _register(self, pid: int, start: int) -> None:
        self._reaper.add(pid, start)
        self._write_children()

    def _forget(self, child: Child) -> None:
        child.kill_now()
        self._reaper.remove(child.pid, child.start)
        self._write_children()

    def _write_children(self) -> None:
        entries = [(c.spec.name, c.pid, c.start) for c in self.children.values() if c.start]
        write_children(self._home, entries, self._name)

    async def _until_healthy(self, child: Child) -> str | None:
        """None as soon as it is healthy, else what was missing when it ended or time was up."""
        problem: str | None = "did not answer"
        deadline = clock.monotonic_ns() + int(child.spec.start_timeout_s * clock.SECOND)
        while child.running and clock.monotonic_ns() < deadline:
            told, problem = problem, await child.spec.health()
            if problem is None:
                self._set(child.spec.name, State.HEALTHY)
                return None
            if problem != told:
                self._set(child.spec.name, State.STARTING, problem)
            await asyncio.sleep(self.policy.start_beat_s)
        return problem

    async def _keep(self, spec: ChildSpec, child: Child) -> None:
        """Watch one child for ever; it returns only when the child is given up."""
        deaths: deque[int] = deque(maxlen=self.policy.most + 1)
        while True:
            why = await self._watch(child)
            self._forget(child)
            now = clock.monotonic_ns()
            deaths.append(now)
            recent = sum(1 for at in deaths if now - at <= self.policy.window_s * clock.SECOND)
            if recent > self.policy.most:
                self._set(spec.name, State.GIVEN_UP, why)
                self._reporter.say(
                    f"{why}: {recent} times within {self.policy.window_s:.0f} s, so it is not started again;"
                    f" the rest keeps running (see {child.output}, then start `kestrel up` again)"
                )
                return
            wait = self.policy.wait_s(recent)
            self._set(spec.name, State.RESTARTING, f"in {wait:g} s")
            self._reporter.say(f"{why}: starting it again in {wait:g} s")
            await asyncio.sleep(wait)
            self.restarts[spec.name] = self.restarts.get(spec.name, 0) + 1
            child = await self._spawn(spec)

    async def _watch(self, child: Child) -> str:
        """Follow a child's health until it ends; why it ended."""
        name, hung_after = child.spec.name, int(child.spec.hung_after_s * clock.SECOND)
        ended = asyncio.ensure_future(child.wait())
        well_ns = child.spawned_ns
        try:
            while not ended.done():
                healthy = self.states.get(name) is State.HEALTHY
                problem = await child.spec.health()
                if problem is None:
                    well_ns = clock.monotonic_ns()
                if problem is None and not healthy:
                    self._set(name, State.HEALTHY)
                    if name in self.restarts or name in self._told:
                        self._reporter.say(f"{name} is healthy")
                elif problem is not None and healthy and child.running:
                    self._told.add(name)
                    self._set(name, State.UNHEALTHY, problem)
                    self._reporter.say(f"{name} is not healthy: {problem}")
                if 0 < hung_after < clock.monotonic_ns() - well_ns:
                    await child.kill()
                    return f"{name} was not healthy for {child.spec.hung_after_s:.0f} s ({problem}) and was killed"
                beat = self.policy.health_s if problem is None else self.policy.start_beat_s * 5
                await asyncio.wait({ended}, timeout=beat)
            return _why(child, await ended)
        finally:
            ended.cancel()

    def _set(self, name: str, state: State, detail: str = "") -> None:
        self.states[name] = state
        self._reporter.state(name, state, detail)
        news, self._news = self._news, asyncio.Event()
        news.set()


def _why(child: Child, code: int) -> str:
    how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    words = child.last_words()
    if code < 0 or not words:
        return f"{child.spec.name} {how}"
    return f"{child.spec.name} {how}: {words.removeprefix('kestrel: ')}"


def children_file(home: Path, name: str = UP) -> Path:
    return home / "run" / ("children.json" if name == UP else f"children-{name}.json")


def write_children(home: Path, children: list[tuple[str, int, int]], name: str = UP) -> None:
    """Remember the children on disk: the next start looks for what a crash left behind."""
    content = {
        "boot": procfs.boot_id(),
        "children": [{"name": child, "pid": pid, "start": start} for child, pid, start in children],
    }
    files.write_atomic(children_file(home, name), json.dumps(content).encode())


def leftovers(home: Path, name: str = UP) -> list[tuple[str, int, int]]:
    """Children of an earlier run that still live: (name, pid, start time)."""
    try:
        content = json.loads(children_file(home, name).read_text())
        if content["boot"] != procfs.boot_id():
            return []
        found = [(str(c["name"]), int(c["pid"]), int(c["start"])) for c in content["children"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [one for one in found if procfs.alive(one[1], one[2])]
