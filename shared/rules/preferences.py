"""A user's choices: their names, units, defaults and bounds, and which scope wins.

Installation, user and account may each set a preference; the narrower one wins, and what the
installation sets as a *cap* (``cap.`` before the name) always holds. Values travel as text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation

import msgspec

from shared.errors import UsageError

CAP = "cap."


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One preference. ``low`` and ``high`` bound numbers; ``cappable`` admits ``cap.NAME``."""

    name: str
    default: str
    unit: str
    help: str
    parse: Callable[[str], object]
    low: Decimal | None = None
    high: Decimal | None = None
    cappable: bool = False


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError("a number, for example 50") from None
    if not value.is_finite():
        raise ValueError("a finite number")
    return value


def _whole(text: str) -> int:
    value = _number(text)
    if value != value.to_integral_value():
        raise ValueError("a whole number, for example 10")
    return int(value)


def _switch(text: str) -> bool:
    try:
        return {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}[
            text.strip().lower()
        ]
    except KeyError:
        raise ValueError("on or off") from None


_D = Decimal
DEFINITIONS: dict[str, Definition] = {
    d.name: d
    for d in (
        Definition(
            name="listing.enabled",
            default="on",
            unit="on/off",
            help="open a long when a listing is announced",
            parse=_switch,
        ),
        Definition(
            name="listing.amount",
            default="50",
            unit="USDT of initial margin",
            help="what one listing trade may cost; notional = amount x effective leverage",
            parse=_number,
            low=_D(1),
            high=_D(1_000_000),
            cappable=True,
        ),
        Definition(
            name="listing.leverage",
            default="10",
            unit="x",
            help="clamped to what the symbol and its tier allow",
            parse=_whole,
            low=_D(1),
            high=_D(50),
            cappable=True,
        ),
        Definition(
            name="listing.take_profit",
            default="100",
            unit="% of margin",
            help="profit at which the position closes, at the effective leverage; 0 = none",
            parse=_number,
            low=_D(0),
            high=_D(10_000),
        ),
        Definition(
            name="listing.market_additions",
            default="off",
            unit="on/off",
            help="also trade a coin that Upbit already lists and now adds to a market",
            parse=_switch,
        ),
        Definition(
            name="listing.without_krw",
            default="off",
            unit="on/off",
            help="also trade listings without a KRW market",
            parse=_switch,
        ),
    )
}


class ListingPreferences(msgspec.Struct, frozen=True, kw_only=True):
    """The effective choices of one account for listing trades."""

    enabled: bool
    amount: Decimal
    leverage: int
    take_profit: Decimal
    market_additions: bool
    without_krw: bool


def check(name: str, text: str) -> object:
    """Parse a value, or raise :class:`UsageError` with what would be right.

    ``name`` may be ``cap.NAME`` for a preference that can be capped.
    """
    plain = name.removeprefix(CAP)
    definition = DEFINITIONS.get(plain)
    if definition is None or (plain != name and not definition.cappable):
        known = ", ".join(sorted(DEFINITIONS) + [CAP + d.name for d in DEFINITIONS.values() if d.cappable])
        raise UsageError(f"there is no setting {name!r}; known: {known}")
    try:
        value = definition.parse(text)
    except ValueError as error:
        raise UsageError(f"{name}: {text!r} is wrong, it takes {error} ({definition.unit})") from None
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        low, high = definition.low, definition.high
        if (low is not None and value < low) or (high is not None and value > high):
            raise UsageError(f"{name}: {text} is outside {low} to {high} ({definition.unit})")
    return value


def resolve(
    installation: Mapping[str, str], user: Mapping[str, str], account: Mapping[str, str]
) -> ListingPreferences:
    """The effective preferences of one account: account over user over installation, then caps."""
    values: dict[str, object] = {}
    for name, definition in DEFINITIONS.items():
        text = account.get(name, user.get(name, installation.get(name, definition.default)))
        value = check(name, text)
        if definition.cappable and CAP + name in installation:
            cap = check(CAP + name, installation[CAP + name])
            assert isinstance(value, (int, Decimal))
            assert isinstance(cap, (int, Decimal))
            value = min(value, cap)
        values[name.removeprefix("listing.")] = value
    return msgspec.convert(values, ListingPreferences)
