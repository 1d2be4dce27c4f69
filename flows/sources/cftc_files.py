"""The CFTC's yearly files: no quota, every market, the way in when the query service is away.

``deacot<year>.zip`` (legacy) and ``fut_fin_txt_<year>.zip`` (TFF) hold one text file with a year to date; the current
one is written anew each Friday. All years to 2016 also stand in one file each, ``deacot1986_2016.zip`` and
``fin_fut_txt_2006_2016.zip``, and for TFF 2006 to 2009 only there, so that is where those years are read.
"""

from __future__ import annotations

import asyncio
from typing import Final

import httpx
import msgspec

from flows.sources import cot_text, http
from flows.sources.cot_reading import Reading
from shared import clock
from shared.domain.cot import Report
from shared.errors import SourceAwayError, SourceDataError, UsageError

BUNDLED_TO: Final = 2016
FIRST_YEAR: Final = {Report.LEGACY: 1986, Report.TFF: 2006}
_BUNDLE: Final = {Report.LEGACY: "deacot1986_2016.zip", Report.TFF: "fin_fut_txt_2006_2016.zip"}
_YEAR: Final = {Report.LEGACY: "deacot{}.zip", Report.TFF: "fut_fin_txt_{}.zip"}
_ZIP: Final = b"PK"
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_END_WITHIN: Final = 22 + 65_535
"""The end record of a zip stands within this many bytes of the end."""


class Archive(msgspec.Struct, frozen=True):
    """One file to fetch, and the years (of as-of dates) that are wanted of it."""

    report: Report
    name: str
    first_year: int
    last_year: int

    def __str__(self) -> str:
        return self.name


def archives(report: Report, first_year: int, last_year: int) -> list[Archive]:
    """The files that hold these years, oldest first.

    :param last_year: of the newest report that is due: a file appears with the year's first report.
    """
    first = max(first_year, FIRST_YEAR[report])
    if last_year < first:
        raise UsageError(f"the {report} report has no years {first_year} to {last_year}")
    found = []
    if first <= BUNDLED_TO:
        found.append(Archive(report, _BUNDLE[report], first, min(last_year, BUNDLED_TO)))
    for year in range(max(first, BUNDLED_TO + 1), last_year + 1):
        found.append(Archive(report, _YEAR[report].format(year), year, year))  # noqa: PERF401 - reads better
    return found


async def fetch_years(
    client: httpx.AsyncClient, base_url: str, report: Report, first_year: int, last_year: int
) -> list[Reading]:
    """The readings of all :func:`archives` of these years, oldest first; errors as in :func:`fetch`."""
    return [
        reading
        for archive in archives(report, first_year, last_year)
        for reading in await fetch(client, base_url, archive)
    ]


async def fetch(
    client: httpx.AsyncClient, base_url: str, archive: Archive, *, now_ns: int | None = None
) -> list[Reading]:
    """The rows that one archive has of its years: a reading for each text file in it, which is one.

    The snapshot is when the CFTC wrote the file; when it does not say, the release of its newest report.

    :raises SourceAwayError: away, or the file came cut short.
    :raises SourceRefusedError: there is no such file.
    :raises SourceDataError: the file does not hold this report.
    """
    now = clock.now_ns() if now_ns is None else now_ns
    answer = await http.get(client, f"{base_url.rstrip('/')}/{archive.name}")
    if answer.content.startswith(_ZIP) and _ZIP_END not in answer.content[-_ZIP_END_WITHIN:]:
        raise SourceAwayError(f"{archive.name} came cut short, after {len(answer.content)} bytes")
    snapshot_ns = min(answer.last_modified_ns, now) or None
    # a hundred thousand rows take seconds: other fetches go on meanwhile
    readings = await asyncio.to_thread(
        cot_text.read_bytes, answer.content, archive.name, snapshot_ns=snapshot_ns, now_ns=now
    )
    for reading in readings:
        if reading.report is not archive.report:
            raise SourceDataError(f"{archive.name} holds the {reading.report} report, not {archive.report}")
    return [_of_years(reading, archive) for reading in readings]


def _of_years(reading: Reading, archive: Archive) -> Reading:
    """Without the rows of years that nobody asked for; what was refused stays told."""
    rows = [row for row in reading.rows if archive.first_year <= row.as_of.year <= archive.last_year]
    return msgspec.structs.replace(reading, rows=rows, read=reading.read - len(reading.rows) + len(rows))
