"""The demonstration on the whole product: its story, and what a kill in the middle does to it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from kestrel import demo, services
from kestrel.control import Control, LedgerEntry
from kestrel.database import Database
from kestrel.democast import CAST, Actor, Cast
from shared import procfs
from shared.db import history
from shared.db.rows import OrderRow
from shared.settings import Settings
from tests.kestrel.support import Ports, Start, eventually, healthy, ours

TAKER_FEE = Decimal("0.0006")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same story, told faster."""
    monkeypatch.setattr(demo, "PAUSE_S", 0.1)
    monkeypatch.setattr(demo, "TICK_S", 0.1)
    monkeypatch.setattr(demo, "CLIMB_STEP", 0.004)
    monkeypatch.setattr(demo, "WANDER", 0.0001)


@pytest.fixture
def database(home: Path) -> Iterator[Database]:
    made = Database(Settings(home=home))
    yield made
    made.close()


class Teller:
    """Hears the story and may interfere."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.on: dict[str, Callable[[], None]] = {}
        self.ended = asyncio.Event()

    def say(self, text: str) -> None:
        self.lines.append(text)
        for part in [part for part in self.on if part in text]:
            self.on.pop(part)()
        if "end of the story" in text or "nobody bought" in text:
            self.ended.set()


def story(home: Path, database: Database, ports: Ports, teller: Teller) -> demo.Story:
    return demo.Story(
        home=home,
        database=database,
        exchange_url=services.url(ports.exchange),
        trader_url=services.url(ports.trader),
        say=teller.say,
        seed=1,
    )


async def tell(told: demo.Story, teller: Teller) -> None:
    """Run the story to its end."""
    task = asyncio.create_task(told.run())
    end = asyncio.create_task(teller.ended.wait())
    await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED, timeout=90)
    assert teller.ended.is_set(), teller.lines
    task.cancel()
    await asyncio.gather(task, end, return_exceptions=True)


async def ledgers(ports: Ports, cast: dict[str, Cast]) -> dict[str, list[LedgerEntry]]:
    async with Control(services.url(ports.exchange)) as control:
        return {name: await control.ledger(one.paper_id) for name, one in cast.items()}


def entries(database: Database, symbol: str) -> list[OrderRow]:
    with database.transaction() as session:
        rows = history.orders(session, limit=1000)
    return [row for row in rows if row.symbol == symbol and row.step == "entry"]


def bought_once(actor: Actor, ledger: list[LedgerEntry], symbol: str) -> bool:
    """The exchange charged the opening of one position of the wanted size, not of two."""
    fees = -sum(
        (entry.amount for entry in ledger if entry.symbol == symbol and entry.kind == "open_fee"), Decimal(0)
    )
    return abs(fees / TAKER_FEE / (actor.amount * actor.leverage) - 1) < Decimal("0.05")


def played(told: demo.Story) -> dict[str, Cast]:
    return told._load().cast


async def test_three_orders_fill_and_take_their_profit(
    home: Path, start: Start, ports: Ports, database: Database
) -> None:
    healthy(start("--tape", "manual"))
    await asyncio.to_thread(database.open)
    teller = Teller()
    told = story(home, database, ports, teller)
    await tell(told, teller)
    assert all(line.startswith("DEMO  ") for line in teller.lines)
    assert "all took their profit" in teller.lines[-1]
    assert told.symbol == "KDEMO1USDT"
    cast = played(told)
    for actor in CAST:
        ledger = (await ledgers(ports, cast))[actor.name]
        assert bought_once(actor, ledger, told.symbol)
        profit = sum((entry.amount for entry in ledger if entry.kind == "realised_pnl"), Decimal(0))
        wanted = actor.amount * actor.take_profit / 100
        step = actor.amount * actor.leverage * Decimal("0.006")  # the price jumps by so much at a time
        assert wanted * Decimal("0.95") < profit < wanted + step
        assert ledger[-1].balance == sum(entry.amount for entry in ledger)
    eventually(lambda: len(entries(database, told.symbol)) == 3, 10, "the orders are in the database")
    assert {row.user_name for row in entries(database, told.symbol)} == {actor.name for actor in CAST}


async def test_a_trader_killed_in_the_middle_orders_nothing_twice(
    home: Path, start: Start, ports: Ports, database: Database
) -> None:
    up = start("--tape", "manual")
    healthy(up)
    await asyncio.to_thread(database.open)
    teller = Teller()

    def kill_trader() -> None:
        owner = procfs.listener(ports.trader)
        assert owner is not None
        os.kill(owner.pid, signal.SIGKILL)

    teller.on["bought"] = kill_trader
    told = story(home, database, ports, teller)
    await tell(told, teller)
    await asyncio.to_thread(up.until, "trader is healthy", 30)
    assert "all took their profit" in teller.lines[-1]
    await asyncio.to_thread(
        eventually, lambda: len(entries(database, told.symbol)) == 3, 20, "the orders are in the database"
    )
    for actor in CAST:
        assert bought_once(actor, (await ledgers(ports, played(told)))[actor.name], told.symbol)


async def test_an_up_killed_in_the_middle_plays_a_new_coin_next_time(
    home: Path, start: Start, ports: Ports, database: Database
) -> None:
    first = start("--tape", "manual")
    healthy(first)
    await asyncio.to_thread(database.open)
    teller = Teller()
    killed = asyncio.Event()

    def kill_up() -> None:
        first.signal(signal.SIGKILL)
        killed.set()

    teller.on["bought"] = kill_up
    broken = story(home, database, ports, teller)
    task = asyncio.create_task(broken.run())
    await asyncio.wait_for(killed.wait(), 60)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await asyncio.to_thread(database.close)
    await asyncio.to_thread(eventually, lambda: not ours(home), 5.0, "children and Postgres gone")

    healthy(start("--tape", "manual"))
    again = Database(Settings(home=home))
    await asyncio.to_thread(again.open)
    try:
        teller = Teller()
        told = story(home, again, ports, teller)
        before = played(broken)
        await tell(told, teller)
        assert told.symbol == "KDEMO2USDT"
        assert "all took their profit" in teller.lines[-1]
        assert played(told) == before  # the same accounts
        for actor in CAST:
            ledger = (await ledgers(ports, before))[actor.name]
            assert bought_once(actor, ledger, told.symbol)
            if any(entry.symbol == broken.symbol for entry in ledger):
                assert bought_once(actor, ledger, broken.symbol)
        rows = entries(again, broken.symbol)
        assert len({row.account_id for row in rows}) == len(rows)
    finally:
        await asyncio.to_thread(again.close)
