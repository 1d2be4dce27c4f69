"""Structs in tables: each row's ``body`` is one, the other columns are what it is looked up by."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TypeVar

import msgspec

T = TypeVar("T")


class Rows:
    """Questions to one database."""

    __slots__ = ("_db",)

    def __init__(self, database: sqlite3.Connection) -> None:
        self._db = database

    def all(self, kind: type[T], sql: str, *values: object) -> list[T]:
        decode = msgspec.msgpack.Decoder(kind).decode
        return [decode(body) for (body,) in self._db.execute(sql, values).fetchall()]

    def one(self, kind: type[T], sql: str, *values: object) -> T | None:
        found = self.all(kind, sql, *values)
        return found[0] if found else None

    def page(
        self,
        kind: type[T],
        table: str,
        account: int,
        filters: Iterable[tuple[object, str]],
        *,
        limit: int,
        extra: str = "1",
        given: Iterable[object] = (),
        upward: bool = False,
    ) -> list[T]:
        """An account's rows, newest first unless ``upward``; of ``filters`` (value, condition) those with a value count.

        ``extra`` is a further condition, ``given`` its values.
        """
        conditions, values = ["account = ?", extra], [account, *given]
        for value, condition in filters:
            if value:
                conditions.append(condition)
                values.append(value)
        where = " AND ".join(conditions)
        sql = f"SELECT body FROM {table} WHERE {where} ORDER BY id {'ASC' if upward else 'DESC'} LIMIT ?"  # noqa: S608  (fixed names)
        return self.all(kind, sql, *values, limit)
