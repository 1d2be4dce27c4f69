"""COT text and csv files, as the CFTC has published them and as people keep them: bytes in, a reading out.

Layouts: with any spelling of the headings (:mod:`flows.sources.headings`), or without headings in the order of the
latest week's files. A byte order mark, CRLF, padded numbers, thousands commas, all three date forms; plain,
gzip or zip. Every market of a file is kept, not only those that have a page.

What is refused, row by row and with its line: a wrong number of columns, a cell that is no number, a negative one,
positions that do not add up to the open interest, a date or code that is none, a row of the combined report,
a last line that may have been cut, two rows of one market and date that disagree. A file that is no COT report,
or one of another kind, is refused whole.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path, PurePath
from typing import BinaryIO, Final

from flows.sources import cot_values, headings, packed
from flows.sources.cot_reading import Collector, Reading, RowError, check, known_name, plain
from flows.sources.headings import Layout
from shared import clock
from shared.domain.cot import CODES, Positions, columns
from shared.errors import NotFoundError, SourceDataError

PREAMBLE: Final = 20
"""So many lines may stand before the first one that tells what the file is."""
_CODE_IN_NAME: Final = re.compile(r"(?:^|[_-])([0-9][0-9A-Z]{4}[0-9A-Z+])(?:\.[a-z]+)*$")
_COMBINED_NAME: Final = re.compile(r"(?:^|/)(?:deahistfo|annualof|com95_16|deacom)", re.IGNORECASE)
"""The legacy report with options: the same columns as without, and nothing within the file to tell them apart."""
_DOS_END: Final = b" \t\r\n\x1a"


def read_file(
    path: Path, *, code: str | None = None, snapshot_ns: int | None = None, now_ns: int | None = None
) -> list[Reading]:
    """The readings of one file: one, or one per text file of a zip. See :func:`parse` for the rest.

    :raises NotFoundError: there is no such file, or it may not be read.
    """
    try:
        with path.open("rb") as stream:
            return _readings(stream, path.name, code, snapshot_ns, now_ns)
    except OSError as error:
        raise NotFoundError(f"{path} cannot be read: {error.strerror or error}") from error


def read_bytes(
    content: bytes,
    name: str,
    *,
    code: str | None = None,
    snapshot_ns: int | None = None,
    now_ns: int | None = None,
) -> list[Reading]:
    """:func:`read_file` of a file that is in memory."""
    return _readings(io.BytesIO(content), name, code, snapshot_ns, now_ns)


def parse(
    content: bytes,
    name: str,
    *,
    code: str | None = None,
    snapshot_ns: int | None = None,
    now_ns: int | None = None,
) -> Reading:
    """The reading of one file that is no zip.

    :param code: the market of a file that has no column for it; else it is looked for in ``name``
        (``cot_legacy_133741.csv``).
    :param snapshot_ns: when the file was written; else the due release of the newest report in it
        (:func:`flows.sources.cot_reading.released`).
    :param now_ns: today; an as-of date after it is damage.
    :raises SourceDataError: no COT report, one of another kind, several files, or a damaged archive.
    """
    readings = read_bytes(content, name, code=code, snapshot_ns=snapshot_ns, now_ns=now_ns)
    if len(readings) != 1:
        raise SourceDataError(f"{name} holds {len(readings)} files: one was expected")
    return readings[0]


def _readings(
    stream: BinaryIO, name: str, code: str | None, snapshot_ns: int | None, now_ns: int | None
) -> list[Reading]:
    now = clock.now_ns() if now_ns is None else now_ns
    return [
        _Reader(text, code, clock.utc(now).date()).read().reading(snapshot_ns, now)
        for text in packed.texts(stream, plain(name))
    ]


class _Reader:
    """One pass over the lines of one file."""

    def __init__(self, text: packed.Text, code: str | None, today: date) -> None:
        self._text = text
        self._code = None if code is None else _given(code)
        self._today = today
        self._layout: Layout | None = None
        self._collector: Collector | None = None
        self._doubt = ""
        """Why a line of the right width was not taken for a row, while the layout is unknown."""

    def read(self) -> Collector:
        before: list[packed.Line] = []
        for line in self._text.lines():
            if not line.content.strip(_DOS_END):
                continue
            if self._layout is not None:
                self._take(line)
                continue
            before.append(line)
            if self._recognise(line):
                for earlier in before:
                    self._take(earlier)
            elif len(before) == PREAMBLE:
                break
        if self._collector is None:
            raise SourceDataError(_unknown(self._text.name, before, self._doubt))
        return self._collector

    def _recognise(self, line: packed.Line) -> bool:
        """Does this line tell the layout: as headings, or as a row of a file that never has any?"""
        try:
            cells = _cells(line, _decoded(line))
        except RowError:
            return False
        layout = headings.layout(cells, self._text.name) or self._without_headings(cells)
        if layout is None:
            return False
        self._use(layout)
        return True

    def _use(self, layout: Layout) -> None:
        if layout.kind is None and _COMBINED_NAME.search(self._text.name):
            raise SourceDataError(
                f"{self._text.name}: by its name the report combined with options, which is not used: take deacot<year>.zip"
            )
        if layout.code is None and self._code is None:
            self._code = _code_in(self._text.name)
        self._layout = layout
        if self._collector is None:
            self._collector = Collector(self._text.name, layout.report)

    def _without_headings(self, cells: Sequence[str]) -> Layout | None:
        for layout in headings.WITHOUT_HEADINGS:
            if len(cells) == layout.width:
                try:
                    self._row(layout, cells)
                except RowError as error:
                    self._doubt = str(error)
                    return None
                return layout
        return None

    def _take(self, line: packed.Line) -> None:
        """Keep or refuse one line; a line of headings is neither."""
        assert self._layout is not None
        assert self._collector is not None
        where = f"{self._text.name} line {line.number}"
        text = _decoded(line)
        cells: list[str] = []
        try:
            cells = _cells(line, text)
            row = self._row(self._layout, cells)
            if not line.ended and self._layout.open_ended:
                raise RowError("the file ends within this line")  # noqa: TRY301 - one more reason among those of _row
        except RowError as error:
            if not self._headings_again(cells):
                self._collector.refuse(where, str(error), text)
        else:
            self._collector.add(row, where, text)

    def _headings_again(self, cells: Sequence[str]) -> bool:
        """Files put one behind the other: the next one's headings hold from here on.

        :raises SourceDataError: the next one is of the other report.
        """
        assert self._layout is not None
        layout = headings.layout(cells, self._text.name)
        again = layout is not None
        if layout is None and len(cells) != self._layout.width:
            layout = self._without_headings(cells)
        if layout is not None and layout.report is not self._layout.report:
            raise SourceDataError(
                f"{self._text.name}: rows of the legacy and of the TFF report in one file: take them apart"
            )
        if again and layout is not None:
            self._use(layout)
        return again

    def _row(self, layout: Layout, cells: Sequence[str]) -> Positions:
        if len(cells) != layout.width:
            raise RowError(f"{len(cells)} columns, not {layout.width}")
        if layout.kind is not None:
            cot_values.futures_only(cells[layout.kind])
        if layout.code is not None:
            code = cot_values.code(cells[layout.code])
        else:
            assert self._code is not None
            code = self._code
        as_of = _as_of(layout, cells)
        if as_of > self._today:
            raise RowError(f"as of {as_of}, which is still to come")
        market = cot_values.name(cells[layout.market]) if layout.market is not None else ""
        row = Positions(
            report=layout.report,
            code=code,
            as_of=as_of,
            market=market or known_name(code),
            values=_values(layout, cells),
        )
        check(row)
        return row


def _values(layout: Layout, cells: Sequence[str]) -> tuple[int, ...]:
    values: list[int] = []
    try:
        for place in layout.positions:
            values.append(cot_values.contracts(cells[place]))  # noqa: PERF401 - its length tells which cell is bad
    except RowError as error:
        raise RowError(f"{columns(layout.report)[len(values)].replace('_', ' ')} {error}") from None
    return tuple(values)


def _as_of(layout: Layout, cells: Sequence[str]) -> date:
    """The date with its century if there is one; the short one must not say otherwise."""
    long = cells[layout.date] if layout.date is not None else ""
    short = cells[layout.yymmdd] if layout.yymmdd is not None else ""
    if not long.strip():
        return cot_values.as_of_yymmdd(short)
    as_of = cot_values.as_of(long)
    if short.strip() and cot_values.as_of_yymmdd(short) != as_of:
        raise RowError(f"two as-of dates, {plain(long, 40)} and {plain(short, 40)}")
    return as_of


def _decoded(line: packed.Line) -> str:
    """UTF-8, or what Windows writes; a byte that is neither can only be in a name."""
    content = line.content.removeprefix(b"\xef\xbb\xbf") if line.number == 1 else line.content
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _cells(line: packed.Line, text: str) -> list[str]:
    """One line is one row: a lost quote must not swallow the lines after it."""
    if line.too_long:
        raise RowError(f"longer than {packed.MAX_LINE >> 10} kB")
    try:
        return next(csv.reader((text,), strict=True))
    except csv.Error as error:
        raise RowError(f"not comma-separated: {error}") from None


def _given(code: str) -> str:
    try:
        return cot_values.code(code)
    except RowError as error:
        raise SourceDataError(f"{error}: give one like 133741") from None


def _code_in(name: str) -> str:
    match = _CODE_IN_NAME.search(PurePath(name).name)
    if match is None or match[1] not in CODES:
        raise SourceDataError(
            f"{name} has no column for the market code: give the code, or end the name in it (..._133741.csv)"
        )
    return match[1]


def _unknown(name: str, lines: Sequence[packed.Line], doubt: str) -> str:
    if not lines:
        return f"{name} is empty"
    widths = " or ".join(str(layout.width) for layout in headings.WITHOUT_HEADINGS)
    return (
        f"{name} is no Commitments of Traders file: no line of headings, and no rows of {widths} columns"
        + (f" that could be read ({doubt})" if doubt else "")
        + f"; it begins {plain(_decoded(lines[0]), 60)!r}"
    )
