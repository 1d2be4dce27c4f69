"""What one account holds, read from the venue on a slow beat and whenever a stream hints at a change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import psycopg
import structlog

from shared import clock
from shared.domain.instrument import Instrument
from shared.domain.order import PositionSide, Step
from shared.errors import KestrelError
from trader.lane import Lane
from trader.market import MarketData
from trader.orders.tracker import Tracker
from trader.positions.rows import AccountSnapshot, ClosedPosition, Equity, Held, OpenPosition
from trader.venues import bitget
from trader.venues.bitget import Protection, history
from trader.venues.model import PlanReport, PositionReport

log = structlog.get_logger(__name__)

#: Hints come in bursts (order, fill, position, account); one read answers them all.
_BURST_S = 0.05
LISTING = "listing"
MANUAL = "manual"


class PositionBook:
    """One task per account; ``on_snapshot`` gets every complete reading. A failed one says nothing."""

    def __init__(
        self,
        lane: Lane,
        market: MarketData,
        tracker: Tracker,
        *,
        every_s: float,
        on_snapshot: Callable[[AccountSnapshot], None],
        recall: Callable[[int], Awaitable[list[Held]]],
    ) -> None:
        self._lane = lane
        self._market = market
        self._tracker = tracker
        self._every_s = every_s
        self._on_snapshot = on_snapshot
        self._wake = asyncio.Event()
        self._recall = recall
        self._recalled = False
        self._known: dict[str, Held] = {}
        self.last: AccountSnapshot | None = None
        self.errors = 0
        self.last_error = ""

    def hint(self) -> None:
        """Something may have changed: read soon."""
        self._wake.set()

    async def run(self) -> None:
        """Read until cancelled."""
        await self._market.loaded.wait()
        while True:
            self._wake.clear()
            try:
                await self._read()
            except KestrelError as error:
                self.errors += 1
                self.last_error = str(error)
                log.info("positions.read_failed", account=self._lane.account.id, reason=str(error))
            try:
                async with asyncio.timeout(self._every_s):
                    await self._wake.wait()
                await asyncio.sleep(_BURST_S)
            except TimeoutError:
                pass

    async def _read(self) -> None:
        if not self._recalled:
            await self._remember()
        taken_ns = clock.now_ns()
        answer = await self._lane.ask(bitget.all_positions())
        reports = [report for report in bitget.parse_positions(answer.body, answer.status) if report.size > 0]
        plans: list[PlanReport] = []
        if reports:
            answer = await self._lane.ask(bitget.protection_pending())
            plans = bitget.parse_plans(answer.body, answer.status).plans
        answer = await self._lane.ask(bitget.accounts())
        money = next(a for a in bitget.parse_accounts(answer.body, answer.status) if a.coin == "USDT")
        positions = [self._position(instrument, report, plans) for instrument, report in self._named(reports)]
        closed = await self._closed({position.key for position in positions}, taken_ns)
        self._known = {
            position.key: Held(
                symbol=position.instrument.symbol,
                instrument_id=position.instrument.id,
                side=position.side,
                opened_ns=position.opened_ns,
            )
            for position in positions
        }
        self.last = AccountSnapshot(
            account=self._lane.account,
            positions=tuple(positions),
            equity=Equity(
                currency=money.coin,
                equity=money.equity,
                available=money.available,
                unrealised=money.unrealized,
            ),
            closed=closed,
            taken_ns=taken_ns,
        )
        self._lane.report = money
        self._on_snapshot(self.last)

    async def _remember(self) -> None:
        """What was open when an earlier run ended, so that what closed meanwhile gets its result."""
        try:
            held = await self._recall(self._lane.account.id)
        except (psycopg.Error, OSError) as error:
            log.info("positions.not_recalled", account=self._lane.account.id, reason=type(error).__name__)
            return
        self._known = {position.key: position for position in held}
        self._recalled = True

    def _named(self, reports: list[PositionReport]) -> list[tuple[Instrument, PositionReport]]:
        named = []
        for report in reports:
            instrument = self._market.instruments.get(report.symbol)
            if instrument is None:
                log.warning("positions.unknown_symbol", account=self._lane.account.id, symbol=report.symbol)
                continue
            named.append((instrument, report))
        return named

    def _position(
        self, instrument: Instrument, report: PositionReport, plans: list[PlanReport]
    ) -> OpenPosition:
        def trigger(kind: Protection) -> Decimal | None:
            for plan in plans:
                if (
                    plan.symbol == report.symbol
                    and plan.plan == kind
                    and plan.position in (None, report.side)
                ):
                    return plan.trigger_price
            return None

        price = self._market.prices.get(report.symbol)
        mark = report.mark_price or (price.last if price else report.average_price)
        return OpenPosition(
            instrument=instrument,
            side=report.side,
            size=report.size,
            entry_price=report.average_price,
            mark_price=mark,
            margin=report.margin,
            leverage=report.leverage,
            unrealised=report.unrealized,
            realised=report.realized,
            liquidation_price=report.liquidation_price,
            take_profit_price=trigger(Protection.TAKE_PROFIT),
            stop_price=trigger(Protection.STOP),
            opened_ns=report.created_ns,
            strategy_id=LISTING if self._ours(instrument, report.side) else MANUAL,
        )

    def _ours(self, instrument: Instrument, side: PositionSide) -> bool:
        """Whether one of our entries made this position; else the user's hand did."""
        if side is not PositionSide.LONG:
            return False
        return any(
            order.intent.account_id == self._lane.account.id
            and order.intent.step is Step.ENTRY
            and order.intent.instrument.id == instrument.id
            and order.filled_size > 0
            for order in self._tracker.all()
        )

    async def _closed(self, open_keys: set[str], taken_ns: int) -> tuple[ClosedPosition, ...]:
        """How the positions ended that were there before and are gone."""
        gone = [position for key, position in self._known.items() if key not in open_keys]
        closed: list[ClosedPosition] = []
        for position in gone:
            call = history.positions_history(
                symbol=position.symbol, start_ms=position.opened_ns // clock.MILLISECOND
            )
            answer = await self._lane.ask(call)
            closed += [
                ClosedPosition(
                    instrument_id=position.instrument_id,
                    side=position.side,
                    close_price=ended.close_price,
                    realised=ended.net,
                    closed_ns=ended.closed_ns or taken_ns,
                )
                for ended in history.parse_positions_history(answer.body, answer.status)
                if ended.side is position.side and ended.created_ns == position.opened_ns
            ]
        return tuple(closed)
