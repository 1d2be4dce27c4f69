"""The trader stays lean: what it loads is listed, and a running one stays below 90 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trader.world import ROOT, World

HEAVY = {
    "aiohttp",
    "alembic",
    "ccxt",
    "cryptography",
    "httpx",
    "numpy",
    "pandas",
    "playwright",
    "prefect",
    "pyarrow",
    "requests",
    "sqlalchemy",
    "streamlit",
    "typer",
}
LIMIT_BYTES = 90_000_000


@pytest.fixture
def world(home: Path, postgres_url: str) -> Iterator[World]:
    made = World(home, postgres_url).open("synthetic:1")
    yield made
    made.close()


def test_importing_the_trader_loads_nothing_heavy() -> None:
    script = "import json, sys, trader.app; print(json.dumps(sorted(sys.modules)))"
    printed = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    packages = {name.partition(".")[0] for name in json.loads(printed)}
    assert packages & HEAVY == set()
    assert "trader.paper" not in json.loads(printed)


def test_a_running_trader_stays_below_its_limit(world: World) -> None:
    for number in range(3):
        world.person(f"user{number}")
    world.symbol("NEWUSDT", "2.5")
    process = world.start_trader()
    world.armed("NEWUSDT", timeout_s=60)
    world.notice("뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)")
    for person in world.people:
        world.filled(person)
    world.settled()
    mapped = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
    assert [name for name in HEAVY - {"typer"} if f"/site-packages/{name}/" in mapped] == []
    resident = world.health()["resident_bytes"]
    assert resident < LIMIT_BYTES, f"{resident / 1e6:.1f} MB"
