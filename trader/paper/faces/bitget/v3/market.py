"""Unsigned v3 calls: time, instruments, prices, depth, candles, trades, funding, tiers."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.clock import MILLISECOND
from trader.paper.contract import FUTURES
from trader.paper.engine.money import text
from trader.paper.faces.bitget import candles
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.public import change_24h, funding_row, top
from trader.paper.faces.bitget.reference import limit_row
from trader.paper.faces.bitget.v3.calls import Category, Row, category, contract, public, state_of, traded
from trader.paper.faces.bitget.v3.errors import refusal
from trader.paper.market import MarketState

_STATUS = {
    "pre_open": "listed",
    "open": "online",
    "maintain": "offline",
    "limit_open": "limit_open",
    "restricted": "restrictedAPI",
    "off": "offline",
}
INTERVALS = {
    name: candles.MINUTES[name] for name in ("1m", "3m", "5m", "15m", "30m", "1H", "4H", "6H", "12H", "1D")
}
_MOST_LEVELS = 200
_MOST_TRADES = 100


class _Prices(StrEnum):
    """Only the market's own candles are kept; the others are answered with them."""

    MARKET = "market"
    MARK = "mark"
    INDEX = "index"
    PREMIUM = "premium"


@public("public/time")
def server_time(call: Call) -> object:
    return {"serverTime": str(call.wall.now_ms())}


def _states(call: Call, found: Category) -> list[MarketState]:
    """The named symbol, or all of the category."""
    if found.market is None:
        return []
    symbol = call.params.text("symbol").upper()
    if symbol:
        return [state_of(call, found.market, symbol)]
    return [state for state in call.hub.states.values() if state.market == found.market]


@public("market/instruments")
def instruments(call: Call) -> object:
    found = category(call.params)
    row = _contract_row if found is Category.FUTURES else _pair_row
    return [row(state) for state in _states(call, found)]


def _common(state: MarketState, found: Category) -> Row:
    spec = state.spec
    return {
        "symbol": spec.symbol,
        "category": found.value,
        "baseCoin": spec.base,
        "quoteCoin": spec.quote,
        "buyLimitPriceRatio": text(spec.buy_limit_ratio),
        "sellLimitPriceRatio": text(spec.sell_limit_ratio),
        "minOrderQty": text(spec.min_size),
        "minOrderAmount": text(spec.min_notional),
        "pricePrecision": str(spec.price_places),
        "quantityPrecision": str(spec.size_places),
        "maxSymbolOrderNum": "200",
        "status": _STATUS[state.status],
        "maintainTime": "",
        "symbolType": "crypto",
        "isReality": "no",
        "launchTime": str(spec.open_time_ms),
    }


def _contract_row(state: MarketState) -> Row:
    spec = state.spec
    return _common(state, Category.FUTURES) | {
        "isRwa": "NO",
        "feeRateUpRatio": "0.005",
        "makerFeeRate": text(spec.maker_fee),
        "takerFeeRate": text(spec.taker_fee),
        "openCostUpRatio": "0.01",
        "maxOrderQty": text(spec.max_size),
        "quotePrecision": "",
        "priceMultiplier": text(spec.tick),
        "quantityMultiplier": text(spec.step),
        "type": "perpetual",
        "maxProductOrderNum": "400",
        "maxPositionNum": "150",
        "offTime": "-1",
        "limitOpenTime": "-1",
        "deliveryTime": "",
        "deliveryStartTime": "",
        "deliveryPeriod": "",
        "fundInterval": str(state.funding_interval_h),
        "minLeverage": str(spec.min_leverage),
        "maxLeverage": str(spec.max_leverage),
        "maxMarketOrderQty": text(spec.max_market_size),
    }


def _pair_row(state: MarketState) -> Row:
    return _common(state, Category.SPOT) | {
        "maxOrderQty": text(state.spec.max_size),
        "quotePrecision": "8",
        "maxProductOrderNum": "1000",
        "maxPositionNum": "200",
        "areaSymbol": "no",
    }


@public("market/tickers")
def tickers(call: Call) -> object:
    found = category(call.params)
    return [_ticker(call, state, found) for state in _states(call, found)]


def _ticker(call: Call, state: MarketState, found: Category) -> Row:
    bid, bid_size, ask, ask_size = top(state)
    row: Row = {
        "category": found.value,
        "symbol": state.symbol,
        "ts": str(state.ts_ns // MILLISECOND),
        "lastPrice": text(state.last),
        "openPrice24h": text(state.open_24h),
        "highPrice24h": text(state.high_24h),
        "lowPrice24h": text(state.low_24h),
        "ask1Price": ask,
        "bid1Price": bid,
        "bid1Size": bid_size,
        "ask1Size": ask_size,
        "price24hPcnt": change_24h(state),
        "volume24h": text(state.base_volume),
        "turnover24h": text(state.quote_volume),
    }
    if found is Category.FUTURES:
        row |= {
            "indexPrice": text(state.index),
            "markPrice": text(state.mark),
            "fundingRate": text(state.funding_rate),
            "openInterest": text(call.engine.open_interest(state.symbol)),
            "deliveryStartTime": "",
            "deliveryTime": "",
            "deliveryStatus": "",
        }
    return row


@public("market/orderbook")
def order_book(call: Call) -> object:
    _, state = traded(call)
    limit = call.params.integer("limit", 5)
    if not 1 <= limit <= _MOST_LEVELS:
        raise refusal("400172", "limit")
    return {
        "a": _levels(state.book.asks(limit)),
        "b": _levels(state.book.bids(limit)),
        "ts": str(state.ts_ns // MILLISECOND),
    }


def _levels(levels: list[tuple[Decimal, Decimal]]) -> msgspec.Raw:
    """JSON numbers, without a detour over floats."""
    return msgspec.Raw("[" + ",".join(f"[{text(price)},{text(size)}]" for price, size in levels) + "]")


@public("market/candles")
def candle_list(call: Call) -> object:
    return _candles(call, 1000)


@public("market/history-candles")
def candle_history(call: Call) -> object:
    """Above 100 the venue refuses."""
    return _candles(call, 100)


def _candles(call: Call, most: int) -> object:
    """Oldest first."""
    _, state = traded(call)
    params = call.params
    minutes = INTERVALS.get(params.need("interval"))
    if minutes is None:
        raise refusal("400172", "interval")
    params.choice("type", _Prices, _Prices.MARKET)
    limit, since, until = params.integer("limit", 100), params.integer("startTime"), params.integer("endTime")
    if not 1 <= limit <= most:
        raise refusal("400172", "limit")
    if not (0 <= since <= 10**13 and 0 <= until <= 10**13):
        raise refusal("400172", "startTime, endTime")
    found = [
        candle
        for candle in candles.merged(state.candles(), minutes)
        if candle.open_ns >= since * MILLISECOND and (not until or candle.open_ns < until * MILLISECOND)
    ]
    return [candles.row(candle) for candle in found[-limit:]]


@public("market/fills")
def trades(call: Call) -> object:
    """Newest first."""
    _, state = traded(call)
    limit = call.params.integer("limit", _MOST_TRADES)
    if limit < 1:
        raise refusal("400172", "limit")
    newest = list(state.trades)[: -min(limit, _MOST_TRADES) - 1 : -1]
    return [
        {
            "execId": trade.trade_id,
            "execLinkId": trade.trade_id,
            "price": text(trade.price),
            "size": text(trade.size),
            "side": trade.side,
            "ts": str(trade.ts_ns // MILLISECOND),
            "isRPI": "no",
        }
        for trade in newest
    ]


def _contracts(call: Call) -> list[MarketState]:
    """Contracts by an optional category and symbol."""
    named = call.params.text("category")
    return _states(call, category(call.params) if named else Category.FUTURES)


@public("market/current-fund-rate")
def funding_rate(call: Call) -> object:
    return [funding_row(state) for state in _contracts(call) if state.market == FUTURES]


@public("market/history-fund-rate")
def funding_history(call: Call) -> object:
    """Settlements that happened here, newest first; ``cursor`` is a page number."""
    state, params = contract(call), call.params
    size, number = params.integer("limit", 20), params.integer("cursor", 1)
    if not 1 <= size <= 100 or not 1 <= number <= 100:
        raise refusal("400172", "cursor" if 1 <= size <= 100 else "limit")
    newest = list(state.settled)[::-1][size * (number - 1) : size * number]
    return {
        "resultList": [
            {
                "symbol": state.symbol,
                "fundingRate": text(settled.rate),
                "fundingRateTimestamp": str(settled.ns // MILLISECOND),
            }
            for settled in newest
        ]
    }


@public("market/open-interest")
def open_interest(call: Call) -> object:
    """What the accounts of this exchange hold, long and short together."""
    states = [state for state in _states(call, category(call.params)) if state.market == FUTURES]
    rows = [
        {"symbol": state.symbol, "openInterest": text(call.engine.open_interest(state.symbol))}
        for state in states
    ]
    newest = max((state.ts_ns for state in states), default=call.hub.now_ns)
    return {"list": rows, "ts": str(newest // MILLISECOND)}


@public("market/oi-limit", 10)
def open_interest_limit(call: Call) -> object:
    return [limit_row(state) for state in _states(call, category(call.params)) if state.market == FUTURES]


@public("market/position-tier")
def tiers(call: Call) -> object:
    """Of one contract; nothing can be borrowed, so ``MARGIN`` has no tiers."""
    found = category(call.params)
    if found.market is None:
        return []
    state = contract(call)
    return [
        {
            "tier": str(level),
            "minTierValue": text(tier.start),
            "maxTierValue": text(tier.end),
            "leverage": str(tier.leverage),
            "mmr": text(tier.keep_margin_rate),
        }
        for level, tier in enumerate(state.spec.tiers, 1)
    ]


@public("market/discount-rate")
def discount_rates(call: Call) -> object:
    """Only USDT margins positions, and counts in full."""
    del call
    return [{"coin": "USDT", "list": [{"tierStartValue": "0", "discountRate": "1"}]}]
