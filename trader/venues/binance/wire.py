"""The venue's own shapes, as they travel, and the words it uses. Nothing outside this package sees them.

A field without a default must be there. Numbers of money are text here, ids and stamps JSON numbers;
0 is the venue's "not set" for both stamps and prices.
"""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from shared import clock
from shared.domain.order import OrderState, OrderType, PositionSide, Side
from shared.errors import ProtocolError, VenueRefusedError
from trader.venues.binance import codes
from trader.venues.model import Forced, MarginMode, Protection
from trader.venues.strict import decode, word

T = TypeVar("T")


class Wire(msgspec.Struct, rename="camel", gc=False):
    """Base of all shapes: camel case on the wire, unknown fields are ignored."""


class Refusal(msgspec.Struct, gc=False):
    """``{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}``; 200 is a yes."""

    code: int
    msg: str = ""


class OrderWire(Wire):
    """An order by REST; ``time`` is there when it was asked for, not when it was placed."""

    symbol: str
    order_id: int
    client_order_id: str
    status: str
    side: str
    position_side: str
    type: str
    orig_qty: str
    executed_qty: str
    update_time: int
    avg_price: str = "0"
    price: str = "0"
    reduce_only: bool = False
    close_position: bool = False
    time: int = 0


class AlgoWire(Wire):
    """An algo order: it waits for its trigger price and then becomes an order, ``actualOrderId``."""

    algo_id: int
    client_algo_id: str
    order_type: str
    symbol: str
    side: str
    position_side: str
    algo_status: str
    trigger_price: str
    create_time: int
    update_time: int
    quantity: str | None = "0"
    close_position: bool = False
    actual_order_id: str | int | None = ""


class TradeWire(Wire):
    """A fill. ``commission`` counts by its size: samples show it with both signs."""

    id: int
    symbol: str
    order_id: int
    side: str
    position_side: str
    price: str
    qty: str
    commission: str
    commission_asset: str
    realized_pnl: str
    maker: bool
    time: int


class PositionWire(Wire):
    symbol: str
    position_side: str
    position_amt: str
    entry_price: str
    mark_price: str
    un_realized_profit: str
    liquidation_price: str
    isolated_wallet: str
    update_time: int
    initial_margin: str = ""


class ConfigWire(Wire):
    symbol: str
    margin_type: str
    leverage: int


def data_of(body: bytes, status: int, decoder: msgspec.json.Decoder[T]) -> T:
    """The data of a success.

    :class:`VenueRefusedError` carries the venue's code, or the HTTP status where it gave none;
    :class:`ProtocolError` means that the answer says nothing certain.
    """
    check(body, status)
    return decode(decoder, body, "the answer")


def check(body: bytes, status: int) -> None:
    """Raise for what is not HTTP 2xx without an error in it."""
    succeeded = 200 <= status < 300
    if succeeded and b'"code"' not in body[:16]:
        return
    try:
        refusal = _REFUSAL.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        refusal = None
    if succeeded:
        if refusal is None or refusal.code in (0, 200):
            return
    elif refusal is None or refusal.code >= 0:
        raise _without_code(body if refusal is None else refusal.msg.encode(), status)
    if codes.by_text(status, refusal.msg):
        raise VenueRefusedError(codes.by_text(status, refusal.msg), refusal.msg, status)
    raise VenueRefusedError(str(refusal.code), refusal.msg or "no reason given", status)


def _without_code(text: bytes, status: int) -> VenueRefusedError | ProtocolError:
    """What an answer means that the venue's front door gave: HTML, a line of text, or nothing."""
    found = text.decode("utf-8", "replace").strip()
    code = codes.by_text(status, found)
    if code:
        return VenueRefusedError(code, found[:100], status)
    if str(status) in codes.KINDS:
        return VenueRefusedError(str(status), f"HTTP {status}", status)
    return ProtocolError(f"HTTP {status} with an answer that is not in the venue's form")


def stamp_ns(ms: int, name: str) -> int:
    """UTC ns of a stamp in milliseconds; 0 = not set."""
    if ms == 0:
        return 0
    if not _FIRST_MS <= ms <= _LAST_MS:
        raise ProtocolError(f"{name} is not a time in milliseconds: {ms}")
    return ms * clock.MILLISECOND


def symbol(text: str) -> str:
    if _SYMBOL.fullmatch(text) is None:
        raise ProtocolError(f"a row without a symbol: {text[:40]!r}")
    return text


def order_type(text: str) -> OrderType:
    return word(ORDER_TYPE, text, "the order's type")


def forced(client_id: str) -> Forced:
    """Who made an order, by the client ids that the venue gives its own."""
    return next((who for prefix, who in _FORCED.items() if client_id.startswith(prefix)), Forced.NO)


def position(position_side: str) -> PositionSide | None:
    """The position that an order names; None in one-way mode."""
    return word(POSITION_SIDE, position_side, "positionSide")


_REFUSAL = msgspec.json.Decoder(Refusal)
_SYMBOL = re.compile(r"[^\s&=?/]{2,60}")
_FIRST_MS, _LAST_MS = 10**12, 10**13

SIDE = {"BUY": Side.BUY, "SELL": Side.SELL}
POSITION_SIDE: dict[str, PositionSide | None] = {
    "BOTH": None,
    "LONG": PositionSide.LONG,
    "SHORT": PositionSide.SHORT,
}
#: What a conditional order became, or what the venue's own are, trades at market or at a limit.
ORDER_TYPE = {
    "MARKET": OrderType.MARKET,
    "STOP_MARKET": OrderType.MARKET,
    "TAKE_PROFIT_MARKET": OrderType.MARKET,
    "TRAILING_STOP_MARKET": OrderType.MARKET,
    "LIQUIDATION": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "STOP": OrderType.LIMIT,
    "TAKE_PROFIT": OrderType.LIMIT,
}
STATE = {
    "NEW": OrderState.LIVE,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.CANCELED,
    "EXPIRED_IN_MATCH": OrderState.CANCELED,
    "REJECTED": OrderState.REJECTED,
}
#: States whose word says more than "cancelled".
EXPIRED = frozenset({"EXPIRED", "EXPIRED_IN_MATCH"})
MARGIN_MODE = {
    "ISOLATED": MarginMode.ISOLATED,
    "isolated": MarginMode.ISOLATED,
    "CROSSED": MarginMode.CROSSED,
    "CROSS": MarginMode.CROSSED,
    "cross": MarginMode.CROSSED,
}
PROTECTION = {"TAKE_PROFIT_MARKET": Protection.TAKE_PROFIT, "STOP_MARKET": Protection.STOP}
_FORCED = {
    "autoclose-": Forced.LIQUIDATED,
    "adl_autoclose": Forced.DELEVERAGED,
    "settlement_autoclose-": Forced.DELIVERED,
}
