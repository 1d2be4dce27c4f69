"""Every live spot order and plan of all accounts, and what waits for which price of which symbol."""

from __future__ import annotations

from trader.paper.engine.index import PriceIndex
from trader.paper.engine.spot_model import SpotOrder, SpotPlan


class SpotIndex:
    """``buys`` and ``sells`` rest in the book; ``rising`` and ``falling`` wait for the last price."""

    __slots__ = ("buys", "falling", "rising", "sells")

    def __init__(self) -> None:
        self.buys = PriceIndex(rising=False)
        self.sells = PriceIndex(rising=True)
        self.rising = PriceIndex(rising=True)
        self.falling = PriceIndex(rising=False)


class Floor:
    """``resting`` are the ids that are in a book."""

    __slots__ = ("orders", "plans", "resting", "symbols")

    def __init__(self) -> None:
        self.orders: dict[int, SpotOrder] = {}
        self.plans: dict[int, SpotPlan] = {}
        self.resting: set[int] = set()
        self.symbols: dict[str, SpotIndex] = {}

    def index(self, symbol: str) -> SpotIndex:
        found = self.symbols.get(symbol)
        if found is None:
            found = self.symbols[symbol] = SpotIndex()
        return found
