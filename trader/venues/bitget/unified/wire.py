"""The shapes of v3 as they travel. Nothing outside this package sees them.

A field without a default must be there. ``null`` is accepted where a sample or the venue's pages show it:
in what is not set, and as a list without rows. Envelope, numbers and words are those of classic accounts.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from shared.domain.order import OrderState
from trader.venues.bitget.wire import Wire, word
from trader.venues.model import Forced, PlanEnd

T = TypeVar("T")


class Listed(msgspec.Struct, Generic[T], gc=False):
    """``{"list":[...],"cursor":"..."}``; the cursor of strategy orders was seen as a number."""

    rows: list[T] | None = msgspec.field(name="list", default=None)
    cursor: str | int | None = None


class Fee(Wire):
    """``fee`` is positive when paid."""

    fee_coin: str | None = ""
    fee: str | None = ""


class Order(Wire):
    """An order, by REST (``posSide``) or pushed (``holdSide``)."""

    order_id: str
    symbol: str
    category: str
    side: str
    order_type: str
    order_status: str
    qty: str
    hold_mode: str
    created_time: str
    client_oid: str | None = ""
    pos_side: str | None = ""
    hold_side: str | None = ""
    trade_side: str | None = ""
    reduce_only: str | None = ""
    exec_type: str | None = ""
    delegate_type: str | None = ""
    cum_exec_qty: str | None = ""
    price: str | None = ""
    avg_price: str | None = ""
    take_profit: str | None = ""
    stop_loss: str | None = ""
    cancel_reason: str | None = ""
    updated_time: str | None = ""


class Fill(Wire):
    """A fill, by REST (``createdTime``) or pushed (``execTime``)."""

    exec_id: str
    order_id: str
    symbol: str
    category: str
    side: str
    exec_price: str
    exec_qty: str
    trade_scope: str
    fee_detail: list[Fee]
    client_oid: str | None = ""
    exec_pnl: str | None = ""
    created_time: str = ""
    exec_time: str = ""


class Strategy(Wire):
    """A strategy order: a take profit, a stop, or both in one. ``qty`` of one for all is not documented."""

    order_id: str
    symbol: str
    client_oid: str | None = ""
    qty: str | None = ""
    pos_side: str | None = ""
    status: str | None = ""
    tpsl_mode: str | None = ""
    trigger_type: str | None = ""
    take_profit: str | None = ""
    stop_loss: str | None = ""
    created_time: str = ""
    updated_time: str = ""


class SubOrder(Wire):
    """An order that a strategy order became."""

    sub_order_id: str


class Position(Wire):
    symbol: str
    pos_side: str
    hold_mode: str
    margin_mode: str
    total: str
    available: str
    avg_price: str
    position_balance: str
    leverage: str
    created_time: str
    unrealised_pnl: str = ""
    cur_realised_pnl: str = ""
    mark_price: str | None = ""
    liquidation_price: str | None = ""
    updated_time: str = ""


class EndedPosition(Wire):
    symbol: str
    pos_side: str
    close_price_avg: str
    net_profit: str
    created_time: str
    updated_time: str


class SymbolSetting(Wire):
    category: str
    symbol: str
    margin_mode: str
    leverage: str | int


class Settings(Wire):
    hold_mode: str
    symbol_config_list: list[SymbolSetting] | None = None


class Asset(Wire):
    coin: str
    available: str


class Assets(Wire):
    """The account's money as a whole, and per coin where there is some."""

    usdt_equity: str
    usdt_unrealised_pnl: str = ""
    assets: list[Asset] | None = None


STATE = {
    "live": OrderState.LIVE,
    "new": OrderState.LIVE,
    "partially_filled": OrderState.PARTIALLY_FILLED,
    "filled": OrderState.FILLED,
    "cancelled": OrderState.CANCELED,
    "canceled": OrderState.CANCELED,
}
#: How a strategy order stands; None = it waits.
STRATEGY_STATUS: dict[str, PlanEnd | None] = {
    "": None,
    "pending": None,
    "submitting": None,
    "success": PlanEnd.EXECUTED,
    "failed": PlanEnd.FAILED,
    "cancelled": PlanEnd.CANCELED,
    "canceled": PlanEnd.CANCELED,
}
EXEC_TYPE = {
    "": Forced.NO,
    "normal": Forced.NO,
    "offset": Forced.REDUCED,
    "reduce": Forced.REDUCED,
    "liquidation": Forced.LIQUIDATED,
    "delivery": Forced.DELIVERED,
}
#: How ``tradeSide`` begins, and who made the order.
TRADE_SIDES = {
    "open": Forced.NO,
    "close": Forced.NO,
    "buy_single": Forced.NO,
    "sell_single": Forced.NO,
    "reduce": Forced.REDUCED,
    "offset": Forced.REDUCED,
    "burst": Forced.LIQUIDATED,
    "dte_sys_adl": Forced.DELEVERAGED,
    "delivery": Forced.DELIVERED,
}
#: How ``delegateType`` begins of orders that a take profit or a stop became.
TRIGGERED = {
    "takeProfit": ("position_stop_profit", "stop_profit"),
    "stopLoss": ("position_stop_loss", "stop_loss"),
}


def end_of(row: Strategy) -> PlanEnd | None:
    """How a strategy order ended; None while it waits."""
    return word(STRATEGY_STATUS, row.status or "", "status")


def waits(row: Strategy) -> bool:
    return end_of(row) is None
