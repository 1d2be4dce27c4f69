"""What an earlier run has seen already, so that no notice is news twice."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import AsyncConnection

from shared import clock
from shared.domain.notice import NoticeKind
from shared.domain.order import PositionSide
from shared.errors import DatabaseError, SchemaError
from trader.listings.detector import LISTINGS, Detector
from trader.orders import records
from trader.patience import answered
from trader.positions.rows import Held

#: As many notices as the detector remembers.
LIMIT = 20_000

NOTICES = """
select key, first_listed_ns, kind, symbols, first_seen_ns from notices
order by first_seen_ns desc limit %(limit)s
"""

OPEN_POSITIONS = """
select i.symbol, p.instrument_id, p.side, p.opened_ns from positions p join instruments i on i.id = p.instrument_id
where p.account_id = %(account_id)s and (p.closed_ns = 0 or p.closed_ns > %(since_ns)s)
"""

SCHEMA = "select to_regclass('heartbeats') is not null"

STATEMENTS = {"notices": NOTICES, "open_positions": OPEN_POSITIONS, "schema": SCHEMA}


class Known:
    """Notices and coins by the journal: what Postgres may not hold yet."""

    def __init__(self) -> None:
        self.notices: list[tuple[str, int]] = []
        self.coins: list[tuple[str, int]] = []

    def take(self, record: records.Record) -> None:
        """Learn from one record of the journal."""
        if isinstance(record, records.NoticeSeen):
            self.add(
                record.notice.key,
                record.notice.first_listed_ns,
                record.parsed.kind,
                record.parsed.symbols,
                record.notice.received_ns,
            )

    def add(
        self, key: str, first_listed_ns: int, kind: NoticeKind, symbols: tuple[str, ...], seen_ns: int
    ) -> None:
        self.notices.append((key, first_listed_ns))
        if kind in LISTINGS:
            announced = first_listed_ns if 0 < first_listed_ns <= seen_ns else seen_ns
            self.coins += [(symbol, announced) for symbol in symbols]


async def preload(url: str, detector: Detector, known: Known) -> None:
    """Teach the detector what Postgres and the journal remember, oldest first."""
    stored = Known()
    connection: AsyncConnection[Any]
    async with await AsyncConnection.connect(url, connect_timeout=5) as connection:
        with answered(connection):
            rows = await (await connection.execute(NOTICES, {"limit": LIMIT})).fetchall()
        for key, first_listed_ns, kind, symbols, seen_ns in reversed(rows):
            stored.add(key, first_listed_ns, NoticeKind(kind), tuple(symbols), seen_ns)
    detector.preload(stored.notices, stored.coins)
    detector.preload(known.notices, known.coins)


async def open_positions(url: str, account_id: int) -> list[Held]:
    """The positions that Postgres believes to be open, and those closed within the last day.

    One may have ended while nobody looked, and the result of a fresh end may not be stored yet.
    """
    since_ns = clock.now_ns() - 86_400 * clock.SECOND
    connection: AsyncConnection[Any]
    async with await AsyncConnection.connect(url, connect_timeout=5) as connection:
        values = {"account_id": account_id, "since_ns": since_ns}
        with answered(connection):
            rows = await (await connection.execute(OPEN_POSITIONS, values)).fetchall()
        return [
            Held(symbol=symbol, instrument_id=instrument_id, side=PositionSide(side), opened_ns=opened_ns)
            for symbol, instrument_id, side, opened_ns in rows
        ]


def check_schema(url: str) -> None:
    """Refuse to start on a database without our tables."""
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            row = connection.execute(SCHEMA).fetchone()
    except psycopg.Error as error:
        raise DatabaseError(f"Postgres cannot be reached: {str(error).splitlines()[0]}") from None
    if row is None or not row[0]:
        raise SchemaError("the database has no tables yet: run `kestrel db migrate`")
