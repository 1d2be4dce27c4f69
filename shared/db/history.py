"""What was seen, sent, filled and is held: the questions of the pages and of the command line.

Every question about money takes ``user`` (a name, :class:`NotFoundError` when unknown) or
``accounts`` (ids) and then answers about nobody else. The newest rows come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, null, select, true
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared import clock
from shared.db import users
from shared.db.rows import (
    ArrivalRow,
    EquityPoint,
    EquityRow,
    FillRow,
    HeartbeatRow,
    NoticeRow,
    OrderRow,
    PositionRow,
    timeline,
)
from shared.db.tables import (
    Account,
    EquitySnapshot,
    Fill,
    Heartbeat,
    Instrument,
    Intent,
    Notice,
    NoticeArrival,
    Order,
    Position,
    User,
)
from shared.domain.ids import listing_cause

STAMPS = (
    "seen_ns",
    "decoded_ns",
    "decided_ns",
    "signed_ns",
    "journaled_ns",
    "written_ns",
    "acknowledged_ns",
    "filled_ns",
)
MAX_ARRIVALS = 50
"""Of one notice: a notice that is shown for hours arrives again and again."""
MAX_NOTICE_ORDERS = 5_000

Row = TypeVar("Row", bound=msgspec.Struct)


def orders(
    session: Session,
    *,
    limit: int = 50,
    user: str | None = None,
    accounts: Sequence[int] | None = None,
    cause: str | None = None,
    states: Sequence[str] | None = None,
) -> list[OrderRow]:
    """Orders with their timelines; ``cause`` is the beginning of a cause (``listing:upbit:1:``)."""
    query = _orders().where(_whose(session, Order.account_id, user, accounts)).limit(limit)
    if cause is not None:
        query = query.where(Intent.cause.startswith(cause, autoescape=True))
    if states is not None:
        query = query.where(Order.state.in_(states))
    return _order_rows(session, query)


def order(session: Session, client_id: str) -> OrderRow | None:
    found = _order_rows(session, _orders().where(Order.client_id == client_id))
    return found[0] if found else None


def fills(
    session: Session,
    *,
    client_id: str | None = None,
    limit: int = 200,
    user: str | None = None,
    accounts: Sequence[int] | None = None,
) -> list[FillRow]:
    query = (
        _select(FillRow, Fill, Instrument, user_name=User.name)
        .join(User, User.id == Fill.user_id)
        .join(Instrument, Instrument.id == Fill.instrument_id)
        .where(_whose(session, Fill.account_id, user, accounts))
        .order_by(Fill.filled_ns.desc(), Fill.id.desc())
        .limit(limit)
    )
    if client_id is not None:
        query = query.where(Fill.client_id == client_id)
    return _rows(session, FillRow, query)


def positions(
    session: Session,
    *,
    limit: int = 50,
    user: str | None = None,
    accounts: Sequence[int] | None = None,
    closed: bool = False,
) -> list[PositionRow]:
    """Open positions; with ``closed`` the closed ones too, after the open ones."""
    query = (
        _select(PositionRow, Position, Instrument, user_name=User.name, account_label=Account.label)
        .join(User, User.id == Position.user_id)
        .join(Account, Account.id == Position.account_id)
        .join(Instrument, Instrument.id == Position.instrument_id)
        .where(_whose(session, Position.account_id, user, accounts))
        .order_by(Position.closed_ns != 0, Position.opened_ns.desc(), Position.id.desc())
        .limit(limit)
    )
    if not closed:
        query = query.where(Position.closed_ns == 0)
    return _rows(session, PositionRow, query)


def equity(
    session: Session, *, user: str | None = None, accounts: Sequence[int] | None = None
) -> list[EquityRow]:
    """The newest equity of each account that has one, by user and account."""
    newest = (
        select(EquitySnapshot)
        .where(EquitySnapshot.account_id == Account.id)
        .order_by(EquitySnapshot.taken_ns.desc(), EquitySnapshot.id.desc())
        .limit(1)
        .lateral("newest")
    )
    query = (
        select(
            User.id.label("user_id"),
            User.name.label("user_name"),
            Account.id.label("account_id"),
            Account.label.label("account_label"),
            Account.mode.label("mode"),
            newest.c.currency,
            newest.c.equity,
            newest.c.available,
            newest.c.unrealised,
            newest.c.taken_ns,
        )
        .join(User, User.id == Account.user_id)
        .join(newest, true())
        .where(_whose(session, Account.id, user, accounts))
        .order_by(User.name, Account.id)
    )
    return _rows(session, EquityRow, query)


def equity_series(
    session: Session, account_id: int, *, since_ns: int, until_ns: int | None = None, points: int = 1_000
) -> list[EquityPoint]:
    """One account's equity over time, oldest first, thinned in Postgres to the last of each bucket."""
    until = clock.now_ns() if until_ns is None else until_ns
    width = max(1, -(-(until - since_ns + 1) // max(1, points)))
    bucket = (EquitySnapshot.taken_ns - since_ns) // width
    query = (
        select(EquitySnapshot.taken_ns, EquitySnapshot.equity)
        .ext(distinct_on(bucket))
        .where(
            EquitySnapshot.account_id == account_id,
            EquitySnapshot.taken_ns >= since_ns,
            EquitySnapshot.taken_ns <= until,
        )
        .order_by(bucket, EquitySnapshot.taken_ns.desc(), EquitySnapshot.id.desc())
    )
    return [EquityPoint(taken_ns, equity) for taken_ns, equity in session.execute(query)]


def notices(
    session: Session,
    *,
    limit: int = 50,
    user: str | None = None,
    accounts: Sequence[int] | None = None,
    decision: str | None = None,
) -> list[NoticeRow]:
    """Notices with their arrivals and the orders that each led to (of these accounts alone)."""
    query = select(Notice).order_by(Notice.first_seen_ns.desc(), Notice.id.desc()).limit(limit)
    if decision is not None:
        query = query.where(Notice.decision == decision)
    found = list(session.scalars(query))
    keys = [notice.key for notice in found]
    arrived = _arrivals(session, keys)
    led = _led_to(session, found, _whose(session, Order.account_id, user, accounts))
    return [
        NoticeRow(
            arrivals=arrived.get(notice.key, []),
            orders=led.get(notice.key, []),
            **{
                name: getattr(notice, name)
                for name in NoticeRow.__struct_fields__
                if name not in ("arrivals", "orders")
            },
        )
        for notice in found
    ]


def heartbeats(session: Session) -> list[HeartbeatRow]:
    """The last sign of life of each process, by name."""
    return _rows(session, HeartbeatRow, _select(HeartbeatRow, Heartbeat).order_by(Heartbeat.service))


def beat(  # noqa: PLR0917  (one row, column by column)
    session: Session, service: str, pid: int, state: str, detail: dict[str, Any], started_ns: int
) -> None:
    """Tell that a process lives."""
    row = {"pid": pid, "state": state, "detail": detail, "started_ns": started_ns, "at_ns": clock.now_ns()}
    statement = insert(Heartbeat).values(service=service, **row)
    session.execute(statement.on_conflict_do_update(index_elements=["service"], set_=row))


def _led_to(session: Session, notices: list[Notice], whose: ColumnElement[bool]) -> dict[str, list[OrderRow]]:
    owner = {listing_cause(notice.key, symbol): notice.key for notice in notices for symbol in notice.symbols}
    if not owner:
        return {}
    rows = _order_rows(session, _orders().where(Intent.cause.in_(owner), whose).limit(MAX_NOTICE_ORDERS))
    led: dict[str, list[OrderRow]] = {}
    for row in rows:
        led.setdefault(owner[row.cause], []).append(row)
    return led


def _arrivals(session: Session, keys: list[str]) -> dict[str, list[ArrivalRow]]:
    """The first arrival of each notice at each host, the fastest host first."""
    query = (
        select(NoticeArrival)
        .ext(distinct_on(NoticeArrival.notice_key, NoticeArrival.source, NoticeArrival.host))
        .where(NoticeArrival.notice_key.in_(keys))
        .order_by(
            NoticeArrival.notice_key, NoticeArrival.source, NoticeArrival.host, NoticeArrival.received_ns
        )
    )
    found: dict[str, list[NoticeArrival]] = {}
    for arrival in session.scalars(query):
        found.setdefault(arrival.notice_key, []).append(arrival)
    return {key: _behind(arrivals) for key, arrivals in found.items()}


def _behind(arrivals: list[NoticeArrival]) -> list[ArrivalRow]:
    ordered = sorted(arrivals, key=lambda arrival: arrival.received_ns)[:MAX_ARRIVALS]
    return [
        ArrivalRow(
            source=arrival.source,
            host=arrival.host,
            received_ns=arrival.received_ns,
            decoded_ns=arrival.decoded_ns,
            first=arrival.first,
            behind_ms=round((arrival.received_ns - ordered[0].received_ns) / clock.MILLISECOND, 3),
        )
        for arrival in ordered
    ]


def _orders() -> Select[Any]:
    names = {"user_name": User.name, "account_label": Account.label, "timeline": null()}
    return (
        _select(OrderRow, Order, Intent, Instrument, **names)
        .join(Intent, Intent.client_id == Order.client_id)
        .join(User, User.id == Order.user_id)
        .join(Account, Account.id == Order.account_id)
        .join(Instrument, Instrument.id == Order.instrument_id)
        .order_by(Intent.created_ns.desc(), Order.client_id)
    )


def _order_rows(session: Session, query: Select[Any]) -> list[OrderRow]:
    rows = []
    for found in session.execute(query).mappings():
        fields = dict(found)
        fields["timeline"] = timeline({name: fields[name] for name in STAMPS})
        rows.append(OrderRow(**fields))
    return rows


def _whose(
    session: Session,
    column: InstrumentedAttribute[int],
    user: str | None,
    accounts: Iterable[int] | None,
) -> ColumnElement[bool]:
    """The condition that keeps one user's rows from another's eyes."""
    condition: ColumnElement[bool] = true()
    if accounts is not None:
        condition = column.in_(list(accounts))
    if user is not None:
        owner = users.get(session, user).id
        condition &= column.in_(select(Account.id).where(Account.user_id == owner))
    return condition


def _select(row: type[msgspec.Struct], *tables: type[Any], **named: Any) -> Select[Any]:
    """The columns that a row struct names, each from the first table that has it."""
    columns = []
    for name in row.__struct_fields__:
        column = named.get(name)
        if column is None:
            column = next(getattr(table, name) for table in tables if hasattr(table, name))
        columns.append(column.label(name))
    return select(*columns)


def _rows(session: Session, row: type[Row], query: Select[Any]) -> list[Row]:
    return [row(**found) for found in session.execute(query).mappings()]
