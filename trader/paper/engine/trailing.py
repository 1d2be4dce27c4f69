"""Trailing triggers that are active: each follows the extreme of one price since its activation.

What was activated earlier has seen all that later ones have seen, and perhaps more. So the distinct
extremes form a stack: a price that goes beyond the nearest of them takes those it passes together into
one group, which from then on moves as one. A market event touches only the groups that it passes and
those that it fires, however many plans trail.
"""

from __future__ import annotations

from bisect import bisect_left
from decimal import Decimal

from trader.paper.engine.index import PriceIndex

#: A group's extreme is due to be stored when it has moved this part of its tightest callback distance.
STORED_STEPS = 20
_HUNDRED = Decimal(100)


class Group:
    """Plans with one extreme: (ratio in percent, id), the tightest first. ``kept`` is the extreme as stored."""

    __slots__ = ("extreme", "kept", "members", "number", "stop")

    def __init__(self, number: int, extreme: Decimal) -> None:
        self.number = number
        self.extreme = extreme
        self.kept = extreme
        self.members: list[tuple[Decimal, int]] = []
        self.stop = extreme

    @property
    def ids(self) -> list[int]:
        return [number for _, number in self.members]


class Trails:
    """The active trails of one price in one direction.

    ``rising``: they follow the lowest price and fire when it has risen; else the highest, and when
    it has fallen. Prices are kept as they are; the sign turns comparisons round for the rising ones.
    """

    __slots__ = ("_by_number", "_groups", "_last_number", "_of", "_sign", "_stops")

    def __init__(self, *, rising: bool) -> None:
        self._sign = -1 if rising else 1
        self._groups: list[Group] = []  # the farthest extreme first: the stack's top is the last
        self._of: dict[int, Group] = {}
        self._by_number: dict[int, Group] = {}
        self._stops = PriceIndex(rising=rising)
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._of)

    def stop(self, extreme: Decimal, ratio: Decimal) -> Decimal:
        """The price that fires: high (1 - ratio / 100), low (1 + ratio / 100). Not on the tick."""
        return extreme * (_HUNDRED - self._sign * ratio) / _HUNDRED

    def add(self, number: int, extreme: Decimal, ratio: Decimal) -> None:
        """Follow from this extreme on; the caller has told :meth:`move` the present price before."""
        at = bisect_left(self._groups, -self._sign * extreme, key=lambda group: -self._sign * group.extreme)
        if at < len(self._groups) and self._groups[at].extreme == extreme:
            group = self._groups[at]
            self._stops.remove(group.stop, group.number)
        else:
            self._last_number += 1
            group = self._by_number[self._last_number] = Group(self._last_number, extreme)
            self._groups.insert(at, group)
        group.members.append((ratio, number))
        group.members.sort()
        self._of[number] = group
        self._index(group)

    def remove(self, number: int) -> Decimal:
        """Forget a plan; the extreme that it had reached. One that is not there raises ``KeyError``."""
        group = self._of.pop(number)
        self._stops.remove(group.stop, group.number)
        group.members = [member for member in group.members if member[1] != number]
        if group.members:
            self._index(group)
        else:
            self._groups.remove(group)
            del self._by_number[group.number]
        return group.extreme

    def extreme(self, number: int) -> Decimal:
        return self._of[number].extreme

    def move(self, price: Decimal) -> Group | None:
        """Let the trails follow; the group whose extreme should be stored now."""
        level, passed = self._sign * price, list[Group]()
        while self._groups and self._sign * self._groups[-1].extreme < level:
            passed.append(self._groups.pop())
        if not passed:
            return None
        if self._groups and self._groups[-1].extreme == price:
            passed.append(self._groups.pop())
        moved = max(passed, key=lambda group: len(group.members))
        self._stops.remove(moved.stop, moved.number)
        for group in passed:
            if group is not moved:
                self._merge(moved, group)
        moved.extreme = price
        self._groups.append(moved)
        self._index(moved)
        far = moved.kept * moved.members[0][0] / (_HUNDRED * STORED_STEPS)
        return moved if abs(price - moved.kept) >= far else None

    def _merge(self, moved: Group, group: Group) -> None:
        self._stops.remove(group.stop, group.number)
        del self._by_number[group.number]
        moved.members += group.members
        moved.members.sort()
        moved.kept = min(moved.kept, group.kept, key=lambda kept: self._sign * kept)
        self._of |= dict.fromkeys(group.ids, moved)

    def due(self, price: Decimal) -> list[int]:
        """Ids that this price fires, nearest groups first. Does not remove them."""
        if not self._of:
            return []
        found: list[int] = []
        for number in self._stops.due(price):
            group = self._by_number[number]
            for ratio, member in group.members:
                if self._sign * price > self._sign * self.stop(group.extreme, ratio):
                    break
                found.append(member)
        return found

    def unstored(self) -> list[Group]:
        """Groups whose extreme is not the one in the store."""
        return [group for group in self._groups if group.kept != group.extreme]

    def _index(self, group: Group) -> None:
        group.stop = self.stop(group.extreme, group.members[0][0])
        self._stops.add(group.stop, group.number)
