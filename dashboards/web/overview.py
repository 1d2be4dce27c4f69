"""The overview page: calls Streamlit's elements, and decides nothing.

Every block has its fixed place and key, so that a refresh changes what is in a block and never which
block is where: open expanders stay open and nothing jumps.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st
from streamlit.navigation.page import Page

from dashboards.web import charts, frame, markup, notice_markup, views
from dashboards.web.data import Scope
from dashboards.web.elements import empty, section
from dashboards.web.reader import DEFAULT_SPAN, SPANS, Reader, Reading
from shared import clock

REFRESH_S = 1.0
PERCENT, MONEY = "Percent", "Money"


def show(reader: Reader, scope: Scope, pages: Sequence[Page]) -> None:
    """Draw the page once and keep it live: only the fragment runs again, once a second."""
    st.fragment(_live, run_every=REFRESH_S)(reader, scope, pages)


def _live(reader: Reader, scope: Scope, pages: Sequence[Page]) -> None:
    span = st.session_state.get("span") or DEFAULT_SPAN
    reading = reader.read(scope, span)
    page = views.page(reading, clock.now_ns())
    frame.top(pages, page.pills, page.banners, page.now_ns)
    with st.container(key="body", gap="medium"):
        if page.empty:
            st.html(markup.welcome())
        if page.tiles:
            _market(page)
        if page.cards:
            _accounts(page, reading)
            _positions(page)
        if reading.snapshot is not None:
            _notices(page)
    with st.container(key="end"):
        st.html(markup.end(page.now_ns))


def _market(page: views.Page) -> None:
    when = "live from the trader" if page.fresh else "as the trader last told them"
    with st.container(key="market", gap="small"):
        st.html(section("Market", f"{len(page.tiles)} of {page.symbols} prices, {when}"))
        st.html(markup.market(page.tiles))


def _accounts(page: views.Page, reading: Reading) -> None:
    with st.container(key="accounts", gap="small"):
        st.html(section("Accounts", "Today counts from midnight UTC and leaves out transfers"))
        st.html(markup.cards(page.cards))
    with st.container(key="equity", gap="small", border=True):
        with st.container(key="equity-head", horizontal=True, vertical_alignment="center"):
            st.html(section("Equity"), width="stretch")
            unit = st.segmented_control(
                "Unit",
                [PERCENT, MONEY],
                default=PERCENT,
                required=True,
                key="unit",
                label_visibility="collapsed",
            )
            st.segmented_control(
                "Time span",
                list(SPANS),
                default=DEFAULT_SPAN,
                required=True,
                key="span",
                label_visibility="collapsed",
            )
        drawn = views.lines(reading.snapshot, reading.series) if reading.snapshot else []
        if unit == PERCENT:
            drawn = views.relative(drawn)
        if drawn:
            option = charts.equity_chart(drawn, page.cards[0].currency, percent=unit == PERCENT)
            st.echarts_chart(
                option, height=charts.HEIGHT, key="equity-chart", alt="Equity of each account over time"
            )
        else:
            st.html(
                empty(
                    "equity", "No equity yet", "The trader writes it down as soon as the exchange tells it."
                )
            )


def _positions(page: views.Page) -> None:
    with st.container(key="positions", gap="small"):
        st.html(section("Open positions", str(len(page.positions)) if page.positions else ""))
        if page.positions:
            st.html(markup.positions(page.positions))
        else:
            st.html(empty("positions", "No open position", "One appears here when an order is filled."))


def _notices(page: views.Page) -> None:
    with st.container(key="notices", gap="small"):
        st.html(section("Notices", "what each one led to"))
        if not page.acted and not page.other:
            st.html(
                empty(
                    "notices", "No notice seen yet", "The trader watches the notice boards once it is armed."
                )
            )
        for index, view in enumerate(page.acted):
            label = notice_markup.notice_label(view, page.now_ns)
            with st.expander(label, expanded=index == 0, key=f"notice-{view.row.key}"):
                st.html(notice_markup.notice_head(view, page.now_ns))
                if view.orders:
                    st.html(notice_markup.orders(view))
        if page.other:
            label = f"Seen and left alone · {len(page.other)}"
            with st.expander(label, expanded=not page.acted, key="other-notices"):
                st.html(notice_markup.other_notices(page.other, page.now_ns))
