"""Coins that are traded by the thousand or million, under one name that is the same at every venue.

The base coin ``1000PEPE`` is PEPE with multiplier 1000, ``1MBABYDOGE`` is BABYDOGE with 1,000,000. Only
1000, 10000, 100000, 1000000 and 1M count as multipliers, so ``1INCH`` is a coin's own name.
"""

from __future__ import annotations

import re

_MULTIPLIER = re.compile(r"(1000|10000|100000|1000000|1M)([A-Z][0-9A-Z]*)")


def base_coin(ticker: str) -> tuple[str, int]:
    """The coin of a contract's base ticker and how many of it one unit is.

    A coin that is itself called, say, 1000X would be read as a thousand X; venues mark the two
    alike, so the caller must know the coin by its listing, not by this.
    """
    match = _MULTIPLIER.fullmatch(ticker)
    if match is None:
        return ticker, 1
    return match[2], 1_000_000 if match[1] == "1M" else int(match[1])
