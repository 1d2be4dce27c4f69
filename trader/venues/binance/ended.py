"""How positions ended. The venue has no such list: it is made of fills and of what was billed meanwhile.

Assumptions: net is in USDT, fees paid in another coin are not in it; where long and short of one symbol
were held at the same time, funding that was billed meanwhile cannot be told apart and is in neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from functools import partial

import msgspec

from shared.domain.order import PositionSide
from shared.errors import ProtocolError
from trader.net.response import Response
from trader.venues.binance import requests, wire
from trader.venues.binance.openings import signed
from trader.venues.binance.trades import trades_since
from trader.venues.dialect import Ask
from trader.venues.model import EndedPosition
from trader.venues.numbers import negative, number, positive, total

COIN = "USDT"
#: Bills that the fills tell already, and transfers.
_OF_FILLS = frozenset({"REALIZED_PNL", "COMMISSION", "TRANSFER", "INTERNAL_TRANSFER"})
#: Digits of a weighted average: far beyond any tick.
_AVERAGE = Decimal("1e-12")
_MAX_PAGES = 20


class Span(msgspec.Struct):
    """One position while its fills are walked. ``rest`` is its signed size, times are milliseconds."""

    side: PositionSide
    began_ms: int
    rest: Decimal = Decimal(0)
    closed: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    """Closed size times price."""
    net: Decimal = Decimal(0)
    ended_ms: int = 0

    def meets(self, other: Span) -> bool:
        return (
            self is not other
            and self.began_ms <= (other.ended_ms or other.began_ms)
            and (other.began_ms <= self.ended_ms)
        )


def spans_of(trades: Iterable[wire.TradeWire]) -> list[Span]:
    """The positions that fills of one symbol and ``positionSide`` make, oldest first; the last may be open.

    Fills of a position that began before them are passed over, as far as they show that it did.
    """
    found: list[Span] = []
    now: Span | None = None
    for trade in trades:
        change, size = signed(trade), positive(trade.qty, "qty")
        named = wire.position(trade.position_side)
        if now is None and named is not None and (change > 0) != (named is PositionSide.LONG):
            continue
        fee, pnl = _fee(trade), number(trade.realized_pnl, "realizedPnl")
        if now is not None and (change > 0) != (now.rest > 0):
            part = min(size, abs(now.rest))
            now.closed = total((now.closed, part))
            now.value = total((now.value, part * positive(trade.price, "price")))
            share = fee if part == size else fee * part / size
            now.net = total((now.net, pnl, negative(share)))
            now.rest = total((now.rest, part if now.rest < 0 else negative(part)))
            size, fee = total((size, negative(part))), total((fee, negative(share)))
            if now.rest == 0:
                now.ended_ms, now = trade.time, None
        if size > 0 and (named is None or now is not None or (change > 0) == (named is PositionSide.LONG)):
            if now is None:
                now = Span(PositionSide.LONG if change > 0 else PositionSide.SHORT, trade.time)
                found.append(now)
            now.rest = total((now.rest, size if change > 0 else negative(size)))
            now.net = total((now.net, negative(fee)))
    return found


async def ended_positions(ask: Ask, symbol: str, start_ms: int) -> list[EndedPosition]:
    """Positions of a symbol that began since a moment and are closed, newest first."""
    trades, complete = await trades_since(ask, symbol, start_ms)
    if not complete:
        raise ProtocolError(f"{symbol}: too many fills since then to make positions of them")
    books: dict[str, list[wire.TradeWire]] = {}
    for trade in trades:
        books.setdefault(trade.position_side, []).append(trade)
    spans = [span for book in books.values() for span in spans_of(book)]
    ended = sorted((span for span in spans if span.ended_ms), key=lambda span: span.ended_ms, reverse=True)
    if not ended:
        return []
    since_ms, until_ms = min(span.began_ms for span in ended), ended[0].ended_ms
    bills = await _bills(ask, symbol, since_ms, until_ms)
    return [_ended(symbol, span, spans, bills) for span in ended]


def _ended(symbol: str, span: Span, spans: list[Span], bills: list[_Bill]) -> EndedPosition:
    alone = not any(span.meets(other) for other in spans if other.side is not span.side)
    billed = (
        number(bill.income, "income")
        for bill in bills
        if alone and bill.asset == COIN and span.began_ms <= bill.time <= span.ended_ms
    )
    return EndedPosition(
        symbol=symbol,
        side=span.side,
        close_price=(span.value / span.closed).quantize(_AVERAGE),
        net=total((span.net, *billed)),
        created_ns=wire.stamp_ns(span.began_ms, "time"),
        closed_ns=wire.stamp_ns(span.ended_ms, "time"),
    )


class _Bill(wire.Wire):
    income_type: str
    income: str
    asset: str
    time: int
    tran_id: str | int


_BILLS = msgspec.json.Decoder(list[_Bill])


def _parse_bills(answer: Response) -> list[_Bill]:
    return wire.data_of(answer.body, answer.status, _BILLS)


async def _bills(ask: Ask, symbol: str, start_ms: int, end_ms: int) -> list[_Bill]:
    """Funding and the like, each once."""
    found: dict[tuple[str, str, str, int], _Bill] = {}
    call = partial(requests.income, symbol)
    for _ in range(_MAX_PAGES):
        page = _parse_bills(await ask(call(start_ms, end_ms)))
        found |= {(str(bill.tran_id), bill.income_type, bill.income, bill.time): bill for bill in page}
        newest = max((bill.time for bill in page), default=end_ms)
        if len(page) < requests.PAGE or newest <= start_ms:
            break
        start_ms = newest
    return [bill for bill in found.values() if bill.income_type not in _OF_FILLS]


def _fee(trade: wire.TradeWire) -> Decimal:
    """What a fill cost in USDT."""
    if trade.commission_asset != COIN:
        return Decimal(0)
    fee = number(trade.commission, "commission")
    return negative(fee) if fee < 0 else fee
