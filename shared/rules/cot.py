"""What weekly positions tell: sums in coins, net positions, and how unusual they are.

Pure: the pages, the artifacts of a run and later the signals call the same functions. Positions are counted
in contracts, which differ in size (a micro contract is a fiftieth of a Bitcoin contract, and more of them
are open): everything here is in units, see :class:`~shared.domain.cot.Market`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from shared.domain.cot import (
    GROUPS,
    SPREADING,
    Group,
    Market,
    Positions,
    Report,
    long_column,
    short_column,
    spread_column,
)

#: Weeks that an index looks back over: half a year, a year, three years.
WINDOWS = (26, 52, 156)
#: A contract without rows for longer than this has ended; until then its missing row is a gap.
GRACE_WEEKS = 4
TUESDAY = 1
WEDNESDAY = 2
_WEEK = timedelta(weeks=1)


class Week(msgspec.Struct, frozen=True, kw_only=True):
    """One report week of a market, in units.

    ``complete`` is False in a gap: the row of a contract is missing, so that there is no sum; then
    ``open_interest`` is None, the groups are empty, and ``as_of`` is the Tuesday of the week if no row tells.
    ``spread`` has the groups of :data:`~shared.domain.cot.SPREADING`.
    """

    as_of: date
    complete: bool
    open_interest: Decimal | None = None
    long: dict[Group, Decimal] = {}
    short: dict[Group, Decimal] = {}
    spread: dict[Group, Decimal] = {}


def report_week(as_of: date) -> date:
    """The Tuesday whose report an as-of date stands for.

    Around holidays the CFTC takes another day: mostly the Monday before, but the Wednesday after
    (2000-07-05, 2007-01-03) and the Friday before (2001-12-21, 2003-02-14) are in its files too.
    """
    if as_of.weekday() == WEDNESDAY:
        return as_of - timedelta(days=1)
    return as_of + timedelta(days=(TUESDAY - as_of.weekday()) % 7)


def combine(market: Market, rows: Iterable[Positions]) -> list[Week]:
    """The weeks of a market, oldest first and without holes, from the rows of its contracts in one report.

    A contract counts from its first row to its last one and :data:`GRACE_WEEKS` beyond; a week in which a
    row of it is missing is a gap. The first contract of a market, the standard one, never ends: the micro
    alone is no picture of the market. Rows of other contracts are left out; when one contract has two rows
    in a week, the later as-of date counts. Rows of two reports raise ``ValueError``.
    """
    found: dict[date, dict[str, Positions]] = {}
    units = {member.code: member.units for member in market.members}
    reports = set()
    for row in sorted((row for row in rows if row.code in units), key=lambda row: row.as_of):
        found.setdefault(report_week(row.as_of), {})[row.code] = row
        reports.add(row.report)
    if not found:
        return []
    if len(reports) > 1:
        raise ValueError(f"{market.key}: rows of two reports cannot be summed")
    report = reports.pop()
    spans = _spans(market, found)
    weeks = []
    week, last = min(found), max(found)
    while week <= last:
        there = found.get(week, {})
        whole = all(code in there for code, (since, until) in spans.items() if since <= week <= until)
        if there and whole:
            weeks.append(_sum(report, there, units))
        else:
            as_of = max((row.as_of for row in there.values()), default=week)
            weeks.append(Week(as_of=as_of, complete=False))
        week += _WEEK
    return weeks


def _spans(market: Market, found: dict[date, dict[str, Positions]]) -> dict[str, tuple[date, date]]:
    """From which week to which a row of each contract must be there."""
    spans = {}
    for member in market.members[1:]:
        weeks = [week for week, there in found.items() if member.code in there]
        if weeks:
            spans[member.code] = (min(weeks), max(weeks) + GRACE_WEEKS * _WEEK)
    spans[market.members[0].code] = (min(found), max(found))
    return spans


def _sum(report: Report, there: dict[str, Positions], units: dict[str, Decimal]) -> Week:
    def total(column: str) -> Decimal:
        return sum((row.value(column) * units[code] for code, row in there.items()), Decimal(0))

    return Week(
        as_of=max(row.as_of for row in there.values()),
        complete=True,
        open_interest=total("open_interest"),
        long={group: total(long_column(group)) for group in GROUPS[report]},
        short={group: total(short_column(group)) for group in GROUPS[report]},
        spread={group: total(spread_column(group)) for group in SPREADING[report]},
    )


def net(week: Week, group: Group) -> Decimal:
    """Long less short, in units; spreads are on both sides and drop out. A gap raises ``ValueError``."""
    if not week.complete:
        raise ValueError(f"the week of {week.as_of} is a gap: it has no net position")
    return week.long[group] - week.short[group]


def net_share(week: Week, group: Group) -> float | None:
    """The net position in percent of open interest; None in a gap and where nothing is open.

    Comparable over years, as the net position is not: Bitcoin's open interest grew twentyfold in six years.
    """
    if not week.complete or not week.open_interest:
        return None
    return float(100 * net(week, group) / week.open_interest)


def cot_index(values: Sequence[float | None], window: int) -> list[float | None]:
    """Where each value stands in the range of the last ``window`` ones, itself included: 0 lowest, 100 highest.

    Larry Williams' index, ``100 x (value - lowest) / (highest - lowest)``, over values of one week each. None
    until the window is full, None when a value in it is missing, and None when the window is flat. Williams
    took commercials' net positions over three years, later half a year and in proportion to open interest:
    give it :func:`net_share`.
    """
    if window < 2:
        raise ValueError(f"a range needs two weeks at least, not {window}")
    result: list[float | None] = []
    for place, value in enumerate(values):
        seen = _full(values, place + 1 - window, place + 1)
        if seen is None or value is None:
            result.append(None)
            continue
        lowest, highest = min(seen), max(seen)
        result.append(100.0 * ((value - lowest) / (highest - lowest)) if highest > lowest else None)
    return result


def z_score(values: Sequence[float | None], window: int = 52) -> list[float | None]:
    """How many standard deviations each value is from the mean of the ``window`` values *before* it.

    A week is not part of its own yardstick. The deviation is the sample's (n - 1). None until the baseline
    is full, None when a value in it is missing, and None when it does not move.
    """
    if window < 2:
        raise ValueError(f"a deviation needs two weeks at least, not {window}")
    result: list[float | None] = []
    for place, value in enumerate(values):
        baseline = _full(values, place - window, place)
        if baseline is None or value is None or min(baseline) == max(baseline):
            result.append(None)
            continue
        mean = math.fsum(baseline) / window
        deviation = math.sqrt(math.fsum((each - mean) ** 2 for each in baseline) / (window - 1))
        result.append((value - mean) / deviation if deviation > 0 else None)
    return result


def _full(values: Sequence[float | None], start: int, stop: int) -> list[float] | None:
    """The values of a window, or None when it begins before the first one or has a hole."""
    if start < 0:
        return None
    seen = [value for value in values[start:stop] if value is not None]
    return seen if len(seen) == stop - start else None
