"""Leverage brackets: the contract's tiers in the venue's words."""

from __future__ import annotations

from decimal import Decimal

from trader.paper.contract import ContractSpec, Tier
from trader.paper.engine import maths

#: What may be held of a contract without tiers, in quote currency.
NO_TIERS = Decimal(1_000_000)


def ladder(spec: ContractSpec) -> tuple[Tier, ...]:
    """The contract's tiers; one for all sizes when it has none."""
    return spec.tiers or (
        Tier(
            start=Decimal(0),
            end=NO_TIERS,
            leverage=spec.max_leverage,
            keep_margin_rate=maths.keep_margin_rate(spec, Decimal(0)),
        ),
    )


def rows(spec: ContractSpec) -> list[dict[str, object]]:
    """``cum`` is what is taken off the maintenance, so that it is continuous where brackets meet."""
    kept = maths.brackets(spec) or [(tier, Decimal(0)) for tier in ladder(spec)]
    return [
        {
            "bracket": number,
            "initialLeverage": tier.leverage,
            "notionalCap": int(tier.end),
            "notionalFloor": int(tier.start),
            "maintMarginRatio": float(tier.keep_margin_rate),
            "cum": float(off),
        }
        for number, (tier, off) in enumerate(kept, 1)
    ]


def largest(spec: ContractSpec, leverage: int) -> Decimal:
    """``maxNotionalValue``: what may be held at this leverage."""
    most = maths.largest_value(spec, leverage)
    return NO_TIERS if most is None else most
