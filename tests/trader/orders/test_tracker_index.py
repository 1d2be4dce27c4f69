"""What the tracker keeps ready for the hot loop equals what a look at every order would find."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import OrderState, Step
from tests.trader.orders.test_tracker import D, fill, intent, update
from trader.orders import records, tracker
from trader.orders.journal import Entry, Journal, scan
from trader.orders.tracker import Tracked, Tracker

WAITING = (OrderState.INTENDED, OrderState.SENT, OrderState.UNKNOWN)


def entry_of(number: int) -> records.Intent:
    """Number 0..5: two accounts and two causes, with one or two orders in a group, entries first."""
    account, cause, protective = number & 1, number >> 1 & 1, number >> 2
    return msgspec.structs.replace(
        intent(f"c{number}", None if protective else "2.75"),
        account_id=account,
        cause=f"cause {cause}",
        step=Step.TAKE_PROFIT if protective else Step.ENTRY,
    )


def by_scan(made: Tracker) -> tuple[object, ...]:
    orders = list(made.all())
    unfinished = [o for o in orders if o.open or not o.complete or o.needs_take_profit]

    def since(order: Tracked) -> int:
        return min(o.seq for o in orders if o.group == order.group)

    return (
        {
            account: sorted(o.intent.client_id for o in unfinished if o.intent.account_id == account)
            for account in (0, 1)
        },
        sum(o.state in WAITING for o in orders),
        min((since(o) for o in unfinished), default=1 << 62) - 1,
    )


def by_index(made: Tracker) -> tuple[object, ...]:
    return (
        {account: sorted(o.intent.client_id for o in made.unfinished(account)) for account in (0, 1)},
        made.in_flight(),
        made.oldest_needed(),
    )


numbers = st.integers(0, 5)
news = st.lists(
    st.one_of(
        st.tuples(st.just("intend"), numbers),
        st.tuples(st.just("intend"), numbers),
        st.tuples(
            st.just("update"),
            st.builds(
                lambda number, state, filled, code: records.Update(
                    client_id=f"c{number}", state=state, filled_size=D(filled), code=code, ns=9
                ),
                numbers,
                st.sampled_from(list(OrderState)),
                st.sampled_from(["0", "1", "3"]),
                st.sampled_from(["", "absent", "not_sent", "40762"]),
            ),
        ),
        st.tuples(
            st.just("fill"),
            st.builds(
                lambda number, key: msgspec.structs.replace(fill(key), client_id=f"c{number}"),
                numbers,
                st.integers(0, 3),
            ),
        ),
        st.tuples(st.just("sent"), numbers),
        st.tuples(st.just("protect"), numbers),
        st.tuples(st.just("unprotect"), numbers),
        st.tuples(st.just("forget"), numbers),
        st.tuples(st.just("rotate"), numbers),
    ),
    max_size=60,
)


def tell(made: Tracker, journal: Journal, verb: str, what: object) -> None:
    match verb, what:
        case "intend", int(number):
            if f"c{number}" not in made:
                made.intend(entry_of(number))
        case "update", records.Update():
            made.update(what)
        case "fill", records.Fill():
            made.fill(what)
        case "sent", int(number):
            made.sent(records.Sent(f"c{number}", 1, 2, 3))
        case "protect", int(number):
            made.protect(f"c{number}")
        case "unprotect", int(number):
            made.unprotect(f"c{number}")
        case "forget", _:
            made.forget_finished()
        case _:
            journal.rotate_if_full()
            journal.forget(min(journal.seq, made.oldest_needed()))


@settings(max_examples=300)
@given(steps=news)
def test_the_indexes_equal_a_full_scan_after_any_sequence(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracker, "KEEP_FINISHED", 4)
        folder = tmp_path_factory.mktemp("journal")
        journal = Journal(folder, segment_bytes=2_000, keep_segments=1)
        made = Tracker()
        made.attach(journal)
        for verb, what in steps:
            tell(made, journal, verb, what)
            assert by_index(made) == by_scan(made)
        wanted = {o.intent.client_id: o for o in made.all() if o.unfinished}
        journal.close()

        patch.setattr(tracker, "KEEP_FINISHED", 20_000)
        again = Tracker()
        Journal(folder, segment_bytes=2_000, on_entry=again.replay).close()
        assert by_index(again) == by_scan(again)
        for client_id, order in wanted.items():
            known = again.get(client_id)
            assert known is not None, "what is unfinished must survive a restart, whatever was forgotten"
            assert (known.state, known.filled_size, known.protected) == (
                order.state,
                order.filled_size,
                order.protected,
            )


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path, segment_bytes=1_000_000)


@pytest.fixture
def made(journal: Journal) -> Tracker:
    made = Tracker()
    made.attach(journal)
    return made


def finish(made: Tracker, client_id: str) -> None:
    made.update(update(OrderState.REJECTED, client_id=client_id))


def test_an_entry_that_wants_a_take_profit_keeps_its_place_in_the_journal(made: Tracker) -> None:
    order = made.intend(intent())
    made.update(update(OrderState.FILLED, "10"))
    made.fill(fill(1, "10"))
    assert order.complete
    assert made.oldest_needed() == order.seq - 1
    made.protect("c1")
    assert made.oldest_needed() > order.seq


def test_an_unfinished_take_profit_keeps_its_entry_in_the_journal(made: Tracker) -> None:
    """When it is gone one day, the entry must be known to want another one."""
    entry = made.intend(intent())
    made.update(update(OrderState.FILLED, "10"))
    made.fill(fill(1, "10"))
    made.intend(msgspec.structs.replace(intent("tp", None), step=Step.TAKE_PROFIT))
    made.protect("c1")
    assert [order.intent.client_id for order in made.unfinished(2)] == ["tp"]
    assert made.oldest_needed() == entry.seq - 1


def test_the_group_of_an_unfinished_entry_is_never_forgotten(
    made: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which attempts there were decides whether another one may follow."""
    monkeypatch.setattr(tracker, "KEEP_FINISHED", 10)
    made.intend(intent("entry"))
    made.update(update(OrderState.FILLED, "10", "entry"))
    for attempt in range(5):
        own = msgspec.structs.replace(intent(f"tp{attempt}", None), step=Step.TAKE_PROFIT, attempt=attempt)
        made.intend(own)
        finish(made, own.client_id)
    for number in range(20):
        made.intend(msgspec.structs.replace(intent(f"other{number}"), cause=f"other {number}"))
        finish(made, f"other{number}")
    assert len(list(made.all())) == 26, "an intent never waits for the forgetting"
    made.forget_finished()
    assert all(f"tp{attempt}" in made for attempt in range(5))
    assert "entry" in made
    assert "other0" not in made
    assert "other19" in made
    assert len(list(made.all())) <= 10


def test_a_take_profit_that_is_gone_is_wanted_again_after_a_restart_too(tmp_path: Path) -> None:
    """Its records were forgotten while it rested: they are written anew."""
    journal = Journal(tmp_path, segment_bytes=1_000, keep_segments=1)
    made = Tracker()
    made.attach(journal)
    made.intend(intent())
    made.sent(records.Sent("c1", 1, 2, 3))
    made.update(update(OrderState.FILLED, "10"))
    made.fill(fill(1, "10"))
    made.protect("c1")
    while journal.first_seq == 1:
        made.intend(msgspec.structs.replace(intent("other"), cause="other"))
        finish(made, "other")
        journal.rotate_if_full()
        journal.forget(min(journal.seq, made.oldest_needed()))
    held: list[Entry] = []
    scan(tmp_path, held.append)
    assert all(getattr(entry.record, "client_id", "") != "c1" for entry in held)

    made.unprotect("c1")
    assert [order.intent.client_id for order in made.unfinished(2)] == ["c1"]
    journal.close()
    again = Tracker()
    Journal(tmp_path, segment_bytes=1_000, on_entry=again.replay).close()
    (order,) = again.unfinished(2)
    assert order.needs_take_profit
    assert (order.state, order.filled_size, order.sent) == (
        OrderState.FILLED,
        Decimal(10),
        records.Sent("c1", 1, 2, 3),
    )
