"""The order websocket: who may ask, how answers look, limits, sessions, faults."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.trader.paper.binance.sockets import Api, Sockets, now_ms, sign
from trader.paper import shortids
from trader.paper.control.accounts import make_account
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import AccountKind
from trader.paper.faces.binance import wsapi, wsauth
from trader.paper.faces.binance.calls import ROUTES
from trader.paper.faces.binance.weights import OrderCounts, Weights
from trader.paper.faults.rules import Match, NewFault
from trader.paper.latency import Delay, Ways
from trader.paper.server import PaperServer

BTC = "BTCUSDT"
LIMIT = {
    "symbol": BTC,
    "side": "BUY",
    "type": "LIMIT",
    "quantity": "0.01",
    "price": "59000",
    "timeInForce": "GTC",
}


@pytest.fixture
async def api(sockets: Sockets, binance: PaperServer) -> Api:
    binance.hub.override_price(BTC, Decimal(60_000))
    return await sockets.api()


def test_every_method_has_its_handler() -> None:
    algo = {name for name in wsapi.METHODS if name.startswith("algoOrder.")}
    assert {name for name, where in wsapi.METHODS.items() if where not in ROUTES} <= algo


async def test_market_data_needs_no_key(api: Api) -> None:
    depth = await api.raw("depth", {"symbol": BTC, "limit": 5})
    assert (depth["status"], len(depth["result"]["bids"])) == (200, 5)
    price = await api.raw("ticker.price", {"symbol": BTC})
    assert set(price["result"]) == {"symbol", "price", "time"}
    best = await api.raw("ticker.book", {"symbol": BTC})
    assert best["result"]["lastUpdateId"] < depth["result"]["lastUpdateId"]
    assert len((await api.raw("ticker.book"))["result"]) > 1


async def test_the_account_is_read_in_both_versions(api: Api) -> None:
    for version in ("", "v2/"):
        (usdt,) = (row for row in await api.result(f"{version}account.balance") if row["asset"] == "USDT")
        assert Decimal(usdt["balance"]) == 10_000
        assert Decimal((await api.result(f"{version}account.status"))["totalWalletBalance"]) == 10_000
        assert isinstance(await api.result(f"{version}account.position"), list)


async def test_an_order_is_placed_looked_up_changed_and_cancelled(api: Api, account: Account) -> None:
    placed = await api.result("order.place", **LIMIT, newClientOrderId="x-abc")
    assert (placed["status"], placed["clientOrderId"]) == ("NEW", "x-abc")
    number = placed["orderId"]
    assert shortids.meant(number) in account.orders
    changed = await api.result(
        "order.modify", symbol=BTC, side="BUY", orderId=number, quantity="0.02", price="59000"
    )
    assert (changed["orderId"], changed["origQty"]) == (number, "0.0200")
    assert (await api.result("order.status", symbol=BTC, origClientOrderId="x-abc"))["orderId"] == number
    assert (await api.result("order.cancel", symbol=BTC, orderId=number))["status"] == "CANCELED"
    assert await api.code("order.cancel", symbol=BTC, orderId=number) == -2011
    assert await api.code("order.status", symbol=BTC, orderId=1) == -2013


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"quantity": "0.00001"}, -1111),
        ({"reduceOnly": "true"}, -2022),
        ({"price": "59000.05"}, -4014),
        ({"quantity": "10"}, -2019),
        ({"type": "STOP_MARKET"}, -4120),
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"side": "UP"}, -1117),
        ({"timestamp": 1}, -1021),
    ],
)
async def test_refusals_are_those_of_rest_and_change_nothing(
    api: Api, account: Account, changes: dict[str, object], code: int
) -> None:
    signed: dict[str, object] = {**LIMIT, "apiKey": api.key, "timestamp": now_ms()} | changes
    answer = await api.raw("order.place", signed | {"signature": sign(api.secret, signed)})
    assert (answer["status"], answer["error"]["code"]) == (400, code)
    assert not account.orders


async def test_numbers_and_booleans_may_be_json(api: Api) -> None:
    await api.result("order.place", **(LIMIT | {"quantity": 0.01, "price": 59000, "reduceOnly": False}))
    signed: dict[str, object] = {**LIMIT, "apiKey": api.key, "timestamp": now_ms(), "reduceOnly": False}
    capital = sign(api.secret, signed | {"reduceOnly": "False"})
    assert (await api.raw("order.place", signed | {"signature": capital}))["status"] == 200


def test_numbers_are_signed_as_they_were_written() -> None:
    values = wsapi._decode(b'{"b": 1e-05, "a": 0.10, "c": 7, "d": true, "signature": "x"}')
    assert wsauth.payload(values) == b"a=0.10&b=1e-05&c=7&d=true"
    assert wsauth.plain(values)["b"] == Decimal("0.00001")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"apiKey": None}, 401, -2014),
        ({"apiKey": "k" * 64}, 401, -2015),
        ({"timestamp": None}, 400, -1102),
        ({"signature": None}, 400, -1102),
        ({"signature": "00"}, 400, -1022),
        ({"recvWindow": 60_001}, 400, -1131),
    ],
)
async def test_who_does_not_sign_is_refused(
    api: Api, changes: dict[str, Any], status: int, code: int
) -> None:
    signed: dict[str, object] = {**LIMIT, "apiKey": api.key, "timestamp": now_ms()}
    signed["signature"] = sign(api.secret, signed)
    wrong = {name: value for name, value in (signed | changes).items() if value is not None}
    answer = await api.raw("order.place", wrong)
    assert (answer["status"], answer["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("frame", "number", "code"),
    [
        ("{", None, -1135),
        ("[1]", None, -1135),
        ('{"id": "a"}', None, -1135),
        ('{"id": "a", "method": "depth", "params": []}', None, -1135),
        ('{"id": true, "method": "depth"}', None, -1102),
        ('{"id": 7, "method": "time"}', 7, -1020),
        ('{"id": null, "method": "depth", "params": {}}', None, -1102),
    ],
)
async def test_what_is_no_request_is_refused(api: Api, frame: str, number: object, code: int) -> None:
    answer = await api.send(frame)
    assert (answer["id"], answer["status"], answer["error"]["code"]) == (number, 400, code)


# limits


async def test_answers_tell_how_much_is_used(api: Api) -> None:
    answer = await api.call("order.place", **LIMIT)
    kinds = [
        (row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"])
        for row in answer["rateLimits"]
    ]
    assert kinds == [
        ("REQUEST_WEIGHT", "MINUTE", 1, 2400),
        ("ORDERS", "MINUTE", 1, 1200),
        ("ORDERS", "SECOND", 10, 300),
    ]
    assert [row["count"] for row in answer["rateLimits"][1:]] == [1, 1]
    before = answer["rateLimits"][0]["count"]
    (weight,) = (await api.raw("depth", {"symbol": BTC, "limit": 1000}))["rateLimits"]
    assert weight["count"] - before in (20, 20 - before)  # a minute may have begun
    quiet = await api.call("order.place", **LIMIT, returnRateLimits=False)
    assert "rateLimits" not in quiet


async def test_limits_may_be_hidden_for_the_whole_connection(sockets: Sockets, api: Api) -> None:
    quiet = await sockets.api(query="?returnRateLimits=false")
    assert "rateLimits" not in await quiet.raw("ticker.price", {"symbol": BTC})
    loud = await quiet.raw("ticker.price", {"symbol": BTC, "returnRateLimits": True})
    assert loud["rateLimits"][0]["rateLimitType"] == "REQUEST_WEIGHT"


async def test_limits_are_shared_with_rest(sockets: Sockets, api: Api, binance: PaperServer) -> None:
    binance.binance.orders = OrderCounts(0, 1)
    assert (await api.call("order.place", **LIMIT))["status"] == 200
    many = await api.call("order.place", **LIMIT)
    assert (many["status"], many["error"]["code"]) == (429, -1015)
    assert many["error"]["data"]["retryAfter"] > many["error"]["data"]["serverTime"]
    binance.binance.weights = Weights(10)
    heavy = await api.raw("depth", {"symbol": BTC, "limit": 1000})
    assert (heavy["status"], heavy["error"]["code"]) == (429, -1003)
    with pytest.raises(InvalidStatus) as refused:
        await sockets.api()
    assert refused.value.response.status_code == 429


# sessions


class Signer:
    """An account with an Ed25519 key beside its HMAC one."""

    def __init__(self, server: PaperServer) -> None:
        self.private = Ed25519PrivateKey.generate()
        pem = self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.account = make_account(
            server.engine,
            kind=AccountKind.BINANCE,
            balance=Decimal(10_000),
            label="",
            public_key=pem.decode(),
        )

    def signed(self, **params: object) -> dict[str, object]:
        values = params | {"apiKey": self.account.record.second_key, "timestamp": now_ms()}
        text = "&".join(f"{name}={values[name]}" for name in sorted(values))
        return values | {"signature": base64.b64encode(self.private.sign(text.encode())).decode()}


async def test_a_session_is_opened_with_ed25519_and_then_needs_a_timestamp_only(
    api: Api, binance: PaperServer
) -> None:
    signer = Signer(binance)
    nobody = (await api.raw("session.status"))["result"]
    assert (nobody["apiKey"], nobody["authorizedSince"]) == (None, None)
    opened = await api.raw("session.logon", signer.signed())
    assert opened["status"] == 200
    assert opened["result"]["apiKey"] == signer.account.record.second_key
    assert set(opened["result"]) == {
        "apiKey",
        "authorizedSince",
        "connectedSince",
        "returnRateLimits",
        "serverTime",
    }
    placed = await api.raw("order.place", {**LIMIT, "timestamp": now_ms()})
    assert shortids.meant(placed["result"]["orderId"]) in signer.account.orders
    late = await api.raw("order.place", {**LIMIT, "timestamp": now_ms() - 60_000})
    assert late["error"]["code"] == -1021
    assert (await api.raw("userDataStream.start"))["result"]["listenKey"]
    other = await api.result("order.place", **LIMIT)
    assert shortids.meant(other["orderId"]) in binance.engine.accounts[0].orders
    await api.raw("session.logout")
    assert (await api.raw("order.place", {**LIMIT, "timestamp": now_ms()}))["error"]["code"] == -2014


async def test_ed25519_signs_single_requests_too(api: Api, binance: PaperServer) -> None:
    signer = Signer(binance)
    placed = await api.raw("order.place", signer.signed(**LIMIT))
    assert shortids.meant(placed["result"]["orderId"]) in signer.account.orders


async def test_other_keys_open_no_session(api: Api, binance: PaperServer) -> None:
    assert await api.code("session.logon") == -4056
    wrong = Signer(binance).signed() | {"signature": "AAAA"}
    assert (await api.raw("session.logon", wrong))["error"]["code"] == -1022
    assert (await api.raw("session.status"))["result"]["apiKey"] is None


# faults and lives


async def test_faults_strike_single_requests(api: Api, binance: PaperServer, account: Account) -> None:
    faults = binance.door.faults
    status = faults.add(
        NewFault(
            do="status", match=Match(path="/ws-fapi/v1/order.place"), args={"status": 503, "code": "-1007"}
        )
    )
    answer = await api.call("order.place", **LIMIT)
    assert (answer["status"], answer["error"]["code"]) == (503, -1007)
    assert not account.orders
    faults.remove(str(status.id))
    lost = faults.add(
        NewFault(do="answer_lost", match=Match(path="/ws-fapi/v1/order.place"), args={"then": "hang"})
    )
    await api.socket.send(json.dumps({"id": 1, "method": "order.place", "params": _signed(api, LIMIT)}))
    assert (await api.raw("ticker.price", {"symbol": BTC}))["status"] == 200
    assert len(account.orders) == 1
    faults.remove(str(lost.id))
    faults.add(NewFault(do="reset", match=Match(path="/ws-fapi/v1/*")))
    with pytest.raises((ConnectionClosed, ConnectionResetError)):
        await api.raw("ticker.price", {"symbol": BTC})


def _signed(api: Api, params: dict[str, str]) -> dict[str, object]:
    values: dict[str, object] = {**params, "apiKey": api.key, "timestamp": now_ms()}
    return values | {"signature": sign(api.secret, values)}


async def test_a_delayed_request_does_not_hold_up_the_next(api: Api, binance: PaperServer) -> None:
    binance.door.faults.add(
        NewFault(do="delay", match=Match(path="/ws-fapi/v1/order.place"), args={"before_ms": 600_000})
    )
    await api.socket.send(json.dumps({"id": 1, "method": "order.place", "params": _signed(api, LIMIT)}))
    assert (await api.raw("ticker.price", {"symbol": BTC}))["status"] == 200


async def test_a_request_that_has_arrived_is_carried_out_without_its_client(
    api: Api, binance: PaperServer, account: Account
) -> None:
    binance.gate.latency.set(Ways(request=Delay(median_ms=50)))
    await api.socket.send(json.dumps({"id": 1, "method": "order.place", "params": _signed(api, LIMIT)}))
    await api.socket.close()
    while not account.orders:
        assert binance.ws_api.tasks
        await asyncio.sleep(0.005)


async def test_requests_are_carried_out_in_the_order_they_came(api: Api, account: Account) -> None:
    await asyncio.gather(
        *(
            api.socket.send(
                json.dumps({"id": number, "method": "order.place", "params": _signed(api, LIMIT)})
            )
            for number in range(20)
        )
    )
    answers = [await api.receive() for _ in range(20)]
    assert [answer["id"] for answer in answers] == list(range(20))
    assert sorted(account.orders) == [shortids.meant(answer["result"]["orderId"]) for answer in answers]
