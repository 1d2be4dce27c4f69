from datetime import date
from typing import Any

from dashboards.web import cot_charts
from dashboards.web.cot_views import Line
from shared.domain.cot import Group

DAYS = [date(2026, 1, 6), date(2026, 1, 13), date(2026, 1, 20), date(2026, 1, 27)]
MS = [1_767_657_600_000 + week * 604_800_000 for week in range(4)]


def lines(*values: float | None) -> list[Line]:
    found = [
        Line(name, group, list(zip(DAYS, values, strict=False)))
        for name, group in (("Asset managers", Group.ASSET_MANAGER), ("Leveraged funds", Group.LEVERAGED))
    ]
    return [*found, Line("Dealers", Group.DEALER, found[0].points)]


def first(option: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = option["series"][0]
    return found


def test_a_gap_is_a_gap_in_the_line_and_never_bridged() -> None:
    option = cot_charts.positions(lines(1, 2, None, 4), [(DAYS[1], DAYS[3])], "%")
    assert first(option)["connectNulls"] is False
    assert first(option)["data"][:3] == [[MS[0], 1], [MS[1], 2], [MS[2], None]]
    shaded = option["series"][-1]["markArea"]["data"]
    assert shaded == [[{"xAxis": MS[1]}, {"xAxis": MS[3]}]]


def test_a_week_alone_between_gaps_is_a_dot() -> None:
    data = first(cot_charts.positions(lines(1, 2, None, 4), [], "%"))["data"]
    assert data[3] == {"value": [MS[3], 4], "symbol": "circle", "symbolSize": 5}
    assert isinstance(data[1], list)


def test_days_are_midnight_in_utc() -> None:
    assert [cot_charts.milliseconds(day) for day in DAYS] == MS
    assert cot_charts.positions(lines(1), [], "%")["useUTC"] is True


def test_the_index_has_its_bands_and_draws_the_two_that_tell_most() -> None:
    option = cot_charts.index(lines(10, 20, 30, 90), [])
    axis = option["yAxis"]
    assert (axis["min"], axis["max"]) == (0, 100)
    assert [found["yAxis"] for found in option["series"][-1]["markLine"]["data"]] == [20, 80]
    assert option["series"][-1]["markArea"]["data"] == [
        [{"yAxis": 80}, {"yAxis": 100}],
        [{"yAxis": 0}, {"yAxis": 20}],
    ]
    assert option["legend"]["selected"] == {"Asset managers": True, "Leveraged funds": True, "Dealers": False}
    assert "selected" not in cot_charts.positions(lines(1), [], "%")["legend"]
    assert cot_charts.score(lines(1), [])["legend"]["selected"]["Dealers"] is False


def test_the_carrier_of_the_shading_is_not_in_the_legend() -> None:
    option = cot_charts.positions(lines(1), [], "bn EUR")
    assert option["legend"]["data"] == ["Asset managers", "Leveraged funds", "Dealers"]
    assert option["tooltip"]["valueFormatter"] == "%+,.2f bn EUR"


def test_a_group_has_one_colour_in_every_chart() -> None:
    made = [
        cot_charts.positions(lines(1), [], "%"),
        cot_charts.index(lines(1), []),
        cot_charts.score(lines(1), []),
    ]
    assert len({first(option)["itemStyle"]["color"] for option in made}) == 1


def test_open_interest_begins_at_zero() -> None:
    option = cot_charts.interest(Line("Open interest", None, [(DAYS[0], 5.0)]), [], "BTC")
    assert option["yAxis"]["min"] == 0
    assert option["legend"]["show"] is False
