"""Keys and JSON types of every answer to a unified account are those of the samples, or the difference has a reason."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conformance.test_wire_shapes import TABLE, unlike
from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES, Rest
from tests.trader.paper.process import Process

V3 = "/api/v3"
BTC: dict[str, Any] = {"category": FUTURES, "symbol": "BTCUSDT"}
SPOT: dict[str, Any] = {"category": "SPOT", "symbol": "BTCUSDT"}
CATEGORY: dict[str, Any] = {"category": FUTURES}


class Account(Rest):
    """Every answer is kept by its call."""

    def __init__(self, exchange: Process, control: Control) -> None:
        self.data: dict[str, list[Any]] = defaultdict(list)
        made = control.account(kind="unified", spot={"BTC": "0.1"})
        super().__init__(exchange.ready["rest"], made, lambda call, data: self.data[call].append(data))

    def ask(self, path: str, **query: object) -> Any:
        return self.get(f"{V3}/{path}", **query)

    def do(self, path: str, **body: object) -> Any:
        return self.post(f"{V3}/{path}", **body)

    def batch(self, path: str, *items: dict[str, Any]) -> Any:
        return self._data("POST", f"{V3}/{path}", f"{V3}/{path}", json.dumps(items))

    def limit(self, price: str, **more: object) -> Any:
        body = {"side": "buy", "orderType": "limit", "qty": "0.01", "price": price}
        return self.do("trade/place-order", **(BTC | body | more))


@pytest.fixture(scope="module")
def answers(exchange: Process) -> Iterator[dict[str, list[Any]]]:
    control = Control(exchange.ready)
    control.price("BTCUSDT", "60000")
    account = Account(exchange, control)
    market(account)
    orders(account)
    positions(account, control)
    strategies(account)
    money(account)
    yield account.data
    account.close()


def market(account: Account) -> None:
    for one in (BTC, SPOT):
        for path in ("instruments", "tickers", "orderbook", "fills"):
            account.ask(f"market/{path}", **one)
        for path in ("candles", "history-candles"):
            account.ask(f"market/{path}", **one, interval="1m", limit=5)
    account.ask("market/current-fund-rate", symbol="BTCUSDT")
    for path in ("open-interest", "oi-limit", "position-tier", "discount-rate"):
        account.ask(f"market/{path}", **BTC)


def orders(account: Account) -> None:
    account.do("account/set-leverage", **BTC, leverage="20")
    account.limit("59000", clientOid="first")
    account.do("trade/modify-order", clientOid="first", price="58000")
    account.ask("trade/unfilled-orders", **CATEGORY)
    account.do("trade/cancel-order", clientOid="first")
    account.limit("59000")
    account.do("trade/cancel-symbol-order", **CATEGORY)
    order = BTC | {"side": "buy", "orderType": "limit", "qty": "0.01", "price": "59000"}
    placed = account.batch("trade/place-batch", order)
    account.batch("trade/batch-modify-order", {"orderId": placed[0]["orderId"], "qty": "0.02"})
    account.batch("trade/cancel-batch", BTC | {"orderId": placed[0]["orderId"]})
    account.do("trade/countdown-cancel-all", countdown="0")
    account.do("trade/place-order", **SPOT, side="buy", orderType="market", qty="100", clientOid="spot")
    for path in ("order-info", "fills"):
        account.ask(f"trade/{path}", clientOid="spot")


def positions(account: Account, control: Control) -> None:
    account.do("account/set-hold-mode", holdMode="hedge_mode")
    account.do("trade/place-order", **BTC, side="buy", posSide="long", orderType="market", qty="0.01")
    account.ask("position/current-position", **CATEGORY)
    account.ask("position/adlRank")
    account.ask("trade/fills", **CATEGORY)
    account.ask("trade/history-orders", **CATEGORY)
    with control.held("BTCUSDT", "60500", "60000"):
        account.ask("account/assets")
    control.call("/funding", {"symbol": "BTCUSDT", "rate": "0.0001"})
    control.advance(8 * 3_600_000)
    account.ask("market/history-fund-rate", **BTC)
    account.do("trade/close-positions", **CATEGORY)
    account.ask("position/history-position", **CATEGORY)


def strategies(account: Account) -> None:
    account.do("trade/place-order", **BTC, side="buy", posSide="long", orderType="market", qty="0.01")
    for name, more in (
        ("guard", {"posSide": "long", "takeProfit": "66000", "stopLoss": "54000"}),
        (
            "entry",
            {"type": "trigger", "side": "buy", "posSide": "long", "qty": "0.01", "triggerPrice": "61000"},
        ),
    ):
        account.do("trade/place-strategy-order", **BTC, clientOid=name, **more)
    account.do("trade/modify-strategy-order", clientOid="guard", stopLoss="53000")
    account.ask("trade/unfilled-strategy-orders", **CATEGORY)
    for name in ("guard", "entry"):
        account.do("trade/cancel-strategy-order", clientOid=name)
    account.ask("trade/history-strategy-orders", **CATEGORY)
    account.do("trade/close-positions", **CATEGORY)


def money(account: Account) -> None:
    account.ask("account/settings")
    account.ask("account/info")
    account.ask("account/fee-rate", **BTC)
    account.ask("account/financial-records", **CATEGORY)
    account.ask("account/funding-assets")
    account.ask("account/max-transferable", coin="USDT")
    account.ask("account/open-interest-limit", **BTC)
    account.ask("account/deduct-info")
    account.ask("account/max-open-available", **BTC, orderType="limit", side="buy", price="60000", size="0.1")


@pytest.mark.parametrize("call", TABLE["v3"])
def test_an_answer_has_the_keys_and_types_of_the_samples(answers: dict[str, list[Any]], call: str) -> None:
    assert answers.get(call), "no answer"
    assert not unlike(call, TABLE["v3"][call], answers[call])
