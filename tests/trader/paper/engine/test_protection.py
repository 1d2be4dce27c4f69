"""Take profit and stop loss: set with an order or by hand, fired by last or mark, gone with the position."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, Bench
from trader.paper.engine import modifying
from trader.paper.engine.batch import Query
from trader.paper.engine.legs import LegChange
from trader.paper.engine.model import PlanKind, PlanState, PositionMode, Reference, Source, State
from trader.paper.engine.protection import Change, NewPlan
from trader.paper.engine.refusals import Reason, Refused

D = Decimal
TP, SL, PART_TP, PART_SL = PlanKind.POS_PROFIT, PlanKind.POS_LOSS, PlanKind.PROFIT, PlanKind.LOSS
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(reason: Reason) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.reason is reason)


def test_a_take_profit_that_rides_on_the_order_closes_the_whole_position(bench: Bench) -> None:
    account = bench.account()
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "0.1", tp="51000", sl="48000")
    assert [(plan.kind, plan.trigger) for plan in account.plans.values()] == [
        (TP, D(51000)),
        (SL, D(48000)),
    ]
    bench.move(BTC, "50999.9")
    assert account.positions
    bench.move(BTC, "51000")
    assert not account.positions
    assert not account.plans
    closing = bench.engine.orders(account, Query(limit=1))[0]
    assert (closing.source, closing.average, closing.point) == (
        Source.POSITION_TAKE_PROFIT,
        D(51000),
        "SYS",
    )
    plans = {plan.kind: plan for plan in bench.engine.plans(account, Query())}
    assert (plans[TP].state, plans[SL].state) == (PlanState.EXECUTED, PlanState.CANCELLED)
    assert plans[TP].execute_order_id == closing.id
    assert bench.amounts(account)[1:] == [
        ("open_fee", "-3"),
        ("realised_pnl", "100"),
        ("close_fee", "-3.06"),
    ]


def test_a_stop_loss_of_a_short_fires_when_the_price_rises(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "sell", "0.1", tp="49000", sl="50500")
    bench.move(BTC, "50600")
    assert not account.positions
    assert bench.engine.orders(account, Query(limit=1))[0].source is Source.POSITION_STOP_LOSS


def test_protection_of_a_limit_order_is_set_when_it_fills(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1", "49000", tp="49500")
    assert not account.plans
    bench.move(BTC, "48990")
    assert [plan.trigger for plan in account.plans.values()] == [D(49500)]
    bench.move(BTC, "49500")
    assert not account.positions


def test_protection_on_a_further_order_moves_what_is_set(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1", tp="51000")
    bench.order(account, "buy", "0.1", tp="52000", sl="49000")
    assert [(p.kind, p.trigger) for p in account.plans.values()] == [(TP, D(52000)), (SL, D(49000))]
    bench.move(BTC, "51500")
    assert bench.held(account).size == D("0.2")
    bench.move(BTC, "52000")
    assert not account.positions


@pytest.mark.parametrize(
    ("side", "tp", "sl", "reason"),
    [
        ("buy", "50000", None, Reason.LONG_TAKE_PROFIT_PRICE),
        ("buy", None, "50000", Reason.LONG_STOP_LOSS_PRICE),
        ("sell", "50000", None, Reason.SHORT_TAKE_PROFIT_PRICE),
        ("sell", None, "50000", Reason.SHORT_STOP_LOSS_PRICE),
        ("buy", "51000.05", None, Reason.PRICE_DECIMALS),
    ],
)
def test_protection_on_the_wrong_side_is_refused_with_its_order(
    bench: Bench, side: str, tp: str | None, sl: str | None, reason: Reason
) -> None:
    account = bench.account()
    before = bench.picture()
    with refused(reason):
        bench.order(account, side, "0.1", tp=tp, sl=sl)
    assert bench.picture() == before


def test_plans_by_hand_and_their_refusals(bench: Bench) -> None:
    account = bench.account()
    engine = bench.engine
    with refused(Reason.PLAN_WITHOUT_POSITION):
        engine.place_plan(account, bench.plan(TP, "51000"))
    bench.order(account, "buy", "0.1")
    plan = engine.place_plan(account, bench.plan(TP, "51000", client="tp1"))
    assert engine.live_plan(account, client_id="tp1") is plan
    with refused(Reason.TAKE_PROFIT_EXISTS):
        engine.place_plan(account, bench.plan(TP, "51000"))
    with refused(Reason.DUPLICATE_CLIENT_ID):
        engine.place_plan(account, bench.plan(SL, "49000", client="tp1"))
    with refused(Reason.LONG_STOP_LOSS_LAST):
        engine.place_plan(account, bench.plan(SL, "50000"))
    with refused(Reason.PLAN_ABOVE_POSITION):
        engine.place_plan(account, bench.plan(PART_TP, "51000", size="0.2"))
    engine.place_plan(account, bench.plan(SL, "49000"))
    with refused(Reason.STOP_LOSS_EXISTS):
        engine.place_plan(account, bench.plan(SL, "49000"))
    engine.cancel_plan(account, plan)
    assert engine.live_plan(account, plan.id) is None
    bench.move(BTC, "51000")
    assert account.positions


def test_two_plans_in_one_call_are_set_both_or_none(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    before = bench.picture()
    with refused(Reason.LONG_STOP_LOSS_LAST):
        bench.engine.place_plans(account, [bench.plan(TP, "51000"), bench.plan(SL, "50001")])
    with refused(Reason.DUPLICATE_CLIENT_ID):
        bench.engine.place_plans(
            account, [bench.plan(TP, "51000", client="x"), bench.plan(SL, "49000", client="x")]
        )
    assert bench.picture() == before
    placed = bench.engine.place_plans(account, [bench.plan(TP, "51000"), bench.plan(SL, "49000")])
    assert [plan.kind for plan in placed] == [TP, SL]


def test_partial_protection_closes_its_part_and_is_trimmed(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.3")
    bench.engine.place_plan(account, bench.plan(PART_TP, "51000", size="0.1"))
    bench.engine.place_plan(account, bench.plan(PART_TP, "52000", size="0.3"))
    bench.move(BTC, "51000")
    assert bench.held(account).size == D("0.2")
    bench.move(BTC, "52000")
    assert not account.positions


def test_a_mark_price_trigger_does_not_look_at_the_last_price(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    bench.engine.place_plan(account, bench.plan(SL, "49000", reference=Reference.MARK))
    bench.move(BTC, "48500", mark="49500")
    assert account.positions
    bench.move(BTC, "49500", mark="48999.9")
    assert not account.positions


def test_a_plan_with_an_execute_price_becomes_a_limit_order(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    bench.engine.place_plan(account, bench.plan(TP, "51000", execute="51500"))
    bench.move(BTC, "51100")
    (resting,) = account.orders.values()
    assert (resting.price, resting.state, resting.closing) == (D(51500), State.LIVE, True)
    bench.move(BTC, "51500")
    assert not account.positions


def test_a_plan_waits_while_the_book_has_no_counter_side(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1", sl="49000")
    state = bench.state()
    state.last = D(48000)
    bench.book(BTC, [], [("48000", "1")])
    assert account.positions
    bench.book(BTC, [("47900", "1")], [("48000", "1")])
    assert not account.positions


def test_a_stop_larger_than_the_book_closes_everything(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "1", sl="49000")
    bench.state().last = D(48900)
    bench.book(BTC, [("48900", "0.4")], [("49000", "1")])
    assert not account.positions


def test_hedge_mode_guards_each_side_by_itself(bench: Bench) -> None:
    account = bench.account()
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.order(account, "buy", "0.1", close=False, tp="51000")
    bench.order(account, "sell", "0.1", close=False, sl="52000")
    bench.move(BTC, "51500")
    assert bench.position(account) is None
    assert bench.held(account, side=SHORT).size == D("0.1")
    bench.move(BTC, "52000")
    assert not account.positions


def test_a_flip_drops_the_old_protection_and_sets_the_new(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1", tp="51000", sl="49000")
    bench.order(account, "sell", "0.2", tp="48000")
    assert [(p.kind, p.side, p.trigger) for p in account.plans.values()] == [(TP, SHORT, D(48000))]


def trail(trigger: str, size: str, ratio: str, side: PositionSide = LONG) -> NewPlan:
    return NewPlan(
        symbol=BTC, kind=PlanKind.MOVING, side=side, trigger=D(trigger), size=D(size), ratio=D(ratio)
    )


def test_a_trailing_stop_closes_its_part_below_the_highest_price(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.3")
    plan = bench.engine.place_plan(account, trail("50500", "0.1", "2"))
    bench.move(BTC, "49000")
    assert not plan.active
    bench.move(BTC, "50500")
    bench.move(BTC, "51000")
    bench.move(BTC, "49980.1")
    assert bench.held(account).size == D("0.3")
    bench.move(BTC, "49980")  # 51000 less 2 %
    assert bench.held(account).size == D("0.2")
    order = bench.engine.order(account, plan.execute_order_id)
    assert order is not None
    assert (order.source, order.client_id) == (Source.TRAILING_STOP, str(plan.id))


def test_a_trailing_stop_of_a_short_and_its_refusals(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "sell", "0.1")
    for new, reason in (
        (trail("50000.1", "0.1", "1", SHORT), Reason.TRAIL_STARTS_BELOW),
        (trail("49000", "0.2", "1", SHORT), Reason.PLAN_ABOVE_POSITION),
        (trail("49000", "0.1", "11", SHORT), Reason.PLAN_PARAMETER),
        (trail("49000", "0.1", "0", SHORT), Reason.PLAN_PARAMETER),
        (trail("49000", "0", "1", SHORT), Reason.SIZE_MINIMUM),
        (trail("51000", "0.1", "1", LONG), Reason.PLAN_WITHOUT_POSITION),
    ):
        before = bench.picture()
        with refused(reason):
            bench.engine.place_plan(account, new)
        assert bench.picture() == before
    bench.engine.place_plan(account, trail("49000", "0.1", "1", SHORT))
    bench.move(BTC, "48000")
    bench.move(BTC, "48480")  # 48000 plus 1 %
    assert not account.positions


@pytest.mark.parametrize(
    ("side", "kind", "last", "mark"),
    [
        (LONG, TP, Reason.LONG_TAKE_PROFIT_LAST, Reason.LONG_TAKE_PROFIT_PRICE),
        (LONG, SL, Reason.LONG_STOP_LOSS_LAST, Reason.LONG_STOP_LOSS_PRICE),
        (SHORT, TP, Reason.SHORT_TAKE_PROFIT_LAST, Reason.SHORT_TAKE_PROFIT_PRICE),
        (SHORT, SL, Reason.SHORT_STOP_LOSS_LAST, Reason.SHORT_STOP_LOSS_PRICE),
    ],
)
def test_the_wrong_side_is_refused_by_reference(
    bench: Bench, side: PositionSide, kind: PlanKind, last: Reason, mark: Reason
) -> None:
    account = bench.account()
    bench.order(account, "buy" if side is LONG else "sell", "0.1")
    for reference, reason in ((Reference.LAST, last), (Reference.MARK, mark)):
        with refused(reason):
            bench.engine.place_plan(account, bench.plan(kind, "50000", side=side, reference=reference))


def test_partial_protection_is_trimmed_as_the_position_shrinks(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.3")
    large = bench.engine.place_plan(account, bench.plan(PART_SL, "49000", size="0.3"))
    small = bench.engine.place_plan(account, bench.plan(PART_TP, "52000", size="0.1"))
    bench.order(account, "sell", "0.1", reduce=True)
    assert (large.size, small.size) == (D("0.2"), D("0.1"))
    bench.order(account, "sell", "0.15", reduce=True)
    assert (large.size, small.size) == (D("0.05"), D("0.05"))
    bench.order(account, "sell", "0.05", reduce=True)
    assert (large.state, small.state) == (PlanState.CANCELLED, PlanState.CANCELLED)
    assert not account.plans


def test_protection_is_modified_or_refused_whole(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    whole = bench.engine.place_plan(account, bench.plan(SL, "49000"))
    part = bench.engine.place_plan(account, bench.plan(PART_TP, "51000", size="0.1"))
    before = bench.picture()
    for plan, change, reason in (
        (whole, Change(trigger=D(50000)), Reason.LONG_STOP_LOSS_LAST),
        (whole, Change(trigger=D(50000), reference=Reference.MARK), Reason.LONG_STOP_LOSS_PRICE),
        (whole, Change(trigger=D(48000), ratio=D(1)), Reason.PLAN_PARAMETER),
        (part, Change(trigger=D(52000), size=D("0.2")), Reason.PLAN_ABOVE_POSITION),
        (part, Change(trigger=D(52000), execute=D("52000.05")), Reason.PRICE_DECIMALS),
    ):
        with refused(reason):
            bench.engine.modify_protection(account, plan, change)
        assert bench.picture() == before
    bench.engine.modify_protection(account, whole, Change(trigger=D(48000), size=D("0.2")))
    bench.engine.modify_protection(account, part, Change(trigger=D(52000), size=D("0.05")))
    assert (whole.trigger, whole.size, part.trigger, part.size) == (D(48000), D(0), D(52000), D("0.05"))
    bench.move(BTC, "49000")
    assert account.positions
    bench.move(BTC, "48000")
    assert not account.positions


def test_a_trailing_stop_follows_on_with_another_rate(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    plan = bench.engine.place_plan(account, trail("50500", "0.1", "2"))
    bench.move(BTC, "51000")
    with refused(Reason.PLAN_PARAMETER):
        bench.engine.modify_protection(account, plan, Change(trigger=D(50500), execute=D(50000)))
    bench.engine.modify_protection(account, plan, Change(trigger=D(50500), ratio=D(1)))
    assert plan.active
    bench.move(BTC, "50490")  # 51000 less 1 %
    assert not account.positions


def test_what_rides_on_a_resting_order_is_changed_before_it_fills(bench: Bench) -> None:
    account = bench.account()
    order = bench.order(account, "buy", "0.1", "49000", tp="51000", sl="48000")
    before = bench.picture()
    with refused(Reason.LONG_TAKE_PROFIT_ORDER):
        bench.engine.modify(account, order, modifying.Change(profit=LegChange(trigger=D(49000))))
    assert bench.picture() == before
    change = modifying.Change(profit=LegChange(trigger=D(52000)), loss=LegChange(trigger=D(0)))
    assert bench.engine.modify(account, order, change) is order
    bench.move(BTC, "48900")
    assert [(p.kind, p.trigger) for p in account.plans.values()] == [(TP, D(52000))]


def test_liquidation_ends_protection_and_leaves_the_other_side_alone(bench: Bench) -> None:
    account = bench.account()
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.order(account, "buy", "0.1", close=False, tp="60000")
    bench.order(account, "sell", "0.1", close=False, tp="40000")
    bench.move(BTC, "50000", mark="45000")  # 10x, isolated: gone below 45,226
    assert bench.position(account) is None
    assert [(p.kind, p.side) for p in account.plans.values()] == [(TP, SHORT)]
