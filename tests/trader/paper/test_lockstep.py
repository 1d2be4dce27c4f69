"""Lock-step: nobody's speed decides, time waits for everybody."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from shared.errors import UsageError
from tests.trader.paper.bench import START_NS
from trader.paper import lockstep as module
from trader.paper.gate import Gate
from trader.paper.latency import Delay, Latency, Ways
from trader.paper.lockstep import LockStep
from trader.paper.market import MarketHub
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import open_tape

MS = 1_000_000


class World:
    def __init__(self) -> None:
        self.clock = TapeClock(0, start_ns=START_NS)
        self.tape = open_tape("manual", MarketHub(self.clock), self.clock)
        self.tape.prepare()
        self.steps = LockStep(self.clock, self.tape)
        self.latency = Latency()
        self.gate = Gate(self.clock, self.latency, self.steps)
        self.done: list[tuple[int, int, str]] = []
        self.ended: set[int] = set()

    async def ask(self, account: int, what: str) -> None:
        await self.gate.carry_out(account, lambda: self.done.append((self.ms, account, what)))

    @property
    def ms(self) -> int:
        return (self.clock.now_ns() - START_NS) // MS


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    running = asyncio.create_task(made.tape.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def story(world: World, account: int, rounds: int, noise: random.Random) -> None:
    """Acknowledge, then ask twice in every step, never equally fast."""
    for number in range(rounds):
        await world.steps.acknowledge(account)
        for part in "ab":
            for _ in range(noise.randrange(6)):
                await asyncio.sleep(0)
            await world.ask(account, f"{number}{part}")
    world.ended.add(account)
    while world.steps.on:  # who has nothing more to do still says so
        await world.steps.acknowledge(account)


async def play(world: World, seed: int, rounds: int = 4) -> list[tuple[int, int, str]]:
    noise = random.Random(seed)
    world.steps.start(range(1, 11))
    tasks = [asyncio.create_task(story(world, account, rounds, noise)) for account in range(1, 11)]
    noise.shuffle(tasks)
    while len(world.ended) < 10:
        await world.steps.step(100)
    world.steps.stop()
    await asyncio.gather(*tasks)
    return world.done


@pytest.mark.parametrize("delayed", [False, True])
async def test_who_is_quicker_does_not_matter(delayed: bool) -> None:
    runs: list[list[tuple[int, int, str]]] = []
    for seed in (1, 2, 3):
        world = World()
        if delayed:
            delay = Delay(median_ms=5, p99_ms=60)
            world.latency.set(Ways(request=delay, answer=delay))
        running = asyncio.create_task(world.tape.run())
        runs.append(await play(world, seed))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert runs[0] == runs[1] == runs[2]
    assert len(runs[0]) == 80
    if delayed:
        assert len({ms for ms, _, _ in runs[0]}) > 20  # each at its own moment between the steps
    else:
        assert runs[0][:3] == [(100, 1, "0a"), (100, 1, "0b"), (100, 2, "0a")]


async def test_a_step_waits_for_the_slowest(world: World) -> None:
    world.steps.start([1, 2])
    one = asyncio.create_task(world.steps.acknowledge(1))
    stepping = asyncio.create_task(world.steps.step(50))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.ms == 0
    two = asyncio.create_task(world.steps.acknowledge(2))
    assert await one == await two == START_NS + 50 * MS
    assert not stepping.done()  # both are running again
    again = [asyncio.create_task(world.steps.acknowledge(account)) for account in (1, 2)]
    assert await stepping == START_NS + 50 * MS
    world.steps.stop()
    assert [await task for task in again] == [START_NS + 50 * MS] * 2


async def test_who_has_no_seat_is_not_held(world: World) -> None:
    world.steps.start([1])
    await world.ask(2, "free")
    assert world.done == [(0, 2, "free")]


async def test_misuse_is_one_clear_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="account 9 has no seat"):
        await world.steps.acknowledge(9)
    world.clock.set_speed(1)
    with pytest.raises(UsageError, match="speed to 0"):
        world.steps.start([1])
    world.clock.set_speed(0)
    world.steps.start([1, 2])
    waiting = asyncio.create_task(world.steps.acknowledge(1))
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="acknowledged already"):
        await world.steps.acknowledge(1)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    with pytest.raises(UsageError, match="account 2 to ask or acknowledge"):
        await world.steps.step(10)
    world.steps.stop()
    await waiting
