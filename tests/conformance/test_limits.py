"""An exchange with its limits on: the table of bitget.md §4, and connections that the server itself cuts."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
import urllib.parse
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.pro
import pytest
from websockets.exceptions import ConnectionClosed

from shared import clock
from tests.conformance.clients import classic
from tests.conformance.venue import Control
from tests.conformance.wire import Socket, headers
from tests.trader.paper.process import Process, Processes

MIX, SPOT = "/api/v2/mix", "/api/v2/spot"
ORDER, ACCOUNT, MARKET, TRADE = f"{MIX}/order", f"{MIX}/account", f"{MIX}/market", f"{SPOT}/trade"
BTC = "BTC/USDT:USDT"
LIFE_S, IDLE_S, ANSWER_S = 2.0, 1.0, 10.0

#: bitget.md §4: calls per second, public ones per address and signed ones per account.
TABLE: dict[tuple[str, bool], tuple[int, list[str]]] = {
    ("GET", False): (
        20,
        [
            f"{MARKET}/ticker", f"{MARKET}/tickers", f"{MARKET}/merge-depth", f"{MARKET}/fills",
            f"{MARKET}/candles", f"{MARKET}/history-candles", f"{MARKET}/contracts", f"{MARKET}/open-interest",
            f"{MARKET}/funding-time", f"{MARKET}/current-fund-rate", f"{MARKET}/history-fund-rate",
            f"{MARKET}/symbol-price", f"{SPOT}/market/tickers", f"{SPOT}/market/orderbook",
            f"{SPOT}/market/candles", f"{SPOT}/market/fills", f"{SPOT}/public/symbols",
        ],
    ),
    ("GET/10", False): (
        10,
        [f"{MARKET}/query-position-lever", f"{MARKET}/vip-fee-rate", f"{MARKET}/oi-limit", f"{MARKET}/fills-history"],
    ),
    ("GET", True): (
        20,
        [
            f"{MIX}/position/history-position", f"{ACCOUNT}/max-open", f"{ACCOUNT}/liq-price",
            f"{TRADE}/orderInfo", f"{TRADE}/unfilled-orders",
        ],
    ),
    ("GET/10", True): (
        10,
        [
            f"{ORDER}/detail", f"{ORDER}/orders-pending", f"{ORDER}/orders-history", f"{ORDER}/fills",
            f"{ORDER}/fill-history", f"{ORDER}/orders-plan-pending", f"{ORDER}/orders-plan-history",
            f"{ORDER}/plan-sub-order", f"{ACCOUNT}/account", f"{ACCOUNT}/accounts", f"{ACCOUNT}/bill",
            f"{MIX}/position/single-position", f"{SPOT}/account/assets",
        ],
    ),
    ("GET/5", True): (5, [f"{MIX}/position/all-position", f"{MIX}/position/adlRank"]),
    ("POST/10", True): (
        10,
        [
            f"{ORDER}/place-order", f"{ORDER}/modify-order", f"{ORDER}/cancel-order",
            f"{ORDER}/batch-cancel-orders", f"{ORDER}/cancel-all-orders", f"{ORDER}/place-plan-order",
            f"{ORDER}/place-tpsl-order", f"{ORDER}/place-pos-tpsl", f"{ORDER}/modify-plan-order",
            f"{ORDER}/modify-tpsl-order", f"{ORDER}/cancel-plan-order", f"{TRADE}/place-order",
            f"{TRADE}/cancel-order",
        ],
    ),
    ("POST/5", True): (
        5,
        [
            f"{ORDER}/batch-place-order", f"{ACCOUNT}/set-leverage", f"{ACCOUNT}/set-margin-mode",
            f"{ACCOUNT}/set-position-mode", f"{ACCOUNT}/set-margin", f"{ACCOUNT}/set-auto-margin",
            f"{TRADE}/batch-orders", f"{TRADE}/batch-cancel-order",
        ],
    ),
    ("POST/2", True): (2, [f"{ACCOUNT}/set-asset-mode"]),
    ("POST/1", True): (1, [f"{ORDER}/close-positions"]),
}  # fmt: skip
CALLS = [
    (method.partition("/")[0], path, most, signed)
    for (method, signed), (most, paths) in TABLE.items()
    for path in paths
]


@pytest.fixture(scope="module")
def limited() -> Iterator[Process]:
    made = Processes()
    limits = f"ws_life_s={LIFE_S}", f"ws_idle_s={IDLE_S}", "ws_messages_per_s=0"
    yield made.start(*(word for limit in limits for word in ("--limit", limit)), limits=True)
    made.stop_all()


@pytest.fixture
def control(limited: Process) -> Control:
    made = Control(limited.ready)
    made.price("BTCUSDT", "60000")
    return made


@pytest.fixture
def account(control: Control) -> dict[str, Any]:
    return control.account()


def since(started_ns: int) -> float:
    return (clock.monotonic_ns() - started_ns) / clock.SECOND


class Caller:
    """One kept connection; answers as (status, code, what remains)."""

    def __init__(self, ready: dict[str, Any], account: dict[str, Any]) -> None:
        self.account = account
        self.connection = http.client.HTTPConnection(urllib.parse.urlsplit(ready["rest"]).netloc, timeout=10)

    def call(self, method: str, path: str, *, signed: bool, body: str = "") -> tuple[int, str, str | None]:
        body = body or ("{}" if method == "POST" else "")
        sent = headers(self.account, method, path, body) if signed else {}
        self.connection.request(method, path, body.encode() or None, sent)
        with self.connection.getresponse() as response:
            code = json.loads(response.read())["code"]
            return response.status, code, response.headers["x-mbx-used-remain-limit"]


@pytest.fixture
def caller(limited: Process, account: dict[str, Any]) -> Iterator[Caller]:
    made = Caller(limited.ready, account)
    yield made
    made.connection.close()


@pytest.mark.parametrize(("method", "path", "most", "signed"), CALLS)
def test_so_many_a_second(caller: Caller, method: str, path: str, most: int, signed: bool) -> None:
    """A full bucket lets its number through at once, and what comes back while the test asks."""
    started = clock.monotonic_ns()
    status, code, left = caller.call(method, path, signed=signed)
    assert (status, left) != (429, None), code
    assert left == str(most - 1)
    passed = 1
    while (answer := caller.call(method, path, signed=signed))[0] != 429:
        passed += 1
        assert passed < 5 * most + 5
    assert answer == (429, "429", "0")
    assert most <= passed <= most + most * since(started) + 1


def test_a_signed_call_is_counted_per_account(limited: Process, control: Control, caller: Caller) -> None:
    path = f"{ORDER}/close-positions"
    body = '{"productType":"USDT-FUTURES"}'
    assert caller.call("POST", path, signed=True, body=body)[1] == "22002"
    assert caller.call("POST", path, signed=True, body=body)[0] == 429
    other = Caller(limited.ready, control.account())
    assert other.call("POST", path, signed=True, body=body)[1] == "22002"
    other.connection.close()


def test_a_429_changes_nothing_and_ccxt_knows_it(
    limited: Process, control: Control, account: dict[str, Any]
) -> None:
    venue = ccxt.bitget(classic(limited.ready, account))
    order = {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginMode": "isolated",
        "marginCoin": "USDT",
        "size": "0.001",
        "side": "buy",
        "orderType": "market",
    }
    accepted = refused = 0
    while not refused:
        before = control.picture(account)
        try:
            venue.private_mix_post_v2_mix_order_place_order(order)
        except ccxt.DDoSProtection:
            refused += 1
            assert json.loads(venue.last_http_response)["data"] is None
            assert control.picture(account) == before
        else:
            accepted += 1
            assert control.picture(account) != before
            assert accepted < 200
        if accepted < 10:
            continue
        # asking for the picture gives the bucket time: the rest comes as fast as it can
        for _ in range(30):
            try:
                venue.private_mix_post_v2_mix_order_place_order(order)
                accepted += 1
            except ccxt.DDoSProtection:
                refused += 1
    (position,) = venue.private_mix_get_v2_mix_position_single_position(order)["data"]
    assert Decimal(position["total"]) == Decimal("0.001") * accepted
    venue.session.close()


# connections that the server cuts


def test_a_silent_connection_is_cut(limited: Process) -> None:
    socket = Socket(limited.ready["ws_private"])
    started = clock.monotonic_ns()
    with pytest.raises(ConnectionClosed):
        socket.raw.recv(timeout=ANSWER_S)
    assert 0.9 * IDLE_S <= since(started) < LIFE_S
    socket.close()


def test_a_lively_connection_is_cut_at_the_end_of_its_life(limited: Process) -> None:
    socket = Socket(limited.ready["ws_public"])
    started = clock.monotonic_ns()

    def alive() -> None:
        while True:
            socket.raw.send("ping")
            assert socket.raw.recv(timeout=ANSWER_S) == "pong"
            time.sleep(0.1)

    with pytest.raises(ConnectionClosed):
        alive()
    assert 0.9 * LIFE_S <= since(started) < LIFE_S + 2
    socket.close()


@pytest.mark.filterwarnings("ignore:enable_cleanup_closed ignored:DeprecationWarning")
async def test_ccxt_comes_back_after_a_cut(
    limited: Process, control: Control, account: dict[str, Any]
) -> None:
    """Its watch raises; the next one connects, logs in and subscribes anew, REST tells what was missed."""
    venue = ccxt.pro.bitget(classic(limited.ready, account))
    await venue.load_markets()
    venue.options["defaultType"] = "swap"
    started = clock.monotonic_ns()

    async def forever() -> None:
        while True:
            await venue.watch_orders(BTC)

    try:
        async with asyncio.timeout(ANSWER_S):
            for price in (59_000, 58_000):
                watched = asyncio.ensure_future(venue.watch_orders(BTC))
                while not watched.done():  # placed until the subscription holds
                    order = await venue.create_order(BTC, "limit", "buy", 0.001, price)
                    await asyncio.wait({watched}, timeout=0.3)
                assert (await watched)[-1]["status"] == "open"
                assert order["id"]
                with pytest.raises(ccxt.NetworkError):
                    await forever()
                missed = await venue.create_order(BTC, "limit", "buy", 0.001, 57_000)
                assert missed["id"] in {row["id"] for row in await venue.fetch_open_orders(BTC)}
        assert since(started) >= 2 * IDLE_S
    finally:
        await venue.close()
