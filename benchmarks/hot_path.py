"""From the bytes of a page of notices to signed order bytes, in one process, against two baselines.

Baselines of the same run: `json.loads` of the same page, and one HMAC-SHA256 with base64 as the standard
library does it. No socket and no disk: what is measured is what Kestrel adds between two system calls.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import statistics
from collections.abc import Callable
from decimal import Decimal

from shared import clock
from shared.domain.account import Mode
from shared.domain.ids import client_id
from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import OrderType, Side, Step
from shared.rules import preferences
from shared.rules.listing import EntryPlan, plan_entry
from shared.vault import Credentials
from trader.listings import titles, upbit_page
from trader.listings.detector import Detector
from trader.orders import records
from trader.venues import bitget
from trader.venues.model import MarginMode, PositionMode

ROWS = 20
ROUNDS = 2000
TITLE = "벤치{number}(BENCH{number}) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
INSTRUMENT = Instrument(
    id="bitget:perp:BENCH-USDT",
    venue=Venue.BITGET,
    market=Market.PERP,
    symbol="BENCHUSDT",
    base="BENCH",
    quote="USDT",
    tick=Decimal("0.0001"),
    step=Decimal("0.1"),
    min_size=Decimal("0.1"),
    min_notional=Decimal(5),
    max_leverage=50,
)


def page(first: int) -> bytes:
    """A page whose newest row is new, the others are known."""
    rows = [
        {
            "listed_at": "2026-08-21T21:50:05+09:00",
            "first_listed_at": "2026-08-21T21:50:05+09:00",
            "id": number,
            "uuid": str(number),
            "title": TITLE.format(number=number),
            "category": "거래",
            "need_new_badge": False,
            "need_update_badge": False,
        }
        for number in range(first, first - ROWS, -1)
    ]
    data = {"total_pages": 1, "total_count": ROWS, "notices": rows, "fixed_notices": []}
    return json.dumps({"success": True, "data": data}, ensure_ascii=False).encode()


def timed(work: Callable[[int], object]) -> float:
    """Median microseconds of one call."""
    samples = []
    for number in range(ROUNDS):
        began = clock.monotonic_ns()
        work(number)
        samples.append(clock.monotonic_ns() - began)
    return statistics.median(samples) / clock.MICROSECOND


def main() -> None:
    chosen = preferences.resolve({}, {}, {"listing.amount": "100"})
    signer = bitget.Signer(Credentials("key", "secret", "passphrase"), "127.0.0.1")
    event_ns = 1_787_316_605 * clock.SECOND
    detector = Detector(max_age_ns=5 * clock.SECOND)
    detector.seed("upbit", "host", [], event_ns)
    pages = [page(1000 + number) for number in range(ROUNDS)]
    orders = 0

    def decide(number: int) -> None:
        notices = upbit_page.read(pages[number], "host", event_ns)
        items = [(notice, titles.parse_cached(notice.title)) for notice in notices]
        for decision in detector.page("upbit", "host", items, event_ns + clock.SECOND):
            if decision.act:
                order(number)

    def order(number: int) -> bytes:
        nonlocal orders
        orders += 1
        plan = plan_entry(chosen, INSTRUMENT, Decimal("2.5001"), Decimal("0.1"))
        assert isinstance(plan, EntryPlan)
        cause = f"listing:upbit:{number}:BENCH"
        intent = records.Intent(
            client_id=client_id("Ab3z", 1, cause, 0, Step.ENTRY),
            user_id=1,
            account_id=1,
            mode=Mode.PAPER,
            strategy_id="listing",
            instrument=INSTRUMENT,
            cause=cause,
            leg=0,
            step=Step.ENTRY,
            attempt=0,
            side=Side.BUY,
            order_type=OrderType.MARKET,
            size=plan.size,
            price=None,
            reference_price=plan.reference_price,
            margin=plan.margin,
            leverage=plan.leverage,
            take_profit=plan.take_profit,
            take_profit_percent=chosen.take_profit,
            attached=plan.attach,
            stop=None,
            reduce_only=False,
            seen_ns=event_ns,
            decoded_ns=event_ns,
            decided_ns=event_ns,
            created_ns=event_ns,
        )
        call = bitget.place_order(
            INSTRUMENT,
            side=Side.BUY,
            size=intent.size,
            client_id=intent.client_id,
            position_mode=PositionMode.ONE_WAY,
            margin_mode=MarginMode.ISOLATED,
            take_profit=intent.take_profit,
        )
        request = signer.request(call, event_ns // clock.MILLISECOND)
        records.encode(intent)
        return request

    def baseline_signature(number: int) -> bytes:
        text = b"%dPOST/api/v2/mix/order/place-order" % number + b"x" * 200
        return base64.b64encode(hmac.new(b"secret", text, hashlib.sha256).digest())

    parse = timed(lambda number: json.loads(pages[number]))
    sign = timed(baseline_signature)
    whole = timed(decide)
    one = timed(order)
    assert orders >= 2 * ROUNDS - ROWS
    print(f"json.loads of a page of {ROWS} rows     {parse:8.1f} us")
    print(f"hmac.new + base64 of an order      {sign:8.1f} us")
    print(f"page -> first signed order         {whole:8.1f} us   {whole / parse:5.2f} x json.loads")
    print(f"each further account               {one:8.1f} us   {one / sign:5.2f} x hmac.new + base64")


if __name__ == "__main__":
    main()
