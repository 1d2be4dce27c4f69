"""What one account holds, read from the venue on a slow beat and whenever a stream hints at a change.

A position that is gone is looked up in the venue's history until its result is there: histories lag.
That question is asked per symbol and never stands in the way of the account's positions and equity.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import msgspec
import psycopg
import structlog

from shared import clock
from shared.domain.instrument import Instrument
from shared.domain.order import PositionSide, Step
from shared.errors import KestrelError, NotSentError, OutcomeUnknownError
from trader.lane import Lane
from trader.market import MarketData
from trader.orders.tracker import Tracker
from trader.positions.rows import AccountSnapshot, ClosedPosition, Equity, Held, OpenPosition
from trader.venues.model import EndedPosition, PlanReport, PositionReport, Protection

log = structlog.get_logger(__name__)

#: Hints come in bursts (order, fill, position, account); one read answers them all.
_BURST_S = 0.05
LISTING = "listing"
MANUAL = "manual"
#: Seconds from one look into the history to the next for a position that is gone; then it is given up.
RETRIES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 60.0, 60.0, 60.0)
#: Histories asked for in one reading; the others wait for the next.
HISTORIES_PER_READ = 5
#: Positions that may wait for their result.
MAX_GONE = 1000
#: The history's stamp of a position's beginning may differ by this much from the position's own.
SAME_NS = clock.SECOND


class _Gone(msgspec.Struct):
    """A position that is no longer there and whose result is not known yet."""

    held: Held
    noticed_ns: int
    due_ns: int
    """Monotonic."""
    tries: int = 0


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
        self.remembered: list[Held] = []
        """What an earlier run held, and what was closed lately."""
        self._known: dict[str, Held] = {}
        self._gone: dict[tuple[str, int], _Gone] = {}
        self._instruments: dict[str, Instrument] = {}
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
                async with asyncio.timeout(self._pause_s()):
                    await self._wake.wait()
                await asyncio.sleep(_BURST_S)
            except TimeoutError:
                pass

    def _pause_s(self) -> float:
        """Seconds to the next reading: the beat, or sooner when a result is due."""
        due_ns = min((gone.due_ns for gone in self._gone.values()), default=None)
        if due_ns is None:
            return self._every_s
        return min(self._every_s, max(1.0, (due_ns - clock.monotonic_ns()) / clock.SECOND))

    async def _read(self) -> None:
        if not self._recalled:
            await self._remember()
        taken_ns = clock.now_ns()
        venue, ask = self._lane.dialect, self._lane.ask
        reports = [report for report in await venue.positions(ask) if report.size > 0]
        plans: list[PlanReport] = []
        if reports:
            plans = await venue.resting_protection(ask)
        money = await venue.money(ask)
        named, unnamed = self._named(reports)
        positions = [self._position(instrument, report, plans) for instrument, report in named]
        self._notice_gone(positions, unnamed, taken_ns)
        closed = await self._results()
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
            unnamed=tuple(f"{report.symbol}/{report.side.value}" for report in unnamed),
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
        self.remembered = held
        self._recalled = True

    def _named(
        self, reports: list[PositionReport]
    ) -> tuple[list[tuple[Instrument, PositionReport]], list[PositionReport]]:
        """Positions with their instruments, and those whose instrument was never known.

        An instrument that is missing from the venue's list (for a moment, or delisted) stays what it was.
        """
        named: list[tuple[Instrument, PositionReport]] = []
        unnamed: list[PositionReport] = []
        for report in reports:
            instrument = self._market.instruments.get(report.symbol) or self._instruments.get(report.symbol)
            if instrument is None:
                log.warning("positions.unknown_symbol", account=self._lane.account.id, symbol=report.symbol)
                unnamed.append(report)
            else:
                named.append((instrument, report))
        self._instruments = {report.symbol: instrument for instrument, report in named}
        return named, unnamed

    def _position(
        self, instrument: Instrument, report: PositionReport, plans: list[PlanReport]
    ) -> OpenPosition:
        def trigger(kind: Protection) -> Decimal | None:
            for plan in plans:
                if (
                    plan.symbol == report.symbol
                    and plan.protects is kind
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

    def _notice_gone(
        self, positions: list[OpenPosition], unnamed: list[PositionReport], taken_ns: int
    ) -> None:
        """Compare with the reading before; what is missing waits for its result from here on."""
        before = self._known
        held = {
            position.key: Held(
                symbol=position.instrument.symbol,
                instrument_id=position.instrument.id,
                side=position.side,
                opened_ns=position.opened_ns,
            )
            for position in positions
        }
        still = {(report.symbol, report.side) for report in unnamed}
        held |= {key: known for key, known in before.items() if (known.symbol, known.side) in still}
        self._known = held
        now = clock.monotonic_ns()
        for key, known in before.items():
            if key not in held or held[key].opened_ns != known.opened_ns:
                self._gone[key, known.opened_ns] = _Gone(known, taken_ns, now)
        for key, known in held.items():
            self._gone.pop((key, known.opened_ns), None)
        while len(self._gone) > MAX_GONE:
            self._give_up(next(iter(self._gone)))

    async def _results(self) -> tuple[ClosedPosition, ...]:
        """How positions ended that are gone, as far as the venue's history tells it by now."""
        now = clock.monotonic_ns()
        symbols: dict[str, int] = {}
        for gone in self._gone.values():
            if gone.due_ns <= now:
                opened_ns = symbols.get(gone.held.symbol, gone.held.opened_ns)
                symbols[gone.held.symbol] = min(opened_ns, gone.held.opened_ns)
        closed: list[ClosedPosition] = []
        for symbol, opened_ns in list(symbols.items())[:HISTORIES_PER_READ]:
            ended: list[EndedPosition] = []
            try:
                start_ms = max(0, opened_ns - SAME_NS) // clock.MILLISECOND
                ended = await self._lane.dialect.ended_positions(self._lane.ask, symbol, start_ms)
            except KestrelError as error:
                self.errors += 1
                self.last_error = str(error)
                log.info("positions.history_failed", symbol=symbol, reason=str(error))
                if isinstance(error, NotSentError | OutcomeUnknownError):
                    break  # the connection is down: no try is lost, and there is no use in asking on
            closed += self._match(symbol, ended)
        return tuple(closed)

    def _match(self, symbol: str, ended: list[EndedPosition]) -> list[ClosedPosition]:
        """Find the ends of a symbol's gone positions; the others are asked about again later."""
        found: list[ClosedPosition] = []
        for key, gone in list(self._gone.items()):
            held = gone.held
            if held.symbol != symbol:
                continue
            mine = min(
                (end for end in ended if end.side is held.side),
                key=lambda end: abs(end.created_ns - held.opened_ns),
                default=None,
            )
            if mine is not None and abs(mine.created_ns - held.opened_ns) <= SAME_NS:
                del self._gone[key]
                found.append(
                    ClosedPosition(
                        instrument_id=held.instrument_id,
                        side=held.side,
                        opened_ns=held.opened_ns,
                        close_price=mine.close_price,
                        realised=mine.net,
                        closed_ns=mine.closed_ns or gone.noticed_ns,
                    )
                )
            elif gone.tries == len(RETRIES_S):
                self._give_up(key)
            else:
                gone.due_ns = clock.monotonic_ns() + int(RETRIES_S[gone.tries] * clock.SECOND)
                gone.tries += 1
        return found

    def _give_up(self, key: tuple[str, int]) -> None:
        gone = self._gone.pop(key)
        log.warning(
            "positions.no_result",
            account=self._lane.account.id,
            symbol=gone.held.symbol,
            side=gone.held.side.value,
            tries=gone.tries,
        )
