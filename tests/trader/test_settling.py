"""When an order is told "never placed", and that every fill of it is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared import clock
from shared.domain.order import OrderState
from tests.trader.scripted import (
    DETAIL,
    FILLS,
    HISTORY,
    PENDING,
    POSITION,
    Hands,
    No,
    ScriptedVenue,
    fill_row,
    intent,
    order_row,
    position_row,
    until,
)
from trader.lane import Lane
from trader.orders import records, settler
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.settler import SETTLE_NS, Settler
from trader.orders.tracker import Tracked, Tracker
from trader.venues import pages

D = Decimal
SETTLE_S = SETTLE_NS / clock.SECOND


class Bench:
    """A settler at work on one account of a scripted venue; only the test moves monotonic time."""

    def __init__(self, venue: ScriptedVenue, lane: Lane, folder: Path, hands: Hands) -> None:
        self.venue = venue
        self.lane = lane
        self.hands = hands
        self.tracker = Tracker()
        self.journal = Journal(folder, segment_bytes=1 << 20, on_entry=lambda _: None)
        self.tracker.attach(self.journal)
        gateway = Gateway(
            self.tracker, live_enabled=False, timeout_s=5, patience_s=1, on_settle=lambda *_: None
        )
        self.settler = Settler(lane, self.tracker, gateway)
        self.task: asyncio.Task[None] | None = None

    def sent(self, client_id: str = "c1", *, ago_s: float = 1, **changes: Any) -> Tracked:
        """An order whose bytes left and whose answer was lost."""
        left_ns = clock.now_ns() - int(ago_s * clock.SECOND)
        order = self.tracker.intend(intent(client_id, created_ns=left_ns, **changes))
        self.tracker.sent(records.Sent(client_id, left_ns, left_ns, left_ns))
        self.tracker.update(records.Update(client_id=client_id, state=OrderState.UNKNOWN, ns=left_ns))
        return order

    def start(self) -> None:
        self.task = asyncio.create_task(self.settler.run())

    async def over_the_settle_time(self, order: Tracked) -> None:
        """Enough answers, then enough time, then one more look."""
        self.start()
        await self.venue.asked_again(DETAIL, settler.ABSENT_ANSWERS)
        self.hands.forward(SETTLE_S)
        self.settler.watch(order)

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
        self.journal.close()


@pytest.fixture
async def venue() -> AsyncIterator[ScriptedVenue]:
    made = ScriptedVenue()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def lane(venue: ScriptedVenue) -> AsyncIterator[Lane]:
    made = venue.lane()
    made.start()
    yield made
    await made.stop()


@pytest.fixture
async def bench(venue: ScriptedVenue, lane: Lane, tmp_path: Path) -> AsyncIterator[Bench]:
    hands = Hands()
    with clock.use(monotonic=hands):
        made = Bench(venue, lane, tmp_path / "journal", hands)
        yield made
        await made.stop()


async def test_an_order_of_an_earlier_run_gets_the_whole_settle_time_again(bench: Bench) -> None:
    order = bench.sent(ago_s=3600)
    bench.start()
    await bench.venue.asked_again(DETAIL, settler.ABSENT_ANSWERS + 1)
    assert order.state is OrderState.UNKNOWN
    bench.hands.forward(SETTLE_S - 0.1)
    bench.settler.watch(order)
    await bench.venue.asked_again(DETAIL, 2)
    assert order.state is OrderState.UNKNOWN
    bench.hands.forward(0.1)
    bench.settler.watch(order)
    await until(lambda: order.state is OrderState.REJECTED, "it is told absent")
    assert order.code == "absent"


async def test_a_step_of_the_wall_clock_proves_nothing(bench: Bench) -> None:
    order = bench.sent()
    now = clock.now_ns()
    with clock.use(now=lambda: now + 3600 * clock.SECOND):
        bench.start()
        await bench.venue.asked_again(DETAIL, settler.ABSENT_ANSWERS + 2)
        assert order.state is OrderState.UNKNOWN


async def test_a_position_that_nothing_else_explains_contradicts(bench: Bench) -> None:
    order = bench.sent()
    began = clock.now_ns()
    bench.venue.says[POSITION] = [position_row("10", opened_ns=began)]
    await bench.over_the_settle_time(order)
    await bench.venue.asked_again(POSITION)
    await until(lambda: bench.settler.last_error, "it is noted")
    assert order.state is OrderState.UNKNOWN
    assert "long position of 10" in bench.settler.last_error
    # The venue comes to its senses: the order is found like any other.
    bench.venue.says[DETAIL] = order_row("77", "c1")
    bench.venue.says[FILLS] = {"fillList": [fill_row(1, "77", "10")], "endId": None}
    bench.settler.watch(order)
    await until(lambda: order.complete, "it is found with its fill")
    assert order.fills_size == order.filled_size == D(10)
    assert order.state.value == "filled"


@pytest.mark.parametrize(("size", "state"), [("10", OrderState.REJECTED), ("20", OrderState.UNKNOWN)])
async def test_a_position_is_explained_by_the_orders_of_a_hand_up_to_their_size(
    bench: Bench, size: str, state: OrderState
) -> None:
    order = bench.sent()
    bench.venue.says[POSITION] = [position_row(size, opened_ns=clock.now_ns())]
    bench.venue.says[FILLS] = {"fillList": [fill_row(1, "88", "10")], "endId": "1"}
    row = order_row("88", "by-hand")
    bench.venue.says[HISTORY] = lambda query: {
        "entrustedList": None if query.get("clientOid") else [row],
        "endId": None,
    }
    await bench.over_the_settle_time(order)
    await bench.venue.asked_again(POSITION)
    await until(lambda: not order.open or bench.settler.last_error, "a verdict")
    assert order.state is state


async def test_an_older_position_is_no_sign_of_the_order(bench: Bench) -> None:
    order = bench.sent()
    bench.venue.says[POSITION] = [position_row("99", opened_ns=clock.now_ns() - 3600 * clock.SECOND)]
    await bench.over_the_settle_time(order)
    await until(lambda: order.state is OrderState.REJECTED, "it is told absent")


async def test_a_fill_of_an_order_that_is_listed_nowhere_contradicts(bench: Bench) -> None:
    order = bench.sent()
    bench.venue.says[FILLS] = {"fillList": [fill_row(1, "99", "10")], "endId": None}
    await bench.over_the_settle_time(order)
    await until(lambda: bench.settler.last_error, "it is noted")
    assert "fill 1" in bench.settler.last_error
    assert order.state is OrderState.UNKNOWN


async def test_a_fill_of_another_order_of_ours_is_explained(bench: Bench) -> None:
    other = bench.sent("c0")
    bench.tracker.update(
        records.Update(client_id="c0", state=OrderState.FILLED, venue_order_id="55", filled_size=D(10), ns=1)
    )
    bench.venue.says[FILLS] = lambda query: {
        "fillList": [fill_row(1, "55", "10")] if query.get("orderId") in (None, "55") else [],
        "endId": None,
    }
    order = bench.sent()
    await bench.over_the_settle_time(order)
    await until(lambda: order.state is OrderState.REJECTED, "it is told absent")
    assert other.complete


@pytest.mark.parametrize("where", [PENDING, HISTORY])
async def test_an_order_that_only_a_list_shows_is_found(bench: Bench, where: str) -> None:
    order = bench.sent()
    row = order_row("77", "c1")
    bench.venue.says[where] = lambda query: {
        "entrustedList": None if query.get("clientOid") else [row],
        "endId": None,
    }
    bench.venue.says[FILLS] = {"fillList": [fill_row(1, "77", "10")], "endId": None}
    await bench.over_the_settle_time(order)
    await until(lambda: order.complete, "it is found")
    assert order.state is OrderState.FILLED


async def test_a_failed_question_is_no_answer(bench: Bench) -> None:
    order = bench.sent()
    bench.venue.says[FILLS] = No("40808", 500)
    await bench.over_the_settle_time(order)
    await bench.venue.asked_again(FILLS)
    await until(lambda: bench.settler.errors, "the failure is counted")
    assert order.state is OrderState.UNKNOWN


async def test_an_order_that_the_venue_confirmed_is_never_told_absent(bench: Bench) -> None:
    order = bench.sent()
    bench.tracker.update(
        records.Update(client_id="c1", state=OrderState.LIVE, venue_order_id="77", ns=clock.now_ns())
    )
    await bench.over_the_settle_time(order)
    await until(lambda: bench.settler.last_error, "it is noted")
    assert order.state is OrderState.LIVE


async def test_an_absent_order_is_looked_at_once_more(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may hang in the network and be taken after all."""
    monkeypatch.setattr(settler, "LATE_S", 0.3)
    order = bench.sent()
    await bench.over_the_settle_time(order)
    await until(lambda: order.state is OrderState.REJECTED, "it is told absent")
    bench.venue.says[DETAIL] = order_row("77", "c1")
    bench.venue.says[FILLS] = {"fillList": [fill_row(1, "77", "10")], "endId": None}
    await until(lambda: order.fills_size == D(10), "it is found all the same")
    assert order.state is OrderState.FILLED


async def test_the_late_look_is_the_last(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settler, "LATE_S", 0.05)
    order = bench.sent()
    await bench.over_the_settle_time(order)
    await until(lambda: order.state is OrderState.REJECTED, "it is told absent")
    await until(lambda: bench.settler.open_cases == 0, "the case is closed")


class Pages:
    """Fills of one order, newest first, ``size`` rows a page, going on below ``idLessThan``."""

    def __init__(self, count: int, overlap: int = 0, *, repeats: bool = False) -> None:
        self.rows = [fill_row(number, "77", "0.1") for number in range(count, 0, -1)]
        self.overlap = overlap
        self.repeats = repeats

    def __call__(self, query: dict[str, str]) -> dict[str, Any]:
        before = int(query.get("idLessThan") or len(self.rows) + 1)
        if self.repeats:
            before = len(self.rows) + 1
        page = [row for row in self.rows if int(row["tradeId"]) < before + self.overlap][:100]
        if not [row for row in page if int(row["tradeId"]) < before]:
            page = []
        return {"fillList": page, "endId": page[-1]["tradeId"] if page else None}


@pytest.mark.parametrize("overlap", [0, 7])
async def test_an_order_of_many_fills_is_completed(bench: Bench, overlap: int) -> None:
    order = bench.sent()
    bench.venue.says[DETAIL] = order_row("77", "c1", filled="25", size="25")
    bench.venue.says[FILLS] = Pages(250, overlap)
    bench.start()
    await until(lambda: order.complete, "all fills are read")
    assert order.state is OrderState.FILLED
    assert len(order.fill_ids) == 250
    assert order.fills_size == D(25)
    assert bench.tracker.duplicate_fills == 0


async def test_pages_end_with_the_venues_word(venue: ScriptedVenue, lane: Lane) -> None:
    venue.says[FILLS] = Pages(200)
    read = await lane.dialect.order_fills(lane.ask, "NEWUSDT", "77")
    assert [fill.fill_id for fill in read] == [str(number) for number in range(200, 0, -1)]
    assert venue.asked.count(FILLS) == 3


async def test_what_is_wanted_is_enough(venue: ScriptedVenue, lane: Lane) -> None:
    venue.says[FILLS] = Pages(200)
    read = await lane.dialect.order_fills(lane.ask, "NEWUSDT", "77", wanted=D(10))
    assert len(read) == 100
    assert venue.asked.count(FILLS) == 1


async def test_a_page_that_repeats_for_ever_ends_the_reading(venue: ScriptedVenue, lane: Lane) -> None:
    venue.says[FILLS] = Pages(250, repeats=True)
    assert len(await lane.dialect.order_fills(lane.ask, "NEWUSDT", "77")) == 100
    assert venue.asked.count(FILLS) == 2
    _, complete = await lane.dialect.recent_fills(lane.ask, "NEWUSDT", 1)
    assert not complete


async def test_a_short_page_that_repeats_is_the_whole_list(venue: ScriptedVenue, lane: Lane) -> None:
    venue.says[FILLS] = Pages(30, repeats=True)
    rows, complete = await lane.dialect.recent_fills(lane.ask, "NEWUSDT", 1)
    assert len(rows) == 30
    assert complete


async def test_pages_without_end_are_bounded(
    venue: ScriptedVenue, lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "MAX_PAGES", 3)
    numbers = iter(range(10_000, 0, -1))
    venue.says[FILLS] = lambda _: {
        "fillList": [fill_row(next(numbers), "77", "0.1") for _ in range(100)],
        "endId": str(next(numbers)),
    }
    assert len(await lane.dialect.order_fills(lane.ask, "NEWUSDT", "77")) == 300
    _, complete = await lane.dialect.recent_fills(lane.ask, "NEWUSDT", 1)
    assert not complete


async def test_fills_of_other_orders_are_left_out(venue: ScriptedVenue, lane: Lane) -> None:
    venue.says[FILLS] = {"fillList": [fill_row(2, "78", "1"), fill_row(1, "77", "1")], "endId": None}
    assert [fill.fill_id for fill in await lane.dialect.order_fills(lane.ask, "NEWUSDT", "77")] == ["1"]
