"""Sees to it that every entry's take profit rests on the venue.

Protection is a function of the position (truth 4): an entry that was filled, wants a take profit and
whose position is still open must have a resting ``pos_profit`` there, at the price that follows from
what was really paid. What rode on the entry is looked for first and replaced when slippage moved its
meaning; what is not there after a settle time is placed; what the market has passed already is taken at
market. A protective order is sent again only when the one before it certainly does not exist, with
growing pauses and without end: nobody is left unprotected because an exchange was busy for a while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import structlog

from shared import clock
from shared.domain.ids import client_id
from shared.domain.order import TERMINAL, OrderState, OrderType, PositionSide, Side, Step
from shared.errors import JournalError, KestrelError, RefusedError, VenueRefusedError
from shared.rules.listing import take_profit_price
from trader.faultpoints import fault_point
from trader.lane import Lane
from trader.market import MarketData
from trader.orders import records
from trader.orders.gateway import Gateway
from trader.orders.tracker import Tracked, Tracker
from trader.venues.model import (
    Call,
    EndedPlan,
    MarginMode,
    PlanEnd,
    PlanReport,
    PositionMode,
    PositionReport,
    Protection,
    Trigger,
)
from trader.venues.outcome import Kind, Outcome

log = structlog.get_logger(__name__)

#: A take profit that rode on the entry appears with the fill; it is given this long.
ATTACHED_SETTLE_NS = 2 * clock.SECOND
#: A take profit of our own that no answer confirmed is absent when it is not listed after this long.
OWN_SETTLE_NS = 10 * clock.SECOND
#: "No position" counts when it was said for this long and so often: venues show new positions late.
FLAT_SETTLE_S = 8.0
FLAT_ANSWERS = 4
#: A position opened this long after our entry is the user's own.
OURS_WITHIN_NS = 60 * clock.SECOND
#: An attached take profit is replaced when it lies further off than this fraction of the price.
TOLERANCE = Decimal("0.0005")
#: Pauses between two attempts for one entry; the last repeats for ever.
RETRY_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
#: States after which another attempt cannot double the one before.
CERTAINLY_NOT = frozenset({OrderState.REJECTED, OrderState.DENIED})
#: How far back, and how many attempts of each, an order without a record is looked for.
RECOGNISED_ENTRIES = 500
RECOGNISED_ATTEMPTS = 10
_LOOKS_S = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)
_HINT_S = 1.0
_IDLE_S = 30.0


class _Case(msgspec.Struct):
    """What is remembered of one entry between two looks."""

    attempts: int = 0
    not_before: float = 0.0
    flat_since: float = 0.0
    flat_answers: int = 0
    replaced: bool = False
    """Its attached take profit was taken away: ours follows at once."""


class Protector:
    """One task per account."""

    def __init__(
        self, lane: Lane, tracker: Tracker, gateway: Gateway, market: MarketData, prefix: str
    ) -> None:
        self._lane = lane
        self._tracker = tracker
        self._gateway = gateway
        self._market = market
        self._prefix = prefix
        self._cases: dict[str, _Case] = {}
        self._wake = asyncio.Event()
        self._looks = 0
        self._hinted = 0.0
        self.errors = 0
        self.last_error = ""

    def wake(self) -> None:
        """Something of ours was filled or answered: look now. Attempts keep their pauses all the same."""
        self._looks = 0
        self._wake.set()

    def hint(self) -> None:
        """The venue says that positions changed: look soon, but not at every push."""
        now = asyncio.get_running_loop().time()
        if now - self._hinted >= _HINT_S:
            self._hinted = now
            self._wake.set()

    def wanting(self) -> list[Tracked]:
        """Entries of this account whose take profit is not known to rest on the venue."""
        return [
            order
            for order in self._tracker.unfinished(self._lane.account.id)
            if order.intent.step is Step.ENTRY and order.needs_take_profit
        ]

    def _own_open(self) -> list[Tracked]:
        return [
            order
            for order in self._tracker.unfinished(self._lane.account.id)
            if order.intent.step is Step.TAKE_PROFIT and order.open
        ]

    async def run(self) -> None:
        """Protect until cancelled."""
        while True:
            pause = _IDLE_S
            if self.wanting() or self._own_open():
                pause = _LOOKS_S[min(self._looks, len(_LOOKS_S) - 1)]
                self._looks += 1
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            symbols = {order.intent.instrument.symbol for order in [*self.wanting(), *self._own_open()]}
            for symbol in sorted(symbols):
                try:
                    await self._look(symbol)
                except KestrelError as error:
                    self._failed(symbol, error)

    def _failed(self, symbol: str, error: KestrelError) -> None:
        self.errors += 1
        self.last_error = str(error)
        log.warning("protector.look_failed", account=self._lane.account.id, symbol=symbol, reason=str(error))

    async def _look(self, symbol: str) -> None:
        venue, ask = self._lane.dialect, self._lane.ask
        positions = await venue.positions(ask, symbol)
        held = next((p for p in positions if p.side is PositionSide.LONG and p.size > 0), None)
        resting = [
            plan
            for plan in await venue.resting_protection(ask, symbol)
            if plan.protects is Protection.TAKE_PROFIT
            and plan.position in (None, PositionSide.LONG)
            and self._counts(plan, held)
        ]
        for entry in self.wanting():
            if entry.intent.instrument.symbol == symbol:
                await self._protect(entry, held, resting)
        for own in self._own_open():
            if own.intent.instrument.symbol == symbol:
                try:
                    await self._settle_own(own, held, resting)
                except KestrelError as error:
                    self._failed(symbol, error)

    def _counts(self, plan: PlanReport, held: PositionReport | None) -> bool:
        """One of ours, or one for all that is held: a part's take profit is the user's own business."""
        covers = plan.whole or held is None or (plan.size is not None and plan.size >= held.size)
        return covers or self._tracker.get(plan.client_id) is not None

    # Entries that want their take profit

    async def _protect(self, entry: Tracked, held: PositionReport | None, resting: list[PlanReport]) -> None:
        intent = entry.intent
        case = self._cases.setdefault(intent.client_id, _Case())
        now = asyncio.get_running_loop().time()
        filled_ns = entry.filled_ns or entry.left_ns
        if held is None or held.created_ns > filled_ns + OURS_WITHIN_NS:
            case.flat_since = case.flat_since or now
            case.flat_answers += 1
            if case.flat_answers >= FLAT_ANSWERS and now - case.flat_since >= FLAT_SETTLE_S:
                # Closed by its take profit or by hand: nothing of ours is left to protect.
                self._done(entry)
            return
        case.flat_since, case.flat_answers = 0.0, 0
        target = take_profit_price(
            held.average_price, intent.take_profit_percent, intent.leverage, intent.instrument.tick
        )
        plan = resting[0] if resting else None
        if plan is not None and (
            self._is_own(entry, plan)
            or plan.shared  # the user's stop rests in the same order: it is not cancelled for a better price
            or abs(plan.trigger_price - target) <= held.average_price * TOLERANCE
        ):
            self._done(entry)
        elif plan is not None:
            await self._cancel_attached(entry, case, plan, target)
        elif case.replaced or not (intent.attached and clock.now_ns() - filled_ns < ATTACHED_SETTLE_NS):
            self._attempt(entry, case, held, target)

    def _done(self, entry: Tracked) -> None:
        self._cases.pop(entry.intent.client_id, None)
        fault_point("protect.confirmed")
        self._tracker.protect(entry.intent.client_id)

    def _is_own(self, entry: Tracked, plan: PlanReport) -> bool:
        own = self._tracker.get(plan.client_id)
        return own is not None and own.intent.cause == entry.intent.cause

    async def _cancel_attached(self, entry: Tracked, case: _Case, plan: PlanReport, target: Decimal) -> None:
        """Slippage moved the target: what rode on the entry makes room for what the user asked for."""
        log.info(
            "protector.replaces",
            client_id=entry.intent.client_id,
            old=str(plan.trigger_price),
            new=str(target),
        )
        fault_point("cancel.decided")
        answer = await self._lane.ask(self._lane.dialect.cancel_protection(plan))
        fault_point("cancel.answered")
        self._lane.dialect.check(answer.body, answer.status)
        case.replaced = True
        self.wake()

    def _attempt(self, entry: Tracked, case: _Case, held: PositionReport, target: Decimal) -> None:
        """Send the next protective order, unless the one before may exist or was too recent."""
        now = asyncio.get_running_loop().time()
        if now < case.not_before:
            return
        last = self._last(entry.intent, Step.TAKE_PROFIT)
        closing = self._last(entry.intent, Step.CLOSE)
        for before in (last, closing):
            if before is not None and before.state not in CERTAINLY_NOT:
                return  # on its way, resting, or its outcome is not known yet: never a second one
        passed = (
            last is not None
            and self._lane.dialect.reason(last.code) is Kind.TRIGGER_PRICE
            and self._reached(target, held)
        )
        case.not_before = now + RETRY_S[min(case.attempts, len(RETRY_S) - 1)]
        case.attempts += 1
        if passed:
            self._close(entry, held, 0 if closing is None else closing.intent.attempt + 1)
        else:
            self._send_take_profit(entry, target, 0 if last is None else last.intent.attempt + 1)

    def _last(self, intent: records.Intent, step: Step) -> Tracked | None:
        """The newest attempt of this step for this entry."""
        newest, attempt = None, 0
        while (known := self._tracker.get(self._id(intent, step, attempt))) is not None:
            newest, attempt = known, attempt + 1
        return newest

    def recognise(self, name: str) -> bool:
        """Take over a protective order that no record is left of, when its id follows from an entry of ours.

        Its intent was lost with the disk of another machine; ids are a function of the cause, so that the
        entry tells it all. Raises ``JournalError``.
        """
        entries = [
            order
            for order in self._tracker.all()
            if order.intent.account_id == self._lane.account.id and order.intent.step is Step.ENTRY
        ]
        for entry in reversed(entries[-RECOGNISED_ENTRIES:]):
            for step in (Step.TAKE_PROFIT, Step.CLOSE):
                for attempt in range(RECOGNISED_ATTEMPTS):
                    if self._id(entry.intent, step, attempt) == name:
                        own = self._protective(entry, step, attempt, entry.filled_size or entry.intent.size)
                        standing = records.Update(client_id=name, state=OrderState.UNKNOWN, ns=clock.now_ns())
                        self._tracker.adopt(own, None, standing, [], protected=False)
                        log.warning("protector.recognised", client_id=name, step=step.value)
                        self.wake()
                        return True
        return False

    def _id(self, intent: records.Intent, step: Step, attempt: int) -> str:
        return client_id(self._prefix, intent.account_id, intent.cause, intent.leg, step, attempt=attempt)

    def _reached(self, target: Decimal, held: PositionReport) -> bool:
        """The market is beyond the target already, which is why the venue refuses the trigger."""
        price = self._market.prices.get(held.symbol)
        seen = [price.last if price else None, held.mark_price]
        return any(value is not None and value >= target for value in seen)

    def _close(self, entry: Tracked, held: PositionReport, attempt: int) -> None:
        """The target was passed before its order could rest: take the profit now, at market."""
        own = self._protective(entry, Step.CLOSE, attempt, min(held.size, entry.filled_size))
        self._submit(
            own,
            lambda mode, size: self._lane.dialect.place_order(
                own.instrument,
                side=Side.SELL,
                size=size,
                client_id=own.client_id,
                position_mode=mode,
                margin_mode=held.margin_mode or MarginMode.ISOLATED,
                reduce_only=True,
            ),
        )

    def _send_take_profit(self, entry: Tracked, target: Decimal, attempt: int) -> None:
        own = self._protective(entry, Step.TAKE_PROFIT, attempt, entry.filled_size, target)
        self._submit(
            own,
            lambda mode, _: self._lane.dialect.place_protection(
                own.instrument,
                kind=Protection.TAKE_PROFIT,
                position=PositionSide.LONG,
                position_mode=mode,
                trigger_price=target,
                client_id=own.client_id,
                trigger=Trigger.LAST,
            ),
        )

    def _protective(
        self, entry: Tracked, step: Step, attempt: int, size: Decimal, target: Decimal | None = None
    ) -> records.Intent:
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
            reference_price=target or intent.take_profit or intent.reference_price,
            margin=Decimal(0),
            take_profit=None,
            take_profit_percent=Decimal(0),
            attached=False,
            reduce_only=True,
            seen_ns=entry.filled_ns or now,
            decoded_ns=now,
            decided_ns=now,
            created_ns=now,
        )

    def _submit(self, own: records.Intent, build: Callable[[PositionMode, Decimal], Call]) -> None:
        mode = self._lane.position_mode
        if mode is None:
            return
        try:
            self._gateway.submit(self._lane, own, build(mode, own.size), step="protect")
        except (RefusedError, JournalError) as error:
            self.errors += 1
            self.last_error = str(error)
            log.error("protector.not_sent", client_id=own.client_id, reason=str(error))

    # Take profits of our own

    async def _settle_own(self, own: Tracked, held: PositionReport | None, resting: list[PlanReport]) -> None:
        """Where a take profit of ours stands, seen from what rests, what is held and what has ended."""
        mine = next((plan for plan in resting if plan.client_id == own.intent.client_id), None)
        if mine is not None:
            self._tell(own, OrderState.LIVE, venue_order_id=mine.order_id)
            return
        end = await self._lane.dialect.ended_protection(
            self._lane.ask, own.intent.instrument.symbol, own.intent.client_id
        )
        if end is not None and end.end is PlanEnd.EXECUTED:
            if end.executed_as:  # else the venue does not tell yet which order it became: look again
                await self._executed(own, end, held)
        elif end is not None and end.end is PlanEnd.FAILED:
            # The venue triggered it and could not trade: the position needs another one.
            self._tell(
                own, OrderState.REJECTED, code=end.status, text="triggered, and the exchange could not trade"
            )
            self._unprotect(own)
        elif end is not None:
            self._tell(own, OrderState.CANCELED, code=end.status, text=f"the exchange says: {end.status}")
        elif clock.now_ns() - own.left_ns > OWN_SETTLE_NS:
            if own.state is not OrderState.LIVE:
                self._tell(
                    own, OrderState.REJECTED, code="absent", text="the exchange does not know this order"
                )
            elif held is None:
                self._tell(own, OrderState.CANCELED, text="its position is closed")

    def _unprotect(self, own: Tracked) -> None:
        intent = own.intent
        entry = self._tracker.get(self._id(intent, Step.ENTRY, 0))
        if entry is not None:
            self._tracker.unprotect(entry.intent.client_id)

    async def _executed(self, own: Tracked, end: EndedPlan, held: PositionReport | None) -> None:
        """The take profit became an order: its fills are this order's fills.

        That order may have ended without trading all, for lack of a counterparty: what is still held
        needs another one.
        """
        symbol, order_id = own.intent.instrument.symbol, end.executed_as
        state = OrderState.FILLED
        average: Decimal | None = None
        wanted: Decimal | None = None
        try:
            report, _ = await self._lane.dialect.order(self._lane.ask, symbol, order_id=order_id)
            state, average, wanted = report.state, report.average_price, report.filled_size
        except VenueRefusedError as refusal:
            if self._lane.dialect.classify(refusal.code, refusal.status) is not Outcome.NOT_FOUND:
                raise
        heard_ns = clock.now_ns()
        size = Decimal(0)
        for fill in await self._lane.dialect.order_fills(self._lane.ask, symbol, order_id, wanted=wanted):
            size += fill.size
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
        if state in TERMINAL and state is not OrderState.FILLED and held is not None:
            text = "triggered, and the exchange could not trade all of it"
            self._tell(
                own,
                OrderState.REJECTED,
                code=end.status,
                text=text,
                filled_size=size,
                average_price=average,
            )
            self._unprotect(own)
        elif state in TERMINAL:
            self._tell(own, state, filled_size=size, average_price=average, filled_ns=heard_ns)

    def _tell(self, own: Tracked, state: OrderState, **news: Any) -> None:
        self._tracker.update(
            records.Update(client_id=own.intent.client_id, state=state, ns=clock.now_ns(), **news)
        )
