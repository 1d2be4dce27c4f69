"""Signed v3 position calls: what is held, what was, and closing it at market."""

from __future__ import annotations

from shared.domain.order import PositionSide
from trader.paper.faces.bitget.calls import Call
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.shapes import COIN
from trader.paper.faces.bitget.v3 import rows
from trader.paper.faces.bitget.v3.calls import (
    Category,
    Row,
    category,
    page,
    paged,
    signed_get,
    signed_post,
    state_of,
)
from trader.paper.faces.bitget.v3.errors import from_engine, refusal


def _side(params: Params) -> PositionSide | None:
    return params.choice("posSide", PositionSide) if params.text("posSide") else None


def _symbol(call: Call, found: Category) -> str:
    """An optional symbol, which must exist."""
    symbol = call.params.text("symbol").upper()
    if symbol and found.market is not None:
        state_of(call, found.market, symbol)
    return symbol


@signed_get("position/current-position")
def current(call: Call) -> object:
    found, side, account = category(call.params), _side(call.params), call.account
    symbol = _symbol(call, found)
    funds = call.engine.funds(account)
    held = account.positions.values() if found is Category.FUTURES else ()
    shown = [
        rows.position(call.engine, account, position, funds)
        for position in held
        if symbol in {"", position.symbol} and side in {None, position.side}
    ]
    return {"list": shown or None}


@signed_get("position/history-position")
def history(call: Call) -> object:
    found, asked = category(call.params), page(call)
    closed = call.engine.closed(call.account, asked) if found is Category.FUTURES else []
    return paged([rows.closed(position) for position in closed], "positionId")


@signed_get("position/adlRank", 1)
def deleveraging_rank(call: Call) -> object:
    """Nobody is deleveraged here: every position has the lowest rank."""
    return [
        {"symbol": held.symbol, "marginCoin": COIN, "adlRank": "0", "holdSide": held.side.value}
        for held in call.account.positions.values()
    ]


@signed_post("trade/close-positions", 5)
def close(call: Call) -> object:
    """At market: of one symbol or all, in hedge mode of one side or both."""
    found, side = category(call.params), _side(call.params)
    if found is not Category.FUTURES:
        raise refusal("25227")
    done, failed = call.engine.close_positions(call.account, _symbol(call, found), side)
    shown: list[Row] = [rows.placed(order) for order in done]
    for _, refused in failed:
        error = from_engine(refused)
        shown.append({"orderId": "", "clientOid": "", "code": error.code, "msg": error.text})
    return {"list": shown}
