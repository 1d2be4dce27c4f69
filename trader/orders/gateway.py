"""The only place that sends orders: wall, first sight of the id, sign, journal, write, then all else.

The answer comes later and is told to the tracker. No answer, or one that does not say, is *unknown*:
the settler asks the venue. An entry is never sent a second time; only when certainly nothing left
this machine (the connection was down) is the same order written once the road is there again,
within its patience.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from shared import clock
from shared.domain.order import OrderState, Step
from shared.errors import (
    JournalError,
    NotSentError,
    OutcomeUnknownError,
    ProtocolError,
    RefusedError,
    VenueRefusedError,
)
from trader.faultpoints import fault_point
from trader.lane import Lane
from trader.net.http import Response
from trader.orders import records, wall
from trader.orders.tracker import Tracked, Tracker
from trader.venues.model import Call
from trader.venues.outcome import DEFINITE_NO, Kind, Outcome

log = structlog.get_logger(__name__)

#: How often a waiting order looks for a road, seconds.
_LOOK_S = 0.005


class Gateway:
    """Sends what was decided. ``on_settle`` is called when an order needs the venue's word.

    ``may_enter`` says of an account why no entry of it may be sent, "" = it may (the lease).
    """

    def __init__(
        self,
        tracker: Tracker,
        *,
        live_enabled: bool,
        timeout_s: float,
        patience_s: float,
        on_settle: Callable[[Tracked], None],
        may_enter: Callable[[int], str] = lambda _: "",
    ) -> None:
        self._tracker = tracker
        self._may_enter = may_enter
        self._live_enabled = live_enabled
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._on_settle = on_settle
        self._waiting: dict[str, asyncio.Task[None]] = {}
        self.stopped = False
        self.sent = 0
        self.refused = 0

    def submit(self, lane: Lane, intent: records.Intent, call: Call, step: str = "gateway") -> Tracked:
        """Journal and write one order, now. ``step`` prefixes the fault points.

        Raises :class:`RefusedError` when our own gate says no and ``JournalError`` when the intent
        cannot be journaled; in both cases nothing was sent and there is no order.
        """
        fault_point(f"{step}.decided")
        self._gate(lane, intent)
        request = lane.signer.request(call, clock.now_ms())
        signed_ns = clock.now_ns()
        order = self._tracker.intend(intent)
        journaled_ns = clock.now_ns()
        fault_point(f"{step}.journaled")
        if not self._write(lane, order, request, (signed_ns, journaled_ns), step):
            later = self._write_later(lane, order, call, journaled_ns, step)
            task = asyncio.get_running_loop().create_task(later, name=f"send {intent.client_id}")
            self._waiting[intent.client_id] = task
            task.add_done_callback(lambda _: self._waiting.pop(intent.client_id, None))
        return order

    def waiting(self, client_id: str) -> bool:
        """Whether an order is journaled and still waits for a connection."""
        return client_id in self._waiting

    def deny(self, intent: records.Intent, rule: str, text: str) -> None:
        """Record that our own gate refused, so that the user is told. Never sends."""
        if intent.client_id in self._tracker:
            return
        try:
            self._tracker.intend(intent)
            self._tracker.update(
                records.Update(
                    client_id=intent.client_id,
                    state=OrderState.DENIED,
                    code=rule,
                    text=text,
                    ns=clock.now_ns(),
                )
            )
        except JournalError as error:
            log.error("gateway.denial_not_journaled", client_id=intent.client_id, error=str(error))

    async def stop(self) -> None:
        """No new order from here on; what still waits for a connection is given up as never sent."""
        self.stopped = True
        for task in list(self._waiting.values()):
            task.cancel()
        await asyncio.gather(*self._waiting.values(), return_exceptions=True)

    def _gate(self, lane: Lane, intent: records.Intent) -> None:
        if self.stopped:
            raise RefusedError("stopping", "the trader is stopping")
        wall.check(intent.mode, lane.origin.host, live_enabled=self._live_enabled)
        if intent.account_id != lane.account.id or intent.mode is not lane.account.mode:
            raise RefusedError("account", "the order belongs to another account than this connection")
        if intent.client_id in self._tracker:
            raise RefusedError("duplicate", "this order exists already: an entry is never sent twice")
        if lane.blocked and intent.step is Step.ENTRY:
            raise RefusedError("account", lane.blocked)
        if lane.rival and intent.step is Step.ENTRY:
            raise RefusedError("second_writer", lane.rival)
        if intent.step is Step.ENTRY and (hindrance := self._may_enter(intent.account_id)):
            raise RefusedError("lease", hindrance)

    def _write(self, lane: Lane, order: Tracked, request: bytes, stamps: tuple[int, int], step: str) -> bool:
        """Hand the bytes to the kernel; False when certainly nothing left. ``stamps``: signed, journaled."""
        road = lane.road()
        if road is None:
            return False
        try:
            future = road.send(request, self._timeout_s)
        except NotSentError as error:
            log.warning("gateway.not_sent", client_id=order.intent.client_id, reason=str(error))
            return False
        written_ns = road.connection.written_ns
        fault_point(f"{step}.written")
        self.sent += 1
        future.add_done_callback(partial(self._answered, lane, order, step))
        try:
            self._tracker.sent(records.Sent(order.intent.client_id, *stamps, written_ns))
        except JournalError as error:
            # The intent is journaled, so a restart asks the venue about it all the same.
            log.error("gateway.sent_not_journaled", client_id=order.intent.client_id, error=str(error))
        return True

    async def _write_later(
        self, lane: Lane, order: Tracked, call: Call, journaled_ns: int, step: str
    ) -> None:
        """The connection was down or busy: write as soon as there is a road, within the patience."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience_s
        text = "no connection to the exchange in time: the order was never sent"
        try:
            while loop.time() < deadline:
                await asyncio.sleep(_LOOK_S)
                if lane.road() is not None:
                    request = lane.signer.request(call, clock.now_ms())
                    if self._write(lane, order, request, (clock.now_ns(), journaled_ns), step):
                        return
        except asyncio.CancelledError:
            text = "the trader stopped before the order could be sent"
        self._tracker.update(
            records.Update(
                client_id=order.intent.client_id,
                state=OrderState.DENIED,
                code="not_sent",
                text=text,
                ns=clock.now_ns(),
            )
        )

    def _answered(self, lane: Lane, order: Tracked, step: str, future: asyncio.Future[Response]) -> None:
        fault_point(f"{step}.answered")
        client_id = order.intent.client_id
        if future.cancelled():
            update = self._unknown(client_id, "cancelled", "no answer")
        elif (error := future.exception()) is not None:
            text = str(error) if isinstance(error, OutcomeUnknownError) else type(error).__name__
            update = self._unknown(client_id, "no_answer", text)
        else:
            lane.heard(future.result())
            update = self._read(lane, client_id, future.result())
        try:
            self._tracker.update(update)
        except JournalError as error:
            log.error("gateway.answer_not_journaled", client_id=client_id, error=str(error))
        self._on_settle(order)

    def _read(self, lane: Lane, client_id: str, response: Response) -> records.Update:
        try:
            ack = lane.dialect.parse_ack(response.body, response.status, client_id)
        except VenueRefusedError as refusal:
            outcome = lane.dialect.classify(refusal.code, refusal.status)
            self.refused += 1
            log.warning(
                "gateway.refused",
                client_id=client_id,
                code=refusal.code,
                text=refusal.text,
                outcome=outcome.value,
            )
            if outcome is Outcome.FATAL_ACCOUNT:
                lane.refused(refusal)
            if lane.dialect.reason(refusal.code) is Kind.MODE:
                lane.forget_modes()
            if outcome not in DEFINITE_NO:
                return self._unknown(client_id, refusal.code, refusal.text)
            return records.Update(
                client_id=client_id,
                state=OrderState.REJECTED,
                code=refusal.code,
                text=refusal.text,
                acknowledged_ns=response.received_ns,
                ns=response.received_ns,
            )
        except ProtocolError as error:
            return self._unknown(client_id, "unreadable", str(error))
        if lane.blocked:
            lane.unblock()
        return records.Update(
            client_id=client_id,
            state=OrderState.LIVE,
            venue_order_id=ack.order_id,
            acknowledged_ns=response.received_ns,
            ns=response.received_ns,
        )

    @staticmethod
    def _unknown(client_id: str, code: str, text: str) -> records.Update:
        return records.Update(
            client_id=client_id, state=OrderState.UNKNOWN, code=code, text=text, ns=clock.now_ns()
        )
