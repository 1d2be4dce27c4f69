"""The cells of a COT row, however they are printed: counts, dates, codes, names.

Each function raises :class:`~flows.sources.cot_reading.RowError` with a reason that names what it saw. A cell is
never guessed at: an empty one is not 0, and a code that lost its leading zero is not a code.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

from flows.sources.cot_reading import RowError, plain

FIRST_AS_OF = date(1986, 1, 1)
"""The oldest report in the CFTC's machine-readable history is of January 1986."""
FUTURES_ONLY = "futonly"
_COUNT = re.compile(r"(-?)(\d{1,12}|\d{1,3}(?:,\d{3}){1,3})(?:\.0+)?", re.ASCII)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?", re.ASCII)
_US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?: (?:12:00(?::00)? AM|0?0:00(?::00)?))?", re.ASCII)
_SHORT = re.compile(r"(\d{2})(\d{2})(\d{2})", re.ASCII)
_CODE = re.compile(r"[0-9A-Z]{5}[0-9A-Z+]", re.ASCII)


def contracts(text: str) -> int:
    """A number of contracts: ``  22315``, ``22,315``, ``22315.0``.

    Spreadsheets write the last two; a negative one is read as it stands and refused with its row.
    """
    bare = text.strip()
    if bare.isascii() and bare.isdigit() and len(bare) <= 12:
        return int(bare)
    match = _COUNT.fullmatch(bare)
    if match is not None:
        return int(match[1] + match[2].replace(",", ""))
    raise RowError(f"{plain(bare, 40)!r} is not a number of contracts" if bare else "is empty")


def json_contracts(value: object) -> int:
    """The same out of JSON, where Socrata writes a string, and a number would mean the same."""
    if isinstance(value, str):
        return contracts(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowError(f"{plain(repr(value), 40)} is not a number of contracts")
    if isinstance(value, float) and not value.is_integer():
        raise RowError(f"{value} is not a whole number of contracts")
    if abs(value) >= 10**12:
        raise RowError(f"{value:.3g} contracts cannot be")
    return int(value)


@lru_cache(4096)
def as_of(text: str) -> date:
    """A date with its century: ``2024-06-11``, with a midnight behind it, or ``6/11/2024``."""
    bare = text.strip()
    if match := _ISO.fullmatch(bare):
        return _date(bare, int(match[1]), int(match[2]), int(match[3]))
    if match := _US.fullmatch(bare):
        return _date(bare, int(match[3]), int(match[1]), int(match[2]))
    raise RowError(f"{plain(bare, 40)!r} is not an as-of date" if bare else "has no as-of date")


@lru_cache(4096)
def as_of_yymmdd(text: str) -> date:
    """``240611``; ``60613`` is 2006-06-13 after a spreadsheet dropped its zero."""
    bare = text.strip()
    match = _SHORT.fullmatch(bare.zfill(6)) if len(bare) >= 3 else None
    if match is None:
        raise RowError(f"{plain(bare, 40)!r} is not an as-of date (YYMMDD)" if bare else "has no as-of date")
    year = int(match[1])
    return _date(bare, year + (1900 if year >= 86 else 2000), int(match[2]), int(match[3]))


@lru_cache(4096)
def code(text: str) -> str:
    """A contract market code: six characters, letters and a final ``+`` among them."""
    bare = text.strip()
    if _CODE.fullmatch(bare) is None:
        raise RowError(f"{plain(bare, 40)!r} is not a contract market code" if bare else "has no market code")
    return bare


@lru_cache(4096)
def name(text: str) -> str:
    """A market's name on one line, spaces collapsed (the CFTC prints some of them twice)."""
    return " ".join(plain(text, 200).split())


def futures_only(text: str) -> None:
    """``FutOnly``; the combined report counts options too and must not be mixed in."""
    if text.strip().casefold() != FUTURES_ONLY:
        raise RowError(f"{plain(text, 40)!r} and not FutOnly: only the futures-only report is used")


def _date(text: str, year: int, month: int, day: int) -> date:
    try:
        found = date(year, month, day)
    except ValueError:
        raise RowError(f"{plain(text, 40)!r} is not in the calendar") from None
    if found < FIRST_AS_OF:
        raise RowError(f"as of {found}, before there were reports")
    return found
