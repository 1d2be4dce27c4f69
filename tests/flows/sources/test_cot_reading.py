from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.sources.cot_reading import Collector, RowError, check, plain, released
from shared import clock
from shared.domain.cot import Positions, Report, identity_error
from tests.flows import cot_files

NOW = 1_790_000_000 * clock.SECOND  # 2026-09-21


def test_one_row_told_twice_is_one_row() -> None:
    collector = Collector("f.csv", Report.LEGACY)
    for line in (1, 2):
        collector.add(cot_files.BITCOIN, f"f.csv line {line}", "text")
    reading = collector.reading(None, NOW)
    assert (reading.rows, reading.refused, reading.read, reading.repeated) == ([cot_files.BITCOIN], [], 2, 1)


def test_of_two_rows_that_disagree_neither_is_taken() -> None:
    other = cot_files.row(Report.LEGACY, size=5)
    collector = Collector("f.csv", Report.LEGACY)
    for line, row in enumerate(
        [cot_files.BITCOIN, other, cot_files.row(Report.LEGACY, "133742"), other], start=2
    ):
        collector.add(row, f"f.csv line {line}", f"row {line}")
    reading = collector.reading(None, NOW)
    assert [row.code for row in reading.rows] == ["133742"]
    assert (reading.read, reading.repeated) == (4, 0)
    assert [msgspec.structs.astuple(one) for one in reading.refused] == [
        (
            "f.csv line 2",
            "f.csv line 3 disagrees about 133741 as of 2026-09-22: open interest 22320, here 22315",
            "row 2",
        ),
        (
            "f.csv line 3",
            "f.csv line 2 disagrees about 133741 as of 2026-09-22: open interest 22315, here 22320",
            "row 3",
        ),
        ("f.csv line 5", "rows before it disagree about 133741 as of 2026-09-22", "row 5"),
    ]


@given(st.lists(st.tuples(st.sampled_from(["133741", "133742"]), st.integers(0, 2)), max_size=12))
def test_what_is_kept_never_depends_on_the_order(told: list[tuple[str, int]]) -> None:
    def kept(order: list[tuple[str, int]]) -> set[tuple[str, int]]:
        collector = Collector("f.csv", Report.LEGACY)
        for code, size in order:
            collector.add(cot_files.row(Report.LEGACY, code, size=size), "here", "text")
        reading = collector.reading(None, NOW)
        assert reading.read == len(order) == len(reading.rows) + len(reading.refused) + reading.repeated
        return {(row.code, row.values[0]) for row in reading.rows}

    assert kept(told) == kept(told[::-1]) == kept(sorted(told))


def test_a_reading_is_as_old_as_the_release_of_its_newest_report() -> None:
    rows = [cot_files.row(Report.TFF, as_of=day) for day in (date(2024, 6, 11), date(2024, 6, 4))]
    assert clock.iso(released(rows, NOW)) == "2024-06-14T19:30:00.000000Z"
    assert released([], NOW) == 0


def test_a_report_that_came_before_its_announced_day_is_not_from_the_future() -> None:
    thursday = clock.from_datetime(clock.utc(0).replace(year=2024, month=6, day=13))
    assert released([cot_files.row(Report.TFF, as_of=date(2024, 6, 11))], thursday) == thursday


def test_a_row_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(RowError, match="open interest 22316 is not the long side 22315"):
        check(msgspec.structs.replace(cot_files.BITCOIN, values=(22316, *cot_files.BITCOIN.values[1:])))


def test_a_consolidated_market_may_be_rounded() -> None:
    """S&P 500 Consolidated as of 2024-03-12 and the Dow's as of 2024-02-20, as published."""
    values = (
        2704540,
        284965,
        779603,
        169314,
        1147222,
        231086,
        220116,
        154339,
        639270,
        229144,
        131494,
        154255,
        71099,
    )
    row = Positions(
        report=Report.TFF,
        code="13874+",
        as_of=date(2024, 3, 12),
        market="S&P 500 Consolidated - CHICAGO MERCANTILE EXCHANGE",
        values=(*values, 296848, 210655),
    )
    check(row)
    assert identity_error(msgspec.structs.replace(row, code="13874A")) is not None
    assert identity_error(msgspec.structs.replace(row, values=(2704550, *row.values[1:]))) is not None


def test_text_from_outside_fits_on_one_line() -> None:
    assert plain("a\nb\x1b[31m\x00c" + "x" * 300) == "a b [31m c" + "x" * 110
