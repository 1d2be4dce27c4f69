"""Prefect has a database of its own, and its role cannot look into ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from kestrel import prefect_database
from shared.errors import DatabaseError
from shared.settings import FlowsSettings, Settings


@pytest.fixture
def cleared(postgres_url: str) -> Iterator[psycopg.Connection]:
    """An administrator's connection; what the test made on the shared server is dropped."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        yield admin
        admin.execute("drop database if exists prefect with (force)")
        admin.execute("drop role if exists prefect")


def plain(url: str) -> str:
    assert url.startswith("postgresql+asyncpg://")
    return url.replace("+asyncpg", "", 1)


def test_on_the_embedded_server_it_is_made_once_with_a_role_of_its_own(
    home: Path, postgres_url: str, cleared: psycopg.Connection
) -> None:
    settings = Settings(home=home)
    url = prefect_database.prepare(settings, postgres_url)
    assert prefect_database.prepare(settings, postgres_url) == url
    with psycopg.connect(plain(url), autocommit=True) as own:
        assert own.execute("select current_user, current_database()").fetchone() == ("prefect", "prefect")
        own.execute("create extension pg_trgm")  # Prefect's own tables need it
        own.execute("create table t (x int)")
        (limit,) = own.execute("select rolconnlimit from pg_roles where rolname = 'prefect'").fetchone() or ()
        assert limit == prefect_database.MOST_CONNECTIONS
    password = home / "prefect" / "database.password"
    assert password.stat().st_mode & 0o777 == 0o600
    assert password.read_text() in url


def test_its_role_cannot_enter_our_database(
    home: Path, postgres_url: str, cleared: psycopg.Connection
) -> None:
    url = make_url(plain(prefect_database.prepare(Settings(home=home), postgres_url)))
    for name in (make_url(postgres_url).database, "postgres", "template1"):
        theirs = url.set(database=name).render_as_string(hide_password=False)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(theirs)


def test_a_lost_password_is_made_anew(home: Path, postgres_url: str, cleared: psycopg.Connection) -> None:
    first = prefect_database.prepare(Settings(home=home), postgres_url)
    (home / "prefect" / "database.password").unlink()
    second = prefect_database.prepare(Settings(home=home), postgres_url)
    assert second != first
    psycopg.connect(plain(second)).close()


def test_beside_a_database_of_the_users_own(home: Path, postgres_url: str) -> None:
    settings = Settings(home=home, database_url=postgres_url)
    url = prefect_database.prepare(settings, postgres_url)
    assert prefect_database.prepare(settings, postgres_url) == url
    assert make_url(url).database == f"{make_url(postgres_url).database}_prefect"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f'drop database "{make_url(url).database}"')


def test_a_user_who_may_not_make_databases_gets_one_line(home: Path, postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("create role small login password 'small-password'")
        try:
            url = make_url(postgres_url).set(username="small", password="small-password")
            text = url.render_as_string(hide_password=False)
            with pytest.raises(DatabaseError) as caught:
                prefect_database.prepare(Settings(home=home, database_url=text), text)
        finally:
            admin.execute("drop role small")
    told = str(caught.value)
    assert "\n" not in told
    assert f'create database "{url.database}_prefect" owner "small"' in told
    assert "KESTREL_FLOWS__DATABASE_URL" in told
    assert "small-password" not in told


def test_a_named_database_is_taken_as_it_is(home: Path, postgres_url: str) -> None:
    named = Settings(home=home, flows=FlowsSettings(database_url=SecretStr(postgres_url)))
    assert plain(prefect_database.prepare(named, "postgresql://nobody@nowhere/x")) == postgres_url
    away = Settings(
        home=home, flows=FlowsSettings(database_url=SecretStr("postgresql://a:hunter2@127.0.0.1:9/x"))
    )
    with pytest.raises(DatabaseError, match="does not answer") as caught:
        prefect_database.prepare(away, postgres_url)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("postgresql://u:p%40ss@h:5433/n", "postgresql+asyncpg://u:p%40ss@h:5433/n"),
        ("postgresql://u@h/n?sslmode=require", "postgresql+asyncpg://u@h/n?ssl=require"),
        ("postgresql:///n?host=/run/pg&port=5433", "postgresql+asyncpg:///n?host=%2Frun%2Fpg&port=5433"),
        ("postgresql://u@h/n?application_name=x&connect_timeout=3", "postgresql+asyncpg://u@h/n"),
    ],
)
def test_urls_in_the_words_of_asyncpg(given: str, made: str) -> None:
    assert prefect_database.for_asyncpg(given) == made
