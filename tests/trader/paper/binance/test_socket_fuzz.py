"""Frames of every kind on both sockets: always an answer or a refusal of the venue, never an end or a -1000."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.trader.paper.binance.sockets import Sockets, now_ms, sign
from trader.paper.faces.binance import wsapi
from trader.paper.server import PaperServer

FRAMES = 600
_VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e-7, 1e300, 10**30, "", " ", "0", "-1", "1e5", "NaN", "BTCUSDT", "btcusdt",
    "btcusdt@depth", "!x@arr", "x" * 300, "\ud800", "é", [], ["a"], {}, {"a": 1}, "BUY", "LIMIT", "0.01", "59000",
]  # fmt: skip
_NAMES = [
    "symbol", "side", "type", "quantity", "price", "timeInForce", "orderId", "limit", "recvWindow", "apiKey",
    "timestamp", "signature", "returnRateLimits", "goodTillDate", "priceMatch", "reduceOnly", "é", "",
]  # fmt: skip
_PLAIN = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY", "X", None, 7]


async def test_the_order_websocket(sockets: Sockets, binance: PaperServer) -> None:
    chance = random.Random(1)
    api = await sockets.api()
    methods = [*wsapi.METHODS, "session.logon", "session.status", "session.logout", "x", 7, None]
    for number in range(FRAMES):
        params: Any = {chance.choice(_NAMES): chance.choice(_VALUES) for _ in range(chance.randrange(8))}
        if chance.random() < 0.7:
            params |= {"apiKey": api.key, "timestamp": now_ms()}
            params["signature"] = sign(api.secret, {k: v for k, v in params.items() if k != "signature"})
        if chance.random() < 0.05:
            params = chance.choice(_VALUES)
        message = {
            "id": chance.choice([number, str(number), None, 1.5]),
            "method": chance.choice(methods),
            "params": params,
        }
        answer = await api.send(json.dumps(message))
        assert answer["status"] == 200 or answer["error"]["code"] not in (-1000, -1001), (message, answer)
    assert binance.ws_api.failures == binance.binance.failures == 0


async def test_the_stream_sockets(sockets: Sockets, binance: PaperServer) -> None:
    chance = random.Random(2)
    stream = await sockets.stream("/stream")
    message: dict[str, Any]
    for number in range(FRAMES):
        params = [chance.choice(_VALUES) for _ in range(chance.randrange(4))]
        message = {
            "method": chance.choice(_PLAIN),
            "params": chance.choice([params, None, "x", {}]),
            "id": number,
        }
        if chance.random() < 0.2:
            message["id"] = chance.choice(_VALUES)
        await stream.socket.send(json.dumps(message))
        answer = await stream.next(lambda found: "result" in found or "error" in found)
        assert set(answer) <= {"result", "error", "id"}, (message, answer)
    assert binance.streams.failures == 0
    for path in (
        "/ws/%ff",
        "/ws/" + "a" * 5000,
        "/stream?streams=%00/@/!",
        "/private/ws?listenKey=&events=/",
    ):
        await (await sockets.stream(path)).ask("LIST_SUBSCRIPTIONS")
