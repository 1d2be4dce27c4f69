from __future__ import annotations

import base64
import io
from datetime import date, timedelta
from decimal import Decimal

import matplotlib.image

from flows import charts
from shared.domain.cot import GROUPS, Group, Report
from shared.rules.cot import Week


def week(number: int, net: int) -> Week:
    return Week(
        as_of=date(2020, 1, 7) + timedelta(weeks=number),
        complete=True,
        open_interest=Decimal(100),
        long=dict.fromkeys(GROUPS[Report.TFF], Decimal(net)),
        short=dict.fromkeys(GROUPS[Report.TFF], Decimal(0)),
        spread={},
    )


def ink(png: bytes) -> int:
    """How many pixels have the colour of the first line."""
    picture = matplotlib.image.imread(io.BytesIO(png), format="png")
    red, green, blue = (int(charts.COLOURS[0][place : place + 2], 16) / 255 for place in (1, 3, 5))
    near = (
        (abs(picture[..., 0] - red) < 0.05)
        & (abs(picture[..., 1] - green) < 0.05)
        & (abs(picture[..., 2] - blue) < 0.05)
    )
    return int(near.sum())


def test_a_chart_is_a_png_with_the_line_in_it() -> None:
    png = charts.positioning("Bitcoin", [week(n, n % 7) for n in range(60)], [Group.DEALER], last=60)
    assert png.startswith(b"\x89PNG")
    assert ink(png) > 500
    assert base64.b64decode(charts.as_data_url(png).partition(",")[2]) == png


def test_a_gap_is_not_drawn() -> None:
    """The same weeks with a year missing in the middle have so much less of the line."""
    whole = [week(n, 10 + n % 7) for n in range(150)]
    gap = [one if not 50 <= n < 102 else Week(as_of=one.as_of, complete=False) for n, one in enumerate(whole)]
    drawn = ink(charts.positioning("", whole, [Group.DEALER], last=150))
    with_gap = ink(charts.positioning("", gap, [Group.DEALER], last=150))
    assert with_gap < 0.75 * drawn


def test_the_index_looks_back_beyond_what_is_drawn() -> None:
    """160 weeks give a full window of 156 for the last five, also when only those are drawn."""
    weeks = [week(n, n % 9) for n in range(160)]
    assert ink(charts.positioning("", weeks, [Group.DEALER], last=5)) > ink(
        charts.positioning("", weeks[-5:], [Group.DEALER], last=5)
    )
