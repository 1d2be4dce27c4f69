"""The app on a database of its own."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from streamlit.testing.v1 import AppTest

from shared import logs
from tests.dashboards.pages import running


@pytest.fixture
def own_logging() -> Iterator[None]:
    """The page sets up the logging of its process, which here is everybody's."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level, logging.raiseExceptions, logging.lastResort)
    hooks = (sys.excepthook, threading.excepthook)
    yield
    logs.shutdown()
    logging.captureWarnings(False)
    structlog.reset_defaults()
    root.handlers[:], root.level, logging.raiseExceptions, logging.lastResort = before
    sys.excepthook, threading.excepthook = hooks


@pytest.fixture
def app(
    own_logging: None, postgres_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AppTest]:
    monkeypatch.setenv("KESTREL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("KESTREL_HOME", str(home))
    yield from running()
