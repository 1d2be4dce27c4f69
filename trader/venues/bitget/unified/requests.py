"""Bitget unified accounts (v3), USDT futures: every request as a :class:`Call`, without socket, clock or key.

``side`` is the true trade side here. In hedge mode ``posSide`` names the position, so that closing a long
is sell/long; in one-way mode ``reduceOnly`` says it. Margin mode is told with each order (the venue's
default is crossed) and with each leverage. Prices, instruments and time are asked on the v2 public paths.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.instrument import Instrument
from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import RefusedError
from trader.venues.bitget import forms
from trader.venues.bitget.forms import PAGE, PRODUCT
from trader.venues.model import Call, Force, MarginMode, PositionMode, Protection, Trigger, position_of
from trader.venues.numbers import passive_price, plain

PLACE_ORDER = "/api/v3/trade/place-order"

#: The venue's words for which price sets a trigger off.
TRIGGER = {Trigger.MARK: "mark", Trigger.LAST: "market"}
HOLD_MODE = {PositionMode.HEDGE: "hedge_mode", PositionMode.ONE_WAY: "one_way_mode"}


def place_order(
    instrument: Instrument,
    *,
    side: Side,
    size: Decimal,
    client_id: str,
    position_mode: PositionMode,
    margin_mode: MarginMode,
    order_type: OrderType = OrderType.MARKET,
    price: Decimal | None = None,
    force: Force = Force.GTC,
    reduce_only: bool = False,
    take_profit: Decimal | None = None,
    stop: Decimal | None = None,
) -> Call:
    """A new order. Size is floored to the step, prices go to the tick (a limit never pays more than asked).

    ``take_profit`` and ``stop`` are trigger prices that the venue turns into market orders; only orders
    that open may carry them. Raises :class:`RefusedError` for an order that cannot be built.
    """
    body = {
        "category": PRODUCT,
        "symbol": forms.symbol(instrument.symbol),
        "qty": plain(forms.order_size(instrument, size)),
        "side": side.value,
        "orderType": order_type.value,
        "marginMode": margin_mode.value,
        "clientOid": forms.client_id(client_id),
    }
    if position_mode is PositionMode.HEDGE:
        body["posSide"] = position_of(side, reduce_only=reduce_only).value
    else:
        body["reduceOnly"] = "yes" if reduce_only else "no"
    if order_type is OrderType.LIMIT:
        if price is None:
            raise RefusedError("price", "a limit order needs a price")
        body["price"] = forms.price(passive_price(price, instrument.tick, side))
        body["timeInForce"] = force.value
    elif price is not None:
        raise RefusedError("price", "a market order has no price")
    if reduce_only and (take_profit is not None or stop is not None):
        raise RefusedError("protection", "only an order that opens may carry a take profit or stop")
    if take_profit is not None:
        body |= _leg(Protection.TAKE_PROFIT, forms.trigger(take_profit, instrument), Trigger.LAST)
    if stop is not None:
        body |= _leg(Protection.STOP, forms.trigger(stop, instrument), Trigger.LAST)
    return Call(PLACE_ORDER, msgspec.json.encode(body))


def place_protection(
    instrument: Instrument,
    *,
    kind: Protection,
    position: PositionSide,
    trigger_price: Decimal,
    client_id: str,
    trigger: Trigger = Trigger.MARK,
) -> Call:
    """Take profit or stop of a whole position, at market: a strategy order of type ``tpsl``, mode ``full``.

    ``posSide`` is named in both modes: the position is what is protected.
    """
    return forms.post(
        "/api/v3/trade/place-strategy-order",
        category=PRODUCT,
        symbol=forms.symbol(instrument.symbol),
        type="tpsl",
        tpslMode="full",
        posSide=position.value,
        clientOid=forms.client_id(client_id),
        **_leg(kind, forms.trigger(trigger_price, instrument), trigger),
    )


def _leg(kind: Protection, price: str, trigger: Trigger) -> dict[str, str]:
    if kind is Protection.TAKE_PROFIT:
        return {"takeProfit": price, "tpTriggerBy": TRIGGER[trigger], "tpOrderType": "market"}
    return {"stopLoss": price, "slTriggerBy": TRIGGER[trigger], "slOrderType": "market"}


def cancel_order(*, client_id: str = "", order_id: str = "") -> Call:
    return forms.post("/api/v3/trade/cancel-order", category=PRODUCT, **forms.identity(client_id, order_id))


def cancel_protection(order_id: str) -> Call:
    """Cancel a strategy order: with a take profit and a stop in it, both."""
    return forms.post("/api/v3/trade/cancel-strategy-order", orderId=order_id)


def set_leverage(
    symbol: str, leverage: int, *, margin_mode: MarginMode, position_mode: PositionMode
) -> list[Call]:
    """Both sides alike. Isolated leverage is set per side, and ``posSide`` is required with it."""
    sides: tuple[PositionSide | None, ...] = (None,)
    if margin_mode is MarginMode.ISOLATED:
        hedge = position_mode is PositionMode.HEDGE
        sides = (PositionSide.LONG, PositionSide.SHORT) if hedge else (PositionSide.LONG,)
    return [
        forms.post(
            "/api/v3/account/set-leverage",
            category=PRODUCT,
            symbol=forms.symbol(symbol),
            leverage=str(leverage),
            marginMode=margin_mode.value,
            posSide="" if side is None else side.value,
        )
        for side in sides
    ]


def set_hold_mode(position_mode: PositionMode) -> Call:
    """For the whole account; refused while anything is open."""
    return forms.post("/api/v3/account/set-hold-mode", holdMode=HOLD_MODE[position_mode])


def order_info(*, client_id: str = "", order_id: str = "") -> Call:
    return forms.get("/api/v3/trade/order-info", **forms.identity(client_id, order_id))


def orders_unfilled(*, symbol: str = "", cursor: str = "") -> Call:
    """One page of resting orders; ``cursor`` comes from the page before."""
    return _page("/api/v3/trade/unfilled-orders", cursor=cursor, symbol=symbol)


def orders_history(*, symbol: str, cursor: str = "", start_ms: int = 0) -> Call:
    return _page("/api/v3/trade/history-orders", cursor=cursor, symbol=symbol, start_ms=start_ms)


def fills(*, order_id: str = "", cursor: str = "", start_ms: int = 0) -> Call:
    """Fills of one order, or of all symbols: they cannot be asked for by symbol."""
    return _page("/api/v3/trade/fills", cursor=cursor, start_ms=start_ms, orderId=order_id)


def positions(symbol: str = "") -> Call:
    return forms.get(
        "/api/v3/position/current-position", category=PRODUCT, symbol=forms.symbol(symbol) if symbol else ""
    )


def positions_history(*, symbol: str, start_ms: int) -> Call:
    """The newest closed positions of a symbol since ``start_ms``."""
    return _page("/api/v3/position/history-position", symbol=symbol, start_ms=start_ms)


def protection_unfilled() -> Call:
    """All resting strategy orders that protect; the venue answers with one list, of all symbols."""
    return forms.get("/api/v3/trade/unfilled-strategy-orders", category=PRODUCT, type="tpsl")


def protection_history(*, cursor: str = "") -> Call:
    """One page of strategy orders that ended, newest first, of all symbols."""
    return _page("/api/v3/trade/history-strategy-orders", cursor=cursor, type="tpsl")


def protection_orders(order_id: str) -> Call:
    """The orders that a strategy order became."""
    return forms.get("/api/v3/trade/strategy-sub-orders", orderId=order_id)


def settings() -> Call:
    """How the account holds positions. A key of a classic account is refused with 40084."""
    return forms.get("/api/v3/account/settings")


def assets() -> Call:
    return forms.get("/api/v3/account/assets")


def _page(path: str, *, cursor: str = "", symbol: str = "", start_ms: int = 0, **more: str) -> Call:
    return forms.get(
        path,
        category=PRODUCT,
        symbol=forms.symbol(symbol) if symbol else "",
        startTime=str(start_ms) if start_ms else "",
        limit=str(PAGE),
        cursor=cursor,
        **more,
    )
