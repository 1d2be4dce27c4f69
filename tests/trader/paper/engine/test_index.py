from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.paper.engine.index import PriceIndex

D = Decimal
ITEMS = st.lists(
    st.tuples(st.decimals(1, 100, places=1), st.integers(1, 1000)), unique_by=lambda item: item[1]
)


@given(ITEMS, st.decimals(1, 100, places=1), st.booleans())
def test_due_is_what_a_plain_search_finds_nearest_first(
    items: list[tuple[Decimal, int]], market: Decimal, rising: bool
) -> None:
    index = PriceIndex(rising=rising)
    for price, number in items:
        index.add(price, number)
    reached = [(p, n) for p, n in items if (p <= market if rising else p >= market)]
    reached.sort(key=lambda item: (item[0] if rising else -item[0], item[1]))
    assert index.due(market) == [number for _, number in reached]


@given(ITEMS)
def test_what_is_removed_is_gone(items: list[tuple[Decimal, int]]) -> None:
    index = PriceIndex(rising=True)
    for price, number in items:
        index.add(price, number)
    for price, number in items:
        index.remove(price, number)
    assert len(index) == 0


def test_removing_what_is_not_there_is_an_error() -> None:
    index = PriceIndex(rising=False)
    index.add(D(5), 1)
    with pytest.raises(KeyError):
        index.remove(D(5), 2)
