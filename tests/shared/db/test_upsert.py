"""The helper through which every flow stores, against a plain dictionary that plays the table."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text
from sqlalchemy.schema import CreateTable

from shared.db.engine import engine
from shared.db.upsert import Merged, Target, upsert

TABLE = Table(
    "readings",
    MetaData(),
    Column("key", Text, primary_key=True),
    Column("value", BigInteger),
    Column("other", BigInteger),
    Column("source", Text, nullable=False),
    Column("snapshot", BigInteger, nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("revision", Integer, nullable=False),
)
COLUMNS = ("key", "value", "other", "source", "snapshot", "first")
PLAIN = Target(table=TABLE, columns=COLUMNS, facts=("value", "other"), kept=("first",), counter="revision")
VERSIONED = Target(
    table=TABLE,
    columns=COLUMNS,
    facts=("value", "other"),
    kept=("first",),
    versioned=("source",),
    counter="revision",
    newest="snapshot",
)
Row = tuple[str, int | None, int | None, str, int, int]


@pytest.fixture
def connection(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url) as opened:
        opened.execute(str(CreateTable(TABLE).compile(engine(postgres_url, pooled=False))))
        opened.commit()
        yield opened


def stored(connection: psycopg.Connection[Any]) -> dict[str, tuple[Any, ...]]:
    rows = connection.execute(
        "select key, value, other, source, snapshot, first, revision from readings"
    ).fetchall()
    return {row[0]: row[1:] for row in rows}


def test_new_changed_and_unchanged_rows_are_told_apart(connection: psycopg.Connection[Any]) -> None:
    first: list[Row] = [("a", 1, 1, "x", 1, 10), ("b", 2, None, "x", 1, 10)]
    second: list[Row] = [("a", 1, 1, "y", 2, 20), ("b", 2, 3, "y", 2, 20), ("c", 4, 4, "y", 2, 20)]
    assert upsert(connection, PLAIN, first) == Merged(new=2, changed=0, unchanged=0)
    assert upsert(connection, PLAIN, second) == Merged(new=1, changed=1, unchanged=1)
    assert stored(connection) == {
        "a": (1, 1, "x", 1, 10, 0),
        "b": (2, 3, "y", 2, 10, 1),
        "c": (4, 4, "y", 2, 20, 0),
    }


def test_a_repetition_writes_nothing(connection: psycopg.Connection[Any]) -> None:
    rows: list[Row] = [(str(n), n, None, "x", 1, 1) for n in range(50)]
    upsert(connection, PLAIN, rows)
    connection.commit()
    before = connection.execute("select key, ctid, xmin from readings order by key").fetchall()
    assert upsert(connection, PLAIN, rows) == Merged(new=0, changed=0, unchanged=50)
    assert connection.execute("select key, ctid, xmin from readings order by key").fetchall() == before


def test_an_older_snapshot_changes_nothing_and_a_newer_equal_one_moves_the_stamp(
    connection: psycopg.Connection[Any],
) -> None:
    upsert(connection, VERSIONED, [("a", 1, 1, "x", 5, 10)])
    assert upsert(connection, VERSIONED, [("a", 9, 9, "old", 4, 20)]) == Merged(0, 0, 1)
    assert upsert(connection, VERSIONED, [("a", 9, 9, "same age", 5, 20)]) == Merged(0, 0, 1)
    assert stored(connection)["a"] == (1, 1, "x", 5, 10, 0)
    assert upsert(connection, VERSIONED, [("a", 1, 1, "newer", 7, 20)]) == Merged(0, 0, 1)
    assert stored(connection)["a"] == (1, 1, "x", 7, 10, 0)
    assert upsert(connection, VERSIONED, [("a", 9, 9, "between", 6, 20)]) == Merged(0, 0, 1)
    assert upsert(connection, VERSIONED, [("a", 2, 1, "newest", 8, 30)]) == Merged(0, 1, 0)
    assert stored(connection)["a"] == (2, 1, "newest", 8, 10, 1)


batches = st.lists(
    st.dictionaries(
        st.sampled_from("abcdef"),
        st.tuples(st.none() | st.integers(0, 2), st.none() | st.integers(0, 2), st.integers(1, 4)),
        max_size=6,
    ),
    max_size=6,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(batches=batches, versioned=st.booleans())
def test_any_sequence_ends_as_a_dictionary_would(
    connection: psycopg.Connection[Any],
    batches: list[dict[str, tuple[int | None, int | None, int]]],
    versioned: bool,
) -> None:
    connection.execute("truncate readings")
    target = VERSIONED if versioned else PLAIN
    model: dict[str, tuple[Any, ...]] = {}
    for moment, batch in enumerate(batches):
        expected = {"new": 0, "changed": 0, "unchanged": 0}
        for key, (value, other, snapshot) in batch.items():
            if key not in model:
                model[key] = (value, other, f"s{moment}", snapshot, moment, 0)
                expected["new"] += 1
                continue
            had = model[key]
            differs = had[:2] != (value, other)
            takes = snapshot > had[3] if versioned else differs
            expected["changed" if takes and differs else "unchanged"] += 1
            if takes:
                source = f"s{moment}" if differs else had[2]
                model[key] = (value, other, source, snapshot, had[4], had[5] + differs)
        rows = [
            (key, value, other, f"s{moment}", snap, moment) for key, (value, other, snap) in batch.items()
        ]
        assert upsert(connection, target, rows) == Merged(**expected)
        assert stored(connection) == model


def test_what_is_about_to_be_replaced_can_be_kept(connection: psycopg.Connection[Any]) -> None:
    upsert(connection, PLAIN, [("a", 1, 1, "x", 1, 1)])
    seen: list[tuple[Any, ...]] = []

    def keep(cursor: psycopg.Cursor[Any]) -> None:
        cursor.execute("select readings.value, stage.value from readings join stage using (key)")
        seen.extend(cursor.fetchall())

    upsert(connection, PLAIN, [("a", 2, 1, "x", 1, 1)], before=keep)
    assert seen == [(1, 2)]


def test_a_row_that_does_not_fit_leaves_nothing_behind(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.Error), connection.transaction():
        upsert(connection, PLAIN, [("a", 1, 1, "x", 1, 1), ("b", 1, 1, None, 1, 1)])
    assert stored(connection) == {}


def test_two_runs_at_once_take_turns(connection: psycopg.Connection[Any], postgres_url: str) -> None:
    """The second waits for the first, and then sees what it stored."""
    upsert(connection, PLAIN, [(str(n), n, 0, "x", 1, 1) for n in range(20)])
    results: list[Merged] = []

    def other() -> None:
        with psycopg.connect(postgres_url) as second:
            results.append(upsert(second, PLAIN, [(str(n), n, 0, "y", 1, 2) for n in reversed(range(25))]))

    thread = threading.Thread(target=other)
    thread.start()
    with psycopg.connect(postgres_url, autocommit=True) as watcher:
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        while watcher.execute(waiting).fetchone() != (1,):
            assert thread.is_alive()
    connection.commit()
    thread.join(30)
    assert results == [Merged(new=5, changed=0, unchanged=20)]
