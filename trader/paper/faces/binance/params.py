"""What a client sent, read one field at a time.

Over REST everything comes as text, in the query or as a form body, in any order; a name given in both
counts as the query has it. Over the websocket API values may be JSON numbers and booleans. A missing or
malformed field is -1102.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from trader.paper import shortids
from trader.paper.faces.binance.errors import refusal

_LONGEST = 256
_DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{0,20})?\Z")
_CLIENT_ID = re.compile(r"[.A-Za-z:/0-9_-]{1,36}\Z")
_MOST_MS = 10**15

E = TypeVar("E", bound=StrEnum)
_decode = msgspec.json.Decoder(Any, float_hook=Decimal).decode


class Params:
    """The parameters of one call."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @classmethod
    def of_request(cls, query: str, body: bytes) -> Params:
        """Query and form body together; -1102 when the body is no text."""
        values: dict[str, Any] = {}
        if body:
            try:
                values.update(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=1000))
            except ValueError:
                raise refusal(-1102, "body") from None
        if query:
            try:
                values.update(parse_qsl(query, keep_blank_values=True, max_num_fields=1000))
            except ValueError:
                raise refusal(-1102, "query") from None
        return cls(values)

    def item(self, values: Mapping[str, Any]) -> Params:
        """A member of a batch; what concerns the call as a whole is not passed on."""
        return Params(values)

    def has(self, name: str) -> bool:
        return bool(self.text(name))

    def raw(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        """Numbers and booleans become their text; null and blanks are "not given"."""
        value = self._values.get(name)
        if value is None:
            return default
        if type(value) is str and len(value) <= _LONGEST:
            return value.strip() or default
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) < _LONGEST:
            return format(value, "f")
        if isinstance(value, int) and abs(value) < 10**_LONGEST:
            return str(value)
        raise refusal(-1102, name)

    def need(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise refusal(-1102, name)
        return value

    def decimal(self, name: str) -> Decimal | None:
        """A plain decimal number, or ``None`` when it is not given."""
        value = self.text(name)
        if not value:
            return None
        if not value.isascii() or not _DECIMAL.match(value):
            raise refusal(-1102, name)
        try:
            return Decimal(value)
        except InvalidOperation:
            raise refusal(-1102, name) from None

    def need_decimal(self, name: str) -> Decimal:
        self.need(name)
        value = self.decimal(name)
        assert value is not None
        return value

    def integer(self, name: str, default: int = 0) -> int:
        value = self.text(name)
        if not value:
            return default
        digits = value.removeprefix("-")
        if not digits.isascii() or not digits.isdigit() or len(digits) > 19 or abs(int(value)) >= 1 << 63:
            raise refusal(-1102, name)
        return int(value)

    def id(self, name: str) -> int:
        """An order, algo order or trade, by the engine's number; 0 when it is not given."""
        return shortids.meant(self.integer(name))

    def need_integer(self, name: str) -> int:
        self.need(name)
        return self.integer(name)

    def flag(self, name: str, default: bool = False) -> bool:
        """true/false in any case."""
        value = self.text(name).lower()
        if not value:
            return default
        if value not in {"true", "false"}:
            raise refusal(-1102, name)
        return value == "true"

    def need_flag(self, name: str) -> bool:
        self.need(name)
        return self.flag(name)

    def choice(self, name: str, kind: type[E], code: int, default: E | None = None) -> E:
        """One of an enum's values; ``code`` refuses another one, -1102 a missing one."""
        value = self.text(name)
        if not value:
            if default is None:
                raise refusal(-1102, name)
            return default
        try:
            return kind(value)
        except ValueError:
            raise refusal(code, name) from None

    def symbol(self, name: str = "symbol") -> str:
        return self.need(name).upper()

    def client_id(self, name: str = "newClientOrderId") -> str:
        """A client's own id, "" when it gave none; -4015 when it is too long, -1100 for other letters."""
        value = self.text(name)
        if value and not _CLIENT_ID.match(value):
            raise refusal(-4015, name) if len(value) > 36 else refusal(-1100, name)
        return value

    def time(self, name: str) -> int:
        """UTC milliseconds, 0 when it is not given."""
        value = self.integer(name)
        if not 0 <= value <= _MOST_MS:
            raise refusal(-1102, name)
        return value

    def limit(self, default: int, most: int) -> int:
        """``limit``: at least 1 (-1130 below), never more than ``most``."""
        value = self.integer("limit", default)
        if value < 1:
            raise refusal(-1130, "limit")
        return min(value, most)

    def list_of(self, name: str) -> list[Any]:
        """A JSON list as text (REST) or as it is (websocket); -1102 for what is none."""
        value = self._values.get(name)
        if isinstance(value, str):
            try:
                value = _decode(value)
            except (msgspec.MsgspecError, RecursionError, ValueError, InvalidOperation):
                raise refusal(-1102, name) from None
        if not isinstance(value, list) or not value:
            raise refusal(-1102, name)
        return value

    def only_one(self, names: Iterable[str]) -> str:
        """The name of the first of ``names`` that is given; -1102 when none is."""
        wanted = list(names)
        for name in wanted:
            if self.has(name):
                return name
        raise refusal(-1102, wanted[0])
