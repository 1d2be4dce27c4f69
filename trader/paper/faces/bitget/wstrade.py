"""Orders over the websocket (``op: trade``): place-order and cancel-order of USDT futures.

    {"op": "trade", "args": [{"id": "7", "instType": "USDT-FUTURES", "instId": "BTCUSDT", "channel": "place-order",
     "params": {"orderType": "market", "side": "buy", "size": "0.01", "marginCoin": "USDT", "marginMode": "crossed"}}]}
    {"event": "trade", "arg": [{"id": "7", "instType": "USDT-FUTURES", "channel": "place-order", "instId": "BTCUSDT",
     "params": {"orderId": "1", "clientOid": "2"}}], "code": 0, "msg": "Success"}

Same rules, limits and codes as over REST. There is no modify, no batch and no plan order here.
"""

from __future__ import annotations

from typing import Any

from shared.errors import VenueRefusedError
from trader.paper.engine.accounts import Account
from trader.paper.faces.bitget.params import PRODUCT, Params
from trader.paper.faces.bitget.rest import RestFace

_LONGEST_ID = 40
_PATHS = {
    "place-order": "/api/v2/mix/order/place-order",
    "cancel-order": "/api/v2/mix/order/cancel-order",
}


class BadTradeError(Exception):
    """What the socket itself refuses; ``code`` is a websocket code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


async def trade(rest: RestFace, account: Account, arg: dict[str, Any]) -> dict[str, object]:
    """The answer to one argument. Raises ``BadTradeError`` and ``VenueRefusedError``."""
    params, number = arg.get("params"), arg.get("id")
    path = _PATHS.get(str(arg.get("channel", "")))
    if path is None or str(arg.get("instType", "")).upper() != PRODUCT:
        raise BadTradeError(30001)
    if not isinstance(params, dict) or not number or len(str(number)) > _LONGEST_ID:
        raise BadTradeError(30016)
    named = params | {"symbol": arg.get("instId"), "productType": PRODUCT}
    data = await rest.execute_signed(path, Params(named), account)
    assert isinstance(data, dict)
    echoed = {name: arg.get(name) for name in ("id", "instType", "channel", "instId")}
    placed = {name: data[name] for name in ("orderId", "clientOid")}
    return {"event": "trade", "arg": [echoed | {"params": placed}], "code": 0, "msg": "Success"}


def refused(arg: dict[str, Any], error: VenueRefusedError) -> dict[str, object]:
    """The venue's business errors have their REST codes, as numbers."""
    code = int(error.code)
    return {"event": "error", "arg": [arg], "code": code, "msg": error.text}
