"""What a person sees is what the exchange's ledger says: notice, order, position, profit, to the last decimal."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import page, session
from tests.browser.server import WebServer
from tests.trader.world import Person, World, total

pytestmark = pytest.mark.browser
TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


@pytest.fixture
def world(home: Path, postgres_url: str) -> Iterator[World]:
    made = World(home, postgres_url).open()
    yield made
    made.close()


@pytest.fixture
def web(world: World) -> Iterator[WebServer]:
    made = WebServer(world.home, world.database_url)
    yield made
    made.stop()


def test_the_page_shows_what_the_ledger_holds(world: World, web: WebServer, chrome: Browser) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", amount="100", leverage="10", take_profit="100")
    ben = world.person("ben", amount="40", leverage="20", take_profit="100")
    world.start_trader()
    world.armed("NEWUSDT")
    with session.opened(chrome, web.url) as shown:
        seen = shown.page
        page.eventually(seen, lambda: set(page.accounts(seen)) == {"anna", "ben"}, "both accounts")
        world.notice(TITLE)
        for person in (anna, ben):
            world.filled(person)
        page.eventually(seen, lambda: len(page.positions(seen)) == 2, "both positions")
        page.open_notices(seen)
        page.eventually(
            seen, lambda: [o.attributes["state"] for o in entries(seen)] == ["filled"] * 2, "both orders"
        )
        for person in (anna, ben):
            compare_open(world, person, seen)

        world.price("NEWUSDT", "2.9")
        page.eventually(seen, lambda: page.positions(seen) == [], "no position any more")
        for person in (anna, ben):
            compare_closed(world, person, seen)
        assert shown.complaints == []


def test_the_page_is_right_after_the_trader_was_killed(world: World, web: WebServer, chrome: Browser) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", amount="100", leverage="10", take_profit="100")
    ben = world.person("ben", amount="40", leverage="20", take_profit="100")
    killed = world.start_trader()
    world.armed("NEWUSDT")
    with session.opened(chrome, web.url) as shown:
        seen = shown.page
        world.notice(TITLE)
        for person in (anna, ben):
            world.filled(person)
        killed.end(signal.SIGKILL)
        page.banner(seen, "stale").wait_for(timeout=30_000)
        world.start_trader()
        world.armed()
        page.banner(seen, "stale").wait_for(state="detached", timeout=30_000)
        page.eventually(seen, lambda: len(page.positions(seen)) == 2, "both positions")
        page.open_notices(seen)
        page.eventually(
            seen, lambda: [o.attributes["state"] for o in entries(seen)] == ["filled"] * 2, "one order each"
        )
        assert [world.entries(person) for person in (anna, ben)] == [1, 1]
        for person in (anna, ben):
            compare_open(world, person, seen)


def entries(seen: Page) -> list[page.Block]:
    return [order for order in page.orders(seen) if order.attributes["step"] == "entry"]


def compare_open(world: World, person: Person, seen: Page) -> None:
    """Position, order and equity of one account while the position is open and the price stands still."""
    account = world.account(person)
    held = account["positions"][0]
    row = next(row for row in page.positions(seen) if row.attributes["account"] == str(person.account_id))
    assert row["size"] == Decimal(held["total"])
    assert row["entry"] == Decimal(held["openPriceAvg"])
    assert row["take-profit"] == Decimal(held["takeProfit"])
    order = next(o for o in entries(seen) if o.attributes["account"] == str(person.account_id))
    assert order["filled"] == Decimal(held["total"])
    assert order["fee"] == -total(world.ledger(person, "open_fee"))
    assert order.stages["written"][0] > order.stages["decided"][0]
    page.eventually(
        seen,
        lambda: page.accounts(seen)[person.name]["equity"] == Decimal(world.account(person)["equity"]),
        f"the equity of {person.name}",
    )


def compare_closed(world: World, person: Person, seen: Page) -> None:
    """After the take profit, equity is the sum of the ledger, to the last decimal."""
    assert world.account(person)["positions"] == []
    balance = total(world.ledger(person))
    page.eventually(
        seen,
        lambda: page.accounts(seen)[person.name]["equity"] == balance,
        f"the balance of {person.name}, {balance}",
    )
    assert page.accounts(seen)[person.name]["unrealised"] == 0
