"""Exact decimals between the venue's text and ours: strict when read, plain when written.

Nothing here rounds by accident: the arithmetic runs in a context that refuses inexact results.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
)

from shared import clock
from shared.domain.order import Side
from shared.errors import ProtocolError

#: Powers of ten that a number may span; far beyond every price and size, so that ``_EXACT`` has room.
MAX_MAGNITUDE = 30
_EXACT = Context(prec=100, traps=[InvalidOperation, DivisionByZero, Overflow, Inexact])
_NUMBER = re.compile(r"-?[0-9]{1,30}(?:\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?")
_STAMP = re.compile(r"[0-9]{13}")


def number(text: str, name: str) -> Decimal:
    """A decimal in the venue's text; :class:`ProtocolError` for anything else ("", NaN, blanks)."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise ProtocolError(f"{name} is not a number: {text[:40]!r}")
    value = Decimal(text)
    if match[1] and not -MAX_MAGNITUDE <= value.adjusted() <= MAX_MAGNITUDE:
        raise ProtocolError(f"{name} is not a number of this world: {text[:40]!r}")
    return value


def positive(text: str, name: str) -> Decimal:
    value = number(text, name)
    if value <= 0:
        raise ProtocolError(f"{name} is not above zero: {text[:40]!r}")
    return value


def unsigned(text: str, name: str) -> Decimal:
    value = number(text, name)
    if value < 0:
        raise ProtocolError(f"{name} is below zero: {text[:40]!r}")
    return value


def optional(text: str, name: str) -> Decimal | None:
    """A decimal, or None for "", the venue's "not set"."""
    return number(text, name) if text else None


def optional_price(text: str, name: str) -> Decimal | None:
    """A price, or None where the venue writes "", 0 or a negative number for "none"."""
    value = optional(text, name)
    return value if value is not None and value > 0 else None


def whole(text: str, name: str) -> int:
    """A whole number that may be written with decimals ("20", "20.0")."""
    value = number(text, name)
    if value != value.to_integral_value():
        raise ProtocolError(f"{name} is not a whole number: {text[:40]!r}")
    return int(value)


def stamp_ns(text: str, name: str) -> int:
    """UTC ns of milliseconds as text; "" = not set = 0."""
    if not text:
        return 0
    if _STAMP.fullmatch(text) is None:
        raise ProtocolError(f"{name} is not a time in milliseconds: {text[:40]!r}")
    return int(text) * clock.MILLISECOND


def plain(value: Decimal) -> str:
    """The decimal as venues want it: exact, no exponent, no trailing zeros."""
    if not value.is_finite():
        raise ValueError(f"not a number that can be sent: {value}")
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def negative(value: Decimal) -> Decimal:
    """The number with the other sign, exact to the last digit (unary minus rounds)."""
    return _EXACT.subtract(Decimal(0), value)


def total(values: Iterable[Decimal]) -> Decimal:
    """The exact sum."""
    result = Decimal(0)
    for value in values:
        result = _EXACT.add(result, value)
    return result


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return _EXACT.remainder(value, step) == 0


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value``."""
    return _to_multiple(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` that is not below ``value``."""
    return _to_multiple(value, step, ROUND_CEILING)


def nearest(value: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of ``step``, the even one at a tie."""
    return _to_multiple(value, step, ROUND_HALF_EVEN)


def passive_price(value: Decimal, tick: Decimal, side: Side) -> Decimal:
    """A limit price on the tick that never pays more than asked: a buy goes down, a sell up."""
    return floor_to(value, tick) if side is Side.BUY else ceil_to(value, tick)


def _to_multiple(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    if not step.is_finite() or step <= 0:
        raise ValueError(f"a step is above zero: {step}")
    rest = _EXACT.remainder(value, step)
    below = _EXACT.subtract(value, rest)
    if rest < 0:
        below, rest = _EXACT.subtract(below, step), _EXACT.add(rest, step)
    if rest == 0 or rounding == ROUND_FLOOR:
        return below
    above = _EXACT.add(below, step)
    if rounding == ROUND_CEILING:
        return above
    twice = _EXACT.add(rest, rest)
    if twice == step:
        even = _EXACT.remainder(_EXACT.divide_int(below, step), Decimal(2)) == 0
        return below if even else above
    return below if twice < step else above
