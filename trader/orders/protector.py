"""Sees to it that every entry's take profit rests on the venue.

Protection is a function of the position (truth 4): an entry that was filled, wants a take profit and
whose position is still open must have a resting ``pos_profit`` on the venue. What rode on the entry is
looked for first; what is not there after a settle time is placed. A protective order is placed again
only when the one before it is proven absent.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from shared import clock
from shared.domain.ids import client_id
from shared.domain.order import TERMINAL, OrderState, OrderType, PositionSide, Side, Step
from shared.errors import JournalError, KestrelError, RefusedError
from trader.lane import Lane
from trader.orders import records
from trader.orders.gateway import Gateway
from trader.orders.tracker import Tracked, Tracker
from trader.venues import bitget
from trader.venues.bitget import Kind, Protection, Trigger, history
from trader.venues.model import Call, PlanReport, PositionReport

log = structlog.get_logger(__name__)

#: A take profit that rode on the entry appears with the fill; it is given this long.
ATTACHED_SETTLE_NS = 2 * clock.SECOND
#: A take profit of our own that no answer confirmed is absent when it is not listed after this long.
OWN_SETTLE_NS = 10 * clock.SECOND
#: Attempts, after which only the user can help; each needs the one before to be refused or absent.
MAX_ATTEMPTS = 20
#: States after which another attempt cannot double the one before.
CERTAINLY_NOT = frozenset({OrderState.REJECTED, OrderState.DENIED})
_LOOKS_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)


class Protector:
    """One task per account."""

    def __init__(self, lane: Lane, tracker: Tracker, gateway: Gateway, prefix: str) -> None:
        self._lane = lane
        self._tracker = tracker
        self._gateway = gateway
        self._prefix = prefix
        self._wake = asyncio.Event()
        self._looks = 0
        self.errors = 0
        self.last_error = ""

    def wake(self) -> None:
        """Something was filled or answered: look now."""
        self._looks = 0
        self._wake.set()

    def wanting(self) -> list[Tracked]:
        """Entries of this account whose take profit is not known to rest on the venue."""
        return [
            order
            for order in self._tracker.unfinished(self._lane.account.id)
            if order.intent.step is Step.ENTRY and order.needs_take_profit
        ]

    async def run(self) -> None:
        """Protect until cancelled."""
        while True:
            wanting = self.wanting()
            if wanting or self._own_open():
                pause = _LOOKS_S[min(self._looks, len(_LOOKS_S) - 1)]
                self._looks += 1
            else:
                pause = 30.0
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            for symbol in sorted(
                {order.intent.instrument.symbol for order in [*self.wanting(), *self._own_open()]}
            ):
                try:
                    await self._look(symbol)
                except KestrelError as error:
                    self.errors += 1
                    self.last_error = str(error)
                    log.warning("protector.look_failed", symbol=symbol, reason=str(error))

    def _own_open(self) -> list[Tracked]:
        return [
            order
            for order in self._tracker.unfinished(self._lane.account.id)
            if order.intent.step is Step.TAKE_PROFIT and order.open
        ]

    async def _look(self, symbol: str) -> None:
        answer = await self._lane.ask(bitget.single_position(symbol))
        positions = bitget.parse_positions(answer.body, answer.status)
        held = next((p for p in positions if p.side is PositionSide.LONG and p.size > 0), None)
        answer = await self._lane.ask(bitget.protection_pending(symbol=symbol))
        plans = bitget.parse_plans(answer.body, answer.status).plans
        resting = [
            plan
            for plan in plans
            if plan.plan == Protection.TAKE_PROFIT and plan.position in (None, PositionSide.LONG)
        ]
        for own in self._own_open():
            if own.intent.instrument.symbol == symbol:
                await self._settle_own(own, held, resting)
        for entry in self.wanting():
            if entry.intent.instrument.symbol != symbol or entry.open:
                continue
            young = clock.now_ns() - (entry.filled_ns or self._left_ns(entry)) < ATTACHED_SETTLE_NS
            if resting or (held is None and not young):
                # Without a position (closed by its take profit or by hand) nothing is left to protect.
                self._tracker.protect(entry.intent.client_id)
            elif held is not None and not (young and entry.intent.attached):
                self._place(entry, held)

    async def _settle_own(self, own: Tracked, held: PositionReport | None, resting: list[PlanReport]) -> None:
        """Where a take profit of ours stands, seen from what rests, what is held and what has ended."""
        mine = next((plan for plan in resting if plan.client_id == own.intent.client_id), None)
        if mine is not None:
            self._tell(own, OrderState.LIVE, venue_order_id=mine.order_id)
            return
        symbol = own.intent.instrument.symbol
        answer = await self._lane.ask(history.protection_history(symbol))
        ended = history.parse_protection_history(answer.body, answer.status)
        end = next((plan for plan in ended if plan.client_id == own.intent.client_id), None)
        if end is not None and end.status == history.EXECUTED and end.executed_as:
            await self._executed(own, end.executed_as)
        elif end is not None:
            self._tell(own, OrderState.CANCELED, code=end.status, text=f"the exchange says: {end.status}")
        elif clock.now_ns() - self._left_ns(own) > OWN_SETTLE_NS:
            if own.state is not OrderState.LIVE:
                self._tell(
                    own, OrderState.REJECTED, code="absent", text="the exchange does not know this order"
                )
            elif held is None:
                self._tell(own, OrderState.CANCELED, text="its position is closed")

    async def _executed(self, own: Tracked, order_id: str) -> None:
        """The take profit became an order: its fills are this order's fills."""
        symbol = own.intent.instrument.symbol
        answer = await self._lane.ask(bitget.order_detail(symbol, order_id=order_id))
        report = bitget.parse_order(answer.body, answer.status)
        heard_ns = answer.received_ns
        answer = await self._lane.ask(bitget.fills(symbol=symbol, order_id=order_id))
        for fill in bitget.parse_fills(answer.body, answer.status).fills:
            if fill.order_id == order_id:
                self._tracker.fill(
                    records.Fill(
                        client_id=own.intent.client_id,
                        venue_fill_id=fill.fill_id,
                        price=fill.price,
                        size=fill.size,
                        fee=fill.fee,
                        fee_currency=fill.fee_currency,
                        taker=fill.taker,
                        filled_ns=fill.filled_ns,
                    )
                )
        if report.state in TERMINAL:
            self._tell(
                own,
                report.state,
                filled_size=report.filled_size,
                average_price=report.average_price,
                filled_ns=heard_ns,
            )

    def _tell(self, own: Tracked, state: OrderState, **news: Any) -> None:
        self._tracker.update(
            records.Update(client_id=own.intent.client_id, state=state, ns=clock.now_ns(), **news)
        )

    @staticmethod
    def _left_ns(order: Tracked) -> int:
        return order.sent.written_ns if order.sent else order.intent.created_ns

    def _place(self, entry: Tracked, held: PositionReport) -> None:
        intent = entry.intent
        for attempt in range(MAX_ATTEMPTS):
            before = self._tracker.get(self._id(intent, Step.TAKE_PROFIT, attempt))
            if before is None:
                self._send_take_profit(entry, attempt)
                return
            if before.state not in CERTAINLY_NOT:
                return  # on its way, resting, or its outcome is not known yet: never a second one
            if bitget.kind(before.code) is Kind.TRIGGER_PRICE and self._reached(intent, held):
                self._close(entry, held)
                return
        log.error("protector.gave_up", client_id=intent.client_id, attempts=MAX_ATTEMPTS)

    def _id(self, intent: records.Intent, step: Step, attempt: int) -> str:
        return client_id(self._prefix, intent.account_id, intent.cause, intent.leg, step, attempt=attempt)

    @staticmethod
    def _reached(intent: records.Intent, held: PositionReport) -> bool:
        """The market is beyond the take profit already, which is why the venue refuses it."""
        return (
            intent.take_profit is not None
            and held.mark_price is not None
            and held.mark_price >= intent.take_profit
        )

    def _close(self, entry: Tracked, held: PositionReport) -> None:
        """The target was passed before its order could rest: take the profit now, at market."""
        intent = entry.intent
        own = self._protective(entry, Step.CLOSE, 0, min(held.size, entry.filled_size))
        mode = self._lane.position_mode
        if own.client_id in self._tracker or mode is None:
            return
        call = bitget.place_order(
            intent.instrument,
            side=Side.SELL,
            size=own.size,
            client_id=own.client_id,
            position_mode=mode,
            margin_mode=held.margin_mode,
            reduce_only=True,
        )
        self._submit(own, call)

    def _send_take_profit(self, entry: Tracked, attempt: int) -> None:
        intent = entry.intent
        mode = self._lane.position_mode
        if intent.take_profit is None or mode is None:
            return
        own = self._protective(entry, Step.TAKE_PROFIT, attempt, entry.filled_size)
        call = bitget.place_protection(
            intent.instrument,
            kind=Protection.TAKE_PROFIT,
            position=PositionSide.LONG,
            position_mode=mode,
            trigger_price=intent.take_profit,
            client_id=own.client_id,
            trigger=Trigger.LAST,
        )
        self._submit(own, call)

    def _protective(self, entry: Tracked, step: Step, attempt: int, size: Decimal) -> records.Intent:
        now = clock.now_ns()
        intent = entry.intent
        return msgspec.structs.replace(
            intent,
            client_id=self._id(intent, step, attempt),
            step=step,
            attempt=attempt,
            side=Side.SELL,
            order_type=OrderType.MARKET,
            size=size,
            reference_price=intent.take_profit or intent.reference_price,
            margin=Decimal(0),
            take_profit=None,
            attached=False,
            reduce_only=True,
            seen_ns=entry.filled_ns,
            decoded_ns=now,
            decided_ns=now,
            created_ns=now,
        )

    def _submit(self, own: records.Intent, call: Call) -> None:
        try:
            self._gateway.submit(self._lane, own, call, step="protect")
        except (RefusedError, JournalError) as error:
            self.errors += 1
            self.last_error = str(error)
            log.error("protector.not_sent", client_id=own.client_id, reason=str(error))
