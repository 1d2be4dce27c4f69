"""Orders that are changed where they rest: same id, their place in the queue, what it may not do."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from functools import partial

import pytest

from shared.domain.order import OrderType, PositionSide, Side
from tests.trader.paper.bench import BTC, Bench
from trader.paper.engine import modifying
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch, Query
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import (
    Ended,
    Force,
    MarginMode,
    NewOrder,
    Order,
    PositionMode,
    PriceMatch,
    SelfTrade,
    State,
)
from trader.paper.engine.refusals import Reason, Refused

D = Decimal


@pytest.fixture
def bench() -> Bench:
    return Bench()


def thin(bench: Bench) -> None:
    """3 coins bid at 49 999, one asked at 50 000, the next at 50 010."""
    bench.book(BTC, [("49999", "3")], [("50000", "1"), ("50010", "5")])


def amend(bench: Bench, account: Account, order: Order, size: str, price: str) -> Order:
    return bench.engine.amend(account, order, D(size), D(price))


def refused(reason: Reason, work: Callable[[], object], bench: Bench) -> None:
    before = bench.picture()
    with pytest.raises(Refused) as caught:
        work()
    assert caught.value.reason is reason
    assert bench.picture() == before


def test_an_amended_order_is_the_same_order(bench: Bench) -> None:
    heard: list[Batch] = []
    bench.engine.listen(heard.extend)
    account = bench.account(10_000)
    order = bench.order(account, "buy", "0.1", "49000", client="mine")
    heard.clear()
    found = amend(bench, account, order, "0.2", "48000")
    assert found is order is bench.engine.pending(account, client_id="mine")
    assert (order.size, order.price, order.amendments, order.state) == (D("0.2"), D(48000), 1, State.LIVE)
    assert account.locked == D("965.76")  # 9600 / 10 + 9600 x 0.0006
    (step,) = heard[0].steps
    assert (step.amended, step.fill, step.order.size) == (True, None, D("0.2"))


def test_only_a_smaller_size_keeps_the_place_in_the_queue(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    first, second = (bench.order(account, "buy", "1", "49999") for _ in range(2))
    assert first.ahead == second.ahead == 3
    bench.trade(BTC, "49999", "2", taker="sell")
    assert (first.ahead, second.ahead) == (D(1), D(1))
    amend(bench, account, first, "0.5", "49999")
    assert first.ahead == 1
    bench.trade(BTC, "49999", "1.2", taker="sell")  # 1 was before both, 0.2 go to the first of them
    assert (first.filled, second.filled) == (D("0.2"), D(0))
    amend(bench, account, first, "0.6", "49999")
    assert first.ahead == 3  # behind what the tape shows now
    bench.book(BTC, [("49998", "3")], [("49999", "0.3")])
    assert (first.filled, second.filled) == (D("0.2"), D("0.3"))


def test_another_price_sends_to_the_end_and_trades_what_it_meets(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    order = bench.order(account, "buy", "1.5", "49900")
    amend(bench, account, order, "1.5", "50005")
    assert (order.state, order.filled, order.value) == (State.PARTIALLY_FILLED, D(1), D(50_000))
    amend(bench, account, order, "1.2", "50005")
    assert (order.remaining, order.amendments) == (D("0.2"), 2)
    assert account.locked == D("1006.1006")  # 10 001 / 10 + 10 001 x 0.0006
    amend(bench, account, order, "1.2", "50010")
    assert order.state is State.FILLED
    assert bench.held(account).size == D("1.2")


def test_a_size_that_has_traded_already_ends_the_order(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    order = bench.order(account, "buy", "1.5", "50000")
    refused(Reason.SIZE_DECIMALS, lambda: amend(bench, account, order, "0.9995", "50000"), bench)
    amend(bench, account, order, "1", "50000")
    assert (order.state, order.cancel_reason, order.filled) == (State.CANCELED, Ended.AMENDED, D(1))
    assert account.locked == 0
    assert not account.orders


def test_a_post_only_order_that_would_take_ends(bench: Bench) -> None:
    account = bench.account(100_000)
    order = bench.order(account, "buy", "0.1", "49000", force=Force.POST_ONLY)
    amend(bench, account, order, "0.1", "50001")
    assert (order.state, order.cancel_reason) == (State.CANCELED, Ended.NOT_MAKER)


def test_what_is_refused_leaves_the_order_as_it_was(bench: Bench) -> None:
    account = bench.account(1_000)
    order = bench.order(account, "buy", "0.1", "49000")
    for reason, size, price in (
        (Reason.NOTHING_CHANGED, "0.1", "49000"),
        (Reason.PRICE_DECIMALS, "0.1", "49000.05"),
        (Reason.SIZE_DECIMALS, "0.1001", "49000"),
        (Reason.PRICE_TOO_HIGH, "0.1", "60000"),
        (Reason.SIZE_MINIMUM, "0", "49000"),
        (Reason.SIZE_MAXIMUM, "1001", "49000"),
        (Reason.VALUE_MINIMUM, "0.001", "4000"),
        (Reason.ABOVE_BALANCE, "1", "49000"),
    ):
        refused(reason, partial(amend, bench, account, order, size, price), bench)
    order.amendments = modifying.MOST_AMENDMENTS
    refused(Reason.TOO_MANY_AMENDMENTS, lambda: amend(bench, account, order, "0.1", "48000"), bench)
    done = bench.order(account, "buy", "0.001")
    refused(Reason.NOT_MODIFIABLE, lambda: amend(bench, account, done, "0.1", "48000"), bench)


def test_what_is_left_of_an_order_may_be_below_the_minimum_value(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    order = bench.order(account, "buy", "1.5", "50000")
    amend(bench, account, order, "1.001", "49000")
    assert (order.remaining, order.state) == (D("0.001"), State.PARTIALLY_FILLED)


@pytest.mark.parametrize("hedge", [False, True])
def test_a_closing_order_claims_what_it_will_close(bench: Bench, hedge: bool) -> None:
    account = bench.account(100_000)
    if hedge:
        bench.engine.set_position_mode(account, PositionMode.HEDGE)
    bench.order(account, "buy", "1", close=False if hedge else None)
    order = bench.order(account, "sell", "0.4", "51000", reduce=not hedge, close=True if hedge else None)
    amend(bench, account, order, "1", "52000")
    assert bench.held(account).frozen == 1
    amend(bench, account, order, "0.3", "52000")
    assert bench.held(account).frozen == D("0.3")
    bench.move(BTC, "52000")
    assert bench.held(account, side=PositionSide.LONG).size == D("0.7")


def test_an_amended_order_keeps_its_place_over_a_restart(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    first, second = (bench.order(account, "buy", "1", "49999") for _ in range(2))
    amend(bench, account, first, "2", "49999")
    bench.hub.unsubscribe(bench.engine._on_market)
    bench.engine = Engine(bench.hub, bench.store)
    bench.engine.arm()
    again = bench.engine.accounts[0]
    bench.book(BTC, [("49998", "3")], [("49999", "1.5")])
    assert second.id not in again.orders
    assert again.orders[first.id].filled == D("0.5")


# orders that refuse to be what they are not


def wish(force: Force, price: str | None = "50001", **more: object) -> NewOrder:
    plain: dict[str, object] = {
        "symbol": BTC,
        "side": Side.BUY,
        "type": OrderType.LIMIT,
        "size": D(1),
        "margin_mode": MarginMode.ISOLATED,
        "price": None if price is None else D(price),
        "force": force,
        "strict": True,
    }
    return NewOrder(**plain | more)  # type: ignore[arg-type]


def test_strict_orders_are_refused_instead_of_cancelled(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    engine = bench.engine
    refused(Reason.WOULD_TAKE, lambda: engine.place(account, wish(Force.POST_ONLY)), bench)
    refused(Reason.NOT_FILLABLE, lambda: engine.place(account, wish(Force.FOK, size=D(2))), bench)
    assert engine.place(account, wish(Force.FOK)).order.state is State.FILLED
    ioc = engine.place(account, wish(Force.IOC, "49000")).order
    assert (ioc.state, ioc.cancel_reason) == (State.CANCELED, Ended.UNFILLED)
    assert engine.place(account, wish(Force.POST_ONLY, "49000")).order.state is State.LIVE


@pytest.mark.parametrize(
    ("match", "price"),
    [
        (PriceMatch.OPPONENT, "50000"),
        (PriceMatch.OPPONENT_5, "50040"),
        (PriceMatch.QUEUE, "49999"),
        (PriceMatch.QUEUE_5, "49959"),
    ],
)
def test_a_price_may_be_read_from_the_book(bench: Bench, match: PriceMatch, price: str) -> None:
    bids = [(str(49999 - 10 * level), "1") for level in range(5)]
    asks = [(str(50000 + 10 * level), "1") for level in range(5)]
    bench.book(BTC, bids, asks)
    account = bench.account(100_000)
    placed = bench.engine.place(account, wish(Force.GTC, None, match=match)).order
    assert (placed.price, placed.match) == (D(price), match)
    refused(
        Reason.NO_DEPTH,
        lambda: bench.engine.place(account, wish(Force.GTC, None, match=PriceMatch.QUEUE_20)),
        bench,
    )
    refused(Reason.BAD_VALUE, lambda: bench.engine.place(account, wish(Force.GTC, match=match)), bench)


def test_a_reduce_only_order_may_not_leave_an_older_one_to_open_what_is_not_there(bench: Bench) -> None:
    """Long 1 at 50 000 with 5100 USDT: a sell of 1 at 52 000 nets it; after a reduce-only close it would open."""
    account, other = bench.account(5_100, "binance"), bench.account(5_100)
    for one in (account, other):
        bench.order(one, "buy", "1")
        bench.order(one, "sell", "1", "52000")
    refused(Reason.REDUCE_ONLY_MARGIN, lambda: bench.order(account, "sell", "1", "51000", reduce=True), bench)
    assert bench.order(other, "sell", "1", "51000", reduce=True).live
    bench.engine.cancel_all(account)
    assert bench.order(account, "sell", "1", "51000", reduce=True).live


def test_the_reasons_of_ends_tell_expiry_from_cancelling(bench: Bench) -> None:
    thin(bench)
    account = bench.account(100_000)
    bench.order(account, "sell", "1", "50005")
    bench.order(account, "buy", "2", "50005", stp=SelfTrade.CANCEL_TAKER)
    bench.order(account, "buy", "2", "50000", force=Force.IOC)
    resting = bench.order(account, "buy", "1", "49000")
    bench.engine.cancel(account, resting)
    ended = [order.cancel_reason for order in bench.engine.orders(account, Query())][::-1]
    assert ended == [Ended.SELF_TRADE, Ended.UNFILLED, Ended.CLIENT]
