"""The COT page: calls Streamlit's elements, and decides nothing.

The charts are drawn when somebody chooses something or a report came in. In between only the header and the
tiles run again; they notice a newer picture and let the page be drawn anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import streamlit as st
from streamlit.navigation.page import Page

from dashboards.web import (
    cot_charts,
    cot_markup,
    cot_run,
    cot_status,
    cot_study,
    cot_views,
    cot_words,
    frame,
    markup,
)
from dashboards.web.cot_data import Picture
from dashboards.web.cot_study import Study
from dashboards.web.elements import empty, section
from dashboards.web.reader import Reader
from shared import clock
from shared.domain.cot import REPORT_TITLES, Report
from shared.rules.cot import WINDOWS

REFRESH_S = 3.0
TILES_S = 15.0
SHARE, UNITS = "share", "units"
KEYS = {"crypto": "coin", "forex": "currency"}
"""The name of a market's choice in the address; each section remembers its own."""


class Drawn(msgspec.Struct, frozen=True):
    """What the page was last drawn from; ``market`` is empty while there is none to choose."""

    report: Report
    market: str
    picture: Picture | None


def show(reader: Reader, pages: Sequence[Page], flows_url: str) -> None:
    """Draw the page. What is chosen stands in the address, so that a link leads to the same picture."""
    above = st.container(key="cot-top")
    with st.container(key="cot", gap="medium"):
        with st.container(key="cot-head", gap="small"):
            st.html(section("Commitments of Traders", "weekly, futures only"))
            st.html(cot_markup.paragraph(cot_words.INTRODUCTION))
        with st.container(key="cot-choice", horizontal=True, gap="small"):
            chosen = _choose("Section", cot_words.SECTIONS, "section")
            report = Report(_choose("Report", cot_words.REPORT_NAMES, "report"))
        picture = reader.cot(report).picture
        market_key = ""
        if picture is not None and picture.empty:
            st.html(cot_markup.welcome(flows_url))
            if picture.run is not None:
                _run(picture)
        elif picture is not None:
            market_key = _body(picture, chosen, report)
    drawn = Drawn(report, market_key, picture)
    with above:
        st.fragment(_above, run_every=REFRESH_S)(reader, drawn, pages, flows_url)
    with st.container(key="end"):
        st.html(markup.end(clock.now_ns()))


def _choose(label: str, options: dict[Any, str], key: str, first: Any = None, *, pills: bool = False) -> Any:
    """One of some words, to begin with ``first``."""
    make = st.pills if pills else st.segmented_control
    return make(
        label,
        list(options),
        default=next(iter(options)) if first is None else first,
        required=True,
        format_func=lambda option: options[option],
        key=key,
        bind="query-params",
        label_visibility="collapsed",
    )


def _above(reader: Reader, drawn: Drawn, pages: Sequence[Page], flows_url: str) -> None:
    """Header and banners, every few seconds; a newer picture draws the whole page anew."""
    reading = reader.cot(drawn.report)
    if reading.picture is not drawn.picture:
        st.rerun()
    now_ns = clock.now_ns()
    found = drawn.picture.studies.get(drawn.market) if drawn.picture is not None else None
    frame.top(
        pages,
        cot_status.pills(found, reading.away, now_ns),
        cot_status.banners(reading, found, flows_url, now_ns),
        now_ns,
        seconds=False,
    )


def _body(picture: Picture, chosen: str, report: Report) -> str:
    """Everything about a section and one market of it; gives the market's key."""
    rows = cot_views.rows(picture.studies, chosen, clock.now_ns())
    groups = " · ".join(dict.fromkeys(row.gauge.name for row in rows))
    with st.container(key="cot-overview", gap="small"):
        st.html(section(f"All of {cot_words.SECTIONS[chosen]}", f"{groups}, {REPORT_TITLES[report]}"))
        st.html(cot_markup.markets(rows))
    names = {market.key: market.name for market in cot_views.markets(chosen)}
    with st.container(key="cot-market", gap="small"):
        st.html(section("One market"))
        market_key = str(_choose("Market", names, KEYS[chosen], pills=True))
        found = picture.studies[market_key]
        if found.week is None:
            text = "Read its files, or run the flow; other markets or the other report may have rows."
            st.html(
                empty(
                    "cot-market", f"No {cot_words.REPORT_NAMES[report]} row of {found.market.name} yet", text
                )
            )
            return market_key
        st.fragment(_tiles, run_every=TILES_S)(found)
    _charts(found)
    _numbers(found)
    _basis(found, picture)
    return market_key


def _tiles(found: Study) -> None:
    now_ns = clock.now_ns()
    market, report = found.market, found.report
    two = (
        (cot_words.role(market, report, 0), cot_views.gauge(found, cot_views.directional(market, report))),
        (cot_words.role(market, report, 1), cot_views.gauge(found, cot_views.counterpart(market, report))),
    )
    interest = (found.interest[found.last], cot_study.interest_change(found))
    st.html(cot_markup.tiles(cot_status.timing(found, now_ns), two, interest, market.unit, now_ns))


def _charts(found: Study) -> None:
    market = found.market
    with st.container(key="cot-positions", gap="small", border=True):
        with st.container(key="cot-positions-head", horizontal=True, vertical_alignment="center"):
            title = st.container(width="stretch")
            unit = _choose("Unit", {SHARE: "% of open interest", UNITS: "Amount"}, "net")
            spans = {name: name for name in cot_views.YEARS}
            years = cot_views.YEARS[_choose("Time span", spans, "years", cot_views.DEFAULT_YEARS)]
        lines, name = cot_views.position_lines(found, years, units=unit == UNITS)
        gaps = cot_views.gap_ranges(found, years)
        note = f", {cot_words.unit_note(name)}" if unit == UNITS else ""
        title.html(section("Net position", f"long less short{note}"))
        option = cot_charts.positions(lines, gaps, name)
        _draw("positions", option, f"Net position of each group in {market.name} over time")
    with st.container(key="cot-index", gap="small", border=True):
        with st.container(key="cot-index-head", horizontal=True, vertical_alignment="center"):
            st.html(section("COT index"), width="stretch")
            window = _choose(
                "Window",
                {window: f"{window} weeks" for window in WINDOWS},
                "window",
                cot_views.DEFAULT_WINDOW,
            )
        option = cot_charts.index(cot_views.index_lines(found, years, window), gaps)
        _draw("index", option, f"COT index of each group in {market.name} over {window} weeks")
        st.html(cot_markup.paragraph(f"{cot_words.INDEX} {cot_views.why_no_index(found)}".strip()))
    with st.container(key="cot-small", horizontal=True, gap="medium"):
        with st.container(key="cot-score", gap="small", border=True):
            st.html(section("z-score", "52 weeks"))
            _draw(
                "score",
                cot_charts.score(cot_views.score_lines(found, years), gaps),
                "z-score of each group",
                small=True,
            )
            st.html(cot_markup.paragraph(cot_words.SCORE))
        with st.container(key="cot-interest", gap="small", border=True):
            line, name = cot_views.interest_line(found, years)
            st.html(section("Open interest", cot_words.unit_note(name)))
            _draw("interest", cot_charts.interest(line, gaps, name), "Open interest over time", small=True)
            st.html(cot_markup.paragraph(cot_words.INTEREST))


def _draw(name: str, option: dict[str, Any], alt: str, *, small: bool = False) -> None:
    height = cot_charts.SMALL_HEIGHT if small else cot_charts.HEIGHT
    st.echarts_chart(option, height=height, key=f"cot-chart-{name}", alt=alt)


def _numbers(found: Study) -> None:
    shown = cot_views.gauges(found)
    with st.container(key="cot-numbers", gap="small"):
        st.html(section("Who holds what", f"{found.market.unit}, as of {found.newest}"))
        st.html(cot_markup.groups(shown, found.market.unit))
    with st.container(key="cot-meanings", gap="small", border=True):
        st.html(section("Who they are"))
        st.html(cot_markup.meanings(shown, found.market))


def _basis(found: Study, picture: Picture) -> None:
    """What the numbers stand on: the contracts, the gaps, the last reading, the source."""
    with st.container(key="cot-basis", gap="small", border=True):
        st.html(section("What is summed"))
        st.html(cot_markup.members(found.members, found.market.unit))
        if note := cot_words.inverted_note(found.market):
            st.html(cot_markup.paragraph(note))
        st.html(section("Gaps", "drawn as gaps, never bridged"))
        st.html(cot_markup.gaps(cot_views.gap_words(found.gaps)))
    _run(picture)
    st.html(cot_markup.paragraph(cot_words.SOURCE))


def _run(picture: Picture) -> None:
    run = picture.run
    with st.container(key="cot-run", gap="small", border=True):
        st.html(section("What came in last"))
        if run is None:
            st.html(cot_markup.paragraph("No reading was written down yet."))
            return
        st.html(cot_run.summary(run, picture.done, clock.now_ns()))
        if run.detail.sources:
            with st.expander(f"Sources · {len(run.detail.sources)}", key="cot-sources"):
                st.html(cot_run.parts(run))
        if run.refused_rows:
            with st.expander(f"Refused rows · {run.refused_rows}", key="cot-refused"):
                st.html(cot_run.refusals(run))
