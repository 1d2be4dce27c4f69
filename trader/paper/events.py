"""What the hub tells its listeners, after it has happened."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from trader.paper.contract import Side
from trader.paper.marketstate import MarketState, Status


class MarketEvent(msgspec.Struct, frozen=True, eq=False):
    """Something happened to ``state``, and is already done."""

    state: MarketState

    @property
    def symbol(self) -> str:
        return self.state.symbol


class BookChanged(MarketEvent, frozen=True, eq=False):
    """The book, last, mark or index moved."""


class Traded(MarketEvent, frozen=True, eq=False):
    """A public trade of the tape; ``side`` is the taker's."""

    price: Decimal
    size: Decimal
    side: Side
    trade_id: str
    ts_ns: int


class SymbolAdded(MarketEvent, frozen=True, eq=False):
    pass


class StatusChanged(MarketEvent, frozen=True, eq=False):
    before: Status


class PriceSet(MarketEvent, frozen=True, eq=False):
    """The control API set the price, or (``released``) gave it back to the tape. BookChanged follows."""

    price: Decimal
    released: bool


class FundingDue(MarketEvent, frozen=True, eq=False):
    """Positions in ``state`` pay ``rate`` x ``mark`` x size now; long pays when the rate is positive.

    ``ns`` is the settlement's own time, also when the clock has leapt over several.
    """

    rate: Decimal
    mark: Decimal
    ns: int
