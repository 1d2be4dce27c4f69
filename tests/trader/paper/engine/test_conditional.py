"""Conditional orders: trigger orders and trailing entries, what they become and why they fail."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from shared.domain.order import OrderType, PositionSide, Side
from tests.trader.paper.bench import BTC, Bench
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import PlanQuery, Query
from trader.paper.engine.conditional import Change, NewTrigger
from trader.paper.engine.model import (
    MarginMode,
    Order,
    Plan,
    PlanKind,
    PlanState,
    PositionMode,
    Preset,
    Reference,
    SelfTrade,
    Source,
    State,
)
from trader.paper.engine.refusals import Reason, Refused

D = Decimal
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
NONE = Preset()
TP, SL = PlanKind.POS_PROFIT, PlanKind.POS_LOSS


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(reason: Reason) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.reason is reason)


def wanted(
    side: str,
    trigger: str,
    size: str = "0.1",
    *,
    price: str | None = None,
    ratio: str | None = None,
    reference: Reference = Reference.LAST,
    close: bool | None = None,
    reduce: bool = False,
    preset: Preset = NONE,
    client: str = "",
) -> NewTrigger:
    return NewTrigger(
        symbol=BTC,
        kind=PlanKind.NORMAL if ratio is None else PlanKind.TRACK,
        side=Side(side),
        size=D(size),
        margin_mode=MarginMode.ISOLATED,
        trigger=D(trigger),
        reference=reference,
        price=None if price is None else D(price),
        ratio=D(ratio or 0),
        hedge_close=close,
        reduce_only=reduce,
        preset=preset,
        client_id=client,
    )


def ended(bench: Bench, account: Account) -> Plan:
    return bench.engine.plans(account, Query(limit=1))[0]


def became(bench: Bench, account: Account, plan: Plan) -> Order:
    order = bench.engine.order(account, plan.execute_order_id)
    assert order is not None
    return order


def follows(plan: Plan) -> bool:
    return plan.active


def test_a_trigger_above_the_price_buys_at_market_when_it_is_reached(bench: Bench) -> None:
    account = bench.account()
    plan = bench.engine.place_trigger(account, wanted("buy", "51000"))
    bench.move(BTC, "50999.9")
    assert not account.positions
    bench.move(BTC, "51000")
    assert bench.held(account).entry == D("51000.1")
    # 0.1 x 51000.1 x 0.0006
    assert bench.amounts(account)[1:] == [("open_fee", "-3.060006")]
    order = became(bench, account, ended(bench, account))
    assert (order.client_id, order.source, order.type) == (str(plan.id), Source.TRIGGER, OrderType.MARKET)
    assert (plan.state, plan.executed_size) == (PlanState.EXECUTED, D("0.1"))
    bench.move(BTC, "50000")
    bench.move(BTC, "51000")
    assert bench.held(account).size == D("0.1")


def test_a_trigger_below_the_price_becomes_a_resting_limit_order(bench: Bench) -> None:
    account = bench.account()
    bench.engine.place_trigger(account, wanted("buy", "49000", price="48500"))
    assert account.locked == 0
    bench.move(BTC, "49000")
    (order,) = account.orders.values()
    assert (order.price, order.state, order.source) == (D(48500), State.LIVE, Source.TRIGGER)
    # 0.1 x 48500 / 10 and the taker fee on 4850
    assert account.locked == D("487.91")
    bench.move(BTC, "48400")
    assert bench.held(account).entry == D(48500)


def test_a_trigger_at_the_price_is_reached_at_once(bench: Bench) -> None:
    account = bench.account()
    bench.engine.place_trigger(account, wanted("sell", "50000"))
    assert bench.held(account, side=SHORT).size == D("0.1")


def test_a_mark_price_trigger_does_not_look_at_the_last_price(bench: Bench) -> None:
    account = bench.account()
    bench.engine.place_trigger(account, wanted("buy", "51000", reference=Reference.MARK))
    bench.move(BTC, "51500", mark="50500")
    assert not account.positions
    bench.move(BTC, "50500", mark="51000")
    assert account.positions


def test_what_it_carries_protects_the_position_that_it_opens(bench: Bench) -> None:
    account = bench.account()
    preset = Preset(take_profit=D(53000), stop_loss=D(50500), take_profit_reference=Reference.MARK)
    bench.engine.place_trigger(account, wanted("buy", "51000", preset=preset))
    bench.move(BTC, "51000")
    assert [(p.kind, p.trigger, p.reference) for p in account.plans.values()] == [
        (TP, D(53000), Reference.MARK),
        (SL, D(50500), Reference.LAST),
    ]
    bench.move(BTC, "53100", mark="52000")
    assert account.positions
    bench.move(BTC, "50500")
    assert not account.positions
    assert not account.plans


@pytest.mark.parametrize(
    ("new", "hedge"),
    [
        (wanted("buy", "51000", "4"), False),  # 204,000 at 10x needs 20,400
        (wanted("sell", "51000", reduce=True), False),
        (wanted("sell", "51000", close=True), True),
        (wanted("buy", "51000", price="60000"), False),  # above mark x 1.05 by then
    ],
)
def test_what_cannot_be_placed_fails_and_changes_nothing_else(
    bench: Bench, new: NewTrigger, hedge: bool
) -> None:
    account = bench.account()
    if hedge:
        bench.engine.set_position_mode(account, PositionMode.HEDGE)
    plan = bench.engine.place_trigger(account, new)
    bench.move(BTC, "51000")
    assert (plan.state, plan.execute_order_id) == (PlanState.FAILED, 0)
    assert plan.failure
    assert not account.plans
    assert not account.orders
    assert not account.positions
    assert bench.amounts(account) == [("deposit", "10000")]
    assert bench.engine.orders(account, Query()) == []
    failed = PlanQuery(state=PlanState.FAILED, kinds=(PlanKind.NORMAL,))
    assert [found.id for found in bench.engine.plans(account, failed)] == [plan.id]


def test_a_closing_plan_above_its_hedge_position_fails_and_one_that_fits_closes(bench: Bench) -> None:
    account = bench.account()
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.order(account, "buy", "0.1", close=False)
    bench.order(account, "sell", "0.2", close=False)
    large = bench.engine.place_trigger(account, wanted("sell", "51000", "0.2", close=True))
    fits = bench.engine.place_trigger(account, wanted("sell", "51000", "0.1", close=True))
    bench.move(BTC, "51000")
    assert (large.state, fits.state) == (PlanState.FAILED, PlanState.EXECUTED)
    assert bench.position(account) is None
    assert bench.held(account, side=SHORT).size == D("0.2")


def test_a_plan_survives_the_position_and_reverses_what_is_held(bench: Bench) -> None:
    account = bench.account()
    plan = bench.engine.place_trigger(account, wanted("sell", "51000", "0.3"))
    bench.order(account, "buy", "0.1", tp="52000")
    bench.move(BTC, "51000")
    assert plan.state is PlanState.EXECUTED
    assert bench.held(account, side=SHORT).size == D("0.2")
    assert not account.plans  # the take profit went with the long position


def test_only_opening_is_shut_while_a_symbol_closes_down(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    opens = bench.engine.place_trigger(account, wanted("buy", "51000"))
    closes = bench.engine.place_trigger(account, wanted("sell", "51000", reduce=True))
    bench.hub.set_status(bench.state(), "limit_open")
    bench.move(BTC, "51000")
    assert (opens.state, closes.state) == (PlanState.FAILED, PlanState.EXECUTED)


def test_a_client_that_took_the_plans_id_as_its_own_name_keeps_it(bench: Bench) -> None:
    account = bench.account()
    plan = bench.engine.place_trigger(account, wanted("buy", "51000"))
    mine = bench.order(account, "buy", "0.1", "45000", client=str(plan.id))
    bench.move(BTC, "51000")
    assert plan.state is PlanState.EXECUTED
    assert account.clients[str(plan.id)] == mine.id


def test_a_trailing_sale_starts_at_its_trigger_and_fires_below_the_highest_price(bench: Bench) -> None:
    account = bench.account()
    preset = Preset(take_profit=D(5), stop_loss=D(2))
    plan = bench.engine.place_trigger(account, wanted("sell", "51000", ratio="1", preset=preset))
    bench.move(BTC, "50999.9")
    bench.move(BTC, "50400")
    assert not follows(plan)
    bench.move(BTC, "51000")
    assert follows(plan)
    bench.move(BTC, "52000")
    bench.move(BTC, "51480.1")
    assert not account.positions
    bench.move(BTC, "51480")  # 52000 less 1 %
    order = became(bench, account, plan)
    assert (order.source, order.average) == (Source.TRAILING_ENTRY, D(51480))
    # 51480 less 5 % and plus 2 %
    assert [(p.kind, p.trigger) for p in account.plans.values()] == [(TP, D(48906)), (SL, D("52509.6"))]
    assert order.preset.stop_loss == D("52509.6")


def test_a_trailing_purchase_fires_above_the_lowest_price(bench: Bench) -> None:
    account = bench.account()
    plan = bench.engine.place_trigger(account, wanted("buy", "49000", ratio="0.5"))
    bench.move(BTC, "48000")
    bench.move(BTC, "48239.9")
    assert not account.positions
    bench.move(BTC, "48240")
    assert became(bench, account, plan).average == D("48240.1")


def test_a_trail_survives_a_kill_within_a_twentieth_and_a_stop_exactly() -> None:
    bench = Bench()
    account = bench.account()
    plan = bench.engine.place_trigger(account, wanted("sell", "50000", ratio="10"))
    bench.move(BTC, "52000")
    bench.move(BTC, "52200")  # less than a twentieth of the 10 % further
    killed = Bench(bench.store)
    again = killed.engine.accounts[0]
    (restored,) = again.plans.values()
    assert (restored.id, restored.active, restored.extreme) == (plan.id, True, D(52000))
    bench.engine.keep_trails()
    stopped = Bench(bench.store)
    (restored,) = stopped.engine.accounts[0].plans.values()
    assert restored.extreme == D(52200)
    stopped.move(BTC, "46980.1")
    assert stopped.engine.accounts[0].plans
    stopped.move(BTC, "46980")
    assert stopped.held(stopped.engine.accounts[0], side=SHORT).size == D("0.1")


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (wanted("buy", "51000", "0.0001"), Reason.SIZE_DECIMALS),
        (wanted("buy", "51000", "0"), Reason.SIZE_MINIMUM),
        (wanted("buy", "0"), Reason.BAD_VALUE),
        (wanted("buy", "51000.05"), Reason.PRICE_DECIMALS),
        (wanted("buy", "51000", price="51000.05"), Reason.PRICE_DECIMALS),
        (wanted("buy", "51000", close=None, preset=Preset(take_profit=D(51000))), Reason.LONG_TAKE_PROFIT_ORDER),
        (wanted("buy", "51000", preset=Preset(stop_loss=D(51000))), Reason.LONG_STOP_LOSS_ORDER),
        (wanted("sell", "51000", price="52000", preset=Preset(take_profit=D(52000))), Reason.SHORT_TAKE_PROFIT_ORDER),
        (wanted("sell", "51000", price="52000", preset=Preset(stop_loss=D(51500))), Reason.SHORT_STOP_LOSS_ORDER),
        (wanted("sell", "49999.9", ratio="1"), Reason.TRAIL_STARTS_ABOVE),
        (wanted("buy", "50000.1", ratio="1"), Reason.TRAIL_STARTS_BELOW),
        (wanted("buy", "49000", ratio="10.01"), Reason.PLAN_PARAMETER),
        (wanted("buy", "49000", ratio="1.005"), Reason.PLAN_PARAMETER),
        (wanted("buy", "49000", ratio="0"), Reason.PLAN_PARAMETER),
        (wanted("buy", "49000", ratio="1", price="49000"), Reason.PLAN_PARAMETER),
        (wanted("buy", "49000", ratio="1", preset=Preset(stop_loss=D(100))), Reason.PLAN_PARAMETER),
        (wanted("buy", "49000", ratio="1", preset=Preset(take_profit=D(1000))), Reason.PLAN_PARAMETER),
        (wanted("buy", "51000", client="x y!"), Reason.BAD_CLIENT_ID),
        (wanted("buy", "51000", client="taken"), Reason.DUPLICATE_CLIENT_ID),
    ],
)  # fmt: skip
def test_a_refused_plan_changes_nothing(bench: Bench, new: NewTrigger, reason: Reason) -> None:
    account = bench.account()
    bench.engine.place_trigger(account, wanted("buy", "52000", client="taken"))
    before = bench.picture()
    with refused(reason):
        bench.engine.place_trigger(account, new)
    assert bench.picture() == before
    assert not bench.engine.core.batch


def test_so_many_plans_and_no_more(bench: Bench) -> None:
    account = bench.account()
    for _ in range(100):
        bench.engine.place_trigger(account, wanted("buy", "52000"))
    with refused(Reason.TOO_MANY_SYMBOL_PLANS):
        bench.engine.place_trigger(account, wanted("buy", "52000"))
    with refused(Reason.POSITION_MODE_BLOCKED):
        bench.engine.set_position_mode(account, PositionMode.HEDGE)


def test_a_plan_is_modified_or_refused_whole(bench: Bench) -> None:
    account = bench.account()
    market = bench.engine.place_trigger(account, wanted("buy", "51000"))
    before = bench.picture()
    for change, reason in (
        (Change(price=D(50000)), Reason.PLAN_PARAMETER),
        (Change(reference=Reference.MARK), Reason.PLAN_PARAMETER),
        (Change(ratio=D(1)), Reason.PLAN_PARAMETER),
        (Change(size=D("0.2"), trigger=D("0.05")), Reason.PRICE_DECIMALS),
        (Change(preset=Preset(stop_loss=D(51000))), Reason.LONG_STOP_LOSS_ORDER),
    ):
        with refused(reason):
            bench.engine.modify_trigger(account, market, change)
        assert bench.picture() == before
    bench.engine.modify_trigger(account, market, Change(size=D("0.2"), trigger=D(49000)))
    bench.move(BTC, "51000")
    assert not account.positions
    bench.move(BTC, "49000")
    assert bench.held(account).size == D("0.2")


def test_another_trigger_starts_a_trail_anew_and_another_ratio_does_not(bench: Bench) -> None:
    account = bench.account()
    plan = bench.engine.place_trigger(account, wanted("sell", "50000", ratio="5"))
    bench.move(BTC, "52000")
    bench.engine.modify_trigger(account, plan, Change(ratio=D(4)))
    assert follows(plan)
    with refused(Reason.TRAIL_STARTS_ABOVE):
        bench.engine.modify_trigger(account, plan, Change(trigger=D(51000)))
    bench.engine.modify_trigger(account, plan, Change(trigger=D(53000)))
    assert not follows(plan)
    bench.move(BTC, "49920")  # 52000 less 4 %
    assert not account.positions
    bench.move(BTC, "53000")
    bench.move(BTC, "50880")  # 53000 less 4 %
    assert bench.held(account, side=SHORT).size == D("0.1")


def test_a_self_trade_rule_holds_when_the_plan_becomes_an_order(bench: Bench) -> None:
    account = bench.account()
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    resting = bench.order(account, "sell", "0.1", "51000.1", close=False)
    new = msgspec.structs.replace(wanted("buy", "51000", close=False), self_trade=SelfTrade.CANCEL_MAKER)
    plan = bench.engine.place_trigger(account, new)
    bench.state().last = D(51000)
    bench.book(BTC, [("50999", "9")], [("51005", "9")])
    assert plan.state is PlanState.EXECUTED
    assert (resting.state, resting.cancel_reason) == (State.CANCELED, "stp_cancel")
    assert bench.held(account).entry == D(51005)
