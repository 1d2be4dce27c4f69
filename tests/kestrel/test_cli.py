"""The command line as a person and a script meet it: texts, streams, exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kestrel import cli, console
from shared import errors
from shared.settings import ROOT

KESTREL = [sys.executable, "-m", "kestrel"]


def kestrel(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*KESTREL, *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        env=os.environ | environment,
    )


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = "import sys; from kestrel import cli; print(cli.run(['--help'])); print(sorted(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    for name in (
        "up",
        "exchange",
        "trade",
        "web",
        "users",
        "accounts",
        "settings",
        "orders",
        "positions",
        "notices",
    ):
        assert re.search(rf"^  {name} ", answer.stdout, re.MULTILINE), name
    loaded = answer.stdout.splitlines()[-1]
    for heavy in (
        "rich",
        "sqlalchemy",
        "pydantic",
        "httpx",
        "aiohttp",
        "pandas",
        "psycopg",
        "msgspec",
        "asyncio",
    ):
        assert f"'{heavy}'" not in loaded, heavy


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["fly"], "No such command 'fly'"),
        (["users", "add"], "Missing argument"),
        (["accounts", "add", "--user", "anna", "--secret", "x"], "No such option: --secret"),
        (["users", "set", "anna", "--state", "asleep"], "asleep"),
        (["orders", "--limit", "0"], "--limit"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_the_way_out(arguments: list[str], told: str) -> None:
    answer = kestrel(*arguments)
    assert answer.returncode == 2
    assert answer.stdout == ""
    assert told in answer.stderr
    assert "--help` shows what there is" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_no_command_shows_the_help_and_is_an_error() -> None:
    answer = kestrel()
    assert answer.returncode == 2
    assert "Commands:" in answer.stderr


def test_a_wrong_setting_is_named_with_exit_code_2() -> None:
    answer = kestrel("users", "list", KESTREL_WEB__PORT="none")
    assert answer.returncode == 2
    assert "KESTREL_WEB__PORT" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_our_errors_end_as_one_line_and_their_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise errors.VaultError("the master key is missing: put it back")

    monkeypatch.setattr(cli, "app", fail)
    assert cli.run(["doctor"]) == 5
    assert capsys.readouterr().err == "kestrel: the master key is missing: put it back\n"
    with pytest.raises(errors.VaultError):
        cli.run(["--debug", "doctor"])


def test_an_unexpected_error_shows_no_details_without_debug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(cli, "app", fail)
    assert cli.run(["orders"]) == 1
    told = capsys.readouterr().err
    assert "RuntimeError" in told
    assert "--debug" in told
    assert "hunter2" not in told


def test_ctrl_c_is_quiet() -> None:
    process = subprocess.Popen(
        [*KESTREL, "listings", "parse"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("월드코인(WLD) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)\n")
    process.stdin.flush()
    assert "WLD" in process.stdout.readline()  # now it waits for the next title
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert (process.returncode, told) == (130, "")


def test_a_reader_that_goes_away_is_no_noise() -> None:
    titles = "월드코인(WLD) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)\n" * 20_000
    line = f"{sys.executable} -m kestrel listings parse | head -1; exit ${{PIPESTATUS[0]}}"
    answer = subprocess.run(
        ["bash", "-c", line], input=titles, capture_output=True, check=False, text=True, timeout=60
    )
    assert answer.stderr == ""
    assert answer.returncode == console.BROKEN_PIPE
    assert answer.stdout.count("\n") == 1


def test_titles_become_one_object_a_line() -> None:
    titles = "월드코인(WLD) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)\n\n[점검] 서버 점검 안내\n"
    answer = kestrel("listings", "parse", stdin=titles)
    rows = [json.loads(line) for line in answer.stdout.splitlines()]
    assert answer.returncode == 0
    assert len(rows) == 2
    assert rows[0]["kind"] == "new_listing"
    assert rows[0]["symbols"] == ["WLD"]
    assert rows[0]["markets"] == ["KRW", "BTC", "USDT"]
    assert rows[1]["symbols"] == []


def test_titles_are_read_as_utf8_whatever_the_locale() -> None:
    process = subprocess.run(
        [*KESTREL, "listings", "parse"],
        input="월드코인(WLD) 신규 거래지원 안내 (KRW 마켓)\n".encode() + b"\xff(ABC)\n",
        capture_output=True,
        check=False,
        timeout=60,
        env=os.environ | {"PYTHONIOENCODING": "latin-1"},
    )
    assert process.returncode == 0
    assert json.loads(process.stdout.splitlines()[0])["title"].startswith("월드코인")


def test_the_table_of_exit_codes_is_the_tree_of_errors() -> None:
    table = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)}
    raised = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.KestrelError)
    }
    assert documented == raised | {0, cli.UNEXPECTED, cli.USAGE, cli.INTERRUPTED, console.BROKEN_PIPE}


def test_every_command_is_documented() -> None:
    table = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    code = kestrel("--help").stdout.split("Commands:")[1]
    for name in re.findall(r"^  (\w+)", code, re.MULTILINE):
        assert f"`{name}" in table, name


def test_no_option_takes_a_secret() -> None:
    answer = kestrel("accounts", "add", "--help")
    options = re.findall(r"--[\w-]+", answer.stdout)
    assert not [name for name in options if re.search(r"key|secret|pass", name) and name != "--secret-file"]


def test_foreign_variables_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    from kestrel import environment

    monkeypatch.setenv("PGHOST", "elsewhere")
    monkeypatch.setenv("PREFECT_API_URL", "http://elsewhere")
    monkeypatch.setenv("PATHS", "kept")
    child = environment.for_child(Path("/home/x"), {"KESTREL_LIVE": "false"})
    assert "PGHOST" not in child
    assert "PREFECT_API_URL" not in child
    assert child["PATHS"] == "kept"
    assert child["KESTREL_HOME"] == "/home/x"
    assert child["PREFECT_HOME"] == "/home/x/prefect"
    assert os.environ["PGHOST"] == "elsewhere"  # ours is scrubbed by the command line alone
    cli.run(["--help"])
    assert "PGHOST" not in os.environ
