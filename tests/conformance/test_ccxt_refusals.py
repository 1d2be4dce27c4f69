"""Every documented refusal of the futures calls, as it reaches ccxt: HTTP 400, the code, and nothing changed."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tests.conformance import codes
from tests.conformance.conftest import Refusals
from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES

BTC = "BTC/USDT:USDT"
PRODUCT: dict[str, object] = {"productType": FUTURES}
ID: dict[str, object] = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}

POST, GET = "private_mix_post_v2_mix_", "private_mix_get_v2_mix_"
PLACE = POST + "order_place_order"
BATCH = POST + "order_batch_place_order"
MODIFY = POST + "order_modify_order"
CANCEL = POST + "order_cancel_order"
CANCEL_MANY = POST + "order_batch_cancel_orders"
CANCEL_ALL = POST + "order_cancel_all_orders"
CLOSE = POST + "order_close_positions"
REVERSE = POST + "order_click_backhand"
PLAN = POST + "order_place_plan_order"
MODIFY_PLAN = POST + "order_modify_plan_order"
TPSL = POST + "order_place_tpsl_order"
MODIFY_TPSL = POST + "order_modify_tpsl_order"
POS_TPSL = POST + "order_place_pos_tpsl"
CANCEL_PLAN = POST + "order_cancel_plan_order"
DETAIL = GET + "order_detail"
PENDING = GET + "order_orders_pending"
PLANS = GET + "order_orders_plan_pending"
PLAN_HISTORY = GET + "order_orders_plan_history"
LEVERAGE = POST + "account_set_leverage"
MARGIN = POST + "account_set_margin"
AUTO_MARGIN = POST + "account_set_auto_margin"
MARGIN_MODE = POST + "account_set_margin_mode"
POSITION_MODE = POST + "account_set_position_mode"
ACCOUNT = GET + "account_account"
BILL = GET + "account_bill"
MAX_OPEN = GET + "account_max_open"
SINGLE = GET + "position_single_position"
RATE = "private_common_get_v2_common_trade_rate"
MARKET = "public_mix_get_v2_mix_market_"

#: A plain order, which is accepted; limit and plan orders on top of it.
PLAIN: dict[str, object] = {
    **ID,
    "marginMode": "isolated",
    "size": "0.01",
    "side": "buy",
    "orderType": "market",
}
LIMIT = {**PLAIN, "orderType": "limit", "price": "59000"}
TRIGGER = {**PLAIN, "planType": "normal_plan", "triggerPrice": "61000", "triggerType": "fill_price"}
TRACK = {**TRIGGER, "planType": "track_plan", "callbackRatio": "1"}
PROFIT = {**ID, "planType": "pos_profit", "triggerPrice": "66000", "triggerType": "fill_price", "holdSide": "buy"}  # fmt: skip

#: Call, what is sent, the documented code or codes.
REFUSALS: list[tuple[str, dict[str, Any], str | set[str]]] = [
    (PLACE, {**PLAIN, "symbol": "NOSUCHUSDT"}, "40102"),
    (PLACE, {**PLAIN, "productType": ""}, "40019"),
    (PLACE, {**PLAIN, "productType": "MOON-FUTURES"}, "40020"),
    (PLACE, {**PLAIN, "marginCoin": "BTC"}, codes.PARAMETER),
    (PLACE, {**PLAIN, "marginMode": "half"}, "40020"),
    (PLACE, {**PLAIN, "marginMode": ""}, "40019"),
    (PLACE, {**PLAIN, "side": "up"}, "40020"),
    (PLACE, {**PLAIN, "side": ""}, "40019"),
    (PLACE, {**PLAIN, "orderType": "stop"}, "40020"),
    (PLACE, {**PLAIN, "size": ""}, "40019"),
    (PLACE, {**PLAIN, "size": "many"}, "40020"),
    (PLACE, {**PLAIN, "size": "-0.01"}, codes.PARAMETER | codes.BELOW_SIZE),
    (PLACE, {**PLAIN, "size": "0.00001"}, "40808"),
    (PLACE, {**PLAIN, "size": "0"}, "45111"),
    (PLACE, {**PLAIN, "size": "99999999"}, "45112"),
    (PLACE, {**PLAIN, "size": "100"}, "40762"),
    (PLACE, {**PLAIN, "clientOid": "a/b"}, "40305"),
    (PLACE, {**PLAIN, "clientOid": "x" * 65}, "40305"),
    (PLACE, {**LIMIT, "price": ""}, "40019"),
    (PLACE, {**LIMIT, "price": "59000.05"}, "41103"),
    (PLACE, {**LIMIT, "price": "0"}, codes.PARAMETER | codes.PRICE_STEP),
    (PLACE, {**LIMIT, "price": "90000"}, "40815"),
    (PLACE, {**LIMIT, "price": "30000", "side": "sell"}, "40816"),
    (PLACE, {**LIMIT, "price": "40000", "size": "0.0001"}, "45110"),
    (PLACE, {**LIMIT, "force": "day"}, "40020"),
    (PLACE, {**PLAIN, "reduceOnly": "YES"}, "22002"),
    (PLACE, {**PLAIN, "reduceOnly": "perhaps"}, "40020"),
    (PLACE, {**PLAIN, "presetStopSurplusPrice": "59000"}, "40915"),
    (PLACE, {**PLAIN, "presetStopLossPrice": "61000"}, "40917"),
    (PLACE, {**PLAIN, "side": "sell", "presetStopSurplusPrice": "61000"}, "40832"),
    (PLACE, {**PLAIN, "side": "sell", "presetStopLossPrice": "59000"}, "45122"),
    (PLACE, {**PLAIN, "presetStopSurplusPrice": "66000.05"}, codes.PRICE_STEP),
    (PLACE, {**PLAIN, "stpMode": "cancel_all"}, codes.PARAMETER),
    (BATCH, {**ID, "marginMode": "isolated"}, codes.PARAMETER),
    (BATCH, {**ID, "marginMode": "isolated", "orderList": []}, codes.PARAMETER | codes.BATCH),
    (BATCH, {**ID, "marginMode": "isolated", "orderList": "all"}, codes.PARAMETER),
    (BATCH, {**ID, "marginMode": "isolated", "orderList": [LIMIT] * 51}, codes.BATCH),
    (BATCH, {**ID, "marginMode": "isolated", "symbol": "NOSUCHUSDT", "orderList": [LIMIT]}, codes.SYMBOL),
    (MODIFY, {**ID, "orderId": "123", "newClientOid": "n", "newSize": "0.02", "newPrice": "58000"}, codes.NO_ORDER),
    (MODIFY, {**ID, "newClientOid": "n", "newSize": "0.02", "newPrice": "58000"}, "40913"),
    (CANCEL, {**ID, "orderId": "123"}, "40768"),
    (CANCEL, {**ID, "clientOid": "never"}, "40768"),
    (CANCEL, {**ID, "orderId": "x"}, "40402"),
    (CANCEL, {**ID, "symbol": "NOSUCHUSDT", "orderId": "1"}, codes.SYMBOL),
    (CANCEL, dict(ID), "40913"),
    (CANCEL_MANY, dict(ID), "22001"),
    (CANCEL_MANY, {**ID, "orderIdList": "all"}, "40020"),
    (CANCEL_MANY, {**ID, "orderIdList": [{"orderId": "1"}] * 51}, codes.BATCH),
    (CANCEL_ALL, dict(PRODUCT), "22001"),
    (CLOSE, dict(PRODUCT), "22002"),
    (CLOSE, {**PRODUCT, "symbol": "NOSUCHUSDT"}, codes.SYMBOL),
    (CLOSE, {**PRODUCT, "holdSide": "up"}, "40020"),
    (REVERSE, {**ID, "size": "0.01", "side": "buy", "tradeSide": "open"}, codes.NO_POSITION),
    (PLAN, {**TRIGGER, "triggerPrice": ""}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "triggerPrice": "x"}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "triggerPrice": "61000.05"}, codes.PRICE_STEP),
    (PLAN, {**TRIGGER, "triggerType": ""}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "triggerType": "moon_price"}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "planType": "profit_loss"}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "planType": ""}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "size": "0.00001"}, codes.SIZE_DECIMALS),
    (PLAN, {**TRIGGER, "size": "0"}, codes.BELOW_SIZE | codes.PARAMETER),
    (PLAN, {**TRIGGER, "symbol": "NOSUCHUSDT"}, codes.SYMBOL),
    (PLAN, {**TRIGGER, "orderType": "limit"}, codes.PARAMETER),
    (PLAN, {**TRIGGER, "stopSurplusTriggerPrice": "60500", "stopSurplusTriggerType": "fill_price"}, codes.WRONG_SIDE),
    (PLAN, {**TRIGGER, "stopLossTriggerPrice": "61500", "stopLossTriggerType": "fill_price"}, codes.WRONG_SIDE),
    (PLAN, {**TRACK, "callbackRatio": ""}, codes.PARAMETER),
    (PLAN, {**TRACK, "callbackRatio": "11"}, codes.PARAMETER),
    (PLAN, {**TRACK, "callbackRatio": "0"}, codes.PARAMETER),
    (MODIFY_PLAN, {**PRODUCT, "orderId": "123", "newTriggerPrice": "61000"}, codes.NO_PLAN),
    (MODIFY_PLAN, {**PRODUCT, "newTriggerPrice": "61000"}, codes.PARAMETER),
    (TPSL, PROFIT, codes.NO_POSITION_TO_PROTECT),
    (TPSL, {**PROFIT, "planType": "normal_plan"}, codes.PARAMETER),
    (TPSL, {**PROFIT, "planType": "profit_loss"}, codes.PARAMETER),
    (TPSL, {**PROFIT, "planType": ""}, codes.PARAMETER),
    (TPSL, {**PROFIT, "triggerPrice": ""}, codes.PARAMETER),
    (TPSL, {**PROFIT, "holdSide": ""}, codes.PARAMETER),
    (TPSL, {**PROFIT, "holdSide": "up"}, codes.PARAMETER),
    (POS_TPSL, {**ID, "holdSide": "buy"}, codes.PARAMETER),
    (POS_TPSL, {**ID, "holdSide": "buy", "stopLossTriggerPrice": "55000"}, codes.NO_POSITION_TO_PROTECT),
    (MODIFY_TPSL, {**ID, "orderId": "123", "triggerPrice": "66000", "size": ""}, codes.NO_PLAN),
    (CANCEL_PLAN, {**ID, "planType": "moon"}, codes.PARAMETER),
    (CANCEL_PLAN, {**ID, "orderIdList": "all"}, codes.PARAMETER),
    (DETAIL, {**ID, "orderId": "123"}, "40109"),
    (DETAIL, {**ID, "clientOid": "never"}, "40109"),
    (DETAIL, dict(ID), "40913"),
    (DETAIL, {**ID, "orderId": "-1"}, "40402"),
    (PENDING, {}, "40019"),
    (PENDING, {**PRODUCT, "limit": "x"}, "40020"),
    (PENDING, {**PRODUCT, "limit": "0"}, "40020"),
    (PLANS, dict(PRODUCT), "40019"),
    (PLANS, {**PRODUCT, "planType": "moon"}, "40020"),
    (PLAN_HISTORY, dict(PRODUCT), "40019"),
    (LEVERAGE, {**ID, "leverage": "0"}, "45044"),
    (LEVERAGE, {**ID, "leverage": "500"}, "45045"),
    (LEVERAGE, {**ID, "leverage": "2.5"}, codes.PARAMETER | codes.LEVERAGE),
    (LEVERAGE, {**ID, "leverage": ""}, "40019"),
    (LEVERAGE, {**ID, "leverage": "10", "holdSide": "up"}, "40020"),
    (MARGIN, {**ID, "holdSide": "long", "amount": ""}, codes.PARAMETER),
    (MARGIN, {**ID, "holdSide": "long", "amount": "x"}, codes.PARAMETER),
    (MARGIN, {**ID, "holdSide": "up", "amount": "1"}, codes.PARAMETER),
    (AUTO_MARGIN, {**ID, "holdSide": "long", "autoMargin": "maybe"}, codes.PARAMETER),
    (MARGIN_MODE, {**ID, "marginMode": "half"}, "40020"),
    (MARGIN_MODE, {**ID, "symbol": "NOSUCHUSDT", "marginMode": "isolated"}, "40102"),
    (POSITION_MODE, {**PRODUCT, "posMode": "both"}, "40020"),
    (POSITION_MODE, {"posMode": "hedge_mode"}, "40019"),
    (ACCOUNT, {**ID, "symbol": "NOSUCHUSDT"}, "40102"),
    (BILL, {}, codes.PARAMETER),
    (BILL, {**PRODUCT, "limit": "x"}, codes.PARAMETER),
    (MAX_OPEN, {**ID, "posSide": "up", "orderType": "market"}, codes.PARAMETER),
    (SINGLE, {**ID, "symbol": "NOSUCHUSDT"}, "40102"),
    (RATE, {"symbol": "BTCUSDT", "businessType": "moon"}, "40020"),
    (RATE, {"symbol": "NOSUCHUSDT", "businessType": "mix"}, codes.SYMBOL),
    (MARKET + "ticker", {"symbol": "NOSUCHUSDT", **PRODUCT}, "40034"),
    (MARKET + "ticker", dict(PRODUCT), "40019"),
    (MARKET + "tickers", {}, "40019"),
    (MARKET + "merge_depth", {"symbol": "NOSUCHUSDT", **PRODUCT}, "40034"),
    (MARKET + "merge_depth", {"symbol": "BTCUSDT", **PRODUCT, "precision": "scale9"}, "40020"),
    (MARKET + "merge_depth", {"symbol": "BTCUSDT", **PRODUCT, "limit": "7"}, "40020"),
    (MARKET + "candles", {"symbol": "BTCUSDT", **PRODUCT}, "40019"),
    (MARKET + "candles", {"symbol": "BTCUSDT", **PRODUCT, "granularity": "7m"}, "40020"),
    (MARKET + "fills", {"symbol": "NOSUCHUSDT", **PRODUCT}, "40034"),
    (MARKET + "query_position_lever", {"symbol": "NOSUCHUSDT", **PRODUCT}, codes.SYMBOL),
]  # fmt: skip


@pytest.mark.parametrize(
    "refusal",
    REFUSALS,
    ids=lambda refusal: (
        f"{refusal[0].partition('_v2_')[2]}-{'/'.join(sorted([refusal[2]] if isinstance(refusal[2], str) else refusal[2]))[:17]}"
    ),
)
def test_a_documented_refusal_reaches_the_client_and_changes_nothing(
    venue: ccxt.bitget, refusals: Refusals, refusal: tuple[str, Any, str | set[str]]
) -> None:
    call, sent, code = refusal
    found = refusals.code(lambda: getattr(venue, call)(sent))
    assert found == code if isinstance(code, str) else found in code


def test_refusals_that_need_an_order(venue: ccxt.bitget, refusals: Refusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return refusals.code(lambda: getattr(venue, call)(sent))

    placed = getattr(venue, PLACE)({**LIMIT, "clientOid": "dup"})["data"]
    assert refused(PLACE, **PLAIN, clientOid="dup") in codes.DUPLICATE
    assert refused(PLACE, **{**PLAIN, "marginMode": "crossed"}) == "45117"
    assert refused(MARGIN_MODE, **ID, marginMode="crossed") == "45117"
    assert refused(POSITION_MODE, **PRODUCT, posMode="hedge_mode") == "40920"
    assert refused(LEVERAGE, **ID, leverage="33") in {"40730", "45097"}
    assert refused(CANCEL, **{**ID, "symbol": "ETHUSDT"}, orderId=placed["orderId"]) in codes.NO_ORDER
    assert refused(DETAIL, **{**ID, "symbol": "ETHUSDT"}, orderId=placed["orderId"]) in codes.NO_ORDER
    change = {**ID, "orderId": placed["orderId"], "newClientOid": "n"}
    assert refused(MODIFY, **change, newSize="0.00001", newPrice="58000") in codes.SIZE_DECIMALS
    assert refused(MODIFY, **change, newSize="0.01", newPrice="58000.05") in codes.PRICE_STEP
    assert refused(MODIFY, **change, newSize="0.01", newPrice="90000") in codes.BAND
    assert refused(MODIFY, **change, newSize="50", newPrice="58000") in codes.MONEY
    venue.cancel_order(placed["orderId"], BTC)
    assert refused(CANCEL, **ID, orderId=placed["orderId"]) in codes.FINAL
    assert refused(MODIFY, **change, newSize="0.01", newPrice="58000") in codes.FINAL
    assert refused(CANCEL_ALL, **PRODUCT) in codes.NOTHING_TO_CANCEL


def test_refusals_that_need_a_position(venue: ccxt.bitget, refusals: Refusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return refusals.code(lambda: getattr(venue, call)(sent))

    getattr(venue, PLACE)(PLAIN)
    assert refused(POSITION_MODE, **PRODUCT, posMode="hedge_mode") == "40920"
    assert refused(MARGIN_MODE, **ID, marginMode="crossed") == "45117"
    assert refused(TPSL, **{**PROFIT, "triggerPrice": "59000"}) in codes.WRONG_SIDE
    loss = {**PROFIT, "planType": "pos_loss"}
    assert refused(TPSL, **{**loss, "triggerPrice": "60000"}) in codes.WRONG_SIDE
    for kind in ("profit_plan", "loss_plan", "moving_plan"):
        price = "55000" if kind == "loss_plan" else "66000"
        part = {**PROFIT, "planType": kind, "rangeRate": "1", "triggerPrice": price}
        assert refused(TPSL, **part, size="1") in codes.ABOVE_POSITION, kind
        assert refused(TPSL, **part, size="") in codes.PARAMETER, kind
    getattr(venue, TPSL)(PROFIT)
    assert refused(TPSL, **PROFIT) == "43030"
    getattr(venue, TPSL)({**loss, "triggerPrice": "55000"})
    assert refused(TPSL, **{**loss, "triggerPrice": "55000"}) == "43031"
    # both legs or none: the second of them is on the wrong side
    legs = {"stopSurplusTriggerPrice": "67000", "stopLossTriggerPrice": "61000"}
    assert refused(POS_TPSL, **ID, holdSide="buy", **legs) in codes.WRONG_SIDE | {"43030", "43031"}
    plan = getattr(venue, PLANS)({**PRODUCT, "planType": "profit_loss"})["data"]["entrustedList"][0]
    moved = {**ID, "orderId": plan["orderId"], "size": ""}
    wrong = "59000" if plan["planType"] == "pos_profit" else "61000"
    assert refused(MODIFY_TPSL, **moved, triggerPrice=wrong) in codes.WRONG_SIDE
    assert refused(MODIFY_TPSL, **moved, triggerPrice="66000.05") in codes.PRICE_STEP
    assert refused(MODIFY_TPSL, **moved, triggerPrice="") in codes.PARAMETER


def test_refusals_that_need_hedge_mode(venue: ccxt.bitget, refusals: Refusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return refusals.code(lambda: getattr(venue, call)(sent))

    venue.set_position_mode(True, BTC)
    assert refused(PLACE, **PLAIN) in {"40774", "45018", "45020", "45021", "45109", "43075"}
    assert refused(PLACE, **PLAIN, tradeSide="sideways") == "40020"
    assert refused(PLACE, **PLAIN, tradeSide="close") in codes.NO_POSITION
    getattr(venue, PLACE)({**PLAIN, "tradeSide": "open"})
    assert refused(PLACE, **{**PLAIN, "side": "sell"}, tradeSide="close") in codes.NO_POSITION
    assert refused(TPSL, **{**PROFIT, "holdSide": "short", "triggerPrice": "55000"}) in codes.NO_POSITION_TO_PROTECT  # fmt: skip
    assert refused(CLOSE, **PRODUCT, symbol="BTCUSDT", holdSide="short") in codes.NO_POSITION


def test_refusals_above_the_tier(venue: ccxt.bitget, control: Control, refusals: Refusals) -> None:
    """The first tier holds 150000 USDT at 125x."""
    venue.set_margin_mode("isolated", BTC)
    venue.set_leverage(125, BTC)
    found = refusals.code(lambda: getattr(venue, PLACE)({**PLAIN, "size": "3"}))
    assert found in {"45120", "40762", "40921", "40928", "22029"}


def test_orders_on_a_symbol_that_is_not_open(
    venue: ccxt.bitget, control: Control, refusals: Refusals
) -> None:
    soon = venue.milliseconds() + 400 * 86_400_000
    control.call("/symbols", {"symbol": "LATERUSDT", "price": "1", "open_time_ms": soon})
    sent = {**PLAIN, "symbol": "LATERUSDT", "size": "10"}
    assert refusals.code(lambda: getattr(venue, PLACE)(sent)) in codes.NOT_OPEN
    assert refusals.code(lambda: getattr(venue, PLAN)({**TRIGGER, **sent, "triggerPrice": "1.1"})) in codes.NOT_OPEN  # fmt: skip


def test_unknown_addresses_and_old_versions(venue: ccxt.bitget, refusals: Refusals) -> None:
    def get(path: str) -> object:
        return venue.fetch(venue.urls["api"]["mix"] + path, "GET", {}, None)

    assert refusals.code(lambda: get("/api/v2/mix/nowhere"), status=404) == "40404"
    assert refusals.code(lambda: get("/api/mix/v1/market/tickers")) == "30032"
    assert refusals.code(lambda: get("/api/spot/v1/market/tickers")) == "30032"
    assert refusals.code(lambda: get("/api/v2/mix/order/place-order"), status=404) == "40404"
