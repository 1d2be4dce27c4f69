"""`kestrel up` as a whole: real processes in a temporary home, on free ports."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

import httpx
import msgspec

from kestrel import status
from kestrel.stopping import SAME_SIGNAL_S
from shared import procfs
from shared.db.embedded import EmbeddedPostgres
from tests.kestrel.support import START_S, Ports, Program, Start, eventually, healthy, ours

GONE_S = 5.0


def get(url: str) -> httpx.Response:
    return httpx.get(url, timeout=5, trust_env=False)


def test_start_healthy_table_and_one_sigterm(home: Path, start: Start, ports: Ports) -> None:
    up = start("--tape", "synthetic:1")
    healthy(up)
    text = "\n".join(up.lines)
    assert "PAPER MODE" in text
    assert "Tape synthetic:1" in text
    for port in (ports.web, ports.exchange, ports.trader):
        assert f"http://127.0.0.1:{port}" in text
    assert str(home / "logs") in text
    assert "There is no user yet" in text
    assert get(f"http://127.0.0.1:{ports.exchange}/api/v2/public/time").status_code == 200
    assert get(f"http://127.0.0.1:{ports.trader}/health").status_code == 200
    assert get(f"http://127.0.0.1:{ports.web}/_stcore/health").status_code == 200
    assert {name.split()[0] for name in ours(home)} > {"postgres"}
    found = status.read(home)
    assert found is not None
    assert found.pid == up.pid
    up.signal(signal.SIGTERM)
    assert up.wait() == 0
    assert ours(home) == []
    stopped = [line.split()[0] for line in up.lines if line.rstrip().endswith(" s") and " stopped " in line]
    assert stopped == ["trader", "web", "exchange", "postgres"]
    assert status.read(home) is None


def test_a_killed_up_leaves_nothing_and_the_next_start_works(home: Path, start: Start) -> None:
    first = start("--tape", "manual")
    healthy(first)
    first.signal(signal.SIGKILL)
    first.wait()
    took = eventually(lambda: not ours(home), GONE_S, "children and Postgres gone")
    assert took < GONE_S
    second = start("--tape", "manual")
    healthy(second)
    (line,) = [line for line in second.lines if line.startswith("all healthy after")]
    assert float(re.findall(r"[\d.]+", line)[0]) < 15
    second.signal(signal.SIGINT)
    assert second.wait() == 0
    assert ours(home) == []


def test_a_killed_up_can_be_started_again_at_once(home: Path, start: Start) -> None:
    first = start("--tape", "manual")
    healthy(first)
    first.signal(signal.SIGKILL)
    second = start("--tape", "manual")
    healthy(second)


def test_a_second_ctrl_c_kills_at_once(home: Path, start: Start) -> None:
    up = start("--tape", "manual")
    healthy(up)
    trader = next(pid for pid in procfs.pids() if procfs.has_variable(pid, "KESTREL_LIVE", "false"))
    os.kill(trader, signal.SIGSTOP)  # it cannot answer SIGTERM
    up.signal(signal.SIGINT)
    up.until("stopping")
    up.signal(signal.SIGINT)  # the same Ctrl-C, passed on by a parent: not a second one
    time.sleep(2 * SAME_SIGNAL_S)
    assert up.process.poll() is None
    up.signal(signal.SIGINT)
    assert up.wait(5) == 130
    eventually(lambda: not ours(home), GONE_S, "children and Postgres gone")


def test_children_and_postgres_that_die_come_back(home: Path, start: Start, ports: Ports) -> None:
    up = start("--tape", "manual")
    healthy(up)
    owner = procfs.listener(ports.trader)
    assert owner is not None
    os.kill(owner.pid, signal.SIGKILL)
    up.until("trader was ended by signal 9: starting it again", 20)
    up.until("trader is healthy", 30)
    server = EmbeddedPostgres(home)
    postmaster = procfs.listener(int(server.url().rpartition("/")[0].rpartition(":")[2]))
    assert postmaster is not None
    os.kill(postmaster.pid, signal.SIGKILL)
    up.until("Postgres ended: starting it again", 20)
    eventually(server.running, 20, "Postgres is back")


def test_a_second_up_in_the_same_home_is_refused(home: Path, start: Start) -> None:
    first = start("--tape", "manual")
    healthy(first)
    second = start("--tape", "manual")
    assert second.wait() == 3
    (line,) = second.lines
    assert f"pid {first.pid}" in line
    assert first.process.poll() is None
    assert status.read(home) is not None


def test_a_busy_port_is_one_line_and_nothing_runs(home: Path, start: Start, ports: Ports) -> None:
    with socket.create_server(("127.0.0.1", ports.web)):
        up = start("--tape", "manual")
        assert up.wait() == 3
    (line,) = up.lines
    assert f"port {ports.web}" in line
    assert f"pid {os.getpid()}" in line
    assert "KESTREL_WEB__PORT" in line
    assert ours(home) == []


def test_a_missing_tape_is_one_line_and_nothing_runs(home: Path, start: Start) -> None:
    up = start("--tape", "/no/such/tape.gz")
    assert up.wait() == 3
    (line,) = up.lines
    assert "/no/such/tape.gz" in line
    assert ours(home) == []


def test_a_damaged_tape_is_one_line_and_nothing_stays(home: Path, start: Start, tmp_path: Path) -> None:
    tape = tmp_path / "frames.gz"
    tape.write_bytes(b"this is no gzip")
    up = start("--tape", str(tape))
    assert up.wait(START_S) == 3
    told = [line for line in up.lines if line.startswith("kestrel: ")]
    assert len(told) == 1
    assert "frames.gz" in told[0]
    assert not any("Traceback" in line for line in up.lines)
    assert ours(home) == []


def test_without_a_live_market_the_tape_is_synthetic_and_says_so(home: Path, start: Start) -> None:
    up = start(environment={"KESTREL_BITGET__REST_URL": "http://127.0.0.1:9"})
    healthy(up)
    assert any("Tape synthetic:1" in line and "did not answer within 3 s" in line for line in up.lines)


def test_sigterm_while_starting_leaves_nothing(home: Path, start: Start) -> None:
    up = start("--tape", "manual")
    eventually(lambda: len(ours(home)) > 2, 30, "the first children run")
    up.signal(signal.SIGTERM)
    assert up.wait(60) == 0
    assert ours(home) == []


def test_a_newcomer_needs_one_command_per_step(home: Path, start: Start, ports: Ports) -> None:
    up = start("--tape", "manual")
    healthy(up)
    for words in (
        ["users", "add", "anna"],
        ["accounts", "add", "--user", "anna", "--paper", "--balance", "1234"],
    ):
        command = Program([sys.executable, "-m", "kestrel", *words], env=ports.environment(home))
        assert command.wait() == 0, command.lines
        command.close()
    state = msgspec.json.decode(get(f"http://127.0.0.1:{ports.exchange}/control/state").content)
    assert [(one["label"], one["balance"]) for one in state["accounts"]] == [("anna/main", "1234")]

    def armed() -> bool:
        health = msgspec.json.decode(get(f"http://127.0.0.1:{ports.trader}/health").content)
        return bool(health["accounts"] == 1 and health["state"] == "armed")

    eventually(armed, 30, "the trader has the account")
