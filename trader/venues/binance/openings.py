"""When positions began: the venue tells only when they last changed, so their fills are walked backwards."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from shared import clock
from shared.domain.order import Side
from shared.errors import ProtocolError
from trader.venues.binance import wire
from trader.venues.binance.spans import WEEK_MS
from trader.venues.binance.trades import trades_since
from trader.venues.dialect import Ask
from trader.venues.numbers import negative, number, positive, total
from trader.venues.strict import word

#: Weeks that are looked back; the venue keeps fills for longer, but nobody waits for that.
WEEKS = 13
#: Fills may be told later than the position that they made.
LAG_MS = 10_000


class _Known(msgspec.Struct, frozen=True):
    amount: Decimal
    updated_ms: int
    opened_ns: int


def signed(trade: wire.TradeWire) -> Decimal:
    """What a fill adds to a position's signed size."""
    size = positive(trade.qty, "qty")
    return size if word(wire.SIDE, trade.side, "side") is Side.BUY else negative(size)


def began_ns(amount: Decimal, trades: Iterable[wire.TradeWire]) -> int:
    """When a position of that signed size began, by fills up to now, oldest first; 0 = before them."""
    for trade in reversed(list(trades)):
        before = total((amount, negative(signed(trade))))
        if before == 0 or (before > 0) != (amount > 0):
            return wire.stamp_ns(trade.time, "time")
        amount = before
    return 0


class Openings:
    """What one account's positions are known to have begun with. Facts only: a restart finds the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Known] = {}

    async def opened_ns(self, ask: Ask, raw: wire.PositionWire) -> int:
        """When a held position began, UTC ns; without a trace of that, the oldest there is.

        Raises :class:`ProtocolError` while its first fills are not told yet.
        """
        key, amount = (raw.symbol, raw.position_side), number(raw.position_amt, "positionAmt")
        known = self._known.get(key)
        if known is not None and (known.amount > 0) == (amount > 0):
            if (known.amount, known.updated_ms) == (amount, raw.update_time):
                return known.opened_ns
            trades = await self._trades(ask, raw, known.updated_ms)
            opened_ns = began_ns(amount, trades) or known.opened_ns
        else:
            opened_ns = await self._look_back(ask, raw, amount)
        self._known[key] = _Known(amount, raw.update_time, opened_ns)
        return opened_ns

    def keep(self, held: Iterable[tuple[str, str]], symbol: str = "") -> None:
        """Forget positions (of one symbol) that are gone: the next one there begins anew."""
        kept = set(held)
        for key in [key for key in self._known if key not in kept and symbol in ("", key[0])]:
            del self._known[key]

    async def _look_back(self, ask: Ask, raw: wire.PositionWire, amount: Decimal) -> int:
        end_ms = now_ms = clock.now_ms()
        trades: dict[int, wire.TradeWire] = {}
        for _ in range(WEEKS):
            start_ms = end_ms - WEEK_MS + 1
            older = await self._trades(ask, raw, start_ms, end_ms)
            trades |= {trade.id: trade for trade in older}
            if opened_ns := began_ns(amount, (trades[each] for each in sorted(trades))):
                return opened_ns
            if end_ms == now_ms and now_ms - raw.update_time < LAG_MS:
                raise ProtocolError(f"{raw.symbol[:40]}: the fills of this position are not told yet")
            end_ms = start_ms - 1
        return wire.stamp_ns(trades[min(trades)].time if trades else raw.update_time, "time")

    @staticmethod
    async def _trades(
        ask: Ask, raw: wire.PositionWire, start_ms: int, until_ms: int = 0
    ) -> list[wire.TradeWire]:
        trades, _ = await trades_since(ask, raw.symbol, start_ms, until_ms=until_ms)
        return [trade for trade in trades if trade.position_side == raw.position_side]
