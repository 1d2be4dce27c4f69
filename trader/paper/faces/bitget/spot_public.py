"""Unsigned spot calls: symbols, coins, prices, depth, candles, trades."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from shared.clock import MILLISECOND
from trader.paper.contract import SPOT, places
from trader.paper.engine.money import ZERO, text
from trader.paper.faces.bitget import candles
from trader.paper.faces.bitget.calls import Call, public
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.public import change_24h, change_utc, top, trade_row, wanted_states
from trader.paper.market import MarketState

_MARKET = "/api/v2/spot/market"
_MOST_LEVELS = 150
_STEPS = {f"step{number}": number for number in range(6)}
_SCALES = {f"scale{number}": number for number in range(4)}
_DEPTHS = {"1": 1, "5": 5, "15": 15, "50": 50, "max": 500, "100": 100, "": 100}

#: Spot spells its granularities in its own way; the ``utc`` forms are those of contracts.
_GRANULARITIES = {
    "1min": 1, "3min": 3, "5min": 5, "15min": 15, "30min": 30, "1h": 60, "4h": 240, "6h": 360,
    "12h": 720, "1day": 1440, "3day": 4320, "1week": 10080, "1M": 43200,
} | {name: minutes for name, minutes in candles.MINUTES.items() if name.endswith("utc")}  # fmt: skip


_SPOT_STATUS = {
    "pre_open": "gray",
    "open": "online",
    "maintain": "halt",
    "limit_open": "halt",
    "restricted": "halt",
    "off": "offline",
}


@public("/api/v2/spot/public/symbols")
def spot_symbols(call: Call) -> object:
    return [_spot_symbol(state) for state in wanted_states(call, SPOT)]


def _spot_symbol(state: MarketState) -> dict[str, object]:
    spec = state.spec
    return {
        "symbol": spec.symbol,
        "baseCoin": spec.base,
        "quoteCoin": spec.quote,
        "minTradeAmount": text(spec.min_size),
        "maxTradeAmount": text(spec.max_size),
        "takerFeeRate": text(spec.taker_fee),
        "makerFeeRate": text(spec.maker_fee),
        "pricePrecision": str(places(spec.tick)),
        "quantityPrecision": str(places(spec.step)),
        "quotePrecision": "8",
        "minTradeUSDT": text(spec.min_notional),
        "status": _SPOT_STATUS[state.status],
        "buyLimitPriceRatio": text(spec.buy_limit_ratio),
        "sellLimitPriceRatio": text(spec.sell_limit_ratio),
        "areaSymbol": "no",
        "orderQuantity": "200",
        "maxLimitOrderValue": _worth(state, spec.max_size),
        "maxMarketOrderValue": _worth(state, spec.max_market_size),
        "openTime": str(spec.open_time_ms),
        "offTime": "",
    }


def _worth(state: MarketState, size: Decimal) -> str:
    """Sizes are what is limited here: this is what the largest is worth now, in whole units."""
    return str(int(state.last * size))


@public("/api/v2/spot/market/tickers")
def spot_tickers(call: Call) -> object:
    return [_spot_ticker(state) for state in wanted_states(call, SPOT)]


def _spot_ticker(state: MarketState) -> dict[str, object]:
    bid, bid_size, ask, ask_size = top(state)
    value = text(state.quote_volume)
    return {
        "symbol": state.symbol,
        "high24h": text(state.high_24h),
        "open": text(state.open_24h),
        "low24h": text(state.low_24h),
        "lastPr": text(state.last),
        "quoteVolume": value,
        "baseVolume": text(state.base_volume),
        "usdtVolume": value,
        "bidPr": bid,
        "askPr": ask,
        "bidSz": bid_size,
        "askSz": ask_size,
        "openUtc": text(state.open_utc),
        "ts": str(state.ts_ns // MILLISECOND),
        "changeUtc24h": change_utc(state),
        "change24h": change_24h(state),
    }


@public("/api/v2/spot/public/coins")
def coins(call: Call) -> object:
    """Every coin that a symbol names; nothing can be deposited or withdrawn here."""
    wanted = call.params.text("coin").upper()
    known = {coin for state in call.hub.states.values() for coin in (state.spec.base, state.spec.quote)}
    return [
        {
            "coinId": str(number),
            "coin": coin,
            "transfer": "true" if coin == "USDT" else "false",
            "chains": [_chain(coin)],
            "areaCoin": "no",
        }
        for number, coin in enumerate(sorted(known), 1)
        if wanted in {"", coin}
    ]


def _chain(coin: str) -> dict[str, str]:
    """A chain that takes and gives nothing."""
    return {
        "chain": coin,
        "needTag": "false",
        "withdrawable": "false",
        "rechargeable": "false",
        "withdrawFee": "0",
        "extraWithdrawFee": "0",
        "depositConfirm": "1",
        "withdrawConfirm": "1",
        "minDepositAmount": "0",
        "minWithdrawAmount": "0",
        "browserUrl": "",
        "contractAddress": "",
        "withdrawStep": "0",
        "withdrawMinScale": "8",
    }


def _state(call: Call) -> MarketState:
    return call.state(call.params.symbol(), SPOT)


@public(f"{_MARKET}/orderbook")
def order_book(call: Call) -> object:
    """``type`` step0 is the book as it is, each further step merges ten prices into one."""
    state, params = _state(call), call.params
    step = _STEPS.get(params.text("type", "step0"))
    if step is None:
        raise refusal("40020", "type")
    limit = params.integer("limit", _MOST_LEVELS)
    if limit < 1:
        raise refusal("40020", "limit")
    asks, bids = depth(state, step, min(limit, _MOST_LEVELS))
    return {
        "asks": [[text(price), text(size)] for price, size in asks],
        "bids": [[text(price), text(size)] for price, size in bids],
        "ts": str(state.ts_ns // MILLISECOND),
    }


@public(f"{_MARKET}/merge-depth")
def merge_depth(call: Call) -> object:
    state, params = _state(call), call.params
    precision = params.text("precision", "scale0")
    limit = _DEPTHS.get(params.text("limit"))
    if precision not in _SCALES:
        raise refusal("40020", "precision")
    if limit is None:
        raise refusal("40020", "limit")
    scale = _SCALES[precision]
    asks, bids = depth(state, scale, limit)
    return {
        "asks": [[text(price), text(size)] for price, size in asks],
        "bids": [[text(price), text(size)] for price, size in bids],
        "ts": str(state.ts_ns // MILLISECOND),
        "scale": text(state.spec.tick * 10**scale),
        "precision": precision,
        "isMaxPrecision": "NO" if scale else "YES",
    }


Levels = list[tuple[Decimal, Decimal]]


def depth(state: MarketState, step: int, limit: int) -> tuple[Levels, Levels]:
    """(asks, bids), best first, prices merged away from the middle."""
    if not step:
        return state.book.asks(limit), state.book.bids(limit)
    width = state.spec.tick * 10**step
    return (
        _merged(state.book.asks(), width, limit, ROUND_CEILING),
        _merged(state.book.bids(), width, limit, ROUND_FLOOR),
    )


def _merged(levels: Levels, width: Decimal, limit: int, rounding: str) -> Levels:
    merged: dict[Decimal, Decimal] = {}
    for price, size in levels:
        at = (price / width).to_integral_value(rounding) * width
        if at not in merged and len(merged) == limit:
            break
        merged[at] = merged.get(at, ZERO) + size
    return list(merged.items())


@public(f"{_MARKET}/candles")
def candle_list(call: Call) -> object:
    return _candles(call, 1000)


@public(f"{_MARKET}/history-candles")
def candle_history(call: Call) -> object:
    return _candles(call, 200)


def _candles(call: Call, most: int) -> object:
    """Oldest first; the last column repeats the value, in USDT."""
    state = _state(call)
    minutes = _GRANULARITIES.get(call.params.need("granularity"))
    if minutes is None:
        raise refusal("40020", "granularity")
    page = call.params.page(100, most)
    found = [
        candle
        for candle in candles.merged(state.candles(), minutes)
        if candle.open_ns >= page.since_ns and (not page.until_ns or candle.open_ns < page.until_ns)
    ]
    rows = [candles.row(candle) for candle in found[-page.limit :]]
    return [[*row, row[-1]] for row in rows]


@public(f"{_MARKET}/fills")
def trades(call: Call) -> object:
    return _trades(call, 100, 500)


@public(f"{_MARKET}/fills-history", 10)
def trade_history(call: Call) -> object:
    return _trades(call, 500, 1000)


def _trades(call: Call, default: int, most: int) -> object:
    """Newest first: the last 200 trades are kept."""
    state, page = _state(call), call.params.page(default, most)
    found = [
        {"symbol": state.symbol, **trade_row(trade)}
        for trade in reversed(state.trades)
        if trade.ts_ns >= page.since_ns
        and (not page.until_ns or trade.ts_ns <= page.until_ns)
        and (not page.before or (trade.trade_id.isdigit() and int(trade.trade_id) < page.before))
    ]
    return found[: page.limit]


@public(f"{_MARKET}/vip-fee-rate", 10)
def vip_rates(call: Call) -> object:
    """One level for all; nothing can be withdrawn."""
    del call
    return [
        {
            "level": 0,
            "dealAmount": "0",
            "assetAmount": "0",
            "takerFeeRate": "0.001",
            "makerFeeRate": "0.001",
            "btcWithdrawAmount": "0",
            "usdtWithdrawAmount": "0",
        }
    ]
