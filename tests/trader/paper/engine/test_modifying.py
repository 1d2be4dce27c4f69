"""Changing resting orders and turning positions round: all or nothing, and worked figures."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, Bench
from trader.paper.engine.legs import LegChange
from trader.paper.engine.model import ClientIds, PositionMode, State
from trader.paper.engine.modifying import Change
from trader.paper.engine.refusals import Reason, Refused

D = Decimal
SHORT = PositionSide.SHORT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(reason: Reason) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.reason is reason)


def test_a_new_size_and_price_are_a_new_order_at_the_end_of_the_queue(bench: Bench) -> None:
    bench.book(BTC, [("49000", "3")], [("50000", "3")])
    account = bench.account()
    order = bench.order(account, "buy", "0.1", "49000", client="old", tp="60000")
    changed = bench.engine.modify(account, order, Change(client_id="new", size=D("0.2"), price=D("49000")))
    assert (order.state, changed.state) == (State.CANCELED, State.LIVE)
    assert (changed.client_id, changed.size, changed.ahead) == ("new", D("0.2"), D(3))
    assert changed.preset == order.preset
    assert account.locked == D("985.88")  # 0.2 x 49000 x (1/10 + 0.0006)
    assert list(account.orders) == [changed.id]


def test_a_changed_order_may_trade_at_once(bench: Bench) -> None:
    bench.book(BTC, [("49000", "3")], [("50000", "3")])
    account = bench.account()
    order = bench.order(account, "buy", "0.1", "49500")
    changed = bench.engine.modify(account, order, Change(client_id="n", size=D("0.1"), price=D("50000")))
    assert (changed.state, changed.average) == (State.FILLED, D(50000))
    assert account.locked == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (Change(client_id="n", size=D("0.0001"), price=D(49000)), Reason.SIZE_DECIMALS),
        (Change(client_id="n", size=D("0.1"), price=D("49000.05")), Reason.PRICE_DECIMALS),
        (Change(client_id="n", size=D(9), price=D(49000)), Reason.ABOVE_BALANCE),
        (Change(client_id="other", size=D("0.1"), price=D(49000)), Reason.DUPLICATE_CLIENT_ID),
        (Change(client_id="a b?", size=D("0.1"), price=D(49000)), Reason.BAD_CLIENT_ID),
        (Change(profit=LegChange(trigger=D(40000))), Reason.LONG_TAKE_PROFIT_ORDER),
        (Change(profit=LegChange(trigger=D(0))), Reason.NOTHING_CHANGED),
    ],
)
def test_a_refused_change_leaves_the_order_where_it_was(bench: Bench, change: Change, reason: Reason) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1", "48900", client="other")
    order = bench.order(account, "buy", "0.1", "49000", client="mine")
    bench.order(account, "buy", "0.1", "48000")
    before = bench.picture()
    with refused(reason):
        bench.engine.modify(account, order, change)
    assert bench.picture() == before


def test_the_money_of_the_old_order_pays_for_the_new_one(bench: Bench) -> None:
    account = bench.account("503")  # 5000 / 10 + 0.0006 x 5000
    order = bench.order(account, "buy", "0.1", "50000.0")
    bench.engine.cancel_all(account)
    poor = bench.account("493")
    order = bench.order(poor, "buy", "0.1", "49000")  # locks 492.94
    changed = bench.engine.modify(poor, order, Change(client_id="n", size=D("0.1"), price=D("48990")))
    assert changed.state is State.LIVE
    assert poor.locked == D("492.8394")  # 4899 x 0.1006


def test_protection_alone_changes_the_order_where_it_stands(bench: Bench) -> None:
    account = bench.account()
    order = bench.order(account, "buy", "0.1", "49000", tp="60000")
    changed = bench.engine.modify(
        account, order, Change(profit=LegChange(trigger=D(0)), loss=LegChange(trigger=D(45000)))
    )
    assert changed is order
    assert (order.preset.take_profit, order.preset.stop_loss) == (None, D(45000))
    assert order.state is State.LIVE


def test_only_untouched_resting_orders_change(bench: Bench) -> None:
    account = bench.account()
    order = bench.order(account, "buy", "0.5", "49000")
    bench.trade(BTC, "48999", "0.2", "sell")
    assert order.state is State.PARTIALLY_FILLED
    with refused(Reason.NOT_MODIFIABLE):
        bench.engine.modify(account, order, Change(client_id="n", size=D("0.6"), price=D(49000)))


def test_a_reduce_only_order_changes_within_its_position(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.2")
    order = bench.order(account, "sell", "0.2", "51000", reduce=True)
    changed = bench.engine.modify(account, order, Change(client_id="n", size=D("0.1"), price=D("52000")))
    assert changed.reduce_only
    assert bench.held(account).frozen == D("0.1")


def test_a_reversal_nets_and_opens_as_much_on_the_other_side(bench: Bench) -> None:
    account = bench.account()
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "0.1")
    bench.engine.reverse(account, bench.held(account), None, "turn")
    assert bench.position(account) is None
    held = bench.held(account, side=SHORT)
    assert (held.size, held.entry) == (D("0.1"), D(49999))
    assert bench.amounts(account)[1:] == [
        ("open_fee", "-3"),
        ("realised_pnl", "-0.1"),
        ("close_fee", "-2.99994"),
        ("open_fee", "-2.99994"),
    ]


def test_a_reversal_in_hedge_mode_closes_and_opens_or_does_nothing(bench: Bench) -> None:
    account = bench.account("610")
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "0.1", close=False)
    before = bench.picture()
    with refused(Reason.ABOVE_BALANCE):
        bench.engine.reverse(account, bench.held(account), D("0.2"))
    assert bench.picture() == before
    bench.engine.reverse(account, bench.held(account))
    assert bench.position(account) is None
    assert bench.held(account, side=SHORT).size == D("0.1")


def test_client_ids_that_must_never_come_again(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.001", client="mine")
    bench.order(account, "buy", "0.001", client="mine")
    bench.engine.set_client_ids(account, ClientIds.ALWAYS)
    with refused(Reason.DUPLICATE_CLIENT_ID):
        bench.order(account, "buy", "0.001", client="mine")
    again = Bench(bench.store)
    held = again.engine.account(account.id)
    assert held is not None
    with refused(Reason.DUPLICATE_CLIENT_ID):
        again.order(held, "buy", "0.001", client="mine")
