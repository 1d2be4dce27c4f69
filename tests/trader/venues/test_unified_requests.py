"""What leaves for v3: exact bodies and queries, in both holding modes."""

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
from trader.venues.bitget.unified import UNIFIED, requests
from trader.venues.model import Call, Force, MarginMode, PositionMode, Protection, Trigger

HEDGE, ONE_WAY = PositionMode.HEDGE, PositionMode.ONE_WAY
D = Decimal


def instrument(tick: str = "0.1", step: str = "0.001") -> Instrument:
    return Instrument(
        id="bitget:perp:BTC-USDT",
        venue=Venue.BITGET,
        market=Market.PERP,
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        tick=D(tick),
        step=D(step),
        min_size=D(step),
        min_notional=D(5),
    )


def body(call: Call) -> dict[str, Any]:
    assert call.body is not None
    found: dict[str, Any] = json.loads(call.body)
    assert all(isinstance(value, str) for value in found.values())
    return found


def place(**options: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "side": Side.BUY,
        "size": D("0.0105"),
        "client_id": "aB3dEntry1",
        "position_mode": HEDGE,
        "margin_mode": MarginMode.ISOLATED,
    }
    call = UNIFIED.place_order(options.pop("instrument", instrument()), **(defaults | options))
    assert call.path == "/api/v3/trade/place-order"
    return body(call)


def test_a_market_entry_with_its_protection() -> None:
    assert place(take_profit=D("110000.04"), stop=D("90000.05")) == {
        "category": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "qty": "0.01",
        "side": "buy",
        "posSide": "long",
        "orderType": "market",
        "marginMode": "isolated",
        "clientOid": "aB3dEntry1",
        "takeProfit": "110000",
        "tpTriggerBy": "market",
        "tpOrderType": "market",
        "stopLoss": "90000",
        "slTriggerBy": "market",
        "slOrderType": "market",
    }


@pytest.mark.parametrize(
    ("side", "reduce_only", "position"),
    [
        (Side.BUY, False, "long"),
        (Side.SELL, True, "long"),
        (Side.SELL, False, "short"),
        (Side.BUY, True, "short"),
    ],
)
def test_the_forms_of_both_modes(side: Side, reduce_only: bool, position: str) -> None:
    """The side is the trade's in both; what it does to which position is said in two ways."""
    hedged = place(side=side, reduce_only=reduce_only)
    assert (hedged["side"], hedged["posSide"]) == (side.value, position)
    assert "reduceOnly" not in hedged
    netted = place(side=side, reduce_only=reduce_only, position_mode=ONE_WAY)
    assert (netted["side"], netted["reduceOnly"]) == (side.value, "yes" if reduce_only else "no")
    assert "posSide" not in netted


@pytest.mark.parametrize("mode", PositionMode)
def test_a_limit_order(mode: PositionMode) -> None:
    sent = place(order_type=OrderType.LIMIT, price=D("100.07"), force=Force.POST_ONLY, position_mode=mode)
    assert (sent["price"], sent["timeInForce"], sent["orderType"]) == ("100", "post_only", "limit")


@pytest.mark.parametrize(
    "options",
    [
        {"order_type": OrderType.LIMIT},
        {"price": D(1)},
        {"size": D("0.0009")},
        {"client_id": ""},
        {"client_id": "with blank"},
        {"client_id": "x" * 33},
        {"take_profit": D(0)},
        {"reduce_only": True, "take_profit": D(1)},
        {"reduce_only": True, "stop": D(1)},
    ],
)
def test_what_cannot_be_built_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        place(**options)


@given(
    st.decimals("0.001", "1000000", places=6),
    st.decimals("0.1", "1000000", places=6),
    st.sampled_from(Side),
    st.sampled_from(["0.1", "0.5", "0.001", "25"]),
)
def test_sizes_and_prices_are_multiples_and_never_worse(
    size: Decimal, price: Decimal, side: Side, step: str
) -> None:
    coin = instrument(tick=step, step=step)
    try:
        sent = place(
            instrument=coin, side=side, size=size, order_type=OrderType.LIMIT, price=price, reduce_only=False
        )
    except RefusedError:
        assert size < D(step) or price < D(step)
        return
    assert D(sent["qty"]) <= size
    assert D(sent["qty"]) % D(step) == 0
    assert D(sent["price"]) % D(step) == 0
    assert D(sent["price"]) <= price if side is Side.BUY else D(sent["price"]) >= price


@pytest.mark.parametrize("mode", PositionMode)
def test_protection_of_a_whole_position(mode: PositionMode) -> None:
    """The position is named in both modes, and there is no size."""
    words: dict[str, Any] = {"position": PositionSide.LONG, "position_mode": mode, "client_id": "aB3dT"}
    call = UNIFIED.place_protection(
        instrument(),
        kind=Protection.TAKE_PROFIT,
        trigger_price=D("120000.07"),
        trigger=Trigger.LAST,
        **words,
    )
    assert call.path == "/api/v3/trade/place-strategy-order"
    assert body(call) == {
        "category": "USDT-FUTURES",
        "symbol": "BTCUSDT",
        "type": "tpsl",
        "tpslMode": "full",
        "posSide": "long",
        "clientOid": "aB3dT",
        "takeProfit": "120000.1",
        "tpTriggerBy": "market",
        "tpOrderType": "market",
    }
    stop = body(UNIFIED.place_protection(instrument(), kind=Protection.STOP, trigger_price=D(90000), **words))
    assert (stop["stopLoss"], stop["slTriggerBy"], stop["slOrderType"]) == ("90000", "mark", "market")
    assert "takeProfit" not in stop


def test_cancelling() -> None:
    assert body(UNIFIED.cancel_order("BTCUSDT", client_id="a")) == {
        "category": "USDT-FUTURES",
        "clientOid": "a",
    }
    assert body(UNIFIED.cancel_order("BTCUSDT", order_id="1"))["orderId"] == "1"
    for names in ({}, {"client_id": "a", "order_id": "1"}):
        with pytest.raises(ValueError, match="one of them"):
            UNIFIED.cancel_order("BTCUSDT", **names)


@pytest.mark.parametrize(
    ("margin", "mode", "sides"),
    [
        (MarginMode.ISOLATED, HEDGE, ["long", "short"]),
        (MarginMode.ISOLATED, ONE_WAY, ["long"]),
        (MarginMode.CROSSED, HEDGE, [None]),
        (MarginMode.CROSSED, ONE_WAY, [None]),
    ],
)
def test_leverage_is_set_per_side_when_isolated(
    margin: MarginMode, mode: PositionMode, sides: list[str | None]
) -> None:
    calls = UNIFIED.settings("BTCUSDT", 7, margin_mode=margin, position_mode=mode)
    assert [call.path for call in calls] == ["/api/v3/account/set-leverage"] * len(sides)
    for call, side in zip(calls, sides, strict=True):
        sent = body(call)
        assert (sent["symbol"], sent["leverage"], sent["marginMode"]) == ("BTCUSDT", "7", margin.value)
        assert sent.get("posSide") == side


def test_the_queries() -> None:
    prefix = "category=USDT-FUTURES"
    assert requests.order_info(client_id="a").path == "/api/v3/trade/order-info?clientOid=a"
    assert (
        requests.orders_history(symbol="BTCUSDT", cursor="9", start_ms=5).path
        == f"/api/v3/trade/history-orders?{prefix}&symbol=BTCUSDT&startTime=5&limit=100&cursor=9"
    )
    assert requests.orders_unfilled().path == f"/api/v3/trade/unfilled-orders?{prefix}&limit=100"
    assert requests.fills(order_id="3").path == f"/api/v3/trade/fills?{prefix}&limit=100&orderId=3"
    assert requests.positions().path == f"/api/v3/position/current-position?{prefix}"
    assert requests.protection_unfilled().path == f"/api/v3/trade/unfilled-strategy-orders?{prefix}&type=tpsl"
    assert body(requests.set_hold_mode(HEDGE)) == {"holdMode": "hedge_mode"}
    assert UNIFIED.keepalive.path == "/api/v2/public/time"
    with pytest.raises(RefusedError):
        requests.positions("BTC/USDT")


@pytest.mark.parametrize(
    ("call", "least"),
    [
        (requests.settings(), 1 / 20),
        (requests.order_info(order_id="1"), 1 / 20),
        (requests.cancel_protection("1"), 1 / 10),
        (requests.protection_orders("1"), 1 / 10),
        (requests.set_leverage("A1", 5, margin_mode=MarginMode.CROSSED, position_mode=HEDGE)[0], 1 / 10),
    ],
)
def test_the_pace_is_the_venues(call: Call, least: float) -> None:
    assert UNIFIED.pace_s(call) >= least
