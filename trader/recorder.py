"""Everything slower than an order: the journal, snapshots and heartbeats into Postgres.

The journal is drained exactly once, as far as it is safely on disk, and never loses its place.
Snapshots (positions, equity, instruments) are latest-wins: while Postgres is away only the newest of
each is kept. Parts do not wait for each other's faults: a record that Postgres refuses is left out and
told, the account whose snapshot it refuses does not hold up the others, and a sign of life is always given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from psycopg import AsyncConnection, Error
from psycopg.types.json import Jsonb

from shared import clock
from shared.domain.instrument import Instrument
from shared.errors import JournalError
from trader import ops
from trader.faultpoints import fault_point
from trader.orders import projection, records
from trader.orders.journal import Entry, Follower, Journal
from trader.orders.projection import POISON
from trader.patience import answered
from trader.positions import rows
from trader.positions.rows import AccountSnapshot

log = structlog.get_logger(__name__)

BATCH = 500
BEAT_S = 0.5
HEARTBEAT_NS = clock.SECOND
THIN_EVERY_NS = 60 * clock.SECOND
THIN_AFTER_NS = 3600 * clock.SECOND
SERVICE = "trader"
#: After a part has failed for another reason than the connection, seconds until all go on.
FAULT_PAUSE_S = 0.2


class Recorder:
    """One task, one connection. ``applied_seq`` is how far Postgres has followed the journal.

    ``quarantined`` counts what Postgres refused for its contents. ``on_beat`` is called about twice a
    second: the place for housekeeping that must not run while an order is on its way.
    """

    def __init__(
        self,
        url: str,
        journal: Journal,
        folder: Path,
        *,
        heartbeat: Callable[[], tuple[str, dict[str, Any]]],
        oldest_needed: Callable[[], int],
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._url = url
        self._journal = journal
        self._folder = folder
        self._heartbeat = heartbeat
        self._oldest_needed = oldest_needed
        self._on_beat = on_beat
        self._started_ns = clock.now_ns()
        self._snapshots: dict[int, AccountSnapshot] = {}
        self._instruments: dict[str, Instrument] = {}
        self._wake = asyncio.Event()
        self._stopping = False
        self._checked = False
        self._delay_s = 0.1
        self._last_heartbeat_ns = 0
        self._last_beat_ns = 0
        self._thinned_ns: dict[int, int] = {}
        self._told: dict[str, str] = {}
        self.applied_seq = 0
        self.connected = False
        self.failures = 0
        self.quarantined = 0
        self.last_error = ""

    def wake(self) -> None:
        """There is something to write; safe to call from the hot path."""
        self._wake.set()

    def snapshot(self, snapshot: AccountSnapshot) -> None:
        """Keep the newest state of an account; how positions ended is never replaced."""
        account_id = snapshot.account.id
        self._snapshots[account_id] = rows.merged(self._snapshots.get(account_id), snapshot)
        self._wake.set()

    def instruments(self, instruments: list[Instrument]) -> None:
        self._instruments.update({instrument.id: instrument for instrument in instruments})
        self._wake.set()

    async def run(self) -> None:
        """Write until :meth:`stop`; survives Postgres going away."""
        loop = asyncio.get_running_loop()

        def synced() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody records any more
                loop.call_soon_threadsafe(self._wake.set)

        self._journal.on_synced = synced
        while not self._stopping:
            connection: AsyncConnection[Any] | None = None
            try:
                connection = await AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)
                async with connection:
                    await self._work(connection)
            except (Error, OSError) as error:
                self.connected = False
                away = connection is None or connection.closed
                self._fault("postgres_away" if away else "failed", error, retry_s=self._delay_s)
                with suppress(JournalError):
                    await self._keep_house()  # the disk is looked at without Postgres too
                await asyncio.sleep(self._delay_s)
                self._delay_s = min(self._delay_s * 2, 5.0)

    @property
    def behind(self) -> int:
        """Journal records that Postgres does not hold yet."""
        return self._journal.seq - self.applied_seq

    def stop(self) -> None:
        """Ask :meth:`run` to end once all is written, or at once while Postgres is away."""
        self._stopping = True
        self._wake.set()

    async def _work(self, connection: AsyncConnection[Any]) -> None:
        await self._part("heartbeat", connection, self._beat(connection, force=True))
        with answered(connection):
            await self._find_place(connection)
        follower = Follower(self._folder, self.applied_seq)
        self.connected = True
        while True:
            sound = await self._part("heartbeat", connection, self._beat(connection))
            sound &= await self._part("journal", connection, self._drain_journal(connection, follower))
            sound &= await self._part("snapshots", connection, self._write_snapshots(connection))
            sound &= await self._part("housekeeping", connection, self._keep_house())
            if sound:
                self._delay_s = 0.1
            if self._stopping and not self.behind and not self._snapshots:
                await self._part("heartbeat", connection, self._beat(connection, force=True))
                return
            if not sound:
                # The follower may be ahead of what was applied: it starts again from there.
                follower = Follower(self._folder, self.applied_seq)
                await asyncio.sleep(FAULT_PAUSE_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await self._wake.wait()
            self._wake.clear()

    async def _find_place(self, connection: AsyncConnection[Any]) -> None:
        """Where Postgres is in the journal. One that is ahead of it has seen what a power cut took."""
        self.applied_seq = await projection.applied_seq(connection, self._journal.id)
        if self._checked:
            return
        if self.applied_seq > self._journal.opened_seq:
            before = self._journal.id
            try:
                journal_id = self._journal.renew()
            except JournalError as error:
                raise OSError(str(error)) from None
            log.error(
                "recorder.journal_was_cut",
                journal_id=before,
                applied_seq=self.applied_seq,
                journal_seq=self._journal.opened_seq,
                renewed_as=journal_id,
                help="the last records were lost, probably in a power cut; all of the journal is applied anew",
            )
            self.applied_seq = await projection.applied_seq(connection, journal_id)
        self._checked = True

    async def _part(self, name: str, connection: AsyncConnection[Any], work: Awaitable[None]) -> bool:
        """A part's boundary: only the loss of the connection concerns the others. False after a fault."""
        try:
            with answered(connection):
                await work
        except Exception as error:
            if connection.closed:
                raise
            self._fault(f"{name}_failed", error)
            return False
        self._told.pop(f"{name}_failed", None)
        return True

    def _fault(self, event: str, error: Exception, **more: Any) -> None:
        """Count a fault; say it, but not again and again."""
        self.failures += 1
        self.last_error = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        if event != "postgres_away" and self._told.get(event) == self.last_error:
            return
        self._told[event] = self.last_error
        expected = isinstance(error, (Error, OSError, JournalError))
        log.warning(
            f"recorder.{event}",
            error=self.last_error,
            behind=self.behind,
            exc_info=None if expected else error,
            **more,
        )

    async def _drain_journal(self, connection: AsyncConnection[Any], follower: Follower) -> None:
        # Not beyond what a power cut cannot take: Postgres must never know more than the journal.
        while self.applied_seq < self._journal.synced_seq:
            entries = follower.batch(BATCH, self._journal.synced_seq)
            if not entries:
                return
            if entries[0].seq > self.applied_seq + 1 and self.applied_seq:
                log.error("recorder.records_missing", after=self.applied_seq, next=entries[0].seq)
            with answered(connection):
                self.applied_seq = await projection.apply(
                    connection, self._journal.id, entries, self._quarantine
                )
            if any(isinstance(entry.record, records.Intent) for entry in entries):
                fault_point("recorder.committed")
            await self._part("heartbeat", connection, self._beat(connection))

    def _quarantine(self, entry: Entry, error: Exception) -> None:
        self.quarantined += 1
        log.error(
            "recorder.quarantined",
            seq=entry.seq,
            kind=type(entry.record).__name__,
            error=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}",
        )

    async def _write_snapshots(self, connection: AsyncConnection[Any]) -> None:
        if self._instruments:
            await self._write_instruments(connection)
        for account_id in list(self._snapshots):
            snapshot = self._snapshots[account_id]
            what = f"snapshot of account {account_id}"
            try:
                await rows.write(connection, snapshot)
            except POISON as error:
                self._refused(what, error)
            else:
                self._told.pop(what, None)
            if self._snapshots.get(account_id) is snapshot:
                del self._snapshots[account_id]
            if snapshot.taken_ns - self._thinned_ns.get(account_id, 0) >= THIN_EVERY_NS:
                self._thinned_ns[account_id] = snapshot.taken_ns
                await rows.thin(connection, account_id, snapshot.taken_ns - THIN_AFTER_NS)

    async def _write_instruments(self, connection: AsyncConnection[Any]) -> None:
        """All at once; one by one only when there is a bad one among them."""
        waiting = list(self._instruments.values())
        try:
            async with connection.transaction():
                for instrument in waiting:
                    await self._write_instrument(connection, instrument)
        except POISON:
            for instrument in waiting:
                try:
                    await self._write_instrument(connection, instrument)
                except POISON as error:
                    self._refused(instrument.id, error)
        for instrument in waiting:
            if self._instruments.get(instrument.id) is instrument:
                del self._instruments[instrument.id]

    @staticmethod
    async def _write_instrument(connection: AsyncConnection[Any], instrument: Instrument) -> None:
        row = projection.clean(projection.instrument_row(instrument, clock.now_ns()))
        await connection.execute(projection.INSTRUMENT, row)

    def _refused(self, what: str, error: Exception) -> None:
        """Postgres does not take it; a newer one comes anyway, so it is told once."""
        self.quarantined += 1
        said = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
        if self._told.get(what) != said:
            self._told[what] = said
            log.error("recorder.refused", what=what, error=said)

    async def _keep_house(self) -> None:
        now = clock.now_ns()
        if now - self._last_beat_ns < BEAT_S * clock.SECOND / 2:
            return
        self._last_beat_ns = now
        self._on_beat()
        before = self._journal.starved
        if self._journal.look_at_disk() and not before:
            log.error(
                "recorder.disk_full", reason=self._journal.starved, help="entries stop, protection goes on"
            )
        elif before and not self._journal.starved:
            log.info("recorder.disk_has_room_again")
        self._journal.rotate_if_full()
        self._journal.forget(min(self.applied_seq, self._oldest_needed()))

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
            "detail": Jsonb(projection.clean(detail)),
            "started_ns": self._started_ns,
            "at_ns": now,
        }
        await connection.execute(ops.HEARTBEAT, row)
