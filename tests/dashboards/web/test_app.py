"""The page as Streamlit runs it, without a browser, on a real Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from shared import logs
from shared.db.embedded import EmbeddedPostgres
from tests.dashboards.pages import html, running, values
from tests.dashboards.world import HOSTILE, TITLE, World

pytestmark = pytest.mark.usefixtures("own_logging")


@pytest.fixture
def world(postgres_url: str) -> Iterator[World]:
    made = World(postgres_url)
    yield made
    made.close()


def test_an_empty_installation_says_what_to_do(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert 'data-testid="empty-accounts"' in html(app)
    assert "make up ARGS=" in html(app)
    assert 'data-value="not started"' in html(app)


def test_known_rows_are_shown_exactly(app: AppTest, world: World) -> None:
    world.fill()
    app.run()
    assert not app.exception
    assert values(app, "equity") == ["10004.02", "24990.5", ""]
    assert sorted(values(app, "mark")) == ["0.07033", "97874.2"]
    assert values(app, "here-ns") == ["139000", "139000"]
    shown = html(app)
    assert TITLE in shown
    assert HOSTILE not in shown
    assert "40762 The order amount exceeds the balance" in shown
    assert 'data-testid="banner-demo"' in shown
    assert len(app.get("echarts_chart")) == 1


def test_a_span_without_equity_says_so_and_the_choice_stays(app: AppTest, world: World) -> None:
    world.account("alice")
    world.equity("alice", "5", at_ns=world.now_ns - 2 * 86_400 * 1_000_000_000)
    app.run()
    assert 'data-testid="empty-equity"' in html(app)
    app.get("button_group")[1].set_value("7 d").run()  # type: ignore[union-attr]  # a button group can be set
    assert not app.exception
    assert 'data-testid="empty-equity"' not in html(app)


def test_a_second_run_reads_the_database_again(
    app: AppTest, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.web.reader.REFRESH_NS", 0)
    world.account("alice")
    world.equity("alice", "5")
    app.run()
    world.equity("alice", "6", at_ns=world.now_ns + 1)
    app.run()
    assert values(app, "equity") == ["6"]


def test_a_database_that_is_away_is_a_banner_and_no_trace(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTREL_DATABASE_URL", "postgresql://kestrel:nothing@127.0.0.1:1/kestrel")
    monkeypatch.setenv("KESTREL_HOME", str(home))
    for app in running():
        app.run()
        assert not app.exception
        assert 'data-testid="banner-away"' in html(app)
        assert "nothing" not in html(app)
        assert 'data-testid="empty-accounts"' not in html(app)
        logs.flush()
        told = (home / "logs" / "web.log").read_text()
        assert "postgres is away" in told
        assert "nothing" not in told


def test_the_page_starts_the_embedded_database_of_its_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KESTREL_DATABASE_URL", raising=False)
    monkeypatch.setenv("KESTREL_HOME", str(home))
    try:
        for app in running():
            app.run()
            assert EmbeddedPostgres(home).running()
            assert "kestrel db migrate" in html(app)
    finally:
        EmbeddedPostgres(home).stop()
