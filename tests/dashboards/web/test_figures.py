from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.web import figures
from dashboards.web.figures import MINUS, THIN
from shared import clock

MONEY = st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=8)


def read(text: str) -> Decimal:
    """What a person would type into a calculator."""
    return Decimal(text.replace(THIN, "").replace(MINUS, "-"))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1234567.891", f"1{THIN}234{THIN}567.89"),
        ("-0.005", "0.00"),
        ("-0.006", f"{MINUS}0.01"),
        ("0", "0.00"),
        ("12", "12.00"),
    ],
)
def test_money_is_grouped_and_rounded(value: str, shown: str) -> None:
    assert figures.amount(Decimal(value)) == shown


def test_a_signed_number_says_plus_unless_it_rounds_to_nothing() -> None:
    assert figures.amount(Decimal("1.5"), signed=True) == "+1.50"
    assert figures.amount(Decimal("-1.5"), signed=True) == f"{MINUS}1.50"
    assert figures.amount(Decimal("0.001"), signed=True) == "0.00"


@given(MONEY)
def test_what_is_shown_is_within_half_a_cent(value: Decimal) -> None:
    assert abs(read(figures.amount(value)) - value) <= Decimal("0.005")


@given(st.decimals(min_value=-(10**9), max_value=10**9, allow_nan=False))
def test_plain_loses_nothing(value: Decimal) -> None:
    assert read(figures.plain(value)) == +value.normalize()


def test_plain_writes_no_exponent() -> None:
    assert figures.plain(Decimal("1E-8")) == "0.00000001"
    assert figures.plain(Decimal("2.9E+3")) == f"2{THIN}900"
    assert figures.plain(Decimal("0.10")) == "0.1"


@pytest.mark.parametrize(
    ("value", "tick", "shown"),
    [
        ("97532.94", "0.1", f"97{THIN}532.9"),
        ("0.06894312", "0.00001", "0.06894"),
        ("0.06894312", None, "0.0689431"),
        ("0.0000213", None, "0.0000213000"),
        ("1234567", None, f"1{THIN}234{THIN}567"),
        ("120", "10", "120"),
    ],
)
def test_a_price_has_the_decimals_of_its_tick(value: str, tick: str | None, shown: str) -> None:
    assert figures.price(Decimal(value), Decimal(tick) if tick else None) == shown


def test_what_is_not_known_is_a_dash() -> None:
    assert (
        figures.amount(None)
        == figures.plain(None)
        == figures.price(None)
        == figures.percent(None)
        == "\u2014"
    )


def test_percent() -> None:
    assert figures.percent(Decimal("0.01234")) == f"+1.23{THIN}%"
    assert figures.percent(Decimal("-0.5")) == f"{MINUS}50.00{THIN}%"


@pytest.mark.parametrize(
    ("ns", "shown"),
    [
        (0, f"0{THIN}ns"),
        (950, f"950{THIN}ns"),
        (41_000, f"41.0{THIN}µs"),
        (139_000, f"139{THIN}µs"),
        (1_300_000, f"1.30{THIN}ms"),
        (2_300_000_000, f"2.30{THIN}s"),
    ],
)
def test_durations_have_three_digits(ns: int, shown: str) -> None:
    assert figures.duration(ns) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "now"),
        (59, f"59{THIN}s ago"),
        (61, f"1{THIN}min ago"),
        (7_300, f"2{THIN}h ago"),
        (200_000, f"2{THIN}d ago"),
    ],
)
def test_ages_are_coarse(seconds: int, shown: str) -> None:
    assert figures.age(seconds * clock.SECOND) == shown


def test_the_date_is_said_when_it_is_not_today() -> None:
    noon = 1_795_132_800 * clock.SECOND  # 2026-11-20 00:00:00 UTC
    assert figures.clock_time(noon + clock.SECOND, noon) == "00:00:01 UTC"
    assert figures.clock_time(noon - clock.SECOND, noon) == "2026-11-19 23:59:59 UTC"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "any moment now"),
        (59, "any moment now"),
        (60, "in 1 minute"),
        (3_660, "in 1 hour 1 minute"),
        (7_200, "in 2 hours"),
        (86_400, "in 1 day"),
        (2 * 86_400 + 4 * 3_600 + 59 * 60, "in 2 days 4 hours"),
    ],
)
def test_a_countdown_is_said_in_its_two_largest_units(seconds: int, shown: str) -> None:
    assert figures.until(seconds * clock.SECOND) == shown


def test_days_are_the_same_in_every_locale() -> None:
    assert figures.day(date(2026, 9, 22)) == "Tue 22 Sep 2026"
    assert figures.day(date(2026, 1, 4), week_day=False) == "4 Jan 2026"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0.5", "0.5"),
        ("24310.4", f"24{THIN}310"),
        ("999999", f"999{THIN}999"),
        ("1250000", f"1.25{THIN}M"),
        ("-12375000000", f"{MINUS}12.4{THIN}bn"),
        ("216000000000", f"216{THIN}bn"),
        ("1300000000000", f"1.30{THIN}tn"),
    ],
)
def test_large_sizes_are_short(value: str, shown: str) -> None:
    assert figures.compact(Decimal(value)) == shown
    assert figures.compact(None) == "\u2014"


def test_a_count_has_its_plural() -> None:
    assert (figures.count(1, "week"), figures.count(1_200, "week")) == ("1 week", f"1{THIN}200 weeks")


def test_a_float_is_shown_like_any_number() -> None:
    assert figures.points(57.749, signed=True) == "+57.7"
    assert figures.points(-0.04) == "0.0"
    assert figures.points(None) == "\u2014"
