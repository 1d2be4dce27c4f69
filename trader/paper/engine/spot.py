"""Spot settlement: what an order must fulfil, what it locks, what a fill books. Nothing here matches.

A buy pays quote currency and gets base coin, a sell the other way round; the fee is taken from what is
got. A resting buy locks price x size of its remainder in quote, a resting sell its remainder in base.
"""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.contract import FUTURES, SPOT, ContractSpec
from trader.paper.engine import checks, statuses
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.crossing import Meeting, Taker
from trader.paper.engine.model import QUOTE_COIN, SPOT_WALLET, ClientIds, Force, Kind, Preset
from trader.paper.engine.money import ZERO, decimals, divided, minus, negated, plus, text, times, to_step
from trader.paper.engine.pit import Pit
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_model import Bill, NewSpotOrder, SpotOrder
from trader.paper.market import MarketState

#: Decimals of an amount of quote currency (``quotePrecision``).
QUOTE_PLACES = 8
#: For all symbols together a bound of this exchange; per symbol as for contracts (``orderQuantity``).
MOST_ORDERS = 1000
MOST_PLANS = 200


class Ticket(msgspec.Struct, kw_only=True):
    """A checked order: what it meets trades at once, what is left then ``rests`` or is cancelled."""

    state: MarketState
    size: Decimal
    budget: Decimal = ZERO
    meeting: Meeting = msgspec.field(default_factory=Meeting)
    rests: bool = False


def market(core: Core, symbol: str) -> MarketState:
    state = core.hub.states.get((SPOT, symbol))
    if state is None:
        raise Refused(Reason.UNKNOWN_SYMBOL, symbol)
    return state


def open_market(core: Core, symbol: str) -> MarketState:
    """A market that takes orders; before its opening, halted or removed it refuses."""
    state = market(core, symbol)
    statuses.admit(state, closing=False)
    return state


def in_usdt(core: Core, coin: str, amount: Decimal) -> Decimal | None:
    """What an amount of a coin is worth; ``None`` when no market here has a price for it."""
    if coin == QUOTE_COIN:
        return amount
    for name in (SPOT, FUTURES):
        state = core.hub.states.get((name, coin + QUOTE_COIN))
        if state is not None:
            return times(amount, state.last)
    return None


def check(
    core: Core, account: Account, new: NewSpotOrder, pit: Pit, replacing: SpotOrder | None = None
) -> Ticket:
    """Every refusal of an order, without placing it. ``replacing`` is about to go: its money is free.

    What ``new`` has traded of its size already (``filled``) is judged with it, but neither paid for nor traded again.
    """
    if replacing is None or new.client_id != replacing.client_id:
        checks.free_client_id(account, account.spot.clients, new.client_id)
    always = bool(new.client_id) and account.record.client_ids is ClientIds.ALWAYS
    if always and core.store.spot.order_by_client(account.id, new.client_id) is not None:
        raise Refused(Reason.DUPLICATE_CLIENT_ID, new.client_id)
    state = open_market(core, new.symbol)
    if replacing is None:
        checks.room(account.spot.orders.values(), new.symbol, MOST_ORDERS)
    if new.trigger is not None:
        checks.tick(state.spec, new.trigger, "triggerPrice")
    if new.type is OrderType.LIMIT:
        _limit_price(state, new)
    reference = new.price or new.trigger or state.last
    _size(core, state, new, reference)
    long = PositionSide.LONG if new.side is Side.BUY else PositionSide.SHORT
    checks.preset(state.spec, new.preset, long, reference)
    if new.preset != Preset() and len(account.spot.plans) >= MOST_PLANS:
        raise Refused(Reason.TOO_MANY_PLANS, str(MOST_PLANS))
    if new.filled:
        new = msgspec.structs.replace(new, size=minus(new.size, new.filled))
    ticket = _ticket(account, pit, new)
    available = free(core, account, state.spec.quote if new.side is Side.BUY else state.spec.base)
    if replacing is not None:
        available = plus(available, replacing.locked)
    if _needed(new, ticket) > available:
        raise Refused(Reason.NO_BALANCE, text(max(ZERO, available)))
    return ticket


def _limit_price(state: MarketState, new: NewSpotOrder) -> None:
    """On the tick, and inside the band around the last price (around the trigger of one that waits)."""
    if new.price is None:
        raise Refused(Reason.BAD_VALUE, "price")
    checks.tick(state.spec, new.price, "price")
    checks.band(state.spec, new.side, new.price, new.trigger or state.last)


def _size(core: Core, state: MarketState, new: NewSpotOrder, price: Decimal) -> None:
    spec = state.spec
    if new.by_value:
        check_budget(new.size)
        value = new.size
        if spec.max_market_size and value > times(price, spec.max_market_size):
            raise Refused(Reason.SIZE_MAXIMUM, text(times(price, spec.max_market_size)))
    else:
        checks.size(spec, new.size, new.type)
        value = times(price, new.size)
    check_worth(core, spec, value)


def check_budget(value: Decimal) -> None:
    """An amount of quote currency to be spent."""
    checks.number(value, "size")
    if decimals(value) > QUOTE_PLACES:
        raise Refused(Reason.SIZE_DECIMALS, str(QUOTE_PLACES))


def check_worth(core: Core, spec: ContractSpec, value: Decimal) -> None:
    """At least the least value of its symbol, which is in USDT; of other quotes as far as there is a price."""
    worth = in_usdt(core, spec.quote, value)
    if worth is not None and worth < spec.min_notional:
        raise Refused(Reason.VALUE_MINIMUM, text(spec.min_notional))


def _ticket(account: Account, pit: Pit, new: NewSpotOrder) -> Ticket:
    state = pit.state
    budget = new.size if new.by_value else ZERO
    if new.trigger is not None:
        return Ticket(state=state, size=ZERO if new.by_value else new.size, budget=budget)
    taker = Taker(account.id, new.side, new.price, new.self_trade)
    if new.by_value:
        meeting, size = bought_for(pit, taker, new.size)
        if meeting.takes and not size:
            raise Refused(Reason.SIZE_MINIMUM, text(state.spec.min_size))
        ticket = Ticket(state=state, size=size, budget=budget, meeting=meeting)
    else:
        meeting, rests = crossing(pit, taker, new.size, new.force)
        ticket = Ticket(state=state, size=new.size, meeting=meeting, rests=rests)
    if new.type is OrderType.MARKET and not ticket.meeting.takes and not ticket.meeting.stopped:
        raise Refused(Reason.NO_LIQUIDITY, new.symbol)
    return ticket


def _needed(new: NewSpotOrder, ticket: Ticket) -> Decimal:
    """What must be available; a limit buy may pay up to its price."""
    if new.side is Side.SELL:
        return ticket.size
    if new.by_value:
        return ticket.budget
    if new.price is not None:
        return times(new.price, ticket.size)
    return sum((times(price, part) for price, part in ticket.meeting.levels), ZERO)


def crossing(pit: Pit, taker: Taker, size: Decimal, force: Force) -> tuple[Meeting, bool]:
    """(what trades at once, whether the remainder rests)."""
    meeting = pit.meet(taker, size)
    if taker.limit is None:
        return meeting, False
    if force is Force.POST_ONLY:
        return Meeting(), not meeting.takes and not meeting.stopped
    if force is Force.FOK and meeting.size < size:
        return Meeting(), False
    return meeting, force is Force.GTC


def bought_for(pit: Pit, taker: Taker, budget: Decimal) -> tuple[Meeting, Decimal]:
    """(what ``budget`` of quote currency buys at once, the size of the order in base coin).

    Sizes are cut down to the step; the change that buys no further step stays with the buyer. When
    the market ends first, the size counts what is left at the last price, so that the order is not full.
    """
    step = pit.state.spec.step
    first = pit.meet(taker, step)
    if not first.takes:
        return first, ZERO
    found = pit.meet(taker, plus(divided(budget, first.takes[0].price), step))
    left, bought = budget, Meeting([], found.stopped)
    for one in found.takes:
        part = min(one.size, _affordable(left, one.price, step))
        if part <= 0 and not one.cancels:
            if not bought.takes:  # there is something to buy, but not for so little
                bought.takes.append(msgspec.structs.replace(one, size=ZERO))
            return bought, bought.size
        bought.takes.append(msgspec.structs.replace(one, size=part))
        left = minus(left, times(one.price, part))
    return bought, plus(bought.size, _affordable(left, bought.takes[-1].price, step))


def _affordable(left: Decimal, price: Decimal, step: Decimal) -> Decimal:
    part = to_step(left / price, step)
    return minus(part, step) if times(price, part) > left else part


def free(core: Core, account: Account, coin: str) -> Decimal:
    """What an order may spend. A unified account's USDT also stands for margins and crossed losses: may be negative."""
    if account.record.unified and coin == QUOTE_COIN:
        return account.funds(core.mark).free
    return account.spot.available(coin)


# locks


def needed(order: SpotOrder) -> Decimal:
    """What a resting or waiting order sets aside, in the coin it pays with."""
    if order.side is Side.SELL:
        return order.remaining
    return order.budget if order.budget else times(order.price, order.remaining)


def affords(core: Core, account: Account, order: SpotOrder, size: Decimal) -> bool:
    """Whether it can still pay for ``size`` of its remainder, what it has set aside included.

    Always, where nothing else draws on what orders lock. In a unified account losses and funding do.
    """
    if not (account.record.unified and order.pays == QUOTE_COIN):
        return True
    part = size if order.side is Side.SELL else order.budget or times(order.price, size)
    return part <= plus(free(core, account, order.pays), order.locked)


def reserve(core: Core, account: Account, order: SpotOrder) -> None:
    """Set aside what the rest of the order needs, no more and no less."""
    _hold(core, account, order, needed(order))


def release(core: Core, account: Account, order: SpotOrder) -> None:
    _hold(core, account, order, ZERO)


def _hold(core: Core, account: Account, order: SpotOrder, amount: Decimal) -> None:
    account.spot.lock(order.pays, minus(amount, order.locked))
    order.locked = amount
    core.batch.spot.touch(account.record, order.pays)
    core.batch.spot.orders[order.id] = order


# money


def settle(
    core: Core, account: Account, order: SpotOrder, price: Decimal, size: Decimal, *, taker: bool, ref: int
) -> Decimal:
    """Book one fill: both coins and the fee. Returns the fee, negative when paid, in ``order.gets``."""
    spec = market(core, order.symbol).spec
    value = times(price, size)
    kind = Kind.SPOT_BUY if order.side is Side.BUY else Kind.SPOT_SELL
    given, got = (value, size) if order.side is Side.BUY else (size, value)
    fee = negated(times(got, spec.taker_fee if taker else spec.maker_fee))
    core.post(account, kind, ref, order.symbol, negated(given), coin=order.pays, wallet=SPOT_WALLET)
    traded = partial(bill, core, account, group="transaction", business=order.side.value, symbol=order.symbol)
    traded(order.pays, negated(given))
    core.post(account, kind, ref, order.symbol, got, coin=order.gets, wallet=SPOT_WALLET)
    core.post(account, Kind.SPOT_FEE, ref, order.symbol, fee, coin=order.gets, wallet=SPOT_WALLET)
    traded(order.gets, got, fee=fee)
    return fee


def bill(
    core: Core,
    account: Account,
    coin: str,
    size: Decimal,
    *,
    group: str,
    business: str,
    fee: Decimal = ZERO,
    symbol: str = "",
) -> None:
    """A line of the spot statement, written after the ledger."""
    core.batch.spot.bills.append(
        Bill(
            id=core.next_id(),
            account=account.id,
            coin=coin,
            group=group,
            business=business,
            size=size,
            fee=fee,
            balance=account.spot.total(coin),
            ns=core.now_ns,
            symbol=symbol,
        )
    )
