"""The refusals of unified accounts: most have codes of their own (25xxx; texts in own words)."""

from __future__ import annotations

from shared.errors import VenueRefusedError
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.faces.bitget import errors

_TEXTS = {
    "25009": "The account mode cannot be switched",
    "25013": "{0} may not be traded through the API",
    "25100": "The trading pair {0} does not exist",
    "25101": "The trading pair is not open",
    "25102": "The trading pair is under maintenance",
    "25104": "The contract has been removed",
    "25105": "The contract does not allow opening positions",
    "25107": "A position blocks the change: close it first",
    "25200": "{0} is not valid",
    "25202": "The balance does not suffice",
    "25203": "The margin does not suffice",
    "25204": "The order does not exist",
    "25205": "The price cannot be below {0}",
    "25206": "The price cannot be above {0}",
    "25207": "The quantity cannot be below {0}",
    "25208": "The quantity cannot be above {0}",
    "25209": "The market has no counter orders",
    "25211": "At most {0} orders may be open",
    "25212": "The clientOid is used already",
    "25223": "The leverage is above the maximum {0}",
    "25225": "Not enough of the position is available, {0} can be closed",
    "25227": "There is no position that could be closed",
    "25228": "The margin does not suffice for this leverage",
    "25230": "The quantity is above what can be opened, {0}",
    "25232": "Reduce-only orders may only reduce the position",
    "25236": "side, posSide and the holding mode do not fit together",
    "25240": "{0} does not support this",
    "25242": "At most {0} can be taken back",
    "25244": "The price must be a multiple of {0}",
    "25568": "The order cannot be modified",
    "25569": "The order was modified too often, {0} times",
    "25570": "Open orders block the change",
    "25571": "Price and quantity are what they were",
    "25593": "This trading type has no take profit and stop loss",
    "25594": "The whole position has a take profit or stop loss already",
    "25595": "The quantity of the take profit or stop loss is above the position, {0}",
    "25597": "The strategy order does not exist or is over",
    "25599": "At most {0} take profit and stop loss orders per symbol",
    "25600": "Nothing of the strategy order was changed",
    "25601": "There is no position for the take profit or stop loss",
    "25602": "The take profit price must be above 0",
    "25603": "The stop loss price must be above 0",
    "25610": "The quantity has too many decimals, at most {0}",
    "25611": "The order must be worth {0} at least",
    "25612": "Only orders that open may carry a take profit or stop loss",
    "25585": "The take profit price of a long position must be above the last price {0}",
    "25586": "The stop loss price of a long position must be below the last price {0}",
    "25587": "The take profit price of a short position must be below the last price {0}",
    "25588": "The stop loss price of a short position must be above the last price {0}",
    "25589": "The take profit price of a long position must be above the mark price {0}",
    "25590": "The stop loss price of a long position must be below the mark price {0}",
    "25591": "The take profit price of a short position must be below the mark price {0}",
    "25592": "The stop loss price of a short position must be above the mark price {0}",
    "25650": "The stop loss price of a long position must be below the order price {0}",
    "25651": "The take profit price of a short position must be below the order price {0}",
    "25652": "The take profit price of a long position must be above the order price {0}",
    "400172": "Parameter verification failed: {0}",
}

#: What a parameter's own refusals become: v3 has one code for all of them.
_PARAMETER = frozenset({"40017", "40019", "40020", "40402", "40913"})

CODES = {
    Reason.BAD_VALUE: "400172",
    Reason.UNKNOWN_SYMBOL: "25100",
    Reason.NOT_OPEN: "25101",
    Reason.MAINTENANCE: "25102",
    Reason.DELISTED: "25104",
    Reason.OPENING_CLOSED: "25105",
    Reason.API_MAY_NOT_OPEN: "25013",
    Reason.API_MAY_NOT_CLOSE: "25013",
    Reason.MODE_MISMATCH: "25236",
    Reason.SIZE_DECIMALS: "25610",
    Reason.SIZE_STEP: "25610",
    Reason.SIZE_MINIMUM: "25207",
    Reason.SIZE_MAXIMUM: "25208",
    Reason.VALUE_MINIMUM: "25611",
    Reason.PRICE_DECIMALS: "25244",
    Reason.PRICE_TICK: "25244",
    Reason.PRICE_TOO_HIGH: "25206",
    Reason.PRICE_TOO_LOW: "25205",
    Reason.NO_LIQUIDITY: "25209",
    Reason.BAD_CLIENT_ID: "25200",
    Reason.DUPLICATE_CLIENT_ID: "25212",
    Reason.TOO_MANY_ORDERS: "25211",
    Reason.TOO_MANY_PLANS: "25211",
    Reason.TOO_MANY_SYMBOL_PLANS: "25211",
    Reason.TOO_MANY_GUARDS: "25599",
    Reason.NO_BALANCE: "25202",
    Reason.ABOVE_BALANCE: "25203",
    Reason.ABOVE_TIER: "25230",
    Reason.LEVERAGE_RANGE: "400172",
    Reason.LEVERAGE_MAXIMUM: "25223",
    Reason.LEVERAGE_ORDERS: "25570",
    Reason.LEVERAGE_MARGIN: "25228",
    Reason.NOT_ISOLATED: "25240",
    Reason.MARGIN_TOO_LOW: "25242",
    Reason.MARGIN_MODE_BLOCKED: "25107",
    Reason.POSITION_MODE_BLOCKED: "25107",
    Reason.NOT_MODIFIABLE: "25568",
    Reason.NOTHING_CHANGED: "25571",
    Reason.NO_POSITION: "25227",
    Reason.ABOVE_POSITION: "25225",
    Reason.PLAN_WITHOUT_POSITION: "25601",
    Reason.TAKE_PROFIT_EXISTS: "25594",
    Reason.STOP_LOSS_EXISTS: "25594",
    Reason.LONG_TAKE_PROFIT_PRICE: "25589",
    Reason.SHORT_TAKE_PROFIT_PRICE: "25591",
    Reason.LONG_STOP_LOSS_PRICE: "25590",
    Reason.SHORT_STOP_LOSS_PRICE: "25592",
    Reason.LONG_TAKE_PROFIT_LAST: "25585",
    Reason.SHORT_TAKE_PROFIT_LAST: "25587",
    Reason.LONG_STOP_LOSS_LAST: "25586",
    Reason.SHORT_STOP_LOSS_LAST: "25588",
    Reason.LONG_TAKE_PROFIT_ORDER: "25652",
    Reason.SHORT_TAKE_PROFIT_ORDER: "25651",
    Reason.LONG_STOP_LOSS_ORDER: "25650",
    Reason.SHORT_STOP_LOSS_ORDER: "25588",
    Reason.TRAIL_STARTS_BELOW: "400172",
    Reason.TRAIL_STARTS_ABOVE: "400172",
    Reason.PLAN_ABOVE_POSITION: "25595",
    Reason.PLAN_PARAMETER: "400172",
    Reason.TOO_MANY_AMENDMENTS: "25569",
    Reason.NOT_FILLABLE: "25209",
    Reason.NO_DEPTH: "25209",
    Reason.REDUCE_ONLY_MARGIN: "25232",
    Reason.CLOSING_PLAN_EXISTS: "25594",
    Reason.ONE_WALLET: "25240",
    Reason.WOULD_TAKE: "400172",
    Reason.TRIGGERS_AT_ONCE: "400172",
    Reason.BAD_RATIO: "400172",
    Reason.PRICES_APART: "400172",
}


def refusal(code: str, detail: str = "") -> VenueRefusedError:
    """The venue's refusal, ready to raise; codes that classic accounts have too are theirs."""
    if code not in _TEXTS:
        return errors.refusal(code, detail)
    return VenueRefusedError(code, _TEXTS[code].format(detail), 400)


def from_engine(refused: Refused) -> VenueRefusedError:
    detail = "clientOid" if refused.reason is Reason.BAD_CLIENT_ID else refused.detail
    return refusal(CODES[refused.reason], detail)


def spoken(error: Refused | VenueRefusedError) -> VenueRefusedError:
    """Any refusal of a handler in the words of unified accounts."""
    if isinstance(error, Refused):
        return from_engine(error)
    return refusal("400172", error.text) if error.code in _PARAMETER else error
