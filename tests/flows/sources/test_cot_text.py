from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import pytest

from flows.sources import cot_text
from flows.sources.cot_reading import Reading
from shared import clock
from shared.domain.cot import Positions, Report
from shared.errors import NotFoundError, SourceDataError
from tests.flows import cot_files
from tests.flows.cot_files import BITCOIN, EURO, cells, derived, gzipped, row, table, text, weeks, zipped

NOW = clock.from_datetime(clock.utc(0).replace(year=2026, month=11, day=21))
LEGACY = weeks(Report.LEGACY, ["133741", "133742", "098662"], date(2026, 9, 22), 4)
TFF = weeks(Report.TFF, ["133741", "099741"], date(2024, 6, 11), 4)


def parse(content: bytes, name: str = "f.txt", code: str | None = None) -> Reading:
    return cot_text.parse(content, name, code=code, now_ns=NOW)


def clean(reading: Reading, rows: list[Positions]) -> None:
    assert (reading.rows, reading.refused, reading.read, reading.repeated) == (rows, [], len(rows), 0)


def test_a_line_of_a_tff_file_as_published() -> None:
    line = (
        b'"XRP - CHICAGO MERCANTILE EXCHANGE",260331,2026-03-31,176740,CME ,00,176 ,    7480,    4959,     936,'
        b"    1341,     711,     883,       0,     325,    3531,      54,       0,     320,       0,    7390,    7065,"
        b"      90,     415,   -2060,    -252,     266,    -532,       1,      82,       0,    -437,   -1366,    -474,"
        b"       0,     252,    -392,   -2086,   -2164,      26,     104,  100.0,   66.3,   12.5,   17.9,    9.5,"
        b"   11.8,    0.0,    4.3,   47.2,    0.7,    0.0,    4.3,    0.0,   98.8,   94.5,    1.2,    5.5,     28,"
        b".,.,.,.,.,      0,      5,     12,.,      0,.,      0,     11,     20,    86.0,    42.0,    97.5,"
        b'    65.7,    75.8,    30.4,    79.8,    52.4,"(Contracts of 50,000 XRP)","176740","CME ","176 ","F85",'
        b'"FutOnly"\n'
    )
    reading = parse(line, "FinFutWk.txt")
    clean(
        reading,
        [
            Positions(
                report=Report.TFF,
                code="176740",
                as_of=date(2026, 3, 31),
                market="XRP - CHICAGO MERCANTILE EXCHANGE",
                values=(7480, 4959, 936, 1341, 711, 883, 0, 325, 3531, 54, 0, 320, 0, 90, 415),
            )
        ],
    )
    assert clock.iso(reading.snapshot_ns) == "2026-04-03T19:30:00.000000Z"


@pytest.mark.parametrize("rows", [LEGACY, TFF])
@pytest.mark.parametrize("pack", [bytes, gzipped, lambda content: zipped({"f.txt": content})])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("headings", [True, False])
def test_every_market_of_every_kind_of_file_is_kept(
    rows: list[Positions], pack: Callable[[bytes], bytes], end: str, mark: bytes, headings: bool
) -> None:
    clean(parse(pack(mark + text(rows, end=end, headings=headings))), rows)


def test_the_spreadsheet_form() -> None:
    """As kept by others: 84 columns, other date heading, M/D/YYYY, no padding, suppressed counts empty."""
    names = [
        "Report_Date_as_MM_DD_YYYY" if name.startswith("Report_Date") else name
        for name in cot_files.TFF_HEADINGS
        if not name.endswith("_Quotes")
    ]
    lines = []
    for one in TFF:
        line = [cell.strip() for cell in cells(one)]
        line[2] = f"{one.as_of.month}/{one.as_of.day}/{one.as_of.year}"
        lines.append([*("" if cell == "." else cell for cell in line[:82]), *line[-2:]])
    assert len(names) == 84
    clean(parse(b"\xef\xbb\xbf" + table(names, lines), "F2024.csv"), TFF)


def test_dates_are_read_from_the_fullest_column_there_is() -> None:
    def without(*places: int) -> bytes:
        keep = [place for place in range(129) if place not in places]
        lines = [[cells(one)[place] for place in keep] for one in LEGACY]
        return table([cot_files.LEGACY_HEADINGS[place] for place in keep], lines)

    for missing in [(), (1,), (2,)]:
        clean(parse(without(*missing)), LEGACY)
    with pytest.raises(SourceDataError, match="no column for the as-of date"):
        parse(without(1, 2))


def test_the_nine_column_file_takes_its_code_from_its_name() -> None:
    rows = [msgspec.structs.replace(one, market="Bitcoin") for one in LEGACY if one.code == "133741"]
    for name in ["cot_legacy_133741.csv", "133741.csv", "btc-133741.csv.gz", "y.zip/cot_133741.txt"]:
        clean(parse(derived(rows), name), rows)
    clean(parse(derived(rows), "mine.csv", code="133741"), rows)
    assert {one.code for one in parse(derived(rows), "cot_legacy_133741.csv", code="133742").rows} == {
        "133742"
    }


@pytest.mark.parametrize("name", ["mine.csv", "cot_202609.csv", "133741_btc.csv", "x133741.csv"])
def test_a_file_without_any_code_says_what_to_do(name: str) -> None:
    with pytest.raises(SourceDataError, match="has no column for the market code: give the code"):
        parse(derived(LEGACY[:1]), name)


def test_a_given_code_must_be_one_and_never_replaces_the_files_own() -> None:
    with pytest.raises(SourceDataError, match="'98662' is not a contract market code: give one like 133741"):
        parse(derived(LEGACY[:1]), "mine.csv", code="98662")
    clean(parse(text(LEGACY), code="099741"), LEGACY)


def _spoilt(place: int, cell: str) -> list[str]:
    line = cells(BITCOIN)
    line[place] = cell
    return line


DAMAGE = [
    (_spoilt(7, "."), "open interest '.' is not a number of contracts"),
    (_spoilt(10, "  "), "noncommercial spread is empty"),
    (_spoilt(12, "-3175"), "commercial_short is negative: -3175"),
    (_spoilt(7, "22316"), "open interest 22316 is not the long side 22315"),
    (_spoilt(16, "932"), "open interest 22315 is not the short side 22316"),
    (_spoilt(2, "2026-02-30"), "'2026-02-30' is not in the calendar"),
    (_spoilt(2, "2026-09-15"), "two as-of dates, 2026-09-15 and 260922"),
    (_spoilt(1, "x"), "'x' is not an as-of date (YYMMDD)"),
    (_spoilt(3, " "), "has no market code"),
    (_spoilt(3, "33741"), "'33741' is not a contract market code"),
    (cells(BITCOIN)[:-1], "128 columns, not 129"),
    ([*cells(BITCOIN), ""], "130 columns, not 129"),
]


@pytest.mark.parametrize(("line", "reason"), DAMAGE)
def test_a_damaged_row_is_refused_with_its_line_and_the_others_stay(line: list[str], reason: str) -> None:
    good = [cells(one) for one in LEGACY]
    reading = parse(table(cot_files.LEGACY_HEADINGS, [*good[:5], line, *good[5:]]), "annual.txt")
    assert reading.rows == LEGACY
    assert reading.read == len(LEGACY) + 1
    [refused] = reading.refused
    assert (refused.where, refused.reason) == ("annual.txt line 7", reason)
    assert refused.text.startswith("BITCOIN - CHICAGO MERCANTILE EXCHANGE,")
    assert len(refused.text) <= 120


def test_a_row_of_the_combined_report_is_refused() -> None:
    combined = cells(EURO)
    combined[-1] = "Combined"
    reading = parse(table(cot_files.TFF_HEADINGS, [cells(one) for one in TFF[:1]] + [combined]))
    assert reading.rows == TFF[:1]
    assert [one.reason for one in reading.refused] == [
        "'Combined' and not FutOnly: only the futures-only report is used"
    ]


def test_a_row_from_the_future_is_refused() -> None:
    """It would make the whole file newer than anything that comes after it."""
    reading = parse(text([*LEGACY, row(Report.LEGACY, as_of=date(2026, 11, 24))]))
    assert reading.rows == LEGACY
    assert [one.reason for one in reading.refused] == ["as of 2026-11-24, which is still to come"]


def test_a_line_that_is_too_long_is_refused() -> None:
    reading = parse(text(LEGACY) + b"x" * 70_000 + b"\n" + text(LEGACY[:1], headings=False))
    assert (reading.rows, reading.repeated) == (LEGACY, 1)
    assert [(one.where, one.reason) for one in reading.refused] == [("f.txt line 14", "longer than 64 kB")]


def test_a_lost_quote_costs_one_row() -> None:
    lines = text(LEGACY).splitlines(keepends=True)
    lines[3] = b'"' + lines[3]
    reading = parse(b"".join(lines))
    assert reading.rows == LEGACY[:2] + LEGACY[3:]
    assert [one.where for one in reading.refused] == ["f.txt line 4"]
    assert "not comma-separated" in reading.refused[0].reason


def test_a_file_that_ends_within_a_code_or_a_name_loses_that_row() -> None:
    names = ["as_of", *cot_files.LEGACY_HEADINGS[7:17], "code"]
    content = table(names, [[one.as_of.isoformat(), *cells(one)[7:17], one.code] for one in LEGACY])
    assert [(one.code, one.values) for one in parse(content).rows] == [
        (one.code, one.values) for one in LEGACY
    ]
    reading = parse(content[:-1])
    assert len(reading.rows) == len(LEGACY) - 1
    assert reading.refused[0].reason == "the file ends within this line"


def test_a_missing_last_line_end_costs_nothing_when_the_row_proves_itself() -> None:
    clean(parse(text(LEGACY)[:-1]), LEGACY)
    clean(parse(text(TFF, end="\r\n")[:-2]), TFF)


def test_blank_lines_and_an_old_end_of_file_are_no_rows() -> None:
    content = text(LEGACY).replace(b"\n", b"\n\n", 2)
    clean(parse(b"\n  \n" + content + b"\x1a"), LEGACY)


def test_files_put_one_behind_the_other_are_read_as_one() -> None:
    clean(parse(text(LEGACY[:6]) + text(LEGACY[6:])), LEGACY)
    reading = parse(text(LEGACY) + text(LEGACY[6:]))
    assert (reading.rows, reading.refused, reading.repeated) == (LEGACY, [], 6)


@pytest.mark.parametrize("headings", [True, False])
def test_the_two_reports_in_one_file_are_refused_whole(headings: bool) -> None:
    for first, second in [(LEGACY, TFF), (TFF, LEGACY)]:
        with pytest.raises(
            SourceDataError, match=r"f\.txt: rows of the legacy and of the TFF report in one file"
        ):
            parse(text(first) + text(second, headings=headings))


@pytest.mark.parametrize("name", ["annualof.txt", "deahistfo2024.zip", "y.zip/Com95_16.txt", "deacom.txt"])
def test_the_legacy_report_with_options_is_known_by_its_name_alone(name: str) -> None:
    with pytest.raises(
        SourceDataError, match="by its name the report combined with options, which is not used"
    ):
        parse(text(LEGACY), name)
    clean(parse(text(TFF), name), TFF)


def test_a_combined_file_without_headings_says_why_it_is_none() -> None:
    content = text(TFF, headings=False).replace(b"FutOnly", b"Combined")
    with pytest.raises(SourceDataError, match="'Combined' and not FutOnly"):
        parse(content, "FinComWk.txt")


def test_a_zip_may_hold_several_files() -> None:
    content = zipped({"annual.txt": text(LEGACY), "FinFutYY.txt": text(TFF), "readme.md": b"#"})
    readings = cot_text.read_bytes(content, "both.zip", now_ns=NOW)
    assert [(one.source, one.report, one.rows) for one in readings] == [
        ("both.zip/annual.txt", Report.LEGACY, LEGACY),
        ("both.zip/FinFutYY.txt", Report.TFF, TFF),
    ]
    with pytest.raises(SourceDataError, match=r"both\.zip holds 2 files: one was expected"):
        parse(content, "both.zip")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "f.txt is empty"),
        (b"\n\n", "f.txt is empty"),
        (b"<html><body>Not found</body></html>", "f.txt is no Commitments of Traders file"),
        (b"date,open,high,low,close\n2024-06-11,1,2,3,4\n" * 30, "it begins 'date,open,high,low,close'"),
        (bytes(range(256)) * 400, "is no Commitments of Traders file"),
        (text(LEGACY).decode().encode("utf-16"), "is no Commitments of Traders file"),
        (b"\x1f\x8bnonsense", "the archive is damaged"),
        (b"PK\x03\x04nonsense", "the archive is damaged"),
    ],
)
def test_what_is_no_report_at_all_is_one_clear_line(content: bytes, says: str) -> None:
    with pytest.raises(SourceDataError) as error:
        parse(content)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_damaged_first_row_without_headings_costs_one_row() -> None:
    content = text(LEGACY, headings=False).replace(b"133741", b"13374", 1)
    reading = parse(content, "deafut.txt")
    assert reading.rows == LEGACY[1:]
    assert [one.where for one in reading.refused] == ["deafut.txt line 1"]


def test_headings_alone_are_a_report_without_rows() -> None:
    reading = parse(text(LEGACY[:1]).splitlines(keepends=True)[0])
    assert (reading.report, reading.read, reading.snapshot_ns) == (Report.LEGACY, 0, 0)


def test_a_byte_that_is_no_utf8_can_only_be_in_a_name() -> None:
    content = text(LEGACY).replace(b"BITCOIN", b"BITC\xd6IN", 1)
    assert parse(content).rows[0].market.startswith("BITCÖIN - CHICAGO")
    assert parse(text(LEGACY).replace(b"22315", b"2\xff315", 1)).rows == LEGACY[:-3] + LEGACY[-2:]


def test_a_file_is_as_old_as_its_newest_report_unless_told() -> None:
    assert clock.iso(parse(text(TFF)).snapshot_ns) == "2024-06-14T19:30:00.000000Z"
    assert cot_text.parse(text(TFF), "f.txt", snapshot_ns=5).snapshot_ns == 5
    assert cot_text.parse(text(TFF), "f.txt").snapshot_ns == parse(text(TFF)).snapshot_ns


def test_files_are_read_from_disk(tmp_path: Path) -> None:
    path = tmp_path / "fut_fin_txt_2024.zip"
    path.write_bytes(zipped({"FinFutYY.txt": text(TFF)}))
    [reading] = cot_text.read_file(path, now_ns=NOW)
    clean(reading, TFF)
    assert reading.source == "fut_fin_txt_2024.zip/FinFutYY.txt"
    for missing in [tmp_path / "none.csv", tmp_path]:
        with pytest.raises(NotFoundError, match="cannot be read"):
            cot_text.read_file(missing)


def test_a_name_that_would_break_a_line_is_shown_plain() -> None:
    assert parse(text(TFF), "a\nb.txt").source == "a b.txt"
