"""Algo orders: when they fire, what they become, and what keeps them from it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from shared.clock import MILLISECOND, SECOND
from shared.domain.order import OrderType, PositionSide, Side
from tests.trader.paper.bench import BTC, Bench
from trader.paper.engine import algos
from trader.paper.engine.accounts import Account
from trader.paper.engine.algos import NewAlgo
from trader.paper.engine.batch import Batch, PlanQuery
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import (
    Ended,
    Force,
    MarginMode,
    Plan,
    PlanKind,
    PlanState,
    PositionMode,
    PriceMatch,
    Reference,
    State,
)
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.state import SqliteStore

D = Decimal
STOP, PROFIT, TRAIL = PlanKind.ALGO_STOP, PlanKind.ALGO_PROFIT, PlanKind.ALGO_TRAIL
BUY, SELL = Side.BUY, Side.SELL


@pytest.fixture
def bench() -> Bench:
    return Bench()


def algo(
    bench: Bench, account: Account, kind: PlanKind, side: Side, trigger: str | None, **more: object
) -> Plan:
    plain: dict[str, object] = {"size": D("0.1")} | more
    new = NewAlgo(
        symbol=BTC,
        kind=kind,
        side=side,
        trigger=None if trigger is None else D(trigger),
        **plain,  # type: ignore[arg-type]
    )
    return bench.engine.place_algo(account, new)


def refusal(
    bench: Bench, account: Account, kind: PlanKind, side: Side, trigger: str | None, **more: object
) -> Reason:
    before = bench.picture()
    with pytest.raises(Refused) as caught:
        algo(bench, account, kind, side, trigger, **more)
    assert bench.picture() == before
    return caught.value.reason


def state_of(plan: Plan) -> PlanState:
    return plan.state


def isolated(bench: Bench, balance: int = 10_000) -> Account:
    account = bench.account(balance, "binance")
    bench.engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    return account


def test_a_stop_buys_above_and_sells_below_a_take_profit_the_other_way_round(bench: Bench) -> None:
    account = isolated(bench, 100_000)
    plans = {
        "51000": [algo(bench, account, STOP, BUY, "51000"), algo(bench, account, PROFIT, SELL, "51000")],
        "49000": [algo(bench, account, STOP, SELL, "49000"), algo(bench, account, PROFIT, BUY, "49000")],
    }
    bench.move(BTC, "50999.9")
    bench.move(BTC, "49000.1")
    assert len(account.plans) == 4
    for price, fired in plans.items():
        bench.move(BTC, price)
        assert [plan.state for plan in fired] == [PlanState.FINISHED] * 2
        order = bench.engine.order(account, fired[0].execute_order_id)
        assert order is not None
        assert (order.state, order.type, order.plan_id) == (State.FILLED, OrderType.MARKET, fired[0].id)


@pytest.mark.parametrize(
    ("kind", "side", "trigger"),
    [
        (STOP, BUY, "50000"),
        (STOP, BUY, "49999"),
        (STOP, SELL, "50000"),
        (STOP, SELL, "50001"),
        (PROFIT, BUY, "50000"),
        (PROFIT, SELL, "49000"),
        (TRAIL, BUY, "50000"),
        (TRAIL, SELL, "49999"),
    ],
)
def test_what_would_trigger_at_once_is_refused(
    bench: Bench, kind: PlanKind, side: Side, trigger: str
) -> None:
    account = isolated(bench)
    ratio = {"ratio": D(1)} if kind is TRAIL else {}
    assert refusal(bench, account, kind, side, trigger, **ratio) is Reason.TRIGGERS_AT_ONCE


def test_the_mark_price_is_watched_when_it_is_asked_for(bench: Bench) -> None:
    account = isolated(bench)
    plan = algo(bench, account, STOP, BUY, "51000", reference=Reference.MARK)
    bench.move(BTC, "52000", mark="50500")
    assert state_of(plan) is PlanState.LIVE
    assert refusal(bench, account, STOP, SELL, "50500", reference=Reference.MARK) is Reason.TRIGGERS_AT_ONCE
    bench.move(BTC, "50000", mark="51000")
    assert state_of(plan) is PlanState.FINISHED


def test_a_stop_limit_rests_as_the_order_it_was_to_become(bench: Bench) -> None:
    heard: list[Batch] = []
    bench.engine.listen(heard.extend)
    account = isolated(bench)
    plan = algo(bench, account, STOP, BUY, "51000", price=D(50500), client_id="a.b/c")
    heard.clear()
    bench.move(BTC, "51000")
    steps = [step for batch in heard for step in batch.plan_steps]
    assert [step.state for step in steps] == [PlanState.TRIGGERING, PlanState.TRIGGERED]
    (order,) = account.orders.values()
    assert (steps[1].execute_order_id, order.price, order.plan_id) == (order.id, D(50500), plan.id)
    assert bench.engine.plan(account, client_id="a.b/c") is plan
    assert bench.engine.live_plan(account, plan.id) is None
    bench.move(BTC, "50499.9")
    assert (plan.state, plan.executed_size, plan.executed_price) == (PlanState.FINISHED, D("0.1"), D(50500))
    assert not account.fired


def test_a_cancelled_order_finishes_its_plan(bench: Bench) -> None:
    account = isolated(bench)
    plan = algo(bench, account, STOP, BUY, "51000", price=D(50500))
    bench.move(BTC, "51000")
    bench.engine.cancel_all(account)
    assert (plan.state, plan.executed_size) == (PlanState.FINISHED, D(0))
    (kept,) = bench.engine.plans(account, PlanQuery(order_id=plan.id))
    assert kept == plan


def test_nothing_is_reserved_and_what_cannot_be_paid_fails(bench: Bench) -> None:
    account = isolated(bench, 100)
    plan = algo(bench, account, STOP, BUY, "51000", size=D(5))
    assert bench.engine.funds(account).free == 100
    bench.move(BTC, "51000")
    assert (plan.state, plan.failure) == (PlanState.FAILED, Reason.ABOVE_BALANCE)
    assert (account.record.wallet, account.record.seq) == (D(100), 1)


def test_a_reduce_only_one_is_cut_to_what_is_held_when_it_fires(bench: Bench) -> None:
    account = isolated(bench)
    bench.order(account, "buy", "0.2")
    plan = algo(bench, account, STOP, SELL, "49000", size=D("0.5"), reduce_only=True)
    orphan = algo(bench, account, STOP, SELL, "48000", size=D("0.5"), reduce_only=True)
    bench.move(BTC, "49000")
    assert (plan.state, plan.executed_size) == (PlanState.FINISHED, D("0.2"))
    assert state_of(orphan) is PlanState.LIVE  # only what closes a position ends with it
    bench.move(BTC, "48000")
    assert (orphan.state, orphan.failure) == (PlanState.FAILED, Reason.NO_POSITION)


def test_one_that_closes_all_closes_what_is_held_then_and_the_other_ends_with_it(bench: Bench) -> None:
    account = isolated(bench, 100_000)
    bench.order(account, "buy", "0.2")
    stop = algo(bench, account, STOP, SELL, "49000", size=D(0), closes_all=True)
    profit = algo(bench, account, PROFIT, SELL, "52000", size=D(0), closes_all=True)
    short = algo(bench, account, STOP, BUY, "53000", size=D(0), closes_all=True)
    bench.order(account, "buy", "0.3")
    bench.order(account, "sell", "0.1", "51000", reduce=True)
    bench.move(BTC, "49000")
    assert not account.positions
    assert not account.orders
    assert (stop.state, stop.executed_size) == (PlanState.FINISHED, D("0.5"))
    assert (profit.state, profit.failure) == (PlanState.EXPIRED, Ended.POSITION_CLOSED)
    assert state_of(short) is PlanState.LIVE
    order = bench.engine.order(account, stop.execute_order_id)
    assert order is not None
    assert (order.closes_all, order.reduce_only) == (True, True)


def test_one_that_closes_all_ends_with_its_position_however_that_goes(bench: Bench) -> None:
    for end in ("order", "liquidation", "flip"):
        account = isolated(bench, 6_000)
        bench.move(BTC, "50000")
        bench.order(account, "buy", "0.2")
        plan = algo(bench, account, STOP, SELL, "46000", size=D(0), closes_all=True, reference=Reference.MARK)
        if end == "order":
            bench.order(account, "sell", "0.2", reduce=True)
        elif end == "flip":
            bench.order(account, "sell", "0.3")
        else:
            bench.engine.cancel_plan(account, plan)
            plan = algo(bench, account, PROFIT, SELL, "56000", size=D(0), closes_all=True)
            bench.move(BTC, "40000")
        assert state_of(plan) is (PlanState.EXPIRED)
        assert plan.failure == Ended.POSITION_CLOSED


def test_a_position_has_one_stop_and_one_take_profit_that_close_it(bench: Bench) -> None:
    account = isolated(bench)
    close = {"size": D(0), "closes_all": True}
    first = algo(bench, account, STOP, SELL, "49000", **close)
    assert refusal(bench, account, STOP, SELL, "48000", **close) is Reason.CLOSING_PLAN_EXISTS
    algo(bench, account, PROFIT, SELL, "52000", **close)
    algo(bench, account, STOP, BUY, "52000", **close)
    algo(bench, account, STOP, SELL, "48000")
    bench.engine.cancel_plan(account, first)
    algo(bench, account, STOP, SELL, "48000", **close)
    bench.move(BTC, "48000")  # nothing is held
    assert [plan.state for plan in bench.engine.plans(account, PlanQuery(kinds=(STOP,)))][:1] == [
        PlanState.FAILED
    ]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (STOP, {"size": D(1)}),
        (STOP, {"size": D(0), "reduce_only": True}),
        (STOP, {"size": D(0), "price": D(49000)}),
        (TRAIL, {"size": D(0), "ratio": D(1)}),
    ],
)
def test_one_that_closes_all_is_a_stop_or_take_profit_at_market_without_a_size(
    bench: Bench, kind: PlanKind, more: dict[str, object]
) -> None:
    account = isolated(bench)
    trigger = "51000" if kind is TRAIL else "49000"
    assert refusal(bench, account, kind, SELL, trigger, closes_all=True, **more) is Reason.PLAN_PARAMETER


def test_in_hedge_mode_the_side_of_the_position_is_named(bench: Bench) -> None:
    account = isolated(bench, 100_000)
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    assert refusal(bench, account, STOP, SELL, "49000") is Reason.MODE_MISMATCH
    opens = {"size": D(0), "closes_all": True, "hedge_close": False}
    assert refusal(bench, account, STOP, SELL, "49000", **opens) is Reason.PLAN_PARAMETER
    for side in ("buy", "sell"):
        bench.order(account, side, "0.2", close=False)
    bench.order(account, "sell", "0.15", "55000", close=True)
    closing = algo(bench, account, STOP, SELL, "49000", size=D(0), closes_all=True, hedge_close=True)
    adding = algo(bench, account, STOP, SELL, "49000", hedge_close=False)
    too_much = algo(bench, account, PROFIT, BUY, "48000", size=D(1), hedge_close=True)
    bench.move(BTC, "49000")
    assert (closing.state, adding.state) == (PlanState.FINISHED, PlanState.FINISHED)
    assert bench.position(account) is None
    assert bench.held(account, side=PositionSide.SHORT).size == D("0.3")
    bench.move(BTC, "48000")
    assert (too_much.state, too_much.failure) == (PlanState.FAILED, Reason.ABOVE_POSITION)


def test_a_trail_that_sells_follows_the_highest_price_after_its_activation(bench: Bench) -> None:
    """Activated at 51 000, highest 52 000, 1 percent: fires at 51 480."""
    account = isolated(bench)
    bench.order(account, "buy", "0.2")
    plan = algo(bench, account, TRAIL, SELL, "51000", ratio=D(1), reduce_only=True)
    bench.move(BTC, "49000")
    assert plan.extreme == 0
    bench.move(BTC, "52000")
    bench.move(BTC, "51480.1")
    assert plan.active
    bench.move(BTC, "51480")
    assert (plan.state, plan.executed_price) == (PlanState.FINISHED, D(51480))


def test_a_trail_that_buys_follows_the_lowest_price_from_the_start_without_activation(bench: Bench) -> None:
    """Lowest 48 000, 0.5 percent: fires at 48 240, and opens."""
    account = isolated(bench)
    other = algo(bench, account, TRAIL, BUY, None, ratio=D(10))
    bench.move(BTC, "48500")
    plan = algo(bench, account, TRAIL, BUY, None, ratio=D("0.5"))
    assert plan.active
    assert plan.trigger == D(48500)
    bench.move(BTC, "48000")
    bench.move(BTC, "48239.9")
    assert state_of(plan) is PlanState.LIVE
    bench.move(BTC, "48240")
    assert state_of(plan) is PlanState.FINISHED
    assert bench.held(account).size == D("0.1")
    bench.move(BTC, "52800")
    assert state_of(other) is PlanState.FINISHED


@pytest.mark.parametrize("ratio", ["0", "0.09", "10.1", "0.123"])
def test_the_callback_is_a_tenth_to_ten_percent(bench: Bench, ratio: str) -> None:
    assert refusal(bench, isolated(bench), TRAIL, SELL, "51000", ratio=D(ratio)) is Reason.BAD_RATIO


def test_forms_that_no_algo_order_has(bench: Bench) -> None:
    account = isolated(bench)
    for reason, kind, more in (
        (Reason.SIZE_MINIMUM, STOP, {"size": D(0)}),
        (Reason.SIZE_DECIMALS, STOP, {"size": D("0.1001")}),
        (Reason.SIZE_MAXIMUM, STOP, {"size": D(101)}),
        (Reason.PRICE_DECIMALS, STOP, {"price": D("1.01")}),
        (Reason.PLAN_PARAMETER, STOP, {"price": D(1), "match": PriceMatch.QUEUE}),
        (Reason.PLAN_PARAMETER, STOP, {"ratio": D(1)}),
        (Reason.PLAN_PARAMETER, TRAIL, {"ratio": D(1), "match": PriceMatch.QUEUE}),
        (Reason.BAD_VALUE, STOP, {"expires_ns": 5}),
        (Reason.BAD_CLIENT_ID, STOP, {"client_id": "x" * 37}),
    ):
        assert refusal(bench, account, kind, BUY, "51000" if kind is STOP else "49000", **more) is reason
    assert refusal(bench, account, STOP, BUY, None) is Reason.BAD_VALUE
    assert refusal(bench, account, STOP, BUY, "51000.01") is Reason.PRICE_DECIMALS
    assert refusal(bench, account, PROFIT, BUY, "10", size=D("0.1")) is Reason.VALUE_MINIMUM
    algo(bench, account, STOP, BUY, "51000", client_id="x")
    assert refusal(bench, account, STOP, BUY, "51000", client_id="x") is Reason.DUPLICATE_CLIENT_ID


def test_client_ids_are_a_namespace_of_their_own(bench: Bench) -> None:
    account = isolated(bench)
    order = bench.order(account, "buy", "0.1", "49000", client="x")
    plan = algo(bench, account, STOP, BUY, "51000", client_id="x")
    assert bench.engine.pending(account, client_id="x") is order
    assert bench.engine.live_plan(account, client_id="x") is plan
    assert [one.id for one in bench.engine.cancel_algos(account, BTC)] == [plan.id]
    algo(bench, account, STOP, BUY, "51000", client_id="x")


def test_so_many_wait_for_one_symbol(bench: Bench) -> None:
    account = isolated(bench)
    for _ in range(100):
        algo(bench, account, STOP, BUY, "51000")
    assert refusal(bench, account, STOP, BUY, "51000") is Reason.TOO_MANY_SYMBOL_PLANS


def test_a_protected_one_does_not_trade_while_the_prices_are_far_apart(bench: Bench) -> None:
    account = isolated(bench, 100_000)
    guarded = algo(bench, account, STOP, BUY, "51000", price_protect=True)
    bench.move(BTC, "52501", mark="50000")
    assert (guarded.state, guarded.failure) == (PlanState.FAILED, Reason.PRICES_APART)
    bench.move(BTC, "50000")
    fine = algo(bench, account, STOP, BUY, "51000", price_protect=True)
    bench.move(BTC, "52500", mark="50000")
    assert state_of(fine) is PlanState.FINISHED
    assert D("0.05") == algos.TRIGGER_PROTECT


def test_the_order_has_the_force_and_the_price_of_the_moment(bench: Bench) -> None:
    account = isolated(bench, 100_000)
    fok = algo(bench, account, STOP, BUY, "51000", price=D(50000), force=Force.FOK)
    taken = algo(bench, account, STOP, BUY, "51000", match=PriceMatch.OPPONENT)
    queued = algo(bench, account, STOP, BUY, "51000", match=PriceMatch.QUEUE)
    deep = algo(bench, account, STOP, BUY, "51000", match=PriceMatch.QUEUE_20)
    bench.move(BTC, "51000")
    assert (fok.state, fok.failure) == (PlanState.FAILED, Reason.NOT_FILLABLE)
    assert (taken.state, taken.executed_price) == (PlanState.FINISHED, D("51000.1"))
    assert account.orders[queued.execute_order_id].price == 51000
    assert (deep.state, deep.failure) == (PlanState.FAILED, Reason.NO_DEPTH)


def test_one_with_an_end_expires_waiting_or_leaves_the_end_to_its_order(bench: Bench) -> None:
    account = isolated(bench, 100_000)
    end = bench.clock.now_ns() + 700 * SECOND
    waiting = algo(bench, account, STOP, SELL, "40000", price=D(40000), expires_ns=end)
    fired = algo(bench, account, STOP, BUY, "51000", price=D(50500), expires_ns=end)
    bench.move(BTC, "51000")
    order = account.orders[fired.execute_order_id]
    assert order.expires_ns == end
    bench.clock.advance(700 * SECOND // MILLISECOND)
    bench.hub.tick(bench.clock.now_ns())
    assert (waiting.state, waiting.failure, waiting.updated_ns) == (PlanState.EXPIRED, Ended.EXPIRED, end)
    assert (order.cancel_reason, fired.state) == (Ended.EXPIRED, PlanState.FINISHED)


def test_waiting_and_triggered_ones_survive_a_restart(tmp_path: Path) -> None:
    bench = Bench(SqliteStore(tmp_path))
    account = isolated(bench, 100_000)
    end = bench.clock.now_ns() + 700 * SECOND
    fired = algo(bench, account, STOP, BUY, "51000", price=D(50500), client_id="f")
    waiting = algo(bench, account, STOP, SELL, "40000", price=D(40000), expires_ns=end, client_id="w")
    trail = algo(bench, account, TRAIL, SELL, None, ratio=D(2), price_protect=True)
    bench.move(BTC, "51000")
    bench.engine.keep_trails()
    before = bench.picture()
    bench.hub.unsubscribe(bench.engine._on_market)
    bench.store.close()
    again = bench
    again.store = SqliteStore(tmp_path)
    again.engine = Engine(again.hub, again.store)
    again.engine.arm()
    account = again.engine.accounts[0]
    assert account.plans == {waiting.id: waiting, trail.id: trail}
    assert account.fired == {fired.id: fired}
    assert again.engine.plan(account, client_id="f") == fired
    assert again.picture() == before
    again.move(BTC, "50500")
    again.move(BTC, "50400")
    done = again.engine.plan(account, fired.id)
    assert done is not None
    assert (done.state, done.executed_size) == (PlanState.FINISHED, D("0.1"))
    again.clock.advance(701_000)
    again.hub.tick(again.clock.now_ns())
    ended = again.engine.plan(account, waiting.id)
    assert ended is not None
    assert state_of(ended) is PlanState.EXPIRED
    again.move(BTC, "49980")  # 51 000 less 2 percent
    assert trail.id not in account.plans
    again.store.close()
