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
from trader.paper.faces.bitget.dialect import TEXTS, Request, encode, exact
from trader.paper.faces.bitget.params import PRODUCT, Params
from trader.paper.faces.bitget.rest import RestFace

_LONGEST_ID = 40
_PATHS = {
    "place-order": "/api/v2/mix/order/place-order",
    "cancel-order": "/api/v2/mix/order/cancel-order",
}
_ALIASES = {"inst_type": "instType", "inst_id": "instId"}


class TradeRequest(Request):
    """One argument of a frame. Business errors have their REST codes, as numbers."""

    def __init__(self, arg: dict[str, Any]) -> None:
        self._received = arg
        self._arg = {_ALIASES.get(name, name): value for name, value in arg.items()}
        self.name = str(arg.get("channel", ""))[:_LONGEST_ID]

    def refused(self, status: int, code: str, text: str) -> str:
        del status
        number: object = int(code) if code.isascii() and code.isdigit() else code
        return encode({"event": "error", "arg": [self._received], "code": number, "msg": text}).decode()

    async def carry_out(self, rest: RestFace, account: Account) -> str:
        arg = self._arg
        params, number = arg.get("params"), arg.get("id")
        path = _PATHS.get(self.name)
        if path is None or str(arg.get("instType", "")).upper() != PRODUCT:
            return self._bad(30001)
        if not isinstance(params, dict) or not number or len(str(number)) > _LONGEST_ID:
            return self._bad(30016)
        named = exact(params) | {"symbol": arg.get("instId"), "productType": PRODUCT}
        try:
            data = await rest.execute_signed(path, Params(named), account)
        except VenueRefusedError as error:
            return self.refused(error.status, error.code, error.text)
        assert isinstance(data, dict)
        echoed = {name: arg.get(name) for name in ("id", "instType", "channel", "instId")}
        placed = {name: data[name] for name in ("orderId", "clientOid")}
        answer = {"event": "trade", "arg": [echoed | {"params": placed}], "code": 0, "msg": "Success"}
        return encode(answer).decode()

    def _bad(self, code: int) -> str:
        return self.refused(400, str(code), TEXTS[code])
