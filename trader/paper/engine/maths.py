"""The venue's formulas for linear contracts, as pure functions.

E entry price, q size, M mark price, L leverage, r maintenance rate of the tier, f taker fee, s +1 for a long
and -1 for a short. The tier is that of the entry value E q; for positions kept by bracket that of the
notional, and their formulas have no fee (``Position.upkeep``).
"""

from __future__ import annotations

from decimal import Decimal

from trader.paper.contract import ContractSpec, Tier
from trader.paper.engine.model import Position, Upkeep
from trader.paper.engine.money import ZERO, divided, minus, plus, share, times, to_step


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


def brackets(spec: ContractSpec) -> list[tuple[Tier, Decimal]]:
    """Each tier with what is taken off its maintenance, so that it is continuous where tiers meet.

    The first takes off nothing, each later one what the one before did, and start (r - r before).
    """
    found: list[tuple[Tier, Decimal]] = []
    off, before = ZERO, ZERO
    for tier in spec.tiers:
        if found:
            off = plus(off, times(tier.start, minus(tier.keep_margin_rate, before)))
        before = tier.keep_margin_rate
        found.append((tier, off))
    return found


def bracket(spec: ContractSpec, notional: Decimal) -> tuple[Decimal, Decimal]:
    """(r, what is taken off) of the tier that holds this notional; beyond the last one its own."""
    rate = off = ZERO
    for tier, off_here in brackets(spec):
        rate, off = tier.keep_margin_rate, off_here
        if notional <= tier.end:
            break
    return rate, off


def burden(spec: ContractSpec, position: Position) -> Decimal:
    """The most that one more unit of notional adds to the maintenance: r + f, by bracket the highest r."""
    if position.upkeep is Upkeep.BRACKET:
        return max((tier.keep_margin_rate for tier in spec.tiers), default=ZERO)
    return keep_margin_rate(spec, position.open_value) + spec.taker_fee


def maintenance(spec: ContractSpec, position: Position, mark: Decimal) -> Decimal:
    """M q (r + f); by bracket M q r - what is taken off."""
    if position.upkeep is Upkeep.BRACKET:
        notional = mark * position.size
        rate, off = bracket(spec, notional)
        return notional * rate - off
    return mark * position.size * burden(spec, position)


def isolated_liquidation(spec: ContractSpec, position: Position) -> Decimal:
    """Long (E q - margin) / (q (1 - r - f)), short (E q + margin) / (q (1 + r + f)); <= 0 is never.

    By bracket: :func:`bracket_liquidation` with the margin.
    """
    if position.upkeep is Upkeep.BRACKET:
        return bracket_liquidation(spec, [position], position.margin)
    return takeover(spec, position)


def takeover(spec: ContractSpec, position: Position) -> Decimal:
    """Where the margin still covers r and the closing fee, whichever rule decides when it is due.

    What goes whole is booked at this price under both rules: its margin is lost to the last cent
    anyway, and so the lines of the same story are the same on every face.
    """
    keep = keep_margin_rate(spec, position.open_value) + spec.taker_fee
    if position.sign > 0:
        return divided(position.open_value - position.margin, position.size * (1 - keep))
    return divided(position.open_value + position.margin, position.size * (1 + keep))


#: Tiers looked at before a liquidation price by bracket is taken as found.
_MOST_TIERS = 64


def bracket_liquidation(spec: ContractSpec, legs: list[Position], backing: Decimal) -> Decimal:
    """(backing + off - s q E) / (q (r - s)), the tier being that of the notional at the price itself.

    ``backing`` is the isolated margin, or what of the account stands behind crossed positions: the
    wallet without isolated margins, the unrealised profit of the others less their maintenance. Two
    ``legs`` (long and short of one symbol, both crossed) are judged together and have one price:
    (backing + sum of off - sum of s q E) / (sum of q (r - s)). 0 or below = never.
    """
    price = legs[0].entry
    for _ in range(_MOST_TIERS):
        above, below = backing, ZERO
        for leg in legs:
            rate, off = bracket(spec, max(ZERO, price) * leg.size)
            above += off - leg.sign * leg.open_value
            below += leg.size * (rate - leg.sign)
        if not below:
            return ZERO
        found = divided(above, below)
        if found == price:
            break
        price = found
    return price


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


def kept_size(spec: ContractSpec, position: Position, price: Decimal) -> Decimal:
    """What a liquidation at ``price`` leaves of a position: as much as the next lower tier holds, in whole steps.

    Zero in the first tier (and when the rest would be below the minimum size): it goes whole.
    """
    value = times(price, position.size) if position.upkeep is Upkeep.BRACKET else position.open_value
    lower = ZERO
    for tier in spec.tiers:
        if value <= tier.end:
            break
        lower = tier.end
    if not lower:
        return ZERO
    kept = to_step(share(lower, position.size, value), spec.step)
    return kept if spec.min_size <= kept < position.size else ZERO


def is_due(position: Position, price: Decimal, mark: Decimal) -> bool:
    """A long is due at or below its liquidation price, a short at or above it."""
    return mark <= price if position.sign > 0 else mark >= price


def lacking_margin(spec: ContractSpec, position: Position, mark: Decimal) -> Decimal:
    """What an isolated position lacks of the margin that carries it at this mark; negative = spare.

    Margin + unrealised profit must exceed the maintenance: the same border as the liquidation price.
    """
    return maintenance(spec, position, mark) - position.unrealised(mark) - position.margin
