"""Client order ids: a pure function of the order's cause, so that a restart makes the same id."""

from __future__ import annotations

import hashlib
import string
import zlib

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PREFIX_LENGTH = 4
_HASH_LENGTH = 24
_CHECK_LENGTH = 2
LENGTH = PREFIX_LENGTH + _HASH_LENGTH + _CHECK_LENGTH
_LETTERS = frozenset(ALPHABET)


def base62(number: int, length: int) -> str:
    """The last ``length`` base-62 digits of a number, most significant first."""
    digits = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(ALPHABET[rest])
    return "".join(reversed(digits))


def listing_cause(notice_key: str, symbol: str) -> str:
    """The cause of every order that one coin of a notice leads to: the trader writes it, pages look it up."""
    return f"listing:{notice_key}:{symbol}"


def client_id(prefix: str, account_id: int, cause: str, leg: int, step: str, *, attempt: int = 0) -> str:
    """``prefix`` (this installation, 4 characters) + 24 base-62 digits of a hash of the cause + 2 of a check.

    30 characters of ``[0-9a-zA-Z]``: inside every venue's limit. ``cause`` is source-independent
    (for example ``listing:upbit:330345227:NMR``); ``attempt`` grows only for protection and
    closing orders whose predecessor is proven absent: an entry is never sent twice.
    """
    if len(prefix) != PREFIX_LENGTH or any(letter not in ALPHABET for letter in prefix):
        raise ValueError(f"an installation prefix is {PREFIX_LENGTH} of [0-9a-zA-Z]: {prefix!r}")
    text = f"{account_id}\x1f{cause}\x1f{leg}\x1f{step}\x1f{attempt}"
    digest = hashlib.blake2b(text.encode(), digest_size=20, person=b"kestrel-order").digest()
    body = prefix + base62(int.from_bytes(digest, "big"), _HASH_LENGTH)
    return body + _check(body)


def installation_of(client_id: str) -> str:
    """The prefix of the installation that made an id, "" for an id that no Kestrel made.

    The check digits tell ours from others of the same form: one in 3844 of those passes for ours.
    """
    if len(client_id) != LENGTH or not _LETTERS.issuperset(client_id):
        return ""
    body = client_id[:-_CHECK_LENGTH]
    return body[:PREFIX_LENGTH] if client_id.endswith(_check(body)) else ""


def _check(body: str) -> str:
    return base62(zlib.crc32(body.encode("ascii")), _CHECK_LENGTH)
