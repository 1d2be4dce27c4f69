"""Ids that fit into a double: Binance's are JSON numbers, and many clients read those as doubles.

The engine's ids are milliseconds shifted by 22 bits, of whose lower bits only :data:`SERIAL_BITS` are used; without
the unused ones an id stays below 2^53 until the year 2032. Order is kept.
"""

from __future__ import annotations

SHIFT = 22
SERIAL_BITS = 14
_SERIAL = (1 << SERIAL_BITS) - 1
_MOST = 1 << 53
_NOTHING = (1 << 63) - 1


def following(last: int) -> int:
    """The engine's next id after ``last``."""
    number = last + 1
    return number if number & ((1 << SHIFT) - 1) <= _SERIAL else ((last >> SHIFT) + 1) << SHIFT


def shown(number: int) -> int:
    """An engine's id as a client sees it."""
    return (number >> SHIFT << SERIAL_BITS) | (number & _SERIAL)


def meant(number: int) -> int:
    """The engine's id of one that a client names; 0 stays 0, what can be none becomes one that nothing has."""
    if number >= _MOST:
        return _NOTHING
    return (number >> SERIAL_BITS << SHIFT) | (number & _SERIAL) if number > 0 else number
