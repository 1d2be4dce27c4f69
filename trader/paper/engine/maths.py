"""The venue's formulas for linear contracts, as pure functions.

E entry price, q size, M mark price, L leverage, r maintenance rate of the tier, f taker fee.
The tier is that of the entry value E q.
"""

from __future__ import annotations

from decimal import Decimal

from trader.paper.contract import ContractSpec
from trader.paper.engine.model import Position
from trader.paper.engine.money import ZERO, divided, share


def keep_margin_rate(spec: ContractSpec, value: Decimal) -> Decimal:
    """r of the tier that holds a position of this entry value."""
    rate = ZERO
    for tier in spec.tiers:
        rate = tier.keep_margin_rate
        if value <= tier.end:
            break
    return rate


def largest_value(spec: ContractSpec, leverage: int) -> Decimal | None:
    """The most a position may be worth at this leverage; ``None`` without tiers."""
    if not spec.tiers:
        return None
    return max((tier.end for tier in spec.tiers if tier.leverage >= leverage), default=ZERO)


def burden(spec: ContractSpec, position: Position) -> Decimal:
    """r + f: what must remain of the notional."""
    return keep_margin_rate(spec, position.open_value) + spec.taker_fee


def maintenance(spec: ContractSpec, position: Position, mark: Decimal) -> Decimal:
    """M q (r + f)."""
    return mark * position.size * burden(spec, position)


def isolated_liquidation(spec: ContractSpec, position: Position) -> Decimal:
    """Long (E q - margin) / (q (1 - r - f)), short (E q + margin) / (q (1 + r + f)); <= 0 is never."""
    keep = burden(spec, position)
    if position.sign > 0:
        return divided(position.open_value - position.margin, position.size * (1 - keep))
    return divided(position.open_value + position.margin, position.size * (1 + keep))


def crossed_liquidation(position: Position, mark: Decimal, room: Decimal) -> Decimal:
    """Estimate with every other mark standing still: long M - room / q, short M + room / q.

    ``room`` is the account's equity without its isolated margins, less the maintenance of all its
    crossed positions. Zero when the position cannot be liquidated.
    """
    distance = divided(room, position.size)
    return max(ZERO, mark - distance if position.sign > 0 else mark + distance)


def break_even(spec: ContractSpec, position: Position) -> Decimal:
    """Long (E + (openFee + fundingPaid) / q) / (1 - f), short (E - ...) / (1 + f).

    Fees and funding of the part that is still held; both are kept signed, negative = paid.
    """
    paid = -share(position.open_fee, position.size, position.opened_size) - position.funding
    per_coin = divided(paid, position.size)
    if position.sign > 0:
        return divided(position.entry + per_coin, 1 - spec.taker_fee)
    return divided(position.entry - per_coin, 1 + spec.taker_fee)
