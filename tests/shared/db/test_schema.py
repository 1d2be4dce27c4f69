from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from shared.db import schema
from shared.db.engine import engine
from shared.db.facts import CotRevision  # noqa: F401  (its tables register themselves)
from shared.db.tables import Base
from shared.errors import DatabaseError, SchemaError


def differences(url: str) -> list[object]:
    with engine(url, pooled=False).connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, Base.metadata))


def test_migrations_make_exactly_the_models(postgres_url: str) -> None:
    assert differences(postgres_url) == []


@pytest.mark.parametrize(
    "change",
    [
        "alter table users add column extra text",
        "alter table users alter column role set default 'admin'",
        "alter table orders alter column size type double precision",
        "drop index ix_intents_cause",
        "alter table accounts drop constraint fk_accounts_user_id_users",
    ],
)
def test_the_comparison_sees_a_difference(postgres_url: str, change: str) -> None:
    with engine(postgres_url, pooled=False).begin() as connection:
        connection.execute(text(change))
    assert differences(postgres_url)


def test_check_constraints_are_the_models(postgres_url: str) -> None:
    """Alembic does not compare check constraints, so they are compared here, definition by definition."""
    base, _, _ = postgres_url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute("create database from_models")
        try:
            source = engine(f"{base}/from_models", pooled=False)
            Base.metadata.create_all(source)
            query = (
                "select conrelid::regclass::text, conname, pg_get_constraintdef(oid) from pg_constraint "
                "where contype in ('c', 'u', 'p', 'f') and conrelid <> 0 and "
                "conrelid::regclass::text <> 'alembic_version' and connamespace = 'public'::regnamespace order by 1, 2"
            )
            with psycopg.connect(f"{base}/from_models") as models, psycopg.connect(postgres_url) as migrated:
                expected = models.execute(query).fetchall()
                assert len(expected) > 50
                assert migrated.execute(query).fetchall() == expected
        finally:
            admin.execute("drop database from_models with (force)")


def test_migrating_twice_and_at_the_same_time_is_harmless(postgres_server: str) -> None:
    base = postgres_server.rpartition("/")[0]
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute("create database race")
        try:
            with ThreadPoolExecutor(3) as pool:
                for running in [pool.submit(schema.migrate, f"{base}/race") for _ in range(3)]:
                    running.result()
            schema.check(f"{base}/race")
        finally:
            admin.execute("drop database race with (force)")


def test_an_empty_database_is_told_to_migrate(postgres_server: str) -> None:
    base = postgres_server.rpartition("/")[0]
    with pytest.raises(SchemaError, match="kestrel db migrate"):
        schema.check(f"{base}/postgres")


def test_a_newer_database_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    for act in (schema.check, schema.migrate):
        with pytest.raises(SchemaError, match="newer than this program"):
            act(postgres_url)


def test_a_server_that_is_away_is_one_clear_line() -> None:
    with pytest.raises(DatabaseError, match="does not answer") as caught:
        schema.check("postgresql://kestrel:top-secret@127.0.0.1:1/kestrel")
    assert "top-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_changes_are_announced(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as listener, psycopg.connect(postgres_url) as writer:
        listener.execute("listen kestrel_config")
        listener.execute("listen kestrel_commands")
        writer.execute("insert into users (name, created_ns) values ('ada', 1)")
        writer.execute(
            "insert into accounts (user_id, venue, kind, mode, label, sealed_credentials, key_tail, created_ns, updated_ns)"
            " values (1, 'bitget', 'classic', 'paper', 'main', '', '', 1, 1)"
        )
        writer.execute(
            "insert into scoped_settings (scope, name, value, updated_ns, updated_by) values ('installation', 'a', '1', 1, 'x')"
        )
        writer.execute("delete from scoped_settings")
        writer.execute(
            "insert into commands (idempotency_key, actor, verb, arguments, created_ns) values ('k', 'a', 'kill', '{}', 1)"
        )
        writer.execute("update commands set state = 'done'")
        writer.commit()
        heard = [(notify.channel, notify.payload) for notify in listener.notifies(timeout=10, stop_after=4)]
    assert sorted(heard) == [
        ("kestrel_commands", "commands:1"),
        ("kestrel_config", "accounts:1"),
        ("kestrel_config", "scoped_settings:1"),
        ("kestrel_config", "users:1"),
    ]


def test_the_audit_is_append_only(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("insert into audit (at_ns, actor, verb, subject) values (1, 'a', 'b', 'c')")
        for change in ("update audit set actor = 'z'", "delete from audit"):
            with pytest.raises(psycopg.errors.RaiseException, match="append only"):
                connection.execute(change)
