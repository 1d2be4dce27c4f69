"""The door: filters that an order passes before anything else happens. All raise :class:`Refused`."""

from __future__ import annotations

import re
from collections.abc import Collection, Container
from decimal import Decimal
from enum import StrEnum

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.contract import ContractSpec
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.model import ClientIds, Order, Preset
from trader.paper.engine.money import LARGEST, MOST_DIGITS, decimals, is_multiple, text, times
from trader.paper.engine.refusals import Reason, Refused

#: bitget.com contract list: maxProductOrderNum and maxSymbolOrderNum.
MOST_ORDERS = 400
MOST_SYMBOL_ORDERS = 200
#: Assumed: the venue refuses with these limits filled in but does not publish them.
MOST_PLANS = 200
MOST_SYMBOL_PLANS = 100
MOST_GUARDS = 100


def number(value: Decimal, name: str) -> None:
    """Positive, finite, and short enough for exact arithmetic."""
    if not value.is_finite() or value < 0 or value > LARGEST or len(value.as_tuple().digits) > MOST_DIGITS:
        raise Refused(Reason.BAD_VALUE, name)


def client_id(core: Core, account: Account, wanted: str) -> None:
    """A client id is unique among *pending* orders only, as on the venue, or among all (a switch)."""
    free_client_id(account, account.clients, wanted)
    always = bool(wanted) and account.record.client_ids is ClientIds.ALWAYS
    if always and core.store.order_by_client(account.id, wanted) is not None:
        raise Refused(Reason.DUPLICATE_CLIENT_ID, wanted)


def free_client_id(account: Account, used: Container[str], wanted: str) -> None:
    """Well formed and not ``used``; empty = the exchange names it."""
    if not wanted:
        return
    well_formed(account, wanted)
    if wanted in used:
        raise Refused(Reason.DUPLICATE_CLIENT_ID, wanted)


def well_formed(account: Account, client_id: str) -> None:
    if not re.fullmatch(account.record.rules.client_id, client_id):
        raise Refused(Reason.BAD_CLIENT_ID, client_id)


def room(orders: Collection[Order], symbol: str, most: int = MOST_ORDERS) -> None:
    """For one more order beside an account's pending ones of a market."""
    if len(orders) >= most:
        raise Refused(Reason.TOO_MANY_ORDERS, str(most))
    if sum(1 for order in orders if order.symbol == symbol) >= MOST_SYMBOL_ORDERS:
        raise Refused(Reason.TOO_MANY_ORDERS, str(MOST_SYMBOL_ORDERS))


def size(spec: ContractSpec, value: Decimal, kind: OrderType) -> None:
    """Decimals, step, minimum and maximum, in base coin."""
    number(value, "size")
    if decimals(value) > spec.size_places:
        raise Refused(Reason.SIZE_DECIMALS, str(spec.size_places))
    if value < spec.min_size:
        raise Refused(Reason.SIZE_MINIMUM, text(spec.min_size))
    if not is_multiple(value, spec.step):
        raise Refused(Reason.SIZE_STEP, text(spec.step))
    largest = spec.max_market_size if kind is OrderType.MARKET else spec.max_size
    if largest and value > largest:
        raise Refused(Reason.SIZE_MAXIMUM, text(largest))


def tick(spec: ContractSpec, price: Decimal, name: str) -> None:
    """Positive and on the price step."""
    number(price, name)
    if not price:
        raise Refused(Reason.BAD_VALUE, name)
    if decimals(price) > spec.price_places:
        raise Refused(Reason.PRICE_DECIMALS, str(spec.price_places))
    if not is_multiple(price, spec.tick):
        raise Refused(Reason.PRICE_TICK, text(spec.tick))


def band(spec: ContractSpec, side: Side, price: Decimal, around: Decimal) -> None:
    """buy <= around (1 + ratio), sell >= around (1 - ratio); ``around`` 0 = not known yet."""
    if not around:
        return
    if side is Side.BUY:
        highest = around * (1 + spec.buy_limit_ratio)
        if price > highest:
            raise Refused(Reason.PRICE_TOO_HIGH, text(highest))
    else:
        lowest = around * (1 - spec.sell_limit_ratio)
        if price < lowest:
            raise Refused(Reason.PRICE_TOO_LOW, text(lowest))


def value(spec: ContractSpec, size: Decimal, price: Decimal) -> None:
    """At least the minimum value in quote currency; closing orders never come here."""
    if times(price, size) < spec.min_notional:
        raise Refused(Reason.VALUE_MINIMUM, text(spec.min_notional))


class Against(StrEnum):
    """What a trigger is judged against; the venue has codes of its own for each."""

    LAST = "last"
    MARK = "mark"
    ORDER = "order"


_WRONG_SIDE = {
    Against.MARK: {
        (PositionSide.LONG, True): Reason.LONG_TAKE_PROFIT_PRICE,
        (PositionSide.SHORT, True): Reason.SHORT_TAKE_PROFIT_PRICE,
        (PositionSide.LONG, False): Reason.LONG_STOP_LOSS_PRICE,
        (PositionSide.SHORT, False): Reason.SHORT_STOP_LOSS_PRICE,
    },
    Against.LAST: {
        (PositionSide.LONG, True): Reason.LONG_TAKE_PROFIT_LAST,
        (PositionSide.SHORT, True): Reason.SHORT_TAKE_PROFIT_LAST,
        (PositionSide.LONG, False): Reason.LONG_STOP_LOSS_LAST,
        (PositionSide.SHORT, False): Reason.SHORT_STOP_LOSS_LAST,
    },
    Against.ORDER: {
        (PositionSide.LONG, True): Reason.LONG_TAKE_PROFIT_ORDER,
        (PositionSide.SHORT, True): Reason.SHORT_TAKE_PROFIT_ORDER,
        (PositionSide.LONG, False): Reason.LONG_STOP_LOSS_ORDER,
        (PositionSide.SHORT, False): Reason.SHORT_STOP_LOSS_ORDER,
    },
}


def trigger(
    side: PositionSide,
    takes_profit: bool,
    price: Decimal,
    reference: Decimal,
    against: Against = Against.MARK,
) -> None:
    """A long takes profit above the reference price and stops below it; a short the other way."""
    above = takes_profit == (side is PositionSide.LONG)
    if price <= reference if above else price >= reference:
        raise Refused(_WRONG_SIDE[against][(side, takes_profit)], text(reference))


def preset(
    spec: ContractSpec,
    wanted: Preset,
    side: PositionSide,
    reference: Decimal,
    against: Against = Against.MARK,
) -> None:
    """Protection that rides on an order, judged against the order's price or that of the market."""
    for price, takes_profit, name in (
        (wanted.take_profit, True, "presetStopSurplusPrice"),
        (wanted.stop_loss, False, "presetStopLossPrice"),
    ):
        if price is not None:
            tick(spec, price, name)
            trigger(side, takes_profit, price, reference, against)
    for price, name in (
        (wanted.take_profit_execute, "presetStopSurplusExecutePrice"),
        (wanted.stop_loss_execute, "presetStopLossExecutePrice"),
    ):
        if price is not None:
            tick(spec, price, name)
