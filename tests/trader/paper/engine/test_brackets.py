"""Maintenance and liquidation by bracket: literals worked out by hand from the documented formulas.

maintenance = |M q| r - cum; price = (W + cum - s q E + X) / (q (r - s)), isolated W = margin, X = 0.
Tiers of the bench: to 150 000 r 0.004, to 600 000 r 0.01 (cum 900), to 3 000 000 r 0.05 (cum 24 900).
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, ETH, TIERS, Bench, spec
from tests.trader.paper.engine.test_liquidation import FREE, ladder
from trader.paper.engine import estimates, maths
from trader.paper.engine.model import MarginMode, Position, PositionMode, Upkeep
from trader.paper.engine.refusals import Refused
from trader.paper.engine.settings import Leverage
from trader.paper.state import SqliteStore

D = Decimal
CROSSED = MarginMode.CROSSED
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
BTC_SPEC = spec(BTC, "0.1", "0.001")
TEN = Leverage(10, 10, 10)


def position(entry: str, size: str, margin: str = "0", side: PositionSide = LONG) -> Position:
    return Position(
        id=1,
        account=1,
        symbol=BTC,
        side=side,
        margin_mode=MarginMode.ISOLATED,
        leverage=20,
        mode=PositionMode.ONE_WAY,
        created_ns=0,
        updated_ns=0,
        size=D(size),
        open_value=D(entry) * D(size),
        margin=D(margin),
        upkeep=Upkeep.BRACKET,
    )


def free_bench() -> Bench:
    bench = Bench(specs=(spec(BTC, "0.1", "0.001", **FREE), spec(ETH, "0.01", "0.01", **FREE)))
    bench.move(BTC, "49999.9")  # so that one buys at 50 000 exactly
    return bench


def test_what_each_tier_takes_off_makes_it_continuous() -> None:
    assert [off for _, off in maths.brackets(BTC_SPEC)] == [0, 900, 24_900]
    for tier, above in pairwise(TIERS):
        held = position("1000", str(tier.end / 1000))
        off = maths.brackets(BTC_SPEC)[TIERS.index(above)][1]
        assert maths.maintenance(BTC_SPEC, held, D(1000)) == tier.end * above.keep_margin_rate - off


@pytest.mark.parametrize(
    ("mark", "needed"),
    [
        ("10000", "40"),  # 10 000 x 0.004
        ("150000", "600"),  # the border of two tiers
        ("200000", "1100"),  # 200 000 x 0.01 - 900
        ("600000", "5100"),
        ("1000000", "25100"),  # 1 000 000 x 0.05 - 24 900
        ("4000000", "175100"),  # beyond the last tier as in it
    ],
)
def test_the_tier_is_that_of_the_notional_at_mark_and_there_is_no_fee(mark: str, needed: str) -> None:
    assert maths.maintenance(BTC_SPEC, position("50000", "1"), D(mark)) == D(needed)
    assert maths.maintenance(BTC_SPEC, position("50000", "1", side=SHORT), D(mark)) == D(needed)


@pytest.mark.parametrize(
    ("held", "price"),
    [
        # (500 - 10 000) / (0.2 x (0.004 - 1)) = 9 500 / 0.1992
        (position("50000", "0.2", "500"), "47690.76305221"),
        # (500 + 10 000) / (0.2 x 1.004) = 10 500 / 0.2008
        (position("50000", "0.2", "500", SHORT), "52290.83665339"),
        # second tier: (25 000 + 900 - 500 000) / (10 x (0.01 - 1)) = 474 100 / 9.9
        (position("50000", "10", "25000"), "47888.88888889"),
        # (25 000 + 900 + 500 000) / (10 x 1.01) = 525 900 / 10.1
        (position("50000", "10", "25000", SHORT), "52069.30693069"),
        # held in the second tier (160 000), due in the first: (16 000 - 160 000) / (3.2 x -0.996)
        (position("50000", "3.2", "16000"), "45180.72289157"),
        # held in the first tier (148 000), due in the second: (14 800 + 900 + 148 000) / (2.96 x 1.01)
        (position("50000", "2.96", "14800", SHORT), "54756.48916243"),
        # third tier: (200 000 + 24 900 - 2 000 000) / (40 x -0.95) = 1 775 100 / 38
        (position("50000", "40", "200000"), "46713.15789474"),
    ],
)
def test_isolated_liquidation_price(held: Position, price: str) -> None:
    assert maths.isolated_liquidation(BTC_SPEC, held).quantize(D("1e-8")) == D(price)


def test_crossed_liquidation_price_counts_the_other_positions() -> None:
    """Wallet 1000 (no fees): long 0.1 BTC at 50 000, long 1 ETH at 2000.01, ETH then at 1900.

    X = -100.01 - 1900 x 0.004 = -107.61; (1000 + 0 - 5000 - 107.61) / (0.1 x (0.004 - 1)) = 41 241.0642...
    """
    bench = free_bench()
    account = bench.account("1000", "binance")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.order(account, "buy", "1", symbol=ETH, mode=CROSSED)
    bench.move(ETH, "1900")
    held = bench.held(account)
    price = bench.engine.liquidation_price(account, held, bench.engine.funds(account))
    assert price.quantize(D("1e-4")) == D("41241.0643")


def test_the_crossed_legs_of_a_hedge_have_one_liquidation_price() -> None:
    """Wallet 2000: long 0.2 at 50 000, short 0.1 at 49 999.9.

    (2000 - 10 000 + 4999.99) / (0.2 x -0.996 + 0.1 x 1.004) = -3000.01 / -0.0988 = 30 364.4736...
    """
    bench = free_bench()
    account = bench.account("2000", "binance")
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.order(account, "buy", "0.2", mode=CROSSED, close=False)
    bench.order(account, "sell", "0.1", mode=CROSSED, close=False)
    funds = bench.engine.funds(account)
    prices = [
        bench.engine.liquidation_price(account, bench.held(account, side=side), funds)
        for side in (LONG, SHORT)
    ]
    assert [price.quantize(D("1e-4")) for price in prices] == [D("30364.4737")] * 2
    bench.move(BTC, "30364.5")
    assert len(account.positions) == 2
    bench.move(BTC, "30364.4")
    assert len(account.positions) < 2


def test_the_estimate_before_opening_is_the_price_afterwards() -> None:
    for mode in MarginMode:
        bench = free_bench()
        account = bench.account("3000", "binance")
        bench.engine.set_margin_mode(account, BTC, mode)
        wanted = estimates.Wanted(BTC, LONG, D(50_000))
        expected = bench.engine.estimated_liquidation(account, wanted, D("0.4"))
        bench.order(account, "buy", "0.4", mode=mode)
        held = bench.held(account)
        assert held.upkeep is Upkeep.BRACKET
        found = bench.engine.liquidation_price(account, held, bench.engine.funds(account))
        assert abs(found - expected) < D("1e-4")  # the estimate of crossed stands at the mark, 49 999.9


def test_an_isolated_position_goes_at_its_own_price_and_not_before() -> None:
    """0.2 at 50 000, 10x: (1000 - 10 000) / (0.2 x -0.996) = 45 180.7228...; with the fee it were 45 208.0...

    Booked at the takeover price (10 000 - 1000) / (0.2 x (1 - 0.0046)), 45 207.9 on the tick.
    """
    bench = Bench()
    bench.move(BTC, "49999.9")
    account, other = bench.account("5000", "binance"), bench.account("5000")
    for one in (account, other):
        bench.engine.set_leverage(one, BTC, TEN)
        bench.order(one, "buy", "0.2")
    bench.move(BTC, "45180.8")
    assert bench.held(account).size == D("0.2")
    assert not other.positions
    bench.move(BTC, "45180.7")
    assert not account.positions
    assert bench.amounts(account) == bench.amounts(other)
    assert account.record.wallet == D("3994")  # 5000 - opening fee 6 - margin 1000


def test_the_fall_through_both_prices_books_the_same_for_both_kinds() -> None:
    for side in ("buy", "sell"):
        bench = Bench()
        both = [bench.account("5000", kind) for kind in ("classic", "binance")]
        for account in both:
            bench.engine.set_leverage(account, BTC, TEN)
            bench.order(account, side, "0.2")
            bench.order(account, side, "0.1", "50000" if side == "sell" else "49990")
        bench.move(BTC, "30000" if side == "buy" else "80000")
        assert not any(account.positions for account in both)
        assert bench.amounts(both[0]) == bench.amounts(both[1])


def test_a_position_above_the_first_tier_is_reduced_first_by_the_notional_where_it_is_due() -> None:
    """0.08 at 25 000 = 2000, margin 200; tiers to 500 r 0.01, to 2000 r 0.04 (cum 15), no fees.

    (200 + 15 - 2000) / (0.08 x -0.96) = 23 242.1875: notional 1859.375, of which 500 are 0.02151... -> 0.021.
    0.059 go at 23 242.1: -103.7161; 96.2839 of margin carry 0.021 at 25 000: (96.2839 - 525) / (0.021 x -0.99).
    """
    tiers = ladder(("500", 50, "0.01"), ("2000", 20, "0.04"))
    bench = Bench(specs=(spec(BTC, "0.1", "0.001", tiers=tiers, **FREE), spec(ETH, "0.01", "0.01")))
    bench.move(BTC, "24999.9")
    account = bench.account("1000", "binance")
    bench.engine.set_leverage(account, BTC, TEN)
    bench.order(account, "buy", "0.08")
    assert bench.engine.core.liquidation_prices[bench.held(account).id] == D("23242.1875")
    bench.move(BTC, "25000", mark="23242.1")
    held = bench.held(account)
    assert (held.size, held.margin) == (D("0.021"), D("96.2839"))
    assert bench.engine.core.liquidation_prices[held.id].quantize(D("1e-4")) == D("20621.2650")
    bench.move(BTC, "25000", mark="20621.2")
    assert not account.positions
    assert account.record.wallet == 800


def test_a_crossed_account_is_judged_by_brackets() -> None:
    """1000 USDT, long 0.1 at 50 000, no fees: equity 1000 - 0.1 (50 000 - M) = 0.0004 M at 40 160.6425..."""
    bench = free_bench()
    account = bench.account("1000", "binance")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.move(BTC, "40160.7")
    assert account.positions
    bench.move(BTC, "40160.6")
    assert not account.positions
    assert account.record.wallet == D("16.06")


def test_the_rule_stays_with_the_position_over_a_restart(tmp_path: Path) -> None:
    bench = Bench(SqliteStore(tmp_path))
    account = bench.account("5000", "binance")
    bench.order(account, "buy", "0.2")
    before = bench.picture()
    bench.store.close()
    again = Bench(SqliteStore(tmp_path))
    assert again.held(again.engine.accounts[0]).upkeep is Upkeep.BRACKET
    assert again.picture() == before
    again.store.close()


def test_positions_of_files_without_a_rule_have_the_first() -> None:
    body = msgspec.to_builtins(position("1", "1"))
    del body["upkeep"]
    assert msgspec.convert(body, Position).upkeep is Upkeep.RATE_AND_FEE


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell"]),
        st.sampled_from(["0.1", "1", "5", "20"]),
        st.integers(30_000, 80_000),
    ),
    min_size=1,
    max_size=12,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_an_isolated_position_is_due_exactly_when_its_margin_no_longer_covers(
    steps: list[tuple[str, str, int]],
) -> None:
    bench = free_bench()
    account = bench.account("1000000", "binance")
    for side, size, price in steps:
        with suppress(Refused):
            bench.order(account, side, size)
        for held in account.positions.values():
            at = bench.engine.core.liquidation_prices[held.id]
            if at <= 0:
                continue
            for mark in (at * D("0.999"), at * D("1.001")):
                lacking = maths.lacking_margin(bench.state().spec, held, mark)
                assert (lacking >= 0) == maths.is_due(held, at, mark)
        bench.move(BTC, price)
        for held in account.positions.values():
            assert maths.lacking_margin(bench.state().spec, held, D(price)) < 0
        total = sum(bench.engine.core.totals.values()) + account.record.wallet
        assert total == 0
