"""The lines of a text file, plain, in gzip or in a zip: told apart by their first bytes, read piece by piece.

Nothing is unpacked to disk, and however much a few bytes of an archive would unpack to, no more than
:data:`MAX_TEXT` of it is read and no line longer than :data:`MAX_LINE` is kept.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Final

import msgspec

from flows.sources.cot_reading import plain
from shared.errors import SourceDataError

MAX_TEXT: Final = 512 << 20
"""Bytes of text in one file or archive. The largest the CFTC has, legacy 1986 to 2016, is about 160 MB."""
MAX_LINE: Final = 64 << 10
MAX_MEMBERS: Final = 64
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
_TEXT: Final = (".txt", ".csv")
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What the standard library raises while it reads an archive that is cut, damaged, encrypted or of an odd kind."""


class Line(msgspec.Struct, frozen=True):
    number: int
    """From 1."""
    content: bytes
    """Without its end, at most :data:`MAX_LINE` bytes."""
    ended: bool
    """With a line feed, as every line of a whole file."""
    too_long: bool = False


class Budget:
    """How many bytes of text may still come."""

    def __init__(self, name: str, left: int) -> None:
        self.name = name
        self.left = left

    def spend(self, size: int) -> None:
        self.left -= size
        if self.left < 0:
            raise SourceDataError(
                f"{self.name} holds more than {MAX_TEXT >> 20} MB of text: no COT file does"
            )


class Text:
    """One text file: ``name`` to show, and its lines, once."""

    def __init__(self, name: str, stream: BinaryIO, budget: Budget) -> None:
        self.name = name
        self._stream = stream
        self._budget = budget

    def lines(self) -> Iterator[Line]:
        """:raises SourceDataError: the archive it comes from is damaged, or too large."""
        number = 0
        with _damage(self._budget.name):
            while piece := self._piece():
                number += 1
                too_long = False
                first = piece
                while len(piece) == MAX_LINE and not piece.endswith(b"\n"):
                    too_long = True
                    piece = self._piece()
                ended = piece.endswith(b"\n")
                yield Line(number, first.rstrip(b"\r\n"), ended, too_long)

    def _piece(self) -> bytes:
        piece = self._stream.readline(MAX_LINE)
        self._budget.spend(len(piece))
        return piece


def texts(stream: BinaryIO, name: str) -> Iterator[Text]:
    """The text files in ``stream``: itself, what gzip unpacks to, or each ``.txt`` and ``.csv`` of a zip.

    Each must be read before the next one is asked for.

    :raises SourceDataError: an archive that is damaged, encrypted, or has no such member.
    """
    head = stream.read(4)
    stream.seek(0)
    budget = Budget(name, MAX_TEXT)
    if head in _ZIP:
        yield from _members(stream, name, budget)
    elif head.startswith(_GZIP):
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield Text(name, unpacked, budget)  # type: ignore[arg-type]  # readline() is all that is asked of it
    else:
        yield Text(name, stream, budget)


def _members(stream: BinaryIO, name: str, budget: Budget) -> Iterator[Text]:
    with _damage(name):
        archive = zipfile.ZipFile(stream)
    with archive:
        members = [one for one in archive.infolist() if _is_text(one.filename)]
        if not 0 < len(members) <= MAX_MEMBERS:
            raise SourceDataError(
                f"{name}: {len(members)} .txt or .csv files in this archive: not one of the CFTC's"
                + (" (save a workbook as .csv)" if not members else "")
            )
        for member in members:
            shown = f"{name}/{plain(member.filename)}"
            if member.flag_bits & 1:
                raise SourceDataError(f"{shown} is encrypted: unpack it yourself")
            with _damage(name):
                opened = archive.open(member)
            with opened:
                yield Text(shown, opened, budget)  # type: ignore[arg-type]


def _is_text(name: str) -> bool:
    """Not what a Mac adds beside each file."""
    return name.casefold().endswith(_TEXT) and not name.rpartition("/")[2].startswith("._")


@contextmanager
def _damage(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise SourceDataError(
            f"{name}: the archive is damaged ({plain(str(error))}): get it again"
        ) from error
