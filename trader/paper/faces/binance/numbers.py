"""Numbers as the venue writes them: text, mostly with a fixed number of decimals."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

from shared.clock import MILLISECOND
from trader.paper.contract import ContractSpec
from trader.paper.engine.money import text

#: Decimals of money, and at least of an average price.
MONEY_PLACES = 8
_AVERAGE_PLACES = 5
_WIDE = Context(prec=80)


def padded(value: Decimal, places: int) -> str:
    """At least ``places`` decimals; more when the number has them: nothing is rounded away."""
    written = text(value)
    whole, _, rest = written.partition(".")
    return f"{whole}.{rest.ljust(places, '0')}" if places else written


def rounded(value: Decimal, places: int = MONEY_PLACES) -> str:
    """Exactly ``places`` decimals: for quotients, which have no end of their own."""
    written = format(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN, _WIDE), "f")
    return written.removeprefix("-") if not value or not written.strip("-0.") else written


def money(value: Decimal) -> str:
    return padded(value, MONEY_PLACES)


def price(spec: ContractSpec, value: Decimal) -> str:
    return padded(value, spec.price_places)


def size(spec: ContractSpec, value: Decimal) -> str:
    return padded(value, spec.size_places)


def average(spec: ContractSpec, value: Decimal) -> str:
    return rounded(value, max(_AVERAGE_PLACES, spec.price_places))


def ms(ns: int) -> int:
    return ns // MILLISECOND
