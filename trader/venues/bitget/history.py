"""How positions and protection orders ended, by the venue's own history (kept for three months)."""

from __future__ import annotations

import msgspec

from trader.venues.bitget import wire
from trader.venues.bitget.forms import PRODUCT
from trader.venues.model import Call, EndedPlan, EndedPosition, PlanEnd
from trader.venues.numbers import number, positive, stamp_ns


class _Row(wire.Wire):
    """The stamps are lower case here, unlike everywhere else."""

    symbol: str
    hold_side: str
    close_avg_price: str
    net_profit: str
    ctime: str
    utime: str


class _Page(wire.Wire):
    rows: list[_Row] | None = msgspec.field(name="list", default=None)


_PAGE = msgspec.json.Decoder(_Page)


class _Plan(wire.Wire):
    order_id: str
    plan_status: str
    client_oid: str | None = ""
    execute_order_id: str | None = ""


class _Plans(wire.Wire):
    entrusted_list: list[_Plan] | None


_PLANS = msgspec.json.Decoder(_Plans)
_ENDS = {"executed": PlanEnd.EXECUTED, "fail_execute": PlanEnd.FAILED}


def protection_history(symbol: str) -> Call:
    """The newest finished protection orders of a symbol."""
    query = f"symbol={symbol}&productType={PRODUCT}&planType=profit_loss&limit=100"
    return Call(f"/api/v2/mix/order/orders-plan-history?{query}")


def parse_protection_history(body: bytes, status: int) -> list[EndedPlan]:
    """Newest first."""
    page = wire.data_of(body, status, _PLANS)
    return [
        EndedPlan(
            client_id=row.client_oid or "",
            order_id=row.order_id,
            end=_ENDS.get(row.plan_status, PlanEnd.CANCELED),
            status=row.plan_status,
            executed_as=row.execute_order_id or "",
        )
        for row in page.entrusted_list or ()
    ]


def positions_history(*, symbol: str, start_ms: int) -> Call:
    """The newest closed positions of a symbol since ``start_ms``."""
    query = f"symbol={symbol}&productType={PRODUCT}&startTime={start_ms}&limit=100"
    return Call(f"/api/v2/mix/position/history-position?{query}")


def parse_positions_history(body: bytes, status: int) -> list[EndedPosition]:
    """Newest first, as the venue lists them."""
    page = wire.data_of(body, status, _PAGE)
    return [
        EndedPosition(
            symbol=row.symbol,
            side=wire.word(wire.POSITION_SIDE, row.hold_side, "holdSide"),
            close_price=positive(row.close_avg_price, "closeAvgPrice"),
            net=number(row.net_profit, "netProfit"),
            created_ns=stamp_ns(row.ctime, "ctime"),
            closed_ns=stamp_ns(row.utime, "utime"),
        )
        for row in page.rows or ()
    ]
