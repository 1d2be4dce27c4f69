"""ccxt trades futures on the paper exchange by nothing but another host: orders and positions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.conformance.venue import Control
from tests.conformance.wire import FUTURES

D = Decimal
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def wallet(venue: ccxt.bitget) -> str:
    """accountEquity while nothing is held, as exact text."""
    return str(venue.fetch_balance()["info"][0]["accountEquity"])


def test_the_whole_way_of_a_trade(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    assert venue.fetch_balance()["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0}
    assert venue.set_margin_mode("isolated", BTC)["data"]["marginMode"] == "isolated"
    assert venue.set_leverage(20, BTC)["data"]["longLeverage"] == "20"
    placed = venue.create_order(
        BTC, "market", "buy", 0.01, None, {"marginMode": "isolated", "takeProfit": {"triggerPrice": 66_000}}
    )
    order = venue.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["side"]) == ("closed", 0.01, "buy")
    assert order["average"] == pytest.approx(60_000, rel=1e-3)
    (position,) = venue.fetch_positions([BTC])
    assert (position["side"], position["contracts"], position["leverage"], position["marginMode"]) == (
        "long",
        0.01,
        20.0,
        "isolated",
    )
    # §15: (E q - margin) / (q (1 - r - f)) with r 0.004, f 0.0006 and margin E q / 20
    assert position["liquidationPrice"] == pytest.approx(57_263.4, rel=1e-3)
    assert position["info"]["takeProfit"] == "66000"
    (plan,) = venue.fetch_open_orders(BTC, params={"planType": "profit_loss"})
    assert (plan["triggerPrice"], plan["info"]["planType"]) == (66_000.0, "pos_profit")
    fills = venue.fetch_my_trades(BTC)
    assert sum(fill["amount"] for fill in fills) == pytest.approx(0.01)
    for fill in fills:  # taker 0.0006
        assert (fill["takerOrMaker"], fill["fee"]["currency"]) == ("taker", "USDT")
        assert fill["fee"]["cost"] == pytest.approx(fill["cost"] * 0.0006)
    closing = venue.close_position(BTC)
    assert venue.fetch_order(closing["id"], BTC)["status"] == "closed"
    assert venue.fetch_positions([BTC]) == []
    assert venue.fetch_open_orders(BTC, params={"planType": "profit_loss"}) == []
    control.check_ledger(account, wallet(venue))
    (past,) = venue.fetch_positions_history([BTC])
    change = D(control.ledger(account)[-1]["balance"]) - 10_000
    assert D(past["info"]["netProfit"]) == change


@pytest.mark.parametrize("margin_mode", ["isolated", "cross"])
@pytest.mark.parametrize("hedged", [False, True])
def test_opening_adding_reducing_and_closing_in_every_mode(
    venue: ccxt.bitget, control: Control, account: dict[str, Any], margin_mode: str, hedged: bool
) -> None:
    venue.set_position_mode(hedged, BTC)
    venue.set_margin_mode(margin_mode, BTC)
    mode = {"marginMode": margin_mode} | ({"hedged": True} if hedged else {})

    def held() -> dict[str, float]:
        return {p["side"]: p["contracts"] for p in venue.fetch_positions([BTC])}

    for side, opposite, name in (("buy", "sell", "long"), ("sell", "buy", "short")):
        venue.create_order(BTC, "market", side, 0.01, None, mode)
        venue.create_order(BTC, "market", side, 0.02, None, mode)
        assert held() == {name: 0.03}
        (position,) = venue.fetch_positions([BTC])
        assert (position["hedged"], position["marginMode"]) == (hedged, margin_mode)
        reduced = venue.create_order(BTC, "market", opposite, 0.01, None, mode | {"reduceOnly": True})
        assert held() == {name: 0.02}
        order = venue.fetch_order(reduced["id"], BTC)
        assert (order["status"], order["filled"]) == ("closed", 0.01)
        assert order["info"]["tradeSide"] == ("close" if hedged else f"{opposite}_single")
        assert order["info"]["posSide"] == (name if hedged else "net")
        venue.create_order(BTC, "market", opposite, 0.02, None, mode | {"reduceOnly": True})
        assert held() == {}
    assert {p["side"] for p in venue.fetch_positions_history([BTC])} == {"long", "short"}
    control.check_ledger(account, wallet(venue))


def test_hedge_mode_holds_both_sides_and_closes_one(
    venue: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue.set_position_mode(True, BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"hedged": True})
    venue.create_order(BTC, "market", "sell", 0.02, None, {"hedged": True})
    assert {p["side"]: p["contracts"] for p in venue.fetch_positions([BTC])} == {"long": 0.01, "short": 0.02}
    venue.close_position(BTC, "buy", {"holdSide": "long"})
    assert {p["side"]: p["contracts"] for p in venue.fetch_positions([BTC])} == {"short": 0.02}
    venue.create_order(BTC, "market", "buy", 0.01, None, {"hedged": True})
    assert len(venue.close_all_positions()) == 2
    assert venue.fetch_positions([BTC]) == []
    control.check_ledger(account, wallet(venue))


def test_one_way_mode_nets_and_flips(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    venue.create_order(BTC, "market", "sell", 0.03)
    (position,) = venue.fetch_positions([BTC])
    assert (position["side"], position["contracts"]) == ("short", 0.02)
    assert [p["side"] for p in venue.fetch_positions_history([BTC])] == ["long"]
    venue.close_position(BTC)
    control.check_ledger(account, wallet(venue))


def test_limit_orders(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    placed = venue.create_order(
        BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "c1", "timeInForce": "GTC"}
    )
    (pending,) = venue.fetch_open_orders(BTC)
    assert (pending["id"], pending["clientOrderId"], pending["price"]) == (placed["id"], "c1", 59_000.0)
    assert (pending["status"], pending["timeInForce"]) == ("open", "GTC")
    # default 10x: 590 of margin and 0.0006 of 590 for the fee are bound at least
    assert venue.fetch_balance()["USDT"]["free"] < 10_000 - 59
    venue.cancel_order(placed["id"], BTC)
    assert venue.fetch_open_orders(BTC) == []
    assert [order["status"] for order in venue.fetch_canceled_orders(BTC)] == ["canceled"]
    venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"postOnly": True})
    assert len(venue.cancel_all_orders(BTC)) == 1
    control.check_ledger(account, "10000")


def test_a_resting_order_fills_as_maker_when_the_price_comes(venue: ccxt.bitget, control: Control) -> None:
    placed = venue.create_order(BTC, "limit", "buy", 0.01, 59_000)
    with control.held("BTCUSDT", "58900"):
        order = venue.fetch_order(placed["id"], BTC)
        assert (order["status"], order["average"]) == ("closed", 59_000.0)
        fills = venue.fetch_my_trades(BTC)
        for fill in fills:
            assert (fill["order"], fill["takerOrMaker"], fill["price"]) == (placed["id"], "maker", 59_000.0)
        assert sum(fill["fee"]["cost"] for fill in fills) == pytest.approx(0.118)  # 590 at 0.0002
        assert [order["id"] for order in venue.fetch_closed_orders(BTC)] == [placed["id"]]


@pytest.mark.parametrize("force", ["IOC", "FOK"])
def test_what_cannot_fill_at_once_is_cancelled(
    venue: ccxt.bitget, control: Control, account: dict[str, Any], force: str
) -> None:
    placed = venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"timeInForce": force})
    order = venue.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["timeInForce"]) == ("canceled", 0.0, force)
    assert venue.fetch_open_orders(BTC) == []
    taken = venue.create_order(BTC, "limit", "buy", 0.01, 60_100, {"timeInForce": force})
    assert venue.fetch_order(taken["id"], BTC)["status"] == "closed"
    venue.close_position(BTC)
    control.check_ledger(account, wallet(venue))


def test_fill_or_kill_fills_nothing_when_the_book_holds_less(venue: ccxt.bitget) -> None:
    venue.set_leverage(100, BTC)
    book = venue.fetch_order_book(BTC, 1)
    (ask, size), more = book["asks"][0], 0.01
    for force, filled in (("FOK", 0.0), ("IOC", size)):
        amount = float(venue.amount_to_precision(BTC, size + more))
        placed = venue.create_order(BTC, "limit", "buy", amount, ask, {"timeInForce": force})
        order = venue.fetch_order(placed["id"], BTC)
        assert order["status"] == "canceled"
        assert order["filled"] == pytest.approx(filled)


def test_post_only_never_takes(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    placed = venue.create_order(BTC, "limit", "buy", 0.01, 60_500, {"postOnly": True})
    order = venue.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"]) == ("canceled", 0.0)
    assert venue.fetch_positions([BTC]) == []
    resting = venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"postOnly": True})
    order = venue.fetch_order(resting["id"], BTC)
    assert (order["status"], order["postOnly"]) == ("open", True)
    venue.cancel_order(resting["id"], BTC)
    control.check_ledger(account, "10000")


def test_reduce_only_never_opens(venue: ccxt.bitget) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    resting = venue.create_order(BTC, "limit", "sell", 0.01, 61_000, {"reduceOnly": True})
    assert venue.fetch_order(resting["id"], BTC)["reduceOnly"] is True
    venue.close_position(BTC)
    assert venue.fetch_open_orders(BTC) == []
    assert venue.fetch_order(resting["id"], BTC)["status"] == "canceled"


def test_batches(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    wanted: list[dict[str, Any]] = [
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": price, "params": {}}
        for price in (59_000, 58_000, 57_000)
    ]
    wanted[1]["params"] = {"clientOrderId": "second"}
    placed = venue.create_orders(wanted)
    assert len({order["id"] for order in placed}) == 3
    opened = {order["id"]: order for order in venue.fetch_open_orders(BTC)}
    assert set(opened) == {order["id"] for order in placed}
    assert {order["price"] for order in opened.values()} == {59_000.0, 58_000.0, 57_000.0}
    assert "second" in {order["clientOrderId"] for order in opened.values()}
    gone = venue.cancel_orders([placed[0]["id"], placed[1]["id"]], BTC)
    assert [order["id"] for order in gone] == [placed[0]["id"], placed[1]["id"]]
    assert [order["id"] for order in venue.fetch_open_orders(BTC)] == [placed[2]["id"]]
    assert [order["id"] for order in venue.cancel_all_orders(BTC)] == [placed[2]["id"]]
    assert len(venue.fetch_canceled_orders(BTC)) == 3
    control.check_ledger(account, "10000")


def test_a_bad_order_in_a_batch_fails_alone(venue: ccxt.bitget, control: Control) -> None:
    order = {"marginMode": "isolated", "side": "buy", "orderType": "limit", "price": "59000"}
    sent = {
        "symbol": "BTCUSDT",
        "productType": FUTURES,
        "marginCoin": "USDT",
        "marginMode": "isolated",
        "orderList": [
            {**order, "size": "0.01", "clientOid": "good"},
            {**order, "size": "0.0000001", "clientOid": "tiny"},
            {**order, "size": "0.01", "clientOid": "good"},
            {**order, "size": "0.01", "clientOid": "band", "price": "90000"},
        ],
    }
    answer = venue.private_mix_post_v2_mix_order_batch_place_order(sent)
    assert answer["code"] == "00000"
    assert [row["clientOid"] for row in answer["data"]["successList"]] == ["good"]
    failed = answer["data"]["failureList"]
    assert [(row["clientOid"], row["orderId"], row["errorCode"]) for row in failed] == [
        ("tiny", "", "40808"),
        ("good", "", "40786"),
        ("band", "", "40815"),
    ]
    assert all(row["errorMsg"] for row in failed)
    assert [order["clientOrderId"] for order in venue.fetch_open_orders(BTC)] == ["good"]


def test_an_edited_order_is_a_new_one(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    """§8: a change of size or price cancels and places anew, under a new id and ``newClientOid``."""
    placed = venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "first"})
    venue.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 58_500, {"newClientOid": "next"})
    (order,) = venue.fetch_open_orders(BTC)
    assert order["id"] != placed["id"]
    assert (order["clientOrderId"], order["price"], order["amount"]) == ("next", 58_500.0, 0.02)
    assert venue.fetch_order(placed["id"], BTC)["status"] == "canceled"
    venue.cancel_all_orders(BTC)
    control.check_ledger(account, "10000")


def test_the_position_is_turned_around(venue: ccxt.bitget, control: Control) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    sent = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT", "size": "0.01", "side": "buy"}
    answer = venue.private_mix_post_v2_mix_order_click_backhand({**sent, "clientOid": "turn"})
    assert answer["data"]["clientOid"] == "turn"
    (position,) = venue.fetch_positions([BTC])
    assert (position["side"], position["contracts"]) == ("short", 0.01)


def test_lists_have_pages(venue: ccxt.bitget) -> None:
    ids = [venue.create_order(BTC, "limit", "buy", 0.01, 59_000 - n)["id"] for n in range(5)]
    newest_first = sorted(map(int, ids), reverse=True)
    query: dict[str, Any] = {"productType": FUTURES, "symbol": "BTCUSDT", "limit": "2"}
    seen: list[int] = []
    while True:
        page = venue.private_mix_get_v2_mix_order_orders_pending(query)["data"]
        if not page["entrustedList"]:
            break
        seen += [int(row["orderId"]) for row in page["entrustedList"]]
        query["idLessThan"] = page["endId"]
    assert seen == newest_first
    assert [order["id"] for order in venue.fetch_open_orders(ETH)] == []


def test_the_same_client_id_may_come_again_once_the_order_is_done(venue: ccxt.bitget) -> None:
    """§8: unique among pending orders only."""
    first = venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "again"})
    venue.cancel_order(first["id"], BTC)
    second = venue.create_order(BTC, "limit", "buy", 0.01, 59_000, {"clientOrderId": "again"})
    assert second["id"] != first["id"]
    found = venue.private_mix_get_v2_mix_order_detail(
        {"symbol": "BTCUSDT", "productType": FUTURES, "clientOid": "again"}
    )
    assert found["data"]["orderId"] == second["id"]


def test_an_older_reduce_only_order_makes_room_for_a_new_one(venue: ccxt.bitget) -> None:
    """§8: the answer for the new one can lack its id; it is found by its client id."""
    venue.create_order(BTC, "market", "buy", 0.02)
    old = venue.create_order(BTC, "limit", "sell", 0.02, 61_000, {"reduceOnly": True})
    new = venue.create_order(
        BTC, "limit", "sell", 0.02, 62_000, {"reduceOnly": True, "clientOrderId": "newer"}
    )
    assert new["clientOrderId"] == "newer"
    assert venue.fetch_order(old["id"], BTC)["status"] == "canceled"
    assert [order["clientOrderId"] for order in venue.fetch_open_orders(BTC)] == ["newer"]
