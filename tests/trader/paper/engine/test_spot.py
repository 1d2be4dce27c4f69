"""Spot trading by hand: every number here is worked out on paper. Fee 0.1 % of what is got."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from tests.trader.paper.bench import BTC
from tests.trader.paper.engine.spotbench import ETHBTC, SpotBench
from trader.paper.engine.batch import Query
from trader.paper.engine.model import ClientIds, Force, MarginMode, State
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.engine.spot_model import PlanUnit, SpotPlanState

D = Decimal


def test_a_market_buy_spends_quote_currency_and_pays_its_fee_in_coins() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="1000")
    bench.levels([("49999", "1")], [("50000", "0.003"), ("50010", "5")])
    order = bench.buy(account, "500")
    # 0.003 at 50000 = 150; 350 / 50010 = 0.00699... -> 0.0069 = 345.069; together 495.069
    assert (order.state, order.filled, order.value) == (State.FILLED, D("0.0099"), D("495.069"))
    assert order.fee == D("-0.0000099")
    assert bench.coins(account) == {"USDT": ("504.931", "0"), "BTC": ("0.0098901", "0")}
    assert [(e.kind.value, e.coin, str(e.amount.normalize())) for e in bench.ledger(account)] == [
        ("deposit", "USDT", "1E+3"),
        ("spot_buy", "USDT", "-1.5E+2"),
        ("spot_buy", "BTC", "0.003"),
        ("spot_fee", "BTC", "-0.000003"),
        ("spot_buy", "USDT", "-345.069"),
        ("spot_buy", "BTC", "0.0069"),
        ("spot_fee", "BTC", "-0.0000069"),
    ]
    bills = bench.engine.spot.store.bills(account.id, SpotQuery(coin="BTC"))
    assert [(b.business, b.size, b.fee, b.balance) for b in bills] == [
        ("buy", D("0.0069"), D("-0.0000069"), D("0.0098901")),
        ("buy", D("0.003"), D("-0.000003"), D("0.002997")),
    ]


def test_a_market_buy_that_empties_the_book_is_cancelled_with_what_it_got() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="1000")
    bench.levels([("49999", "1")], [("50000", "0.003")])
    order = bench.buy(account, "500")
    assert (order.state, order.filled) == (State.CANCELED, D("0.003"))
    assert bench.coins(account) == {"USDT": ("850", "0"), "BTC": ("0.002997", "0")}


def test_a_sell_pays_its_fee_in_quote_currency() -> None:
    bench = SpotBench()
    account = bench.rich(BTC="0.5")
    bench.levels([("50000", "0.1"), ("49990", "1")], [("50001", "1")])
    order = bench.sell(account, "0.3")
    # 0.1 x 50000 + 0.2 x 49990 = 14998; fee 14.998
    assert (order.state, order.value, order.fee) == (State.FILLED, D(14998), D("-14.998"))
    assert bench.coins(account) == {"BTC": ("0.2", "0"), "USDT": ("14983.002", "0")}


def test_resting_orders_lock_what_they_need_and_give_it_back() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="10000", BTC="1")
    buy = bench.buy(account, "0.1", "49000")
    sell = bench.sell(account, "0.4", "51000")
    assert bench.coins(account) == {"USDT": ("10000", "4900"), "BTC": ("1", "0.4")}
    bench.engine.spot.cancel(account, sell)
    assert bench.coins(account)["BTC"] == ("1", "0")
    bench.to(49_000 - 1)  # the ask is 48999.1
    assert (buy.state, buy.average, buy.fee) == (State.FILLED, D(49000), D("-0.0001"))
    assert bench.coins(account) == {"USDT": ("5100", "0"), "BTC": ("1.0999", "0")}
    (fill,) = bench.engine.spot.store.fills(account.id, SpotQuery())
    assert (fill.taker, fill.price, fill.fee_coin) == (False, D(49000), "BTC")


def test_a_crossing_limit_order_takes_first_and_rests_with_the_remainder() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="10000")
    bench.levels([("49990", "1")], [("50000", "0.05"), ("50100", "1")])
    order = bench.buy(account, "0.1", "50050")
    assert (order.state, order.filled, order.locked) == (State.PARTIALLY_FILLED, D("0.05"), D("2502.5"))
    assert bench.coins(account) == {"USDT": ("7500", "2502.5"), "BTC": ("0.04995", "0")}
    bench.hub.feed_trade(bench.spot(), D("50040"), D(1), "sell", bench.now())
    assert (order.state, order.value) == (State.FILLED, D("5002.5"))
    assert bench.coins(account) == {"USDT": ("4997.5", "0"), "BTC": ("0.0999", "0")}


def test_time_in_force() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="10000")
    bench.levels([("49990", "1")], [("50000", "0.05"), ("50100", "1")])
    fok = bench.buy(account, "0.1", "50050", force=Force.FOK)
    assert (fok.state, fok.filled) == (State.CANCELED, D(0))
    post = bench.buy(account, "0.1", "50000", force=Force.POST_ONLY)
    assert (post.state, post.filled) == (State.CANCELED, D(0))
    ioc = bench.buy(account, "0.1", "50050", force=Force.IOC)
    assert (ioc.state, ioc.filled) == (State.CANCELED, D("0.05"))
    assert bench.coins(account)["USDT"] == ("7500", "0")
    rests = bench.buy(account, "0.1", "49999", force=Force.POST_ONLY)
    assert rests.state is State.LIVE


def test_a_replacement_may_use_the_money_of_the_old_order() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="5000")
    old = bench.buy(account, "0.1", "49000", client="a")
    new = bench.engine.spot.replace(account, old, D("48000"), D("0.104"), client_id="b")
    assert (old.state, new.state) == (State.CANCELED, State.LIVE)
    assert bench.coins(account) == {"USDT": ("5000", "4992")}
    before = bench.everything()
    with pytest.raises(Refused) as refused:
        bench.engine.spot.replace(account, new, D("48000"), D("0.105"))
    assert refused.value.reason is Reason.NO_BALANCE
    assert bench.everything() == before


def test_a_waiting_order_locks_its_money_until_its_trigger() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="6000", BTC="0.1")
    stop = bench.sell(account, "0.1", trigger="48000")
    entry = bench.buy(account, "600", trigger="51000")
    limit = bench.buy(account, "0.1", "52000", trigger="51500")
    assert bench.coins(account) == {"USDT": ("6000", "5800"), "BTC": ("0.1", "0.1")}
    bench.to(51_000)  # ask 51000.1: 600 / 51000.1 -> 0.0117 = 596.70117
    assert (entry.state, entry.filled, entry.value) == (State.FILLED, D("0.0117"), D("596.70117"))
    assert bench.coins(account)["USDT"] == ("5403.29883", "5200")
    bench.to(51_500)  # crosses at 51500.1: 5150.01
    assert (limit.state, limit.value) == (State.FILLED, D("5150.01"))
    bench.to(48_001)
    assert stop.state is State.LIVE
    bench.to(48_000)
    assert (stop.state, stop.value) == (State.FILLED, D(4800))
    assert account.spot.locked == {}


def test_a_plan_becomes_an_order_that_carries_its_id() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="1000")
    plan = bench.spot_plan(account, "buy", "500", "49000", unit=PlanUnit.QUOTE)
    poor = bench.spot_plan(account, "sell", "0.5", "49000")
    assert bench.coins(account) == {"USDT": ("1000", "0")}
    bench.to(49_000)
    assert plan.state is SpotPlanState.EXECUTED
    order = bench.engine.spot.order(account, client_id=str(plan.id))
    assert order is not None
    assert (order.id, order.state, order.filled) == (plan.execute_order_id, State.FILLED, D("0.0102"))
    assert poor.state is SpotPlanState.FAILED
    assert not account.spot.plans


def test_protection_that_rides_on_a_buy_sells_what_was_got_and_goes_together() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="10000")
    bench.buy(account, "0.1", "49000", tp="52000", sl="47000")
    assert not account.spot.plans
    bench.to(48_900)
    assert {(p.trigger, p.side.value, p.size) for p in account.spot.plans.values()} == {
        (D(52000), "sell", D("0.0999")),
        (D(47000), "sell", D("0.0999")),
    }
    bench.to(46_900)
    assert not account.spot.plans
    states = {p.trigger: p.state for p in bench.engine.spot.store.plans(account.id, SpotQuery())}
    assert states == {D(47000): SpotPlanState.EXECUTED, D(52000): SpotPlanState.CANCELLED}
    assert bench.coins(account)["BTC"] == ("0", "0")


def test_a_transfer_moves_what_no_margin_binds() -> None:
    bench = SpotBench()
    account = bench.rich("1000", USDT="50")
    bench.order(account, "buy", "0.1")  # at 50000.1, ten times: 500.001 of margin, 3.000006 of fee
    assert account.funds(bench.engine.core.mark).free == D("496.998994")
    before = bench.everything()
    with pytest.raises(Refused) as refused:
        bench.engine.spot.transfer(account, "futures", "spot", D("496.999"))
    assert refused.value.reason is Reason.ABOVE_BALANCE
    assert bench.everything() == before
    done = bench.engine.spot.transfer(account, "futures", "spot", D("300"), "t1")
    assert bench.coins(account) == {"USDT": ("350", "0")}
    assert [(e.kind.value, e.wallet, e.amount) for e in bench.ledger(account)[-2:]] == [
        ("transfer_out", "futures", D(-300)),
        ("transfer_in", "spot", D(300)),
    ]
    assert bench.engine.spot.store.transfers(account.id, SpotQuery()) == [done]
    with pytest.raises(Refused) as again:
        bench.engine.spot.transfer(account, "futures", "spot", D("1"), "t1")
    assert again.value.reason is Reason.DUPLICATE_CLIENT_ID
    bench.buy(account, "0.002", "49000")
    with pytest.raises(Refused) as locked:
        bench.engine.spot.transfer(account, "spot", "futures", D("252.01"))
    assert locked.value.reason is Reason.NO_BALANCE
    bench.engine.spot.transfer(account, "spot", "futures", D("252"))
    assert bench.coins(account) == {"USDT": ("98", "98")}


def test_money_between_coins_without_usdt() -> None:
    bench = SpotBench()
    account = bench.rich(BTC="1")
    bench.buy(account, "0.4", symbol=ETHBTC)
    # ask 0.04001: 0.4 / 0.04001 -> 9.997 = 0.39997997
    assert bench.coins(account) == {"BTC": ("0.60002003", "0"), "ETH": ("9.987003", "0")}
    with pytest.raises(Refused) as small:
        bench.buy(account, "0.00001", symbol=ETHBTC)  # half a dollar
    assert small.value.reason is Reason.VALUE_MINIMUM


def test_spot_and_contract_of_one_name_stay_apart() -> None:
    bench = SpotBench()
    account = bench.rich("10000", USDT="10000")
    contract = bench.order(account, "buy", "0.1", "49000", client="same")
    coins = bench.buy(account, "0.1", "49000", client="same")
    assert account.orders == {contract.id: contract}
    assert account.spot.orders == {coins.id: coins}
    bench.move(BTC, 48_000)
    assert (contract.state, coins.state) == (State.FILLED, State.LIVE)
    assert bench.engine.spot.order(account, client_id="same") is coins
    assert len(bench.engine.fills(account, Query())) == 1
    bench.engine.set_margin_mode(account, "ETHUSDT", MarginMode.ISOLATED)
    assert bench.coins(account) == {"USDT": ("10000", "4900")}


REFUSALS = [
    ("buy", "0", "49000", Reason.SIZE_MINIMUM),
    ("buy", "0.00001", "49000", Reason.SIZE_DECIMALS),
    ("buy", "1000.1", "49000", Reason.SIZE_MAXIMUM),
    ("sell", "100.1", None, Reason.SIZE_MAXIMUM),
    ("buy", "0.0001", "49000.01", Reason.PRICE_DECIMALS),
    ("buy", "0.01", "52500.1", Reason.PRICE_TOO_HIGH),
    ("sell", "0.01", "47499.9", Reason.PRICE_TOO_LOW),
    ("buy", "0.99", None, Reason.VALUE_MINIMUM),
    ("buy", "1.000000001", None, Reason.SIZE_DECIMALS),
    ("buy", "4", None, Reason.SIZE_MINIMUM),
    ("buy", "1000.01", None, Reason.NO_BALANCE),
    ("buy", "0.0205", "49000", Reason.NO_BALANCE),
    ("sell", "0.5001", None, Reason.NO_BALANCE),
    ("sell", "0.5001", "51000", Reason.NO_BALANCE),
    ("buy", "NaN", "49000", Reason.BAD_VALUE),
    ("buy", "1e19", None, Reason.BAD_VALUE),
    ("buy", "-1", None, Reason.BAD_VALUE),
]


@pytest.mark.parametrize(("side", "size", "price", "reason"), REFUSALS)
def test_a_refused_order_changes_nothing(side: str, size: str, price: str | None, reason: Reason) -> None:
    bench = SpotBench()
    account = bench.rich(USDT="1000", BTC="0.5")
    before = bench.everything()
    with pytest.raises(Refused) as refused:
        (bench.buy if side == "buy" else bench.sell)(account, size, price)
    assert refused.value.reason is reason
    assert bench.everything() == before
    assert not bench.engine.core.batch


def test_other_refusals() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="1000", BTC="0.5")
    bench.buy(account, "0.001", "49000", client="a")
    before = bench.everything()
    for reason, more in (
        (Reason.DUPLICATE_CLIENT_ID, {"client": "a"}),
        (Reason.BAD_CLIENT_ID, {"client": "ä"}),
        (Reason.UNKNOWN_SYMBOL, {"symbol": "XYZUSDT"}),
        (Reason.LONG_TAKE_PROFIT_PRICE, {"tp": "48000"}),
        (Reason.LONG_STOP_LOSS_PRICE, {"sl": "49500"}),
    ):
        with pytest.raises(Refused) as refused:
            bench.buy(account, "0.001", "49000", **more)
        assert refused.value.reason is reason
    bench.hub.set_status(bench.spot(), "maintain")
    with pytest.raises(Refused) as halted:
        bench.buy(account, "0.001", "49000")
    assert halted.value.reason is Reason.MAINTENANCE
    bench.hub.set_status(bench.spot(), "off")
    with pytest.raises(Refused) as removed:
        bench.spot_plan(account, "buy", "0.001", "49000")
    assert removed.value.reason is Reason.DELISTED
    assert bench.everything() == before
    bench.engine.spot.cancel_all(account, BTC)
    assert account.spot.locked == {}


def test_nothing_trades_before_the_opening_and_a_sell_does_in_its_first_moment() -> None:
    bench = SpotBench()
    account = bench.rich(NEW="100")
    opens = bench.clock.now_ns() // 1_000_000 + 5_000
    rules = msgspec.structs.replace(bench.spot().spec, symbol="NEWUSDT", base="NEW", open_time_ms=opens)
    bench.hub.add(rules, D(2))
    with pytest.raises(Refused) as early:
        bench.sell(account, "100", symbol="NEWUSDT")
    assert early.value.reason is Reason.NOT_OPEN
    bench.clock.advance(5_000)
    bench.hub.tick(opens * 1_000_000)
    order = bench.sell(account, "100", symbol="NEWUSDT")
    assert (order.state, order.filled) == (State.FILLED, D(100))
    assert order.created_ns // 1_000_000 <= opens + 10
    assert bench.coins(account)["NEW"] == ("0", "0")


def test_a_restart_brings_orders_plans_and_locks_back() -> None:
    bench = SpotBench()
    account = bench.rich("1000", USDT="5000", BTC="1")
    bench.buy(account, "0.02", "49000", client="a", tp="60000")
    bench.sell(account, "0.3", trigger="45000")
    bench.spot_plan(account, "sell", "0.1", "55000", "55100")
    before = bench.everything()
    bench.restart()
    assert bench.everything() == before
    account = bench.engine.accounts[0]
    assert bench.coins(account) == {"USDT": ("5000", "980"), "BTC": ("1", "0.3")}
    bench.to(44_000)
    assert account.spot.locked == {}
    assert bench.coins(account)["BTC"] == ("0.71998", "0")


def test_what_was_taken_from_the_book_is_gone_for_the_next() -> None:
    bench = SpotBench()
    account, other = bench.rich(BTC="1"), bench.rich(USDT="9000")
    bench.levels([("50000", "0.1"), ("49990", "1")], [("50001", "0.1"), ("50011", "1")])
    bench.sell(account, "0.06")
    second = bench.sell(account, "0.1")
    # 0.04 at 50000 is left, 0.06 trades at 49990: 2000 + 2999.4
    assert (second.state, second.value) == (State.FILLED, D("4999.4"))
    assert bench.buy(other, "5000.1").value == D("5000.1")  # the whole first ask
    assert bench.buy(other, "501").value == D("500.11")  # 0.01 at 50011
    bench.levels([("50000", "0.2"), ("49990", "1")], [("50001", "0.1"), ("50011", "1")])
    assert bench.sell(account, "0.1").value == D(5000)


def test_client_ids_may_be_asked_to_be_unique_for_ever() -> None:
    bench = SpotBench()
    account = bench.rich(USDT="1000")
    for _ in range(2):
        bench.engine.spot.cancel(account, bench.buy(account, "0.001", "49000", client="a"))
    account.record.client_ids = ClientIds.ALWAYS
    with pytest.raises(Refused) as refused:
        bench.buy(account, "0.001", "49000", client="a")
    assert refused.value.reason is Reason.DUPLICATE_CLIENT_ID
