"""Binance's official Python SDK: REST with everything in the query, the order websocket by HMAC and by Ed25519, streams.

The SDK checks every answer against its own models and logs where the types differ: that log has to be empty.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_common.errors import BadRequestError, UnauthorizedError
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import (
    DerivativesTradingUsdsFutures,
)

from tests.conformance.clients import PRIVATE_PEM
from tests.conformance.streams import within
from tests.conformance.venue import Control
from tests.trader.paper.process import Process

#: It hands aiohttp the time that a websocket may take to close as a number.
pytestmark = pytest.mark.filterwarnings(
    "ignore:parameter 'timeout' of type 'float' is deprecated:DeprecationWarning"
)

#: Its own types are wider than what it returns, and its enumerations are plain words.
Sdk = Any

BTC = "BTCUSDT"
BUY: dict[str, Any] = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": 0.005}
LIMIT: dict[str, Any] = {
    **BUY,
    "type": "LIMIT",
    "price": 59_000.0,
    "time_in_force": "GTC",
    "quantity": 0.01,
}
STOP: dict[str, Any] = {
    "algo_type": "CONDITIONAL",
    "symbol": BTC,
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": 0.005,
    "trigger_price": 59_000.0,
}


@pytest.fixture
def sdk(exchange: Process, binance_account: dict[str, Any]) -> Sdk:
    """Signs with the account's secret."""
    at, key, secret = exchange.ready["binance"], binance_account["key"], binance_account["secret"]
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(key, secret, base_path=at["rest"], retries=0, timeout=10_000),
        config_ws_api=ConfigurationWebSocketAPI(key, secret, stream_url=at["ws_api"]),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=f"{at['streams']}/stream"),
    )


@pytest.fixture
def ed25519(exchange: Process, binance_account: dict[str, Any]) -> Sdk:
    """Signs with a private key of its own; the exchange knows the public one."""
    at, key = exchange.ready["binance"], binance_account["ed25519_key"]
    return DerivativesTradingUsdsFutures(
        config_rest_api=ConfigurationRestAPI(
            key, private_key=PRIVATE_PEM, base_path=at["rest"], retries=0, timeout=10_000
        ),
        config_ws_api=ConfigurationWebSocketAPI(key, private_key=PRIVATE_PEM, stream_url=at["ws_api"]),
    )


@pytest.fixture(autouse=True)
def fits_the_models(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing was parsed only after the SDK had loosened its types."""
    caplog.set_level(logging.WARNING)
    yield
    odd = [row.getMessage() for row in caplog.records if "did not match" in row.getMessage()]
    assert not odd


def held(sdk: Sdk) -> dict[str, float]:
    rows = sdk.rest_api.position_information_v3().data()
    return {row.position_side: float(row.position_amt) for row in rows if float(row.position_amt)}


def refused(do: Callable[[], object], error: type[Exception] = BadRequestError) -> int:
    """The venue's code, which the SDK keeps under another name."""
    with pytest.raises(error) as caught:
        do()
    return int(caught.value.status_code)  # type: ignore[attr-defined]


@pytest.mark.parametrize("key", ["sdk", "ed25519"])
def test_the_whole_way_of_a_trade(
    request: pytest.FixtureRequest, key: str, control: Control, binance_account: dict[str, Any]
) -> None:
    """0.005 bought at 60000 and sold at 59999.9, taker 0.0006."""
    made = request.getfixturevalue(key)
    rest = made.rest_api
    assert rest.change_initial_leverage(BTC, 20).data().leverage == 20
    answer = rest.new_order(**BUY, new_order_resp_type="RESULT", new_client_order_id="way")
    placed = answer.data()
    assert (placed.status, placed.client_order_id) == ("FILLED", "way")
    order = rest.query_order(BTC, order_id=placed.order_id).data()
    assert (order.status, float(order.avg_price)) == ("FILLED", 60_000.0)
    assert held(made) == {"BOTH": 0.005}
    (fill,) = rest.account_trade_list(BTC).data()
    assert (fill.order_id, fill.maker, float(fill.commission), float(fill.price)) == (
        placed.order_id,
        False,
        0.18,
        60_000.0,
    )
    rest.new_order(**BUY | {"side": "SELL"}, reduce_only="true")
    assert held(made) == {}
    control.check_money(
        binance_account, ("open_fee", "-0.18"), ("realised_pnl", "-0.0005"), ("close_fee", "-0.1799997")
    )
    (balance,) = (row for row in rest.futures_account_balance_v3().data() if row.asset == "USDT")
    assert float(balance.balance) == 9_999.6395003
    income = rest.get_income_history(symbol=BTC).data()
    assert sum(float(row.income) for row in income) == pytest.approx(-0.3604997)
    assert float(rest.account_information_v3().data().total_wallet_balance) == 9_999.6395003


def test_resting_and_algo_orders(sdk: Sdk, control: Control, binance_account: dict[str, Any]) -> None:
    rest = sdk.rest_api
    placed = rest.new_order(**LIMIT).data()
    changed = rest.modify_order(BTC, "BUY", 0.02, 58_500.0, order_id=placed.order_id).data()
    assert (changed.order_id, float(changed.price), float(changed.orig_qty)) == (
        placed.order_id,
        58_500.0,
        0.02,
    )
    assert [row.order_id for row in rest.current_all_open_orders(symbol=BTC).data()] == [placed.order_id]
    assert rest.query_current_open_order(BTC, order_id=placed.order_id).data().status == "NEW"
    assert rest.cancel_order(BTC, order_id=placed.order_id).data().status == "CANCELED"
    assert [row.status for row in rest.all_orders(BTC).data()] == ["CANCELED"]
    many = [
        {
            "symbol": BTC,
            "side": "BUY",
            "type": "LIMIT",
            "time_in_force": "GTC",
            "quantity": "0.01",
            "price": price,
        }
        for price in ("59000", "58000")
    ]
    made = rest.place_multiple_orders(many).data()
    gone = rest.cancel_multiple_orders(BTC, order_id_list=[row.order_id for row in made]).data()
    assert [row.status for row in gone] == ["CANCELED", "CANCELED"]
    assert rest.auto_cancel_all_open_orders(BTC, 0).data().symbol == BTC
    control.check_money(binance_account)
    rest.new_order(**BUY)
    stop = rest.new_algo_order(**STOP, reduce_only="true").data()
    assert (stop.algo_status, float(stop.trigger_price)) == ("NEW", 59_000.0)
    assert [row.algo_id for row in rest.current_all_algo_open_orders(symbol=BTC).data()] == [stop.algo_id]
    assert rest.query_algo_order(algo_id=stop.algo_id).data().algo_status == "NEW"
    with control.held(BTC, "58990"):
        assert held(sdk) == {}
    assert rest.query_algo_order(algo_id=stop.algo_id).data().algo_status == "FINISHED"
    assert rest.current_all_algo_open_orders().data() == []


def test_settings_and_market_data(sdk: Sdk, control: Control) -> None:
    rest = sdk.rest_api
    assert BTC in {row.symbol for row in rest.exchange_information().data().symbols}
    assert rest.get_current_position_mode().data().dual_side_position is False
    rest.change_position_mode("true")
    assert rest.get_current_position_mode().data().dual_side_position is True
    rest.change_margin_type(BTC, "ISOLATED")
    (config,) = rest.symbol_configuration(symbol=BTC).data()
    assert config.margin_type == "ISOLATED"
    assert rest.futures_account_configuration().data().dual_side_position is True
    rest.new_order(**BUY, position_side="LONG")
    assert held(sdk) == {"LONG": 0.005}
    rest.modify_isolated_position_margin(BTC, 5.0, 1, position_side="LONG")
    book = rest.order_book(BTC, limit=5).data()
    assert (float(book.bids[0][0]), float(book.asks[0][0])) == (59_999.9, 60_000.0)
    control.advance(120_000)
    candles = rest.kline_candlestick_data("SOLUSDT", "1m", limit=2).data()
    assert len(candles) == 2
    assert rest.check_server_time().data().server_time > 0
    assert [type(row.id) for row in rest.recent_trades_list("SOLUSDT", limit=3).data()] == [int] * 3
    assert float(rest.mark_price(BTC).data().actual_instance.mark_price) == 60_000.0
    assert float(rest.symbol_order_book_ticker(BTC).data().actual_instance.ask_price) == 60_000.0
    assert float(rest.user_commission_rate(BTC).data().taker_commission_rate) == 0.0006
    (ladder,) = rest.notional_and_leverage_brackets(symbol=BTC).data().actual_instance
    assert ladder.brackets[0].initial_leverage == 125
    assert {row.interval for row in rest.query_user_rate_limit().data()} == {"SECOND", "MINUTE"}


def test_the_limits_are_told(sdk: Sdk) -> None:
    """Weights and order counts come in headers, which the SDK hands out (§3)."""
    limits = {
        (row.rateLimitType, row.interval, row.intervalNum)
        for row in sdk.rest_api.new_order(**LIMIT).rate_limits
    }
    assert limits >= {("ORDERS", "SECOND", 10), ("ORDERS", "MINUTE", 1)}
    looked = sdk.rest_api.current_all_open_orders(symbol=BTC).rate_limits
    assert {(row.rateLimitType, row.interval) for row in looked} >= {("REQUEST_WEIGHT", "MINUTE")}


def test_refusals(sdk: Sdk, control: Control, binance_account: dict[str, Any]) -> None:
    rest = sdk.rest_api
    before = control.picture(binance_account)
    expected: list[tuple[Callable[[], object], int]] = [
        (lambda: rest.new_order(**BUY | {"symbol": "NOSUCHUSDT"}), -1121),
        (lambda: rest.new_order(**BUY | {"quantity": 0.00015}), -1111),
        (lambda: rest.new_order(**BUY | {"quantity": 10.0}), -2019),
        (lambda: rest.new_order(**BUY | {"side": "SELL"}, reduce_only="true"), -2022),
        (lambda: rest.new_order(**LIMIT | {"price": 60_500.0, "time_in_force": "GTX"}), -5022),
        (lambda: rest.new_algo_order(**STOP | {"trigger_price": 61_000.0}), -2021),
        (lambda: rest.cancel_order(BTC, order_id=1), -2011),
        (lambda: rest.query_order(BTC, order_id=1), -2013),
        (lambda: rest.change_initial_leverage(BTC, 126), -4028),
        (lambda: rest.change_position_mode("false"), -4059),
        (lambda: rest.change_margin_type(BTC, "CROSSED"), -4046),
        (rest.keepalive_user_data_stream, -1125),
    ]
    for do, code in expected:
        assert refused(do) == code
    rest.configuration.base_headers["X-MBX-APIKEY"] = "B" * 64
    assert refused(rest.futures_account_balance_v3, UnauthorizedError) == -2015
    assert control.picture(binance_account) == before


@pytest.fixture
async def socket(sdk: Sdk) -> AsyncIterator[Any]:
    made = await sdk.websocket_api.create_connection()
    yield sdk.websocket_api
    await made.close_connection(close_session=True)


async def answered(awaitable: Any) -> Any:
    """The result; a refusal fails."""
    data = (await within(awaitable)).data()
    assert not isinstance(data, dict) or "error" not in data, data
    return data.result if hasattr(data, "result") else data["result"]


async def test_orders_over_the_websocket(
    socket: Any, control: Control, binance_account: dict[str, Any]
) -> None:
    """HMAC per request."""
    answer = await within(socket.new_order(**LIMIT))
    assert {(row.rateLimitType, row.interval) for row in answer.rate_limits} >= {
        ("ORDERS", "SECOND"),
        ("ORDERS", "MINUTE"),
    }
    placed = answer.data().result
    assert (placed.status, float(placed.price)) == ("NEW", 59_000.0)
    changed = await answered(
        socket.modify_order(symbol=BTC, side="BUY", quantity=0.02, price=58_500.0, order_id=placed.order_id)
    )
    assert (changed.order_id, float(changed.orig_qty)) == (placed.order_id, 0.02)
    assert (await answered(socket.query_order(symbol=BTC, order_id=placed.order_id))).status == "NEW"
    assert (await answered(socket.cancel_order(symbol=BTC, order_id=placed.order_id))).status == "CANCELED"
    control.check_money(binance_account)
    bought = await answered(socket.new_order(**BUY, new_order_resp_type="RESULT"))
    assert (bought.status, float(bought.executed_qty)) == ("FILLED", 0.005)
    stop = await answered(socket.new_algo_order(**STOP, reduce_only="true"))
    assert stop.algo_status == "NEW"
    await answered(socket.cancel_algo_order(algo_id=stop.algo_id))
    (position,) = await answered(socket.position_information_v2(symbol=BTC))
    assert float(position.position_amt) == 0.005
    balance = await answered(socket.futures_account_balance_v2())
    assert float(next(row for row in balance if row.asset == "USDT").balance) == 9_999.82
    assert float((await answered(socket.account_information_v2())).total_wallet_balance) == 9_999.82
    book = await answered(socket.order_book(symbol=BTC))
    assert book.last_update_id > 0  # its model has no levels
    control.check_money(binance_account, ("open_fee", "-0.18"))


async def test_refusals_over_the_websocket(
    socket: Any, control: Control, binance_account: dict[str, Any]
) -> None:
    before = control.picture(binance_account)
    expected: list[tuple[Any, int]] = [
        (lambda: socket.new_order(**BUY | {"quantity": 10.0}), -2019),
        (lambda: socket.new_order(**BUY | {"side": "SELL"}, reduce_only="true"), -2022),
        (lambda: socket.new_order(**BUY | {"symbol": "NOSUCHUSDT"}), -1121),
        (lambda: socket.new_algo_order(**STOP | {"trigger_price": 61_000.0}), -2021),
        (lambda: socket.cancel_order(symbol=BTC, order_id=1), -2011),
        (lambda: socket.query_order(symbol=BTC, order_id=1), -2013),
    ]
    for do, code in expected:
        assert (await within(do())).data()["error"]["code"] == code
    assert control.picture(binance_account) == before


async def test_a_session_is_logged_on(
    ed25519: Sdk, control: Control, binance_account: dict[str, Any]
) -> None:
    """session.logon by Ed25519; later requests carry a timestamp and no signature (§7)."""
    socket = ed25519.websocket_api
    made = await socket.create_connection()
    try:
        on = await answered(
            socket.send_signed_message(
                {"method": "session.logon", "params": {}}, signer=socket.signer, session_logon=True
            )
        )
        assert on["apiKey"] == binance_account["ed25519_key"]
        assert on["authorizedSince"] is not None
        assert made.connections[0].is_session_log_on
        bought = await answered(socket.new_order(**BUY, new_order_resp_type="RESULT"))
        assert (bought.status, float(bought.executed_qty)) == ("FILLED", 0.005)
        status = await answered(socket.send_message({"method": "session.status", "params": {}}))
        assert status["apiKey"] == binance_account["ed25519_key"]
        out = await answered(
            socket.send_message({"method": "session.logout", "params": {}}, session_logout=True)
        )
        assert out["apiKey"] is None
        # signed one by one again
        placed = await answered(socket.new_order(**LIMIT))
        assert placed.status == "NEW"
        control.check_money(binance_account, ("open_fee", "-0.18"))
    finally:
        await made.close_connection(close_session=True)


async def test_a_session_needs_an_ed25519_key(socket: Any) -> None:
    answer = await within(
        socket.send_signed_message({"method": "session.logon", "params": {}}, session_logon=True)
    )
    assert answer.data()["error"]["code"] < 0


@pytest.fixture
async def streams(sdk: Sdk) -> AsyncIterator[Any]:
    made = await sdk.websocket_streams.create_connection()
    yield sdk.websocket_streams
    await made.close_connection(close_session=True)


def collected(handle: Any) -> asyncio.Queue[Any]:
    """What a stream's callback is called with."""
    seen: asyncio.Queue[Any] = asyncio.Queue()
    handle.on("message", seen.put_nowait)
    return seen


async def test_user_data(sdk: Sdk, streams: Any, control: Control, binance_account: dict[str, Any]) -> None:
    key = await asyncio.to_thread(lambda: sdk.rest_api.start_user_data_stream().data().listen_key)
    seen = collected(await within(streams.user_data(key)))
    await asyncio.to_thread(lambda: sdk.rest_api.new_order(**BUY, new_client_order_id="seen"))
    names, update = [], None
    while update is None:
        event = (await within(seen.get())).actual_instance
        names.append(type(event).__name__)
        if names[-1] == "OrderTradeUpdate" and event.o.X == "FILLED":
            assert (event.o.c, float(event.o.n), float(event.o.L)) == ("seen", 0.18, 60_000.0)
        if names[-1] == "AccountUpdate":
            update = event
    assert names[-3:] == ["TradeLite", "OrderTradeUpdate", "AccountUpdate"]
    assert float(update.a.B[0].wb) == 9_999.82
    await asyncio.to_thread(lambda: sdk.rest_api.new_algo_order(**STOP, reduce_only="true"))
    algo = (await within(seen.get())).actual_instance
    assert type(algo).__name__ == "AlgoUpdate"
    await asyncio.to_thread(sdk.rest_api.keepalive_user_data_stream)
    control.check_money(binance_account, ("open_fee", "-0.18"))


async def test_market_streams(streams: Any, control: Control) -> None:
    book = collected(await within(streams.partial_book_depth_streams("btcusdt", 5)))
    quotes = collected(await within(streams.individual_symbol_book_ticker_streams("btcusdt")))
    marks = collected(await within(streams.mark_price_stream("btcusdt", update_speed="1s")))
    trades = collected(await within(streams.aggregate_trade_streams("solusdt")))
    candles = collected(await within(streams.kline_candlestick_streams("solusdt", "1m")))
    tickers = collected(await within(streams.individual_symbol_ticker_streams("btcusdt")))
    diffs = collected(await within(streams.diff_book_depth_streams("btcusdt")))
    await asyncio.to_thread(control.advance, 120_000)
    await asyncio.to_thread(control.price, BTC, "60010")
    assert len((await within(book.get())).b) == 5
    assert (await within(quotes.get())).s == BTC
    assert (await within(marks.get())).s == BTC
    assert (await within(trades.get())).s == "SOLUSDT"
    assert (await within(candles.get())).k.i == "1m"
    assert (await within(tickers.get())).s == BTC
    assert (await within(diffs.get())).s == BTC
