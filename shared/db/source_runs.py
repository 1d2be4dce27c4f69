"""What each reading of a source brought in: opened, filled reading by reading, closed.

A reading's counts are written in the transaction that stores its rows, once per name: a step that is
repeated because its answer was lost counts nothing twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb
from sqlalchemy import select
from sqlalchemy.orm import Session

from shared import clock
from shared.db.facts import SourceRun

LONGEST_S = 3_600
"""A run that is still open after this was killed: nothing of ours may take longer."""
MAX_REFUSALS = 1_000
"""Kept word by word; all are counted."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """``read = new + unchanged + revised + refused``."""

    read: int = 0
    new: int = 0
    unchanged: int = 0
    revised: int = 0
    refused: int = 0


class Part(Counts, frozen=True, kw_only=True):
    """One reading within a run: a file, or one query of a service."""

    name: str
    report: str = ""
    note: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """A row that was left out: in which file and line, and what is wrong with it."""

    where: str
    reason: str


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a run that is kept as JSON."""

    trigger: str = ""
    """``flow`` or ``import``."""
    whole: bool = False
    """The whole history was asked for."""
    sources: tuple[Part, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    """The first ``MAX_REFUSALS``; all are counted in ``refused_rows``."""
    error: str = ""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``source_runs``. Stamps in UTC ns, 0 = not yet."""

    id: int
    source: str
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

    @property
    def counts(self) -> Counts:
        return Counts(**{name: getattr(self, f"{name}_rows") for name in COUNTS})


COUNTS = Counts.__struct_fields__
Connection = psycopg.Connection[Any]


def start(connection: Connection, source: str, trigger: str, *, whole: bool = False) -> int:
    """Open a run and give its id; runs of this source that were killed are closed as failed."""
    now = clock.now_ns()
    connection.execute(
        "update source_runs set state = 'failed', finished_ns = %s,"
        " detail = detail || %s"
        " where source = %s and state = 'running' and started_ns < %s",
        [now, Jsonb({"error": "it was ended before it was done"}), source, now - LONGEST_S * clock.SECOND],
    )
    row = connection.execute(
        "insert into source_runs (source, state, started_ns, detail) values (%s, 'running', %s, %s) returning id",
        [source, now, Jsonb({"trigger": trigger, "whole": whole, "sources": [], "refusals": []})],
    ).fetchone()
    assert row is not None
    return int(row[0])


def had_whole(connection: Connection, source: str) -> bool:
    """Whether a run that asked for the whole history was ever done."""
    row = connection.execute(
        "select exists (select from source_runs where source = %s and state = 'done' and detail @> %s)",
        [source, Jsonb({"whole": True})],
    ).fetchone()
    assert row is not None
    return bool(row[0])


def part(connection: Connection, run_id: int, name: str, report: str) -> Part | None:
    """What this reading brought in when it was stored already; locks the run for this transaction."""
    found = _read(connection, run_id)
    return next((one for one in found.detail.sources if (one.name, one.report) == (name, report)), None)


def add(connection: Connection, run_id: int, done: Part, refusals: Sequence[Refusal]) -> None:
    """Count a reading, in the transaction that stores its rows."""
    connection.execute(
        "update source_runs set read_rows = read_rows + %s, new_rows = new_rows + %s,"
        " unchanged_rows = unchanged_rows + %s, revised_rows = revised_rows + %s,"
        " refused_rows = refused_rows + %s,"
        " detail = jsonb_set(jsonb_set(detail, '{sources}', detail->'sources' || %s::jsonb), '{refusals}',"
        " jsonb_path_query_array(detail->'refusals' || %s::jsonb, %s::jsonpath)) where id = %s",
        [
            *(getattr(done, name) for name in COUNTS),
            Jsonb([msgspec.to_builtins(done)]),
            Jsonb(msgspec.to_builtins(refusals[:MAX_REFUSALS])),
            f"$[0 to {MAX_REFUSALS - 1}]",
            run_id,
        ],
    )


def finish(connection: Connection, run_id: int, failed: str | None = None) -> Run:
    """Close a run: done, or failed with one line that says why. What it stored stays."""
    connection.execute(
        "update source_runs set state = %s, finished_ns = %s, detail = detail || %s where id = %s",
        ["done" if failed is None else "failed", clock.now_ns(), Jsonb({"error": failed or ""}), run_id],
    )
    return _read(connection, run_id)


def _read(connection: Connection, run_id: int) -> Run:
    """The run, locked until the transaction ends."""
    query = "select * from source_runs where id = %s for update"
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, [run_id]).fetchone()
    assert row is not None, "a run is never deleted while it is used"
    return _unpacked(row)


def last(session: Session, source: str, *, state: str | None = None) -> Run | None:
    """The newest reading of a source, or the newest in that ``state``; for the pages."""
    query = (
        select(*(getattr(SourceRun, name) for name in Run.__struct_fields__))
        .where(SourceRun.source == source)
        .order_by(SourceRun.started_ns.desc(), SourceRun.id.desc())
        .limit(1)
    )
    if state is not None:
        query = query.where(SourceRun.state == state)
    row = session.execute(query).mappings().first()
    return None if row is None else _unpacked(dict(row))


def _unpacked(row: dict[str, Any]) -> Run:
    return Run(**{**row, "detail": msgspec.convert(row["detail"], Detail)})
