"""Decimals are read strictly, written plainly, and rounded to steps without a lost digit."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.order import Side
from shared.errors import ProtocolError
from trader.venues import numbers

STEPS = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 999), st.integers(0, 12)
)
VALUES = st.builds(
    lambda digits, places: Decimal(digits).scaleb(-places), st.integers(0, 10**25), st.integers(0, 18)
)
SIGNED = st.builds(lambda value, sign: value * sign, VALUES, st.sampled_from([1, -1]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"),
        ("-0.10", "-0.10"),
        ("27000.5", "27000.5"),
        ("0E-8", "0"),
        ("1e5", "100000"),
        ("1.5E-7", "0.00000015"),
    ],
)
def test_numbers(text: str, value: str) -> None:
    assert numbers.number(text, "x") == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1_0",
        "NaN",
        "Infinity",
        "-inf",
        "+1",
        ".5",
        "5.",
        "1,5",
        "0x1",
        "１",
        "1e999",
        "9" * 31,
        "null",
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="x is not a number"):
        numbers.number(text, "x")


@pytest.mark.parametrize("text", ["1e99", "1e-99", "0E-31"])
def test_what_is_absurd_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="x is not a number of this world"):
        numbers.number(text, "x")


@given(st.text())
def test_any_text_is_a_number_or_refused(text: str) -> None:
    for read in (numbers.number, numbers.positive, numbers.unsigned, numbers.whole, numbers.stamp_ns):
        with suppress(ProtocolError):
            read(text, "x")


@given(SIGNED)
def test_what_is_written_is_read_as_the_same(value: Decimal) -> None:
    text = numbers.plain(value)
    assert numbers.number(text, "x") == value
    assert "E" not in text.upper()
    assert text == "0" or not ("." in text and text[-1] == "0")
    assert not text.endswith(".")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1E+3", "1000"),
        ("0.00", "0"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.2300", "1.23"),
        ("100", "100"),
        ("1E-8", "0.00000001"),
    ],
)
def test_plain_texts(value: str, text: str) -> None:
    assert numbers.plain(Decimal(value)) == text


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_what_is_no_number_is_not_written(value: str) -> None:
    with pytest.raises(ValueError, match="not a number that can be sent"):
        numbers.plain(Decimal(value))


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return (Fraction(value) / Fraction(step)).denominator == 1


@given(SIGNED, STEPS)
def test_steps(value: Decimal, step: Decimal) -> None:
    down, up, near = numbers.floor_to(value, step), numbers.ceil_to(value, step), numbers.nearest(value, step)
    for rounded in (down, up, near):
        assert is_multiple(rounded, step)
        assert numbers.is_multiple(rounded, step)
    exact = Fraction(value)
    assert exact - Fraction(step) < Fraction(down) <= exact <= Fraction(up) < exact + Fraction(step)
    assert abs(Fraction(near) - exact) == min(exact - Fraction(down), Fraction(up) - exact)
    assert numbers.floor_to(down, step) == down
    assert numbers.is_multiple(value, step) is (down == value)


@pytest.mark.parametrize(
    ("value", "near"), [("0.25", "0.2"), ("0.35", "0.4"), ("-0.25", "-0.2"), ("0.21", "0.2"), ("0.29", "0.3")]
)
def test_a_tie_goes_to_the_even_step(value: str, near: str) -> None:
    assert numbers.nearest(Decimal(value), Decimal("0.1")) == Decimal(near)


@pytest.mark.parametrize("step", ["0", "-1", "NaN"])
def test_a_step_is_above_zero(step: str) -> None:
    with pytest.raises(ValueError, match="a step is above zero"):
        numbers.floor_to(Decimal(1), Decimal(step))


def test_a_passive_price_never_pays_more_than_asked() -> None:
    tick = Decimal("0.05")
    assert numbers.passive_price(Decimal("100.07"), tick, Side.BUY) == Decimal("100.05")
    assert numbers.passive_price(Decimal("100.07"), tick, Side.SELL) == Decimal("100.10")


@given(st.lists(SIGNED))
def test_sums_and_signs_are_exact(values: list[Decimal]) -> None:
    assert Fraction(numbers.total(values)) == sum(map(Fraction, values))
    for value in values:
        assert Fraction(numbers.negative(value)) == -Fraction(value)


def test_not_set() -> None:
    assert numbers.optional("", "x") is None
    assert numbers.optional("0", "x") == 0
    assert numbers.optional_price("", "x") is None
    assert numbers.optional_price("0", "x") is None
    assert numbers.optional_price("-1", "x") is None
    assert numbers.optional_price("0.1", "x") == Decimal("0.1")
    assert numbers.stamp_ns("", "x") == 0


def test_signs_and_wholes_are_checked() -> None:
    with pytest.raises(ProtocolError, match="not above zero"):
        numbers.positive("0", "x")
    with pytest.raises(ProtocolError, match="below zero"):
        numbers.unsigned("-0.1", "x")
    with pytest.raises(ProtocolError, match="not a whole number"):
        numbers.whole("1.5", "x")
    assert numbers.whole("20.0", "x") == 20


def test_times() -> None:
    assert numbers.stamp_ns("1700000000123", "x") == 1_700_000_000_123_000_000
    with pytest.raises(ProtocolError, match="not a time in milliseconds"):
        numbers.stamp_ns("1700000000", "x")
