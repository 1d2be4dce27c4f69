"""Folders and files of ``KESTREL_HOME``: made with the right mode, written all or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

#: Others may pass through (an unprivileged Postgres account must), but not look around.
PASSABLE = 0o711
PRIVATE = 0o700
PRIVATE_FILE = 0o600


def folder(path: Path, mode: int = PRIVATE) -> Path:
    """Make ``path`` and what is missing above it; the mode of what existed before stays as it is.

    Missing folders above become :data:`PASSABLE`, ``path`` itself gets ``mode``, whatever the umask.
    """
    if path.is_dir():
        return path
    if not path.parent.is_dir():
        folder(path.parent, PASSABLE)
    try:
        path.mkdir(PRIVATE)
    except FileExistsError:  # another process of the same home was faster
        if path.is_dir():
            return path
        raise
    path.chmod(mode)
    return path


def make_home(home: Path) -> Path:
    """``KESTREL_HOME`` as an absolute path without links, made if it was not there."""
    return folder(home.expanduser().resolve(), PASSABLE)


def write_atomic(path: Path, data: bytes, mode: int = PRIVATE_FILE, *, replace: bool = True) -> bool:
    """Write a file that is either whole or absent, on disk when this returns.

    With ``replace=False`` an existing file stays and the answer is ``False``: of two processes
    that make the same file at the same time exactly one wins.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            temporary.replace(path)
        else:
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return True


def sync_folder(path: Path) -> None:
    """Bring names made or renamed in a folder to disk."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
