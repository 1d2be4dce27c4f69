"""Everything that runs for one account: its lane and the tasks around it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog

from shared.domain.order import Step
from trader.alarms import OnAlarm
from trader.directory import Member
from trader.lane import Lane
from trader.market import MarketData
from trader.net.feed import Heard
from trader.net.stream import Stream
from trader.orders.gateway import Gateway
from trader.orders.protector import Protector
from trader.orders.reconciler import Recall, Reconciler
from trader.orders.settler import Settler
from trader.orders.tracker import Tracked, Tracker
from trader.positions.book import PositionBook
from trader.positions.closings import Closings
from trader.positions.rows import AccountSnapshot, Held
from trader.preparation import Preparation

log = structlog.get_logger(__name__)


class ActiveMember:
    """One account at work. :meth:`start` and :meth:`stop` bracket its tasks."""

    def __init__(
        self,
        lane: Lane,
        market: MarketData,
        tracker: Tracker,
        gateway: Gateway,
        *,
        prefix: str,
        ws_private_url: str,
        positions_s: float,
        on_snapshot: Callable[[AccountSnapshot], None],
        recall: Callable[[int], Awaitable[list[Held]]],
        recall_orders: Recall,
        on_alarm: OnAlarm = lambda *_: None,
    ) -> None:
        self.lane = lane
        self.settler = Settler(lane, tracker, gateway)
        self.protector = Protector(lane, tracker, gateway, market, prefix)
        self.reconciler = Reconciler(
            lane, tracker, self.settler, recall=recall_orders, recognise=self.protector.recognise
        )
        self.preparation = Preparation(lane, market, self.held)
        lane.on_stale = self.preparation.wake
        self.book = PositionBook(
            lane, market, tracker, every_s=positions_s, on_snapshot=self._read, recall=recall
        )
        self.closings = Closings(lane, tracker, self.book, on_alarm=partial(on_alarm, lane.account.id))
        events = lane.dialect.private_stream(lane.signer, lane.ask)
        self.stream = Stream(
            ws_private_url,
            on_message=self._heard,
            login=events.login,
            subscriptions=events.subscriptions,
            ping=events.ping,
            address=events.address,
            renew=events.renew,
            renew_s=events.renew_s,
            on_active=self._backfill,
            ssl_context=lane.ssl_context,
            name=f"account {lane.account.id} events",
        )
        self._on_snapshot = on_snapshot
        self._known = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start the connections and tasks; needs a running loop."""
        self.lane.start()
        self.stream.start()
        name = f"account {self.lane.account.id}"
        for part, work in (
            ("settler", self.settler.run),
            ("reconciler", self.reconciler.run),
            ("protector", self.protector.run),
            ("preparation", self.preparation.run),
            ("positions", self.book.run),
            ("closings", self.closings.run),
        ):
            self._tasks.append(asyncio.create_task(self._guard(part, work), name=f"{name} {part}"))

    async def stop(self) -> None:
        """End all tasks, then the connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.stream.stop()
        await self.lane.stop()

    async def _guard(self, part: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A part that fails is logged and started again: one account's fault is not another's."""
        delay = 0.1
        while True:
            try:
                await work()
            except Exception:
                log.exception("member.part_failed", account=self.lane.account.id, part=part, retry_s=delay)
            await asyncio.sleep(delay)
            delay = min(delay * 2, 10.0)

    def held(self) -> frozenset[str] | None:
        """Symbols on which the account has a position, by the last reading; None before the first."""
        last = self.book.last
        return None if last is None else last.symbols

    @property
    def idle(self) -> bool:
        """Nothing of this account is open, unknown or unprotected."""
        return not self.settler.unfinished()

    def update(self, member: Member) -> None:
        """Preferences or state changed; the credentials did not."""
        self.lane.update(member)
        self.preparation.wake()

    def order_changed(self, order: Tracked) -> None:
        """The tracker learned something about one of this account's orders."""
        if order.open or not order.complete:
            self.settler.watch(order)
        if order.needs_take_profit or order.intent.step is not Step.ENTRY:
            self.protector.wake()
        self.book.hint()

    def _read(self, snapshot: AccountSnapshot) -> None:
        """What is held is known now: what waited for that goes on at once."""
        first, self._known = not self._known, True
        self._on_snapshot(snapshot)
        self.closings.see(snapshot)
        if first:
            self.preparation.wake()

    def _backfill(self) -> None:
        """The stream is (again) active: what it missed is asked for."""
        for order in self.settler.unfinished():
            self.settler.watch(order)
        self.reconciler.wake()
        self.protector.wake()
        self.book.hint()

    def _heard(self, message: memoryview, received_ns: int) -> Heard | str | None:
        told = self.lane.dialect.parse_private(message)
        for report in told.orders:
            self.settler.apply(report, received_ns)
        for fill in told.fills:
            self.settler.apply_fill(fill.client_id, fill)
        if told.changed:
            self.book.hint()
            self.protector.hint()
        if told.problem:
            log.warning("member.stream_error", account=self.lane.account.id, text=told.problem)
        return told.heard
