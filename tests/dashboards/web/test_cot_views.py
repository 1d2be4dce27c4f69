from datetime import date
from decimal import Decimal

import pytest

from dashboards.web import cot_views, cot_words
from dashboards.web.cot_study import Gap, Study
from shared.domain.cot import GROUPS, MARKETS, Group, Report
from tests.dashboards.cot_rows import NOW, market, studied, weeks

AM, LEVERAGED, DEALER = Group.ASSET_MANAGER, Group.LEVERAGED, Group.DEALER


def studies(**nets: list[int | None]) -> dict[str, Study]:
    return {one.key: studied(one.key, nets.get(one.key, [])) for one in MARKETS}


def test_who_tells_of_direction_depends_on_market_and_report() -> None:
    bitcoin, euro = market("bitcoin"), market("eur")
    assert cot_views.order(bitcoin, Report.TFF)[:2] == (AM, LEVERAGED)
    assert cot_views.order(euro, Report.TFF)[:2] == (LEVERAGED, DEALER)
    assert cot_views.order(bitcoin, Report.LEGACY)[:2] == (Group.NONCOMMERCIAL, Group.COMMERCIAL)
    for one in (bitcoin, euro):
        for report in Report:
            assert sorted(cot_views.order(one, report)) == sorted(GROUPS[report])


def test_a_section_has_a_row_for_each_of_its_markets() -> None:
    rows = cot_views.rows(studies(bitcoin=[10, 30], xrp=[5]), "crypto", NOW)
    assert [row.market.key for row in rows] == ["bitcoin", "ether", "xrp", "solana"]
    bitcoin, ether = rows[0], rows[1]
    assert bitcoin.gauge.share == pytest.approx(100 * 30 / 1040)
    assert bitcoin.gauge.share_change == pytest.approx(100 * 30 / 1040 - 100 * 10 / 1020)
    assert (ether.as_of, ether.gauge.share, ether.gauge.index) == (
        None,
        None,
        {26: None, 52: None, 156: None},
    )
    assert not bitcoin.stale


def test_an_old_market_is_marked_in_its_row() -> None:
    old = {**studies(bitcoin=[1]), "ether": studied("ether", [1], last=date(2026, 9, 22))}
    assert [row.stale for row in cot_views.rows(old, "crypto", NOW)] == [False, True, False, False]


def test_a_gauge_has_a_spread_only_where_the_report_has_one() -> None:
    found = {one.group: one for one in cot_views.gauges(studied("bitcoin", [10]))}
    assert found[AM].spread == Decimal(50)
    assert found[Group.NONREPORTABLE].spread is None
    assert (found[AM].long, found[AM].short, found[AM].net) == (Decimal(2550), Decimal(2500), Decimal(50))


def test_a_span_is_counted_back_from_the_newest_week() -> None:
    found = studied("bitcoin", list(range(120)))
    lines, unit = cot_views.position_lines(found, 1, units=False)
    assert unit == "%"
    assert [line.name for line in lines][:2] == ["Asset managers", "Leveraged funds"]
    assert len(lines[0].points) == 53
    assert lines[0].points[-1][0] == found.newest
    assert len(cot_views.index_lines(found, None, 26)[0].points) == 120
    assert len(cot_views.score_lines(found, 3)[0].points) == 120


def test_amounts_are_cut_to_a_readable_size() -> None:
    lines, unit = cot_views.position_lines(studied("jpy", [400, 500]), None, units=True)
    assert unit == "bn JPY"
    assert [value for _, value in lines[2].points] == [5.0, 6.25]  # asset managers: 500 x 12.5 M
    line, unit = cot_views.interest_line(studied("bitcoin", [0, None, 10]), None)
    assert unit == "BTC"
    assert [value for _, value in line.points] == [5050.0, None, 5100.0]


def test_a_gap_is_shaded_from_the_week_before_to_the_week_after() -> None:
    days = weeks(6)
    assert cot_views.gap_ranges(studied("bitcoin", [1, None, None, 4, None, 6]), None) == [
        (days[0], days[3]),
        (days[3], days[5]),
    ]


def test_a_gap_that_begins_before_the_chart_is_shaded_from_its_edge() -> None:
    found = studied("bitcoin", [1, *[None] * 30, *range(40)])
    first = found.as_of[cot_views.since(found, 1)]
    ((begin, end),) = cot_views.gap_ranges(found, 1)
    assert begin == first
    assert end == found.as_of[31]


def test_gaps_are_said_in_words() -> None:
    gaps = [
        Gap(date(2023, 3, 7), date(2023, 12, 26), 43),
        Gap(date(2024, 2, 6), date(2024, 2, 6), 1),
        Gap(date(2025, 3, 18), date(2025, 4, 8), 4, ("Micro Bitcoin",)),
    ]
    assert cot_views.gap_words(gaps) == [
        "44 weeks missing: 2023-03-07 … 2023-12-26 (43), 2024-02-06.",
        "4 weeks without Micro Bitcoin: 2025-03-18 … 2025-04-08 (4).",
    ]
    assert cot_views.gap_words([]) == []


def test_very_many_gaps_are_counted_and_not_all_listed() -> None:
    days = weeks(40)
    (said,) = cot_views.gap_words([Gap(day, day, 1) for day in days[::2]])
    assert said.startswith("20 weeks missing: ")
    assert said.endswith(" and 8 more.")


def test_it_is_said_why_there_is_no_index() -> None:
    assert cot_views.why_no_index(studied("bitcoin", [1, None, *range(30)])) == (
        "No index over 52 and 156 weeks: a window must be full, and there are 30 weeks in a row since the last gap."
    )
    assert cot_views.why_no_index(studied("bitcoin", list(range(156)))) == ""
    assert "there is 1 week in a row." in cot_views.why_no_index(studied("bitcoin", [1]))


def test_a_currency_that_is_quoted_the_other_way_round_says_so() -> None:
    assert "net long here is short USD/JPY" in cot_words.inverted_note(market("jpy"))
    assert cot_words.inverted_note(market("eur")) == ""


@pytest.mark.parametrize("section", ["crypto", "forex"])
def test_every_group_is_explained_in_each_section(section: str) -> None:
    for report in Report:
        for group in GROUPS[report]:
            assert cot_words.meaning(group, section).endswith(".")
    assert "cash and carry" in cot_words.meaning(LEVERAGED, "crypto")
    assert "speculators" in cot_words.meaning(LEVERAGED, "forex")


def test_units_are_said_in_words() -> None:
    assert cot_words.unit_note("bn EUR") == "in billions of EUR"
    assert cot_words.unit_note("BTC") == "in BTC"
