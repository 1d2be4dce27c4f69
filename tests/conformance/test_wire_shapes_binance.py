"""Keys and JSON types of every answer and event of the Binance face are those of the samples, or the difference has a reason."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import urllib.parse
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect

from shared import clock
from tests.conformance import wire_table
from tests.conformance.test_wire_shapes import TABLE, unlike
from tests.conformance.venue import Control
from tests.conformance.wire import ANSWER_S, RefusedError
from tests.trader.paper.process import Process

BTC, SOL = "BTCUSDT", "SOLUSDT"
STREAMS = {
    "public": ("btcusdt@depth5@100ms", "btcusdt@depth", "btcusdt@bookTicker"),
    "market": (
        "solusdt@aggTrade",
        "solusdt@kline_1m",
        "solusdt_perpetual@continuousKline_1m",
        "btcusdt@markPrice@1s",
        "btcusdt@ticker",
        "btcusdt@miniTicker",
        "btcusdt@forceOrder",
    ),
}
ORDER: dict[str, Any] = {
    "symbol": BTC,
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.01",
    "price": "59000",
}
MARKET: dict[str, Any] = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.005"}
STOP: dict[str, Any] = {
    "algoType": "CONDITIONAL",
    "symbol": BTC,
    "side": "BUY",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "61000",
}


class Account:
    """What §2 of binance.md says about signing, and nothing more; every answer is kept by its call."""

    def __init__(self, control: Control, balance: str = "10000") -> None:
        self.account = control.account(balance, kind="binance")
        host = urllib.parse.urlsplit(control.ready["binance"]["rest"]).netloc
        self.connection = http.client.HTTPConnection(host, timeout=10)
        self.data: dict[str, list[Any]] = defaultdict(list)

    def call(self, method: str, path: str, **fields: object) -> Any:
        query = urllib.parse.urlencode({**fields, "timestamp": clock.now_ms()})
        sign = hmac.new(self.account["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        self.connection.request(
            method, f"{path}?{query}&signature={sign}", headers={"X-MBX-APIKEY": self.account["key"]}
        )
        with self.connection.getresponse() as response:
            status, answer = response.status, json.loads(response.read())
        if status != 200:
            raise RefusedError(f"{method} {path}", status, str(answer["code"]), answer["msg"])
        self.data[f"{method} {path}"].append(answer)
        return answer

    def get(self, path: str, **fields: object) -> Any:
        return self.call("GET", f"/fapi/v1/{path}", **fields)

    def post(self, path: str, **fields: object) -> Any:
        return self.call("POST", f"/fapi/v1/{path}", **fields)

    def put(self, path: str, **fields: object) -> Any:
        return self.call("PUT", f"/fapi/v1/{path}", **fields)

    def delete(self, path: str, **fields: object) -> Any:
        return self.call("DELETE", f"/fapi/v1/{path}", **fields)

    def close(self) -> None:
        self.connection.close()


class Stream:
    """One combined stream; ``settle`` has everything that was pushed before."""

    def __init__(self, url: str) -> None:
        self.raw = connect(url, open_timeout=ANSWER_S, close_timeout=1)
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def settle(self, number: int = 1) -> None:
        self.raw.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        while "result" not in (message := json.loads(self.raw.recv(timeout=ANSWER_S))):
            self.seen.append((message["stream"], message["data"]))

    def await_all(self, events: set[str]) -> None:
        while not events <= {wire_table.event_of(*one) for one in self.seen}:
            message = json.loads(self.raw.recv(timeout=ANSWER_S))
            self.seen.append((message["stream"], message["data"]))


class Heard:
    def __init__(self) -> None:
        self.data: dict[str, list[Any]] = defaultdict(list)
        self.events: dict[str, list[Any]] = defaultdict(list)

    def keep(self, account: Account, *streams: Stream) -> None:
        account.close()
        for call, answers in account.data.items():
            self.data[call] += answers
        for stream in streams:
            for name, data in stream.seen:
                self.events[wire_table.event_of(name, data)].append(data)
            stream.raw.close()


@pytest.fixture(scope="module")
def heard(exchange: Process) -> Iterator[Heard]:
    control, found = Control(exchange.ready), Heard()
    control.price(BTC, "60000")
    base = exchange.ready["binance"]["streams"]
    opened = {
        path: Stream(f"{base}/{path}/stream?streams={'/'.join(names)}") for path, names in STREAMS.items()
    }
    account = Account(control)
    market(account, control)
    orders(account)
    found.keep(account)
    account = Account(control)
    key = account.post("listenKey")["listenKey"]
    private = Stream(f"{base}/private/stream?listenKey={key}")
    positions(account, control)
    algo_orders(account, control)
    liquidation(account, control)
    account.put("listenKey")
    private.settle()
    account.delete("listenKey")
    found.keep(account, private)
    opened["public"].await_all({"depthUpdate", "depthUpdate partial", "bookTicker"})
    opened["market"].await_all({"forceOrder", "markPriceUpdate", "24hrTicker", "24hrMiniTicker", "aggTrade"})
    account = Account(control)
    hedge(account)
    found.keep(account, *opened.values())
    yield found
    control.price(BTC, "60000")


def market(account: Account, control: Control) -> None:
    control.advance(120_000)
    for path in ("time", "exchangeInfo", "fundingInfo"):
        account.get(path)
    for path in ("depth", "trades", "historicalTrades", "aggTrades"):
        account.get(path, symbol=SOL, limit=5)
    for path in ("klines", "markPriceKlines"):
        account.get(path, symbol=SOL, interval="1m", limit=5)
    account.get("indexPriceKlines", pair=SOL, interval="1m", limit=5)
    account.get("continuousKlines", pair=SOL, contractType="PERPETUAL", interval="1m", limit=5)
    for path in ("premiumIndex", "ticker/24hr", "ticker/bookTicker", "openInterest"):
        account.get(path, symbol=BTC)
    account.call("GET", "/fapi/v2/ticker/price", symbol=BTC)
    shown = control.call("/symbols/BTCUSDT")
    now = control.call("/clock", {"advance_ms": 0})["now_ns"] // 10**6
    control.advance(shown["next_ms"] - now + 1_000)
    account.get("fundingRate", symbol=BTC)
    account.get("leverageBracket", symbol=BTC)


def orders(account: Account) -> None:
    placed = account.post("order", **ORDER)
    number = {"symbol": BTC, "orderId": placed["orderId"]}
    account.put("order", **number, side="BUY", quantity="0.02", price="58500")
    for path in ("order", "openOrder", "orderAmendment"):
        account.get(path, **number)
    for path in ("openOrders", "allOrders"):
        account.get(path, symbol=BTC)
    account.delete("order", **number)
    made = account.post("batchOrders", batchOrders=json.dumps([ORDER, ORDER, ORDER | {"side": "UP"}]))[:2]
    changes = [
        {"symbol": BTC, "orderId": row["orderId"], "side": "BUY", "quantity": "0.02", "price": "58500"}
        for row in made
    ]
    account.put(
        "batchOrders", batchOrders=json.dumps([*changes, changes[0]])
    )  # nothing changes the second time
    account.delete("batchOrders", symbol=BTC, orderIdList=json.dumps([*(row["orderId"] for row in made), 1]))
    account.post("order", **ORDER)
    account.post("countdownCancelAll", symbol=BTC, countdownTime="100000")
    account.delete("allOpenOrders", symbol=BTC)
    account.get("rateLimit/order")


def positions(account: Account, control: Control) -> None:
    account.post("marginType", symbol=BTC, marginType="ISOLATED")
    account.post("leverage", symbol=BTC, leverage="10")
    account.post("order", **MARKET)
    account.post("positionMargin", symbol=BTC, amount="5", type="1")
    account.get("positionMargin/history", symbol=BTC)
    for path in ("v2/account", "v3/account", "v3/balance"):
        account.call("GET", f"/fapi/{path}")
    for path in ("v2/positionRisk", "v3/positionRisk"):
        account.call("GET", f"/fapi/{path}", symbol=BTC)
    for path in ("adlQuantile", "symbolConfig", "commissionRate", "userTrades", "income"):
        account.get(path, symbol=BTC)
    for path in ("accountConfig", "apiTradingStatus", "feeBurn", "multiAssetsMargin"):
        account.get(path)


def algo_orders(account: Account, control: Control) -> None:
    placed = account.post("algoOrder", **STOP)
    account.get("openAlgoOrders")
    account.delete("algoOrder", algoId=placed["algoId"])
    # nothing is reserved while it waits: when its time has come there is not enough for it
    large = account.post("algoOrder", **STOP | {"quantity": "20"})
    with control.held(BTC, "61000"):
        account.get("algoOrder", algoId=large["algoId"])
    account.post("algoOrder", **STOP | {"type": "TAKE_PROFIT", "price": "58000", "triggerPrice": "59000"})
    account.get("allAlgoOrders", symbol=BTC)
    account.delete("algoOpenOrders", symbol=BTC)


def liquidation(account: Account, control: Control) -> None:
    """60000 at 10x isolated with 5 more is gone below 53600."""
    with control.held(BTC, "53000"):
        assert account.get("forceOrders", symbol=BTC)


def hedge(account: Account) -> None:
    account.post("positionSide/dual", dualSidePosition="true")
    account.post("order", **MARKET, positionSide="LONG")
    account.get("adlQuantile", symbol=BTC)


@pytest.mark.parametrize("call", TABLE["binance"])
def test_an_answer_has_the_keys_and_types_of_the_samples(heard: Heard, call: str) -> None:
    assert heard.data.get(call), "no answer"
    assert not unlike(call, TABLE["binance"][call], heard.data[call])


@pytest.mark.parametrize("event", TABLE["binance_ws"])
def test_an_event_has_the_keys_and_types_of_the_samples(heard: Heard, event: str) -> None:
    assert heard.events.get(event), "no event"
    assert not unlike(event, TABLE["binance_ws"][event], heard.events[event])


@pytest.mark.parametrize("call", TABLE["refused_binance"])
def test_a_call_that_is_not_served_is_refused(exchange: Process, call: str) -> None:
    control = Control(exchange.ready)
    account = Account(control)
    before = control.picture(account.account)
    with pytest.raises(RefusedError) as caught:
        account.call(*call.split())
    account.close()
    assert (caught.value.status, caught.value.code) == (404, "-5000")
    assert control.picture(account.account) == before
