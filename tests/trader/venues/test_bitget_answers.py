"""REST answers: what is documented is read, what is damaged or new is refused, never guessed at."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.order import OrderState, OrderType, PositionSide, Side
from shared.errors import ProtocolError, VenueRefusedError
from trader.venues import bitget
from trader.venues.bitget import history
from trader.venues.model import Forced, MarginMode, OrderAck, PositionMode

MS = 1_000_000


def ok(data: Any, **more: Any) -> bytes:
    return json.dumps(
        {"code": "00000", "msg": "success", "requestTime": 1_700_000_000_123, "data": data} | more
    ).encode()


ORDER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "size": "0.02",
    "orderId": "1190384645049036801",
    "clientOid": "aB3dEntry",
    "baseVolume": "0.01",
    "fee": "-0.16",
    "price": "27000",
    "priceAvg": "27000.5",
    "status": "partially_filled",
    "side": "buy",
    "force": "gtc",
    "totalProfits": "0",
    "posSide": "long",
    "marginCoin": "USDT",
    "presetStopSurplusPrice": "30000",
    "presetStopLossPrice": "",
    "orderType": "limit",
    "leverage": "20",
    "marginMode": "isolated",
    "reduceOnly": "NO",
    "tradeSide": "open",
    "posMode": "hedge_mode",
    "orderSource": "normal",
    "cTime": "1719535736339",
    "uTime": "1719535736393",
}
FILL: dict[str, Any] = {
    "tradeId": "11",
    "symbol": "BTCUSDT",
    "orderId": "7",
    "price": "27000.5",
    "baseVolume": "0.01",
    "feeDetail": [
        {
            "deduction": "no",
            "feeCoin": "USDT",
            "totalDeductionFee": "0",
            "totalFee": "-0.162003000000000000000000000001",
        }
    ],
    "side": "buy",
    "quoteVolume": "270",
    "profit": "0",
    "tradeSide": "close",
    "posMode": "hedge_mode",
    "tradeScope": "taker",
    "cTime": "1719535736339",
}
POSITION: dict[str, Any] = {
    "marginCoin": "USDT",
    "symbol": "BTCUSDT",
    "holdSide": "long",
    "marginSize": "9.67",
    "available": "0.01",
    "locked": "0",
    "total": "0.01",
    "leverage": "20",
    "achievedProfits": "1.5",
    "openPriceAvg": "25000",
    "marginMode": "isolated",
    "posMode": "hedge_mode",
    "unrealizedPL": "1",
    "liquidationPrice": "-3",
    "markPrice": "25100",
    "takeProfitId": "5",
    "stopLossId": "",
    "cTime": "1691382137448",
    "uTime": "1691382137449",
}
ACCOUNT: dict[str, Any] = {
    "marginCoin": "USDT",
    "available": "13168.8",
    "crossedMaxAvailable": "13000",
    "isolatedMaxAvailable": "12000",
    "accountEquity": "13178.8",
    "unrealizedPL": "",
    "crossedMarginLeverage": 20,
    "isolatedLongLever": "10",
    "isolatedShortLever": "5",
    "marginMode": "crossed",
    "posMode": "hedge_mode",
}
PLAN: dict[str, Any] = {
    "planType": "pos_profit",
    "symbol": "BTCUSDT",
    "size": "",
    "orderId": "8",
    "clientOid": "tp",
    "triggerPrice": "30000",
    "posSide": "long",
    "cTime": "1627293504612",
}
TICKER: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "lastPr": "29904.5",
    "askPr": "29905",
    "bidPr": "",
    "markPrice": "29904",
    "ts": "1695794271400",
    "deliveryTime": None,
}


def test_an_order() -> None:
    report = bitget.parse_order(ok(ORDER), 200)
    assert report.symbol == "BTCUSDT"
    assert (report.order_id, report.client_id) == ("1190384645049036801", "aB3dEntry")
    assert (report.side, report.position, report.reduce_only) == (Side.BUY, PositionSide.LONG, False)
    assert (report.order_type, report.state) == (OrderType.LIMIT, OrderState.PARTIALLY_FILLED)
    assert (report.size, report.filled_size) == (Decimal("0.02"), Decimal("0.01"))
    assert (report.price, report.average_price) == (Decimal(27000), Decimal("27000.5"))
    assert (report.take_profit, report.stop) == (Decimal(30000), None)
    assert (report.created_ns, report.updated_ns) == (1_719_535_736_339 * MS, 1_719_535_736_393 * MS)
    assert report.forced is Forced.NO
    assert report.fill is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            {"status": None, "state": "live", "baseVolume": "0", "priceAvg": ""},
            {"state": OrderState.LIVE, "average_price": None},
        ),
        (
            {"status": "canceled", "cancelReason": "normal_cancel"},
            {"state": OrderState.CANCELED, "cancel_reason": "normal_cancel"},
        ),
        ({"status": "cancelled"}, {"state": OrderState.CANCELED}),
        ({"status": "filled"}, {"state": OrderState.FILLED}),
        (
            {"status": "live", "baseVolume": "", "priceAvg": "27000"},
            {"filled_size": Decimal(0), "average_price": None},
        ),
        ({"symbol": "btcusdt"}, {"symbol": "BTCUSDT"}),
        ({"clientOid": None}, {"client_id": ""}),
        ({"price": "0", "orderType": "market"}, {"price": None, "order_type": OrderType.MARKET}),
        ({"uTime": ""}, {"updated_ns": 0}),
        ({"somethingNew": {"a": 1}}, {}),
    ],
)
def test_forms_of_an_order(change: dict[str, Any], expected: dict[str, Any]) -> None:
    raw = {name: value for name, value in (ORDER | change).items() if name != "status" or value is not None}
    report = bitget.parse_order(ok(raw), 200)
    for name, value in expected.items():
        assert getattr(report, name) == value


@pytest.mark.parametrize(
    ("mode", "wire", "expected"),
    [
        ("hedge_mode", ("buy", "open", "long", "NO"), (Side.BUY, PositionSide.LONG, False, Forced.NO)),
        ("hedge_mode", ("buy", "close", "long", "NO"), (Side.SELL, PositionSide.LONG, True, Forced.NO)),
        ("hedge_mode", ("sell", "open", "short", "NO"), (Side.SELL, PositionSide.SHORT, False, Forced.NO)),
        ("hedge_mode", ("sell", "close", "short", "NO"), (Side.BUY, PositionSide.SHORT, True, Forced.NO)),
        (
            "hedge_mode",
            ("sell", "burst_close_long", "long", ""),
            (Side.SELL, PositionSide.LONG, True, Forced.LIQUIDATED),
        ),
        (
            "hedge_mode",
            ("buy", "reduce_close_short", "short", ""),
            (Side.BUY, PositionSide.SHORT, True, Forced.REDUCED),
        ),
        (
            "hedge_mode",
            ("buy", "dte_sys_adl_close_long", "long", ""),
            (Side.SELL, PositionSide.LONG, True, Forced.DELEVERAGED),
        ),
        ("one_way_mode", ("buy", "buy_single", "net", "NO"), (Side.BUY, None, False, Forced.NO)),
        ("one_way_mode", ("sell", "sell_single", "net", "YES"), (Side.SELL, None, True, Forced.NO)),
        ("one_way_mode", ("sell", "", "long", "yes"), (Side.SELL, None, True, Forced.NO)),
        (
            "one_way_mode",
            ("sell", "burst_sell_single", "net", ""),
            (Side.SELL, None, True, Forced.LIQUIDATED),
        ),
        (
            "one_way_mode",
            ("sell", "delivery_sell_single", "net", ""),
            (Side.SELL, None, True, Forced.DELIVERED),
        ),
        ("one_way_mode", ("buy", "offset_buy_single", "net", "no"), (Side.BUY, None, True, Forced.REDUCED)),
    ],
)
def test_the_true_side_of_every_form(
    mode: str, wire: tuple[str, str, str, str], expected: tuple[Any, ...]
) -> None:
    side, trade_side, pos_side, reduce_only = wire
    raw = ORDER | {
        "posMode": mode,
        "side": side,
        "tradeSide": trade_side,
        "posSide": pos_side,
        "reduceOnly": reduce_only,
    }
    report = bitget.parse_order(ok(raw), 200)
    assert (report.side, report.position, report.reduce_only, report.forced) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "0"}, "size is not above zero"),
        ({"size": None}, "cannot be read"),
        ({"size": 1}, "cannot be read"),
        ({"price": None}, "cannot be read"),
        ({"price": "abc"}, "price is not a number"),
        ({"priceAvg": ""}, "without a size or an average price"),
        ({"priceAvg": None}, "cannot be read"),
        ({"status": "filled", "baseVolume": "0"}, "without a size or an average price"),
        ({"baseVolume": "-1"}, "below zero"),
        ({"status": "somewhere"}, "the order's state has a value that is not documented: 'somewhere'"),
        ({"status": ""}, "the order's state"),
        ({"side": "both"}, "side has a value"),
        ({"posSide": "net"}, "posSide has a value"),
        ({"posMode": "new_mode"}, "posMode has a value"),
        ({"tradeSide": "shuffle"}, "tradeSide has a value"),
        ({"tradeSide": ""}, "tradeSide has a value"),
        ({"orderType": "iceberg"}, "orderType has a value"),
        ({"reduceOnly": "perhaps"}, "reduceOnly has a value"),
        ({"cTime": "yesterday"}, "cTime is not a time"),
        ({"orderId": ""}, "a row without an id"),
        ({"symbol": ""}, "a row without a symbol"),
    ],
)
def test_a_damaged_order_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        bitget.parse_order(ok(ORDER | change), 200)


#: What may be missing: the venue leaves it out where it does not apply. All else must be there.
REQUIRED = {
    "order": (
        {
            "size",
            "orderId",
            "side",
            "posMode",
            "orderType",
            "cTime",
            "symbol",
            "status",
            "posSide",
            "tradeSide",
            "priceAvg",
        },
        ORDER,
        bitget.parse_order,
    ),
    "fill": (
        {
            "tradeId",
            "symbol",
            "orderId",
            "price",
            "baseVolume",
            "side",
            "tradeSide",
            "posMode",
            "tradeScope",
            "feeDetail",
            "cTime",
        },
        FILL,
        bitget.parse_fills,
    ),
    "position": (
        {
            "symbol",
            "holdSide",
            "total",
            "available",
            "openPriceAvg",
            "marginSize",
            "marginMode",
            "posMode",
            "leverage",
            "cTime",
        },
        POSITION,
        bitget.parse_positions,
    ),
    "account": ({"marginCoin", "available", "accountEquity"}, ACCOUNT, bitget.parse_account),
    "plan": ({"symbol", "orderId", "planType", "triggerPrice"}, PLAN, bitget.parse_plans),
}
WRAP: dict[str, Callable[[Any], Any]] = {
    "order": lambda row: row,
    "fill": lambda row: {"fillList": [row], "endId": "1"},
    "position": lambda row: [row],
    "account": lambda row: row,
    "plan": lambda row: {"entrustedList": [row], "endId": ""},
}


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_missing_or_null_field_is_refused(kind: str) -> None:
    required, row, parse = REQUIRED[kind]
    parse(ok(WRAP[kind](row)), 200)
    for name in required:
        missing = {key: value for key, value in row.items() if key != name}
        for damaged in (missing, row | {name: None}):
            with pytest.raises(ProtocolError):
                parse(ok(WRAP[kind](damaged)), 200)


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=8),
    st.lists(st.integers(), max_size=2),
    st.just({}),
)


@pytest.mark.parametrize("kind", REQUIRED)
@given(data=st.data())
def test_junk_in_any_field_is_read_or_refused_but_never_crashes(kind: str, data: st.DataObject) -> None:
    _, row, parse = REQUIRED[kind]
    damaged = copy.deepcopy(row)
    for name in data.draw(st.lists(st.sampled_from(sorted(row)), min_size=1, max_size=3)):
        damaged[name] = data.draw(JUNK)
    with suppress(ProtocolError):
        parse(ok(WRAP[kind](damaged)), 200)


def test_pages() -> None:
    page = bitget.parse_orders(ok({"entrustedList": [ORDER, ORDER], "endId": "9"}), 200)
    assert (len(page.orders), page.end_id) == (2, "9")
    empty = bitget.parse_orders(ok({"entrustedList": None, "endId": None}), 200)
    assert (empty.orders, empty.end_id) == ([], "")
    with pytest.raises(ProtocolError):
        bitget.parse_orders(ok({"endId": "9"}), 200)
    with pytest.raises(ProtocolError):  # one order that cannot be read makes the page worthless
        bitget.parse_orders(ok({"entrustedList": [ORDER, ORDER | {"side": "?"}], "endId": "9"}), 200)


def test_fills() -> None:
    page = bitget.parse_fills(ok({"fillList": [FILL], "endId": "11"}), 200)
    fill = page.fills[0]
    assert (fill.fill_id, fill.order_id, fill.client_id) == ("11", "7", "")
    assert fill.side is Side.SELL  # REST keeps the order's convention: closing a long is buy/close
    assert (fill.price, fill.size) == (Decimal("27000.5"), Decimal("0.01"))
    assert (fill.fee, fill.fee_currency) == (Decimal("0.162003000000000000000000000001"), "USDT")
    assert (fill.taker, fill.realized) == (True, Decimal(0))
    assert fill.filled_ns == 1_719_535_736_339 * MS
    short = FILL | {"side": "sell", "tradeSide": "open", "tradeScope": "maker", "profit": ""}
    page = bitget.parse_fills(ok({"fillList": [short]}), 200)
    assert (page.fills[0].side, page.fills[0].taker, page.fills[0].realized) == (Side.SELL, False, None)
    one_way = FILL | {"side": "sell", "tradeSide": "sell_single", "posMode": "one_way_mode"}
    assert bitget.parse_fills(ok({"fillList": [one_way]}), 200).fills[0].side is Side.SELL
    assert bitget.parse_fills(ok({"fillList": None}), 200).fills == []


def test_a_fill_with_fees_in_two_currencies_is_refused() -> None:
    fees = [{"feeCoin": "USDT", "totalFee": "-1"}, {"feeCoin": "BGB", "totalFee": "-1"}]
    with pytest.raises(ProtocolError, match="fees in 2 currencies"):
        bitget.parse_fills(ok({"fillList": [FILL | {"feeDetail": fees}]}), 200)


def test_positions() -> None:
    (position,) = bitget.parse_positions(ok([POSITION, POSITION | {"total": "0"}]), 200)
    assert (position.symbol, position.side, position.size) == ("BTCUSDT", PositionSide.LONG, Decimal("0.01"))
    assert (position.average_price, position.mark_price) == (Decimal(25000), Decimal(25100))
    assert position.liquidation_price is None
    assert (position.margin_mode, position.position_mode) == (MarginMode.ISOLATED, PositionMode.HEDGE)
    assert (position.leverage, position.realized, position.unrealized) == (20, Decimal("1.5"), Decimal(1))
    assert (position.take_profit_id, position.stop_id) == ("5", "")
    assert bitget.parse_positions(ok([]), 200) == []
    for damage in ({"openPriceAvg": "0"}, {"holdSide": "net"}, {"leverage": "2.5"}, {"total": ""}):
        with pytest.raises(ProtocolError):
            bitget.parse_positions(ok([POSITION | damage]), 200)


def test_accounts() -> None:
    account = bitget.parse_account(ok(ACCOUNT), 200)
    assert (account.coin, account.equity, account.available) == (
        "USDT",
        Decimal("13178.8"),
        Decimal("13168.8"),
    )
    assert (account.max_isolated, account.max_crossed) == (Decimal(12000), Decimal(13000))
    assert account.unrealized == 0
    assert (account.margin_mode, account.position_mode) == (MarginMode.CROSSED, PositionMode.HEDGE)
    assert (account.crossed_leverage, account.long_leverage, account.short_leverage) == (20, 10, 5)
    listed = {name: ACCOUNT[name] for name in ("marginCoin", "available", "accountEquity")}
    (account,) = bitget.parse_accounts(ok([listed]), 200)
    assert (account.margin_mode, account.position_mode, account.max_isolated) == (None, None, None)


def test_plans() -> None:
    page = bitget.parse_plans(ok({"entrustedList": [PLAN], "endId": ""}), 200)
    plan = page.plans[0]
    assert (plan.plan, plan.position, plan.trigger_price) == ("pos_profit", PositionSide.LONG, Decimal(30000))
    assert (plan.size, plan.client_id, plan.order_id) == (None, "tp", "8")
    assert bitget.parse_plans(ok({"entrustedList": None}), 200).plans == []


def test_one_bad_ticker_costs_its_symbol_only() -> None:
    prices, problems = bitget.parse_tickers(
        ok([TICKER, TICKER | {"lastPr": None}, TICKER | {"lastPr": "0"}, {}, TICKER | {"symbol": "ETHUSDT"}]),
        200,
    )
    assert [price.symbol for price in prices] == ["BTCUSDT", "ETHUSDT"]
    assert (prices[0].last, prices[0].bid, prices[0].ask) == (Decimal("29904.5"), None, Decimal(29905))
    assert (prices[0].mark, prices[0].ns) == (Decimal(29904), 1_695_794_271_400 * MS)
    assert len(problems) == 3


def test_server_time() -> None:
    assert bitget.parse_server_time(ok({"serverTime": "1700000000123"}), 200) == 1_700_000_000_123 * MS
    for damage in ("", "soon", "1700000000"):
        with pytest.raises(ProtocolError):
            bitget.parse_server_time(ok({"serverTime": damage}), 200)


def test_key_info() -> None:
    info = bitget.parse_key_info(ok({"userId": "1", "authorities": ["trade", "readonly"], "ips": ""}), 200)
    assert (info.user_id, info.authorities) == ("1", ["trade", "readonly"])


def test_closed() -> None:
    closed = bitget.parse_closed(
        ok(
            {
                "successList": [{"orderId": "1", "clientOid": "x"}, {"orderId": None, "clientOid": "y"}],
                "failureList": [
                    {"orderId": "", "clientOid": "", "errorMsg": "no position", "errorCode": "22002"}
                ],
            }
        ),
        200,
    )
    assert closed.order_ids == ["1"]
    assert closed.failures == [("22002", "no position")]


def test_ended_positions() -> None:
    row = {
        "symbol": "BTCUSDT",
        "holdSide": "short",
        "closeAvgPrice": "3494.99",
        "netProfit": "-0.04",
        "ctime": "1719143618195",
        "utime": "1719143618543",
    }
    (ended,) = history.parse_positions_history(ok({"list": [row], "endId": "1"}), 200)
    assert (ended.side, ended.close_price, ended.net) == (
        PositionSide.SHORT,
        Decimal("3494.99"),
        Decimal("-0.04"),
    )
    assert (ended.created_ns, ended.closed_ns) == (1_719_143_618_195 * MS, 1_719_143_618_543 * MS)
    assert history.parse_positions_history(ok({"list": None}), 200) == []


# The answer to a new order


def test_an_accepted_order() -> None:
    answer = ok({"clientOid": "mine", "orderId": "121211212122"})
    assert bitget.parse_ack(answer, 200, "mine") == OrderAck(client_id="mine", order_id="121211212122")


@pytest.mark.parametrize(
    "data",
    [{"clientOid": "mine", "orderId": None}, {"clientOid": "mine"}, {"clientOid": None}, {"orderId": ""}],
)
def test_an_accepted_order_without_an_id_is_looked_up_by_ours(data: dict[str, Any]) -> None:
    assert bitget.parse_ack(ok(data), 200, "mine") == OrderAck(client_id="mine", order_id="")


def test_the_answer_to_another_order_says_nothing() -> None:
    with pytest.raises(ProtocolError, match="names another order"):
        bitget.parse_ack(ok({"clientOid": "theirs", "orderId": "1"}), 200, "mine")


@pytest.mark.parametrize("data", [None, "", "success", [], 1])
def test_an_acceptance_without_its_data_says_nothing(data: Any) -> None:
    with pytest.raises(ProtocolError):
        bitget.parse_ack(ok(data), 200, "mine")


# The envelope


@pytest.mark.parametrize("status", [200, 400, 429, 500])
def test_a_refusal_carries_the_venues_words(status: int) -> None:
    body = json.dumps(
        {"code": "40754", "msg": "balance not enough", "requestTime": "1", "data": None}
    ).encode()
    with pytest.raises(VenueRefusedError) as caught:
        bitget.check(body, status)
    assert (caught.value.code, caught.value.text, caught.value.status) == (
        "40754",
        "balance not enough",
        status,
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"message": "spot says message"}, "spot says message"),
        ({"msg": None}, "no reason given"),
        ({}, "no reason given"),
    ],
)
def test_forms_of_a_refusal(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(VenueRefusedError) as caught:
        bitget.check(json.dumps({"code": "40034"} | fields).encode(), 400)
    assert caught.value.text == text


@pytest.mark.parametrize("data", ["", "success", None, {}, []])
@pytest.mark.parametrize("time", [1, "1", None])
def test_a_success_counts_whatever_the_status(data: Any, time: Any) -> None:
    bitget.check(ok(data, requestTime=time), 400)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>502 Bad Gateway</html>",
        b"{",
        b"[]",
        b'"x"',
        b'{"code":0}',
        b'{"code":null}',
        b'{"msg":"x"}',
        b"\xff\xfe",
    ],
)
def test_what_is_not_the_venues_form_says_nothing(body: bytes) -> None:
    for status in (200, 400, 403, 500, 502):
        with pytest.raises(ProtocolError, match=f"HTTP {status}"):
            bitget.check(body, status)
    with pytest.raises(VenueRefusedError) as caught:
        bitget.check(body, 429)
    assert caught.value.code == "429"


@given(st.binary(max_size=60), st.sampled_from([200, 400, 429, 503]))
def test_any_bytes_are_refused_cleanly(body: bytes, status: int) -> None:
    for parse in (bitget.parse_order, bitget.parse_orders, bitget.parse_positions, bitget.parse_contracts):
        with pytest.raises((ProtocolError, VenueRefusedError)):
            parse(body, status)
