"""What each reading of a source brought in: opened, filled reading by reading, closed.

A reading's counts are written in the transaction that stores its rows, once per name: a step that is
repeated because its answer was lost counts nothing twice.
"""

from __future__ import annotations

from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from shared import clock

LONGEST_S = 1800
"""A run that is still open after this was killed: nothing of ours may take longer."""
MAX_REFUSALS = 50
"""Kept word by word; all are counted."""


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """``read = new + unchanged + revised + refused``."""

    read: int = 0
    new: int = 0
    unchanged: int = 0
    revised: int = 0
    refused: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One reading within a run: a file, or one query of a service."""

    name: str
    report: str
    counts: Counts
    note: str = ""
    refusals: list[tuple[str, str]] = []
    """Where and why."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A row of ``source_runs``, its detail unpacked. Stamps in UTC ns, 0 = not yet."""

    id: int
    source: str
    state: str
    started_ns: int
    finished_ns: int
    counts: Counts
    parts: list[Part]
    """Without their refusals: those are the run's."""
    refusals: list[tuple[str, str]]
    """Where and why; the first ``MAX_REFUSALS`` of them."""
    trigger: str
    error: str


Connection = psycopg.Connection[Any]


def start(connection: Connection, source: str, trigger: str) -> int:
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
        [source, now, Jsonb({"trigger": trigger, "sources": [], "refusals": []})],
    ).fetchone()
    assert row is not None
    return int(row[0])


def part(connection: Connection, run_id: int, name: str, report: str) -> Part | None:
    """What this reading brought in when it was stored already; locks the run for this transaction."""
    found = _read(connection, run_id)
    return next((one for one in found.parts if (one.name, one.report) == (name, report)), None)


def add(connection: Connection, run_id: int, done: Part) -> None:
    """Count a reading, in the transaction that stores its rows."""
    counts = done.counts
    refusals = [{"where": where, "reason": reason} for where, reason in done.refusals]
    connection.execute(
        "update source_runs set read_rows = read_rows + %s, new_rows = new_rows + %s,"
        " unchanged_rows = unchanged_rows + %s, revised_rows = revised_rows + %s,"
        " refused_rows = refused_rows + %s,"
        " detail = jsonb_set(jsonb_set(detail, '{sources}', detail->'sources' || %s::jsonb), '{refusals}',"
        " jsonb_path_query_array(detail->'refusals' || %s::jsonb, %s::jsonpath)) where id = %s",
        [
            *(counts.read, counts.new, counts.unchanged, counts.revised, counts.refused),
            Jsonb(
                [{"name": done.name, "report": done.report, "note": done.note, **msgspec.to_builtins(counts)}]
            ),
            Jsonb(refusals),
            f"$[0 to {MAX_REFUSALS - 1}]",
            run_id,
        ],
    )


def finish(connection: Connection, run_id: int, error: str = "") -> Run:
    """Close a run: done, or failed with one line that says why."""
    connection.execute(
        "update source_runs set state = %s, finished_ns = %s, detail = detail || %s where id = %s",
        ["failed" if error else "done", clock.now_ns(), Jsonb({"error": error} if error else {}), run_id],
    )
    return _read(connection, run_id)


def _read(connection: Connection, run_id: int) -> Run:
    """The run, locked until the transaction ends."""
    query = "select * from source_runs where id = %s for update"
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query, [run_id]).fetchone()
    assert row is not None, "a run is never deleted while it is used"
    return _unpacked(row)


def _unpacked(row: dict[str, Any]) -> Run:
    detail = row["detail"]
    return Run(
        id=row["id"],
        source=row["source"],
        state=row["state"],
        started_ns=row["started_ns"],
        finished_ns=row["finished_ns"],
        counts=Counts(**{name: row[f"{name}_rows"] for name in Counts.__struct_fields__}),
        parts=[
            Part(
                name=one["name"],
                report=one["report"],
                note=one["note"],
                counts=Counts(**{name: one[name] for name in Counts.__struct_fields__}),
            )
            for one in detail["sources"]
        ],
        refusals=[(one["where"], one["reason"]) for one in detail["refusals"]],
        trigger=detail["trigger"],
        error=detail.get("error", ""),
    )
