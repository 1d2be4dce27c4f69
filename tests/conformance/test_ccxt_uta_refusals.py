"""Every documented refusal of the unified calls, as it reaches ccxt: HTTP 400, the code, and nothing changed."""

from __future__ import annotations

from functools import partial
from typing import Any

import ccxt
import pytest

from tests.conformance import codes
from tests.conformance.conftest import Refusals
from tests.conformance.venue import Control

BTC = "BTC/USDT:USDT"
FUTURES = "USDT-FUTURES"
POST, GET = "private_uta_post_v3_", "private_uta_get_v3_"
PLACE = POST + "trade_place_order"
BATCH = POST + "trade_place_batch"
MODIFY = POST + "trade_modify_order"
CANCEL = POST + "trade_cancel_order"
CANCEL_SYMBOL = POST + "trade_cancel_symbol_order"
CLOSE = POST + "trade_close_positions"
STRATEGY = POST + "trade_place_strategy_order"
MODIFY_STRATEGY = POST + "trade_modify_strategy_order"
CANCEL_STRATEGY = POST + "trade_cancel_strategy_order"
INFO = GET + "trade_order_info"
PENDING = GET + "trade_unfilled_orders"
PENDING_STRATEGY = GET + "trade_unfilled_strategy_orders"
LEVERAGE = POST + "account_set_leverage"
HOLD_MODE = POST + "account_set_hold_mode"
MARKET = "public_uta_get_v3_market_"

PLAIN: dict[str, object] = {
    "category": FUTURES,
    "symbol": "BTCUSDT",
    "side": "buy",
    "orderType": "market",
    "qty": "0.01",
}
LIMIT = {**PLAIN, "orderType": "limit", "price": "59000"}
SPOT = {**PLAIN, "category": "SPOT"}
GUARD: dict[str, object] = {
    "category": FUTURES,
    "symbol": "BTCUSDT",
    "type": "tpsl",
    "tpslMode": "full",
    "posSide": "long",
    "stopLoss": "55000",
    "slTriggerBy": "market",
}
TRIGGER: dict[str, object] = {
    **{name: PLAIN[name] for name in ("category", "symbol", "side", "qty")},
    "type": "trigger",
    "triggerBy": "market",
    "triggerPrice": "60500",
    "triggerOrderType": "market",
}
PARAMETER = codes.PARAMETER | {"25200"}
SYMBOL = codes.SYMBOL | {"25100"}
NO_ORDER = {"25204"}
NO_STRATEGY = {"25204", "25597"} | codes.NO_PLAN
NO_POSITION = {"25227"}
NO_POSITION_TO_PROTECT = {"25601"}
MONEY = {"25202", "25203", "25230"}
SIZE = {"25610"}
STEP = {"25244"}
BELOW = {"25207", "25611"}
ABOVE = {"25208", "25230", "25203"}
BAND = codes.BAND | {"25205", "25206"}
WRONG_SIDE = codes.WRONG_SIDE | {str(code) for code in (*range(25585, 25593), 25650, 25651, 25652)}

REFUSALS: list[tuple[str, dict[str, Any], set[str]]] = [
    (PLACE, {**PLAIN, "symbol": "NOSUCHUSDT"}, SYMBOL),
    (PLACE, {**PLAIN, "symbol": ""}, PARAMETER | SYMBOL),
    (PLACE, {**PLAIN, "category": ""}, PARAMETER),
    (PLACE, {**PLAIN, "category": "MOON-FUTURES"}, PARAMETER),
    (PLACE, {**PLAIN, "side": "up"}, PARAMETER),
    (PLACE, {**PLAIN, "side": ""}, PARAMETER),
    (PLACE, {**PLAIN, "orderType": "stop"}, PARAMETER),
    (PLACE, {**PLAIN, "qty": ""}, PARAMETER),
    (PLACE, {**PLAIN, "qty": "many"}, PARAMETER),
    (PLACE, {**PLAIN, "qty": "-0.01"}, PARAMETER | BELOW),
    (PLACE, {**PLAIN, "qty": "0.00001"}, SIZE),
    (PLACE, {**PLAIN, "qty": "0"}, PARAMETER | BELOW),
    (PLACE, {**PLAIN, "qty": "99999999"}, ABOVE),
    (PLACE, {**PLAIN, "qty": "50"}, MONEY),
    (PLACE, {**PLAIN, "reduceOnly": "yes"}, NO_POSITION),
    (PLACE, {**PLAIN, "reduceOnly": "perhaps"}, PARAMETER),
    (PLACE, {**PLAIN, "clientOid": "x" * 65}, PARAMETER | {"40305"}),
    (PLACE, {**PLAIN, "takeProfit": "59000"}, WRONG_SIDE),
    (PLACE, {**PLAIN, "stopLoss": "61000"}, WRONG_SIDE),
    (PLACE, {**PLAIN, "side": "sell", "takeProfit": "61000"}, WRONG_SIDE),
    (PLACE, {**PLAIN, "side": "sell", "stopLoss": "59000"}, WRONG_SIDE),
    (PLACE, {**PLAIN, "takeProfit": "66000.05"}, STEP),
    (PLACE, {**LIMIT, "price": ""}, PARAMETER),
    (PLACE, {**LIMIT, "price": "59000.05"}, STEP),
    (PLACE, {**LIMIT, "price": "90000"}, BAND),
    (PLACE, {**LIMIT, "price": "30000", "side": "sell"}, BAND),
    (PLACE, {**LIMIT, "price": "58000", "qty": "0.0000"}, PARAMETER | BELOW),
    (PLACE, {**LIMIT, "price": "40000", "qty": "0.0001"}, BELOW),
    (PLACE, {**LIMIT, "timeInForce": "day"}, PARAMETER),
    (PLACE, {**SPOT, "side": "sell"}, MONEY),
    (PLACE, {**SPOT, "symbol": "ETHXUSDT"}, SYMBOL),
    (PLACE, {**SPOT, "orderType": "limit", "price": "59000", "qty": "5"}, MONEY),
    (MODIFY, {"orderId": "123", "qty": "0.02", "price": "58000"}, NO_ORDER),
    (MODIFY, {"qty": "0.02", "price": "58000"}, PARAMETER),
    (CANCEL, {"orderId": "123"}, NO_ORDER),
    (CANCEL, {"clientOid": "never"}, NO_ORDER),
    (CANCEL, {}, PARAMETER),
    (CANCEL_SYMBOL, {"category": "MOON"}, PARAMETER),
    (CLOSE, {"category": FUTURES}, NO_POSITION),
    (CLOSE, {"category": FUTURES, "symbol": "BTCUSDT"}, NO_POSITION),
    (CLOSE, {"category": FUTURES, "symbol": "NOSUCHUSDT"}, SYMBOL),
    (CLOSE, {"category": FUTURES, "symbol": "BTCUSDT", "posSide": "up"}, PARAMETER),
    (STRATEGY, GUARD, NO_POSITION_TO_PROTECT),
    (STRATEGY, {**GUARD, "stopLoss": ""}, PARAMETER),
    (STRATEGY, {**GUARD, "type": "moon"}, PARAMETER),
    (STRATEGY, {**GUARD, "slTriggerBy": "moon"}, PARAMETER),
    (STRATEGY, {**GUARD, "symbol": "NOSUCHUSDT"}, SYMBOL),
    (STRATEGY, {**TRIGGER, "triggerPrice": ""}, PARAMETER),
    (STRATEGY, {**TRIGGER, "triggerPrice": "60500.05"}, STEP),
    (STRATEGY, {**TRIGGER, "triggerBy": "moon"}, PARAMETER),
    (STRATEGY, {**TRIGGER, "qty": "0.00001"}, SIZE),
    (STRATEGY, {**TRIGGER, "qty": ""}, PARAMETER),
    (STRATEGY, {**TRIGGER, "side": "up"}, PARAMETER),
    (STRATEGY, {**TRIGGER, "triggerOrderType": "limit"}, PARAMETER),
    (MODIFY_STRATEGY, {"orderId": "123", "qty": "0.01", "stopLoss": "56000"}, NO_STRATEGY),
    (CANCEL_STRATEGY, {"orderId": "123"}, NO_STRATEGY),
    (CANCEL_STRATEGY, {}, PARAMETER),
    (INFO, {"orderId": "123"}, NO_ORDER),
    (INFO, {"clientOid": "never"}, NO_ORDER),
    (INFO, {}, PARAMETER),
    (PENDING, {"category": "MOON"}, PARAMETER),
    (PENDING, {"category": FUTURES, "limit": "x"}, PARAMETER),
    (PENDING_STRATEGY, {"category": FUTURES, "type": "moon"}, PARAMETER),
    (LEVERAGE, {"category": FUTURES, "symbol": "BTCUSDT", "leverage": "0"}, PARAMETER | codes.LEVERAGE),
    (LEVERAGE, {"category": FUTURES, "symbol": "BTCUSDT", "leverage": "500"}, {"25223"}),
    (LEVERAGE, {"category": FUTURES, "symbol": "BTCUSDT", "leverage": ""}, PARAMETER),
    (LEVERAGE, {"category": FUTURES, "symbol": "NOSUCHUSDT", "leverage": "5"}, SYMBOL),
    (HOLD_MODE, {"holdMode": "both"}, PARAMETER),
    (HOLD_MODE, {}, PARAMETER),
    (MARKET + "tickers", {}, PARAMETER),
    (MARKET + "tickers", {"category": "MOON"}, PARAMETER),
    (MARKET + "tickers", {"category": FUTURES, "symbol": "NOSUCHUSDT"}, SYMBOL),
    (MARKET + "orderbook", {"category": FUTURES, "symbol": "NOSUCHUSDT"}, SYMBOL),
    (MARKET + "orderbook", {"category": FUTURES}, PARAMETER | SYMBOL),
    (MARKET + "candles", {"category": FUTURES, "symbol": "BTCUSDT", "interval": "7m"}, PARAMETER),
    (MARKET + "fills", {"category": FUTURES, "symbol": "NOSUCHUSDT"}, SYMBOL),
]


@pytest.mark.parametrize(
    "refusal", REFUSALS, ids=lambda refusal: f"{refusal[0].partition('_v3_')[2]}-{min(refusal[2])}"
)
def test_a_documented_refusal_reaches_the_client_and_changes_nothing(
    uta: ccxt.bitget, uta_refusals: Refusals, refusal: tuple[str, Any, set[str]]
) -> None:
    call, sent, expected = refusal
    assert uta_refusals.code(lambda: getattr(uta, call)(sent)) in expected


def test_refusals_that_need_an_order(uta: ccxt.bitget, uta_refusals: Refusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return uta_refusals.code(lambda: getattr(uta, call)(sent))

    placed = getattr(uta, PLACE)({**LIMIT, "clientOid": "dup"})["data"]
    number = placed["orderId"]
    assert refused(PLACE, **PLAIN, clientOid="dup") == "25212"
    assert refused(HOLD_MODE, holdMode="hedge_mode") in {"25107", "25570"} | {"40920"}
    assert refused(MODIFY, orderId=number, qty="0.00001", price="58000") in SIZE
    assert refused(MODIFY, orderId=number, qty="0.01", price="58000.05") in STEP
    assert refused(MODIFY, orderId=number, qty="0.01", price="90000") in BAND
    assert refused(MODIFY, orderId=number, qty="50", price="58000") in MONEY
    assert refused(MODIFY, orderId=number, qty="0.01", price="59000") == "25571"
    uta.cancel_order(number, BTC)
    assert refused(CANCEL, orderId=number) in NO_ORDER
    assert refused(MODIFY, orderId=number, qty="0.02", price="58000") in NO_ORDER | {"25568"}


def test_refusals_that_need_a_position(uta: ccxt.bitget, uta_refusals: Refusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return uta_refusals.code(lambda: getattr(uta, call)(sent))

    getattr(uta, PLACE)(PLAIN)
    assert refused(HOLD_MODE, holdMode="hedge_mode") in {"25107", "40920"}
    assert refused(STRATEGY, **{**GUARD, "stopLoss": "61000"}) in WRONG_SIDE
    assert refused(STRATEGY, **{**GUARD, "stopLoss": "55000.05"}) in STEP
    assert refused(STRATEGY, **{**GUARD, "tpslMode": "partial", "qty": "1"}) in {"25595", "25231"}
    getattr(uta, STRATEGY)(GUARD)
    assert refused(STRATEGY, **GUARD) == "25594"


def test_refusals_that_need_hedge_mode(uta: ccxt.bitget, uta_refusals: Refusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return uta_refusals.code(lambda: getattr(uta, call)(sent))

    uta.set_position_mode(True, BTC)
    assert refused(PLACE, **PLAIN) in PARAMETER | {"25236"}
    assert refused(PLACE, **PLAIN, posSide="sideways") in PARAMETER
    assert refused(PLACE, **{**PLAIN, "side": "sell"}, posSide="long") in NO_POSITION
    assert refused(CLOSE, category=FUTURES, symbol="BTCUSDT", posSide="short") in NO_POSITION


def test_orders_on_a_symbol_that_is_not_open(
    uta: ccxt.bitget, control: Control, uta_refusals: Refusals
) -> None:
    soon = uta.milliseconds() + 400 * 86_400_000
    control.call("/symbols", {"symbol": "LATERUTAUSDT", "price": "1", "open_time_ms": soon})
    sent = {**PLAIN, "symbol": "LATERUTAUSDT", "qty": "10"}
    assert uta_refusals.code(lambda: getattr(uta, PLACE)(sent)) in codes.NOT_OPEN | {"25101"}


@pytest.mark.parametrize(("path", "verb"), [("v3/trade/nowhere", "GET"), ("v3/trade/place-order", "GET")])
def test_unknown_addresses(uta: ccxt.bitget, uta_refusals: Refusals, path: str, verb: str) -> None:
    do = partial(uta.fetch2, path, ["private", "uta"], verb)
    assert uta_refusals.code(do, status=404) == "40404"


def test_a_batch_that_is_none(uta: ccxt.bitget, uta_refusals: Refusals) -> None:
    assert uta_refusals.code(lambda: getattr(uta, BATCH)([])) in PARAMETER | codes.BATCH
    assert uta_refusals.code(lambda: getattr(uta, BATCH)([LIMIT] * 51)) in PARAMETER | codes.BATCH
