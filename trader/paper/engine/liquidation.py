"""Liquidation on the mark price; the formulas are in :mod:`trader.paper.engine.maths`.

A position above the first tier is first reduced to what the next lower tier holds and judged again with
that tier's maintenance rate, and so on; in the first tier it goes whole. The exchange takes what is
liquidated over, so the book is not touched.

Isolated: each part goes at the liquidation price of that moment. A reduction's profit or loss and fee
are borne by the margin, the rest of which stays with the position; when the position goes whole, what
is left of its margin goes to the insurance. So the loss is the margin, never more.

When a position is due follows its own rule of maintenance (``Position.upkeep``); what is booked is the same
for both: the closing trade with its fee, and what the margin has left, or lacks, to or from the insurance.

Crossed: when the equity without isolated margins no longer covers the maintenance, crossed orders are
cancelled (of a unified account also the spot orders that lock USDT, which is equity like the rest); then the position with the greatest unrealised loss is reduced by one tier at mark, until
what is left is covered. What is then below zero the insurance pays.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trader.paper.engine import margins, matching, maths, orders, positions, spot_orders
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.core import Core
from trader.paper.engine.model import (
    QUOTE_COIN,
    Ended,
    Kind,
    MarginMode,
    Order,
    Position,
    PositionMode,
    Source,
    Upkeep,
)
from trader.paper.engine.money import ZERO, minus, plus
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
    return crossed_price(core, account, position, equity - needed)


def crossed_price(core: Core, account: Account, position: Position, room: Decimal) -> Decimal:
    """Of a crossed position, when ``room`` is left above what all crossed ones need; every other mark stands still."""
    mark, spec = core.mark(position), core.spec(position.symbol)
    if position.upkeep is not Upkeep.BRACKET:
        return maths.crossed_liquidation(position, mark, room)
    legs = [position] + [
        other
        for other in account.held(position.symbol)
        if other.side is not position.side and other.margin_mode is MarginMode.CROSSED
    ]
    for leg in legs:
        room += maths.maintenance(spec, leg, mark) - leg.unrealised(mark)
    return max(ZERO, maths.bracket_liquidation(spec, legs, room))


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
        _isolated(core, core.accounts[position.account], position, mark)
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

    A move d of a mark costs a position at most d q (1 + burden) of the account's ``room``. Each of
    the k crossed positions may use a k-th of it before the account is judged anew.
    """
    account.safe.clear()
    crossed = [p for p in account.positions.values() if p.margin_mode is MarginMode.CROSSED]
    for position in crossed:
        mark, spec = core.mark(position), core.spec(position.symbol)
        width = room / (len(crossed) * position.size * (1 + maths.burden(spec, position)))
        low, high = account.safe.get(position.symbol, (ZERO, mark + width))
        account.safe[position.symbol] = (max(low, mark - width), min(high, mark + width))


def _isolated(core: Core, account: Account, position: Position, mark: Decimal) -> None:
    if position.auto_margin:
        margins.append(core, account, position, mark)
        if not maths.is_due(position, core.liquidation_prices[position.id], mark):
            return
    _cancel_around(core, account, position)
    while position.size and maths.is_due(position, core.liquidation_prices[position.id], mark):
        kept = maths.kept_size(core.spec(position.symbol), position, core.liquidation_prices[position.id])
        price = _taken_at(core, position, kept)
        margin, before = position.margin, account.record.wallet
        order = _take_over(core, account, position, kept, price)
        left = plus(margin, minus(account.record.wallet, before))
        if position.size:
            positions.carry(core, account, position, left, order.id)
            positions.changed(core, account, position)
        else:
            kind = Kind.LIQUIDATION_FEE if left > 0 else Kind.INSURANCE
            core.post(account, kind, order.id, position.symbol, -left)


def _taken_at(core: Core, position: Position, kept: Decimal) -> Decimal:
    """The liquidation price on the tick beyond it; of what goes whole the takeover price (see there)."""
    spec = core.spec(position.symbol)
    price = core.liquidation_prices[position.id] if kept else maths.takeover(spec, position)
    rounding = ROUND_FLOOR if position.sign > 0 else ROUND_CEILING
    return max(spec.tick, (price / spec.tick).to_integral_value(rounding) * spec.tick)


def _take_over(core: Core, account: Account, position: Position, kept: Decimal, price: Decimal) -> Order:
    """Close all of a position but ``kept``."""
    size = minus(position.size, kept)
    source = Source.REDUCTION if kept else Source.LIQUIDATION
    order = orders.forced(core, account, position, source, size=size)
    order.liquidation_price = price
    matching.execute(core, account, order, price, size, taker=True)
    return order


def _cancel_around(core: Core, account: Account, position: Position) -> None:
    """The orders that would add to the position or close it."""
    one_way = position.mode is PositionMode.ONE_WAY
    for order in list(account.pending(position.symbol)):
        if one_way or order.position_side is position.side:
            orders.cancel(core, account, order, Ended.LIQUIDATION)


def _crossed(core: Core, account: Account) -> None:
    for order in list(account.orders.values()):
        if order.margin_mode is MarginMode.CROSSED:
            orders.cancel(core, account, order, Ended.LIQUIDATION)
    for spot_order in list(account.spot.orders.values()) if account.record.unified else ():
        if spot_order.pays == QUOTE_COIN:
            spot_orders.cancel(core, account, spot_order, Ended.LIQUIDATION)
    last = 0
    while (worst := _worst(core, account)) is not None:
        equity, needed = crossed_margins(core, account, account.funds(core.mark))
        if equity > needed:
            break
        kept = maths.kept_size(core.spec(worst.symbol), worst, core.mark(worst))
        last = _take_over(core, account, worst, kept, core.mark(worst)).id
    equity, _ = crossed_margins(core, account, account.funds(core.mark))
    if equity < 0:
        core.post(account, Kind.INSURANCE, last, "", -equity)


def _worst(core: Core, account: Account) -> Position | None:
    """The crossed position with the greatest unrealised loss; of equal ones that which needs most."""
    crossed = (p for p in account.positions.values() if p.margin_mode is MarginMode.CROSSED)

    def key(position: Position) -> tuple[Decimal, Decimal, int]:
        mark = core.mark(position)
        needed = maths.maintenance(core.spec(position.symbol), position, mark)
        return position.unrealised(mark), -needed, position.id

    return min(crossed, key=key, default=None)
