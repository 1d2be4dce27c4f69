"""Connections for the command line and the pages (the trader has its own, on plain psycopg)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from shared.db.embedded import forget_environment
from shared.errors import DatabaseError

CONNECT_S = 5
STATEMENT_MS = 30_000
"""A page or a command that needs longer has lost its way."""


def engine(url: str, *, pool_size: int = 5, pooled: bool = True) -> Engine:
    """An engine whose connections are tested before use, so that a restarted server is not noticed.

    ``pooled=False`` opens one connection per use: for commands and migrations that end at once.
    """
    forget_environment()
    arguments = {
        "connect_timeout": CONNECT_S,
        "application_name": "kestrel",
        "options": f"-c statement_timeout={STATEMENT_MS} -c timezone=UTC",
    }
    try:
        if not pooled:
            return create_engine(url, poolclass=NullPool, connect_args=arguments)
        return create_engine(
            url,
            pool_pre_ping=True,
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_timeout=CONNECT_S,
            connect_args=arguments,
        )
    except ArgumentError:
        raise DatabaseError(
            "KESTREL_DATABASE_URL is not a database URL: write postgresql://user:password@host:port/name"
        ) from None


@contextmanager
def session(source: Engine) -> Iterator[Session]:
    """One transaction: committed at the end of the ``with`` block, rolled back when it raises.

    A server that is away becomes :class:`DatabaseError`; objects stay readable after the commit.
    """
    with translated(), Session(source, expire_on_commit=False) as opened, opened.begin():
        yield opened


@contextmanager
def transaction(url: str, *, statement_ms: int = STATEMENT_MS) -> Iterator[psycopg.Connection[Any]]:
    """A plain psycopg connection for one transaction: for COPY, and SQL that no model stands for.

    ``statement_ms`` bounds each statement, waiting for others included.
    """
    forget_environment()
    with (
        translated(),
        psycopg.connect(
            url,
            connect_timeout=CONNECT_S,
            application_name="kestrel",
            options=f"-c statement_timeout={statement_ms} -c timezone=UTC",
        ) as connection,
    ):
        yield connection


@contextmanager
def translated() -> Iterator[None]:
    """Turn "the server is away" of SQLAlchemy and psycopg into :class:`DatabaseError`."""
    try:
        yield
    except (OperationalError, psycopg.OperationalError) as error:
        raise DatabaseError(f"the database does not answer: {_reason(error)}") from None
    except DBAPIError as error:
        if error.connection_invalidated:
            raise DatabaseError(f"the database went away: {_reason(error)}") from None
        raise


def _reason(error: Exception) -> str:
    """The server's own first line: never the statement, whose parameters may be private."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__
