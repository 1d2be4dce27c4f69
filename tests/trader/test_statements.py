"""The trader speaks plain SQL; every statement is held against the migrated schema."""

from __future__ import annotations

import re

import psycopg
import pytest

from shared.db.tables import Base
from trader import directory, ops, warmstart
from trader.orders import projection
from trader.positions import rows

STATEMENTS = {
    f"{module.__name__}.{name}": sql
    for module in (directory, ops, warmstart, projection, rows)
    for name, sql in module.STATEMENTS.items()
}


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_postgres_can_prepare_it(postgres_url: str, name: str) -> None:
    count = 0

    def numbered(_: re.Match[str]) -> str:
        nonlocal count
        count += 1
        return f"${count}"

    sql = re.sub(r"%\(\w+\)s", numbered, STATEMENTS[name])
    with psycopg.connect(postgres_url) as connection:
        connection.execute(f"prepare checked as {sql}".encode())


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_an_insert_names_every_column_that_has_no_default(name: str) -> None:
    for table_name, column_list in re.findall(r"insert into (\w+) \(([^)]*)\)", STATEMENTS[name]):
        table = Base.metadata.tables[table_name]
        named = {column.strip() for column in column_list.split(",")}
        assert named <= set(table.columns.keys())
        needed = {
            column.name
            for column in table.columns
            if not column.nullable and column.server_default is None and column.identity is None
        }
        assert needed <= named, f"{name} leaves out {needed - named}"
