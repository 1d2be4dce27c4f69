"""Answers of v3: what is documented is read, what is damaged or new is refused, never guessed at."""

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
from tests.trader.venues.unified_samples import (
    ASSETS,
    CLOSED_LONG,
    ENDED_POSITION,
    FILL,
    LIVE_ORDER,
    POSITION,
    SETTINGS,
    STOP,
    TAKE_PROFIT,
    Row,
    no,
    ok,
    page,
)
from trader.venues.bitget.unified import UNIFIED, answers, read, wire
from trader.venues.model import Forced, MarginMode, PositionMode, Protection

MS = 1_000_000
D = Decimal


def test_an_order_that_rests() -> None:
    order = answers.parse_order(ok(LIVE_ORDER), 200)
    assert (order.order_id, order.client_id, order.symbol) == (
        "1320244799629316096",
        "1320244799633510400",
        "BTCUSDT",
    )
    assert (order.side, order.position, order.reduce_only) == (Side.BUY, PositionSide.LONG, False)
    assert (order.order_type, order.state) == (OrderType.LIMIT, OrderState.LIVE)
    assert (order.size, order.filled_size, order.price) == (D("0.001"), D(0), D(50000))
    assert (order.average_price, order.take_profit, order.stop) == (None, None, None)
    assert (order.created_ns, order.updated_ns) == (1750496809871 * MS, 1750496809886 * MS)


def test_a_closed_long_is_a_sell_that_reduces() -> None:
    order = answers.parse_order(ok(CLOSED_LONG), 200)
    assert (order.side, order.position, order.reduce_only) == (Side.SELL, PositionSide.LONG, True)
    assert (order.state, order.filled_size, order.average_price) == (
        OrderState.FILLED,
        D("0.0001"),
        D("107005.4"),
    )
    assert order.price is None


@pytest.mark.parametrize(
    ("changes", "side", "position", "reduces"),
    [
        ({"side": "sell", "posSide": "short"}, Side.SELL, PositionSide.SHORT, False),
        ({"side": "buy", "posSide": "short"}, Side.BUY, PositionSide.SHORT, True),
        ({"holdMode": "one_way_mode", "posSide": "", "reduceOnly": "NO"}, Side.BUY, None, False),
        ({"holdMode": "one_way_mode", "posSide": "long", "reduceOnly": "yes"}, Side.BUY, None, True),
    ],
)
def test_sides(changes: Row, side: Side, position: PositionSide | None, reduces: bool) -> None:
    order = answers.parse_order(ok(LIVE_ORDER | changes), 200)
    assert (order.side, order.position, order.reduce_only) == (side, position, reduces)


@pytest.mark.parametrize(
    ("changes", "forced"),
    [
        ({}, Forced.NO),
        ({"tradeSide": "open", "execType": ""}, Forced.NO),
        ({"tradeSide": "close_long"}, Forced.NO),
        ({"execType": "liquidation"}, Forced.LIQUIDATED),
        ({"execType": "reduce"}, Forced.REDUCED),
        ({"execType": "offset"}, Forced.REDUCED),
        ({"execType": "delivery"}, Forced.DELIVERED),
        ({"tradeSide": "burst_close_long"}, Forced.LIQUIDATED),
        ({"tradeSide": "dte_sys_adl_close_long", "execType": "reduce"}, Forced.DELEVERAGED),
        ({"delegateType": "liquidation"}, Forced.LIQUIDATED),
        ({"delegateType": "position_stop_profit_market"}, Forced.NO),
    ],
)
def test_who_made_an_order(changes: Row, forced: Forced) -> None:
    order = answers.parse_order(ok(CLOSED_LONG | changes), 200)
    assert order.forced is forced
    one_way = {"holdMode": "one_way_mode", "posSide": ""}
    assert answers.parse_order(ok(CLOSED_LONG | one_way | changes), 200).reduce_only is (
        forced is not Forced.NO
    )


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("live", OrderState.LIVE),
        ("new", OrderState.LIVE),
        ("partially_filled", OrderState.PARTIALLY_FILLED),
        ("filled", OrderState.FILLED),
        ("cancelled", OrderState.CANCELED),
    ],
)
def test_states(word: str, state: OrderState) -> None:
    assert answers.parse_order(ok(CLOSED_LONG | {"orderStatus": word}), 200).state is state


@pytest.mark.parametrize(
    "changes",
    [
        {"orderStatus": "done"},
        {"holdMode": ""},
        {"side": "long"},
        {"posSide": "net"},
        {"tradeSide": "sideways"},
        {"execType": "magic"},
        {"qty": "0"},
        {"qty": None},
        {"avgPrice": "0"},
        {"cumExecQty": "-1"},
        {"orderId": ""},
        {"createdTime": "yesterday"},
        {"reduceOnly": "maybe"},
    ],
)
def test_what_is_not_documented_is_refused(changes: Row) -> None:
    with pytest.raises(ProtocolError):
        answers.parse_order(ok(CLOSED_LONG | changes), 200)


def test_pages_of_orders_leave_out_what_is_not_usdt_futures() -> None:
    spot = CLOSED_LONG | {"category": "SPOT", "holdMode": "", "qty": "0"}
    orders, cursor = answers.parse_orders(page(CLOSED_LONG, spot, cursor="17"), 200)
    assert ([order.order_id for order in orders], cursor) == ([CLOSED_LONG["orderId"]], "17")
    assert answers.parse_orders(ok({"list": None, "cursor": None}), 200) == ([], "")


def test_a_fill_pays_a_positive_fee() -> None:
    (fill,), cursor = answers.parse_fills(page(FILL, cursor="1322061241878880257"), 200)
    assert (fill.fill_id, fill.order_id, fill.client_id) == (FILL["execId"], FILL["orderId"], "")
    assert (fill.side, fill.price, fill.size) == (Side.SELL, D("107005.4"), D("0.0001"))
    assert (fill.fee, fill.fee_currency, fill.taker) == (D("0.00642032"), "USDT", True)
    assert (fill.realized, fill.filled_ns) == (D("0.00017"), 1751020520451 * MS)
    assert cursor == "1322061241878880257"


@pytest.mark.parametrize(
    "changes",
    [
        {"feeDetail": []},
        {"feeDetail": [{"feeCoin": "USDT", "fee": ""}]},
        {"feeDetail": [{"feeCoin": "USDT", "fee": "1"}, {"feeCoin": "BGB", "fee": "1"}]},
        {"execQty": "0"},
        {"execId": ""},
        {"tradeScope": "both"},
    ],
)
def test_damaged_fills_are_refused(changes: Row) -> None:
    with pytest.raises(ProtocolError):
        answers.parse_fills(page(FILL | changes), 200)


def test_resting_protection() -> None:
    both = STOP | {"orderId": "5", "takeProfit": "130000", "status": "submitting"}
    gone = STOP | {"orderId": "6", "status": "cancelled"}
    stop, take_profit, first, second = answers.parse_plans(ok([STOP, TAKE_PROFIT, both, gone]), 200)
    assert (stop.protects, stop.trigger_price, stop.size) == (Protection.STOP, D(114000), D("0.001"))
    assert (stop.whole, stop.shared) == (False, False)
    assert (take_profit.protects, take_profit.client_id) == (Protection.TAKE_PROFIT, "aB3dTake")
    assert (take_profit.whole, take_profit.size, take_profit.position) == (True, None, PositionSide.LONG)
    assert {first.protects, second.protects} == set(Protection)
    assert first.shared
    assert second.shared
    assert first.order_id == second.order_id == "5"
    assert answers.parse_plans(ok(None), 200) == []


def test_the_end_of_protection() -> None:
    rows, cursor = answers.parse_ended_plans(
        page(TAKE_PROFIT | {"status": "success"}, cursor=1330960754317619202), 200
    )
    assert cursor == "1330960754317619202"
    assert wire.end_of(rows[0]) == "executed"
    with pytest.raises(ProtocolError):
        wire.end_of(answers.parse_ended_plans(page(TAKE_PROFIT | {"status": "?"}), 200)[0][0])


def ended(**changes: Any) -> wire.Strategy:
    row = TAKE_PROFIT | {"status": "success", "updatedTime": "1751020520440"} | changes
    return answers.parse_ended_plans(page(row), 200)[0][0]


def test_the_order_that_a_take_profit_became_is_found_by_what_it_says_of_itself() -> None:
    became = CLOSED_LONG | {"delegateType": "position_stop_profit_market"}
    others = [
        CLOSED_LONG | {"orderId": "1"},
        became | {"orderId": "2", "posSide": "short", "side": "buy"},
        became | {"orderId": "3", "createdTime": "1751020590442"},
        became | {"orderId": "4", "symbol": "ETHUSDT"},
        CLOSED_LONG | {"orderId": "5", "delegateType": "position_stop_loss_market"},
        became | {"orderId": "6", "createdTime": "1751020515442"},
    ]
    assert answers.find_triggered(page(*others, became), 200, ended()) == became["orderId"]
    stopped = ended(triggerType="stopLoss")
    assert answers.find_triggered(page(*others, became), 200, stopped) == "5"
    assert answers.find_triggered(page(*others[:5]), 200, ended()) == ""
    assert answers.find_triggered(ok({"list": None, "cursor": None}), 200, ended()) == ""


def test_positions() -> None:
    empty = POSITION | {"total": "0", "available": "0", "avgPrice": "0"}
    (position,) = answers.parse_positions(page(POSITION, empty), 200)
    assert (position.symbol, position.side, position.size) == ("BTCUSDT", PositionSide.LONG, D("0.001"))
    assert (position.margin, position.leverage, position.average_price) == (D("5.435199"), 20, D("107410.3"))
    assert (position.margin_mode, position.position_mode) == (MarginMode.CROSSED, PositionMode.HEDGE)
    assert (position.liquidation_price, position.mark_price) == (None, D("107415.3"))
    assert position.created_ns == 1750495670699 * MS
    assert answers.parse_positions(ok({"list": None}), 200) == []


def test_closed_positions() -> None:
    (closed,) = answers.parse_ended_positions(page(ENDED_POSITION, cursor="9"), 200)
    assert (closed.symbol, closed.side, closed.close_price, closed.net) == (
        "BTCUSDT",
        PositionSide.LONG,
        D("107005.4"),
        D("-0.01267055"),
    )
    assert (closed.created_ns, closed.closed_ns) == (1751020503195 * MS, 1751020520458 * MS)


def test_money_is_all_coins_in_usdt_and_what_is_free_of_usdt() -> None:
    money = answers.parse_money(ok(ASSETS), 200)
    assert (money.coin, money.equity, money.available) == ("USDT", D("11.13921165"), D("6.1"))
    assert answers.parse_money(ok(ASSETS | {"assets": []}), 200).available == 0
    assert answers.parse_money(ok(ASSETS | {"assets": None}), 200).available == 0


def test_modes_and_leverage_of_a_symbol() -> None:
    settings = answers.parse_settings(ok(SETTINGS), 200)
    one_way = {"position_mode": PositionMode.ONE_WAY}
    assert read.modes(settings, "NEWUSDT") == one_way
    assert read.modes(settings, "BTCUSDT") == one_way | {
        "margin_mode": MarginMode.CROSSED,
        "crossed_leverage": 3,
    }
    assert read.modes(settings, "BGBUSDT") == one_way | {
        "margin_mode": MarginMode.ISOLATED,
        "long_leverage": 20,
        "short_leverage": 20,
    }
    with pytest.raises(ProtocolError):
        read.modes(answers.parse_settings(ok(SETTINGS | {"holdMode": "both"}), 200), "BTCUSDT")


PARSERS: list[tuple[Callable[[bytes, int], object], bytes]] = [
    (answers.parse_order, ok(CLOSED_LONG)),
    (answers.parse_orders, page(CLOSED_LONG)),
    (answers.parse_fills, page(FILL)),
    (answers.parse_plans, ok([TAKE_PROFIT])),
    (answers.parse_ended_plans, page(TAKE_PROFIT)),
    (answers.parse_positions, page(POSITION)),
    (answers.parse_ended_positions, page(ENDED_POSITION)),
    (answers.parse_settings, ok(SETTINGS)),
    (answers.parse_money, ok(ASSETS)),
]


@pytest.mark.parametrize(("parse", "answer"), PARSERS)
def test_no_answer_is_read_into_what_is_no_answer(
    parse: Callable[[bytes, int], object], answer: bytes
) -> None:
    """Among them the empty body that the venue sends now and then with 200."""
    for body in (b"", b"<html>", b"null", b"[]", answer[:-2], b'{"code":"00000"}'):
        if parse is answers.parse_plans and body == b'{"code":"00000"}':
            continue  # a list without rows may be null
        with pytest.raises(ProtocolError):
            parse(body, 200)
    with pytest.raises(VenueRefusedError) as caught:
        parse(no("40085"), 400)
    assert (caught.value.code, caught.value.status) == ("40085", 400)


@given(st.data())
def test_one_damaged_value_is_read_or_refused_but_never_breaks_the_reader(data: st.DataObject) -> None:
    parse, answer = data.draw(st.sampled_from(PARSERS))
    damaged = copy.deepcopy(json.loads(answer))
    at = damaged["data"]
    while isinstance(at, list) or (isinstance(at, dict) and isinstance(at.get("list"), list)):
        at = (at if isinstance(at, list) else at["list"])[0]
    key = data.draw(st.sampled_from(sorted(at)))
    at[key] = data.draw(st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just({}))
    with suppress(ProtocolError):
        parse(json.dumps(damaged).encode(), 200)


def test_the_answer_to_an_order() -> None:
    ack = UNIFIED.parse_ack(ok({"clientOid": "a", "orderId": "1"}), 200, "a")
    assert (ack.client_id, ack.order_id) == ("a", "1")
    assert UNIFIED.parse_ack(ok({"clientOid": "a", "orderId": None}), 200, "a").order_id == ""
    with pytest.raises(ProtocolError):
        UNIFIED.parse_ack(ok({"clientOid": "b", "orderId": "1"}), 200, "a")
    with pytest.raises(ProtocolError):
        UNIFIED.parse_ack(b"", 200, "a")
    UNIFIED.check(ok(None), 200)
