"""What storing through ``shared.db.upsert`` costs, against a plain COPY of the same rows in the same run.

``python -m benchmarks.upsert [ROWS]`` prints one JSON object a line and ends non-zero when bringing in new
rows runs at less than half the speed of plain COPY. The rows have the shape of ``cot_tff``; the server is an
embedded one of its own with its usual settings, in a temporary folder.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from shared import clock
from shared.db import schema
from shared.db.cot_store import TARGETS
from shared.db.embedded import EmbeddedPostgres
from shared.db.upsert import upsert, wire_type
from shared.domain.cot import Report

ROWS = 200_000
ROUNDS = 3
AT_LEAST = 0.5
TARGET = TARGETS[Report.TFF]
Connection = psycopg.Connection[Any]
Row = tuple[object, ...]


def rows(count: int, snapshot: int, shift: int = 0) -> list[Row]:
    positions = len(TARGET.facts)
    first = date(1990, 1, 2)
    return [
        (
            f"{number % 1000:06d}",
            first + timedelta(weeks=number // 1000),
            "SOME MARKET - SOME EXCHANGE",
            *range(number + shift, number + shift + positions),
            *("bench", snapshot, 1, 2, 3),
        )
        for number in range(count)
    ]


def plain_copy(connection: Connection, made: list[Row]) -> None:
    columns = (*TARGET.columns, "revision")
    statement = sql.SQL("copy {} ({}) from stdin (format binary)").format(
        sql.Identifier(TARGET.table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types([wire_type(TARGET.table, name) for name in columns])
        for row in made:
            copy.write_row((*row, 0))


def seconds(connection: Connection, work: Callable[[], object]) -> float:
    began = clock.monotonic_ns()
    work()
    connection.commit()
    return (clock.monotonic_ns() - began) / clock.SECOND


def measure(url: str, count: int) -> dict[str, float]:
    """Rows per second, the best of some rounds, and ratios to plain COPY."""
    fresh, changed = rows(count, 1), rows(count, 2, shift=1)
    best: dict[str, float] = {}
    with psycopg.connect(url) as connection:
        for _ in range(ROUNDS):
            taken = {}
            for name, prepared, work in (
                ("plain_copy", False, lambda: plain_copy(connection, fresh)),
                ("new", False, lambda: upsert(connection, TARGET, fresh)),
                ("unchanged", True, lambda: upsert(connection, TARGET, fresh)),
                ("changed", True, lambda: upsert(connection, TARGET, changed)),
            ):
                if not prepared:
                    connection.execute("truncate cot_tff")
                    connection.commit()
                taken[name] = seconds(connection, work)
            best = {name: min(value, best.get(name, value)) for name, value in taken.items()}
    found = {f"{name}_rows_per_s": count / value for name, value in best.items()}
    found |= {
        f"{name}_ratio": best["plain_copy"] / value for name, value in best.items() if name != "plain_copy"
    }
    return found


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    folder = Path(tempfile.mkdtemp(prefix="kestrel-bench-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(folder, max_connections=20, shared_buffers_mb=128)
    try:
        url = server.start()
        schema.migrate(url)
        found = measure(url, count)
    finally:
        server.stop()
        shutil.rmtree(folder)
    for name, value in found.items():
        print(json.dumps({"name": f"upsert_{name}", "value": round(value, 3)}))
    return 0 if found["new_ratio"] >= AT_LEAST else 1


if __name__ == "__main__":
    raise SystemExit(main())
