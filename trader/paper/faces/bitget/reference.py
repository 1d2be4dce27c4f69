"""Unsigned calls about a market as a whole: open interest, limits, fees, settled funding, older trades."""

from __future__ import annotations

from decimal import Decimal

from shared.clock import MILLISECOND
from trader.paper.contract import FUTURES
from trader.paper.engine.money import text
from trader.paper.faces.bitget.calls import Call, public
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.public import candle_history, trade_row, wanted_states
from trader.paper.market import MarketState

#: What one account may hold of a symbol without tiers, and all accounts of a user together.
_LARGEST_VALUE = Decimal(1_000_000)
USER_FACTOR = 5


@public("/api/v2/mix/market/open-interest")
def open_interest(call: Call) -> object:
    """What the accounts of this exchange hold, long and short together."""
    if not call.params.served():
        raise refusal("40034", "symbol")
    state = call.state(call.params.symbol())
    row = {"symbol": state.symbol, "size": text(call.engine.open_interest(state.symbol))}
    return {"openInterestList": [row], "ts": str(state.ts_ns // MILLISECOND)}


@public("/api/v2/mix/market/symbol-price")
def symbol_price(call: Call) -> object:
    """The documents want a signature, ccxt sends none: it is served either way."""
    if not call.params.served():
        return []
    call.params.symbol()
    return [
        {
            "symbol": state.symbol,
            "price": text(state.last),
            "indexPrice": text(state.index),
            "markPrice": text(state.mark),
            "ts": str(state.ts_ns // MILLISECOND),
        }
        for state in wanted_states(call, FUTURES)
    ]


@public("/api/v2/mix/market/oi-limit", 10)
def open_interest_limit(call: Call) -> object:
    """The largest position of the symbol's tiers, and five times that for a user."""
    if not call.params.served():
        return []
    return [limit_row(state) for state in wanted_states(call, FUTURES)]


def largest_value(state: MarketState) -> Decimal:
    """What one account may hold, in quote currency."""
    return state.spec.tiers[-1].end if state.spec.tiers else _LARGEST_VALUE


def limit_row(state: MarketState) -> dict[str, str]:
    largest = largest_value(state)
    return {
        "symbol": state.symbol,
        "notionalValue": text(largest),
        "totalNotionalValue": text(largest * USER_FACTOR),
    }


@public("/api/v2/mix/market/vip-fee-rate", 10)
def vip_fees(call: Call) -> object:
    """One level only: everybody pays what the contract list says."""
    del call
    return [
        {
            "level": "0",
            "dealAmount": "0",
            "assetAmount": "0",
            "takerFeeRate": "0.0006",
            "makerFeeRate": "0.0002",
            "btcWithdrawAmount": "0",
            "usdtWithdrawAmount": "0",
        }
    ]


@public("/api/v2/mix/market/history-fund-rate")
def funding_history(call: Call) -> object:
    """Settlements that happened here, newest first."""
    params = call.params
    if not params.served():
        return []
    state = call.state(params.symbol())
    size, number = params.integer("pageSize", 20), params.integer("pageNo", 1)
    if not 1 <= size <= 100 or not 1 <= number <= 10_000:
        raise refusal("40020", "pageNo" if 1 <= size <= 100 else "pageSize")
    newest = list(state.settled)[::-1][size * (number - 1) : size * number]
    return [
        {
            "symbol": state.symbol,
            "fundingRate": text(settled.rate),
            "fundingTime": str(settled.ns // MILLISECOND),
        }
        for settled in newest
    ]


@public("/api/v2/mix/market/fills-history", 10)
def older_trades(call: Call) -> object:
    """The trades that are kept (the newest 200), newest first; sides begin with a capital letter."""
    if not call.params.served():
        raise refusal("40034", "symbol")
    state, page = call.state(call.params.symbol()), call.params.page(500, 1000)
    found = [
        trade
        for trade in reversed(state.trades)
        if trade.ts_ns >= page.since_ns and (not page.until_ns or trade.ts_ns <= page.until_ns)
    ]
    if page.before:
        found = [
            trade for trade in found if not trade.trade_id.isdigit() or int(trade.trade_id) < page.before
        ]
    return [
        {**trade_row(trade), "symbol": state.symbol, "side": trade.side.capitalize()}
        for trade in found[: page.limit]
    ]


@public("/api/v2/mix/market/history-mark-candles")
def mark_candles(call: Call) -> object:
    """The market's own candles: mark and index prices are not kept."""
    return candle_history(call)


@public("/api/v2/mix/market/history-index-candles")
def index_candles(call: Call) -> object:
    """The market's own candles: mark and index prices are not kept."""
    return candle_history(call)
