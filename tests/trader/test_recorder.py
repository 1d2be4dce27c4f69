"""The recorder against a real Postgres: what it cannot store never stops what it can."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection
from structlog.testing import capture_logs

from shared import clock
from shared.domain.account import Account, AccountKind, AccountState, Mode
from shared.domain.instrument import Venue
from shared.domain.notice import Notice, NoticeKind, ParsedTitle
from shared.domain.order import OrderState, PositionSide
from tests.trader.orders.test_tracker import INSTRUMENT, D, fill, intent, update
from trader.orders import projection, records
from trader.orders.journal import Entry, Journal, scan
from trader.orders.tracker import Tracker
from trader.positions.rows import AccountSnapshot, ClosedPosition, Equity
from trader.recorder import Recorder


@pytest.fixture
def database(postgres_url: str) -> str:
    """One user (1) with one account (2): the one that the intents of these tests are of."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "insert into users (id, name, created_ns) overriding system value values (1, 'anna', 1)"
        )
        connection.execute(
            "insert into accounts (id, user_id, venue, kind, mode, label, sealed_credentials, key_tail, created_ns,"
            " updated_ns) overriding system value values (2, 1, 'bitget', 'classic', 'paper', 'main', '', 'tail', 1, 1)"
        )
    return postgres_url


class Desk:
    """A journal with its tracker and recorder, and a look into the database."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.journal = Journal(folder, segment_bytes=1_000_000)
        self.tracker = Tracker()
        scan(folder, self.tracker.replay)
        self.tracker.attach(self.journal)
        self.recorder = Recorder(
            url,
            self.journal,
            folder,
            heartbeat=lambda: ("armed", {"pid": os.getpid(), "note": "with a \0"}),
            oldest_needed=self.tracker.oldest_needed,
            on_beat=self.tracker.tidy,
        )
        self.tracker.on_change = lambda _: self.recorder.wake()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql.encode()).fetchall()

    async def until(self, check: Callable[[], Any], seconds: float = 10) -> None:
        """Wait for what the recorder does by itself."""
        async with asyncio.timeout(seconds):
            while not check():
                await asyncio.sleep(0.005)

    async def stored(self) -> None:
        self.recorder.wake()
        await self.until(lambda: self.recorder.connected and self.recorder.behind == 0)


@pytest.fixture
def desk(database: str, tmp_path: Path) -> Iterator[Desk]:
    made = Desk(database, tmp_path)
    yield made
    made.journal.close()


@asynccontextmanager
async def recording(desk: Desk) -> Any:
    task = asyncio.create_task(desk.recorder.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def notice(number: int, title: str = "공지") -> Notice:
    return Notice(
        key=f"upbit:{number}",
        source="upbit",
        host="host",
        title=title,
        category="거래",
        first_listed_ns=1,
        listed_ns=1,
        received_ns=number,
        decoded_ns=number,
    )


def seen(number: int, title: str = "공지") -> records.NoticeSeen:
    return records.NoticeSeen(notice(number, title), ParsedTitle(kind=NoticeKind.OTHER), "ignored", title)


def stranger(client_id: str) -> records.Intent:
    """Of an account that a restored database does not have."""
    return msgspec.structs.replace(intent(client_id), account_id=77, cause=client_id)


def snapshot(account_id: int = 2, closed: tuple[ClosedPosition, ...] = ()) -> AccountSnapshot:
    account = Account(
        id=account_id,
        user_id=1,
        user_name="anna",
        venue=Venue.BITGET,
        kind=AccountKind.CLASSIC,
        mode=Mode.PAPER,
        label="main",
        state=AccountState.ARMED,
    )
    return AccountSnapshot(
        account=account,
        positions=(),
        equity=Equity(currency="USDT", equity=D(1), available=D(1), unrealised=D(0)),
        closed=closed,
        taken_ns=clock.now_ns(),
    )


async def test_poison_is_left_out_and_told_and_all_else_is_stored(desk: Desk) -> None:
    desk.journal.append(seen(1, "이상한\0 안내"))
    desk.journal.append(records.Arrival(notice(1, "\0"), True))
    desk.journal.append(records.Arrival(notice(99), False))
    seq = desk.tracker.intend(stranger("stranger")).seq
    desk.tracker.update(update(OrderState.FILLED, "10", "stranger"))
    desk.tracker.intend(intent())
    desk.tracker.update(records.Update(client_id="c1", state=OrderState.REJECTED, text="a \0 text", ns=5))
    with capture_logs() as logs:
        async with recording(desk):
            await desk.stored()
            desk.journal.append(seen(2))
            await desk.stored()
    assert desk.rows("select title from notices order by key") == [("이상한\ufffd 안내",), ("공지",)]
    assert desk.rows("select notice_key, title from notice_arrivals") == [("upbit:1", "\ufffd")]
    assert desk.rows("select client_id, state, reason from orders") == [("c1", "rejected", "a \ufffd text")]
    assert desk.rows("select body ->> 'text' from outbox") == [("a \ufffd text",)]
    assert desk.rows("select state, detail ->> 'note' from heartbeats") == [("armed", "with a \ufffd")]
    assert desk.recorder.quarantined == 1
    (told,) = [line for line in logs if line["event"] == "recorder.quarantined"]
    assert (told["seq"], told["kind"]) == (seq, "Intent")
    assert not any("away" in line["event"] for line in logs)


async def test_a_symbol_that_becomes_another_coins_is_taken_over(desk: Desk) -> None:
    """A venue may give a symbol to another coin: both instruments keep their row and their orders."""
    later = msgspec.structs.replace(INSTRUMENT, id="bitget:perp:NEWER-USDT", base="NEWER")
    desk.tracker.intend(intent())
    changed = msgspec.structs.replace(intent("c2"), instrument=later, created_ns=5)
    stale = msgspec.structs.replace(intent("c3"), created_ns=2)
    for each in (changed, stale):
        desk.tracker.intend(each)
    async with recording(desk):
        await desk.stored()
        assert desk.recorder.quarantined == 0
        assert desk.rows("select instrument_id from intents order by client_id") == [
            (INSTRUMENT.id,),
            (later.id,),
            (INSTRUMENT.id,),
        ]
        assert desk.rows("select id, symbol from instruments order by id") == [
            (INSTRUMENT.id, INSTRUMENT.id),
            (later.id, "NEWUSDT"),
        ]
        desk.recorder.instruments([INSTRUMENT])
        await desk.until(
            lambda: (INSTRUMENT.id, "NEWUSDT") in desk.rows("select id, symbol from instruments")
        )


async def test_a_bad_instrument_or_snapshot_concerns_nobody_else(desk: Desk) -> None:
    bad = msgspec.structs.replace(
        INSTRUMENT, id="bitget:perp:BAD-USDT", symbol="BADUSDT", max_leverage=1 << 40
    )
    with capture_logs() as logs:
        async with recording(desk):
            desk.recorder.instruments([bad, INSTRUMENT])
            for account in (77, 2, 77):
                desk.recorder.snapshot(snapshot(account))
                await desk.until(lambda: not desk.recorder._snapshots)
    assert desk.rows("select id from instruments") == [(INSTRUMENT.id,)]
    assert desk.rows("select account_id from equity_snapshots") == [(2,)]
    assert [line["what"] for line in logs if line["event"] == "recorder.refused"] == [
        bad.id,
        "snapshot of account 77",
    ]


async def test_a_fault_of_the_heartbeat_does_not_stop_the_journal(desk: Desk) -> None:
    def fails() -> tuple[str, dict[str, Any]]:
        raise KeyError("nobody")

    desk.recorder._heartbeat = fails
    desk.journal.append(seen(1))
    with capture_logs() as logs:
        async with recording(desk):
            await desk.stored()
    assert desk.rows("select count(*) from notices") == [(1,)]
    assert [line["event"] for line in logs] == ["recorder.heartbeat_failed"]


async def test_a_sign_of_life_comes_although_the_journal_cannot_be_stored(desk: Desk) -> None:
    with psycopg.connect(desk.url) as connection:
        connection.execute("alter table notices rename to hidden")
    desk.journal.append(seen(1))
    with capture_logs() as logs:
        async with recording(desk):
            await desk.until(lambda: desk.recorder.failures > 1)
            assert desk.rows("select state from heartbeats") == [("armed",)]
            desk.recorder.snapshot(snapshot())
            await desk.until(lambda: desk.rows("select 1 from equity_snapshots"))
            with psycopg.connect(desk.url) as connection:
                connection.execute("alter table hidden rename to notices")
            await desk.stored()
    assert desk.rows("select count(*) from notices") == [(1,)]
    assert [line["event"] for line in logs] == ["recorder.journal_failed"], "said once, and not as absence"


async def test_results_of_positions_are_not_replaced_by_newer_snapshots(desk: Desk) -> None:
    def ended(at_ns: int) -> ClosedPosition:
        return ClosedPosition(
            instrument_id=INSTRUMENT.id,
            side=PositionSide.LONG,
            opened_ns=at_ns,
            close_price=D(3),
            realised=D(7),
            closed_ns=at_ns,
        )

    for results in ((ended(1),), (), (ended(2),)):
        desk.recorder.snapshot(snapshot(closed=results))
    assert [each.closed_ns for each in desk.recorder._snapshots[2].closed] == [1, 2]


async def test_nothing_is_stored_that_a_power_cut_could_take(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recording(desk):
        await desk.stored()
        refused: list[int] = []

        def fdatasync(fd: int) -> None:
            refused.append(fd)
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", fdatasync)
            desk.journal.append(seen(1))
            await desk.until(lambda: refused)
            for _ in range(20):
                desk.recorder.wake()
                await asyncio.sleep(0.005)
            assert desk.recorder.behind == 1
            assert desk.rows("select 1 from notices") == []
        desk.journal.append(seen(2))
        await desk.stored()
    assert len(desk.rows("select 1 from notices")) == 2


async def test_what_is_synced_is_stored_but_not_what_follows_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = desk.journal.append(seen(1))
    await desk.until(lambda: desk.journal.synced_seq == synced)

    def fdatasync(fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", fdatasync)
        desk.journal.append(seen(2))
        async with recording(desk):
            await desk.until(lambda: desk.rows("select 1 from heartbeats"))
            await desk.until(lambda: desk.recorder.applied_seq == synced)
            assert desk.rows("select key from notices") == [("upbit:1",)]


async def test_what_is_synced_is_stored_without_waiting_for_the_beat(desk: Desk) -> None:
    async with recording(desk):
        await desk.stored()
        began = clock.monotonic_ns()
        for number in range(10):
            desk.journal.append(seen(number))
            await desk.until(lambda: desk.recorder.behind == 0, 1)
        took_ms = (clock.monotonic_ns() - began) / clock.MILLISECOND / 10
    assert took_ms < 250, "a beat is 500 ms: the end of the sync must wake the recorder"


async def test_a_journal_that_lost_its_tail_goes_on_under_a_new_id(database: str, tmp_path: Path) -> None:
    before = Desk(database, tmp_path)
    for number in range(10):
        before.journal.append(seen(number))
    before.tracker.intend(intent())
    before.tracker.update(update(OrderState.LIVE))
    kept = (tmp_path / "00000001.kj").stat().st_size
    before.tracker.fill(fill(1, "10"))
    before.tracker.update(update(OrderState.FILLED, "10"))
    for number in range(10, 20):
        before.journal.append(seen(number))
    async with recording(before):
        await before.stored()
    lost_id, applied = before.journal.id, before.recorder.applied_seq
    before.journal.close()
    stored = before.rows("select client_id, state, filled_size, fee from orders")
    os.truncate(tmp_path / "00000001.kj", kept)

    after = Desk(database, tmp_path)
    assert after.journal.seq < applied
    after.journal.append(seen(100))
    with capture_logs() as logs:
        async with recording(after):
            await after.stored()
            after.journal.append(seen(101))
            await after.stored()
            assert after.rows("select client_id, state, filled_size, fee from orders") == stored
            assert after.tracker.fill(fill(1, "10")), "the venue is asked again, and says the same"
            after.tracker.update(update(OrderState.FILLED, "10"))
            await after.stored()
    assert "recorder.journal_was_cut" in {line["event"] for line in logs}
    assert after.rows("select client_id, state, filled_size, fee from orders") == stored
    assert {("upbit:100",), ("upbit:101",)} <= set(after.rows("select key from notices"))
    renewed = after.journal.id
    after.journal.close()
    assert renewed != lost_id
    again = Desk(database, tmp_path)
    assert again.journal.id == renewed
    with capture_logs() as logs:
        async with recording(again):
            await again.stored()
    assert logs == []
    again.journal.close()


updates = st.builds(
    lambda state, filled, code, venue_order_id: records.Update(
        client_id="c1",
        state=state,
        filled_size=D(filled),
        average_price=D("2.5") if filled != "0" else None,
        code=code,
        venue_order_id=venue_order_id,
        acknowledged_ns=7,
        ns=9,
    ),
    st.sampled_from(list(OrderState)),
    st.sampled_from(["0", "3", "10"]),
    st.sampled_from(["", "absent", "not_sent"]),
    st.sampled_from(["", "v1"]),
)
whatever = st.lists(
    st.one_of(updates, updates, st.builds(fill, st.integers(0, 3)), st.just(records.Sent("c1", 1, 2, 3))),
    max_size=15,
)

LOOK = (
    "select o.state, venue_order_id, filled_size, average_price, reason_code, acknowledged_ns, fee,"
    " (select count(*) from fills), (select count(*) from outbox) from orders o"
)


def at(state: OrderState, filled: str = "0", code: str = "", order_id: str = "") -> records.Update:
    return records.Update(
        client_id="c1", state=state, filled_size=D(filled), code=code, venue_order_id=order_id, ns=9
    )


@example(steps=[at(OrderState.LIVE), at(OrderState.CANCELED)], cut=3)
@example(steps=[at(OrderState.REJECTED, code="absent"), at(OrderState.LIVE, order_id="v1")], cut=20)
@example(steps=[at(OrderState.DENIED, code="not_sent"), at(OrderState.PARTIALLY_FILLED, "3")], cut=3)
@example(steps=[at(OrderState.PARTIALLY_FILLED, "3"), at(OrderState.PARTIALLY_FILLED, "10")], cut=3)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=whatever, cut=st.integers(0, 20))
def test_rows_follow_the_tracker_and_never_move_back_when_applied_anew(
    database: str, tmp_path_factory: pytest.TempPathFactory, steps: list[records.Record], cut: int
) -> None:
    """Any journal, and then any beginning of it once more under another id."""
    folder = tmp_path_factory.mktemp("journal")
    journal = Journal(folder, segment_bytes=1_000_000)
    tracker = Tracker()
    tracker.attach(journal)
    order = tracker.intend(intent())
    for step in steps:
        match step:
            case records.Update():
                tracker.update(step)
            case records.Fill():
                tracker.fill(step)
            case records.Sent():
                tracker.sent(step)
    journal.close()
    entries: list[Entry] = []
    scan(folder, entries.append)
    poison: list[Exception] = []

    async def apply() -> None:
        connection: AsyncConnection[Any]
        async with await AsyncConnection.connect(database, autocommit=True) as connection:
            await connection.execute("truncate intents, outbox, journal_progress cascade")
            for name, part in (("first", entries), ("anew", entries[:cut])):
                await projection.apply(connection, name, part, lambda _, error: poison.append(error))
                (row,) = await (await connection.execute(LOOK)).fetchall()
                looks.append(row)

    looks: list[tuple[Any, ...]] = []
    asyncio.run(apply())
    assert poison == []
    first, anew = looks
    assert first == anew
    assert first[:6] == (
        order.state.value,
        order.venue_order_id,
        order.filled_size,
        order.average_price,
        order.code,
        order.acknowledged_ns,
    )
    assert first[7] == len(order.fill_ids)
