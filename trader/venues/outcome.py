"""What a venue's refusal means for the request, the account and the symbol. Shared by all dialects."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """How a refused request stands. Only ``UNKNOWN`` leaves open whether it was executed."""

    CONFIRMED_NO = "confirmed_no"
    """Not executed, and the same request would be refused again."""
    RETRY = "retry"
    """Not executed now; the same request may succeed later."""
    UNKNOWN = "unknown"
    """It may have been executed: ask the venue by client id."""
    DUPLICATE_ID = "duplicate_id"
    """An order with this client id exists: look it up."""
    NOT_FOUND = "not_found"
    """The order asked about is not there (yet, or any more)."""
    NO_CHANGE = "no_change"
    """What was asked for is so already: success in effect."""
    FATAL_ACCOUNT = "fatal_account"
    """No request of this account can succeed until its user acts."""
    FATAL_SYMBOL = "fatal_symbol"
    """No request on this symbol can succeed."""


class Kind(StrEnum):
    """Why a venue refused, in the same words for all of them."""

    UNLISTED = "unlisted"
    AUTH = "auth"
    CLOCK = "clock"
    ACCOUNT_KIND = "account_kind"
    RATE_LIMIT = "rate_limit"
    TEMPORARY = "temporary"
    PARAMS = "params"
    SIZE = "size"
    VALUE = "value"
    PRICE = "price"
    FUNDS = "funds"
    LIQUIDITY = "liquidity"
    DUPLICATE_ID = "duplicate_id"
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_FINAL = "order_final"
    ORDER_LIMIT = "order_limit"
    NO_POSITION = "no_position"
    MODE = "mode"
    SETTING = "setting"
    NO_CHANGE = "no_change"
    TRIGGER_PRICE = "trigger_price"
    TRIGGER_POSITION = "trigger_position"
    TRIGGER_STATE = "trigger_state"
    SYMBOL = "symbol"
    MARKET_CLOSED = "market_closed"


#: The request was certainly not executed.
DEFINITE_NO = frozenset({Outcome.CONFIRMED_NO, Outcome.RETRY, Outcome.FATAL_ACCOUNT, Outcome.FATAL_SYMBOL})

#: How a request stands that was refused for this reason, unless a venue says otherwise for a code.
OF_KIND = {
    Kind.UNLISTED: Outcome.UNKNOWN,
    Kind.AUTH: Outcome.FATAL_ACCOUNT,
    Kind.CLOCK: Outcome.RETRY,
    Kind.ACCOUNT_KIND: Outcome.FATAL_ACCOUNT,
    Kind.RATE_LIMIT: Outcome.RETRY,
    Kind.TEMPORARY: Outcome.UNKNOWN,
    Kind.PARAMS: Outcome.CONFIRMED_NO,
    Kind.SIZE: Outcome.CONFIRMED_NO,
    Kind.VALUE: Outcome.CONFIRMED_NO,
    Kind.PRICE: Outcome.CONFIRMED_NO,
    Kind.FUNDS: Outcome.CONFIRMED_NO,
    Kind.LIQUIDITY: Outcome.RETRY,
    Kind.DUPLICATE_ID: Outcome.DUPLICATE_ID,
    Kind.ORDER_NOT_FOUND: Outcome.NOT_FOUND,
    Kind.ORDER_FINAL: Outcome.CONFIRMED_NO,
    Kind.ORDER_LIMIT: Outcome.RETRY,
    Kind.NO_POSITION: Outcome.CONFIRMED_NO,
    Kind.MODE: Outcome.CONFIRMED_NO,
    Kind.SETTING: Outcome.CONFIRMED_NO,
    Kind.NO_CHANGE: Outcome.NO_CHANGE,
    Kind.TRIGGER_PRICE: Outcome.CONFIRMED_NO,
    Kind.TRIGGER_POSITION: Outcome.CONFIRMED_NO,
    Kind.TRIGGER_STATE: Outcome.CONFIRMED_NO,
    Kind.SYMBOL: Outcome.FATAL_SYMBOL,
    Kind.MARKET_CLOSED: Outcome.RETRY,
}
