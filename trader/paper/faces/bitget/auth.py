"""Who asks, and is it really them: the venue's headers, clock window and signature.

Signature = base64(HMAC-SHA256(secret, timestamp + METHOD + path[?query] + body)). Clients differ in what
they sign: the server tries the path and query as received, then percent-decoded.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from urllib.parse import unquote_plus

from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind
from trader.paper.faces.bitget.errors import refusal
from trader.paper.wall import TRUE_WALL, Wall

WINDOW_MS = 30_000


def sign(secret: str, prehash: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), _bytes(prehash), "sha256")).decode()


def matches(secret: str, prehash: str, given: str) -> bool:
    return hmac.compare_digest(sign(secret, prehash).encode(), _bytes(given))


def _bytes(text: str) -> bytes:
    """As they came: header and request line can hold bytes that are no UTF-8."""
    return text.encode(errors="surrogateescape")


def authenticate(
    engine: Engine,
    headers: Mapping[str, str],
    method: str,
    path_query: str,
    body: bytes,
    *,
    wall: Wall = TRUE_WALL,
    kind: AccountKind = AccountKind.CLASSIC,
) -> Account:
    """The account of a signed request; refusals in the venue's own order of checks.

    ``path_query`` is what stood in the request line, ``kind`` the account that the call is for. A unified
    key on a classic path is 40085 whatever it signed; a classic key on a v3 path must be right first, then
    it is 40084.
    """
    key = headers.get("ACCESS-KEY")
    if not key:
        raise refusal("40001")
    given = headers.get("ACCESS-SIGN")
    if given is None:
        raise refusal("40002")
    if not given:
        raise refusal("40003")
    stamp = headers.get("ACCESS-TIMESTAMP", "")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 16:
        raise refusal("40005")
    passphrase = headers.get("ACCESS-PASSPHRASE")
    if not passphrase:
        raise refusal("40011")
    account = engine.by_key(key, AccountKind.CLASSIC, AccountKind.UNIFIED)
    if account is None:
        raise refusal("40006")
    record = account.record
    if not hmac.compare_digest(record.passphrase.encode(), _bytes(passphrase)):
        raise refusal("40012")
    if abs(wall.now_ms() - int(stamp)) > WINDOW_MS:
        raise refusal("40008")
    if kind is AccountKind.CLASSIC:
        check_kind(account, kind)
    text = _text(body)
    prehash = f"{stamp}{method}{path_query}{text}"
    if not matches(record.secret, prehash, given):
        decoded = f"{stamp}{method}{unquote_plus(path_query)}{text}"
        if decoded == prehash or not matches(record.secret, decoded, given):
            raise refusal("40009")
    check_kind(account, kind)
    return account


def check_kind(account: Account, kind: AccountKind) -> None:
    """Whether the account may make calls of that kind."""
    if account.record.kind is not kind:
        raise refusal("40085" if kind is AccountKind.CLASSIC else "40084")


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise refusal("40017", "body") from None
