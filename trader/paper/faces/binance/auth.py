"""Who asks, and is it really them.

Signed text: the query followed by the body, exactly as sent, without the ``signature`` itself. HMAC-SHA256
keys sign in hex (either case), Ed25519 keys in base64. A request is timely while its ``timestamp`` is less
than a second ahead of the exchange's clock and at most ``recvWindow`` behind it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.params import Params
from trader.paper.wall import TRUE_WALL, Wall

KEY_HEADER = "X-MBX-APIKEY"
RECV_WINDOW_MS = 5_000
LONGEST_WINDOW_MS = 60_000
AHEAD_MS = 1_000

_KEY = re.compile(r"[0-9A-Za-z]{64}\Z")


def owner(engine: Engine, key: str | None) -> Account:
    """The account of an API key: -2014 for what looks like none, -2015 for one that is not known here."""
    if not key or not _KEY.match(key):
        raise refusal(-2014)
    account = engine.by_key(key, AccountKind.BINANCE)
    if account is None:
        raise refusal(-2015)
    return account


def timely(params: Params, wall: Wall = TRUE_WALL) -> None:
    """-1102 without a timestamp, -1021 when it is too far off, -1131 for a window that is too long."""
    stamp = params.need_integer("timestamp")
    window = params.integer("recvWindow", RECV_WINDOW_MS)
    if window > LONGEST_WINDOW_MS:
        raise refusal(-1131)
    if window <= 0:
        raise refusal(-1130, "recvWindow")
    now = wall.now_ms()
    if not (stamp < now + AHEAD_MS and now - stamp <= window):
        raise refusal(-1021)


def verify(account: Account, key: str, payload: bytes, signature: str) -> None:
    """-1022 unless ``signature`` is that of the account's ``key`` over ``payload``."""
    record = account.record
    if record.second_key and key == record.second_key:
        good = _ed25519(record.public_key, payload, signature)
    else:
        wanted = hmac.digest(record.secret.encode(), payload, "sha256").hex()
        good = hmac.compare_digest(wanted.encode(), signature.lower().encode(errors="surrogateescape"))
    if not good:
        raise refusal(-1022)


def _ed25519(public_key: str, payload: bytes, signature: str) -> bool:
    try:
        given = base64.b64decode(signature, validate=True)
        key = load_pem_public_key(public_key.encode())
    except (binascii.Error, ValueError):
        return False
    if not isinstance(key, Ed25519PublicKey):
        return False
    try:
        key.verify(given, payload)
    except InvalidSignature:
        return False
    return True


def authenticate(
    engine: Engine,
    headers: Mapping[str, str],
    query: str,
    body: bytes,
    params: Params,
    *,
    wall: Wall = TRUE_WALL,
) -> Account:
    """The account of a signed REST request; refusals in the venue's order of checks."""
    key = headers.get(KEY_HEADER, "")
    account = owner(engine, key)
    params.need_integer("timestamp")
    signature = params.need("signature")
    timely(params, wall)
    verify(account, key, signed_text(query, body), signature)
    return account


def signed_text(query: str, body: bytes) -> bytes:
    """Query and body as they came, less their ``signature=``."""
    raw = query.encode(errors="surrogateescape")
    return _without_signature(raw) + _without_signature(body)


def _without_signature(text: bytes) -> bytes:
    if b"signature=" not in text:
        return text
    return b"&".join(part for part in text.split(b"&") if not part.startswith(b"signature="))
