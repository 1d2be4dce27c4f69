"""Asks the venue about every order of one account whose end is not known, until it is.

A stream may tell the same earlier; this is what makes it certain. Nothing here sends an order.

An order is told *absent* (never placed) only when the venue's detail has not known it in
:data:`ABSENT_ANSWERS` answers in a row over at least :data:`SETTLE_NS` by the monotonic clock, counted
from the first such answer in this process (an order of an earlier run gets the whole time again), and
no other trace of it contradicts (:mod:`trader.orders.absence`). While something contradicts, the order
stays *unknown* and is asked about for ever. An absent order is looked at once more after
:data:`LATE_S`: the venue takes requests that are up to 30 seconds old.
"""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from shared import clock
from shared.domain.order import OrderState, Step
from shared.errors import KestrelError, VenueRefusedError
from trader.faultpoints import fault_point
from trader.lane import Lane
from trader.orders import absence, records
from trader.orders.gateway import Gateway
from trader.orders.tracker import Tracked, Tracker
from trader.venues.model import FillReport, OrderReport
from trader.venues.outcome import Outcome

log = structlog.get_logger(__name__)

#: Seconds from one look at an order to the next; the last one repeats.
LOOKS_S = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
#: An order is absent when the venue has not known it for this long...
SETTLE_NS = 10 * clock.SECOND
#: ...and in at least so many answers in a row.
ABSENT_ANSWERS = 5
#: Seconds from one look to the next while something contradicts an order's absence.
CONTRADICTED_S = 30.0
#: Seconds after which an absent order is looked at once more.
LATE_S = 30.0
_BEAT_S = 5.0


class _Case(msgspec.Struct):
    """One order under observation."""

    order: Tracked
    due: float
    looks: int = 0
    not_found: int = 0
    missed_ns: int = 0
    """When the venue first did not know it, monotonic."""
    against: str = ""
    """What speaks against its absence."""
    late: bool = False
    """Told absent; one look is left."""

    def over(self) -> bool:
        return not self.order.open and self.order.complete and not self.late

    @property
    def pause_s(self) -> float:
        """Seconds to the next look."""
        if self.late and self.looks == 0:
            return LATE_S
        if self.against:
            return CONTRADICTED_S
        return LOOKS_S[min(self.looks, len(LOOKS_S) - 1)]


class Settler:
    """One task per account."""

    def __init__(self, lane: Lane, tracker: Tracker, gateway: Gateway) -> None:
        self._lane = lane
        self._tracker = tracker
        self._gateway = gateway
        self._cases: dict[str, _Case] = {}
        self._wake = asyncio.Event()
        self.errors = 0
        self.last_error = ""

    def unfinished(self) -> list[Tracked]:
        """Orders of this account about which the venue still has something to say."""
        return self._tracker.unfinished(self._lane.account.id)

    def watch(self, order: Tracked) -> None:
        """Look at an order now; known cases start anew with short steps."""
        if order.intent.step is Step.TAKE_PROFIT:
            return  # trigger orders have a namespace of their own: the protector's
        now = asyncio.get_running_loop().time()
        case = self._cases.get(order.intent.client_id)
        if case is None:
            self._cases[order.intent.client_id] = _Case(order, now)
        elif not case.late:
            case.due, case.looks = now, 0
        self._wake.set()

    async def run(self) -> None:
        """Settle until cancelled."""
        loop = asyncio.get_running_loop()
        for order in self.unfinished():
            self.watch(order)
        while True:
            due = min((case.due for case in self._cases.values()), default=loop.time() + _BEAT_S)
            try:
                async with asyncio.timeout(max(0.0, due - loop.time())):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            for case in [case for case in self._cases.values() if case.due <= loop.time()]:
                await self._look(case)

    async def _look(self, case: _Case) -> None:
        client_id = case.order.intent.client_id
        if case.over():
            self._cases.pop(client_id, None)
            return
        case.looks += 1
        try:
            if not self._gateway.waiting(client_id):
                await self._settle(case)
        except KestrelError as error:
            # The question failed: that says nothing about the order.
            self.errors += 1
            self.last_error = str(error)
            log.info("settler.question_failed", client_id=client_id, reason=str(error))
        case.due = asyncio.get_running_loop().time() + case.pause_s
        if case.over():
            self._cases.pop(client_id, None)

    async def _settle(self, case: _Case) -> None:
        order, intent = case.order, case.order.intent
        if order.open or case.late:
            try:
                report, heard_ns = await self._lane.dialect.order(
                    self._lane.ask, intent.instrument.symbol, client_id=intent.client_id
                )
            except VenueRefusedError as refusal:
                if self._lane.dialect.classify(refusal.code, refusal.status) is not Outcome.NOT_FOUND:
                    raise
                await self._absent(case)
                return
            self._found(case, report, heard_ns)
        if order.fills_size < order.filled_size and order.venue_order_id:
            await self._read_fills(order)

    def _found(self, case: _Case, report: OrderReport, heard_ns: int) -> None:
        if case.late:
            log.error("settler.absent_order_appeared", client_id=report.client_id, state=report.state.value)
        case.not_found, case.against, case.late = 0, "", False
        fault_point("settler.found")
        self.apply(report, heard_ns)

    async def _absent(self, case: _Case) -> None:
        """The detail does not know the order: see whether that is the whole truth."""
        order, intent = case.order, case.order.intent
        if case.late:
            case.late = False
            return
        now = clock.monotonic_ns()
        if case.not_found == 0:
            case.missed_ns = now
        case.not_found += 1
        if case.not_found < ABSENT_ANSWERS or now - case.missed_ns < SETTLE_NS:
            return
        evidence = await absence.examine(self._lane, self._tracker, order)
        if evidence.report is not None:
            self._found(case, evidence.report, evidence.heard_ns)
            return
        if evidence.against:
            if not case.against:
                log.warning(
                    "settler.absence_contradicted", client_id=intent.client_id, reason=evidence.against
                )
            case.against = self.last_error = evidence.against
            return
        case.against = ""
        if not order.open or order.venue_order_id:
            return  # a push was faster
        fault_point("settler.absent")
        self._tracker.update(
            records.Update(
                client_id=intent.client_id,
                state=OrderState.REJECTED if order.sent else OrderState.DENIED,
                code="absent",
                text="the exchange does not know this order: it was never placed",
                ns=clock.now_ns(),
            )
        )
        case.late, case.looks = True, 0

    async def _read_fills(self, order: Tracked) -> None:
        symbol = order.intent.instrument.symbol
        read = await self._lane.dialect.order_fills(
            self._lane.ask, symbol, order.venue_order_id, wanted=order.filled_size
        )
        for fill in read:
            self.apply_fill(order.intent.client_id, fill)

    def apply(self, report: OrderReport, heard_ns: int) -> None:
        """What a query or a push says of one of our orders; strangers are left alone.

        ``heard_ns`` is when it reached us: stamps of an order are all of one clock, the venue's own
        stamp stays with the fill.
        """
        order = self._tracker.get(report.client_id)
        if order is None or order.intent.account_id != self._lane.account.id:
            return
        if order.intent.step is Step.TAKE_PROFIT:
            return  # what a trigger order became may carry its id: the protector judges it as a whole
        self._tracker.update(
            records.Update(
                client_id=report.client_id,
                state=report.state,
                venue_order_id=report.order_id,
                filled_size=report.filled_size,
                average_price=report.average_price,
                text=report.cancel_reason,
                filled_ns=heard_ns if report.state is OrderState.FILLED else 0,
                ns=heard_ns,
            )
        )
        if report.fill is not None:
            self.apply_fill(report.client_id, report.fill)
        if order.open or not order.complete:
            self._cases.setdefault(
                report.client_id, _Case(order, asyncio.get_running_loop().time() + LOOKS_S[1])
            )

    def apply_fill(self, client_id: str, fill: FillReport) -> None:
        """A fill of one of our orders; those of strangers are left alone."""
        order = self._tracker.get(client_id)
        if order is None or order.intent.account_id != self._lane.account.id:
            return
        self._tracker.fill(
            records.Fill(
                client_id=client_id,
                venue_fill_id=fill.fill_id,
                price=fill.price,
                size=fill.size,
                fee=fill.fee,
                fee_currency=fill.fee_currency,
                taker=fill.taker,
                filled_ns=fill.filled_ns,
            )
        )

    @property
    def open_cases(self) -> int:
        return len(self._cases)
