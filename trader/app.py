"""The trader daemon: what it is made of, in which order it starts and stops.

Start and recovery are one path: open the journal, learn from it, load the accounts, reach the venue,
settle what is unfinished, then arm. A stop takes the same steps backwards and loses nothing, but it is
a courtesy: a kill at any point ends in the same state after the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import signal
from collections.abc import Callable, Coroutine
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import structlog
import uvloop

from shared import clock, installation, logs
from shared.db import embedded
from shared.domain.account import Mode
from shared.domain.instrument import Venue
from shared.errors import KestrelError, StartError
from shared.settings import Settings
from shared.vault import TraderKeys
from trader import hosts, ops, status, warmstart
from trader.alarms import Alarms
from trader.desk import Desk
from trader.directory import Directory, Member
from trader.faultpoints import fault_point
from trader.lease import Leases
from trader.listings.detector import Detector
from trader.listings.upbit import UpbitSource
from trader.orders import records, takeover
from trader.orders.gateway import Gateway
from trader.orders.journal import Entry, Journal
from trader.orders.tracker import Tracked, Tracker
from trader.orders.unfinished import WAITING
from trader.recorder import Recorder
from trader.rehearsal import Rehearsal
from trader.sniper import Sniper
from trader.standing import standing

log = structlog.get_logger(__name__)

PROCESS = "trader"
PATIENCE_S = 3.0
STOP_GRACE_S = 5.0
#: How long a start waits for the venue's word about orders of the run before.
SETTLE_S = 30.0
#: How long a start waits for instruments and prices.
MARKETS_S = 10.0
#: How long a start waits for Postgres' word about whose the accounts are.
LEASES_S = 10.0
#: How often within a lease it is read what other installations left behind.
TAKE_OVERS = 3
#: How often a lease is renewed before it would run out.
RENEWALS = 6
COLLECT_S = 20.0
ALARM_BEAT_S = 0.5
WHOLE_EVERY = 30


class Trader:
    """All parts, wired. Needs a running loop."""

    def __init__(self, settings: Settings, url: str, home: Path) -> None:
        self.settings = settings
        self._url = url
        self._started_ns = clock.now_ns()
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._running = False
        self._order_news = asyncio.Event()
        self._gained = asyncio.Event()
        self._admitted = asyncio.Event()
        self._taken_over: set[int] = set()
        self.state = "starting"
        self.failures = 0
        prefix = installation.prefix(home)
        keys = TraderKeys.open(home)
        self.tracker = Tracker()
        self.detector = Detector(max_age_ns=int(settings.upbit.max_age_s * clock.SECOND))
        self.alarms = Alarms(self._tell, self._told_to)
        folder = home / "journal"
        known = warmstart.Known()

        def replay(entry: Entry) -> None:
            self.tracker.replay(entry)
            self.alarms.replay(entry.record)
            known.take(entry.record)

        self.journal = Journal(folder, segment_bytes=settings.trader.journal_segment_bytes, on_entry=replay)
        fault_point("app.replayed")
        self.tracker.attach(self.journal)
        self.known = known
        lease_s = settings.trader.lease_s
        self.leases = Leases(
            url,
            prefix,
            wanted=self._looked_after,
            on_change=self._admit,
            ttl_s=lease_s,
            renew_s=lease_s / RENEWALS,
        )
        self.gateway = Gateway(
            self.tracker,
            live_enabled=settings.live,
            timeout_s=settings.trader.order_timeout_s,
            patience_s=PATIENCE_S,
            on_settle=self._tell_member,
            may_enter=self.leases.why_not,
        )
        self.recorder = Recorder(
            url,
            self.journal,
            folder,
            heartbeat=self._heartbeat,
            oldest_needed=self.tracker.oldest_needed,
            on_beat=self.tracker.tidy,
        )
        self.tracker.on_change = self._changed
        self.sniper = Sniper(
            self.detector,
            self.gateway,
            self.journal,
            prefix=prefix,
            attach_from=Decimal(str(settings.trader.take_profit_attach)),
            patience_s=PATIENCE_S,
        )
        self._prefix = prefix
        self._hosts = hosts.of(settings, live=settings.live)
        self.desks: dict[hosts.Place, Desk] = {}
        for place in self._hosts:
            if place[1] is Venue.BITGET:
                self._open_desk(place)
        self.directory = Directory(url, keys, self._members)
        self.upbit = UpbitSource(settings.upbit.hosts, settings.upbit.poll_s, self._page)
        self.health = ops.HealthServer(self._health)

    def _open_desk(self, place: hosts.Place) -> Desk:
        """A floor for one mode at one venue; it works from now on, or once the trader does."""
        desk = self.desks[place] = self._desk(*place, self._hosts[place], self._prefix)
        self.sniper.desks.append(desk)
        if self._running:
            self._spawn(f"desk {place[0].value} {place[1].value}", desk.run)
        return desk

    def _desk(self, mode: Mode, venue: Venue, host: hosts.Host, prefix: str) -> Desk:
        trader = self.settings.trader
        return Desk(
            mode,
            venue,
            host,
            self.tracker,
            self.gateway,
            prefix=prefix,
            live_enabled=self.settings.live,
            timeout_s=trader.order_timeout_s,
            positions_s=trader.positions_s,
            instruments_s=trader.instruments_s,
            on_snapshot=self.recorder.snapshot,
            on_instruments=self.recorder.instruments,
            recall=partial(warmstart.open_positions, self._url),
            recall_orders=partial(takeover.named, self._url, self.tracker),
            on_alarm=self.alarms.event,
        )

    # What the parts tell each other

    def _looked_after(self) -> list[int]:
        """Accounts of which this trader wants to be the only one."""
        return [
            member.account.id
            for member in self.directory.members.values()
            if not member.leaving or self.tracker.unfinished(member.account.id)
        ]

    def _members(self, _: dict[int, Member]) -> None:
        self._admit()
        self.leases.claim()

    def _admit(self) -> None:
        """The desks work for those accounts that are this installation's to look after.

        What an earlier holder left unfinished is taken over first.
        """
        mine = {key: each for key, each in self.directory.members.items() if self.leases.known(key)}
        self._taken_over &= mine.keys()
        if mine.keys() - self._taken_over:
            self._gained.set()
        ours = {key: each for key, each in mine.items() if key in self._taken_over}
        for member in ours.values():
            place = (member.account.mode, member.account.venue)
            if place in self._hosts and place not in self.desks:
                self._open_desk(place)
        for desk in self.desks.values():
            desk.accept(ours)

    async def _take_over(self) -> None:
        """For accounts that became ours: adopt what Postgres knows of their orders, then let them work."""
        delay_s = 0.1
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.trader.lease_s / TAKE_OVERS):
                    await self._gained.wait()
            self._gained.clear()
            ours = {key for key in self.directory.members if self.leases.known(key)}
            gained = ours - self._taken_over
            if not ours:
                continue
            try:
                # Of all: one that was cut off from Postgres tells late what it left behind.
                await takeover.unfinished(self._url, self.tracker, ours)
            except (KestrelError, psycopg.Error, OSError) as error:
                if gained:
                    log.warning("trader.takeover_failed", reason=str(error) or type(error).__name__)
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, 5.0)
                    self._gained.set()
                continue
            delay_s = 0.1
            if not gained:
                continue
            self._taken_over |= gained
            log.info("trader.taken_over", accounts=sorted(gained)[:20])
            self._admit()
            self._admitted.set()

    def _told_to(self, account_id: int) -> tuple[int, str] | None:
        """Who is told of an account's trouble, and what the account is called; None for one that is gone."""
        member = self.directory.members.get(account_id)
        if member is None:
            return None
        account = member.account
        return account.user_id, f"{account.label} ({account.venue.value} {account.mode.value})"

    def _tell(self, alarm: records.Alarm) -> None:
        self.journal.append(alarm, protective=True)
        self.recorder.wake()

    async def _watch_alarms(self) -> None:
        """Say what stands in the way of entries, and when it no longer does."""
        while True:
            await asyncio.sleep(ALARM_BEAT_S)
            self.alarms.beat(standing(self, self._looked_after()))

    def _page(self, host: str, notices: list[Any], received_ns: int) -> None:
        self.sniper.page(host, notices, received_ns)
        self.recorder.wake()

    def _changed(self, order: Tracked) -> None:
        self.recorder.wake()
        self._order_news.set()
        self._tell_member(order)

    def _tell_member(self, order: Tracked) -> None:
        for desk in self.desks.values():
            if member := desk.members.get(order.intent.account_id):
                member.order_changed(order)

    # Life

    async def run(self) -> None:
        """Start, trade until told to stop, stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        self.journal.defer_syncs(loop.call_soon)
        await self.health.start(self.settings.trader.ops_port)
        self._spawn("recorder", self.recorder.run)
        self._spawn("directory", self.directory.run)
        self._spawn("takeover", self._take_over)
        self._spawn("alarms", self._watch_alarms)
        self._lease_task = asyncio.create_task(self._guard("leases", self.leases.run), name="leases")
        self._running = True
        for (mode, venue), desk in self.desks.items():
            self._spawn(f"desk {mode.value} {venue.value}", desk.run)
        try:
            await self._until_stop(self._arm())
            await self._stop.wait()
        finally:
            await self._shut_down()

    async def _until_stop(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` unless a stop comes first."""
        task = asyncio.ensure_future(work)
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            return
        await task

    async def _arm(self) -> None:
        """Everything that must be true before a notice may lead to an order."""
        parts_ms: dict[str, int] = {}
        since_ns = self._started_ns

        def passed(part: str) -> None:
            nonlocal since_ns
            now_ns = clock.now_ns()
            parts_ms[part], since_ns = (now_ns - since_ns) // clock.MILLISECOND, now_ns

        passed("journal")
        self.state = "waiting for the database"
        await self.directory.loaded.wait()
        await warmstart.preload(self._url, self.detector, self.known)
        passed("database")
        if not await self._leases_asked(LEASES_S):
            log.warning("trader.leases_unknown")
        passed("lease")
        self.state = "waiting for the exchange"
        await self._markets_loaded(MARKETS_S)
        passed("market")
        self.state = "settling"
        if not await self._answers_in(SETTLE_S):
            log.warning("trader.armed_with_unknown_orders", count=self.tracker.in_flight())
        passed("settling")
        self.sniper.enabled = True
        self._spawn("rehearsal", Rehearsal(self.sniper).run)
        self._spawn("upbit", self.upbit.run)
        self._spawn("collector", self._collect)
        self.state = "armed"
        ops.quiet_collector()
        if self.settings.trader.spin:
            self._spin()
        log.info(
            "trader.armed",
            accounts=sum(len(desk.members) for desk in self.desks.values()),
            took_ms=(clock.now_ns() - self._started_ns) // clock.MILLISECOND,
            parts_ms=parts_ms,
            journal_seq=self.journal.seq,
            repaired_bytes=self.journal.repaired_bytes,
        )

    async def _answers_in(self, seconds: float) -> bool:
        """Wait until every order's outcome is known; False when the time ran out."""
        self._order_news.clear()
        try:
            async with asyncio.timeout(seconds):
                while self._awaited():
                    await self._order_news.wait()
                    self._order_news.clear()
        except TimeoutError:
            return False
        return True

    def _awaited(self) -> bool:
        """Whether an order of an account at work has no known outcome; others cannot be asked about."""
        return any(
            order.state in WAITING
            for desk in self.desks.values()
            for member in desk.members.values()
            for order in member.settler.unfinished()
        )

    async def _leases_asked(self, seconds: float) -> bool:
        """Wait until Postgres has said once whose the accounts are."""
        try:
            async with asyncio.timeout(seconds):
                await self.leases.asked.wait()
                if any(self.leases.known(account_id) for account_id in self._looked_after()):
                    await self._admitted.wait()
        except TimeoutError:
            return False
        return True

    async def _markets_loaded(self, seconds: float) -> None:
        """Wait for the markets of desks with accounts; one that is away must not hold up the others.

        A desk without prices refuses entries by itself.
        """
        try:
            async with asyncio.timeout(seconds):
                for desk in self.desks.values():
                    if desk.members:
                        await desk.market.loaded.wait()
        except TimeoutError:
            away = [f"{desk.mode.value} {desk.venue.value}" for desk in self.desks.values() if not desk.ready]
            log.warning("trader.market_away", desks=away)

    def _spin(self) -> None:
        """Never let the loop sleep: for a core of its own."""
        loop = asyncio.get_running_loop()

        def again() -> None:
            if not self._stop.is_set():
                loop.call_soon(again)

        again()

    async def _collect(self) -> None:
        """Collect young garbage when no order is in flight."""
        for beat in itertools.count(1):
            await asyncio.sleep(COLLECT_S)
            if not self.tracker.in_flight():
                ops.collect(whole=beat % WHOLE_EVERY == 0)

    def _spawn(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._tasks.append(asyncio.create_task(self._guard(name, work), name=name))

    async def _guard(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A task's boundary: a fault is counted, logged, and the task started again."""
        delay = 0.1
        while True:
            try:
                await work()
            except Exception:
                self.failures += 1
                log.exception("trader.task_failed", task=name, retry_s=delay)
            else:
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, 10.0)

    async def _shut_down(self) -> None:
        self.state = "stopping"
        self.sniper.enabled = False
        await self.sniper.stop()
        await self.gateway.stop()
        await self._answers_in(STOP_GRACE_S)
        for desk in self.desks.values():
            await desk.stop()
        self.leases.stop()
        await asyncio.wait({self._lease_task}, timeout=STOP_GRACE_S)
        self._lease_task.cancel()
        await asyncio.gather(self._lease_task, return_exceptions=True)
        self.state = "stopped"
        self.recorder.stop()
        recorder, *others = self._tasks
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.wait({recorder}, timeout=STOP_GRACE_S)
        recorder.cancel()
        await asyncio.gather(recorder, return_exceptions=True)
        await self.health.stop()
        self.journal.close()
        log.info("trader.stopped", journal_seq=self.journal.seq, applied_seq=self.recorder.applied_seq)

    # What it says about itself

    def _health(self) -> tuple[bool, dict[str, Any]]:
        detail = status.detail(self)
        ready = self.state == "armed" and all(desk.ready for desk in self.desks.values())
        state = self.state if self.state != "armed" or ready else "arming accounts"
        return ready and not self.journal.failed, {"state": state, **detail}

    def _heartbeat(self) -> tuple[str, dict[str, Any]]:
        return self.state, status.detail(self)


async def _main(settings: Settings, url: str, home: Path) -> None:
    await Trader(settings, url, home).run()


def run(settings: Settings) -> None:
    """What ``kestrel trade`` does; returns after SIGTERM or SIGINT."""
    logs.setup(PROCESS, settings)
    logging.getLogger("picows").setLevel(logging.WARNING)
    with embedded.lease(settings) as url:
        home = settings.home.expanduser().resolve()
        if not (home / "keys").exists():
            raise StartError(
                f"there are no keys in {home} yet: add a user and an account first (kestrel users add, accounts add)"
            )
        warmstart.check_schema(url)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_main(settings, url, home))
