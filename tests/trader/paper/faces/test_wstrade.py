"""Orders over the websocket: the documented frames, the same rules and codes as over REST."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.trader.paper.client import FUTURES, Client, Socket
from tests.trader.paper.conftest import Exchanges
from tests.verify.fault_probes import BTC, PENDING
from trader.paper.server import PaperServer


@pytest.fixture
async def socket(client: Client) -> Socket:
    opened = await client.socket("ws_private")
    assert (await opened.login())["code"] == 0
    return opened


def place(number: str = "7", channel: str = "place-order", **params: object) -> dict[str, object]:
    wanted: dict[str, object] = {
        "orderType": "limit", "side": "buy", "size": "0.001", "force": "gtc", "price": "30000", "marginCoin": "USDT",
        "marginMode": "crossed",
    }  # fmt: skip
    return {
        "id": number,
        "instType": FUTURES,
        "instId": "BTCUSDT",
        "channel": channel,
        "params": wanted | params if channel == "place-order" else params,
    }


async def ask(socket: Socket, *args: dict[str, object]) -> dict[str, Any]:
    await socket.send("trade", *args)
    return await socket.expect(lambda message: message.get("event") in {"trade", "error"})


async def test_an_order_is_placed_and_cancelled(client: Client, socket: Socket) -> None:
    answer = await ask(socket, place(clientOid="w1"))
    (arg,) = answer["arg"]
    number = arg["params"]["orderId"]
    assert answer == {
        "event": "trade",
        "arg": [
            {
                "id": "7",
                "instType": FUTURES,
                "channel": "place-order",
                "instId": "BTCUSDT",
                "params": {"orderId": number, "clientOid": "w1"},
            }
        ],
        "code": 0,
        "msg": "Success",
    }
    assert isinstance(answer["code"], int)
    (row,) = (await client.get(PENDING, **BTC)).data["entrustedList"]
    assert (row["orderId"], row["clientOid"], row["price"]) == (number, "w1", "30000")
    gone = await ask(socket, place("8", "cancel-order", orderId=number))
    assert (gone["code"], gone["arg"][0]["id"], gone["arg"][0]["params"]["clientOid"]) == (0, "8", "w1")
    assert (await client.get(PENDING, **BTC)).data["entrustedList"] is None


async def test_a_market_order_fills_and_is_pushed(client: Client, socket: Socket) -> None:
    await socket.subscribe("fill")
    await ask(socket, place(orderType="market", price=None, presetStopLossPrice="50000"))
    held = (await client.get("/api/v2/mix/position/all-position", productType=FUTURES)).data
    assert [row["total"] for row in held] == ["0.001"]
    assert any(message.get("arg", {}) and "action" in message for message in socket.seen)


@pytest.mark.parametrize(
    ("arg", "code"),
    [
        (place(size="0.00001"), 40808),
        (place(size="1000000"), 45112),
        (place(price="30000.05"), 41103),
        (place(side="up"), 40020),
        (place(orderType=None), 40019),
        (place() | {"instId": "NOUSDT"}, 40102),
        (place(channel="cancel-order", orderId="5"), 40768),
        (place(channel="cancel-order"), 40913),
        (place(channel="modify-order"), 30001),
        (place() | {"instType": "SPOT"}, 30001),
        (place(number="x" * 41), 30016),
        (place() | {"id": None}, 30016),
        (place() | {"params": "none"}, 30016),
    ],
)
async def test_refusals_echo_the_argument_and_change_nothing(
    client: Client, socket: Socket, arg: dict[str, object], code: int
) -> None:
    before = await client.ledger()
    answer = await ask(socket, arg)
    assert (answer["event"], answer["code"], answer["arg"]) == ("error", code, [arg])
    assert answer["msg"]
    assert (await client.get(PENDING, **BTC)).data["entrustedList"] is None
    assert await client.ledger() == before
    await socket.raw.send_str("ping")
    assert await socket.raw.receive_str(timeout=5) == "pong"


async def test_without_a_login_it_is_refused(client: Client) -> None:
    stranger = await client.socket()
    answer = await ask(stranger, place())
    assert (answer["event"], answer["code"]) == ("error", 30004)
    assert (await client.get(PENDING, **BTC)).data["entrustedList"] is None


async def test_the_public_path_and_odd_names_do_too(client: Client) -> None:
    socket = await client.socket()
    await socket.login()
    odd = {"id": 9, "inst_type": "usdt-futures", "inst_id": "btcusdt", "channel": "place-order"}
    await socket.raw.send_str(
        json.dumps({"op": "trade", "url": "x", "args": [odd | {"params": place()["params"]}]})
    )
    answer = await socket.receive()
    assert (answer["code"], answer["arg"][0]["id"]) == (0, 9)


async def test_a_unified_account_is_refused(
    exchanges: Exchanges, server: PaperServer, client: Client
) -> None:
    unified = Client(server.ready, await client.control("/accounts", {"kind": "unified", "balance": 1000}))
    exchanges.clients.append(await unified.__aenter__())
    socket = await unified.socket("ws_private")
    await socket.login()
    assert (await ask(socket, place()))["code"] == 40085


async def test_the_limit_per_second_is_one_with_rest(exchanges: Exchanges) -> None:
    server = await exchanges.start(limits=True)
    client = await exchanges.client(server)
    socket = await client.socket()
    await socket.login()
    for _ in range(8):
        await client.order("buy", "0.001", "30000", marginMode="crossed")
    await socket.send("trade", *[place(str(number)) for number in range(6)])
    codes = [(await socket.receive())["code"] for _ in range(6)]
    assert codes[0] == 0
    assert 429 in codes
