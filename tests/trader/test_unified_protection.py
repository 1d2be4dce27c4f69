"""The take profit of a unified account, between the protector and a venue that says what the test wants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared import clock
from shared.domain.account import AccountKind
from shared.domain.order import OrderState, Step
from tests.trader.scripted import ACCOUNT, INSTRUMENT, D, No, ScriptedVenue, intent, ms, until
from tests.trader.venues.unified_samples import CLOSED_LONG, FILL, POSITION, TAKE_PROFIT
from trader.lane import Lane
from trader.market import MarketData, MarketHost
from trader.net.http import Origin
from trader.orders import records
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.protector import Protector
from trader.orders.tracker import Tracked, Tracker
from trader.venues.bitget.market import BitgetMarket
from trader.venues.model import PositionMode

S = INSTRUMENT.symbol
POSITIONS, FILLS = "/api/v3/position/current-position", "/api/v3/trade/fills"
RESTING, ENDED = "/api/v3/trade/unfilled-strategy-orders", "/api/v3/trade/history-strategy-orders"
PLACE, CANCEL = "/api/v3/trade/place-strategy-order", "/api/v3/trade/cancel-strategy-order"
BECAME, INFO = "/api/v3/trade/strategy-sub-orders", "/api/v3/trade/order-info"
HISTORY = "/api/v3/trade/history-orders"


class Bench:
    """A protector on one account that holds ten coins of an entry that wants its take profit at 2.75."""

    def __init__(self, venue: ScriptedVenue, folder: Path) -> None:
        self.venue = venue
        now = ms(clock.now_ns())
        held = {"symbol": S, "total": "10", "available": "10", "avgPrice": "2.5", "createdTime": now}
        venue.says |= {
            POSITIONS: {"list": [POSITION | held | {"holdMode": "one_way_mode"}]},
            RESTING: [],
            ENDED: {"list": None, "cursor": None},
            HISTORY: {"list": None, "cursor": None},
            PLACE: {"orderId": "9", "clientOid": ""},
        }
        member = venue.lane().member
        account = msgspec.structs.replace(ACCOUNT, kind=AccountKind.UNIFIED)
        self.lane = Lane(
            msgspec.structs.replace(member, account=account),
            Origin.parse(venue.url),
            ssl_context=None,
            timeout_s=5.0,
        )
        self.lane.position_mode = PositionMode.ONE_WAY
        self.tracker = Tracker()
        self.journal = Journal(folder, segment_bytes=1 << 20)
        self.tracker.attach(self.journal)
        self.gateway = Gateway(
            self.tracker, live_enabled=False, timeout_s=5, patience_s=1, on_settle=lambda *_: None
        )
        host = MarketHost(venue.url, "ws://127.0.0.1:9")
        market = MarketData(BitgetMarket(), host, refresh_s=60, on_instruments=lambda _: None)
        self.protector = Protector(self.lane, self.tracker, self.gateway, market, "Ab3z")
        self.tracker.on_change = lambda _: self.protector.wake()
        wanted = intent(take_profit=D("2.75"), take_profit_percent=D(100))
        wanted = msgspec.structs.replace(wanted, client_id=self.protector._id(wanted, Step.ENTRY, 0))
        self.entry = self.tracker.intend(wanted)
        at = clock.now_ns()
        self.tracker.update(
            records.Update(
                client_id=wanted.client_id,
                state=OrderState.FILLED,
                venue_order_id="1",
                filled_size=D(10),
                average_price=D("2.5"),
                filled_ns=at,
                ns=at,
            )
        )

    @property
    def own(self) -> Tracked | None:
        """The first take profit of ours."""
        return self.tracker.get(self.protector._id(self.entry.intent, Step.TAKE_PROFIT, 0))

    def row(self, **changes: str) -> dict[str, Any]:
        """A resting strategy order; the one of ours when it names no other client id."""
        own = self.protector._id(self.entry.intent, Step.TAKE_PROFIT, 0)
        return TAKE_PROFIT | {"symbol": S, "clientOid": own, "takeProfit": "2.75"} | changes

    def times(self, path: str) -> int:
        return self.venue.asked.count(path)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    venue = ScriptedVenue()
    await venue.start()
    made = Bench(venue, tmp_path / "journal")
    made.lane.start()
    await made.lane.slow.wait_ready(5)
    await made.lane.hot.wait_ready(5)
    task = asyncio.create_task(made.protector.run())
    yield made
    task.cancel()
    await asyncio.wait({task})
    await made.gateway.stop()
    await made.lane.stop()
    made.journal.close()
    await venue.stop()


async def test_a_partial_take_profit_of_the_users_own_is_left_alone(bench: Bench) -> None:
    """It protects a part: ours for the whole is placed beside it."""
    theirs = bench.row(orderId="5", clientOid="5", qty="4", takeProfit="3.5", tpslMode="partial")
    bench.venue.says[RESTING] = [theirs]
    await until(lambda: bench.own is not None and bench.own.state is OrderState.LIVE, "ours is placed")
    bench.venue.says[RESTING] = [theirs, bench.row()]
    bench.protector.wake()
    await until(lambda: bench.entry.protected, "the entry is protected")
    assert (bench.times(PLACE), bench.times(CANCEL)) == (1, 0)


@pytest.mark.parametrize("whole", [{"tpslMode": "full"}, {"tpslMode": "", "qty": "10"}])
async def test_a_take_profit_that_shares_its_order_with_a_stop_is_not_cancelled(
    bench: Bench, whole: dict[str, str]
) -> None:
    """To better its price would cost the user's stop."""
    bench.venue.says[RESTING] = [bench.row(orderId="5", clientOid="5", takeProfit="3", stopLoss="2", **whole)]
    await until(lambda: bench.entry.protected, "the entry is protected")
    assert (bench.times(PLACE), bench.times(CANCEL)) == (0, 0)


async def test_what_rode_on_the_entry_makes_room_when_its_price_is_off(bench: Bench) -> None:
    bench.venue.says[RESTING] = [bench.row(orderId="5", clientOid="5", takeProfit="3")]
    bench.venue.says[CANCEL] = None
    await until(lambda: bench.times(CANCEL), "it is cancelled")
    bench.venue.says[RESTING] = []
    await until(lambda: bench.own is not None, "ours is placed")


async def test_a_lost_answer_is_looked_up_and_never_doubled(bench: Bench) -> None:
    bench.venue.says[PLACE] = No("25001", 200)
    await until(lambda: bench.own is not None and bench.own.state is OrderState.UNKNOWN, "nothing is known")
    bench.protector.wake()
    await until(lambda: bench.times(ENDED) > 2, "it is looked for")
    assert bench.times(PLACE) == 1
    bench.venue.says[RESTING] = [bench.row()]
    bench.protector.wake()
    await until(lambda: bench.entry.protected, "what rests is recognised")
    assert bench.own is not None
    assert (bench.own.state, bench.own.venue_order_id, bench.times(PLACE)) == (OrderState.LIVE, "77", 1)


async def test_an_execution_is_told_once_its_order_is_known(bench: Bench) -> None:
    bench.venue.says[RESTING] = [bench.row()]
    await until(lambda: bench.entry.protected, "the entry is protected")
    bench.tracker.unprotect(bench.entry.intent.client_id)
    bench.venue.says[RESTING] = []
    await until(lambda: bench.own is not None and bench.own.state is OrderState.LIVE, "ours rests")
    own = bench.own
    assert own is not None
    bench.venue.says[POSITIONS] = {"list": None}
    ended = bench.row(status="success", updatedTime=ms(clock.now_ns()))
    bench.venue.says[ENDED] = {"list": [ended], "cursor": None}
    bench.protector.wake()
    await until(lambda: bench.times(HISTORY) > 1, "its order is looked for")
    assert own.state is OrderState.LIVE
    became = {"orderId": "31", "symbol": S, "qty": "10", "cumExecQty": "10", "avgPrice": "2.76"}
    bench.venue.says[INFO] = CLOSED_LONG | became
    fill = FILL | {"orderId": "31", "symbol": S, "execQty": "10", "execPrice": "2.76"}
    bench.venue.says[FILLS] = {"list": [fill], "cursor": None}
    bench.venue.says[BECAME] = {"list": [{"subOrderId": "31", "status": "filled"}], "cursor": None}
    bench.protector.wake()
    await until(lambda: own.state is OrderState.FILLED, "it is told")
    assert (own.filled_size, own.average_price, own.fills_size) == (D(10), D("2.76"), D(10))
