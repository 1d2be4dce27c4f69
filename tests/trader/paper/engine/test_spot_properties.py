"""Random spot scripts: no coin appears or vanishes, locks are what orders need, refusals change nothing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import Side
from tests.trader.paper.bench import BTC
from tests.trader.paper.engine.spotbench import ETHBTC, SpotBench
from trader.paper.contract import Side as Word
from trader.paper.engine.model import Force, SelfTrade
from trader.paper.engine.money import ZERO, plus, times
from trader.paper.engine.refusals import Refused
from trader.paper.engine.spot_batch import SpotQuery
from trader.paper.engine.spot_model import PlanUnit

D = Decimal
Step = Callable[[SpotBench], None]

SYMBOLS = st.sampled_from([BTC, BTC, ETHBTC])
ACCOUNTS = st.integers(0, 2)
SIZES = st.sampled_from(["0.0001", "0.003", "0.05", "0.1", "0.7", "1.5", "7", "123.45", "900"])
NEAR = st.sampled_from(["0.96", "0.99", "0.9999", "1.0001", "1.01", "1.04"])
TIGHT = st.sampled_from(["0.9998", "0.9999", "1", "1.0001", "1.0002"])
MAYBE = st.one_of(st.none(), NEAR)
SIDES = st.sampled_from(list(Side))
RULES = st.sampled_from(list(SelfTrade))


def near(bench: SpotBench, symbol: str, factor: str | None) -> Decimal | None:
    if factor is None:
        return None
    state = bench.spot(symbol)
    return (state.last * D(factor) / state.spec.tick).to_integral_value() * state.spec.tick


@st.composite
def orders(draw: st.DrawFn) -> Step:
    number, symbol, side, size = draw(ACCOUNTS), draw(SYMBOLS), draw(SIDES), draw(SIZES)
    price, trigger, tp, sl = draw(MAYBE), draw(st.one_of(st.none(), MAYBE)), draw(MAYBE), draw(MAYBE)
    force, client = draw(st.sampled_from(list(Force))), draw(st.sampled_from(["", "", "a"]))
    rule = draw(RULES)

    def step(bench: SpotBench) -> None:
        bench.trade_spot(
            bench.engine.accounts[number],
            side,
            size,
            near(bench, symbol, price),
            symbol=symbol,
            force=force,
            client=client,
            trigger=near(bench, symbol, trigger),
            tp=near(bench, symbol, tp),
            sl=near(bench, symbol, sl),
            stp=rule,
        )

    return step


@st.composite
def quotes(draw: st.DrawFn) -> Step:
    """Small limit orders around the price: they rest, queue, meet each other and are filled in parts."""
    number, symbol, side = draw(ACCOUNTS), draw(SYMBOLS), draw(SIDES)
    size, price = draw(st.sampled_from(["0.002", "0.01", "0.013"])), draw(TIGHT)
    force, rule = draw(st.sampled_from([Force.GTC, Force.GTC, *Force])), draw(RULES)
    tp = draw(st.sampled_from([None, None, "1.01"])) if side is Side.BUY else None

    def step(bench: SpotBench) -> None:
        at, account = near(bench, symbol, price), bench.engine.accounts[number]
        scaled = D(size) * (1 if symbol == BTC else 10)
        above = near(bench, symbol, tp)
        bench.trade_spot(account, side, scaled, at, symbol=symbol, force=force, stp=rule, tp=above)

    return step


@st.composite
def trades(draw: st.DrawFn) -> Step:
    """Public trades of the tape, and market orders of an account, small ones."""
    symbol, price, side, rule = draw(SYMBOLS), draw(TIGHT), draw(SIDES), draw(RULES)
    size, number = draw(st.sampled_from(["0.001", "0.007", "0.02"])), draw(st.integers(-1, 2))

    def step(bench: SpotBench) -> None:
        scaled, at = D(size) * (1 if symbol == BTC else 10), near(bench, symbol, price)
        assert at is not None
        if number < 0:
            taker: Word = "buy" if side is Side.BUY else "sell"
            bench.hub.feed_trade(bench.spot(symbol), at, scaled, taker, bench.now())
        else:
            spent = scaled * at if side is Side.BUY else scaled
            bench.trade_spot(bench.engine.accounts[number], side, spent, None, symbol=symbol, stp=rule)

    return step


@st.composite
def plans(draw: st.DrawFn) -> Step:
    number, symbol, side, size = draw(ACCOUNTS), draw(SYMBOLS), draw(SIDES), draw(SIZES)
    trigger, execute, unit = draw(NEAR), draw(MAYBE), draw(st.sampled_from(list(PlanUnit)))

    def step(bench: SpotBench) -> None:
        at = near(bench, symbol, trigger)
        assert at is not None
        account, limit = bench.engine.accounts[number], near(bench, symbol, execute)
        bench.spot_plan(account, side.value, size, at, limit, unit=unit, symbol=symbol)

    return step


@st.composite
def moves(draw: st.DrawFn) -> Step:
    symbol, factor = draw(SYMBOLS), draw(st.sampled_from(["0.9", "0.97", "0.995", "1.004", "1.03", "1.1"]))
    thin = draw(st.one_of(st.none(), st.sampled_from(["0.0031", "0.07", "1.3"])))

    def step(bench: SpotBench) -> None:
        at = near(bench, symbol, factor)
        assert at is not None
        start = D(50_000) if symbol == BTC else D("0.04")
        at = min(max(at, start / 10), start * 10)
        at = (at / bench.spot(symbol).spec.tick).to_integral_value() * bench.spot(symbol).spec.tick
        if thin is None:
            bench.to(at, symbol)
        else:
            bench.spot(symbol).last = at
            tick = bench.spot(symbol).spec.tick
            steps = [format(at + number * tick, "f") for number in (-3, 0, 1, 5)]
            bench.levels([(steps[1], thin), (steps[0], thin)], [(steps[2], thin), (steps[3], thin)], symbol)

    return step


@st.composite
def others(draw: st.DrawFn) -> Step:
    number, symbol, size, price = draw(ACCOUNTS), draw(SYMBOLS), draw(SIZES), draw(NEAR)
    what = draw(st.sampled_from(["cancel", "cancel_all", "replace", "in", "out", "plans", "trade", "trade"]))
    taker: Word = "buy" if draw(st.booleans()) else "sell"

    def step(bench: SpotBench) -> None:
        engine, account = bench.engine, bench.engine.accounts[number]
        first = next(iter(account.spot.orders.values()), None)
        match what:
            case "cancel" if first is not None:
                engine.spot.cancel(account, first)
            case "cancel_all":
                engine.spot.cancel_all(account, symbol)
            case "replace" if first is not None and first.price and not first.waiting:
                at = near(bench, first.symbol, price)
                assert at is not None
                engine.spot.replace(account, first, at, D(size))
            case "in":
                engine.spot.transfer(account, "futures", "spot", D(size))
            case "out":
                engine.spot.transfer(account, "spot", "futures", D(size))
            case "plans":
                engine.spot.cancel_plans(account, list(account.spot.plans.values()))
            case _:
                at = near(bench, symbol, price)
                assert at is not None
                bench.hub.feed_trade(bench.spot(symbol), at, D(size), taker, bench.now())

    return step


STEP = st.one_of(quotes(), quotes(), quotes(), trades(), trades(), orders(), moves(), plans(), others())
STEPS = st.lists(STEP, min_size=15, max_size=40)


def fresh() -> SpotBench:
    bench = SpotBench()
    bench.rich("500", USDT="20000", BTC="1.5", ETH="10")
    bench.rich("0.5", USDT="777.77", BTC="0.05")
    bench.rich(USDT="3000", BTC="0.2", ETH="3")
    return bench


def check_coins(bench: SpotBench) -> None:
    """Per wallet and coin the ledger adds up to what is held; per coin all wallets and counters to nothing."""
    sums: dict[str, Decimal] = {}
    for account in bench.engine.accounts:
        running: dict[tuple[str, str], Decimal] = {}
        for number, entry in enumerate(bench.ledger(account), 1):
            key = (entry.wallet, entry.coin)
            running[key] = plus(running.get(key, ZERO), entry.amount)
            assert (entry.seq, entry.balance) == (number, running[key])
            assert entry.balance >= 0
            sums[entry.coin] = plus(sums.get(entry.coin, ZERO), entry.amount)
        spot = {coin: total for (wallet, coin), total in running.items() if wallet == "spot"}
        assert account.record.spot == spot
        assert account.record.wallet == running.get(("futures", "USDT"), ZERO)
    for (_, coin), amount in bench.engine.core.totals.items():
        sums[coin] = plus(sums.get(coin, ZERO), amount)
    assert set(sums.values()) <= {ZERO}


def check_locks(bench: SpotBench) -> None:
    floor = bench.engine.core.spot
    for account in bench.engine.accounts:
        wanted: dict[str, Decimal] = {}
        for order in account.spot.orders.values():
            left = order.size - order.filled
            need, coin = (left, order.base)
            if order.side is Side.BUY:
                need, coin = (order.budget or times(order.price, left)), order.quote
            assert order.live
            assert order.locked == need > 0
            wanted[coin] = wanted.get(coin, ZERO) + need
        assert account.spot.locked == wanted
        assert all(account.spot.available(coin) >= 0 for coin in account.record.spot)
        assert set(account.spot.clients.values()) == set(account.spot.orders)
        assert set(account.spot.plan_clients.values()) == set(account.spot.plans)
    waiting = sum(order.waiting for order in floor.orders.values())
    indexes = floor.symbols.values()
    assert sum(len(i.buys) + len(i.sells) for i in indexes) == len(floor.resting)
    assert len(floor.resting) + waiting == len(floor.orders)
    assert sum(len(i.rising) + len(i.falling) for i in indexes) == waiting + len(floor.plans)


@given(STEPS)
@settings(max_examples=100, deadline=None)
def test_whatever_happens_every_coin_is_accounted_for(steps: list[Step]) -> None:
    bench = fresh()
    for step in steps:
        before = bench.everything()
        try:
            step(bench)
        except Refused:
            assert bench.everything() == before
            assert not bench.engine.core.batch
    check_coins(bench)
    check_locks(bench)
    for account in bench.engine.accounts:
        fills = bench.engine.spot.store.fills(account.id, SpotQuery(limit=10_000))
        done = bench.engine.spot.store.orders(account.id, SpotQuery(limit=10_000))
        every = [*done, *account.spot.orders.values()]
        assert sum((o.filled for o in every), ZERO) == sum((f.size for f in fills), ZERO)
        assert sum((o.value for o in every), ZERO) == sum((f.value for f in fills), ZERO)


@given(STEPS)
@settings(max_examples=30, deadline=None)
def test_a_restart_forgets_nothing(steps: list[Step]) -> None:
    bench = fresh()
    for step in steps:
        try:
            step(bench)
        except Refused:
            continue
    before = bench.everything()
    bench.restart()
    assert bench.everything() == before
    check_coins(bench)
    check_locks(bench)
