"""What the gateway makes of a venue's answers: nothing is sent twice, and nobody's order goes out on another's key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from shared.domain.order import OrderState, Side
from shared.errors import RefusedError
from tests.trader.scripted import DETAIL, INSTRUMENT, No, ScriptedVenue, intent, order_row, until
from trader.lane import Lane
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.settler import Settler
from trader.orders.tracker import Tracked, Tracker
from trader.venues.model import Call, MarginMode, PositionMode

PLACE = "/api/v2/mix/order/place-order"


class Bench:
    def __init__(self, venue: ScriptedVenue, lane: Lane, folder: Path) -> None:
        self.venue, self.lane = venue, lane
        self.tracker = Tracker()
        self.journal = Journal(folder, segment_bytes=1 << 20)
        self.tracker.attach(self.journal)
        self.asked_about: list[Tracked] = []
        self.gateway = Gateway(
            self.tracker, live_enabled=False, timeout_s=5, patience_s=1, on_settle=self.asked_about.append
        )

    def call(self, name: str) -> Call:
        return self.lane.dialect.place_order(
            INSTRUMENT,
            side=Side.BUY,
            size=Decimal(10),
            client_id=name,
            position_mode=PositionMode.ONE_WAY,
            margin_mode=MarginMode.ISOLATED,
        )

    async def submit(self, name: str) -> Tracked:
        """Send an entry and wait for what its answer makes of it."""
        order = self.gateway.submit(self.lane, intent(name), self.call(name))
        await until(lambda: self.asked_about, "the answer is read")
        return order


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    venue = ScriptedVenue()
    await venue.start()
    lane = venue.lane()
    lane.start()
    await until(lambda: lane.road() is not None, "there is a road")
    made = Bench(venue, lane, tmp_path / "journal")
    yield made
    await lane.stop()
    made.journal.close()
    await venue.stop()


@pytest.mark.parametrize("code", ["40786", "43118", "45034"])
async def test_an_id_that_exists_already_means_look_there(bench: Bench, code: str) -> None:
    bench.venue.says[PLACE] = No(code)
    order = await bench.submit("c1")
    assert order.state is OrderState.UNKNOWN
    bench.venue.says[DETAIL] = order_row("7", "c1", filled="0", status="live", state="live")
    settler = Settler(bench.lane, bench.tracker, bench.gateway)
    settler.watch(order)
    await settler._look(settler._cases["c1"])
    assert (order.state, order.venue_order_id) == (OrderState.LIVE, "7")
    assert bench.venue.asked.count(PLACE) == 1


async def test_a_clock_that_is_off_is_a_no_and_no_reason_to_send_again(bench: Bench) -> None:
    bench.venue.says[PLACE] = No("40008")
    order = await bench.submit("c1")
    assert (order.state, order.code) == (OrderState.REJECTED, "40008")
    with pytest.raises(RefusedError, match="exists already"):
        bench.gateway.submit(bench.lane, intent("c1"), bench.call("c1"))
    assert bench.venue.asked.count(PLACE) == 1


async def test_an_order_never_goes_out_with_the_key_of_another_account(bench: Bench) -> None:
    with pytest.raises(RefusedError, match="another account"):
        bench.gateway.submit(bench.lane, intent("c1", account_id=3), bench.call("c1"))
    assert "c1" not in bench.tracker
    assert PLACE not in bench.venue.asked
