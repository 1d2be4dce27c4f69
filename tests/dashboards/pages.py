"""The pages as Streamlit runs them, without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator

import streamlit as st
from streamlit.testing.v1 import AppTest

from shared.settings import ROOT, settings

APP = ROOT / "dashboards" / "web" / "app.py"


def html(app: AppTest) -> str:
    return "\n".join(str(found.proto.body) for found in app.get("html"))


def values(app: AppTest, name: str) -> list[str]:
    return re.findall(rf'data-testid="{name}" data-value="([^"]*)"', html(app))


def running() -> Iterator[AppTest]:
    """The app, with the settings of the environment as it is now and a reader of its own."""
    settings.cache_clear()
    st.cache_resource.clear()
    yield AppTest.from_file(str(APP), default_timeout=30)
    st.cache_resource.clear()
    settings.cache_clear()
