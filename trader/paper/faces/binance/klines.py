"""Candles of every interval, of prices and (as far as they are known) of mark and index prices."""

from __future__ import annotations

from shared import clock
from trader.paper.engine.money import text
from trader.paper.faces.binance import numbers
from trader.paper.faces.binance.calls import Call, public
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.params import Params
from trader.paper.faces.bitget.candles import merged
from trader.paper.market import MarketState
from trader.paper.minutes import Candle

_MINUTE_NS = 60 * clock.SECOND
#: Interval -> minutes; a week begins on Monday as 1970-01-05 did, a month is thirty days here.
MINUTES = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "6h": 360, "8h": 480,
    "12h": 720, "1d": 1440, "3d": 4320, "1w": 10080, "1M": 43200,
}  # fmt: skip


def _weight(params: Params) -> int:
    limit = params.integer("limit", 500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


@public("/fapi/v1/klines", _weight)
def klines(call: Call) -> object:
    state = call.state()
    return [_row(state, candle, minutes) for candle, minutes in _wanted(call, state)]


@public("/fapi/v1/continuousKlines", _weight)
def continuous_klines(call: Call) -> object:
    """Of the perpetual contract of a pair; there are no others."""
    state = call.state(call.params.symbol("pair"))
    kind = call.params.need("contractType")
    if kind not in {"PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL"}:
        raise refusal(-1130, "contractType")
    found = _wanted(call, state)
    return [_row(state, candle, minutes) for candle, minutes in found] if kind == "PERPETUAL" else []


@public("/fapi/v1/markPriceKlines", _weight)
def mark_klines(call: Call) -> object:
    """The contract's own candles: past mark prices are not kept."""
    state = call.state()
    return [_bare(state, candle, minutes) for candle, minutes in _wanted(call, state)]


@public("/fapi/v1/indexPriceKlines", _weight)
def index_klines(call: Call) -> object:
    """The contract's own candles: past index prices are not kept."""
    state = call.state(call.params.symbol("pair"))
    return [_bare(state, candle, minutes) for candle, minutes in _wanted(call, state)]


def _wanted(call: Call, state: MarketState) -> list[tuple[Candle, int]]:
    """Oldest first: from a named start on, else the newest."""
    params = call.params
    minutes = MINUTES.get(params.need("interval"))
    if minutes is None:
        raise refusal(-1120)
    limit, since, until = params.limit(500, 1500), params.time("startTime"), params.time("endTime")
    found = [
        candle
        for candle in merged(state.candles(), minutes)
        if ms(candle.open_ns) >= since and (not until or ms(candle.open_ns) <= until)
    ]
    return [(candle, minutes) for candle in (found[:limit] if since else found[-limit:])]


def _row(state: MarketState, candle: Candle, minutes: int) -> list[object]:
    return [
        *_prices(state, candle),
        numbers.size(state.spec, candle.base_volume),
        _end(candle, minutes),
        text(candle.quote_volume),
        candle.trades,
        numbers.size(state.spec, candle.taker_base),
        text(candle.taker_quote),
        "0",
    ]


def _bare(state: MarketState, candle: Candle, minutes: int) -> list[object]:
    """Without volumes, which a mark or index price has not."""
    return [*_prices(state, candle), "0", _end(candle, minutes), "0", candle.trades, "0", "0", "0"]


def _prices(state: MarketState, candle: Candle) -> list[object]:
    spec = state.spec
    return [
        ms(candle.open_ns),
        numbers.price(spec, candle.open),
        numbers.price(spec, candle.high),
        numbers.price(spec, candle.low),
        numbers.price(spec, candle.close),
    ]


def _end(candle: Candle, minutes: int) -> int:
    """The last millisecond."""
    return ms(candle.open_ns + minutes * _MINUTE_NS) - 1
