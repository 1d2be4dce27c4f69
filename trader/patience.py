"""How long Postgres may keep a question waiting.

A machine that hangs, or a road that swallows everything, ends no connection: without this a task would wait for
its answer until the end of days. psycopg waits for a query even when the task is cancelled, so that
``asyncio.timeout`` does not help; only the end of its socket does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, Error

#: Seconds.
ANSWER_S = 10.0


@contextmanager
def answered(connection: AsyncConnection[Any], seconds: float = ANSWER_S) -> Iterator[None]:
    """The questions inside end with ``psycopg.OperationalError`` when they last longer, and the connection with them."""
    handle = asyncio.get_running_loop().call_later(seconds, _hang_up, connection)
    try:
        yield
    finally:
        handle.cancel()


def _hang_up(connection: AsyncConnection[Any]) -> None:
    with suppress(Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)
