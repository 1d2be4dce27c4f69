"""The database for commands and for ``kestrel up``: started when it is down, its schema checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kestrel.supervisor import Reporter, RestartPolicy, State
from shared import clock
from shared.db import embedded, schema
from shared.db.engine import engine, session
from shared.errors import DatabaseError, SchemaError
from shared.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.orm import Session

POSTGRES = "postgres"


def prepare(settings: Settings, url: str) -> None:
    """Bring the embedded database to our schema; a database of the user's own is only checked."""
    try:
        schema.check(url)
    except SchemaError:
        if settings.database_url is not None:
            raise
        schema.migrate(url)


@contextmanager
def transaction(settings: Settings) -> Iterator[Session]:
    """One transaction of one command, on a database that is up and has our schema."""
    with embedded.lease(settings) as url:
        prepare(settings, url)
        source = engine(url, pooled=False)
        try:
            with session(source) as opened:
                yield opened
        finally:
            source.dispose()


class Database:
    """What ``kestrel up`` holds: a lease for its whole life, and a small pool.

    ``open`` and ``close`` block: call them from a worker thread.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lease = embedded.lease(settings)
        self._held = False
        self._engine: Engine | None = None
        self.url = ""

    def open(self) -> None:
        self.url = self._lease.__enter__()
        self._held = True
        prepare(self._settings, self.url)
        self._engine = engine(self.url, pool_size=1)

    async def start(self, reporter: Reporter) -> None:
        """:meth:`open` in a thread, told as it goes."""
        reporter.state(POSTGRES, State.STARTING)
        opening = asyncio.create_task(asyncio.to_thread(self.open))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # a thread cannot be interrupted: what it started must be known before it is stopped
            await asyncio.gather(opening, return_exceptions=True)
            raise
        reporter.state(POSTGRES, State.HEALTHY)

    async def stop(self, reporter: Reporter) -> None:
        """:meth:`close` in a thread; what goes wrong is said."""
        reporter.state(POSTGRES, State.STOPPING)
        try:
            await asyncio.to_thread(self.close)
        except DatabaseError as error:
            reporter.say(str(error))
        reporter.state(POSTGRES, State.STOPPED)

    def close(self) -> None:
        """Give the lease back; the embedded server stops when nobody else uses it."""
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None
        if self._held:
            self._held = False
            self._lease.__exit__(None, None, None)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        if self._engine is None:
            raise DatabaseError("the database is not open")
        with session(self._engine) as opened:
            yield opened

    @property
    def address(self) -> str:
        """Host, port and name for people: never user or password."""
        from sqlalchemy import make_url

        parts = make_url(self.url)
        return f"{parts.host or 'local socket'}:{parts.port or 5432}, database {parts.database}"


class PostgresKeeper:
    """Brings the embedded server back when it died. Call :meth:`check` on a slow beat, in a thread."""

    def __init__(
        self,
        settings: Settings,
        reporter: Reporter,
        policy: RestartPolicy | None = None,
        server: embedded.EmbeddedPostgres | None = None,
        now: Callable[[], int] = clock.monotonic_ns,
    ) -> None:
        self._server = server or embedded.EmbeddedPostgres(
            settings.home,
            max_connections=settings.database.max_connections,
            shared_buffers_mb=settings.database.shared_buffers_mb,
        )
        self._reporter = reporter
        self._policy = policy or RestartPolicy()
        self._now = now
        self._deaths: list[int] = []
        self._not_before_ns = 0
        self._given_up = False

    async def stay(self, beat_s: float) -> None:
        """:meth:`check` on this beat, for ever."""
        while True:
            await asyncio.sleep(beat_s)
            await asyncio.to_thread(self.check)

    def check(self) -> None:
        if self._given_up or self._now() < self._not_before_ns or self._server.running():
            return
        now = self._now()
        window = int(self._policy.window_s * clock.SECOND)
        self._deaths = [*(at for at in self._deaths if now - at <= window), now]
        if len(self._deaths) > self._policy.most:
            self._given_up = True
            self._reporter.state(POSTGRES, State.GIVEN_UP)
            self._reporter.say(
                f"Postgres ended {len(self._deaths)} times within {self._policy.window_s:.0f} s and is not started"
                " again; the rest keeps running (run `kestrel doctor`)"
            )
            return
        self._reporter.state(POSTGRES, State.RESTARTING)
        self._reporter.say("Postgres ended: starting it again")
        try:
            self._server.start()
        except DatabaseError as error:
            wait_s = self._policy.wait_s(len(self._deaths))
            self._not_before_ns = self._now() + int(wait_s * clock.SECOND)
            self._reporter.say(f"{error}; trying again in {wait_s:g} s")
            return
        self._reporter.state(POSTGRES, State.HEALTHY)
