"""Numbers and times as people read them. Nothing here rounds what is stored: only what is shown."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from shared import clock

THIN = "\u202f"
"""Narrow no-break space: groups thousands in every language without being taken for a decimal sign."""
MINUS = "\u2212"
NONE = "\u2014"

_DAY_S = 86_400
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _sign(value: Decimal, *, always: bool) -> str:
    if value < 0:
        return MINUS
    return "+" if always and value > 0 else ""


def _grouped(value: Decimal, places: int) -> str:
    return f"{abs(value):,.{places}f}".replace(",", THIN)


def amount(value: Decimal | None, places: int = 2, *, signed: bool = False) -> str:
    """Money: ``12 345.60``; with ``signed`` also ``+1.20``. What rounds to zero carries no sign."""
    if value is None:
        return NONE
    shown = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return _sign(shown, always=signed) + _grouped(shown, places)


def plain(value: Decimal | None) -> str:
    """Every digit that is stored, without an exponent or trailing zeros: sizes, exact values."""
    if value is None:
        return NONE
    text = f"{abs(value.normalize()):,f}".replace(",", THIN)
    return _sign(value, always=False) + text


def price(value: Decimal | None, tick: Decimal | None = None) -> str:
    """A price with the decimals of its tick, or six significant digits where the tick is not known."""
    if value is None:
        return NONE
    exponent = tick.normalize().as_tuple().exponent if tick is not None and tick > 0 else None
    if isinstance(exponent, int):
        places = max(0, -exponent)
    else:
        places = max(0, min(12, 5 - value.adjusted())) if value else 2
    return amount(value, places)


def percent(fraction: Decimal | None, places: int = 2, *, signed: bool = True) -> str:
    """``0.0123`` is ``+1.23 %``."""
    if fraction is None:
        return NONE
    return f"{amount(fraction * 100, places, signed=signed)}{THIN}%"


def direction(value: Decimal | None) -> str:
    """``up``, ``down`` or ``flat``: the class that gives a number its colour beside its sign."""
    if value is None or value == 0:
        return "flat"
    return "up" if value > 0 else "down"


def duration(ns: int) -> str:
    """A stage's length with three significant digits: ``41 µs``, ``1.24 ms``, ``2.30 s``."""
    size, unit = next(
        (
            (size, unit)
            for size, unit in ((1, "ns"), (1_000, "µs"), (1_000_000, "ms"))
            if abs(ns) < size * 1000
        ),
        (clock.SECOND, "s"),
    )
    value = ns / size
    places = 0 if unit == "ns" or abs(value) >= 100 else (1 if abs(value) >= 10 else 2)
    return f"{value:.{places}f}{THIN}{unit}"


def age(ns: int) -> str:
    """How long ago, coarse: ``now``, ``12 s ago``, ``4 min ago``, ``3 h ago``, ``2 d ago``."""
    seconds = ns // clock.SECOND
    if seconds < 1:
        return "now"
    return f"{span(ns)} ago"


def span(ns: int) -> str:
    """A length of time in its largest unit."""
    seconds = max(0, ns // clock.SECOND)
    for size, unit in ((_DAY_S, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size}{THIN}{unit}"
    return f"{seconds}{THIN}s"


def clock_time(ns: int, now_ns: int) -> str:
    """``14:03:05 UTC``, with the date when it is not today's."""
    moment, today = clock.utc(ns), clock.utc(now_ns)
    text = moment.strftime("%H:%M:%S UTC")
    return text if moment.date() == today.date() else f"{moment.strftime('%Y-%m-%d')} {text}"


def day(when: date, *, week_day: bool = True) -> str:
    """``Tue 22 Sep 2026``, the same in every locale."""
    text = f"{when.day} {_MONTHS[when.month - 1]} {when.year}"
    return f"{_DAYS[when.weekday()]} {text}" if week_day else text


def until(ns: int) -> str:
    """A countdown in words, in its two largest units: ``in 2 days 4 hours``, ``in 12 minutes``."""
    minutes = max(0, ns) // (60 * clock.SECOND)
    if minutes < 1:
        return "any moment now"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "day"), (hours, "hour"), (0 if days else minutes, "minute")]
    return "in " + " ".join(count(number, unit) for number, unit in parts if number)


def count(number: int, unit: str) -> str:
    """``1 week``, ``2 weeks``."""
    return f"{number} {unit}" if number == 1 else f"{_grouped(Decimal(number), 0)} {unit}s"


#: Powers of ten that a person reads at a glance; "bn" is 10⁹ and "tn" 10¹² in the language of markets.
_SCALES = ((Decimal(10) ** 12, "tn"), (Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "M"))


def scale(largest: Decimal) -> tuple[Decimal, str]:
    """What to divide by, and its name, so that a number of this size is short; thousands stay written out."""
    return next(((size, name) for size, name in _SCALES if abs(largest) >= size), (Decimal(1), ""))


def compact(value: Decimal | None, *, signed: bool = False) -> str:
    """A large size in three to four digits: ``24 310``, ``1.25 M``, ``−12.4 bn``."""
    if value is None:
        return NONE
    size, name = scale(value)
    shown = value / size
    if not name:
        places = 0 if abs(shown) >= 100 else 1
        return amount(shown, places, signed=signed)
    places = 2 if abs(shown) < 10 else 1 if abs(shown) < 100 else 0
    return f"{amount(shown, places, signed=signed)}{THIN}{name}"


def points(value: float | None, places: int = 1, *, signed: bool = False) -> str:
    """A percentage, index or score that is a float because nobody is paid by it."""
    return NONE if value is None else amount(Decimal(repr(value)), places, signed=signed)
