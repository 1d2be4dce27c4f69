"""Signed v3 calls that change the account: leverage, holding mode, the margin of a position."""

from __future__ import annotations

from enum import StrEnum

from shared.domain.order import PositionSide
from trader.paper.engine.model import MarginMode, PositionMode
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.settings import Leverage, leverage_for
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.v3.calls import contract, signed_post
from trader.paper.faces.bitget.v3.errors import refusal
from trader.paper.faces.bitget.v3.orders import margin_mode

_DONE = "success"


class _Operation(StrEnum):
    ADD = "add"
    REMOVE = "remove"


@signed_post("account/set-leverage")
def set_leverage(call: Call) -> object:
    """Crossed unless ``marginMode`` is isolated. Isolated in hedge mode: of ``posSide``, or by side."""
    state, params = contract(call), call.params
    mode = margin_mode(params)
    hedge = call.account.record.position_mode is PositionMode.HEDGE
    side = params.choice("posSide", PositionSide) if params.text("posSide") else None
    if (
        mode is MarginMode.ISOLATED
        and hedge
        and (params.text("longLeverage") or params.text("shortLeverage"))
    ):
        wanted = Leverage(long=_optional(params, "longLeverage"), short=_optional(params, "shortLeverage"))
    else:
        params.need("leverage")
        wanted = leverage_for(mode, hedge, params.integer("leverage"), side)
    call.engine.set_leverage(call.account, state.symbol, wanted)
    return _DONE


def _optional(params: Params, name: str) -> int | None:
    """A side's own leverage, else ``leverage``; ``None`` leaves it as it is."""
    for one in (name, "leverage"):
        if params.text(one):
            return params.integer(one)
    return None


@signed_post("account/set-hold-mode")
def set_hold_mode(call: Call) -> object:
    """25107 while a position is held, 25570 while orders are open."""
    mode = call.params.choice("holdMode", PositionMode)
    try:
        call.engine.set_position_mode(call.account, mode)
    except Refused as refused:
        if refused.reason is Reason.POSITION_MODE_BLOCKED and not call.account.positions:
            raise refusal("25570") from None
        raise
    return _DONE


@signed_post("account/set-margin")
def set_margin(call: Call) -> object:
    """Isolated positions only."""
    state, params = contract(call), call.params
    side, amount = params.choice("posSide", PositionSide), params.need_decimal("amount")
    if amount <= 0:
        raise refusal("400172", "amount")
    if params.choice("operation", _Operation) is _Operation.REMOVE:
        amount = -amount
    call.engine.adjust_margin(call.account, state.symbol, side, amount)
    return _DONE


@signed_post("account/adjust-account-mode", 1)
def set_account_mode(call: Call) -> object:
    """There is one account mode here."""
    call.params.need("mode")
    raise refusal("25009")


@signed_post("account/switch", 1)
def switch(call: Call) -> object:
    """A unified account stays one."""
    del call
    raise refusal("25009")
