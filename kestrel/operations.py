"""``db migrate`` and ``journal show``."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from kestrel import console
from shared.errors import NotFoundError
from shared.settings import load

if TYPE_CHECKING:
    from trader.orders.journal import Entry


def migrate() -> None:
    from shared.db import embedded, schema

    with embedded.lease(load()) as url:
        schema.migrate(url)
        schema.check(url)
    console.line("the database has the schema that this version needs")


def show_journal(folder: Path | None, *, as_json: bool, limit: int | None) -> None:
    """The records of a journal, oldest first; a torn tail is left out. Works beside a running trader."""
    from collections import deque

    from trader.orders import journal

    place = (folder or load().home / "journal").expanduser()
    if not place.is_dir():
        raise NotFoundError(f"there is no journal in {place}: the trader makes it when it first runs")
    if limit is None:
        journal.scan(place, lambda entry: _print(entry, as_json=as_json))
        return
    last: deque[journal.Entry] = deque(maxlen=limit)
    journal.scan(place, last.append)
    for entry in last:
        _print(entry, as_json=as_json)


def _print(entry: Entry, *, as_json: bool) -> None:
    import msgspec

    record = msgspec.to_builtins(entry.record, str_keys=True, builtin_types=(Decimal,))
    kind = record.pop("type", type(entry.record).__name__.lower())
    if as_json:
        console.json_lines([{"seq": entry.seq, "type": kind, **record}])
        return
    told = "  ".join(
        f"{name}={console.cell(value, name)}" for name, value in record.items() if value not in ("", None)
    )
    console.line(f"{entry.seq:>8}  {kind:<10}  {told}")
