"""ccxt trades on a unified account (``options.uta``): orders and positions of contracts, money to the last decimal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.conformance.venue import Control

D = Decimal
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
FUTURES = "USDT-FUTURES"


def held(venue: ccxt.bitget) -> dict[str, float]:
    return {row["side"]: row["contracts"] for row in venue.fetch_positions([BTC])}


def resting(venue: ccxt.bitget, price: float = 59_000, amount: float = 0.01, **params: Any) -> dict[str, Any]:
    placed: dict[str, Any] = venue.create_order(BTC, "limit", "buy", amount, price, params)
    return placed


def opened_as_maker(venue: ccxt.bitget, control: Control) -> None:
    """0.01 long at exactly 59000: a fee of 590 x 0.0002."""
    resting(venue)
    with control.held("BTCUSDT", "58900"):
        assert held(venue) == {"long": 0.01}


def test_the_whole_way_of_a_trade(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    """0.005 bought at 60000 and sold at 59999.9, taker 0.0006 both ways."""
    venue = uta
    assert venue.fetch_balance()["USDT"] == {"free": 10_000.0, "used": 0.0, "total": 10_000.0, "debt": 0.0}
    assert venue.set_leverage(20, BTC)["data"] == "success"
    placed = venue.create_order(BTC, "market", "buy", 0.005, None, {"clientOrderId": "way"})
    order = venue.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["side"], order["info"]["avgPrice"]) == (
        "closed",
        0.005,
        "buy",
        "60000",
    )
    assert (order["clientOrderId"], order["info"]["feeDetail"]) == (
        "way",
        [{"feeCoin": "USDT", "fee": "0.18"}],
    )
    (position,) = venue.fetch_positions([BTC])
    assert (position["side"], position["contracts"], position["leverage"], position["entryPrice"]) == (
        "long",
        0.005,
        20.0,
        60_000.0,
    )
    assert (position["marginMode"], position["hedged"]) == ("cross", False)
    (fill,) = venue.fetch_my_trades(BTC)
    assert (fill["order"], fill["price"], fill["amount"], fill["takerOrMaker"]) == (
        placed["id"],
        60_000.0,
        0.005,
        "taker",
    )
    assert fill["info"]["feeDetail"] == [{"feeCoin": "USDT", "fee": "0.18"}]
    closing = venue.close_position(BTC)
    assert venue.fetch_order(closing["id"], BTC)["status"] == "closed"
    assert venue.fetch_positions([BTC]) == []
    control.check_money(
        unified_account,
        ("open_fee", "-0.18"),
        ("realised_pnl", "-0.0005"),
        ("close_fee", "-0.1799997"),
    )
    assert venue.fetch_balance()["USDT"]["total"] == 9_999.6395003
    (past,) = venue.fetch_positions_history([BTC])
    assert past["info"]["netProfit"] == "-0.3604997"
    assert (past["info"]["cumRealisedPnl"], past["info"]["openFeeTotal"], past["info"]["closeFeeTotal"]) == (
        "-0.0005",
        "-0.18",
        "-0.1799997",
    )


@pytest.mark.parametrize("hedged", [False, True])
def test_opening_adding_reducing_and_closing(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any], hedged: bool
) -> None:
    """Hedge mode has the true trade side: a long is closed by a sell with ``posSide`` long (§13)."""
    venue = uta
    if hedged:
        venue.set_position_mode(True, BTC)
    mode: dict[str, Any] = {"hedged": True} if hedged else {}
    for side, opposite, name in (("buy", "sell", "long"), ("sell", "buy", "short")):
        venue.create_order(BTC, "market", side, 0.01, None, mode)
        venue.create_order(BTC, "market", side, 0.02, None, mode)
        (position,) = venue.fetch_positions([BTC])
        assert (position["side"], position["contracts"], position["hedged"]) == (name, 0.03, hedged)
        reduced = venue.create_order(BTC, "market", opposite, 0.01, None, mode | {"reduceOnly": True})
        order = venue.fetch_order(reduced["id"], BTC)
        assert (order["status"], order["filled"], order["side"]) == ("closed", 0.01, opposite)
        assert order["info"]["holdMode"] == ("hedge_mode" if hedged else "one_way_mode")
        if hedged:
            assert order["info"]["posSide"] == name
        assert held(venue) == {name: 0.02}
        venue.create_order(BTC, "market", opposite, 0.02, None, mode | {"reduceOnly": True})
        assert held(venue) == {}
    assert {row["side"] for row in venue.fetch_positions_history([BTC])} == {"long", "short"}
    control.check_sum(unified_account, venue.fetch_balance()["info"]["data"]["accountEquity"])


def test_hedge_mode_holds_both_sides_and_closes_one(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    venue = uta
    venue.set_position_mode(True, BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"hedged": True})
    venue.create_order(BTC, "market", "sell", 0.02, None, {"hedged": True})
    assert held(venue) == {"long": 0.01, "short": 0.02}
    venue.close_position(BTC, "long")
    assert held(venue) == {"short": 0.02}
    venue.create_order(BTC, "market", "buy", 0.01, None, {"posSide": "long"})
    assert held(venue) == {"long": 0.01, "short": 0.02}
    assert len(venue.close_all_positions()) == 2
    assert held(venue) == {}
    control.check_sum(unified_account, venue.fetch_balance()["info"]["data"]["accountEquity"])


def test_one_way_mode_nets_and_flips(uta: ccxt.bitget) -> None:
    uta.create_order(BTC, "market", "buy", 0.01)
    uta.create_order(BTC, "market", "sell", 0.03)
    assert held(uta) == {"short": 0.02}
    assert [row["side"] for row in uta.fetch_positions_history([BTC])] == ["long"]


def test_limit_orders(uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]) -> None:
    venue = uta
    placed = resting(venue, clientOrderId="c1", timeInForce="GTC")
    (pending,) = venue.fetch_open_orders(BTC)
    assert (pending["id"], pending["clientOrderId"], pending["price"], pending["amount"]) == (
        placed["id"],
        "c1",
        59_000.0,
        0.01,
    )
    assert (pending["status"], pending["timeInForce"], pending["filled"]) == ("open", "GTC", 0.0)
    assert venue.fetch_balance()["USDT"]["free"] < 10_000
    by_client = venue.fetch_order("", BTC, {"clientOrderId": "c1"})
    assert by_client["id"] == placed["id"]
    venue.cancel_order(placed["id"], BTC)
    assert venue.fetch_open_orders(BTC) == []
    assert [order["id"] for order in venue.fetch_canceled_orders(BTC)] == [placed["id"]]
    other = resting(venue, clientOrderId="c2")
    assert venue.cancel_order("", BTC, {"clientOrderId": "c2"})["id"] == other["id"]
    control.check_money(unified_account)
    assert venue.fetch_balance()["USDT"]["free"] == 10_000.0


def test_a_resting_order_fills_as_maker(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    placed = resting(uta)
    with control.held("BTCUSDT", "58900"):
        order = uta.fetch_order(placed["id"], BTC)
        assert (order["status"], order["info"]["avgPrice"], order["filled"]) == ("closed", "59000", 0.01)
        fills = uta.fetch_my_trades(BTC)
        assert {(fill["order"], fill["takerOrMaker"], fill["price"]) for fill in fills} == {
            (placed["id"], "maker", 59_000.0)
        }
        assert sum(fill["amount"] for fill in fills) == pytest.approx(0.01)
        assert sum(D(fill["info"]["feeDetail"][0]["fee"]) for fill in fills) == D("0.118")
        assert [order["id"] for order in uta.fetch_closed_orders(BTC)] == [placed["id"]]
    assert control.call(f"/accounts/{unified_account['id']}")["balance"] == "9999.882"


@pytest.mark.parametrize("force", ["IOC", "FOK"])
def test_what_cannot_fill_at_once_is_cancelled(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any], force: str
) -> None:
    placed = resting(uta, timeInForce=force)
    order = uta.fetch_order(placed["id"], BTC)
    assert (order["status"], order["filled"], order["timeInForce"]) == ("canceled", 0.0, force)
    taken = resting(uta, 60_100, timeInForce=force)
    assert uta.fetch_order(taken["id"], BTC)["status"] == "closed"
    assert control.ledger(unified_account)[-1]["kind"] == "open_fee"


def test_post_only_never_takes(uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]) -> None:
    crossing = uta.fetch_order(resting(uta, 60_500, postOnly=True)["id"], BTC)
    assert (crossing["status"], crossing["filled"]) == ("canceled", 0.0)
    order = uta.fetch_order(resting(uta, postOnly=True)["id"], BTC)
    assert (order["status"], order["timeInForce"]) == ("open", "PO")
    uta.cancel_order(order["id"], BTC)
    control.check_money(unified_account)


def test_reduce_only_never_opens(uta: ccxt.bitget) -> None:
    uta.create_order(BTC, "market", "buy", 0.01)
    placed = uta.create_order(BTC, "limit", "sell", 0.01, 61_000, {"reduceOnly": True})
    assert uta.fetch_order(placed["id"], BTC)["reduceOnly"] is True
    uta.close_position(BTC)
    assert uta.fetch_order(placed["id"], BTC)["status"] == "canceled"


def test_batches(uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]) -> None:
    wanted: list[dict[str, Any]] = [
        {"symbol": BTC, "type": "limit", "side": "buy", "amount": 0.01, "price": price, "params": {}}
        for price in (59_000, 58_000, 57_000)
    ]
    wanted[1]["params"] = {"clientOrderId": "second"}
    placed = uta.create_orders(wanted)
    assert len({order["id"] for order in placed}) == 3
    pending = {order["id"]: order for order in uta.fetch_open_orders(BTC)}
    assert set(pending) == {order["id"] for order in placed}
    assert {order["price"] for order in pending.values()} == {59_000.0, 58_000.0, 57_000.0}
    assert "second" in {order["clientOrderId"] for order in pending.values()}
    gone = uta.cancel_orders([placed[0]["id"], placed[1]["id"]], BTC)
    assert [order["id"] for order in gone] == [placed[0]["id"], placed[1]["id"]]
    assert [order["id"] for order in uta.cancel_all_orders(BTC)] == [placed[2]["id"]]
    assert uta.fetch_open_orders(BTC) == []
    control.check_money(unified_account)


def test_a_bad_order_in_a_batch_fails_alone(uta: ccxt.bitget) -> None:
    order = {"category": FUTURES, "symbol": "BTCUSDT", "side": "buy", "orderType": "limit", "price": "59000"}
    answer = uta.private_uta_post_v3_trade_place_batch(
        [
            {**order, "qty": "0.01", "clientOid": "good"},
            {**order, "qty": "0.0000001", "clientOid": "tiny"},
            {**order, "qty": "0.01", "clientOid": "good"},
        ]
    )
    assert answer["code"] == "00000"
    good, tiny, twice = answer["data"]
    assert (good["clientOid"], tiny["clientOid"]) == ("good", "tiny")
    assert good["orderId"]
    assert (tiny["code"], twice["code"]) == ("25610", "25212")
    assert [row["clientOrderId"] for row in uta.fetch_open_orders(BTC)] == ["good"]


def test_an_order_is_edited(uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]) -> None:
    placed = resting(uta, clientOrderId="first")
    uta.edit_order(placed["id"], BTC, "limit", "buy", 0.02, 58_500)
    (order,) = uta.fetch_open_orders(BTC)
    assert (order["price"], order["amount"]) == (58_500.0, 0.02)
    uta.cancel_all_orders(BTC)
    control.check_money(unified_account)


def test_leverage_and_hold_mode_are_read_back(uta: ccxt.bitget) -> None:
    def settings() -> Any:
        return uta.private_uta_get_v3_account_settings()["data"]

    assert settings()["holdMode"] == "one_way_mode"
    uta.set_leverage(25, BTC)
    shown = {row["symbol"]: row for row in settings()["symbolConfigList"]}
    assert (shown["BTCUSDT"]["leverage"], shown["BTCUSDT"]["category"]) == ("25", FUTURES)
    for hedged in (True, False):
        assert uta.set_position_mode(hedged)["data"] == "success"
        assert settings()["holdMode"] == ("hedge_mode" if hedged else "one_way_mode")


def test_lists_have_pages(uta: ccxt.bitget) -> None:
    ids = [resting(uta, 59_000 - n)["id"] for n in range(5)]
    query: dict[str, Any] = {"category": FUTURES, "limit": "2"}
    seen: list[str] = []
    while True:
        page = uta.private_uta_get_v3_trade_unfilled_orders(query)["data"]
        seen += [row["orderId"] for row in page["list"] or []]  # null and [] both occur (§13)
        if page["cursor"] is None:
            break
        query["cursor"] = page["cursor"]
    assert seen == sorted(ids, key=int, reverse=True)
    assert uta.fetch_open_orders(ETH) == []


def test_the_ledger_over_the_venues_own_records(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    opened_as_maker(uta, control)
    uta.close_position(BTC)
    records = uta.private_uta_get_v3_account_financial_records({"category": FUTURES})["data"]["list"]
    assert len({row["id"] for row in records}) == len(records)
    assert all(row["coin"] == "USDT" for row in records)
    last = control.ledger(unified_account)[-1]["balance"]
    assert float(records[0]["balance"]) == pytest.approx(float(last))
    moved = sum(float(row["amount"]) + float(row["fee"]) for row in records if row["symbol"] == "BTCUSDT")
    assert moved == pytest.approx(float(last) - 10_000)
    assert {entry["id"] for entry in uta.fetch_ledger("USDT")} == {row["id"] for row in records}
    control.check_sum(unified_account, last)


def test_funding_is_booked(uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]) -> None:
    """590 USDT at a mark of 60000 make 600 of notional: at 0.0001 a long pays 0.06."""
    opened_as_maker(uta, control)
    shown = control.call("/symbols/BTCUSDT")
    now = control.call("/clock", {"advance_ms": 0})["now_ns"] // 10**6
    control.advance(shown["next_ms"] - now + 1_000)
    rows = [row for row in control.ledger(unified_account) if row["kind"] == "funding"]
    assert [row["amount"] for row in rows] == ["-0.06"]
    (paid,) = uta.fetch_funding_history(BTC)
    assert (paid["amount"], paid["symbol"]) == (-0.06, BTC)
    (position,) = uta.fetch_positions([BTC])
    assert position["info"]["totalFunding"] == "-0.06"


def test_a_long_is_liquidated_by_the_mark_price(
    uta: ccxt.bitget, control: Control, unified_account: dict[str, Any]
) -> None:
    """E 60000, q 0.005, 10x isolated: margin 30, liquidation (300 - 30) / (0.005 (1 - 0.0046)) = 54249.55 (§15)."""
    sent = {"category": FUTURES, "symbol": "BTCUSDT", "marginMode": "isolated"}
    uta.private_uta_post_v3_account_set_leverage({**sent, "leverage": "10"})
    order = {**sent, "side": "buy", "orderType": "market", "qty": "0.005", "takeProfit": "70000"}
    uta.private_uta_post_v3_trade_place_order(order)
    (position,) = uta.fetch_positions([BTC])
    assert (position["marginMode"], position["liquidationPrice"]) == (
        "isolated",
        pytest.approx(54_249.55, abs=0.1),
    )
    with control.held("BTCUSDT", "54250"):
        assert held(uta) == {"long": 0.005}
    with control.held("BTCUSDT", "54249"):
        assert held(uta) == {}
    assert uta.fetch_open_orders(BTC, params={"trigger": True}) == []
    assert uta.fetch_balance()["USDT"]["total"] == 9_969.82
    (past,) = uta.fetch_positions_history([BTC])
    assert past["info"]["closeTotalPos"] == "0.005"
    fill = uta.fetch_my_trades(BTC)[-1]
    assert (fill["side"], fill["amount"]) == ("sell", 0.005)
    order = uta.fetch_order(fill["order"], BTC)["info"]
    assert order["execType"] == "liquidation"
    control.check_sum(unified_account, "9969.82")
