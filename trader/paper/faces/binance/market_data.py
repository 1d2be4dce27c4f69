"""Unsigned calls about prices: depth, trades, tickers, mark price, funding, open interest."""

from __future__ import annotations

from decimal import Decimal

from trader.paper.engine.money import ZERO, text, times
from trader.paper.faces.binance import ids, numbers
from trader.paper.faces.binance.calls import Call, by_symbol, keyed, public
from trader.paper.faces.binance.errors import refusal
from trader.paper.faces.binance.numbers import ms
from trader.paper.faces.binance.params import Params
from trader.paper.market import MarketState, PublicTrade

_DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
_DAY_MS = 86_400_000
_PERCENT = Decimal(100)
_INTEREST = "0.00010000"


def _depth_weight(params: Params) -> int:
    return _DEPTHS.get(params.integer("limit", 500), 20)


@public("/fapi/v1/depth", _depth_weight)
def depth(call: Call) -> object:
    state, limit = call.state(), call.params.integer("limit", 500)
    if limit not in _DEPTHS:
        raise refusal(-4021, limit)
    stamp = ms(state.ts_ns)
    return {
        "lastUpdateId": ids.snapshot_id(state),
        "E": stamp,
        "T": stamp,
        "bids": levels(state, state.book.bids()[:limit]),
        "asks": levels(state, state.book.asks()[:limit]),
    }


def levels(state: MarketState, side: list[tuple[Decimal, Decimal]]) -> list[tuple[str, str]]:
    """[price, size] as text, with the contract's decimals."""
    spec = state.spec
    return [(numbers.price(spec, price), numbers.size(spec, size)) for price, size in side]


# trades


def numbered(state: MarketState) -> list[tuple[int, PublicTrade]]:
    """The trades that are kept, oldest first, with their numbers."""
    kept = list(state.trades)
    return [(ids.trade_number(state, len(kept) - 1 - at), trade) for at, trade in enumerate(kept)]


def _trade(state: MarketState, number: int, trade: PublicTrade) -> dict[str, object]:
    return {
        "id": number,
        "price": numbers.price(state.spec, trade.price),
        "qty": numbers.size(state.spec, trade.size),
        "quoteQty": text(times(trade.price, trade.size)),
        "time": ms(trade.ts_ns),
        "isBuyerMaker": trade.side == "sell",
    }


@public("/fapi/v1/trades", 5)
def trades(call: Call) -> object:
    """Oldest first. The exchange keeps the newest 200."""
    state, limit = call.state(), call.params.limit(500, 1000)
    return [_trade(state, number, trade) for number, trade in numbered(state)[-limit:]]


@keyed("GET", "/fapi/v1/historicalTrades", 20)
def historical_trades(call: Call) -> object:
    """From ``fromId`` on, else the newest."""
    state, limit, first = call.state(), call.params.limit(100, 500), call.params.integer("fromId", -1)
    found = numbered(state)
    if first >= 0:
        found = [item for item in found if item[0] >= first][:limit]
    return [_trade(state, number, trade) for number, trade in found[-limit:]]


@public("/fapi/v1/aggTrades", 20)
def aggregate_trades(call: Call) -> object:
    """Each trade of the tape is an aggregate of one."""
    params = call.params
    state, limit = call.state(), params.limit(500, 1000)
    since, until, first = params.time("startTime"), params.time("endTime"), params.integer("fromId", -1)
    found = [
        (number, trade)
        for number, trade in numbered(state)
        if ms(trade.ts_ns) >= since and (not until or ms(trade.ts_ns) <= until) and number >= first
    ]
    found = found[:limit] if since or first >= 0 else found[-limit:]
    return [
        {
            "a": number,
            "p": numbers.price(state.spec, trade.price),
            "q": numbers.size(state.spec, trade.size),
            "f": number,
            "l": number,
            "T": ms(trade.ts_ns),
            "m": trade.side == "sell",
        }
        for number, trade in found
    ]


# tickers


def _answered(call: Call, rows: list[dict[str, object]]) -> object:
    """A named symbol is answered with its row, none with a list."""
    return rows[0] if call.params.has("symbol") else rows


@public("/fapi/v1/ticker/24hr", by_symbol(1, 40))
def day_ticker(call: Call) -> object:
    return _answered(call, [day(state) for state in call.one_or_all()])


def day(state: MarketState) -> dict[str, object]:
    spec, newest = state.spec, state.trades[-1] if state.trades else None
    change = state.last - state.open_24h
    last_id, close = ids.trade_number(state), ms(state.ts_ns)
    count = min(state.minutes.trades, state.trade_count)
    average = state.quote_volume / state.base_volume if state.base_volume else state.last
    return {
        "symbol": state.symbol,
        "priceChange": numbers.price(spec, change),
        "priceChangePercent": numbers.rounded(
            change / state.open_24h * _PERCENT if state.open_24h else ZERO, 3
        ),
        "weightedAvgPrice": numbers.average(spec, average),
        "lastPrice": numbers.price(spec, state.last),
        "lastQty": numbers.size(spec, newest.size if newest else ZERO),
        "openPrice": numbers.price(spec, state.open_24h),
        "highPrice": numbers.price(spec, state.high_24h),
        "lowPrice": numbers.price(spec, state.low_24h),
        "volume": numbers.size(spec, state.base_volume),
        "quoteVolume": text(state.quote_volume),
        "openTime": close - _DAY_MS,
        "closeTime": close,
        "firstId": last_id - max(0, count - 1) if count else -1,
        "lastId": last_id if count else -1,
        "count": count,
    }


@public("/fapi/v1/ticker/price", by_symbol(1, 2))
def last_price(call: Call) -> object:
    return _answered(
        call,
        [
            {
                "symbol": state.symbol,
                "price": numbers.price(state.spec, state.last),
                "time": ms(state.ts_ns),
            }
            for state in call.one_or_all()
        ],
    )


@public("/fapi/v2/ticker/price", by_symbol(1, 2))
def last_price_v2(call: Call) -> object:
    return last_price(call)


@public("/fapi/v1/ticker/bookTicker", by_symbol(2, 5))
def best_prices(call: Call) -> object:
    return _answered(call, [best(state) for state in call.one_or_all()])


def best(state: MarketState) -> dict[str, object]:
    bid, ask = state.book.best_bid or (ZERO, ZERO), state.book.best_ask or (ZERO, ZERO)
    spec = state.spec
    return {
        "symbol": state.symbol,
        "bidPrice": numbers.price(spec, bid[0]),
        "bidQty": numbers.size(spec, bid[1]),
        "askPrice": numbers.price(spec, ask[0]),
        "askQty": numbers.size(spec, ask[1]),
        "time": ms(state.ts_ns),
        "lastUpdateId": ids.update_id(state),
    }


# mark price, funding, open interest


@public("/fapi/v1/premiumIndex", by_symbol(1, 10))
def mark_price(call: Call) -> object:
    return _answered(
        call,
        [
            {
                "symbol": state.symbol,
                "markPrice": numbers.money(state.mark),
                "indexPrice": numbers.money(state.index),
                "estimatedSettlePrice": numbers.money(state.index),
                "lastFundingRate": numbers.money(state.funding_rate),
                "interestRate": _INTEREST,
                "nextFundingTime": ms(state.next_funding_ns),
                "time": ms(state.ts_ns),
            }
            for state in call.one_or_all()
        ],
    )


@public("/fapi/v1/fundingRate")
def funding_rates(call: Call) -> object:
    """Settlements that happened here, oldest first; the newest ones unless a start is named."""
    params = call.params
    limit, since, until = params.limit(100, 1000), params.time("startTime"), params.time("endTime")
    found = [
        (settled.ns, state, settled)
        for state in call.one_or_all()
        for settled in state.settled
        if ms(settled.ns) >= since and (not until or ms(settled.ns) <= until)
    ]
    found.sort(key=lambda item: (item[0], item[1].symbol))
    found = found[:limit] if since else found[-limit:]
    return [
        {
            "symbol": state.symbol,
            "fundingTime": ms(ns),
            "fundingRate": numbers.money(settled.rate),
            "markPrice": numbers.money(settled.mark) if settled.mark else "",
        }
        for ns, state, settled in found
    ]


@public("/fapi/v1/openInterest")
def open_interest(call: Call) -> object:
    """What the accounts of this exchange hold, long and short together."""
    state = call.state()
    return {
        "symbol": state.symbol,
        "openInterest": numbers.size(state.spec, call.engine.open_interest(state.symbol)),
        "time": ms(state.ts_ns),
    }
