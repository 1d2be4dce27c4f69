"""Chart options of the COT page. A gap in the data is a gap in the line, and is shaded besides."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from dashboards.web.charts import PALETTE
from dashboards.web.cot_views import HIGH, LOW, Line
from shared.domain.cot import Group

HEIGHT, SMALL_HEIGHT = 320, 230
MUTED = "#8391a3"
#: A group keeps its colour in every chart and report.
COLOURS: dict[Group | None, str] = {
    Group.ASSET_MANAGER: PALETTE[0],
    Group.LEVERAGED: PALETTE[1],
    Group.DEALER: PALETTE[2],
    Group.OTHER: PALETTE[3],
    Group.NONREPORTABLE: MUTED,
    Group.NONCOMMERCIAL: PALETTE[0],
    Group.COMMERCIAL: PALETTE[1],
    None: PALETTE[6],
}
Ranges = list[tuple[date, date]]


def positions(lines: list[Line], gaps: Ranges, unit: str) -> dict[str, Any]:
    """Net position per group over time."""
    option = _chart(lines, gaps, _format(unit, signed=True), _axis(unit))
    option["series"][-1]["markLine"] = _levels([0])
    return option


def index(lines: list[Line], gaps: Ranges) -> dict[str, Any]:
    """The COT index per group, with the bands in which a side is crowded; all but the first two wait in the legend."""
    axis = {"min": 0, "max": 100, "interval": 20, "axisLabel": {"color": MUTED}}
    option = _chart(lines, gaps, "%.0f", axis)
    option["series"][-1]["markLine"] = _levels([LOW, HIGH])
    bands = [[{"yAxis": HIGH}, {"yAxis": 100}], [{"yAxis": 0}, {"yAxis": LOW}]]
    option["series"][-1]["markArea"]["data"] += bands
    option["legend"]["selected"] = _first(lines)
    return option


def score(lines: list[Line], gaps: Ranges) -> dict[str, Any]:
    """The z-score per group; all but the first two wait in the legend."""
    option = _chart(lines, gaps, "%+.2f", {"axisLabel": {"color": MUTED}})
    option["series"][-1]["markLine"] = _levels([-2, 0, 2])
    option["legend"]["selected"] = _first(lines)
    return option


def interest(line: Line, gaps: Ranges, unit: str) -> dict[str, Any]:
    option = _chart([line], gaps, _format(unit, signed=False), {**_axis(unit), "min": 0})
    option["series"][0]["areaStyle"] = {"opacity": 0.12}
    return option


def milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _format(unit: str, *, signed: bool) -> str:
    sign = "+" if signed else ""
    return f"%{sign},.1f %%" if unit == "%" else f"%{sign},.2f {unit}"


def _axis(unit: str) -> dict[str, Any]:
    """The labels of an axis; a unit other than percent stands beside the chart's name."""
    return {"axisLabel": {"color": MUTED, **({"formatter": "{value} %"} if unit == "%" else {})}}


def _first(lines: list[Line]) -> dict[str, bool]:
    """Five lines that swing from 0 to 100 hide each other: the two that tell most are drawn at first."""
    return {line.name: place < 2 for place, line in enumerate(lines)}


def _levels(values: list[float]) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "label": {"show": False},
        "lineStyle": {"color": MUTED, "type": "dashed", "width": 1, "opacity": 0.7},
        "data": [{"yAxis": value} for value in values],
    }


def _points(line: Line) -> list[Any]:
    """``[ms, value]``; a week that stands alone between two gaps gets a dot, since no line can show it."""
    values = [value for _, value in line.points]
    drawn: list[Any] = []
    for place, (day, value) in enumerate(line.points):
        point = [milliseconds(day), None if value is None else round(value, 4)]
        before = values[place - 1] if place else None
        after = values[place + 1] if place + 1 < len(values) else None
        alone = value is not None and before is None and after is None
        drawn.append({"value": point, "symbol": "circle", "symbolSize": 5} if alone else point)
    return drawn


def _chart(lines: list[Line], gaps: Ranges, tooltip: str, axis: dict[str, Any]) -> dict[str, Any]:
    series: list[dict[str, Any]] = [
        {
            "type": "line",
            "name": line.name,
            "data": _points(line),
            "connectNulls": False,
            "showSymbol": True,
            "symbol": "none",
            "lineStyle": {"width": 2 if place < 2 else 1.2, "opacity": 1 if place < 2 else 0.75},
            "itemStyle": {"color": COLOURS[line.group]},
            "emphasis": {"focus": "series"},
        }
        for place, line in enumerate(lines)
    ]
    # Not in the legend and without a point: it only carries the shading.
    series.append(
        {
            "type": "line",
            "name": "",
            "data": [],
            "markArea": {
                "silent": True,
                "itemStyle": {"color": MUTED, "opacity": 0.12},
                "data": [[{"xAxis": milliseconds(a)}, {"xAxis": milliseconds(b)}] for a, b in gaps],
            },
        }
    )
    return {
        "useUTC": True,
        "animation": False,
        "grid": {
            "left": 4,
            "right": 12,
            "top": 34 if len(lines) > 1 else 12,
            "bottom": 4,
            "containLabel": True,
        },
        "legend": {
            "show": len(lines) > 1,
            "type": "scroll",
            "left": 0,
            "top": 0,
            "icon": "roundRect",
            "itemWidth": 14,
            "itemHeight": 8,
            "data": [line.name for line in lines],
        },
        "tooltip": {"trigger": "axis", "confine": True, "valueFormatter": tooltip},
        "xAxis": {
            "type": "time",
            "axisLine": {"lineStyle": {"color": MUTED, "opacity": 0.5}},
            "axisLabel": {"hideOverlap": True, "color": MUTED},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "scale": True,
            "splitNumber": 4,
            "splitLine": {"lineStyle": {"color": MUTED, "opacity": 0.18}},
            **axis,
        },
        "series": series,
    }
