"""What :mod:`shared.db.history` gives out: frozen rows for pages, scripts and ``--json``.

Stamps are UTC nanoseconds, 0 = not reached. Money is exact; durations are floats, since nobody
is paid by them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from shared import clock


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """How long each stage of an order took; ``None`` for a stage that was not reached.

    Microseconds inside this machine (from the bytes of the cause to the bytes of the order),
    milliseconds from the write to what the venue answered.
    """

    decode_us: float | None
    decide_us: float | None
    sign_us: float | None
    journal_us: float | None
    write_us: float | None
    total_us: float | None
    """From the first byte of the cause to the write."""
    acknowledge_ms: float | None
    fill_ms: float | None


def timeline(stamps: dict[str, int]) -> Timeline:
    """The stages between an order's stamps (``seen_ns`` ... ``filled_ns``)."""

    def between(begin: str, end: str, unit: int) -> float | None:
        first, last = stamps[begin], stamps[end]
        return round((last - first) / unit, 3) if first and last else None

    us, ms = clock.MICROSECOND, clock.MILLISECOND
    return Timeline(
        decode_us=between("seen_ns", "decoded_ns", us),
        decide_us=between("decoded_ns", "decided_ns", us),
        sign_us=between("decided_ns", "signed_ns", us),
        journal_us=between("signed_ns", "journaled_ns", us),
        write_us=between("journaled_ns", "written_ns", us),
        total_us=between("seen_ns", "written_ns", us),
        acknowledge_ms=between("written_ns", "acknowledged_ns", ms),
        fill_ms=between("written_ns", "filled_ns", ms),
    )


class OrderRow(msgspec.Struct, frozen=True, kw_only=True):
    """An order with the intent it came from. Sizes in base coin, ``margin`` and ``fee`` in quote."""

    client_id: str
    venue_order_id: str
    user_id: int
    user_name: str
    account_id: int
    account_label: str
    mode: str
    strategy_id: str
    instrument_id: str
    symbol: str
    cause: str
    leg: int
    step: str
    attempt: int
    side: str
    order_type: str
    state: str
    size: Decimal
    filled_size: Decimal
    price: Decimal | None
    average_price: Decimal | None
    reference_price: Decimal
    take_profit_price: Decimal | None
    stop_price: Decimal | None
    margin: Decimal
    leverage: int
    fee: Decimal
    reduce_only: bool
    reason_code: str
    reason: str
    created_ns: int
    seen_ns: int
    decoded_ns: int
    decided_ns: int
    signed_ns: int
    journaled_ns: int
    written_ns: int
    acknowledged_ns: int
    filled_ns: int
    updated_ns: int
    timeline: Timeline


class FillRow(msgspec.Struct, frozen=True, kw_only=True):
    """``fee`` positive = paid; ``slippage`` a fraction of the reference price, positive = worse for us."""

    id: int
    client_id: str
    venue_fill_id: str
    user_name: str
    account_id: int
    mode: str
    instrument_id: str
    symbol: str
    side: str
    price: Decimal
    size: Decimal
    fee: Decimal
    fee_currency: str
    slippage: Decimal
    liquidity: str
    filled_ns: int


class PositionRow(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    user_id: int
    user_name: str
    account_id: int
    account_label: str
    mode: str
    strategy_id: str
    instrument_id: str
    symbol: str
    side: str
    state: str
    size: Decimal
    entry_price: Decimal
    mark_price: Decimal
    margin: Decimal
    leverage: int
    unrealised: Decimal
    realised: Decimal
    liquidation_price: Decimal | None
    take_profit_price: Decimal | None
    stop_price: Decimal | None
    opened_ns: int
    updated_ns: int
    closed_ns: int


class EquityRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account's newest equity: wallet balance plus unrealised profit, in ``currency``."""

    user_id: int
    user_name: str
    account_id: int
    account_label: str
    mode: str
    currency: str
    equity: Decimal
    available: Decimal
    unrealised: Decimal
    taken_ns: int


class EquityPoint(msgspec.Struct, frozen=True):
    taken_ns: int
    equity: Decimal


class ArrivalRow(msgspec.Struct, frozen=True, kw_only=True):
    """One way a notice reached us; ``behind_ms`` is how much later than the fastest."""

    source: str
    host: str
    received_ns: int
    decoded_ns: int
    first: bool
    behind_ms: float


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A notice, how it arrived, and the orders it led to."""

    key: str
    source: str
    title: str
    category: str
    kind: str
    symbols: list[str]
    markets: list[str]
    amended: bool
    first_listed_ns: int
    first_seen_ns: int
    decision: str
    reason: str
    arrivals: list[ArrivalRow]
    orders: list[OrderRow]


class HeartbeatRow(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    pid: int
    state: str
    detail: dict[str, Any]
    started_ns: int
    at_ns: int
