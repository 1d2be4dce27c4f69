"""When the CFTC publishes the Commitments of Traders, past and to come.

A report tells positions as of a Tuesday and comes out on the third business day of the federal government
after it, 15:30 New York, and never before Friday ("About the COT Reports", cftc.gov). So a holiday between
Wednesday and Friday moves it to Monday, one on Monday does not. That rule gives every date of the CFTC's
schedules of 2004-2007, 2010-2024 and 2026, and every one that it announced in between: about 1,000 weeks.

A back-test must join on the release, so wherever a date is not known the later one is taken:

- before 2001 publication was rarer than the weekly rows in today's files: see :func:`_scarce_release`;
- offices in Washington also close for snow, sometimes without notice; such days are not known here, and a
  report may be a day late. The first time that a row was seen is stored beside its scheduled release.

Nobody announces outages years ahead: a new one shows as a report that is due and not there.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import msgspec

from shared.rules.cot import report_week

NEW_YORK = ZoneInfo("America/New_York")
RELEASE_TIME = time(15, 30)
#: A report this old, with a newer one due, is no guide any more: it was 3 days old when it came out.
STALE_DAYS = 10
SATURDAY = 5
_SECOND_NS = 1_000_000_000
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)

# Days on which a president closed federal offices by executive order: mourning (Nixon, Reagan, Ford, Bush,
# Carter), and days beside Christmas. Source: Federal Register. Their effect on the report: the CFTC's schedule
# for 2004-06-14 and 2014-12-30, its announcements for 2008-12-29, 2020-12-28 and 2025-01-13.
CLOSURES: frozenset[date] = frozenset(
    date.fromisoformat(day)
    for day in (
        *("1994-04-27", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09"),
        *("1997-12-26", "2001-12-24", "2003-12-26", "2007-12-24", "2008-12-26", "2012-12-24", "2014-12-26"),
        *("2018-12-24", "2019-12-24", "2020-12-24", "2024-12-24", "2025-12-24", "2025-12-26"),
    )
)

# As-of dates that are no Tuesday. Source: the dates in the CFTC's legacy files, 1992-10-06 to 2026-09-22.
# (1997-12-19 is in them too, beside the Tuesday of its week.)
AS_OF_EXCEPTIONS: tuple[date, ...] = tuple(
    date.fromisoformat(day)
    for day in (
        *("1995-07-03", "2000-07-05", "2001-09-10", "2001-12-21", "2001-12-28", "2002-12-23", "2003-02-14"),
        *("2003-12-22", "2004-04-12", "2006-07-03", "2007-01-03", "2007-12-24", "2007-12-31", "2008-12-22"),
        *("2009-11-09", "2012-12-24", "2012-12-31", "2017-07-03", "2018-12-24", "2018-12-31", "2020-12-21"),
        *("2023-07-03", "2025-11-10"),
    )
)
_AS_OF = {report_week(day): day for day in AS_OF_EXCEPTIONS}
#: Since then the schedule says so: Monday's data when Tuesday is a federal holiday. Earlier the files kept
#: Tuesday on Veterans Day (2003, 2008, 2014).
_MONDAY_RULE_FROM = date(2023, 1, 1)


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which reports were held back, and when each came out, in order.

    ``first`` is the day on which a due report did not appear, ``last`` the day on which all were there.
    ``releases`` goes from the as-of date to the day of release.
    """

    reason: str
    first: date
    last: date
    releases: dict[date, date]


def _outage(reason: str, first: str, releases: dict[str, str]) -> Outage:
    days = {date.fromisoformat(as_of): date.fromisoformat(day) for as_of, day in releases.items()}
    return Outage(reason=reason, first=date.fromisoformat(first), last=max(days.values()), releases=days)


OUTAGES: tuple[Outage, ...] = (
    # CFTC press release 6745-13: the first report on 25 October, two in the week of the 28th, two more and the
    # regular schedule by 8 November. Within those weeks the last possible day is taken.
    _outage(
        "shutdown of the federal government, 1 to 16 October 2013",
        "2013-10-04",
        {
            "2013-10-01": "2013-10-25",
            "2013-10-08": "2013-11-01",
            "2013-10-15": "2013-11-01",
            "2013-10-22": "2013-11-08",
            "2013-10-29": "2013-11-08",
            "2013-11-05": "2013-11-08",
        },
    ),
    # CFTC press release 7864-19: the report of 24 December on 1 February, then one each Tuesday and Friday
    # until they are current, which they were on 8 March.
    _outage(
        "shutdown of the federal government, 22 December 2018 to 25 January 2019",
        "2018-12-28",
        {
            "2018-12-24": "2019-02-01",
            "2018-12-31": "2019-02-05",
            "2019-01-08": "2019-02-08",
            "2019-01-15": "2019-02-12",
            "2019-01-22": "2019-02-15",
            "2019-01-29": "2019-02-19",
            "2019-02-05": "2019-02-22",
            "2019-02-12": "2019-02-26",
            "2019-02-19": "2019-03-01",
            "2019-02-26": "2019-03-05",
            "2019-03-05": "2019-03-08",
        },
    ),
    # CFTC 8662-23, and its special announcements of the days on which it issued each of them.
    _outage(
        "attack on ION Cleared Derivatives, from 31 January 2023: firms could not report positions",
        "2023-02-03",
        {
            "2023-01-31": "2023-02-24",
            "2023-02-07": "2023-03-03",
            "2023-02-14": "2023-03-09",
            "2023-02-21": "2023-03-10",
            "2023-02-28": "2023-03-14",
            "2023-03-07": "2023-03-16",
            "2023-03-14": "2023-03-21",
        },
    ),
    # The schedule of 18 November 2025 (CFTC 9138-25). On 9 December (9147-25) the CFTC sped up what was left,
    # from the report of 10 November on, and was current on 29 December: these dates are safe, not exact.
    _outage(
        "shutdown of the federal government, 1 October to 12 November 2025",
        "2025-10-03",
        {
            "2025-09-30": "2025-11-19",
            "2025-10-07": "2025-11-21",
            "2025-10-14": "2025-11-25",
            "2025-10-21": "2025-12-02",
            "2025-10-28": "2025-12-05",
            "2025-11-04": "2025-12-09",
            "2025-11-10": "2025-12-12",
            "2025-11-18": "2025-12-16",
            "2025-11-25": "2025-12-19",
            "2025-12-02": "2025-12-23",
            "2025-12-09": "2025-12-30",
            "2025-12-16": "2026-01-06",
            "2025-12-23": "2026-01-09",
            "2025-12-30": "2026-01-13",
            "2026-01-06": "2026-01-16",
            "2026-01-13": "2026-01-20",
            "2026-01-20": "2026-01-23",
        },
    ),
)
_HELD_BACK = {report_week(as_of): day for each in OUTAGES for as_of, day in each.releases.items()}

# Publication before it was weekly, from "About the COT Reports" and "Historical Compressed" (cftc.gov).
_TWICE_MONTHLY_FROM = date(1990, 1, 1)
_LAST_MONTHLY_RELEASE = date(1990, 1, 12)
_WEEKLY_ROWS_FROM = date(1992, 10, 6)
_WEEKLY_FROM = date(2001, 1, 1)


def as_of_date(day: date) -> date:
    """The as-of date of the report week that a day belongs to: its Tuesday, or what stands for it."""
    week = report_week(day)
    if week in _AS_OF:
        return _AS_OF[week]
    return week - _DAY if week >= _MONDAY_RULE_FROM and week in _federal_holidays(week.year) else week


def as_of_dates(first: date, last: date) -> list[date]:
    """The as-of dates between two days, both included, one a week. Before October 1992 they are nominal."""
    week = report_week(first) - _WEEK
    found = []
    while week <= last + _WEEK:
        found.append(as_of_date(week))
        week += _WEEK
    return [day for day in found if first <= day <= last]


def scheduled_release(as_of: date) -> int:
    """When the report as of this date came or comes out, UTC nanoseconds; as far as is known
    never earlier than it really did.

    Takes any day, since the dates in files are what they are, and never falls as the day grows.
    """
    week = report_week(as_of)
    regular = _weekly_release(as_of) if week >= _WEEKLY_FROM else _scarce_release(as_of)
    return _at_release_time(max(regular, _HELD_BACK.get(week, regular)))


def outage(day: date) -> Outage | None:
    """The known outage that holds reports back on this day, New York."""
    return next((each for each in OUTAGES if each.first <= day <= each.last), None)


def latest_due(now_ns: int) -> date:
    """The newest as-of date whose report should be out by now."""
    week = report_week(datetime.fromtimestamp(now_ns // _SECOND_NS, NEW_YORK).date())
    while scheduled_release(as_of_date(week)) > now_ns:
        week -= _WEEK
    return as_of_date(week)


def next_release(now_ns: int) -> tuple[date, int]:
    """The as-of date of the report that comes next, and when, UTC nanoseconds."""
    as_of = as_of_date(report_week(latest_due(now_ns)) + _WEEK)
    return as_of, scheduled_release(as_of)


def is_stale(as_of: date, now_ns: int) -> bool:
    """Whether a report is more than :data:`STALE_DAYS` old although a newer one should be out.

    The second half keeps known outages quiet, and the weekends before a Monday release.
    """
    today = datetime.fromtimestamp(now_ns // _SECOND_NS, NEW_YORK).date()
    return (today - as_of).days > STALE_DAYS and report_week(as_of) < report_week(latest_due(now_ns))


def _weekly_release(as_of: date) -> date:
    """The third business day after, but the Friday of the report week at the earliest."""
    return max(report_week(as_of) + 3 * _DAY, _business_days_after(as_of, 3))


def _scarce_release(as_of: date) -> date:
    """The day of release before publication was weekly, which it became "in 2000".

    Until 1989 a report a month, on the 11th or 12th of the next one; then every half month, on the sixth
    business day; from October 1992 every second week, on the third. Today's files have rows in between,
    for which the publication after the next Tuesday is taken: that was theirs or a later one.
    """
    week = report_week(as_of)
    if week >= _WEEKLY_ROWS_FROM:
        return _weekly_release(as_of_date(week + _WEEK))
    if as_of >= _TWICE_MONTHLY_FROM:
        return max(_business_days_after(as_of, 6), _LAST_MONTHLY_RELEASE)
    month_end = (as_of.replace(day=28) + 4 * _DAY).replace(day=1) - _DAY
    return _business_days_after(month_end + 11 * _DAY, 1)


def _business_days_after(day: date, count: int) -> date:
    while count > 0:
        day += _DAY
        if day.weekday() < SATURDAY and day not in CLOSURES and day not in _federal_holidays(day.year):
            count -= 1
    return day


@lru_cache(maxsize=256)
def _federal_holidays(year: int) -> frozenset[date]:
    """Those of one calendar year as observed: New Year's Day may be on 31 December of the year before."""
    return frozenset(holidays.country_holidays("US", years=year))


def _at_release_time(day: date) -> int:
    """15:30 New York of a day as UTC nanoseconds: 19:30 UTC in summer, 20:30 in winter."""
    since = datetime.combine(day, RELEASE_TIME, NEW_YORK) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _SECOND_NS
