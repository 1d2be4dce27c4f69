"""Liquidation on the mark price; the formulas are in :mod:`trader.paper.engine.maths`.

Simple form: a position is liquidated whole. Isolated: at its liquidation price, and what is then
left of its margin goes to the insurance, so that the loss is the margin, never more. Crossed: when
the equity without isolated margins no longer covers the maintenance, all crossed positions go at
mark, and a wallet that would not cover the isolated margins any more is refilled by the insurance.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trader.paper.engine import matching, maths, orders
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.core import Core
from trader.paper.engine.model import Kind, MarginMode, Position, Source
from trader.paper.engine.money import ZERO, minus
from trader.paper.market import MarketState


def crossed_margins(core: Core, account: Account, funds: Funds) -> tuple[Decimal, Decimal]:
    """(equity that backs the crossed positions, their maintenance), both at mark."""
    needed = ZERO
    for position in account.positions.values():
        if position.margin_mode is MarginMode.CROSSED:
            needed += maths.maintenance(core.spec(position.symbol), position, core.mark(position))
    return funds.wallet - funds.isolated + funds.crossed_unrealised, needed


def price_of(core: Core, account: Account, position: Position, funds: Funds) -> Decimal:
    """The liquidation price to show; zero when there is none."""
    if position.margin_mode is MarginMode.ISOLATED:
        return max(ZERO, maths.isolated_liquidation(core.spec(position.symbol), position))
    equity, needed = crossed_margins(core, account, funds)
    return maths.crossed_liquidation(position, core.mark(position), equity - needed)


def check(core: Core, state: MarketState) -> bool:
    """Liquidate the isolated positions that the symbol's mark has reached, doubt the crossed ones.

    True when something was liquidated.
    """
    index, mark = core.symbols[state.market, state.symbol], state.mark
    if mark == index.checked_mark:
        return False
    index.checked_mark = mark
    reached = index.long_liquidations.due(mark) + index.short_liquidations.due(mark)
    for number in reached:
        position = core.open_positions[number]
        _isolated(core, core.accounts[position.account], position)
    for number in index.crossed:
        account = core.accounts[number]
        safe = account.safe.get(state.symbol)
        if safe is None or not safe[0] < mark < safe[1]:
            core.doubt(account)
    return bool(reached)


def judge(core: Core) -> bool:
    """Liquidate the crossed positions of those in doubt who cannot carry them. True when some went."""
    doubtful, core.doubtful = core.doubtful, {}
    done = False
    for number in doubtful:
        account = core.accounts[number]
        if not any(p.margin_mode is MarginMode.CROSSED for p in account.positions.values()):
            continue
        equity, needed = crossed_margins(core, account, account.funds(core.mark))
        if equity <= needed:
            _crossed(core, account)
            done = True
        else:
            _remember_safe(core, account, equity - needed)
    return done


def _remember_safe(core: Core, account: Account, room: Decimal) -> None:
    """Between which marks need nobody look again.

    A move d of a mark costs a position at most d q (1 + r + f) of the account's ``room``. Each of
    the k crossed positions may use a k-th of it before the account is judged anew.
    """
    account.safe.clear()
    crossed = [p for p in account.positions.values() if p.margin_mode is MarginMode.CROSSED]
    for position in crossed:
        mark, spec = core.mark(position), core.spec(position.symbol)
        width = room / (len(crossed) * position.size * (1 + maths.burden(spec, position)))
        low, high = account.safe.get(position.symbol, (ZERO, mark + width))
        account.safe[position.symbol] = (max(low, mark - width), min(high, mark + width))


def _isolated(core: Core, account: Account, position: Position) -> None:
    tick = core.spec(position.symbol).tick
    rounding = ROUND_FLOOR if position.sign > 0 else ROUND_CEILING
    steps = (core.liquidation_prices[position.id] / tick).to_integral_value(rounding)
    margin, before = position.margin, account.record.wallet
    order = orders.forced(core, account, position, Source.LIQUIDATION)
    order.liquidation_price = max(tick, steps * tick)
    matching.execute(core, account, order, order.liquidation_price, position.size, taker=True)
    left = minus(margin, minus(before, account.record.wallet))
    kind = Kind.LIQUIDATION_FEE if left > 0 else Kind.INSURANCE
    core.post(account, kind, order.id, position.symbol, -left)


def _crossed(core: Core, account: Account) -> None:
    for order in list(account.orders.values()):
        if order.margin_mode is MarginMode.CROSSED:
            orders.cancel(core, account, order, "liquidation")
    last = 0
    for position in list(account.positions.values()):
        if position.margin_mode is MarginMode.CROSSED:
            order = orders.forced(core, account, position, Source.LIQUIDATION)
            order.liquidation_price = core.mark(position)
            matching.execute(core, account, order, order.liquidation_price, position.size, taker=True)
            last = order.id
    funds = account.funds(core.mark)
    hole = minus(funds.isolated, funds.wallet)
    if hole > 0:
        core.post(account, Kind.INSURANCE, last, "", hole)
