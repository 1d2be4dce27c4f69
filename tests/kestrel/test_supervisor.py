"""Children are started in order, brought back, stopped in order, and never outlive their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

from kestrel import environment, preflight, services
from kestrel.child import ChildSpec
from kestrel.supervisor import Reaper, RestartPolicy, State, Supervisor, children_file, leftovers
from shared import clock, procfs
from shared.errors import StartError
from tests.kestrel.support import PROGRAMS, Program, eventually, journal, parent

QUICK = RestartPolicy(first_s=0.2, cap_s=0.4, most=3, window_s=30, health_s=0.1, start_beat_s=0.02)


class Recorder:
    """What a person would have read."""

    def __init__(self) -> None:
        self.states: list[tuple[str, State]] = []
        self.lines: list[str] = []
        self.changed = asyncio.Event()

    def state(self, name: str, state: State, detail: str = "") -> None:
        self.states.append((name, state))
        self.changed.set()

    def say(self, text: str) -> None:
        self.lines.append(text)
        self.changed.set()

    async def until(self, name: str, state: State, count: int = 1) -> None:
        async with asyncio.timeout(20):
            while self.states.count((name, state)) < count:
                self.changed.clear()
                await self.changed.wait()


class Stage:
    def __init__(self, home: Path, client: httpx.AsyncClient, policy: RestartPolicy) -> None:
        self.home = home
        self.client = client
        self.recorder = Recorder()
        self.reaper = Reaper(home)
        self.reaper.start()
        self.supervisor = Supervisor(home, self.reaper, self.recorder, policy)

    def spec(self, name: str, *extra: str, grace_s: float = 5.0) -> ChildSpec:
        port = preflight.free_port()
        return ChildSpec(
            name=name,
            argv=(
                *(sys.executable, str(PROGRAMS / "child.py"), "--port", str(port), "--name", name),
                *("--journal", str(self.home / "journal.txt"), *extra),
            ),
            environment=environment.for_child(self.home),
            health=services.http_health(self.client, f"http://127.0.0.1:{port}/"),
            start_timeout_s=20,
            stop_grace_s=grace_s,
        )


@asynccontextmanager
async def stage(home: Path, policy: RestartPolicy = QUICK) -> AsyncIterator[Stage]:
    async with httpx.AsyncClient(trust_env=False) as client:
        made = Stage(preflight.prepare_home(home), client, policy)
        try:
            yield made
        finally:
            await made.supervisor.stop(list(made.supervisor.children))
            made.reaper.bye()


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.close()


async def test_children_stop_in_the_given_order(home: Path) -> None:
    async with stage(home) as made:
        await made.supervisor.start(made.spec("first"))
        await made.supervisor.start(made.spec("second"))
        assert [name for name, _ in journal(made.home, "start")] == ["first", "second"]
        pids = [child.pid for child in made.supervisor.children.values()]
        await made.supervisor.stop(["second", "first"])
        assert [name for name, _ in journal(made.home, "term")] == ["second", "first"]
        assert not any(procfs.start_time(pid) for pid in pids)


async def test_a_dead_child_is_started_again_after_a_growing_wait(home: Path) -> None:
    async with stage(home) as made:
        child = await made.supervisor.start(made.spec("one"))
        for round_ in (1, 2):
            died_ns = clock.monotonic_ns()
            os.kill(child.pid, signal.SIGKILL)
            await made.recorder.until("one", State.HEALTHY, round_ + 1)
            waited_s = (clock.monotonic_ns() - died_ns) / clock.SECOND
            assert waited_s >= QUICK.wait_s(round_)
            fresh = made.supervisor.children["one"]
            assert fresh.pid != child.pid
            child = fresh
        assert made.supervisor.restarts == {"one": 2}
        assert any(
            "one was ended by signal 9: starting it again in 0.2 s" in line for line in made.recorder.lines
        )


async def test_a_child_that_keeps_dying_is_given_up_and_the_rest_stays(home: Path) -> None:
    async with stage(home) as made:
        other = await made.supervisor.start(made.spec("other"))
        await made.supervisor.start(made.spec("one"))
        for count in range(1, QUICK.most + 2):
            os.kill(made.supervisor.children["one"].pid, signal.SIGKILL)
            if count <= QUICK.most:
                await made.recorder.until("one", State.HEALTHY, count + 1)
        await made.recorder.until("one", State.GIVEN_UP)
        said = [line for line in made.recorder.lines if "not started again" in line]
        assert len(said) == 1
        assert "4 times within 30 s" in said[0]
        assert len(journal(made.home, "start")) == 2 + QUICK.most
        assert other.running


async def test_a_child_that_refuses_to_start_tells_its_reason(home: Path) -> None:
    async with stage(home) as made:
        with pytest.raises(StartError, match="one ended with exit code 3: the reason of the end"):
            await made.supervisor.start(made.spec("one", "--exit", "3"))


async def test_a_child_that_ignores_sigterm_is_killed_with_what_it_started(home: Path) -> None:
    async with stage(home) as made:
        await made.supervisor.start(made.spec("deaf", "--ignore-term", "--grandchild", grace_s=0.5))
        ((_, grandchild),) = journal(made.home, "grandchild")
        await made.supervisor.stop(["deaf"])
        assert procfs.start_time(grandchild) is None
        assert any("did not stop within" in line for line in made.recorder.lines)


async def test_a_killed_reaper_is_replaced_and_told_everything(home: Path) -> None:
    async with stage(home) as made:
        child = await made.supervisor.start(made.spec("one"))
        os.kill(made.reaper.pid, signal.SIGKILL)
        async with asyncio.timeout(10):
            while not made.reaper.check():
                await asyncio.sleep(0.01)
        # end of file without a goodbye: the new one must know the child
        process = made.reaper._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        await made.recorder.until("one", State.RESTARTING)
        assert not procfs.alive(child.pid, child.start)
        assert process.wait(10) == 0
        made.reaper.start()


async def test_the_output_of_a_child_is_bounded(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kestrel.child.OUTPUT_BYTES", 1000)
    async with stage(home) as made:
        child = await made.supervisor.start(made.spec("one"))
        with child.output.open("a") as file:
            file.write("x" * 5000)
        made.supervisor.trim()
        assert child.output.stat().st_size == 0
        assert child.output.with_suffix(".out.1").stat().st_size == 1000
        assert child.output.stat().st_mode & 0o777 == 0o600


def test_sigkill_of_the_parent_ends_children_and_grandchildren(home: Path, programs: list[Program]) -> None:
    ports = [preflight.free_port(), preflight.free_port()]
    first = parent(home, ports, "--grandchild", "--ignore-term")
    programs.append(first)
    first.until("up ")
    pids = [pid for kind in ("start", "grandchild") for _, pid in journal(home, kind)]
    assert len(pids) == 4
    first.signal(signal.SIGKILL)
    took = eventually(lambda: not any(map(procfs.start_time, pids)), 5.0, "children gone")
    assert took < 5.0
    second = parent(home, ports)
    programs.append(second)
    second.until("up ")
    second.signal(signal.SIGTERM)
    assert second.wait() == 0


def test_the_next_start_waits_for_the_cleaning(home: Path, programs: list[Program]) -> None:
    ports = [preflight.free_port()]
    first = parent(home, ports, "--ignore-term")
    programs.append(first)
    first.until("up ")
    first.signal(signal.SIGKILL)
    second = parent(home, ports)  # at once: the port is still in use by the dying child
    programs.append(second)
    second.until("up ")
    assert "left 0" in second.lines


def test_what_a_killed_reaper_left_is_ended_by_the_next_start(home: Path, programs: list[Program]) -> None:
    ports = [preflight.free_port()]
    first = parent(home, ports)
    programs.append(first)
    reaper = int(first.until("up ").split()[1])
    ((_, child),) = journal(home, "start")
    os.kill(reaper, signal.SIGKILL)
    first.signal(signal.SIGKILL)
    first.wait()
    assert procfs.start_time(child) is not None
    second = parent(home, ports)
    programs.append(second)
    second.until("left 1")
    second.until("up ")
    assert procfs.start_time(child) is None


def test_the_reaper_survives_signals_to_its_own_group(home: Path, programs: list[Program]) -> None:
    first = parent(home, [preflight.free_port()])
    programs.append(first)
    reaper = int(first.until("up ").split()[1])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.killpg(reaper, number)
    first.signal(signal.SIGKILL)
    ((_, child),) = journal(home, "start")
    eventually(lambda: procfs.start_time(child) is None, 5.0, "child gone")


def test_sigint_to_the_whole_foreground_group_reaches_no_child(home: Path, programs: list[Program]) -> None:
    first = parent(home, [preflight.free_port()])
    programs.append(first)
    first.until("up ")
    os.killpg(first.pid, signal.SIGINT)
    assert first.wait() == 0
    assert len(journal(home, "term")) == 1  # stopped once, by its parent, in order


def test_a_pid_that_was_given_out_again_is_left_alone(home: Path) -> None:
    preflight.prepare_home(home)
    stranger = Program([sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"])
    try:
        stranger.until("ready")
        # the same pid with another start time: a process that ended earlier
        children_file(home).write_text(
            f'{{"boot": "{procfs.boot_id()}", "children": [{{"name": "x", "pid": {stranger.pid}, "start": 1}}]}}'
        )
        assert leftovers(home) == []
        reaper = Reaper(home)
        reaper.start()
        reaper.add(stranger.pid, 1)
        process = reaper._process
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0
        assert procfs.alive(stranger.pid, stranger.start)
    finally:
        stranger.process.kill()
        stranger.wait()
        stranger.close()


def test_children_of_another_boot_are_not_looked_for(home: Path) -> None:
    preflight.prepare_home(home)
    me = os.getpid()
    start = procfs.start_time(me)
    content = '{"boot": "%s", "children": [{"name": "x", "pid": %d, "start": %d}]}'
    children_file(home).write_text(content % ("another", me, start))
    assert leftovers(home) == []
    children_file(home).write_text(content % (procfs.boot_id(), me, start))
    assert leftovers(home) == [("x", me, start)]


async def test_a_kept_child_that_does_not_start_is_tried_again_and_given_up_without_an_error(
    home: Path,
) -> None:
    async with stage(home) as made:
        await made.supervisor.keep(made.spec("one", "--exit", "3"))
        assert await made.supervisor.until("one", State.HEALTHY, State.GIVEN_UP) is State.GIVEN_UP
        assert len(journal(made.home, "start")) == QUICK.most + 1
        assert (
            made.recorder.lines[0]
            == "one ended with exit code 3: the reason of the end: starting it again in 0.2 s"
        )
        assert "the rest keeps running" in made.recorder.lines[-1]


async def test_a_kept_child_that_starts_is_healthy_and_brought_back(home: Path) -> None:
    async with stage(home) as made:
        await made.supervisor.keep(made.spec("one"))
        assert await made.supervisor.until("one", State.HEALTHY, State.GIVEN_UP) is State.HEALTHY
        assert made.recorder.lines == []
        os.kill(made.supervisor.children["one"].pid, signal.SIGKILL)
        await made.recorder.until("one", State.HEALTHY, 2)
        assert made.recorder.lines[-1] == "one is healthy"


async def test_a_kept_child_that_hangs_is_killed(home: Path) -> None:
    async with stage(home) as made:

        async def never() -> str:
            return "says nothing"

        spec = msgspec.structs.replace(made.spec("one"), health=never, hung_after_s=1.0)
        await made.supervisor.keep(spec)
        await made.supervisor.until("one", State.RESTARTING)
        assert made.recorder.lines == [
            "one was not healthy for 1 s (says nothing) and was killed: starting it again in 0.2 s"
        ]


async def test_a_child_that_ends_by_itself_is_waited_for(home: Path) -> None:
    async with stage(home) as made:
        await made.supervisor.run(made.spec("good", "--exit", "0"))
        assert made.supervisor.states["good"] is State.DONE
        with pytest.raises(StartError, match="bad ended with exit code 4: the reason of the end"):
            await made.supervisor.run(made.spec("bad", "--exit", "4"))
        slow = msgspec.structs.replace(made.spec("slow"), start_timeout_s=0.5)
        with pytest.raises(StartError, match="slow is not done after"):
            await made.supervisor.run(slow)
        running = asyncio.create_task(made.supervisor.run(made.spec("left")))
        await asyncio.to_thread(
            eventually, lambda: "left" in dict(journal(made.home, "start")), 10, "it runs"
        )
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        pids = [pid for _, pid in journal(made.home, "start")]
        await asyncio.to_thread(eventually, lambda: not any(map(procfs.start_time, pids)), 5, "all are gone")


async def test_a_child_may_give_way_to_others_and_have_a_folder_of_its_own(
    home: Path, tmp_path: Path
) -> None:
    async with stage(home) as made:
        spec = msgspec.structs.replace(made.spec("one"), nice=7, cwd=tmp_path)
        child = await made.supervisor.start(spec)
        assert os.getpriority(os.PRIO_PROCESS, child.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 7
        assert Path(f"/proc/{child.pid}/cwd").resolve() == tmp_path.resolve()


async def test_nothing_starts_when_the_parent_dies_before_the_registration(home: Path) -> None:
    """The gate: end of file instead of the word to go, and the program never runs."""
    target = preflight.prepare_home(home) / "touched"
    from kestrel.child import GATE

    process = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", GATE, "x", "/usr/bin/touch", str(target), stdin=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() != 0
    assert not target.exists()


def test_the_listener_of_a_port_is_named() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        found = procfs.listener(server.getsockname()[1])
        assert found is not None
        assert found.pid == os.getpid()
