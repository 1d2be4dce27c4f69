"""Signed calls about margin: moving it, asset mode, and what could be opened."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from shared.domain.order import OrderType, PositionSide
from trader.paper.engine import estimates
from trader.paper.engine.estimates import Wanted
from trader.paper.engine.money import LARGEST, ZERO, text, to_step
from trader.paper.faces.bitget.account import traded
from trader.paper.faces.bitget.calls import Call, signed_get, signed_post
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.market import MarketState


class _Switch(StrEnum):
    ON = "on"
    OFF = "off"


class _AssetMode(StrEnum):
    SINGLE = "single"
    UNION = "union"


def _hold_side(params: Params) -> PositionSide | None:
    """long, short; ``None`` when it is not given."""
    named = params.text("holdSide").lower()
    if named not in {"", "long", "short"}:
        raise refusal("40020", "holdSide")
    return PositionSide(named) if named else None


@signed_post("/api/v2/mix/account/set-margin", 5)
def set_margin(call: Call) -> object:
    """Isolated positions only; a negative amount takes margin back."""
    state, params = traded(call), call.params
    side, amount = _hold_side(params), params.need_decimal("amount")
    call.engine.adjust_margin(call.account, state.symbol, side, amount)
    return ""


@signed_post("/api/v2/mix/account/set-auto-margin", 5)
def set_auto_margin(call: Call) -> object:
    state, params = traded(call), call.params
    on = params.choice("autoMargin", _Switch) is _Switch.ON
    call.engine.set_auto_margin(call.account, state.symbol, _hold_side(params), on)
    return ""


@signed_post("/api/v2/mix/account/set-asset-mode", 2)
def set_asset_mode(call: Call) -> object:
    """Only USDT margins positions here: ``union`` is refused."""
    if not call.params.served() or call.params.choice("assetMode", _AssetMode) is _AssetMode.UNION:
        raise refusal("40020", "assetMode")
    return "success"


def _wanted(call: Call, state: MarketState) -> Wanted:
    """posSide, and a price unless the order type is market."""
    params = call.params
    side = params.choice("posSide", PositionSide)
    kind = params.choice("orderType", OrderType, OrderType.LIMIT)
    at = None if kind is OrderType.MARKET else _positive(params, "openPrice")
    return Wanted(state.symbol, side, at)


def _positive(params: Params, name: str) -> Decimal:
    value = params.need_decimal(name)
    if not 0 < value < LARGEST:
        raise refusal("40020", name)
    return value


@signed_get("/api/v2/mix/account/max-open", 20)
def max_open(call: Call) -> object:
    state = traded(call)
    return {"maxOpen": text(call.engine.max_open(call.account, _wanted(call, state)))}


@signed_get("/api/v2/mix/account/liq-price", 20)
def liquidation_price(call: Call) -> object:
    state = traded(call)
    wanted, size = _wanted(call, state), _positive(call.params, "openAmount")
    return {"liqPrice": text(call.engine.estimated_liquidation(call.account, wanted, size))}


@signed_get("/api/v2/mix/account/open-count")
def open_count(call: Call) -> object:
    """How much ``openAmount`` of quote currency opens at ``openPrice``, its fee included."""
    state, params = traded(call), call.params
    settings = call.account.settings(state.spec)
    leverage = params.integer("leverage") or settings.leverage(settings.margin_mode, PositionSide.LONG)
    if not state.spec.min_leverage <= leverage <= state.spec.max_leverage:
        raise refusal("45044", str(state.spec.max_leverage))
    money, at = _positive(params, "openAmount"), _positive(params, "openPrice")
    size = estimates.size_for(at, leverage, state.spec.taker_fee, money)
    return {"size": text(max(ZERO, to_step(size, state.spec.step)))}
