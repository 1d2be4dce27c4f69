"""Liquidation step by step: literals worked out by hand, and what holds whatever the marks and tiers are."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, ETH, PRICES, Bench, spec
from trader.paper.contract import Tier
from trader.paper.engine import maths
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Query
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import BillKind, MarginMode, PositionMode, Source
from trader.paper.engine.money import ZERO
from trader.paper.engine.refusals import Refused
from trader.paper.faces.bitget import shapes
from trader.paper.market import FundingDue

D = Decimal
CROSSED = MarginMode.CROSSED
FREE = {"taker_fee": D(0), "maker_fee": D(0)}


def ladder(*steps: tuple[str, int, str]) -> tuple[Tier, ...]:
    tiers: list[Tier] = []
    start = D(0)
    for end, leverage, rate in steps:
        tiers.append(Tier(start=start, end=D(end), leverage=leverage, keep_margin_rate=D(rate)))
        start = D(end)
    return tuple(tiers)


TWO = ladder(("500", 50, "0.01"), ("2000", 20, "0.04"))
THREE = ladder(("500", 50, "0.01"), ("1000", 20, "0.02"), ("2000", 10, "0.05"))


def bench_of(tiers: tuple[Tier, ...]) -> Bench:
    bench = Bench(
        specs=(spec(BTC, "0.1", "0.001", tiers=tiers, **FREE), spec(ETH, "0.01", "0.01", tiers=tiers, **FREE))
    )
    bench.move(BTC, "24999.9")
    bench.move(ETH, "999.99")
    return bench


def test_an_isolated_long_is_reduced_to_the_lower_tier_and_keeps_what_is_left_of_its_margin() -> None:
    """0.04 at 25000 = 1000, margin 100: (1000 - 100) / (0.04 x 0.96) = 23437.5.

    0.02 go there: -31.25, margin 68.75. Tier 1: (500 - 68.75) / (0.02 x 0.99) = 21780.303...
    """
    bench = bench_of(TWO)
    account = bench.account("1000")
    bench.order(account, "buy", "0.04")
    resting = bench.order(account, "buy", "0.001", "24900")
    assert bench.engine.core.liquidation_prices[bench.held(account).id] == D("23437.5")
    bench.move(BTC, "25000", mark="23437.5")
    held = bench.held(account)
    assert (held.size, held.margin, held.open_value) == (D("0.02"), D("68.75"), D(500))
    assert bench.engine.core.liquidation_prices[held.id].quantize(D("1e-3")) == D("21780.303")
    assert resting.cancel_reason == "liquidation"
    order, _ = bench.engine.orders(account, Query(limit=2))
    assert (order.source, order.size, order.liquidation_price) == (Source.REDUCTION, D("0.02"), D("23437.5"))
    assert (shapes.trade_side(order), shapes.order_source(order)) == ("reduce_sell_single", "liquidation")
    bench.move(BTC, "25000", mark="21780.3")
    assert not account.positions
    assert account.record.wallet == 900
    assert [bill.kind for bill in bench.engine.bills(account, Query())] == [
        BillKind.LIQUIDATED_SELL,
        BillKind.REDUCED_SELL,
        BillKind.TRANSFER_IN,
    ]


def test_a_gap_takes_an_isolated_short_down_all_tiers_and_never_more_than_its_margin() -> None:
    bench = bench_of(THREE)
    account = bench.account("1000")
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.book(BTC, [("25000", "9")], [("25000.1", "9")])
    bench.order(account, "sell", "0.08", close=False)  # 2000, margin 200
    bench.move(BTC, "90000")
    assert not account.positions
    assert account.record.wallet == 800
    done = bench.engine.orders(account, Query(limit=3))[::-1]
    assert [shapes.trade_side(order) for order in done] == [
        "reduce_close_short",
        "reduce_close_short",
        "burst_close_short",
    ]
    assert [order.size for order in done] == [D("0.04"), D("0.02"), D("0.02")]
    assert bench.engine.closed(account, Query())[0].closed_size == D("0.08")


def test_a_crossed_position_is_reduced_before_it_goes_and_the_greatest_loss_first() -> None:
    """100 USDT; long 0.04 BTC at 25000 (r 0.04) and 0.1 ETH at 1000 (r 0.01).

    At 23460 BTC has lost 61.6 and ETH 0.001: equity 38.399, needed 938.4 x 0.04 + 0.99999 = 38.53599.
    0.02 go at mark, the rest needs 469.2 x 0.01 + 0.99999 = 5.69199.
    """
    bench = bench_of(TWO)
    account = bench.account("100")
    bench.engine.set_leverage(account, BTC, 20)
    bench.order(account, "buy", "0.04", mode=CROSSED)
    bench.order(account, "buy", "0.1", mode=CROSSED, symbol=ETH)
    bench.move(BTC, "23460")
    assert bench.held(account).size == D("0.02")
    assert bench.held(account, ETH).size == D("0.1")
    assert account.record.wallet == D("69.2")  # 100 - 0.02 x 1540
    equity, needed = bench.engine.crossed_margins(account, bench.engine.funds(account))
    assert (equity, needed) == (D("38.399"), D("5.69199"))


def test_automatic_margin_saves_a_position_as_long_as_money_is_free() -> None:
    """300 USDT, margin 100 at 25000 x 0.02 (r 0.01, 5x): (500 - 100) / (0.02 x 0.99) = 20202.02.

    The first 100 moves the price to 15151.51..., the second to 10101.01...; then nothing is free.
    """
    bench = bench_of(TWO)
    account = bench.account("300")
    bench.engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    bench.engine.set_leverage(account, BTC, 5)
    bench.order(account, "buy", "0.02")
    bench.engine.set_auto_margin(account, BTC, PositionSide.LONG, True)
    bench.move(BTC, "20202")
    assert (bench.held(account).margin, bench.engine.funds(account).free) == (D(200), D(100))
    bench.move(BTC, "15151.5")
    assert bench.held(account).margin == 300
    assert [bill.kind for bill in bench.engine.bills(account, Query(limit=2))] == [BillKind.AUTO_MARGIN] * 2
    bench.move(BTC, "10101")
    assert not account.positions
    assert account.record.wallet == 0


@pytest.mark.parametrize(("mark", "left"), [("15151.5", 300), ("10000", 0)])
def test_in_a_gap_automatic_margin_comes_at_once(mark: str, left: int) -> None:
    bench = bench_of(TWO)
    account = bench.account("300")
    bench.engine.set_margin_mode(account, BTC, MarginMode.ISOLATED)
    bench.engine.set_leverage(account, BTC, 5)
    bench.order(account, "buy", "0.02")
    bench.engine.set_auto_margin(account, BTC, None, True)
    bench.move(BTC, mark)
    assert sum((position.margin for position in account.positions.values()), ZERO) == left
    assert account.record.wallet == left


def test_steeper_tiers_judge_what_is_held_at_once() -> None:
    bench = bench_of(ladder(("5000", 50, "0.01")))
    account = bench.account("1000")
    bench.order(account, "buy", "0.04")
    state = bench.state()
    steep = ladder(("5000", 5, "0.15"))
    bench.hub.respecify(state, spec(BTC, "0.1", "0.001", tiers=steep, **FREE))
    bench.engine.respecified(BTC)
    assert not account.positions
    assert account.record.wallet == 900


def test_a_settlement_is_paid_once_also_when_a_restart_brings_its_time_again() -> None:
    bench = bench_of(TWO)
    account = bench.account("1000")
    bench.order(account, "buy", "0.02", mode=CROSSED)
    state = bench.state()
    event = FundingDue(state, D("0.001"), D(25_000), state.next_funding_ns)
    bench.engine._on_market(event)
    bench.engine._on_market(event)
    again = Engine(bench.hub, bench.store)
    again.arm()
    again._on_market(event)
    (bill,) = again.bills(again.accounts[0], Query(kind="funding"))
    assert bill.amount == D("-0.5")


RATES = st.lists(st.sampled_from(["0.004", "0.01", "0.02", "0.05", "0.1"]), min_size=1, max_size=4)


@st.composite
def ladders(draw: st.DrawFn) -> tuple[Tier, ...]:
    rates = sorted(draw(RATES), key=D)
    ends = [D(1500) * 3**number for number in range(len(rates) - 1)] + [D(10_000_000)]
    return ladder(*((str(end), int(1 / D(rate) / 2), rate) for end, rate in zip(ends, rates, strict=True)))


@given(
    ladders(),
    st.lists(
        st.tuples(
            st.sampled_from([BTC, ETH]),
            st.sampled_from(["buy", "sell"]),
            st.sampled_from(list(MarginMode)),
            st.integers(1, 60),
            st.sampled_from([1, 3, 5, 10, 50]),
        ),
        min_size=1,
        max_size=3,
    ),
    st.lists(
        st.tuples(st.sampled_from([BTC, ETH]), st.decimals("0.3", "2.5", places=3)), min_size=1, max_size=6
    ),
)
@settings(max_examples=120, deadline=None)
def test_whatever_happens_liquidation_leaves_nothing_due_and_nobody_below_zero(
    tiers: tuple[Tier, ...],
    entries: list[tuple[str, str, MarginMode, int, int]],
    marks: list[tuple[str, Decimal]],
) -> None:
    bench = Bench(specs=(spec(BTC, "0.1", "0.001", tiers=tiers), spec(ETH, "0.01", "0.01", tiers=tiers)))
    account = bench.account("2000")
    for symbol, side, mode, size, leverage in entries:
        try:
            bench.engine.set_margin_mode(account, symbol, mode)
            bench.engine.set_leverage(account, symbol, leverage)
            bench.order(account, side, D(size) * bench.state(symbol).spec.step, symbol=symbol, mode=mode)
        except Refused:
            continue
    for symbol, factor in marks:
        before = {p.id: (p.margin, p.size) for p in account.positions.values()}
        crossed = any(p.margin_mode is CROSSED for p in account.positions.values())
        wallet = account.record.wallet
        bench.move(symbol, (PRICES[symbol] * factor).quantize(bench.state(symbol).spec.tick))
        check(bench, account)
        if not crossed:
            held = {p.id: p.margin for p in account.positions.values()}
            lost = sum((margin - held.get(number, ZERO) for number, (margin, _) in before.items()), ZERO)
            assert wallet - account.record.wallet <= lost
    assert sum((bill.amount + bill.fee for bill in bench.engine.bills(account, Query(limit=1000))), ZERO) == (
        account.record.wallet
    )


def check(bench: Bench, account: Account) -> None:
    engine, core = bench.engine, bench.engine.core
    for position in account.positions.values():
        assert position.margin >= 0
        if position.margin_mode is MarginMode.ISOLATED:
            price = maths.isolated_liquidation(core.spec(position.symbol), position)
            assert not maths.is_due(position, price, core.mark(position))
    equity, needed = engine.crossed_margins(account, engine.funds(account))
    assert equity >= 0
    assert not needed or equity > needed
    if not any(p.margin_mode is CROSSED for p in account.positions.values()):
        assert account.record.wallet >= 0
    totals = sum(core.totals.values(), ZERO)
    assert totals + account.record.wallet == 0
