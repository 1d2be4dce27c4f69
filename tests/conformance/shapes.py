"""The shape of a JSON value: its keys and JSON types, never its values.

Written down compactly: ``"string"`` or ``"null|string"`` for scalars; an object is an object, a key that
not every sample has ends in ``?``; a list holds the shape of its items, one for a list of any length,
several for a row of fixed length (candles, depth levels); ``{"|": [..]}`` joins a container with others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

UNION = "|"


@dataclass
class Shape:
    """What was seen at one place: scalar types, and what objects, lists and rows there were made of."""

    scalars: set[str] = field(default_factory=set)
    objects: int = 0
    keys: dict[str, Shape] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    lists: int = 0
    items: Shape | None = None
    row: list[Shape] | None = None

    def optional(self, key: str) -> bool:
        return self.counts[key] < self.objects

    @property
    def containers(self) -> set[str]:
        return ({"object"} if self.objects else set()) | ({"list"} if self.lists else set())


def of(values: Iterable[Any]) -> Shape:
    """The common shape of several values."""
    shape = Shape()
    for value in values:
        _see(shape, value, inside_list=False)
    return shape


def _see(shape: Shape, value: Any, *, inside_list: bool) -> None:
    if isinstance(value, dict):
        shape.objects += 1
        for key, item in value.items():
            shape.counts[key] = shape.counts.get(key, 0) + 1
            _see(shape.keys.setdefault(key, Shape()), item, inside_list=False)
    elif isinstance(value, list):
        shape.lists += 1
        if inside_list and value and not any(isinstance(item, dict | list) for item in value):
            shape.row = shape.row or []
            for at, item in enumerate(value):
                if at == len(shape.row):
                    shape.row.append(Shape())
                _see(shape.row[at], item, inside_list=True)
            return
        for item in value:
            shape.items = shape.items or Shape()
            _see(shape.items, item, inside_list=True)
    else:
        shape.scalars.add(scalar(value))


def scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    return "string" if isinstance(value, str) else "number"


def encode(shape: Shape) -> Any:
    """The compact form."""
    parts: list[Any] = []
    if shape.objects:
        parts.append({key + "?" * shape.optional(key): encode(shape.keys[key]) for key in sorted(shape.keys)})
    if shape.lists:
        if shape.row:
            parts.append([encode(item) for item in shape.row])
        else:
            parts.append([encode(shape.items)] if shape.items is not None else [])
    if not parts:
        return "|".join(sorted(shape.scalars))
    if not shape.scalars and len(parts) == 1:
        return parts[0]
    return {UNION: [*parts, *sorted(shape.scalars)]}


def decode(compact: Any) -> Shape:
    shape = Shape()
    if isinstance(compact, str):
        shape.scalars = set(compact.split("|"))
    elif isinstance(compact, list):
        shape.lists = 1
        if len(compact) > 1:
            shape.row = [decode(item) for item in compact]
        elif compact:
            shape.items = decode(compact[0])
    elif UNION in compact:
        for part in map(decode, compact[UNION]):
            shape.scalars |= part.scalars
            shape.lists += part.lists
            shape.objects += part.objects
            shape.items, shape.row = part.items or shape.items, part.row or shape.row
            shape.keys |= part.keys
            shape.counts |= part.counts
    else:
        shape.objects = 2
        for name, item in compact.items():
            key = name.removesuffix("?")
            shape.keys[key] = decode(item)
            shape.counts[key] = 1 if name.endswith("?") else 2
    return shape


def differences(wanted: Shape, found: Shape, path: str = "") -> Iterator[tuple[str, str]]:
    """(place, what) for everything in which the answers differ from the samples.

    ``missing`` a key of the samples that no answer has, ``sometimes`` one that every sample has but not
    every answer, ``extra`` a key that no sample has, ``type X`` a JSON type that no sample has, ``length N``
    a row of another length, ``empty`` a list that was to be filled and is not.
    """
    for kind in sorted((found.scalars | found.containers) - (wanted.scalars | wanted.containers)):
        yield path, f"type {kind}"
    if wanted.objects and found.objects:
        yield from _keys(wanted, found, path)
    if wanted.lists and found.lists:
        yield from _items(wanted, found, path)


def _keys(wanted: Shape, found: Shape, path: str) -> Iterator[tuple[str, str]]:
    for key in sorted(wanted.keys | found.keys):
        place = f"{path}.{key}" if path else key
        if key not in found.keys:
            yield place, "missing"
        elif key not in wanted.keys:
            yield place, "extra"
        else:
            if found.optional(key) and not wanted.optional(key):
                yield place, "sometimes"
            yield from differences(wanted.keys[key], found.keys[key], place)


def _items(wanted: Shape, found: Shape, path: str) -> Iterator[tuple[str, str]]:
    place = f"{path}[]"
    if wanted.row is not None:
        if found.row is None:
            yield place, "empty"
            return
        if len(found.row) != len(wanted.row):
            yield place, f"length {len(found.row)}"
        for at, (one, other) in enumerate(zip(wanted.row, found.row, strict=False)):
            yield from differences(one, other, f"{place}[{at}]")
    elif wanted.items is not None:
        if found.items is None and found.row is None:
            yield place, "empty"
        elif found.items is not None:
            yield from differences(wanted.items, found.items, place)
        else:
            yield place, "type row"
