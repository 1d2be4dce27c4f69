"""Against real files, when they are there: the measured facts come out again. Read here with bare ``csv``."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from statistics import fmean

import msgspec
import pytest

from shared.domain.cot import CODES, Group, Market, Positions, Report, identity_error, market_of
from shared.rules.cot import Week, combine, cot_index, net_share, report_week, z_score
from shared.rules.cot_calendar import as_of_dates

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "cot"
TFF_FILES = sorted(DATA.glob("patrickhunner_tff/F20*.csv")) + sorted(DATA.glob("blockstacks_tff/*.txt"))
LEGACY_FILES = sorted(DATA.glob("abrahamcarvalhoo_legacy/annual_2*.txt"))
BITCOIN_LEGACY = DATA / "nanopowered_btc_legacy" / "cot_legacy_133741.csv"
#: Where a report has its position columns; column 7 is open interest, then come the groups. TFF has the totals
#: of all reportable traders before the last two, legacy has them before its last two as well.
PLACES = {Report.TFF: [*range(7, 20), 22, 23], Report.LEGACY: [*range(7, 13), 15, 16]}

pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not BITCOIN_LEGACY.exists() or not TFF_FILES, reason="needs ../shared/data/cot"),
]


def read(files: list[Path], report: Report) -> Iterator[Positions]:
    for path in files:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for cells in csv.reader(file):
                if cells[3].strip() not in CODES:
                    continue
                day = cells[1]
                yield Positions(
                    report=report,
                    code=cells[3].strip(),
                    as_of=date(2000 + int(day[:2]), int(day[2:4]), int(day[4:6])),
                    market=cells[0],
                    values=tuple(int(cells[place]) for place in PLACES[report]),
                )


def bitcoin_legacy() -> list[Positions]:
    with BITCOIN_LEGACY.open(newline="") as file:
        return [
            Positions(
                report=Report.LEGACY,
                code="133741",
                as_of=date.fromisoformat(cells[0]),
                market="BITCOIN",
                values=tuple(int(cell) for cell in cells[1:]),
            )
            for cells in csv.reader(file)
            if cells[0] != "as_of"
        ]


@pytest.fixture(scope="module")
def tff() -> list[Positions]:
    return list(read(TFF_FILES, Report.TFF))


def market(code: str) -> Market:
    found = market_of(code)
    assert found is not None
    return found


def whole(weeks: list[Week]) -> list[Week]:
    return [week for week in weeks if week.complete]


def test_every_row_keeps_the_identities(tff: list[Positions]) -> None:
    rows = [*tff, *read(LEGACY_FILES, Report.LEGACY), *bitcoin_legacy()]
    assert len(rows) > 5_000
    assert [(row.code, row.as_of, identity_error(row)) for row in rows if identity_error(row)] == []


def test_as_of_dates_of_the_files_are_those_of_the_calendar(tff: list[Positions]) -> None:
    for rows in (tff, bitcoin_legacy(), list(read(LEGACY_FILES, Report.LEGACY))):
        days = sorted({row.as_of for row in rows})
        weeks = {report_week(day) for day in days}
        expected = [day for day in as_of_dates(days[0], days[-1]) if report_week(day) in weeks]
        assert days == expected
    assert len(bitcoin_legacy()) == len(as_of_dates(date(2018, 4, 10), date(2026, 9, 22))) == 442


def test_groups_of_bitcoin_by_year(tff: list[Positions]) -> None:
    """Mean net position in percent of open interest: asset managers, leveraged funds, dealers; 133741 alone."""
    alone = msgspec.structs.replace(market("133741"), members=market("133741").members[:1])
    shares: dict[int, list[list[float]]] = defaultdict(list)
    for week in whole(combine(alone, tff)):
        found = [net_share(week, group) for group in (Group.ASSET_MANAGER, Group.LEVERAGED, Group.DEALER)]
        shares[week.as_of.year].append([share for share in found if share is not None])
    means = {
        year: [round(fmean(column)) for column in zip(*rows, strict=True)] for year, rows in shares.items()
    }
    weeks = {year: len(rows) for year, rows in shares.items()}
    assert weeks == {2018: 39, 2019: 52, 2020: 52, 2021: 52, 2022: 52, 2023: 9, 2024: 24}
    assert means[2019] == [0, -14, 0]
    assert means[2020] == [2, -27, -2]
    assert means[2021] == [6, -42, 0]
    assert means[2022] == [41, -39, -10]
    assert means[2024] == [59, -50, -11]


def test_micro_bitcoin_is_most_contracts_and_few_coins(tff: list[Positions]) -> None:
    both = market("133741")
    single = msgspec.structs.replace(both, members=both.members[:1])
    standard = {week.as_of: week.open_interest for week in whole(combine(single, tff))}
    since = min(row.as_of for row in tff if row.code == "133742")
    assert since == date(2021, 5, 4)
    coins = micro = 0.0
    largest = 0.0
    for week in whole(combine(both, tff)):
        alone = standard[week.as_of]
        assert week.open_interest is not None
        assert alone is not None
        assert (week.open_interest > alone) == (week.as_of >= since)
        if week.as_of >= since:
            coins += float(week.open_interest)
            micro += float(week.open_interest - alone)
            largest = max(largest, float(1 - alone / week.open_interest))
    assert round(100 * micro / coins, 1) == 2.8
    assert round(100 * largest, 1) == 8.5


def test_missing_weeks_are_gaps(tff: list[Positions]) -> None:
    weeks = combine(market("133741"), tff)
    gaps = [week.as_of for week in weeks if not week.complete]
    assert gaps == [date(2023, 3, 7) + index * timedelta(weeks=1) for index in range(43)]
    index = cot_index([net_share(week, Group.ASSET_MANAGER) for week in weeks], 26)
    scores = z_score([net_share(week, Group.ASSET_MANAGER) for week in weeks], 52)
    last = next(place for place, week in enumerate(weeks) if not week.complete) - 1
    assert index[last] is not None
    assert scores[last] is not None
    assert index[last + 1 :] == [None] * len(index[last + 1 :])  # only 24 weeks follow the gap
    assert scores[last + 1 :] == [None] * len(scores[last + 1 :])


def test_index_of_bitcoin_against_a_count_of_its_own(tff: list[Positions]) -> None:
    """156 weeks of the legacy report, recomputed from the bare numbers of the file."""
    rows = bitcoin_legacy()
    weeks = combine(market("133741"), rows)
    assert all(week.complete for week in weeks)
    index = cot_index([net_share(week, Group.NONCOMMERCIAL) for week in weeks], 156)
    assert index[:155] == [None] * 155
    bare = [100 * (row.values[1] - row.values[2]) / row.values[0] for row in rows]
    for place in range(155, len(rows)):
        window = bare[place - 155 : place + 1]
        expected = 100 * (bare[place] - min(window)) / (max(window) - min(window))
        assert index[place] == pytest.approx(expected)
    assert weeks[-1].as_of == date(2026, 9, 22)
