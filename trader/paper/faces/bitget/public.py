"""Unsigned calls: time, symbols, prices, depth, candles, trades, funding."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from shared.clock import MILLISECOND
from trader.paper.contract import FUTURES, ContractSpec
from trader.paper.engine.money import ZERO, text, times
from trader.paper.faces.bitget import candles
from trader.paper.faces.bitget.calls import Call, public
from trader.paper.faces.bitget.errors import refusal
from trader.paper.market import MarketState, PublicTrade, Traded

_STATUS = {
    "pre_open": "listed",
    "open": "normal",
    "maintain": "maintain",
    "limit_open": "limit_open",
    "restricted": "restrictedAPI",
    "off": "off",
}
_CHANGE = Decimal("0.00001")
#: No funding rate leaves these bounds but one that the control API sets; then they widen to it.
_FUNDING_CAP = Decimal("0.003")
_DEPTHS = {"1": 1, "5": 5, "15": 15, "50": 50, "max": 500, "100": 100, "": 100}


@public("/api/v2/public/time")
def server_time(call: Call) -> object:
    return {"serverTime": str(call.wall.now_ms())}


def wanted_states(call: Call, market: str, name: str = "symbol") -> list[MarketState]:
    """The named symbol, or all of the market."""
    symbol = call.params.text(name).upper()
    if symbol:
        return [call.state(symbol, market)]
    return [state for state in call.hub.states.values() if state.market == market]


@public("/api/v2/mix/market/contracts")
def contracts(call: Call) -> object:
    if not call.params.served():
        return []
    return [contract(state) for state in wanted_states(call, FUTURES)]


def contract(state: MarketState) -> dict[str, object]:
    spec = state.spec
    return {
        "symbol": spec.symbol,
        "baseCoin": spec.base,
        "quoteCoin": spec.quote,
        "buyLimitPriceRatio": text(spec.buy_limit_ratio),
        "sellLimitPriceRatio": text(spec.sell_limit_ratio),
        "feeRateUpRatio": "0.005",
        "makerFeeRate": text(spec.maker_fee),
        "takerFeeRate": text(spec.taker_fee),
        "openCostUpRatio": "0.01",
        "supportMarginCoins": [spec.quote],
        "minTradeNum": text(spec.min_size),
        "priceEndStep": text(times(spec.tick, Decimal(10) ** spec.price_places)),
        "volumePlace": str(spec.size_places),
        "pricePlace": str(spec.price_places),
        "sizeMultiplier": text(spec.step),
        "symbolType": "perpetual",
        "minTradeUSDT": text(spec.min_notional),
        "maxSymbolOrderNum": "200",
        "maxProductOrderNum": "400",
        "maxPositionNum": "150",
        "symbolStatus": _STATUS[state.status],
        "offTime": "-1",
        "limitOpenTime": "-1",
        "deliveryTime": "",
        "deliveryStartTime": "",
        "deliveryPeriod": "",
        "launchTime": _open_time(spec),
        "fundInterval": str(state.funding_interval_h),
        "minLever": str(spec.min_leverage),
        "maxLever": str(spec.max_leverage),
        "posLimit": "0.05",
        "maintainTime": "",
        "openTime": _open_time(spec),
        "maxMarketOrderQty": text(spec.max_market_size),
        "maxOrderQty": text(spec.max_size),
        "isRwa": "NO",
    }


def _open_time(spec: ContractSpec) -> str:
    return str(spec.open_time_ms) if spec.open_time_ms else ""


def change_24h(state: MarketState) -> str:
    """A fraction, five decimals."""
    return _change(state, state.open_24h)


def change_utc(state: MarketState) -> str:
    """The same since 00:00 UTC."""
    return _change(state, state.open_utc)


def _change(state: MarketState, start: Decimal) -> str:
    return text(((state.last - start) / start).quantize(_CHANGE)) if start else "0"


def top(state: MarketState) -> tuple[str, str, str, str]:
    """bid price, bid size, ask price, ask size; zeros while a side is empty."""
    bid, ask = state.book.best_bid or (ZERO, ZERO), state.book.best_ask or (ZERO, ZERO)
    return text(bid[0]), text(bid[1]), text(ask[0]), text(ask[1])


@public("/api/v2/mix/market/ticker")
def ticker(call: Call) -> object:
    call.params.symbol()
    return tickers(call)


@public("/api/v2/mix/market/tickers")
def tickers(call: Call) -> object:
    if not call.params.served():
        return []
    return [_ticker(call, state) for state in wanted_states(call, FUTURES)]


def _ticker(call: Call, state: MarketState) -> dict[str, object]:
    bid, bid_size, ask, ask_size = top(state)
    value = text(state.quote_volume)
    return {
        "symbol": state.symbol,
        "lastPr": text(state.last),
        "askPr": ask,
        "bidPr": bid,
        "bidSz": bid_size,
        "askSz": ask_size,
        "high24h": text(state.high_24h),
        "low24h": text(state.low_24h),
        "ts": str(state.ts_ns // MILLISECOND),
        "change24h": change_24h(state),
        "baseVolume": text(state.base_volume),
        "quoteVolume": value,
        "usdtVolume": value,
        "openUtc": text(state.open_utc),
        "changeUtc24h": change_utc(state),
        "indexPrice": text(state.index),
        "fundingRate": text(state.funding_rate),
        "holdingAmount": text(call.engine.open_interest(state.symbol)),
        "deliveryStartTime": None,
        "deliveryTime": None,
        "deliveryStatus": "",
        "open24h": text(state.open_24h),
        "markPrice": text(state.mark),
    }


@public("/api/v2/mix/market/merge-depth")
def merge_depth(call: Call) -> object:
    if not call.params.served():
        raise refusal("40034", "symbol")
    state = call.state(call.params.symbol())
    precision = call.params.text("precision", "scale0")
    if precision not in {"scale0", "scale1", "scale2", "scale3"}:
        raise refusal("40020", "precision")
    limit = _DEPTHS.get(call.params.text("limit"))
    if limit is None:
        raise refusal("40020", "limit")
    scale = state.spec.tick * 10 ** int(precision[-1])
    return {
        "asks": _levels(state.book.asks(), scale, limit, ROUND_CEILING),
        "bids": _levels(state.book.bids(), scale, limit, ROUND_FLOOR),
        "ts": str(state.ts_ns // MILLISECOND),
        "scale": text(scale),
        "precision": precision,
        "isMaxPrecision": "YES" if precision == "scale0" else "NO",
    }


def _levels(levels: list[tuple[Decimal, Decimal]], scale: Decimal, limit: int, rounding: str) -> msgspec.Raw:
    """Prices merged away from the middle, as JSON numbers without a detour over floats."""
    merged: dict[Decimal, Decimal] = {}
    for price, size in levels:
        at = (price / scale).to_integral_value(rounding) * scale
        if at not in merged and len(merged) == limit:
            break
        merged[at] = merged.get(at, ZERO) + size
    return msgspec.Raw("[" + ",".join(f"[{text(p)},{text(s)}]" for p, s in merged.items()) + "]")


@public("/api/v2/mix/market/candles")
def candle_list(call: Call) -> object:
    return _candles(call, 1000)


@public("/api/v2/mix/market/history-candles")
def candle_history(call: Call) -> object:
    return _candles(call, 200)


def _candles(call: Call, most: int) -> object:
    if not call.params.served():
        raise refusal("40034", "symbol")
    state = call.state(call.params.symbol())
    minutes = candles.MINUTES.get(call.params.need("granularity"))
    if minutes is None:
        raise refusal("40020", "granularity")
    page = call.params.page(100, most)
    found = [
        candle
        for candle in candles.merged(state.candles(), minutes)
        if candle.open_ns >= page.since_ns and (not page.until_ns or candle.open_ns < page.until_ns)
    ]
    return [candles.row(candle) for candle in found[-page.limit :]]


@public("/api/v2/mix/market/fills")
def trades(call: Call) -> object:
    if not call.params.served():
        raise refusal("40034", "symbol")
    state = call.state(call.params.symbol())
    newest = list(state.trades)[: -call.params.page().limit - 1 : -1]
    return [{**trade, "symbol": state.symbol} for trade in map(trade_row, newest)]


def trade_row(trade: PublicTrade | Traded) -> dict[str, str]:
    """A trade of the market, with the taker's side."""
    return {
        "ts": str(trade.ts_ns // MILLISECOND),
        "price": text(trade.price),
        "size": text(trade.size),
        "side": trade.side,
        "tradeId": trade.trade_id,
    }


@public("/api/v2/mix/market/current-fund-rate")
def funding_rate(call: Call) -> object:
    if not call.params.served():
        return []
    return [funding_row(state) for state in wanted_states(call, FUTURES)]


def funding_row(state: MarketState) -> dict[str, object]:
    most = max(_FUNDING_CAP, abs(state.funding_rate))
    return {
        "symbol": state.symbol,
        "fundingRate": text(state.funding_rate),
        "fundingRateInterval": str(state.funding_interval_h),
        "nextUpdate": str(state.next_funding_ns // MILLISECOND),
        "minFundingRate": text(-most),
        "maxFundingRate": text(most),
    }


@public("/api/v2/mix/market/funding-time")
def funding_time(call: Call) -> object:
    if not call.params.served():
        return []
    state = call.state(call.params.symbol())
    return [
        {
            "symbol": state.symbol,
            "nextFundingTime": str(state.next_funding_ns // MILLISECOND),
            "ratePeriod": str(state.funding_interval_h),
        }
    ]


@public("/api/v2/mix/market/query-position-lever", 10)
def tiers(call: Call) -> object:
    if not call.params.served():
        return []
    state = call.state(call.params.symbol())
    return [
        {
            "symbol": state.symbol,
            "level": str(level),
            "startUnit": text(tier.start),
            "endUnit": text(tier.end),
            "leverage": str(tier.leverage),
            "keepMarginRate": text(tier.keep_margin_rate),
        }
        for level, tier in enumerate(state.spec.tiers, 1)
    ]


@public("/api/v2/margin/currencies")
def margin_currencies(call: Call) -> object:
    """Nothing can be borrowed here."""
    del call
    return []
