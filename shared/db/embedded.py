"""The embedded Postgres of a ``KESTREL_HOME``: made, started, shared and stopped.

It listens on 127.0.0.1 only, on a free port that is remembered, with a random password that is in
one private file and in no argument list. Whoever uses it holds a :func:`lease`; who leaves last
stops it, and a killed process loses its lease with its life.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from shared import clock, files, locks, redact
from shared.db import binaries, place, postmaster
from shared.db.binaries import Account, find_binaries
from shared.db.place import Place
from shared.errors import DatabaseError

if TYPE_CHECKING:
    from shared.settings import Settings

__all__ = ["EmbeddedPostgres", "find_binaries", "forget_environment", "lease", "stop_if_unused"]

NAME = "kestrel"
HOST = "127.0.0.1"
#: Below the range from which kernels give ports to outgoing connections.
PORTS = range(20_000, 32_000)
POLL_S = 0.02
ANSWER_S = 15.0
"""A server that is being killed looks alive for a moment; after this it is not coming back."""
START_S = 120.0
"""Long, because a server that was killed replays its log before it is ready."""
STOP_S = 60.0
LOCK_S = 180.0
ATTEMPTS = 8


class EmbeddedPostgres:
    """The server of one home. Every method may be called from any process of the same user.

    ``max_connections`` counts connections, ``shared_buffers_mb`` is in MB; ``extra`` are further
    server settings, for tests. Raises :class:`DatabaseError` with what to do.
    """

    def __init__(
        self,
        home: Path,
        *,
        max_connections: int = 120,
        shared_buffers_mb: int = 128,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home.expanduser().resolve()
        self._options = {
            "max_connections": str(max_connections),
            "shared_buffers": f"{shared_buffers_mb}MB",
            **(extra or {}),
        }

    def start(self) -> str:
        """Start the server if it is down; return its URL when it answers."""
        files.make_home(self.home)
        with _locked(self._lock, locks.EXCLUSIVE):
            where = self._where() or self._create()
            deadline = clock.monotonic_ns() + int(ANSWER_S * clock.SECOND)
            while not self._answers(where, last=clock.monotonic_ns() > deadline):
                time.sleep(POLL_S)
        return self.url()

    def _answers(self, where: Place, *, last: bool) -> bool:
        """Bring the server up and ask it something; ``False`` when it died meanwhile."""
        server = postmaster.look(where.data)
        if server is None:
            self._launch(where)
        elif not self._ready(where, server.pid) and not last:
            return False
        try:
            self._make_database(where)
        except psycopg.OperationalError as error:
            if last:
                raise DatabaseError(f"Postgres does not answer: {_last_line(str(error))}") from None
            return False
        return True

    def stop(self) -> None:
        """Stop the server: clients are cut off, everything committed is on disk."""
        if not self.home.is_dir():
            return
        with _locked(self._lock, locks.EXCLUSIVE):
            where = self._where()
            server = postmaster.look(where.data) if where else None
            if server is None:
                return
            for number, wait_s in ((signal.SIGINT, STOP_S), (signal.SIGQUIT, STOP_S / 4)):
                _signal(server.pid, number)
                deadline = clock.monotonic_ns() + int(wait_s * clock.SECOND)
                while clock.monotonic_ns() < deadline:
                    if not postmaster.alive(server.pid):
                        return
                    time.sleep(POLL_S)
            raise DatabaseError(
                f"Postgres (process {server.pid}) does not stop: look at {where and where.data / 'log'}"
            )

    def running(self) -> bool:
        """Whether the server's process is there (it may still be starting)."""
        where = self._where()
        return where is not None and postmaster.look(where.data) is not None

    def url(self) -> str:
        """The URL of the running server; :class:`DatabaseError` when it is down."""
        where = self._where()
        server = postmaster.look(where.data) if where else None
        if server is None:
            raise DatabaseError(f"the Postgres of {self.home} is not running")
        return f"postgresql://{NAME}:{self._password()}@{HOST}:{server.port}/{NAME}"

    @property
    def _lock(self) -> Path:
        return self.home / "run" / "postgres.lock"

    def _where(self) -> Place | None:
        return place.find(self.home)

    def _password(self) -> str:
        path = self.home / "postgres" / "password"
        try:
            password = path.read_text().strip()
        except FileNotFoundError:
            raise DatabaseError(f"{path} is missing: put it back from a backup of this home") from None
        except PermissionError:
            raise DatabaseError(f"{path} belongs to another user: run as that user") from None
        redact.hide(password)
        return password

    def _create(self) -> Place:
        """Make an empty cluster beside its final place and move it there when it is whole."""
        where = place.choose(self.home)
        password = secrets.token_urlsafe(24)
        files.write_atomic(self.home / "postgres" / "password", password.encode())
        programs = binaries.for_account(find_binaries(), where.account, where.room)
        making = files.folder(where.room / f"making-{secrets.token_hex(8)}", files.PASSABLE)
        try:
            data, secret = making / "data", making / "password"
            data.mkdir(files.PRIVATE)
            files.write_atomic(secret, password.encode())
            if where.account:
                for path in (data, secret):
                    os.chown(path, where.account.uid, where.account.gid)
            options = [
                "-U",
                NAME,
                "-A",
                "scram-sha-256",
                f"--pwfile={secret}",
                "--encoding=UTF8",
                "--locale=C",
            ]
            if int(binaries.version(programs).split(".")[0]) >= 16:
                options += ["-c", "dynamic_shared_memory_type=mmap"]  # a tiny /dev/shm fails it otherwise
            answer = _run([programs / "initdb", "-D", data, *options, "--no-instructions"], where.account)
            if answer.returncode != 0:
                raise DatabaseError(
                    f"Postgres cannot make its data folder in {where.room}: {_last_line(answer.stderr)}"
                )
            data.rename(where.data)
            files.sync_folder(where.room)
        finally:
            shutil.rmtree(making, ignore_errors=True)
        return where

    def _launch(self, where: Place) -> None:
        for leftover in where.room.glob("making-*"):  # of a first start that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        programs = binaries.for_account(find_binaries(), where.account, where.room)
        _check_version(programs, where.data)
        port = self._remembered_port()
        for attempt in range(ATTEMPTS):
            if not _free(port):
                port = _choose_port()
            postmaster.remove_stale(where.data)
            pid = self._spawn(programs, where, port)
            if self._ready(where, pid):
                files.write_atomic(self.home / "postgres" / "port", str(port).encode())
                return
            words = postmaster.last_words(where.data)
            if not any(passing in words for passing in ("shared memory block", "create any TCP/IP")):
                break
            time.sleep(0.1 * 2**attempt)  # backends of a killed server need a moment to notice
        words = words or "no reason given"
        raise DatabaseError(f"Postgres did not start: {words} (log: {where.data / 'log'})")

    def _spawn(self, programs: Path, where: Place, port: int) -> int:
        """Start ``postgres`` and return its process id.

        A shell in a session of its own puts it in the background: Ctrl-C in our terminal does not
        reach it, and it is nobody's unreaped child. Paths are passed as arguments, never as text
        of the script, so that quotes and blanks in them mean nothing.
        """
        options = {
            "listen_addresses": HOST,
            "port": str(port),
            "unix_socket_directories": "",
            "shared_memory_type": "mmap",
            "dynamic_shared_memory_type": "mmap",  # /dev/shm is 64 MB or less in many containers
            "huge_pages": "off",
            "password_encryption": "scram-sha-256",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "on",
            "log_directory": "log",
            "log_filename": "server-%a.log",  # seven files, each begun anew after a week
            "log_rotation_age": "1d",
            "log_rotation_size": "0",
            "log_truncate_on_rotation": "on",
            "log_min_messages": "log",  # clients log their own errors
            "log_min_error_statement": "panic",  # statements may hold values nobody should read
            "log_checkpoints": "off",
            "jit": "off",
            "wal_compression": "on",
            **self._options,
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        script = 'log=$1; shift; umask 077; exec 3>"$log"; "$@" </dev/null >&3 2>&3 & echo $!'
        answer = _run(
            [
                "/bin/sh",
                "-c",
                script,
                "sh",
                where.data / "start.log",
                programs / "postgres",
                "-D",
                where.data,
                *arguments,
            ],
            where.account,
        )
        try:
            return int(answer.stdout)
        except ValueError:
            raise DatabaseError(f"Postgres cannot be started: {_last_line(answer.stderr)}") from None

    def _ready(self, where: Place, pid: int) -> bool:
        """Wait until the server of this process accepts connections; ``False`` when it ended."""
        deadline = clock.monotonic_ns() + int(START_S * clock.SECOND)
        while clock.monotonic_ns() < deadline:
            server = postmaster.look(where.data)
            if server is not None and server.pid == pid and server.ready:
                return True
            if not postmaster.alive(pid):
                return False
            time.sleep(POLL_S)
        raise DatabaseError(f"Postgres is not ready after {START_S:.0f} s: look at {where.data / 'log'}")

    def _make_database(self, where: Place) -> None:
        """Make our database if it is missing: the first connection, which shows that all is well."""
        server = postmaster.look(where.data)
        if server is None:
            raise psycopg.OperationalError("it ended right after its start")
        forget_environment()
        try:
            connection = psycopg.connect(
                host=HOST,
                port=server.port,
                user=NAME,
                password=self._password(),
                dbname="postgres",
                connect_timeout=30,
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise
            path = self.home / "postgres" / "password"
            raise DatabaseError(
                f"{path} is not this database's: put it back from a backup of this home"
            ) from None
        with connection:
            known = connection.execute("select 1 from pg_database where datname = %s", [NAME]).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(NAME)))

    def _remembered_port(self) -> int:
        try:
            port = int((self.home / "postgres" / "port").read_text())
        except (FileNotFoundError, ValueError):
            return 0
        return port if 0 < port < 65536 else 0


@contextmanager
def lease(settings: Settings) -> Iterator[str]:
    """Use the database for the length of a ``with`` block; yields its URL.

    Starts the embedded server when it is down and stops it when nobody else uses it any more.
    With ``KESTREL_DATABASE_URL`` set that URL is yielded and nothing is touched.
    """
    forget_environment()
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    home = files.make_home(settings.home)
    server = EmbeddedPostgres(
        home,
        max_connections=settings.database.max_connections,
        shared_buffers_mb=settings.database.shared_buffers_mb,
    )
    with _locked(_users(home), locks.SHARED) as handle:
        try:
            yield server.start()
        finally:
            if locks.try_take(handle, locks.EXCLUSIVE):
                server.stop()


def stop_if_unused(home: Path) -> bool:
    """Stop the server of a home unless somebody uses it; ``False`` when somebody does."""
    home = home.expanduser().resolve()
    if not _users(home).exists():
        return True
    with locks.opened(_users(home)) as handle:
        if not locks.try_take(handle, locks.EXCLUSIVE):
            return False
        EmbeddedPostgres(home).stop()
        return True


def forget_environment() -> None:
    """Take the user's own ``PG*`` variables out of this process: libpq would mix them in."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def _users(home: Path) -> Path:
    return home / "run" / "postgres.users.lock"


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[int]:
    with locks.opened(path) as handle:
        if not locks.take(handle, kind, LOCK_S):
            raise DatabaseError(
                f"another process has been starting or stopping Postgres for {LOCK_S:.0f} s ({path})"
            )
        yield handle


def _run(command: list[str | Path], account: Account | None) -> subprocess.CompletedProcess[str]:
    """Run a Postgres program with an environment of its own, as the account if there is one."""
    try:
        return subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            timeout=START_S,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DatabaseError(f"{command[0]} cannot be run: {error}") from None


def _check_version(programs: Path, data: Path) -> None:
    ours = binaries.version(programs)
    try:
        theirs = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        raise DatabaseError(
            f"{data} is not a Postgres data folder: put it back from a backup, or move it away"
        ) from None
    if theirs != ours.split(".")[0]:
        raise DatabaseError(
            f"the database in {data} was made by Postgres {theirs} and this is {ours}: export it with the old version "
            f"(pg_dump), move the folder away and import it, or set KESTREL_DATABASE_URL"
        )


def _free(port: int) -> bool:
    """Whether Postgres could listen on this port now (it reuses addresses, so we do)."""
    if port == 0:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _choose_port() -> int:
    for port in random.SystemRandom().sample(PORTS, 200):
        if _free(port):
            return port
    raise DatabaseError(f"no free port between {PORTS.start} and {PORTS.stop} on {HOST}")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _last_line(text: str) -> str:
    """What a program said last; better, what it called an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "FATAL:" in line or "error:" in line]
    return (errors or lines or ["no reason given"])[-1]
