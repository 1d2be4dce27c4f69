"""Placing an order: all checks first, then it trades or rests. A refused order has changed nothing."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.engine import checks, matching, maths, orders, positions, statuses
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.crossing import Meeting, Taker
from trader.paper.engine.model import (
    Ended,
    Force,
    MarginMode,
    NewOrder,
    Order,
    Position,
    PositionMode,
    PriceMatch,
    Source,
    closed_by,
    exit_side,
    opened_by,
)
from trader.paper.engine.money import ZERO, divided, minus, plus, share, text, times
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState


class Placed(msgspec.Struct, frozen=True):
    """``displaced``: older reduce-only orders were cancelled to make room for this one."""

    order: Order
    displaced: bool = False


class Ticket(msgspec.Struct, kw_only=True):
    """A checked order: what it will do, decided before anything changes.

    What it meets (``meeting``) trades at once; what is left then ``rests`` or is cancelled. ``held`` is
    the size of the position that it nets before it opens.
    """

    side: PositionSide
    closing: bool
    size: Decimal
    leverage: int
    meeting: Meeting
    rests: bool
    held: Decimal = ZERO
    displaced: list[Order] = []


def place(core: Core, account: Account, new: NewOrder) -> Placed:
    state = core.state(new.symbol)
    new = priced(state, new)
    return carry_out(core, account, new, check(core, account, new), state)


def priced(state: MarketState, new: NewOrder) -> NewOrder:
    """With the price that it reads from the book. Refused when the book does not reach so deep."""
    if new.match is PriceMatch.NONE:
        return new
    if new.price is not None or new.type is not OrderType.LIMIT:
        raise Refused(Reason.BAD_VALUE, "priceMatch")
    where, _, depth = new.match.value.partition("_")
    count = int(depth or 1)
    asks = (new.side is Side.BUY) == (where == "opponent")
    levels = state.book.asks(count) if asks else state.book.bids(count)
    if len(levels) < count:
        raise Refused(Reason.NO_DEPTH, new.symbol)
    return msgspec.structs.replace(new, price=levels[-1][0])


def carry_out(core: Core, account: Account, new: NewOrder, ticket: Ticket, state: MarketState) -> Placed:
    """Do what was checked; nothing can be refused any more."""
    if not ticket.closing:
        _set_margin_mode(core, account, state, new)
    for older in ticket.displaced:
        orders.cancel(core, account, older, Ended.REDUCE_ONLY)
    order = orders.make(
        core,
        account,
        new,
        position_side=ticket.side,
        closing=ticket.closing,
        size=ticket.size,
        leverage=ticket.leverage,
    )
    work(core, account, order, ticket, state)
    return Placed(order, bool(ticket.displaced))


def work(
    core: Core,
    account: Account,
    order: Order,
    ticket: Ticket,
    state: MarketState,
    *,
    ahead: Decimal | None = None,
) -> None:
    """Trade what it meets; what is left rests (behind ``ahead``, or what the tape shows there) or ends."""
    pit = matching.FuturesPit(core, state)
    pit.take(order, ticket.meeting)
    if not order.live:
        return
    gone = order.closing and (order.symbol, order.position_side) not in account.positions
    if ticket.rests and not gone:
        behind = pit.ahead_of(order) if ahead is None else ahead
        orders.rest(core, account, order, positions.opening_part(account, order), behind)
    else:
        why = Ended.NOT_MAKER if order.force is Force.POST_ONLY else Ended.UNFILLED
        orders.cancel(core, account, order, why)


def close_position(core: Core, account: Account, position: Position) -> Order:
    """Close the whole position at market, now."""
    state = core.state(position.symbol)
    statuses.admit(state, closing=True)
    if (state.book.best_bid if position.side is PositionSide.LONG else state.book.best_ask) is None:
        raise Refused(Reason.NO_LIQUIDITY, position.symbol)
    order = orders.forced(core, account, position, Source.CLOSE_POSITIONS)
    matching.take_all(core, account, order, state)
    return order


def _set_margin_mode(core: Core, account: Account, state: MarketState, new: NewOrder) -> None:
    """The symbol's margin mode follows the order that opens."""
    settings = account.settings(state.spec)
    if settings.margin_mode is not new.margin_mode:
        account.record.settings[new.symbol] = msgspec.structs.replace(settings, margin_mode=new.margin_mode)
        core.touch(account)


def check(
    core: Core, account: Account, new: NewOrder, freed: Decimal = ZERO, filled: Decimal = ZERO
) -> Ticket:
    """Every refusal of an order, without placing it; the ticket is for what is not ``filled`` of it yet.

    ``freed`` is money that will be free by then.
    """
    state = core.state(new.symbol)
    hedge = account.record.position_mode is PositionMode.HEDGE
    closing = check_form(core, account, state, new)
    todo = msgspec.structs.replace(new, size=minus(new.size, filled))
    if closing:
        ticket = _closing(core, account, state, todo, hedge=hedge)
    else:
        ticket = _opening(core, account, state, todo, freed, whole=new.size)
    if new.type is OrderType.MARKET and not ticket.meeting.takes and not ticket.meeting.stopped:
        raise Refused(Reason.NO_LIQUIDITY, new.symbol)
    if new.strict and not ticket.rests and not ticket.meeting.takes:
        if new.force is Force.POST_ONLY:
            raise Refused(Reason.WOULD_TAKE, new.symbol)
        if new.force is Force.FOK:
            raise Refused(Reason.NOT_FILLABLE, new.symbol)
    return ticket


def check_form(core: Core, account: Account, state: MarketState, new: NewOrder) -> bool:
    """What can be said of an order without money and positions; whether it closes."""
    checks.client_id(core, account, new.client_id)
    checks.room(account.orders.values(), new.symbol)
    hedge = account.record.position_mode is PositionMode.HEDGE
    closing = bool(new.hedge_close) if hedge else new.reduce_only
    statuses.admit(state, closing=closing)
    if new.expires_ns and new.expires_ns <= core.now_ns:
        raise Refused(Reason.BAD_VALUE, "expires")
    checks.size(state.spec, new.size, new.type)
    if new.type is OrderType.LIMIT:
        if new.price is None:
            raise Refused(Reason.BAD_VALUE, "price")
        checks.tick(state.spec, new.price, "price")
        checks.band(state.spec, new.side, new.price, state.mark)
    if hedge and new.hedge_close is None:
        raise Refused(Reason.MODE_MISMATCH)
    return closing


def _meeting(
    core: Core, state: MarketState, new: NewOrder, account: int, size: Decimal
) -> tuple[Meeting, bool]:
    """(what trades at once, whether the remainder rests)."""
    taker = Taker(account, new.side, new.price, new.self_trade)
    meeting = matching.FuturesPit(core, state).meet(taker, size)
    if new.type is OrderType.MARKET:
        return meeting, False
    if new.force is Force.POST_ONLY:
        return Meeting(), not meeting.takes and not meeting.stopped
    if new.force is Force.FOK and meeting.size < size:
        return Meeting(), False
    return meeting, new.force is Force.GTC


def _closing(core: Core, account: Account, state: MarketState, new: NewOrder, *, hedge: bool) -> Ticket:
    side = closed_by(new.side)
    position = account.positions.get((new.symbol, side))
    if position is None:
        raise Refused(Reason.NO_POSITION, new.symbol)
    if not hedge and account.record.rules.strict_reduce_only:
        _check_flip(core, account, position, new)
    size, displaced = new.size, list[Order]()
    free = minus(position.size, position.frozen)
    if hedge:
        if size > position.size or (new.type is OrderType.LIMIT and size > free):
            raise Refused(Reason.ABOVE_POSITION, text(max(ZERO, free)))
        if size > free and new.closes_all:
            displaced = list(_resting_closes(account, position))
        elif size > free:
            displaced = [o for o in _resting_closes(account, position) if o.remaining == size][:1]
            if not displaced and free <= 0:
                raise Refused(Reason.ABOVE_POSITION, text(ZERO))
            size = size if displaced else free
    else:
        size = min(size, position.size)
        if new.type is OrderType.LIMIT:
            for older in _resting_closes(account, position):
                if size <= free:
                    break
                displaced.append(older)
                free = plus(free, older.remaining)
    meeting, rests = _meeting(core, state, new, account.id, size)
    return Ticket(
        side=side,
        closing=True,
        size=size,
        leverage=position.leverage,
        meeting=meeting,
        rests=rests,
        displaced=displaced,
    )


def _check_flip(core: Core, account: Account, position: Position, new: NewOrder) -> None:
    """Older orders of the same side must stay affordable when this one has closed what they would have closed.

    What they would then open more than now, at the dearest of their prices, must fit into what is free.
    """
    older = [o for o in account.pending(new.symbol) if o.side is new.side and not o.closing]
    waiting = sum((o.remaining for o in older), ZERO)
    left = minus(position.size, min(new.size, position.size))
    more = max(ZERO, waiting - left) - max(ZERO, waiting - position.size)
    if more <= 0:
        return
    value = times(max(o.price for o in older), more)
    leverage = min(o.leverage for o in older)
    needed = divided(value, Decimal(leverage)) + times(value, core.spec(new.symbol).taker_fee)
    if needed > account.funds(core.mark).free:
        raise Refused(Reason.REDUCE_ONLY_MARGIN, new.symbol)


def _resting_closes(account: Account, position: Position) -> list[Order]:
    """Oldest first."""
    return [o for o in account.pending(position.symbol) if o.closing and o.position_side is position.side]


def _opening(
    core: Core, account: Account, state: MarketState, new: NewOrder, freed: Decimal, *, whole: Decimal
) -> Ticket:
    spec, side = state.spec, opened_by(new.side)
    settings = account.settings(spec)
    if settings.margin_mode is not new.margin_mode and account.busy(new.symbol):
        raise Refused(Reason.MARGIN_MODE_BLOCKED, new.symbol)
    reference = new.price if new.price is not None else state.last
    against = checks.Against.MARK if new.price is None else checks.Against.ORDER
    checks.preset(spec, new.preset, side, reference, against)
    netted = account.netted(new.symbol)
    if account.record.position_mode is PositionMode.HEDGE or (
        netted is not None and exit_side(netted.side) is not new.side
    ):
        netted = None
    held = netted.size if netted is not None else ZERO
    if new.size > held:
        checks.value(spec, whole, reference)
    meeting, rests = _meeting(core, state, new, account.id, new.size)
    leverage = settings.leverage(new.margin_mode, side)
    ticket = Ticket(
        side=side, closing=False, size=new.size, leverage=leverage, meeting=meeting, rests=rests, held=held
    )
    _afford(core, account, new, ticket, netted=netted, freed=freed)
    return ticket


def _afford(
    core: Core, account: Account, new: NewOrder, ticket: Ticket, *, netted: Position | None, freed: Decimal
) -> None:
    """Margin and opening fee must fit into what is free once the netted part has closed."""
    spec = core.spec(new.symbol)
    closed_size = closed_value = opened_value = traded = ZERO
    for price, part in ticket.meeting.levels:
        closes = min(part, minus(ticket.held, closed_size))
        closed_size = plus(closed_size, closes)
        closed_value = plus(closed_value, times(price, closes))
        opened_value = plus(opened_value, times(price, minus(part, closes)))
        traded = plus(traded, part)
    if ticket.rests and new.price is not None:
        resting = minus(minus(ticket.size, traded), minus(ticket.held, closed_size))
        opened_value = plus(opened_value, times(new.price, max(ZERO, resting)))
    if not opened_value:
        return
    same = account.positions.get((new.symbol, ticket.side))
    largest = maths.largest_value(spec, ticket.leverage)
    if largest is not None and opened_value + (same.open_value if same else ZERO) > largest:
        raise Refused(Reason.ABOVE_TIER, text(largest))
    free = account.funds(core.mark).free + freed
    if netted is not None and closed_size:
        free += set_free(core, netted, closed_size, closed_value)
    needed = divided(opened_value, Decimal(ticket.leverage)) + times(opened_value, spec.taker_fee)
    if needed > free:
        raise Refused(Reason.ABOVE_BALANCE if free > 0 else Reason.NO_BALANCE, text(max(ZERO, free)))


def set_free(core: Core, position: Position, size: Decimal, value: Decimal) -> Decimal:
    """What closing ``size`` of a position for ``value`` adds to the free money of its account."""
    profit = position.sign * (value - share(position.open_value, size, position.size))
    fee = times(value, core.spec(position.symbol).taker_fee)
    margin = share(position.initial_margin(), size, position.size)
    paper_loss = ZERO
    if position.margin_mode is MarginMode.CROSSED:
        paper_loss = min(ZERO, share(position.unrealised(core.mark(position)), size, position.size))
    return profit - fee + margin - paper_loss
