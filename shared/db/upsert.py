"""Bring many rows into a table of facts: COPY into a temporary table, then one ``INSERT … ON CONFLICT``.

All flows store through :func:`upsert`. Rows that are equal to what is stored are not written again, so a
repeated run leaves no trace and no dead tuples; two runs at once take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from sqlalchemy import BigInteger, Boolean, Date, Integer, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import Float

STAGE = "stage"
#: The wire type of each column type, for binary COPY.
_WIRE = {
    BigInteger: "int8",
    Integer: "int4",
    Text: "text",
    Date: "date",
    Numeric: "numeric",
    Float: "float8",
    Boolean: "bool",
    JSONB: "jsonb",
}

Cursor = psycopg.Cursor[Any]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """How rows meet what is stored under the same primary key.

    ``columns`` are those of the rows, in their order. A row is *changed* when one of its ``facts``
    differs from the stored one's.
    """

    table: Table
    columns: tuple[str, ...]
    facts: tuple[str, ...]
    kept: tuple[str, ...] = ()
    """Written once, with the first version: never overwritten."""
    versioned: tuple[str, ...] = ()
    """Taken over only together with changed facts: where and when this version came from."""
    counter: str | None = None
    """0 at first, one more with each change; not among ``columns``."""
    newest: str | None = None
    """A row whose value here is not above the stored one's leaves the stored row as it is."""

    @property
    def key(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.table.primary_key)


class Merged(msgspec.Struct, frozen=True):
    """What became of the rows: ``new + changed + unchanged`` is their number."""

    new: int
    changed: int
    unchanged: int


def upsert(
    connection: psycopg.Connection[Any],
    target: Target,
    rows: Iterable[Sequence[object]],
    *,
    before: Callable[[Cursor], None] | None = None,
) -> Merged:
    """Bring the rows in, within the caller's transaction. No two rows may have the same key.

    ``before`` runs when the rows lie in the temporary table ``stage`` and the target is still as it
    was: for keeping the versions that are about to be replaced. Raises ``psycopg.Error``; nothing is
    half done, because the transaction is the caller's.
    """
    with connection.cursor() as cursor:
        # One writer per table at a time: what `before` sees is what is replaced, and nobody deadlocks.
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"upsert {target.table.name}"])
        staged = _stage(cursor, target, rows)
        if before is not None:
            before(cursor)
        cursor.execute(_merge(target))
        counts = cursor.fetchone()
        assert counts is not None
        cursor.execute(sql.SQL("drop table {}").format(sql.Identifier("pg_temp", STAGE)))
    new, changed = counts
    return Merged(new=new, changed=changed, unchanged=staged - new - changed)


def differ(target: Target, stored: str, coming: str = STAGE) -> sql.Composed:
    """The condition that a coming row's facts differ from the stored row's, NULLs being equal."""
    return sql.SQL("({}) is distinct from ({})").format(
        _columns(target.facts, coming), _columns(target.facts, stored)
    )


def same_key(target: Target, stored: str, coming: str = STAGE) -> sql.Composed:
    return sql.SQL("({}) = ({})").format(_columns(target.key, coming), _columns(target.key, stored))


def _stage(cursor: Cursor, target: Target, rows: Iterable[Sequence[object]]) -> int:
    columns = _columns(target.columns)
    cursor.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} with no data").format(
            sql.Identifier(STAGE), columns, sql.Identifier(target.table.name)
        )
    )
    copied = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier("pg_temp", STAGE), columns
    )
    count = 0
    with cursor.copy(copied) as copy:
        copy.set_types([wire_type(target.table, name) for name in target.columns])
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def wire_type(table: Table, name: str) -> str:
    """The name under which binary COPY knows a column's type."""
    kind = table.columns[name].type
    return next(wire for known, wire in _WIRE.items() if isinstance(kind, known))


def _merge(target: Target) -> sql.Composed:
    """One statement that inserts, updates, and counts both; it sees the stored rows as they were."""
    table = sql.Identifier(target.table.name)
    differs = differ(target, target.table.name, "excluded")
    changed: sql.Composable
    if target.newest is None:
        where = differs
        changed = sql.SQL("count(*) filter (where not fresh)")
    else:
        # An equal row of a newer snapshot is written too, for it says how long its facts were so.
        where = _newer(target, "excluded")
        changed = sql.SQL(
            "(select count(*) from {stage} join {table} on {same} where {newer} and {differs})"
        ).format(
            stage=sql.Identifier(STAGE),
            table=table,
            same=same_key(target, target.table.name),
            newer=_newer(target, STAGE),
            differs=differ(target, target.table.name),
        )
    inserted = _columns(target.columns)
    values = inserted
    if target.counter is not None:
        inserted = sql.SQL("{}, {}").format(inserted, sql.Identifier(target.counter))
        values = sql.SQL("{}, 0").format(values)
    return sql.SQL(
        "with merged as (insert into {table} ({inserted}) select {values} from {stage}"
        " on conflict ({key}) do update set {sets} where {where} returning xmax = 0 as fresh)"
        " select count(*) filter (where fresh), {changed} from merged"
    ).format(
        table=table,
        inserted=inserted,
        values=values,
        stage=sql.Identifier(STAGE),
        key=_columns(target.key),
        sets=_sets(target, differs),
        where=where,
        changed=changed,
    )


def _sets(target: Target, differs: sql.Composed) -> sql.Composed:
    stored = target.table.name
    sets = []
    for name in target.columns:
        if name in target.key or name in target.kept:
            continue
        value: sql.Composable = sql.Identifier("excluded", name)
        if name in target.versioned and target.newest is not None:
            value = sql.SQL("case when {} then {} else {} end").format(
                differs, value, sql.Identifier(stored, name)
            )
        sets.append(sql.SQL("{} = {}").format(sql.Identifier(name), value))
    if target.counter is not None:
        sets.append(
            sql.SQL("{} = {} + ({})::int").format(
                sql.Identifier(target.counter), sql.Identifier(stored, target.counter), differs
            )
        )
    return sql.SQL(", ").join(sets)


def _newer(target: Target, coming: str) -> sql.Composed:
    assert target.newest is not None
    return sql.SQL("{} > {}").format(
        sql.Identifier(coming, target.newest), sql.Identifier(target.table.name, target.newest)
    )


def _columns(names: Iterable[str], of: str | None = None) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(of, name) if of else sql.Identifier(name) for name in names)
