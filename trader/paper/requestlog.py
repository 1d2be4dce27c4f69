"""What arrived: the last requests and websocket frames with their stamps, and never a secret.

Headers (where key, signature and passphrase travel) are not kept at all. Bodies are shown parsed: fields with the name
of a secret and values that are some account's credential are blanked; what is neither JSON object nor form is told
by its size.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Set as AbstractSet
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec

MOST = 20_000
_LONGEST = 4096
_BLANK = "***"
_SECRET_NAMES = re.compile(r"key|sign|pass|secret|token", re.IGNORECASE)
_FORM = re.compile(rb"[\w.%+~*-]+=[\w.%+~*:,@/-]*(&[\w.%+~*-]+=[\w.%+~*:,@/-]*)*")
_WORD = re.compile(r"[A-Za-z0-9_]{12,}")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Arrival(msgspec.Struct, gc=False):
    """One request or frame. Stamps are UTC nanoseconds; ``answered_ns`` and ``status`` are 0 without an answer."""

    seq: int
    kind: Literal["rest", "ws"]
    method: str
    path: str
    account: int | None
    first_ns: int
    last_ns: int
    body: bytes
    size: int
    status: int = 0
    answered_ns: int = 0


class RequestLog:
    """A ring of the last 20,000."""

    def __init__(self) -> None:
        self._ring: deque[Arrival] = deque(maxlen=MOST)
        self._last = 0

    def add(
        self,
        kind: Literal["rest", "ws"],
        method: str,
        path: str,
        account: int | None,
        *,
        stamps: tuple[int, int],
        body: bytes,
    ) -> Arrival:
        self._last += 1
        size = len(body)
        kept = body if size <= _LONGEST else b""
        arrival = Arrival(self._last, kind, method, path[:_LONGEST], account, *stamps, kept, size)
        self._ring.append(arrival)
        return arrival

    def clear(self) -> int:
        count = len(self._ring)
        self._ring.clear()
        return count

    def rows(
        self, *, after: int, limit: int, path: str, account: int | None, secrets: AbstractSet[str]
    ) -> list[dict[str, object]]:
        """Oldest first, those after a ``seq``; ``path`` is exact or a beginning with ``*``."""
        found: list[dict[str, object]] = []
        for arrival in self._ring:
            if len(found) >= limit:
                break
            named = arrival.path.partition("?")[0]
            if arrival.seq <= after or account not in (None, arrival.account):
                continue
            if path and named != path and not (path.endswith("*") and named.startswith(path[:-1])):
                continue
            found.append(_row(arrival, secrets))
        return found


def _row(arrival: Arrival, secrets: AbstractSet[str]) -> dict[str, object]:
    return {
        "seq": arrival.seq,
        "kind": arrival.kind,
        "method": arrival.method,
        "path": _clean_path(arrival.path, secrets),
        "account": arrival.account,
        "status": arrival.status,
        "first_ns": arrival.first_ns,
        "last_ns": arrival.last_ns,
        "answered_ns": arrival.answered_ns,
        "size": arrival.size,
        "body": _clean_body(arrival.body, secrets),
    }


def _clean_path(path: str, secrets: AbstractSet[str]) -> str:
    path, mark, query = path.partition("?")
    if mark and (_SECRET_NAMES.search(query) or _words(query, secrets)):
        pairs = parse_qsl(query, keep_blank_values=True)
        query = urlencode([(name, _clean(name, value, secrets)) for name, value in pairs], safe="*")
    return _without(path, secrets) + mark + query


def _clean_body(body: bytes, secrets: AbstractSet[str]) -> object:
    if not body:
        return None
    try:
        return _clean("", _decode(body), secrets)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        if not _FORM.fullmatch(body):
            return None
        return _clean("", dict(parse_qsl(body.decode(), keep_blank_values=True)), secrets)


def _clean(name: str, value: Any, secrets: AbstractSet[str]) -> Any:
    if isinstance(value, dict):
        return {_without(key, secrets): _clean(key, item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(name, item, secrets) for item in value]
    if _SECRET_NAMES.search(name):
        return _BLANK
    return _without(value, secrets) if isinstance(value, str) else value


def _words(text: str, secrets: AbstractSet[str]) -> bool:
    return any(word in secrets for word in _WORD.findall(text))


def _without(text: str, secrets: AbstractSet[str]) -> str:
    return _WORD.sub(lambda word: _BLANK if word[0] in secrets else word[0], text)
