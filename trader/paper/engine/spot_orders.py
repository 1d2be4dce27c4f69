"""Spot orders: placed, resting, waiting for a trigger, filled, cancelled, replaced.

Who meets whom is in :mod:`trader.paper.engine.pit`, as for contracts.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import OrderType, Side
from trader.paper.engine import spot, spot_plans
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.crossing import Meeting
from trader.paper.engine.index import PriceIndex
from trader.paper.engine.model import Ended, Force, Order, Source, State
from trader.paper.engine.money import ZERO, plus, times
from trader.paper.engine.pit import Pit, taker_of
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_model import NewSpotOrder, SpotFill, SpotOrder
from trader.paper.market import MarketState


def place(
    core: Core, account: Account, new: NewSpotOrder, *, replacing: SpotOrder | None = None
) -> SpotOrder:
    """All checks, then it trades, rests or waits. A refused order has changed nothing."""
    pit = SpotPit(core, spot.market(core, new.symbol))
    ticket = spot.check(core, account, new, pit, replacing)
    if replacing is not None:
        cancel(core, account, replacing)
    order = _make(core, account, new, ticket)
    if order.waiting:
        spot.reserve(core, account, order)
        watch(core, order)
        core.batch.spot.order(order)
    else:
        core.batch.spot.order(order)
        _enter(pit, account, order, ticket.meeting, rests=ticket.rests)
    return order


def _make(core: Core, account: Account, new: NewSpotOrder, ticket: spot.Ticket) -> SpotOrder:
    number, spec = core.next_id(), ticket.state.spec
    order = SpotOrder(
        id=number,
        account=account.id,
        symbol=new.symbol,
        client_id=new.client_id or str(core.next_id()),
        base=spec.base,
        quote=spec.quote,
        side=new.side,
        type=new.type,
        force=new.force,
        self_trade=new.self_trade,
        price=new.price if new.price is not None else ZERO,
        size=ticket.size,
        budget=ticket.budget,
        trigger=new.trigger or ZERO,
        waiting=new.trigger is not None,
        rising=new.trigger is not None and new.trigger >= ticket.state.last,
        origin=new.origin,
        source=Source.CLIENT,
        point=new.point,
        preset=new.preset,
        created_ns=core.now_ns,
        updated_ns=core.now_ns,
    )
    account.spot.orders[number] = order
    account.spot.clients[order.client_id] = number
    core.spot.orders[number] = order
    core.batch.spot.touch(account.record)
    return order


def _enter(pit: SpotPit, account: Account, order: SpotOrder, meeting: Meeting, *, rests: bool) -> None:
    pit.take(order, meeting)
    if order.live and rests:
        rest(pit.core, account, order, pit.ahead_of(order))
    elif order.live:
        why = Ended.NOT_MAKER if order.force is Force.POST_ONLY else Ended.UNFILLED
        cancel(pit.core, account, order, why)


def amend(core: Core, account: Account, order: SpotOrder, size: Decimal, price: Decimal) -> None:
    """Another size (what has traded included) and price for a resting limit order, which stays the same order.

    It is judged as a new one would be; a refusal leaves it as it was. At another price or with a greater
    size it goes to the end of the queue, and trades what it meets there. It is cancelled instead when
    nothing is left to trade, or when it is post-only and would take.
    """
    if order.type is not OrderType.LIMIT or order.id not in core.spot.resting:
        raise Refused(Reason.NOT_MODIFIABLE, str(order.id))
    if (size, price) == (order.size, order.price):
        raise Refused(Reason.NOTHING_CHANGED)
    if size <= order.filled:
        raise Refused(Reason.NOT_MODIFIABLE, str(order.id))
    pit = SpotPit(core, spot.market(core, order.symbol))
    new = NewSpotOrder(
        symbol=order.symbol,
        side=order.side,
        type=OrderType.LIMIT,
        size=size,
        price=price,
        force=order.force,
        self_trade=order.self_trade,
        preset=order.preset,
        filled=order.filled,
    )
    ticket = spot.check(core, account, new, pit, replacing=order)
    smaller = price == order.price and size < order.size
    unrest(core, account, order)
    order.size, order.price, order.updated_ns = size, price, core.now_ns
    core.batch.spot.order(order)
    if smaller:
        rest(core, account, order, order.ahead)
        return
    order.turn = core.next_id()
    _enter(pit, account, order, ticket.meeting, rests=ticket.rests)


# the book


def rest(core: Core, account: Account, order: SpotOrder, ahead: Decimal) -> None:
    """Into the book behind ``ahead``, with what it needs set aside."""
    order.ahead = ahead
    spot.reserve(core, account, order)
    index_again(core, order)


def index_again(core: Core, order: SpotOrder) -> None:
    """Where it stood; after a restart what it reserves was stored with it."""
    if order.waiting:
        watch(core, order)
    else:
        core.spot.resting.add(order.id)
        _side(core, order).add(order.price, order.id, order.turn)


def _side(core: Core, order: SpotOrder) -> PriceIndex:
    index = core.spot.index(order.symbol)
    return index.buys if order.side is Side.BUY else index.sells


def watch(core: Core, order: SpotOrder) -> None:
    _waiting(core, order).add(order.trigger, order.id)


def _waiting(core: Core, order: SpotOrder) -> PriceIndex:
    index = core.spot.index(order.symbol)
    return index.rising if order.rising else index.falling


def unrest(core: Core, account: Account, order: SpotOrder) -> None:
    """Out of the book or off the watch, with what it reserved given back."""
    if order.waiting:
        _waiting(core, order).remove(order.trigger, order.id)
        order.waiting = False
    elif order.id in core.spot.resting:
        _side(core, order).remove(order.price, order.id, order.turn)
        core.spot.resting.discard(order.id)
    if order.locked:
        spot.release(core, account, order)


def cancel(core: Core, account: Account, order: SpotOrder, reason: str = Ended.CLIENT) -> None:
    unrest(core, account, order)
    order.state = State.CANCELED
    order.cancel_reason = reason
    order.updated_ns = core.now_ns
    _finish(core, account, order)
    core.batch.spot.order(order)


def _finish(core: Core, account: Account, order: SpotOrder) -> None:
    """No longer pending: its client id is free, and the protection that rode on it begins."""
    del account.spot.orders[order.id]
    del account.spot.clients[order.client_id]
    del core.spot.orders[order.id]
    core.batch.spot.touch(account.record)
    if order.filled:
        spot_plans.attach(core, account, order)


# matching


def execute(
    core: Core, account: Account, order: SpotOrder, price: Decimal, size: Decimal, *, taker: bool
) -> None:
    """One fill, with all that follows from it: ledger, lock, order state."""
    number = core.next_id()
    fee = spot.settle(core, account, order, price, size, taker=taker, ref=number)
    order.filled = plus(order.filled, size)
    order.value = plus(order.value, times(price, size))
    order.fee = plus(order.fee, fee)
    order.state = State.FILLED if order.filled == order.size else State.PARTIALLY_FILLED
    order.updated_ns = core.now_ns
    if order.id in core.spot.resting:
        if order.state is State.FILLED:
            unrest(core, account, order)
        else:
            spot.reserve(core, account, order)
    fill = SpotFill(
        id=number,
        order_id=order.id,
        account=account.id,
        symbol=order.symbol,
        client_id=order.client_id,
        side=order.side,
        type=order.type,
        price=price,
        size=size,
        value=times(price, size),
        fee=fee,
        fee_coin=order.gets,
        taker=taker,
        ns=core.now_ns,
    )
    core.batch.spot.fills.append(fill)
    core.batch.spot.order(order, fill)
    if order.state is State.FILLED:
        _finish(core, account, order)


class SpotPit(Pit):
    """The spot market of one symbol."""

    __slots__ = ("core",)

    def __init__(self, core: Core, state: MarketState) -> None:
        index = core.spot.index(state.symbol)
        super().__init__(
            state,
            core.now_ns,
            buys=index.buys,
            sells=index.sells,
            depth=index.depth,
            orders=core.spot.orders,
        )
        self.core = core

    def trade(self, order: Order, price: Decimal, size: Decimal) -> None:
        own = self.core.spot.orders[order.id]
        execute(self.core, self.core.accounts[own.account], own, price, size, taker=True)

    def fill(self, order: Order, most: Decimal) -> Decimal:
        """What it needs was set aside; one that cannot pay all the same is cancelled."""
        own, size = self.core.spot.orders[order.id], min(most, order.remaining)
        account = self.core.accounts[own.account]
        if not spot.affords(self.core, account, own, size):
            cancel(self.core, account, own, Ended.MARGIN)
            return ZERO
        execute(self.core, account, own, own.price, size, taker=False)
        return size

    def cancel(self, order: Order, reason: str) -> None:
        cancel(self.core, self.core.accounts[order.account], self.core.spot.orders[order.id], reason)

    def keep(self, order: Order) -> None:
        own = self.core.spot.orders[order.id]
        self.core.batch.spot.touch(self.core.accounts[own.account].record)
        self.core.batch.spot.orders[own.id] = own


def activate(core: Core, account: Account, order: SpotOrder, state: MarketState) -> bool:
    """Its trigger was reached: a waiting order goes to market. False: nothing to trade with, it waits on.

    What it needs has been set aside all along; where losses have used it up all the same it is cancelled.
    """
    if not spot.affords(core, account, order, order.remaining):
        cancel(core, account, order, Ended.MARGIN)
        return True
    pit, taker, rests = SpotPit(core, state), taker_of(order), False
    if order.type is OrderType.MARKET:
        if order.budget:
            meeting, size = spot.bought_for(pit, taker, order.budget)
        else:
            meeting, size = pit.meet(taker, order.size), order.size
        if not meeting.takes and not meeting.stopped:
            return False
    else:
        size = order.size
        meeting, rests = spot.crossing(pit, taker, size, order.force)
    unrest(core, account, order)
    order.size, order.updated_ns, order.turn = size, core.now_ns, core.next_id()
    core.batch.spot.order(order)
    _enter(pit, account, order, meeting if size else Meeting([], meeting.stopped), rests=rests)
    return True
