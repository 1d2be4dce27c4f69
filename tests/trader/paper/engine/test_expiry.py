"""Orders with an end and countdowns: on the tape's clock, in their turn, over leaps and restarts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from shared.clock import MILLISECOND, SECOND
from shared.domain.order import OrderType, Side
from tests.trader.paper.bench import BTC, ETH, Bench
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Query
from trader.paper.engine.model import Ended, MarginMode, NewOrder, Order, State
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.timers import Due, Timer, Timers
from trader.paper.state import SqliteStore

D = Decimal
MINUTE = 60 * SECOND


def until(bench: Bench, account: Account, ns: int, price: str = "49000", size: str = "0.1") -> Order:
    new = NewOrder(
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.LIMIT,
        size=D(size),
        margin_mode=MarginMode.ISOLATED,
        price=D(price),
        expires_ns=bench.clock.now_ns() + ns,
    )
    return bench.engine.place(account, new).order


def wait(bench: Bench, ns: int) -> None:
    bench.clock.advance(ns // MILLISECOND)
    bench.hub.tick(bench.clock.now_ns())


def test_an_order_expires_at_its_time_and_not_before() -> None:
    bench = Bench()
    account = bench.account()
    order = until(bench, account, 10 * MINUTE)
    due = order.expires_ns
    assert bench.hub.next_due_ns == due
    wait(bench, 10 * MINUTE - MILLISECOND)
    assert order.live
    wait(bench, 5 * MINUTE)
    assert (order.state, order.cancel_reason, order.updated_ns) == (State.CANCELED, Ended.EXPIRED, due)
    assert account.locked == 0


def test_a_leap_plays_ends_and_trades_in_their_order() -> None:
    """Two orders at one price; the price comes between the end of the one and the end of the other."""
    bench = Bench()
    account = bench.account(100_000)
    soon, late = until(bench, account, 10 * MINUTE), until(bench, account, 30 * MINUTE)
    start = bench.clock.now_ns()
    bench.clock.advance(3_600_000)
    state = bench.state()
    state.tape_book.snapshot([("48000", "9")], [("48000.1", "9")])
    bench.hub.feed_book(state, start + 20 * MINUTE)
    assert (soon.cancel_reason, late.state) == (Ended.EXPIRED, State.FILLED)
    assert soon.updated_ns == start + 10 * MINUTE
    assert late.updated_ns == start + 20 * MINUTE
    bench.hub.tick(start + 60 * MINUTE)
    assert len(bench.engine.orders(account, Query())) == 2


def test_what_was_filled_cancelled_or_amended_does_not_expire_twice() -> None:
    bench = Bench()
    account = bench.account(100_000)
    filled, cancelled = until(bench, account, MINUTE, "49999"), until(bench, account, MINUTE)
    amended = until(bench, account, MINUTE)
    bench.engine.amend(account, amended, D("0.2"), D(48000))
    bench.engine.cancel(account, cancelled)
    bench.book(BTC, [("49998", "9")], [("49999", "9")])
    wait(bench, 2 * MINUTE)
    assert filled.state is State.FILLED
    assert (cancelled.cancel_reason, amended.cancel_reason) == (Ended.CLIENT, Ended.EXPIRED)
    assert len(bench.engine.core.timers) == 0


def test_an_end_that_has_passed_is_refused() -> None:
    bench = Bench()
    account = bench.account()
    with pytest.raises(Refused) as caught:
        until(bench, account, 0)
    assert caught.value.reason is Reason.BAD_VALUE


def test_over_a_restart_what_is_overdue_ends_before_anything_trades(tmp_path: Path) -> None:
    bench = Bench(SqliteStore(tmp_path))
    account = bench.account(100_000)
    soon, late = until(bench, account, MINUTE), until(bench, account, 60 * MINUTE)
    bench.engine.countdown(account, ETH, 30 * MINUTE)
    bench.order(account, "buy", "1", "1900", symbol=ETH)
    bench.store.close()
    again = Bench(SqliteStore(tmp_path), start_ns=soon.expires_ns + 1)
    account = again.engine.accounts[0]
    assert set(account.orders) == {late.id, *(o.id for o in account.pending(ETH))}
    assert again.engine.order(account, soon.id).cancel_reason == Ended.EXPIRED  # type: ignore[union-attr]
    wait(again, 30 * MINUTE)
    assert set(account.orders) == {late.id}
    wait(again, 30 * MINUTE)
    assert not account.orders
    again.store.close()


def test_a_countdown_cancels_the_orders_of_its_symbol_once() -> None:
    bench = Bench()
    account, other = bench.account(100_000), bench.account(100_000)
    order = bench.order(account, "buy", "0.1", "49000")
    spared = [bench.order(account, "buy", "1", "1900", symbol=ETH), bench.order(other, "buy", "0.1", "49000")]
    bench.engine.countdown(account, BTC, 30 * SECOND)
    wait(bench, 20 * SECOND)
    bench.engine.countdown(account, BTC, 30 * SECOND)
    wait(bench, 20 * SECOND)
    assert order.live
    wait(bench, 10 * SECOND)
    assert (order.cancel_reason, account.record.countdowns) == (Ended.COUNTDOWN, {})
    later = bench.order(account, "buy", "0.1", "49000")
    wait(bench, MINUTE)
    assert all(one.live for one in [later, *spared])


def test_zero_stops_a_countdown() -> None:
    bench = Bench()
    account = bench.account()
    order = bench.order(account, "buy", "0.1", "49000")
    bench.engine.countdown(account, BTC, SECOND)
    bench.engine.countdown(account, BTC, 0)
    wait(bench, MINUTE)
    assert order.live
    with pytest.raises(Refused):
        bench.engine.countdown(account, BTC, -1)
    with pytest.raises(Refused):
        bench.engine.countdown(account, "NOPEUSDT", 1)


def test_timers_keep_no_more_than_what_is_due() -> None:
    timers = Timers()
    one = Timer(Due.COUNTDOWN, 1, BTC)
    for ns in range(10_000, 0, -1):
        timers.set(one, ns)
    assert len(timers) == 1
    assert len(timers._heap) <= 102
    timers.set(Timer(Due.ORDER, 5), 1)
    assert timers.pop(0) is None
    assert [timers.pop(1), timers.pop(1), timers.pop(1)] == [Timer(Due.ORDER, 5), one, None]
