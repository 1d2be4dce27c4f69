"""Chart options for the page's own ECharts."""

from __future__ import annotations

from typing import Any

from dashboards.web.views import Line
from shared import clock

#: Told apart on white and on black, also by the colour-blind (hue and lightness differ).
PALETTE = ("#4c7ef3", "#e08a1e", "#2fa27c", "#c65bb8", "#7a6ff0", "#d9534f", "#5aa9c7", "#8f9a3c")
HEIGHT = 260


def equity_chart(lines: list[Line], unit: str, *, percent: bool = False) -> dict[str, Any]:
    """Equity against UTC time, one line per account. Values are floats: this is a drawing, not a ledger."""
    muted = "#8391a3"
    series = [
        {
            "type": "line",
            "name": line.name,
            "data": [[at_ns // clock.MILLISECOND, round(float(value), 4)] for at_ns, value in line.points],
            "showSymbol": len(line.points) < 2,
            "symbolSize": 6,
            "lineStyle": {"width": 2},
            "step": "end",
            "emphasis": {"focus": "series"},
            **({"areaStyle": {"opacity": 0.10}} if len(lines) == 1 else {}),
        }
        for line in lines
    ]
    return {
        "useUTC": True,
        "animation": False,
        "color": list(PALETTE),
        "grid": {"left": 4, "right": 12, "top": 34, "bottom": 4, "containLabel": True},
        "legend": {"show": len(lines) > 1, "type": "scroll", "left": 0, "top": 0, "icon": "roundRect"},
        "tooltip": {
            "trigger": "axis",
            "confine": True,
            "valueFormatter": "%+.2f %%" if percent else f"%,.2f {unit}",
        },
        "xAxis": {
            "type": "time",
            "axisLine": {"lineStyle": {"color": muted, "opacity": 0.5}},
            "axisLabel": {"hideOverlap": True, "color": muted},
            "splitLine": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "scale": True,
            "splitNumber": 4,
            "axisLabel": {"color": muted, "formatter": "{value} %"} if percent else {"color": muted},
            "splitLine": {"lineStyle": {"color": muted, "opacity": 0.18}},
        },
        "series": series,
    }
