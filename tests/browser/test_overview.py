"""The page in a real Chromium against rows that are known."""

from __future__ import annotations

import socket
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from shared import clock
from shared.db import schema
from shared.db.embedded import EmbeddedPostgres
from tests.browser import page as overview
from tests.browser import session
from tests.browser.conftest import Serve
from tests.dashboards.world import HOSTILE, TITLE, World

pytestmark = pytest.mark.browser


def keep_alive(world: World, page: Page, bitcoin: str = "97874.2") -> None:
    """The trader's heartbeat, until the page shows it."""
    world.tick(bitcoin)
    overview.eventually(page, lambda: overview.pill(page, "trader") == "armed", "an armed trader")


def test_known_rows_are_shown_exactly(chrome: Browser, serve: Serve, world: World, postgres_url: str) -> None:
    world.fill()
    with session.opened(chrome, serve(postgres_url).url) as opened:
        page = opened.page
        keep_alive(world, page)
        cards = overview.accounts(page)
        assert list(cards) == ["alice", "bob", "chia-ling"]
        assert cards["alice"]["equity"] == Decimal("10004.02")
        assert cards["alice"].texts["equity"] == "10\u202f004.02"
        assert cards["alice"]["day-change"] == Decimal("4.02")
        assert cards["bob"]["unrealised"] == Decimal("-9.5")
        assert cards["bob"].texts["unrealised"].endswith("\u22129.50")
        assert cards["chia-ling"].numbers["equity"] is None
        assert cards["chia-ling"].texts["equity"] == "\u2014"

        rows = {(row.attributes["symbol"], row.attributes["side"]): row for row in overview.positions(page)}
        kite, bitcoin = rows["KITEUSDT", "long"], rows["BTCUSDT", "short"]
        assert (kite["size"], kite["entry"]) == (Decimal(2900), Decimal("0.06894312"))
        assert kite["mark"] == Decimal("0.07033")
        assert (kite["unrealised"], kite["roe"]) == (Decimal("4.02"), Decimal("0.201"))
        assert (kite["take-profit"], kite["liquidation"]) == (Decimal("0.0827"), Decimal("0.06231"))
        assert bitcoin.texts["mark"] == "97\u202f874.2"
        assert bitcoin.numbers["take-profit"] is None

        assert overview.prices(page)["BTCUSDT"]["price"] == Decimal("97874.2")
        assert overview.pill(page, "market") == "synthetic:1"
        expect(overview.banner(page, "demo")).to_be_visible()
        assert opened.complaints == []


def test_a_notice_shows_what_it_led_to(
    chrome: Browser, serve: Serve, world: World, postgres_url: str
) -> None:
    world.fill()
    with session.opened(chrome, serve(postgres_url).url) as opened:
        page = opened.page
        overview.open_notices(page)
        notice = page.locator('[data-testid="notice"][data-decision="acted"]')
        expect(notice).to_contain_text(TITLE)
        expect(notice).to_contain_text("because it is acted")
        expect(notice).to_contain_text("other.example +183")
        orders = {int(order.attributes["account"]): order for order in overview.orders(page)}
        alice, bob = orders[world.accounts["alice"][1]], orders[world.accounts["bob"][1]]
        assert (alice.attributes["state"], bob.attributes["state"]) == ("filled", "rejected")
        assert {name: took_ns for name, (_, took_ns) in alice.stages.items()} == {
            "decoded": 41_000,
            "decided": 37_000,
            "signed": 18_000,
            "journaled": 25_000,
            "written": 18_000,
            "acknowledged": 6_000_000,
            "filled": 1_300_000,
        }
        assert "filled" not in bob.stages
        assert (alice["here-ns"], alice["venue-ns"]) == (Decimal(139_000), Decimal(7_300_000))
        assert alice.texts["here-ns"] == "139\u202fµs"
        expect(page.get_by_test_id("order-reason")).to_have_text("40762 The order amount exceeds the balance")
        expect(page.get_by_text(HOSTILE)).to_be_visible()  # as text, letter by letter
        assert opened.complaints == []


def test_a_change_appears_without_a_reload(
    chrome: Browser, serve: Serve, world: World, postgres_url: str
) -> None:
    world.fill()
    with session.opened(chrome, serve(postgres_url).url) as opened:
        page = opened.page
        keep_alive(world, page)
        page.evaluate("window.sameDocument = true")
        page.locator(".st-key-other-notices, .st-key-notices").locator("details").first.locator(
            "summary"
        ).click()
        expect(page.locator('[data-testid="notice"][data-decision="acted"]')).not_to_be_visible()
        world.equity("alice", "12345.67", at_ns=clock.now_ns())
        world.tick("98000.1")
        overview.eventually(
            page, lambda: overview.accounts(page)["alice"]["equity"] == Decimal("12345.67"), "the new equity"
        )
        overview.eventually(
            page, lambda: overview.prices(page)["BTCUSDT"]["price"] == Decimal("98000.1"), "the new price"
        )
        assert page.evaluate("window.sameDocument") is True
        # what a person closed stays closed
        expect(page.locator('[data-testid="notice"][data-decision="acted"]')).not_to_be_visible()
        assert opened.complaints == []


def test_a_new_notice_leaves_what_is_open_open(
    chrome: Browser, serve: Serve, world: World, postgres_url: str
) -> None:
    world.fill()
    with session.opened(chrome, serve(postgres_url).url) as opened:
        page = opened.page
        old = page.locator('[data-testid="notice"][data-key="upbit:1000"]')
        expect(old).to_be_visible()
        world.notice("upbit:2000", "[거래] 후(NEW) 신규 거래지원 안내", "acted", ["NEW"], age_s=1)
        new = page.locator('[data-testid="notice"][data-key="upbit:2000"]')
        expect(new).to_be_visible(timeout=10_000)
        expect(old).to_be_visible()


def test_stale_data_is_said_and_taken_back(
    chrome: Browser, serve: Serve, world: World, postgres_url: str
) -> None:
    world.fill()
    world.tick("1", age_ns=75 * clock.SECOND)
    with session.opened(chrome, serve(postgres_url).url) as opened:
        page = opened.page
        banner = overview.banner(page, "stale")
        expect(banner).to_be_visible()
        since = clock.utc(clock.now_ns() - 75 * clock.SECOND).strftime("%H:%M")
        expect(banner).to_contain_text(since[:4])
        expect(banner).to_contain_text("1\u202fmin ago")
        assert overview.pill(page, "trader") == "silent"
        world.tick("97000.5")
        expect(banner).not_to_be_attached(timeout=10_000)
        assert overview.pill(page, "trader") == "armed"


def test_an_empty_installation_says_what_to_do(chrome: Browser, serve: Serve, postgres_url: str) -> None:
    with session.opened(chrome, serve(postgres_url).url) as opened:
        welcome = opened.page.get_by_test_id("empty-accounts")
        expect(welcome).to_contain_text('make up ARGS="--demo"')
        expect(welcome).to_contain_text("kestrel accounts add")
        assert overview.pill(opened.page, "trader") == "not started"
        assert opened.complaints == []


def test_the_page_outlives_its_database(chrome: Browser, serve: Serve, home: Path) -> None:
    server = EmbeddedPostgres(home, max_connections=20, shared_buffers_mb=16)
    url = server.start()
    world = World(url)
    try:
        schema.migrate(url)
        world.fill()
        with session.opened(chrome, serve(url).url) as opened:
            page = opened.page
            keep_alive(world, page)
            world.close()
            server.stop()
            banner = overview.banner(page, "away")
            expect(banner).to_be_visible(timeout=20_000)
            expect(banner).to_contain_text("UTC")
            assert overview.pill(page, "database") == "away"
            assert overview.accounts(page)["alice"]["equity"] == Decimal("10004.02")  # the last picture stays
            expect(page.get_by_text("Traceback")).to_have_count(0)
            expect(page.get_by_test_id("stException")).to_have_count(0)
            page.reload()  # somebody who comes now
            expect(banner).to_be_visible(timeout=20_000)
            server.start()
            expect(banner).not_to_be_attached(timeout=30_000)
            world.equity("alice", "777", at_ns=clock.now_ns())
            overview.eventually(
                page, lambda: overview.accounts(page)["alice"]["equity"] == 777, "equity after the return"
            )
            assert opened.complaints == []
    finally:
        world.close()
        server.stop()


def test_nothing_is_wider_than_the_window(
    chrome: Browser, serve: Serve, world: World, postgres_url: str
) -> None:
    world.fill()
    url = serve(postgres_url).url
    for width in (session.PHONE, 768, session.WIDTH):
        for dark in (False, True):
            with session.opened(chrome, url, width=width, dark=dark) as opened:
                page = opened.page
                keep_alive(world, page)
                overview.open_notices(page)
                expect(page.get_by_test_id("position").first).to_be_visible()
                assert overview.overflow(page) == 0, f"at {width} px"
                assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
                scheme = page.get_by_test_id("stApp").evaluate("app => getComputedStyle(app).colorScheme")
                assert scheme == ("dark" if dark else "light")
                assert opened.complaints == []


def test_cards_stack_on_a_phone(chrome: Browser, serve: Serve, world: World, postgres_url: str) -> None:
    world.fill()
    with session.opened(chrome, serve(postgres_url).url, width=session.PHONE) as opened:
        for kind in ("account", "position"):
            boxes = [block.bounding_box() for block in opened.page.get_by_test_id(kind).all()]
            assert len(boxes) >= 2
            for above, below in pairwise(boxes):
                assert above is not None
                assert below is not None
                assert below["y"] >= above["y"] + above["height"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_word_can_be_read(
    chrome: Browser, serve: Serve, world: World, postgres_url: str, dark: bool
) -> None:
    """WCAG AA: a contrast of 4.5 between each text and what is behind it."""
    world.fill()
    world.tick("1", age_ns=60 * clock.SECOND)
    with session.opened(chrome, serve(postgres_url).url, dark=dark) as opened:
        page = opened.page
        expect(overview.banner(page, "stale")).to_be_visible()
        overview.open_notices(page)
        expect(page.get_by_text(HOSTILE)).to_be_visible()
        assert overview.hard_to_read(page) == []


def test_a_page_of_another_name_gets_nothing(serve: Serve, postgres_url: str) -> None:
    """A foreign name that resolves to this machine (DNS rebinding) opens no connection to the page."""
    port = serve(postgres_url).port
    answers = {}
    for host in ("evil.example", f"127.0.0.1:{port}"):
        ask = (
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(ask.encode())
            answers[host] = connection.recv(100).split()[1]
    assert list(answers.values()) == [b"403", b"101"]


def test_a_page_alone_stops_its_database_when_it_ends(serve: Serve, chrome: Browser, home: Path) -> None:
    server = serve(None)
    with session.opened(chrome, server.url) as opened:
        expect(overview.banner(opened.page, "away")).to_contain_text("kestrel db migrate")
    assert EmbeddedPostgres(home).running()
    server.stop()
    assert not EmbeddedPostgres(home).running()
