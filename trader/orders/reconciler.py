"""What rests on the venue against what we believe, for one account: at start, after a reconnect, on a slow beat.

Orders in flight have a beat of their own (:mod:`trader.orders.settler`). This one finds what nobody asks about:
an order of ours that ended unheard, one that Postgres knows and our journal does not (taken over), and one that
neither knows: then somebody else trades this account with our form of ids, and entries stop until none of his
rests any more. Orders without our form are the user's own hand: they are not looked at.

It sends no order and cancels none. A second run over an unchanged account changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

import psycopg
import structlog

from shared import clock
from shared.domain.ids import installation_of
from shared.errors import JournalError, KestrelError
from trader.faultpoints import fault_point
from trader.lane import Lane
from trader.orders.settler import Settler
from trader.orders.tracker import Tracker
from trader.venues.model import OrderReport

log = structlog.get_logger(__name__)

#: Seconds from one reading to the next when the venue's limits bear it.
BEAT_S = 30.0
#: The same while a second writer's orders rest.
RIVAL_S = 5.0
#: An order this young may not be listed yet, or not any more.
YOUNG_NS = 5 * clock.SECOND
#: Orders asked about one by one after a reading; the others wait for the next.
ASKED_AT_ONCE = 10
#: How many foreign ids are named to the user.
_NAMED = 3

#: Takes over what Postgres knows of these client ids; raises ``psycopg.Error`` and ``OSError``.
Recall = Callable[[int, Collection[str]], Awaitable[int]]
#: Takes over a protective order whose id follows from an entry that is known; whether it did.
Recognise = Callable[[str], bool]


class Reconciler:
    """One task per account."""

    def __init__(
        self,
        lane: Lane,
        tracker: Tracker,
        settler: Settler,
        *,
        recall: Recall,
        recognise: Recognise,
        every_s: float = BEAT_S,
    ) -> None:
        self._recognise = recognise
        self._lane = lane
        self._tracker = tracker
        self._settler = settler
        self._recall = recall
        self._every_s = every_s
        self._wake = asyncio.Event()
        self.done = 0
        self.errors = 0
        self.last_error = ""

    def wake(self) -> None:
        """A stream is back, or something is unclear: read now."""
        self._wake.set()

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.reconcile()
                self.done += 1
            except (KestrelError, psycopg.Error, OSError) as error:
                # What could not be asked is not known: nothing is read into it.
                self.errors += 1
                self.last_error = str(error) or type(error).__name__
                log.info("reconciler.failed", account=self._lane.account.id, reason=self.last_error)
            try:
                # The end of a second writer is noticed sooner than its beginning: entries wait for it.
                every_s = min(self._every_s, RIVAL_S) if self._lane.rival else self._every_s
                async with asyncio.timeout(self._lane.stretched_s(every_s)):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def reconcile(self) -> None:
        """One reading. Raises when a question fails; what was learned before that stays."""
        venue, ask = self._lane.dialect, self._lane.ask
        asked_ns = clock.now_ns()
        resting, complete = await venue.resting_orders(ask)
        plans = await venue.resting_protection(ask)
        fault_point("reconciler.read")
        named = {report.client_id for report in resting} | {plan.client_id for plan in plans}
        await self._strangers(named)
        for report in resting:
            self._apply(report, asked_ns)
        if complete:
            self._missing({report.client_id for report in resting}, asked_ns)

    def _apply(self, report: OrderReport, asked_ns: int) -> None:
        """A resting order of ours. One that ended meanwhile is not brought back: states never go back."""
        if report.client_id in self._tracker:
            self._settler.apply(report, asked_ns)

    async def _strangers(self, named: Iterable[str]) -> None:
        """Ids of our form that we do not know: Postgres may; else a second writer is at work."""
        unknown = sorted(each for each in named if installation_of(each) and each not in self._tracker)
        if unknown:
            try:
                await self._recall(self._lane.account.id, unknown)
                for each in unknown:
                    if each not in self._tracker:
                        self._recognise(each)
            except JournalError as error:
                log.error("reconciler.not_taken_over", account=self._lane.account.id, reason=str(error))
            unknown = [each for each in unknown if each not in self._tracker]
        self._lane.second_writer(_complaint(unknown))

    def _missing(self, resting: Collection[str], asked_ns: int) -> None:
        """Orders that we believe to be open and that do not rest: ask about each, the oldest first."""
        missing = [
            order
            for order in self._tracker.unfinished(self._lane.account.id)
            if order.open and order.intent.client_id not in resting and asked_ns - order.left_ns > YOUNG_NS
        ]
        for order in missing[:ASKED_AT_ONCE]:
            self._settler.watch(order)


def _complaint(unknown: list[str]) -> str:
    if not unknown:
        return ""
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    return (
        f"another Kestrel has orders on this account ({', '.join(unknown[:_NAMED])}{more}): "
        "entries stop until they are gone; stop the other one, or cancel its orders"
    )
