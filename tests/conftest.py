"""Fixtures of every test: a home of its own, and a fresh migrated database per test.

One embedded server per test run (per worker under xdist), one clone of a migrated template per
test. Everything lies in a temporary folder that the server's account can reach.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psycopg
import pytest
from psycopg import sql
from sqlalchemy.orm import Session

from shared.db import schema
from shared.db.embedded import EmbeddedPostgres
from shared.db.engine import engine

#: How long one example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("kestrel", deadline=None)
hypothesis.settings.load_profile("kestrel")

TEMPLATE = "kestrel"
_numbers = itertools.count(1)


_prefect_home: Path | None = None


def pytest_configure() -> None:
    """No setting of the person who runs the tests may change what they see."""
    global _prefect_home
    for name in [name for name in os.environ if name.startswith(("KESTREL_", "PG", "PREFECT_"))]:
        del os.environ[name]
    os.environ["KESTREL_ENV_FILE"] = os.devnull
    # Prefect reads these when it is imported, and makes its home then
    _prefect_home = Path(tempfile.mkdtemp(prefix="kestrel-prefect-home-"))
    os.environ["PREFECT_HOME"] = str(_prefect_home)
    os.environ["PREFECT_SERVER_EPHEMERAL_ENABLED"] = "false"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["DO_NOT_TRACK"] = "1"


def pytest_unconfigure() -> None:
    if _prefect_home is not None:
        shutil.rmtree(_prefect_home, ignore_errors=True)


@pytest.fixture
def home() -> Iterator[Path]:
    """An empty ``KESTREL_HOME`` (pytest's own ``tmp_path`` is closed to other accounts)."""
    folder = Path(tempfile.mkdtemp(prefix="kestrel-"))
    folder.chmod(0o711)
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a running server whose database ``kestrel`` is migrated and never written to."""
    folder = Path(tempfile.mkdtemp(prefix="kestrel-tests-"))
    folder.chmod(0o711)
    server = EmbeddedPostgres(
        folder,
        max_connections=100,
        shared_buffers_mb=32,
        extra={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
    )
    try:
        url = server.start()
        schema.migrate(url)
        yield url
    finally:
        server.stop()
        shutil.rmtree(folder)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh migrated database, dropped after the test with whoever is still connected."""
    name = f"test_{next(_numbers)}"
    base = postgres_server.rpartition("/")[0]
    with psycopg.connect(f"{base}/postgres", autocommit=True) as admin:
        admin.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(TEMPLATE))
        )
        yield f"{base}/{name}"
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def session(postgres_url: str) -> Iterator[Session]:
    """An open session on a fresh database; commit yourself when others must see the rows."""
    source = engine(postgres_url, pooled=False)
    with Session(source, expire_on_commit=False) as opened:
        yield opened
    source.dispose()
