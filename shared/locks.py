"""Locks between processes (flock): a process that dies, however it dies, lets go of them."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared import clock, files
from shared.errors import StartError

SHARED = fcntl.LOCK_SH
EXCLUSIVE = fcntl.LOCK_EX
POLL_S = 0.02


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """The lock file, opened and not yet locked; closing it at the end lets go."""
    try:
        files.folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.PRIVATE_FILE)
    except PermissionError:
        raise StartError(f"{path} cannot be opened: this home belongs to another user") from None
    try:
        yield handle
    finally:
        os.close(handle)


def try_take(handle: int, kind: int) -> bool:
    """Take, or change to, this kind of lock now; ``False`` when others are in the way.

    A failed change lets go of what was held (that is flock's rule).
    """
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def take(handle: int, kind: int, timeout_s: float) -> bool:
    """Like :func:`try_take`, but wait; ``False`` when the time is up."""
    deadline = clock.monotonic_ns() + int(timeout_s * clock.SECOND)
    while not try_take(handle, kind):
        if clock.monotonic_ns() > deadline:
            return False
        time.sleep(POLL_S)
    return True
