"""What a client sent, read one field at a time and tolerantly.

Clients differ (each seen from a real one): numbers instead of strings, null for "not given", upper-case
values, lower-case symbols, unknown extra fields. A missing field is 40019, a wrong one 40020.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from shared.clock import MILLISECOND
from trader.paper.engine.batch import Query
from trader.paper.faces.bitget.errors import refusal

PRODUCT = "USDT-FUTURES"
PRODUCTS = frozenset(
    {PRODUCT, "COIN-FUTURES", "USDC-FUTURES", "SUSDT-FUTURES", "SCOIN-FUTURES", "SUSDC-FUTURES"}
)
_LONGEST = 256

E = TypeVar("E", bound=StrEnum)
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_decode_list = msgspec.json.Decoder(list[dict[str, Any]], float_hook=Decimal).decode
#: Where the items of a body that is a list are kept.
_ITEMS = ""


class Params:
    """The query of a GET, or the JSON body of a POST."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @classmethod
    def of_query(cls, query: str) -> Params:
        return cls(dict(parse_qsl(query, keep_blank_values=True)) if query else {})

    @classmethod
    def of_body(cls, body: bytes) -> Params:
        """An empty body is an empty object; what is no JSON object is 40017."""
        if not body.strip():
            return cls({})
        try:
            return cls(_decode(body))
        except (msgspec.MsgspecError, RecursionError, ValueError, InvalidOperation):
            raise refusal("40017", "body") from None

    @classmethod
    def of_list(cls, body: bytes) -> Params:
        """A body that is a list of objects; what is none is 40017."""
        try:
            return cls.of_items(_decode_list(body))
        except (msgspec.MsgspecError, RecursionError, ValueError, InvalidOperation):
            raise refusal("40017", "body") from None

    @classmethod
    def of_items(cls, items: list[dict[str, Any]]) -> Params:
        return cls({_ITEMS: items})

    @property
    def items(self) -> list[Params]:
        """The objects of a body that is a list."""
        return [Params(item) for item in self._values[_ITEMS]]

    def over(self, item: Mapping[str, Any]) -> Params:
        """A member of a batch: what it does not say itself is said for all of them."""
        return Params({**self._values, **item})

    def brief(self, name: str) -> str:
        """What a client called its order, to name it in a refusal; never refused itself."""
        value = self._values.get(name)
        return value[:64] if isinstance(value, str) else ""

    def raw(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        """Numbers become their text; null and blanks are "not given"."""
        value = self._values.get(name)
        if value is None:
            return default
        if type(value) is str and len(value) <= _LONGEST:  # nearly always: what follows is for the rest
            return value.strip() or default
        if isinstance(value, Decimal):
            value = format(value, "f") if abs(value.adjusted()) < _LONGEST else "?"
        elif isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, int):
            value = str(value) if abs(value) < 10**_LONGEST else "?"
        if not isinstance(value, str) or len(value) > _LONGEST:
            raise refusal("40020", name)
        return value.strip() or default

    def need(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise refusal("40019", name)
        return value

    def decimal(self, name: str) -> Decimal | None:
        """A finite number, or ``None`` when it is not given."""
        value = self.text(name)
        return None if not value else _number(value, name)

    def price(self, name: str) -> Decimal | None:
        """A trigger or execute price: 0 means "not given"."""
        return self.decimal(name) or None

    def need_decimal(self, name: str) -> Decimal:
        return _number(self.need(name), name)

    def integer(self, name: str, default: int = 0) -> int:
        value = self.decimal(name)
        if value is None:
            return default
        if value != value.to_integral_value() or abs(value) > 10**30:
            raise refusal("40020", name)
        return int(value)

    def choice(self, name: str, kind: type[E], default: E | None = None) -> E:
        """One of an enum's values, whatever its case."""
        value = self.text(name).lower()
        if not value:
            if default is None:
                raise refusal("40019", name)
            return default
        try:
            return kind(value)
        except ValueError:
            raise refusal("40020", name) from None

    def flag(self, name: str) -> bool:
        """YES/NO, yes/no, true/false."""
        value = self.text(name, "no").lower()
        if value not in {"yes", "no", "true", "false"}:
            raise refusal("40020", name)
        return value in {"yes", "true"}

    def number(self, name: str) -> int:
        """An order id: decimal digits, 0 when it is not given."""
        value = self.text(name)
        if not value:
            return 0
        if not value.isascii() or not value.isdigit() or len(value) > 19 or int(value) >= 1 << 63:
            raise refusal("40402", value[:40])
        return int(value)

    def symbol(self, name: str = "symbol") -> str:
        return self.need(name).upper()

    def served(self) -> bool:
        """True for the product type that has contracts here; 40019/40020 for none and unknown ones."""
        product = self.need("productType").upper()
        if product not in PRODUCTS:
            raise refusal("40020", "productType")
        return product == PRODUCT

    def page(self, default: int = 100, most: int = 100) -> Query:
        """limit, idLessThan, startTime, endTime, symbol, orderId."""
        limit = self.integer("limit", default)
        since, until = self.integer("startTime"), self.integer("endTime")
        if limit < 1 or since < 0 or until < 0 or max(since, until) > 10**13:
            raise refusal("40020", "limit" if limit < 1 else "startTime")
        return Query(
            symbol=self.text("symbol").upper(),
            order_id=self.number("orderId"),
            before=self.number("idLessThan"),
            since_ns=since * MILLISECOND,
            until_ns=until * MILLISECOND,
            limit=min(limit, most),
        )


def _number(value: str, name: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise refusal("40020", name) from None
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise refusal("40020", name)
    return number
