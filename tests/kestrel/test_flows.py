"""`kestrel flows` as a whole: real processes; whatever is killed, each run ends done and never runs twice at once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import psycopg
import pytest

from kestrel import prefect_database
from shared import clock, procfs
from shared.db import place, postmaster
from shared.db.embedded import EmbeddedPostgres
from tests.kestrel.flow_stage import FlowStage
from tests.kestrel.support import START_S, Ports, Program, Start, eventually, ours

pytestmark = pytest.mark.timeout(300)

GONE_S = 5.0
STOP_S = 15.0
"""The same, in order, on a machine that is busy with other tests."""
RUN_S = 3.0
TOKEN = "Kx81TokenOfTheService"


@pytest.fixture
def flows(ports: Ports, tmp_path: Path) -> FlowStage:
    # what lies in the folder of whoever calls us is none of Prefect's business
    (tmp_path / "prefect.toml").write_text("[server.api]\nhost = '0.0.0.0'\nport = 1\n")
    (tmp_path / ".env").write_text("PREFECT_SERVER_API_HOST=0.0.0.0\n")
    return FlowStage(ports, tmp_path)


def begin(start: Start, **environment: str) -> Program:
    program = start(
        command="flows", environment={"PREFECT_API_URL": "http://nowhere.invalid/api", **environment}
    )
    program.until("Ctrl-C stops everything", START_S)
    return program


def listener(port: int) -> int:
    found = procfs.listener(port)
    assert found is not None
    return found.pid


def doctor(home: Path, ports: Ports, password: str = "") -> list[str]:
    values = ports.environment(home) | ({"KESTREL_FLOWS__PASSWORD": password} if password else {})
    answer = subprocess.run(
        [sys.executable, "-m", "kestrel", "doctor"], env=values, check=False, capture_output=True, text=True
    )
    return [line for line in answer.stdout.splitlines() if line.split()[1] == "flows"]


def test_server_and_worker_run_alone_and_keep_secrets(
    home: Path, ports: Ports, start: Start, flows: FlowStage
) -> None:
    program = begin(start, KESTREL_COT__APP_TOKEN=TOKEN)
    (line,) = [line for line in program.lines if "Prefect " in line]
    assert flows.url in line
    assert {name.split()[0] for name in ours(home)} == {"python", "postgres"}
    # nobody from outside, nobody from another page
    for port in (ports.prefect, ports.worker):
        assert _addresses(port) == {"0100007F"}
    assert httpx.post(f"{flows.url}/api/flows/filter", json={}, trust_env=False).status_code == 403
    told = doctor(home, ports)
    assert [line.split()[0] for line in told] == ["ok"] * len(told)
    assert any("cot/weekly: " in line for line in told)

    flows.deploy()
    run = flows.run("blab", variable="KESTREL_COT__APP_TOKEN")
    flows.until(run, "Failed")
    assert "refused: [hidden]" in flows.read(run)["state"]["message"]
    eventually(
        lambda: "Finished in state Failed" in (home / "logs" / "worker.out").read_text(), 10, "it is logged"
    )
    assert any(
        "blab/blab: last run Failed" in line and line.startswith("warn") for line in doctor(home, ports)
    )
    program.signal(signal.SIGINT)
    assert program.wait() == 0
    assert ours(home) == []
    assert [path for path in (home / "logs").iterdir() if TOKEN in path.read_text()] == []
    printed = (home / "logs" / "worker.out").read_text()
    assert "it is [hidden]" in printed
    assert (
        printed.splitlines().count("[hidden]") == 2
    )  # printed by the flow, and by a program that it started
    assert _tables_with(home, TOKEN) == []
    assert doctor(home, ports)[0].startswith("ok    flows      flows do not run here now")


def test_whoever_is_killed_in_the_middle_each_run_is_done_and_never_twice_at_once(
    home: Path, ports: Ports, start: Start, flows: FlowStage
) -> None:
    program = begin(start)
    flows.deploy()
    killed: dict[str, Callable[[], int]] = {
        "worker": lambda: listener(ports.worker),
        "prefect": lambda: listener(ports.prefect),
        "Postgres": lambda: _postmaster(home),
    }
    for name, pid in killed.items():
        run = flows.run("tick", seconds=RUN_S)
        process = flows.until_begun(run)
        os.kill(pid(), signal.SIGKILL)
        program.until(f"{name} was ended by signal 9" if name != "Postgres" else "Postgres ended", 20)
        if name == "worker":
            eventually(partial(_gone, process), 2, "its flow run ended with it")
        flows.until(run, "Completed", 90)
        begun, (ended,) = flows.lines("begin", run), flows.lines("end", run)
        assert ended.pid == begun[-1].pid
        assert len(begun) == (2 if name == "worker" else 1)
        # nothing of the first process was there when the second began
        assert all(one.pid != ended.pid for one in begun[:-1])


def test_a_killed_parent_leaves_nothing_and_the_next_start_does_what_was_left(
    home: Path, ports: Ports, start: Start, flows: FlowStage
) -> None:
    first = begin(start)
    flows.deploy()
    run = flows.run("tick", seconds=RUN_S)
    flows.until_begun(run)
    first.signal(signal.SIGKILL)
    first.wait()
    assert eventually(lambda: not ours(home), GONE_S, "everything is gone") < GONE_S

    second = begin(start)
    flows.until_begun(run, 2)
    begun_ns = clock.monotonic_ns()
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    assert (clock.monotonic_ns() - begun_ns) / clock.SECOND < STOP_S
    assert ours(home) == []
    assert not any("was killed" in line for line in second.lines)

    third = begin(start, KESTREL_FLOWS__PASSWORD="anna:open-sesame")
    assert any(line.startswith("all healthy after") for line in third.lines)
    assert httpx.get(f"{flows.url}/api/flows/count", trust_env=False).status_code == 401
    eventually(lambda: bool(flows.lines("end", run)), 60, "the run is done")
    assert all(line.startswith("ok") for line in doctor(home, ports, "anna:open-sesame")[:2])


def test_up_starts_them_after_trading_and_stops_them(home: Path, ports: Ports, start: Start) -> None:
    up = start("--tape", "manual", environment={"KESTREL_FLOWS__RUN": "true"})
    up.until("Ctrl-C stops everything", START_S)
    healthy = [line.split()[0] for line in up.lines if " healthy  " in line]
    assert healthy[-2:] == ["prefect", "worker"]
    assert set(healthy[:-2]) == {"postgres", "exchange", "web", "trader"}
    assert any("all healthy after" in line for line in up.lines)
    assert any("Prefect" in line and f"http://127.0.0.1:{ports.prefect}" in line for line in up.lines)
    assert [line.split()[0] for line in doctor(home, ports)][:2] == ["ok", "ok"]
    second = start(command="flows")
    assert second.wait() == 3
    assert second.lines == [
        (
            f"kestrel: flows are already run in {home} (pid {up.pid}): stop it first (kill {up.pid}), or set"
            " KESTREL_HOME to another folder"
        )
    ]
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert ours(home) == []
    stopped = [line.split()[0] for line in up.lines if " stopped " in line]
    assert stopped.index("worker") < stopped.index("prefect") < stopped.index("postgres")


def test_up_trades_on_when_flows_cannot_start(home: Path, ports: Ports, start: Start) -> None:
    away = "postgresql://p:hunter2hunter2@127.0.0.1:9/prefect"
    up = start(
        "--tape", "manual", environment={"KESTREL_FLOWS__RUN": "true", "KESTREL_FLOWS__DATABASE_URL": away}
    )
    up.until("Ctrl-C stops everything", START_S)
    text = "\n".join(up.lines)
    assert "trading healthy after" in text
    assert text.count("Prefect's database does not answer") == 2  # when it happened, and in the summary
    assert "hunter2" not in text
    assert httpx.get(f"http://127.0.0.1:{ports.trader}/health", trust_env=False).status_code == 200
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert ours(home) == []


def test_a_busy_port_leaves_flows_out_of_up_and_refuses_them_alone(
    home: Path, ports: Ports, start: Start
) -> None:
    with socket.create_server(("127.0.0.1", ports.prefect)):
        up = start("--tape", "manual", environment={"KESTREL_FLOWS__RUN": "true"})
        up.until("Ctrl-C stops everything", START_S)
        (line,) = [line for line in up.lines if "flows are left out" in line]
        assert f"port {ports.prefect} (Prefect)" in line
        assert "KESTREL_FLOWS__PORT" in line
        alone = start(command="flows")
        assert alone.wait() == 3
        assert [line for line in alone.lines if "KESTREL_FLOWS__PORT" in line] == alone.lines


def _gone(pid: int) -> bool:
    return procfs.start_time(pid) is None


def _addresses(port: int) -> set[str]:
    """The local addresses on which this port is listened on, as /proc writes them."""
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    return {
        row[1].partition(":")[0]
        for row in rows
        if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port
    }


def _postmaster(home: Path) -> int:
    where = place.find(home)
    assert where is not None
    server = postmaster.look(where.data)
    assert server is not None
    return server.pid


def _tables_with(home: Path, text: str) -> list[str]:
    """The tables of Prefect's database in which this text is anywhere."""
    server = EmbeddedPostgres(home)
    url = f"{server.start().rpartition('/')[0]}/{prefect_database.NAME}"
    try:
        with psycopg.connect(url) as connection:
            names = connection.execute(
                "select tablename from pg_tables where schemaname = 'public'"
            ).fetchall()
            assert len(names) > 20
            return [
                name
                for (name,) in names
                if connection.execute(
                    f'select 1 from "{name}" row where row::text like %s limit 1', [f"%{text}%"]
                ).fetchone()
            ]
    finally:
        server.stop()
