"""Every table, typed. Times are UTC nanoseconds (``BIGINT``), money is exact (``NUMERIC``),
sizes are in base coin, instruments carry their canonical id.

Every table of money holds ``user_id``, ``account_id``, ``mode`` and ``strategy_id``, so that one
user's rows can never be read as another's by a forgotten join.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        int: BigInteger,
        str: Text,
        Decimal: Numeric,
        bytes: LargeBinary,
        dict[str, Any]: JSONB(none_as_null=True),
        list[str]: ARRAY(Text),
        bool: Boolean,
    }


class Owned:
    """Whose money a row is about (truth 9)."""

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    mode: Mapped[str] = mapped_column()
    strategy_id: Mapped[str] = mapped_column()


class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("role in ('admin', 'user')", name="role"),
        CheckConstraint("state in ('active', 'pending', 'banned')", name="state"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(server_default="user")
    state: Mapped[str] = mapped_column(server_default="active")
    created_ns: Mapped[int] = mapped_column()


class Account(Base):
    """User x venue x kind x mode x label; the credentials are sealed to the trader's key."""

    __tablename__ = "accounts"
    __table_args__ = (
        UniqueConstraint("user_id", "venue", "kind", "mode", "label"),
        CheckConstraint("mode in ('paper', 'live')", name="mode"),
        CheckConstraint("state in ('armed', 'paused', 'disabled')", name="state"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    venue: Mapped[str] = mapped_column()
    kind: Mapped[str] = mapped_column()
    mode: Mapped[str] = mapped_column()
    label: Mapped[str] = mapped_column()
    state: Mapped[str] = mapped_column(server_default="armed")
    state_reason: Mapped[str] = mapped_column(server_default="")
    sealed_credentials: Mapped[bytes] = mapped_column()
    key_tail: Mapped[str] = mapped_column()
    """Last four characters of the API key, so that a person can tell two keys apart."""
    created_ns: Mapped[int] = mapped_column()
    updated_ns: Mapped[int] = mapped_column()


class ScopedSetting(Base):
    """A preference of the installation, of one user, or of one account; the narrower wins."""

    __tablename__ = "scoped_settings"
    __table_args__ = (
        UniqueConstraint("scope", "user_id", "account_id", "name", postgresql_nulls_not_distinct=True),
        CheckConstraint(
            "(scope = 'installation' and user_id is null and account_id is null)"
            " or (scope = 'user' and user_id is not null and account_id is null)"
            " or (scope = 'account' and user_id is not null and account_id is not null)",
            name="scope",
        ),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    scope: Mapped[str] = mapped_column()
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    name: Mapped[str] = mapped_column()
    value: Mapped[str] = mapped_column()
    """The value as text, in the form that ``shared.rules.preferences`` parses."""
    updated_ns: Mapped[int] = mapped_column()
    updated_by: Mapped[str] = mapped_column()


class Instrument(Base):
    __tablename__ = "instruments"
    __table_args__ = (UniqueConstraint("venue", "market", "symbol"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    venue: Mapped[str] = mapped_column()
    market: Mapped[str] = mapped_column()
    symbol: Mapped[str] = mapped_column()
    base: Mapped[str] = mapped_column()
    quote: Mapped[str] = mapped_column()
    tick: Mapped[Decimal] = mapped_column()
    step: Mapped[Decimal] = mapped_column()
    min_size: Mapped[Decimal] = mapped_column()
    min_notional: Mapped[Decimal] = mapped_column()
    max_market_size: Mapped[Decimal] = mapped_column()
    max_leverage: Mapped[int] = mapped_column(Integer)
    taker_fee: Mapped[Decimal] = mapped_column()
    maker_fee: Mapped[Decimal] = mapped_column()
    multiplier: Mapped[int] = mapped_column(server_default="1")
    status: Mapped[str] = mapped_column()
    open_ns: Mapped[int] = mapped_column(server_default="0")
    updated_ns: Mapped[int] = mapped_column()


class Notice(Base):
    """One notice, whatever host showed it and however often it was edited."""

    __tablename__ = "notices"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    source: Mapped[str] = mapped_column()
    title: Mapped[str] = mapped_column()
    category: Mapped[str] = mapped_column()
    kind: Mapped[str] = mapped_column()
    symbols: Mapped[list[str]] = mapped_column()
    markets: Mapped[list[str]] = mapped_column()
    amended: Mapped[bool] = mapped_column()
    first_listed_ns: Mapped[int] = mapped_column()
    first_seen_ns: Mapped[int] = mapped_column(index=True)
    decision: Mapped[str] = mapped_column()
    """``acted``, ``seeded`` (there before we armed) or ``ignored``."""
    reason: Mapped[str] = mapped_column()


class NoticeArrival(Base):
    """Every time a notice reached us: which source and host, and when (the race statistics)."""

    __tablename__ = "notice_arrivals"
    __table_args__ = (UniqueConstraint("notice_key", "source", "host", "received_ns"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    notice_key: Mapped[str] = mapped_column(ForeignKey("notices.key"))
    source: Mapped[str] = mapped_column()
    host: Mapped[str] = mapped_column()
    title: Mapped[str] = mapped_column()
    received_ns: Mapped[int] = mapped_column()
    decoded_ns: Mapped[int] = mapped_column()
    first: Mapped[bool] = mapped_column()


class Intent(Owned, Base):
    """What we decided to send, written before it was sent. Never updated."""

    __tablename__ = "intents"
    client_id: Mapped[str] = mapped_column(primary_key=True)
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instruments.id"))
    cause: Mapped[str] = mapped_column(index=True)
    leg: Mapped[int] = mapped_column(Integer)
    step: Mapped[str] = mapped_column()
    attempt: Mapped[int] = mapped_column(Integer)
    side: Mapped[str] = mapped_column()
    order_type: Mapped[str] = mapped_column()
    size: Mapped[Decimal] = mapped_column()
    price: Mapped[Decimal | None] = mapped_column()
    reference_price: Mapped[Decimal] = mapped_column()
    """The price the size was computed from; slippage is measured against it."""
    margin: Mapped[Decimal] = mapped_column()
    leverage: Mapped[int] = mapped_column(Integer)
    take_profit_price: Mapped[Decimal | None] = mapped_column()
    stop_price: Mapped[Decimal | None] = mapped_column()
    reduce_only: Mapped[bool] = mapped_column()
    created_ns: Mapped[int] = mapped_column(index=True)
    record: Mapped[bytes | None] = mapped_column()
    """The journal's own record: what another machine needs to go on. NULL in rows of before it was kept."""


class Order(Owned, Base):
    """Where an intent stands, with the timeline of the order (zero = not reached)."""

    __tablename__ = "orders"
    client_id: Mapped[str] = mapped_column(ForeignKey("intents.client_id"), primary_key=True)
    venue_order_id: Mapped[str] = mapped_column(server_default="")
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instruments.id"))
    side: Mapped[str] = mapped_column()
    state: Mapped[str] = mapped_column(index=True)
    size: Mapped[Decimal] = mapped_column()
    filled_size: Mapped[Decimal] = mapped_column()
    average_price: Mapped[Decimal | None] = mapped_column()
    fee: Mapped[Decimal] = mapped_column()
    reason_code: Mapped[str] = mapped_column(server_default="")
    reason: Mapped[str] = mapped_column(server_default="")
    seen_ns: Mapped[int] = mapped_column()
    """The bytes of the cause (a notice) reached this machine."""
    decoded_ns: Mapped[int] = mapped_column()
    decided_ns: Mapped[int] = mapped_column()
    signed_ns: Mapped[int] = mapped_column()
    journaled_ns: Mapped[int] = mapped_column()
    written_ns: Mapped[int] = mapped_column()
    acknowledged_ns: Mapped[int] = mapped_column()
    filled_ns: Mapped[int] = mapped_column()
    updated_ns: Mapped[int] = mapped_column()
    protected: Mapped[bool] = mapped_column(server_default=text("false"))
    """The venue confirmed that this entry's take profit rests with it."""


class Fill(Owned, Base):
    __tablename__ = "fills"
    __table_args__ = (UniqueConstraint("account_id", "instrument_id", "venue_fill_id"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("intents.client_id"), index=True)
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instruments.id"))
    venue_fill_id: Mapped[str] = mapped_column()
    side: Mapped[str] = mapped_column()
    price: Mapped[Decimal] = mapped_column()
    size: Mapped[Decimal] = mapped_column()
    fee: Mapped[Decimal] = mapped_column()
    """Positive = paid, in ``fee_currency``."""
    fee_currency: Mapped[str] = mapped_column()
    slippage: Mapped[Decimal] = mapped_column()
    """Against the intent's reference price, fraction of it, positive = worse for us."""
    liquidity: Mapped[str] = mapped_column()
    filled_ns: Mapped[int] = mapped_column()


class Position(Owned, Base):
    """A position as the venue reports it; closed ones stay as history."""

    __tablename__ = "positions"
    __table_args__ = (
        Index(
            "uq_positions_open",
            "account_id",
            "instrument_id",
            "side",
            unique=True,
            postgresql_where=text("closed_ns = 0"),
        ),
        CheckConstraint("state in ('ACTIVE', 'SCALING', 'BREAKEVEN', 'CLOSED')", name="state"),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    instrument_id: Mapped[str] = mapped_column(ForeignKey("instruments.id"))
    side: Mapped[str] = mapped_column()
    state: Mapped[str] = mapped_column()
    size: Mapped[Decimal] = mapped_column()
    entry_price: Mapped[Decimal] = mapped_column()
    mark_price: Mapped[Decimal] = mapped_column()
    margin: Mapped[Decimal] = mapped_column()
    leverage: Mapped[int] = mapped_column(Integer)
    unrealised: Mapped[Decimal] = mapped_column()
    realised: Mapped[Decimal] = mapped_column()
    liquidation_price: Mapped[Decimal | None] = mapped_column()
    take_profit_price: Mapped[Decimal | None] = mapped_column()
    stop_price: Mapped[Decimal | None] = mapped_column()
    opened_ns: Mapped[int] = mapped_column()
    updated_ns: Mapped[int] = mapped_column()
    closed_ns: Mapped[int] = mapped_column(server_default="0")


class Leg(Owned, Base):
    """One entry of a position: an initial one or a scale-in."""

    __tablename__ = "legs"
    __table_args__ = (UniqueConstraint("position_id", "number"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    position_id: Mapped[int] = mapped_column(ForeignKey("positions.id"))
    client_id: Mapped[str] = mapped_column(ForeignKey("intents.client_id"))
    number: Mapped[int] = mapped_column(Integer)
    size: Mapped[Decimal] = mapped_column()
    remaining: Mapped[Decimal] = mapped_column()
    entry_price: Mapped[Decimal] = mapped_column()
    margin: Mapped[Decimal] = mapped_column()
    stop_price: Mapped[Decimal | None] = mapped_column()
    state: Mapped[str] = mapped_column()
    opened_ns: Mapped[int] = mapped_column()
    closed_ns: Mapped[int] = mapped_column(server_default="0")


class EquitySnapshot(Owned, Base):
    __tablename__ = "equity_snapshots"
    __table_args__ = (Index(None, "account_id", "taken_ns"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    currency: Mapped[str] = mapped_column()
    equity: Mapped[Decimal] = mapped_column()
    """Wallet balance plus unrealised profit."""
    available: Mapped[Decimal] = mapped_column()
    unrealised: Mapped[Decimal] = mapped_column()
    taken_ns: Mapped[int] = mapped_column()


class Transfer(Owned, Base):
    """Money that came or went otherwise than by trading: never counted as profit or loss."""

    __tablename__ = "transfers"
    __table_args__ = (UniqueConstraint("account_id", "venue_ref"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    venue_ref: Mapped[str] = mapped_column()
    kind: Mapped[str] = mapped_column()
    currency: Mapped[str] = mapped_column()
    amount: Mapped[Decimal] = mapped_column()
    occurred_ns: Mapped[int] = mapped_column()


class Command(Base):
    """What a person asked for, once per idempotency key, and what came of it."""

    __tablename__ = "commands"
    __table_args__ = (CheckConstraint("state in ('new', 'running', 'done', 'failed')", name="state"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    actor: Mapped[str] = mapped_column()
    verb: Mapped[str] = mapped_column()
    arguments: Mapped[dict[str, Any]] = mapped_column()
    state: Mapped[str] = mapped_column(server_default="new")
    result: Mapped[dict[str, Any] | None] = mapped_column()
    created_ns: Mapped[int] = mapped_column()
    started_ns: Mapped[int] = mapped_column(server_default="0")
    finished_ns: Mapped[int] = mapped_column(server_default="0")


class Outbox(Base):
    """Messages that wait to be told to a user, in the order of their ids."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_unsent", "id", postgresql_where=text("sent_ns = 0")),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("accounts.id"))
    dedupe_key: Mapped[str] = mapped_column(unique=True)
    """One event makes one message, however often it is processed."""
    kind: Mapped[str] = mapped_column()
    body: Mapped[dict[str, Any]] = mapped_column()
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    last_error: Mapped[str] = mapped_column(server_default="")
    created_ns: Mapped[int] = mapped_column()
    sent_ns: Mapped[int] = mapped_column(server_default="0")


class Audit(Base):
    """Who changed what. Append only; never holds a secret."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    at_ns: Mapped[int] = mapped_column()
    actor: Mapped[str] = mapped_column()
    verb: Mapped[str] = mapped_column()
    subject: Mapped[str] = mapped_column()
    before: Mapped[dict[str, Any] | None] = mapped_column()
    after: Mapped[dict[str, Any] | None] = mapped_column()


class JournalProgress(Base):
    """How much of a journal is in Postgres; moved in the same transaction as the rows."""

    __tablename__ = "journal_progress"
    journal_id: Mapped[str] = mapped_column(primary_key=True)
    applied_seq: Mapped[int] = mapped_column()
    applied_ns: Mapped[int] = mapped_column()


class AccountLease(Base):
    """Which installation trades an account, until when by the clock of Postgres. ``token`` counts its owners."""

    __tablename__ = "account_leases"
    account_id: Mapped[int] = mapped_column(ForeignKey("accounts.id"), primary_key=True)
    holder: Mapped[str] = mapped_column()
    host: Mapped[str] = mapped_column()
    token: Mapped[int] = mapped_column()
    until_ns: Mapped[int] = mapped_column()
    renewed_ns: Mapped[int] = mapped_column()


class Heartbeat(Base):
    """The last sign of life of each process, for the pages' banner and ``kestrel doctor``."""

    __tablename__ = "heartbeats"
    service: Mapped[str] = mapped_column(primary_key=True)
    pid: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column()
    detail: Mapped[dict[str, Any]] = mapped_column()
    started_ns: Mapped[int] = mapped_column()
    at_ns: Mapped[int] = mapped_column()
