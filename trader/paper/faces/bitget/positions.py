"""Signed position calls: what is held, what was, and closing it at market."""

from __future__ import annotations

from shared.domain.order import PositionSide
from trader.paper.engine.model import PositionMode
from trader.paper.faces.bitget import shapes
from trader.paper.faces.bitget.account import traded
from trader.paper.faces.bitget.calls import Call, signed_get, signed_post
from trader.paper.faces.bitget.errors import from_engine, refusal


@signed_get("/api/v2/mix/position/all-position", 5)
def all_positions(call: Call) -> object:
    return _rows(call) if call.params.served() else []


@signed_get("/api/v2/mix/position/single-position")
def single_position(call: Call) -> object:
    return _rows(call, traded(call).symbol)


def _rows(call: Call, symbol: str = "") -> list[dict[str, object]]:
    account = call.account
    funds = call.engine.funds(account)
    return [
        shapes.position_row(call.engine, account, position, funds)
        for position in account.positions.values()
        if symbol in {"", position.symbol}
    ]


@signed_get("/api/v2/mix/position/history-position", 20)
def history(call: Call) -> object:
    params = call.params
    if not params.text("symbol"):
        params.served()
    found = call.engine.closed(call.account, params.page(20))
    return {
        "list": [shapes.history_row(position) for position in found],
        "endId": str(found[-1].id) if found else None,
    }


@signed_get("/api/v2/mix/position/adlRank", 5)
def deleveraging_rank(call: Call) -> object:
    """Nobody is deleveraged here: every position has the lowest rank."""
    if not call.params.served():
        return []
    return [
        {"marginCoin": shapes.COIN, "symbol": position.symbol, "adlRank": "0"}
        for position in call.account.positions.values()
    ]


@signed_post("/api/v2/mix/order/close-positions", 1)
def close_positions(call: Call) -> object:
    """Flash close: of one symbol or all, in hedge mode of one side or both."""
    params, account = call.params, call.account
    if not params.served():
        raise refusal("22002")
    named = params.text("holdSide").lower()
    if named not in {"", "long", "short", "buy", "sell"}:
        raise refusal("40020", "holdSide")
    side = PositionSide(named) if named in {"long", "short"} else None
    if account.record.position_mode is PositionMode.ONE_WAY:
        side = None
    symbol = params.text("symbol").upper()
    if symbol:
        call.state(symbol, code="40102")
    done, failed = call.engine.close_positions(account, symbol, side)
    failures = [(position, from_engine(refused)) for position, refused in failed]
    return {
        "successList": [shapes.placed(order) | {"symbol": order.symbol} for order in done],
        "failureList": [
            {
                "orderId": "",
                "clientOid": "",
                "symbol": position.symbol,
                "errorMsg": refused.text,
                "errorCode": refused.code,
            }
            for position, refused in failures
        ],
    }
