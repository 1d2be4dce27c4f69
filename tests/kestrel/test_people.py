"""Users, accounts and settings from the command line, on a real database."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from kestrel import cli, people
from shared import vault
from shared.db import preferences
from shared.db.tables import Account, Audit
from shared.errors import UsageError
from shared.settings import load

ROOT = Path(__file__).resolve().parents[2]
SECRET = "s3cr3t-of-nobody"
KEYS = {"key": "bg_0123456789abcdef", "secret": SECRET, "passphrase": "phrase1"}

#: Where live keys cannot be tried: no test meets the real exchange.
NO_EXCHANGE = "https://exchange.invalid"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path, postgres_url: str
) -> Run:
    monkeypatch.setenv("KESTREL_HOME", str(home))
    monkeypatch.setenv("KESTREL_DATABASE_URL", postgres_url)
    monkeypatch.setenv("KESTREL_BITGET__REST_URL", NO_EXCHANGE)

    def call(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = cli.run(arguments)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    """The address of a paper exchange."""
    with subprocess.Popen(
        [sys.executable, "-m", "trader.paper", "--port", "0", "--tape", "manual"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address: str = json.loads(process.stdout.readline())["rest"]
        yield address
        process.terminate()


def rows(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_nothing_is_no_line_for_a_script_and_advice_for_a_person(run: Run) -> None:
    for command in ("users list", "accounts list", "settings list", "orders", "positions", "notices"):
        assert run(*command.split(), "--json") == (0, "", "")
        code, out, told = run(*command.split())
        assert (code, out) == (0, "")
        assert told.count("\n") == 1


def test_a_user_is_added_listed_and_banned(run: Run) -> None:
    assert run("users", "add", "anna") == (0, "user anna added (user)\n", "")
    assert run("users", "add", "root", "--role", "admin")[0] == 0
    listed = rows(run("users", "list", "--json")[1])
    assert [(row["name"], row["role"], row["state"]) for row in listed] == [
        ("anna", "user", "active"),
        ("root", "admin", "active"),
    ]
    assert "anna" in run("users", "list")[1]
    assert run("users", "set", "anna", "--state", "banned")[0] == 0
    assert rows(run("users", "list", "--json")[1])[0]["state"] == "banned"


def test_doubled_and_unknown_users_are_usage_errors(run: Run) -> None:
    run("users", "add", "anna")
    code, out, told = run("users", "add", "anna")
    assert (code, out) == (2, "")
    assert told.startswith("kestrel: there is a user 'anna' already")
    assert run("users", "set", "ben", "--state", "active")[0] == 2
    assert run("accounts", "list", "--user", "ben")[0] == 2


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(KEYS),
        "".join(f"{name.upper()}={value}\n" for name, value in KEYS.items()),
        "# of main\nexport BITGET_API_KEY='{key}'\nBITGET_API_SECRET=\"{secret}\"\nBITGET_API_PASSPHRASE={passphrase}\n".format(
            **KEYS
        ),
    ],
)
@pytest.mark.parametrize("way", ["file", "stdin"])
def test_keys_from_a_file_or_stdin_reach_the_trader_and_nobody_else(
    *, run: Run, home: Path, tmp_path: Path, session: Session, content: str, way: str
) -> None:
    run("users", "add", "anna")
    path = tmp_path / "keys"
    path.touch(0o600)
    path.write_text(content)
    source = str(path) if way == "file" else "-"
    code, out, told = run(
        *("accounts", "add", "--user", "anna", "--live", "--secret-file", source), stdin=content
    )
    assert code == 0, told
    assert "KESTREL_LIVE=1" in told
    (account,) = session.scalars(select(Account))
    assert account.mode == "live"
    credentials = vault.TraderKeys.open(home).unseal(account.sealed_credentials)
    assert (credentials.key, credentials.secret, credentials.passphrase) == tuple(KEYS.values())
    listed = run("accounts", "list", "--json")[1]
    audit = [(row.before, row.after, row.actor, row.verb) for row in session.scalars(select(Audit))]
    assert SECRET not in f"{out}{told}{listed}{audit}"
    assert rows(listed)[0]["key_tail"] == "cdef"
    assert any(row[2].startswith("cli") and row[3] == "add" for row in audit)


def test_a_file_that_others_can_read_is_warned_about(run: Run, tmp_path: Path) -> None:
    run("users", "add", "anna")
    path = tmp_path / "keys"
    path.write_text(json.dumps(KEYS))
    path.chmod(0o644)
    told = run("accounts", "add", "--user", "anna", "--live", "--secret-file", str(path))[2]
    assert "chmod 600 it, or delete it now" in told


@pytest.mark.parametrize(
    ("content", "missing"),
    [
        ('{"key": "k"}', "no secret"),
        ("hello", "cannot be understood"),
        ("KEY=\nSECRET=", "no key and no secret"),
        ("", "no key"),
    ],
)
def test_wrong_key_files_are_refused_without_quoting_them(run: Run, content: str, missing: str) -> None:
    run("users", "add", "anna")
    code, _, told = run("accounts", "add", "--user", "anna", "--live", "--secret-file", "-", stdin=content)
    assert code == 2
    assert missing in told
    assert "hello" not in told


def test_without_a_terminal_nobody_is_asked(run: Run) -> None:
    run("users", "add", "anna")
    code, _, told = run("accounts", "add", "--user", "anna", "--live")
    assert code == 2
    assert "--secret-file" in told


def test_paper_or_live_must_be_said(run: Run) -> None:
    for words in ([], ["--paper", "--live"]):
        code, _, told = run("accounts", "add", "--user", "anna", *words)
        assert code == 2
        assert "--paper" in told
        assert "--live" in told


@pytest.mark.parametrize("balance", ["0", "-5", "NaN", "inf", "much", "1e99"])
def test_a_wrong_balance_is_refused_before_anything_is_asked(run: Run, balance: str) -> None:
    code, _, told = run("accounts", "add", "--user", "anna", "--paper", "--balance", balance)
    assert code == 2
    assert "--balance" in told


def test_a_paper_account_needs_a_running_exchange(
    run: Run, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("KESTREL_PAPER__URL", "http://127.0.0.1:9")
    run("users", "add", "anna")
    code, _, told = run("accounts", "add", "--user", "anna", "--paper")
    assert code == 3
    assert "kestrel up" in told
    assert session.scalars(select(Account)).all() == []


def test_an_account_is_paused_with_a_reason(run: Run) -> None:
    run("users", "add", "anna")
    run("accounts", "add", "--user", "anna", "--live", "--secret-file", "-", stdin=json.dumps(KEYS))
    (listed,) = rows(run("accounts", "list", "--json")[1])
    number = str(listed["id"])
    assert run("accounts", "set", number, "--state", "paused", "--reason", "holiday")[0] == 0
    (listed,) = rows(run("accounts", "list", "--json", "--user", "anna")[1])
    assert (listed["state"], listed["state_reason"]) == ("paused", "holiday")
    assert run("accounts", "set", "999", "--state", "armed")[0] == 2


def test_new_keys_replace_the_old_ones_and_only_the_trader_can_open_them(run: Run, session: Session) -> None:
    run("users", "add", "anna")
    run("accounts", "add", "--user", "anna", "--live", "--secret-file", "-", stdin=json.dumps(KEYS))
    account = session.scalars(select(Account)).one()
    fresh = {"key": "new-key-0123456789", "secret": "new-secret", "passphrase": "new-pass"}
    number = str(account.id)
    code, out, told = run("accounts", "set", number, "--secret-file", "-", stdin=json.dumps(fresh))
    assert code == 0
    assert "could not be tried" in told
    assert "new keys" in out
    assert not any(secret in out + told for secret in fresh.values())
    session.expire_all()
    opened = vault.TraderKeys.open(load().home).unseal(account.sealed_credentials)
    assert (opened.key, opened.secret, opened.passphrase) == tuple(fresh.values())
    assert run("accounts", "set", number)[0] == 2


def test_the_narrower_setting_wins_and_a_cap_holds(run: Run, session: Session) -> None:
    run("users", "add", "anna")
    run("accounts", "add", "--user", "anna", "--live", "--secret-file", "-", stdin=json.dumps(KEYS))
    number = str(rows(run("accounts", "list", "--json")[1])[0]["id"])
    assert run("settings", "set", "listing.amount", "20")[0] == 0
    assert run("settings", "set", "listing.amount", "300", "--user", "anna")[0] == 0
    assert run("settings", "set", "listing.leverage", "3", "--account", number)[0] == 0
    assert run("settings", "set", "cap.listing.amount", "250")[0] == 0
    held = preferences.effective(session, int(number))
    assert (held.amount, held.leverage) == (Decimal(250), 3)
    in_force = {
        row["name"]: row["value"] for row in rows(run("settings", "list", "--account", number, "--json")[1])
    }
    assert (in_force["listing.amount"], in_force["listing.leverage"], in_force["listing.enabled"]) == (
        "250",
        "3",
        "on",
    )
    assert len(rows(run("settings", "list", "--json")[1])) == 4


@pytest.mark.parametrize(
    "words",
    [
        ["listing.amuont", "20"],
        ["listing.amount", "much"],
        ["listing.amount", "20", "--user", "nobody"],
        ["listing.amount", "20", "--user", "anna", "--account", "1"],
    ],
)
def test_wrong_settings_change_nothing(run: Run, words: list[str]) -> None:
    code, out, told = run("settings", "set", *words)
    assert (code, out) == (2, "")
    assert told.count("\n") == 1
    assert run("settings", "list", "--json")[1] == ""


def test_both_modes_at_once_is_no_mode() -> None:
    with pytest.raises(UsageError):
        people.mode(paper=True, live=True)


def unified_and_classic(exchange: str) -> dict[str, str]:
    """A key of each kind, made on a paper exchange, as a secret file has it."""
    found: dict[str, str] = {}
    for kind in ("unified", "classic"):
        answer = httpx.post(
            f"{exchange}/control/accounts", json={"kind": kind, "balance": "100"}, trust_env=False
        )
        found[kind] = json.dumps({name: answer.json()[name] for name in KEYS})
    return found


def test_the_exchange_is_asked_which_kind_a_key_is(
    run: Run, exchange: str, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("KESTREL_PAPER__URL", exchange)
    run("users", "add", "anna")
    paper = ("accounts", "add", "--user", "anna", "--paper", "--secret-file", "-")
    keys = unified_and_classic(exchange)
    for kind, other in (("unified", "classic"), ("classic", "unified")):
        code, out, told = run(*paper, "--label", kind, stdin=keys[kind])
        assert (code, told) == (0, "")
        assert "the keys work: 100 USDT, positions in one-way mode" in out
        assert f"bitget {kind}, paper" in out
        code, out, told = run(*paper, "--label", f"not {other}", "--kind", other, stdin=keys[kind])
        assert code == 0
        assert f"this key belongs to a {kind} account, not to a {other} one" in told
        assert f"bitget {kind}, paper" in out
    stored = {account.label: account.kind for account in session.scalars(select(Account))}
    assert stored == {
        "unified": "unified",
        "not classic": "unified",
        "classic": "classic",
        "not unified": "classic",
    }


def test_new_keys_of_another_kind_and_the_kind_itself(
    run: Run, exchange: str, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("KESTREL_PAPER__URL", exchange)
    run("users", "add", "anna")
    keys = unified_and_classic(exchange)
    run("accounts", "add", "--user", "anna", "--paper", "--secret-file", "-", stdin=keys["classic"])
    account = session.scalars(select(Account)).one()
    number = str(account.id)
    code, out, told = run("accounts", "set", number, "--secret-file", "-", stdin=keys["unified"])
    assert (code, told) == (0, "")
    assert f"account {number} is a unified account now" in out
    assert run("accounts", "set", number, "--kind", "classic")[0] == 0
    session.expire_all()
    assert account.kind == "classic"
    changes = [row.after for row in session.scalars(select(Audit)) if row.verb == "kind"]
    assert changes == [{"kind": "unified"}, {"kind": "classic"}]
    run("accounts", "add", "--user", "anna", "--paper", "--secret-file", "-", stdin=keys["unified"])
    code, _, told = run("accounts", "set", number, "--kind", "unified")
    assert code == 2
    assert "already" in told


def test_a_paper_account_of_the_kind_that_was_asked_for(
    run: Run, exchange: str, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("KESTREL_PAPER__URL", exchange)
    run("users", "add", "anna")
    assert run("accounts", "add", "--user", "anna", "--paper")[0] == 0
    assert run("accounts", "add", "--user", "anna", "--paper", "--kind", "unified")[0] == 0
    assert sorted(account.kind for account in session.scalars(select(Account))) == ["classic", "unified"]


def test_a_key_that_the_exchange_does_not_take_is_not_stored(
    run: Run, exchange: str, monkeypatch: pytest.MonkeyPatch, session: Session
) -> None:
    monkeypatch.setenv("KESTREL_PAPER__URL", exchange)
    run("users", "add", "anna")
    words = ("accounts", "add", "--user", "anna", "--paper", "--kind", "unified", "--secret-file", "-")
    code, _, told = run(*words, stdin=json.dumps(KEYS))
    assert code == 2
    assert "check the key" in told
    assert SECRET not in told
    assert session.scalars(select(Account)).all() == []
