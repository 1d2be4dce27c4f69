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

from tests.conformance.clients import PUBLIC_PEM, binance, classic, mapped, unified
from tests.conformance.venue import BTC, ETH, Control, write_tape
from tests.conformance.wire import Rest
from tests.trader.paper.process import Process, Processes


class Refusals:
    """Calls that must be refused: what the client raises, HTTP status, code, and nothing changed."""

    def __init__(self, venue: Any, control: Control, account: dict[str, Any]) -> None:
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
        assert self.status == status, answer
        self.check_envelope(answer)
        assert answer["msg"]
        assert self.control.picture(self.account) == before
        return str(answer["code"])

    def check_envelope(self, answer: dict[str, Any]) -> None:
        assert answer["data"] is None, answer
        assert isinstance(answer["msg"], str)


class PlainRefusals(Refusals):
    """The same for Binance, whose errors are a number and a text."""

    def check_envelope(self, answer: dict[str, Any]) -> None:
        assert {name: type(value) for name, value in answer.items()} == {"code": int, "msg": str}, answer


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
    return read_markets(ccxt.bitget(classic(exchange.ready, Control(exchange.ready).account())))


def read_markets(venue: Any) -> Any:
    venue.load_markets()
    venue.session.close()
    return venue


def shared(venue: Any, loaded: Any) -> Any:
    """The same markets without asking again."""
    for name in ("markets", "markets_by_id", "symbols", "ids", "currencies", "currencies_by_id", "codes"):
        setattr(venue, name, getattr(loaded, name))
    return venue


@pytest.fixture
def venue(exchange: Process, account: dict[str, Any], loaded: ccxt.bitget) -> Iterator[ccxt.bitget]:
    made = shared(ccxt.bitget(classic(exchange.ready, account)), loaded)
    yield made
    made.session.close()


@pytest.fixture
def refusals(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> Refusals:
    return Refusals(venue, control, account)


@pytest.fixture
async def async_venue(
    exchange: Process, account: dict[str, Any], loaded: ccxt.bitget
) -> AsyncIterator[ccxt.async_support.bitget]:
    made = shared(ccxt.async_support.bitget(classic(exchange.ready, account)), loaded)
    yield made
    await made.close()


@pytest.fixture
async def streaming(
    exchange: Process, account: dict[str, Any], loaded: ccxt.bitget
) -> AsyncIterator[ccxt.pro.bitget]:
    made = shared(ccxt.pro.bitget(classic(exchange.ready, account)), loaded)
    yield made
    await made.close()


# unified accounts


@pytest.fixture
def unified_account(control: Control) -> dict[str, Any]:
    return control.account(kind="unified")


@pytest.fixture(scope="session")
def unified_markets(exchange: Process) -> ccxt.bitget:
    account = Control(exchange.ready).account(kind="unified")
    return read_markets(ccxt.bitget(unified(exchange.ready, account)))


@pytest.fixture
def uta(
    exchange: Process, unified_account: dict[str, Any], unified_markets: ccxt.bitget
) -> Iterator[ccxt.bitget]:
    made = shared(ccxt.bitget(unified(exchange.ready, unified_account)), unified_markets)
    yield made
    made.session.close()


@pytest.fixture
def uta_refusals(uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]) -> Refusals:
    return Refusals(uta, control, unified_account)


@pytest.fixture
async def uta_async(
    exchange: Process, unified_account: dict[str, Any], unified_markets: ccxt.bitget
) -> AsyncIterator[ccxt.async_support.bitget]:
    made = shared(ccxt.async_support.bitget(unified(exchange.ready, unified_account)), unified_markets)
    yield made
    await made.close()


@pytest.fixture
async def uta_streaming(
    exchange: Process, unified_account: dict[str, Any], unified_markets: ccxt.bitget
) -> AsyncIterator[ccxt.pro.bitget]:
    made = shared(ccxt.pro.bitget(unified(exchange.ready, unified_account)), unified_markets)
    yield made
    await made.close()


# Binance accounts


@pytest.fixture
def binance_account(control: Control) -> dict[str, Any]:
    """With a second key of the same account, for which the exchange knows a public key."""
    return control.account(kind="binance", public_key=PUBLIC_PEM)


@pytest.fixture(scope="session")
def usdm_markets(exchange: Process) -> ccxt.binanceusdm:
    account = Control(exchange.ready).account(kind="binance")
    return read_markets(ccxt.binanceusdm(binance(exchange.ready, account)))


@pytest.fixture
def usdm(
    exchange: Process, binance_account: dict[str, Any], usdm_markets: ccxt.binanceusdm
) -> Iterator[ccxt.binanceusdm]:
    made = shared(mapped(ccxt.binanceusdm(binance(exchange.ready, binance_account))), usdm_markets)
    yield made
    made.session.close()


@pytest.fixture
def usdm_refusals(usdm: ccxt.binanceusdm, control: Control, binance_account: dict[str, Any]) -> PlainRefusals:
    return PlainRefusals(usdm, control, binance_account)


@pytest.fixture
async def usdm_async(
    exchange: Process, binance_account: dict[str, Any], usdm_markets: ccxt.binanceusdm
) -> AsyncIterator[ccxt.async_support.binanceusdm]:
    made = ccxt.async_support.binanceusdm(binance(exchange.ready, binance_account))
    yield shared(mapped(made), usdm_markets)
    await made.close()


@pytest.fixture
async def usdm_streaming(
    exchange: Process, binance_account: dict[str, Any], usdm_markets: ccxt.binanceusdm
) -> AsyncIterator[ccxt.pro.binanceusdm]:
    made = ccxt.pro.binanceusdm(binance(exchange.ready, binance_account))
    yield shared(mapped(made), usdm_markets)
    await made.close()
