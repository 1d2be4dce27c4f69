from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from flows.sources import headings, socrata
from flows.sources.cot_reading import Reading
from shared import clock
from shared.domain.cot import CODES, Positions, Report
from shared.errors import SettingsError, SourceAwayError, SourceDataError, SourceRefusedError, UsageError
from tests.flows import cot_files
from tests.flows.cot_files import BITCOIN, EURO, row, weeks
from tests.flows.socrata_server import SocrataServer

NOW = clock.from_datetime(clock.utc(0).replace(year=2026, month=9, day=27))
SINCE = date(2026, 1, 1)
ROWS = weeks(Report.LEGACY, ["098662", "133741", "133742"], date(2026, 9, 22), 12)
SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "samples"


async def fetch(
    server: SocrataServer, client: httpx.AsyncClient, report: Report = Report.LEGACY, **options: Any
) -> Reading:
    asked: dict[str, Any] = {"codes": sorted(CODES), "since": SINCE, "now_ns": NOW} | options
    return await socrata.fetch(client, server.url, report, **asked)


def key(one: Positions) -> tuple[date, str]:
    return one.as_of, one.code


async def test_one_page_of_published_rows(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.publish([BITCOIN, EURO])
    reading = await fetch(server, client)
    assert msgspec.structs.asdict(reading) == {
        "source": "socrata 6dca-aqww",
        "report": Report.LEGACY,
        "rows": [BITCOIN],
        "refused": [],
        "read": 1,
        "repeated": 0,
        "snapshot_ns": NOW,
    }
    tff = await fetch(server, client, Report.TFF, since=date(2024, 1, 1))
    assert (tff.source, tff.rows) == ("socrata gpe5-46if", [EURO])


@pytest.mark.parametrize("page", [1, 5, 7, 12, 35, 36, 37, 5000])
async def test_pages_of_any_size_bring_every_row_once_and_in_order(
    server: SocrataServer, client: httpx.AsyncClient, page: int
) -> None:
    server.publish(reversed(ROWS))
    reading = await fetch(server, client, page=page)
    assert reading.rows == sorted(ROWS, key=key)
    assert (reading.read, reading.refused, reading.repeated) == (36, [], 0)
    assert len(server.requests) == 36 // page + 1
    assert all(asked.query["$order"].endswith(",:id") for asked in server.requests)


async def test_only_what_is_wanted_is_asked_for(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.publish([*ROWS, row(Report.LEGACY, "001602"), row(Report.LEGACY, "13874+")])
    reading = await fetch(server, client, codes=["133741", "13874+"], since=date(2026, 9, 1))
    assert {(one.code, one.as_of.day) for one in reading.rows} == {
        *(("133741", day) for day in (1, 8, 15, 22)),
        ("13874+", 22),
    }
    assert server.requests[0].query["$where"] == (
        "cftc_contract_market_code in('133741','13874+') "
        "AND report_date_as_yyyy_mm_dd >= '2026-09-01T00:00:00.000'"
    )
    with pytest.raises(UsageError):
        await fetch(server, client, codes=[])


async def test_nothing_published_is_an_empty_reading(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    reading = await fetch(server, client)
    assert (reading.rows, reading.read, reading.snapshot_ns) == ([], 0, NOW)


async def test_the_token_travels_in_its_header_alone(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    await fetch(server, client, token=SecretStr("a-secret-token"))
    await fetch(server, client)
    await fetch(server, client, token=SecretStr(""))
    first, *others = server.requests
    assert first.headers["X-App-Token"] == "a-secret-token"
    assert "a-secret-token" not in first.raw
    assert all("X-App-Token" not in other.headers for other in others)


@pytest.mark.parametrize("token", ["sec\nret", "sécret"])
async def test_a_token_that_is_none_is_a_wrong_setting(
    server: SocrataServer, client: httpx.AsyncClient, token: str
) -> None:
    with pytest.raises(SettingsError, match="check KESTREL_COT__APP_TOKEN") as caught:
        await fetch(server, client, token=SecretStr(token))
    assert "ret" not in str(caught.value)
    await fetch(server, client, token=SecretStr(" spaced\n"))
    assert server.requests[0].headers["X-App-Token"] == "spaced"


async def test_an_unknown_token_is_refused_without_being_told(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    server.tokens = {"right"}
    with pytest.raises(SourceRefusedError, match="answered 403: Invalid app_token specified") as caught:
        await fetch(server, client, token=SecretStr("wrong-secret"))
    assert "wrong-secret" not in str(caught.value)


async def test_the_snapshot_is_our_clock_before_the_first_request(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    server.publish(ROWS)
    ticks = iter(range(NOW, NOW + 10**12, 10**9))
    with clock.use(now=lambda: next(ticks)):
        reading = await socrata.fetch(client, server.url + "/", Report.LEGACY, ["133741"], SINCE, page=5)
    assert len(server.requests) == 3
    assert reading.snapshot_ns == NOW


def _row(**fields: Any) -> dict[str, Any]:
    return cot_files.socrata(BITCOIN, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"noncomm_postions_spread_all": None, "noncomm_positions_spread_all": "3307"},
        {"open_interest_all": 22315},
        {"open_interest_all": "22,315", "comm_positions_long_all": "  66"},
        {"report_date_as_yyyy_mm_dd": "2026-09-22"},
        {"futonly_or_combined": None},
        {"market_and_exchange_names": "BITCOIN  - CHICAGO MERCANTILE EXCHANGE "},
        {"tot_rept_positions_short": None, "brand_new_field": {"a": [1]}},
        {"noncomm_positions_spread_all": "3307"},
    ],
)
async def test_every_way_to_say_the_same_row(
    server: SocrataServer, client: httpx.AsyncClient, fields: dict[str, Any]
) -> None:
    server.add(Report.LEGACY, _row(**fields))
    reading = await fetch(server, client)
    assert (reading.rows, reading.refused) == ([BITCOIN], [])


DAMAGE = [
    ({"noncomm_positions_long_all": None}, "no noncommercial long"),
    (
        {"comm_positions_long_all": None, "nonrept_positions_short_all": None},
        "no commercial long and no nonreportable short",
    ),
    ({"open_interest_all": "."}, "open_interest_all '.' is not a number of contracts"),
    ({"open_interest_all": True}, "open_interest_all True is not a number of contracts"),
    ({"comm_positions_long_all": ["66"]}, "comm_positions_long_all ['66'] is not a number of contracts"),
    ({"open_interest_all": "22316"}, "open interest 22316 is not the long side 22315"),
    ({"comm_positions_long_all": "-66"}, "commercial_long is negative: -66"),
    ({"noncomm_positions_spread_all": "3308"}, "noncomm_positions_spread_all is there twice, 3307 and 3308"),
    ({"futonly_or_combined": "Combined"}, "'Combined' and not FutOnly: only the futures-only report is used"),
]


@pytest.mark.parametrize(("fields", "reason"), DAMAGE)
async def test_a_damaged_row_is_refused_and_the_others_stay(
    server: SocrataServer, client: httpx.AsyncClient, fields: dict[str, Any], reason: str
) -> None:
    good = row(Report.LEGACY, "133742", date(2026, 9, 15))
    server.publish([good])
    server.add(Report.LEGACY, _row(**fields))
    reading = await fetch(server, client)
    assert (reading.rows, reading.read) == ([good], 2)
    [refused] = reading.refused
    assert (refused.where, refused.reason) == ("row 2 of page 1", reason)
    assert refused.text.startswith("{")
    assert len(refused.text) <= 120


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cftc_contract_market_code": "001602"}, "market 001602, which was not asked for"),
        ({"cftc_contract_market_code": None}, "has no market code"),
        ({"cftc_contract_market_code": 133741}, "cftc_contract_market_code is no text"),
        ({"report_date_as_yyyy_mm_dd": None}, "has no as-of date"),
        ({"report_date_as_yyyy_mm_dd": "yesterday"}, "'yesterday' is not an as-of date"),
        (
            {"report_date_as_yyyy_mm_dd": "2025-12-30T00:00:00.000"},
            "as of 2025-12-30, which was not asked for",
        ),
        (
            {"report_date_as_yyyy_mm_dd": "2026-09-29T00:00:00.000"},
            "as of 2026-09-29, which was not asked for",
        ),
    ],
)
async def test_a_row_that_nobody_asked_for_is_refused(
    server: SocrataServer, client: httpx.AsyncClient, fields: dict[str, Any], reason: str
) -> None:
    server.fault("body", body=json.dumps([cot_files.socrata(BITCOIN, **fields)]))
    reading = await fetch(server, client)
    assert (reading.rows, [one.reason for one in reading.refused]) == ([], [reason])


async def test_rows_of_one_key_that_disagree_are_both_refused(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    server.publish([BITCOIN, row(Report.LEGACY, size=3), ROWS[0], ROWS[0]])
    reading = await fetch(server, client)
    assert reading.rows == [ROWS[0]]
    assert (reading.read, reading.repeated, len(reading.refused)) == (4, 1, 2)


async def test_rows_that_come_again_on_the_next_page_are_counted(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    """As when an older row is published between two pages."""
    pages = [ROWS[0:3], ROWS[2:5], ROWS[5:6]]
    for page in pages:
        server.fault("body", body=json.dumps([cot_files.socrata(one) for one in page]))
    reading = await fetch(server, client, page=3)
    assert (reading.rows, reading.read, reading.repeated) == (ROWS[:6], 7, 1)


async def test_a_service_that_does_not_page_is_found_out(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    server.fault("body", body=json.dumps([cot_files.socrata(one) for one in ROWS[:3]]), times=-1)
    with pytest.raises(SourceDataError, match="page 2 is the one before it again"):
        await fetch(server, client, page=3)
    assert len(server.requests) == 2


async def test_pages_have_an_end(
    server: SocrataServer, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socrata, "MAX_PAGES", 3)
    server.publish(ROWS)
    with pytest.raises(SourceDataError, match="more than 3 pages"):
        await fetch(server, client, page=12)


async def test_a_body_that_was_cut_can_heal(server: SocrataServer, client: httpx.AsyncClient) -> None:
    server.publish(ROWS)
    server.fault("truncate")
    with pytest.raises(SourceAwayError, match="the answer ends in the middle"):
        await fetch(server, client)
    assert len((await fetch(server, client)).rows) == 36


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("", SourceAwayError),
        ("[", SourceAwayError),
        ('[{"a": "b"}', SourceAwayError),
        ("<html>maintenance</html>", SourceDataError),
        ('{"error": true, "message": "no"}', SourceDataError),
        ('[["a"]]', SourceDataError),
        ("null", SourceDataError),
        ("[{},]", SourceDataError),
        ("[] []", SourceDataError),
        ("5", SourceDataError),
    ],
)
async def test_another_shape_cannot_heal_and_is_shown(
    server: SocrataServer, client: httpx.AsyncClient, body: str, error: type[Exception]
) -> None:
    server.fault("body", body=body)
    with pytest.raises(error) as caught:
        await fetch(server, client)
    assert "\n" not in str(caught.value)
    assert "6dca-aqww" in str(caught.value)


@given(st.data())
def test_a_cut_answer_is_always_known_as_one(data: st.DataObject) -> None:
    content = json.dumps([cot_files.socrata(one) for one in ROWS[:3]]).encode()
    with pytest.raises(SourceAwayError):
        socrata._rows(content[: data.draw(st.integers(0, len(content) - 1))], Report.LEGACY)


async def test_a_failure_on_a_later_page_is_a_failure(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    server.publish(ROWS)
    server.fault("status", status=429, headers={"Retry-After": "5"}, after=2)
    with pytest.raises(SourceAwayError) as caught:
        await fetch(server, client, page=10)
    assert caught.value.retry_after_s == 5.0
    assert len(server.requests) == 3


async def test_another_dataset_says_what_the_service_says(
    server: SocrataServer, client: httpx.AsyncClient
) -> None:
    with pytest.raises(
        SourceRefusedError, match=r"answered 400: query\.limit Limit may not be larger than 50000"
    ):
        await fetch(server, client, page=50_001)


@pytest.mark.parametrize("report", list(Report))
def test_every_documented_field_is_known(report: Report) -> None:
    columns = [socrata.FIELDS[report][field] for field in cot_files.FIELDS[report]]
    assert columns == list(dict.fromkeys(headings.COLUMNS[report].values()))


@pytest.mark.data
@pytest.mark.skipif(not SAMPLES.exists(), reason="needs ../shared/data/samples, a separate download")
@pytest.mark.parametrize(
    ("report", "file", "rows"),
    [
        (Report.LEGACY, "socrata_legacy_6dca-aqww_133741.json", 2),
        (Report.TFF, "socrata_tff_gpe5-46if_DERIVED_2024-06.json", 12),
    ],
)
async def test_sample_answers_are_read_whole(
    server: SocrataServer, client: httpx.AsyncClient, report: Report, file: str, rows: int
) -> None:
    server.fault("body", body=(SAMPLES / file).read_text())
    reading = await fetch(server, client, report, since=date(2024, 1, 1))
    assert reading.refused == []
    assert len(reading.rows) == reading.read == rows
