"""Which dialect an account speaks."""

from __future__ import annotations

from shared.domain.account import Account, AccountKind
from shared.domain.instrument import Venue
from shared.errors import UsageError
from trader.venues.bitget.classic import CLASSIC
from trader.venues.bitget.unified import UNIFIED
from trader.venues.dialect import Dialect

DIALECTS: dict[tuple[Venue, AccountKind], Dialect] = {
    (Venue.BITGET, AccountKind.CLASSIC): CLASSIC,
    (Venue.BITGET, AccountKind.UNIFIED): UNIFIED,
}


def dialect_of(account: Account) -> Dialect:
    """Raises ``UsageError`` for a kind of account that no dialect speaks."""
    found = DIALECTS.get((account.venue, account.kind))
    if found is None:
        raise UsageError(f"no account of kind {account.kind.value} can be traded at {account.venue.value}")
    return found
