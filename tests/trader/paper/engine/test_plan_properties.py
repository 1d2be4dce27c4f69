"""Random plans, prices and restarts: every plan fires when its own rule says so, once, and guards what is held."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import PositionSide, Side
from tests.trader.paper.bench import BTC, PRICES, Bench
from tests.trader.paper.engine.test_properties import check_money, check_reservations, check_solvency
from trader.paper.engine import conditional, protection
from trader.paper.engine.batch import Query
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import MarginMode, Plan, PlanKind, PlanState, PositionMode, Preset, Reference
from trader.paper.engine.refusals import Refused

D = Decimal


class Watched:
    """The bench, and for each trailing plan the prices since it started, kept the plain way."""

    def __init__(self, *, hedge: bool) -> None:
        self.bench = Bench()
        self.account = self.bench.account(20_000)
        if hedge:
            self.bench.engine.set_position_mode(self.account, PositionMode.HEDGE)
        self.hedge = hedge
        self.extremes: dict[int, Decimal] = {}
        self.ended: dict[int, PlanState] = {}

    def restart(self) -> None:
        """An orderly stop and a start on the same market."""
        self.bench.engine.keep_trails()
        self.bench.hub.unsubscribe(self.bench.engine._on_market)
        self.bench.engine = Engine(self.bench.hub, self.bench.store)
        self.bench.engine.arm()
        self.account = self.bench.engine.accounts[0]

    def price(self, plan: Plan) -> Decimal:
        state = self.bench.state()
        return state.last if plan.reference is Reference.LAST else state.mark

    def check(self) -> None:
        for plan in self.account.plans.values():
            assert plan.state is PlanState.LIVE
            price = self.price(plan)
            if plan.active:
                best = max if plan.rising else min
                extreme = best(self.extremes.get(plan.id, price), price)
                self.extremes[plan.id] = extreme
                away = extreme * plan.ratio / 100
                assert price > extreme - away if plan.rising else price < extreme + away
            else:
                self.extremes.pop(plan.id, None)
                assert price < plan.trigger if plan.fires_above else price > plan.trigger
        made = [
            order.client_id
            for order in [
                *self.account.orders.values(),
                *self.bench.engine.orders(self.account, Query(limit=9999)),
            ]
        ]
        for plan in self.bench.engine.plans(self.account, Query(limit=9999)):
            assert plan.id not in self.account.plans
            assert self.ended.setdefault(plan.id, plan.state) is plan.state
            executed = plan.state is PlanState.EXECUTED
            assert (made.count(str(plan.id)), plan.execute_order_id > 0) == (executed, executed)
        check_money(self.bench)
        check_reservations(self.bench)
        check_solvency(self.bench)


Step = Callable[[Watched], None]

FACTORS = st.sampled_from(["0.95", "0.98", "0.99", "0.999", "1.001", "1.01", "1.02", "1.05"])
SIDES = st.sampled_from(list(PositionSide))
REFERENCES = st.sampled_from(list(Reference))
SIZES = st.sampled_from(["0.01", "0.05", "0.1", "3"])


def near(world: Watched, factor: str) -> Decimal:
    return (world.bench.state().last * D(factor)).quantize(D("0.1"))


@st.composite
def triggers(draw: st.DrawFn) -> Step:
    side, factor, size = draw(st.sampled_from(list(Side))), draw(FACTORS), draw(SIZES)
    reference, ratio = draw(REFERENCES), draw(st.sampled_from(["0", "0", "0.5", "3"]))
    limit, close, reduce = draw(st.none() | FACTORS), draw(st.booleans()), draw(st.booleans())
    preset = draw(st.sampled_from([Preset(), Preset(take_profit=D(3)), Preset(stop_loss=D(2))]))

    def step(world: Watched) -> None:
        trails = ratio != "0"
        new = conditional.NewTrigger(
            symbol=BTC,
            kind=PlanKind.TRACK if trails else PlanKind.NORMAL,
            side=side,
            size=D(size),
            margin_mode=MarginMode.CROSSED if reduce else MarginMode.ISOLATED,
            trigger=near(world, factor),
            reference=reference,
            price=None if trails or limit is None else near(world, limit),
            ratio=D(ratio),
            hedge_close=close if world.hedge else None,
            reduce_only=reduce and not world.hedge,
            preset=preset if trails else Preset(),
        )
        world.bench.engine.place_trigger(world.account, new)

    return step


@st.composite
def guards(draw: st.DrawFn) -> Step:
    kind = draw(st.sampled_from([kind for kind in PlanKind if kind.protects]))
    side, factor, size, reference = draw(SIDES), draw(FACTORS), draw(SIZES), draw(REFERENCES)
    limit = draw(st.none() | FACTORS)

    def step(world: Watched) -> None:
        new = protection.NewPlan(
            symbol=BTC,
            kind=kind,
            side=side,
            trigger=near(world, factor),
            reference=reference,
            execute=None if kind.trails or limit is None else near(world, limit),
            size=D(size),
            ratio=D(1) if kind.trails else D(0),
        )
        world.bench.engine.place_plan(world.account, new)

    return step


@st.composite
def changes(draw: st.DrawFn) -> Step:
    number, factor, cancels = draw(st.integers(0, 5)), draw(FACTORS), draw(st.booleans())

    def step(world: Watched) -> None:
        plans = list(world.account.plans.values())
        if not plans:
            return
        plan, engine, at = plans[number % len(plans)], world.bench.engine, near(world, factor)
        if cancels:
            engine.cancel_plan(world.account, plan)
        elif plan.kind.protects:
            world.extremes.pop(plan.id, None)
            engine.modify_protection(world.account, plan, protection.Change(trigger=at))
        else:
            world.extremes.pop(plan.id, None)
            engine.modify_trigger(world.account, plan, conditional.Change(trigger=at))

    return step


@st.composite
def trades(draw: st.DrawFn) -> Step:
    side, size = draw(st.sampled_from(["buy", "sell"])), draw(SIZES)
    close, limit = draw(st.booleans()), draw(st.none() | FACTORS)

    def step(world: Watched) -> None:
        price = None if limit is None else near(world, limit)
        world.bench.order(world.account, side, size, price, close=close if world.hedge else None)

    return step


@st.composite
def moves(draw: st.DrawFn) -> Step:
    factor, mark = draw(FACTORS), draw(st.sampled_from(["1", "1", "0.99", "1.01"]))

    def step(world: Watched) -> None:
        at = min(max(near(world, factor), PRICES[BTC] / 2), PRICES[BTC] * 2)
        world.bench.move(BTC, at, mark=(at * D(mark)).quantize(D("0.1")))

    return step


STEP = st.one_of(triggers(), guards(), moves(), moves(), trades(), changes(), st.just(Watched.restart))
STEPS = st.one_of(st.lists(STEP, max_size=8), st.lists(STEP, min_size=20, max_size=40))


@given(STEPS, st.booleans())
@settings(max_examples=100, deadline=None)
def test_plans_fire_when_they_must_and_once(steps: list[Step], hedge: bool) -> None:
    world = Watched(hedge=hedge)
    for step in steps:
        before = world.bench.picture()
        try:
            step(world)
        except Refused:
            assert world.bench.picture() == before
        world.check()
