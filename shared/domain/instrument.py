"""Instruments: what can be traded, under one id that is the same on every venue."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec


class Venue(StrEnum):
    BITGET = "bitget"
    BINANCE = "binance"


class Market(StrEnum):
    SPOT = "spot"
    PERP = "perp"


class InstrumentStatus(StrEnum):
    """``TRADING`` alone admits entries; ``REDUCE_ONLY`` admits closing orders."""

    PENDING = "pending"
    TRADING = "trading"
    REDUCE_ONLY = "reduce_only"
    HALTED = "halted"
    GONE = "gone"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable symbol with the filters an order must pass.

    ``tick`` is the price step and ``step`` the size step (base coin). ``min_notional`` is in quote
    currency and does not bind closing orders. ``max_market_size`` 0 means "no limit known".
    ``fees`` are fractions of the notional (0.0006 = 6 basis points). ``multiplier`` is how many
    coins one unit of ``base`` stands for (1000 for 1000PEPE). Times are UTC nanoseconds, 0 = unset.
    """

    id: str
    venue: Venue
    market: Market
    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_size: Decimal
    min_notional: Decimal
    max_market_size: Decimal = Decimal(0)
    max_leverage: int = 1
    taker_fee: Decimal = Decimal(0)
    maker_fee: Decimal = Decimal(0)
    multiplier: int = 1
    status: InstrumentStatus = InstrumentStatus.TRADING
    open_ns: int = 0


def instrument_id(venue: Venue, market: Market, base: str, quote: str) -> str:
    """The canonical id, for example ``bitget:perp:BTC-USDT``."""
    return f"{venue.value}:{market.value}:{base}-{quote}"
