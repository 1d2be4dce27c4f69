"""What every page has in common: the name, the ways to the other pages, the state of the system, the banners."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st
from streamlit.navigation.page import Page

from dashboards.web import markup
from dashboards.web.views import Banner, Pill


def top(
    pages: Sequence[Page],
    pills: tuple[Pill, ...],
    banners: Iterable[Banner],
    now_ns: int,
    *,
    seconds: bool = True,
) -> None:
    """The same blocks in the same places on every page; the links are words, on a phone too."""
    with st.container(key="top", gap=None):
        with st.container(key="bar", horizontal=True, vertical_alignment="center", gap=None):
            st.html(markup.brand(), width="content")
            with st.container(
                key="nav", horizontal=True, vertical_alignment="center", gap=None, width="content"
            ):
                for page in pages:
                    st.page_link(page, label=page.title)
            st.html(markup.header(pills, now_ns, seconds=seconds))
        st.html(markup.banners(banners))
