"""One symbol of the market: what is known about it now."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Literal

import msgspec

from trader.paper.book import Book
from trader.paper.contract import FUTURES, ContractSpec, Market, Side
from trader.paper.marks import MarkModel
from trader.paper.minutes import MINUTE, Candle, Minutes
from trader.paper.modelled import ModelledBook

Status = Literal["pre_open", "open", "maintain", "limit_open", "restricted", "off"]
"""In no venue's words; Bitget futures say listed, normal, maintain, limit_open, restrictedAPI, off; spot says
gray, online, halt, halt, halt, offline. Only ``open`` admits entries (see engine/statuses.py)."""

MAX_TRADES = 200
MAX_CANDLES = 1000
MAX_SETTLEMENTS = 1000
DEFAULT_FUNDING_RATE = Decimal("0.0001")
_DAY = 86_400_000_000_000


class PublicTrade(msgspec.Struct, frozen=True):
    """One trade of the market; ``side`` is the taker's."""

    price: Decimal
    size: Decimal
    side: Side
    trade_id: str
    ts_ns: int


class Funding(msgspec.Struct, frozen=True):
    """The next settlement: when, the rate to be paid then, the interval that ends there.

    ``mark`` is the mark price of a settlement that happened; 0 after a restart, which does not keep it.
    """

    ns: int
    rate: Decimal
    interval_h: int
    mark: Decimal = Decimal(0)


FundingSource = Callable[[int], Funding]
"""Given a time, the first settlement after it."""


class MarketState:
    """One symbol, changed in place by the hub.

    ``book`` is what orders trade against now: the tape's, or a modelled one while the price is
    overridden, or an empty one before the opening. ``held_mark`` is a mark price that the control API
    holds apart from the last one while overridden; ``settled`` the funding settlements so far, oldest
    first. ``started_ns`` is when it was added, ``ts_ns`` the time of the last change, ``seq``
    counts book changes. Volumes are of the last 24 hours.
    """

    def __init__(self, spec: ContractSpec, price: Decimal, ns: int, volume: float, volatility: float) -> None:
        self.spec = spec
        self.market: Market = spec.market
        self.symbol = spec.symbol
        self.status: Status = "open"
        self.daily_volume = volume
        self.volatility = volatility
        self.tape_book: Book = ModelledBook(spec, price, volume, volatility)
        self.book: Book = self.tape_book
        self.last = price
        self.mark = price
        self.index = price
        self.funding_rate = DEFAULT_FUNDING_RATE if spec.market == FUTURES else Decimal(0)
        self.funding_interval_h = spec.funding_interval_h
        self.funding_source: FundingSource | None = None
        self.next_funding_ns = 0
        self.settled: deque[Funding] = deque(maxlen=MAX_SETTLEMENTS)
        self.seq = 0
        self.started_ns = ns
        self.ts_ns = ns
        self.minutes = Minutes(price, ns)
        self.trades: deque[PublicTrade] = deque(maxlen=MAX_TRADES)
        self.overridden = False
        self.held_mark: Decimal | None = None
        self.tape_last: Decimal | None = None
        self.tape_marks: tuple[Decimal, Decimal] | None = None
        self.trade_count = 0
        self.marks = MarkModel(float(price), ns)
        self.marked_ns = ns

    @property
    def open_24h(self) -> Decimal:
        return self.minutes.open_24h

    @property
    def high_24h(self) -> Decimal:
        return self.minutes.high_24h

    @property
    def low_24h(self) -> Decimal:
        return self.minutes.low_24h

    @property
    def base_volume(self) -> Decimal:
        return self.minutes.base_volume

    @property
    def quote_volume(self) -> Decimal:
        return self.minutes.quote_volume

    @property
    def open_utc(self) -> Decimal:
        """The price at 00:00 UTC, or the first one known of today."""
        kept = self.minutes.candles
        day = kept[-1].open_ns // _DAY * _DAY
        return kept[max(0, (day - kept[0].open_ns) // MINUTE)].open

    @property
    def trading(self) -> bool:
        """True while orders are matched; what may come in is another question (engine/statuses.py)."""
        return self.status in ("open", "limit_open", "restricted")

    def candles(self, count: int = MAX_CANDLES) -> list[Candle]:
        """The newest one-minute candles, oldest first; the last one is still growing."""
        kept = self.minutes.candles
        return [kept[index] for index in range(max(0, len(kept) - min(count, MAX_CANDLES)), len(kept))]
