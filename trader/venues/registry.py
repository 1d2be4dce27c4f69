"""Which dialect an account speaks, and where a venue's market data comes from."""

from __future__ import annotations

from collections.abc import Callable

from shared.domain.account import Account, AccountKind
from shared.domain.instrument import Venue
from shared.errors import UsageError
from trader.venues.binance.market import BinanceMarket
from trader.venues.binance.usdm import Usdm
from trader.venues.bitget.classic import Classic
from trader.venues.bitget.market import BitgetMarket
from trader.venues.bitget.unified import Unified
from trader.venues.dialect import Dialect
from trader.venues.public import PublicSide

#: Made for each account: a dialect may remember facts about the one it speaks for.
DIALECTS: dict[tuple[Venue, AccountKind], Callable[[], Dialect]] = {
    (Venue.BITGET, AccountKind.CLASSIC): Classic,
    (Venue.BITGET, AccountKind.UNIFIED): Unified,
    (Venue.BINANCE, AccountKind.USDM): Usdm,
}
PUBLIC_SIDES: dict[Venue, Callable[[], PublicSide]] = {
    Venue.BITGET: BitgetMarket,
    Venue.BINANCE: BinanceMarket,
}


def dialect_of(account: Account) -> Dialect:
    """Raises ``UsageError`` for a kind of account that no dialect speaks."""
    found = DIALECTS.get((account.venue, account.kind))
    if found is None:
        raise UsageError(f"no account of kind {account.kind.value} can be traded at {account.venue.value}")
    return found()
