"""Resting orders: what stands in front of them, what comes to them, and what an order took stays taken."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trader.paper.bench import BTC, Bench, spec
from trader.paper.contract import default_spec
from trader.paper.engine.batch import Query
from trader.paper.engine.model import Force, Order, SelfTrade, State
from trader.paper.modelled import ModelledBook

D = Decimal
BIDS = [("49999", "2"), ("49998", "3"), ("49990", "5")]
ASKS = [("50001", "2"), ("50002", "3"), ("50010", "5")]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.book(BTC, BIDS, ASKS)
    return made


def seen(order: Order) -> tuple[State, Decimal]:
    return order.state, order.filled


def prices(bench: Bench, order: Order) -> list[tuple[Decimal, Decimal]]:
    found = bench.engine.fills(bench.engine.accounts[order.account - 1], Query(order_id=order.id))
    return [(fill.price, fill.size) for fill in reversed(found)]


def test_an_order_waits_for_what_stood_before_it(bench: Bench) -> None:
    order = bench.order(bench.account(), "buy", "0.5", "49999")
    assert order.ahead == 2
    bench.trade(BTC, "49999", "1.5", "sell")
    assert (order.ahead, order.filled) == (D("0.5"), D(0))
    bench.trade(BTC, "49999", "0.7", "sell")  # 0.5 were in front
    assert seen(order) == (State.PARTIALLY_FILLED, D("0.2"))
    bench.trade(BTC, "49999", "9", "buy")  # a buyer at this price met the other side
    assert order.filled == D("0.2")
    bench.trade(BTC, "49999", "9", "sell")
    assert seen(order) == (State.FILLED, D("0.5"))
    assert prices(bench, order) == [(D(49999), D("0.2")), (D(49999), D("0.3"))]


def test_a_trade_beyond_the_price_fills_no_more_than_its_size(bench: Bench) -> None:
    order = bench.order(bench.account(), "sell", "0.5", "50002")
    bench.trade(BTC, "50003", "0.4", "sell")
    assert seen(order) == (State.PARTIALLY_FILLED, D("0.4"))
    assert prices(bench, order) == [(D(50002), D("0.4"))]


def test_who_leaves_the_best_price_stood_in_front(bench: Bench) -> None:
    order = bench.order(bench.account(), "buy", "0.5", "49999")
    bench.book(BTC, [("49999", "0.3")], ASKS)
    assert order.ahead == D("0.3")
    bench.book(BTC, [("49999", "7")], ASKS)  # who comes now stands behind
    assert order.ahead == D("0.3")
    bench.book(BTC, [("49998", "7")], ASKS)  # alone at the best price
    assert order.ahead == 0


def test_the_other_side_coming_fills_what_it_holds(bench: Bench) -> None:
    order = bench.order(bench.account(), "buy", "0.5", "49995")
    bench.book(BTC, [("49990", "5")], [("49994", "0.1"), ("49995", "0.1"), ("49996", "5")])
    assert seen(order) == (State.PARTIALLY_FILLED, D("0.2"))
    bench.trade(BTC, "50000")  # the same book again gives nothing twice
    bench.hub.feed_book(bench.state(), bench.now())
    assert order.filled == D("0.2")
    bench.book(BTC, [("49990", "5")], [("49994", "9")])
    assert prices(bench, order) == [(D(49995), D("0.1")), (D(49995), D("0.1")), (D(49995), D("0.3"))]


def test_two_orders_at_a_price_share_in_the_order_of_arrival(bench: Bench) -> None:
    first = bench.order(bench.account(), "buy", "0.3", "49999")
    second = bench.order(bench.account(), "buy", "0.3", "49999")
    bench.trade(BTC, "49999", "2.4", "sell")
    assert (first.filled, second.filled) == (D("0.3"), D("0.1"))


def test_a_rest_of_a_partly_filled_order_keeps_its_place_and_its_margin(bench: Bench) -> None:
    account = bench.account()
    order = bench.order(account, "buy", "0.5", "49990")
    assert account.locked == D("2514.497")  # 0.5 x 49990 x (1/10 + 0.0006)
    bench.trade(BTC, "49980", "0.2", "sell")
    assert account.locked == D("1508.6982")  # 0.3 x 49990 x (1/10 + 0.0006)
    assert order.ahead == 0
    bench.engine.cancel(account, order)
    assert account.locked == 0


def test_what_an_order_took_is_gone_for_the_next(bench: Bench) -> None:
    first = bench.order(bench.account(1_000_000), "buy", "3")
    second = bench.order(bench.account(1_000_000), "buy", "3")
    assert prices(bench, first) == [(D(50001), D(2)), (D(50002), D(1))]
    assert prices(bench, second) == [(D(50002), D(2)), (D(50010), D(1))]
    bench.book(BTC, BIDS, ASKS)  # a new picture of the whole book
    third = bench.order(bench.account(1_000_000), "buy", "1")
    assert prices(bench, third) == [(D(50001), D(1))]
    book = bench.state().book
    book.apply([], [("50001", "1.5")])  # the tape quotes the level anew
    assert prices(bench, bench.order(bench.account(1_000_000), "buy", "2")) == [
        (D(50001), D("1.5")),
        (D(50002), D("0.5")),
    ]


def test_a_level_that_was_away_for_a_moment_is_whole_again(bench: Bench) -> None:
    """Nobody looked while it was away; a level that is named with the same size stays taken."""
    bench.order(bench.account(1_000_000), "buy", "4")
    book = bench.state().book
    for size in ("0", "2"):
        book.apply([], [("50001", size), ("50002", "3")])
        bench.hub.feed_book(bench.state(), bench.now())
    assert prices(bench, bench.order(bench.account(1_000_000), "buy", "4")) == [
        (D(50001), D(2)),
        (D(50002), D(1)),
        (D(50010), D(1)),
    ]


def test_a_fok_counts_only_what_is_left(bench: Bench) -> None:
    bench.order(bench.account(1_000_000), "buy", "1.5")
    order = bench.order(bench.account(1_000_000), "buy", "2", "50001", force=Force.FOK)
    assert seen(order) == (State.CANCELED, D(0))


def test_a_modelled_book_recovers_within_ten_seconds() -> None:
    made = default_spec("XUSDT", D(100))
    bench = Bench(specs=(spec("XUSDT", "0.01", "0.1"),))
    state = bench.state("XUSDT")
    bench.hub.attach_book(state, ModelledBook(state.spec, D(100), 1e6, 0.03))
    assert made.symbol == "XUSDT"
    best = state.book.best_ask
    assert best is not None
    depth = bench.engine.core.index("XUSDT").depth
    now = bench.engine.core.now_ns
    depth.take(state, "buy", best[0], best[1], now)
    assert depth.walk(state, "buy", D("0.1"), best[0], now) == []
    half = depth.walk(state, "buy", D(10_000), best[0], now + 5_000_000_000)
    assert half == [(best[0], best[1] - (best[1] / 2 / D("0.1")).to_integral_value("ROUND_UP") * D("0.1"))]
    assert depth.walk(state, "buy", D(10_000), best[0], now + 10_000_000_000) == [best]


def test_what_has_recovered_is_not_remembered() -> None:
    """Also where the modelled book has moved away and nobody looks again."""
    bench = Bench(specs=(spec("XUSDT", "0.01", "0.1"),))
    state = bench.state("XUSDT")
    book = ModelledBook(state.spec, D(100), 1e6, 0.03)
    bench.hub.attach_book(state, book)
    depth = bench.engine.core.index("XUSDT").depth
    now = bench.engine.core.now_ns
    for count in range(20):
        book.move(D(100 + count))
        assert book.best_ask is not None
        depth.take(state, "buy", book.best_ask[0], D("0.1"), now + count * 4_000_000_000)
        assert len(depth) <= 3


def test_orders_of_accounts_meet_each_other(bench: Bench) -> None:
    """Inside the spread nobody of the tape is in front."""
    maker = bench.order(bench.account(), "buy", "0.2", "50000")
    taker = bench.order(bench.account(), "sell", "0.5")
    assert prices(bench, taker) == [(D(50000), D("0.2")), (D(49999), D("0.3"))]
    assert seen(maker) == (State.FILLED, D("0.2"))
    fills = bench.engine.fills(bench.engine.accounts[0], Query())
    assert [(fill.taker, fill.fee) for fill in fills] == [(False, D("-2"))]  # 0.0002 x 10000


def test_at_one_price_the_tape_comes_first_where_it_was_first(bench: Bench) -> None:
    maker = bench.order(bench.account(), "buy", "0.2", "49999")
    taker = bench.order(bench.account(1_000_000), "sell", "2.1")
    assert prices(bench, taker) == [(D(49999), D(2)), (D(49999), D("0.1"))]
    assert (maker.filled, maker.ahead) == (D("0.1"), D(0))


def test_a_maker_that_cannot_pay_any_more_is_skipped(bench: Bench) -> None:
    poor = bench.account("1001")
    maker = bench.order(poor, "buy", "0.19", "50000")
    bench.engine.core.post(poor, bench.ledger(poor)[0].kind, 0, "", D("-990"))
    taker = bench.order(bench.account(), "sell", "0.3")
    assert (maker.state, maker.cancel_reason) == (State.CANCELED, "insufficient_margin")
    assert prices(bench, taker) == [(D(49999), D("0.11")), (D(49999), D("0.19"))]


@pytest.mark.parametrize(
    ("rule", "taker", "maker"),
    [
        (SelfTrade.NONE, (State.FILLED, D("0.3")), (State.FILLED, D("0.2"))),
        (SelfTrade.CANCEL_TAKER, (State.CANCELED, D(0)), (State.LIVE, D(0))),
        (SelfTrade.CANCEL_MAKER, (State.FILLED, D("0.3")), (State.CANCELED, D(0))),
        (SelfTrade.CANCEL_BOTH, (State.CANCELED, D(0)), (State.CANCELED, D(0))),
    ],
)
def test_self_trades(
    bench: Bench, rule: SelfTrade, taker: tuple[State, Decimal], maker: tuple[State, Decimal]
) -> None:
    account = bench.account(100_000)
    resting = bench.order(account, "buy", "0.2", "50000")
    order = bench.order(account, "sell", "0.3", stp=rule)
    assert seen(order) == taker
    assert seen(resting) == maker
    for one in (order, resting):
        assert (one.cancel_reason == "stp_cancel") == (one.state is State.CANCELED)


def test_the_self_trade_rule_acts_only_when_its_turn_comes(bench: Bench) -> None:
    account = bench.account(1_000_000)
    resting = bench.order(account, "sell", "1", "50002")
    order = bench.order(account, "buy", "4", "50002", stp=SelfTrade.CANCEL_TAKER)
    assert seen(order) == (State.FILLED, D(4))  # 2 and 2 of the tape: both stood before the own order
    assert seen(resting) == (State.LIVE, D(0))
    assert resting.ahead == D(1)
