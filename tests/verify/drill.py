"""What the drills share: a world outside of pytest, and figures that are claims."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.db import schema
from shared.db.embedded import EmbeddedPostgres
from tests.trader.world import World, eventually

#: One figure or claim after the other.
Told = dict[str, Any]


@contextmanager
def world_of_its_own() -> Iterator[World]:
    """A fresh home, Postgres and paper exchange; everything is gone afterwards."""
    for name in [name for name in os.environ if name.startswith(("KESTREL_", "PG"))]:
        del os.environ[name]
    os.environ["KESTREL_ENV_FILE"] = os.devnull
    place = Path(tempfile.mkdtemp(prefix="kestrel-drill-"))
    place.chmod(0o711)
    server = EmbeddedPostgres(place / "db", max_connections=60, shared_buffers_mb=32, extra={})
    (place / "db").mkdir(mode=0o711)
    try:
        url = server.start()
        schema.migrate(url)
        world = World(place / "home", url).open()
        try:
            yield world
        finally:
            world.close()
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


def run(story: Callable[[World], Told]) -> int:
    """Tell the story in a world of its own; an ``AssertionError`` in it is a claim that does not hold."""
    with world_of_its_own() as world:
        try:
            told = story(world)
        except AssertionError as broken:
            print(f"does not hold: {broken}")
            _explain(world)
            return 1
    print(json.dumps(told))
    print("holds")
    return 0


def _explain(world: World) -> None:
    """What helps to see why."""
    print("entries", entries_by_symbol(world), "take profits", profits_by_symbol(world))
    for row in world.rows(
        "select distinct i.step, o.state, o.reason_code, o.reason from orders o join intents i using (client_id)"
    ):
        print(*row)
    print("health", world.health())
    if world.trader is not None:
        print(*world.log()[-15:], sep="\n")


def title(coins: list[str]) -> str:
    """A notice that lists these coins."""
    named = ", ".join(f"새코인{coin}({coin})" for coin in coins)
    return f"{named} 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


def coins(count: int, start: int = 0) -> list[str]:
    """Names of coins that no list knows."""
    return [f"Q{chr(65 + n // 26)}{chr(65 + n % 26)}Z" for n in range(start, start + count)]


def entries_by_symbol(world: World) -> dict[str, int]:
    """How many orders opened something, by symbol, over all people: by the exchange's ledger."""
    made: dict[str, set[tuple[str, int]]] = {}
    for person in world.people:
        for line in world.ledger(person, "open_fee"):
            made.setdefault(line["symbol"], set()).add((person.paper_id, line["ns"]))
    return {symbol: len(instants) for symbol, instants in made.items()}


def profits_by_symbol(world: World) -> dict[str, int]:
    """How many take profits rest, by symbol, over all people."""
    counted: dict[str, int] = {}
    for person in world.people:
        for plan in world.account(person)["plans"]:
            counted[plan["symbol"]] = counted.get(plan["symbol"], 0) + 1
    return counted


def stored_once(world: World, symbols: list[str]) -> None:
    """Postgres holds one entry a person and symbol, with all its fills, each once."""
    rows = world.rows(
        "select o.instrument_id, o.state, o.filled_size = (select sum(f.size) from fills f where f.client_id = o.client_id)"
        " from orders o join intents i using (client_id) where i.step = 'entry' and o.filled_size > 0"
    )
    assert len(rows) == len(symbols) * len(world.people), (
        f"{len(rows)} entries stored of {len(symbols) * len(world.people)}"
    )
    assert all(state == "filled" and whole for _, state, whole in rows), f"not whole: {rows[:5]}"


def prepared(world: World, symbols: list[str]) -> None:
    """Wait until nothing but the order is missing for each of these coins."""

    def ready() -> bool:
        health = world.health()
        prepared = health.get("prepared", {})
        named = all(set(symbols) <= set(done) for done in prepared.values())
        # Only the newest are named; all are counted.
        counted = all(count >= len(symbols) for count in health.get("prepared_count", {}).values())
        return len(prepared) == len(world.people) and (named or (len(symbols) > 20 and counted))

    world.armed(timeout_s=60)
    eventually(ready, 60, "all coins are prepared")


def protected(world: World, symbols: list[str], *, exactly: bool = True) -> None:
    """Wait until each entry of these coins has its take profit, neither less nor more."""
    people = len(world.people)

    def rests() -> bool:
        counted = profits_by_symbol(world)
        entered = entries_by_symbol(world)
        return all(counted.get(symbol, 0) == (people if exactly else entered[symbol]) for symbol in symbols)

    eventually(rests, 60, f"{len(symbols)} coins have their take profits: {profits_by_symbol(world)}")


def pause_s(seconds: float) -> None:
    """Where the time itself is the story: the pace of notices, the venue's limits."""
    time.sleep(max(0.0, seconds))
