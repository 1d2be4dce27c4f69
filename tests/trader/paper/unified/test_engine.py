"""What the engine does for unified accounts: halves of one protection, amended spot orders, one countdown for all."""

from __future__ import annotations

import pytest

from shared.domain.order import OrderType, Side
from tests.trader.paper.bench import BTC, ETH, D
from tests.trader.paper.engine.spotbench import SpotBench
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Query
from trader.paper.engine.model import (
    AccountKind,
    Ended,
    MarginMode,
    NewOrder,
    PlanKind,
    PlanState,
    Preset,
    State,
)
from trader.paper.engine.protection import Change
from trader.paper.engine.refusals import Reason, Refused

SECOND = 1_000_000_000


@pytest.fixture
def bench() -> SpotBench:
    return SpotBench()


@pytest.fixture
def account(bench: SpotBench) -> Account:
    return bench.rich("100000", kind=AccountKind.UNIFIED, BTC="2")


def opened(bench: SpotBench, account: Account, *, paired: bool) -> None:
    bench.engine.place(
        account,
        NewOrder(
            symbol=BTC,
            side=Side.BUY,
            type=OrderType.MARKET,
            size=D("0.1"),
            margin_mode=MarginMode.CROSSED,
            preset=Preset(take_profit=D(55_000), stop_loss=D(45_000), paired=paired),
        ),
    )


# halves of one protection


def test_halves_that_rode_on_an_order_know_each_other_over_a_restart(
    bench: SpotBench, account: Account
) -> None:
    opened(bench, account, paired=True)
    profit, loss = sorted(account.plans.values(), key=lambda plan: plan.id)
    assert (profit.sibling, loss.sibling) == (loss.id, profit.id)
    bench.restart()
    account = bench.engine.accounts[0]
    assert {plan.id: plan.sibling for plan in account.plans.values()} == {
        profit.id: loss.id,
        loss.id: profit.id,
    }


def test_without_being_paired_they_stay_two(bench: SpotBench, account: Account) -> None:
    opened(bench, account, paired=False)
    assert [plan.sibling for plan in account.plans.values()] == [0, 0]


@pytest.mark.parametrize("paired", [True, False])
def test_an_executed_half_takes_the_other_with_it_though_its_order_rests(
    bench: SpotBench, account: Account, paired: bool
) -> None:
    """The take profit becomes a limit order that nobody meets: the position, and an unpaired stop, stay."""
    bench.order(account, "buy", "0.1", mode=MarginMode.CROSSED)
    wanted = [
        bench.plan(PlanKind.PROFIT, "55000", size="0.1", execute="60000"),
        bench.plan(PlanKind.LOSS, "45000", size="0.1"),
    ]
    profit, loss = bench.engine.place_plans(account, wanted, paired=paired)
    bench.move(BTC, 55_000)
    assert profit.state is PlanState.EXECUTED
    assert loss.state is (PlanState.CANCELLED if paired else PlanState.LIVE)
    assert bench.held(account).size == D("0.1")
    assert len(account.orders) == 1


def test_both_halves_are_changed_or_none(bench: SpotBench, account: Account) -> None:
    opened(bench, account, paired=True)
    profit, loss = sorted(account.plans.values(), key=lambda plan: plan.id)
    before = bench.picture()
    with pytest.raises(Refused) as caught:
        bench.engine.modify_pair(
            account, [(profit, Change(trigger=D(56_000))), (loss, Change(trigger=D(51_000)))]
        )
    assert caught.value.reason is Reason.LONG_STOP_LOSS_LAST
    assert bench.picture() == before
    bench.engine.modify_pair(
        account, [(profit, Change(trigger=D(56_000))), (loss, Change(trigger=D(46_000)))]
    )
    assert (profit.trigger, loss.trigger) == (D(56_000), D(46_000))


def test_a_second_half_that_cannot_be_leaves_the_first_alone(bench: SpotBench, account: Account) -> None:
    bench.order(account, "buy", "0.1", mode=MarginMode.CROSSED)
    (loss,) = bench.engine.place_plans(account, [bench.plan(PlanKind.POS_LOSS, "45000")], paired=True)
    with pytest.raises(Refused):
        bench.engine.modify_pair(
            account, [(loss, Change(trigger=D(46_000)))], bench.plan(PlanKind.POS_PROFIT, "40000")
        )
    assert (loss.trigger, loss.sibling) == (D(45_000), 0)
    bench.engine.modify_pair(
        account, [(loss, Change(trigger=D(46_000)))], bench.plan(PlanKind.POS_PROFIT, "55000")
    )
    profit = bench.engine.guard(account, bench.held(account), PlanKind.POS_PROFIT)
    assert profit is not None
    assert (profit.sibling, loss.sibling, loss.trigger) == (loss.id, profit.id, D(46_000))


# spot orders that are amended


def test_an_amended_spot_order_locks_what_it_then_needs(bench: SpotBench, account: Account) -> None:
    order = bench.buy(account, "1", "40000")
    number, client_id = order.id, order.client_id
    bench.engine.spot.amend(account, order, D("0.5"), D(41_000))
    assert (order.id, order.client_id, order.state) == (number, client_id, State.LIVE)
    assert account.spot.locked == {"USDT": D("20500.0")}
    bench.restart()
    account = bench.engine.accounts[0]
    assert (account.spot.orders[number].price, account.spot.locked) == (D(41_000), {"USDT": D("20500.0")})
    bench.to(41_000)
    bench.levels([("40990", "1")], [("41000", "1")])
    assert bench.engine.spot.order(account, number).state is State.FILLED  # type: ignore[union-attr]
    assert account.spot.locked == {}


def test_a_smaller_spot_order_keeps_its_place_another_price_goes_to_the_end(bench: SpotBench) -> None:
    seller, early, late = (bench.rich("100000", kind=AccountKind.UNIFIED, BTC="5") for _ in range(3))
    first, second = bench.buy(early, "1", "49000"), bench.buy(late, "1", "49000")
    bench.levels([("48000", "1")], [("50000.1", "1000")])
    bench.engine.spot.amend(early, first, D("0.6"), D(49_000))
    bench.sell(seller, "0.5", "49000")
    assert (first.filled, second.filled) == (D("0.5"), D(0))
    bench.engine.spot.amend(early, first, D("0.9"), D(49_000))
    bench.sell(seller, "0.5", "49000")
    assert (first.filled, second.filled) == (D("0.5"), D("0.5"))


def test_of_a_spot_order_that_has_traded_only_the_rest_is_paid_for(bench: SpotBench) -> None:
    account = bench.rich("50000", kind=AccountKind.UNIFIED)
    seller = bench.rich("0", kind=AccountKind.UNIFIED, BTC="1")
    order = bench.buy(account, "1", "49000")
    bench.levels([("48000", "1")], [("50000.1", "1000")])
    bench.sell(seller, "0.8", "49000")
    assert account.record.wallet == D(50_000) - D("39200")
    bench.engine.spot.amend(account, order, D("1.02"), D(49_000))
    assert account.spot.locked == {"USDT": D("10780.00")}
    before = bench.everything()
    for size, reason in (
        ("1.03", Reason.NO_BALANCE),
        ("0.8", Reason.NOT_MODIFIABLE),
        ("1.02", Reason.NOTHING_CHANGED),
    ):
        with pytest.raises(Refused) as caught:
            bench.engine.spot.amend(account, order, D(size), D(49_000))
        assert caught.value.reason is reason
    assert bench.everything() == before
    bench.engine.spot.amend(account, order, D("0.9"), D("50000.1"))
    assert (order.state, order.filled) == (State.FILLED, D("0.9"))


# one countdown for all


def test_a_countdown_of_all_orders_survives_a_restart(bench: SpotBench, account: Account) -> None:
    bench.order(account, "buy", "0.01", "40000", mode=MarginMode.CROSSED)
    bench.order(account, "buy", "0.1", "1500", symbol=ETH, mode=MarginMode.CROSSED)
    bench.buy(account, "0.1", "40000")
    bench.engine.countdown(account, "", 30 * SECOND)
    bench.restart()
    account = bench.engine.accounts[0]
    assert (len(account.orders), len(account.spot.orders)) == (2, 1)
    bench.clock.advance(31_000)
    bench.move(BTC, 50_000)
    assert (account.orders, account.spot.orders, account.locked, account.spot.locked) == ({}, {}, D(0), {})
    ended = bench.engine.orders(account, Query())
    assert {order.cancel_reason for order in ended} == {Ended.COUNTDOWN}


def test_an_overdue_countdown_ends_everything_at_the_start(bench: SpotBench, account: Account) -> None:
    bench.order(account, "buy", "0.01", "40000", mode=MarginMode.CROSSED)
    bench.buy(account, "0.1", "40000")
    bench.engine.countdown(account, "", 30 * SECOND)
    bench.hub.set_alarm(0, lambda: None)
    bench.clock.advance(60_000)
    bench.restart()
    account = bench.engine.accounts[0]
    assert (account.orders, account.spot.orders, account.spot.locked) == ({}, {}, {})
