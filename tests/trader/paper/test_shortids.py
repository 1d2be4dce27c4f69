"""Binance's ids are numbers that a double holds, in the engine's order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from trader.paper import shortids

ENGINE = st.builds(
    lambda ms, serial: (ms << shortids.SHIFT) | serial,
    st.integers(1, (1 << 39) - 1),
    st.integers(0, (1 << shortids.SERIAL_BITS) - 1),
)


@given(one=ENGINE, other=ENGINE)
def test_shown_ids_are_exact_in_a_double_and_keep_their_order(one: int, other: int) -> None:
    assert int(float(shortids.shown(one))) == shortids.shown(one)
    assert shortids.meant(shortids.shown(one)) == one
    assert (one < other) == (shortids.shown(one) < shortids.shown(other))


@given(number=st.integers(-(1 << 63), 1 << 63))
def test_whatever_a_client_names_stays_in_range(number: int) -> None:
    assert -(1 << 63) <= shortids.meant(number) < 1 << 63
    assert shortids.meant(0) == 0


@given(last=st.integers(1 << 59, 1 << 60))
def test_ids_grow_and_use_no_bit_that_is_not_shown(last: int) -> None:
    number = shortids.following(last)
    assert number > last
    assert shortids.meant(shortids.shown(number)) == number


def test_more_ids_in_a_millisecond_than_it_has_room_for() -> None:
    last, seen = clock.now_ns() // 1_000_000 << shortids.SHIFT, set()
    for _ in range(3 << shortids.SERIAL_BITS):
        last = shortids.following(last)
        seen.add(shortids.shown(last))
    assert len(seen) == 3 << shortids.SERIAL_BITS
