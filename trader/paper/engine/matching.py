"""Fills: one order against one price. And resting orders when the market comes to them.

Simple form: a resting order is filled whole, at its own price and as maker, when the opposite best
price reaches it or a public trade goes through it. Own orders leave the book of the tape as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trader.paper.engine import orders, positions, protection
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import Fill, Order, State
from trader.paper.engine.money import ZERO, divided, plus, times
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


def take(core: Core, account: Account, order: Order, levels: Iterable[tuple[Decimal, Decimal]]) -> None:
    """Eat these levels, one fill each."""
    for price, size in levels:
        execute(core, account, order, price, size, taker=True)


def take_all(core: Core, account: Account, order: Order, state: MarketState) -> None:
    """Eat the book until the order is full; what the book does not hold trades at its last level.

    Only for orders that must not fail (triggered protection, close-positions).
    """
    levels = state.book.walk(order.side.value, order.remaining)
    take(core, account, order, levels)
    if order.live:
        execute(core, account, order, levels[-1][0], order.remaining, taker=True)


def touched(core: Core, state: MarketState, trade: Decimal | None = None) -> bool:
    """Fill what the market has reached; ``trade`` is the price of a public trade. True when something was."""
    index = core.symbols[state.symbol]
    done = False
    ask, bid = state.book.best_ask, state.book.best_bid
    if len(index.buys):
        due = index.buys.due(ask[0]) if ask else []
        due += [n for n in index.buys.due(trade) if core.live_orders[n].price > trade] if trade else []
        done |= _fill(core, due)
    if len(index.sells):
        due = index.sells.due(bid[0]) if bid else []
        due += [n for n in index.sells.due(trade) if core.live_orders[n].price < trade] if trade else []
        done |= _fill(core, due)
    return done


def _fill(core: Core, due: list[int]) -> bool:
    for number in due:
        order = core.live_orders.get(number)
        if order is not None:
            fill_resting(core, core.accounts[order.account], order)
    return bool(due)


def fill_resting(core: Core, account: Account, order: Order) -> None:
    """Fill a resting order at its price; it is cancelled when it no longer can.

    A closing order is judged again now: it never trades more than its position still holds.
    """
    orders.unrest(core, account, order)
    shrunk = positions.shrunk_by(account, order)
    held = shrunk.size if shrunk is not None else ZERO
    size = order.remaining
    if order.closing:
        size = min(size, held)
    elif size > held and not _affordable(core, account, order, size - held):
        size = ZERO
    if size:
        execute(core, account, order, order.price, size, taker=False)
    if order.live:
        orders.cancel(core, account, order, "reduce_only" if order.closing else "insufficient_margin")


def _affordable(core: Core, account: Account, order: Order, opening: Decimal) -> bool:
    value = times(order.price, opening)
    needed = divided(value, Decimal(order.leverage)) + value * core.spec(order.symbol).maker_fee
    return needed <= account.funds(core.mark).free
