"""One market's positions as lines over its report weeks: what the COT page draws.

Pure. Every formula is one of :mod:`shared.rules.cot`; here they are only lined up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import TypeVar

import msgspec

from shared.db.cot_history import Entry
from shared.domain.cot import GROUPS, Group, Market, Report
from shared.rules import cot

SCORE_WINDOW = 52

Number = TypeVar("Number", Decimal, float)


class Member(msgspec.Struct, frozen=True):
    """A contract that is summed into a market; dates are ``None`` while there is no row of it."""

    code: str
    name: str
    units: Decimal
    first: date | None
    last: date | None


class Gap(msgspec.Struct, frozen=True):
    """Report weeks in a row without a whole picture. ``missing`` names the contracts when others are there."""

    first: date
    last: date
    weeks: int
    missing: tuple[str, ...] = ()


class Study(msgspec.Struct, frozen=True, kw_only=True):
    """Lines over ``as_of``, oldest first, ``None`` in the weeks of a gap. ``net`` and ``interest`` in units."""

    market: Market
    report: Report
    members: tuple[Member, ...]
    as_of: tuple[date, ...] = ()
    interest: tuple[Decimal | None, ...] = ()
    net: dict[Group, tuple[Decimal | None, ...]] = {}
    share: dict[Group, tuple[float | None, ...]] = {}
    """Net in percent of open interest."""
    gaps: tuple[Gap, ...] = ()
    last: int = -1
    """Index of the newest week without a gap; -1 when there is none."""
    week: cot.Week | None = None
    """That week."""
    entries: tuple[Entry, ...] = ()
    """Its rows."""

    @property
    def newest(self) -> date | None:
        return self.as_of[self.last] if self.last >= 0 else None


def study(market: Market, report: Report, entries: Iterable[Entry]) -> Study:
    """Everything that is drawn of one market, from its rows of one report."""
    codes = {member.code for member in market.members}
    mine = [entry for entry in entries if entry.positions.code in codes]
    weeks = cot.combine(market, [entry.positions for entry in mine])
    found: dict[date, list[Entry]] = {}
    for entry in mine:
        found.setdefault(cot.report_week(entry.positions.as_of), []).append(entry)
    last = max((index for index, week in enumerate(weeks) if week.complete), default=-1)
    groups = GROUPS[report]
    members = _members(market, mine)
    return Study(
        market=market,
        report=report,
        members=members,
        as_of=tuple(week.as_of for week in weeks),
        interest=tuple(week.open_interest if week.complete else None for week in weeks),
        net={
            group: tuple(cot.net(week, group) if week.complete else None for week in weeks)
            for group in groups
        },
        share={
            group: tuple(cot.net_share(week, group) if week.complete else None for week in weeks)
            for group in groups
        },
        gaps=_gaps(members, weeks, found),
        last=last,
        week=weeks[last] if last >= 0 else None,
        entries=tuple(found[cot.report_week(weeks[last].as_of)]) if last >= 0 else (),
    )


def index_line(found: Study, group: Group, window: int) -> list[float | None]:
    """The COT index of each week, from the net percentage of open interest."""
    return cot.cot_index(found.share[group], window)


def score_line(found: Study, group: Group) -> list[float | None]:
    return cot.z_score(found.share[group], SCORE_WINDOW)


def index_now(found: Study, group: Group, window: int) -> float | None:
    """The COT index of the newest whole week."""
    lately = _until_now(found.share[group], found.last, window)
    return cot.cot_index(lately, window)[-1] if lately else None


def score_now(found: Study, group: Group) -> float | None:
    lately = _until_now(found.share[group], found.last, SCORE_WINDOW + 1)
    return cot.z_score(lately, SCORE_WINDOW)[-1] if lately else None


def share_change(found: Study, group: Group) -> float | None:
    """Percentage points since the week before; ``None`` across a gap."""
    now, before = _pair(found.share[group], found.last)
    return None if now is None or before is None else now - before


def net_change(found: Study, group: Group) -> Decimal | None:
    """Units since the week before; ``None`` across a gap."""
    now, before = _pair(found.net[group], found.last)
    return None if now is None or before is None else now - before


def interest_change(found: Study) -> Decimal | None:
    now, before = _pair(found.interest, found.last)
    return None if now is None or before is None else now - before


def whole_weeks(found: Study) -> int:
    """Weeks in a row without a gap, up to the newest whole one."""
    count = 0
    while count <= found.last and found.interest[found.last - count] is not None:
        count += 1
    return count


def _until_now(values: Sequence[float | None], last: int, length: int) -> Sequence[float | None]:
    return values[max(0, last + 1 - length) : last + 1]


def _pair(values: Sequence[Number | None], last: int) -> tuple[Number | None, Number | None]:
    if last < 0:
        return None, None
    return values[last], values[last - 1] if last > 0 else None


def _members(market: Market, entries: list[Entry]) -> tuple[Member, ...]:
    dates: dict[str, list[date]] = {}
    for entry in entries:
        dates.setdefault(entry.positions.code, []).append(entry.positions.as_of)
    return tuple(
        Member(
            member.code,
            member.name,
            member.units,
            min(dates[member.code]) if member.code in dates else None,
            max(dates[member.code]) if member.code in dates else None,
        )
        for member in market.members
    )


def _gaps(
    members: tuple[Member, ...], weeks: list[cot.Week], found: dict[date, list[Entry]]
) -> tuple[Gap, ...]:
    """Incomplete weeks, joined while they follow each other and miss the same contracts."""
    gaps: list[Gap] = []
    joined = False
    for week in weeks:
        if week.complete:
            joined = False
            continue
        there = {entry.positions.code for entry in found.get(cot.report_week(week.as_of), [])}
        began = [member for member in members if member.first is not None and member.first <= week.as_of]
        missing = tuple(member.name for member in began if member.code not in there) if there else ()
        if joined and gaps[-1].missing == missing:
            gaps[-1] = Gap(gaps[-1].first, week.as_of, gaps[-1].weeks + 1, missing)
        else:
            gaps.append(Gap(week.as_of, week.as_of, 1, missing))
        joined = True
    return tuple(gaps)
