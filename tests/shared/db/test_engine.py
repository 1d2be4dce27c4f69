from __future__ import annotations

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from shared.db.engine import engine, session
from shared.errors import DatabaseError


def test_a_transaction_is_all_or_nothing(postgres_url: str) -> None:
    source = engine(postgres_url)
    insert = text("insert into users (name, created_ns) values (:name, 1)")
    with session(source) as opened:
        opened.execute(insert, {"name": "ada"})
    with pytest.raises(IntegrityError), session(source) as opened:
        opened.execute(insert, [{"name": "eve"}, {"name": "ada"}])
    with session(source) as opened:
        assert opened.execute(text("select name from users")).scalars().all() == ["ada"]
    source.dispose()


def test_connections_that_the_server_cut_are_replaced(postgres_url: str) -> None:
    source = engine(postgres_url, pool_size=1)
    with session(source) as opened:
        backend = opened.execute(text("select pg_backend_pid()")).scalar_one()
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("select pg_terminate_backend(%s, 5000)", [backend])
    with session(source) as opened:
        assert opened.execute(text("select pg_backend_pid()")).scalar_one() != backend
    source.dispose()


def test_a_server_that_goes_away_in_the_middle_is_one_clear_line(postgres_url: str) -> None:
    source = engine(postgres_url, pooled=False)
    suicide = text("select pg_terminate_backend(pg_backend_pid()), :secret")
    with pytest.raises(DatabaseError, match="the database") as caught, session(source) as opened:
        opened.execute(suicide, {"secret": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_our_own_mistakes_stay_what_they_are(postgres_url: str) -> None:
    source = engine(postgres_url, pooled=False)
    with pytest.raises(ProgrammingError), session(source) as opened:
        opened.execute(text("select no_such_column from users"))


def test_a_wrong_url_is_one_clear_line_without_the_password() -> None:
    with pytest.raises(DatabaseError, match="postgresql://user:password@host:port/name") as caught:
        engine("not a url hunter2")
    assert "hunter2" not in str(caught.value)
