"""Reading recorded frames: one ``<local time> <json>`` a line, gzip, Binance combined streams.

The local time is in nanoseconds, in older recordings in microseconds (told by its size) and paces the
tape; the exchange's own stamps inside may run ahead of it by seconds. A line without ``stream`` that
has ``lastUpdateId`` is a REST snapshot taken while recording.

Lines read like::

    1723161255088169167 {"stream":"btcusdt@bookTicker","data":{"u":5123,"s":"BTCUSDT","b":"61800.20",...}}
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from shared import clock
from shared.errors import TapeError
from trader.paper.book import TextLevel

MAX_DAMAGED = 1000
"""Damaged lines stepped over before a file counts as unusable."""
_MAX_LINE = 8_000_000
_CHUNK = 1 << 18
_MICROSECONDS_BELOW = 10**17


class Data(msgspec.Struct, gc=False):
    """The fields of all stream kinds that a tape uses; which are set tells the kind.

    depthUpdate: U, u, pu (futures), b and a as lists. bookTicker: u, b, B, a, A. trade: p, q, m, t.
    aggTrade: p, q, m, a as id. markPriceUpdate: p, i, r, T.
    """

    e: str = ""
    s: str = ""
    U: int = 0
    u: int = 0
    pu: int = 0
    b: str | list[TextLevel] | int = ""
    B: str = ""
    a: str | list[TextLevel] | int = ""
    A: str = ""
    p: str = ""
    q: str = ""
    m: bool = False
    t: int = 0
    T: int = 0
    i: str = ""
    r: str = ""
    X: str = ""
    ps: str = ""


class Frame(msgspec.Struct, gc=False):
    """One line's JSON: a stream frame, or a snapshot."""

    stream: str = ""
    data: Data | None = None
    lastUpdateId: int = 0  # noqa: N815  # the venue's name
    bids: list[TextLevel] = []
    asks: list[TextLevel] = []
    symbol: str = ""


class FrameReader:
    """Streams a file, line after line, in bounded memory. ``line``, ``frames`` and ``damaged`` count one pass."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0
        self.frames = 0
        self.damaged = 0
        self.first_damage = ""

    def __iter__(self) -> Iterator[tuple[int, Frame]]:
        """``(local ns, frame)`` in file order. ``TapeError`` names file and line when it is unusable."""
        self.line = self.frames = self.damaged = 0
        decode = msgspec.json.Decoder(Frame).decode
        try:
            for line in _lines(self.path):
                self.line += 1
                head, _, text = line.partition(b" ")
                try:
                    ns = int(head)
                    frame = decode(text)
                except (ValueError, msgspec.MsgspecError) as error:
                    if line.strip():
                        self.damage(self.line, str(error))
                    continue
                if ns < _MICROSECONDS_BELOW:
                    ns *= clock.MICROSECOND
                self.frames += 1
                yield ns, frame
        except (EOFError, OSError, zlib.error) as error:
            # what came before a cut end is good; a file that is cut before anything useful is not
            self.damage(self.line + 1, _why(error))
            if self.frames == 0:
                raise TapeError(f"tape {self.path}: line {self.line + 1}: {_why(error)}") from None
        if self.frames == 0:
            raise TapeError(
                f"tape {self.path}: there is not one readable frame in it {self.first_damage}".rstrip()
            )

    def damage(self, number: int, why: str) -> None:
        """Count a bad line; ``TapeError`` when there are too many of them."""
        self.damaged += 1
        if self.damaged == 1:
            self.first_damage = f"(line {number}: {why})"
        if self.damaged > MAX_DAMAGED or (self.frames == 0 and self.damaged >= 20):
            raise TapeError(
                f"tape {self.path}: line {number}: {self.damaged} lines are damaged, first {self.first_damage}: "
                "this is no recording of Binance combined streams"
            )


def _lines(path: Path) -> Iterator[bytes]:
    """Lines without their end; one that never ends comes in pieces. What precedes a cut is not lost."""
    rest = b""
    with gzip.open(path, "rb") as file:
        while chunk := file.read1(_CHUNK):
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            yield from lines
            if len(rest) > _MAX_LINE:
                yield rest
                rest = b""
    if rest:
        yield rest


def _why(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the gzip file ends in the middle"
    if isinstance(error, gzip.BadGzipFile):
        return f"not a sound gzip file ({error})"
    return f"cannot be read ({error})"
