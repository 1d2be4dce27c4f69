"""Logs as files and on a terminal, with secrets thrown at every opening."""

from __future__ import annotations

import io
import json
import logging
import logging.handlers
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared import clock, logs
from shared.settings import LogSettings, Settings

SECRET = "Zq8-Lw2+Ns7/Rt4=Uv6_Yx1?Bd3!Fh5"

Read = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path / "home", log=LogSettings(level="debug"))


@pytest.fixture
def read(settings: Settings) -> Iterator[Read]:
    """Logging is set up; gives what is in the file by now."""
    kept = sys.excepthook, threading.excepthook, logging.raiseExceptions, logging.lastResort
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    logs.setup("trader", settings, terminal=False)
    logs.hide(SECRET)

    def lines() -> list[dict[str, Any]]:
        assert logs.flush()
        text = (settings.home / "logs" / "trader.log").read_text()
        return [json.loads(line) for line in text.splitlines()]

    yield lines
    logs.shutdown()
    logging.captureWarnings(False)
    structlog.reset_defaults()
    sys.excepthook, threading.excepthook, logging.raiseExceptions, logging.lastResort = kept
    root.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)


def test_a_line_says_when_what_and_who(read: Read) -> None:
    with clock.use(lambda: 1_800_000_000_123_456_789):
        structlog.get_logger("trader.app").info(
            "order accepted", size=Decimal("0.10"), n=3, none=None, ok=True
        )
    line = read()[0]
    assert line.pop("pid") > 0
    assert line == {
        "ts": "2027-01-15T08:00:00.123456789Z",
        "level": "info",
        "event": "order accepted",
        "logger": "trader.app",
        "process": "trader",
        "size": "0.10",
        "n": 3,
        "none": None,
        "ok": True,
    }


def test_plain_logging_ends_in_the_same_file(read: Read) -> None:
    logging.getLogger("lib").warning("%s of %d", "one", 2, extra={"account": 7})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("careful", UserWarning, stacklevel=1)
    first, second = read()
    assert (first["event"], first["account"], first["logger"]) == ("one of 2", 7, "lib")
    assert "careful" in second["event"]


def raise_nested() -> None:
    token = SECRET
    raise RuntimeError("outer", {"passphrase": "hunter2"}) from ValueError(f"inner {token}")


def in_exception(log: Any) -> None:
    try:
        raise_nested()
    except RuntimeError:
        log.exception("failed")


def in_group(log: Any) -> None:
    log.error("failed", exc_info=ExceptionGroup("many", [ValueError(SECRET), OSError(f"secret={SECRET}")]))


class Holder:
    def __repr__(self) -> str:
        return f"Holder(secret={SECRET!r})"


ATTACKS: list[Callable[[Any], None]] = [
    lambda log: log.info(f"message {SECRET}"),
    lambda log: log.info("in arguments %s", SECRET),
    lambda log: log.info("in a mapping %(x)s", {"x": SECRET}),
    lambda log: log.info("field", value=SECRET),
    lambda log: log.info("field", passphrase="hunter2"),
    lambda log: log.info("nested", a={"b": [{"c": (SECRET, {"secret": "hunter2"})}]}),
    lambda log: log.info("as a name", **{SECRET: 1}),
    lambda log: log.info("object", holder=Holder(), many=[Holder()]),
    lambda log: log.info("bytes", raw=SECRET.encode(), view=memoryview(SECRET.encode())),
    lambda log: log.info("split", first=SECRET[:16], second=SECRET[16:]),
    lambda log: log.info(f"https://host/?x=1&signature={SECRET}#"),
    lambda log: log.info(f"postgresql://kestrel:{SECRET}@host/db"),
    lambda log: log.info(json.dumps({"body": json.dumps({"secret": SECRET})})),
    lambda log: log.bind(bound=SECRET).warning("bound"),
    in_exception,
    in_group,
    lambda log: log.info("%s" * 2, SECRET),
    lambda log: log.info("x" * 200_000 + SECRET),
    lambda log: log.info("long", value=("y" * 65_520) + SECRET),
    lambda log: logging.getLogger(SECRET).info("logger's name"),
    lambda log: logging.getLogger("std").error(
        "std %s", {"passphrase": "hunter2"}, extra={"url": f"a:{SECRET}@b"}
    ),
    lambda log: logging.getLogger("std").error("too few %s " + "%s", SECRET),
]


@pytest.mark.parametrize("number", range(len(ATTACKS)))
def test_no_secret_gets_into_the_file_or_on_the_terminal(
    read: Read, settings: Settings, number: int, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.setup("trader", settings, terminal=True)
    ATTACKS[number](structlog.get_logger("attacked"))
    read()
    written = (settings.home / "logs" / "trader.log").read_text()
    shown = "".join(capfd.readouterr())
    for text in (written, shown):
        assert "hunter2" not in text
        for start in range(len(SECRET) - 10):
            assert SECRET[start : start + 11] not in text


def test_a_secret_among_context_variables_does_not_show(read: Read) -> None:
    with structlog.contextvars.bound_contextvars(apikey="hunter2", account=3):
        structlog.get_logger().info("x")
    assert (read()[0]["apikey"], read()[0]["account"]) == ("[hidden]", 3)


def test_what_cannot_be_written_never_harms_who_logs(read: Read) -> None:
    class Rude:
        def __str__(self) -> str:
            raise RuntimeError("no")

        __repr__ = __str__

    log = structlog.get_logger("x")
    log.info("rude", value=Rude())
    log.info("surrogate \ud800", value="\udfff", number=float("nan"), big=2**80, ts="mine", level="mine")
    logging.getLogger("y").info("%d", "no number")
    logging.getLogger("y").info(Rude())
    log.info("after")
    log.info("%d", "no number")
    lines = read()
    assert [line["event"] for line in lines] == [
        "rude",
        "surrogate ?",
        "%d ['no number']",
        "[Rude that cannot be shown: RuntimeError] []",
        "after",
        "%d ['no number']",
    ]
    assert (lines[1]["ts_"], lines[1]["level_"], lines[1]["big"]) == ("mine", "mine", str(2**80))
    assert logs.dropped() == 0


def test_values_are_shown_as_they_were_when_logged(read: Read) -> None:
    changing = {"n": 1}
    structlog.get_logger().info("x", changing=changing)
    changing["n"] = 2
    assert read()[0]["changing"] == {"n": 1}


def test_a_full_queue_drops_and_counts_and_never_waits(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, entered = threading.Event(), threading.Event()
    emit = logging.handlers.RotatingFileHandler.emit

    def slow(handler: logging.handlers.RotatingFileHandler, record: logging.LogRecord) -> None:
        entered.set()
        gate.wait(60)
        emit(handler, record)

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "emit", slow)
    log = logging.getLogger("x")
    log.info("first")
    assert entered.wait(10)  # the writer is stuck on a disk now
    for number in range(logs.QUEUE + 50):
        log.info("n %d", number)
    assert logs.dropped() == 50
    gate.set()
    assert logs.flush(60)
    log.info("last")
    events = [line["event"] for line in read()]
    assert events[0] == "first"
    assert [line["count"] for line in read() if line["event"] == "log records dropped"] == [50]
    assert events[-1] == "last"
    assert len(events) == logs.QUEUE + 3


def test_files_are_rotated_bounded_and_private(settings: Settings, read: Read) -> None:
    small = settings.model_copy(update={"log": LogSettings(max_bytes=10_000, backups=2)})
    logs.setup("small", small, terminal=False)
    for number in range(300):
        logging.getLogger("x").info("%d %s", number, "." * 200)
    assert logs.flush()
    found = sorted(path for path in (settings.home / "logs").glob("small*"))
    assert [path.name for path in found] == ["small.log", "small.log.1", "small.log.2"]
    assert all(path.stat().st_size <= 10_000 for path in found)
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert stat.S_IMODE((settings.home / "logs").stat().st_mode) == 0o700


def test_a_full_disk_does_not_end_logging(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    log = logging.getLogger("x")
    log.info("before")
    read()
    assert logs._writer is not None
    file = logs._writer._file
    assert isinstance(file, logging.handlers.RotatingFileHandler)
    with monkeypatch.context() as disk:
        disk.setattr(file, "stream", Full())
        log.info("lost")
        assert logs.flush()
    assert logs.dropped() == 1
    log.info("after")
    assert [line["event"] for line in read()] == ["before", "after"]


def test_levels_and_chatty_libraries_are_held_back(settings: Settings, read: Read) -> None:
    logs.setup("trader", settings.model_copy(update={"log": LogSettings(level="info")}), terminal=False)
    structlog.get_logger("a").debug("no")
    logging.getLogger("alembic.runtime").info("no")
    logging.getLogger("alembic.runtime").warning("yes")
    structlog.get_logger("a").info("yes")
    assert [line["event"] for line in read()] == ["yes", "yes"]


def test_a_terminal_gets_one_readable_line(
    settings: Settings, read: Read, capfd: pytest.CaptureFixture[str]
) -> None:
    logs.setup("trader", settings, terminal=True)
    with clock.use(lambda: 1_800_000_000_123_456_789):
        structlog.get_logger("a.b").info("seen", title="뉴메레르(NMR)\n\x1b[31mred", n=1)
    read()
    assert capfd.readouterr().err == "08:00:00.123 info    a.b: seen title=뉴메레르(NMR)\\n\\x1b[31mred n=1\n"


PROGRAM = """
import sys, threading
from pathlib import Path
from shared import logs
from shared.settings import Settings
import structlog
logs.setup("child", Settings(_env_file=None, home=Path(sys.argv[1])), terminal=False)
logs.hide("Zq8-Lw2+Ns7/Rt4=Uv6_Yx1?Bd3!Fh5")
for number in range(2000):
    structlog.get_logger("x").info("n", number=number)
thread = threading.Thread(target=lambda: 1 / 0, name="t")
thread.start(); thread.join()
raise RuntimeError("passphrase=hunter2 Zq8-Lw2+Ns7/Rt4=Uv6_Yx1?Bd3!Fh5")
"""


def test_everything_is_written_at_exit_and_what_nobody_caught_too(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert answer.returncode == 1
    lines = [json.loads(line) for line in (tmp_path / "logs" / "child.log").read_text().splitlines()]
    assert [line["number"] for line in lines if line["event"] == "n"] == list(range(2000))
    assert [line["event"] for line in lines[-2:]] == ["uncaught ZeroDivisionError", "uncaught RuntimeError"]
    assert "Traceback" in lines[-1]["exception"]
    assert "RuntimeError" in answer.stderr
    for text in (answer.stderr, lines[-1]["exception"]):
        assert "hunter2" not in text
        assert "Zq8-Lw2+Ns7" not in text


def test_it_adds_little_to_a_process() -> None:
    code = """
import asyncio, logging.handlers, msgspec
def kb():
    return int(next(line for line in open("/proc/self/status") if line.startswith("VmRSS")).split()[1])
before = kb()
import shared.logs
print(kb() - before)
"""
    added = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert int(added) < 20_000
