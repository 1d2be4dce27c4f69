"""One exchange process for all conformance tests, and the real ccxt pointed at it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.trader.paper.process import Process, Processes

D = Decimal


class Control:
    """The control API of the running exchange, synchronous."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready

    def call(self, path: str, body: dict[str, object] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["control"] + path, data=data)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def account(self, balance: str = "10000") -> dict[str, Any]:
        made: dict[str, Any] = self.call("/accounts", {"kind": "classic", "balance": balance})
        return made

    def ledger(self, account: dict[str, Any]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call(f"/accounts/{account['id']}/ledger")
        return rows

    def check_ledger(self, account: dict[str, Any], equity: str) -> None:
        """Every line adds up, and the last balance is what the exchange says is there."""
        balance = D(0)
        for number, row in enumerate(self.ledger(account), 1):
            balance += D(row["amount"])
            assert (row["seq"], D(row["balance"])) == (number, balance)
        assert D(equity) == balance


def configured(ready: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """What a user gives ccxt, with every host replaced."""

    def here(urls: dict[str, Any]) -> dict[str, Any]:
        return {name: here(url) if isinstance(url, dict) else ready["rest"] for name, url in urls.items()}

    return {
        "apiKey": account["key"],
        "secret": account["secret"],
        "password": account["passphrase"],
        "enableRateLimit": False,
        "options": {"uta": False, "defaultType": "swap"},
        "urls": {"api": here(ccxt.bitget().urls["api"])},
    }


@pytest.fixture(scope="module")
def exchange() -> Iterator[Process]:
    made = Processes()
    yield made.start()
    made.stop_all()


@pytest.fixture
def control(exchange: Process) -> Control:
    made = Control(exchange.ready)
    for symbol, price in (("BTCUSDT", "60000"), ("ETHUSDT", "3000")):
        made.call("/price", {"symbol": symbol, "price": price})
    return made


@pytest.fixture
def account(control: Control) -> dict[str, Any]:
    return control.account()


@pytest.fixture
def venue(exchange: Process, account: dict[str, Any]) -> Iterator[ccxt.bitget]:
    made = ccxt.bitget(configured(exchange.ready, account))
    yield made
    made.session.close()


@pytest.fixture
async def async_venue(exchange: Process, account: dict[str, Any]) -> AsyncIterator[ccxt.async_support.bitget]:
    made = ccxt.async_support.bitget(configured(exchange.ready, account))
    yield made
    await made.close()
