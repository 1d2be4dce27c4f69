"""Keys and JSON types of every push to a unified account are those of the samples, or the difference has a reason."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.conformance.test_wire_shapes import TABLE, unlike
from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES, Rest, Socket
from tests.conformance.wire_table import channel_of
from tests.trader.paper.process import Process

V3 = "/api/v3"
BTC: dict[str, Any] = {"category": FUTURES, "symbol": "BTCUSDT"}
PRIVATE = ("account", "position", "order", "fill", "fast-fill", "strategy-order", "adl-notification")
#: Acknowledged, and never pushed: nobody is deleveraged here.
SILENT = {"v3 adl-notification"}


def subscribe(socket: Socket, arg: dict[str, Any]) -> None:
    socket.send("subscribe", arg)
    answer = socket.expect(lambda message: "event" in message and message.get("arg") == arg)
    assert answer["event"] == "subscribe", answer


@pytest.fixture(scope="module")
def pushes(exchange: Process) -> dict[str, list[Any]]:
    control = Control(exchange.ready)
    control.price("BTCUSDT", "60000")
    account = control.account(kind="unified", spot={"BTC": "0.1"})
    rest = Rest(exchange.ready["rest"], account)
    public, private = Socket(exchange.ready["ws_v3_public"]), Socket(exchange.ready["ws_v3_private"])
    sockets = (public, private)
    market = {"instType": "usdt-futures", "symbol": "SOLUSDT"}
    for topic in ("ticker", "books1", "publicTrade"):
        subscribe(public, market | {"topic": topic})
    subscribe(public, market | {"topic": "kline", "interval": "1m"})
    control.advance(60_000)
    private.login(account)
    for topic in PRIVATE:
        subscribe(private, {"instType": "UTA", "topic": topic})
    trade(rest, control)
    rows: dict[str, list[Any]] = defaultdict(list)
    for socket in sockets:
        socket.settle()
        for message in socket.seen:
            if "action" in message:
                data = message["data"]
                rows[channel_of(message["arg"])] += data if isinstance(data, list) else [data]
        socket.close()
    rest.close()
    return rows


def trade(rest: Rest, control: Control) -> None:
    order = BTC | {"side": "buy", "orderType": "limit", "qty": "0.01", "price": "59000"}
    rest.post(f"{V3}/trade/place-order", **order, clientOid="rests")
    rest.post(f"{V3}/trade/cancel-order", clientOid="rests")
    rest.post(f"{V3}/trade/place-order", **BTC, side="buy", orderType="market", qty="0.005")
    guard = BTC | {"type": "tpsl", "tpslMode": "full", "posSide": "long"}
    rest.post(f"{V3}/trade/place-strategy-order", **guard, takeProfit="66000", stopLoss="55000")
    trigger = BTC | {"type": "trigger", "side": "buy", "qty": "0.01", "triggerPrice": "61000"}
    rest.post(f"{V3}/trade/place-strategy-order", **trigger, triggerBy="market", triggerOrderType="market")
    rest.post(f"{V3}/trade/close-positions", **BTC)


@pytest.mark.parametrize("channel", sorted(set(TABLE["v3_ws"]) - SILENT))
def test_a_push_has_the_keys_and_types_of_the_samples(pushes: dict[str, list[Any]], channel: str) -> None:
    assert pushes.get(channel), "no push"
    assert not unlike(channel, TABLE["v3_ws"][channel], pushes[channel])
