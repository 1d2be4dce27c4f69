"""What other real clients send, as they send it: their spellings, their ways to sign, their order of calls.

npm bitget-api 3.2.3, python-bitget 1.0.8 (the vendor's SDK with its websocket), bitget-python 1.0.4, hummingbot and
freqtrade were run, or their requests sent, against a started exchange.
"""

from __future__ import annotations

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from typing import Any

import pytest

from shared import clock
from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES, Rest, Socket, headers, signed
from tests.trader.paper.process import Process

MIX = "/api/v2/mix"
ORDER = f"{MIX}/order"
PRODUCT = {"productType": FUTURES}
ORDINARY: dict[str, object] = {
    "symbol": "BTCUSDT",
    "productType": FUTURES,
    "marginMode": "isolated",
    "marginCoin": "USDT",
}


@pytest.fixture
def sockets(exchange: Process) -> Iterator[list[Socket]]:
    made: list[Socket] = []
    yield made
    for socket in made:
        socket.close()


def opened(exchange: Process, sockets: list[Socket], name: str = "ws_private") -> Socket:
    sockets.append(Socket(exchange.ready[name]))
    return sockets[-1]


def exchanged(base: str, method: str, target: str, body: str, sent: dict[str, str]) -> tuple[int, Any]:
    """One request exactly as given: nothing is encoded, signed or added."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=10)
    connection.request(method, target, body.encode() or None, sent)
    with connection.getresponse() as response:
        found = response.status, json.loads(response.read())
    connection.close()
    return found


def vendor_login(account: dict[str, Any]) -> dict[str, str]:
    stamp = str(clock.now_ms() // 1000)
    return {
        "api_key": account["key"],
        "passphrase": account["passphrase"],
        "timestamp": stamp,
        "sign": signed(account["secret"], f"{stamp}GET/user/verify"),
    }


def acknowledged(socket: Socket, wanted: list[dict[str, str]]) -> None:
    """Each argument comes back exactly as it was sent."""
    for arg in wanted:
        answer = socket.expect(lambda message: message.get("event") == "subscribe")
        assert answer["arg"] == arg


# the vendor's SDK and what was made from it


def test_the_vendor_sdk_over_the_websocket(
    exchange: Process, account: dict[str, Any], rest: Rest, sockets: list[Socket]
) -> None:
    """Snake-case arguments, lower-case types; any login code but the number 0 is an error to it."""
    socket = opened(exchange, sockets)
    socket.send("login", vendor_login(account))
    answer = socket.receive()
    assert answer["event"] == "login"
    assert type(answer["code"]) is int
    assert answer["code"] == 0
    args = [
        {"inst_type": "usdt-futures", "channel": name, "inst_id": "default"}
        for name in ("orders", "positions", "account")
    ]
    socket.send("subscribe", *args)
    acknowledged(socket, args)
    socket.settle()
    rest.post(f"{ORDER}/place-order", **ORDINARY, side="buy", orderType="market", size="0.01")
    for channel in ("orders", "positions", "account"):
        push = socket.push(channel)
        # it reads these three keys of every push, whatever the channel
        assert push["arg"] == {"instType": FUTURES, "channel": channel, "instId": "default"}
        assert isinstance(push["data"], list)


def test_the_vendor_sdk_checks_sums_of_the_book(
    exchange: Process, control: Control, sockets: list[Socket]
) -> None:
    """It merges updates into its snapshot and needs 25 levels on each side."""
    socket = opened(exchange, sockets, "ws_public")
    socket.send("subscribe", {"inst_type": FUTURES, "channel": "books", "inst_id": "BTCUSDT"})
    (row,) = socket.push("books")["data"]
    assert len(row["asks"]) >= 25
    assert len(row["bids"]) >= 25
    with control.held("BTCUSDT", "60010"):
        (update,) = socket.push("books")["data"]
    assert update["pseq"] == row["seq"]
    assert update["checksum"] != 0


@pytest.mark.parametrize("query", ["", "?productType=USDT-FUTURES&symbol=BTCUSDT"])
def test_the_vendor_sdk_over_rest(exchange: Process, account: dict[str, Any], query: str) -> None:
    """It signs the query in its own order; without parameters there is no question mark."""
    path = f"{ORDER}/orders-pending" + query
    status, answer = exchanged(exchange.ready["rest"], "GET", path, "", headers(account, "GET", path))
    assert (status, answer["code"]) == ((200, "00000") if query else (400, "40019"))


def test_null_numbers_and_blanks_in_an_order(rest: Rest) -> None:
    """Optional arguments that were not given, as ``json.dumps`` writes them."""
    placed = rest.post(
        f"{ORDER}/place-order",
        **ORDINARY,
        side="buy",
        orderType="limit",
        price=59000,
        size=0.01,
        force="GTC",
        clientOid="a 1",
        reduceOnly=None,
        presetStopSurplusPrice="",
        presetStopLossPrice=None,
    )
    assert placed["clientOid"] == "a 1"
    found = rest.get(f"{ORDER}/detail", symbol="btcusdt", productType="usdt-futures", clientOid="a 1")
    assert (found["orderId"], found["price"], found["size"]) == (placed["orderId"], "59000", "0.01")


def test_a_query_signed_before_it_was_encoded(exchange: Process, account: dict[str, Any]) -> None:
    """bitget-python and the vendor's SDK sign the bare text; the HTTP library encodes it afterwards."""
    bare = f"{ORDER}/detail?clientOid=a b:c#1&productType=USDT-FUTURES&symbol=BTCUSDT"
    path = f"{ORDER}/detail?clientOid=a%20b%3Ac%231&productType=USDT-FUTURES&symbol=BTCUSDT"
    sent = headers(account, "GET", bare)
    status, answer = exchanged(exchange.ready["rest"], "GET", path, "", sent)
    assert (status, answer["code"]) == (400, "40109")


def test_the_first_version_is_gone(exchange: Process, account: dict[str, Any]) -> None:
    """python-bitget 1.0.8 as it is published still calls it."""
    path = "/api/mix/v1/account/accounts?productType=umcbl"
    status, answer = exchanged(exchange.ready["rest"], "GET", path, "", headers(account, "GET", path))
    assert (status, answer["code"]) == (400, "30032")


# npm bitget-api


def test_npm_logs_in_with_a_number_on_the_public_path(
    exchange: Process, account: dict[str, Any], sockets: list[Socket]
) -> None:
    """With one ``wsUrl`` both its connections use the same path."""
    socket = opened(exchange, sockets, "ws_public")
    arg = vendor_login(account)
    arg["apiKey"] = arg.pop("api_key")
    socket.raw.send(json.dumps({"op": "login", "args": [arg | {"timestamp": int(arg["timestamp"])}]}))
    assert socket.receive()["code"] == 0
    topics = [
        {"channel": "account", "instType": FUTURES, "coin": "default"},
        {"channel": "orders-algo", "instType": FUTURES, "instId": "default"},
        {"channel": "ticker", "instType": "SPOT", "instId": "BTCUSDT"},
    ]
    socket.send("subscribe", *topics)
    acknowledged(socket, topics)


def test_npm_keeps_its_own_order_of_the_query(exchange: Process, account: dict[str, Any]) -> None:
    path = f"{MIX}/account/max-open?symbol=BTCUSDT&productType=USDT-FUTURES&marginCoin=USDT&posSide=long&orderType=market"
    status, answer = exchanged(exchange.ready["rest"], "GET", path, "", headers(account, "GET", path))
    assert (status, answer["code"]) == (200, "00000")
    assert set(answer["data"]) == {"maxOpen"}


def test_npm_sends_every_field_of_a_plan_order(rest: Rest) -> None:
    rest.post(f"{MIX}/account/set-position-mode", **PRODUCT, posMode="hedge_mode")
    placed = rest.post(
        f"{ORDER}/place-plan-order",
        **ORDINARY,
        planType="normal_plan",
        size="0.01",
        price="60600",
        callbackRatio="",
        triggerPrice="60500",
        triggerType="mark_price",
        side="buy",
        tradeSide="open",
        orderType="limit",
        clientOid="",
        reduceOnly="NO",
    )
    (plan,) = rest.get(f"{ORDER}/orders-plan-pending", **PRODUCT, planType="normal_plan")["entrustedList"]
    assert plan["orderId"] == placed["orderId"]


# hummingbot


def test_hummingbot_from_start_to_close(
    exchange: Process, control: Control, account: dict[str, Any], rest: Rest, sockets: list[Socket]
) -> None:
    """It names ``coin`` for every private channel and walks all three product types."""
    for product in (FUTURES, "USDC-FUTURES", "COIN-FUTURES"):
        assert isinstance(rest.get(f"{MIX}/market/contracts", productType=product), list)
        assert isinstance(rest.get(f"{MIX}/account/accounts", productType=product), list)
    rest.post(f"{MIX}/account/set-position-mode", **PRODUCT, posMode="one_way_mode")
    pair = {"symbol": "BTCUSDT", **PRODUCT, "marginCoin": "USDT"}
    assert (
        rest.post(f"{MIX}/account/set-margin-mode", **pair, marginMode="crossed")["marginMode"] == "crossed"
    )
    rest.post(f"{MIX}/account/set-leverage", **pair, leverage="10")
    socket = opened(exchange, sockets)
    socket.login(account)
    topics = [
        {"instType": FUTURES, "channel": channel, "coin": "default"}
        for channel in ("account", "positions", "orders")
    ]
    socket.send("subscribe", *topics)
    socket.settle()
    order = {
        "marginCoin": "USDT",
        "symbol": "BTCUSDT",
        "productType": FUTURES,
        "size": "0.010000",
        "force": "gtc",
        "clientOid": "1a2b3c",
        "side": "buy",
        "marginMode": "crossed",
        "orderType": "market",
    }
    bought = rest.post(f"{ORDER}/place-order", **order)
    assert socket.push("orders")["data"][0]["clientOid"] == "1a2b3c"
    assert socket.push("positions")["data"][0]["posMode"] == "one_way_mode"
    fills = rest.get(f"{ORDER}/fills", orderId=bought["orderId"], **PRODUCT, symbol="BTCUSDT")["fillList"]
    assert {fill["orderId"] for fill in fills} == {bought["orderId"]}
    assert (
        rest.get(f"{ORDER}/detail", symbol="BTCUSDT", **PRODUCT, orderId=bought["orderId"])["state"]
        == "filled"
    )
    (position,) = rest.get(f"{MIX}/position/all-position", **PRODUCT)
    assert (position["holdSide"], position["leverage"]) == ("long", "10")
    control.advance(8 * 3_600_000)
    bills = rest.get(f"{MIX}/account/bill", **PRODUCT, businessType="contract_settle_fee")["bills"]
    assert [bill["businessType"] for bill in bills] == ["contract_settle_fee"]
    rest.post(f"{ORDER}/place-order", **order | {"side": "sell", "clientOid": "1a2b3d"})
    while socket.push("positions")["data"]:
        pass


# freqtrade


def test_freqtrade_stoploss_on_exchange(control: Control, rest: Rest) -> None:
    """Stop loss of a position through ccxt, found again under ``profit_loss``, cancelled as ``pos_loss``."""
    rest.post(f"{MIX}/account/set-position-mode", **PRODUCT, posMode="one_way_mode")
    order = {**ORDINARY, "side": "buy", "orderType": "market", "size": "0.01", "timeInForce": "GTC"}
    rest.post(f"{ORDER}/place-order", **order)
    stop = {
        "symbol": "BTCUSDT",
        "productType": FUTURES,
        "marginCoin": "USDT",
        "marginMode": "isolated",
        "orderType": "market",
        "holdSide": "buy",
        "triggerPrice": "57000",
        "triggerType": "fill_price",
        "planType": "pos_loss",
        "reduceOnly": True,
    }
    placed = rest.post(f"{ORDER}/place-tpsl-order", **stop)
    query = {**PRODUCT, "symbol": "BTCUSDT", "planType": "profit_loss"}
    (found,) = rest.get(f"{ORDER}/orders-plan-pending", **query)["entrustedList"]
    assert (found["orderId"], found["planType"]) == (placed["orderId"], "pos_loss")
    gone = rest.post(
        f"{ORDER}/cancel-plan-order",
        **PRODUCT,
        symbol="BTCUSDT",
        orderIdList=[{"orderId": placed["orderId"]}],
        planType="pos_loss",
    )
    assert [row["orderId"] for row in gone["successList"]] == [placed["orderId"]]
    again = rest.post(f"{ORDER}/place-tpsl-order", **stop)
    with control.held("BTCUSDT", "56900"):
        (past,) = [
            row
            for row in rest.get(f"{ORDER}/orders-plan-history", **query)["entrustedList"]
            if row["orderId"] == again["orderId"]
        ]
        assert past["planStatus"] == "executed"
        real = rest.get(f"{ORDER}/detail", symbol="BTCUSDT", **PRODUCT, orderId=past["executeOrderId"])
    assert real["state"] == "filled"
