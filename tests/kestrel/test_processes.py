"""The processes alone, and the commands that read what they leave."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from kestrel import cli, preflight
from shared.domain.account import Mode
from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import OrderType, Side, Step
from tests.kestrel.support import Program
from trader.orders.journal import Journal
from trader.orders.records import Intent


@pytest.fixture
def programs() -> Iterator[list[Program]]:
    started: list[Program] = []
    yield started
    for program in started:
        program.close()


def exchange(home: Path, *arguments: str) -> Program:
    return Program(
        [sys.executable, "-m", "kestrel", "exchange", "--port", "0", *arguments],
        env=os.environ | {"KESTREL_HOME": str(home)},
    )


def test_the_exchange_prints_one_line_and_stops_on_sigterm(home: Path, programs: list[Program]) -> None:
    first = exchange(
        home,
        "--tape",
        "manual",
        "--accounts",
        "2",
        "--latency",
        "5~20/3",
        "--start",
        "2026-01-01",
        "--speed",
        "0",
    )
    programs.append(first)
    ready = json.loads(first.until("{"))
    assert set(ready) == {
        "rest",
        "ws_public",
        "ws_private",
        "ws_v3_public",
        "ws_v3_private",
        "binance",
        "control",
        "notices",
        "ca_file",
        "accounts",
    }
    assert httpx.get(ready["rest"] + "/api/v2/public/time", trust_env=False).status_code == 200
    latency = httpx.get(ready["control"] + "/latency", trust_env=False).json()
    assert (latency["request"]["p99_ms"], latency["answer"]["median_ms"]) == (20, 3)
    clock = httpx.get(ready["control"] + "/state", trust_env=False).json()["clock"]
    assert clock == {"now_ns": 1_767_225_600_000_000_000, "speed": 0}
    assert [set(one) for one in ready["accounts"]] == [{"id", "key", "secret", "passphrase", "kind"}] * 2
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert len(first.lines) == 1


def test_the_exchange_keeps_its_accounts_over_a_restart_unless_told_to_forget(
    home: Path, programs: list[Program]
) -> None:
    known = []
    for extra in ([], [], ["--forget"]):
        program = exchange(home, "--tape", "manual", "--accounts", "1", *extra)
        programs.append(program)
        known.append(json.loads(program.until("{"))["accounts"])
        program.signal(signal.SIGKILL if not known[1:] else signal.SIGTERM)
        program.wait()
    assert known[0] == known[1]
    assert known[2] != known[0]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--tape", "/no/such.gz"], 3, "/no/such.gz"),
        (["--tape", "synthetic:x"], 3, "synthetic:1"),
        (["--tape", "manual", "--port", "70000"], 2, "--port"),
        (["--tape", "manual", "--latency", "20~5"], 2, "latency"),
        (["--tape", "manual", "--start", "soon"], 2, "--start"),
        (["--tape", "manual", "--limit", "speed=1"], 2, "ws_idle_s"),
    ],
)
def test_the_exchange_refuses_in_one_line(
    home: Path, programs: list[Program], arguments: list[str], code: int, told: str
) -> None:
    program = exchange(home, *arguments)
    programs.append(program)
    assert program.wait() == code
    (line,) = program.lines
    assert told in line


def test_a_busy_exchange_port_is_named(home: Path, programs: list[Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = exchange(home, "--port", str(port))
        programs.append(program)
        assert program.wait() == 3
    (line,) = program.lines
    assert f"port {port}" in line
    assert f"pid {os.getpid()}" in line


def test_two_exchanges_never_share_one_state(home: Path, programs: list[Program]) -> None:
    first, second = exchange(home, "--tape", "manual"), None
    programs.append(first)
    first.until("{")
    second = exchange(home, "--tape", "manual")
    programs.append(second)
    assert second.wait() == 3
    assert len(second.lines) == 1


def test_a_trader_without_keys_says_what_to_do(home: Path, programs: list[Program]) -> None:
    program = Program(
        [sys.executable, "-m", "kestrel", "trade"], env=os.environ | {"KESTREL_HOME": str(home)}
    )
    programs.append(program)
    assert program.wait() == 3
    assert "users add" in program.lines[-1]


def test_the_page_names_a_busy_port(home: Path, programs: list[Program]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        program = Program(
            [sys.executable, "-m", "kestrel", "web"],
            env=os.environ | {"KESTREL_HOME": str(home), "KESTREL_WEB__PORT": port},
        )
        programs.append(program)
        assert program.wait() == 3
    assert "KESTREL_WEB__PORT" in program.lines[-1]


def test_the_page_alone_serves_its_health(home: Path, programs: list[Program]) -> None:
    port = preflight.free_port()
    program = Program(
        [sys.executable, "-m", "kestrel", "web"],
        env=os.environ | {"KESTREL_HOME": str(home), "KESTREL_WEB__PORT": str(port)},
    )
    programs.append(program)
    program.until("URL", 60)
    assert httpx.get(f"http://127.0.0.1:{port}/_stcore/health", trust_env=False).status_code == 200


def intent(number: int) -> Intent:
    return Intent(
        client_id=f"test{number:026d}",
        user_id=1,
        account_id=1,
        mode=Mode.PAPER,
        strategy_id="listing",
        instrument=Instrument(
            id="bitget:perp:BTC-USDT",
            venue=Venue.BITGET,
            market=Market.PERP,
            symbol="BTCUSDT",
            base="BTC",
            quote="USDT",
            tick=Decimal("0.1"),
            step=Decimal("0.0001"),
            min_size=Decimal("0.0001"),
            min_notional=Decimal(5),
        ),
        cause=f"listing:upbit:{number}:BTC",
        leg=0,
        step=Step.ENTRY,
        attempt=0,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        size=Decimal("0.01"),
        price=None,
        reference_price=Decimal(50_000),
        margin=Decimal(50),
        leverage=10,
        take_profit=Decimal(55_000),
        take_profit_percent=Decimal(100),
        attached=True,
        stop=None,
        reduce_only=False,
        seen_ns=1,
        decoded_ns=2,
        decided_ns=3,
        created_ns=4,
    )


def test_the_journal_is_shown_in_order(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home / "journal"
    written = Journal(folder, segment_bytes=1_000_000)
    for number in range(3):
        written.append(intent(number))
    written.close()
    assert cli.run(["journal", "show", str(folder), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shown = [row for row in rows if row["type"] == "intent"]
    assert [row["client_id"] for row in shown] == [intent(number).client_id for number in range(3)]
    assert shown[0]["size"] == "0.01"
    assert cli.run(["journal", "show", str(folder), "--limit", "1"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert cli.run(["journal", "show", str(folder / "none")]) == 2
