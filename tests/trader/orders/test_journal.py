from __future__ import annotations

import asyncio
import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.order import OrderState
from shared.errors import AlreadyRunningError, JournalError
from trader.orders import records, space
from trader.orders.journal import Entry, Follower, Journal, scan


def update(number: int) -> records.Update:
    return records.Update(client_id=f"id{number}", state=OrderState.LIVE, ns=number)


def contents(folder: Path) -> list[records.Record]:
    entries: list[Entry] = []
    scan(folder, entries.append)
    return [entry.record for entry in entries if not isinstance(entry.record, records.Opened)]


def write(folder: Path, count: int, segment_bytes: int = 100_000) -> Journal:
    journal = Journal(folder, segment_bytes=segment_bytes)
    for number in range(count):
        journal.append(update(number))
        journal.rotate_if_full()
    return journal


def test_reopening_continues_id_and_sequence(tmp_path: Path) -> None:
    first = write(tmp_path, 5)
    identity, seq = first.id, first.seq
    first.close()
    seen: list[Entry] = []
    second = Journal(tmp_path, segment_bytes=100_000, on_entry=seen.append)
    assert (second.id, second.seq) == (identity, seq)
    assert [entry.seq for entry in seen] == list(range(1, seq + 1))
    assert second.append(update(9)) == seq + 1
    second.close()


def test_a_tail_torn_at_any_byte_loses_only_the_torn_record(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    write(whole, 3).close()
    data = (whole / "00000001.kj").read_bytes()
    before_last = len(data)
    while len(contents_of(tmp_path / "probe", data[:before_last])) == 3:
        before_last -= 1
    start_of_last = before_last  # the last cut that still held two records lies at or after here
    for cut in range(start_of_last - 40, len(data)):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        (folder / "00000001.kj").write_bytes(data[:cut])
        journal = Journal(folder, segment_bytes=100_000)
        kept = contents(folder)
        assert kept == [update(number) for number in range(len(kept))]
        assert len(kept) <= 2
        journal.append(update(77))
        journal.close()
        assert contents(folder)[-1] == update(77)


def contents_of(folder: Path, data: bytes) -> list[records.Record]:
    folder.mkdir(exist_ok=True)
    (folder / "00000001.kj").write_bytes(data)
    return contents(folder)


def test_a_flipped_byte_in_the_last_segment_ends_the_reading_there(tmp_path: Path) -> None:
    write(tmp_path, 10).close()
    path = tmp_path / "00000001.kj"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))
    kept = contents(tmp_path)
    assert kept == [update(number) for number in range(len(kept))]
    assert len(kept) < 10


def test_damage_before_the_last_segment_is_refused_with_the_place(tmp_path: Path) -> None:
    write(tmp_path, 4000).close()
    first = tmp_path / "00000001.kj"
    assert (tmp_path / "00000002.kj").exists()
    data = bytearray(first.read_bytes())
    data[500] ^= 0xFF
    first.write_bytes(bytes(data))
    with pytest.raises(JournalError, match=r"00000001\.kj is damaged at byte|some are missing"):
        Journal(tmp_path, segment_bytes=100_000)


def test_a_missing_segment_is_noticed(tmp_path: Path) -> None:
    write(tmp_path, 6000).close()
    (tmp_path / "00000002.kj").unlink()
    with pytest.raises(JournalError, match="some are missing"):
        contents(tmp_path)


def test_two_writers_are_impossible(tmp_path: Path) -> None:
    journal = write(tmp_path, 1)
    with pytest.raises(AlreadyRunningError, match=f"pid {os.getpid()}"):
        Journal(tmp_path, segment_bytes=100_000)
    journal.close()
    Journal(tmp_path, segment_bytes=100_000).close()


def test_a_failed_open_does_not_clear_the_holders_pid(tmp_path: Path) -> None:
    journal = write(tmp_path, 1)
    for _ in range(2):
        with pytest.raises(AlreadyRunningError, match=f"pid {os.getpid()}"):
            Journal(tmp_path, segment_bytes=100_000)
    journal.close()


def test_a_record_of_a_newer_program_is_refused_not_skipped(tmp_path: Path) -> None:
    from trader.orders.journal import _frame

    write(tmp_path, 1).close()
    with (tmp_path / "00000001.kj").open("ab") as file:
        file.write(_frame(3, b"\x81\xa4type\xa3new"))
    with pytest.raises(JournalError, match="newer Kestrel"):
        contents(tmp_path)


def test_the_follower_sees_every_record_once_over_rotations(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=100_000)
    follower = Follower(tmp_path, 0)
    seen: list[int] = []
    for number in range(5000):
        journal.append(update(number))
        journal.rotate_if_full()
        if number % 7 == 0:
            seen += [entry.seq for entry in follower.batch(50)]
    while batch := follower.batch(50):
        seen += [entry.seq for entry in batch]
    assert seen == list(range(1, journal.seq + 1))
    journal.close()


def test_only_applied_old_segments_are_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=100_000, keep_segments=2)
    while len(list(tmp_path.glob("*.kj"))) < 5:
        journal.append(update(1))
        journal.rotate_if_full()
    assert journal.forget(applied_seq=10) == 0
    assert journal.forget(applied_seq=journal.seq) == 3
    assert len(list(tmp_path.glob("*.kj"))) == 2
    seq = journal.seq
    journal.close()
    again = Journal(tmp_path, segment_bytes=100_000)
    assert again.seq == seq
    again.close()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_soup_is_read_without_a_crash(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("soup")
    (folder / "00000001.kj").write_bytes(data.draw(st.binary(max_size=400)))
    assert contents(folder) == []
    Journal(folder, segment_bytes=100_000).close()


def test_what_append_returned_survives_sigkill(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from trader.orders import journal, records\n"
        "from shared.domain.order import OrderState\n"
        "j = journal.Journal(pathlib.Path(sys.argv[1]), segment_bytes=1_000_000)\n"
        "n = 0\n"
        "while True:\n"
        "    j.append(records.Update(client_id=f'id{n}', state=OrderState.LIVE, ns=n))\n"
        "    n += 1\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said = 0
    for line in process.stdout:
        said = int(line)
        if said >= 500:
            process.send_signal(signal.SIGKILL)
            break
    said = max([said, *[int(line) for line in process.stdout if line.endswith("\n")]])
    process.wait()
    process.stdout.close()
    kept = contents(tmp_path)
    assert len(kept) >= said
    assert kept == [update(number) for number in range(len(kept))]


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    journal = write(tmp_path, 3)
    size = (tmp_path / "00000001.kj").stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
        with pytest.raises(JournalError, match=r"free some space|cannot be written"):
            journal.append(update(99))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert (tmp_path / "00000001.kj").stat().st_size == size
    journal.append(update(3))
    journal.close()
    assert contents(tmp_path) == [update(number) for number in range(4)]


def no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_part_of_a_record_that_could_not_be_taken_back_at_once_is_never_written_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes half a record, and the file cannot be cut either: both happen on a failing disk."""
    journal = write(tmp_path, 2)
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        patch.setattr(os, "ftruncate", no_space)
        with pytest.raises(JournalError, match="cannot be written"):
            journal.append(update(98))
        with pytest.raises(JournalError, match="cannot be written"):
            journal.append(update(99))
    journal.append(update(2))
    journal.close()
    assert contents(tmp_path) == [update(number) for number in range(3)]


def test_a_segment_that_cannot_be_started_leaves_the_old_one_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, segment_bytes=100)
    journal.append(update(0))
    seq, identity = journal.seq, journal.id
    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda fd, data: real(fd, data[:10]))
        with pytest.raises(JournalError, match="no new segment"):
            journal.rotate_if_full()
        with pytest.raises(JournalError, match="no new segment"):
            journal.renew()
    assert (journal.seq, journal.id) == (seq, identity)
    assert journal.append(update(1)) > seq
    journal.rotate_if_full()
    journal.append(update(2))
    journal.close()
    assert contents(tmp_path) == [update(number) for number in range(3)]


def test_a_renewed_journal_keeps_its_records_and_its_new_id(tmp_path: Path) -> None:
    journal = write(tmp_path, 3)
    before, seq = journal.id, journal.seq
    renewed = journal.renew()
    assert renewed not in ("", before)
    journal.close()
    seen: list[Entry] = []
    again = Journal(tmp_path, segment_bytes=100_000, on_entry=seen.append)
    assert again.id == renewed
    assert again.opened_seq == again.seq == seq + 1
    assert [entry.seq for entry in seen] == list(range(1, seq + 2))
    again.close()


def test_the_follower_holds_back_what_is_not_synced(tmp_path: Path) -> None:
    journal = write(tmp_path, 10)
    follower = Follower(tmp_path, 0)
    assert [entry.seq for entry in follower.batch(50, up_to=4)] == [1, 2, 3, 4]
    assert follower.batch(50, up_to=4) == []
    assert [entry.seq for entry in follower.batch(3, up_to=journal.seq)] == [5, 6, 7]
    assert [entry.seq for entry in follower.batch(50)] == [8, 9, 10, 11]
    journal.close()


def test_what_a_killed_process_left_is_synced_without_a_further_record(tmp_path: Path) -> None:
    write(tmp_path, 3).close()
    told = threading.Event()
    journal = Journal(tmp_path, segment_bytes=100_000)
    journal.on_synced = told.set
    while journal.synced_seq < journal.seq:
        assert told.wait(5) or journal.synced_seq == journal.seq
    journal.close()


async def test_a_deferred_sync_happens_right_after_the_callback_that_wrote(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=100_000)
    synced = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell() -> None:
        loop.call_soon_threadsafe(synced.set)

    journal.on_synced = tell
    journal.defer_syncs(loop.call_soon)
    seq = journal.append(update(1))
    async with asyncio.timeout(5):
        while journal.synced_seq < seq:
            synced.clear()
            await synced.wait()
    journal.close()
    assert journal.synced_seq >= seq


# room


def no_room(fd: int, size: int) -> bool:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_segments_room_is_on_the_disk_before_it_is_needed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, segment_bytes=1_000_000, reserve_bytes=500_000)
    journal.append(update(0))
    first = (tmp_path / "00000001.kj").stat()
    assert first.st_size < 1_000
    if not journal.reserved:  # a file system that cannot
        assert space.reserve(journal._fd, 10) is False
        return
    assert first.st_blocks * 512 >= 1_500_000
    journal.renew()
    after = (tmp_path / "00000001.kj").stat()
    assert after.st_size == first.st_size
    assert after.st_blocks * 512 < 100_000  # what was not used is given back
    journal.close()


def test_on_a_full_disk_only_what_protects_uses_the_reserve_and_all_of_it_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, segment_bytes=2_000, reserve_bytes=1_000)
    journal.reserved = True
    written: list[int] = []

    def fill(*, protective: bool) -> int:
        for count in range(200):
            try:
                journal.append(update(len(written)), protective=protective)
            except JournalError:
                return count
            written.append(len(written))
        raise AssertionError("it never ends")

    with monkeypatch.context() as patch:
        patch.setattr(space, "reserve", no_room)
        assert fill(protective=False) > 10
        size = (tmp_path / "00000001.kj").stat().st_size
        assert 1_900 < size <= 2_000
        assert fill(protective=False) == 0
        assert fill(protective=True) > 5
        assert (tmp_path / "00000001.kj").stat().st_size <= 3_000
        assert len(list(tmp_path.glob("*.kj"))) == 1
    journal.append(update(len(written)))
    assert len(list(tmp_path.glob("*.kj"))) == 2
    journal.close()
    assert contents(tmp_path) == [update(number) for number in range(len(written) + 1)]


def test_where_nothing_can_be_reserved_what_protects_runs_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "reserve", lambda fd, size: False)
    journal = Journal(tmp_path, segment_bytes=500, reserve_bytes=100)
    assert not journal.reserved
    monkeypatch.setattr(space, "reserve", no_room)
    for number in range(50):
        journal.append(update(number), protective=True)
    with pytest.raises(JournalError):
        journal.append(update(50))
    journal.close()
    assert len(contents(tmp_path)) == 50


def test_a_disk_with_little_room_is_noticed_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = [10 << 20]
    monkeypatch.setattr(space, "free_bytes", lambda _: free[0])
    journal = Journal(tmp_path, segment_bytes=100_000)
    assert "10 MB left, entries need 64 MB" in journal.look_at_disk()
    assert journal.starved
    free[0] = 65 << 20
    assert journal.look_at_disk() == journal.starved == ""
    monkeypatch.setattr(space, "free_bytes", no_space)
    assert "No space left" in journal.look_at_disk()
    journal.close()


def test_a_segment_of_an_earlier_run_that_gets_no_room_stops_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, 3).close()
    with monkeypatch.context() as patch:
        patch.setattr(space, "reserve", no_room)
        journal = Journal(tmp_path, segment_bytes=100_000)
        assert "no room" in journal.starved
        assert journal.look_at_disk() == journal.starved != ""
    assert journal.look_at_disk() == ""
    journal.close()
