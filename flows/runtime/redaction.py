"""Secrets out of what Prefect's processes print and log, and out of what reaches Prefect's database.

A log record goes two ways: to standard error, which ``kestrel`` keeps in ``home/logs/NAME.out``, and over the API
into Prefect's database. :class:`Filter` (named in ``logging.yml``) cleans it before either; :func:`install`
cleans what is printed beside the logs; :mod:`flows.runtime.gate` is the last line, in the server.
"""

from __future__ import annotations

import atexit
import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator
from typing import TextIO
from urllib.parse import urlsplit

from shared import redact, settings

_MARK = "_cleaned"
PREFECT_SECRETS = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_AUTH_STRING")


class Filter(logging.Filter):
    """Replaces secrets in a record's text and exception; drops nothing."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, _MARK):
            record.msg, record.args = redact.text(_message(record)), None
            if record.exc_info and record.exc_info[0] is not None:
                record.exc_text = redact.text("".join(traceback.format_exception(*record.exc_info)).rstrip())
                record.exc_info = None
            setattr(record, _MARK, True)
        return True


def _message(record: logging.LogRecord) -> str:
    """The finished text; when template and arguments do not fit together, both one after the other."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return f"{record.msg} {record.args}"


class Cleaned(io.TextIOBase):
    """A text stream that passes whole lines on without their secrets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rest = ""

    def write(self, text: str) -> int:
        head, newline, self._rest = (self._rest + text).rpartition("\n")
        if newline:
            self._stream.write("".join(f"{redact.text(line)}\n" for line in head.split("\n")))
            self._stream.flush()
        return len(text)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """The last line, when nothing ended it."""
        if self._rest:
            self._stream.write(redact.text(self._rest))
            self._rest = ""
        self._stream.flush()

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding


def secrets(home_settings: settings.Settings) -> Iterator[str]:
    """All that this installation must keep to itself and that a Prefect process could come across."""
    yield from settings.secrets(home_settings)
    for name in PREFECT_SECRETS:
        value = os.environ.get(name, "")
        inner = urlsplit(value).password if "://" in value else value.partition(":")[2]
        yield from (part for part in (value, inner) if part)
    for file in (
        home_settings.home / "postgres" / "password",
        home_settings.home / "prefect" / "database.password",
    ):
        if file.is_file():
            yield file.read_text().strip()


def install() -> settings.Settings:
    """The first thing a process of Prefect's does here; its settings."""
    found = settings.load()
    for secret in secrets(found):
        if settings.worth_hiding(secret):
            redact.hide(secret)
    sys.stdout, sys.stderr = Cleaned(sys.stdout), Cleaned(sys.stderr)
    atexit.register(sys.stdout.close)
    atexit.register(sys.stderr.close)
    return found
