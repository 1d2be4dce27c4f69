"""What an incoming order meets: levels of the tape's book and resting orders of this exchange.

Best price first. At one price the tape's size that stood there before a resting order comes before
it, then the resting orders in the order of their arrival, then the rest of the level. A resting order of
the taker's own account is treated as the taker's self-trade rule says.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import Side
from trader.paper.book import Level
from trader.paper.engine.model import Order, SelfTrade
from trader.paper.engine.money import ZERO


class Take(msgspec.Struct, frozen=True):
    """One fill to come: with the tape's book, or with the resting order ``maker``.

    ``cancels``: the self-trade rule cancels that maker instead.
    """

    price: Decimal
    size: Decimal
    maker: int = 0
    cancels: bool = False


class Meeting(msgspec.Struct):
    """``stopped``: the self-trade rule cancels what is left of the taker."""

    takes: list[Take] = []
    stopped: bool = False

    @property
    def size(self) -> Decimal:
        return sum((take.size for take in self.takes), ZERO)

    @property
    def levels(self) -> list[Level]:
        """(price, size) of every fill to come."""
        return [(take.price, take.size) for take in self.takes if take.size]


class Taker(msgspec.Struct, frozen=True):
    """What matters of an incoming order. ``limit`` ``None`` = at market."""

    account: int
    side: Side
    limit: Decimal | None
    rule: SelfTrade = SelfTrade.NONE

    def accepts(self, price: Decimal) -> bool:
        if self.limit is None:
            return True
        return price <= self.limit if self.side is Side.BUY else price >= self.limit


def merged(taker: Taker, size: Decimal, levels: list[Level], makers: list[Order]) -> Meeting:
    """Levels and resting orders by price, best first; ``makers`` in that order too."""
    return _Walk(taker, size, levels).through(makers)


class _Walk:
    """Levels and resting orders, merged by price."""

    def __init__(self, taker: Taker, size: Decimal, levels: list[Level]) -> None:
        self.taker = taker
        self.left = size
        self.levels = levels
        self.at = 0
        self.used = ZERO
        """Of the level at ``at``."""
        self.meeting = Meeting([])

    def through(self, makers: list[Order]) -> Meeting:
        for maker in makers:
            self._levels_before(maker)
            if self.left <= 0:
                break
            if maker.account == self.taker.account and self.taker.rule is not SelfTrade.NONE:
                if self._own(maker):
                    return self.meeting
                continue
            part = min(self.left, maker.remaining)
            self.meeting.takes.append(Take(maker.price, part, maker.id))
            self.left -= part
        self._levels_before(None)
        return self.meeting

    def _own(self, maker: Order) -> bool:
        """The taker's own order is in its way; whether the taker stops here."""
        if self.taker.rule is not SelfTrade.CANCEL_TAKER:
            self.meeting.takes.append(Take(maker.price, ZERO, maker.id, cancels=True))
        self.meeting.stopped = self.taker.rule is not SelfTrade.CANCEL_MAKER
        return self.meeting.stopped

    def _levels_before(self, maker: Order | None) -> None:
        """Take what stands before ``maker`` (``None`` = all)."""
        buying = self.taker.side is Side.BUY
        while self.left > 0 and self.at < len(self.levels):
            price, shown = self.levels[self.at]
            allowed = shown
            if maker is not None:
                if price > maker.price if buying else price < maker.price:
                    return
                if price == maker.price:
                    allowed = min(shown, maker.ahead)
            part = min(self.left, allowed - self.used)
            if part > 0:
                self.meeting.takes.append(Take(price, part))
                self.left -= part
                self.used += part
            if self.used < shown:
                return
            self.at, self.used = self.at + 1, ZERO
