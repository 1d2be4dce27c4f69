from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.rules.cot import report_week
from shared.rules.cot_calendar import (
    AS_OF_EXCEPTIONS,
    CLOSURES,
    OUTAGES,
    Outage,
    as_of_date,
    as_of_dates,
    is_stale,
    latest_due,
    next_release,
    outage,
    scheduled_release,
)

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)
days = st.dates(date(1986, 1, 1), date(2060, 1, 1))


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def at(day: str, clock: str = "15:30") -> int:
    """A time of day in New York."""
    return ns(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=NEW_YORK))


def released(as_of: str) -> str:
    """The day of release; its time is checked to be 15:30 New York."""
    moment = datetime.fromtimestamp(scheduled_release(date.fromisoformat(as_of)) // 10**9, NEW_YORK)
    assert moment.time() == time(15, 30)
    return moment.date().isoformat()


# Releases that were not on a Friday, by the CFTC's own schedules as archived 2004 to 2026 (cftc.gov,
# deacotcalendar.htm and ReleaseSchedule). All others of those years were on Fridays. The schedules of 2008, 2009
# and 2025 were not to be had.
NOT_ON_FRIDAY = frozenset(
    date.fromisoformat(day)
    for day in (
        *("2003-12-01", "2003-12-29", "2004-01-05", "2004-06-14", "2004-11-15", "2004-11-29", "2004-12-27"),
        *("2005-01-03", "2005-11-14", "2005-11-28", "2006-11-13", "2006-11-27"),
        *("2007-01-08", "2007-07-09", "2007-11-26"),
        *("2009-12-28", "2010-01-04", "2010-11-15", "2010-11-29", "2010-12-27"),
        *("2011-01-03", "2011-11-14", "2011-11-28", "2012-07-09", "2012-11-26"),
        *("2013-07-08", "2013-12-02", "2013-12-30", "2014-01-06", "2014-07-07", "2014-12-01", "2014-12-30"),
        *("2015-01-05", "2015-07-06", "2015-11-16", "2015-11-30", "2015-12-28"),
        *("2016-01-04", "2016-11-14", "2016-11-28", "2017-11-13", "2017-11-27", "2018-07-09", "2018-11-26"),
        *("2019-07-08", "2019-12-02", "2019-12-30", "2020-01-06", "2020-07-06", "2020-11-16", "2020-11-30"),
        *("2020-12-28", "2021-01-04", "2021-11-15", "2021-11-29", "2021-12-27"),
        *("2022-01-03", "2022-11-14", "2022-11-28", "2023-11-13", "2023-11-27"),
        *("2024-06-24", "2024-07-08", "2024-12-02", "2024-12-30"),
        *("2026-01-05", "2026-06-22", "2026-07-06", "2026-11-16", "2026-11-30", "2026-12-28"),
        # Moved after the schedule of the year was out: mourning for President Bush, and the first Juneteenth
        # (announced by the CFTC on 2021-06-17).
        *("2018-12-10", "2021-06-21"),
    )
)
SCHEDULED = (
    (date(2003, 11, 25), date(2007, 12, 24)),
    (date(2009, 12, 1), date(2024, 12, 24)),
    (date(2026, 1, 27), date(2026, 12, 22)),
)


def test_every_week_of_the_published_schedules() -> None:
    weeks, moved = 0, set()
    for first, last in SCHEDULED:
        for as_of in as_of_dates(first, last):
            if any(as_of in each.releases for each in OUTAGES):
                continue
            friday = report_week(as_of) + 3 * DAY
            expected = next(
                (day for day in (friday + 3 * DAY, friday + 4 * DAY) if day in NOT_ON_FRIDAY), friday
            )
            assert released(as_of.isoformat()) == expected.isoformat(), as_of
            weeks += 1
            moved |= {expected} - {friday}
    assert weeks == 1025
    # the first of 2026 is in the tail of the outage of 2025, for which safe dates are taken
    assert moved == NOT_ON_FRIDAY - {date(2026, 1, 5)}


class TestRelease:
    @pytest.mark.parametrize(
        ("as_of", "moment"),
        [  # clocks changed in New York on 2026-03-08 and 2026-11-01
            ("2026-03-03", datetime(2026, 3, 6, 20, 30, tzinfo=UTC)),
            ("2026-03-10", datetime(2026, 3, 13, 19, 30, tzinfo=UTC)),
            ("2026-10-27", datetime(2026, 10, 30, 19, 30, tzinfo=UTC)),
            ("2026-11-03", datetime(2026, 11, 6, 20, 30, tzinfo=UTC)),
        ],
    )
    def test_is_at_half_past_three_in_new_york_on_both_sides_of_a_clock_change(
        self, as_of: str, moment: datetime
    ) -> None:
        assert scheduled_release(date.fromisoformat(as_of)) == ns(moment)

    @pytest.mark.parametrize(
        ("as_of", "day"),
        [
            ("2023-11-07", "2023-11-13"),  # Veterans Day on Friday
            ("2023-11-21", "2023-11-27"),  # Thanksgiving
            ("2023-12-26", "2023-12-29"),  # Christmas on Monday
            ("2024-06-18", "2024-06-24"),  # Juneteenth on Wednesday
            ("2024-07-02", "2024-07-08"),
            ("2024-11-26", "2024-12-02"),
            ("2024-12-24", "2024-12-30"),
            ("2024-12-31", "2025-01-06"),
            ("2025-01-07", "2025-01-13"),  # mourning for President Carter on Thursday
            ("2025-02-18", "2025-02-21"),  # Washington's Birthday on Monday
            ("2015-06-30", "2015-07-06"),
            ("2014-12-23", "2014-12-30"),  # Christmas, and the Friday after it by executive order
            ("2018-12-04", "2018-12-10"),  # mourning for President Bush on Wednesday
        ],
    )
    def test_a_closed_office_from_wednesday_to_friday_moves_it_by_a_business_day(
        self, as_of: str, day: str
    ) -> None:
        assert released(as_of) == day

    @pytest.mark.parametrize(
        ("as_of", "day"),
        [
            ("2023-07-03", "2023-07-07"),
            ("2017-07-03", "2017-07-07"),
            ("2012-12-24", "2012-12-28"),
            ("2008-12-22", "2008-12-29"),  # Friday closed by executive order; announced
            ("2020-12-21", "2020-12-28"),  # Thursday closed by executive order; announced
            ("2004-04-12", "2004-04-16"),  # a Monday without a holiday: still on Friday
            ("2007-01-03", "2007-01-08"),  # a Wednesday
            ("2003-02-14", "2003-02-21"),  # a Friday
        ],
    )
    def test_other_as_of_days_than_tuesday(self, as_of: str, day: str) -> None:
        assert released(as_of) == day

    @pytest.mark.parametrize(
        ("as_of", "day"),
        [
            ("1986-01-15", "1986-02-12"),  # monthly: both halves with the end of the month
            ("1986-01-31", "1986-02-12"),
            ("1989-11-30", "1989-12-12"),
            ("1990-02-28", "1990-03-08"),  # every half month, sixth business day
            ("1992-09-30", "1992-10-08"),
            ("1992-10-06", "1992-10-16"),  # every second week: with the week after at the latest
            ("1995-12-19", "1995-12-29"),
            ("2000-12-26", "2001-01-05"),
            ("2001-01-02", "2001-01-05"),  # weekly
        ],
    )
    def test_before_2001_the_later_publication_is_taken(self, as_of: str, day: str) -> None:
        assert released(as_of) == day

    @given(days, st.integers(0, 400))
    @example(date(1989, 12, 31), 1)
    @example(date(1992, 9, 30), 1)
    @example(date(2000, 12, 27), 1)
    @example(date(2025, 9, 29), 3)
    def test_never_falls_as_the_as_of_date_grows(self, day: date, more: int) -> None:
        assert scheduled_release(day) <= scheduled_release(day + more * DAY)

    def test_never_falls_from_one_day_to_the_next_in_75_years(self) -> None:
        stamps = [scheduled_release(date(1986, 1, 1) + index * DAY) for index in range(75 * 365)]
        assert stamps == sorted(stamps)

    @given(days)
    def test_is_on_a_business_day_after_the_week_it_tells_of(self, as_of: date) -> None:
        day = datetime.fromtimestamp(scheduled_release(as_of) // 10**9, NEW_YORK).date()
        assert day.weekday() < 5
        assert day not in CLOSURES
        assert day >= report_week(as_of) + 3 * DAY or as_of < date(1992, 10, 1)
        assert day > as_of


class TestOutages:
    def test_shutdown_of_2018_and_2019_two_a_week_until_current(self) -> None:
        assert released("2018-12-18") == "2018-12-21"
        assert released("2018-12-24") == "2019-02-01"
        assert released("2018-12-31") == "2019-02-05"
        assert released("2019-01-08") == "2019-02-08"
        assert released("2019-02-26") == "2019-03-05"
        assert released("2019-03-05") == "2019-03-08"
        assert released("2019-03-12") == "2019-03-15"

    def test_ion_in_2023(self) -> None:
        assert released("2023-01-24") == "2023-01-27"
        assert released("2023-01-31") == "2023-02-24"
        assert released("2023-02-14") == "2023-03-09"
        assert released("2023-03-14") == "2023-03-21"
        assert released("2023-03-21") == "2023-03-24"

    def test_shutdown_of_2025(self) -> None:
        assert released("2025-09-23") == "2025-09-26"
        assert released("2025-09-30") == "2025-11-19"
        assert released("2025-10-21") == "2025-12-02"
        assert released("2025-11-10") == "2025-12-12"
        assert released("2025-11-25") == "2025-12-19"
        assert released("2026-01-20") == "2026-01-23"
        assert released("2026-01-27") == "2026-01-30"

    def test_shutdown_of_2013(self) -> None:
        assert released("2013-09-24") == "2013-09-27"
        assert released("2013-10-01") == "2013-10-25"
        assert released("2013-11-12") == "2013-11-15"

    @pytest.mark.parametrize("table", OUTAGES, ids=lambda table: str(table.first))
    def test_tables_are_whole_and_in_order(self, table: Outage) -> None:
        as_ofs = list(table.releases)
        assert as_ofs == as_of_dates(min(as_ofs), max(as_ofs))
        assert list(table.releases.values()) == sorted(table.releases.values())
        assert all(day >= report_week(as_of) + 3 * DAY for as_of, day in table.releases.items())
        assert table.first == report_week(as_ofs[0]) + 3 * DAY
        assert table.last == max(table.releases.values())

    @pytest.mark.parametrize(
        ("day", "known"),
        [
            ("2018-12-27", False),
            ("2018-12-28", True),
            ("2019-03-08", True),
            ("2019-03-09", False),
            ("2023-02-15", True),
            ("2025-10-02", False),
            ("2025-10-03", True),
            ("2026-09-25", False),
        ],
    )
    def test_a_day_within_is_known(self, day: str, known: bool) -> None:
        assert (outage(date.fromisoformat(day)) is not None) == known

    def test_says_why(self) -> None:
        found = outage(date(2025, 10, 20))
        assert found is not None
        assert found.reason == "shutdown of the federal government, 1 October to 12 November 2025"


class TestAsOf:
    @pytest.mark.parametrize(
        ("day", "as_of"),
        [
            ("2026-09-22", "2026-09-22"),
            ("2023-07-04", "2023-07-03"),
            ("2025-11-11", "2025-11-10"),
            ("2014-11-11", "2014-11-11"),  # Veterans Day was no reason then
            ("2019-01-01", "2018-12-31"),
            ("2007-01-02", "2007-01-03"),
            ("2028-07-04", "2028-07-03"),
            ("2029-12-25", "2029-12-24"),
            ("2030-01-01", "2029-12-31"),
            ("2026-09-25", "2026-09-29"),  # a Friday is in the week of the next Tuesday
        ],
    )
    def test_is_tuesday_or_what_the_cftc_takes_instead(self, day: str, as_of: str) -> None:
        assert as_of_date(date.fromisoformat(day)) == date.fromisoformat(as_of)

    def test_every_exception_is_found_and_none_is_a_tuesday(self) -> None:
        for day in AS_OF_EXCEPTIONS:
            assert day.weekday() != 1
            assert as_of_dates(day, day) == [day]

    @given(days, st.integers(0, 500))
    def test_one_a_week_ascending_and_inside(self, first: date, length: int) -> None:
        last = first + length * DAY
        found = as_of_dates(first, last)
        assert all(first <= day <= last for day in found)
        weeks = [report_week(day) for day in found]
        assert all(after - before == 7 * DAY for before, after in pairwise(weeks))
        assert length // 7 - 1 <= len(found) <= length // 7 + 2


class TestDue:
    @pytest.mark.parametrize(
        ("moment", "due", "coming", "day"),
        [
            (at("2026-09-25", "15:29:59"), "2026-09-15", "2026-09-22", "2026-09-25"),
            (at("2026-09-25", "15:30"), "2026-09-22", "2026-09-29", "2026-10-02"),
            (at("2026-09-29", "23:59"), "2026-09-22", "2026-09-29", "2026-10-02"),
            (at("2026-11-13", "18:00"), "2026-11-03", "2026-11-10", "2026-11-16"),
            (at("2023-07-07", "15:30"), "2023-07-03", "2023-07-11", "2023-07-14"),
            (at("2018-12-21", "15:30"), "2018-12-18", "2018-12-24", "2019-02-01"),
            (at("2019-01-25", "12:00"), "2018-12-18", "2018-12-24", "2019-02-01"),
            (at("2019-02-05", "15:30"), "2018-12-31", "2019-01-08", "2019-02-08"),
            (at("2025-11-18", "12:00"), "2025-09-23", "2025-09-30", "2025-11-19"),
        ],
    )
    def test_by_hand(self, moment: int, due: str, coming: str, day: str) -> None:
        assert latest_due(moment) == date.fromisoformat(due)
        assert next_release(moment) == (date.fromisoformat(coming), at(day))

    @given(st.integers(at("1986-06-01"), at("2060-01-01")))
    @example(at("2013-11-08"))
    @example(at("2013-11-08") - 1)
    @example(at("2025-12-31"))
    @example(at("2001-01-05"))
    def test_due_and_next_are_neighbours_on_both_sides_of_now(self, now: int) -> None:
        due = latest_due(now)
        coming, moment = next_release(now)
        assert scheduled_release(due) <= now < moment
        assert moment == scheduled_release(coming)
        assert report_week(coming) - report_week(due) == 7 * DAY
        assert as_of_dates(due, coming) == [due, coming]

    @given(days)
    def test_a_report_is_due_from_its_release_on(self, day: date) -> None:
        as_of = as_of_date(day)
        moment = scheduled_release(as_of)
        assert latest_due(moment) >= as_of
        assert latest_due(moment - 1) < as_of


class TestStale:
    def test_more_than_ten_days_old_and_a_newer_one_due(self) -> None:
        assert not is_stale(date(2026, 9, 15), at("2026-09-25", "23:00"))
        assert is_stale(date(2026, 9, 15), at("2026-09-26", "00:00"))
        assert not is_stale(date(2026, 9, 22), at("2026-09-26", "00:00"))

    def test_not_before_a_monday_release(self) -> None:
        assert not is_stale(date(2026, 11, 3), at("2026-11-15", "12:00"))
        assert is_stale(date(2026, 11, 3), at("2026-11-16", "15:30"))

    def test_not_in_a_known_outage_as_long_as_it_is_kept_up_with(self) -> None:
        assert not is_stale(date(2025, 9, 23), at("2025-11-18"))
        assert is_stale(date(2025, 9, 23), at("2025-11-20"))
