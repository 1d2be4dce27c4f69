"""A study in, what the COT page shows out: pure functions, no Streamlit, no clock, no database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

import msgspec

from dashboards.web import cot_study, figures
from dashboards.web.cot_study import Gap, Study
from shared.domain.cot import GROUP_TITLES, GROUPS, MARKETS, SPREADING, Group, Market, Report
from shared.rules import cot_calendar
from shared.rules.cot import WINDOWS

YEARS: dict[str, int | None] = {"1 y": 1, "3 y": 3, "All": None}
DEFAULT_YEARS = "3 y"
DEFAULT_WINDOW = 52
HIGH, LOW = 80, 20
"""A COT index beyond these: the side is crowded."""
MAX_GAPS = 12
"""Ranges of missing weeks that are listed; all are counted."""


class Gauge(msgspec.Struct, frozen=True, kw_only=True):
    """One group in the newest whole week: positions in units, shares in percent of open interest."""

    group: Group
    name: str
    long: Decimal | None
    short: Decimal | None
    spread: Decimal | None
    """``None`` for a group that has no such column."""
    net: Decimal | None
    net_change: Decimal | None
    share: float | None
    share_change: float | None
    index: dict[int, float | None]
    """By window in weeks."""
    score: float | None


class Row(msgspec.Struct, frozen=True):
    """One market in the table of its section; ``as_of`` is ``None`` when there is no row of it."""

    market: Market
    as_of: date | None
    stale: bool
    gauge: Gauge


class Line(msgspec.Struct, frozen=True):
    """One line of a chart, one point per report week; ``None`` is a gap and is drawn as one."""

    name: str
    group: Group | None
    points: list[tuple[date, float | None]]


def markets(section: str) -> tuple[Market, ...]:
    return tuple(market for market in MARKETS if market.section == section)


def gauge(found: Study, group: Group) -> Gauge:
    week = found.week
    last = found.last
    return Gauge(
        group=group,
        name=GROUP_TITLES[group],
        long=week.long[group] if week else None,
        short=week.short[group] if week else None,
        spread=week.spread[group] if week and group in SPREADING[found.report] else None,
        net=found.net[group][last] if week else None,
        net_change=cot_study.net_change(found, group),
        share=found.share[group][last] if week else None,
        share_change=cot_study.share_change(found, group),
        index={window: cot_study.index_now(found, group, window) for window in WINDOWS},
        score=cot_study.score_now(found, group),
    )


def order(market: Market, report: Report) -> tuple[Group, ...]:
    """The groups as the page lists them: the two that tell most come first."""
    first = (directional(market, report), counterpart(market, report))
    return (*first, *(group for group in GROUPS[report] if group not in first))


def gauges(found: Study) -> tuple[Gauge, ...]:
    return tuple(gauge(found, group) for group in order(found.market, found.report))


def directional(market: Market, report: Report) -> Group:
    """The group whose position is read as a view on the price."""
    return market.directional if report is Report.TFF else Group.NONCOMMERCIAL


def counterpart(market: Market, report: Report) -> Group:
    """The group that carries or hedges the other side."""
    if report is Report.LEGACY:
        return Group.COMMERCIAL
    return market.carry or Group.DEALER


def rows(studies: Mapping[str, Study], section: str, now_ns: int) -> tuple[Row, ...]:
    """The table of a section: the directional group of each market."""
    found = []
    for market in markets(section):
        study = studies[market.key]
        newest = study.newest
        stale = newest is not None and cot_calendar.is_stale(newest, now_ns)
        found.append(Row(market, newest, stale, gauge(study, directional(market, study.report))))
    return tuple(found)


def since(found: Study, years: int | None) -> int:
    """Index of the first week that a chart of this length shows, counted back from the newest whole week."""
    newest = found.newest
    if years is None or newest is None:
        return 0
    first = newest - timedelta(weeks=52 * years, days=1)  # a day for the Monday before a holiday
    return next(index for index, as_of in enumerate(found.as_of) if as_of >= first)


def position_lines(found: Study, years: int | None, *, units: bool) -> tuple[list[Line], str]:
    """Net position per group, and its unit: percent of open interest, or units cut to a readable size."""
    if not units:
        return _lines(found, found.share, years), "%"
    largest = max(
        (abs(value) for line in found.net.values() for value in line if value is not None), default=0
    )
    size, name = figures.scale(Decimal(largest))
    scaled = {
        group: [None if value is None else float(value / size) for value in line]
        for group, line in found.net.items()
    }
    return _lines(found, scaled, years), f"{name} {found.market.unit}".strip()


def index_lines(found: Study, years: int | None, window: int) -> list[Line]:
    return _lines(
        found, {group: cot_study.index_line(found, group, window) for group in GROUPS[found.report]}, years
    )


def score_lines(found: Study, years: int | None) -> list[Line]:
    return _lines(found, {group: cot_study.score_line(found, group) for group in GROUPS[found.report]}, years)


def interest_line(found: Study, years: int | None) -> tuple[Line, str]:
    """Open interest, and its unit."""
    size, name = figures.scale(
        max((value for value in found.interest if value is not None), default=Decimal(0))
    )
    values = [None if value is None else float(value / size) for value in found.interest]
    start = since(found, years)
    points = list(zip(found.as_of[start:], values[start:], strict=True))
    return Line("Open interest", None, points), f"{name} {found.market.unit}".strip()


def gap_ranges(found: Study, years: int | None) -> list[tuple[date, date]]:
    """Stretches of the chart without a whole week: from the week before a gap to the week after it."""
    start = since(found, years)
    dates = found.as_of
    ranges = []
    for gap in found.gaps:
        before, after = dates.index(gap.first) - 1, dates.index(gap.last) + 1
        if start < after < len(dates):
            ranges.append((dates[max(before, start)], dates[after]))
    return ranges


def gap_words(gaps: Sequence[Gap]) -> list[str]:
    """The gaps as sentences: the weeks that are missing, then the weeks in which a contract is missing."""
    said = []
    missing = [gap for gap in gaps if not gap.missing]
    if missing:
        said.append(f"{_weeks(missing)} missing: {_ranges(missing)}.")
    for names in dict.fromkeys(gap.missing for gap in gaps if gap.missing):
        partial = [gap for gap in gaps if gap.missing == names]
        said.append(f"{_weeks(partial)} without {' and '.join(names)}: {_ranges(partial)}.")
    return said


def _weeks(gaps: list[Gap]) -> str:
    return figures.count(sum(gap.weeks for gap in gaps), "week")


def _ranges(gaps: list[Gap]) -> str:
    shown = [
        str(gap.first) if gap.weeks == 1 else f"{gap.first} … {gap.last} ({gap.weeks})"
        for gap in gaps[:MAX_GAPS]
    ]
    rest = len(gaps) - len(shown)
    return ", ".join(shown) + (f" and {rest} more" if rest else "")


def why_no_index(found: Study) -> str:
    """Why the newest week has no index of some window; empty when it has all."""
    whole = cot_study.whole_weeks(found)
    short = [window for window in WINDOWS if whole < window]
    if not short or not whole:
        return ""
    windows = " and ".join(str(window) for window in short)
    return (
        f"No index over {windows} weeks: a window must be full, and there "
        f"{'is' if whole == 1 else 'are'} {figures.count(whole, 'week')} in a row"
        f"{' since the last gap' if found.gaps else ''}."
    )


def _lines(found: Study, values: Mapping[Group, Sequence[float | None]], years: int | None) -> list[Line]:
    start = since(found, years)
    return [
        Line(GROUP_TITLES[group], group, list(zip(found.as_of[start:], values[group][start:], strict=True)))
        for group in order(found.market, found.report)
    ]
