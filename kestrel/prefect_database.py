"""Prefect's own database: beside ours, and kept apart from it.

On the embedded server it is ``prefect``, owned by a role of that name that cannot enter ours. On a server of
the user's own it is ``NAME_prefect``, made when the user may make databases; or the one that
``KESTREL_FLOWS__DATABASE_URL`` names. Everything here blocks: call it from a worker thread.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from shared import files, redact
from shared.errors import DatabaseError
from shared.settings import Settings

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import URL

NAME = "prefect"
SUFFIX = "_prefect"
MOST_CONNECTIONS = 30
"""A bound in the server itself; the pool of ``prefect.toml`` stays below."""
CONNECT_S = 10
OWN = "KESTREL_FLOWS__DATABASE_URL"
_SHARED = ("host", "port")
"""Parameters of a URL that libpq and asyncpg understand alike."""


def prepare(settings: Settings, url: str) -> str:
    """Prefect's URL, in SQLAlchemy's form for asyncpg; ``url`` is that of our own database, which is up.

    Raises :class:`DatabaseError` in one line when there is no database and none can be made.
    """
    import psycopg

    try:
        if settings.flows.database_url is not None:
            made = settings.flows.database_url.get_secret_value()
        else:
            made = _beside(url) if settings.database_url is not None else _embedded(url, settings.home)
        with _connected(made):
            return for_asyncpg(made)
    except psycopg.Error as error:
        raise DatabaseError(f"Prefect's database cannot be made ready: {_reason(error)}") from None


def password(home: Path) -> str:
    """The role's password, in a file that only its owner reads; made at the first call."""
    path = files.folder(home / "prefect") / "database.password"
    files.write_atomic(path, secrets.token_urlsafe(24).encode(), replace=False)
    found = path.read_text().strip()
    redact.hide(found)
    return found


def for_asyncpg(url: str) -> str:
    """The same database for SQLAlchemy with asyncpg, which has other names for what a URL may say."""
    parts = _parsed(url)
    query = {name: value for name, value in parts.query.items() if name in _SHARED}
    if "sslmode" in parts.query:
        query["ssl"] = parts.query["sslmode"]
    made = parts.set(drivername="postgresql+asyncpg", query=query)
    return made.render_as_string(hide_password=False)


def _embedded(url: str, home: Path) -> str:
    from psycopg import sql

    parts = _parsed(url)
    secret = password(home)
    role = sql.Identifier(NAME)
    with _connected(_plain(parts.set(database="postgres"))) as admin:
        known = admin.execute("select 1 from pg_roles where rolname = %s", [NAME]).fetchone()
        verb = sql.SQL("alter role {}" if known else "create role {}").format(role)
        # sent as its verifier, so that the password itself is in no statement
        verifier = admin.pgconn.encrypt_password(secret.encode(), NAME.encode(), b"scram-sha-256").decode()
        admin.execute(
            sql.SQL(
                "{} login nosuperuser nocreatedb nocreaterole noreplication connection limit {} password {}"
            ).format(verb, sql.Literal(MOST_CONNECTIONS), sql.Literal(verifier))
        )
        _make(admin, NAME, owner=NAME)
        for database in (parts.database, "postgres", "template1", NAME):
            assert database is not None, "our own URL names its database"
            admin.execute(
                sql.SQL("revoke connect, temporary on database {} from public").format(
                    sql.Identifier(database)
                )
            )
    return _plain(parts.set(username=NAME, password=secret, database=NAME))


def _beside(url: str) -> str:
    import psycopg

    parts = _parsed(url)
    name = f"{parts.database or parts.username}{SUFFIX}"
    try:
        with _connected(url) as admin:
            _make(admin, name)
    except psycopg.errors.InsufficientPrivilege:
        raise DatabaseError(
            f"Prefect needs a database of its own and {parts.username} may not make one: run"
            f' `create database "{name}" owner "{parts.username}"` as an administrator, or set {OWN}'
        ) from None
    return _plain(parts.set(database=name))


def _make(admin: psycopg.Connection, name: str, owner: str = "") -> None:
    from psycopg import errors, sql

    if admin.execute("select 1 from pg_database where datname = %s", [name]).fetchone():
        return
    command = sql.SQL("create database {}").format(sql.Identifier(name))
    if owner:
        command += sql.SQL(" owner {}").format(sql.Identifier(owner))
    try:
        admin.execute(command)
    except errors.DuplicateDatabase:  # another process was faster
        return


def _connected(url: str) -> psycopg.Connection:
    import psycopg

    try:
        return psycopg.connect(url, connect_timeout=CONNECT_S, autocommit=True, application_name="kestrel")
    except psycopg.OperationalError as error:
        raise DatabaseError(f"Prefect's database does not answer: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The server's last line: never the statement."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _parsed(url: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseError(
            "this is no database URL: write postgresql://user:password@host:port/name"
        ) from None


def _plain(parts: URL) -> str:
    return parts.set(drivername="postgresql").render_as_string(hide_password=False)
