"""The tracker's promises: states never go back, a fill counts once, a restart ends where we were."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from shared.domain.account import Mode
from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import RANK, TERMINAL, OrderState, OrderType, Side, Step
from shared.errors import JournalError
from trader.orders import records
from trader.orders.journal import Entry, Journal, scan
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


@pytest.mark.parametrize("code", ["absent", "not_sent"])
@pytest.mark.parametrize("end", [OrderState.REJECTED, OrderState.DENIED])
@pytest.mark.parametrize(
    "state", [OrderState.LIVE, OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.CANCELED]
)
def test_an_end_that_was_only_presumed_yields_to_a_fill(
    tmp_path: Path, tracker: Tracker, code: str, end: OrderState, state: OrderState
) -> None:
    order = tracker.intend(intent())
    tracker.update(records.Update(client_id="c1", state=end, code=code, text="never placed", ns=1))
    assert tracker.unfinished(2) == []
    assert tracker.update(update(state, "3"))
    assert (order.state, order.filled_size, order.code, order.text) == (state, D(3), "", "")
    assert [o.intent.client_id for o in tracker.unfinished(2)] == ["c1"]
    again = Tracker()
    entries: list[Entry] = []
    scan(tmp_path, entries.append)
    for entry in entries:
        again.replay(entry)
    assert snapshot(again) == snapshot(tracker)


def test_what_the_venue_refused_itself_stays_refused(tracker: Tracker) -> None:
    order = tracker.intend(intent())
    tracker.update(records.Update(client_id="c1", state=OrderState.REJECTED, code="40762", ns=1))
    assert not tracker.update(update(OrderState.PARTIALLY_FILLED, "3"))
    assert order.state is OrderState.REJECTED


def test_an_absent_order_lives_again_only_by_something_new(tracker: Tracker) -> None:
    """A double of what was known before the end proves nothing, an order id for the first time does."""
    order = tracker.intend(intent())
    live = records.Update(client_id="c1", state=OrderState.LIVE, venue_order_id="v1", ns=1)
    absent = records.Update(client_id="c1", state=OrderState.REJECTED, code="absent", ns=1)
    tracker.update(absent)
    states = []
    for report in (live, absent, live):
        tracker.update(report)
        states.append(order.state)
    assert states == [OrderState.LIVE, OrderState.REJECTED, OrderState.REJECTED]


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow: the kernel refuses any more. What is logged stays in memory."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with capture_logs():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)


def replayed(folder: Path) -> Tracker:
    again = Tracker()
    entries: list[Entry] = []
    scan(folder, entries.append)
    for entry in entries:
        again.replay(entry)
    return again


def test_news_on_a_full_disk_reach_everybody_and_the_journal_later(tmp_path: Path, tracker: Tracker) -> None:
    heard: list[OrderState] = []
    tracker.on_change = lambda order: heard.append(order.state)
    tracker.intend(intent())
    with full_disk():
        with pytest.raises(JournalError):
            tracker.intend(intent("c2"))
        assert "c2" not in tracker
        tracker.sent(records.Sent("c1", 1, 2, 3))
        assert tracker.update(update(OrderState.PARTIALLY_FILLED, "4"))
        assert tracker.fill(fill(1, "4"))
        assert tracker.update(update(OrderState.FILLED, "10"))
        assert tracker.fill(fill(2, "6"))
        tracker.protect("c1")
        assert len(heard) == 5
        assert tracker.unjournaled == 1
        assert replayed(tmp_path).in_flight() == 1
    tracker.intend(intent("c3"))
    assert tracker.unjournaled == 0
    assert snapshot(replayed(tmp_path)) == snapshot(tracker)


def test_the_beat_writes_what_waited_for_the_disk(tmp_path: Path, tracker: Tracker) -> None:
    for number in range(5):
        tracker.intend(intent(f"c{number}"))
    with full_disk():
        for number in range(5):
            tracker.update(update(OrderState.FILLED, "10", f"c{number}"))
            tracker.protect(f"c{number}")
            tracker.unprotect(f"c{number}")
        tracker.tidy()
        assert tracker.unjournaled == 5
    tracker.tidy()
    assert tracker.unjournaled == 0
    assert snapshot(replayed(tmp_path)) == snapshot(tracker)


@given(data=st.data())
def test_whenever_the_disk_is_full_the_journal_ends_with_what_is_known(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, segment_bytes=1_000_000)
    tracker = Tracker()
    tracker.attach(journal)
    tracker.intend(intent())
    for step in data.draw(steps):
        full = data.draw(st.booleans())
        with full_disk() if full else nullcontext():
            match step:
                case records.Update():
                    tracker.update(step)
                case records.Fill():
                    tracker.fill(step)
                case records.Sent():
                    tracker.sent(step)
    tracker.tidy()
    journal.close()
    assert snapshot(replayed(folder)) == snapshot(tracker)


def test_entries_stop_when_the_disk_is_nearly_full_and_protection_goes_on(
    journal: Journal, tracker: Tracker
) -> None:
    journal.starved = "the disk of /x has 3 MB left, entries need 64 MB"
    with pytest.raises(JournalError, match=r"3 MB left.*entries stop until then"):
        tracker.intend(intent("c1"))
    assert "c1" not in tracker
    assert journal.seq == 1
    stop = msgspec.structs.replace(intent("c2"), step=Step.STOP)
    assert tracker.intend(stop).state is OrderState.INTENDED
    journal.starved = ""
    assert tracker.intend(intent("c1")).state is OrderState.INTENDED
