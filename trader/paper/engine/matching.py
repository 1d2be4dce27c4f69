"""Fills of futures orders: one order against one price, with all that follows from it.

Who meets whom is in :mod:`trader.paper.engine.pit`.
"""

from __future__ import annotations

from decimal import Decimal

from shared.domain.order import Side
from trader.paper.engine import orders, positions, protection
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import Ended, Fill, Order, State
from trader.paper.engine.money import ZERO, divided, plus, times
from trader.paper.engine.pit import Pit, taker_of
from trader.paper.market import MarketState


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


class FuturesPit(Pit):
    """The futures market of one symbol."""

    __slots__ = ("_core",)

    def __init__(self, core: Core, state: MarketState) -> None:
        index = core.index(state.symbol)
        super().__init__(
            state,
            core.now_ns,
            buys=index.buys,
            sells=index.sells,
            depth=index.depth,
            orders=core.live_orders,
        )
        self._core = core

    def trade(self, order: Order, price: Decimal, size: Decimal) -> None:
        execute(self._core, self._core.accounts[order.account], order, price, size, taker=True)

    def fill(self, order: Order, most: Decimal) -> Decimal:
        return fill_resting(self._core, self._core.accounts[order.account], order, most)

    def cancel(self, order: Order, reason: str) -> None:
        orders.cancel(self._core, self._core.accounts[order.account], order, reason)

    def keep(self, order: Order) -> None:
        self._core.batch.orders[order.id] = order


def take_all(core: Core, account: Account, order: Order, state: MarketState) -> None:
    """Eat the book until the order is full; what it does not hold trades at the last level.

    Only for orders that must not fail (triggered protection, close-positions).
    """
    best = state.book.best_ask if order.side is Side.BUY else state.book.best_bid
    pit = FuturesPit(core, state)
    meeting = pit.meet(taker_of(order), order.remaining)
    last = meeting.takes[-1].price if meeting.takes else (best[0] if best else state.last)
    pit.take(order, meeting)
    if order.live:
        execute(core, account, order, last, order.remaining, taker=True)


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
        size, why = held, Ended.REDUCE_ONLY.value
    elif not order.closing and size > held and not _affordable(core, account, order, size - held):
        size, why = ZERO, Ended.MARGIN.value
    if size:
        execute(core, account, order, order.price, size, taker=False)
    if order.live:
        if order.closing and not why and (order.symbol, order.position_side) not in account.positions:
            why = Ended.POSITION_CLOSED.value
        if why:
            orders.cancel(core, account, order, why)
        else:
            orders.rest(core, account, order, positions.opening_part(account, order), order.ahead)
    return size


def _affordable(core: Core, account: Account, order: Order, opening: Decimal) -> bool:
    value = times(order.price, opening)
    needed = divided(value, Decimal(order.leverage)) + value * core.spec(order.symbol).maker_fee
    return needed <= account.funds(core.mark).free
