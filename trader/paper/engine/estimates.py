"""What could be opened, and where it would be liquidated: answers that change nothing."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import PositionSide
from trader.paper.engine import liquidation, maths
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import MarginMode, Position
from trader.paper.engine.money import ZERO, divided, minus, plus, times, to_step
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState


class Wanted(msgspec.Struct, frozen=True):
    """A position that might be opened; ``price`` ``None`` = at market."""

    symbol: str
    side: PositionSide
    price: Decimal | None = None


def price_of(state: MarketState, wanted: Wanted) -> Decimal:
    """The limit price, or what the book asks for now."""
    if wanted.price is not None:
        return wanted.price
    best = state.book.best_ask if wanted.side is PositionSide.LONG else state.book.best_bid
    if best is None:
        raise Refused(Reason.NO_LIQUIDITY, wanted.symbol)
    return best[0]


def max_open(core: Core, account: Account, wanted: Wanted) -> Decimal:
    """The largest size that fits the free money (margin and opening fee) and the tier of the leverage."""
    state = core.state(wanted.symbol)
    spec, price = state.spec, price_of(state, wanted)
    settings = account.settings(spec)
    leverage = settings.leverage(settings.margin_mode, wanted.side)
    free = max(ZERO, account.funds(core.mark).free)
    size = size_for(price, leverage, spec.taker_fee, free)
    largest = maths.largest_value(spec, leverage)
    if largest is not None:
        held = account.positions.get((wanted.symbol, wanted.side))
        left = max(ZERO, minus(largest, held.open_value if held else ZERO))
        size = min(size, left / price)
    return to_step(size, spec.step)


def size_for(price: Decimal, leverage: int, fee: Decimal, money: Decimal) -> Decimal:
    """What ``money`` opens: money / (price (1 / L + f)), not yet on the step."""
    return money * leverage / (price * (1 + leverage * fee))


def liquidation_price(core: Core, account: Account, wanted: Wanted, size: Decimal) -> Decimal:
    """Where the position would be liquidated if ``size`` of it were opened now; 0 = nowhere."""
    state = core.state(wanted.symbol)
    spec, price = state.spec, price_of(state, wanted)
    settings = account.settings(spec)
    held = account.positions.get((wanted.symbol, wanted.side))
    mode = held.margin_mode if held else settings.margin_mode
    leverage = held.leverage if held else settings.leverage(mode, wanted.side)
    value = times(price, size)
    whole = Position(
        id=0,
        account=account.id,
        symbol=wanted.symbol,
        side=wanted.side,
        margin_mode=mode,
        leverage=leverage,
        mode=account.record.position_mode,
        created_ns=core.now_ns,
        updated_ns=core.now_ns,
        size=plus(size, held.size if held else ZERO),
        open_value=plus(value, held.open_value if held else ZERO),
        margin=plus(divided(value, Decimal(leverage)), held.margin if held else ZERO),
        upkeep=account.record.rules.upkeep,
    )
    if mode is MarginMode.ISOLATED:
        return max(ZERO, maths.isolated_liquidation(spec, whole))
    mark = state.mark
    equity, needed = liquidation.crossed_margins(core, account, account.funds(core.mark))
    before = held.unrealised(mark) if held else ZERO
    needed += maths.maintenance(spec, whole, mark) - (maths.maintenance(spec, held, mark) if held else ZERO)
    equity += whole.unrealised(mark) - before - times(value, spec.taker_fee)
    return liquidation.crossed_price(core, account, whole, equity - needed)
