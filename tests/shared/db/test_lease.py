"""Who uses the server keeps it up; who leaves last stops it. Shown with real processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from shared.db.embedded import EmbeddedPostgres, lease, stop_if_unused
from shared.errors import DatabaseError
from shared.settings import DatabaseSettings, Settings

HOLDER = """
import sys
from pathlib import Path
from shared.db.embedded import lease
from shared.settings import DatabaseSettings, Settings
settings = Settings(_env_file=None, home=Path(sys.argv[1]), database=DatabaseSettings(max_connections=20, shared_buffers_mb=16))
with lease(settings) as url:
    print(url, flush=True)
    sys.stdin.read()
"""

VISITOR = """
import sys
from pathlib import Path
import psycopg
from shared.db.embedded import lease
from shared.settings import DatabaseSettings, Settings
settings = Settings(_env_file=None, home=Path(sys.argv[1]), database=DatabaseSettings(max_connections=20, shared_buffers_mb=16))
for _ in range(int(sys.argv[2])):
    with lease(settings) as url, psycopg.connect(url) as connection:
        connection.execute("insert into visits values (default)")
"""

Hold = Callable[[], subprocess.Popen[str]]


def settings(home: Path) -> Settings:
    small = DatabaseSettings(max_connections=20, shared_buffers_mb=16)
    return Settings(_env_file=None, home=home, database=small)


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(home, max_connections=20, shared_buffers_mb=16)
    yield made
    made.stop()


@pytest.fixture
def hold(home: Path, server: EmbeddedPostgres) -> Iterator[Hold]:
    """Starts processes that hold a lease until their standard input closes."""
    held: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        held.append(process)
        return process

    yield start
    for process in held:
        if process.poll() is None:
            process.kill()
        process.communicate()


def url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=60)
    assert process.returncode == 0


def test_who_leaves_last_stops_it(hold: Hold, server: EmbeddedPostgres) -> None:
    first, second = hold(), hold()
    assert url(first) == url(second) != ""
    leave(first)
    assert server.running()
    leave(second)
    assert not server.running()


def test_several_that_come_at_once_share_one_server(hold: Hold) -> None:
    holders = [hold() for _ in range(4)]
    assert len({url(holder) for holder in holders}) == 1


def test_a_killed_user_counts_no_more(home: Path, hold: Hold, server: EmbeddedPostgres) -> None:
    first, second = hold(), hold()
    url(first)
    url(second)
    assert not stop_if_unused(home)
    first.kill()
    first.wait()
    assert not stop_if_unused(home)
    assert server.running()
    second.kill()
    second.wait()
    assert server.running()  # nobody was there to stop it
    assert stop_if_unused(home)
    assert not server.running()
    assert stop_if_unused(home)


def test_a_user_that_leaves_after_another_was_killed_stops_it(hold: Hold, server: EmbeddedPostgres) -> None:
    first, second = hold(), hold()
    url(first)
    url(second)
    first.kill()
    first.wait()
    leave(second)
    assert not server.running()


def test_coming_and_going_never_meets_a_closed_door(home: Path, server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.start()) as connection:
        connection.execute("create table visits (id bigint generated always as identity)")
    server.stop()
    visitors = [subprocess.Popen([sys.executable, "-c", VISITOR, str(home), "6"]) for _ in range(3)]
    assert [visitor.wait(90) for visitor in visitors] == [0, 0, 0]
    assert not server.running()
    with lease(settings(home)) as address, psycopg.connect(address) as connection:
        assert connection.execute("select count(*) from visits").fetchone() == (18,)


def test_one_process_may_hold_several(home: Path, server: EmbeddedPostgres) -> None:
    with lease(settings(home)) as outer:
        with lease(settings(home)) as inner:
            assert inner == outer
        assert server.running()
    assert not server.running()


def test_an_error_inside_gives_the_lease_back(home: Path, server: EmbeddedPostgres) -> None:
    with pytest.raises(RuntimeError, match="inside"), lease(settings(home)):
        raise RuntimeError("inside")
    assert not server.running()


def test_a_failed_start_gives_the_lease_back(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    (home / "postgres" / "password").rename(home / "kept")
    with pytest.raises(DatabaseError, match="is missing"), lease(settings(home)):
        pass
    assert not server.running()
    (home / "kept").rename(home / "postgres" / "password")


def test_a_database_of_ones_own_is_used_as_it_is(home: Path) -> None:
    own = Settings(_env_file=None, home=home, database_url="postgres://u:p@db.example.com/x")
    with lease(own) as address:
        assert address == "postgresql://u:p@db.example.com/x"
    assert not home.exists()


def test_a_home_without_a_server_has_nothing_to_stop(home: Path) -> None:
    assert stop_if_unused(home)
    assert not home.exists()
