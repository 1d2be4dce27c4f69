"""Tape time: speed, leaps, sleepers."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.errors import UsageError
from trader.paper.tapeclock import MAX_ADVANCE_MS, TapeClock

START = 1_700_000_000 * clock.SECOND


class Wall:
    """A hand-moved monotonic clock."""

    def __init__(self) -> None:
        self.ns = 5_000

    def __call__(self) -> int:
        return self.ns


def test_speed_scales_wall_time_exactly() -> None:
    wall = Wall()
    with clock.use(monotonic=wall):
        tape = TapeClock(20, start_ns=START)
        wall.ns += 3 * clock.SECOND
        assert tape.now_ns() == START + 60 * clock.SECOND
        tape.set_speed(0.5)
        wall.ns += 4 * clock.SECOND
        assert tape.now_ns() == START + 62 * clock.SECOND
        tape.set_speed(0)
        wall.ns += clock.SECOND
        assert tape.now_ns() == START + 62 * clock.SECOND
        assert tape.advance(1500) == START + 63_500 * clock.MILLISECOND


@given(st.lists(st.tuples(st.sampled_from(["wait", "speed", "advance"]), st.integers(0, 10**9)), max_size=60))
def test_it_never_goes_back(steps: list[tuple[str, int]]) -> None:
    wall = Wall()
    with clock.use(monotonic=wall):
        tape = TapeClock(1.0, start_ns=START)
        before = tape.now_ns()
        for kind, amount in steps:
            if kind == "wait":
                wall.ns += amount
            elif kind == "speed":
                tape.set_speed(amount / 10**6)
            else:
                tape.advance(amount)
            now = tape.now_ns()
            assert now >= before
            before = now


def test_it_starts_at_wall_time() -> None:
    before = clock.now_ns()
    assert before <= TapeClock().now_ns() <= clock.now_ns() + clock.SECOND


@pytest.mark.parametrize("speed", [-1.0, float("nan"), float("inf"), 1e7])
def test_an_impossible_speed_is_refused(speed: float) -> None:
    with pytest.raises(UsageError, match="speed"):
        TapeClock(speed)


@pytest.mark.parametrize("ms", [-1, MAX_ADVANCE_MS + 1])
def test_an_impossible_leap_is_refused(ms: int) -> None:
    with pytest.raises(UsageError, match="advance_ms"):
        TapeClock().advance(ms)


async def test_a_sleeper_wakes_when_the_clock_is_moved_on() -> None:
    tape = TapeClock(0.0)
    sleeper = asyncio.create_task(tape.sleep(3600))
    await asyncio.sleep(0)
    tape.advance(3_599_000)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not sleeper.done()
    tape.advance(1000)
    await asyncio.wait_for(sleeper, 2)


async def test_a_sleeper_follows_a_change_of_speed() -> None:
    tape = TapeClock(1.0)
    sleeper = asyncio.create_task(tape.sleep(100))
    await asyncio.sleep(0)
    tape.set_speed(1_000_000)
    await asyncio.wait_for(sleeper, 2)


async def test_many_sleepers_leave_nothing_behind() -> None:
    tape = TapeClock(1000.0)
    sleepers = [asyncio.create_task(tape.sleep(1)) for _ in range(50)]
    abandoned = asyncio.create_task(tape.sleep(1e6))
    await asyncio.gather(*sleepers)
    abandoned.cancel()
    await asyncio.gather(abandoned, return_exceptions=True)
    assert not tape._sleepers
