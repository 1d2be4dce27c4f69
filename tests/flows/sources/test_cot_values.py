from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.sources import cot_values
from flows.sources.cot_reading import RowError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("22315", 22315),
        ("   22315", 22315),
        ("0", 0),
        ("22,315", 22315),
        ("1,022,315", 1022315),
        ("22315.0", 22315),
        ("-7", -7),
        ("007", 7),
    ],
)
def test_a_count_is_read_as_it_is_printed(text: str, count: int) -> None:
    assert cot_values.contracts(text) == count


@pytest.mark.parametrize(
    "text",
    [
        ".",
        "",
        "   ",
        "22.5",
        "2,2315",
        ",223",
        "22 315",
        "1_000",
        "٣",
        "1e3",
        "0x1f",
        "+5",
        "1" * 13,
        "nan",
        "--5",
    ],
)
def test_what_is_no_count_is_refused_and_never_zero(text: str) -> None:
    with pytest.raises(RowError, match="is empty" if not text.strip() else "is not a number of contracts"):
        cot_values.contracts(text)


@given(st.integers(0, 10**12 - 1))
def test_every_way_to_write_a_count_means_the_same(count: int) -> None:
    ways = [str(count), f"{count:>14}", f"{count:,}", f"{count}.0", f" {count:,} "]
    assert {cot_values.contracts(way) for way in ways} == {count}
    assert {cot_values.json_contracts(way) for way in [count, str(count), f"{count:,}"]} == {count}


@pytest.mark.parametrize("value", [True, 22.5, float("inf"), 10**12, [1], {}, "x"])
def test_json_that_is_no_count_is_refused(value: object) -> None:
    with pytest.raises(RowError):
        cot_values.json_contracts(value)


def test_a_json_number_without_a_fraction_is_a_count() -> None:
    assert cot_values.json_contracts(22315.0) == 22315


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-09-22", date(2026, 9, 22)),
        ("2026-09-22T00:00:00.000", date(2026, 9, 22)),
        ("2026-09-22 00:00:00", date(2026, 9, 22)),
        ("2026-09-22T00:00:00Z", date(2026, 9, 22)),
        (" 6/11/2024 ", date(2024, 6, 11)),
        ("06/11/2024", date(2024, 6, 11)),
        ("6/13/2006 12:00:00 AM", date(2006, 6, 13)),
        ("12/27/2016 0:00", date(2016, 12, 27)),
    ],
)
def test_dates_with_a_century(text: str, day: date) -> None:
    assert cot_values.as_of(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-9-22",
        "2026-02-30",
        "27/12/2022",
        "2026-09-22T13:00:00",
        "240611",
        "12/27/22",
        "20260922",
        "1972-05-02",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(RowError):
        cot_values.as_of(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("240611", date(2024, 6, 11)),
        ("60613", date(2006, 6, 13)),
        ("104", date(2000, 1, 4)),
        ("860115", date(1986, 1, 15)),
        ("991228", date(1999, 12, 28)),
    ],
)
def test_short_dates_know_their_century_and_what_a_spreadsheet_takes_away(text: str, day: date) -> None:
    assert cot_values.as_of_yymmdd(text) == day


@pytest.mark.parametrize("text", ["", "4", "22", "24061", "2406111", "240631", "24-6-11"])
def test_what_is_no_short_date_is_refused(text: str) -> None:
    with pytest.raises(RowError):
        cot_values.as_of_yymmdd(text)


@pytest.mark.parametrize("code", ["133741", "098662", "133LM1", "1170E1", "13874A", "13874+", " 099741 "])
def test_codes_are_six_characters(code: str) -> None:
    assert cot_values.code(code) == code.strip()


@pytest.mark.parametrize(
    "code", ["", "98662", "1337410", "13374 ", "133lm1", "13+741", "１３３７４１", "133741'"]
)
def test_a_code_that_lost_its_zero_is_no_code(code: str) -> None:
    with pytest.raises(RowError):
        cot_values.code(code)


def test_a_name_is_one_line_with_single_spaces() -> None:
    assert (
        cot_values.name("MICRO ETHER  - CHICAGO\tMERCANTILE EXCHANGE ")
        == "MICRO ETHER - CHICAGO MERCANTILE EXCHANGE"
    )


@pytest.mark.parametrize("kind", ["Combined", "", "FutOnl", "FutOnlyX"])
def test_only_futures_only(kind: str) -> None:
    cot_values.futures_only("FutOnly")
    cot_values.futures_only("futonly ")
    with pytest.raises(RowError, match="only the futures-only report is used"):
        cot_values.futures_only(kind)
