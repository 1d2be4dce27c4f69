"""The venue's limits: what a call weighs, how fast calls may follow, and when to rest.

2400 weight a minute count for the whole address, whoever asks; answers tell in a header how much is used.
Orders do not weigh, they are counted for each account (300 in 10 seconds, 1200 a minute).
"""

from __future__ import annotations

from trader.net.response import Response
from trader.venues.model import Call

LIMIT = 2400
#: From here on questions wait, so that something is left for what cannot: a fifth of the minute.
ENOUGH = LIMIT * 4 // 5
#: A full reading weighs 95 (resting orders and algo orders 40 each); all of them get half of the limit.
READINGS_PER_MINUTE = 12
USED = "x-mbx-used-weight-1m"
#: How long questions wait when too much is used; the count is that of the last minute.
REST_S = 5.0
#: What is waited after 429 or 418 when the venue does not say.
TOLD_OFF_S = 30.0
LONGEST_S = 3 * 86_400.0

#: Seconds that one weight takes: each account uses at most half of the limit, if it asks one thing only.
_PER_WEIGHT_S = 60.0 / (LIMIT / 2)
_LEAST_S = 0.05
_SETTINGS_S = 0.2
_SETTINGS = frozenset({"/fapi/v1/marginType", "/fapi/v1/leverage"})
_WEIGHTS = {
    "/fapi/v1/allOrders": 5,
    "/fapi/v1/userTrades": 5,
    "/fapi/v1/symbolConfig": 5,
    "/fapi/v1/accountConfig": 5,
    "/fapi/v3/positionRisk": 5,
    "/fapi/v3/account": 5,
    "/fapi/v1/income": 30,
    "/fapi/v1/ticker/bookTicker": 5,
    "/fapi/v2/ticker/price": 2,
}
#: Lists that weigh much more without a symbol.
_WITHOUT_SYMBOL = {"/fapi/v1/openOrders": 40, "/fapi/v1/openAlgoOrders": 40}


def weight(call: Call) -> int:
    path, _, query = call.path.partition("?")
    if "symbol=" not in query and path in _WITHOUT_SYMBOL:
        return _WITHOUT_SYMBOL[path]
    return _WEIGHTS.get(path, 1)


def pace_s(call: Call) -> float:
    """The least time between two calls of this one's endpoint."""
    if call.path.partition("?")[0] in _SETTINGS:
        return _SETTINGS_S
    return max(_LEAST_S, weight(call) * _PER_WEIGHT_S)


def rest_s(answer: Response) -> float:
    """How long questions have to wait after an answer. What is not a number in a header says nothing."""
    if answer.status in (418, 429):
        asked = answer.headers.get("retry-after", "")
        return min(float(asked), LONGEST_S) if asked.isdecimal() else TOLD_OFF_S
    used = answer.headers.get(USED, "")
    return REST_S if used.isdecimal() and int(used) >= ENOUGH else 0.0
