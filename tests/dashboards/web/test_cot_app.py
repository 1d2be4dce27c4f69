"""The COT page as Streamlit runs it, without a browser, on a real Postgres."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.web.cot_charts import milliseconds
from shared.domain.cot import Report
from tests.dashboards.cot_by_hand import figures
from tests.dashboards.cot_rows import BITCOIN, CotWorld, row, weeks
from tests.dashboards.pages import html, values


@pytest.fixture
def world(postgres_url: str) -> Iterator[CotWorld]:
    made = CotWorld(postgres_url)
    yield made
    made.close()


def opened(app: AppTest, **chosen: str) -> AppTest:
    """The page at ``/cot`` with these choices in its address."""
    app.run()
    app._page_hash = next(
        found for found, page in app._registered_pages.items() if page.get("url_pathname") == "cot"
    )
    app.query_params.update(chosen)
    app.run()
    assert not app.exception
    return app


def chart(app: AppTest, name: str) -> dict[str, Any]:
    """The option that Streamlit was given for one of the charts."""
    found = next(one for one in app.get("echarts_chart") if f"cot-chart-{name}" in one.proto.id)
    option: dict[str, Any] = json.loads(found.proto.spec)
    return option


def series(option: dict[str, Any], name: str) -> list[list[Any]]:
    """The points of one line as ``[ms, value]``."""
    data = next(line["data"] for line in option["series"] if line["name"] == name)
    return [point["value"] if isinstance(point, dict) else point for point in data]


def test_an_empty_installation_says_what_to_do(app: AppTest) -> None:
    shown = html(opened(app))
    assert 'data-testid="empty-cot"' in shown
    assert "kestrel cot import FILE…" in shown
    assert "http://127.0.0.1:4200" in shown
    assert app.get("echarts_chart") == []


def test_the_overview_stays_where_it_was(app: AppTest, world: CotWorld) -> None:
    world.fill()
    app.run()
    assert 'data-testid="empty-accounts"' in html(app)
    assert [link.proto.page for link in app.get("page_link")] == ["", "cot"]


def test_the_page_shows_what_the_rows_say(app: AppTest, world: CotWorld, postgres_url: str) -> None:
    world.fill()
    shown = opened(app)
    truth = figures(postgres_url, "tff", "bitcoin", "asset_manager")
    assert values(shown, "as-of-now") == [str(world.newest)] == [str(truth.as_of)]
    assert float(values(shown, "interest")[0]) == pytest.approx(truth.interest)
    assert float(values(shown, "share")[0]) == pytest.approx(truth.share)
    for window, index in truth.index.items():
        assert float(values(shown, f"index-{window}")[0]) == pytest.approx(index)
    assert 'data-testid="banner-stale"' not in html(shown)
    assert 'data-testid="cot-gaps" data-value="1"' in html(shown)
    assert "4 weeks missing: " in html(shown)


def test_a_gap_in_the_rows_is_a_gap_in_the_chart(app: AppTest, world: CotWorld) -> None:
    world.fill()
    option = chart(opened(app, years="All"), "positions")
    assert [line.get("connectNulls") for line in option["series"][:-1]] == [False] * 5
    missing = [milliseconds(day) for day in weeks(180, world.newest)[8:12]]
    for name in ("Asset managers", "Leveraged funds", "Dealers"):
        points = series(option, name)
        assert len(points) == 180
        assert [at for at, value in points if value is None] == missing


def test_what_stands_in_the_address_is_chosen(app: AppTest, world: CotWorld, postgres_url: str) -> None:
    world.fill()
    shown = opened(app, section="Forex", currency="Japanese yen", net="Amount", years="1 y")
    assert "net long here is short USD/JPY" in html(shown)
    points = series(chart(shown, "positions"), "Leveraged funds")
    assert len(points) == 53
    truth = figures(postgres_url, "tff", "jpy", "leveraged")
    assert points[-1][1] == pytest.approx(truth.net / 1e9, abs=1e-4)
    assert [row for row in html(shown).split('data-market="')[1:] if row.startswith("jpy")] != []


def test_a_choice_changes_the_page(app: AppTest, world: CotWorld) -> None:
    world.fill()
    shown = opened(app)
    report = next(group for group in shown.get("button_group") if group.key == "report")
    report.set_value("legacy").run()  # type: ignore[union-attr]
    assert not shown.exception
    assert 'data-testid="banner-stale"' in html(shown)
    assert "Large speculators" in html(shown)
    assert len(chart(shown, "positions")["series"]) == 4


def test_a_market_without_rows_says_so_beside_the_others(app: AppTest, world: CotWorld) -> None:
    world.fill()
    shown = opened(app, coin="Solana")
    assert 'data-testid="empty-cot-market"' in html(shown)
    assert 'data-market="bitcoin"' in html(shown)
    assert shown.get("echarts_chart") == []


def test_a_reading_with_refusals_is_told_with_them(app: AppTest, world: CotWorld) -> None:
    world.rows([row(BITCOIN, world.newest, report=Report.TFF)], revision=1)
    world.run(
        new=7,
        refused=2,
        detail={
            "sources": [{"name": "F2017.csv", "report": "tff", "read": 9, "new": 7, "refused": 2}],
            "refusals": [
                {"where": "F2017.csv line 12", "reason": "open interest 100 is not the long side 99"}
            ],
        },
    )
    shown = opened(app)
    assert values(shown, "run-read") == ["9"]
    assert values(shown, "run-refused") == ["2"]
    assert "F2017.csv line 12" in html(shown)
    assert [one.label for one in shown.expander] == ["Sources · 1", "Refused rows · 2"]
    assert values(shown, "revision") == ["1"]


def test_a_database_that_is_away_is_a_banner_and_no_trace(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTREL_DATABASE_URL", "postgresql://kestrel:nothing@127.0.0.1:1/kestrel")
    shown = opened(app)
    assert 'data-testid="banner-away"' in html(shown)
    assert "nothing" not in html(shown)
    assert 'data-testid="empty-cot"' not in html(shown)
