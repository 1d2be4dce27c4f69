"""What every source of Commitments of Traders gives: a :class:`Reading`, and how one is put together.

A reading keeps what was good and says what was not: a damaged row is refused with its place and a reason,
and never takes the rows beside it along. Nothing is corrected: a row is either what the CFTC published or absent.
"""

from __future__ import annotations

from datetime import date

import msgspec

from shared.domain.cot import OTHER_CONTRACTS, Positions, Report, columns, identity_error, market_of
from shared.errors import SourceDataError
from shared.rules.cot_calendar import scheduled_release

SHOWN = 120
"""Characters of a refused row that are kept."""

MAX_REFUSED = 10_000
"""A source with more damaged rows than this is no report."""

Key = tuple[str, date]


class RowError(SourceDataError):
    """One row cannot be used; the message is the reason."""


class Refusal(msgspec.Struct, frozen=True):
    """One row that was not taken."""

    where: str
    """``F2017.csv line 12`` or ``row 17 of page 2``."""
    reason: str
    text: str
    """How the row begins, at most :data:`SHOWN` characters, without control characters."""


class Reading(msgspec.Struct, kw_only=True):
    """One report out of one file or one query: ``read = len(rows) + len(refused) + repeated``."""

    source: str
    """File name, or ``socrata 6dca-aqww``."""
    report: Report
    rows: list[Positions]
    """In the order in which they came; each (code, as-of date) once."""
    refused: list[Refusal]
    read: int
    repeated: int
    """Rows that said again what another one had said."""
    snapshot_ns: int
    """The state of the source that this shows, UTC; 0 = unknown, because there is no row in it."""


def plain(text: str, length: int = SHOWN) -> str:
    """The beginning of a text from outside, fit for one line of a log or a page."""
    return "".join(sign if sign.isprintable() else " " for sign in text[:length]).strip()


def check(row: Positions) -> None:
    """Raise :class:`RowError` when the columns of a row cannot belong together."""
    error = identity_error(row)
    if error is not None:
        raise RowError(error)


def known_name(code: str) -> str:
    """A name for a market whose source prints none: ours, or its code."""
    market = market_of(code)
    members = OTHER_CONTRACTS if market is None else market.members
    return next((member.name for member in members if member.code == code), code)


def released(rows: list[Positions], now_ns: int) -> int:
    """When the newest of these rows was due: a file that holds it is not older. 0 without rows.

    Never after ``now_ns``: reports held back by an outage have come before the day announced for them.
    """
    newest = max((row.as_of for row in rows), default=None)
    return 0 if newest is None else min(scheduled_release(newest), now_ns)


class Collector:
    """Gathers the rows of one source; one (code, as-of date) can only be told one way."""

    def __init__(self, source: str, report: Report) -> None:
        self.source = source
        self.report = report
        self._kept: dict[Key, tuple[Positions, str, str]] = {}
        self._disputed: set[Key] = set()
        self._refused: list[Refusal] = []
        self._read = 0
        self.repeated = 0

    def add(self, row: Positions, where: str, text: str) -> None:
        """Take a row that is good in itself, unless an earlier one of its key says otherwise: then neither."""
        self._read += 1
        key = (row.code, row.as_of)
        if key in self._disputed:
            self._refuse(where, f"rows before it disagree about {row.code} as of {row.as_of}", text)
            return
        known = self._kept.get(key)
        if known is None:
            self._kept[key] = (row, where, text[:SHOWN])
        elif known[0].values == row.values:
            self.repeated += 1
        else:
            self._dispute(key, row, where, text)

    def refuse(self, where: str, reason: str, text: str) -> None:
        self._read += 1
        self._refuse(where, reason, text)

    def reading(self, snapshot_ns: int | None, now_ns: int) -> Reading:
        """Everything so far; without a ``snapshot_ns`` it is :func:`released`."""
        rows = [row for row, _, _ in self._kept.values()]
        return Reading(
            source=self.source,
            report=self.report,
            rows=rows,
            refused=self._refused,
            read=self._read,
            repeated=self.repeated,
            snapshot_ns=released(rows, now_ns) if snapshot_ns is None else snapshot_ns,
        )

    def _dispute(self, key: Key, row: Positions, where: str, text: str) -> None:
        """Of two rows that disagree nobody can say which one is right."""
        first, first_where, first_text = self._kept.pop(key)
        self._disputed.add(key)
        column, ours, theirs = next(
            (name, before, now)
            for name, before, now in zip(columns(self.report), first.values, row.values, strict=True)
            if before != now
        )
        about = f"about {row.code} as of {row.as_of}: {column.replace('_', ' ')}"
        self._refuse(first_where, f"{where} disagrees {about} {theirs}, here {ours}", first_text)
        self._refuse(where, f"{first_where} disagrees {about} {ours}, here {theirs}", text)

    def _refuse(self, where: str, reason: str, text: str) -> None:
        self._refused.append(Refusal(where, reason, plain(text)))
        if len(self._refused) > MAX_REFUSED:
            first = self._refused[0]
            raise SourceDataError(
                f"{self.source} has more than {MAX_REFUSED} damaged rows; {first.where}: {first.reason}"
            )
