"""Candles of every interval, of prices and (as far as they are known) of mark and index prices."""

from __future__ import annotations

from trader.paper.engine.money import text
from trader.paper.faces.binance import intervals, numbers
from trader.paper.faces.binance.calls import Call, public
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.growing import merged
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.params import Params
from trader.paper.market import MarketState
from trader.paper.minutes import Candle


def _weight(params: Params) -> int:
    limit = params.integer("limit", 500)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1000 else 10


@public("/fapi/v1/klines", _weight)
def klines(call: Call) -> object:
    state = call.state()
    return [_row(state, candle, end) for candle, end in _wanted(call, state)]


@public("/fapi/v1/continuousKlines", _weight)
def continuous_klines(call: Call) -> object:
    """Of the perpetual contract of a pair; there are no others."""
    state = call.state(call.params.symbol("pair"))
    kind = call.params.need("contractType")
    if kind not in {"PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER", "TRADIFI_PERPETUAL"}:
        raise refusal(-1130, "contractType")
    found = _wanted(call, state)
    return [_row(state, candle, end) for candle, end in found] if kind == "PERPETUAL" else []


@public("/fapi/v1/markPriceKlines", _weight)
def mark_klines(call: Call) -> object:
    """The contract's own candles: past mark prices are not kept."""
    state = call.state()
    return [_bare(state, candle, end) for candle, end in _wanted(call, state)]


@public("/fapi/v1/indexPriceKlines", _weight)
def index_klines(call: Call) -> object:
    """The contract's own candles: past index prices are not kept."""
    state = call.state(call.params.symbol("pair"))
    return [_bare(state, candle, end) for candle, end in _wanted(call, state)]


def _wanted(call: Call, state: MarketState) -> list[tuple[Candle, int]]:
    """With their ends (ns), oldest first: from a named start on, else the newest."""
    params = call.params
    interval = params.need("interval")
    if interval not in intervals.WIDTHS:
        raise refusal(-1120)
    limit, since, until = params.limit(500, 1500), params.time("startTime"), params.time("endTime")
    found = [
        candle
        for candle in merged(state.candles(), interval)
        if ms(candle.open_ns) >= since and (not until or ms(candle.open_ns) <= until)
    ]
    chosen = found[:limit] if since else found[-limit:]
    return [(candle, intervals.end(interval, candle.open_ns)) for candle in chosen]


def _row(state: MarketState, candle: Candle, end_ns: int) -> list[object]:
    return [
        *_prices(state, candle),
        numbers.size(state.spec, candle.base_volume),
        ms(end_ns) - 1,
        text(candle.quote_volume),
        candle.trades,
        numbers.size(state.spec, candle.taker_base),
        text(candle.taker_quote),
        "0",
    ]


def _bare(state: MarketState, candle: Candle, end_ns: int) -> list[object]:
    """Without volumes, which a mark or index price has not."""
    return [*_prices(state, candle), "0", ms(end_ns) - 1, "0", candle.trades, "0", "0", "0"]


def _prices(state: MarketState, candle: Candle) -> list[object]:
    spec = state.spec
    return [
        ms(candle.open_ns),
        numbers.price(spec, candle.open),
        numbers.price(spec, candle.high),
        numbers.price(spec, candle.low),
        numbers.price(spec, candle.close),
    ]
