"""A real Chromium for the run, and the page's server per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import session
from tests.browser.chromium import ChromiumError
from tests.browser.server import WebServer
from tests.dashboards.world import World

Serve = Callable[[str | None], WebServer]


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    try:
        with session.browser() as running:
            yield running
    except ChromiumError as error:
        pytest.skip(f"no Chromium: {error}")


@pytest.fixture
def serve(home: Path) -> Iterator[Serve]:
    """Start the page on a database; whatever it did, it never wrote a stack trace."""
    running: list[WebServer] = []

    def start(database_url: str | None) -> WebServer:
        running.append(WebServer(home, database_url))
        return running[-1]

    yield start
    for server in running:
        server.stop()
        assert "Traceback" not in server.said()


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    made = World(postgres_url)
    yield made
    made.close()
