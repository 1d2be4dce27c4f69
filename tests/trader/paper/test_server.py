"""The exchange as a process: ready line, signals, crashes, restarts, busy ports, TLS."""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from shared.errors import AlreadyRunningError, PortBusyError, StartError, TapeError
from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.conftest import Exchanges
from tests.trader.paper.process import Processes
from trader.paper.server import Options, PaperServer
from trader.paper.state import SqliteStore

BTC = {"symbol": "BTCUSDT", "productType": FUTURES}


async def picture(client: Client) -> dict[str, Any]:
    """The account without what the present price changes."""
    found: dict[str, Any] = await client.control(f"/accounts/{client.account['id']}")
    return found


async def test_the_ready_line_and_a_clean_end(processes: Processes) -> None:
    running = processes.start("--accounts", "2")
    assert set(running.ready) == {
        "rest", "ws_public", "ws_private", "ws_v3_public", "ws_v3_private", "binance", "control", "notices",
        "ca_file", "accounts"
    }  # fmt: skip
    assert set(running.ready["binance"]) == {"rest", "ws_api", "streams"}
    assert [set(row) for row in running.ready["accounts"]] == [
        {"id", "key", "secret", "passphrase", "kind"}
    ] * 2
    async with Client(running.ready, running.ready["accounts"][0]) as client:
        connection = await client.socket()
        await connection.subscribe("ticker", "BTCUSDT")
        code = await asyncio.to_thread(running.end, signal.SIGTERM)
    assert code == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_everything_acknowledged_is_there_after_a_restart(
    processes: Processes, tmp_path: Path, number: signal.Signals
) -> None:
    home = str(tmp_path / "home with blanks")
    first = processes.start("--home", home, "--accounts", "1")
    account = first.ready["accounts"][0]
    async with Client(first.ready, account) as client:
        await client.control("/symbols", {"symbol": "GAONUSDT", "market": "futures", "price": "2"})
        await client.control("/price", {"symbol": "GAONUSDT", "price": "2.5"})
        await client.price("BTCUSDT", "50000")
        await client.post("/api/v2/mix/account/set-leverage", **BTC, marginCoin="USDT", leverage="25")
        await client.order("buy", "0.01", presetStopSurplusPrice="52000", presetStopLossPrice="48000")
        await client.order("buy", "100", symbol="GAONUSDT")
        resting = (await client.order("buy", "0.01", "49000", clientOid="rest")).data
        await client.control("/notices", {"title": "가온(GAON) 신규 거래지원 안내", "category": "trade"})
        before, ledger = await picture(client), await client.ledger()
    await asyncio.to_thread(first.end, number)

    second = processes.start("--home", home, "--accounts", "1")
    assert second.ready["accounts"] == [account]
    async with Client(second.ready, account) as client:
        assert await picture(client) == before
        assert await client.ledger() == ledger
        order = (await client.get("/api/v2/mix/order/detail", **BTC, clientOid="rest")).data
        assert (order["orderId"], order["state"]) == (resting["orderId"], "live")
        await client.price("BTCUSDT", "52000")  # the take profit lives on
        rows = (await client.get("/api/v2/mix/position/all-position", productType=FUTURES)).data
        assert [row["symbol"] for row in rows] == ["GAONUSDT"]
        new = (await client.order("buy", "0.01", "51000")).data
        assert int(new["orderId"]) > int(resting["orderId"])
        after = await client.ledger()
        assert after[: len(ledger)] == ledger
        assert [row["seq"] for row in after] == list(range(1, len(after) + 1))
        async with client.session.get(
            client.ready["notices"] + "/api/v1/announcements?per_page=1"
        ) as response:
            assert "GAON" in (await response.json())["data"]["notices"][0]["title"]


async def test_a_killed_exchange_loses_no_order_it_has_answered(processes: Processes, tmp_path: Path) -> None:
    first = processes.start("--home", str(tmp_path), "--accounts", "1")
    account = first.ready["accounts"][0]
    acknowledged: list[str] = []

    async def keep_ordering(client: Client) -> None:
        while True:
            answer = await client.order("buy", "0.0001", "59000")
            if answer.code != "00000":
                await client.post("/api/v2/mix/order/cancel-all-orders", productType=FUTURES)
            else:
                acknowledged.append(answer.data["orderId"])

    async with Client(first.ready, account) as client:
        work = asyncio.create_task(keep_ordering(client))
        while len(acknowledged) < 150:
            await asyncio.sleep(0)
            assert not work.done()
        await asyncio.to_thread(first.end, signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await work
    second = processes.start("--home", str(tmp_path))
    async with Client(second.ready, account) as client:
        for number in acknowledged:
            assert (await client.get("/api/v2/mix/order/detail", **BTC, orderId=number)).code == "00000"


async def test_files_are_private(exchanges: Exchanges, tmp_path: Path) -> None:
    server = await exchanges.start(home=tmp_path)
    client = await exchanges.client(server)
    await client.order("buy", "0.001")
    folder = tmp_path / "paper"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        if path.name.startswith(("state", "lock")):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


async def test_a_busy_port_and_a_home_in_use_are_one_clear_line(exchanges: Exchanges, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortBusyError, match=rf"port {port} .* --port"):
            await exchanges.start(port=port)
    await exchanges.start(home=tmp_path)
    with pytest.raises(AlreadyRunningError, match="another paper exchange"):
        PaperServer(Options(port=0, tape="manual", home=tmp_path))


def test_errors_at_start_are_one_line_and_an_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "trader.paper", "--port", "0", "--tape", str(tmp_path / "none.gz")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert ended.returncode == TapeError.exit_code
    assert "none.gz does not exist" in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""


def test_a_damaged_or_foreign_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(StartError, match="cannot be read"):
        SqliteStore(tmp_path)
    (tmp_path / "state.sqlite").unlink()
    store = SqliteStore(tmp_path)
    store._db.execute("PRAGMA user_version = 99")
    store.close()
    with pytest.raises(StartError, match="version 99"):
        SqliteStore(tmp_path)


async def test_a_disk_that_takes_no_more_stops_the_exchange(
    exchanges: Exchanges, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await exchanges.start()
    client = await exchanges.client(server)
    server.store.flush()
    server.store._db.execute("PRAGMA query_only = ON")  # as good as a full disk
    answer = await client.order("buy", "0.001")
    assert (answer.status, answer.code) == (500, "40015")
    running = exchanges.running[server]
    with pytest.raises(StartError, match="cannot be written"):
        await asyncio.wait_for(asyncio.shield(running), 5)
    assert (await client.order("buy", "0.001")).code == "40015"
    server.store._db.execute("PRAGMA query_only = OFF")
    assert server.store.load().positions == []


async def test_tls_with_a_throwaway_authority(processes: Processes, tmp_path: Path) -> None:
    running = processes.start("--tls", "--home", str(tmp_path), "--accounts", "1")
    assert running.ready["rest"].startswith("https://127.0.0.1:")
    assert running.ready["ws_public"].startswith("wss://")
    assert running.ready["ca_file"] == str(tmp_path / "paper" / "ca.pem")
    context = ssl.create_default_context(cafile=running.ready["ca_file"])
    url = running.ready["rest"] + "/api/v2/public/time"
    async with aiohttp.ClientSession() as session:
        async with session.get(url, ssl=context) as response:
            assert (await response.json())["code"] == "00000"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url)


async def test_a_traded_symbol_that_left_the_tape_still_stands(exchanges: Exchanges, tmp_path: Path) -> None:
    first = await exchanges.start(tape="synthetic:5", home=tmp_path)
    client = await exchanges.client(first)
    symbols = [row["symbol"] for row in (await client.control("/state"))["symbols"]]
    gone = next(symbol for symbol in symbols if symbol not in {"BTCUSDT", "ETHUSDT"})
    spec = first.hub.states["futures", gone].spec
    size = spec.step * (int(20 / first.hub.states["futures", gone].last / spec.step) + 1)
    assert (await client.order("buy", str(size), symbol=gone)).code == "00000"
    await exchanges.stop(first)
    second = await exchanges.start(home=tmp_path)
    again = await exchanges.client(second)
    done = await again.post("/api/v2/mix/order/close-positions", productType=FUTURES, symbol=gone)
    assert len(done.data["successList"]) == 1
