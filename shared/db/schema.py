"""The schema's version: bring a database up to date, or say what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from shared.db.engine import engine, translated
from shared.errors import SchemaError

FOLDER = Path(__file__).resolve().parent / "migrations"
LOCK = 0x6B657374  # "kest": one migration at a time, whoever starts it
MIGRATION_MS = 600_000


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, made here so that no file ever holds a URL."""
    made = Config()
    made.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def migrate(url: str) -> None:
    """Upgrade to this program's schema. Several processes may call it at once: one migrates.

    Raises :class:`SchemaError` when the database is newer than this program.
    """
    with translated(), engine(url, pooled=False).connect() as connection:
        connection.execute(text(f"set statement_timeout = {MIGRATION_MS}"))
        connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        try:
            _refuse_newer(_current(connection))
            command.upgrade(config(connection), "head")
            connection.commit()
        except CommandError as error:
            raise SchemaError(f"the database cannot be migrated: {error}") from None
        finally:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:lock)"), {"lock": LOCK})
            connection.commit()


def check(url: str) -> None:
    """Raise :class:`SchemaError` unless the database has exactly this program's schema."""
    with translated(), engine(url, pooled=False).connect() as connection:
        current = _current(connection)
    _refuse_newer(current)
    wanted = _head()
    if current != wanted:
        raise SchemaError(
            f"the database's schema is {current or 'empty'} and this program needs {wanted}: run `kestrel db migrate`"
        )


def _head() -> str:
    head = ScriptDirectory.from_config(config()).get_current_head()
    assert head is not None
    return head


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _refuse_newer(current: str | None) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}
    if current is not None and current not in known:
        raise SchemaError(
            f"the database's schema {current} is newer than this program: update Kestrel, or restore an older backup"
        )
