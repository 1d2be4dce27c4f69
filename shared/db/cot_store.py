"""Bring readings of the Commitments of Traders into Postgres; the only writer of their tables.

A row is replaced only by a row of a *newer* state of the source (``snapshot_ns``), and what it said before
goes to ``cot_revisions`` in the same transaction. A differing row of an older state goes there at once. Two
states that are equally old and disagree cannot be put in order: the stored row stays, the other one is refused
and kept there too. Otherwise the order in which files are imported does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Table

from shared import clock
from shared.db import source_runs, upsert
from shared.db.cot_history import SOURCE, TABLES
from shared.db.engine import transaction
from shared.db.source_runs import Part, Refusal
from shared.db.upsert import STAGE, Target
from shared.domain.cot import Positions, Report, columns
from shared.rules.cot import report_week
from shared.rules.cot_calendar import scheduled_release

__all__ = ["SOURCE", "TARGETS", "missing", "newest", "store"]

STORE_MS = 600_000
"""For one statement of a large archive, and for waiting until another one is stored."""
NEAR_DAYS = 4
"""An as-of date this long before a Tuesday can stand for it."""


def _table(report: Report) -> Table:
    table = TABLES[report].__table__
    assert isinstance(table, Table)
    return table


def _target(report: Report) -> Target:
    return Target(
        table=_table(report),
        columns=(
            *("code", "as_of", "market"),
            *columns(report),
            *("source", "snapshot_ns", "scheduled_release_ns", "first_seen_ns", "updated_ns"),
        ),
        facts=columns(report),
        kept=("first_seen_ns",),
        versioned=("source", "updated_ns"),
        counter="revision",
        newest="snapshot_ns",
    )


TARGETS = {report: _target(report) for report in Report}


def store(
    url: str,
    run_id: int,
    name: str,
    report: Report,
    rows: Sequence[Positions],
    *,
    repeated: int = 0,
    refused: Sequence[Refusal] = (),
    snapshot_ns: int,
    note: str = "",
    once: bool = True,
) -> Part:
    """Bring one reading in, in one transaction, and count it in its run.

    Besides ``rows`` the source had ``refused`` ones, and ``repeated`` ones that say nothing new. ``once``: a
    reading of this name that the run has stored already is not stored again, because the step may be
    repeated. Raises :class:`~shared.errors.DatabaseError` when Postgres is away; then nothing has changed.
    """
    with transaction(url, statement_ms=STORE_MS) as connection:
        known = source_runs.part(connection, run_id, name, report) if once else None
        if known is not None:
            return known
        keeper = _Keeper(report, clock.now_ns())
        stamps = (name, snapshot_ns)
        merged = upsert.upsert(
            connection,
            TARGETS[report],
            (
                (
                    *(row.code, row.as_of, row.market),
                    *row.values,
                    *stamps,
                    scheduled_release(row.as_of),
                    *(keeper.now_ns, keeper.now_ns),
                )
                for row in rows
            ),
            before=keeper,
        )
        refusals = [*refused, *keeper.disagreeing]
        aside = f"{keeper.older} older versions kept aside" if keeper.older else ""
        done = Part(
            name=name,
            report=report,
            note="; ".join(filter(None, (note, aside))),
            read=len(rows) + len(refused) + repeated,
            new=merged.new,
            revised=merged.changed,
            refused=len(refusals),
            unchanged=merged.unchanged - len(keeper.disagreeing) + repeated,
        )
        source_runs.add(connection, run_id, done, refusals)
        return done


class _Keeper:
    """Keeps the versions that will not be the current ones, and tells what cannot be put in order."""

    def __init__(self, report: Report, now_ns: int) -> None:
        self.now_ns = now_ns
        self.older = 0
        """Rows that say otherwise than a newer state."""
        self.disagreeing: list[Refusal] = []
        self._report = report
        target = TARGETS[report]
        table = target.table.name
        self._parts = {
            "table": sql.Identifier(table),
            "stage": sql.Identifier(STAGE),
            "same": upsert.same_key(target, table),
            "differ": upsert.differ(target, table),
            "stored_positions": _as_json(report, table),
            "coming_positions": _as_json(report, STAGE),
        }

    def __call__(self, cursor: upsert.Cursor) -> None:
        self._heal(cursor)
        self._keep(cursor, "table", "stored_positions", ">")
        self._keep(cursor, "stage", "coming_positions", "<=")
        cursor.execute(
            sql.SQL(
                "select {stage}.code, {stage}.as_of, {stage}.source, {table}.source,"
                " {stage}.snapshot_ns = {table}.snapshot_ns from {table} join {stage} on {same}"
                " where {differ} and {stage}.snapshot_ns <= {table}.snapshot_ns order by 2, 1"
            ).format(**self._parts)
        )
        for code, as_of, coming, stored, equally_old in cursor.fetchall():
            if equally_old:
                self.disagreeing.append(_disagreement(code, as_of, coming, stored))
            else:
                self.older += 1

    def _heal(self, cursor: upsert.Cursor) -> None:
        """A stamp from the future, of a day on which this machine's clock was wrong, must not bar corrections."""
        query = (
            "update {table} set snapshot_ns = {table}.scheduled_release_ns from {stage}"
            " where {same} and {table}.snapshot_ns > %(now)s"
        )
        cursor.execute(sql.SQL(query).format(**self._parts), {"now": self.now_ns})

    def _keep(self, cursor: upsert.Cursor, of: str, positions: str, newer: str) -> None:
        """Into ``cot_revisions``: what is about to be replaced, or what came too late; the same thing once."""
        query = (
            "insert into cot_revisions (report, code, as_of, market, positions, positions_hash, source, snapshot_ns,"
            " seen_ns, superseded_ns) select %(report)s, {of}.code, {of}.as_of, {of}.market, positions,"
            " md5(positions::text), {of}.source, {of}.snapshot_ns, {of}.updated_ns, %(now)s"
            " from {table} join {stage} on {same}, lateral (select {positions} as positions) as made"
            " where {differ} and {stage}.snapshot_ns {newer} {table}.snapshot_ns"
            " and (%(replaced)s or not exists (select from cot_revisions as had where had.report = %(report)s"
            " and had.code = {of}.code and had.as_of = {of}.as_of and had.positions_hash = md5(positions::text)))"
            " on conflict do nothing"
        )
        arguments = {"report": self._report.value, "now": self.now_ns, "replaced": of == "table"}
        parts = {
            **self._parts,
            "of": self._parts[of],
            "positions": self._parts[positions],
            "newer": sql.SQL(newer),
        }
        cursor.execute(sql.SQL(query).format(**parts), arguments)


def _disagreement(code: str, as_of: date, coming: str, stored: str) -> Refusal:
    reason = (
        f"says otherwise than {stored}, and neither is newer: the stored row stays"
        " (`kestrel cot import --snapshot` tells when a file was published)"
    )
    return Refusal(f"{coming} {code} {as_of}", reason)


def _as_json(report: Report, of: str) -> sql.Composed:
    pairs = (
        sql.SQL("{}, {}").format(sql.Literal(name), sql.Identifier(of, name)) for name in columns(report)
    )
    return sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs))


def missing(connection: psycopg.Connection[Any], report: Report, codes: Sequence[str], due: date) -> bool:
    """Whether a report that is due is not there for every contract that had the last one before it."""
    found = connection.execute(
        sql.SQL(
            "select exists (select from {table} as before where code = any(%(codes)s) and as_of ="
            " (select max(as_of) from {table} where code = any(%(codes)s) and as_of < %(first)s)"
            " and not exists (select from {table} as now where now.code = before.code and now.as_of >= %(first)s))"
            " or not exists (select from {table} where code = any(%(codes)s) and as_of >= %(first)s)"
        ).format(table=sql.Identifier(_table(report).name)),
        {"codes": list(codes), "first": report_week(due) - timedelta(days=NEAR_DAYS)},
    ).fetchone()
    assert found is not None
    return bool(found[0])


def newest(connection: psycopg.Connection[Any], report: Report, codes: Sequence[str]) -> date | None:
    """The newest as-of date that is stored of any of these codes."""
    row = connection.execute(
        sql.SQL("select max(as_of) from {} where code = any(%s)").format(sql.Identifier(_table(report).name)),
        [list(codes)],
    ).fetchone()
    assert row is not None
    found: date | None = row[0]
    return found
