"""Random scripts with amendments, ends, countdowns and algo orders: money adds up, refusals change nothing,
nothing is overdue, a restart forgets nothing, and the same script gives the same ledger."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.clock import SECOND
from shared.domain.order import OrderType, PositionSide, Side
from tests.trader.paper.bench import BTC, PRICES, START_NS, Bench
from tests.trader.paper.engine.test_properties import check_money, check_reservations, check_solvency
from trader.paper.engine.accounts import Account
from trader.paper.engine.algos import NewAlgo
from trader.paper.engine.batch import Query
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import (
    AccountKind,
    Ended,
    Force,
    MarginMode,
    NewOrder,
    PlanKind,
    PlanState,
    PositionMode,
    PriceMatch,
    Reference,
    State,
)
from trader.paper.engine.refusals import Reason, Refused

D = Decimal


class World:
    """Two Binance accounts on one market; the second trades in hedge mode when the first does not."""

    def __init__(self, *, hedge: bool, margin: MarginMode) -> None:
        self.bench = Bench()
        for number in range(2):
            account = self.bench.account("20000.25", AccountKind.BINANCE)
            self.bench.engine.set_margin_mode(account, BTC, margin)
            if hedge is (number == 0):
                self.bench.engine.set_position_mode(account, PositionMode.HEDGE)

    def account(self, number: int) -> Account:
        return self.bench.engine.accounts[number]

    def near(self, factor: str) -> Decimal:
        return (self.bench.state().last * D(factor)).quantize(D("0.1"))

    def restart(self) -> None:
        """A start on the same market; what was restored is what was there.

        What orders have taken from the tape's book is forgotten by a restart: so it is refilled before.
        """
        bench = self.bench
        last = bench.state().last
        bench.book(BTC, [(str(last), "1000")], [(str(last + D("0.1")), "1000")])
        bench.engine.keep_trails()
        before = bench.picture()
        bench.hub.unsubscribe(bench.engine._on_market)
        bench.engine = Engine(bench.hub, bench.store)
        bench.engine.arm()
        assert bench.picture() == before

    def check(self) -> None:
        check_money(self.bench)
        check_reservations(self.bench)
        check_solvency(self.bench)
        core, now = self.bench.engine.core, self.bench.hub.now_ns
        due = 0
        for account in self.bench.engine.accounts:
            for order in account.orders.values():
                assert not order.expires_ns or order.expires_ns > now
                due += bool(order.expires_ns)
            for plan in account.plans.values():
                assert plan.state is PlanState.LIVE
                assert not plan.expires_ns or plan.expires_ns > now
                due += bool(plan.expires_ns)
            assert all(at > now for at in account.record.countdowns.values())
            due += len(account.record.countdowns)
            followed = {order.plan_id: order.id for order in account.orders.values() if order.plan_id}
            assert followed == {plan.id: plan.execute_order_id for plan in account.fired.values()}
            self._check_ended(account)
        assert due == len(core.timers)
        assert core.hub.next_due_ns > now

    def _check_ended(self, account: Account) -> None:
        ended = {order.id: order for order in self.bench.engine.orders(account, Query(limit=9999))}
        for order in ended.values():
            assert order.state is State.FILLED or order.cancel_reason in set(Ended)
        for plan in self.bench.engine.plans(account, Query(limit=9999)):
            if plan.state is PlanState.FINISHED:
                made = ended[plan.execute_order_id]
                assert (plan.executed_size, plan.executed_price) == (made.filled, made.average)
            elif plan.state is PlanState.FAILED:
                assert Reason(plan.failure)
                assert not plan.execute_order_id
            elif plan.state is PlanState.EXPIRED:
                assert plan.failure in (Ended.EXPIRED, Ended.POSITION_CLOSED)
            else:
                assert plan.state in (PlanState.CANCELLED, PlanState.TRIGGERED)


Step = Callable[[World], None]

ACCOUNTS = st.integers(0, 1)
SIDES = st.sampled_from(list(Side))
SIZES = st.sampled_from(["0.01", "0.05", "0.2", "1", "3"])
FACTORS = st.sampled_from(["0.96", "0.98", "0.995", "0.9999", "1.0001", "1.005", "1.02", "1.04"])
ENDS = st.sampled_from([0, 0, 30, 600])
MATCHES = st.sampled_from([PriceMatch.NONE, PriceMatch.NONE, PriceMatch.QUEUE, PriceMatch.OPPONENT])


def ends(world: World, seconds: int) -> int:
    return world.bench.clock.now_ns() + seconds * SECOND if seconds else 0


@st.composite
def orders(draw: st.DrawFn) -> Step:
    number, side, size, factor = draw(ACCOUNTS), draw(SIDES), draw(SIZES), draw(st.none() | FACTORS)
    force, seconds, match = draw(st.sampled_from(list(Force))), draw(ENDS), draw(MATCHES)
    reduce, close = draw(st.booleans()), draw(st.booleans())

    def step(world: World) -> None:
        account = world.account(number)
        hedge = account.record.position_mode is PositionMode.HEDGE
        limit = factor is not None
        matched = match if limit else PriceMatch.NONE
        new = NewOrder(
            symbol=BTC,
            side=side,
            type=OrderType.LIMIT if limit else OrderType.MARKET,
            size=D(size),
            margin_mode=account.settings(world.bench.state().spec).margin_mode,
            price=world.near(factor) if factor is not None and matched is PriceMatch.NONE else None,
            force=force if limit else Force.GTC,
            hedge_close=close if hedge else None,
            reduce_only=reduce and not hedge,
            strict=True,
            match=matched,
            expires_ns=ends(world, seconds) if limit else 0,
        )
        world.bench.engine.place(account, new)

    return step


@st.composite
def amendments(draw: st.DrawFn) -> Step:
    number, which, size, factor = (
        draw(ACCOUNTS),
        draw(st.integers(0, 5)),
        draw(SIZES),
        draw(st.none() | FACTORS),
    )

    def step(world: World) -> None:
        account = world.account(number)
        found = list(account.orders.values())
        if found:
            order = found[which % len(found)]
            price = order.price if factor is None else world.near(factor)
            world.bench.engine.amend(account, order, D(size), price)

    return step


@st.composite
def algos(draw: st.DrawFn) -> Step:
    number, side, size, factor = draw(ACCOUNTS), draw(SIDES), draw(SIZES), draw(st.none() | FACTORS)
    kind = draw(st.sampled_from([PlanKind.ALGO_STOP, PlanKind.ALGO_PROFIT, PlanKind.ALGO_TRAIL]))
    limit, match, seconds = draw(st.none() | FACTORS), draw(MATCHES), draw(ENDS)
    reference, reduce = draw(st.sampled_from(list(Reference))), draw(st.booleans())
    whole, close = draw(st.booleans()), draw(st.booleans())
    force = draw(st.sampled_from(list(Force)))

    def step(world: World) -> None:
        account = world.account(number)
        hedge = account.record.position_mode is PositionMode.HEDGE
        plain = whole or kind.trails
        matched = PriceMatch.NONE if plain else match
        priced = limit is not None and not plain and matched is PriceMatch.NONE
        new = NewAlgo(
            symbol=BTC,
            kind=kind,
            side=side,
            size=D(0) if whole else D(size),
            trigger=None if factor is None else world.near(factor),
            reference=reference,
            price=world.near(limit) if limit is not None and priced else None,
            match=matched,
            force=force,
            ratio=D("0.7") if kind.trails else D(0),
            hedge_close=(close or whole) if hedge else None,
            reduce_only=reduce and not hedge and not whole,
            closes_all=whole,
            price_protect=close,
            expires_ns=ends(world, seconds),
        )
        world.bench.engine.place_algo(account, new)

    return step


@st.composite
def commands(draw: st.DrawFn) -> Step:
    number, what = (
        draw(ACCOUNTS),
        draw(st.sampled_from(["countdown", "stop", "orders", "algos", "close", "leverage"])),
    )
    leverage = draw(st.sampled_from([5, 20, 125]))

    def step(world: World) -> None:
        engine, account = world.bench.engine, world.account(number)
        match what:
            case "countdown":
                engine.countdown(account, BTC, 45 * SECOND)
            case "stop":
                engine.countdown(account, BTC, 0)
            case "orders":
                engine.cancel_all(account, BTC)
            case "algos":
                engine.cancel_algos(account, BTC)
            case "leverage":
                engine.set_leverage(account, BTC, leverage)
            case _:
                engine.close_positions(account, BTC)

    return step


@st.composite
def moves(draw: st.DrawFn) -> Step:
    factor, mark = draw(FACTORS), draw(st.sampled_from(["1", "1", "0.99", "1.01", "1.06"]))
    depth = draw(st.sampled_from(["0.03", "0.4", "1000"]))

    def step(world: World) -> None:
        at = min(max(world.near(factor), PRICES[BTC] / 2), PRICES[BTC] * 2)
        world.bench.move(BTC, at, mark=(at * D(mark)).quantize(D("0.1")))
        world.bench.book(BTC, [(str(at), depth)], [(str(at + D("0.1")), depth)])

    return step


@st.composite
def waits(draw: st.DrawFn) -> Step:
    seconds = draw(st.sampled_from([1, 29, 31, 46, 600]))

    def step(world: World) -> None:
        world.bench.clock.advance(seconds * 1000)
        world.bench.hub.tick(world.bench.clock.now_ns())

    return step


STEP = st.one_of(orders(), orders(), amendments(), algos(), algos(), moves(), moves(), waits(), commands())
STEPS = st.one_of(st.lists(STEP, max_size=8), st.lists(STEP, min_size=20, max_size=40))
MARGINS = st.sampled_from(list(MarginMode))


def play(world: World, steps: list[Step]) -> None:
    for step in steps:
        before = world.bench.picture()
        try:
            step(world)
        except Refused:
            assert world.bench.picture() == before
        world.check()


@given(STEPS, st.booleans(), MARGINS)
@settings(max_examples=60, deadline=None)
def test_nothing_appears_vanishes_or_is_overdue(steps: list[Step], hedge: bool, margin: MarginMode) -> None:
    play(World(hedge=hedge, margin=margin), steps)


@given(STEPS, st.integers(0, 40), st.booleans(), MARGINS)
@settings(max_examples=25, deadline=None)
def test_a_restart_in_between_changes_nothing(
    steps: list[Step], at: int, hedge: bool, margin: MarginMode
) -> None:
    world = World(hedge=hedge, margin=margin)
    play(world, steps[:at])
    world.restart()
    play(world, steps[at:])


@given(STEPS, st.booleans(), MARGINS)
@settings(max_examples=10, deadline=None)
def test_the_same_script_gives_the_same_ledger(steps: list[Step], hedge: bool, margin: MarginMode) -> None:
    ledgers = []
    for _ in range(2):
        world = World(hedge=hedge, margin=margin)
        assert world.bench.clock.now_ns() >= START_NS
        play(world, steps)
        ledgers.append(
            msgspec.json.encode(
                [world.bench.ledger(account) for account in world.bench.engine.accounts], order="sorted"
            )
        )
        ledgers[-1] += world.bench.picture()
    assert ledgers[0] == ledgers[1]


def test_a_hedge_position_that_is_closed_whole_takes_its_closers_along() -> None:
    """Found by hand: both sides held, and only the closers of the side that went end."""
    world = World(hedge=True, margin=MarginMode.ISOLATED)
    account, engine = world.account(0), world.bench.engine
    for side in ("buy", "sell"):
        world.bench.order(account, side, "0.1", close=False)
    plans = {
        side: engine.place_algo(
            account,
            NewAlgo(
                symbol=BTC,
                kind=PlanKind.ALGO_STOP,
                side=trade,
                trigger=D(at),
                closes_all=True,
                hedge_close=True,
            ),
        )
        for side, trade, at in ((PositionSide.LONG, Side.SELL, 45000), (PositionSide.SHORT, Side.BUY, 55000))
    }
    engine.close_positions(account, BTC, PositionSide.LONG)
    assert {side: plan.state for side, plan in plans.items()} == {
        PositionSide.LONG: PlanState.EXPIRED,
        PositionSide.SHORT: PlanState.LIVE,
    }
    world.check()
