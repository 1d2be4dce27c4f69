"""``streamlit run dashboards/web/app.py``: the web page of this installation."""

from __future__ import annotations

import atexit
from pathlib import Path

import streamlit as st

from dashboards.web import data, overview
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


st.set_page_config(page_title="Kestrel", page_icon=str(HERE / "kestrel.svg"), layout="wide")
st.html(HERE / "theme.css")
overview.show(reader(), data.Scope())
