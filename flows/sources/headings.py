"""Which column of a COT file is which: every spelling the CFTC has used, and the order of the files without headings.

A heading is compared after :func:`normal`, so ``Asset_Mgr_Positions_Long_All`` (text files), ``asset_mgr_positions_long``
(Socrata, which leaves ``_all`` away from some columns) and our own ``asset_manager_long`` are one column, and so are
``Noncommercial Positions-Spreading (All)`` and Socrata's ``noncomm_postions_spread_all`` (sic).
Of the legacy report's three blocks only (All) is read: (Old) and (Other) are crop years.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

import msgspec

from shared.domain.cot import Group, Report, columns
from shared.errors import SourceDataError

_GROUPS: dict[Group, tuple[str, ...]] = {
    Group.NONCOMMERCIAL: ("noncommercial", "noncomm", "nc"),
    Group.COMMERCIAL: ("commercial", "comm", "c"),
    Group.DEALER: ("dealer",),
    Group.ASSET_MANAGER: ("asset mgr", "asset manager"),
    Group.LEVERAGED: ("lev money", "leveraged"),
    Group.OTHER: ("other rept", "other"),
    Group.NONREPORTABLE: ("nonreportable", "nonrept", "nr"),
}
_SIDES = {"long": ("long",), "short": ("short",), "spread": ("spreading", "spread")}
_TELLING = {
    Report.LEGACY: (Group.NONCOMMERCIAL, Group.COMMERCIAL),
    Report.TFF: (Group.DEALER, Group.ASSET_MANAGER, Group.LEVERAGED),
}
"""The groups that no other report has."""
_OTHER_REPORTS = (
    (re.compile(r"(prod merc|swap|m money) .*"), "the disaggregated report"),
    (re.compile(r".* nocit|cit .*"), "the supplemental (index trader) report"),
)
CODE, MARKET, DATE, YYMMDD, KIND = "code", "market", "date", "yymmdd", "kind"
_ABOUT: dict[str, tuple[str, ...]] = {
    CODE: ("cftc contract market code", "code"),
    MARKET: ("market and exchange names", "market"),
    DATE: (
        "report date as yyyy mm dd",
        "report date as mm dd yyyy",
        "as of date in form yyyy mm dd",
        "as of",
    ),
    YYMMDD: ("as of date in form yymmdd",),
    KIND: ("futonly or combined",),
}
_SEPARATORS = re.compile(r"[\W_]+")
_FEW = 3
"""So many known headings make a line of headings."""


def normal(heading: str) -> str:
    """Lower case, words by single spaces; every other sign is a separator.

    A percent sign stays: ``% of OI`` is not ``OI``.
    """
    return _SEPARATORS.sub(" ", heading.replace("%", "pct").casefold()).strip()


def spellings(column: str) -> tuple[str, ...]:
    """All normal headings of one of :func:`~shared.domain.cot.columns`."""
    if column == "open_interest":
        return ("open interest all", "open interest")
    group, _, side = column.rpartition("_")
    parts = product(_GROUPS[Group(group)], (" positions", " postions", ""), _SIDES[side], (" all", ""))
    return tuple(f"{group}{positions} {side}{block}" for group, positions, side, block in parts)


COLUMNS: dict[Report, dict[str, str]] = {
    report: {spelling: column for column in columns(report) for spelling in spellings(column)}
    for report in Report
}
"""Normal heading to column."""
ABOUT: dict[str, str] = {spelling: what for what, all_of_it in _ABOUT.items() for spelling in all_of_it}
"""Normal heading to :data:`CODE`, :data:`MARKET`, :data:`DATE`, :data:`YYMMDD` or :data:`KIND`."""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Where things stand in a line. Positions count from 0; a missing column is ``None``."""

    report: Report
    width: int
    positions: tuple[int, ...]
    """In the order of :func:`~shared.domain.cot.columns`."""
    code: int | None = None
    market: int | None = None
    date: int | None = None
    yymmdd: int | None = None
    kind: int | None = None

    @property
    def open_ended(self) -> bool:
        """A line that was cut in its last column could pass for a whole one."""
        return self.width - 1 in {self.code, self.market, self.date, self.yymmdd}


def layout(cells: Sequence[str], where: str) -> Layout | None:
    """The layout that a line of headings announces; ``None`` when it is no line of headings.

    :raises SourceDataError: headings of another report, of two reports at once, or not all of one.
    """
    headings = [normal(cell) for cell in cells]
    other = next((title for pattern, title in _OTHER_REPORTS if any(map(pattern.fullmatch, headings))), None)
    known = sum(one in ABOUT or any(one in of_report for of_report in COLUMNS.values()) for one in headings)
    if known < _FEW:
        return None
    if other is not None:
        raise SourceDataError(f"{where}: this is {other}, which is not used: take the legacy or the TFF one")
    report = _report(headings, where)
    positions = _places(headings, COLUMNS[report], where)
    missing = [column for column in columns(report) if column not in positions]
    if missing:
        raise SourceDataError(
            f"{where}: a {report} report without a column for {_list(missing)}: get the file again"
        )
    about = _places(headings, ABOUT, where)
    if DATE not in about and YYMMDD not in about:
        raise SourceDataError(f"{where}: no column for the as-of date, like 'Report_Date_as_YYYY-MM-DD'")
    return Layout(
        report=report,
        width=len(headings),
        positions=tuple(positions[column] for column in columns(report)),
        **about,
    )


def _report(headings: Sequence[str], where: str) -> Report:
    """By the groups that the positions are of."""
    found = [
        report
        for report, groups in _TELLING.items()
        if any(COLUMNS[report].get(one, "").rpartition("_")[0] in groups for one in headings)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise SourceDataError(
            f"{where}: columns of the legacy and of the TFF report in one file: take them apart"
        )
    raise SourceDataError(f"{where}: no positions of the legacy or the TFF report: only these two are used")


def _places(headings: Sequence[str], known: Mapping[str, str], where: str) -> dict[str, int]:
    """Where each known column is; one that is there twice could be either."""
    places: dict[str, int] = {}
    for place, heading in enumerate(headings):
        column = known.get(heading)
        if column is None:
            continue
        if column in places:
            raise SourceDataError(f"{where}: columns {places[column] + 1} and {place + 1} are both {column}")
        places[column] = place
    return places


def _list(words: Iterable[str]) -> str:
    """The first few, so that the message stays one line."""
    words = list(words)
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


_HEAD = {MARKET: 0, YYMMDD: 1, DATE: 2, CODE: 3}
WITHOUT_HEADINGS = (
    Layout(report=Report.LEGACY, width=129, positions=(7, 8, 9, 10, 11, 12, 15, 16), **_HEAD),
    Layout(report=Report.TFF, width=87, positions=(*range(7, 20), 22, 23), kind=86, **_HEAD),
)
"""The files of the latest week (``deafut.txt``, ``FinFutWk.txt``); the totals of reportables lie between."""
