"""Exact decimal arithmetic.

Products and sums are exact: the context traps ``Inexact``, so a silent rounding is impossible.
Quotients are rounded half-even to 16 places (:data:`QUANTUM`); whoever divides books the rounded
part and keeps the remainder, so that nothing appears or vanishes.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow

_EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow])
_ROUNDED = Context(prec=80, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Overflow])

ZERO = Decimal(0)
ONE = Decimal(1)
QUANTUM = Decimal("1e-16")

#: Nothing on this exchange is larger; keeps every product inside the exact context.
LARGEST = Decimal("1e18")
#: More decimals than any filter admits: longer numbers are refused at the door.
MOST_DIGITS = 24

times = _EXACT.multiply
plus = _EXACT.add
minus = _EXACT.subtract
negated = Decimal.copy_negate


def divided(numerator: Decimal, denominator: Decimal) -> Decimal:
    """The quotient, rounded half-even to :data:`QUANTUM`."""
    return _ROUNDED.quantize(_ROUNDED.divide(numerator, denominator), QUANTUM)


def share(whole: Decimal, part: Decimal, total: Decimal) -> Decimal:
    """``whole * part / total``: exact when ``part == total``, else rounded to :data:`QUANTUM`."""
    if part == total:
        return whole
    return divided(_EXACT.multiply(whole, part), total)


def to_step(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` that is not above ``value`` (both positive)."""
    return _EXACT.multiply((value / step).to_integral_value(ROUND_DOWN), step)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    return not value % step


def decimals(value: Decimal) -> int:
    """Digits after the point, trailing zeros not counted."""
    exponent = value.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) and exponent < 0 else 0


def text(value: Decimal) -> str:
    """Plain digits: no exponent, no trailing zeros, no minus zero."""
    if not value:
        return "0"
    written = str(value)
    if "E" in written:
        written = format(value, "f")
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return written
