"""What leaves for the venue: exact bodies and queries, in both position modes."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import OrderType, PositionSide, Side
from shared.errors import RefusedError
from trader.venues import bitget
from trader.venues.bitget import history
from trader.venues.model import Call, Force, MarginMode, PositionMode, Protection, Trigger, position_of

HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY


def instrument(tick: str = "0.1", step: str = "0.001", min_size: str = "0.001") -> Instrument:
    return Instrument(
        id="bitget:perp:BTC-USDT",
        venue=Venue.BITGET,
        market=Market.PERP,
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        tick=Decimal(tick),
        step=Decimal(step),
        min_size=Decimal(min_size),
        min_notional=Decimal(5),
    )


def place(**options: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "side": Side.BUY,
        "size": Decimal("0.0105"),
        "client_id": "aB3dEntry1",
        "position_mode": HEDGE,
        "margin_mode": MarginMode.ISOLATED,
    }
    coin = options.pop("instrument", instrument())
    call = bitget.place_order(coin, **(defaults | options))
    assert call.path == "/api/v2/mix/order/place-order"
    assert call.body is not None
    body: dict[str, Any] = json.loads(call.body)
    assert all(isinstance(value, str) for value in body.values())
    return body


def test_a_market_entry_with_its_take_profit() -> None:
    assert place(take_profit=Decimal("110000.04"), stop=Decimal("90000.05")) == {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginMode": "isolated",
        "marginCoin": "USDT",
        "size": "0.01",
        "side": "buy",
        "tradeSide": "open",
        "orderType": "market",
        "clientOid": "aB3dEntry1",
        "presetStopSurplusPrice": "110000",
        "presetStopLossPrice": "90000",
    }


@pytest.mark.parametrize(
    ("side", "reduce_only", "hedge_side", "trade_side", "position"),
    [
        (Side.BUY, False, "buy", "open", PositionSide.LONG),
        (Side.SELL, True, "buy", "close", PositionSide.LONG),
        (Side.SELL, False, "sell", "open", PositionSide.SHORT),
        (Side.BUY, True, "sell", "close", PositionSide.SHORT),
    ],
)
def test_the_forms_of_both_position_modes(
    side: Side, reduce_only: bool, hedge_side: str, trade_side: str, position: PositionSide
) -> None:
    """In hedge mode the side names the position: a sell that closes a long is sent as buy/close."""
    hedge = place(side=side, reduce_only=reduce_only, position_mode=HEDGE)
    assert (hedge["side"], hedge["tradeSide"]) == (hedge_side, trade_side)
    assert "reduceOnly" not in hedge
    one_way = place(side=side, reduce_only=reduce_only, position_mode=ONE_WAY)
    assert (one_way["side"], one_way["reduceOnly"]) == (side.value, "YES" if reduce_only else "NO")
    assert "tradeSide" not in one_way
    assert position_of(side, reduce_only=reduce_only) is position


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.1"), (Side.SELL, "100.2")])
def test_a_limit_price_is_never_worse_than_asked(side: Side, price: str) -> None:
    body = place(side=side, order_type=OrderType.LIMIT, price=Decimal("100.15"), force=Force.POST_ONLY)
    assert (body["price"], body["force"], body["orderType"]) == (price, "post_only", "limit")


@given(
    st.integers(1, 10**12), st.integers(0, 10), st.sampled_from(["0.001", "0.01", "1", "10", "0.5", "100"])
)
def test_sizes_go_down_to_the_step_and_are_plain(digits: int, places: int, step: str) -> None:
    size = Decimal(digits).scaleb(-places)
    coin = instrument(step=step, min_size=step)
    if size < Decimal(step):
        with pytest.raises(RefusedError, match="below the smallest order"):
            place(instrument=coin, size=size)
        return
    sent = place(instrument=coin, size=size)["size"]
    assert "E" not in sent.upper()
    assert not ("." in sent and sent.endswith(("0", ".")))
    assert size - Decimal(step) < Decimal(sent) <= size
    assert Decimal(sent) % Decimal(step) == 0
    assert bitget.order_size(coin, size) == Decimal(sent)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": "x" * 33}, "client_id"),
        ({"client_id": 'a"b'}, "client_id"),
        ({"size": Decimal("0.0009")}, "min_size"),
        ({"size": Decimal(-1)}, "min_size"),
        ({"instrument": instrument(min_size="0.1")}, "min_size"),
        ({"order_type": OrderType.LIMIT}, "price"),
        ({"price": Decimal(1)}, "price"),
        ({"order_type": OrderType.LIMIT, "price": Decimal("0.01")}, "price"),
        ({"take_profit": Decimal("0.01")}, "price"),
        ({"stop": Decimal(-1)}, "price"),
    ],
)
def test_what_cannot_be_an_order_is_refused_before_it_is_sent(options: dict[str, Any], rule: str) -> None:
    with pytest.raises(RefusedError) as caught:
        place(**options)
    assert caught.value.rule == rule


def body_of(call: Call) -> Any:
    assert call.body is not None
    return json.loads(call.body)


@pytest.mark.parametrize(
    ("kind", "position", "mode", "hold_side", "plan"),
    [
        (Protection.TAKE_PROFIT, PositionSide.LONG, HEDGE, "long", "pos_profit"),
        (Protection.STOP, PositionSide.SHORT, HEDGE, "short", "pos_loss"),
        (Protection.TAKE_PROFIT, PositionSide.LONG, ONE_WAY, "buy", "pos_profit"),
        (Protection.STOP, PositionSide.SHORT, ONE_WAY, "sell", "pos_loss"),
    ],
)
def test_protection_of_a_whole_position(
    kind: Protection, position: PositionSide, mode: PositionMode, hold_side: str, plan: str
) -> None:
    call = bitget.place_protection(
        instrument(),
        kind=kind,
        position=position,
        position_mode=mode,
        trigger_price=Decimal("123.456"),
        client_id="tp1",
        trigger=Trigger.LAST,
    )
    assert call.path == "/api/v2/mix/order/place-tpsl-order"
    assert body_of(call) == {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginCoin": "USDT",
        "planType": plan,
        "triggerPrice": "123.5",
        "triggerType": "fill_price",
        "executePrice": "0",
        "holdSide": hold_side,
        "clientOid": "tp1",
    }


def test_protection_needs_a_client_id() -> None:
    with pytest.raises(RefusedError):
        bitget.place_protection(
            instrument(),
            kind=Protection.STOP,
            position=PositionSide.LONG,
            position_mode=HEDGE,
            trigger_price=Decimal(1),
            client_id="",
        )


def test_cancelling() -> None:
    call = bitget.cancel_order("BTCUSDT", client_id="a")
    assert call.path == "/api/v2/mix/order/cancel-order"
    assert body_of(call) == {
        "symbol": "BTCUSDT",
        "productType": "USDT-FUTURES",
        "marginCoin": "USDT",
        "clientOid": "a",
    }
    assert body_of(bitget.cancel_order("BTCUSDT", order_id="7"))["orderId"] == "7"
    plans = bitget.cancel_protection("BTCUSDT", Protection.STOP, ["7", "8"])
    assert plans.path == "/api/v2/mix/order/cancel-plan-order"
    assert body_of(plans)["planType"] == "pos_loss"
    assert body_of(plans)["orderIdList"] == [{"orderId": "7"}, {"orderId": "8"}]


def test_closing_at_market() -> None:
    both = bitget.close_positions("BTCUSDT")
    assert both.path == "/api/v2/mix/order/close-positions"
    assert body_of(both) == {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
    assert body_of(bitget.close_positions("BTCUSDT", PositionSide.SHORT))["holdSide"] == "short"


@pytest.mark.parametrize(
    ("margin_mode", "position_mode", "fields"),
    [
        (MarginMode.ISOLATED, HEDGE, {"longLeverage": "7", "shortLeverage": "7"}),
        (MarginMode.ISOLATED, ONE_WAY, {"leverage": "7"}),
        (MarginMode.CROSSED, HEDGE, {"leverage": "7"}),
        (MarginMode.CROSSED, ONE_WAY, {"leverage": "7"}),
    ],
)
def test_leverage_for_both_sides(
    margin_mode: MarginMode, position_mode: PositionMode, fields: dict[str, str]
) -> None:
    call = bitget.set_leverage("BTCUSDT", 7, margin_mode=margin_mode, position_mode=position_mode)
    assert call.path == "/api/v2/mix/account/set-leverage"
    common = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT"}
    assert body_of(call) == common | fields


def test_modes() -> None:
    call = bitget.set_margin_mode("BTCUSDT", MarginMode.CROSSED)
    assert call.path == "/api/v2/mix/account/set-margin-mode"
    assert body_of(call)["marginMode"] == "crossed"
    call = bitget.set_position_mode(ONE_WAY)
    assert call.path == "/api/v2/mix/account/set-position-mode"
    assert body_of(call) == {"productType": "USDT-FUTURES", "posMode": "one_way_mode"}


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (
            bitget.order_detail("BTCUSDT", client_id="a-1"),
            "/api/v2/mix/order/detail?symbol=BTCUSDT&productType=USDT-FUTURES&clientOid=a-1",
        ),
        (
            bitget.order_detail("BTCUSDT", order_id="9"),
            "/api/v2/mix/order/detail?symbol=BTCUSDT&productType=USDT-FUTURES&orderId=9",
        ),
        (bitget.orders_pending(), "/api/v2/mix/order/orders-pending?productType=USDT-FUTURES&limit=100"),
        (
            bitget.orders_pending(symbol="BTCUSDT", before="5"),
            "/api/v2/mix/order/orders-pending?productType=USDT-FUTURES&symbol=BTCUSDT&idLessThan=5&limit=100",
        ),
        (
            bitget.orders_history(client_id="a", start_ms=1),
            "/api/v2/mix/order/orders-history?productType=USDT-FUTURES&startTime=1&limit=100&clientOid=a",
        ),
        (
            bitget.fills(symbol="BTCUSDT", order_id="9"),
            "/api/v2/mix/order/fills?productType=USDT-FUTURES&symbol=BTCUSDT&limit=100&orderId=9",
        ),
        (
            bitget.protection_pending(),
            "/api/v2/mix/order/orders-plan-pending?productType=USDT-FUTURES&limit=100&planType=profit_loss",
        ),
        (
            bitget.all_positions(),
            "/api/v2/mix/position/all-position?productType=USDT-FUTURES&marginCoin=USDT",
        ),
        (
            bitget.single_position("BTCUSDT"),
            "/api/v2/mix/position/single-position?symbol=BTCUSDT&productType=USDT-FUTURES&marginCoin=USDT",
        ),
        (bitget.accounts(), "/api/v2/mix/account/accounts?productType=USDT-FUTURES"),
        (
            bitget.account("BTCUSDT"),
            "/api/v2/mix/account/account?symbol=BTCUSDT&productType=USDT-FUTURES&marginCoin=USDT",
        ),
        (bitget.key_info(), "/api/v2/spot/account/info"),
        (bitget.contracts(), "/api/v2/mix/market/contracts?productType=USDT-FUTURES"),
        (bitget.tickers(), "/api/v2/mix/market/tickers?productType=USDT-FUTURES"),
        (bitget.server_time(), "/api/v2/public/time"),
        (
            history.positions_history(symbol="BTCUSDT", start_ms=5),
            "/api/v2/mix/position/history-position?symbol=BTCUSDT&productType=USDT-FUTURES&startTime=5&limit=100",
        ),
    ],
)
def test_questions(call: Call, path: str) -> None:
    assert call == Call(path)


def test_an_order_is_named_by_one_id() -> None:
    for ids in ({}, {"client_id": "a", "order_id": "b"}):
        with pytest.raises(ValueError, match="one of them"):
            bitget.order_detail("BTCUSDT", **ids)


@pytest.mark.parametrize("symbol", ["", "btcusdt", "BTC USDT", "BTC&x=1", "../x"])
def test_a_symbol_that_would_break_the_request(symbol: str) -> None:
    with pytest.raises(RefusedError, match="not a symbol"):
        bitget.set_margin_mode(symbol, MarginMode.CROSSED)


def test_public_calls_need_no_key() -> None:
    request = bitget.public(bitget.server_time(), "h:1")
    assert request == (
        b"GET /api/v2/public/time HTTP/1.1\r\nHost: h:1\r\nUser-Agent: kestrel\r\nAccept: application/json\r\n\r\n"
    )
