"""What the children are told, what the announcement says, and how Postgres is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kestrel import announcement, services
from kestrel.console import cell
from kestrel.database import PostgresKeeper
from kestrel.progress import Progress
from kestrel.supervisor import RestartPolicy, State
from shared import clock
from shared.db.embedded import EmbeddedPostgres
from shared.errors import DatabaseError
from shared.settings import Settings, UpbitSettings, WebSettings

PORTS = services.Ports(exchange=9500, trader=9510, web=8501)
BOARD = "http://127.0.0.1:9500"


def told(settings: Settings, tape: str) -> dict[str, str]:
    return services.trader_environment(settings, PORTS, tape)


def test_under_up_live_accounts_never_trade() -> None:
    assert told(Settings(live=True), "live")["KESTREL_LIVE"] == "false"


def test_real_notices_come_with_real_prices_only() -> None:
    assert json.loads(told(Settings(), "synthetic:1")["KESTREL_UPBIT__HOSTS"]) == [BOARD]
    hosts = json.loads(told(Settings(), "live")["KESTREL_UPBIT__HOSTS"])
    assert hosts[0] == BOARD
    assert hosts[1:] == Settings().upbit.hosts


def test_real_hosts_are_never_asked_at_the_pace_of_our_own_board() -> None:
    assert told(Settings(), "synthetic:1")["KESTREL_UPBIT__POLL_S"] == "0.25"
    assert "KESTREL_UPBIT__POLL_S" not in told(Settings(), "live")
    own = Settings(upbit=UpbitSettings(hosts=["https://example.invalid"]))
    assert "KESTREL_UPBIT__POLL_S" not in told(own, "manual")
    assert json.loads(told(own, "manual")["KESTREL_UPBIT__HOSTS"]) == [BOARD, "https://example.invalid"]


def test_a_chosen_pace_stays() -> None:
    assert "KESTREL_UPBIT__POLL_S" not in told(Settings(upbit=UpbitSettings(poll_s=7)), "manual")


def test_the_page_keeps_its_files_in_the_home_and_ignores_a_users_own_settings(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMLIT_SERVER_ADDRESS", "0.0.0.0")
    command = services.web_command(Settings(home=home, web=WebSettings(port=8555)))
    assert command.environment["HOME"] == str(home / "streamlit")
    assert not [name for name in command.environment if name.startswith("STREAMLIT_")]
    assert "127.0.0.1" in command.argv
    assert "8555" in command.argv


def test_a_command_never_shows_its_environment(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("KESTREL_DATABASE_URL", "postgresql://a:hunter2@127.0.0.1/x")
    assert "hunter2" not in repr(services.exchange_command(home, 1, "manual", 1.0))


def facts(**changes: Any) -> announcement.Facts:
    plain = announcement.Facts(
        home=Path("/home/x"),
        tape="synthetic:1",
        tape_note="the live market did not answer within 3 s",
        demo=False,
        live_setting=False,
        seconds=2.5,
        addresses=[("web page", "http://127.0.0.1:8501", "/home/x/logs/web.out")],
        users=0,
    )
    return msgspec.structs.replace(plain, **changes)


def test_the_announcement_says_what_the_numbers_are_made_of() -> None:
    text = "\n".join(announcement.lines(facts()))
    assert "PAPER MODE: no real money" in text
    assert "a seeded generator, not a real market (the live market did not answer within 3 s)" in text
    assert "http://127.0.0.1:8501" in text
    assert "users add" in text
    assert "accounts add" in text


def test_the_announcement_of_a_demonstration_says_so() -> None:
    text = "\n".join(announcement.lines(facts(demo=True)))
    assert "DEMO" in text
    assert "There is no user yet" not in text


def test_who_wanted_live_accounts_is_told_that_they_do_not_trade() -> None:
    assert any("live accounts do not trade" in line for line in announcement.lines(facts(live_setting=True)))


def test_first_steps_name_the_home_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_HOME", "/a b")
    assert all(line.startswith("KESTREL_HOME='/a b' ") for line in announcement.first_steps())


def test_lines_in_a_file_are_plain(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(["web"], terminal=False)
    progress.start()
    progress.state("web", State.STARTING)
    progress.state("web", State.HEALTHY)
    progress.state("web", State.HEALTHY)
    progress.say("done")
    progress.finish()
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == ["web", "healthy"]
    assert second == "done"


@pytest.mark.parametrize(
    ("value", "name", "shown"),
    [
        (0, "seen_ns", "-"),
        (1_700_000_000_000_000_000, "seen_ns", "2023-11-14 22:13:20"),
        (["KRW", "BTC"], "markets", "KRW, BTC"),
        ([], "markets", "-"),
        (True, "closed", "yes"),
        (None, "price", "-"),
    ],
)
def test_cells_are_for_people(value: object, name: str, shown: str) -> None:
    assert cell(value, name) == shown


class FallenServer(EmbeddedPostgres):
    """A server that is always down and cannot be started: its home is a file."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.tries = 0

    def running(self) -> bool:
        return False

    def start(self) -> str:
        self.tries += 1
        raise DatabaseError("Postgres did not start: no space left")


def test_a_postgres_that_cannot_start_is_tried_a_bounded_number_of_times(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0
    server = FallenServer(tmp_path)
    policy = RestartPolicy(first_s=1.0, cap_s=4.0, most=4, window_s=600)
    keeper = PostgresKeeper(
        Settings(home=tmp_path), Progress([], terminal=False), policy, server, now=lambda: now
    )
    tried_at = []
    for second in range(600):
        now = second * clock.SECOND
        before = server.tries
        keeper.check()
        if server.tries > before:
            tried_at.append(second)
    assert tried_at == [0, 1, 3, 7]  # waits of 1, 2 and 4 seconds
    out = capsys.readouterr().out
    assert out.count("not started again") == 1
