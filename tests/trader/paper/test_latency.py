"""Delays: what is drawn, that it repeats, and what is refused."""

from __future__ import annotations

import statistics

import pytest

from shared.errors import UsageError
from trader.paper.latency import Delay, Latency, Ways, parse

MS = 1_000_000


def test_median_and_tail_are_what_was_asked_for() -> None:
    latency = Latency(parse("5~20/3~15"))
    draws = [latency.draw(1) for _ in range(20_000)]
    there, back = sorted(d[0] for d in draws), sorted(d[1] for d in draws)
    assert statistics.median(there) == pytest.approx(5 * MS, rel=0.05)
    assert there[int(0.99 * len(there))] == pytest.approx(20 * MS, rel=0.1)
    assert statistics.median(back) == pytest.approx(3 * MS, rel=0.05)
    assert min(there) > 0


def test_the_nth_request_of_an_account_has_the_same_fate_in_every_run() -> None:
    ways = Ways(request=Delay(median_ms=5, p99_ms=20, floor_ms=2), answer=Delay(median_ms=4), seed=7)
    first, second = Latency(ways), Latency(ways)
    mine = [first.draw(1) for _ in range(50)]
    for _ in range(30):
        second.draw(2)  # somebody else's requests change nothing
    assert [second.draw(1) for _ in range(50)] == mine
    assert {back for _, back in mine} == {4 * MS}
    assert all(there >= 2 * MS for there, _ in mine)
    assert [Latency(Ways(request=ways.request, seed=8)).draw(1)[0]] != [mine[0][0]]


def test_an_account_may_have_its_own() -> None:
    latency = Latency()
    before = latency.off
    latency.set(parse("7"), 3)
    assert (before, latency.off) == (True, False)
    assert (latency.draw(3), latency.draw(4)) == ((7 * MS, 7 * MS), (0, 0))
    latency.set(Ways())
    assert latency.draw(3) == (0, 0)


@pytest.mark.parametrize("text", ["x", "-1", "20~5", "nan", "1/2~1", "1e9", ""])
def test_what_is_no_latency_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="latency"):
        parse(text)
