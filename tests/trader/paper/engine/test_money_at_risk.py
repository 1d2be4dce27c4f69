"""Leverage, margin modes, liquidation, funding."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, ETH, Bench
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Query
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import MarginMode, PositionMode, Source
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.settings import Leverage
from trader.paper.faces.bitget import shapes
from trader.paper.market import FundingDue, Status

D = Decimal
CROSSED, ISOLATED = MarginMode.CROSSED, MarginMode.ISOLATED


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(reason: Reason) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.reason is reason)


def test_leverage_is_one_value_crossed_and_two_isolated(bench: Bench) -> None:
    account, engine = bench.account(), bench.engine
    changed = engine.set_leverage(account, BTC, 20)
    assert (changed.cross_leverage, changed.long_leverage) == (20, 10)
    engine.set_margin_mode(account, BTC, ISOLATED)
    changed = engine.set_leverage(account, BTC, 30)
    assert (changed.long_leverage, changed.short_leverage, changed.cross_leverage) == (30, 30, 20)
    engine.set_position_mode(account, PositionMode.HEDGE)
    changed = engine.set_leverage(account, BTC, 40, PositionSide.SHORT)
    assert (changed.long_leverage, changed.short_leverage) == (30, 40)
    changed = engine.set_leverage(account, BTC, Leverage(long=5, short=6))
    assert (changed.long_leverage, changed.short_leverage) == (5, 6)


@pytest.mark.parametrize(("value", "reason"), [(0, Reason.LEVERAGE_RANGE), (126, Reason.LEVERAGE_MAXIMUM)])
def test_leverage_has_a_range(bench: Bench, value: int, reason: Reason) -> None:
    account = bench.account()
    with refused(reason):
        bench.engine.set_leverage(account, BTC, value)
    assert BTC not in account.record.settings


def test_resting_orders_block_leverage_but_not_an_equal_value(bench: Bench) -> None:
    account = bench.account()
    bench.engine.set_leverage(account, BTC, 20)
    bench.order(account, "buy", "0.1", "49000", mode=CROSSED)
    bench.engine.set_leverage(account, BTC, 20)
    with refused(Reason.LEVERAGE_ORDERS):
        bench.engine.set_leverage(account, BTC, 21)


def test_leverage_moves_the_margin_of_an_isolated_position(bench: Bench) -> None:
    account = bench.account("600")
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "0.1")  # margin 500, fee 3
    bench.engine.set_leverage(account, BTC, 20)
    assert bench.held(account).margin == 250
    with refused(Reason.LEVERAGE_MARGIN):
        bench.engine.set_leverage(account, BTC, 8)  # 625 would be needed
    bench.move(BTC, "48000")
    with refused(Reason.LEVERAGE_MARGIN):
        bench.engine.set_leverage(account, BTC, 50)  # 100 would not carry a loss of 200
    assert bench.held(account).margin == 250


def test_modes_are_fixed_while_anything_is_open(bench: Bench) -> None:
    account, engine = bench.account(), bench.engine
    resting = bench.order(account, "buy", "0.1", "49000", mode=CROSSED)
    with refused(Reason.MARGIN_MODE_BLOCKED):
        engine.set_margin_mode(account, BTC, ISOLATED)
    with refused(Reason.POSITION_MODE_BLOCKED):
        engine.set_position_mode(account, PositionMode.HEDGE)
    engine.set_margin_mode(account, BTC, CROSSED)
    engine.set_margin_mode(account, ETH, ISOLATED)
    engine.set_position_mode(account, PositionMode.ONE_WAY)
    engine.cancel(account, resting)
    engine.set_margin_mode(account, BTC, ISOLATED)
    engine.set_position_mode(account, PositionMode.HEDGE)


def test_an_isolated_long_is_liquidated_at_its_price_and_loses_its_margin(bench: Bench) -> None:
    """E 50000, q 0.1, margin 500: (5000 - 500) / (0.1 x 0.9954) = 45207.95..., taken at 45207.9."""
    account = bench.account("1000")
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "0.1", sl="40000")
    bench.move(BTC, "45208", mark="45208")
    assert account.positions
    bench.move(BTC, "45300", mark="45207.9")
    assert not account.positions
    assert not account.plans
    assert bench.amounts(account)[2:] == [
        ("realised_pnl", "-479.21"),
        ("close_fee", "-2.712474"),
        ("liquidation_fee", "-18.077526"),
    ]
    assert account.record.wallet == D(497)  # 1000 - 3 of fee - 500 of margin
    order = bench.engine.orders(account, Query(limit=1))[0]
    assert (order.source, order.liquidation_price) == (Source.LIQUIDATION, D("45207.9"))


def test_an_isolated_short_loses_its_margin_and_no_more_in_a_gap(bench: Bench) -> None:
    account = bench.account("1000")
    bench.book(BTC, [("50000", "9")], [("50001", "9")])
    bench.order(account, "sell", "0.1")
    bench.move(BTC, "90000")
    assert not account.positions
    assert account.record.wallet == D(497)


def test_crossed_positions_back_each_other(bench: Bench) -> None:
    account = bench.account("1000")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.order(account, "sell", "2", symbol=ETH, mode=CROSSED)
    bench.move(ETH, "1800")  # the short earns about 400
    bench.move(BTC, "38000")  # the long loses about 1200
    assert len(account.positions) == 2
    bench.move(ETH, "2000")
    assert not account.positions
    assert account.record.wallet >= 0


def test_a_crossed_wallet_never_ends_below_zero(bench: Bench) -> None:
    account = bench.account("1000")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.order(account, "buy", "0.02", "49000", mode=CROSSED)
    bench.move(BTC, "20000")
    assert not account.positions
    assert not account.orders
    assert account.record.wallet == 0
    assert bench.ledger(account)[-1].kind.value == "insurance"


def test_the_liquidation_price_of_a_crossed_position_is_where_it_happens(bench: Bench) -> None:
    """Equity 997 (1000 - 3 of fee), maintenance 5000 x 0.0046 = 23: 50000 - (997 - 23) / 0.1 = 40260.

    The estimate holds the maintenance at today's mark; at 40260 it is smaller, so it happens lower.
    """
    account = bench.account("1000")
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "0.1", mode=CROSSED)
    resting = bench.order(account, "sell", "0.01", "52000", mode=CROSSED)
    funds = bench.engine.funds(account)
    assert bench.engine.liquidation_price(account, bench.held(account), funds) == D(40260)
    assert shapes.margin_ratio(bench.engine, account, bench.held(account), funds).quantize(D("1e-6")) == D(
        "0.023069"  # 23 / 997
    )
    bench.move(BTC, "40215.0")  # equity 18.5, maintenance 18.49...
    assert account.positions
    bench.move(BTC, "40214.0")
    assert not account.positions
    assert resting.cancel_reason == "liquidation"


def test_crossed_losses_do_not_eat_isolated_margins(bench: Bench) -> None:
    account = bench.account("1000")
    bench.book(ETH, [("1999", "9")], [("2000", "900")])
    bench.order(account, "buy", "1", symbol=ETH)  # isolated margin 200
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.move(BTC, "20000")
    (left,) = account.positions.values()
    assert (left.symbol, left.margin, account.record.wallet) == (ETH, D(200), D(200))


def beside_a_crossed_long(bench: Bench) -> Account:
    """1000 USDT; crossed long 0.01 BTC at 50000 (fee 0.3, maintenance 2.3); the ETH book is 1999/2000."""
    account = bench.account("1000")
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.book(ETH, [("1999", "9")], [("2000", "9")])
    bench.order(account, "buy", "0.01", mode=CROSSED)
    return account


def test_an_isolated_loss_on_one_symbol_liquidates_the_crossed_position_on_another(bench: Bench) -> None:
    """The stop sells 2 ETH of 2000 at 1400: wallet 1000 - 0.3 - 2.4 - 1200 - 1.68 = -204.38 < 2.3.

    The mark of BTC stands still all the while.
    """
    account = beside_a_crossed_long(bench)
    bench.order(account, "buy", "2", symbol=ETH, sl="1990")
    bench.move(ETH, "1400")
    assert not account.positions
    assert bench.amounts(account)[3:] == [
        ("realised_pnl", "-1200"),
        ("close_fee", "-1.68"),
        ("close_fee", "-0.3"),
        ("insurance", "204.68"),
    ]
    assert account.record.wallet == 0


def test_closing_an_isolated_position_into_a_thin_book_liquidates_the_crossed_one(bench: Bench) -> None:
    """2 ETH of 2000 go at 1502.5: wallet 1000 - 0.3 - 2.4 - 995 - 1.803 = 0.497 < 2.3; 0.3 closes BTC."""
    account = beside_a_crossed_long(bench)
    bench.order(account, "buy", "2", symbol=ETH)
    bench.book(ETH, [("1502.5", "9")], [("2000", "9")])
    bench.engine.close_positions(account, ETH)
    assert not account.positions
    assert account.record.wallet == D("0.197")


def test_funding_comes_out_of_an_isolated_margin_and_the_insurance_pays_the_rest(bench: Bench) -> None:
    """2 ETH pay 0.15 x 2000 x 2 = 600 with 400 of margin. At margin 0 the price is 4000 / (2 x 0.9954) = 2009.24...

    There the position earns 18.48 and pays 2.411088: both are the insurance's. The crossed long is not touched.
    """
    account = beside_a_crossed_long(bench)
    bench.order(account, "buy", "2", symbol=ETH)
    event = FundingDue(bench.state(ETH), D("0.15"), D(2000), bench.clock.now_ns())
    for listener in bench.hub._listeners:
        listener(event)
    assert [position.symbol for position in account.positions.values()] == [BTC]
    assert bench.amounts(account)[3:] == [
        ("funding", "-600"),
        ("insurance", "200"),
        ("realised_pnl", "18.48"),
        ("close_fee", "-2.411088"),
        ("liquidation_fee", "-16.068912"),
    ]
    assert account.record.wallet == D("597.3")  # 1000 - 0.3 - 2.4 of fees - 400 of margin


@pytest.mark.parametrize("status", ["open", "maintain"])
def test_funding_of_a_crossed_position_liquidates_it_traded_or_not(bench: Bench, status: Status) -> None:
    """1000 - 0.3 pay 2 x 50000 x 0.01 = 1000: -0.3 is left, -0.6 after the closing fee, which the insurance pays."""
    account = beside_a_crossed_long(bench)
    bench.hub.set_status(bench.state(BTC), status)
    event = FundingDue(bench.state(BTC), D(2), D(50_000), bench.clock.now_ns())
    for listener in bench.hub._listeners:
        listener(event)
    assert not account.positions
    assert bench.amounts(account)[2:] == [("funding", "-1000"), ("close_fee", "-0.3"), ("insurance", "0.6")]
    assert account.record.wallet == 0


def test_after_a_restart_at_another_price_stops_come_before_liquidation(bench: Bench) -> None:
    account = bench.account("1000")
    bench.order(bench.account(), "buy", "1", symbol=ETH)
    bench.order(account, "buy", "0.1", mode=CROSSED, sl="49000")
    bench.hub.unsubscribe(bench.engine._on_market)
    bench.move(BTC, "40000")  # equity about 0 < maintenance 18.4
    again = Engine(bench.hub, bench.store)
    again.arm()
    (stopped,) = again.orders(again.accounts[0], Query(limit=1))
    assert stopped.source is Source.POSITION_STOP_LOSS
    assert not again.accounts[0].positions


def test_unrealised_losses_of_crossed_positions_reduce_what_can_be_opened(bench: Bench) -> None:
    account = bench.account("1000")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    before = bench.engine.funds(account).free
    bench.move(BTC, "49000")
    assert bench.engine.funds(account).free < before - 99
    bench.move(BTC, "52000")
    assert bench.engine.funds(account).free <= before + 1


def test_funding_moves_from_longs_to_shorts(bench: Bench) -> None:
    long, short = bench.account(), bench.account()
    bench.order(long, "buy", "0.1")
    bench.order(short, "sell", "0.1")
    event = FundingDue(bench.state(), D("0.0001"), D(50_000), bench.clock.now_ns())
    for listener in bench.hub._listeners:
        listener(event)
    assert bench.amounts(long)[-1] == ("funding", "-0.5")
    assert bench.amounts(short)[-1] == ("funding", "0.5")
    assert bench.held(long).funding == D("-0.5")


def test_funding_falls_due_when_the_clock_passes_it(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "sell", "0.1")
    state = bench.state()
    left_ms = (state.next_funding_ns - bench.clock.now_ns()) // 1_000_000 + 1
    bench.hub.tick(bench.clock.advance(left_ms))
    assert [kind for kind, _ in bench.amounts(account)] == ["deposit", "open_fee", "funding"]
