"""The venue's refusals: code, text and HTTP status (bitget error table; texts in own words)."""

from __future__ import annotations

from shared.errors import VenueRefusedError
from trader.paper.engine.refusals import Reason, Refused

_TEXTS = {
    "00000": "success",
    "429": "too many requests",
    "22001": "No order to cancel",
    "22002": "No position to close",
    "22038": "size must be a multiple of {0}",
    "30032": "The V1 API has been switched off",
    "40001": "Header ACCESS_KEY cannot be empty",
    "40002": "Header ACCESS_SIGN cannot be empty",
    "40003": "Signature cannot be empty",
    "40005": "Header ACCESS_TIMESTAMP is not a valid time",
    "40006": "Invalid ACCESS_KEY",
    "40008": "Request timestamp expired",
    "40009": "sign signature error",
    "40011": "Header ACCESS_PASSPHRASE cannot be empty",
    "40012": "apikey/password is incorrect",
    "40015": "System is abnormal, please try again later",
    "40017": "Parameter verification failed {0}",
    "40019": "Parameter {0} cannot be empty",
    "40020": "Parameter {0} error",
    "40034": "Parameter {0} does not exist",
    "40084": "This is a classic account: v3 calls need a unified account",
    "40085": "This is a unified account: v2 calls need a classic account",
    "40102": "Contract configuration for symbol {0} does not exist",
    "40109": "The data of the order cannot be found, please confirm the order number",
    "40305": "clientOid is longer than 64 or has characters that are not allowed",
    "40309": "The symbol {0} has been removed",
    "40402": "Order id format is wrong: {0}",
    "40404": "Request URL NOT FOUND",
    "40730": "Orders on the symbol block the change of leverage",
    "40754": "balance not enough",
    "40757": "Not enough position is available, {0} can be closed",
    "40761": "Too many open orders, at most {0}",
    "40762": "The order amount exceeds the balance, {0} is available",
    "40768": "Order does not exist",
    "40774": "The order type does not fit the position mode: give tradeSide in hedge mode",
    "40786": "Duplicate clientOid",
    "40808": "Parameter verification exception size checkBDScale error value checkScale={0}",
    "40815": "The price of the order is above the highest price {0}",
    "40816": "The price of the order is below the lowest price {0}",
    "40825": "No counter orders in the book",
    "40832": "Short position take profit price please < {0}",
    "40889": "Too many plan orders, at most {0}",
    "40891": "There is no position for the take profit or stop loss",
    "40893": "The margin does not suffice for this leverage",
    "40912": "At most 50 orders in one call",
    "40913": "One of {0} is required",
    "40915": "Long position take profit price please > {0}",
    "40917": "Stop price for long positions please < {0}",
    "40920": "Positions or orders block the change of the position mode",
    "41103": "The price has too many decimals, at most {0}",
    "43001": "The order does not exist",
    "43005": "Too many open orders, at most {0}",
    "43006": "The order quantity is below the minimum {0}",
    "43007": "The order quantity is above the maximum {0}",
    "43008": "The order price cannot be less than {0}",
    "43009": "The order price exceeds the limit {0}",
    "43012": "Insufficient balance",
    "43118": "clientOid duplicate",
    "43025": "The plan order does not exist",
    "43030": "The take profit of the position is set already",
    "43031": "The stop loss of the position is set already",
    "43119": "Trading is not open yet",
    "45043": "Trading of {0} is suspended",
    "45044": "The leverage must be between 1 and {0}",
    "45045": "The leverage is above the maximum {0}",
    "45110": "less than the minimum amount {0} USDT",
    "45111": "less than the minimum order quantity {0}",
    "45112": "more than the maximum order quantity {0}",
    "45115": "The price must be a multiple of {0}",
    "45117": "A position or order blocks the change of the margin mode",
    "45120": "The size is above what can be opened, at most {0} USDT at this leverage",
    "45122": "Short position stop loss price please > {0}",
}

_CODES = {
    Reason.BAD_VALUE: "40020",
    Reason.UNKNOWN_SYMBOL: "40102",
    Reason.NOT_OPEN: "43119",
    Reason.HALTED: "45043",
    Reason.REMOVED: "40309",
    Reason.MODE_MISMATCH: "40774",
    Reason.SIZE_DECIMALS: "40808",
    Reason.SIZE_STEP: "22038",
    Reason.SIZE_MINIMUM: "45111",
    Reason.SIZE_MAXIMUM: "45112",
    Reason.VALUE_MINIMUM: "45110",
    Reason.PRICE_DECIMALS: "41103",
    Reason.PRICE_TICK: "45115",
    Reason.PRICE_TOO_HIGH: "40815",
    Reason.PRICE_TOO_LOW: "40816",
    Reason.NO_LIQUIDITY: "40825",
    Reason.DUPLICATE_CLIENT_ID: "40786",
    Reason.BAD_CLIENT_ID: "40305",
    Reason.TOO_MANY_ORDERS: "40761",
    Reason.TOO_MANY_PLANS: "40889",
    Reason.NO_BALANCE: "40754",
    Reason.ABOVE_BALANCE: "40762",
    Reason.ABOVE_TIER: "45120",
    Reason.LEVERAGE_RANGE: "45044",
    Reason.LEVERAGE_MAXIMUM: "45045",
    Reason.LEVERAGE_ORDERS: "40730",
    Reason.LEVERAGE_MARGIN: "40893",
    Reason.MARGIN_MODE_BLOCKED: "45117",
    Reason.POSITION_MODE_BLOCKED: "40920",
    Reason.NO_POSITION: "22002",
    Reason.ABOVE_POSITION: "40757",
    Reason.PLAN_WITHOUT_POSITION: "40891",
    Reason.TAKE_PROFIT_EXISTS: "43030",
    Reason.STOP_LOSS_EXISTS: "43031",
    Reason.LONG_TAKE_PROFIT_PRICE: "40915",
    Reason.SHORT_TAKE_PROFIT_PRICE: "40832",
    Reason.LONG_STOP_LOSS_PRICE: "40917",
    Reason.SHORT_STOP_LOSS_PRICE: "45122",
}

#: Where the spot market has codes of its own.
_SPOT_CODES = _CODES | {
    Reason.SIZE_MINIMUM: "43006",
    Reason.SIZE_MAXIMUM: "43007",
    Reason.PRICE_TOO_HIGH: "43009",
    Reason.PRICE_TOO_LOW: "43008",
    Reason.DUPLICATE_CLIENT_ID: "43118",
    Reason.TOO_MANY_ORDERS: "43005",
    Reason.NO_BALANCE: "43012",
    Reason.ABOVE_BALANCE: "40754",
}

_STATUS = {"429": 429, "40404": 404, "40015": 500}


def refusal(code: str, detail: str = "") -> VenueRefusedError:
    """The venue's refusal, ready to raise. Business errors are HTTP 400, as seen on the real venue."""
    return VenueRefusedError(code, _TEXTS[code].format(detail), _STATUS.get(code, 400))


def from_engine(refused: Refused) -> VenueRefusedError:
    return refusal(_CODES[refused.reason], refused.detail)


def from_spot(refused: Refused) -> VenueRefusedError:
    """The same for spot calls and transfers."""
    return refusal(_SPOT_CODES[refused.reason], refused.detail)
