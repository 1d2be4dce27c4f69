"""Binance USD-M futures: every request as a :class:`Call`, without socket, clock or key.

Orders carry the true trade side. In hedge mode ``positionSide`` names the position and ``reduceOnly`` is
refused; in one-way mode it is the other way round. Conditional orders are *algo* orders with ids, lists
and calls of their own.
"""

from __future__ import annotations

import re
from decimal import Decimal
from urllib.parse import quote

from shared.domain.instrument import Instrument
from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import RefusedError
from trader.net.request import build_get
from trader.venues.model import Call, Force, MarginMode, PositionMode, Protection, Trigger, position_of
from trader.venues.numbers import floor_to, nearest, passive_price, plain

ORDER = "/fapi/v1/order"
ALGO_ORDER = "/fapi/v1/algoOrder"
LISTEN_KEY = "/fapi/v1/listenKey"
#: Rows that one page of orders, fills or income holds at most.
PAGE = 1000

_PLAIN = re.compile(r"[0-9A-Za-z._~-]*")
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_SIDE = {Side.BUY: "BUY", Side.SELL: "SELL"}
_POSITION = {PositionSide.LONG: "LONG", PositionSide.SHORT: "SHORT"}
_FORCE = {Force.GTC: "GTC", Force.IOC: "IOC", Force.FOK: "FOK", Force.POST_ONLY: "GTX"}
_MARGIN = {MarginMode.ISOLATED: "ISOLATED", MarginMode.CROSSED: "CROSSED"}
_PROTECTION = {Protection.TAKE_PROFIT: "TAKE_PROFIT_MARKET", Protection.STOP: "STOP_MARKET"}
_TRIGGER = {Trigger.MARK: "MARK_PRICE", Trigger.LAST: "CONTRACT_PRICE"}


def order_size(instrument: Instrument, size: Decimal) -> Decimal:
    """The size floored to the step; :class:`RefusedError` when nothing tradable is left."""
    floored = floor_to(size, instrument.step)
    if floored <= 0 or floored < instrument.min_size:
        raise RefusedError(
            "min_size",
            f"{plain(size)} {instrument.base} is below the smallest order of {instrument.symbol}, "
            f"{plain(instrument.min_size)}",
        )
    return floored


def place_order(
    instrument: Instrument,
    *,
    side: Side,
    size: Decimal,
    client_id: str,
    position_mode: PositionMode,
    order_type: OrderType = OrderType.MARKET,
    price: Decimal | None = None,
    force: Force = Force.GTC,
    reduce_only: bool = False,
) -> Call:
    """A new order. Size is floored to the step, prices go to the tick (a limit never pays more than asked).

    The answer is asked for at once (``ACK``), not after the fills. Raises :class:`RefusedError` for an
    order that cannot be built; nothing else is checked here.
    """
    fields = {"symbol": instrument.symbol, "side": _SIDE[side]}
    if position_mode is PositionMode.HEDGE:
        fields["positionSide"] = _POSITION[position_of(side, reduce_only=reduce_only)]
    elif reduce_only:
        fields["reduceOnly"] = "true"
    if order_type is OrderType.LIMIT:
        if price is None:
            raise RefusedError("price", "a limit order needs a price")
        fields |= {
            "type": "LIMIT",
            "timeInForce": _FORCE[force],
            "price": _price(passive_price(price, instrument.tick, side)),
        }
    elif price is not None:
        raise RefusedError("price", "a market order has no price")
    else:
        fields["type"] = "MARKET"
    fields |= {
        "quantity": plain(order_size(instrument, size)),
        "newClientOrderId": _client_id(client_id),
        "newOrderRespType": "ACK",
    }
    return _call("POST", ORDER, fields)


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
    """Take profit or stop of a whole position, at market; without size, and it dies with the position."""
    fields = {
        "algoType": "CONDITIONAL",
        "symbol": instrument.symbol,
        "side": _SIDE[Side.SELL if position is PositionSide.LONG else Side.BUY],
        "type": _PROTECTION[kind],
        "triggerPrice": _price(nearest(trigger_price, instrument.tick)),
        "workingType": _TRIGGER[trigger],
        "closePosition": "true",
        "clientAlgoId": _client_id(client_id),
    }
    if position_mode is PositionMode.HEDGE:
        fields["positionSide"] = _POSITION[position]
    return _call("POST", ALGO_ORDER, fields)


def cancel_order(symbol: str, *, client_id: str = "", order_id: str = "") -> Call:
    return _call("DELETE", ORDER, {"symbol": symbol, **_identity(client_id, order_id)})


def cancel_protection(algo_id: str) -> Call:
    return _call("DELETE", ALGO_ORDER, {"algoId": algo_id})


def set_margin_mode(symbol: str, margin_mode: MarginMode) -> Call:
    return _call("POST", "/fapi/v1/marginType", {"symbol": symbol, "marginType": _MARGIN[margin_mode]})


def set_leverage(symbol: str, leverage: int) -> Call:
    return _call("POST", "/fapi/v1/leverage", {"symbol": symbol, "leverage": str(leverage)})


def set_position_mode(position_mode: PositionMode) -> Call:
    """For the whole account; refused while anything is open."""
    dual = "true" if position_mode is PositionMode.HEDGE else "false"
    return _call("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": dual})


def order(symbol: str, *, client_id: str = "", order_id: str = "") -> Call:
    return _call("GET", ORDER, {"symbol": symbol, **_identity(client_id, order_id)})


def open_orders(symbol: str = "") -> Call:
    return _call("GET", "/fapi/v1/openOrders", {"symbol": symbol})


def orders_between(symbol: str, start_ms: int, end_ms: int) -> Call:
    """Orders of a symbol in a span of up to seven days, oldest first."""
    return _call("GET", "/fapi/v1/allOrders", _page(symbol, startTime=str(start_ms), endTime=str(end_ms)))


def orders_from(symbol: str, order_id: int) -> Call:
    """Orders of a symbol from an id on, oldest first."""
    return _call("GET", "/fapi/v1/allOrders", _page(symbol, orderId=str(order_id)))


def trades_between(symbol: str, start_ms: int, end_ms: int) -> Call:
    """Fills of a symbol in a span of up to seven days, oldest first."""
    return _call("GET", "/fapi/v1/userTrades", _page(symbol, startTime=str(start_ms), endTime=str(end_ms)))


def trades_from(symbol: str, trade_id: int) -> Call:
    """Fills of a symbol from an id on, oldest first."""
    return _call("GET", "/fapi/v1/userTrades", _page(symbol, fromId=str(trade_id)))


def order_trades(symbol: str, order_id: str, trade_id: int = 0) -> Call:
    """Fills of one order, from an id on."""
    from_id = str(trade_id) if trade_id else ""
    return _call("GET", "/fapi/v1/userTrades", _page(symbol, orderId=order_id, fromId=from_id))


def income(symbol: str, start_ms: int, end_ms: int) -> Call:
    return _call("GET", "/fapi/v1/income", _page(symbol, startTime=str(start_ms), endTime=str(end_ms)))


def open_algo_orders(symbol: str = "") -> Call:
    return _call("GET", "/fapi/v1/openAlgoOrders", {"symbol": symbol})


def algo_order(client_id: str) -> Call:
    """One algo order, whatever became of it."""
    return _call("GET", ALGO_ORDER, {"clientAlgoId": client_id})


def positions(symbol: str = "") -> Call:
    return _call("GET", "/fapi/v3/positionRisk", {"symbol": symbol})


def symbol_config(symbol: str = "") -> Call:
    """Margin mode and leverage of a symbol, or of all."""
    return _call("GET", "/fapi/v1/symbolConfig", {"symbol": symbol})


def leverage_brackets() -> Call:
    return _call("GET", "/fapi/v1/leverageBracket", {})


def account_config() -> Call:
    return _call("GET", "/fapi/v1/accountConfig", {})


def account() -> Call:
    return _call("GET", "/fapi/v3/account", {})


def listen_key() -> Call:
    """A key for the stream of events; the same one as long as it is valid, and valid for longer."""
    return Call(LISTEN_KEY, method="POST")


def keep_listen_key() -> Call:
    return Call(LISTEN_KEY, method="PUT")


def contracts() -> Call:
    return _call("GET", "/fapi/v1/exchangeInfo", {})


def book_tickers() -> Call:
    return _call("GET", "/fapi/v1/ticker/bookTicker", {})


def last_prices() -> Call:
    return _call("GET", "/fapi/v2/ticker/price", {})


def server_time() -> Call:
    return _call("GET", "/fapi/v1/time", {})


def public(call: Call, host: str) -> bytes:
    """The bytes of a call that needs no key."""
    return build_get(host, call.path, {"User-Agent": "kestrel", "Accept": "application/json"})


def _call(method: str, path: str, fields: dict[str, str]) -> Call:
    query = "&".join([f"{name}={_quoted(value)}" for name, value in fields.items() if value])
    return Call(f"{path}?{query}" if query else path, method=method)


def _quoted(value: str) -> str:
    """Percent-encoded where that is needed: hardly ever, and orders are in a hurry."""
    return value if _PLAIN.fullmatch(value) else quote(value, safe="")


def _page(symbol: str, **more: str) -> dict[str, str]:
    return {"symbol": symbol, **more, "limit": str(PAGE)}


def _identity(client_id: str, order_id: str) -> dict[str, str]:
    if bool(client_id) == bool(order_id):
        raise ValueError("an order is named by its client id or by the venue's id, by one of them")
    return {"origClientOrderId": client_id} if client_id else {"orderId": order_id}


def _client_id(client_id: str) -> str:
    if _CLIENT_ID.fullmatch(client_id) is None:
        raise RefusedError("client_id", f"not a client order id: {client_id!r}")
    return client_id


def _price(price: Decimal) -> str:
    if price <= 0:
        raise RefusedError("price", f"a price is above zero on the tick: {plain(price)}")
    return plain(price)
