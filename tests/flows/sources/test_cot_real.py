"""Against the files as the CFTC published them: everything is read, and it is what a plain count finds."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.sources import cot_text
from shared import clock
from shared.domain.cot import Positions, Report
from tests.flows import cot_files

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "cot"
FILES = {
    "abrahamcarvalhoo_legacy/annual_2025-01-07_2025-03-11.txt": (Report.LEGACY, 3190, "2025-03-14T19:30"),
    "abrahamcarvalhoo_legacy/annual_asof_2025-01-13.txt.gz": (Report.LEGACY, 310, "2025-01-13T20:30"),
    "abrahamcarvalhoo_legacy/annual_asof_2025-01-24.txt.gz": (Report.LEGACY, 946, "2025-01-24T20:30"),
    "abrahamcarvalhoo_legacy/annual_asof_2025-01-31.txt.gz": (Report.LEGACY, 1271, "2025-01-31T20:30"),
    "blockstacks_tff/FinFutYY_2024-01-02_2024-06-11.txt": (Report.TFF, 1408, "2024-06-14T19:30"),
    "hoininsight_2026_rows/tff_xrp_2026.txt": (Report.TFF, 2, "2026-04-03T19:30"),
    "nanopowered_btc_legacy/cot_legacy_133741.csv": (Report.LEGACY, 442, "2026-09-25T19:30"),
    "patrickhunner_tff/F2017.csv": (Report.TFF, 2110, "2017-12-29T20:30"),
    "patrickhunner_tff/F2018.csv": (Report.TFF, 2538, "2019-02"),
    "patrickhunner_tff/F2019.csv": (Report.TFF, 2518, "2020-01-06T20:30"),
    "patrickhunner_tff/F2020.csv": (Report.TFF, 2345, "2021-01-04T20:30"),
    "patrickhunner_tff/F2021.csv": (Report.TFF, 2603, "2022-01-03T20:30"),
    "patrickhunner_tff/F2022.csv": (Report.TFF, 2719, "2022-12-30T20:30"),
    "patrickhunner_tff/F2023.csv": (Report.TFF, 476, "2023-03"),
}
"""Report, rows, and when the newest of them came out."""
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data/cot, a separate download"),
]


def _raw(name: str) -> list[str]:
    content = (DATA / name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8-sig").splitlines()


def _fields(line: str) -> list[str]:
    """Cells by nothing but quotes and commas."""
    parts = line.split('"')
    parts[1::2] = [part.replace(",", ";") for part in parts[1::2]]
    return [cell.strip() for cell in "".join(parts).split(",")]


def _tiny_count(name: str) -> tuple[int, set[tuple[str, str]], int]:
    """Lines, distinct (code, YYMMDD) and the sum of open interest, by fixed places."""
    lines = [_fields(line) for line in _raw(name) if line]
    if len(lines[0]) == 9:
        lines = lines[1:]
        keys = {("133741", line[0][2:].replace("-", "")) for line in lines}
        return len(lines), keys, sum(int(line[1]) for line in lines)
    if not lines[0][1].isdigit():
        lines = lines[1:]
    return len(lines), {(line[3], line[1]) for line in lines}, sum(int(line[7]) for line in lines)


def _rows(name: str) -> list[Positions]:
    [reading] = cot_text.read_file(DATA / name)
    return reading.rows


@pytest.mark.parametrize("name", FILES)
def test_every_row_of_a_genuine_file_is_read(name: str) -> None:
    report, count, released = FILES[name]
    [reading] = cot_text.read_file(DATA / name)
    lines, keys, open_interest = _tiny_count(name)
    assert reading.refused == []
    assert (reading.report, reading.read, len(reading.rows), reading.repeated) == (report, count, lines, 0)
    assert {(row.code, f"{row.as_of:%y%m%d}") for row in reading.rows} == keys
    assert sum(row.value("open_interest") for row in reading.rows) == open_interest
    assert clock.iso(reading.snapshot_ns).startswith(released)
    assert reading.source == Path(name).name


def test_no_file_is_left_out() -> None:
    found = {str(path.relative_to(DATA)) for path in DATA.glob("*/*")}
    assert found == set(FILES)


def test_every_number_is_the_one_in_its_place() -> None:
    """All positions of all rows, by the documented places."""
    places: dict[str, Callable[[list[str]], list[str]]] = {
        "abrahamcarvalhoo_legacy/annual_2025-01-07_2025-03-11.txt": lambda line: [*line[7:13], *line[15:17]],
        "blockstacks_tff/FinFutYY_2024-01-02_2024-06-11.txt": lambda line: [*line[7:20], *line[22:24]],
        "patrickhunner_tff/F2022.csv": lambda line: [*line[7:20], *line[22:24]],
        "nanopowered_btc_legacy/cot_legacy_133741.csv": lambda line: line[1:],
    }
    for name, pick in places.items():
        lines = [_fields(line) for line in _raw(name)[1:]]
        assert [list(map(str, row.values)) for row in _rows(name)] == [pick(line) for line in lines]


def test_earlier_snapshots_of_a_file_hold_the_same_rows() -> None:
    latest = {
        (row.code, row.as_of): row
        for row in _rows("abrahamcarvalhoo_legacy/annual_2025-01-07_2025-03-11.txt")
    }
    for day in ("13", "24", "31"):
        for row in _rows(f"abrahamcarvalhoo_legacy/annual_asof_2025-01-{day}.txt.gz"):
            assert latest[row.code, row.as_of] == row


def test_the_nine_column_file_tells_the_same_as_the_official_one() -> None:
    theirs = {row.as_of: row.values for row in _rows("nanopowered_btc_legacy/cot_legacy_133741.csv")}
    official = {
        row.as_of: row.values
        for row in _rows("abrahamcarvalhoo_legacy/annual_2025-01-07_2025-03-11.txt")
        if row.code == "133741"
    }
    assert len(official) == 10
    assert official.items() <= theirs.items()


def test_the_tests_own_files_have_the_official_headings() -> None:
    for report, name in [
        (Report.LEGACY, "abrahamcarvalhoo_legacy/annual_2025-01-07_2025-03-11.txt"),
        (Report.TFF, "blockstacks_tff/FinFutYY_2024-01-02_2024-06-11.txt"),
    ]:
        assert _raw(name)[0] == ",".join(f'"{heading}"' for heading in cot_files.HEADINGS[report])
