"""``streamlit run dashboards/web/app.py``: the web pages of this installation."""

from __future__ import annotations

import atexit
from pathlib import Path

import streamlit as st

from dashboards.web import cot_page, data, overview
from dashboards.web.reader import Reader
from shared import logs
from shared.db import embedded
from shared.settings import settings

HERE = Path(__file__).resolve().parent


@st.cache_resource(max_entries=1, show_spinner=False, on_release=Reader.close)
def reader() -> Reader:
    """One reader for all sessions of this server."""
    logs.setup("web", settings())
    made = Reader(lambda: embedded.lease(settings()))
    atexit.register(made.close)
    return made


def show_overview() -> None:
    overview.show(reader(), data.Scope(), PAGES)


def show_cot() -> None:
    port = settings().flows.port
    address = f"http://127.0.0.1:{port}" if port else "its address is in the table of `kestrel up`"
    cot_page.show(reader(), PAGES, address)


PAGES = (
    st.Page(show_overview, title="Overview", url_path="overview", default=True),
    st.Page(show_cot, title="COT", url_path="cot"),
)
page = st.navigation(list(PAGES), position="hidden")
st.set_page_config(page_title=f"{page.title} · Kestrel", page_icon=str(HERE / "kestrel.svg"), layout="wide")
st.html(HERE / "theme.css")
st.html(HERE / "cot.css")
page.run()
