"""Sets margin mode and leverage of every tradable perpetual ahead of time, for one account.

A listing then needs one request instead of three. It runs beside everything else within the venue's
pace (5 changes a second); newest instruments first, because those are the next to be listed. Symbols
on which the account holds a position are the user's business: their leverage is never changed.
What was set is read or set again from time to time, because users change things by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from shared.domain.instrument import Instrument, InstrumentStatus
from shared.errors import KestrelError, NotSentError, VenueRefusedError
from trader.lane import Lane
from trader.market import MarketData
from trader.venues.model import MarginMode
from trader.venues.outcome import Kind, Outcome

log = structlog.get_logger(__name__)

MODE_SYMBOL = "BTCUSDT"
_RETRY_S = 5.0
_PASS_S = 30.0
#: How old a setting may be before it is set again, and how many are renewed in one pass.
RENEW_AFTER_S = 900.0
RENEW_AT_ONCE = 10


class Preparation:
    """One task per account. ``lane.prepared`` says for which symbols a single request is enough.

    ``held`` returns the symbols on which the account has a position, or None while that is not known.
    """

    def __init__(self, lane: Lane, market: MarketData, held: Callable[[], frozenset[str] | None]) -> None:
        self._lane = lane
        self._market = market
        self._held = held
        self._wake = asyncio.Event()
        self._refused: dict[str, str] = {}
        self._set_at: dict[str, float] = {}
        self.last_error = ""

    def wake(self) -> None:
        """Instruments or preferences changed, or what was set is no longer believed."""
        self._wake.set()

    async def run(self) -> None:
        """Prepare until cancelled."""
        await self._market.loaded.wait()
        while True:
            self._wake.clear()
            pause = _PASS_S
            try:
                await self._pass()
            except KestrelError as error:
                self.last_error = str(error)
                log.info("preparation.interrupted", account=self._lane.account.id, reason=str(error))
                pause = _RETRY_S
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                self._refused.clear()

    def wanted(self, instrument: Instrument) -> int:
        """The leverage this account uses on an instrument: its own choice, clamped to the symbol's."""
        now = self._market.instruments.get(instrument.symbol, instrument)
        return min(self._lane.member.listing.leverage, now.max_leverage)

    def ready_for(self, instrument: Instrument) -> bool:
        """Whether an entry on it needs nothing but the order."""
        return self._lane.prepared.get(instrument.symbol) == self.wanted(instrument)

    async def _pass(self) -> None:
        await self._read_mode()
        await self._read_leverages()
        if self._held() is None:
            raise NotSentError("what this account holds is not known yet")
        for instrument in self._pending():
            await self.prepare(instrument)

    def _pending(self) -> list[Instrument]:
        """What is not prepared yet, newest first, then a few whose setting has become old."""
        old = asyncio.get_running_loop().time() - RENEW_AFTER_S
        tradable = [
            instrument
            for instrument in self._market.instruments.values()
            if instrument.status is InstrumentStatus.TRADING and instrument.symbol not in self._refused
        ]
        pending = [instrument for instrument in tradable if not self.ready_for(instrument)]
        pending.sort(key=lambda instrument: (-instrument.open_ns, instrument.symbol))
        if self._lane.blocked:  # one setting tells whether it may trade again
            return [each for each in pending + tradable if each.symbol not in (self._held() or ())][:1]
        aged = [
            each for each in tradable if self.ready_for(each) and self._set_at.get(each.symbol, 0.0) < old
        ]
        aged.sort(key=lambda instrument: self._set_at.get(instrument.symbol, 0.0))
        return pending + aged[:RENEW_AT_ONCE]

    async def _read_mode(self) -> None:
        """How this account holds positions, and whether its key works. Any symbol tells it."""
        venue, instruments = self._lane.dialect, self._market.instruments
        symbol = MODE_SYMBOL if MODE_SYMBOL in instruments else next(iter(instruments), "")
        if not symbol:
            raise NotSentError("the exchange lists no instrument")
        try:
            report = await venue.account(self._lane.ask, symbol)
        except VenueRefusedError as refusal:
            if venue.classify(refusal.code, refusal.status) is Outcome.FATAL_ACCOUNT:
                self._lane.refused(refusal, reading=True)
            raise
        self._lane.answered()
        if self._lane.position_mode not in (None, report.position_mode):
            self._lane.prepared.clear()
        self._lane.report = report
        self._lane.position_mode = report.position_mode

    async def _read_leverages(self) -> None:
        """Which leverage each instrument allows, where only accounts are told it."""
        market = self._market
        if not all(map(market.knows_leverage, market.instruments)):
            market.learn_leverages(await self._lane.dialect.leverage_limits(self._lane.ask))

    async def prepare(self, instrument: Instrument) -> None:
        """Set margin mode and leverage of one instrument, unless the account holds a position there.

        :meth:`ready_for` tells whether it worked; a refusal of this symbol raises nothing.
        """
        symbol = instrument.symbol
        mode, held = self._lane.position_mode, self._held()
        if mode is None or held is None:
            raise NotSentError("how this account holds positions is not known yet")
        if symbol in held:
            self._refused[symbol] = "held"
            return
        if not self._market.knows_leverage(symbol):
            await self._read_leverages()
        venue, leverage = self._lane.dialect, self.wanted(instrument)
        for call in venue.settings(symbol, leverage, margin_mode=MarginMode.ISOLATED, position_mode=mode):
            try:
                answer = await self._lane.ask(call)
                venue.check(answer.body, answer.status)
            except VenueRefusedError as refusal:
                if venue.classify(refusal.code, refusal.status) is not Outcome.NO_CHANGE:
                    self._refuse(symbol, refusal)
                    return
        self._lane.unblock()
        self._lane.prepared[symbol] = leverage
        self._set_at[symbol] = asyncio.get_running_loop().time()

    def _refuse(self, symbol: str, refusal: VenueRefusedError) -> None:
        """Leave a symbol for the next round; raise when it is not about the symbol."""
        self._lane.prepared.pop(symbol, None)
        venue = self._lane.dialect
        if venue.classify(refusal.code, refusal.status) is Outcome.FATAL_ACCOUNT:
            self._lane.refused(refusal)
            raise refusal
        if venue.reason(refusal.code) is Kind.RATE_LIMIT:
            raise refusal
        if venue.reason(refusal.code) is Kind.MODE:
            self._lane.position_mode = None
            raise refusal
        self._refused[symbol] = refusal.code
        log.info("preparation.refused", account=self._lane.account.id, symbol=symbol, code=refusal.code)
