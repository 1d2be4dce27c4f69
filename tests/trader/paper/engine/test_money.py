from __future__ import annotations

from decimal import Decimal, Inexact

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.paper.engine import money

D = Decimal
AMOUNTS = st.decimals(min_value="0.00000001", max_value="1e9", places=8)


@pytest.mark.parametrize(
    ("value", "shown"),
    [("0", "0"), ("-0.00", "0"), ("1E+3", "1000"), ("1E-8", "0.00000001"), ("-1.50", "-1.5"), ("100", "100")],
)
def test_text_is_plain(value: str, shown: str) -> None:
    assert money.text(D(value)) == shown


def test_a_product_that_would_lose_digits_is_an_error() -> None:
    wide = D("1." + "1" * 60)
    with pytest.raises(Inexact):
        money.times(wide, wide)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_parts_add_up_to_the_whole(whole: Decimal, first: Decimal, second: Decimal) -> None:
    part = money.share(whole, first, money.plus(first, second))
    rest = money.minus(whole, part)
    assert money.plus(part, rest) == whole
    assert 0 <= part <= whole
    assert money.share(rest, second, second) == rest


@given(AMOUNTS, st.sampled_from([D("0.001"), D("0.5"), D(10), D("0.0005")]))
def test_to_step_rounds_down(value: Decimal, step: Decimal) -> None:
    cut = money.to_step(value, step)
    assert cut <= value < cut + step
    assert money.is_multiple(cut, step)


@pytest.mark.parametrize(("value", "digits"), [("0.0010", 3), ("10", 0), ("1E+2", 0), ("1.50", 1)])
def test_decimals_ignore_trailing_zeros(value: str, digits: int) -> None:
    assert money.decimals(D(value)) == digits
