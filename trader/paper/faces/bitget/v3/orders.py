"""Signed v3 order calls: place, modify, cancel, alone and in batches, for contracts and pairs alike."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import VenueRefusedError
from trader.paper.engine import legs
from trader.paper.engine.accounts import Account
from trader.paper.engine.legs import Leg
from trader.paper.engine.model import (
    Force,
    MarginMode,
    NewOrder,
    Order,
    PositionMode,
    Preset,
    Reference,
    SelfTrade,
    closed_by,
    opened_by,
)
from trader.paper.engine.refusals import Refused
from trader.paper.engine.spot_model import NewSpotOrder, SpotOrder
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.v3 import rows
from trader.paper.faces.bitget.v3.calls import (
    Category,
    Row,
    category,
    each,
    optional_category,
    signed_post,
    state_of,
    traded,
    which,
)
from trader.paper.faces.bitget.v3.errors import refusal

_COUNTDOWN_S = range(5, 61)


class Trigger(StrEnum):
    """Which price a trigger watches, in the venue's words."""

    MARKET = "market"
    MARK = "mark"

    @property
    def reference(self) -> Reference:
        return Reference.LAST if self is Trigger.MARKET else Reference.MARK


def margin_mode(params: Params) -> MarginMode:
    return params.choice("marginMode", MarginMode, MarginMode.CROSSED)


class Direction:
    """What ``side``, ``posSide`` and ``reduceOnly`` say together; 25236 when they do not fit the holding mode.

    ``side`` is the true trade side. In hedge mode ``posSide`` names the position, in one-way mode there is
    none to name. ``hedge_close`` is ``None`` in one-way mode.
    """

    def __init__(self, account: Account, params: Params) -> None:
        self.side = params.choice("side", Side)
        reduces, named = params.flag("reduceOnly"), params.text("posSide")
        self.hedge_close: bool | None = None
        self.reduce_only = False
        if account.record.position_mode is PositionMode.ONE_WAY:
            if named:
                raise refusal("25236")
            self.reduce_only = reduces
            return
        if not named:
            raise refusal("25236")
        self.hedge_close = params.choice("posSide", PositionSide) is closed_by(self.side)
        if reduces and not self.hedge_close:
            raise refusal("25236")

    @property
    def closes(self) -> bool:
        return self.reduce_only or bool(self.hedge_close)

    @property
    def position_side(self) -> PositionSide:
        return closed_by(self.side) if self.closes else opened_by(self.side)


def leg(params: Params, name: str, word: str) -> Leg:
    """A take profit (``tp``, takeProfit) or stop loss; a price of 0 is 25602, 25603."""
    trigger = params.decimal(word)
    if trigger is None:
        return Leg()
    if trigger <= 0:
        raise refusal("25602" if name == "tp" else "25603")
    limit = params.choice(f"{name}OrderType", OrderType, OrderType.MARKET) is OrderType.LIMIT
    return Leg(
        trigger=trigger,
        execute=params.need_decimal(f"{name}LimitPrice") if limit else None,
        reference=params.choice(f"{name}TriggerBy", Trigger, Trigger.MARKET).reference,
    )


def preset(params: Params) -> Preset:
    """A take profit and a stop loss that come together are one strategy order."""
    profit, loss = leg(params, "tp", "takeProfit"), leg(params, "sl", "stopLoss")
    both = profit.trigger is not None and loss.trigger is not None
    return msgspec.structs.replace(legs.preset_of(profit, loss), paired=both)


def _new_order(account: Account, params: Params, symbol: str) -> NewOrder:
    kind = params.choice("orderType", OrderType)
    limit = kind is OrderType.LIMIT
    direction = Direction(account, params)
    protection = preset(params)
    if direction.closes and protection != Preset():
        raise refusal("25612")
    return NewOrder(
        symbol=symbol,
        side=direction.side,
        type=kind,
        size=params.need_decimal("qty"),
        margin_mode=margin_mode(params),
        price=params.need_decimal("price") if limit else None,
        force=params.choice("timeInForce", Force, Force.GTC) if limit else Force.GTC,
        client_id=params.text("clientOid"),
        hedge_close=direction.hedge_close,
        reduce_only=direction.reduce_only,
        self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
        preset=protection,
    )


def _new_spot_order(params: Params, symbol: str) -> NewSpotOrder:
    """The ``qty`` of a market buy is quote currency, every other one base coin. Pairs have no protection."""
    kind, side = params.choice("orderType", OrderType), params.choice("side", Side)
    limit = kind is OrderType.LIMIT
    if preset(params) != Preset():
        raise refusal("25593")
    return NewSpotOrder(
        symbol=symbol,
        side=side,
        type=kind,
        size=params.need_decimal("qty"),
        price=params.need_decimal("price") if limit else None,
        force=params.choice("timeInForce", Force, Force.GTC) if limit else Force.GTC,
        client_id=params.text("clientOid"),
        self_trade=params.choice("stpMode", SelfTrade, SelfTrade.NONE),
        by_value=not limit and side is Side.BUY,
    )


def _place(call: Call, params: Params) -> Row:
    found, state = traded(call, params)
    if found is Category.SPOT:
        order = call.engine.spot.place(call.account, _new_spot_order(params, state.symbol))
        return rows.placed(order)
    placed = call.engine.place(call.account, _new_order(call.account, params, state.symbol))
    row = rows.placed(placed.order)
    if placed.displaced:
        row["orderId"] = None  # documented: with older reduce-only orders cancelled there is no id
    return row


@signed_post("trade/place-order")
def place_order(call: Call) -> object:
    return _place(call, call.params)


@signed_post("trade/place-batch", 5, listed=True)
def place_orders(call: Call) -> object:
    """Up to 20 of one category, each by itself; the code stays 00000."""
    return each(call, lambda item: _place(call, item))


# orders that are open


def pending(call: Call, params: Params) -> Order:
    """The open order that a call names, by category when it says one; 25204 when there is none."""
    number, name = which(params)
    found = optional_category(params)
    order: Order | None = None
    if found in (None, Category.FUTURES):
        order = call.engine.pending(call.account, number, name)
    if order is None and found in (None, Category.SPOT):
        order = call.engine.spot.pending(call.account, number, name)
    if order is None:
        raise refusal("25204")
    return order


def _modify(call: Call, params: Params) -> Row:
    """The order keeps its id. ``autoCancel`` yes: one that cannot be changed is cancelled."""
    size, price = params.decimal("qty"), params.decimal("price")
    if size is None and price is None:
        raise refusal("400172", "qty, price")
    cancels, order = params.flag("autoCancel"), pending(call, params)
    if order.reduce_only or order.type is not OrderType.LIMIT:
        raise refusal("25568")
    size = order.size if size is None else size
    price = order.price if price is None else price
    if size < order.filled:
        raise refusal("25568")
    try:
        if isinstance(order, SpotOrder):
            call.engine.spot.amend(call.account, order, size, price)
        else:
            call.engine.amend(call.account, order, size, price)
    except (Refused, VenueRefusedError):
        if cancels:
            _cancel_one(call, order)
        raise
    return rows.placed(order)


@signed_post("trade/modify-order")
def modify_order(call: Call) -> object:
    return _modify(call, call.params)


@signed_post("trade/batch-modify-order", listed=True)
def modify_orders(call: Call) -> object:
    return each(call, lambda item: _modify(call, item))


def _cancel_one(call: Call, order: Order) -> None:
    if isinstance(order, SpotOrder):
        call.engine.spot.cancel(call.account, order)
    else:
        call.engine.cancel(call.account, order)


def _cancel(call: Call, params: Params) -> Row:
    order = pending(call, params)
    _cancel_one(call, order)
    return rows.placed(order)


@signed_post("trade/cancel-order")
def cancel_order(call: Call) -> object:
    return _cancel(call, call.params)


@signed_post("trade/cancel-batch", 5, listed=True)
def cancel_orders(call: Call) -> object:
    return each(call, lambda item: _cancel(call, item))


@signed_post("trade/cancel-symbol-order", 5)
def cancel_all(call: Call) -> object:
    """Every open order of a category, or of one symbol of it; none is a success too."""
    found, symbol = category(call.params), call.params.text("symbol").upper()
    if symbol and found.market is not None:
        state_of(call, found.market, symbol)
    done: list[Order] = []
    if found is Category.FUTURES:
        done += call.engine.cancel_all(call.account, symbol)
    elif found is Category.SPOT:
        done += call.engine.spot.cancel_all(call.account, symbol)
    return {"list": [rows.placed(order) for order in done]}


@signed_post("trade/countdown-cancel-all", 1)
def countdown(call: Call) -> object:
    """Every open order of the account, unless this is called again in time; 0 stops it."""
    seconds = call.params.integer("countdown") if call.params.need("countdown") else 0
    if seconds and seconds not in _COUNTDOWN_S:
        raise refusal("400172", "countdown")
    call.engine.countdown(call.account, "", seconds * 1_000_000_000)
    return "success"
