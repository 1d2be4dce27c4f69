"""What rests on the venue against what is believed: nothing is sent, nothing is doubled, a stranger stops entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared import clock
from shared.domain.ids import client_id, installation_of
from shared.domain.order import OrderState, Step
from shared.errors import RefusedError, VenueRefusedError
from tests.trader.scripted import (
    DETAIL,
    HISTORY,
    PENDING,
    PLANS,
    No,
    ScriptedVenue,
    intent,
    ms,
    order_row,
)
from trader.lane import Lane
from trader.market import MarketData, MarketHost
from trader.orders import records
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.protector import Protector
from trader.orders.reconciler import YOUNG_NS, Reconciler
from trader.orders.settler import Settler
from trader.orders.tracker import Tracked, Tracker
from trader.venues.bitget.market import BitgetMarket

D = Decimal
HOST = MarketHost("http://127.0.0.1:1", "ws://127.0.0.1:1")
PREFIX = "Ab3z"


def own_id(number: int, prefix: str = PREFIX) -> str:
    return client_id(prefix, 2, f"listing:upbit:{number}:NEW", 0, Step.ENTRY)


def resting(number: int, name: str, **changes: str) -> dict[str, str]:
    return (
        order_row(str(number), name, filled="0", status="live", state="live", orderType="limit", price="2.5")
        | changes
    )


class Bench:
    """A reconciler on one account of a scripted venue; Postgres knows what the test says."""

    def __init__(self, venue: ScriptedVenue, lane: Lane, folder: Path) -> None:
        self.venue = venue
        self.lane = lane
        self.tracker = Tracker()
        self.journal = Journal(folder, segment_bytes=1 << 20)
        self.tracker.attach(self.journal)
        self.gateway = Gateway(
            self.tracker, live_enabled=False, timeout_s=5, patience_s=1, on_settle=lambda *_: None
        )
        self.settler = Settler(lane, self.tracker, self.gateway)
        self.known_elsewhere: dict[str, records.Intent] = {}
        self.recalled: list[list[str]] = []
        protector = Protector(
            lane,
            self.tracker,
            self.gateway,
            MarketData(BitgetMarket(), HOST, refresh_s=30, on_instruments=lambda _: None),
            PREFIX,
        )
        self.reconciler = Reconciler(
            lane, self.tracker, self.settler, recall=self._recall, recognise=protector.recognise
        )

    async def _recall(self, account_id: int, ids: Collection[str]) -> int:
        assert account_id == 2
        self.recalled.append(sorted(ids))
        found = [self.known_elsewhere[each] for each in ids if each in self.known_elsewhere]
        for each in found:
            standing = records.Update(client_id=each.client_id, state=OrderState.SENT)
            self.tracker.adopt(each, None, standing, [], protected=False)
        return len(found)

    def placed(self, name: str, state: OrderState = OrderState.LIVE, *, ago_s: float = 60) -> Tracked:
        left_ns = clock.now_ns() - int(ago_s * clock.SECOND)
        order = self.tracker.intend(intent(name, created_ns=left_ns))
        self.tracker.sent(records.Sent(name, left_ns, left_ns, left_ns))
        self.tracker.update(records.Update(client_id=name, state=state, ns=left_ns))
        return order

    def lists(self, *rows: dict[str, str]) -> None:
        self.venue.says[PENDING] = {"entrustedList": list(rows) or None, "endId": None}

    def picture(self) -> list[Any]:
        return [
            (order.intent.client_id, order.state, order.venue_order_id, order.filled_size)
            for order in self.tracker.all()
        ]

    def may_enter(self) -> str:
        """What the gateway says to an entry."""
        try:
            self.gateway._gate(self.lane, intent(own_id(self.journal.seq + 10**6)))
        except RefusedError as refusal:
            return refusal.rule
        return ""


@pytest.fixture
async def venue() -> AsyncIterator[ScriptedVenue]:
    made = ScriptedVenue()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def bench(venue: ScriptedVenue, tmp_path: Path) -> AsyncIterator[Bench]:
    lane = venue.lane()
    lane.start()
    made = Bench(venue, lane, tmp_path / "journal")
    yield made
    await lane.stop()
    made.journal.close()


async def test_a_resting_order_of_ours_is_known_to_rest(bench: Bench) -> None:
    order = bench.placed(own_id(1), OrderState.UNKNOWN)
    bench.lists(resting(77, own_id(1)))
    await bench.reconciler.reconcile()
    assert (order.state, order.venue_order_id) == (OrderState.LIVE, "77")
    assert bench.recalled == []


async def test_an_order_that_ended_does_not_come_back_by_a_late_list(bench: Bench) -> None:
    order = bench.placed(own_id(1))
    bench.tracker.update(records.Update(client_id=own_id(1), state=OrderState.CANCELED, venue_order_id="77"))
    bench.lists(resting(77, own_id(1)))
    await bench.reconciler.reconcile()
    assert order.state is OrderState.CANCELED


async def test_an_order_that_no_longer_rests_is_asked_about_unless_it_is_young(bench: Bench) -> None:
    old = bench.placed(own_id(1))
    young = bench.placed(own_id(2), ago_s=YOUNG_NS / clock.SECOND - 2)
    bench.lists()
    await bench.reconciler.reconcile()
    assert list(bench.settler._cases) == [old.intent.client_id]
    assert young.open


async def test_a_list_that_is_not_whole_proves_nothing(bench: Bench) -> None:
    bench.placed(own_id(1))
    page = [resting(1000 - number, f"hand{number}") for number in range(100)]
    bench.venue.says[PENDING] = {"entrustedList": page, "endId": "901"}
    await bench.reconciler.reconcile()
    assert bench.settler.open_cases == 0


async def test_a_failed_question_changes_nothing(bench: Bench) -> None:
    bench.placed(own_id(1))
    bench.venue.says[PLANS] = No("40010", 500)
    before = bench.picture()
    with pytest.raises(VenueRefusedError):
        await bench.reconciler.reconcile()
    assert bench.picture() == before
    assert bench.settler.open_cases == 0
    assert bench.may_enter() == ""


async def test_the_users_hand_is_not_looked_at(bench: Bench) -> None:
    names = ["", "1234567890123456789", "x-40PTWbMI1234567890123456789a", "myorder", own_id(1)[:-1] + "!"]
    bench.lists(*(resting(number, name) for number, name in enumerate(names, 1)))
    await bench.reconciler.reconcile()
    assert bench.picture() == []
    assert bench.recalled == []
    assert bench.may_enter() == ""


@pytest.mark.parametrize("prefix", [PREFIX, "Zz9y"], ids=["our_prefix", "another_prefix"])
async def test_an_id_of_our_form_that_nobody_knows_stops_entries_until_it_is_gone(
    bench: Bench, prefix: str
) -> None:
    bench.lists(resting(5, own_id(3, prefix)))
    await bench.reconciler.reconcile()
    assert bench.may_enter() == "second_writer"
    assert own_id(3, prefix) in bench.lane.rival
    assert bench.recalled == [[own_id(3, prefix)]]
    bench.lists()
    await bench.reconciler.reconcile()
    assert bench.may_enter() == ""


async def test_a_foreign_take_profit_shows_a_second_writer_too(bench: Bench) -> None:
    row = {
        "symbol": "NEWUSDT",
        "orderId": "9",
        "clientOid": own_id(4, "Zz9y"),
        "planType": "pos_profit",
        "posSide": "net",
        "triggerPrice": "3",
        "size": "",
        "cTime": ms(clock.now_ns()),
    }
    bench.venue.says[PLANS] = {"entrustedList": [row], "endId": None}
    await bench.reconciler.reconcile()
    assert bench.may_enter() == "second_writer"


@pytest.mark.parametrize("prefix", [PREFIX, "Zz9y"])
async def test_what_postgres_knows_is_taken_over(bench: Bench, prefix: str) -> None:
    name = own_id(3, prefix)
    bench.known_elsewhere[name] = intent(name)
    bench.lists(resting(5, name))
    await bench.reconciler.reconcile()
    order = bench.tracker.get(name)
    assert order is not None
    assert (order.state, order.venue_order_id) == (OrderState.LIVE, "5")
    assert bench.may_enter() == ""
    await bench.reconciler.reconcile()
    assert len(bench.recalled) == 1


async def test_a_take_profit_without_a_record_is_recognised_by_its_entry(bench: Bench) -> None:
    entry = bench.placed(own_id(3), OrderState.FILLED)
    name = client_id(PREFIX, 2, entry.intent.cause, 0, Step.TAKE_PROFIT, attempt=2)
    row = {
        "symbol": "NEWUSDT",
        "orderId": "9",
        "clientOid": name,
        "planType": "pos_profit",
        "posSide": "net",
        "triggerPrice": "3",
        "size": "",
        "cTime": ms(clock.now_ns()),
    }
    bench.venue.says[PLANS] = {"entrustedList": [row], "endId": None}
    await bench.reconciler.reconcile()
    own = bench.tracker.get(name)
    assert own is not None
    assert (own.intent.step, own.intent.attempt, own.state) == (Step.TAKE_PROFIT, 2, OrderState.UNKNOWN)
    assert bench.may_enter() == ""
    seq = bench.journal.seq
    await bench.reconciler.reconcile()
    assert bench.journal.seq == seq


STATES = st.sampled_from(
    [
        OrderState.UNKNOWN,
        OrderState.LIVE,
        OrderState.PARTIALLY_FILLED,
        OrderState.CANCELED,
        OrderState.REJECTED,
    ]
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    orders=st.lists(st.tuples(STATES, st.booleans(), st.integers(0, 9)), max_size=6),
    strangers=st.lists(st.sampled_from([PREFIX, "Zz9y", "hand"]), max_size=3),
)
async def test_a_second_run_changes_nothing_and_no_run_sends_an_order(
    bench: Bench, orders: list[tuple[OrderState, bool, int]], strangers: list[str]
) -> None:
    base = bench.journal.seq * 100
    rows = []
    for number, (state, rests, filled) in enumerate(orders, base):
        bench.placed(own_id(number), state)
        if rests:
            changes = {"baseVolume": str(filled), "priceAvg": "2.5"} if filled else {}
            rows.append(resting(number + 1, own_id(number), **changes))
    for number, prefix in enumerate(strangers, base + 50):
        rows.append(
            resting(number + 1, own_id(number, prefix) if len(prefix) == 4 and prefix != "hand" else "x")
        )
    bench.lists(*rows)
    await bench.reconciler.reconcile()
    once, seq, rival = bench.picture(), bench.journal.seq, bench.lane.rival
    await bench.reconciler.reconcile()
    assert (bench.picture(), bench.journal.seq, bench.lane.rival) == (once, seq, rival)
    assert bench.gateway.sent == 0
    assert set(bench.venue.asked) <= {PENDING, PLANS, DETAIL, HISTORY, "/api/v2/public/time"}


def test_ids_tell_their_installation() -> None:
    assert installation_of(own_id(1)) == PREFIX
    assert installation_of(own_id(1)[:-1]) == ""
    wrong = own_id(1)[:-1] + ("0" if own_id(1)[-1] != "0" else "1")
    assert installation_of(wrong) == ""
    assert installation_of("x" * 30) == ""


async def test_the_beat_stretches_with_the_accounts_of_an_address(bench: Bench) -> None:
    bench.lane.neighbours = lambda: 1
    assert bench.lane.stretched_s(30) == 30
    bench.lane.neighbours = lambda: 1000
    assert bench.lane.stretched_s(30) == 150
