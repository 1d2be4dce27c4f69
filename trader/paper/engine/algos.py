"""Algo orders: stop, take profit and trailing orders that become an order of their client at their price.

Nothing is reserved for them while they wait and no position is needed; what cannot be placed when the price
comes (money, nothing to reduce, an empty book) fails then. The order that one becomes is followed: it is
triggered while that order lives and finished afterwards.

A stop that buys waits for a rise, a take profit that buys for a fall; those that sell the other way round.
A trailing one that sells follows the highest price since its activation, one that buys the lowest, and
fires when the price has turned ``ratio`` percent. One that ``closes_all`` closes what is held when its price
comes, and ends with the position; each side of a position has at most one stop and one take profit of that
sort.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.engine import checks, placing, plans, statuses
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import (
    Force,
    NewOrder,
    Plan,
    PlanKind,
    PlanState,
    PositionMode,
    PriceMatch,
    Reference,
    SelfTrade,
    Source,
    closed_by,
    opened_by,
)
from trader.paper.engine.money import ZERO, decimals, text
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState

#: Callback of a trailing order, percent.
SMALLEST_RATIO = Decimal("0.1")
LARGEST_RATIO = Decimal(10)
_RATIO_PLACES = 2
#: How far last and mark price may be apart when a price-protected one is reached.
TRIGGER_PROTECT = Decimal("0.05")


class NewAlgo(msgspec.Struct, frozen=True, kw_only=True):
    """An algo order as a face hands it in: the order that it becomes, and when.

    ``side`` is the true trade side; ``price`` and ``match`` without a value = at market. ``trigger`` is the
    price of activation of a trailing one, ``None`` = active at once. ``expires_ns`` ends it, or its order.
    """

    symbol: str
    kind: PlanKind
    side: Side
    size: Decimal = ZERO
    trigger: Decimal | None = None
    reference: Reference = Reference.LAST
    price: Decimal | None = None
    match: PriceMatch = PriceMatch.NONE
    force: Force = Force.GTC
    ratio: Decimal = ZERO
    hedge_close: bool | None = None
    reduce_only: bool = False
    closes_all: bool = False
    price_protect: bool = False
    self_trade: SelfTrade = SelfTrade.NONE
    client_id: str = ""
    expires_ns: int = 0

    @property
    def closes(self) -> bool:
        return bool(self.hedge_close) or self.reduce_only or self.closes_all

    @property
    def position_side(self) -> PositionSide:
        return closed_by(self.side) if self.closes else opened_by(self.side)

    @property
    def limit(self) -> bool:
        return self.price is not None or self.match is not PriceMatch.NONE

    @property
    def rising(self) -> bool:
        """Whether the price must rise to the trigger."""
        if self.kind.trails:
            return plans.trail_rises(self.side)
        return (self.side is Side.BUY) == (self.kind is PlanKind.ALGO_STOP)


def check(core: Core, account: Account, new: NewAlgo) -> MarketState:
    """Every refusal of :func:`place`. Money and positions are looked at when its price has come."""
    state = core.state(new.symbol)
    statuses.admit(state, closing=new.closes)
    checks.free_client_id(account, account.plan_clients, new.client_id)
    if account.record.position_mode is PositionMode.HEDGE and new.hedge_close is None:
        raise Refused(Reason.MODE_MISMATCH)
    if new.expires_ns and new.expires_ns <= core.now_ns:
        raise Refused(Reason.BAD_VALUE, "expires")
    _check_prices(state, new)
    if new.closes_all:
        _check_closing(account, new)
    else:
        _check_size(state, new)
    plans.check_room(account, new.symbol, new.kind)
    return state


def _check_closing(account: Account, new: NewAlgo) -> None:
    if new.size or new.limit or new.kind.trails or new.reduce_only:
        raise Refused(Reason.PLAN_PARAMETER, "closePosition")
    if account.record.position_mode is PositionMode.HEDGE and not new.hedge_close:
        raise Refused(Reason.PLAN_PARAMETER, "closePosition")
    for plan in account.plans.values():
        same = (plan.symbol, plan.kind, plan.side) == (new.symbol, new.kind, new.position_side)
        if plan.closes_all and same:
            raise Refused(Reason.CLOSING_PLAN_EXISTS, new.symbol)


def _check_size(state: MarketState, new: NewAlgo) -> None:
    plans.plan_size(state.spec, new.size, OrderType.LIMIT if new.limit else OrderType.MARKET)
    if not new.closes:
        at = new.price or new.trigger or plans.reference_price(state, new.reference)
        checks.value(state.spec, new.size, at)


def _check_prices(state: MarketState, new: NewAlgo) -> None:
    if new.price is not None:
        checks.tick(state.spec, new.price, "price")
        if new.match is not PriceMatch.NONE:
            raise Refused(Reason.PLAN_PARAMETER, "priceMatch")
    if new.kind.trails:
        if new.limit:
            raise Refused(Reason.PLAN_PARAMETER, "price")
        checks.number(new.ratio, "callbackRate")
        if not SMALLEST_RATIO <= new.ratio <= LARGEST_RATIO or decimals(new.ratio) > _RATIO_PLACES:
            raise Refused(Reason.BAD_RATIO, text(new.ratio))
        if new.trigger is None:
            return
    elif new.ratio:
        raise Refused(Reason.PLAN_PARAMETER, "callbackRate")
    if new.trigger is None:
        raise Refused(Reason.BAD_VALUE, "triggerPrice")
    checks.tick(state.spec, new.trigger, "triggerPrice")
    price = plans.reference_price(state, new.reference)
    if price >= new.trigger if new.rising else price <= new.trigger:
        raise Refused(Reason.TRIGGERS_AT_ONCE, text(price))


def place(core: Core, account: Account, new: NewAlgo) -> Plan:
    state = check(core, account, new)
    price = plans.reference_price(state, new.reference)
    if new.kind.trails:
        # The trails that are there must have seen the price at which a new one may start.
        for group in core.watching("futures", new.symbol).move(new.reference, price):
            plans.keep(core, group)
    active = new.trigger is None
    return plans.add(
        core,
        account,
        Plan(
            id=core.next_id(),
            account=account.id,
            symbol=new.symbol,
            client_id=new.client_id or str(core.next_id()),
            kind=new.kind,
            side=new.position_side,
            trigger=price if new.trigger is None else new.trigger,
            reference=new.reference,
            execute=new.price,
            size=new.size,
            mode=account.record.position_mode,
            margin_mode=account.settings(state.spec).margin_mode,
            created_ns=core.now_ns,
            updated_ns=core.now_ns,
            trade=new.side,
            hedge_close=new.hedge_close,
            reduce_only=new.reduce_only,
            rising=new.rising,
            ratio=new.ratio,
            active=active,
            extreme=price if active else ZERO,
            self_trade=new.self_trade,
            force=new.force,
            match=new.match,
            expires_ns=new.expires_ns,
            closes_all=new.closes_all,
            price_protect=new.price_protect,
        ),
    )


def fire(core: Core, account: Account, state: MarketState, plan: Plan) -> None:
    """Its price has come: place its order as if the client did now, or fail."""
    plan.triggered_ns = core.now_ns
    plans.end(core, account, plan, PlanState.TRIGGERING)
    try:
        new = _order(account, state, plan)
        ticket = placing.check(core, account, new)
    except Refused as refused:
        plan.failure, plan.failure_detail = refused.reason.value, refused.detail
        plans.step(core, account, plan, PlanState.FAILED)
        return
    account.fired[plan.id] = plan
    placing.carry_out(core, account, new, ticket, state)


def _order(account: Account, state: MarketState, plan: Plan) -> NewOrder:
    """Raises ``Refused`` when there is nothing to close, or no price to be had."""
    assert plan.trade is not None
    if plan.price_protect and abs(state.last - state.mark) > TRIGGER_PROTECT * state.mark:
        raise Refused(Reason.PRICES_APART, plan.symbol)
    size = plan.size
    if plan.closes_all:
        position = account.positions.get((plan.symbol, plan.side))
        if position is None:
            raise Refused(Reason.NO_POSITION, plan.symbol)
        size = position.size
    limit = plan.execute is not None or plan.match is not PriceMatch.NONE
    name = str(plan.id)
    hedge = plan.mode is PositionMode.HEDGE
    order = NewOrder(
        symbol=plan.symbol,
        side=plan.trade,
        type=OrderType.LIMIT if limit else OrderType.MARKET,
        size=size,
        margin_mode=account.settings(state.spec).margin_mode,
        price=plan.execute,
        force=plan.force if limit else Force.GTC,
        client_id="" if name in account.clients else name,
        hedge_close=plan.hedge_close,
        reduce_only=(plan.reduce_only or plan.closes_all) and not hedge,
        self_trade=plan.self_trade,
        source=Source.TRAILING_ENTRY if plan.kind.trails else Source.TRIGGER,
        strict=True,
        match=plan.match,
        expires_ns=plan.expires_ns if limit else 0,
        plan_id=plan.id,
        closes_all=plan.closes_all,
    )
    return placing.priced(state, order)
