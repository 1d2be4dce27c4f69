"""The venue's own shapes, as they travel, and the words it uses. Nothing outside this package sees them.

A field without a default must be there; ``null`` is accepted nowhere but where a sample shows it.
Numbers stay text here, "" is the venue's "not set".
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from shared.domain.order import OrderState, OrderType, PositionSide, Side
from shared.errors import ProtocolError, VenueRefusedError
from trader.venues import strict
from trader.venues.model import Forced, MarginMode, PositionMode, Protection

T = TypeVar("T")

decode, word = strict.decode, strict.word


class Wire(msgspec.Struct, rename="camel", gc=False):
    """Base of all shapes: camel case on the wire, unknown fields are ignored."""


class Envelope(msgspec.Struct, gc=False):
    """``{"code":"00000","msg":"success","requestTime":1700000000123,"data":...}``."""

    code: str
    msg: str | None = None
    message: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class OrderWire(Wire):
    """An order, by REST (``symbol``) or pushed (``instId``); detail calls the status ``state``."""

    order_id: str
    size: str
    side: str
    order_type: str
    pos_mode: str
    c_time: str
    client_oid: str | None = ""
    symbol: str = ""
    inst_id: str = ""
    state: str = ""
    status: str = ""
    base_volume: str = ""
    acc_base_volume: str = ""
    price: str = ""
    price_avg: str = ""
    pos_side: str = ""
    trade_side: str = ""
    reduce_only: str = ""
    preset_stop_surplus_price: str = ""
    preset_stop_loss_price: str = ""
    cancel_reason: str = ""
    u_time: str = ""
    trade_id: str = ""
    fill_price: str = ""
    fill_time: str = ""
    fill_fee: str = ""
    fill_fee_coin: str = ""
    trade_scope: str = ""
    pnl: str = ""
    order_source: str = ""


class FeeWire(Wire):
    fee_coin: str
    total_fee: str


class FillWire(Wire):
    """A fill, by REST or on the ``fill`` channel (``clientOid`` there only)."""

    trade_id: str
    symbol: str
    order_id: str
    price: str
    base_volume: str
    side: str
    trade_side: str
    pos_mode: str
    trade_scope: str
    fee_detail: list[FeeWire]
    c_time: str
    profit: str = ""
    client_oid: str | None = ""


class PlanWire(Wire):
    symbol: str
    order_id: str
    plan_type: str
    trigger_price: str
    client_oid: str | None = ""
    size: str = ""
    pos_side: str = ""
    c_time: str = ""


class PositionWire(Wire):
    """A position, by REST (``symbol``, ``leverage`` as text) or pushed (``instId``, a bare number)."""

    hold_side: str
    total: str
    available: str
    open_price_avg: str
    margin_size: str
    margin_mode: str
    pos_mode: str
    leverage: str | int
    c_time: str
    unrealized: str = msgspec.field(name="unrealizedPL", default="")
    achieved_profits: str = ""
    symbol: str = ""
    inst_id: str = ""
    mark_price: str = ""
    liquidation_price: str = ""
    take_profit_id: str = ""
    stop_loss_id: str = ""
    u_time: str = ""


class AccountWire(Wire):
    """Money; the pushed form calls equity ``equity``, the REST form ``accountEquity``."""

    margin_coin: str
    available: str
    account_equity: str = ""
    equity: str = ""
    crossed_max_available: str = ""
    isolated_max_available: str = ""
    max_open_pos_available: str = ""
    unrealized: str = msgspec.field(name="unrealizedPL", default="")
    margin_mode: str = ""
    pos_mode: str = ""
    crossed_margin_leverage: str | int = ""
    isolated_long_lever: str | int = ""
    isolated_short_lever: str | int = ""


class TickerWire(Wire):
    """A ticker, by REST (``symbol``) or pushed (``instId``)."""

    last_pr: str
    ts: str
    bid_pr: str = ""
    ask_pr: str = ""
    mark_price: str = ""
    inst_id: str = ""
    symbol: str = ""


def data_of(body: bytes, status: int, decoder: msgspec.json.Decoder[T]) -> T:
    """The data of a success. The code counts, never the HTTP status alone.

    :class:`VenueRefusedError` carries the venue's code; :class:`ProtocolError` means that the answer
    says nothing certain.
    """
    return decode(decoder, raw_data(body, status), "the data of the answer")


def raw_data(body: bytes, status: int) -> msgspec.Raw:
    try:
        envelope = _ENVELOPE.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        if status == 429:
            raise VenueRefusedError("429", "too many requests", status) from None
        raise ProtocolError(f"HTTP {status} with an answer that is not in the venue's form") from None
    if envelope.code != SUCCESS:
        text = envelope.msg or envelope.message or "no reason given"
        raise VenueRefusedError(envelope.code, text, status)
    return envelope.data


SUCCESS = "00000"
_ENVELOPE = msgspec.json.Decoder(Envelope)

SIDE = {"buy": Side.BUY, "sell": Side.SELL}
PROTECTION = {"pos_profit": Protection.TAKE_PROFIT, "pos_loss": Protection.STOP}
POSITION_SIDE = {"long": PositionSide.LONG, "short": PositionSide.SHORT}
ORDER_TYPE = {"market": OrderType.MARKET, "limit": OrderType.LIMIT}
STATE = {
    "live": OrderState.LIVE,
    "partially_filled": OrderState.PARTIALLY_FILLED,
    "filled": OrderState.FILLED,
    "canceled": OrderState.CANCELED,
    "cancelled": OrderState.CANCELED,
}
POSITION_MODE = {"hedge_mode": PositionMode.HEDGE, "one_way_mode": PositionMode.ONE_WAY}
MARGIN_MODE = {
    "isolated": MarginMode.ISOLATED,
    "fixed": MarginMode.ISOLATED,
    "crossed": MarginMode.CROSSED,
    "cross": MarginMode.CROSSED,
}
REDUCE_ONLY = {"": False, "no": False, "NO": False, "yes": True, "YES": True}
TAKER = {"T": True, "taker": True, "M": False, "maker": False}

#: How a ``tradeSide`` begins when it is read back, and what that says: does it reduce, and who made it.
_TRADE_SIDES: dict[str, tuple[bool, Forced]] = {
    "open": (False, Forced.NO),
    "close": (True, Forced.NO),
    "reduce": (True, Forced.REDUCED),
    "offset": (True, Forced.REDUCED),
    "burst": (True, Forced.LIQUIDATED),
    "dte_sys_adl": (True, Forced.DELEVERAGED),
    "delivery": (True, Forced.DELIVERED),
}
#: How ``orderSource`` begins of orders that a trigger order became.
TRIGGERED = ("plan_", "profit_", "loss_", "pos_profit_", "pos_loss_", "move_", "tracking_")
_ONE_WAY = ("", "buy_single", "sell_single")


def trade_sides(
    pos_mode: PositionMode, side: str, trade_side: str, pos_side: str
) -> tuple[Side, bool, Forced]:
    """The true trade side, whether it reduces, and who made it.

    In hedge mode ``side`` names the position, so the direction follows from position and ``tradeSide``.
    In one-way mode ``side`` is true; there only ``tradeSide`` of forced orders says that they reduce.
    """
    true_side = word(SIDE, side, "side")
    if pos_mode is PositionMode.ONE_WAY and trade_side in _ONE_WAY:
        return true_side, False, Forced.NO
    meaning = next((found for prefix, found in _TRADE_SIDES.items() if trade_side.startswith(prefix)), None)
    if meaning is None:
        raise ProtocolError(f"tradeSide has a value that is not documented: {trade_side[:40]!r}")
    reduces, forced = meaning
    if pos_mode is PositionMode.ONE_WAY:
        return true_side, reduces, forced
    position = POSITION_SIDE.get(pos_side)
    if position is None:  # fills do not name the position: in the order form, side does
        position = PositionSide.LONG if true_side is Side.BUY else PositionSide.SHORT
    return (Side.BUY if (position is PositionSide.LONG) != reduces else Side.SELL), reduces, forced
