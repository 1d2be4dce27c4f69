from hypothesis import given
from hypothesis import strategies as st

from dashboards.web.timeline import STAGES, Timeline, timeline
from tests.dashboards.rows import order

BASE = 1_795_132_800_000_000_000


def line(**stamps: int) -> Timeline:
    return timeline(order(**{f"{name}_ns": at_ns for name, at_ns in stamps.items()}))


def test_each_stage_lasts_since_the_one_before() -> None:
    found = line(
        seen=BASE, decoded=BASE + 41, decided=BASE + 78, written=BASE + 139, acknowledged=BASE + 6000
    )
    assert [(stage.name, stage.took_ns) for stage in found.stages] == [
        ("seen", 0),
        ("decoded", 41),
        ("decided", 37),
        ("written", 61),
        ("acknowledged", 5861),
    ]
    assert (found.here_ns, found.venue_ns) == (139, 5861)
    assert [stage.name for stage in found.here] == ["decoded", "decided", "written"]
    assert [stage.name for stage in found.venue] == ["acknowledged"]


def test_a_fill_that_overtakes_the_answer_comes_first() -> None:
    found = line(seen=BASE, written=BASE + 100, filled=BASE + 900, acknowledged=BASE + 1000)
    assert [stage.name for stage in found.venue] == ["filled", "acknowledged"]
    assert found.venue_ns == 900


def test_an_order_that_never_left_has_no_time_at_the_exchange() -> None:
    found = line(seen=BASE, decoded=BASE + 5)
    assert (found.here_ns, found.venue_ns) == (None, None)


def test_an_order_without_stamps_has_no_stages() -> None:
    assert line().stages == ()


@given(st.lists(st.integers(min_value=0, max_value=10**10), min_size=8, max_size=8))
def test_stages_are_in_the_order_of_time_and_add_up(offsets: list[int]) -> None:
    stamps = {name: BASE + offset if offset else 0 for (name, _), offset in zip(STAGES, offsets, strict=True)}
    stages = line(**stamps).stages
    assert all(stage.took_ns >= 0 for stage in stages)
    if stages:
        assert sum(stage.took_ns for stage in stages) == stages[-1].at_ns - stages[0].at_ns
    assert len(stages) == sum(1 for offset in offsets if offset)
