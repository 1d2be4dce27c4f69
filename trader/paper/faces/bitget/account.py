"""Signed account calls: balances, leverage, margin mode, position mode, key info, fees."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from shared.domain.order import PositionSide
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import MarginMode, PositionMode, SymbolSettings
from trader.paper.engine.money import ZERO, divided, text
from trader.paper.engine.settings import Leverage
from trader.paper.faces.bitget.calls import Call, signed_get, signed_post
from trader.paper.faces.bitget.errors import refusal
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.shapes import COIN, ms, price
from trader.paper.market import MarketState


class _HoldSide(StrEnum):
    LONG = "long"
    SHORT = "short"


def margin_mode(params: Params) -> MarginMode:
    """isolated, crossed; "cross" is tolerated."""
    if params.text("marginMode").lower() == "cross":
        return MarginMode.CROSSED
    return params.choice("marginMode", MarginMode)


def traded(call: Call) -> MarketState:
    """The symbol of a signed call, after its product type and margin coin."""
    served = call.params.served()
    symbol = call.params.symbol()
    if not served:
        raise refusal("40102", symbol)
    coin = call.params.text("marginCoin", COIN).upper()
    if coin != COIN:
        raise refusal("40020", "marginCoin")
    return call.state(symbol, code="40102")


def balances(engine: Engine, account: Account, funds: Funds) -> dict[str, object]:
    """What the single account and the list of accounts have in common."""
    open_ = bool(account.positions)
    equity, needed = engine.crossed_margins(account, funds)
    free = text(max(ZERO, funds.free))
    return {
        "marginCoin": COIN,
        "locked": text(funds.locked),
        "available": text(funds.available),
        "crossedMaxAvailable": free,
        "isolatedMaxAvailable": free,
        "maxTransferOut": free,
        "accountEquity": text(funds.equity),
        "usdtEquity": text(funds.equity),
        "btcEquity": text(in_bitcoin(engine, funds.equity)),
        "crossedRiskRate": text(divided(needed, equity)) if needed and equity > 0 else "0",
        "unrealizedPL": text(funds.isolated_unrealised + funds.crossed_unrealised) if open_ else "",
        "coupon": "0",
        "grant": "",
        "crossedUnrealizedPL": text(funds.crossed_unrealised) if open_ else "",
        "isolatedUnrealizedPL": text(funds.isolated_unrealised) if open_ else "",
        "assetMode": "single",
        "isolatedMargin": text(funds.isolated),
        "crossedMargin": text(funds.crossed),
    }


def in_bitcoin(engine: Engine, equity: Decimal) -> Decimal:
    state = engine.core.hub.get("futures", "BTCUSDT")
    return divided(equity, state.last).quantize(Decimal("1e-12")) if state and state.last else ZERO


@signed_get("/api/v2/mix/account/account")
def single_account(call: Call) -> object:
    state, account = traded(call), call.account
    settings = account.settings(state.spec)
    return balances(call.engine, account, call.engine.funds(account)) | {
        "crossedMarginLeverage": str(settings.cross_leverage),
        "isolatedLongLever": str(settings.long_leverage),
        "isolatedShortLever": str(settings.short_leverage),
        "marginMode": settings.margin_mode.value,
        "posMode": account.record.position_mode.value,
    }


@signed_get("/api/v2/mix/account/accounts")
def account_list(call: Call) -> object:
    if not call.params.served():
        return []
    account = call.account
    funds = call.engine.funds(account)
    row = balances(call.engine, account, funds) | {
        "unionTotalMargin": "0",
        "unionAvailable": "0",
        "unionMm": "0",
        "assetList": [{"coin": COIN, "balance": text(funds.wallet), "available": text(funds.available)}],
    }
    return [row]


@signed_post("/api/v2/mix/account/set-leverage", 5)
def set_leverage(call: Call) -> object:
    state, params = traded(call), call.params
    side = params.text("holdSide").lower()
    if side not in {"", "long", "short"}:
        raise refusal("40020", "holdSide")
    wanted: int | Leverage
    if params.text("longLeverage") or params.text("shortLeverage"):
        wanted = Leverage(long=_leverage(params, "longLeverage"), short=_leverage(params, "shortLeverage"))
    else:
        wanted = params.integer("leverage") if params.need("leverage") else 0
    settings = call.engine.set_leverage(
        call.account, state.symbol, wanted, PositionSide(side) if side else None
    )
    return _leverages(state.symbol, settings) | {"crossMarginLeverage": str(settings.cross_leverage)}


def _leverage(params: Params, name: str) -> int | None:
    return params.integer(name) if params.text(name) else None


def _leverages(symbol: str, settings: SymbolSettings) -> dict[str, str]:
    return {
        "symbol": symbol,
        "marginCoin": COIN,
        "longLeverage": str(settings.long_leverage),
        "shortLeverage": str(settings.short_leverage),
        "marginMode": settings.margin_mode.value,
    }


@signed_post("/api/v2/mix/account/set-margin-mode", 5)
def set_margin_mode(call: Call) -> object:
    state = traded(call)
    mode = margin_mode(call.params)
    return _leverages(state.symbol, call.engine.set_margin_mode(call.account, state.symbol, mode))


@signed_post("/api/v2/mix/account/set-position-mode", 5)
def set_position_mode(call: Call) -> object:
    mode = call.params.choice("posMode", PositionMode)
    if call.params.served():
        call.engine.set_position_mode(call.account, mode)
    return {"posMode": mode.value}


@signed_get("/api/v2/spot/account/info", 1)
def key_info(call: Call) -> object:
    record = call.account.record
    return {
        "userId": str(record.id),
        "inviterId": "",
        "ips": "",
        "authorities": ["coor", "cpor", "stor", "wtor"],
        "parentId": record.id,
        "traderType": "not_trader",
        "channelCode": "",
        "channel": "",
        "regisTime": ms(record.created_ns),
    }


@signed_get("/api/v2/common/trade-rate")
def trade_rate(call: Call) -> object:
    market = {"mix": "futures", "spot": "spot"}.get(call.params.need("businessType").lower())
    if market is None:
        raise refusal("40020", "businessType")
    spec = call.state(call.params.symbol(), market).spec
    return {"makerFeeRate": price(spec.maker_fee), "takerFeeRate": price(spec.taker_fee)}
