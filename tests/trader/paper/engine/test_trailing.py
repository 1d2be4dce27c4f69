"""Trails: what each follows and when it fires, against a list of plans that all look at every price."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader.paper.engine.trailing import Trails

D = Decimal


def test_a_trail_follows_the_highest_price_and_fires_when_it_falls() -> None:
    trails = Trails(rising=False)
    trails.add(1, D(100), D(1))
    assert trails.due(D("99.01")) == []
    assert trails.due(D(99)) == [1]
    trails.move(D(200))
    trails.move(D(150))
    assert trails.extreme(1) == D(200)
    assert trails.due(D("198.01")) == []
    assert trails.due(D(198)) == [1]


def test_a_rising_trail_follows_the_lowest_price_and_fires_when_it_rises() -> None:
    trails = Trails(rising=True)
    trails.add(1, D(100), D("0.5"))
    trails.move(D(80))
    trails.move(D(90))
    assert trails.due(D("80.39")) == []
    assert trails.due(D("80.4")) == [1]
    assert trails.remove(1) == D(80)
    assert len(trails) == 0
    with pytest.raises(KeyError):
        trails.remove(1)


def test_trails_of_different_starts_move_as_one_once_a_price_passes_both() -> None:
    trails = Trails(rising=False)
    trails.add(1, D(110), D(10))  # fires at 99
    trails.move(D(102))
    trails.add(2, D(102), D(2))  # fires at 99.96
    assert (trails.due(D("99.96")), trails.due(D(99))) == ([2], [2, 1])
    trails.move(D(105))
    assert (trails.extreme(1), trails.extreme(2)) == (D(110), D(105))
    trails.move(D(120))
    assert (trails.extreme(1), trails.extreme(2)) == (D(120), D(120))
    assert (trails.due(D("117.6")), trails.due(D(108))) == ([2], [2, 1])


def test_an_extreme_is_due_to_be_stored_every_twentieth_of_the_callback_distance() -> None:
    trails = Trails(rising=False)
    trails.add(1, D(10_000), D(1))  # a distance of 100: steps of 5
    assert trails.move(D("10004.9")) is None
    group = trails.move(D(10_005))
    assert group is not None
    assert group.ids == [1]
    group.kept = group.extreme
    assert trails.unstored() == []
    assert trails.move(D(10_006)) is None
    assert [(g.kept, g.extreme) for g in trails.unstored()] == [(D(10_005), D(10_006))]


PRICES = st.integers(50, 150).map(D)
RATIOS = st.sampled_from([D("0.5"), D(1), D(3), D(10)])
STEPS = st.lists(
    st.one_of(st.tuples(st.just("move"), PRICES), st.tuples(st.just("add"), RATIOS)), max_size=60
)


@given(STEPS, st.booleans())
@settings(max_examples=200, deadline=None)
def test_groups_do_what_every_plan_would_do_alone(steps: list[tuple[str, Decimal]], rising: bool) -> None:
    trails, alone, price, last = Trails(rising=rising), dict[int, list[Decimal]](), D(100), 0
    for what, value in steps:
        if what == "add":
            last += 1
            trails.add(last, price, value)
            alone[last] = [price, value]
            continue
        price = value
        trails.move(price)
        fired = set()
        for number, one in alone.items():
            one[0] = min(one[0], price) if rising else max(one[0], price)
            assert trails.extreme(number) == one[0]
            away = one[0] * one[1] / 100
            if price >= one[0] + away if rising else price <= one[0] - away:
                fired.add(number)
        due = trails.due(price)
        assert (set(due), len(due)) == (fired, len(fired))
        for number in due:
            assert trails.remove(number) == alone.pop(number)[0]
    assert len(trails) == len(alone)
