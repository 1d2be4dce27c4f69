"""Sets margin mode and leverage of every tradable perpetual ahead of time, for one account.

A listing then needs one request instead of three. It runs beside everything else within the venue's
pace (5 changes a second); newest instruments first, because those are the next to be listed.
"""

from __future__ import annotations

import asyncio

import structlog

from shared.domain.instrument import Instrument, InstrumentStatus
from shared.errors import KestrelError, NotSentError, VenueRefusedError
from trader.lane import Lane
from trader.market import MarketData
from trader.venues import bitget
from trader.venues.bitget import Kind
from trader.venues.model import MarginMode
from trader.venues.outcome import Outcome

log = structlog.get_logger(__name__)

MODE_SYMBOL = "BTCUSDT"
_RETRY_S = 5.0
_PASS_S = 30.0


class Preparation:
    """One task per account. ``lane.prepared`` says for which symbols a single request is enough."""

    def __init__(self, lane: Lane, market: MarketData) -> None:
        self._lane = lane
        self._market = market
        self._wake = asyncio.Event()
        self._refused: dict[str, str] = {}
        self.last_error = ""

    def wake(self) -> None:
        """Instruments or preferences changed."""
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
        return min(self._lane.member.listing.leverage, instrument.max_leverage)

    async def _pass(self) -> None:
        if self._lane.position_mode is None:
            await self._read_mode()
        for instrument in self._pending():
            await self.prepare(instrument)

    def _pending(self) -> list[Instrument]:
        pending = [
            instrument
            for instrument in self._market.instruments.values()
            if instrument.status is InstrumentStatus.TRADING
            and self._lane.prepared.get(instrument.symbol) != self.wanted(instrument)
            and instrument.symbol not in self._refused
        ]
        return sorted(pending, key=lambda instrument: (-instrument.open_ns, instrument.symbol))

    async def _read_mode(self) -> None:
        """How this account holds positions. Any symbol tells it."""
        symbol = (
            MODE_SYMBOL if MODE_SYMBOL in self._market.instruments else next(iter(self._market.instruments))
        )
        try:
            answer = await self._lane.ask(bitget.account(symbol))
            report = bitget.parse_account(answer.body, answer.status)
        except VenueRefusedError as refusal:
            if bitget.classify(refusal.code, refusal.status) is Outcome.FATAL_ACCOUNT:
                self._lane.block(f"{refusal.text} (code {refusal.code}): {bitget.advice(refusal.code)}")
            raise
        self._lane.report = report
        self._lane.position_mode = report.position_mode

    async def prepare(self, instrument: Instrument) -> None:
        """Set margin mode and leverage of one instrument, if the venue allows it now."""
        symbol, leverage = instrument.symbol, self.wanted(instrument)
        mode = self._lane.position_mode
        if mode is None:
            raise NotSentError("how this account holds positions is not known yet")
        try:
            answer = await self._lane.ask(bitget.set_margin_mode(symbol, MarginMode.ISOLATED))
            bitget.check(answer.body, answer.status)
        except VenueRefusedError as refusal:
            if not self._already(refusal):
                self._refuse(symbol, refusal)
                return
        try:
            call = bitget.set_leverage(symbol, leverage, margin_mode=MarginMode.ISOLATED, position_mode=mode)
            answer = await self._lane.ask(call)
            bitget.check(answer.body, answer.status)
        except VenueRefusedError as refusal:
            if bitget.classify(refusal.code, refusal.status) is not Outcome.NO_CHANGE:
                self._refuse(symbol, refusal)
                return
        self._lane.prepared[symbol] = leverage

    @staticmethod
    def _already(refusal: VenueRefusedError) -> bool:
        """The margin mode is so already, or is held by what is open (then leverage may still be set)."""
        return (
            bitget.classify(refusal.code, refusal.status) is Outcome.NO_CHANGE
            or bitget.kind(refusal.code) is Kind.SETTING
        )

    def _refuse(self, symbol: str, refusal: VenueRefusedError) -> None:
        """Leave a symbol for the next round; raise when the whole account is refused."""
        if bitget.classify(refusal.code, refusal.status) is Outcome.FATAL_ACCOUNT:
            self._lane.block(f"{refusal.text} (code {refusal.code})")
            raise refusal
        if bitget.kind(refusal.code) is Kind.RATE_LIMIT:
            raise refusal
        self._refused[symbol] = refusal.code
        log.info("preparation.refused", account=self._lane.account.id, symbol=symbol, code=refusal.code)
