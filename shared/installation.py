"""The four characters that mark this installation's orders on every exchange, made once."""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec

from shared import files
from shared.domain.ids import ALPHABET, PREFIX_LENGTH
from shared.errors import StartError


class Installation(msgspec.Struct, frozen=True):
    prefix: str


def prefix(home: Path) -> str:
    """The prefix of this home; made at the first call, the same for ever after.

    Two processes that call it at the same time get the same one. A damaged file raises
    :class:`StartError`: with another prefix the orders on the exchange would no longer be ours.
    """
    path = home.expanduser().resolve() / "installation.json"
    if not path.exists():
        files.make_home(home)
        fresh = Installation("".join(secrets.choice(ALPHABET) for _ in range(PREFIX_LENGTH)))
        files.write_atomic(path, msgspec.json.encode(fresh), replace=False)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Installation).prefix
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        found = ""
    if len(found) != PREFIX_LENGTH or any(letter not in ALPHABET for letter in found):
        raise StartError(
            f"{path} is damaged: put it back from a backup of this home, its orders carry its mark"
        )
    return found
