"""The COT page in a real Chromium against numbers that were computed apart from it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from shared.domain.cot import Report
from shared.settings import ROOT
from tests.browser import page as pages
from tests.browser import session
from tests.browser.conftest import Serve
from tests.browser.page import Block
from tests.dashboards.cot_by_hand import Figures, figures
from tests.dashboards.cot_rows import BITCOIN, CotWorld, row, weeks

pytestmark = pytest.mark.browser
DATA = ROOT.parent / "shared" / "data" / "cot"


@pytest.fixture
def reports(postgres_url: str) -> Iterator[CotWorld]:
    made = CotWorld(postgres_url)
    yield made
    made.close()


def address(server: str, **chosen: str) -> str:
    return f"{server}/cot?{urlencode(chosen)}"


def same(shown: Block, name: str, truth: float | None) -> None:
    if truth is None:
        assert shown.numbers[name] is None
        assert shown.texts[name] == "\u2014"
    else:
        assert float(shown[name]) == pytest.approx(truth, rel=1e-9, abs=1e-9)


def compare(page: Page, market: str, group: str, truth: Figures) -> None:
    """A market's row and a group's row, each number against the one that was computed by hand."""
    for shown in (pages.markets(page)[market], pages.groups(page)[group]):
        same(shown, "share", truth.share)
        same(shown, "share-change", truth.share_change)
        for window, index in truth.index.items():
            same(shown, f"index-{window}", index)
    same(pages.groups(page)[group], "net", truth.net)
    same(pages.groups(page)[group], "score", truth.score)
    assert page.get_by_test_id("as-of-now").get_attribute("data-value") == str(truth.as_of)
    interest = page.get_by_test_id("interest").get_attribute("data-value")
    assert float(interest or 0) == pytest.approx(truth.interest)


def test_the_page_is_found_and_shows_what_the_rows_say(
    chrome: Browser, serve: Serve, reports: CotWorld, postgres_url: str
) -> None:
    reports.fill()
    server = serve(postgres_url)
    with session.opened(chrome, server.url) as opened:
        page = opened.page
        pages.go(page, "COT")
        expect(page).to_have_url(f"{server.url}/cot")
        expect(page.get_by_test_id("cot-run")).to_be_visible()  # the last of the page
        compare(page, "bitcoin", "asset_manager", figures(postgres_url, "tff", "bitcoin", "asset_manager"))
        expect(pages.banner(page, "stale")).to_have_count(0)
        expect(page.locator(".st-key-cot canvas")).to_have_count(4)

        page.get_by_text("Forex", exact=True).click()
        page.get_by_text("Japanese yen", exact=True).last.click()
        expect(page.get_by_text("net long here is short USD/JPY")).to_be_visible()
        compare(page, "jpy", "leveraged", figures(postgres_url, "tff", "jpy", "leveraged"))
        assert "currency=Japanese+yen" in page.url

        pages.go(page, "Overview")
        expect(page.get_by_test_id("empty-accounts")).to_be_visible()
        assert page.url == f"{server.url}/"
        assert opened.complaints == []


def test_a_report_that_comes_in_is_shown_without_a_reload(
    chrome: Browser, serve: Serve, reports: CotWorld, postgres_url: str
) -> None:
    with session.opened(chrome, address(serve(postgres_url).url)) as opened:
        page = opened.page
        expect(page.get_by_test_id("empty-cot")).to_contain_text("kestrel cot import FILE…")
        page.evaluate("window.sameDocument = true")
        days = weeks(3, reports.newest)
        reports.rows(row(BITCOIN, day) for day in days[:-1])
        expect(page.get_by_test_id("as-of-now")).to_have_attribute(
            "data-value", str(days[-2]), timeout=10_000
        )
        expect(page.get_by_test_id("due")).to_have_attribute("data-value", str(days[-1]))
        reports.rows([row(BITCOIN, days[-1])], revision=1)
        expect(page.get_by_test_id("as-of-now")).to_have_attribute(
            "data-value", str(days[-1]), timeout=10_000
        )
        expect(page.get_by_test_id("revision")).to_have_attribute("data-value", "1")
        assert page.evaluate("window.sameDocument") is True
        assert opened.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_every_window_and_can_be_read(
    chrome: Browser, serve: Serve, reports: CotWorld, postgres_url: str, dark: bool
) -> None:
    reports.fill()
    url = serve(postgres_url).url
    for width, chosen in (
        (session.PHONE, {"section": "Forex", "currency": "Japanese yen"}),
        (768, {}),
        (session.WIDTH, {"report": "Legacy"}),  # an old one: with the banner
    ):
        with session.opened(chrome, address(url, **chosen), width=width, dark=dark) as opened:
            page = opened.page
            expect(page.locator(".st-key-cot canvas")).to_have_count(4)
            assert pages.overflow(page) == 0, f"at {width} px"
            assert pages.hard_to_read(page) == []
            for label in ("Overview", "COT"):
                expect(page.get_by_test_id("stPageLink-NavLink").filter(has_text=label)).to_be_in_viewport()
            expect(pages.banner(page, "stale")).to_have_count(1 if "report" in chosen else 0)
            scheme = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).colorScheme")
            assert scheme == ("dark" if dark else "light")
            assert opened.complaints == []


@pytest.mark.data
def test_what_the_cftc_published_is_shown_as_it_adds_up(
    chrome: Browser, serve: Serve, home: Path, postgres_url: str
) -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is not there")
    files = [str(path) for path in sorted(DATA.rglob("*")) if path.suffix in (".csv", ".txt", ".gz")]
    done = subprocess.run(
        [sys.executable, "-m", "kestrel", "cot", "import", *files],
        env={
            "KESTREL_DATABASE_URL": postgres_url,
            "KESTREL_HOME": str(home),
            "KESTREL_ENV_FILE": "/dev/null",
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    url = serve(postgres_url).url
    for report, market, group, chosen in (
        (Report.TFF, "bitcoin", "asset_manager", {"years": "All"}),
        (Report.LEGACY, "bitcoin", "noncommercial", {"report": "Legacy"}),
        (Report.TFF, "usd-index", "leveraged", {"section": "Forex", "currency": "US dollar index"}),
    ):
        with session.opened(chrome, address(url, **chosen)) as opened:
            page = opened.page
            expect(page.get_by_test_id("cot-run")).to_be_visible()  # the last of the page
            compare(page, market, group, figures(postgres_url, report, market, group))
            expect(pages.banner(page, "stale")).to_be_visible()
            assert opened.complaints == []
