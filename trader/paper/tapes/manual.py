"""The tape of tests: two coins, and prices that only the control API moves."""

from __future__ import annotations

from decimal import Decimal

from trader.paper.contract import FUTURES, SPOT, default_spec
from trader.paper.tapes.base import Tape

HOUR = 3_600_000_000_000
SYMBOLS = {"BTCUSDT": Decimal(60_000), "ETHUSDT": Decimal(3_000)}


class ManualTape(Tape):
    """``BTCUSDT`` at 60000 and ``ETHUSDT`` at 3000, as perpetual futures and on spot, that stand still."""

    name = "manual"

    def prepare(self) -> None:
        for market in (FUTURES, SPOT):
            for symbol, price in SYMBOLS.items():
                spec = default_spec(symbol, price, market=market)
                self.hub.add(spec, price, daily_volume=3e9 / float(price), volatility=0.02)

    async def play(self) -> None:
        while True:
            await self.until(self.clock.now_ns() + HOUR)
