"""Bitget classic v2 futures: every request as a :class:`Call`, without socket, clock or key.

The venue's two order forms live here and nowhere else. In hedge mode ``side`` names the position
(closing a long is **buy**/close), in one-way mode it is the trade side and ``reduceOnly`` is YES or NO.
Callers speak of the true trade side and of ``reduce_only``, always.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.instrument import Instrument
from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import RefusedError
from trader.net.request import build_get
from trader.venues.bitget import forms
from trader.venues.bitget.forms import MARGIN_COIN, PAGE, PRODUCT
from trader.venues.model import Call, Force, MarginMode, PositionMode, Protection, Trigger, position_of
from trader.venues.numbers import passive_price, plain

PLACE_ORDER = "/api/v2/mix/order/place-order"

_POSITION_MODE = {PositionMode.HEDGE: "hedge_mode", PositionMode.ONE_WAY: "one_way_mode"}


#: The venue's words for protection of a whole position, and for the price that sets a trigger off.
PROTECTION = {Protection.TAKE_PROFIT: "pos_profit", Protection.STOP: "pos_loss"}
TRIGGER = {Trigger.MARK: "mark_price", Trigger.LAST: "fill_price"}


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

    ``take_profit`` and ``stop`` are trigger prices that the venue turns into market orders. Raises
    :class:`RefusedError` for an order that cannot be built; nothing else is checked here.
    """
    body = {
        "symbol": forms.symbol(instrument.symbol),
        "productType": PRODUCT,
        "marginMode": margin_mode.value,
        "marginCoin": MARGIN_COIN,
        "size": plain(forms.order_size(instrument, size)),
        "orderType": order_type.value,
        "clientOid": forms.client_id(client_id),
    }
    if position_mode is PositionMode.HEDGE:
        body["side"] = "buy" if position_of(side, reduce_only=reduce_only) is PositionSide.LONG else "sell"
        body["tradeSide"] = "close" if reduce_only else "open"
    else:
        body["side"] = side.value
        body["reduceOnly"] = "YES" if reduce_only else "NO"
    if order_type is OrderType.LIMIT:
        if price is None:
            raise RefusedError("price", "a limit order needs a price")
        body["price"] = forms.price(passive_price(price, instrument.tick, side))
        body["force"] = force.value
    elif price is not None:
        raise RefusedError("price", "a market order has no price")
    if take_profit is not None:
        body["presetStopSurplusPrice"] = forms.trigger(take_profit, instrument)
    if stop is not None:
        body["presetStopLossPrice"] = forms.trigger(stop, instrument)
    return Call(PLACE_ORDER, msgspec.json.encode(body))


def place_protection(
    instrument: Instrument,
    *,
    kind: Protection,
    position: PositionSide,
    position_mode: PositionMode,
    trigger_price: Decimal,
    client_id: str,
    trigger: Trigger = Trigger.MARK,
) -> Call:
    """Take profit or stop of a whole position, at market. In one-way mode the venue calls a long "buy"."""
    hold_side = position.value
    if position_mode is PositionMode.ONE_WAY:
        hold_side = "buy" if position is PositionSide.LONG else "sell"
    return forms.post(
        "/api/v2/mix/order/place-tpsl-order",
        symbol=forms.symbol(instrument.symbol),
        productType=PRODUCT,
        marginCoin=MARGIN_COIN,
        planType=PROTECTION[kind],
        triggerPrice=forms.trigger(trigger_price, instrument),
        triggerType=TRIGGER[trigger],
        executePrice="0",
        holdSide=hold_side,
        clientOid=forms.client_id(client_id),
    )


def cancel_order(symbol: str, *, client_id: str = "", order_id: str = "") -> Call:
    return forms.post(
        "/api/v2/mix/order/cancel-order",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        marginCoin=MARGIN_COIN,
        **forms.identity(client_id, order_id),
    )


def cancel_protection(symbol: str, kind: Protection, order_ids: list[str]) -> Call:
    """Cancel protection orders by the venue's ids."""
    body = {
        "symbol": forms.symbol(symbol),
        "productType": PRODUCT,
        "marginCoin": MARGIN_COIN,
        "planType": PROTECTION[kind],
        "orderIdList": [{"orderId": order_id} for order_id in order_ids],
    }
    return Call("/api/v2/mix/order/cancel-plan-order", msgspec.json.encode(body))


def close_positions(symbol: str, position: PositionSide | None = None) -> Call:
    """Close at market. ``position`` only in hedge mode; without it both sides. The venue allows 1 a second."""
    return forms.post(
        "/api/v2/mix/order/close-positions",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        holdSide="" if position is None else position.value,
    )


def set_leverage(symbol: str, leverage: int, *, margin_mode: MarginMode, position_mode: PositionMode) -> Call:
    """Both sides alike. Isolated hedge mode has a leverage per side, everything else one."""
    if margin_mode is MarginMode.ISOLATED and position_mode is PositionMode.HEDGE:
        sides = {"longLeverage": str(leverage), "shortLeverage": str(leverage)}
    else:
        sides = {"leverage": str(leverage)}
    return forms.post(
        "/api/v2/mix/account/set-leverage",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        marginCoin=MARGIN_COIN,
        **sides,
    )


def set_margin_mode(symbol: str, margin_mode: MarginMode) -> Call:
    return forms.post(
        "/api/v2/mix/account/set-margin-mode",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        marginCoin=MARGIN_COIN,
        marginMode=margin_mode.value,
    )


def set_position_mode(position_mode: PositionMode) -> Call:
    """For the whole product; refused while anything is open."""
    return forms.post(
        "/api/v2/mix/account/set-position-mode", productType=PRODUCT, posMode=_POSITION_MODE[position_mode]
    )


def order_detail(symbol: str, *, client_id: str = "", order_id: str = "") -> Call:
    return forms.get(
        "/api/v2/mix/order/detail",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        **forms.identity(client_id, order_id),
    )


def orders_pending(*, symbol: str = "", before: str = "") -> Call:
    """One page of resting orders; ``before`` is the ``end_id`` of the page before."""
    return _page("/api/v2/mix/order/orders-pending", symbol=symbol, before=before)


def orders_history(*, symbol: str = "", client_id: str = "", before: str = "", start_ms: int = 0) -> Call:
    return _page(
        "/api/v2/mix/order/orders-history",
        symbol=symbol,
        before=before,
        start_ms=start_ms,
        clientOid=client_id,
    )


def fills(*, symbol: str = "", order_id: str = "", before: str = "", start_ms: int = 0) -> Call:
    return _page("/api/v2/mix/order/fills", symbol=symbol, before=before, start_ms=start_ms, orderId=order_id)


def protection_pending(*, symbol: str = "", before: str = "") -> Call:
    """One page of resting protection of all kinds."""
    return _page(
        "/api/v2/mix/order/orders-plan-pending", symbol=symbol, before=before, planType="profit_loss"
    )


def all_positions() -> Call:
    return forms.get("/api/v2/mix/position/all-position", productType=PRODUCT, marginCoin=MARGIN_COIN)


def single_position(symbol: str) -> Call:
    return forms.get(
        "/api/v2/mix/position/single-position",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        marginCoin=MARGIN_COIN,
    )


def accounts() -> Call:
    return forms.get("/api/v2/mix/account/accounts", productType=PRODUCT)


def account(symbol: str) -> Call:
    """With the modes and leverages of that symbol."""
    return forms.get(
        "/api/v2/mix/account/account",
        symbol=forms.symbol(symbol),
        productType=PRODUCT,
        marginCoin=MARGIN_COIN,
    )


def key_info() -> Call:
    """The cheap question whether a key is valid and what it may do."""
    return forms.get("/api/v2/spot/account/info")


def contracts() -> Call:
    return forms.get("/api/v2/mix/market/contracts", productType=PRODUCT)


def tickers() -> Call:
    return forms.get("/api/v2/mix/market/tickers", productType=PRODUCT)


def server_time() -> Call:
    return forms.get("/api/v2/public/time")


def public(call: Call, host: str) -> bytes:
    """The bytes of a call that needs no key."""
    return build_get(host, call.path, {"User-Agent": "kestrel", "Accept": "application/json"})


def _page(path: str, *, symbol: str, before: str, start_ms: int = 0, **more: str) -> Call:
    return forms.get(
        path,
        productType=PRODUCT,
        symbol=forms.symbol(symbol) if symbol else "",
        idLessThan=before,
        startTime=str(start_ms) if start_ms else "",
        limit=str(PAGE),
        **more,
    )
