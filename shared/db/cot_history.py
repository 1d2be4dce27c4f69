"""Commitments of traders as they stand now: the questions of the pages.

What brings the rows in is :mod:`shared.db.cot_store`; how weeks and indices follow from them is
:mod:`shared.rules.cot`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from shared.db import source_runs
from shared.db.facts import CotLegacy, CotTff, SourceRun
from shared.db.source_runs import Run
from shared.domain.cot import Positions, Report, columns

TABLES: dict[Report, type[CotLegacy] | type[CotTff]] = {Report.LEGACY: CotLegacy, Report.TFF: CotTff}
SOURCE = "cot"
WATCHED_RUNS = 20


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One current row with its three times; ``as_of`` is in the positions. Stamps are UTC nanoseconds."""

    positions: Positions
    source: str
    revision: int
    """How often it was revised: 0 = as first stored."""
    scheduled_release_ns: int
    first_seen_ns: int
    updated_ns: int


class Mark(msgspec.Struct, frozen=True):
    """Changes with everything that is stored: rows are only ever written together with their run's counts.

    Sums over the newest :data:`WATCHED_RUNS` runs, since a run may go on while another one begins.
    """

    run_id: int
    finished_ns: int
    runs: int
    parts: int


def entries(session: Session, report: Report, codes: Iterable[str]) -> list[Entry]:
    """Every current row of these contracts, by as-of date and code."""
    table, names = TABLES[report], columns(report)
    stamps = ("source", "revision", "scheduled_release_ns", "first_seen_ns", "updated_ns")
    query = (
        select(*(getattr(table, name) for name in ("code", "as_of", "market", *stamps, *names)))
        .where(table.code.in_(list(codes)))
        .order_by(table.as_of, table.code)
    )
    found = []
    for code, as_of, market, source, revision, released, seen, updated, *values in session.execute(query):
        positions = Positions(report=report, code=code, as_of=as_of, market=market, values=tuple(values))
        entry = Entry(
            positions=positions,
            source=source,
            revision=revision,
            scheduled_release_ns=released,
            first_seen_ns=seen,
            updated_ns=updated,
        )
        found.append(entry)
    return found


def last_run(session: Session, *, state: str | None = None) -> Run | None:
    """The newest reading, or the newest in that ``state``."""
    return source_runs.last(session, SOURCE, state=state)


def mark(session: Session) -> Mark:
    """What tells a page, in one small row, whether to read everything again."""
    newest = (
        select(SourceRun.id, SourceRun.finished_ns, SourceRun.detail["sources"].label("sources"))
        .where(SourceRun.source == SOURCE)
        .order_by(SourceRun.id.desc())
        .limit(WATCHED_RUNS)
        .subquery()
    )
    parts = func.sum(func.jsonb_array_length(newest.c.sources))
    found = session.execute(
        select(func.max(newest.c.id), func.sum(newest.c.finished_ns), func.count(), parts)
    ).one()
    return Mark(*(int(value or 0) for value in found))


def is_empty(session: Session) -> bool:
    """Whether there is no row of any market in either report."""
    return not session.scalar(select(or_(*(exists(select(table.code)) for table in TABLES.values()))))
