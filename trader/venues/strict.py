"""Reading what a venue sends: as documented, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from shared.errors import ProtocolError

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], data: bytes | memoryview | msgspec.Raw, what: str) -> T:
    """The typed form; :class:`ProtocolError` when the data has another."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ProtocolError(f"{what} cannot be read: {error}") from None


def word(table: Mapping[str, T], text: str, name: str) -> T:
    """The meaning of one of the venue's words; an unknown one is never guessed at."""
    try:
        return table[text]
    except KeyError:
        raise ProtocolError(f"{name} has a value that is not documented: {text[:40]!r}") from None
