"""Every setting: its unit, its default, and a refusal by name when it is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared import redact, settings
from shared.errors import SettingsError
from shared.settings import PREFIX, ROOT, Settings, example, load, names


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No settings but those of the test; the current directory is empty."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(settings, "ROOT", tmp_path / "checkout")
    (tmp_path / "checkout").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def test_every_setting_has_a_unit_and_a_default() -> None:
    for name, field in names():
        assert field.description, name
        unit, colon, rest = field.description.partition(":")
        assert colon, name
        assert unit, name
        assert rest.strip(), name
        assert not field.is_required(), name


def test_the_example_is_what_the_settings_say() -> None:
    assert (ROOT / ".env.example").read_text() == example()


def test_the_example_uncommented_means_the_defaults(alone: Path) -> None:
    lines = [line[2:] for line in example().splitlines() if line.startswith(f"# {PREFIX}")]
    assert len(lines) == len(list(names()))
    (alone / "here" / ".env").write_text("\n".join(lines))
    assert load() == Settings(_env_file=None)


def test_the_program_prints_the_example() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "shared.settings"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert shown.stdout == example()


def test_the_environment_wins_over_here_and_here_over_the_checkout(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "checkout" / ".env").write_text(
        "KESTREL_WEB__PORT=1001\nKESTREL_EXCHANGE__PORT=1001\nKESTREL_LOG__BACKUPS=3\n"
    )
    (alone / "here" / ".env").write_text("KESTREL_WEB__PORT=1002\nKESTREL_EXCHANGE__PORT=1002\n")
    monkeypatch.setenv("KESTREL_WEB__PORT", "1003")
    found = load()
    assert (found.web.port, found.exchange.port, found.log.backups) == (1003, 1002, 3)
    (alone / "named").write_text("KESTREL_WEB__PORT=1\nKESTREL_LOG__BACKUPS=9\n")
    monkeypatch.setenv("KESTREL_ENV_FILE", str(alone / "named"))
    assert (load().web.port, load().log.backups, load().exchange.port) == (1003, 9, 9500)


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("KESTREL_WEB__PORT", "eighty", "integer"),
        ("KESTREL_WEB__PORT", "70000", "65535"),
        ("KESTREL_LIVE", "perhaps", "boolean"),
        ("KESTREL_LOG__LEVEL", "loud", "'debug'"),
        ("KESTREL_UPBIT__POLL_S", "0", "0.02"),
        ("KESTREL_UPBIT__POLL_S", "nan", ""),
        ("KESTREL_UPBIT__HOSTS", "upbit.com", "write https or http://host"),
        ("KESTREL_UPBIT__HOSTS", '["https://a"', "not complete"),
        ("KESTREL_UPBIT__HOSTS", "[]", "at least 1"),
        ("KESTREL_BITGET__REST_URL", "wss://api.bitget.com", "write https or http://host"),
        ("KESTREL_BITGET__REST_URL", "https://user:hunter2@api.bitget.com", "no user name or password"),
        ("KESTREL_BITGET__WS_PUBLIC_URL", "https://ws.bitget.com", "write wss or ws://host"),
        ("KESTREL_PAPER__URL", "http://[::1", "write https or http://host"),
        ("KESTREL_DATABASE_URL", "mysql://user:hunter2@host/db", "write postgresql://"),
        ("KESTREL_DATABASE_URL", "hunter2", "write postgresql://"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, part: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert name in str(caught.value)
    assert part in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_WEB__PORT", "x")
    monkeypatch.setenv("KESTREL_LOG__BACKUPS", "x")
    with pytest.raises(SettingsError, match=r"KESTREL_LOG__BACKUPS.*KESTREL_WEB__PORT"):
        load()


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("KESTREL_UPBIT__POLL", "KESTREL_UPBIT__POLL_S"),
        ("KESTREL_WEB_PORT", "KESTREL_WEB__PORT"),
        ("kestrel_databse_url", "KESTREL_DATABASE_URL"),
        ("KESTREL_UPBIT", "KESTREL_"),
        ("KESTREL_", "KESTREL_"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    alone: Path, monkeypatch: pytest.MonkeyPatch, name: str, near: str
) -> None:
    with monkeypatch.context() as environment:
        environment.setenv(name, "1")
        with pytest.raises(
            SettingsError, match=f"there is no setting {name} .*the environment.*: did you mean {near}"
        ):
            load()
    (alone / "here" / ".env").write_text(f"{name}=1\n")
    with pytest.raises(
        SettingsError, match=rf"there is no setting {name} .*here/\.env.*: did you mean {near}"
    ):
        load()


def test_other_programs_lines_in_an_env_file_are_none_of_ours(alone: Path) -> None:
    (alone / "here" / ".env").write_text(
        "COMPOSE_PROJECT_NAME=x\nexport KESTREL_LIVE=true\n# KESTREL_NONSENSE=1\n"
    )
    assert load().live is True


def test_a_named_file_that_is_missing_or_unreadable_is_told(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTREL_ENV_FILE", str(alone / "none"))
    with pytest.raises(SettingsError, match="none cannot be read"):
        load()
    (alone / "binary").write_bytes(b"\xff\xfe\x00")
    monkeypatch.setenv("KESTREL_ENV_FILE", str(alone / "binary"))
    with pytest.raises(SettingsError, match="binary cannot be read"):
        load()


def test_values_take_the_forms_that_people_write(alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KESTREL_HOME": "state",
        "KESTREL_UPBIT__HOSTS": "https://a.example, https://b.example:8443/",
        "KESTREL_LOG__LEVEL": "DEBUG",
        "KESTREL_LIVE": "1",
        "KESTREL_DATABASE_URL": "postgres://u:p@h/d",
        "KESTREL_PAPER__CA_FILE": "",
    }.items():
        monkeypatch.setenv(name, value)
    found = load()
    assert found.home == alone / "here" / "state"
    assert found.upbit.hosts == ["https://a.example", "https://b.example:8443"]
    assert (found.log.level, found.live, found.paper.ca_file) == ("debug", True, None)
    assert found.database_url is not None
    assert found.database_url.get_secret_value() == "postgresql://u:p@h/d"
    assert "u:p" not in repr(found)
    monkeypatch.setenv("KESTREL_UPBIT__HOSTS", '["http://127.0.0.1:9500"]')
    assert load().upbit.hosts == ["http://127.0.0.1:9500"]


def test_an_empty_variable_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KESTREL_DATABASE_URL", "")
    monkeypatch.setenv("KESTREL_WEB__PORT", "")
    assert load() == Settings(_env_file=None)


def test_several_env_files_may_be_named_the_strongest_last(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (alone / "one").write_text("KESTREL_WEB__PORT=1001\nKESTREL_COT__OVERLAP_WEEKS=1\n")
    (alone / "two").write_text("KESTREL_COT__OVERLAP_WEEKS=2\n")
    monkeypatch.setenv("KESTREL_ENV_FILE", os.pathsep.join([str(alone / "one"), str(alone / "two")]))
    found = load()
    assert (found.web.port, found.cot.overlap_weeks) == (1001, 2)


@pytest.mark.parametrize("value", ["anna", "anna:", ":long-enough", "anna:short"])
def test_the_password_of_prefects_page_is_user_and_password(
    alone: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("KESTREL_FLOWS__PASSWORD", value)
    with pytest.raises(SettingsError, match="KESTREL_FLOWS__PASSWORD: write user:password") as caught:
        load()
    assert "long-enough" not in str(caught.value)


def test_every_secret_of_the_settings_is_kept_out_of_logs(
    alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KESTREL_COT__APP_TOKEN", "TokenOfTheQueryService")
    monkeypatch.setenv("KESTREL_FLOWS__PASSWORD", "anna:PasswordOfThePage")
    monkeypatch.setenv("KESTREL_FLOWS__DATABASE_URL", "postgresql://p:PasswordOfPrefect@h/p")
    load()
    told = redact.text("TokenOfTheQueryService PasswordOfThePage PasswordOfPrefect anna")
    assert told == "[hidden] [hidden] [hidden] anna"


@pytest.mark.parametrize(
    ("secret", "hidden"),
    [
        ("postgres", False),
        ("correcthorsebattery", True),
        ("open-sesame", True),
        ("Kestrel1", True),
        ("a1", False),
    ],
)
def test_a_password_that_is_a_plain_word_does_not_blacken_the_logs(secret: str, hidden: bool) -> None:
    assert settings.worth_hiding(secret) is hidden
