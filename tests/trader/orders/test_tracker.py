"""The tracker's promises: states never go back, a fill counts once, a restart ends where we were."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import Mode
from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import RANK, TERMINAL, OrderState, OrderType, Side, Step
from trader.orders import records
from trader.orders.journal import Journal
from trader.orders.tracker import Tracker

D = Decimal
INSTRUMENT = Instrument(
    id="bitget:perp:NEW-USDT",
    venue=Venue.BITGET,
    market=Market.PERP,
    symbol="NEWUSDT",
    base="NEW",
    quote="USDT",
    tick=D("0.001"),
    step=D("0.1"),
    min_size=D("0.1"),
    min_notional=D(5),
)


def intent(client_id: str = "c1", take_profit: str | None = "2.75") -> records.Intent:
    return records.Intent(
        client_id=client_id,
        user_id=1,
        account_id=2,
        mode=Mode.PAPER,
        strategy_id="listing",
        instrument=INSTRUMENT,
        cause="listing:upbit:1:NEW",
        leg=0,
        step=Step.ENTRY,
        attempt=0,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        size=D(10),
        price=None,
        reference_price=D("2.5"),
        margin=D("2.5"),
        leverage=10,
        take_profit=None if take_profit is None else D(take_profit),
        take_profit_percent=D(100),
        attached=True,
        stop=None,
        reduce_only=False,
        seen_ns=1,
        decoded_ns=2,
        decided_ns=3,
        created_ns=4,
    )


def update(state: OrderState, filled: str = "0", client_id: str = "c1") -> records.Update:
    return records.Update(client_id=client_id, state=state, filled_size=D(filled), ns=9)


def fill(number: int, size: str = "1") -> records.Fill:
    return records.Fill(
        client_id="c1",
        venue_fill_id=f"f{number}",
        price=D("2.5"),
        size=D(size),
        fee=D("0.01"),
        fee_currency="USDT",
        taker=True,
        filled_ns=5,
    )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, segment_bytes=1_000_000)


@pytest.fixture
def tracker(journal: Journal) -> Tracker:
    made = Tracker()
    made.attach(journal)
    return made


def snapshot(tracker: Tracker) -> list[tuple[object, ...]]:
    return [
        (
            o.intent,
            o.state,
            o.venue_order_id,
            o.filled_size,
            o.average_price,
            o.fill_ids,
            o.fills_size,
            o.protected,
            o.sent,
        )
        for o in tracker.all()
    ]


steps = st.lists(
    st.one_of(
        st.builds(update, st.sampled_from(list(OrderState)), st.sampled_from(["0", "3", "10"])),
        st.builds(fill, st.integers(0, 3)),
        st.just(records.Sent("c1", 1, 2, 3)),
    ),
    max_size=20,
)


@given(steps=steps)
def test_any_order_of_news_never_goes_back_and_replays_to_the_same(
    tmp_path_factory: pytest.TempPathFactory, steps: list[records.Record]
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, segment_bytes=1_000_000)
    tracker = Tracker()
    tracker.attach(journal)
    order = tracker.intend(intent())
    for step in steps:
        rank, filled, fills = RANK[order.state], order.filled_size, len(order.fill_ids)
        finished = order.state in TERMINAL
        state = order.state
        match step:
            case records.Update():
                tracker.update(step)
            case records.Fill():
                tracker.fill(step)
            case records.Sent():
                tracker.sent(step)
        assert RANK[order.state] >= rank
        assert order.filled_size >= filled
        assert len(order.fill_ids) >= fills
        if finished:
            assert order.state in (state, OrderState.FILLED)
    assert order.fills_size == sum((D(1) for _ in order.fill_ids), D(0))
    journal.close()

    again = Tracker()
    Journal(folder, segment_bytes=1_000_000, on_entry=again.replay).close()
    assert snapshot(again) == snapshot(tracker)


def test_a_fill_counts_once_whoever_tells_it(tracker: Tracker) -> None:
    tracker.intend(intent())
    assert tracker.fill(fill(1))
    assert not tracker.fill(fill(1))
    assert tracker.duplicate_fills == 1


def test_a_fill_before_the_answer_is_kept(tracker: Tracker) -> None:
    order = tracker.intend(intent())
    tracker.fill(fill(1, "10"))
    tracker.update(update(OrderState.FILLED, "10"))
    assert not tracker.update(update(OrderState.LIVE))
    assert order.state is OrderState.FILLED
    assert order.complete


def test_unknown_is_unfinished_until_the_venue_speaks(tracker: Tracker) -> None:
    tracker.intend(intent())
    tracker.update(update(OrderState.UNKNOWN))
    assert [o.intent.client_id for o in tracker.unfinished(2)] == ["c1"]
    assert tracker.in_flight() == 1
    tracker.update(update(OrderState.REJECTED))
    assert tracker.unfinished(2) == []
    assert tracker.in_flight() == 0


def test_an_entry_without_its_take_profit_stays_unfinished(tracker: Tracker) -> None:
    tracker.intend(intent())
    tracker.update(update(OrderState.FILLED, "10"))
    tracker.fill(fill(1, "10"))
    assert tracker.unfinished(2)
    tracker.protect("c1")
    assert tracker.unfinished(2) == []


def test_nothing_is_announced_that_was_not_journaled_first(tracker: Tracker, journal: Journal) -> None:
    seen: list[int] = []
    tracker.on_change = lambda _: seen.append(journal.seq)
    tracker.intend(intent())
    before = journal.seq
    tracker.update(update(OrderState.LIVE))
    assert seen == [before + 1]


def test_news_about_strangers_is_ignored(tracker: Tracker, journal: Journal) -> None:
    before = journal.seq
    assert not tracker.update(update(OrderState.FILLED, client_id="not ours"))
    assert journal.seq == before
