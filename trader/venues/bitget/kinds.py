"""Which kind of account a Bitget key belongs to: the venue answers each kind on its own paths only.

A classic key is refused on v3 with 40084, a unified key on v2 with 40085, both before the signature is
looked at.
"""

from __future__ import annotations

from shared.domain.account import AccountKind
from shared.errors import VenueRefusedError
from trader.venues.bitget import requests
from trader.venues.bitget.answers import check
from trader.venues.bitget.unified import requests as unified
from trader.venues.dialect import Ask

IS_CLASSIC = frozenset({"40084", "25245"})
IS_UNIFIED = "40085"


async def probe(ask: Ask) -> AccountKind:
    """Ask until one of the two is certain. Raises ``VenueRefusedError`` for a key that neither takes."""
    answer = await ask(unified.settings())
    try:
        check(answer.body, answer.status)
    except VenueRefusedError as refusal:
        if refusal.code in IS_CLASSIC:
            return AccountKind.CLASSIC
    else:
        return AccountKind.UNIFIED
    answer = await ask(requests.accounts())
    try:
        check(answer.body, answer.status)
    except VenueRefusedError as refusal:
        if refusal.code == IS_UNIFIED:
            return AccountKind.UNIFIED
        raise
    return AccountKind.CLASSIC
