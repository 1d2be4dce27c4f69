"""What the path of a stream socket asks for.

/ws   /ws/btcusdt@aggTrade/btcusdt@depth   /market/ws/0   /public/stream?streams=a/b
/ws/<listenKey>   /private/ws?listenKey=<listenKey>&events=ORDER_TRADE_UPDATE/ACCOUNT_UPDATE
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote

import msgspec

from trader.paper.faces.binance.streamnames import PREFIXES, Prefix

#: For the server's router; what is inside is read below.
ROUTES = tuple(
    path
    for prefix in PREFIXES
    for base in (f"/{prefix}/ws" if prefix else "/ws", f"/{prefix}/stream" if prefix else "/stream")
    for path in (base, base + "/{inside:.*}")
)
_MOST_FIELDS = 100


class Wanted(msgspec.Struct, frozen=True):
    """``names`` are streams and listen keys to begin with, ``events`` what is wanted of user data ([] = all)."""

    prefix: Prefix
    combined: bool
    names: tuple[str, ...]
    events: frozenset[str]


def read(raw_path: str) -> Wanted | None:
    """``None`` for a path that is not served."""
    path, _, query = raw_path.partition("?")
    parts = [unquote(part) for part in path.split("/")[1:]]
    prefix = next((one for one in PREFIXES if one and parts[0] == one), PREFIXES[0])
    if prefix:
        parts = parts[1:]
    if not parts or parts[0] not in ("ws", "stream"):
        return None
    combined, inside = parts[0] == "stream", _named(parts[1:])
    if combined and inside:
        return None
    try:
        fields = dict(parse_qsl(query, max_num_fields=_MOST_FIELDS))
    except ValueError:
        return None
    named = [*inside, *_named(fields.get("streams", "").split("/")), *_named([fields.get("listenKey", "")])]
    events = frozenset(_named(fields.get("events", "").split("/")))
    return Wanted(prefix, combined, tuple(dict.fromkeys(named)), events)


def _named(parts: Iterable[str]) -> list[str]:
    """Without blanks and without the number that some clients give to their connections."""
    return [part for part in parts if part and not (part.isascii() and part.isdigit() and len(part) < 6)]
