from __future__ import annotations

from datetime import date

import httpx
import pytest

from flows.sources import cftc_files
from shared import clock
from shared.domain.cot import Positions, Report
from shared.errors import SourceAwayError, SourceDataError, SourceRefusedError, UsageError
from tests.flows import cot_files
from tests.flows.cot_files import weeks
from tests.flows.socrata_server import SocrataServer

TFF_2024 = weeks(Report.TFF, ["133741", "099741"], date(2024, 6, 11), 6)
TFF_2016 = weeks(Report.TFF, ["133741", "099741"], date(2016, 12, 27), 60)


def keys(rows: list[Positions]) -> set[tuple[date, str]]:
    return {(row.as_of, row.code) for row in rows}


def test_years_are_found_in_the_files_that_the_cftc_keeps_them_in() -> None:
    names = [str(one) for one in cftc_files.archives(Report.LEGACY, 2015, 2019)]
    assert names == ["deacot1986_2016.zip", "deacot2017.zip", "deacot2018.zip", "deacot2019.zip"]
    names = [str(one) for one in cftc_files.archives(Report.TFF, 1990, 2017)]
    assert names == ["fin_fut_txt_2006_2016.zip", "fut_fin_txt_2017.zip"]
    assert [str(one) for one in cftc_files.archives(Report.TFF, 2026, 2026)] == ["fut_fin_txt_2026.zip"]
    [bundle] = cftc_files.archives(Report.TFF, 2010, 2012)
    assert (bundle.first_year, bundle.last_year) == (2010, 2012)


@pytest.mark.parametrize(("first", "last"), [(1990, 2005), (2026, 2025)])
def test_years_without_reports_are_a_mistake(first: int, last: int) -> None:
    with pytest.raises(UsageError, match="the tff report has no years"):
        cftc_files.archives(Report.TFF, first, last)


async def test_all_years_come_oldest_first(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.publish([*TFF_2016, *weeks(Report.TFF, ["133741"], date(2017, 12, 26), 52), *TFF_2024])
    readings = await cftc_files.fetch_years(client, server.files_url, Report.TFF, 2016, 2017)
    assert [one.source for one in readings] == [
        "fin_fut_txt_2006_2016.zip/FinFutYY.txt",
        "fut_fin_txt_2017.zip/FinFutYY.txt",
    ]
    bundle, year = readings
    assert keys(bundle.rows) == {one for one in keys(TFF_2016) if one[0].year == 2016}
    assert (bundle.read, len(year.rows), year.refused) == (len(bundle.rows), 52, [])


async def test_a_file_is_as_old_as_the_cftc_says(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.publish(TFF_2024)
    [archive] = cftc_files.archives(Report.TFF, 2024, 2024)
    for said, stands in [
        ("", "2024-06-14T19:30:00.000000Z"),
        ("Mon, 17 Jun 2024 14:00:00 GMT", "2024-06-17T14:00:00.000000Z"),
        ("Mon, 17 Jun 2099 14:00:00 GMT", "2026-11-21T00:00:00.000000Z"),
    ]:
        server.last_modified = said
        now = clock.from_datetime(clock.utc(0).replace(year=2026, month=11, day=21))
        [reading] = await cftc_files.fetch(client, server.files_url + "/", archive, now_ns=now)
        assert clock.iso(reading.snapshot_ns) == stands
        assert keys(reading.rows) == keys(TFF_2024)


async def test_a_year_that_is_not_there_is_refused(server: SocrataServer, client: httpx.AsyncClient) -> None:
    with pytest.raises(SourceRefusedError, match="answered 404"):
        await cftc_files.fetch_years(client, server.files_url, Report.TFF, 2024, 2024)


@pytest.mark.parametrize("kind", ["truncate", "reset"])
async def test_a_zip_that_came_cut_can_heal(
    server: SocrataServer, client: httpx.AsyncClient, kind: str
) -> None:
    server.publish(TFF_2024)
    server.fault(kind)
    with pytest.raises(SourceAwayError):
        await cftc_files.fetch_years(client, server.files_url, Report.TFF, 2024, 2024)
    [reading] = await cftc_files.fetch_years(client, server.files_url, Report.TFF, 2024, 2024)
    assert len(reading.rows) == len(TFF_2024)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            cot_files.zipped({"annual.txt": cot_files.text([cot_files.BITCOIN])}),
            "holds the legacy report, not tff",
        ),
        (b"<html>Page not found</html>", "is no Commitments of Traders file"),
        (cot_files.zipped({"readme.pdf": b""}), "not one of the CFTC's"),
        (b"PK\x03\x04" + b"x" * 500 + b"PK\x05\x06" + b"x" * 18, "the archive is damaged"),
    ],
)
async def test_a_file_of_another_kind_is_refused(
    server: SocrataServer, client: httpx.AsyncClient, content: bytes, says: str
) -> None:
    server.files["fut_fin_txt_2024.zip"] = content
    with pytest.raises(SourceDataError) as caught:
        await cftc_files.fetch_years(client, server.files_url, Report.TFF, 2024, 2024)
    assert says in str(caught.value)
    assert "fut_fin_txt_2024.zip" in str(caught.value)
