"""Logs: one JSON object a line in ``home/logs/<process>.log``, readable lines on a terminal.

Whoever logs pays for making a record and for putting it in a bounded queue, never for a disk: a
full queue drops the record and counts it. Redaction, JSON and writing happen in a thread. Code logs
through ``structlog.get_logger(__name__)`` (fields as keywords) or plain :mod:`logging`.
"""

from __future__ import annotations

import atexit
import logging
import logging.handlers
import os
import queue
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from shared import clock, files, redact
from shared.redact import hide

if TYPE_CHECKING:
    from shared.settings import Settings

__all__ = ["dropped", "flush", "hide", "setup", "shutdown"]

QUEUE = 10_000
MAX_TEXT = 16_384
"""Characters kept of one text of a record, after redaction."""
STOP_S = 5.0
#: Chatty at "info" about things that are no concern of ours.
QUIET = ("alembic", "asyncio", "httpcore", "httpx", "sqlalchemy", "urllib3", "watchdog")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_RESERVED = frozenset({"ts", "level", "event", "logger", "pid", "process", "exception"})


class _Entry(msgspec.Struct):
    """A record as the caller left it: nothing in it may change any more."""

    at_ns: int
    level: int
    logger: str
    event: str
    fields: Mapping[str, object]
    exception: str


class _Handler(logging.Handler):
    """Puts records into the queue; never waits, never raises."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: queue.Queue[_Entry | threading.Event | None] = queue.Queue(QUEUE)
        self.dropped = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.waiting.put_nowait(_entry(record))
        except queue.Full:
            self.dropped += 1
        except Exception:  # noqa: BLE001  (logging never harms who logs: counted)
            self.dropped += 1


def _entry(record: logging.LogRecord) -> _Entry:
    fields: dict[str, object] = {}
    exception = record.exc_info
    if isinstance(record.msg, dict):  # from structlog
        fields = dict(record.msg)
        event = _message(fields.pop("event", ""), None)
        given = fields.pop("exc_info", None)
        if given:
            exception = _exc_info(given)
    else:
        event = _message(record.msg, record.args)
    for name, value in vars(record).items():
        if name not in _STANDARD and not name.startswith("_"):
            fields[name] = value
    return _Entry(
        at_ns=clock.now_ns(),
        level=record.levelno,
        logger=record.name,
        event=event,
        fields={name: _still(value) for name, value in fields.items()},
        exception="".join(traceback.format_exception(*exception)) if exception and exception[0] else "",
    )


def _message(template: object, arguments: Any) -> str:
    """``template % arguments``; when they do not fit together, both one after the other."""
    try:
        return str(template) % arguments if arguments else str(template)
    except Exception:  # noqa: BLE001  (a wrong placeholder or a stranger's __str__ must not harm who logs)
        return f"{redact.data(template)} {redact.data(arguments)}"


def _positional(_logger: object, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog's way to take ``log.info("%s of %d", a, b)``, without ever raising."""
    arguments = fields.pop("positional_args", None)
    if arguments:
        single = len(arguments) == 1 and isinstance(arguments[0], Mapping) and arguments[0]
        fields["event"] = _message(fields.get("event"), single or arguments)
    return fields


def _exc_info(given: object) -> Any:
    if isinstance(given, BaseException):
        return type(given), given, given.__traceback__
    return given if isinstance(given, tuple) else sys.exc_info()


def _still(value: object) -> object:
    """A value that the thread may look at later: mutable ones are copied now."""
    if value is None or isinstance(value, (str, int, float, bytes, Decimal)):
        return value
    return redact.data(value)


class _Writer:
    """The thread that redacts and writes."""

    def __init__(self, process: str, handler: _Handler, file: logging.Handler, terminal: bool) -> None:
        self._process = process
        self._handler = handler
        self._file = file
        self.terminal = terminal
        self._told = 0
        self._encoder = msgspec.json.Encoder(enc_hook=str)
        self.failed = 0
        self.thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        while (entry := self._handler.waiting.get()) is not None:
            if isinstance(entry, threading.Event):
                entry.set()
                continue
            self._safely(entry)
            if self._handler.dropped != self._told:
                lost, self._told = self._handler.dropped - self._told, self._handler.dropped
                self._safely(
                    _Entry(
                        clock.now_ns(), logging.WARNING, "logs", "log records dropped", {"count": lost}, ""
                    )
                )

    def close(self) -> None:
        self._file.close()

    def _safely(self, entry: _Entry) -> None:
        try:
            self._write(entry)
        except Exception:  # noqa: BLE001  (a full disk or an odd value must not end the thread: counted)
            self.failed += 1

    def _write(self, entry: _Entry) -> None:
        level = logging.getLevelName(entry.level).lower()
        cleaned = redact.data(entry.fields)
        assert isinstance(cleaned, dict)
        fields = {f"{name}_" if name in _RESERVED else name: _cut(value) for name, value in cleaned.items()}
        event, exception = _cut(redact.text(entry.event)), _cut(redact.text(entry.exception))
        line: dict[str, object] = {"ts": stamp(entry.at_ns), "level": level, "event": event}
        line |= {"logger": redact.text(entry.logger), "process": self._process, "pid": os.getpid(), **fields}
        if exception:
            line["exception"] = exception
        text = self._encoder.encode(_encodable(line)).decode()
        self._file.emit(logging.makeLogRecord({"msg": text}))
        if self.terminal:
            shown = " ".join(f"{name}={_plain(value)}" for name, value in fields.items())
            sys.stderr.write(
                f"{stamp(entry.at_ns)[11:23]} {level:<7} {_plain(line['logger'])}: {_plain(event)}"
                f"{' ' if shown else ''}{shown}\n{_printable(str(exception))}"
            )
            sys.stderr.flush()


def _cut(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return value[:MAX_TEXT] + f" [{len(value) - MAX_TEXT} more characters cut]"
    return value


def _encodable(value: Any) -> Any:
    """Lone surrogates, which JSON in UTF-8 cannot carry, become question marks."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(name): _encodable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    return value


def _plain(value: object) -> str:
    """One line for a terminal: what others wrote can neither break it nor steer the terminal."""
    return _printable(str(value)).replace("\n", "\\n")


def _printable(text: str) -> str:
    return "".join(
        letter if letter.isprintable() or letter == "\n" else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def stamp(at_ns: int) -> str:
    """ISO 8601 with all nine digits, for example ``2026-11-20T03:53:00.123456789Z``."""
    return f"{clock.utc(at_ns):%Y-%m-%dT%H:%M:%S}.{at_ns % clock.SECOND:09d}Z"


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """Rotated by size, readable by its owner alone; a failed write is counted by the caller."""

    def _open(self) -> Any:
        os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, files.PRIVATE_FILE))
        return super()._open()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  (name of the base class)
        raise  # noqa: PLE0704  (called inside the except block of emit)


_handler: _Handler | None = None
_writer: _Writer | None = None


def setup(process: str, settings: Settings, *, terminal: bool | None = None) -> None:
    """Send everything this process logs to ``home/logs/<process>.log`` and, if wanted, the terminal.

    ``terminal=None`` means: when standard error is one. May be called again; the last call counts.
    """
    global _handler, _writer
    shutdown()
    folder = files.folder(files.make_home(settings.home) / "logs")
    file = _PrivateRotatingFile(
        folder / f"{process}.log",
        maxBytes=settings.log.max_bytes,
        backupCount=settings.log.backups,
        encoding="utf-8",
        delay=True,
    )
    level = getattr(logging, settings.log.level.upper())
    _handler = _Handler()
    _writer = _Writer(process, _handler, file, sys.stderr.isatty() if terminal is None else terminal)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(_handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.raiseExceptions = False  # else the library prints records, secrets and all, when one is malformed
    logging.lastResort = None  # and those that come after the end
    logging.captureWarnings(True)
    _configure_structlog()
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)
    atexit.unregister(shutdown)
    atexit.register(shutdown)


def _configure_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            _positional,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _uncaught(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
    """An exception that nobody caught: to the log, and redacted to standard error."""
    if error is None or issubclass(kind, (KeyboardInterrupt, SystemExit)):
        return
    logging.getLogger("uncaught").critical("uncaught %s", kind.__name__, exc_info=error)
    flush()
    if _writer is None or not _writer.terminal:
        sys.stderr.write(redact.text("".join(traceback.format_exception(kind, error, where))))


def flush(timeout_s: float = STOP_S) -> bool:
    """Wait until everything logged so far is written; ``False`` when that takes longer."""
    if _handler is None or _writer is None or not _writer.thread.is_alive():
        return True
    written = threading.Event()
    try:
        _handler.waiting.put(written, timeout=timeout_s)
    except queue.Full:
        return False
    return written.wait(timeout_s)


def shutdown() -> None:
    """Write what is queued and stop. Later records are lost until the next :func:`setup`."""
    global _handler, _writer
    handler, writer = _handler, _writer
    _handler = _writer = None
    if handler is None or writer is None:
        return
    logging.getLogger().removeHandler(handler)
    try:
        handler.waiting.put(None, timeout=STOP_S)
    except queue.Full:
        return
    writer.thread.join(STOP_S)
    writer.close()


def dropped() -> int:
    """Records lost since :func:`setup`, because the queue was full or they could not be written."""
    return (_handler.dropped if _handler else 0) + (_writer.failed if _writer else 0)
