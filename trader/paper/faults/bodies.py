"""Answers and pushes whose content is not what the documents promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from trader.paper.faults.dialect import Dialect
from trader.paper.faults.kinds import Kind, MalformedJson, NullPrice, TruncatedJson, UnknownEnum

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read(body: bytes) -> object:
    """The message, or ``None`` for what is none."""
    try:
        return _decode(body)
    except msgspec.DecodeError:
        return None


def write(message: object) -> bytes:
    return _encode(message)


def changed(kind: Kind, body: bytes, dialect: Dialect) -> bytes | None:
    """The body as the fault leaves it; ``None`` when it has nothing that the fault changes."""
    if isinstance(kind, MalformedJson):
        return body.replace(b",", b",,", 1) if b"," in body else body + b"}"
    if isinstance(kind, TruncatedJson):
        return body[: min(int(len(body) * kind.keep), max(0, len(body) - 1))]
    if isinstance(kind, UnknownEnum):
        names = frozenset([kind.field]) if kind.field else dialect.status_fields
        return _replaced(body, names, kind.value, dialect)
    if isinstance(kind, NullPrice):
        names = frozenset([kind.field]) if kind.field else dialect.price_fields
        return _replaced(body, names, None, dialect)
    return None


def _replaced(body: bytes, names: frozenset[str], value: str | None, dialect: Dialect) -> bytes | None:
    message = read(body)
    count = _walk(dialect.content(message), lambda row: _set(row, names, value))
    return write(message) if count else None


def _set(row: dict[str, Any], names: frozenset[str], value: str | None) -> int:
    found = [name for name in names & row.keys() if not isinstance(row[name], dict | list)]
    for name in found:
        row[name] = value
    return len(found)


def _walk(node: object, visit: Callable[[dict[str, Any]], int]) -> int:
    if isinstance(node, dict):
        return visit(node) + sum(_walk(child, visit) for child in node.values())
    if isinstance(node, list):
        return sum(_walk(child, visit) for child in node)
    return 0
