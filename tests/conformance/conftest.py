"""One exchange process for all conformance tests, and the real ccxt pointed at it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.conformance.venue import BTC, ETH, Control, write_tape
from tests.trader.paper.process import Process, Processes

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


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """The one exchange process of the run, without request limits."""
    made = Processes()
    yield made.start("--tape", write_tape(tmp_path_factory.mktemp("tape")))
    made.stop_all()


@pytest.fixture
def control(exchange: Process) -> Control:
    """Prices stand still at 60000 and 3000 until a test moves them."""
    made = Control(exchange.ready)
    made.price("BTCUSDT", BTC)
    made.price("ETHUSDT", ETH)
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
