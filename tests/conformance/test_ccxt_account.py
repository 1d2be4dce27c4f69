"""ccxt's account calls: balances, modes, leverage, margin, bills, funding, transfers."""

from __future__ import annotations

from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import ccxt
import pytest

from tests.conformance import codes
from tests.conformance.conftest import Refusals
from tests.conformance.venue import Control

D = Decimal
BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def test_leverage_is_set_and_read_back(venue: ccxt.bitget) -> None:
    """Sides are apart in isolated hedge mode only (§7)."""
    assert venue.fetch_leverage(BTC)["longLeverage"] == 10
    venue.set_leverage(25, BTC)
    found = venue.fetch_leverage(BTC)
    assert (found["marginMode"], found["longLeverage"], found["shortLeverage"]) == ("cross", 25, 25)
    venue.set_position_mode(True, BTC)
    venue.set_margin_mode("isolated", BTC)
    venue.set_leverage(5, BTC, {"holdSide": "long"})
    venue.set_leverage(7, BTC, {"holdSide": "short"})
    found = venue.fetch_leverage(BTC)
    assert (found["marginMode"], found["longLeverage"], found["shortLeverage"]) == ("isolated", 5, 7)
    venue.set_leverage(7, BTC, {"holdSide": "short"})  # an equal value succeeds


def test_modes_are_set_and_read_back(venue: ccxt.bitget) -> None:
    for mode in ("isolated", "cross", "isolated"):
        venue.set_margin_mode(mode, BTC)
        assert venue.fetch_margin_mode(BTC)["marginMode"] == mode
    assert venue.fetch_margin_mode(ETH)["marginMode"] == "cross"  # per symbol
    for hedged in (True, False):
        answer = venue.set_position_mode(hedged)
        wanted = "hedge_mode" if hedged else "one_way_mode"
        assert answer["data"]["posMode"] == wanted
        assert venue.fetch_leverage(BTC)["info"]["posMode"] == wanted


def test_leverage_tiers(venue: ccxt.bitget) -> None:
    tiers = venue.fetch_market_leverage_tiers(BTC)
    assert (tiers[0]["minNotional"], tiers[0]["maxLeverage"]) == (0.0, 125.0)
    assert tiers[0]["maintenanceMarginRate"] == 0.004
    for lower, upper in pairwise(tiers):
        assert lower["maxNotional"] == upper["minNotional"]
        assert lower["maxLeverage"] > upper["maxLeverage"]
        assert lower["maintenanceMarginRate"] <= upper["maintenanceMarginRate"]


def test_margin_is_added_and_taken(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    """E 60000, q 0.01, 10x: margin 60; 20 more move the liquidation 2000 / (1 - 0.0046) down."""
    venue.set_margin_mode("isolated", BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"marginMode": "isolated"})
    before = venue.fetch_positions([BTC])[0]
    free = venue.fetch_balance()["USDT"]["free"]
    venue.add_margin(BTC, 20, {"holdSide": "long"})
    after = venue.fetch_positions([BTC])[0]
    assert D(after["info"]["marginSize"]) - D(before["info"]["marginSize"]) == 20
    assert before["liquidationPrice"] - after["liquidationPrice"] == pytest.approx(2009.24, rel=1e-3)
    assert free - venue.fetch_balance()["USDT"]["free"] == pytest.approx(20)
    venue.reduce_margin(BTC, -5, {"holdSide": "long"})
    last = venue.fetch_positions([BTC])[0]
    assert D(last["info"]["marginSize"]) - D(before["info"]["marginSize"]) == 15
    venue.close_position(BTC)
    control.check_ledger(account, venue.fetch_balance()["info"][0]["accountEquity"])


def test_margin_refusals(venue: ccxt.bitget, refusals: Refusals) -> None:
    def add(amount: float) -> object:
        return venue.add_margin(BTC, amount, {"holdSide": "long"})

    assert refusals.code(lambda: add(10)) in codes.NO_POSITION | codes.NO_POSITION_TO_PROTECT | {"40746"}
    venue.set_margin_mode("isolated", BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"marginMode": "isolated"})
    assert refusals.code(lambda: add(1_000_000)) in codes.MARGIN
    # the initial margin is the least
    assert refusals.code(lambda: venue.reduce_margin(BTC, -30, {"holdSide": "long"})) in codes.MARGIN


def test_the_ledger_over_the_venues_own_bills(
    venue: ccxt.bitget, control: Control, account: dict[str, Any]
) -> None:
    venue.create_order(BTC, "market", "buy", 0.01)
    venue.close_position(BTC)
    bills = venue.private_mix_get_v2_mix_account_bill({"productType": "USDT-FUTURES"})["data"]["bills"]
    kinds = [bill["businessType"] for bill in bills]
    assert set(kinds) <= {"buy", "sell", "trans_from_exchange", "deposit"}  # one-way words of §7
    assert {"buy", "sell"} <= set(kinds)
    entries = venue.fetch_ledger("USDT")
    assert {entry["id"] for entry in entries} == {bill["billId"] for bill in bills}
    assert len({bill["billId"] for bill in bills}) == len(bills)
    moved = sum((D(bill["amount"]) + D(bill["fee"]) for bill in bills if bill["businessType"] in {"buy", "sell"}), D(0))  # fmt: skip
    balance = D(control.ledger(account)[-1]["balance"])
    assert D(bills[0]["balance"]) == balance
    assert moved == balance - 10_000
    first = venue.private_mix_get_v2_mix_account_bill({"productType": "USDT-FUTURES", "limit": "1"})["data"]
    assert [bill["billId"] for bill in first["bills"]] == [bills[0]["billId"]]
    rest = venue.private_mix_get_v2_mix_account_bill(
        {"productType": "USDT-FUTURES", "idLessThan": first["endId"]}
    )["data"]
    assert [bill["billId"] for bill in rest["bills"]] == [bill["billId"] for bill in bills[1:]]


def test_bills_in_hedge_mode(venue: ccxt.bitget) -> None:
    venue.set_position_mode(True, BTC)
    hedged = {"hedged": True}
    venue.create_order(BTC, "market", "buy", 0.01, None, hedged)
    venue.create_order(BTC, "market", "sell", 0.01, None, hedged)
    venue.close_all_positions()
    query = {"productType": "USDT-FUTURES"}
    bills = venue.private_mix_get_v2_mix_account_bill(query)["data"]["bills"]
    assert {bill["businessType"] for bill in bills} >= {
        "open_long",
        "open_short",
        "close_long",
        "close_short",
    }
    only = venue.private_mix_get_v2_mix_account_bill({**query, "businessType": "open_long"})["data"]["bills"]
    assert {bill["businessType"] for bill in only} == {"open_long"}


def test_funding_is_paid_by_the_long(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    """Rate 0.0001 on 600 of value: 0.06, in one settlement of eight hours."""
    venue.create_order(BTC, "market", "buy", 0.01)
    assert venue.fetch_funding_rate(BTC)["fundingRate"] == pytest.approx(0.0001)
    control.advance(8 * 3_600_000)
    (paid,) = venue.fetch_funding_history(BTC)
    assert (paid["symbol"], paid["code"]) == (BTC, "USDT")
    assert paid["amount"] == pytest.approx(-0.06, rel=0.01)
    (position,) = venue.fetch_positions([BTC])
    assert float(position["info"]["totalFee"]) == paid["amount"]
    history = venue.fetch_funding_rate_history(BTC)
    assert history[-1]["fundingRate"] == pytest.approx(0.0001)
    venue.close_position(BTC)
    (past,) = venue.fetch_positions_history([BTC])
    assert float(past["info"]["totalFunding"]) == paid["amount"]
    control.check_ledger(account, venue.fetch_balance()["info"][0]["accountEquity"])


def test_money_goes_to_spot_and_back(venue: ccxt.bitget, control: Control, account: dict[str, Any]) -> None:
    assert venue.transfer("USDT", 1500, "swap", "spot")["id"]
    assert venue.fetch_balance()["USDT"]["total"] == 8_500.0
    assert venue.fetch_balance({"type": "spot"})["USDT"] == {"free": 1500.0, "used": 0.0, "total": 1500.0}
    venue.transfer("USDT", 500, "spot", "swap")
    assert venue.fetch_balance({"type": "spot"})["USDT"]["total"] == 1000.0
    assert venue.fetch_balance()["USDT"]["total"] == 9_000.0
    kinds = [entry["info"]["businessType"] for entry in venue.fetch_ledger("USDT")]
    assert {"trans_to_exchange", "trans_from_exchange"} <= set(kinds)
    # both purses of one account: nothing appears or vanishes
    assert sum((D(row["amount"]) for row in control.ledger(account)), D(0)) == 10_000
    control.check_ledger(account, "9000")


def test_transfer_refusals(venue: ccxt.bitget, refusals: Refusals) -> None:
    assert refusals.code(lambda: venue.transfer("USDT", 10_000.01, "swap", "spot")) in codes.MONEY
    assert refusals.code(lambda: venue.transfer("USDT", 1, "spot", "swap")) in codes.MONEY
    sent = {"fromType": "usdt_futures", "toType": "spot", "coin": "USDT"}
    for amount in ("0", "-1", "x", "NaN", ""):
        code = refusals.code(
            partial(venue.private_spot_post_v2_spot_wallet_transfer, {**sent, "amount": amount})
        )
        assert code in codes.PARAMETER | codes.BELOW_SIZE, amount
    bad = {**sent, "amount": "1", "toType": "moon"}
    assert refusals.code(lambda: venue.private_spot_post_v2_spot_wallet_transfer(bad)) in codes.PARAMETER
    venue.create_order(BTC, "market", "buy", 0.1)  # 600 of margin at 10x is bound
    assert refusals.code(lambda: venue.transfer("USDT", 9_900, "swap", "spot")) in codes.MONEY


def test_what_can_be_opened_and_where_it_ends(venue: ccxt.bitget) -> None:
    venue.set_margin_mode("isolated", BTC)
    call = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT", "posSide": "long"}
    market = {**call, "orderType": "market", "openPrice": "60000"}
    most = float(venue.private_mix_get_v2_mix_account_max_open(market)["data"]["maxOpen"])
    # 10000 / (60000 / 10 + 60000 x 0.0006) = 1.6567
    assert most == pytest.approx(1.6567, rel=0.01)
    price = venue.private_mix_get_v2_mix_account_liq_price({**market, "openAmount": "0.01"})["data"][
        "liqPrice"
    ]
    # (600 - 60) / (0.01 x 0.9954) = 54249.55
    assert float(price) == pytest.approx(54_249.55, rel=1e-3)
    count = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES", "marginCoin": "USDT"}
    size = venue.private_mix_get_v2_mix_account_open_count(
        {**count, "openAmount": "600", "openPrice": "60000", "leverage": "10"}
    )["data"]["size"]
    # 600 of margin at 10x: 6000 of value, less the opening fee
    assert float(size) == pytest.approx(0.0994, abs=0.0007)


def test_the_automatic_margin_switch(venue: ccxt.bitget) -> None:
    venue.set_margin_mode("isolated", BTC)
    venue.create_order(BTC, "market", "buy", 0.01, None, {"marginMode": "isolated"})
    call = {"symbol": "BTCUSDT", "marginCoin": "USDT", "holdSide": "long"}
    for switch in ("on", "off"):
        venue.private_mix_post_v2_mix_account_set_auto_margin({**call, "autoMargin": switch})
        assert venue.fetch_positions([BTC])[0]["info"]["autoMargin"] == switch


def test_the_account_in_numbers(venue: ccxt.bitget, control: Control) -> None:
    """0.1 at 10x: 600 bound; the price rises by 1000: 100 more of equity."""
    venue.create_order(BTC, "market", "buy", 0.1)
    before = D(venue.fetch_balance()["info"][0]["accountEquity"])
    with control.held("BTCUSDT", "61000"):
        row = venue.fetch_balance()["info"][0]
        (position,) = venue.fetch_positions([BTC])
        assert D(row["accountEquity"]) - before == pytest.approx(D(100), rel=D("0.01"))
        assert row["unrealizedPL"] == position["info"]["unrealizedPL"]
        assert float(row["crossedMargin"]) == pytest.approx(600, rel=0.01)
        assert position["percentage"] == pytest.approx(16.6, rel=0.03)
    assert venue.fetch_balance()["info"][0]["assetList"][0]["coin"] == "USDT"


def test_key_information(venue: ccxt.bitget, account: dict[str, Any]) -> None:
    info = venue.private_spot_get_v2_spot_account_info()["data"]
    assert info["userId"] == str(account["id"])
    assert info["authorities"]
    all_of_it = venue.private_spot_get_v2_account_all_account_balance()["data"]
    assert {row["accountType"]: row["usdtBalance"] for row in all_of_it}["futures"] == "10000"


def test_an_empty_account_is_told_so(control: Control, venue: ccxt.bitget, refusals: Refusals) -> None:
    refusals.account = control.account("0")
    for name, value in (("apiKey", "key"), ("secret", "secret"), ("password", "passphrase")):
        setattr(venue, name, refusals.account[value])
    assert refusals.code(lambda: venue.create_order(BTC, "market", "buy", 0.01)) == "40754"


def test_wrong_credentials(venue: ccxt.bitget, refusals: Refusals) -> None:
    wrong = ccxt.AuthenticationError
    venue.secret = "wrong"
    assert refusals.code(venue.fetch_balance, error=wrong) == "40009"
    venue.password = "wrong"
    assert refusals.code(venue.fetch_balance, error=wrong) == "40012"
    venue.apiKey = "wrong"
    assert refusals.code(venue.fetch_balance, error=wrong) in {"40006", "40037"}


def test_a_unified_key_is_told_so_before_its_signature_is_looked_at(
    control: Control, venue: ccxt.bitget, refusals: Refusals
) -> None:
    unified = control.account(kind="unified")
    refusals.account = unified
    venue.apiKey, venue.secret, venue.password = unified["key"], "wrong", unified["passphrase"]
    assert refusals.code(venue.fetch_balance) == "40085"


def test_the_unified_probe_finds_a_classic_account(venue: ccxt.bitget) -> None:
    venue.options["uta"] = None
    assert venue.fetch_balance()["USDT"]["total"] == 10_000.0
    assert venue.options["uta"] is False
