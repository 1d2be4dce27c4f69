"""Random scripts against the engine: money adds up, refusals change nothing, a restart forgets nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, ETH, PRICES, Bench
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Query
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import Force, Kind, MarginMode, PlanKind, PositionMode, Reference
from trader.paper.engine.money import ZERO, plus
from trader.paper.engine.refusals import Refused

D = Decimal
Step = Callable[[Bench], None]

SYMBOLS = st.sampled_from([BTC, ETH])
ACCOUNTS = st.integers(0, 1)
SIZES = st.sampled_from(["0.01", "0.03", "0.1", "0.17", "1", "2.5", "20"])
MOVES = st.sampled_from(["0.5", "0.9", "0.97", "0.995", "1", "1.003", "1.02", "1.1", "1.9"])
SIDES = st.sampled_from(["buy", "sell"])
MODES = st.sampled_from(list(MarginMode))
GUARDS = st.sampled_from([kind for kind in PlanKind if kind.protects and not kind.trails])
NEAR = st.one_of(st.none(), st.sampled_from(["0.96", "0.99", "0.9999", "1.0001", "1.01", "1.04"]))


def near(bench: Bench, symbol: str, factor: str | None) -> Decimal | None:
    if factor is None:
        return None
    tick = bench.state(symbol).spec.tick
    return (bench.state(symbol).last * D(factor) / tick).to_integral_value() * tick


def accounts(bench: Bench, number: int) -> Account:
    return bench.engine.accounts[number]


@st.composite
def orders(draw: st.DrawFn) -> Step:
    number, symbol, side, size = draw(ACCOUNTS), draw(SYMBOLS), draw(SIDES), draw(SIZES)
    price, tp, sl = draw(NEAR), draw(NEAR), draw(NEAR)
    mode, force = draw(MODES), draw(st.sampled_from(list(Force)))
    reduce, close = draw(st.booleans()), draw(st.one_of(st.none(), st.booleans()))
    client = draw(st.sampled_from(["", "", "a", "b"]))

    def step(bench: Bench) -> None:
        bench.order(
            accounts(bench, number),
            side,
            size,
            near(bench, symbol, price),
            symbol=symbol,
            mode=mode,
            force=force,
            reduce=reduce,
            close=close,
            tp=near(bench, symbol, tp),
            sl=near(bench, symbol, sl),
            client=client,
        )

    return step


@st.composite
def plans(draw: st.DrawFn) -> Step:
    number, symbol, trigger = draw(ACCOUNTS), draw(SYMBOLS), draw(st.sampled_from(["0.98", "1.02", "1.05"]))
    kind, side = draw(GUARDS), draw(st.sampled_from(list(PositionSide)))
    size, reference = draw(SIZES), draw(st.sampled_from(list(Reference)))
    execute = draw(NEAR)

    def step(bench: Bench) -> None:
        at = near(bench, symbol, trigger)
        limit = near(bench, symbol, execute)
        assert at is not None
        plan = bench.plan(
            kind,
            at,
            side=side,
            symbol=symbol,
            size=size,
            reference=reference,
            execute=None if limit is None else str(limit),
        )
        bench.engine.place_plan(accounts(bench, number), plan)

    return step


@st.composite
def moves(draw: st.DrawFn) -> Step:
    symbol, last, mark = draw(SYMBOLS), draw(MOVES), draw(st.sampled_from(["1", "1", "0.99", "1.01"]))

    def step(bench: Bench) -> None:
        at = near(bench, symbol, last)
        assert at is not None
        tick = bench.state(symbol).spec.tick
        at = min(max(at, PRICES[symbol] / 20), PRICES[symbol] * 20)
        bench.move(symbol, at, mark=(at * D(mark) / tick).to_integral_value() * tick)

    return step


@st.composite
def settings_changes(draw: st.DrawFn) -> Step:
    number, symbol, mode = draw(ACCOUNTS), draw(SYMBOLS), draw(MODES)
    leverage, hedge = draw(st.sampled_from([1, 3, 20, 125, 126])), draw(st.booleans())
    what = draw(st.sampled_from(["leverage", "margin", "position", "close", "cancel", "cancel_plans"]))

    def step(bench: Bench) -> None:
        engine, account = bench.engine, accounts(bench, number)
        match what:
            case "leverage":
                engine.set_leverage(account, symbol, leverage)
            case "margin":
                engine.set_margin_mode(account, symbol, mode)
            case "position":
                engine.set_position_mode(account, PositionMode.HEDGE if hedge else PositionMode.ONE_WAY)
            case "close":
                engine.close_positions(account, symbol)
            case "cancel":
                engine.cancel_all(account, symbol)
            case _:
                for plan in list(account.plans.values()):
                    engine.cancel_plan(account, plan)

    return step


STEP = st.one_of(orders(), orders(), moves(), plans(), settings_changes())
STEPS = st.one_of(st.lists(STEP, max_size=10), st.lists(STEP, min_size=25, max_size=60))


def fresh() -> Bench:
    bench = Bench()
    bench.account(10_000)
    bench.account("777.77")
    return bench


def check_money(bench: Bench) -> None:
    """Each ledger adds up to its wallet, and all wallets with all counter accounts to nothing."""
    total = ZERO
    for account in bench.engine.accounts:
        running = ZERO
        for number, entry in enumerate(bench.ledger(account), 1):
            running = plus(running, entry.amount)
            assert (entry.seq, entry.balance) == (number, running)
            assert entry.amount
        assert account.record.wallet == running
        total = plus(total, running)
    for amount in bench.engine.core.totals.values():
        total = plus(total, amount)
    assert total == 0


def check_solvency(bench: Bench) -> None:
    """Nobody holds crossed positions that the mark prices do not allow any more."""
    engine = bench.engine
    for account in engine.accounts:
        equity, needed = engine.crossed_margins(account, engine.funds(account))
        assert not needed or equity > needed


def check_reservations(bench: Bench) -> None:
    """What is locked, frozen and watched is exactly what the resting orders, plans and positions need."""
    core = bench.engine.core
    resting = sum(len(index.buys) + len(index.sells) for index in core.symbols.values())
    waiting = sum(len(watching) for watching in core.watches.values())
    isolated = crossed = 0
    for account in core.accounts.values():
        assert account.locked == sum((order.locked for order in account.orders.values()), ZERO)
        assert set(account.clients.values()) == set(account.orders)
        assert set(account.plan_clients.values()) == set(account.plans)
        for position in account.positions.values():
            closing = (
                order.remaining
                for order in account.pending(position.symbol)
                if order.closing and order.position_side is position.side
            )
            assert position.frozen == sum(closing, ZERO)
            assert position.size == position.opened_size - position.closed_size > 0
            assert position.open_value > 0
            isolated += position.margin_mode is MarginMode.ISOLATED
            crossed += position.margin_mode is MarginMode.CROSSED
        for plan in account.plans.values():
            held = account.positions.get((plan.symbol, plan.side))
            assert not plan.kind.protects or (held is not None and plan.size <= held.size)
        for order in account.orders.values():
            assert order.live
            assert not order.closing or (order.symbol, order.position_side) in account.positions
    assert resting == len(core.live_orders) == len(core.resting)
    assert waiting == len(core.live_plans)
    assert isolated == len(core.liquidation_prices)
    assert (crossed > 0) == any(index.crossed for index in core.symbols.values())


@given(STEPS)
@settings(max_examples=150, deadline=None)
def test_whatever_clients_and_the_market_do_the_books_balance(steps: list[Step]) -> None:
    bench = fresh()
    for step in steps:
        before = bench.picture()
        rows = len(bench.ledger(bench.engine.accounts[0]))
        try:
            step(bench)
        except Refused:
            assert bench.picture() == before
            assert len(bench.ledger(bench.engine.accounts[0])) == rows
            assert not bench.engine.core.batch
        check_money(bench)
        check_reservations(bench)
        check_solvency(bench)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_a_restart_brings_everything_back(steps: list[Step]) -> None:
    bench = fresh()
    for step in steps:
        try:
            step(bench)
        except Refused:
            continue
    before = bench.picture()
    again = Engine(bench.hub, bench.store)
    bench.engine, first = again, bench.engine
    again.arm()
    assert bench.picture() == before
    check_money(bench)
    check_reservations(bench)
    assert again.core.last_id > first.core.last_id or not first.core.last_id


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_the_same_script_gives_the_same_ledger(steps: list[Step]) -> None:
    pictures = []
    for _ in range(2):
        bench = fresh()
        for step in steps:
            try:
                step(bench)
            except Refused:
                continue
        pictures.append((bench.picture(), [bench.ledger(a) for a in bench.engine.accounts]))
    assert pictures[0] == pictures[1]


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_fills_orders_and_ledger_tell_the_same_story(steps: list[Step]) -> None:
    bench = fresh()
    for step in steps:
        try:
            step(bench)
        except Refused:
            continue
    engine = bench.engine
    for account in engine.accounts:
        fills = engine.fills(account, Query(limit=10_000))
        by_kind: dict[Kind, Decimal] = {}
        for entry in bench.ledger(account):
            by_kind[entry.kind] = plus(by_kind.get(entry.kind, ZERO), entry.amount)
        fees = by_kind.get(Kind.OPEN_FEE, ZERO) + by_kind.get(Kind.CLOSE_FEE, ZERO)
        assert sum((fill.fee for fill in fills), ZERO) == fees
        assert sum((fill.profit for fill in fills), ZERO) == by_kind.get(Kind.REALISED_PNL, ZERO)
        done = [*engine.orders(account, Query(limit=10_000)), *account.orders.values()]
        assert sum((order.filled for order in done), ZERO) == sum((fill.size for fill in fills), ZERO)
        assert sum((order.value for order in done), ZERO) == sum((fill.value for fill in fills), ZERO)


def test_a_batch_that_cannot_be_stored_is_not_half_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = fresh()
    account = bench.engine.accounts[0]
    stored = bench.store.load()

    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(bench.store, "_write_positions", broken)
    with pytest.raises(OSError, match="disk full"):
        bench.order(account, "buy", "0.1")
    assert bench.store.load() == stored
