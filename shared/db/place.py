"""Where the embedded server's data lies and as whom it runs.

The rule: in ``home/postgres``, as the user. Postgres refuses to run as root, so root lends it an
unprivileged account that exists; when that account cannot reach the home (below ``/root``, say),
the data goes to a folder of its own that is remembered in ``home/postgres/place``.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from pathlib import Path

import msgspec

from shared import files
from shared.db import binaries
from shared.db.binaries import Account
from shared.errors import DatabaseError

#: Used only by root, only for a home that the server's account cannot reach.
ELSEWHERE = Path("/var/lib/kestrel-data")
ACCOUNTS = ("postgres", "nobody", "daemon")
#: Postgres cuts paths at 1024 bytes; its own files need some of them.
LONGEST_PATH = 900


class Place(msgspec.Struct, frozen=True):
    """``room`` holds the data folder and copies of programs; ``account`` is ``None`` unless root."""

    room: Path
    account: Account | None

    @property
    def data(self) -> Path:
        return self.room / "data"


def find(home: Path) -> Place | None:
    """The place of a home whose server was made before, or ``None``. Changes nothing."""
    room = _remembered(home) or home / "postgres"
    data = room / "data"
    try:
        owner = data.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise _foreign(home) from None
    if os.geteuid() != 0:
        if owner.st_uid != os.geteuid():
            raise _foreign(home)
        return Place(room, None)
    if owner.st_uid == 0:
        raise DatabaseError(
            f"{data} belongs to root, under whom Postgres does not run: chown it to another account"
        )
    return Place(room, Account(owner.st_uid, owner.st_gid, _name(owner.st_uid)))


def choose(home: Path) -> Place:
    """The place for a new server of this home; makes its folder and remembers it."""
    own = files.folder(home / "postgres", files.PASSABLE)
    account = _unprivileged() if os.geteuid() == 0 else None
    remembered = _remembered(home)
    if remembered:
        raise DatabaseError(
            f"the database of this home should be in {remembered} but is not there: put it back, "
            f"or delete {own / 'place'} to begin with an empty one"
        )
    room = own
    if account and not binaries.reaches(account, own):
        mark = hashlib.blake2b(os.fsencode(home), digest_size=8).hexdigest()
        room = files.folder(ELSEWHERE / mark, files.PASSABLE)
        if not binaries.reaches(account, room):
            raise DatabaseError(
                f"{account.name} can reach neither {own} nor {room}: choose a KESTREL_HOME that other accounts can enter"
            )
        files.write_atomic(room / "home", os.fsencode(home))
        files.write_atomic(own / "place", os.fsencode(room))
    if len(os.fsencode(room)) > LONGEST_PATH:
        raise DatabaseError(f"KESTREL_HOME is too long for Postgres: use at most {LONGEST_PATH} bytes")
    return Place(room, account)


def _remembered(home: Path) -> Path | None:
    try:
        return Path(os.fsdecode((home / "postgres" / "place").read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError:
        raise _foreign(home) from None


def _foreign(home: Path) -> DatabaseError:
    return DatabaseError(
        f"the database in {home} belongs to another user: run as that user or choose another KESTREL_HOME"
    )


def _unprivileged() -> Account:
    everyone = {entry.pw_name: entry for entry in pwd.getpwall() if entry.pw_uid != 0}
    name = next((name for name in ACCOUNTS if name in everyone), next(iter(everyone), None))
    if name is None:
        raise DatabaseError(
            "Postgres does not run as root and there is no other account: set KESTREL_DATABASE_URL"
        )
    return Account(everyone[name].pw_uid, everyone[name].pw_gid, name)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
