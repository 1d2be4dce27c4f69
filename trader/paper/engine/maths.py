"""The venue's formulas for linear contracts, as pure functions.

E entry price, q size, M mark price, L leverage, r maintenance rate of the tier, f taker fee.
The tier is that of the entry value E q.
"""

from __future__ import annotations

from decimal import Decimal

from trader.paper.contract import ContractSpec
from trader.paper.engine.model import Position
from trader.paper.engine.money import ZERO, divided, share, to_step


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


def kept_size(spec: ContractSpec, position: Position) -> Decimal:
    """What a liquidation leaves of a position: as much as the next lower tier holds, in whole steps.

    Zero in the first tier (and when the rest would be below the minimum size): it goes whole.
    """
    lower = ZERO
    for tier in spec.tiers:
        if position.open_value <= tier.end:
            break
        lower = tier.end
    if not lower:
        return ZERO
    kept = to_step(share(lower, position.size, position.open_value), spec.step)
    return kept if spec.min_size <= kept < position.size else ZERO


def is_due(position: Position, price: Decimal, mark: Decimal) -> bool:
    """A long is due at or below its liquidation price, a short at or above it."""
    return mark <= price if position.sign > 0 else mark >= price


def lacking_margin(spec: ContractSpec, position: Position, mark: Decimal) -> Decimal:
    """What an isolated position lacks of the margin that carries it at this mark; negative = spare.

    Margin + unrealised profit must exceed M q (r + f): the same border as the liquidation price.
    """
    return maintenance(spec, position, mark) - position.unrealised(mark) - position.margin
