"""Binance's error codes: what each means for us. A code that is not here is ``UNKNOWN``.

Codes without a minus are HTTP statuses of answers that carry no code; ``503 unavailable`` and ``503
unknown`` are the two texts that the venue documents for that status.
"""

from __future__ import annotations

from trader.venues.outcome import OF_KIND, Kind, Outcome

UNAVAILABLE = "503 unavailable"
EXECUTION_UNKNOWN = "503 unknown"

_CODES = {
    Kind.AUTH: "-1022 -2014 -2015",
    Kind.CLOCK: "-1021 -5028",
    # Isolated margin is out of reach in multi-assets mode: nothing of ours can be set up.
    Kind.ACCOUNT_KIND: "-4168",
    Kind.RATE_LIMIT: f"-1003 -1008 -1015 403 418 429 {UNAVAILABLE.replace(' ', '_')}",
    Kind.TEMPORARY: f"-1000 -1001 -1006 -1007 408 {EXECUTION_UNKNOWN.replace(' ', '_')}",
    Kind.PARAMS: "-1102 -1106 -1111 -1115 -1116 -1117 -1125 -1130 -2010 -2026 -4000 -4120 -5024 -5025",
    Kind.SIZE: "-2027 -4003 -4004 -4005 -4023",
    Kind.VALUE: "-4164",
    Kind.PRICE: "-4001 -4002 -4013 -4014 -4016 -4024 -4131 -5022",
    Kind.FUNDS: "-2018 -2019 -2023 -2028 -4050 -4051",
    Kind.LIQUIDITY: "-2020 -5021 -5041",
    Kind.DUPLICATE_ID: "-4116",
    Kind.ORDER_NOT_FOUND: "-2011 -2013",
    Kind.ORDER_LIMIT: "-2025 -4044 -4045 -5026",
    Kind.NO_POSITION: "-2022 -2024",
    Kind.MODE: "-4060 -4061",
    Kind.SETTING: "-4028 -4047 -4048 -4067 -4068 -4192 -4531",
    Kind.NO_CHANGE: "-4046 -4059 -5027",
    Kind.TRIGGER_PRICE: "-2021",
    Kind.TRIGGER_STATE: "-4130",
    Kind.SYMBOL: "-1121 -4141",
    Kind.MARKET_CLOSED: "-4400",
}

KINDS: dict[str, Kind] = {
    code.replace("_", " "): kind for kind, codes in _CODES.items() for code in codes.split()
}

#: Codes that say "not executed" whatever the HTTP status: overload protection, and a door that was shut.
_SURE = frozenset({"-1008", UNAVAILABLE})

_ADVICE = {
    Kind.AUTH: "check the key, its rights (futures) and its IP list",
    Kind.CLOCK: "the clock of this machine is wrong: synchronise it",
    Kind.ACCOUNT_KIND: "switch multi-assets mode off: positions of this trader are isolated",
    Kind.MODE: "the position mode of the account was changed: it is read again",
    Kind.FUNDS: "the balance is too low for this order",
}
_ADVICE_BY_CODE = {
    "418": "this address is banned for a while: too many requests were made from it",
    "403": "the exchange's firewall refuses this address",
    "-4192": "the account is in a cooling-off period",
    "-4400": "the exchange lets this account only reduce positions for now",
    "-2023": "the account is being liquidated",
}


def kind(code: str) -> Kind:
    return KINDS.get(code, Kind.UNLISTED)


def classify(code: str, status: int = 200) -> Outcome:
    """What a refusal with this code and HTTP status says about the request.

    A known code decides, but behind a 5xx or 408 nothing is certain, save for the few that say so.
    """
    if (status >= 500 or status == 408) and code not in _SURE:
        return Outcome.UNKNOWN
    found = KINDS.get(code)
    if found is not None:
        return OF_KIND[found]
    return Outcome.RETRY if status in (418, 429) else Outcome.UNKNOWN


def by_text(status: int, text: str) -> str:
    """The code for the two texts of HTTP 503, else "". A page around the words is not the venue's word."""
    if status != 503:
        return ""
    words = text.strip().rstrip(".").casefold()
    if words == "service unavailable":
        return UNAVAILABLE
    return EXECUTION_UNKNOWN if words.startswith("unknown error, please check your request") else ""


def advice(code: str) -> str:
    """What the user can do about it, or ""."""
    return _ADVICE_BY_CODE.get(code) or _ADVICE.get(kind(code), "")
