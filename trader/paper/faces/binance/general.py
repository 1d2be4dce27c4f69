"""Time, ping, listen keys, and how much of the limits is used."""

from __future__ import annotations

from trader.paper.faces.binance.calls import Call, keyed, public, signed
from trader.paper.faces.binance.errors import refusal


@public("/fapi/v1/ping")
def ping(call: Call) -> object:
    del call
    return {}


@public("/fapi/v1/time")
def time(call: Call) -> object:
    return {"serverTime": call.wall.now_ms()}


@public("/sapi/v1/system/status")
def system_status(call: Call) -> object:
    """The one call of the spot host that clients of the futures make: is the venue in maintenance?"""
    del call
    return {"status": 0, "msg": "normal"}


@keyed("POST", "/fapi/v1/listenKey")
def start_stream(call: Call) -> object:
    return {"listenKey": call.house.keys.start(call.account.id)}


@keyed("PUT", "/fapi/v1/listenKey")
def keep_stream(call: Call) -> object:
    key = call.house.keys.keep(call.account.id)
    if not key:
        raise refusal(-1125)
    return {"listenKey": key}


@keyed("DELETE", "/fapi/v1/listenKey")
def close_stream(call: Call) -> object:
    if not call.house.keys.close(call.account.id):
        raise refusal(-1125)
    return {}


@signed("GET", "/fapi/v1/rateLimit/order")
def order_limits(call: Call) -> object:
    orders = call.house.orders
    return [
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": orders.per_ten_s or 300,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": orders.per_minute or 1200,
        },
    ]
