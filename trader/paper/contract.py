"""What a symbol of the paper exchange is: filters, fees, leverage tiers.

Sizes are in base coin, prices in quote currency, ratios and fees are fractions (0.0006 = 6 bp).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal

import msgspec

from shared.errors import UsageError

Market = Literal["futures", "spot"]
Side = Literal["buy", "sell"]

FUTURES: Market = "futures"
SPOT: Market = "spot"

_QUOTES = ("USDT", "USDC", "FDUSD", "USD", "EUR", "BTC", "ETH")
_SYMBOL = re.compile(r"[0-9A-Z]{2,40}\Z")


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the leverage ladder: positions worth ``start`` to ``end`` (quote currency)."""

    start: Decimal
    end: Decimal
    leverage: int
    keep_margin_rate: Decimal


class ContractSpec(msgspec.Struct, frozen=True, kw_only=True):
    """One symbol's rules.

    ``tick`` and ``step`` are the price and size steps; ``min_notional`` is in quote currency.
    ``buy_limit_ratio`` and ``sell_limit_ratio`` are the limit price band around the mark price.
    ``open_time_ms`` 0 means "trades since ever"; a later time than now means pre-open until then.
    ``multiplier`` is how many coins one unit of ``base`` stands for (1000 for 1000PEPE).
    """

    symbol: str
    market: Market
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    min_size: Decimal
    min_notional: Decimal = Decimal(5)
    max_market_size: Decimal = Decimal(1_000_000)
    max_size: Decimal = Decimal(10_000_000)
    taker_fee: Decimal = Decimal("0.0006")
    maker_fee: Decimal = Decimal("0.0002")
    min_leverage: int = 1
    max_leverage: int = 50
    tiers: tuple[Tier, ...] = ()
    funding_interval_h: int = 8
    buy_limit_ratio: Decimal = Decimal("0.05")
    sell_limit_ratio: Decimal = Decimal("0.05")
    open_time_ms: int = 0
    multiplier: int = 1

    @property
    def price_places(self) -> int:
        """Decimals of a price."""
        return places(self.tick)

    @property
    def size_places(self) -> int:
        """Decimals of a size."""
        return places(self.step)


def places(step: Decimal) -> int:
    """Decimals that ``step`` needs: 0.1 -> 1, 0.0050 -> 3, 10 -> 0."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def to_step(value: Decimal, step: Decimal) -> Decimal:
    """``value`` cut down to a multiple of ``step``, in plain notation with the step's decimals."""
    return Decimal(int(value / step)) * step


def split_symbol(symbol: str) -> tuple[str, str]:
    """``BTCUSDT`` -> (``BTC``, ``USDT``). ``UsageError`` for what is not a symbol."""
    if _SYMBOL.match(symbol):
        for quote in _QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return symbol[: -len(quote)], quote
    raise UsageError(f"{symbol!r} is not a symbol: give base and quote in capitals, for example BTCUSDT")


def tiers_for(max_leverage: int) -> tuple[Tier, ...]:
    """A ladder like the venue's: each step holds five times the value at about half the leverage.

    The maintenance rate of a step is half the initial margin at that step's leverage, with the
    venue's 0.4 % as the floor.
    """
    ladder: list[Tier] = []
    start, end, leverage = Decimal(0), Decimal(150_000), max_leverage
    while True:
        rate = max(Decimal("0.004"), (Decimal(1) / Decimal(2 * leverage)).quantize(Decimal("0.0001")))
        ladder.append(Tier(start=start, end=end, leverage=leverage, keep_margin_rate=rate))
        if leverage <= 1 or len(ladder) == 9:
            return tuple(ladder)
        start, end, leverage = end, end * 5, max(1, leverage // 2)


def default_spec(
    symbol: str,
    price: Decimal,
    *,
    market: Market = FUTURES,
    tick: Decimal | None = None,
    step: Decimal | None = None,
    max_leverage: int | None = None,
    funding_interval_h: int = 8,
    open_time_ms: int = 0,
) -> ContractSpec:
    """Plausible rules for a symbol of which only the price is known.

    A price has five to six digits (60000 -> tick 0.1, 2500 -> 0.01, 3.2 -> 0.0001), one size step
    is worth about 1 to 10 quote units (never more than one coin).
    """
    if not price.is_finite() or price <= 0:
        raise UsageError(f"{symbol}: the price must be a positive number, not {price}")
    base, quote = split_symbol(symbol)
    digits = price.adjusted()
    tick = tick or Decimal(1).scaleb(digits - (5 if digits >= 3 else 4))
    step = step or Decimal(1).scaleb(-max(0, digits))
    leverage = max_leverage or {"BTC": 125, "ETH": 100}.get(base, 50)
    spot = market == SPOT
    whole = max(step, Decimal(1))
    most = _plain(to_step(Decimal(50_000_000) / price, whole) or whole)
    return ContractSpec(
        symbol=symbol,
        market=market,
        base=base,
        quote=quote,
        tick=_plain(tick),
        step=_plain(step),
        min_size=_plain(step),
        min_notional=Decimal(1) if spot else Decimal(5),
        max_market_size=most,
        max_size=most * 10,
        taker_fee=Decimal("0.001") if spot else Decimal("0.0006"),
        maker_fee=Decimal("0.001") if spot else Decimal("0.0002"),
        max_leverage=1 if spot else leverage,
        tiers=() if spot else tiers_for(leverage),
        funding_interval_h=funding_interval_h,
        open_time_ms=open_time_ms,
    )


def _plain(value: Decimal) -> Decimal:
    """Without an exponent in its text: 1E+1 -> 10, 0.10 -> 0.1."""
    return Decimal(format(value.normalize(), "f"))
