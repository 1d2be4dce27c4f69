"""``orders``, ``positions``, ``notices`` and ``listings parse``."""

from __future__ import annotations

import io
import sys

from kestrel import console
from shared.settings import load


def orders(*, as_json: bool, limit: int, user: str | None) -> None:
    from kestrel.database import transaction
    from shared.db import history

    with transaction(load()) as session:
        rows = history.orders(session, limit=limit, user=user)
    console.show(
        rows,
        ["user_name", "symbol", "side", "state", "size", "filled_size", "average_price", "reason", "seen_ns"],
        as_json=as_json,
        empty="there is no order yet",
    )


def positions(*, as_json: bool, limit: int, user: str | None, closed: bool) -> None:
    from kestrel.database import transaction
    from shared.db import history

    with transaction(load()) as session:
        rows = history.positions(session, limit=limit, user=user, closed=closed)
    console.show(
        rows,
        [
            "user_name",
            "symbol",
            "side",
            "size",
            "entry_price",
            "mark_price",
            "unrealised",
            "take_profit_price",
        ],
        as_json=as_json,
        empty="there is no open position",
    )


def notices(*, as_json: bool, limit: int) -> None:
    from kestrel.database import transaction
    from shared.db import history

    with transaction(load()) as session:
        rows = history.notices(session, limit=limit)
    console.show(
        rows,
        ["first_seen_ns", "source", "kind", "symbols", "markets", "decision", "reason", "title"],
        as_json=as_json,
        empty="no notice was seen yet",
    )


def parse_titles() -> None:
    """One title a line on stdin, one JSON object a line on stdout; an empty line says nothing."""
    from trader.listings.titles import parse

    titles = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace")
    for raw in titles:
        title = raw.rstrip("\r\n")
        if title.strip():
            console.json_lines([{"title": title, **_fields(parse(title))}])


def _fields(parsed: object) -> dict[str, object]:
    import msgspec

    fields: dict[str, object] = msgspec.to_builtins(parsed)
    return fields
