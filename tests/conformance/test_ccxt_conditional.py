"""ccxt's trigger orders, stops, take profits and trailing orders."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest

from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES

BTC = "BTC/USDT:USDT"
TRIGGER = {"trigger": True}
FAMILY = {"planType": "profit_loss"}


def held(venue: ccxt.bitget) -> dict[str, float]:
    return {p["side"]: p["contracts"] for p in venue.fetch_positions([BTC])}


def plans(venue: ccxt.bitget, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = venue.fetch_open_orders(BTC, params=params)
    return found


@pytest.mark.parametrize("watched", ["fill_price", "mark_price"])
def test_a_trigger_order_opens_at_market(venue: ccxt.bitget, control: Control, watched: str) -> None:
    placed = venue.create_order(
        BTC, "market", "buy", 0.01, None, {"triggerPrice": 60_500, "triggerType": watched}
    )
    (plan,) = plans(venue, **TRIGGER)
    assert (plan["id"], plan["triggerPrice"], plan["side"], plan["amount"]) == (
        placed["id"],
        60_500.0,
        "buy",
        0.01,
    )
    assert plan["info"]["planStatus"] == "live"
    with control.held("BTCUSDT", "60400"):
        assert held(venue) == {}
    with control.held("BTCUSDT", "60500"):
        assert held(venue) == {"long": 0.01}
        assert plans(venue, **TRIGGER) == []
        (past,) = venue.fetch_canceled_and_closed_orders(BTC, params=TRIGGER)
        assert (past["id"], past["info"]["planStatus"]) == (placed["id"], "executed")
        made = venue.fetch_order(past["info"]["executeOrderId"], BTC)
        assert (made["status"], made["filled"]) == ("closed", 0.01)


def test_a_trigger_order_below_opens_a_limit_order(venue: ccxt.bitget, control: Control) -> None:
    venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"triggerPrice": 59_500})
    with control.held("BTCUSDT", "59500"):
        (order,) = venue.fetch_open_orders(BTC)
        assert (order["price"], order["amount"], order["status"]) == (59_000.0, 0.01, "open")
        assert held(venue) == {}
    venue.cancel_order(order["id"], BTC)


def test_a_trigger_order_carries_its_protection(venue: ccxt.bitget, control: Control) -> None:
    sent = {
        "symbol": "BTCUSDT",
        "productType": FUTURES,
        "marginCoin": "USDT",
        "marginMode": "isolated",
        "planType": "normal_plan",
        "size": "0.01",
        "side": "sell",
        "orderType": "market",
        "triggerPrice": "59500",
        "triggerType": "fill_price",
        "stopSurplusTriggerPrice": "55000",
        "stopLossTriggerPrice": "62000",
        "stopSurplusTriggerType": "mark_price",
        "stopLossTriggerType": "fill_price",
    }
    venue.private_mix_post_v2_mix_order_place_plan_order(sent)
    (plan,) = plans(venue, **TRIGGER)
    assert (plan["info"]["stopSurplusTriggerPrice"], plan["info"]["stopLossTriggerPrice"]) == (
        "55000",
        "62000",
    )
    with control.held("BTCUSDT", "59500"):
        assert held(venue) == {"short": 0.01}
        (position,) = venue.fetch_positions([BTC])
        assert (position["info"]["takeProfit"], position["info"]["stopLoss"]) == ("55000", "62000")
    with control.held("BTCUSDT", "62000"):
        assert held(venue) == {}


def test_trigger_orders_are_edited_and_cancelled(
    venue: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    placed = venue.create_order(BTC, "limit", "buy", 0.01, 61_000, {"triggerPrice": 60_500})
    venue.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 61_100, {"triggerPrice": 60_800})
    (plan,) = plans(venue, **TRIGGER)
    assert (plan["triggerPrice"], plan["amount"], plan["price"]) == (60_800.0, 0.02, 61_100.0)
    assert venue.cancel_order(plan["id"], BTC, TRIGGER)["id"] == plan["id"]
    assert plans(venue, **TRIGGER) == []
    (past,) = venue.fetch_canceled_and_closed_orders(BTC, params=TRIGGER)
    assert (past["id"], past["info"]["planStatus"]) == (plan["id"], "cancelled")
    for price in (61_000, 62_000):
        venue.create_order(BTC, "market", "buy", 0.01, None, {"triggerPrice": price})
    assert len(venue.cancel_all_orders(BTC, TRIGGER)) == 2
    first, second = (
        venue.create_order(BTC, "market", "buy", 0.01, None, {"triggerPrice": price})["id"]
        for price in (61_000, 62_000)
    )
    assert len(venue.cancel_orders([first, second], BTC, TRIGGER)) == 2
    assert plans(venue, **TRIGGER) == []
    assert [row["kind"] for row in control.ledger(account)] == ["deposit"]


def test_stop_loss_and_take_profit_of_a_position(venue: ccxt.bitget, control: Control) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    stop = venue.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 59_000})
    profit = venue.create_order(BTC, "market", "sell", 0.01, None, {"takeProfitPrice": 61_000})
    found = {plan["id"]: plan for plan in plans(venue, **FAMILY)}
    assert set(found) == {stop["id"], profit["id"]}
    assert found[stop["id"]]["stopLossPrice"] == 59_000.0
    assert found[profit["id"]]["takeProfitPrice"] == 61_000.0
    (position,) = venue.fetch_positions([BTC])
    assert (position["info"]["stopLossId"], position["info"]["takeProfitId"]) == (stop["id"], profit["id"])
    venue.cancel_order(profit["id"], BTC, {"trigger": True, "planType": "pos_profit"})
    assert [plan["id"] for plan in plans(venue, **FAMILY)] == [stop["id"]]
    with control.held("BTCUSDT", "59000"):
        assert held(venue) == {}
        assert plans(venue, **FAMILY) == []
        past = venue.fetch_canceled_and_closed_orders(BTC, params={"trigger": True, **FAMILY})
        assert {order["id"]: order["info"]["planStatus"] for order in past} == {
            stop["id"]: "executed",
            profit["id"]: "cancelled",
        }


def test_a_stop_is_moved(venue: ccxt.bitget, control: Control) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    stop = venue.create_order(BTC, "market", "sell", 0.01, None, {"stopLossPrice": 58_000})
    venue.edit_order(stop["id"], BTC, "market", "sell", None, None, {"stopLossPrice": 59_500})
    (plan,) = plans(venue, **FAMILY)
    assert plan["triggerPrice"] == 59_500.0
    with control.held("BTCUSDT", "59500"):
        assert held(venue) == {}


def test_protection_attached_to_an_order_is_executed(
    venue: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    params = {"takeProfit": {"triggerPrice": 61_000}, "stopLoss": {"triggerPrice": 59_000}}
    venue.create_order(BTC, "market", "buy", 0.01, None, params)
    control.price("BTCUSDT", "61000")
    assert held(venue) == {}
    equity = venue.fetch_balance()["info"][0]["accountEquity"]
    control.check_ledger(account, equity)
    # about 1000 x 0.01 less two fees of 0.36
    assert float(equity) == pytest.approx(10_009.27, abs=0.5)


def test_protection_in_hedge_mode_is_of_one_side(venue: ccxt.bitget, control: Control) -> None:
    hedged = {"hedged": True}
    venue.set_position_mode(True, BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, hedged)
    venue.create_order(BTC, "market", "sell", 0.02, None, hedged)
    stop = venue.create_order(BTC, "market", "sell", 0.01, None, hedged | {"stopLossPrice": 58_000})
    (plan,) = plans(venue, **FAMILY)
    assert (plan["id"], plan["info"]["posSide"]) == (stop["id"], "long")
    with control.held("BTCUSDT", "58000"):
        assert held(venue) == {"short": 0.02}


def test_a_trailing_order_follows_and_closes(venue: ccxt.bitget, control: Control) -> None:
    """Armed at 60500, best 62000: one percent below that is 61380."""
    venue.create_order(BTC, "market", "buy", 0.01)
    trailing = venue.create_order(
        BTC,
        "market",
        "sell",
        0.01,
        None,
        {"trailingPercent": 1, "trailingTriggerPrice": 60_500, "reduceOnly": True},
    )
    (plan,) = plans(venue, trailing=True)
    assert (plan["id"], plan["info"]["planType"], plan["info"]["callbackRatio"]) == (
        trailing["id"],
        "track_plan",
        "1",
    )
    for price in ("59500", "60600", "62000", "61400"):
        control.price("BTCUSDT", price)
        assert held(venue) == {"long": 0.01}, price
    control.price("BTCUSDT", "61380")
    assert held(venue) == {}
    assert plans(venue, trailing=True) == []


def test_a_trailing_order_is_edited_and_cancelled(venue: ccxt.bitget, control: Control) -> None:
    trailing = venue.create_order(
        BTC, "market", "buy", 0.01, None, {"trailingPercent": 1, "trailingTriggerPrice": 59_000}
    )
    venue.edit_order(
        trailing["id"],
        BTC,
        "market",
        "buy",
        0.02,
        None,
        {"trailingPercent": 2, "trailingTriggerPrice": 58_000},
    )
    (plan,) = plans(venue, trailing=True)
    assert (plan["amount"], plan["info"]["callbackRatio"], plan["info"]["triggerPrice"]) == (
        0.02,
        "2",
        "58000",
    )
    venue.cancel_order(plan["id"], BTC, {"trailing": True})
    assert plans(venue, trailing=True) == []


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("profit_plan", {"triggerPrice": "61000", "size": "0.004"}),
        ("loss_plan", {"triggerPrice": "59000", "size": "0.004"}),
        ("pos_profit", {"triggerPrice": "61000"}),
        ("pos_loss", {"triggerPrice": "59000"}),
        ("moving_plan", {"triggerPrice": "60500", "size": "0.004", "rangeRate": "1"}),
    ],
)
@pytest.mark.parametrize("hedged", [False, True])
def test_every_kind_of_protection_is_placed_seen_moved_and_cancelled(
    venue: ccxt.bitget, control: Control, kind: str, more: dict[str, str], hedged: bool
) -> None:
    venue.set_position_mode(hedged, BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"hedged": True} if hedged else {})
    sent = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT", "triggerType": "fill_price"}
    placed = venue.private_mix_post_v2_mix_order_place_tpsl_order(
        {**sent, **more, "planType": kind, "holdSide": "long" if hedged else "buy", "clientOid": "guard"}
    )
    assert placed["data"]["clientOid"] == "guard"
    (plan,) = (order["info"] for order in plans(venue, **FAMILY))
    assert (plan["orderId"], plan["clientOid"], plan["planType"]) == (
        placed["data"]["orderId"],
        "guard",
        kind,
    )
    assert plan["triggerPrice"] == more["triggerPrice"]
    moved = str(int(more["triggerPrice"]) + (100 if int(more["triggerPrice"]) > 60_000 else -100))
    venue.private_mix_post_v2_mix_order_modify_tpsl_order(
        {**sent, "orderId": plan["orderId"], "triggerPrice": moved, "size": more.get("size", "")}
    )
    assert [order["info"]["triggerPrice"] for order in plans(venue, **FAMILY)] == [moved]
    cancelled = venue.private_mix_post_v2_mix_order_cancel_plan_order(
        {**sent, "planType": kind, "orderIdList": [{"clientOid": "guard"}]}
    )
    assert [row["orderId"] for row in cancelled["data"]["successList"]] == [plan["orderId"]]
    assert plans(venue, **FAMILY) == []
    assert list(held(venue)) == ["long"]


def test_partial_protection_closes_its_part(venue: ccxt.bitget, control: Control) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    sent = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT", "triggerType": "fill_price"}
    venue.private_mix_post_v2_mix_order_place_tpsl_order(
        {**sent, "planType": "profit_plan", "holdSide": "buy", "triggerPrice": "61000", "size": "0.004"}
    )
    with control.held("BTCUSDT", "61000"):
        assert held(venue) == {"long": 0.006}


def test_a_moving_plan_trails_the_position(venue: ccxt.bitget, control: Control) -> None:
    """Armed at 60500, best 62000: one percent below that is 61380."""
    venue.create_order(BTC, "market", "buy", 0.01)
    sent = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT", "triggerType": "fill_price"}
    moving = {"planType": "moving_plan", "holdSide": "buy", "triggerPrice": "60500", "rangeRate": "1"}
    venue.private_mix_post_v2_mix_order_place_tpsl_order({**sent, **moving, "size": "0.01"})
    for price in ("60600", "62000", "61400"):
        control.price("BTCUSDT", price)
        assert held(venue) == {"long": 0.01}, price
    control.price("BTCUSDT", "61380")
    assert held(venue) == {}
