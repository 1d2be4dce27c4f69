from __future__ import annotations

import pytest

from flows.sources import headings
from shared.domain.cot import Report, columns
from shared.errors import SourceDataError
from tests.flows import cot_files


@pytest.mark.parametrize("report", list(Report))
@pytest.mark.parametrize("kind", ["text", "socrata"])
def test_every_column_is_found_where_it_is(report: Report, kind: str) -> None:
    one = cot_files.BITCOIN if report is Report.LEGACY else cot_files.EURO
    if kind == "text":
        names, cells = cot_files.HEADINGS[report], cot_files.cells(one)
    else:
        found = cot_files.socrata(one)
        names, cells = list(found), [str(value) for value in found.values()]
    layout = headings.layout(names, "f.txt")
    assert layout is not None
    assert layout.report is report
    assert tuple(int(cells[place]) for place in layout.positions) == one.values
    assert layout.code is not None
    assert cells[layout.code] == one.code


@pytest.mark.parametrize("report", list(Report))
def test_files_without_headings_have_the_places_of_those_with(report: Report) -> None:
    with_headings = headings.layout(cot_files.HEADINGS[report], "f.txt")
    assert with_headings in headings.WITHOUT_HEADINGS


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Noncommercial Positions-Spreading (All)", "noncommercial_spread"),
        ("  noncommercial  positions - spreading(ALL)", "noncommercial_spread"),
        ("noncomm_postions_spread_all", "noncommercial_spread"),
        ("noncomm_positions_spread_all", "noncommercial_spread"),
        ("nc_spread", "noncommercial_spread"),
        (" Total Reportable Positions-Long (All)", None),
        ("Open Interest (Old)", None),
        ("% of Open Interest (OI) (All)", None),
        ("Noncommercial Positions-Long (Other)", None),
        ("Change in Noncommercial-Long (All)", None),
    ],
)
def test_legacy_spellings(heading: str, column: str | None) -> None:
    assert headings.COLUMNS[Report.LEGACY].get(headings.normal(heading)) == column


@pytest.mark.parametrize(
    ("heading", "column"),
    [
        ("Lev_Money_Positions_Long_All", "leveraged_long"),
        ("lev_money_positions_long", "leveraged_long"),
        ("Lev_Money__Positions_Long_ALL", "leveraged_long"),
        ("Asset Mgr Positions-Spread", "asset_manager_spread"),
        ("Traders_Lev_Money_Long_All", None),
        ("Pct_of_OI_Lev_Money_Long_All", None),
        ("Tot_Rept_Positions_Long_All", None),
    ],
)
def test_tff_spellings(heading: str, column: str | None) -> None:
    assert headings.COLUMNS[Report.TFF].get(headings.normal(heading)) == column


@pytest.mark.parametrize("report", list(Report))
def test_our_own_names_are_headings_too(report: Report) -> None:
    layout = headings.layout(["code", "as_of", "market", *columns(report)], "f.csv")
    assert layout is not None
    assert layout.positions == tuple(range(3, 3 + len(columns(report))))


def test_rows_are_no_headings() -> None:
    assert headings.layout(cot_files.cells(cot_files.BITCOIN), "f.txt") is None
    assert headings.layout([], "f.txt") is None
    assert headings.layout(["Date", "Open", "High", "Low", "Close"], "f.txt") is None


def _without(report: Report, *begins: str) -> list[str]:
    return [one for one in cot_files.HEADINGS[report] if not one.startswith(begins)]


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (
            [
                *_without(Report.TFF, "Dealer", "Asset", "Lev"),
                "Prod_Merc_Positions_Long_ALL",
                "M_Money_Positions_Long_All",
            ],
            "f.txt: this is the disaggregated report, which is not used",
        ),
        (
            [*_without(Report.TFF, "Dealer", "Asset", "Lev"), "Swap__Positions_Short_All"],
            "the disaggregated report",
        ),
        (
            [
                *_without(Report.LEGACY, "Noncomm", "Comm"),
                "NComm_Positions_Long_All_NoCIT",
                "CIT_Positions_Long_All",
            ],
            "the supplemental",
        ),
        (
            [*cot_files.LEGACY_HEADINGS, "Dealer_Positions_Long_All"],
            "the legacy and of the TFF report in one file",
        ),
        (
            _without(Report.TFF, "Lev_Money_Positions_Spread"),
            "f.txt: a tff report without a column for leveraged_spread: get the file again",
        ),
        (
            _without(Report.LEGACY, "Noncommercial Positions", "Commercial Positions-Short (All"),
            "noncommercial_long, noncommercial_short, noncommercial_spread and 1 more",
        ),
        (_without(Report.LEGACY, "As of Date"), "no column for the as-of date"),
        ([*cot_files.LEGACY_HEADINGS, "open_interest_all"], "columns 8 and 130 are both open_interest"),
        (["code", "as_of", "open_interest", "price"], "no positions of the legacy or the TFF report"),
    ],
)
def test_what_cannot_be_read_says_which_and_why(names: list[str], says: str) -> None:
    with pytest.raises(SourceDataError) as error:
        headings.layout(names, "f.txt")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
