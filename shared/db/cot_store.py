"""Bring readings of the Commitments of Traders into Postgres; the only writer of their tables.

A row is replaced only by a row of a *newer* state of the source (``snapshot_ns``), and what it said before
goes to ``cot_revisions`` in the same transaction. A differing row of an older state goes there at once. Two
states that are equally old and disagree cannot be put in order: the stored row stays, the other is refused.
So the order in which files are imported does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
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
from shared.rules.cot_calendar import scheduled_release

__all__ = ["SOURCE", "TARGETS", "newest", "store"]


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
    read: int,
    refused: Sequence[Refusal],
    snapshot_ns: int,
    note: str = "",
) -> Part:
    """Bring one reading in, in one transaction, and count it in its run.

    ``read`` is how many rows the source had: ``rows``, ``refused``, and repetitions, which count as
    unchanged. A reading that this run has stored already is not stored again. Raises
    :class:`~shared.errors.DatabaseError` when Postgres is away; then nothing has changed.
    """
    with transaction(url) as connection:
        known = source_runs.part(connection, run_id, name, report)
        if known is not None:
            return known
        disagreeing: list[Refusal] = []
        keeper = _Keeper(report, clock.now_ns(), disagreeing)
        merged = upsert.upsert(
            connection,
            TARGETS[report],
            (
                (
                    row.code,
                    row.as_of,
                    row.market,
                    *row.values,
                    name,
                    snapshot_ns,
                    scheduled_release(row.as_of),
                    keeper.now_ns,
                    keeper.now_ns,
                )
                for row in rows
            ),
            before=keeper,
        )
        refusals = [*refused, *disagreeing]
        done = Part(
            name=name,
            report=report,
            note=note,
            read=read,
            new=merged.new,
            revised=merged.changed,
            refused=len(refusals),
            unchanged=read - merged.new - merged.changed - len(refusals),
        )
        source_runs.add(connection, run_id, done, refusals)
        return done


class _Keeper:
    """Keeps the versions that will not be the current ones, and tells what cannot be put in order."""

    def __init__(self, report: Report, now_ns: int, disagreeing: list[Refusal]) -> None:
        self.now_ns = now_ns
        self._report = report
        self._disagreeing = disagreeing
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
        arguments = {"report": self._report.value, "now": self.now_ns}
        into = (
            "insert into cot_revisions (report, code, as_of, market, positions, positions_hash, source, snapshot_ns,"
            " seen_ns, superseded_ns) select %(report)s, {of}.code, {of}.as_of, {of}.market, positions,"
            " md5(positions::text), {of}.source, {of}.snapshot_ns, {of}.updated_ns, %(now)s"
            " from {table} join {stage} on {same}, lateral (select {positions} as positions) as made"
            " where {differ} and {stage}.snapshot_ns {newer} {table}.snapshot_ns on conflict do nothing"
        )
        for of, positions, newer in (("table", "stored_positions", ">"), ("stage", "coming_positions", "<")):
            cursor.execute(
                sql.SQL(into).format(
                    **self._parts, of=self._parts[of], positions=self._parts[positions], newer=sql.SQL(newer)
                ),
                arguments,
            )
        cursor.execute(
            sql.SQL(
                "select {stage}.code, {stage}.as_of, {stage}.source, {table}.source from {table} join {stage} on {same}"
                " where {differ} and {stage}.snapshot_ns = {table}.snapshot_ns order by 2, 1"
            ).format(**self._parts)
        )
        self._disagreeing.extend(_disagreement(*row) for row in cursor.fetchall())


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


def newest(connection: psycopg.Connection[Any], report: Report, codes: Sequence[str]) -> date | None:
    """The newest as-of date that is stored of any of these codes."""
    row = connection.execute(
        sql.SQL("select max(as_of) from {} where code = any(%s)").format(sql.Identifier(_table(report).name)),
        [list(codes)],
    ).fetchone()
    assert row is not None
    found: date | None = row[0]
    return found
