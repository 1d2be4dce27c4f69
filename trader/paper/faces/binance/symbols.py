"""The list of contracts: ``exchangeInfo`` with every filter, funding intervals, and what a symbol's status is called."""

from __future__ import annotations

from decimal import Decimal

from trader.paper.contract import ContractSpec
from trader.paper.engine.checks import MOST_SYMBOL_ORDERS, MOST_SYMBOL_PLANS
from trader.paper.engine.money import text
from trader.paper.faces.binance import numbers
from trader.paper.faces.binance.calls import Call, public
from trader.paper.faces.binance.weights import rate_limits
from trader.paper.market import MarketState

#: Perpetual: the year 2100.
_DELIVERY_MS = 4_133_404_800_000
#: For contracts that were always there.
_ONBOARD_MS = 1_569_398_400_000
_STATUS = {
    "pre_open": "PENDING_TRADING",
    "open": "TRADING",
    "maintain": "CLOSE",
    "limit_open": "PRE_DELIVERING",
    "restricted": "PRE_DELIVERING",
    "off": "CLOSE",
}
ORDER_TYPES = (
    "LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"
)  # fmt: skip
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")
_HIGHEST_TICKS = 10_000_000
_FUNDING_CAP = Decimal("0.003")


def price_precision(spec: ContractSpec) -> int:
    """Decimals of a price at most: one more than the tick has, as for the venue's large contracts.

    So a price off the tick is -4014 and one with too many decimals -1111.
    """
    return spec.price_places + 1


def highest(spec: ContractSpec) -> Decimal:
    """The highest price that the price filter admits."""
    return spec.tick * _HIGHEST_TICKS


@public("/fapi/v1/exchangeInfo")
def exchange_info(call: Call) -> object:
    states = [state for state in call.states() if state.spec.quote == "USDT"] or call.states()
    quotes = dict.fromkeys(state.spec.quote for state in call.states()) or {"USDT": None}
    return {
        "timezone": "UTC",
        "serverTime": call.wall.now_ms(),
        "futuresType": "U_MARGINED",
        "rateLimits": rate_limits(call.house.weights, call.house.orders),
        "exchangeFilters": [],
        "assets": [{"asset": quote, "marginAvailable": True, "autoAssetExchange": "0"} for quote in quotes],
        "symbols": [row(state) for state in states],
    }


def row(state: MarketState) -> dict[str, object]:
    spec = state.spec
    return {
        "symbol": spec.symbol,
        "pair": spec.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": _DELIVERY_MS,
        "onboardDate": spec.open_time_ms or _ONBOARD_MS,
        "status": _STATUS[state.status],
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": spec.base,
        "quoteAsset": spec.quote,
        "marginAsset": spec.quote,
        "pricePrecision": price_precision(spec),
        "quantityPrecision": spec.size_places,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": numbers.rounded(spec.taker_fee, 6),
        "marketTakeBound": numbers.padded(max(spec.buy_limit_ratio, spec.sell_limit_ratio), 2),
        "maxMoveOrderLimit": 10_000,
        "filters": _filters(spec),
        "orderTypes": ORDER_TYPES,
        "timeInForce": TIMES_IN_FORCE,
        "permissionSets": ["GRID", "COPY"],
    }


def _filters(spec: ContractSpec) -> list[dict[str, object]]:
    places, step = spec.price_places, text(spec.step)
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": text(spec.tick),
            "maxPrice": numbers.padded(highest(spec), places),
            "tickSize": text(spec.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": text(spec.min_size),
            "maxQty": text(spec.max_size),
            "stepSize": step,
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": text(spec.min_size),
            "maxQty": text(spec.max_market_size),
            "stepSize": step,
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": MOST_SYMBOL_ORDERS},
        {"filterType": "MAX_NUM_ALGO_ORDERS", "limit": MOST_SYMBOL_PLANS},
        {"filterType": "MIN_NOTIONAL", "notional": text(spec.min_notional)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": numbers.padded(1 + spec.buy_limit_ratio, 4),
            "multiplierDown": numbers.padded(1 - spec.sell_limit_ratio, 4),
            "multiplierDecimal": "4",
        },
        {
            "filterType": "POSITION_RISK_CONTROL",
            "positionControlSide": "NONE",
            "notionalLimit": "0",
        },
    ]


@public("/fapi/v1/fundingInfo", 0)
def funding_info(call: Call) -> object:
    """All contracts, not only those whose rules the venue has adjusted."""
    return [
        {
            "symbol": state.symbol,
            "adjustedFundingRateCap": numbers.money(max(_FUNDING_CAP, abs(state.funding_rate))),
            "adjustedFundingRateFloor": numbers.money(-max(_FUNDING_CAP, abs(state.funding_rate))),
            "fundingIntervalHours": state.funding_interval_h,
            "disclaimer": False,
        }
        for state in call.states()
    ]
