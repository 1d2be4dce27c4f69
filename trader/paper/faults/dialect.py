"""What faults must know of a venue's language: who asks, what a refusal looks like, which fields are what."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from shared.domain.order import PositionSide
from trader.paper import shortids

_encode = msgspec.json.Encoder().encode

#: Paths of websockets: what a handshake asks for, and the beginning of what is asked over an open one.
SOCKETS = ("/v2/ws/", "/v3/ws/", "/ws", "/stream", "/public/", "/market/", "/private/")
_BINANCE = ("/fapi/", "/sapi/", "/ws-fapi/", "/ws", "/stream", "/public/", "/market/", "/private/")
_SIGNING = frozenset({"timestamp", "signature", "recvWindow"})


class Bitget:
    """An envelope with ``code`` and ``data``; both generations."""

    key_header = "ACCESS-KEY"
    status_fields = frozenset({"status", "state", "symbolStatus", "orderStatus", "planStatus"})
    price_fields = frozenset(
        {
            "price", "priceAvg", "avgPrice", "lastPr", "lastPrice", "markPrice", "openPriceAvg", "fillPrice",
            "execPrice", "triggerPrice", "bidPr", "askPr", "bid1Price", "ask1Price",
        }
    )  # fmt: skip
    id_fields = ("orderId", "posId", "positionId")
    #: Lists that the venue sends as null when they are empty.
    null_lists = frozenset({"entrustedList"})
    absent = (400, "40109", "The data of the order cannot be found, please confirm the order number")
    maintenance = "40725"
    unknown = "40015"

    def refusal(self, code: str, message: str, wall_ms: int) -> bytes:
        return _encode({"code": code, "msg": message, "requestTime": wall_ms, "data": None})

    def content(self, message: object) -> object:
        """The part of an answer or push that tells of orders and prices; ``None`` when there is none."""
        if not isinstance(message, dict) or message.get("code", "00000") != "00000":
            return None
        return message.get("data")

    def with_content(self, message: object, content: object) -> object:
        return message | {"data": content} if isinstance(message, dict) else content

    def renewed(self, message: object, wall_ms: int) -> object:
        """An old answer that claims to be made now."""
        if isinstance(message, dict) and "requestTime" in message:
            return message | {"requestTime": wall_ms}
        return message

    def same_call(self, raw_path: str) -> str:
        return raw_path

    def enters(self, method: str, path: str) -> bool:
        """Whether a request may bring new orders: what a market that only cancels refuses."""
        return method == "POST" and "cancel" not in path

    def number(self, shown: int) -> int:
        """The engine's id of one in an answer."""
        return shown

    def position(self, row: dict[str, Any]) -> PositionSide | None:
        """The side of the position that a row tells of."""
        return _side(row.get("holdSide") or row.get("posSide"))


class Binance:
    """No envelope: a plain object or list; refusals have a negative ``code``."""

    key_header = "X-MBX-APIKEY"
    status_fields = frozenset({"status", "algoStatus", "X", "x"})
    price_fields = frozenset(
        {
            "price", "avgPrice", "lastPrice", "markPrice", "entryPrice", "bidPrice", "askPrice", "triggerPrice",
            "p", "ap", "L", "ep",
        }
    )  # fmt: skip
    id_fields = ("orderId", "algoId")
    null_lists: frozenset[str] = frozenset()
    absent = (400, "-2013", "Order does not exist.")
    maintenance = "-1016"
    unknown = "-1000"

    def refusal(self, code: str, message: str, wall_ms: int) -> bytes:
        del wall_ms
        number = int(code) if code.removeprefix("-").isdecimal() else -1000
        return _encode({"code": number, "msg": message})

    def content(self, message: object) -> object:
        if isinstance(message, dict):
            code = message.get("code")
            if isinstance(code, int) and code < 0:
                return None
            if isinstance(message.get("status"), int):  # an answer over the order websocket
                return message.get("result")
        return message

    def with_content(self, message: object, content: object) -> object:
        if isinstance(message, dict) and isinstance(message.get("status"), int):
            return message | {"result": content}
        return content

    def renewed(self, message: object, wall_ms: int) -> object:
        del wall_ms
        return message

    def same_call(self, raw_path: str) -> str:
        """Without what makes each signed request another."""
        path, _, query = raw_path.partition("?")
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] not in _SIGNING]
        return f"{path}?{urlencode(pairs)}"

    def enters(self, method: str, path: str) -> bool:
        if path.startswith("/ws-fapi/"):
            return path.endswith((".place", ".modify"))
        return method in {"POST", "PUT"} and not path.endswith(("/listenKey", "/countdownCancelAll"))

    def number(self, shown: int) -> int:
        return shortids.meant(shown)

    def position(self, row: dict[str, Any]) -> PositionSide | None:
        if "positionAmt" not in row:
            return None
        side = str(row.get("positionSide", "BOTH")).lower()
        if side != "both":
            return _side(side)
        return PositionSide.SHORT if str(row["positionAmt"]).startswith("-") else PositionSide.LONG


Dialect = Bitget | Binance
BITGET = Bitget()
BINANCE = Binance()


def dialect_of(path: str) -> Dialect:
    return BINANCE if path.startswith(_BINANCE) else BITGET


def _side(value: object) -> PositionSide | None:
    return PositionSide(value) if value in ("long", "short") else None
