"""Charts as pictures, for what leaves the web page: artifacts of a run, later reports."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from matplotlib import rcParams
from matplotlib.figure import Figure

from shared.domain.cot import GROUP_TITLES, Group
from shared.rules.cot import Week, cot_index, net_share

rcParams["date.converter"] = "concise"
WIDTH, HEIGHT = 9.0, 5.6
DPI = 110
#: Told apart also by the colour-blind: hue and lightness differ.
COLOURS = ("#4c7ef3", "#e08a1e", "#2fa27c", "#c65bb8", "#8391a3")

WINDOW = 156
"""Weeks of the COT index that is drawn: three years, its inventor's first choice."""


def positioning(title: str, weeks: Sequence[Week], groups: Sequence[Group], *, last: int) -> bytes:
    """Two panels over the ``last`` weeks: net positions in % of open interest, and the COT index. A PNG.

    A week without a full set of rows is a gap, and is drawn as one.
    """
    dates = [week.as_of for week in weeks][-last:]
    shares = {GROUP_TITLES[group]: [net_share(week, group) for week in weeks] for group in groups}
    indices = {name: cot_index(values, WINDOW) for name, values in shares.items()}
    figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for axes, lines in ((upper, shares), (lower, indices)):
        for colour, (name, values) in zip(COLOURS, lines.items(), strict=False):
            axes.plot(
                dates,
                [float("nan") if value is None else value for value in values[-last:]],
                color=colour,
                label=name,
            )
        axes.grid(visible=True, alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    upper.axhline(0, color="#8391a3", linewidth=0.8)
    figure.suptitle(title, x=0.01, ha="left", fontweight="bold")
    upper.set_ylabel("net, % of open interest")
    handles, names = upper.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper right", ncols=len(names), frameon=False, fontsize="small"
    )
    lower.set_ylim(-3, 103)
    lower.set_yticks([0, 20, 50, 80, 100])
    lower.set_ylabel(f"COT index, {WINDOW} weeks")
    figure.supxlabel("Source: CFTC, Commitments of Traders, futures only", fontsize="small", color="#8391a3")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def as_data_url(png: bytes) -> str:
    """The picture itself in the place of its address: it is shown without asking any server."""
    return "data:image/png;base64," + base64.b64encode(png).decode()
