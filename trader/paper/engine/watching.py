"""The triggers that wait for the prices of one symbol, by id: whose plan it is and what it does is not known here."""

from __future__ import annotations

from decimal import Decimal

from trader.paper.engine.index import PriceIndex
from trader.paper.engine.model import Reference
from trader.paper.engine.trailing import Group, Trails


class Watching:
    """Triggers by reference price and direction, and the trails that are active."""

    __slots__ = ("_falling", "_following_highs", "_following_lows", "_rising")

    def __init__(self) -> None:
        self._rising = {reference: PriceIndex(rising=True) for reference in Reference}
        self._falling = {reference: PriceIndex(rising=False) for reference in Reference}
        self._following_highs = {reference: Trails(rising=False) for reference in Reference}
        self._following_lows = {reference: Trails(rising=True) for reference in Reference}

    def __len__(self) -> int:
        return sum(
            len(each)
            for family in (self._rising, self._falling, self._following_highs, self._following_lows)
            for each in family.values()
        )

    def triggers(self, reference: Reference, *, rising: bool) -> PriceIndex:
        """``rising``: reached when the price is at or above the trigger; else at or below it."""
        return (self._rising if rising else self._falling)[reference]

    def trails(self, reference: Reference, *, rising: bool) -> Trails:
        """``rising``: they fire when the price has risen from its lowest; else fallen from its highest."""
        return (self._following_lows if rising else self._following_highs)[reference]

    def move(self, reference: Reference, price: Decimal) -> list[Group]:
        """The trails follow the price; groups whose extreme should be stored now."""
        both = (self._following_highs[reference].move(price), self._following_lows[reference].move(price))
        return [group for group in both if group is not None]

    def due(self, reference: Reference, price: Decimal) -> list[int]:
        """Ids whose trigger this price has reached, each kind nearest first."""
        found = self._rising[reference].due(price) + self._falling[reference].due(price)
        for family in (self._following_highs, self._following_lows):
            found += family[reference].due(price)
        return found

    def unstored(self) -> list[Group]:
        return [
            group
            for family in (self._following_highs, self._following_lows)
            for trails in family.values()
            for group in trails.unstored()
        ]
