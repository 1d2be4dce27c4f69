"""Commitments of traders as they stand now: the questions of the pages.

What brings the rows in is :mod:`shared.db.cot_store`; how weeks and indices follow from them is
:mod:`shared.rules.cot`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from shared.db.facts import CotLegacy, CotTff, SourceRun
from shared.domain.cot import Positions, Report, columns

TABLES: dict[Report, type[CotLegacy] | type[CotTff]] = {Report.LEGACY: CotLegacy, Report.TFF: CotTff}
SOURCE = "cot"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One current row with its three times; ``as_of`` is in the positions. Stamps are UTC nanoseconds."""

    positions: Positions
    source: str
    revision: int
    """How often it was revised: 0 = as first stored."""
    scheduled_release_ns: int
    first_seen_ns: int
    updated_ns: int


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One reading within a run: a file, or one query of a service."""

    name: str
    report: str = ""
    read: int = 0
    new: int = 0
    unchanged: int = 0
    revised: int = 0
    refused: int = 0
    note: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """A row that was left out: in which file and line, and what is wrong with it."""

    where: str
    reason: str


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a run that is kept as JSON; see ``source_runs`` in :mod:`shared.db.facts`."""

    trigger: str = ""
    """``flow`` or ``import``."""
    sources: tuple[Part, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """The first ones; all are counted in ``refused_rows``."""
    error: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading of the source brought in: ``read = new + unchanged + revised + refused``."""

    id: int
    state: str
    """``running``, ``done`` or ``failed``."""
    started_ns: int
    finished_ns: int
    read_rows: int
    new_rows: int
    unchanged_rows: int
    revised_rows: int
    refused_rows: int
    detail: Detail


class Mark(msgspec.Struct, frozen=True):
    """Changes with everything that is stored: rows are only ever written together with their run's counts."""

    run_id: int
    state: str
    finished_ns: int
    read_rows: int
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


def last_run(session: Session, *, state: str | None = None, source: str = SOURCE) -> Run | None:
    """The newest reading of the source, or the newest in that ``state``."""
    query = (
        select(*(getattr(SourceRun, name) for name in Run.__struct_fields__))
        .where(SourceRun.source == source)
        .order_by(SourceRun.started_ns.desc(), SourceRun.id.desc())
        .limit(1)
    )
    if state is not None:
        query = query.where(SourceRun.state == state)
    row = session.execute(query).mappings().first()
    if row is None:
        return None
    return Run(**{**row, "detail": msgspec.convert(row["detail"], Detail)})


def mark(session: Session) -> Mark:
    """What tells a page, in one small row, whether to read everything again."""
    run = last_run(session)
    if run is None:
        return Mark(0, "", 0, 0, 0)
    return Mark(run.id, run.state, run.finished_ns, run.read_rows, len(run.detail.sources))


def is_empty(session: Session) -> bool:
    """Whether there is no row of any market in either report."""
    return not session.scalar(select(or_(*(exists(select(table.code)) for table in TABLES.values()))))
