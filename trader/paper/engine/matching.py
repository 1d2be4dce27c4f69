"""Fills: one order against one price; an incoming order against what it meets; the market against what rests.

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

from collections.abc import Iterable
from decimal import Decimal

from shared.domain.order import OrderType, Side
from trader.paper.contract import Side as Word
from trader.paper.engine import orders, positions, protection
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.crossing import Meeting, Take, Taker, meet
from trader.paper.engine.index import PriceIndex
from trader.paper.engine.model import Fill, Order, State
from trader.paper.engine.money import ZERO, divided, plus, times
from trader.paper.market import MarketState

#: A maker that could not trade after all makes its taker look again; this bounds how often.
_MOST_LOOKS = 20


def execute(
    core: Core, account: Account, order: Order, price: Decimal, size: Decimal, *, taker: bool
) -> Fill:
    """One fill, with all that follows from it: ledger, position, protection, order state."""
    spec = core.spec(order.symbol)
    rate = spec.taker_fee if taker else spec.maker_fee
    number = core.next_id()
    shrunk = positions.shrunk_by(account, order)
    profit, fee, opened = positions.settle(core, account, order, positions.Trade(number, price, size, rate))
    value = times(price, size)
    order.filled = plus(order.filled, size)
    order.value = plus(order.value, value)
    order.fee = plus(order.fee, fee)
    order.profit = plus(order.profit, profit)
    order.state = State.FILLED if order.filled == order.size else State.PARTIALLY_FILLED
    order.updated_ns = core.now_ns
    fill = Fill(
        id=number,
        order_id=order.id,
        account=account.id,
        symbol=order.symbol,
        client_id=order.client_id,
        side=order.side,
        position_side=order.position_side,
        closing=order.closing,
        type=order.type,
        mode=order.mode,
        source=order.source,
        point=order.point,
        price=price,
        size=size,
        value=value,
        fee=fee,
        profit=profit,
        taker=taker,
        ns=core.now_ns,
    )
    if order.state is State.FILLED:
        orders.finish(core, account, order)
    core.batch.fills.append(fill)
    core.batch.order(order, fill)
    if shrunk is not None:
        if not shrunk.size:
            orders.cancel_closing(core, account, shrunk)
        protection.shrunk(core, account, shrunk)
    if opened is not None:
        protection.attach(core, account, order, opened)
    return fill


# incoming orders


def taker_of(order: Order) -> Taker:
    limit = order.price if order.type is OrderType.LIMIT else None
    return Taker(order.account, order.side, limit, order.self_trade)


def take(core: Core, account: Account, order: Order, state: MarketState, meeting: Meeting) -> None:
    """Trade what the order meets. A self-trade rule may cancel it, or resting orders, on the way."""
    for _ in range(_MOST_LOOKS):
        missed = False
        for part in meeting.takes:
            if not order.live:
                return
            missed |= not _take_one(core, account, order, state, part)
        if meeting.stopped and order.live:
            orders.cancel(core, account, order, "stp_cancel")
        if not missed or not order.live:
            return
        meeting = meet(core, state, taker_of(order), order.remaining)


def _take_one(core: Core, account: Account, order: Order, state: MarketState, part: Take) -> bool:
    """False when a maker traded less than was hoped."""
    if not part.maker:
        size = min(part.size, order.remaining)
        execute(core, account, order, part.price, size, taker=True)
        _took(core, state, order.side, part.price, size)
        return True
    maker = core.live_orders.get(part.maker)
    if maker is None:
        return False
    owner = core.accounts[maker.account]
    if part.cancels:
        orders.cancel(core, owner, maker, "stp_cancel")
        return True
    size = fill_resting(core, owner, maker, min(part.size, order.remaining))
    if size and order.live:
        execute(core, account, order, part.price, min(size, order.remaining), taker=True)
    return size == part.size


def _took(core: Core, state: MarketState, taker: Side, price: Decimal, size: Decimal) -> None:
    """A level of the tape's book has less now; who queues behind it there comes nearer."""
    index = core.index(state.symbol, state.market)
    index.depth.take(state, _word(taker), price, size, core.now_ns)
    for at, number in index.sells if taker is Side.BUY else index.buys:
        if at == price:
            queued = core.live_orders[number]
            _nearer(core, queued, max(ZERO, queued.ahead - size))
        elif at > price if taker is Side.BUY else at < price:
            break


def take_all(core: Core, account: Account, order: Order, state: MarketState) -> None:
    """Eat the book until the order is full; what it does not hold trades at the last level.

    Only for orders that must not fail (triggered protection, close-positions).
    """
    best = state.book.best_ask if order.side is Side.BUY else state.book.best_bid
    meeting = meet(core, state, taker_of(order), order.remaining)
    last = meeting.takes[-1].price if meeting.takes else (best[0] if best else state.last)
    take(core, account, order, state, meeting)
    if order.live:
        execute(core, account, order, last, order.remaining, taker=True)


# resting orders


def traded(core: Core, state: MarketState, price: Decimal, size: Decimal, taker: Side) -> bool:
    """A public trade of the tape. True when it filled something here."""
    index = core.symbols[state.market, state.symbol]
    done = False
    for waiting, side in ((index.buys, Side.BUY), (index.sells, Side.SELL)):
        if len(waiting):
            hit = taker is not side
            done |= _trade_reached(core, waiting, price, size, hit=hit)
    return done


def _trade_reached(core: Core, waiting: PriceIndex, price: Decimal, size: Decimal, *, hit: bool) -> bool:
    """``hit``: the trade's taker was on the other side of these orders."""
    left, done = size, False
    for number in waiting.due(price):
        order = core.live_orders.get(number)
        if order is None:
            continue
        usable = left
        if order.price == price:
            if not hit:
                continue
            usable = left - order.ahead
            _nearer(core, order, max(ZERO, order.ahead - size))
        else:
            _nearer(core, order, ZERO)
        if usable > 0:
            left -= fill_resting(core, core.accounts[order.account], order, usable)
            done = True
    return done


def touched(core: Core, state: MarketState) -> bool:
    """The book moved: fill what its opposite side has reached. True when something was."""
    index = core.symbols[state.market, state.symbol]
    done = False
    ask, bid = state.book.best_ask, state.book.best_bid
    if len(index.buys):
        _advance(core, index.buys, bid)
        done |= _cross(core, state, index.buys.due(ask[0])) if ask else False
    if len(index.sells):
        _advance(core, index.sells, ask)
        done |= _cross(core, state, index.sells.due(bid[0])) if bid else False
    return done


def _advance(core: Core, waiting: PriceIndex, best: tuple[Decimal, Decimal] | None) -> None:
    """At the best price the queue is what the tape shows; better than it nobody is in front."""
    for price, number in waiting:
        order = core.live_orders[number]
        if best is not None and price == best[0]:
            _nearer(core, order, min(order.ahead, best[1]))
        elif best is None or (price > best[0]) == (order.side is Side.BUY):
            _nearer(core, order, ZERO)
        else:
            return


def _nearer(core: Core, order: Order, ahead: Decimal) -> None:
    """Its place in the queue is part of what survives a restart."""
    if ahead != order.ahead:
        order.ahead = ahead
        core.batch.orders[order.id] = order


def _cross(core: Core, state: MarketState, due: list[int]) -> bool:
    depth = core.index(state.symbol, state.market).depth
    done = False
    for number in due:
        order = core.live_orders.get(number)
        if order is None:
            continue
        for price, size in depth.walk(state, _word(order.side), order.remaining, order.price, core.now_ns):
            filled = fill_resting(core, core.accounts[order.account], order, size)
            if filled:
                _took(core, state, order.side, price, filled)
            done = True
            if not order.live:
                break
    return done


def _word(side: Side) -> Word:
    return "buy" if side is Side.BUY else "sell"


def fill_resting(core: Core, account: Account, order: Order, most: Decimal) -> Decimal:
    """Fill up to ``most`` of a resting order at its price; returns what it traded.

    It is judged again now: a closing order never trades more than its position still holds, an
    opening one only what its account can pay. One that can no longer trade is cancelled.
    """
    orders.unrest(core, account, order)
    shrunk = positions.shrunk_by(account, order)
    held = shrunk.size if shrunk is not None else ZERO
    size, why = min(most, order.remaining), ""
    if order.closing and size > held:
        size, why = held, "reduce_only"
    elif not order.closing and size > held and not _affordable(core, account, order, size - held):
        size, why = ZERO, "insufficient_margin"
    if size:
        execute(core, account, order, order.price, size, taker=False)
    if order.live:
        if order.closing and not why and (order.symbol, order.position_side) not in account.positions:
            why = "position_closed"
        if why:
            orders.cancel(core, account, order, why)
        else:
            orders.rest(core, account, order, positions.opening_part(account, order), order.ahead)
    return size


def _affordable(core: Core, account: Account, order: Order, opening: Decimal) -> bool:
    value = times(order.price, opening)
    needed = divided(value, Decimal(order.leverage)) + value * core.spec(order.symbol).maker_fee
    return needed <= account.funds(core.mark).free


def queue_ahead(state: MarketState, order: Order) -> Decimal:
    """What the tape shows at the price of an order that comes to rest there."""
    return state.book.size_at(order.side.value, order.price)


def levels_of(takes: Iterable[Take]) -> list[tuple[Decimal, Decimal]]:
    return [(take.price, take.size) for take in takes if take.size]
