"""One symbol's market as its orders meet in it, futures or spot: the tape's book and the resting orders.

A resting order trades at its own price and as maker when

- a public trade of the tape reaches it: at its price with the taker on the other side, after the size
  that stood there before it; or beyond its price, whoever took. Never more than the trade's size;
- the tape's opposite best price reaches it: never more than that side still holds up to the price;
- an incoming order of this exchange meets it.

The size in front of an order (``ahead``) is what the tape showed at its price when it came. It falls by
what trades there, and to what the tape shows while the price is the best one (who left stood in front:
between the extremes "always in front" and "always behind" this is the kinder one for cancels at
the best price only; deeper cancels never help).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from decimal import Decimal

from shared.domain.order import OrderType, Side
from trader.paper.contract import Side as Word
from trader.paper.engine.crossing import Meeting, Take, Taker, merged
from trader.paper.engine.depth import Depth
from trader.paper.engine.index import PriceIndex
from trader.paper.engine.model import Ended, Order
from trader.paper.engine.money import ZERO
from trader.paper.market import MarketState

#: A maker that could not trade after all makes its taker look again; this bounds how often.
_MOST_LOOKS = 20


def taker_of(order: Order) -> Taker:
    limit = order.price if order.type is OrderType.LIMIT else None
    return Taker(order.account, order.side, limit, order.self_trade)


class Pit(ABC):
    """What a market knows of its orders; how they are filled and cancelled is each market's own.

    ``buys`` and ``sells`` hold the ids of resting orders by price, ``orders`` all live ones.
    """

    __slots__ = ("buys", "depth", "ns", "orders", "sells", "state")

    def __init__(
        self,
        state: MarketState,
        ns: int,
        *,
        buys: PriceIndex,
        sells: PriceIndex,
        depth: Depth,
        orders: Mapping[int, Order],
    ) -> None:
        self.state = state
        self.ns = ns
        self.buys = buys
        self.sells = sells
        self.depth = depth
        self.orders = orders

    @abstractmethod
    def trade(self, order: Order, price: Decimal, size: Decimal) -> None:
        """One fill of an incoming order, as taker."""

    @abstractmethod
    def fill(self, order: Order, most: Decimal) -> Decimal:
        """Fill up to ``most`` of a resting order at its price, as maker; what it traded. It may end instead."""

    @abstractmethod
    def cancel(self, order: Order, reason: str) -> None: ...

    @abstractmethod
    def keep(self, order: Order) -> None:
        """Its place in the queue has changed and is to be stored: a restart must not send it to the end."""

    # incoming orders

    def meet(self, taker: Taker, size: Decimal) -> Meeting:
        """What a taker of ``size`` would trade now, best price first. Changes nothing."""
        levels = self.depth.walk(self.state, taker.side.value, size, taker.limit, self.ns)
        makers = self.sells if taker.side is Side.BUY else self.buys
        if not len(makers):
            return Meeting([Take(price, part) for price, part in levels])
        within = [self.orders[number] for price, number in makers if taker.accepts(price)]
        return merged(taker, size, levels, within)

    def take(self, order: Order, meeting: Meeting) -> None:
        """Trade what the order meets. A self-trade rule may cancel it, or resting orders, on the way."""
        for _ in range(_MOST_LOOKS):
            missed = False
            for part in meeting.takes:
                if not order.live:
                    return
                missed |= not self._take_one(order, part)
            if meeting.stopped and order.live:
                self.cancel(order, Ended.SELF_TRADE)
            if not missed or not order.live:
                return
            meeting = self.meet(taker_of(order), order.remaining)

    def _take_one(self, order: Order, part: Take) -> bool:
        """False when a maker traded less than was hoped."""
        if not part.maker:
            size = min(part.size, order.remaining)
            self.trade(order, part.price, size)
            self._took(order.side, part.price, size)
            return True
        maker = self.orders.get(part.maker)
        if maker is None:
            return False
        if part.cancels:
            self.cancel(maker, Ended.SELF_TRADE)
            return True
        size = self.fill(maker, min(part.size, order.remaining))
        if size and order.live:
            self.trade(order, part.price, min(size, order.remaining))
        return size == part.size

    def _took(self, taker: Side, price: Decimal, size: Decimal) -> None:
        """A level of the tape's book has less now; who queues behind it there comes nearer."""
        self.depth.take(self.state, taker.value, price, size, self.ns)
        for at, number in self.sells if taker is Side.BUY else self.buys:
            if at == price:
                queued = self.orders[number]
                self._nearer(queued, max(ZERO, queued.ahead - size))
            elif at > price if taker is Side.BUY else at < price:
                break

    # resting orders

    def ahead_of(self, order: Order) -> Decimal:
        """What the tape shows at the price of an order that comes to rest there."""
        return self.state.book.size_at(order.side.value, order.price)

    def traded(self, price: Decimal, size: Decimal, taker: Side) -> bool:
        """A public trade of the tape. True when it filled something here."""
        done = False
        for waiting, side in ((self.buys, Side.BUY), (self.sells, Side.SELL)):
            if len(waiting):
                done |= self._reached(waiting, price, size, hit=taker is not side)
        return done

    def _reached(self, waiting: PriceIndex, price: Decimal, size: Decimal, *, hit: bool) -> bool:
        """``hit``: the trade's taker was on the other side of these orders."""
        left, done = size, False
        for number in waiting.due(price):
            order = self.orders.get(number)
            if order is None:
                continue
            usable = left
            if order.price == price:
                if not hit:
                    continue
                usable = left - order.ahead
                self._nearer(order, max(ZERO, order.ahead - size))
            else:
                self._nearer(order, ZERO)
            if usable > 0:
                left -= self.fill(order, usable)
                done = True
        return done

    def touched(self) -> bool:
        """The book moved: fill what its opposite side has reached. True when something was."""
        done = False
        self.depth.look(self.state)
        ask, bid = self.state.book.best_ask, self.state.book.best_bid
        if len(self.buys):
            self._advance(self.buys, bid)
            done |= self._cross(self.buys.due(ask[0])) if ask else False
        if len(self.sells):
            self._advance(self.sells, ask)
            done |= self._cross(self.sells.due(bid[0])) if bid else False
        return done

    def _advance(self, waiting: PriceIndex, best: tuple[Decimal, Decimal] | None) -> None:
        """At the best price the queue is what the tape shows; better than it nobody is in front."""
        for price, number in waiting:
            order = self.orders[number]
            if best is not None and price == best[0]:
                self._nearer(order, min(order.ahead, best[1]))
            elif best is None or (price > best[0]) == (order.side is Side.BUY):
                self._nearer(order, ZERO)
            else:
                return

    def _nearer(self, order: Order, ahead: Decimal) -> None:
        if ahead != order.ahead:
            order.ahead = ahead
            self.keep(order)

    def _cross(self, due: list[int]) -> bool:
        done = False
        for number in due:
            order = self.orders.get(number)
            if order is None:
                continue
            taker: Word = "buy" if order.side is Side.BUY else "sell"
            for price, size in self.depth.walk(self.state, taker, order.remaining, order.price, self.ns):
                filled = self.fill(order, size)
                if filled:
                    self._took(order.side, price, filled)
                done = True
                if not order.live:
                    break
        return done
