"""What a listing notice means for one account: a market entry with its take profit, or a refusal.

Pure: the trader, the backtests and the pages call the same functions with the same words.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

import msgspec

from shared.domain.instrument import Instrument, InstrumentStatus
from shared.domain.notice import NoticeKind
from shared.rules.preferences import ListingPreferences

#: A listing trade is a long whose coin Korean money can soon buy: the won market decides.
WON = "KRW"


class EntryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A market buy. ``size`` in base coin, prices and ``margin`` in quote currency.

    ``take_profit`` is a trigger price or None; ``attach`` says whether it may ride on the entry.
    """

    size: Decimal
    reference_price: Decimal
    leverage: int
    margin: Decimal
    take_profit: Decimal | None
    attach: bool


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no order: ``rule`` is a stable word, ``text`` is for the user."""

    rule: str
    text: str


def wants(preferences: ListingPreferences, kind: NoticeKind, markets: tuple[str, ...]) -> Refusal | None:
    """Whether the user asked to trade such a notice at all; None means yes."""
    if not preferences.enabled:
        return Refusal(rule="listing.enabled", text="listing trades are switched off")
    if kind is NoticeKind.MARKET_ADDITION:
        if not preferences.market_additions:
            return Refusal(rule="listing.market_additions", text="market additions are switched off")
    elif kind is not NoticeKind.NEW_LISTING:
        return Refusal(rule="kind", text=f"a notice of kind {kind.value} is not a listing")
    if WON not in markets and not preferences.without_krw:
        return Refusal(rule="listing.without_krw", text="no KRW market, and listings without one are off")
    return None


def size_for(notional: Decimal, price: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` (base coin) whose value at ``price`` is at most ``notional``."""
    return (notional // (price * step)) * step


def take_profit_price(entry: Decimal, percent: Decimal, leverage: int, tick: Decimal) -> Decimal:
    """Where a long has earned ``percent`` of its margin, rounded up to the tick.

    Margin is entry / leverage per coin, so the price has to move by percent / leverage.
    """
    exact = entry + entry * percent / (100 * leverage)
    return (exact / tick).to_integral_value(ROUND_CEILING) * tick


def plan_entry(
    preferences: ListingPreferences, instrument: Instrument, price: Decimal, attach_from: Decimal
) -> EntryPlan | Refusal:
    """Size and protect a listing entry.

    ``price`` is the present ask (quote per base coin). ``attach_from`` is the distance from the
    market, as a fraction, from which a take profit may ride on the entry without being refused.
    """
    if instrument.status is not InstrumentStatus.TRADING:
        return Refusal(rule="status", text=f"{instrument.symbol} is {instrument.status.value}, not trading")
    if price <= 0:
        return Refusal(rule="price", text=f"no usable price for {instrument.symbol}")
    leverage = min(preferences.leverage, instrument.max_leverage)
    size = size_for(preferences.amount * leverage, price, instrument.step)
    if instrument.max_market_size > 0:
        size = min(size, instrument.max_market_size // instrument.step * instrument.step)
    notional = size * price
    if size < instrument.min_size or notional < instrument.min_notional:
        return Refusal(
            rule="minimum",
            text=(
                f"{preferences.amount} USDT x {leverage} buys {size} {instrument.base}, "
                f"the exchange asks for {instrument.min_size} and {instrument.min_notional} USDT"
            ),
        )
    take_profit = None
    attach = False
    if preferences.take_profit > 0:
        take_profit = take_profit_price(price, preferences.take_profit, leverage, instrument.tick)
        attach = take_profit >= price * (1 + attach_from)
    return EntryPlan(
        size=size,
        reference_price=price,
        leverage=leverage,
        margin=notional / leverage,
        take_profit=take_profit,
        attach=attach,
    )
