"""Everything slower than an order: the journal, snapshots and heartbeats into Postgres.

The journal is drained exactly once and never loses its place. Snapshots (positions, equity,
instruments) are latest-wins: while Postgres is away only the newest of each is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from psycopg import AsyncConnection, Error
from psycopg.types.json import Jsonb

from shared import clock
from shared.domain.instrument import Instrument
from trader import ops
from trader.faultpoints import fault_point
from trader.orders import projection
from trader.orders.journal import Follower, Journal
from trader.positions import rows
from trader.positions.rows import AccountSnapshot

log = structlog.get_logger(__name__)

BATCH = 500
BEAT_S = 0.5
HEARTBEAT_NS = clock.SECOND
THIN_EVERY_NS = 60 * clock.SECOND
THIN_AFTER_NS = 3600 * clock.SECOND
SERVICE = "trader"


class Recorder:
    """One task, one connection. ``applied_seq`` is how far Postgres has followed the journal."""

    def __init__(
        self,
        url: str,
        journal: Journal,
        folder: Path,
        heartbeat: Callable[[], tuple[str, dict[str, Any]]],
        oldest_needed: Callable[[], int],
    ) -> None:
        self._url = url
        self._journal = journal
        self._folder = folder
        self._heartbeat = heartbeat
        self._oldest_needed = oldest_needed
        self._started_ns = clock.now_ns()
        self._snapshots: dict[int, AccountSnapshot] = {}
        self._instruments: dict[str, Instrument] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._last_heartbeat_ns = 0
        self._thinned_ns: dict[int, int] = {}
        self.applied_seq = 0
        self.connected = False
        self.failures = 0
        self.last_error = ""

    def wake(self) -> None:
        """There is something to write; safe to call from the hot path."""
        self._wake.set()

    def snapshot(self, snapshot: AccountSnapshot) -> None:
        self._snapshots[snapshot.account.id] = snapshot
        self._wake.set()

    def instruments(self, instruments: list[Instrument]) -> None:
        self._instruments.update({instrument.id: instrument for instrument in instruments})
        self._wake.set()

    async def run(self) -> None:
        """Write until :meth:`stop`; survives Postgres going away."""
        delay = 0.1
        while not self._stopping:
            try:
                connection = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
                async with connection:
                    delay = 0.1
                    await self._work(connection)
            except (Error, OSError) as error:
                self.connected = False
                self.failures += 1
                self.last_error = (
                    f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
                )
                log.warning(
                    "recorder.postgres_away", error=self.last_error, behind=self.behind, retry_s=delay
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)

    @property
    def behind(self) -> int:
        """Journal records that Postgres does not hold yet."""
        return self._journal.seq - self.applied_seq

    def stop(self) -> None:
        """Ask :meth:`run` to end once all is written, or at once while Postgres is away."""
        self._stopping = True
        self._wake.set()

    async def _work(self, connection: AsyncConnection[Any]) -> None:
        self.applied_seq = await projection.applied_seq(connection, self._journal.id)
        follower = Follower(self._folder, self.applied_seq)
        self.connected = True
        while True:
            await self._drain_journal(connection, follower)
            await self._write_snapshots(connection)
            await self._beat(connection)
            self._journal.rotate_if_full()
            self._journal.forget(min(self.applied_seq, self._oldest_needed()))
            if self._stopping and not self.behind and not self._snapshots:
                await self._beat(connection, force=True)
                return
            try:
                async with asyncio.timeout(BEAT_S):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def _drain_journal(self, connection: AsyncConnection[Any], follower: Follower) -> None:
        while self.behind:
            entries = follower.batch(BATCH)
            if not entries:
                return
            fault_point("recorder.applied")
            self.applied_seq = await projection.apply(connection, self._journal.id, entries)
            fault_point("recorder.committed")

    async def _write_snapshots(self, connection: AsyncConnection[Any]) -> None:
        for instrument_id in list(self._instruments):
            instrument = self._instruments[instrument_id]
            await connection.execute(
                projection.INSTRUMENT, projection.instrument_row(instrument, clock.now_ns())
            )
            self._instruments.pop(instrument_id, None)
        for account_id in list(self._snapshots):
            snapshot = self._snapshots[account_id]
            await rows.write(connection, snapshot)
            if self._snapshots.get(account_id) is snapshot:
                del self._snapshots[account_id]
            if snapshot.taken_ns - self._thinned_ns.get(account_id, 0) >= THIN_EVERY_NS:
                self._thinned_ns[account_id] = snapshot.taken_ns
                await rows.thin(connection, account_id, snapshot.taken_ns - THIN_AFTER_NS)

    async def _beat(self, connection: AsyncConnection[Any], *, force: bool = False) -> None:
        now = clock.now_ns()
        if not force and now - self._last_heartbeat_ns < HEARTBEAT_NS:
            return
        self._last_heartbeat_ns = now
        state, detail = self._heartbeat()
        row = {
            "service": SERVICE,
            "pid": detail["pid"],
            "state": state,
            "detail": Jsonb(detail),
            "started_ns": self._started_ns,
            "at_ns": now,
        }
        await connection.execute(ops.HEARTBEAT, row)
