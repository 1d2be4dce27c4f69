"""Orders against a book that the test wrote: what they trade, cost, and leave behind."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, ETH, START_NS, Bench, spec
from trader.paper.engine.batch import Query
from trader.paper.engine.model import Force, MarginMode, Order, PositionMode, State
from trader.paper.engine.refusals import Reason, Refused

D = Decimal
CROSSED, ISOLATED = MarginMode.CROSSED, MarginMode.ISOLATED


@pytest.fixture
def bench() -> Bench:
    return Bench()


def refused(reason: Reason) -> pytest.RaisesExc[Refused]:
    return pytest.raises(Refused, check=lambda error: error.reason is reason)


def state_of(order: Order) -> State:
    return order.state


def test_a_market_order_walks_the_book_and_pays_taker_fees(bench: Bench) -> None:
    bench.book(BTC, [("49999.9", "1")], [("50000.1", "0.010"), ("50000.5", "0.020"), ("50010.0", "5")])
    account = bench.account()
    order = bench.order(account, "buy", "0.030")
    assert order.state is State.FILLED
    assert order.value == D("1500.011")  # 500.001 + 1000.010
    assert [fill.price for fill in bench.engine.fills(account, Query())] == [D("50000.5"), D("50000.1")]
    assert bench.amounts(account) == [
        ("deposit", "10000"),
        ("open_fee", "-0.3000006"),
        ("open_fee", "-0.600006"),
    ]
    held = bench.held(account)
    assert held.size == D("0.030")
    assert held.margin == D("150.0011")  # ten times leverage unless set otherwise


def test_what_the_book_does_not_hold_is_cancelled(bench: Bench) -> None:
    bench.book(BTC, [("49999", "1")], [("50000", "0.010")])
    account = bench.account()
    order = bench.order(account, "buy", "0.030")
    assert (order.state, order.filled) == (State.CANCELED, D("0.010"))
    assert bench.held(account).size == D("0.010")
    bench.book(BTC, [("49999", "1")], [])
    with refused(Reason.NO_LIQUIDITY):
        bench.order(account, "buy", "0.030")


def test_a_limit_order_rests_until_the_ask_touches_it_and_pays_the_maker_fee(bench: Bench) -> None:
    account = bench.account()
    order = bench.order(account, "buy", "0.1", "49000")
    assert order.state is State.LIVE
    assert account.locked == D("492.94")  # 4900 / 10 + 0.0006 x 4900
    assert bench.engine.funds(account).free == D("9507.06")
    bench.move(BTC, "49000")  # the ask is one tick above
    assert state_of(order) is State.LIVE
    bench.move(BTC, "48999.9")
    assert (state_of(order), order.average) == (State.FILLED, D(49000))
    assert bench.amounts(account)[1:] == [("open_fee", "-0.98")]
    assert account.locked == 0


def test_an_aggressive_limit_takes_up_to_its_price_and_rests_the_remainder(bench: Bench) -> None:
    bench.book(BTC, [("49999", "1")], [("50000", "0.010"), ("50002", "1")])
    account = bench.account()
    order = bench.order(account, "buy", "0.030", "50001")
    assert (order.state, order.filled) == (State.PARTIALLY_FILLED, D("0.010"))
    bench.move(BTC, "49990")
    assert (order.state, order.average) == (State.FILLED, D("50000.6666666666666667"))


@pytest.mark.parametrize(
    ("force", "state", "filled"),
    [
        (Force.IOC, State.CANCELED, "0.010"),
        (Force.FOK, State.CANCELED, "0"),
        (Force.POST_ONLY, State.CANCELED, "0"),
    ],
)
def test_time_in_force(bench: Bench, force: Force, state: State, filled: str) -> None:
    bench.book(BTC, [("49999", "1")], [("50000", "0.010")])
    order = bench.order(bench.account(), "buy", "0.030", "50000", force=force)
    assert (order.state, order.filled) == (state, D(filled))


def test_fok_fills_whole_and_post_only_rests_when_they_can(bench: Bench) -> None:
    account = bench.account()
    assert bench.order(account, "buy", "0.01", "50001", force=Force.FOK).state is State.FILLED
    assert bench.order(account, "buy", "0.01", "49000", force=Force.POST_ONLY).state is State.LIVE


def test_adding_averages_the_entry_and_reducing_keeps_it(bench: Bench) -> None:
    account = bench.account()
    bench.book(BTC, [], [("50000", "1")])
    bench.order(account, "buy", "0.1")
    bench.book(BTC, [("50900", "1")], [("51000", "1")])
    bench.order(account, "buy", "0.3")
    held = bench.held(account)
    assert held.entry == D(50750)  # (50000 x 0.1 + 51000 x 0.3) / 0.4
    bench.order(account, "sell", "0.1", reduce=True)
    assert held.entry == D(50750)
    assert held.profit == D(15)  # (50900 - 50750) x 0.1
    assert bench.amounts(account)[-2:] == [("realised_pnl", "15"), ("close_fee", "-3.054")]


def test_an_opposite_order_nets_and_flips(bench: Bench) -> None:
    account = bench.account()
    bench.book(BTC, [("50000", "9")], [("50000.1", "9")])
    bench.order(account, "sell", "0.1")
    bench.book(BTC, [("49499.9", "9")], [("49500", "9")])
    bench.order(account, "buy", "0.3")
    assert bench.position(account, side=PositionSide.SHORT) is None
    held = bench.held(account)
    assert (held.size, held.entry) == (D("0.2"), D(49500))
    assert bench.amounts(account)[1:] == [
        ("open_fee", "-3"),
        ("realised_pnl", "50"),
        ("close_fee", "-2.97"),
        ("open_fee", "-5.94"),
    ]


def test_client_ids_are_unique_among_pending_orders_only(bench: Bench) -> None:
    account = bench.account()
    first = bench.order(account, "buy", "0.001", "49000", client="mine")
    with refused(Reason.DUPLICATE_CLIENT_ID):
        bench.order(account, "buy", "0.001", client="mine")
    bench.engine.cancel(account, first)
    second = bench.order(account, "buy", "0.001", client="mine")
    third = bench.order(account, "buy", "0.001", client="mine")
    assert second.state is third.state is State.FILLED
    found = bench.engine.order(account, client_id="mine")
    assert found is not None
    assert found.id == third.id


@pytest.mark.parametrize(
    ("size", "price", "reason"),
    [
        ("0.0015", None, Reason.SIZE_DECIMALS),
        ("0", None, Reason.SIZE_MINIMUM),
        ("101", None, Reason.SIZE_MAXIMUM),
        ("-1", None, Reason.BAD_VALUE),
        ("NaN", None, Reason.BAD_VALUE),
        ("1e30", None, Reason.BAD_VALUE),
        ("0.001", "0", Reason.BAD_VALUE),
        ("0.001", "49000.05", Reason.PRICE_DECIMALS),
        ("0.001", "52500.1", Reason.PRICE_TOO_HIGH),
        ("0.1", None, None),
    ],
)
def test_filters(bench: Bench, size: str, price: str | None, reason: Reason | None) -> None:
    account = bench.account()
    before = bench.picture()
    if reason is None:
        bench.order(account, "buy", size, price)
        return
    with refused(reason):
        bench.order(account, "buy", size, price)
    assert bench.picture() == before


def test_filters_of_an_uneven_step_and_tick() -> None:
    bench = Bench(specs=(spec("XUSDT", "0.05", "0.2", min_notional=D(50)),))
    account = bench.account()
    with refused(Reason.SIZE_STEP):
        bench.order(account, "buy", "0.3", symbol="XUSDT")
    with refused(Reason.PRICE_TICK):
        bench.order(account, "buy", "1", "99.97", symbol="XUSDT")
    with refused(Reason.PRICE_TOO_LOW):
        bench.order(account, "sell", "1", "94.95", symbol="XUSDT")
    with refused(Reason.VALUE_MINIMUM):
        bench.order(account, "buy", "0.4", symbol="XUSDT")
    assert bench.order(account, "buy", "0.6", symbol="XUSDT").state is State.FILLED
    with refused(Reason.UNKNOWN_SYMBOL):
        bench.order(account, "buy", "1", symbol="YUSDT")


def test_closing_orders_are_exempt_from_the_minimum_value(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.01", symbol=ETH, mode=CROSSED)
    bench.move(ETH, "100")
    assert bench.order(account, "sell", "0.01", symbol=ETH, reduce=True).state is State.FILLED


def test_margin_and_fee_must_be_there(bench: Bench) -> None:
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    exact = bench.account("503")  # 5000 / 10 + 0.0006 x 5000
    short = bench.account("502.99")
    empty = bench.account(0)
    bench.order(exact, "buy", "0.1")
    assert exact.record.wallet == 500
    with refused(Reason.ABOVE_BALANCE):
        bench.order(short, "buy", "0.1")
    with refused(Reason.NO_BALANCE):
        bench.order(empty, "buy", "0.1")
    assert short.record.wallet == D("502.99")


def test_a_position_cannot_outgrow_its_tier(bench: Bench) -> None:
    account = bench.account(10_000_000)
    bench.engine.set_leverage(account, BTC, 125)
    bench.engine.set_margin_mode(account, BTC, ISOLATED)
    bench.engine.set_leverage(account, BTC, 125)
    bench.book(BTC, [("49999", "9")], [("50000", "9")])
    bench.order(account, "buy", "3")
    with refused(Reason.ABOVE_TIER):
        bench.order(account, "buy", "0.001")


def test_reduce_only_never_opens(bench: Bench) -> None:
    account = bench.account()
    with refused(Reason.NO_POSITION):
        bench.order(account, "sell", "0.1", reduce=True)
    bench.order(account, "buy", "0.1")
    with refused(Reason.NO_POSITION):
        bench.order(account, "buy", "0.1", reduce=True)
    order = bench.order(account, "sell", "0.5", reduce=True)
    assert (order.filled, order.state) == (D("0.1"), State.FILLED)
    assert not account.positions


def test_reduce_only_is_judged_again_when_it_fills(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.2")
    resting = bench.order(account, "sell", "0.2", "51000", reduce=True)
    bench.order(account, "sell", "0.15", reduce=True)
    bench.move(BTC, "51000")
    assert (resting.filled, resting.state) == (D("0.05"), State.CANCELED)
    assert not account.positions


def test_resting_closing_orders_go_with_their_position(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.2")
    resting = bench.order(account, "sell", "0.2", "51000", reduce=True)
    bench.order(account, "sell", "0.2", reduce=True)
    assert resting.state is State.CANCELED
    assert not account.orders


def test_reduce_only_above_the_position_displaces_the_oldest(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.2")
    oldest = bench.order(account, "sell", "0.1", "51000", reduce=True)
    older = bench.order(account, "sell", "0.1", "51100", reduce=True)
    newest = bench.order(account, "sell", "0.1", "51200", reduce=True)
    assert [o.state for o in (oldest, older, newest)] == [State.CANCELED, State.LIVE, State.LIVE]
    assert bench.held(account).frozen == D("0.2")


def test_hedge_mode_holds_both_sides(bench: Bench) -> None:
    account = bench.account()
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    with refused(Reason.MODE_MISMATCH):
        bench.order(account, "buy", "0.1")
    bench.order(account, "buy", "0.2", close=False)
    bench.order(account, "sell", "0.1", close=False)
    assert bench.held(account).size == D("0.2")
    assert bench.held(account, side=PositionSide.SHORT).size == D("0.1")
    with refused(Reason.ABOVE_POSITION):
        bench.order(account, "buy", "0.2", close=True)  # closes the short, which holds 0.1
    bench.order(account, "sell", "0.2", close=True)
    assert bench.position(account) is None
    assert bench.held(account, side=PositionSide.SHORT).size == D("0.1")


def test_a_hedge_market_close_cancels_an_equal_resting_close_or_takes_what_is_unreserved(
    bench: Bench,
) -> None:
    account = bench.account()
    bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.order(account, "buy", "0.3", close=False)
    resting = bench.order(account, "sell", "0.2", "51000", close=True)
    closing = bench.order(account, "sell", "0.2", close=True)
    assert (resting.state, closing.filled) == (State.CANCELED, D("0.2"))
    bench.order(account, "buy", "0.2", close=False)
    bench.order(account, "sell", "0.2", "51000", close=True)
    assert bench.order(account, "sell", "0.3", close=True).filled == D("0.1")
    with refused(Reason.ABOVE_POSITION):
        bench.order(account, "sell", "0.1", close=True)


def test_the_margin_mode_of_a_busy_symbol_is_fixed(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1", mode=CROSSED)
    with refused(Reason.MARGIN_MODE_BLOCKED):
        bench.order(account, "buy", "0.1", mode=ISOLATED)
    bench.order(account, "sell", "0.1", mode=ISOLATED, reduce=True)
    assert not account.positions


def test_no_orders_before_the_opening() -> None:
    opens = START_NS // 1_000_000 + 60_000
    bench = Bench(specs=(spec("NEWUSDT", "0.01", "0.1", open_time_ms=opens),))
    account = bench.account()
    with refused(Reason.NOT_OPEN):
        bench.order(account, "buy", "1", symbol="NEWUSDT")
    bench.hub.tick(bench.clock.advance(60_000))
    bench.move("NEWUSDT", "100")
    assert bench.order(account, "buy", "1", symbol="NEWUSDT").state is State.FILLED


def test_cancel_all_and_close_all(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.1")
    bench.order(account, "buy", "1", symbol=ETH)
    bench.order(account, "buy", "0.1", "49000")
    bench.order(account, "buy", "1", "1900", symbol=ETH)
    assert len(bench.engine.cancel_all(account, ETH)) == 1
    assert len(bench.engine.cancel_all(account)) == 1
    done, failed = bench.engine.close_positions(account)
    assert len(done) == 2
    assert not failed
    assert not account.positions
    with refused(Reason.NO_POSITION):
        bench.engine.close_positions(account)


def test_closing_into_a_thin_book_still_closes_everything(bench: Bench) -> None:
    account = bench.account()
    bench.order(account, "buy", "0.3")
    bench.book(BTC, [("49900", "0.1"), ("49000", "0.1")], [("50000", "1")])
    done, _ = bench.engine.close_positions(account, BTC)
    assert done[0].average == D("49300")  # 0.1 at 49900, 0.2 at 49000
    bench.order(account, "buy", "0.1")
    bench.book(BTC, [], [("50000", "1")])
    done, failed = bench.engine.close_positions(account, BTC)
    assert not done
    assert failed[0][1].reason is Reason.NO_LIQUIDITY
