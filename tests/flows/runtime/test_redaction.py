"""Nothing that a Prefect process prints or logs holds a secret of this installation."""

from __future__ import annotations

import io
import logging
import logging.config
import sys
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from flows.runtime import redaction
from shared import redact
from shared.settings import ROOT, CotSettings, FlowsSettings, Settings

TOKEN = "Zq7TokenOfTheService41"


@pytest.fixture
def stream() -> io.StringIO:
    redact.hide(TOKEN)
    return io.StringIO()


def logger_into(stream: io.StringIO, name: str) -> logging.Logger:
    handler = logging.StreamHandler(stream)
    handler.addFilter(redaction.Filter())
    made = logging.getLogger(f"tests.{name}.{id(stream)}")
    made.setLevel(logging.INFO)
    made.addHandler(handler)
    return made


def test_a_record_is_cleaned_in_text_arguments_and_exception(stream: io.StringIO) -> None:
    log = logger_into(stream, "test")
    log.info("sent %s to %s", TOKEN, "CFTC")
    log.info("a field: password=hunter2hunter2")
    try:
        int(f"refused {TOKEN}")
    except ValueError:
        log.exception("failed")
    told = stream.getvalue()
    assert TOKEN not in told
    assert "hunter2" not in told
    assert "sent [hidden] to CFTC" in told
    assert "ValueError: invalid literal for int() with base 10: 'refused [hidden]'" in told
    assert told.count("Traceback") == 1


def test_a_template_that_does_not_fit_its_arguments_is_still_told(stream: io.StringIO) -> None:
    logger_into(stream, "test").info("%d pieces of %s", TOKEN)
    assert "%d pieces of %s ('[hidden]',)" in stream.getvalue()


def test_printed_lines_are_cleaned_also_when_they_come_in_pieces(stream: io.StringIO) -> None:
    printed = redaction.Cleaned(stream)
    printed.write(f"token {TOKEN[:9]}")
    assert stream.getvalue() == ""  # a secret may go on in the next piece
    printed.write(f"{TOKEN[9:]}\nnext ")
    assert stream.getvalue() == "token [hidden]\n"
    printed.close()
    assert stream.getvalue() == "token [hidden]\nnext "


def test_every_secret_of_the_installation_is_known(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "postgres").mkdir(parents=True)
    (home / "prefect").mkdir()
    (home / "postgres" / "password").write_text("password-of-postgres\n")
    (home / "prefect" / "database.password").write_text("password-of-prefect")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "anna:password-of-the-page")
    monkeypatch.setenv(
        "PREFECT_SERVER_DATABASE_CONNECTION_URL", "postgresql+asyncpg://p:password-in-url@h/prefect"
    )
    settings = Settings(
        home=home,
        database_url="postgresql://k:password-of-ours@h/k",
        flows=FlowsSettings(password=SecretStr("anna:password-of-the-page")),
        cot=CotSettings(app_token=SecretStr(TOKEN)),
    )
    found = set(redaction.secrets(settings))
    assert found >= {
        "password-of-postgres",
        "password-of-prefect",
        "password-of-the-page",
        "password-in-url",
        "password-of-ours",
        TOKEN,
    }
    assert "h/prefect" not in found


def test_every_way_out_of_prefects_logs_has_the_filter() -> None:
    config = yaml.safe_load((ROOT / "flows" / "runtime" / "logging.yml").read_text())
    assert config["filters"] == {"secrets": {"()": "flows.runtime.redaction.Filter"}}
    assert sorted(config["handlers"]) == ["api", "console", "worker_api"]
    assert all(one["filters"] == ["secrets"] for one in config["handlers"].values())


def test_what_is_installed_stays_a_usable_stream(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("KESTREL_HOME", str(home))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert redaction.install().home == home
    assert sys.stdout.encoding == "utf-8"
    assert sys.stdout.writable()
    assert not sys.stderr.isatty()
