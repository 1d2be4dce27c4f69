"""The journal cut at every byte of its tail, cut back to its last sync, and gone: each start ends right.

A power cut takes the last milliseconds of it; the exchange and Postgres keep what they have. What was recorded in
Postgres had reached the disk before, so that a cut never lies before that.
"""

from __future__ import annotations

import shutil
import signal
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

from shared.domain.order import OrderState
from tests.trader.world import Person, World, eventually
from trader.orders import records
from trader.orders.journal import Entry, Journal, _parse, scan
from trader.orders.tracker import Tracker

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
SEGMENT = 1 << 20
#: How many records from the intent on are cut byte by byte.
TAIL = 4
Ends = list[tuple[Entry, int]]


def frames(path: Path) -> Ends:
    """Every record with the offset of its end."""
    return list(_parse(path.read_bytes(), path))


def killed(world: World, point: str) -> tuple[Person, Path]:
    """A trader that was killed there, after a listing."""
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", leverage="50", take_profit="100")
    world.start_trader(TRADER_FAULT_POINT=f"{point}:1")
    world.armed("NEWUSDT")
    world.notice(TITLE)
    assert world.trader is not None
    assert world.trader.wait(20) == -signal.SIGKILL
    return anna, world.home / "journal" / "00000001.kj"


def right(world: World, anna: Person) -> bool:
    """One entry at most, and a position has one take profit."""
    account = world.account(anna)
    held = [each for each in account["positions"] if Decimal(each["total"]) > 0]
    assert world.entries(anna) <= 1
    return len(account["plans"]) == len(held)


def test_every_byte_of_the_tail(world: World, tmp_path: Path) -> None:
    _, path = killed(world, "protect.answered")
    data, ends = path.read_bytes(), frames(path)
    at = next(at for at, (entry, _) in enumerate(ends) if isinstance(entry.record, records.Intent))
    first, last = ends[at - 1][1], ends[min(at + TAIL, len(ends)) - 1][1]
    stood: dict[int, OrderState | None] = {}
    for cut in range(first, last + 1):
        folder = tmp_path / "cut"
        folder.mkdir()
        (folder / path.name).write_bytes(data[:cut])
        tracker = Tracker()
        journal = Journal(folder, segment_bytes=SEGMENT, on_entry=tracker.replay, reserve_bytes=0)
        whole = [entry for entry, end in ends if end <= cut]
        assert journal.opened_seq == whole[-1].seq
        assert journal.repaired_bytes == cut - max(end for _, end in ends if end <= cut)
        # What is known follows from the whole records alone, and the journal can be written on.
        same = Tracker()
        for entry in whole:
            same.replay(entry)
        assert [order.state for order in tracker.all()] == [order.state for order in same.all()]
        tracker.attach(journal)
        journal.append(records.Update(client_id="after", state=OrderState.LIVE, ns=1))
        journal.close()
        read: list[Entry] = []
        scan(folder, read.append)
        assert [entry.seq for entry in read] == list(range(1, len(whole) + 2))
        stood[cut] = next((order.state for order in tracker.all()), None)
        shutil.rmtree(folder)
    assert {None, OrderState.INTENDED, OrderState.SENT} <= set(stood.values())


@pytest.mark.parametrize(
    ("kind", "torn"),
    [
        (records.Intent, 7),
        pytest.param(records.Sent, 0, marks=pytest.mark.soak),
        pytest.param(records.Update, 0, marks=pytest.mark.soak),
    ],
    ids=lambda it: str(it)[-8:-2],
)
def test_a_start_after_a_cut(world: World, kind: type[records.Record], torn: int) -> None:
    """Behind the n-th record, or in the middle of the next one; Postgres has heard nothing yet."""
    anna, path = killed(world, "tracker.recorded")
    ends = frames(path)
    cut = next(end for entry, end in ends if isinstance(entry.record, kind)) + torn
    forget(world)
    with path.open("r+b") as file:
        file.truncate(min(cut, path.stat().st_size))
    start_and_judge(world, anna)


@pytest.mark.soak
def test_a_start_after_a_cut_back_to_the_last_sync(world: World) -> None:
    """As far as Postgres has it, it had been on the disk."""
    anna, path = killed(world, "recorder.committed")
    (applied,) = eventually(
        lambda: world.rows("select applied_seq from journal_progress"), 5, "Postgres has a place"
    )[0]
    ends = [end for entry, end in frames(path) if entry.seq <= applied]
    with path.open("r+b") as file:
        file.truncate(ends[-1])
    start_and_judge(world, anna)


@pytest.mark.soak
def test_a_start_without_the_journal(world: World) -> None:
    anna, path = killed(world, "recorder.committed")
    shutil.rmtree(path.parent)
    start_and_judge(world, anna)


def forget(world: World) -> None:
    """Postgres as it would be had it heard nothing of the listing."""
    with psycopg.connect(world.database_url) as connection:
        connection.execute("delete from journal_progress")
        connection.execute("delete from fills")
        connection.execute("delete from orders")
        connection.execute("delete from intents")


def start_and_judge(world: World, anna: Person) -> None:
    world.start_trader()
    world.armed(timeout_s=60)
    eventually(lambda: right(world, anna), 30, "the position has its take profit")
    world.settled(40)
    assert world.entries(anna) == 1
    ((state, size),) = world.rows(
        "select o.state, o.filled_size from orders o join intents i using (client_id) where i.step = 'entry'"
    )
    assert (state, size) == ("filled", Decimal(world.account(anna)["positions"][0]["total"]))
