"""One exchange process for all conformance tests, and real clients pointed at it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest
import requests

from tests.conformance.venue import BTC, ETH, Control, write_tape
from tests.conformance.wire import Rest
from tests.trader.paper.process import Process, Processes


def configured(ready: dict[str, Any], account: dict[str, Any]) -> dict[str, Any]:
    """What a user gives ccxt, with every host replaced."""
    rest = dict.fromkeys((name for name, url in ccxt.bitget().urls["api"].items() if isinstance(url, str)))
    streams = {"public": ready["ws_public"], "private": ready["ws_private"]}
    return {
        "apiKey": account["key"],
        "secret": account["secret"],
        "password": account["passphrase"],
        "enableRateLimit": False,
        "options": {"uta": False, "defaultType": "swap"},
        "urls": {"api": dict.fromkeys(rest, ready["rest"]) | {"ws": streams}},
    }


class Refusals:
    """Calls that must be refused: what the client raises, HTTP status, code, and nothing changed."""

    def __init__(self, venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
        self.venue = venue
        self.control = control
        self.account = account
        self.status = 0
        venue.session.hooks["response"].append(self._answered)

    def _answered(self, response: requests.Response, *_args: object, **_more: object) -> None:
        self.status = response.status_code

    def code(self, do: Callable[[], object], *, status: int = 400, error: type = ccxt.BaseError) -> str:
        """The venue's code; the account looks afterwards as it did before."""
        before = self.control.picture(self.account)
        with pytest.raises(error):
            do()
        answer = json.loads(self.venue.last_http_response)
        assert (self.status, answer["data"]) == (status, None), answer
        assert isinstance(answer["msg"], str)
        assert answer["msg"]
        assert self.control.picture(self.account) == before
        return str(answer["code"])


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
def rest(exchange: Process, account: dict[str, Any]) -> Iterator[Rest]:
    """The same account without a library in between."""
    made = Rest(exchange.ready["rest"], account)
    yield made
    made.close()


@pytest.fixture(scope="session")
def loaded(exchange: Process) -> ccxt.bitget:
    """Markets once for all: ccxt asks eight calls for them."""
    made = ccxt.bitget(configured(exchange.ready, Control(exchange.ready).account()))
    made.load_markets()
    made.session.close()
    return made


def shared(venue: Any, loaded: ccxt.bitget) -> Any:
    """The same markets without asking again."""
    for name in ("markets", "markets_by_id", "symbols", "ids", "currencies", "currencies_by_id", "codes"):
        setattr(venue, name, getattr(loaded, name))
    return venue


@pytest.fixture
def venue(exchange: Process, account: dict[str, Any], loaded: ccxt.bitget) -> Iterator[ccxt.bitget]:
    made = shared(ccxt.bitget(configured(exchange.ready, account)), loaded)
    yield made
    made.session.close()


@pytest.fixture
def refusals(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> Refusals:
    return Refusals(venue, control, account)


@pytest.fixture
async def async_venue(
    exchange: Process, account: dict[str, Any], loaded: ccxt.bitget
) -> AsyncIterator[ccxt.async_support.bitget]:
    made = shared(ccxt.async_support.bitget(configured(exchange.ready, account)), loaded)
    yield made
    await made.close()


@pytest.fixture
async def streaming(
    exchange: Process, account: dict[str, Any], loaded: ccxt.bitget
) -> AsyncIterator[ccxt.pro.bitget]:
    made = shared(ccxt.pro.bitget(configured(exchange.ready, account)), loaded)
    yield made
    await made.close()
