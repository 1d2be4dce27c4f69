"""The doctor sees what is wrong, says what to do, and its exit code says whether it matters."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.orm import Session

from kestrel import cli, doctor, preflight
from kestrel.doctor import Finding, Level
from shared import clock, vault
from shared.db import history
from shared.settings import ExchangeSettings, PaperSettings, Settings, TraderSettings, WebSettings


@pytest.fixture
def settings(home: Path, postgres_url: str) -> Settings:
    ports = [preflight.free_port() for _ in range(3)]
    return Settings(
        home=home,
        database_url=postgres_url,
        web=WebSettings(port=ports[0]),
        exchange=ExchangeSettings(port=ports[1]),
        trader=TraderSettings(ops_port=ports[2]),
        paper=PaperSettings(url=f"http://127.0.0.1:{ports[1]}"),
    )


def find(findings: Iterator[Finding], check: str, level: Level) -> list[Finding]:
    return [finding for finding in findings if finding.check == check and finding.level is level]


def test_a_healthy_home_has_no_fail(settings: Settings) -> None:
    preflight.prepare_home(settings.home)
    vault.ensure_keys(settings.home)
    found = list(doctor.examine(settings))
    assert not [one for one in found if one.level is Level.FAIL], found
    assert {one.check for one in found} >= {
        "python",
        "home",
        "keys",
        "disk",
        "ports",
        "postgres",
        "schema",
        "clock",
    }


def test_a_new_home_only_warns(settings: Settings) -> None:
    assert doctor.run(settings, as_json=True) == 0


def test_a_busy_port_fails_with_the_setting(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", settings.web.port)):
        assert doctor.run(settings, as_json=True) == 1
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (failed,) = [row for row in rows if row["level"] == "FAIL"]
    assert "KESTREL_WEB__PORT" in failed["text"]
    assert f"pid {os.getpid()}" in failed["text"]


def test_keys_that_others_can_read_fail(settings: Settings) -> None:
    preflight.prepare_home(settings.home)
    vault.ensure_keys(settings.home)
    (settings.home / "keys" / "master.key").chmod(0o644)
    (failed,) = find(doctor.examine(settings), "keys", Level.FAIL)
    assert "chmod" in failed.advice


def test_a_master_key_of_another_home_fails(settings: Settings, tmp_path: Path) -> None:
    preflight.prepare_home(settings.home)
    vault.ensure_keys(settings.home)
    vault.ensure_keys(tmp_path / "other")
    (settings.home / "keys" / "master.key").write_bytes(
        (tmp_path / "other" / "keys" / "master.key").read_bytes()
    )
    assert find(doctor.examine(settings), "keys", Level.FAIL)


def test_a_database_that_is_away_fails_and_hides_nothing(settings: Settings) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://a:hunter2@127.0.0.1:9/x")})
    found = list(doctor.examine(away))
    (failed,) = find(iter(found), "database", Level.FAIL)
    assert "hunter2" not in str(found)
    assert found[-1].check == "clock"
    assert failed.text


def test_a_process_that_was_killed_is_told(settings: Settings, session: Session) -> None:
    now = clock.now_ns()
    history.beat(session, "trader", 2**22 + 1, "armed", {}, now)  # above the largest pid
    history.beat(session, "web", os.getpid(), "running", {}, now)
    history.beat(session, "up", 2**22 + 1, "stopped", {}, now)
    session.commit()
    found = list(doctor.examine(settings))
    (warned,) = find(iter(found), "life", Level.WARN)
    assert warned.text.startswith("trader: armed")
    assert len(find(iter(found), "life", Level.OK)) == 2


def test_the_doctor_starts_the_embedded_server(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KESTREL_HOME", str(home))
    for name in ("WEB__PORT", "EXCHANGE__PORT", "TRADER__OPS_PORT"):
        monkeypatch.setenv(f"KESTREL_{name}", str(preflight.free_port()))
    assert cli.run(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "embedded server" in told
    assert "FAIL" not in told
