"""Rows as ``shared.db.history`` gives them out, with only what a test is about said by the test."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

from shared import clock
from shared.db import history
from shared.db.accounts import AccountRow
from shared.db.rows import EquityRow, HeartbeatRow, NoticeRow, OrderRow, timeline

NOW = 1_795_176_000 * clock.SECOND  # 2026-11-20 12:00:00 UTC
OWNER: dict[str, Any] = {
    "user_id": 1,
    "user_name": "alice",
    "account_id": 1,
    "account_label": "main",
    "mode": "paper",
}
STAMPS: dict[str, Any] = dict.fromkeys(history.STAMPS, 0)

ORDER = OrderRow(
    **OWNER,
    client_id="c1",
    venue_order_id="",
    strategy_id="listing",
    instrument_id="bitget:perp:KITE-USDT",
    symbol="KITEUSDT",
    cause="listing:upbit:1:KITE",
    leg=0,
    step="entry",
    attempt=0,
    side="buy",
    order_type="market",
    state="filled",
    size=Decimal(1),
    filled_size=Decimal(1),
    price=None,
    average_price=None,
    reference_price=Decimal(1),
    take_profit_price=None,
    stop_price=None,
    margin=Decimal(1),
    leverage=1,
    fee=Decimal(0),
    reduce_only=False,
    reason_code="",
    reason="",
    created_ns=0,
    updated_ns=0,
    timeline=timeline(STAMPS),
    **STAMPS,
)
NOTICE = NoticeRow(
    key="upbit:1",
    source="upbit",
    title="title",
    category="category",
    kind="new_listing",
    symbols=["KITE"],
    markets=["KRW"],
    amended=False,
    first_listed_ns=NOW,
    first_seen_ns=NOW,
    decision="acted",
    reason="",
    arrivals=[],
    orders=[],
)


def order(**changes: object) -> OrderRow:
    return msgspec.structs.replace(ORDER, **changes)


def notice(**changes: object) -> NoticeRow:
    return msgspec.structs.replace(NOTICE, **changes)


def account(number: int = 1, name: str = "alice", label: str = "main") -> AccountRow:
    return AccountRow(
        id=number,
        user_id=number,
        user_name=name,
        venue="bitget",
        kind="classic",
        mode="paper",
        label=label,
        state="armed",
        state_reason="",
        key_tail="abcd",
        created_ns=0,
        updated_ns=0,
    )


def equity(number: int = 1, value: str = "10010") -> EquityRow:
    return EquityRow(
        **{**OWNER, "account_id": number},
        currency="USDT",
        equity=Decimal(value),
        available=Decimal(5),
        unrealised=Decimal(1),
        taken_ns=NOW,
    )


def beat(service: str, age_s: float = 0, state: str = "running", **detail: Any) -> HeartbeatRow:
    at_ns = NOW - int(age_s * clock.SECOND)
    return HeartbeatRow(service=service, pid=1, state=state, detail=detail, started_ns=0, at_ns=at_ns)


def trader(age_s: float = 0, state: str = "armed", **detail: Any) -> HeartbeatRow:
    return beat("trader", age_s, state, **detail)
