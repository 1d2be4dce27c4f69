"""Why the engine says no. The engine speaks no venue's codes; each face has its own table."""

from __future__ import annotations

from enum import StrEnum, auto

from shared.errors import RefusedError


class Reason(StrEnum):
    """One refusal each; a refused command has changed nothing."""

    BAD_VALUE = auto()
    UNKNOWN_SYMBOL = auto()
    NOT_OPEN = auto()
    MAINTENANCE = auto()
    DELISTED = auto()
    OPENING_CLOSED = auto()
    API_MAY_NOT_OPEN = auto()
    API_MAY_NOT_CLOSE = auto()
    MODE_MISMATCH = auto()
    SIZE_DECIMALS = auto()
    SIZE_STEP = auto()
    SIZE_MINIMUM = auto()
    SIZE_MAXIMUM = auto()
    VALUE_MINIMUM = auto()
    PRICE_DECIMALS = auto()
    PRICE_TICK = auto()
    PRICE_TOO_HIGH = auto()
    PRICE_TOO_LOW = auto()
    NO_LIQUIDITY = auto()
    BAD_CLIENT_ID = auto()
    DUPLICATE_CLIENT_ID = auto()
    TOO_MANY_ORDERS = auto()
    TOO_MANY_PLANS = auto()
    TOO_MANY_SYMBOL_PLANS = auto()
    TOO_MANY_GUARDS = auto()
    NO_BALANCE = auto()
    ABOVE_BALANCE = auto()
    ONE_WALLET = auto()
    ABOVE_TIER = auto()
    LEVERAGE_RANGE = auto()
    LEVERAGE_MAXIMUM = auto()
    LEVERAGE_ORDERS = auto()
    LEVERAGE_MARGIN = auto()
    NOT_ISOLATED = auto()
    MARGIN_TOO_LOW = auto()
    MARGIN_MODE_BLOCKED = auto()
    POSITION_MODE_BLOCKED = auto()
    NOT_MODIFIABLE = auto()
    NOTHING_CHANGED = auto()
    NO_POSITION = auto()
    ABOVE_POSITION = auto()
    PLAN_WITHOUT_POSITION = auto()
    TAKE_PROFIT_EXISTS = auto()
    STOP_LOSS_EXISTS = auto()
    LONG_TAKE_PROFIT_PRICE = auto()
    SHORT_TAKE_PROFIT_PRICE = auto()
    LONG_STOP_LOSS_PRICE = auto()
    SHORT_STOP_LOSS_PRICE = auto()
    LONG_TAKE_PROFIT_LAST = auto()
    SHORT_TAKE_PROFIT_LAST = auto()
    LONG_STOP_LOSS_LAST = auto()
    SHORT_STOP_LOSS_LAST = auto()
    LONG_TAKE_PROFIT_ORDER = auto()
    SHORT_TAKE_PROFIT_ORDER = auto()
    LONG_STOP_LOSS_ORDER = auto()
    SHORT_STOP_LOSS_ORDER = auto()
    TRAIL_STARTS_BELOW = auto()
    TRAIL_STARTS_ABOVE = auto()
    PLAN_ABOVE_POSITION = auto()
    PLAN_PARAMETER = auto()
    TOO_MANY_AMENDMENTS = auto()
    WOULD_TAKE = auto()
    NOT_FILLABLE = auto()
    NO_DEPTH = auto()
    REDUCE_ONLY_MARGIN = auto()
    TRIGGERS_AT_ONCE = auto()
    CLOSING_PLAN_EXISTS = auto()
    BAD_RATIO = auto()
    PRICES_APART = auto()


class Refused(RefusedError):  # noqa: N818  (reads as what happened: the engine refused)
    """A command that cannot be done. ``detail`` fills the venue's text (a limit, a price, a field)."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason.value, f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
