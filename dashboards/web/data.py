"""What the pages read from Postgres: one consistent, read-only picture at a time.

:class:`Scope` is the only place that decides whose rows a page may see: it is handed to every question
about money, here and in ``shared.db.history``.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec
from sqlalchemy import ColumnElement, Engine, create_engine, func, select, true
from sqlalchemy.engine import make_url
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared import clock
from shared.db import accounts, history
from shared.db.accounts import AccountRow
from shared.db.embedded import forget_environment
from shared.db.rows import EquityRow, HeartbeatRow, NoticeRow, OrderRow, PositionRow
from shared.db.tables import Account, EquitySnapshot, Instrument, Transfer

MAX_ACCOUNTS = 100
MAX_POSITIONS = 200
MAX_NOTICES = 40
MAX_UNKNOWN = 20
MAX_POINTS = 5_000
"""Of one equity chart, all its lines together."""
STATEMENT_TIMEOUT_MS = 4_000
CONNECT_TIMEOUT_S = 2


class Scope(msgspec.Struct, frozen=True):
    """Whose accounts a page shows. ``None`` means every account of the installation."""

    account_ids: tuple[int, ...] | None = None

    def limit(self, column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        """The condition that every query on a table of money carries."""
        return true() if self.account_ids is None else column.in_(self.account_ids)

    def admits(self, account_id: int) -> bool:
        return self.account_ids is None or account_id in self.account_ids


class DayRow(msgspec.Struct, frozen=True, kw_only=True):
    """What an account's day is measured against.

    ``base`` is the last equity before midnight UTC, or the first one of today; ``transferred`` is what
    came in (+) or went out (−) since then other than by trading.
    """

    account_id: int
    base: Decimal
    transferred: Decimal


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the overview, read in one transaction at ``taken_ns``."""

    taken_ns: int
    accounts: list[AccountRow] = []
    equity: list[EquityRow] = []
    days: list[DayRow] = []
    positions: list[PositionRow] = []
    notices: list[NoticeRow] = []
    unknown_orders: list[OrderRow] = []
    heartbeats: list[HeartbeatRow] = []
    ticks: dict[str, Decimal] = {}
    """Instrument id -> price step, of the instruments above."""


class Series(msgspec.Struct):
    """One account's equity, oldest first: (UTC ns, equity), and what was transferred: (UTC ns, amount)."""

    points: list[tuple[int, Decimal]] = []
    transfers: list[tuple[int, Decimal]] = []


SeriesByAccount = dict[int, Series]


def engine(url: str) -> Engine:
    """A small pool that gives up early: a page shows that Postgres is away instead of hanging.

    Its sessions can only read, and see one state of the database from begin to end.
    """
    forget_environment()
    return create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=2,
        max_overflow=2,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "kestrel web",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c default_transaction_read_only=on",
            "keepalives_idle": 5,
            "tcp_user_timeout": STATEMENT_TIMEOUT_MS + 2_000,
        },
        isolation_level="REPEATABLE READ",
    )


def read(source: Engine, scope: Scope) -> Snapshot:
    """One consistent picture. Raises ``sqlalchemy.exc.SQLAlchemyError`` when Postgres is away."""
    now_ns = clock.now_ns()
    whose = scope.account_ids
    with Session(source) as session:
        shown = [row for row in accounts.list_all(session) if scope.admits(row.id)][:MAX_ACCOUNTS]
        positions = history.positions(session, limit=MAX_POSITIONS, accounts=whose)
        notices = history.notices(session, limit=MAX_NOTICES, accounts=whose)
        unknown = history.orders(session, limit=MAX_UNKNOWN, accounts=whose, states=["unknown"])
        traded = {order.instrument_id for notice in notices for order in notice.orders}
        return Snapshot(
            taken_ns=now_ns,
            accounts=shown,
            equity=history.equity(session, accounts=whose),
            days=_days(session, scope, now_ns),
            positions=positions,
            notices=notices,
            unknown_orders=unknown,
            heartbeats=history.heartbeats(session),
            ticks=_ticks(session, traded | {row.instrument_id for row in positions}),
        )


def _ticks(session: Session, instrument_ids: Iterable[str]) -> dict[str, Decimal]:
    query = select(Instrument.id, Instrument.tick).where(Instrument.id.in_(list(instrument_ids)))
    return {row.id: row.tick for row in session.execute(query)}


def _days(session: Session, scope: Scope, now_ns: int) -> list[DayRow]:
    """Accounts that have equity, each with the base of its day and the transfers since that base."""
    midnight = now_ns - now_ns % (86_400 * clock.SECOND)
    snapshot = EquitySnapshot
    before = (
        select(snapshot.equity, snapshot.taken_ns)
        .where(snapshot.account_id == Account.id, snapshot.taken_ns < midnight)
        .order_by(snapshot.taken_ns.desc(), snapshot.id.desc())
        .limit(1)
        .lateral("before")
    )
    today = (
        select(snapshot.equity, snapshot.taken_ns)
        .where(snapshot.account_id == Account.id, snapshot.taken_ns >= midnight)
        .order_by(snapshot.taken_ns, snapshot.id)
        .limit(1)
        .lateral("today")
    )
    base = func.coalesce(before.c.equity, today.c.equity)
    moved = (
        select(func.coalesce(func.sum(Transfer.amount), 0).label("amount"))
        .where(
            Transfer.account_id == Account.id,
            Transfer.occurred_ns > func.coalesce(before.c.taken_ns, today.c.taken_ns),
            Transfer.occurred_ns <= now_ns,
        )
        .lateral("moved")
    )
    query = (
        select(Account.id, base, moved.c.amount)
        .select_from(Account)
        .outerjoin(before, true())
        .outerjoin(today, true())
        .join(moved, true())
        .where(scope.limit(Account.id), base.is_not(None))
    )
    return [
        DayRow(account_id=account_id, base=equity, transferred=amount)
        for account_id, equity, amount in session.execute(query)
    ]


def read_series(
    source: Engine, scope: Scope, account_ids: list[int], since_ns: int, until_ns: int
) -> SeriesByAccount:
    """Equity of these accounts, thinned in Postgres to ``MAX_POINTS`` in all: the last of each bucket."""
    wanted = [account_id for account_id in account_ids if scope.admits(account_id)]
    points = MAX_POINTS // max(1, len(wanted))
    with Session(source) as session:
        # A young account would waste its buckets on the time before it began.
        oldest = select(func.min(EquitySnapshot.taken_ns)).where(
            EquitySnapshot.account_id.in_(wanted), EquitySnapshot.taken_ns >= since_ns
        )
        since_ns = session.scalar(oldest) or since_ns
        series = {
            account_id: Series(
                [
                    (point.taken_ns, point.equity)
                    for point in history.equity_series(
                        session, account_id, since_ns=since_ns, until_ns=until_ns, points=points
                    )
                ]
            )
            for account_id in wanted
        }
        transfers = (
            select(Transfer.account_id, Transfer.occurred_ns, Transfer.amount)
            .where(Transfer.occurred_ns >= since_ns, Transfer.account_id.in_(wanted))
            .order_by(Transfer.occurred_ns.desc())
            .limit(MAX_POINTS)
        )
        for account_id, occurred_ns, amount in session.execute(transfers):
            series[account_id].transfers.insert(0, (occurred_ns, amount))
    return series
