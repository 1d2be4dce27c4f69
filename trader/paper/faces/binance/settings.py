"""Leverage, margin type, position mode, asset mode, fees: what an account has set."""

from __future__ import annotations

from enum import StrEnum

from shared.domain.order import PositionSide
from trader.paper.contract import ContractSpec
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import MarginMode, PositionMode
from trader.paper.engine.money import text
from trader.paper.engine.settings import Leverage
from trader.paper.faces.binance import brackets
from trader.paper.faces.binance.calls import Call, signed
from trader.paper.faces.binance.errors import refusal

DONE = {"code": 200, "msg": "success"}


class _MarginType(StrEnum):
    ISOLATED = "ISOLATED"
    CROSSED = "CROSSED"


_MODES = {_MarginType.ISOLATED: MarginMode.ISOLATED, _MarginType.CROSSED: MarginMode.CROSSED}


def leverage_of(account: Account, spec: ContractSpec) -> int:
    """The one leverage that the venue knows per symbol: of the held position, else what is set."""
    held = next(account.held(spec.symbol), None)
    if held is not None:
        return held.leverage
    settings = account.settings(spec)
    return settings.leverage(settings.margin_mode, PositionSide.LONG)


@signed("POST", "/fapi/v1/leverage")
def set_leverage(call: Call) -> object:
    """For both sides and both margin types at once."""
    state, value = call.state(), call.params.need_integer("leverage")
    if not 1 <= value <= state.spec.max_leverage:
        raise refusal(-4028, value)
    isolated = any(p.margin_mode is MarginMode.ISOLATED for p in call.account.held(state.symbol))
    if isolated and value < leverage_of(call.account, state.spec):
        raise refusal(-4161)
    call.engine.set_leverage(call.account, state.symbol, Leverage(value, value, value))
    return {
        "leverage": value,
        "maxNotionalValue": text(brackets.largest(state.spec, value)),
        "symbol": state.symbol,
    }


@signed("POST", "/fapi/v1/marginType")
def set_margin_type(call: Call) -> object:
    state, account = call.state(), call.account
    mode = _MODES[call.params.choice("marginType", _MarginType, -1130)]
    if account.settings(state.spec).margin_mode is mode:
        raise refusal(-4046)
    if next(account.pending(state.symbol), None) is not None:
        raise refusal(-4047)
    call.engine.set_margin_mode(account, state.symbol, mode)
    return DONE


@signed("GET", "/fapi/v1/positionSide/dual", 30)
def position_mode(call: Call) -> object:
    return {"dualSidePosition": call.account.record.position_mode is PositionMode.HEDGE}


@signed("POST", "/fapi/v1/positionSide/dual")
def set_position_mode(call: Call) -> object:
    account = call.account
    mode = PositionMode.HEDGE if call.params.need_flag("dualSidePosition") else PositionMode.ONE_WAY
    if account.record.position_mode is mode:
        raise refusal(-4059)
    if account.orders or account.plans:
        raise refusal(-4067)
    call.engine.set_position_mode(account, mode)
    return DONE


@signed("GET", "/fapi/v1/multiAssetsMargin", 30)
def asset_mode(call: Call) -> object:
    del call
    return {"multiAssetsMargin": False}


@signed("POST", "/fapi/v1/multiAssetsMargin")
def set_asset_mode(call: Call) -> object:
    """Only USDT margins positions here: the mode stays what it is."""
    if not call.params.need_flag("multiAssetsMargin"):
        raise refusal(-4171)
    isolated = any(
        settings.margin_mode is MarginMode.ISOLATED for settings in call.account.record.settings.values()
    )
    raise refusal(-4167 if isolated else -1020)


@signed("GET", "/fapi/v1/feeBurn", 30)
def fee_burn(call: Call) -> object:
    """Fees are paid in USDT."""
    del call
    return {"feeBurn": False}


@signed("GET", "/fapi/v1/symbolConfig", 5)
def symbol_config(call: Call) -> object:
    account = call.account
    return [
        {
            "symbol": state.symbol,
            "marginType": account.settings(state.spec).margin_mode.value.upper(),
            "isAutoAddMargin": any(position.auto_margin for position in account.held(state.symbol)),
            "leverage": leverage_of(account, state.spec),
            "maxNotionalValue": text(brackets.largest(state.spec, leverage_of(account, state.spec))),
        }
        for state in call.one_or_all()
    ]


@signed("GET", "/fapi/v1/leverageBracket")
def leverage_brackets(call: Call) -> object:
    return [{"symbol": state.symbol, "brackets": brackets.rows(state.spec)} for state in call.one_or_all()]


@signed("GET", "/fapi/v1/commissionRate", 20)
def commission_rate(call: Call) -> object:
    spec = call.state().spec
    return {
        "symbol": spec.symbol,
        "makerCommissionRate": text(spec.maker_fee),
        "takerCommissionRate": text(spec.taker_fee),
    }


@signed("GET", "/fapi/v1/apiTradingStatus", 10)
def trading_status(call: Call) -> object:
    """Nobody is locked for how they trade."""
    return {"indicators": {}, "updateTime": call.wall.now_ms()}
