"""Changes of a symbol through the control API: rules, status, funding. They survive a restart."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeVar

import msgspec

from shared.clock import MILLISECOND
from shared.errors import UsageError
from trader.paper.contract import FUTURES, ContractSpec, Market, Tier
from trader.paper.market import MarketHub, MarketState, Status

MOST_TIERS = 100
MOST_LEVERAGE = 500
#: Whole parts of a day, so that settlements fall on the same hours every day.
INTERVALS_H = (1, 2, 3, 4, 6, 8, 12, 24)
_LATEST_NS = 31 * 86_400_000 * MILLISECOND

_FUTURES_WORDS: dict[str, Status] = {
    "listed": "pre_open",
    "normal": "open",
    "maintain": "maintain",
    "limit_open": "limit_open",
    "restrictedAPI": "restricted",
    "restricted": "restricted",
    "off": "off",
}
_SPOT_WORDS: dict[str, Status] = {
    "gray": "pre_open",
    "online": "open",
    "halt": "maintain",
    "offline": "off",
}
_OWN_WORDS: dict[str, Status] = {"pre_open": "pre_open", "open": "open", "maintain": "maintain", "off": "off"}


class TierChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step of the ladder: positions worth up to ``end`` (quote currency). It starts where the last one ends."""

    end: Decimal
    leverage: int
    keep_margin_rate: Decimal
    start: Decimal | None = None


class SymbolChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is ``None`` stays. ``status`` is the venue's word for the market, or this exchange's own."""

    market: Literal["futures", "spot"] | None = None
    status: str | None = None
    open_time_ms: int | None = None
    tiers: tuple[TierChange, ...] | None = None
    taker_fee: Decimal | None = None
    maker_fee: Decimal | None = None
    min_leverage: int | None = None
    max_leverage: int | None = None
    min_notional: Decimal | None = None


class FundingChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``rate`` is a fraction of the value per settlement, ``next_ms`` the time of the next one."""

    symbol: str = ""
    rate: Decimal | None = None
    interval_h: int | None = None
    next_ms: int | None = None


class KeptChange(msgspec.Struct, frozen=True):
    """All changes of one symbol so far, as they are stored."""

    symbol: SymbolChange = SymbolChange()
    funding: FundingChange = FundingChange()

    def then(self, symbol: SymbolChange | None = None, funding: FundingChange | None = None) -> KeptChange:
        """The newer values where there are some."""
        return KeptChange(
            symbol=self.symbol if symbol is None else _merged(self.symbol, symbol),
            funding=self.funding if funding is None else _merged(self.funding, funding),
        )


C = TypeVar("C", SymbolChange, FundingChange)


def _merged(old: C, new: C) -> C:
    given = {name: value for name in new.__struct_fields__ if (value := getattr(new, name)) not in (None, "")}
    return msgspec.structs.replace(old, **given)


def changed_spec(spec: ContractSpec, change: SymbolChange) -> ContractSpec:
    """The rules after a change; ``UsageError`` for what makes no sense."""
    tiers = None if change.tiers is None else _ladder(spec, change.tiers)
    most = change.max_leverage
    if most is None and tiers is not None:
        most = tiers[0].leverage
    least = spec.min_leverage if change.min_leverage is None else change.min_leverage
    most = spec.max_leverage if most is None else most
    if not 1 <= least <= most <= MOST_LEVERAGE:
        raise UsageError(f"leverage: whole numbers with 1 <= min <= max <= {MOST_LEVERAGE}")
    if change.open_time_ms is not None and not 0 <= change.open_time_ms < 10**14:
        raise UsageError("open_time_ms: Unix milliseconds, or 0 for an open symbol")
    return msgspec.structs.replace(
        spec,
        tiers=spec.tiers if tiers is None else tiers,
        min_leverage=least,
        max_leverage=most,
        taker_fee=_fraction(change.taker_fee, spec.taker_fee, "taker_fee"),
        maker_fee=_fraction(change.maker_fee, spec.maker_fee, "maker_fee"),
        min_notional=_amount(change.min_notional, spec.min_notional, "min_notional"),
        open_time_ms=spec.open_time_ms if change.open_time_ms is None else change.open_time_ms,
    )


def _ladder(spec: ContractSpec, wanted: tuple[TierChange, ...]) -> tuple[Tier, ...]:
    if spec.market != FUTURES:
        raise UsageError("tiers: only futures have them")
    if not 1 <= len(wanted) <= MOST_TIERS:
        raise UsageError(f"tiers: give 1 to {MOST_TIERS}")
    ladder: list[Tier] = []
    start = Decimal(0)
    for number, tier in enumerate(wanted, 1):
        where = f"tiers: number {number}"
        end = _amount(tier.end, start, f"{where}: end")
        if end <= start or tier.start not in (None, start):
            raise UsageError(f"{where} must go from {start} to a larger end")
        rate = _fraction(tier.keep_margin_rate, start, f"{where}: keep_margin_rate")
        if not 1 <= tier.leverage <= MOST_LEVERAGE or (ladder and tier.leverage > ladder[-1].leverage):
            raise UsageError(
                f"{where}: leverage from 1 to {MOST_LEVERAGE}, not above that of the tier before"
            )
        if not 0 < rate * tier.leverage < 1 or (ladder and rate < ladder[-1].keep_margin_rate):
            raise UsageError(
                f"{where}: keep_margin_rate above 0 and below 1 / leverage, not below that of the tier before"
            )
        ladder.append(Tier(start=start, end=end, leverage=tier.leverage, keep_margin_rate=rate))
        start = end
    return tuple(ladder)


def _fraction(value: Decimal | None, before: Decimal, name: str) -> Decimal:
    number = _amount(value, before, name)
    if value is not None and number >= 1:
        raise UsageError(f"{name}: a fraction below 1, for example 0.0006, not {value}")
    return number


def _amount(value: Decimal | None, before: Decimal, name: str) -> Decimal:
    if value is None:
        return before
    return plain(value, name, least=Decimal(0))


def plain(value: Decimal, name: str, *, least: Decimal) -> Decimal:
    """A number of sane size in plain notation, or ``UsageError``."""
    if not value.is_finite() or abs(value) > Decimal("1e15") or len(value.as_tuple().digits) > 24:
        raise UsageError(f"{name}: give a plain number, not {value}")
    if value < least or abs(value.adjusted()) > 20:
        raise UsageError(f"{name}: at least {least}, not {value}")
    return Decimal(format(value, "f"))


def status_of(market: Market, word: str) -> Status:
    """A status by the venue's word for that market, or by this exchange's own."""
    words = _OWN_WORDS | (_FUTURES_WORDS if market == FUTURES else _SPOT_WORDS)
    if word not in words:
        raise UsageError(f"status: one of {' '.join(words)}, not {word!r}")
    return words[word]


def wanted_status(hub: MarketHub, state: MarketState, change: SymbolChange, spec: ContractSpec) -> Status:
    """The status after a change; a symbol given an opening ahead waits for it."""
    ahead = spec.open_time_ms * MILLISECOND > max(hub.clock.now_ns(), hub.now_ns)
    if change.status is None:
        return "pre_open" if change.open_time_ms is not None and ahead else state.status
    status = status_of(state.market, change.status)
    if status == "pre_open" and not ahead:
        raise UsageError("open_time_ms: a symbol that is not open yet needs an opening ahead of the clock")
    return status


def apply(hub: MarketHub, state: MarketState, change: SymbolChange) -> None:
    """All of it, or ``UsageError`` and nothing."""
    spec = changed_spec(state.spec, change)
    status = wanted_status(hub, state, change, spec)
    hub.respecify(state, spec)
    hub.set_status(state, status)


def apply_funding(hub: MarketHub, state: MarketState, change: FundingChange) -> None:
    """From now on the tape's own funding of this symbol is not heard. ``UsageError`` changes nothing.

    A new interval without a time moves the next settlement to its next whole multiple since 1970 (UTC).
    """
    now = max(hub.clock.now_ns(), hub.now_ns)
    rate = change.rate
    if rate is not None:
        rate = plain(rate, "rate", least=Decimal(-1))
        if abs(rate) >= 1:
            raise UsageError(f"rate: a fraction between -1 and 1, not {rate}")
    if change.interval_h is not None and change.interval_h not in INTERVALS_H:
        raise UsageError(f"interval_h: one of {' '.join(map(str, INTERVALS_H))}, not {change.interval_h}")
    if change.next_ms is not None and not now < change.next_ms * MILLISECOND <= now + _LATEST_NS:
        raise UsageError("next_ms: Unix milliseconds ahead of the clock, at most 31 days")
    state.funding_source = None
    hub.set_funding(
        state,
        rate=rate,
        interval_h=change.interval_h,
        next_ns=None if change.next_ms is None else change.next_ms * MILLISECOND,
    )


def restore(hub: MarketHub, state: MarketState, kept: KeptChange) -> None:
    """After a restart: a time that has passed (an opening, a settlement) is left out."""
    now = max(hub.clock.now_ns(), hub.now_ns)
    change, funding = kept.symbol, kept.funding
    status = change.status
    if status is not None and status_of(state.market, status) == "pre_open":
        status = None  # follows from the opening, if that is still ahead
    apply(hub, state, msgspec.structs.replace(change, status=status))
    if funding != FundingChange(symbol=funding.symbol):
        next_ms = funding.next_ms
        if next_ms is not None and not now < next_ms * MILLISECOND <= now + _LATEST_NS:
            next_ms = None
        apply_funding(hub, state, msgspec.structs.replace(funding, next_ms=next_ms))


def found(hub: MarketHub, symbol: str, market: str | None) -> MarketState:
    """The symbol on that market; without one named, on futures first."""
    for state in hub.find(symbol.upper()):
        if market in (None, state.market):
            return state
    raise UsageError(f"there is no {symbol.upper()} on the {market} market")
