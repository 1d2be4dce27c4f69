"""Every documented refusal of the Binance calls, as it reaches ccxt: HTTP 400, the code, and nothing changed."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tests.conformance.conftest import PlainRefusals
from tests.conformance.venue import Control

BTC = "BTC/USDT:USDT"
PLACE, CHANGE, CANCEL, LOOK = (f"fapiprivate_{verb}_order" for verb in ("post", "put", "delete", "get"))
ALGO, CANCEL_ALGO, LOOK_ALGO = (f"fapiprivate_{verb}_algoorder" for verb in ("post", "delete", "get"))
BATCH = "fapiprivate_post_batchorders"
LEVERAGE, MARGIN_TYPE = "fapiprivate_post_leverage", "fapiprivate_post_margintype"
MARGIN, DUAL = "fapiprivate_post_positionmargin", "fapiprivate_post_positionside_dual"
MULTI = "fapiprivate_post_multiassetsmargin"
MARKET = "fapipublic_get_"

PLAIN: dict[str, object] = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
LIMIT = {**PLAIN, "type": "LIMIT", "price": "59000", "timeInForce": "GTC"}
STOP: dict[str, object] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "algoType": "CONDITIONAL",
    "type": "STOP_MARKET",
    "quantity": "0.01",
    "triggerPrice": "61000",
}
CLOSE = {name: value for name, value in STOP.items() if name != "quantity"} | {
    "side": "SELL",
    "closePosition": "true",
    "triggerPrice": "59000",
}
TRAIL = {**STOP, "triggerPrice": "", "type": "TRAILING_STOP_MARKET", "callbackRate": "1"}
#: §10 gives these for one field without telling them apart.
QUANTITY = {"-4003", "-1102", "-1130", "-4004", "-1013", "-4005"}
MISSING = {"-1102"}
PRICE_STEP = {"-4014", "-1111"}
BAND = {"-4131", "-4016", "-4024"}
NO_SYMBOL = {"-1121"}
WORD = {"-1102", "-1130", "-1100"}

REFUSALS: list[tuple[str, dict[str, Any], set[str]]] = [
    (PLACE, {**PLAIN, "symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    (PLACE, {**PLAIN, "symbol": ""}, MISSING | NO_SYMBOL),
    (PLACE, {**PLAIN, "side": "UP"}, {"-1117"}),
    (PLACE, {**PLAIN, "side": ""}, MISSING),
    (PLACE, {**PLAIN, "type": "MOON"}, {"-1116"}),
    (PLACE, {**PLAIN, "type": ""}, MISSING),
    (PLACE, {**PLAIN, "quantity": ""}, MISSING),
    (PLACE, {**PLAIN, "quantity": "many"}, WORD),
    (PLACE, {**PLAIN, "quantity": "-0.01"}, QUANTITY),
    (PLACE, {**PLAIN, "quantity": "0"}, QUANTITY),
    (PLACE, {**PLAIN, "quantity": "0.00001"}, {"-1111"}),
    (PLACE, {**PLAIN, "quantity": "99999999"}, {"-4005"}),
    (PLACE, {**PLAIN, "quantity": "50"}, {"-2019", "-2027"}),
    (PLACE, {**PLAIN, "newClientOrderId": "a b"}, {"-4015", "-1100", "-1102"}),
    (PLACE, {**PLAIN, "newClientOrderId": "x" * 37}, {"-4015", "-1100", "-1102"}),
    (PLACE, {**PLAIN, "reduceOnly": "true", "side": "SELL"}, {"-2022"}),
    (PLACE, {**PLAIN, "positionSide": "LONG"}, {"-4061"}),
    (PLACE, {**PLAIN, "positionSide": "UP"}, {"-4060", "-1102", "-1130"} | {"-4061"}),
    (PLACE, {**PLAIN, "newOrderRespType": "MOON"}, {"-1136"}),
    (PLACE, {**PLAIN, "selfTradePreventionMode": "MOON"}, {"-5039"}),
    (PLACE, {**LIMIT, "price": ""}, MISSING),
    (PLACE, {**LIMIT, "timeInForce": ""}, MISSING),
    (PLACE, {**LIMIT, "timeInForce": "DAY"}, {"-1115"}),
    (PLACE, {**LIMIT, "price": "59000.05"}, PRICE_STEP),
    (PLACE, {**LIMIT, "price": "0"}, {"-4013", "-4001", "-4014", "-1102"}),
    (PLACE, {**LIMIT, "price": "90000"}, BAND),
    (PLACE, {**LIMIT, "side": "SELL", "price": "30000"}, BAND),
    (PLACE, {**LIMIT, "price": "58000", "quantity": "0.0001", "newClientOrderId": "ok.1"} | {"price": "40000"}, {"-4164", "-4131", "-4024"}),
    (PLACE, {**LIMIT, "price": "49000", "timeInForce": "GTX", "side": "SELL"}, {"-5022", "-4131", "-4024"}),
    (PLACE, {**LIMIT, "price": "60500", "timeInForce": "GTX"}, {"-5022"}),
    (PLACE, {**LIMIT, "timeInForce": "FOK"}, {"-5021"}),
    (PLACE, {**LIMIT, "timeInForce": "GTD"}, {"-1102", "-4208", "-5039", "-5040"}),
    *((PLACE, {**PLAIN, "type": kind, "stopPrice": "61000"}, {"-4120"}) for kind in ("STOP_MARKET", "TAKE_PROFIT_MARKET")),
    *((PLACE, {**LIMIT, "type": kind, "stopPrice": "61000"}, {"-4120"}) for kind in ("STOP", "TAKE_PROFIT")),
    (PLACE, {**PLAIN, "type": "TRAILING_STOP_MARKET", "callbackRate": "1"}, {"-4120"}),
    (CHANGE, {**LIMIT, "orderId": "123"}, {"-2013"}),
    (CHANGE, {**LIMIT}, MISSING),
    (CHANGE, {"symbol": "BTCUSDT", "orderId": "123", "side": "BUY", "quantity": "0.01"}, MISSING),
    (CANCEL, {"symbol": "BTCUSDT", "orderId": "123"}, {"-2011"}),
    (CANCEL, {"symbol": "BTCUSDT", "origClientOrderId": "never"}, {"-2011"}),
    (CANCEL, {"symbol": "BTCUSDT"}, MISSING),
    (CANCEL, {"symbol": "NOSUCHUSDT", "orderId": "123"}, NO_SYMBOL),
    (CANCEL, {"symbol": "BTCUSDT", "orderId": "x"}, WORD),
    (LOOK, {"symbol": "BTCUSDT", "orderId": "123"}, {"-2013"}),
    (LOOK, {"symbol": "BTCUSDT"}, MISSING),
    ("fapiprivate_get_openorder", {"symbol": "BTCUSDT", "orderId": "123"}, {"-2013"}),
    ("fapiprivate_get_allorders", {}, MISSING),
    ("fapiprivate_get_usertrades", {"symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    ("fapiprivate_delete_allopenorders", {}, MISSING),
    ("fapiprivate_delete_batchorders", {"symbol": "BTCUSDT"}, MISSING),
    ("fapiprivate_post_countdowncancelall", {"symbol": "BTCUSDT"}, MISSING),
    (BATCH, {"batchOrders": "all"}, WORD),
    (BATCH, {}, MISSING),
    (BATCH, {"batchOrders": "[]"}, WORD | {"-4082"}),
    (ALGO, {**STOP, "algoType": ""}, MISSING | WORD),
    (ALGO, {**STOP, "algoType": "MOON"}, WORD),
    (ALGO, {**STOP, "type": "MARKET"}, {"-1116"} | WORD),
    (ALGO, {**STOP, "symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    (ALGO, {**STOP, "triggerPrice": ""}, MISSING),
    (ALGO, {**STOP, "triggerPrice": "61000.05"}, PRICE_STEP),
    (ALGO, {**STOP, "triggerPrice": "59000"}, {"-2021"}),
    (ALGO, {**STOP, "side": "SELL"}, {"-2021"}),
    (ALGO, {**STOP, "type": "TAKE_PROFIT_MARKET"}, {"-2021"}),
    (ALGO, {**STOP, "quantity": ""}, MISSING),
    (ALGO, {**STOP, "quantity": "0.00001"}, {"-1111"}),
    (ALGO, {**STOP, "type": "STOP"}, MISSING),
    (ALGO, {**STOP, "workingType": "MOON"}, WORD),
    (ALGO, {**STOP, "positionSide": "SHORT"}, {"-4061"}),
    (ALGO, {**CLOSE, "quantity": "0.01"}, {"-1106", "-4136", "-4137"}),
    (ALGO, {**CLOSE, "reduceOnly": "true"}, {"-1106"}),
    (ALGO, {**TRAIL, "triggerPrice": "61000"}, {"-1106"}),
    (ALGO, {**TRAIL, "callbackRate": ""}, MISSING),
    (ALGO, {**TRAIL, "callbackRate": "11"}, {"-2007", "-1130", "-1102", "-4136"}),
    (ALGO, {**TRAIL, "callbackRate": "0.01"}, {"-2007", "-1130", "-1102", "-4136"}),
    (CANCEL_ALGO, {"algoId": "123"}, {"-2011", "-2013"}),
    (CANCEL_ALGO, {}, MISSING),
    (LOOK_ALGO, {"algoId": "123"}, {"-2013"}),
    (LOOK_ALGO, {}, MISSING),
    (LEVERAGE, {"symbol": "BTCUSDT", "leverage": "0"}, {"-4028"}),
    (LEVERAGE, {"symbol": "BTCUSDT", "leverage": "126"}, {"-4028"}),
    (LEVERAGE, {"symbol": "BTCUSDT", "leverage": "2.5"}, WORD | {"-4028"}),
    (LEVERAGE, {"symbol": "BTCUSDT"}, MISSING),
    (LEVERAGE, {"symbol": "NOSUCHUSDT", "leverage": "5"}, NO_SYMBOL),
    (MARGIN_TYPE, {"symbol": "BTCUSDT", "marginType": "CROSSED"}, {"-4046"}),
    (MARGIN_TYPE, {"symbol": "BTCUSDT", "marginType": "HALF"}, WORD),
    (MARGIN_TYPE, {"symbol": "NOSUCHUSDT", "marginType": "ISOLATED"}, NO_SYMBOL),
    (MARGIN, {"symbol": "BTCUSDT", "amount": "1", "type": "1"}, {"-4043", "-4048", "-4049", "-4052", "-4051", "-4054", "-2013", "-4046"}),
    (MARGIN, {"symbol": "BTCUSDT", "type": "1"}, MISSING),
    (MARGIN, {"symbol": "BTCUSDT", "amount": "1", "type": "3"}, WORD),
    (DUAL, {"dualSidePosition": "false"}, {"-4059"}),
    (DUAL, {"dualSidePosition": "perhaps"}, WORD),
    (DUAL, {}, MISSING),
    (MULTI, {"multiAssetsMargin": "false"}, {"-4171"}),
    ("fapiprivate_get_commissionrate", {}, MISSING),
    ("fapiprivate_get_income", {"limit": "x"}, WORD),
    (MARKET + "depth", {}, MISSING),
    (MARKET + "depth", {"symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    (MARKET + "depth", {"symbol": "BTCUSDT", "limit": "7"}, {"-4021", "-1130", "-1102"}),
    (MARKET + "klines", {"symbol": "BTCUSDT"}, MISSING),
    (MARKET + "klines", {"symbol": "BTCUSDT", "interval": "7m"}, {"-1120"}),
    (MARKET + "trades", {"symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    (MARKET + "ticker_24hr", {"symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    (MARKET + "ticker_bookticker", {"symbol": "NOSUCHUSDT"}, NO_SYMBOL),
    (MARKET + "premiumindex", {"symbol": "NOSUCHUSDT"}, NO_SYMBOL),
]  # fmt: skip


@pytest.mark.parametrize(
    "refusal", REFUSALS, ids=lambda refusal: f"{refusal[0].removeprefix('fapi')}{max(refusal[2])}"
)
def test_a_documented_refusal_reaches_the_client_and_changes_nothing(
    usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals, refusal: tuple[str, Any, set[str]]
) -> None:
    call, sent, expected = refusal
    sent = {name: value for name, value in sent.items() if value != ""}
    assert usdm_refusals.code(lambda: getattr(usdm, call)(sent)) in expected


def test_what_the_client_makes_of_the_codes(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    """Told that the host is a futures one, ccxt has a class for each (§10)."""

    def refused(error: type, call: str, sent: dict[str, object]) -> str:
        return usdm_refusals.code(lambda: getattr(usdm, call)(sent), error=error)

    assert refused(ccxt.InsufficientFunds, PLACE, {**PLAIN, "quantity": "10"}) in {"-2019"}
    assert refused(ccxt.OrderImmediatelyFillable, ALGO, {**STOP, "triggerPrice": "59000"}) == "-2021"
    assert refused(ccxt.OrderNotFound, LOOK, {"symbol": "BTCUSDT", "orderId": "1"}) == "-2013"
    assert refused(ccxt.BadSymbol, PLACE, {**PLAIN, "symbol": "NOSUCHUSDT"}) == "-1121"
    assert refused(ccxt.BadRequest, PLACE, {**PLAIN, "quantity": "0.00001"}) == "-1111"


def test_refusals_that_need_an_order(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return usdm_refusals.code(lambda: getattr(usdm, call)(sent))

    placed = getattr(usdm, PLACE)({**LIMIT, "newClientOrderId": "dup"})
    number = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
    assert refused(PLACE, **PLAIN, newClientOrderId="dup") == "-4116"
    assert refused(MARGIN_TYPE, symbol="BTCUSDT", marginType="ISOLATED") == "-4047"
    assert refused(DUAL, dualSidePosition="true") == "-4067"
    change = {**number, "side": "BUY", "quantity": "0.01", "price": "59000"}
    assert refused(CHANGE, **change) == "-5027"
    assert refused(CHANGE, **{**change, "quantity": "0.00001"}) == "-1111"
    assert refused(CHANGE, **{**change, "price": "59000.05"}) in PRICE_STEP
    assert refused(CHANGE, **{**change, "price": "90000"}) in BAND
    assert refused(CHANGE, **{**change, "quantity": "50"}) in {"-2019", "-2027"}
    assert refused(CANCEL, symbol="ETHUSDT", orderId=placed["orderId"]) == "-2011"
    usdm.cancel_order(placed["orderId"], BTC)
    assert refused(CANCEL, **number) == "-2011"
    assert refused(CHANGE, **{**change, "quantity": "0.02"}) in {"-2013", "-5028", "-5024", "-2011"}
    assert refused("fapiprivate_get_openorder", **number) == "-2013"


def test_refusals_that_need_an_algo_order(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return usdm_refusals.code(lambda: getattr(usdm, call)(sent))

    placed = getattr(usdm, ALGO)({**STOP, "clientAlgoId": "dup"})
    assert refused(ALGO, **STOP, clientAlgoId="dup") == "-4116"
    getattr(usdm, PLACE)(PLAIN)
    getattr(usdm, ALGO)(CLOSE)
    assert refused(ALGO, **CLOSE) == "-4130"
    getattr(usdm, CANCEL_ALGO)({"algoId": placed["algoId"]})
    assert refused(CANCEL_ALGO, algoId=placed["algoId"]) in {"-2011", "-2013"}


def test_refusals_that_need_a_position(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return usdm_refusals.code(lambda: getattr(usdm, call)(sent))

    usdm.set_margin_mode("isolated", BTC)
    getattr(usdm, PLACE)(PLAIN)
    assert refused(MARGIN_TYPE, symbol="BTCUSDT", marginType="CROSSED") == "-4048"
    assert refused(DUAL, dualSidePosition="true") == "-4068"
    assert refused(MARGIN, symbol="BTCUSDT", amount="1000000", type="1") in {
        "-2018",
        "-2019",
        "-4050",
        "-4051",
    }
    assert refused(MARGIN, symbol="BTCUSDT", amount="1000", type="2") in {
        "-4051",
        "-4050",
        "-2018",
        "-4044",
        "-4053",
    }
    assert refused(PLACE, **PLAIN, reduceOnly="true") == "-2022"


def test_refusals_that_need_hedge_mode(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    def refused(call: str, **sent: object) -> str:
        return usdm_refusals.code(lambda: getattr(usdm, call)(sent))

    usdm.set_position_mode(True)
    assert refused(PLACE, **PLAIN) == "-4061"
    assert refused(PLACE, **PLAIN, positionSide="BOTH") == "-4061"
    assert refused(PLACE, **PLAIN, positionSide="LONG", reduceOnly="true") in {"-1106"}
    assert refused(PLACE, **{**PLAIN, "side": "SELL"}, positionSide="LONG") == "-2022"
    assert refused(ALGO, **STOP) == "-4061"


def test_the_smallest_order_is_worth_five(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    """0.0001 at 3000 is 0.3 USDT; an order that only reduces may be smaller (§4)."""
    sent = {"symbol": "ETHUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.001"}
    assert usdm_refusals.code(lambda: usdm.fapiprivate_post_order(sent)) == "-4164"
    usdm.fapiprivate_post_order({**sent, "quantity": "0.01"})
    usdm.fapiprivate_post_order({**sent, "side": "SELL", "reduceOnly": "true"})


def test_refusals_of_the_door(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals) -> None:
    look = usdm.fapiprivatev3_get_balance
    key, secret = usdm.apiKey, usdm.secret
    usdm.secret = "wrong"
    assert usdm_refusals.code(look, error=ccxt.AuthenticationError) == "-1022"
    usdm.apiKey, usdm.secret = "A" * 64, secret
    assert usdm_refusals.code(look, status=401, error=ccxt.AuthenticationError) == "-2015"
    usdm.apiKey = "short"
    assert usdm_refusals.code(look, status=401, error=ccxt.AuthenticationError) in {"-2014"}
    usdm.apiKey = key
    for late in (-60_000, 60_000):
        usdm.options["timeDifference"] = -late
        assert usdm_refusals.code(look, error=ccxt.InvalidNonce) == "-1021"
    usdm.options["timeDifference"] = 0
    look()


@pytest.mark.parametrize("listen", ["put", "delete"])
def test_a_listen_key_that_is_none(usdm: ccxt.binanceusdm, usdm_refusals: PlainRefusals, listen: str) -> None:
    assert usdm_refusals.code(getattr(usdm, f"fapiprivate_{listen}_listenkey")) == "-1125"


def test_other_kinds_of_keys_are_unknown_here(usdm: ccxt.binanceusdm, control: Control) -> None:
    """A Bitget account's key is no key of this venue."""
    account = control.account()
    before = control.picture(account)
    usdm.apiKey, usdm.secret = account["key"], account["secret"]
    with pytest.raises(ccxt.AuthenticationError):
        usdm.fapiprivatev3_get_balance()
    assert control.picture(account) == before
