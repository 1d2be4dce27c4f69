"""Orders over the unified websocket (``op: trade``): placed, modified and cancelled, alone or up to 20 at once.

    {"op": "trade", "id": "1", "category": "usdt-futures", "topic": "place-order", "args": [{"symbol": "BTCUSDT",
     "side": "buy", "orderType": "limit", "qty": "0.01", "price": "60000"}]}
    {"event": "trade", "id": "1", "category": "usdt-futures", "topic": "place-order", "args": [{"symbol": "BTCUSDT",
     "orderId": "2", "clientOid": "3", "cTime": "1790000000000"}], "code": "0", "msg": "success",
     "connId": "4", "ts": "1790000000001"}
    {"event": "error", "id": "1", "code": "25202", "msg": "…"}

Same rules, limits and codes as over REST; codes are texts here.
"""

from __future__ import annotations

from typing import Any

from shared.errors import VenueRefusedError
from trader.paper.engine.accounts import Account
from trader.paper.faces.bitget.dialect import TEXTS, Request, encode, exact
from trader.paper.faces.bitget.params import Params
from trader.paper.faces.bitget.rest import RestFace
from trader.paper.faces.bitget.shapes import ms
from trader.paper.faces.bitget.v3.calls import Row

_LONGEST_ID = 64
_PLACING = "place-order"
_ONE = {
    _PLACING: "/api/v3/trade/place-order",
    "modify-order": "/api/v3/trade/modify-order",
    "cancel-order": "/api/v3/trade/cancel-order",
}
_MANY = {
    "batch-place": "/api/v3/trade/place-batch",
    "batch-modify": "/api/v3/trade/batch-modify-order",
    "batch-cancel": "/api/v3/trade/cancel-batch",
}
#: These say in their answers of which category they were.
_CATEGORISED = (_PLACING, "batch-place")
#: As the page of this channel spells them; elsewhere they are takeProfit and stopLoss.
_ALIASES = {"takeprofit": "takeProfit", "stoploss": "stopLoss"}


class UnifiedRequest(Request):
    """One frame. ``connection`` is the id of the connection, which answers name."""

    def __init__(self, message: dict[str, Any], args: list[dict[str, Any]], connection: str) -> None:
        self._id = message.get("id")
        self._category = str(message.get("category") or "")
        self._args = [_spelt(exact(arg)) for arg in args]
        self._connection = connection
        self.name = str(message.get("topic", ""))[:_LONGEST_ID]

    def refused(self, status: int, code: str, text: str) -> str:
        del status
        return encode({"event": "error", "id": self._id, "code": code, "msg": text}).decode()

    async def carry_out(self, rest: RestFace, account: Account) -> str:
        if self.name not in _ONE and self.name not in _MANY:
            return self._bad(30001)
        if not isinstance(self._id, str | int) or not 1 <= len(str(self._id)) <= _LONGEST_ID:
            return self._bad(30016)
        if self.name in _ONE and len(self._args) != 1:
            return self._bad(30016)
        named = {"category": self._category.upper()} if self._category else {}
        params = [arg | named for arg in self._args]
        try:
            if self.name in _ONE:
                done = await rest.execute_signed(_ONE[self.name], Params(params[0]), account)
                answered = [self._single(rest, account, done)]
            else:
                done = await rest.execute_signed(_MANY[self.name], Params.of_items(params), account)
                answered = self._each(done)
        except VenueRefusedError as error:
            return self.refused(error.status, error.code, error.text)
        return self._answer(rest, answered)

    def _single(self, rest: RestFace, account: Account, done: object) -> Row:
        assert isinstance(done, dict)
        if self.name != _PLACING:
            return done
        return {"symbol": self._symbol(0), **done, "cTime": self._created(rest, account, done)}

    def _created(self, rest: RestFace, account: Account, done: Row) -> str:
        """When the order was created; one that replaced others has no id here, but a name."""
        number, name = int(str(done["orderId"] or 0)), str(done["clientOid"])
        order = rest.engine.order(account, number, name) or rest.engine.spot.order(account, number, name)
        return ms(order.created_ns if order is not None else rest.engine.core.now_ns)

    def _each(self, done: object) -> list[Row]:
        """Every item with a code of its own; "0" is done."""
        assert isinstance(done, list)
        rows: list[Row] = [{"code": "0", "msg": "Success", **row} for row in done]
        if self.name == "batch-place":
            rows = [row | {"symbol": self._symbol(at)} for at, row in enumerate(rows)]
        return rows

    def _symbol(self, at: int) -> str:
        return str(self._args[at].get("symbol", "")).upper()

    def _answer(self, rest: RestFace, args: list[Row]) -> str:
        answer: Row = {"event": "trade", "id": self._id}
        if self.name in _CATEGORISED:
            answer["category"] = self._category
        answer |= {
            "topic": self.name,
            "args": args,
            "code": "0",
            "msg": "success" if self.name == _PLACING else "Success",
            "connId": self._connection,
            "ts": str(rest.wall.now_ms()),
        }
        return encode(answer).decode()

    def _bad(self, code: int) -> str:
        return self.refused(400, str(code), TEXTS[code])


def _spelt(arg: dict[str, Any]) -> dict[str, Any]:
    return {_ALIASES.get(name, name): value for name, value in arg.items()}
