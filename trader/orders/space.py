"""Room on the disk, reserved before it is needed.

``fallocate`` with ``KEEP_SIZE`` gives a file blocks beyond its end without making it longer: what is
appended later cannot be refused for want of space. Python has no call for it, so libc is asked. A file
system that cannot (NFS, some FUSE ones) reserves nothing; appends then fail when the disk is full, as before.
"""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

_KEEP_SIZE = 1
_UNABLE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})

_libc = ctypes.CDLL(None, use_errno=True)


def reserve(fd: int, size: int) -> bool:
    """Blocks for the first ``size`` bytes of a file; its length stays. False where that is impossible.

    Raises ``OSError`` (ENOSPC, EDQUOT) when there is not so much room.
    """
    call = getattr(_libc, "fallocate64", None) or getattr(_libc, "fallocate", None)
    if call is None:
        return False
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    while call(fd, _KEEP_SIZE, 0, size):
        error = ctypes.get_errno()
        if error in _UNABLE:
            return False
        if error != errno.EINTR:
            raise OSError(error, os.strerror(error))
    return True


def release(fd: int, size: int) -> None:
    """Give back what was reserved beyond the end of a file of ``size`` bytes."""
    os.ftruncate(fd, size)


def free_bytes(folder: Path) -> int:
    """What ordinary users may still write to the disk of a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
