"""From a page of notices to orders: decode, parse, first sight, fresh, tradable, then each account.

Everything from the page's last byte to the last order's write happens in one call without waiting.
What is slower (journaling what was seen, telling the database) comes after the writes.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

import msgspec
import structlog

from shared import clock
from shared.domain.ids import client_id, listing_cause
from shared.domain.instrument import Instrument
from shared.domain.notice import Notice
from shared.domain.order import OrderType, Side, Step
from shared.errors import JournalError, KestrelError, RefusedError
from shared.rules.listing import EntryPlan, Refusal, plan_entry, wants
from trader.desk import Desk
from trader.directory import Member
from trader.lane import Lane
from trader.listings import titles
from trader.listings.detector import CoinCall, Decision, Detector
from trader.member import ActiveMember
from trader.orders import records
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.venues.model import Call, MarginMode, PositionMode, Price

log = structlog.get_logger(__name__)

STRATEGY = "listing"
SOURCE = "upbit"


class Sniper:
    """Feed it pages by :meth:`page`; it decides and sends."""

    def __init__(
        self,
        detector: Detector,
        gateway: Gateway,
        journal: Journal,
        *,
        prefix: str,
        attach_from: Decimal,
        patience_s: float,
    ) -> None:
        self._detector = detector
        self._gateway = gateway
        self._journal = journal
        self._prefix = prefix
        self._attach_from = attach_from
        self._patience_s = patience_s
        self._late: set[asyncio.Task[None]] = set()
        self.desks: list[Desk] = []
        self.enabled = False
        """Set once the start is over; until then every page only seeds."""
        self.pages = 0
        self.acted = 0
        self.faults = 0
        self.last_notice_ns = 0

    def page(self, host: str, notices: list[Notice], received_ns: int) -> None:
        """One page of one host, in its order."""
        self.pages += 1
        self.last_notice_ns = received_ns
        now = clock.now_ns()
        items = [(notice, titles.parse_cached(notice.title)) for notice in notices]
        look = self._detector.page if self.enabled else self._detector.seed
        decisions = look(SOURCE, host, items, now)
        outcomes = {decision.notice.key: self._act(decision, now) for decision in decisions if decision.act}
        for decision in decisions:
            self._remember(decision, outcomes.get(decision.notice.key, ""))

    def _act(self, decision: Decision, now: int) -> str:
        """Send what the notice is worth to each account; returns what came of it, for people."""
        sent, denied, missing = 0, 0, []
        for coin in decision.to_trade:
            found = False
            for desk in self.desks:
                instrument = desk.market.by_coin.get(coin.symbol)
                if instrument is None:
                    continue
                found = True
                for member in desk.members.values():
                    if not member.lane.member.armed:
                        continue
                    if self._enter_safely(desk, member, instrument, decision, coin):
                        sent += 1
                    else:
                        denied += 1
            if not found:
                missing.append(coin.symbol)
        self.acted += 1
        took_us = (clock.now_ns() - now) / clock.MICROSECOND
        log.info(
            "sniper.acted",
            notice=decision.notice.key,
            title=decision.notice.title,
            sent=sent,
            without_order=denied,
            missing=missing,
            took_us=round(took_us, 1),
        )
        words = [f"{sent} order{'' if sent == 1 else 's'} sent"]
        if denied:
            words.append(f"{denied} account{'' if denied == 1 else 's'} without an order")
        if missing:
            words.append(f"no perpetual for {', '.join(missing)}")
        return ", ".join(words)

    def _enter_safely(
        self, desk: Desk, member: ActiveMember, instrument: Instrument, decision: Decision, coin: CoinCall
    ) -> bool:
        """One account's fault never costs another its order."""
        try:
            return self._enter(desk, member, instrument, decision, coin)
        except Exception:
            self.faults += 1
            log.exception("sniper.account_failed", account=member.lane.account.id, coin=coin.symbol)
            return False

    def _enter(
        self, desk: Desk, member: ActiveMember, instrument: Instrument, decision: Decision, coin: CoinCall
    ) -> bool:
        """One account's order; False when there is none, which is recorded if the user wanted one."""
        lane = member.lane
        preferences = lane.member.listing
        if wants(preferences, coin.kind, coin.markets) is not None:
            return False
        hindrance = self._hindrance(member, instrument)
        if hindrance is not None:
            self._deny(member, instrument, decision, coin, hindrance)
            return False
        if not member.preparation.ready_for(instrument):
            self._enter_prepared(desk, member, instrument, decision, coin)
            return True
        return self._send(desk, member, instrument, decision, coin)

    @staticmethod
    def _hindrance(member: ActiveMember, instrument: Instrument) -> Refusal | None:
        """Why this account cannot enter now, whatever its preferences are."""
        if member.lane.blocked:
            return Refusal(rule="account", text=member.lane.blocked)
        held = member.held()
        if held is not None and instrument.symbol not in held:
            return None
        words = "holds a position on" if held else "is not known yet to be free of"
        return Refusal(rule="position", text=f"this account {words} {instrument.symbol}: no second one")

    def _enter_prepared(
        self, desk: Desk, member: ActiveMember, instrument: Instrument, decision: Decision, coin: CoinCall
    ) -> None:
        """The slower way, for an instrument that is too new: set margin mode and leverage, then order."""

        async def prepare_and_send() -> None:
            reason = "the exchange refused"
            try:
                async with asyncio.timeout(self._patience_s):
                    await member.preparation.prepare(instrument)
            except (KestrelError, TimeoutError) as error:
                reason = str(error) or "no answer in time"
            except asyncio.CancelledError:
                reason = "the trader stopped"
            # The account may have changed meanwhile: it is looked up again.
            now = desk.members.get(member.lane.account.id, member)
            if now.preparation.ready_for(instrument) and now.lane.member.armed and self.enabled:
                newest = desk.market.instruments.get(instrument.symbol, instrument)
                self._send(desk, now, newest, decision, coin)
                return
            text = f"leverage of {instrument.symbol} could not be set: {reason}"
            self._deny(now, instrument, decision, coin, Refusal(rule="prepared", text=text))

        task = asyncio.get_running_loop().create_task(prepare_and_send(), name=f"enter {coin.symbol}")
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _send(
        self, desk: Desk, member: ActiveMember, instrument: Instrument, decision: Decision, coin: CoinCall
    ) -> bool:
        lane = member.lane
        price = desk.market.ask_price(instrument.symbol, clock.now_ns())
        plan: EntryPlan | Refusal
        if price is None:
            plan = Refusal(rule="price", text=f"no usable price for {instrument.symbol}")
        elif lane.position_mode is None:
            plan = Refusal(rule="prepared", text="how this account holds positions is not known yet")
        else:
            plan = self._plan(lane, instrument, price)
        if isinstance(plan, Refusal) or lane.position_mode is None:
            assert isinstance(plan, Refusal)
            self._deny(member, instrument, decision, coin, plan)
            return False
        intent = self._intent(lane.member, instrument, decision.notice, coin, plan)
        try:
            self._gateway.submit(lane, intent, self._call(lane, intent, lane.position_mode))
        except RefusedError as refusal:
            self._gateway.deny(intent, refusal.rule, str(refusal))
            return False
        except JournalError as error:
            log.error("sniper.not_journaled", client_id=intent.client_id, error=str(error))
            return False
        return True

    def _plan(self, lane: Lane, instrument: Instrument, price: Price) -> EntryPlan | Refusal:
        """What to buy; the take profit rides on it only where the venue takes that."""
        plan = plan_entry(lane.member.listing, instrument, price.ask or price.last, self._attach_from)
        if isinstance(plan, EntryPlan) and plan.attach and not lane.dialect.attaches:
            return msgspec.structs.replace(plan, attach=False)
        return plan

    @staticmethod
    def _call(lane: Lane, intent: records.Intent, mode: PositionMode) -> Call:
        return lane.dialect.place_order(
            intent.instrument,
            side=Side.BUY,
            size=intent.size,
            client_id=intent.client_id,
            position_mode=mode,
            margin_mode=MarginMode.ISOLATED,
            take_profit=intent.take_profit if intent.attached else None,
        )

    def _deny(
        self,
        member: ActiveMember,
        instrument: Instrument,
        decision: Decision,
        coin: CoinCall,
        refusal: Refusal,
    ) -> None:
        intent = self._intent(member.lane.member, instrument, decision.notice, coin, None)
        self._gateway.deny(intent, refusal.rule, refusal.text)

    def practise(self, desk: Desk, member: ActiveMember, instrument: Instrument, decision: Decision) -> bool:
        """Do all of an entry up to the signature, without journal, write or any other effect."""
        (coin,) = decision.to_trade
        lane = member.lane
        mode, price = lane.position_mode, desk.market.ask_price(instrument.symbol, clock.now_ns())
        if wants(lane.member.listing, coin.kind, coin.markets) is not None or price is None or mode is None:
            return False
        plan = self._plan(lane, instrument, price)
        if isinstance(plan, Refusal):
            return False
        intent = self._intent(lane.member, instrument, decision.notice, coin, plan)
        lane.signer.request(self._call(lane, intent, mode), clock.now_ms())
        records.encode(intent)
        return True

    async def stop(self) -> None:
        """Give up what is still being prepared."""
        for task in list(self._late):
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    def _intent(
        self,
        member: Member,
        instrument: Instrument,
        notice: Notice,
        coin: CoinCall,
        plan: EntryPlan | None,
    ) -> records.Intent:
        account = member.account
        cause = listing_cause(notice.key, coin.symbol)
        now = clock.now_ns()
        return records.Intent(
            client_id=client_id(self._prefix, account.id, cause, 0, Step.ENTRY),
            user_id=account.user_id,
            account_id=account.id,
            mode=account.mode,
            strategy_id=STRATEGY,
            instrument=instrument,
            cause=cause,
            leg=0,
            step=Step.ENTRY,
            attempt=0,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            size=plan.size if plan else Decimal(0),
            price=None,
            reference_price=plan.reference_price if plan else Decimal(0),
            margin=plan.margin if plan else Decimal(0),
            leverage=plan.leverage if plan else member.listing.leverage,
            take_profit=plan.take_profit if plan else None,
            take_profit_percent=member.listing.take_profit,
            attached=plan.attach if plan else False,
            stop=None,
            reduce_only=False,
            seen_ns=notice.received_ns,
            decoded_ns=notice.decoded_ns,
            decided_ns=now,
            created_ns=now,
        )

    def _remember(self, decision: Decision, outcome: str) -> None:
        """Journal a first sight and every arrival, after the orders are out."""
        try:
            if decision.first:
                self._journal.append(
                    records.NoticeSeen(
                        decision.notice, decision.parsed, decision.verdict.value, outcome or decision.reason
                    )
                )
            if decision.arrival is not None:
                self._journal.append(records.Arrival(decision.notice, decision.arrival.first))
        except JournalError as error:
            log.error("sniper.notice_not_journaled", notice=decision.notice.key, error=str(error))
