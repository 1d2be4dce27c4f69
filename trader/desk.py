"""The trading floor of one mode at one venue: the market data of its host and the accounts that trade there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from shared.domain.account import Mode
from shared.domain.instrument import Instrument, Venue
from shared.errors import RefusedError
from trader.alarms import OnAlarm
from trader.directory import Member
from trader.hosts import Host
from trader.lane import Lane
from trader.market import MarketData, MarketHost
from trader.member import ActiveMember
from trader.net.http import Origin
from trader.orders import wall
from trader.orders.gateway import Gateway
from trader.orders.reconciler import Recall
from trader.orders.tracker import Tracker
from trader.positions.rows import AccountSnapshot, Held
from trader.venues.registry import DIALECTS, PUBLIC_SIDES

log = structlog.get_logger(__name__)


READY_LOOK_S = 0.2
RELEASE_S = 2.0


class Desk:
    """Accounts come and go with the directory; each change touches only the accounts it is about."""

    def __init__(
        self,
        mode: Mode,
        venue: Venue,
        host: Host,
        tracker: Tracker,
        gateway: Gateway,
        *,
        prefix: str,
        live_enabled: bool,
        timeout_s: float,
        positions_s: float,
        instruments_s: float,
        on_snapshot: Callable[[AccountSnapshot], None],
        on_instruments: Callable[[list[Instrument]], None],
        recall: Callable[[int], Awaitable[list[Held]]],
        recall_orders: Recall,
        on_alarm: OnAlarm = lambda *_: None,
    ) -> None:
        self.mode = mode
        self.venue = venue
        self._host = host
        self._tracker = tracker
        self._gateway = gateway
        self._prefix = prefix
        self._live_enabled = live_enabled
        self.walled_off: dict[int, str] = {}
        self._timeout_s = timeout_s
        self._positions_s = positions_s
        self._on_snapshot = on_snapshot
        self._on_instruments = on_instruments
        self._recall = recall
        self._recall_orders = recall_orders
        self._on_alarm = on_alarm
        self.market = MarketData(
            PUBLIC_SIDES[venue](),
            MarketHost(host.rest_url, host.ws_public_url, host.ssl_context),
            refresh_s=instruments_s,
            on_instruments=self._instruments,
        )
        self.members: dict[int, ActiveMember] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def accept(self, members: dict[int, Member]) -> None:
        """Bring the floor in line with the directory."""
        mine = {account_id: member for account_id, member in members.items() if self.serves(member)}
        for account_id in list(self.members):
            active = self.members[account_id]
            wanted, present = mine.get(account_id), active.lane.member
            if wanted is None or _another_key(wanted, present):
                self._leave(account_id)
            elif wanted != present:
                active.update(wanted)
        for account_id, member in mine.items():
            if account_id not in self.members and not (
                member.leaving and not self._tracker.unfinished(account_id)
            ):
                self._join(member)

    def serves(self, member: Member) -> bool:
        """Whether the account trades here, in a dialect that is spoken."""
        account = member.account
        here = account.mode is self.mode and account.venue is self.venue
        return here and (account.venue, account.kind) in DIALECTS

    def release(self) -> None:
        """Let go of leaving accounts of which nothing is open or unprotected any more."""
        for account_id, active in list(self.members.items()):
            if active.lane.member.leaving and active.idle:
                self._leave(account_id)

    def _join(self, member: Member) -> None:
        ws_private_url = self._host.private_url(member.account.kind)
        try:
            for url in (self._host.rest_url, ws_private_url):
                wall.check(self.mode, Origin.parse(url).host, live_enabled=self._live_enabled)
        except RefusedError as refusal:
            # Not even a question is signed for an account on the wrong side.
            if self.walled_off.get(member.account.id) != str(refusal):
                log.error("desk.account_refused", account=member.account.id, reason=str(refusal))
            self.walled_off[member.account.id] = str(refusal)
            return
        lane = Lane(
            member,
            self.market.origin,
            ssl_context=self._host.ssl_context,
            timeout_s=self._timeout_s,
        )
        lane.neighbours = lambda: len(self.members)
        active = ActiveMember(
            lane,
            self.market,
            self._tracker,
            self._gateway,
            prefix=self._prefix,
            ws_private_url=ws_private_url,
            positions_s=self._positions_s,
            on_snapshot=self._on_snapshot,
            recall=self._recall,
            recall_orders=self._recall_orders,
            on_alarm=self._on_alarm,
        )
        self.members[member.account.id] = active
        active.start()
        log.info(
            "desk.account_joined", account=member.account.id, mode=self.mode.value, venue=self.venue.value
        )

    def _leave(self, account_id: int) -> None:
        active = self.members.pop(account_id)
        task = asyncio.create_task(active.stop(), name=f"account {account_id} leaving")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)
        log.info("desk.account_left", account=account_id, mode=self.mode.value)

    def _instruments(self, instruments: list[Instrument]) -> None:
        for member in self.members.values():
            member.preparation.wake()
        self._on_instruments(instruments)

    async def run(self) -> None:
        """Follow the market until cancelled, and let go of those who wish to leave."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.market.run())
            group.create_task(self._release_often())

    async def _release_often(self) -> None:
        while True:
            await asyncio.sleep(RELEASE_S)
            self.release()

    async def stop(self) -> None:
        """Let every account go."""
        for account_id in list(self.members):
            self._leave(account_id)
        if self._leaving:
            await asyncio.gather(*self._leaving, return_exceptions=True)

    async def wait_ready(self) -> None:
        """Return once every armed account could trade."""
        while True:
            if self.ready:
                return
            await asyncio.sleep(READY_LOOK_S)

    @property
    def ready(self) -> bool:
        """Whether every armed account could trade now; a desk without accounts waits for nobody."""
        armed = [member for member in self.members.values() if member.lane.member.armed]
        return not armed or (
            self.market.loaded.is_set()
            and all(m.lane.blocked or (m.lane.ready and m.held() is not None) for m in armed)
        )


def _another_key(wanted: Member, present: Member) -> bool:
    """Another key, or another dialect for the same one: nothing of the old connection can be kept."""
    return (
        wanted.credentials != present.credentials
        or wanted.account.venue is not present.account.venue
        or wanted.account.kind is not present.account.kind
    )
