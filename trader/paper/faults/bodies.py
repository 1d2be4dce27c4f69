"""Answers and pushes whose content is not what the documents promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trader.paper.faults.kinds import Kind, MalformedJson, NullPrice, TruncatedJson, UnknownEnum

_STATUS_FIELDS = frozenset({"status", "state", "symbolStatus", "orderStatus", "planStatus"})
_PRICE_FIELDS = frozenset(
    {
        "price", "priceAvg", "lastPr", "markPrice", "openPriceAvg", "fillPrice", "triggerPrice", "bidPr", "askPr"
    }
)  # fmt: skip

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> dict[str, Any] | None:
    """A JSON object, or ``None`` for anything else."""
    try:
        message = _decode(body)
    except msgspec.DecodeError:
        return None
    return message if isinstance(message, dict) else None


def write(message: object) -> bytes:
    return _encode(message)


def changed(kind: Kind, body: bytes) -> bytes | None:
    """The body as the fault leaves it; ``None`` when it has nothing that the fault changes."""
    if isinstance(kind, MalformedJson):
        return body.replace(b",", b",,", 1) if b"," in body else body + b"}"
    if isinstance(kind, TruncatedJson):
        return body[: min(int(len(body) * kind.keep), max(0, len(body) - 1))]
    if isinstance(kind, UnknownEnum):
        return _replaced(body, frozenset([kind.field]) if kind.field else _STATUS_FIELDS, kind.value)
    if isinstance(kind, NullPrice):
        return _replaced(body, frozenset([kind.field]) if kind.field else _PRICE_FIELDS, None)
    return None


def _replaced(body: bytes, names: frozenset[str], value: str | None) -> bytes | None:
    message = read(body)
    if message is None:
        return None
    count = _walk(message.get("data"), lambda row: _set(row, names, value))
    return write(message) if count else None


def _set(row: dict[str, Any], names: frozenset[str], value: str | None) -> int:
    found = names & row.keys()
    for name in found:
        row[name] = value
    return len(found)


def _walk(node: object, visit: Callable[[dict[str, Any]], int]) -> int:
    if isinstance(node, dict):
        return visit(node) + sum(_walk(child, visit) for child in node.values())
    if isinstance(node, list):
        return sum(_walk(child, visit) for child in node)
    return 0
