"""The journal: what we intended, on disk before anyone can doubt it.

Append-only segments ``journal/00000001.kj``. A frame is ``length u32 | crc32 u32 | seq u64 |
payload`` (little endian; the checksum covers seq and payload). :meth:`Journal.append` returns when
the kernel has the bytes, so the death of this process loses nothing; a thread of its own calls
``fdatasync`` at once and again as long as there is more, so that a power cut loses no more than
the last few milliseconds. A torn tail, which only a power cut leaves, is cut off at the next start.

A segment's room is reserved on the disk when it is begun, with :data:`RESERVE_BYTES` more that only what
protects may use: when the disk is full (or nearly, see :meth:`Journal.look_at_disk`) entries are refused while
stops, take profits and closing orders go on.

One process writes: the lock is held for as long as the journal is open.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from secrets import token_hex

import msgspec

from shared import clock
from shared.errors import AlreadyRunningError, JournalError
from trader.orders import records, space
from trader.orders.records import Record

_HEAD = struct.Struct("<IIQ")
_MAX_PAYLOAD = 1 << 20
SUFFIX = ".kj"
#: Beyond a segment's size, for protective records alone: some 2,000 of them.
RESERVE_BYTES = 1 << 20
#: A segment is closed by the beat when it is so full; the rest is for what comes until the next beat.
FULL = 0.75
#: With less free room than this on the disk entries stop.
LEAST_FREE_BYTES = 64 << 20


class Entry(msgspec.Struct, frozen=True):
    """One record with its place: ``seq`` grows by one over all segments of a journal."""

    seq: int
    record: Record


class _Segment(msgspec.Struct):
    """One file: its sequence numbers (0 = none) and where its good part ends."""

    path: Path
    first_seq: int = 0
    last_seq: int = 0
    good_bytes: int = 0
    total_bytes: int = 0


def _frame(seq: int, payload: bytes) -> bytes:
    tail = seq.to_bytes(8, "little") + payload
    return _HEAD.pack(len(payload), zlib.crc32(tail), seq) + payload


def _write_whole(fd: int, data: bytes) -> None:
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _parse(data: bytes, path: Path) -> Iterator[tuple[Entry, int]]:
    """The whole frames at the start of ``data``, each with the offset of its end."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, crc, seq = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        if length > _MAX_PAYLOAD or end > len(data) or zlib.crc32(data[at + 8 : end]) != crc:
            return
        try:
            record = records.decode(data[at + _HEAD.size : end])
        except msgspec.MsgspecError as error:
            raise JournalError(
                f"{path} holds a record this program does not know at byte {at} ({error}): "
                "it was written by a newer Kestrel, start that one"
            ) from None
        yield Entry(seq, record), end
        at = end


def _scan(path: Path, on_entry: Callable[[Entry], None]) -> _Segment:
    data = path.read_bytes()
    segment = _Segment(path, total_bytes=len(data))
    for entry, end in _parse(data, path):
        segment.first_seq = segment.first_seq or entry.seq
        segment.last_seq, segment.good_bytes = entry.seq, end
        on_entry(entry)
    return segment


def _segment_paths(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{SUFFIX}"))


def scan(folder: Path, on_entry: Callable[[Entry], None]) -> list[_Segment]:
    """Call ``on_entry`` for every whole record in order; a torn tail is left out.

    Raises :class:`JournalError` when records are missing or damaged before the tail.
    """
    last = 0

    def check(entry: Entry) -> None:
        nonlocal last
        if last and entry.seq != last + 1:
            raise JournalError(f"{folder}: record {entry.seq} follows record {last}, some are missing")
        last = entry.seq
        on_entry(entry)

    paths = _segment_paths(folder)
    segments = []
    for path in paths:
        segment = _scan(path, check)
        if segment.good_bytes != segment.total_bytes and path != paths[-1]:
            raise JournalError(
                f"{path} is damaged at byte {segment.good_bytes} of {segment.total_bytes} and is not the "
                f"last segment: keep {folder} for inspection and restore it from a copy"
            )
        segments.append(segment)
    return segments


class Follower:
    """Reads a journal forward, from after ``seq``, while another object writes it."""

    def __init__(self, folder: Path, seq: int) -> None:
        self._folder = folder
        self._seq = seq
        self._path: Path | None = None
        self._offset = 0

    def batch(self, limit: int, up_to: int = 1 << 62) -> list[Entry]:
        """Up to ``limit`` further records with a seq of at most ``up_to``, in order; empty without any."""
        entries: list[Entry] = []
        for path in _segment_paths(self._folder):
            if self._path is not None and path < self._path:
                continue
            offset = self._offset if path == self._path else 0
            with path.open("rb") as file:
                file.seek(offset)
                data = file.read()
            position = 0
            held_back = False
            for entry, end in _parse(data, path):
                if held_back := entry.seq > up_to:
                    break
                position = end
                if entry.seq > self._seq:
                    entries.append(entry)
                    self._seq = entry.seq
                if len(entries) == limit:
                    break
            self._path, self._offset = path, offset + position
            if held_back or len(entries) == limit:
                break
        return entries


class Journal:
    """The one writer of a journal folder.

    ``id`` names the journal, ``seq`` its last record, ``opened_seq`` the last one that was there when
    it was opened, ``synced_seq`` the last one that a power cut cannot take any more. ``on_synced`` is
    called whenever that moves, by a thread of its own. ``starved`` says why no entry may be journaled, "" = it may;
    ``looked``: whether that was asked yet;
    ``reserved`` whether the present segment's room is certain.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int,
        on_entry: Callable[[Entry], None] = lambda _: None,
        keep_segments: int = 4,
        reserve_bytes: int = RESERVE_BYTES,
        least_free_bytes: int = LEAST_FREE_BYTES,
    ) -> None:
        """Open or make the journal; ``on_entry`` is called for each record it already holds."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._keep = keep_segments
        self._reserve_bytes = reserve_bytes
        self._least_free_bytes = least_free_bytes
        self.starved = ""
        self.looked = False
        self.reserved = False
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = self._lock()
        self.repaired_bytes = 0
        self.synced_seq = 0
        self.failed = ""
        self.on_synced: Callable[[], None] = lambda: None
        self._torn = False
        self._dirty = threading.Event()
        self._call_soon: Callable[[Callable[[], None]], object] | None = None
        self._asked = False
        self._closing = False
        segments = self._replay(on_entry)
        self._open_last(segments)
        self._dirty.set()  # what a killed process left may not be on disk yet
        self._syncer = threading.Thread(target=self._sync_loop, name="journal-sync", daemon=True)
        self._syncer.start()

    def _lock(self) -> int:
        fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip()
            os.close(fd)
            raise AlreadyRunningError(
                f"another trader (pid {holder or 'unknown'}) writes the journal in {self._folder}: stop it first"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        return fd

    def _replay(self, on_entry: Callable[[Entry], None]) -> list[_Segment]:
        self.id, self.seq = "", 0

        def take(entry: Entry) -> None:
            if isinstance(entry.record, records.Opened):
                self.id = entry.record.journal_id
            self.seq = entry.seq
            on_entry(entry)

        segments = scan(self._folder, take)
        self.opened_seq = self.seq
        self.id = self.id or token_hex(8)
        self._first_seqs = {segment.path: segment.first_seq for segment in segments}
        return segments

    def _open_last(self, segments: list[_Segment]) -> None:
        if not segments:
            self._start_segment(1)
            return
        last = segments[-1]
        if last.good_bytes != last.total_bytes:
            self.repaired_bytes = last.total_bytes - last.good_bytes
            os.truncate(last.path, last.good_bytes)
        self._number = int(last.path.stem)
        self._path = last.path
        self._fd = os.open(last.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._size = last.good_bytes
        try:
            self.reserved = space.reserve(self._fd, self._room)
        except OSError as error:
            self._starve(error)
        if not last.first_seq:
            self._first_seqs[last.path] = self.seq + 1
            self.append(records.Opened(self.id, self._number, clock.now_ns()))

    def _start_segment(self, number: int) -> None:
        """Go on in a new segment; after an error the journal is as it was before."""
        path = self._folder / f"{number:08d}{SUFFIX}"
        frame = _frame(self.seq + 1, records.encode(records.Opened(self.id, number, clock.now_ns())))
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                reserved = space.reserve(fd, self._room)
                _write_whole(fd, frame)
                self._sync_folder()
            except OSError:
                path.unlink()
                os.close(fd)
                raise
        except OSError as error:
            raise JournalError(f"no new segment can be started in {self._folder}: {error.strerror}") from None
        self._number, self._path, self._fd = number, path, fd
        self._size, self._torn, self.reserved = len(frame), False, reserved
        self.seq += 1
        self._first_seqs[path] = self.seq
        self._dirty.set()

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def defer_syncs(self, call_soon: Callable[[Callable[[], None]], object]) -> None:
        """Wake the syncing thread from ``call_soon`` (an event loop's) instead of inside ``append``.

        The thread then does not compete for the interpreter while orders are being written; it is
        woken as soon as the present callback has ended, microseconds later.
        """
        self._call_soon = call_soon

    def _ask_for_sync(self) -> None:
        if self._call_soon is None:
            self._dirty.set()
        elif not self._asked:
            self._asked = True
            self._call_soon(self._sync_soon)

    def _sync_soon(self) -> None:
        self._asked = False
        self._dirty.set()

    @property
    def _room(self) -> int:
        """What is reserved for a segment."""
        return self._segment_bytes + self._reserve_bytes

    def _starve(self, error: OSError) -> None:
        if not self.starved:
            self.starved = f"the disk of {self._folder} has no room ({error.strerror})"

    def look_at_disk(self) -> str:
        """Whether there is room for entries; from the recorder's beat. Why not, or ""."""
        self.looked = True
        try:
            free = space.free_bytes(self._folder)
            self.starved = ""
            if free < self._least_free_bytes:
                self.starved = (
                    f"the disk of {self._folder} has {free >> 20} MB left, entries need "
                    f"{self._least_free_bytes >> 20} MB"
                )
            elif not self.reserved:
                self.reserved = space.reserve(self._fd, self._room)
        except OSError as error:
            self._starve(error)
        return self.starved

    def append(self, record: Record, *, protective: bool = False) -> int:
        """Hand a record to the kernel and return its seq; raises :class:`JournalError`.

        Only ``protective`` ones may use the reserve. After an error nothing of the record is in the file:
        it counts as never written.
        """
        frame = _frame(self.seq + 1, records.encode(record))
        if self._size + len(frame) > (self._room if protective else self._segment_bytes):
            self._make_room(protective=protective)
            frame = _frame(self.seq + 1, records.encode(record))
        try:
            if self._torn:
                self._cut()
            written = os.write(self._fd, frame)
            if written != len(frame):
                self._torn = True
                self._cut()
                raise JournalError(
                    f"the disk of {self._folder} is full: free some space, entries stop until then"
                )
        except OSError as error:
            raise JournalError(f"the journal in {self._folder} cannot be written: {error.strerror}") from None
        self.seq += 1
        self._size += written
        self._ask_for_sync()
        return self.seq

    def _cut(self) -> None:
        """Take back what a failed write has left: a record behind it could never be read."""
        os.ftruncate(self._fd, self._size)
        self._torn = False

    @property
    def first_seq(self) -> int:
        """The first record that is still on disk."""
        return min(self._first_seqs.values(), default=1)

    def rotate_if_full(self) -> None:
        """Start a new segment when this one is nearly full: off the hot path, from the recorder's beat.

        Raises :class:`JournalError`; then the old segment goes on.
        """
        if self._size >= self._segment_bytes * FULL:
            self._rotate()

    def _make_room(self, *, protective: bool) -> None:
        """The beat did not come in time: rotate now. What protects may run over where nothing was reserved."""
        try:
            self._rotate()
        except JournalError:
            if not (protective and not self.reserved):
                raise

    def renew(self) -> str:
        """Go on under a fresh id, as another journal with the same records; returns the id.

        For when records that Postgres counted under the old id were lost: seqs are given again, and
        what has them now must not pass for applied. Raises :class:`JournalError`.
        """
        before, self.id = self.id, token_hex(8)
        try:
            self._rotate()
        except JournalError:
            self.id = before
            raise
        return self.id

    def _rotate(self) -> None:
        old = self._fd
        try:
            if self._torn:
                self._cut()
            os.fdatasync(old)
        except OSError as error:
            raise JournalError(f"the journal in {self._folder} cannot be synced: {error.strerror}") from None
        size = self._size
        self._start_segment(self._number + 1)
        with suppress(OSError):
            space.release(old, size)
        os.close(old)

    def forget(self, applied_seq: int) -> int:
        """Delete the oldest segments that are wholly in Postgres, keeping the newest ones.

        Returns how many were deleted. The caller passes a seq before its oldest unfinished order.
        """
        paths = _segment_paths(self._folder)
        removable = paths[: max(0, len(paths) - self._keep)]
        deleted = 0
        for path, following in zip(removable, paths[1:], strict=False):
            if self._first_seqs.get(following, 0) - 1 > applied_seq or following not in self._first_seqs:
                break
            path.unlink()
            self._first_seqs.pop(path, None)
            deleted += 1
        return deleted

    def _sync_loop(self) -> None:
        while not self._closing:
            self._dirty.wait()
            self._dirty.clear()
            seq, fd = self.seq, self._fd
            try:
                os.fdatasync(fd)
            except OSError as error:
                # The descriptor may have just been replaced by a rotation, which syncs by itself.
                if fd == self._fd:
                    self.failed = f"fdatasync: {error.strerror}"
                continue
            self.synced_seq = seq
            self.on_synced()

    def close(self) -> None:
        """Sync what is there and let go of the lock."""
        if self._closing:
            return
        self._closing = True
        self._dirty.set()
        self._syncer.join(timeout=5)
        os.fdatasync(self._fd)
        os.close(self._fd)
        os.close(self._lock_fd)
