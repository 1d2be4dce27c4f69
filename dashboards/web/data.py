"""What the pages read from Postgres: one consistent, read-only picture at a time.

:class:`Scope` is the only place that decides whose rows a page may see: every query on a table of
money goes through :meth:`Scope.limit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Engine, Select, create_engine, func, select, true
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.engine import make_url
from sqlalchemy.orm import InstrumentedAttribute

from shared import clock
from shared.db.embedded import forget_environment
from shared.db.tables import (
    Account,
    EquitySnapshot,
    Heartbeat,
    Instrument,
    Intent,
    Notice,
    NoticeArrival,
    Order,
    Position,
    Transfer,
    User,
)

MAX_ACCOUNTS = 100
MAX_POSITIONS = 200
MAX_NOTICES = 40
MAX_ORDERS = 300
MAX_POINTS = 5_000
"""Of one equity chart, all its lines together."""
STATEMENT_TIMEOUT_MS = 4_000
CONNECT_TIMEOUT_S = 2

Row = TypeVar("Row", bound=msgspec.Struct)
Columns = TypeVar("Columns", bound=tuple[Any, ...])


class Scope(msgspec.Struct, frozen=True):
    """Whose accounts a page shows. ``None`` means every account of the installation."""

    account_ids: tuple[int, ...] | None = None

    def limit(self, column: InstrumentedAttribute[int]) -> ColumnElement[bool]:
        """The condition that every query on a table of money carries."""
        return true() if self.account_ids is None else column.in_(self.account_ids)


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    user_name: str
    venue: str
    kind: str
    mode: str
    label: str
    state: str
    state_reason: str


class EquityRow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest reading of one account, and what its day is measured against.

    ``base`` is the last equity before midnight UTC, or the first one of today; ``transferred`` is what
    came in (+) or went out (−) since then other than by trading.
    """

    account_id: int
    currency: str
    equity: Decimal
    available: Decimal
    unrealised: Decimal
    taken_ns: int
    base: Decimal | None = None
    transferred: Decimal = Decimal(0)


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    account_id: int
    instrument_id: str
    symbol: str
    tick: Decimal
    side: str
    state: str
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    margin: Decimal
    leverage: int
    unrealised: Decimal
    liquidation_price: Decimal | None
    take_profit_price: Decimal | None
    stop_price: Decimal | None
    opened_ns: int
    updated_ns: int


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order with its intent. Stamps are UTC nanoseconds, 0 = not reached."""

    client_id: str
    account_id: int
    cause: str
    step: str
    instrument_id: str
    symbol: str
    tick: Decimal
    side: str
    order_type: str
    state: str
    size: Decimal
    filled_size: Decimal
    average_price: Decimal | None
    reference_price: Decimal
    take_profit_price: Decimal | None
    margin: Decimal
    leverage: int
    fee: Decimal
    reason_code: str
    reason: str
    seen_ns: int
    decoded_ns: int
    decided_ns: int
    signed_ns: int
    journaled_ns: int
    written_ns: int
    acknowledged_ns: int
    filled_ns: int


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    source: str
    title: str
    category: str
    kind: str
    symbols: list[str]
    markets: list[str]
    first_listed_ns: int
    first_seen_ns: int
    decision: str
    reason: str


class ArrivalRow(msgspec.Struct, frozen=True, kw_only=True):
    notice_key: str
    host: str
    received_ns: int
    first: bool


class HeartbeatRow(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    state: str
    detail: dict[str, Any]
    started_ns: int
    at_ns: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything on the overview, read in one transaction at ``taken_ns``."""

    taken_ns: int
    accounts: list[AccountRow] = []
    equity: list[EquityRow] = []
    positions: list[PositionRow] = []
    notices: list[NoticeRow] = []
    arrivals: list[ArrivalRow] = []
    orders: list[OrderRow] = []
    unknown_orders: list[OrderRow] = []
    heartbeats: list[HeartbeatRow] = []


class Series(msgspec.Struct):
    """One account's equity, oldest first: (UTC ns, equity), and what was transferred: (UTC ns, amount)."""

    points: list[tuple[int, Decimal]] = []
    transfers: list[tuple[int, Decimal]] = []


SeriesByAccount = dict[int, Series]


def engine(url: str) -> Engine:
    """A small pool that gives up early: a page shows that Postgres is away instead of hanging."""
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
    with source.connect() as connection:
        notices = _notices(connection)
        return Snapshot(
            taken_ns=now_ns,
            accounts=_accounts(connection, scope),
            equity=_equity(connection, scope, now_ns),
            positions=_positions(connection, scope),
            notices=notices,
            arrivals=_arrivals(connection, notices),
            orders=_orders(connection, scope, Intent.cause.in_(list(_causes(notices)))),
            unknown_orders=_orders(connection, scope, Order.state == "unknown"),
            heartbeats=_rows(connection, HeartbeatRow, _select(HeartbeatRow, Heartbeat).limit(50)),
        )


def cause_of(notice_key: str, symbol: str) -> str:
    """The cause that an order's intent carries when a notice led to it."""
    return f"listing:{notice_key}:{symbol}"


def _causes(notices: Iterable[NoticeRow]) -> Iterable[str]:
    return (cause_of(notice.key, symbol) for notice in notices for symbol in notice.symbols)


def _select(row: type[msgspec.Struct], *tables: type[Any], **named: Any) -> Select[Any]:
    """The columns that a row struct names, each from the first table that has it."""
    columns = []
    for name in row.__struct_fields__:
        column = named.get(name)
        if column is None:
            column = next(getattr(table, name) for table in tables if hasattr(table, name))
        columns.append(column.label(name))
    return select(*columns)


def _rows(connection: Connection, row: type[Row], query: Select[Any]) -> list[Row]:
    return [row(**found) for found in connection.execute(query).mappings()]


def _accounts(connection: Connection, scope: Scope) -> list[AccountRow]:
    query = (
        _select(AccountRow, Account, user_name=User.name)
        .join(User, User.id == Account.user_id)
        .where(scope.limit(Account.id))
        .order_by(User.name, Account.venue, Account.label, Account.id)
        .limit(MAX_ACCOUNTS)
    )
    return _rows(connection, AccountRow, query)


def _equity(connection: Connection, scope: Scope, now_ns: int) -> list[EquityRow]:
    """The newest snapshot of each account with the base of its day."""
    midnight = now_ns - now_ns % (86_400 * clock.SECOND)
    snapshot = EquitySnapshot
    newest = (
        select(snapshot)
        .where(snapshot.account_id == Account.id)
        .order_by(snapshot.taken_ns.desc(), snapshot.id.desc())
        .limit(1)
        .lateral("newest")
    )
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
    since = func.coalesce(before.c.taken_ns, today.c.taken_ns)
    moved = (
        select(func.coalesce(func.sum(Transfer.amount), 0).label("amount"))
        .where(
            Transfer.account_id == Account.id,
            Transfer.currency == newest.c.currency,
            Transfer.occurred_ns > since,
            Transfer.occurred_ns <= newest.c.taken_ns,
        )
        .lateral("moved")
    )
    query = (
        select(
            newest.c.account_id,
            newest.c.currency,
            newest.c.equity,
            newest.c.available,
            newest.c.unrealised,
            newest.c.taken_ns,
            func.coalesce(before.c.equity, today.c.equity).label("base"),
            moved.c.amount.label("transferred"),
        )
        .select_from(Account)
        .join(newest, true())
        .outerjoin(before, true())
        .outerjoin(today, true())
        .join(moved, true())
        .where(scope.limit(Account.id))
        .limit(MAX_ACCOUNTS)
    )
    return _rows(connection, EquityRow, query)


def _positions(connection: Connection, scope: Scope) -> list[PositionRow]:
    query = (
        _select(PositionRow, Position, Instrument)
        .join(Instrument, Instrument.id == Position.instrument_id)
        .where(Position.closed_ns == 0, scope.limit(Position.account_id))
        .order_by(Position.opened_ns.desc(), Position.id)
        .limit(MAX_POSITIONS)
    )
    return _rows(connection, PositionRow, query)


def _notices(connection: Connection) -> list[NoticeRow]:
    query = (
        _select(NoticeRow, Notice).order_by(Notice.first_seen_ns.desc(), Notice.id.desc()).limit(MAX_NOTICES)
    )
    return _rows(connection, NoticeRow, query)


def _arrivals(connection: Connection, notices: list[NoticeRow]) -> list[ArrivalRow]:
    """The first arrival of each notice at each host: who was how much later than the fastest."""
    query = (
        _select(ArrivalRow, NoticeArrival)
        .ext(distinct_on(NoticeArrival.notice_key, NoticeArrival.host))
        .where(NoticeArrival.notice_key.in_([notice.key for notice in notices]))
        .order_by(NoticeArrival.notice_key, NoticeArrival.host, NoticeArrival.received_ns)
        .limit(MAX_NOTICES * 10)
    )
    return _rows(connection, ArrivalRow, query)


def _orders(connection: Connection, scope: Scope, which: ColumnElement[bool]) -> list[OrderRow]:
    query = (
        _select(OrderRow, Order, Intent, Instrument)
        .join(Intent, Intent.client_id == Order.client_id)
        .join(Instrument, Instrument.id == Order.instrument_id)
        .where(which, scope.limit(Order.account_id))
        .order_by(Order.seen_ns.desc(), Order.account_id, Intent.leg, Order.client_id)
        .limit(MAX_ORDERS)
    )
    return _rows(connection, OrderRow, query)


def read_series(source: Engine, scope: Scope, since_ns: int, until_ns: int) -> SeriesByAccount:
    """Equity since a moment, thinned in Postgres to ``MAX_POINTS`` in all: the last of each bucket."""
    snapshot = EquitySnapshot
    with source.connect() as connection:
        count = connection.execute(
            select(func.count()).select_from(Account).where(scope.limit(Account.id))
        ).scalar_one()
        per_account = max(50, MAX_POINTS // max(1, min(count, MAX_ACCOUNTS)))
        bucket = snapshot.taken_ns // max(1, -(-(until_ns - since_ns) // per_account))
        points = (
            select(snapshot.account_id, snapshot.taken_ns, snapshot.equity)
            .ext(distinct_on(snapshot.account_id, bucket))
            .where(snapshot.taken_ns >= since_ns, scope.limit(snapshot.account_id))
            .order_by(snapshot.account_id, bucket, snapshot.taken_ns.desc(), snapshot.id.desc())
            .limit(MAX_POINTS + MAX_ACCOUNTS)
        )
        series: SeriesByAccount = {}
        for account_id, taken_ns, equity in connection.execute(points):
            series.setdefault(account_id, Series()).points.append((taken_ns, equity))
        transfers = (
            select(Transfer.account_id, Transfer.occurred_ns, Transfer.amount)
            .where(Transfer.occurred_ns >= since_ns, scope.limit(Transfer.account_id))
            .order_by(Transfer.account_id, Transfer.occurred_ns)
            .limit(MAX_POINTS)
        )
        for account_id, occurred_ns, amount in connection.execute(transfers):
            if account_id in series:
                series[account_id].transfers.append((occurred_ns, amount))
    return series
