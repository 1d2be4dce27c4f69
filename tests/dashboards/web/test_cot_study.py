from datetime import date
from decimal import Decimal

import pytest

from dashboards.web import cot_study
from dashboards.web.cot_study import Gap, study
from shared.domain.cot import Group, Report, identity_error
from tests.dashboards.cot_rows import BITCOIN, ETHER, MICRO, entry, market, row, studied, weeks

AM, LEVERAGED = Group.ASSET_MANAGER, Group.LEVERAGED
BTC = market("bitcoin")


def test_the_rows_of_these_tests_are_possible_ones() -> None:
    for report in Report:
        for net in (-300, 0, 300):
            assert identity_error(row(BITCOIN, date(2026, 11, 10), net, report=report)) is None


def test_contracts_are_summed_in_coins() -> None:
    day = date(2026, 11, 10)
    found = study(BTC, Report.TFF, [entry(row(BITCOIN, day, 100)), entry(row(MICRO, day, 40))])
    assert found.net[AM] == (Decimal("504.0"),)  # 100 x 5 + 40 x 0.1
    assert found.net[LEVERAGED] == (Decimal("-504.0"),)
    assert found.interest == (Decimal("5655.0"),)  # 1110 x 5 + 1050 x 0.1
    assert list(found.share[AM]) == [pytest.approx(100 * 504 / 5655)]
    assert found.newest == day
    assert len(found.entries) == 2


def test_rows_of_other_markets_are_left_out() -> None:
    day = date(2026, 11, 10)
    assert study(BTC, Report.TFF, [entry(row(ETHER, day))]).as_of == ()


def test_a_market_without_rows_has_nothing() -> None:
    found = studied("solana", [])
    assert (found.newest, found.week, found.gaps, found.entries) == (None, None, (), ())
    assert cot_study.whole_weeks(found) == 0
    assert cot_study.index_now(found, AM, 26) is None
    assert cot_study.score_now(found, AM) is None
    assert cot_study.share_change(found, AM) is None
    assert cot_study.interest_change(found) is None
    assert [(member.first, member.last) for member in found.members] == [(None, None), (None, None)]


def test_a_missing_week_is_a_gap_in_every_line() -> None:
    found = studied("bitcoin", [10, None, None, 40])
    assert [value is None for value in found.share[AM]] == [False, True, True, False]
    assert [value is None for value in found.interest] == [False, True, True, False]
    assert found.gaps == (Gap(weeks(4)[1], weeks(4)[2], 2),)
    assert cot_study.whole_weeks(found) == 1


def test_there_is_no_change_across_a_gap() -> None:
    assert cot_study.net_change(studied("bitcoin", [10, 30]), AM) == Decimal(100)
    assert cot_study.net_change(studied("bitcoin", [10, None, 30]), AM) is None
    assert cot_study.share_change(studied("bitcoin", [10, None, 30]), AM) is None
    assert cot_study.interest_change(studied("bitcoin", [10, 30])) == Decimal(100)


def test_a_week_without_the_micro_is_no_whole_week_and_names_it() -> None:
    days = weeks(4)
    entries = [entry(row(BITCOIN, day)) for day in days]
    entries += [entry(row(MICRO, day)) for day in (days[1], days[2])]
    found = study(BTC, Report.TFF, entries)
    assert found.gaps == (Gap(days[3], days[3], 1, ("Micro Bitcoin",)),)
    assert found.newest == days[2]
    assert [(member.first, member.last) for member in found.members] == [
        (days[0], days[3]),
        (days[1], days[2]),
    ]


def test_gaps_of_different_kinds_are_told_apart() -> None:
    days = weeks(5)
    entries = [entry(row(BITCOIN, day)) for day in (days[0], days[2], days[4])]
    entries += [entry(row(MICRO, day)) for day in (days[0], days[4])]
    found = study(BTC, Report.TFF, entries)
    assert [(gap.first, gap.missing) for gap in found.gaps] == [
        (days[1], ()),
        (days[2], ("Micro Bitcoin",)),
        (days[3], ()),
    ]


def test_an_index_needs_a_full_window_up_to_the_newest_week() -> None:
    rising = studied("bitcoin", list(range(30)))
    assert cot_study.index_now(rising, AM, 26) == 100
    assert cot_study.index_now(rising, LEVERAGED, 26) == 0
    assert cot_study.index_now(rising, AM, 52) is None
    assert cot_study.index_line(rising, AM, 26)[:25] == [None] * 25
    broken = studied("bitcoin", [*range(10), None, *range(19)])
    assert cot_study.index_now(broken, AM, 26) is None
    assert cot_study.whole_weeks(broken) == 19


def test_what_is_now_is_the_end_of_the_line() -> None:
    found = studied("bitcoin", [(place * 37) % 101 for place in range(70)])
    for window in (26, 52):
        assert cot_study.index_now(found, AM, window) == cot_study.index_line(found, AM, window)[-1]
    assert cot_study.score_now(found, AM) == cot_study.score_line(found, AM)[-1]
    assert cot_study.score_now(found, AM) is not None


def test_a_monday_row_belongs_to_its_week() -> None:
    days = weeks(3, date(2023, 7, 11))
    assert days[1] == date(2023, 7, 3)  # Tuesday was the 4th of July
    found = studied("bitcoin", [1, 2, 3], last=date(2023, 7, 11))
    assert found.as_of == tuple(days)
    assert found.gaps == ()
