"""One wallet: what contracts and spot orders of a unified account take from each other."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.order import PositionSide
from tests.trader.paper.bench import BTC, D
from tests.trader.paper.engine import test_properties as contracts
from tests.trader.paper.engine import test_spot_properties as coins
from tests.trader.paper.engine.spotbench import SpotBench
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Query
from trader.paper.engine.model import AccountKind, MarginMode, State
from trader.paper.engine.money import ZERO, plus
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_batch import SpotQuery

CROSSED = MarginMode.CROSSED
UNIFIED = AccountKind.UNIFIED


def one(futures: str = "10000", **coins: str) -> tuple[SpotBench, Account]:
    """At 10x."""
    bench = SpotBench()
    account = bench.rich(futures, kind=UNIFIED, **coins)
    bench.engine.set_leverage(account, BTC, 10)
    return bench, account


def test_deposits_of_either_wallet_are_one_balance() -> None:
    bench, account = one("100", USDT="50", BTC="2")
    bench.engine.spot.deposit(account, "futures", "USDT", D(25))
    bench.engine.spot.deposit(account, "spot", "USDT", D(5))
    bench.engine.spot.deposit(account, "futures", "ETH", D(3))  # one wallet takes every coin
    assert account.record.wallet == account.spot.total("USDT") == D(180)
    assert account.record.spot == {"BTC": D(2), "ETH": D(3)}
    assert {(e.coin, e.wallet) for e in bench.ledger(account)} == {
        ("USDT", "futures"), ("BTC", "spot"), ("ETH", "spot"),
    }  # fmt: skip


@pytest.mark.parametrize(("source", "target"), [("futures", "spot"), ("spot", "futures")])
def test_there_is_nothing_to_transfer_between(source: str, target: str) -> None:
    bench, account = one()
    before = bench.everything()
    with pytest.raises(Refused) as refused:
        bench.engine.spot.transfer(account, source, target, D(1))
    assert refused.value.reason is Reason.ONE_WALLET
    assert bench.everything() == before


def test_a_spot_buy_is_paid_from_the_money_that_contracts_use() -> None:
    bench, account = one("10000")
    bench.buy(account, "5000")
    assert account.record.wallet == D(10_000) - D("0.0999") * D("50000.1")
    assert account.record.spot["BTC"] == D("0.0999") * D("0.999")
    with pytest.raises(Refused) as refused:
        bench.order(account, "buy", "1.1", mode=CROSSED)  # 5500 of margin at 10x
    assert refused.value.reason is Reason.ABOVE_BALANCE
    bench.sell(account, "0.0998")
    assert bench.order(account, "buy", "1.1", mode=CROSSED).state is State.FILLED


def test_margins_and_spot_locks_both_count_against_what_is_free() -> None:
    bench, account = one("1000")
    bench.order(account, "buy", "0.1", "50000", mode=CROSSED)  # rests: 500 and its fee
    resting = account.locked
    bench.buy(account, "0.009", "50000")  # rests: 450
    funds = bench.engine.funds(account)
    assert (funds.locked, funds.equity) == (resting + 450, D(1000))
    assert funds.free == D(1000) - resting - 450
    with pytest.raises(Refused) as refused:
        bench.buy(account, "0.001", "50000")
    assert refused.value.reason is Reason.NO_BALANCE
    with pytest.raises(Refused):
        bench.order(account, "buy", "0.01", "50000", mode=CROSSED)


def test_a_crossed_loss_leaves_less_to_buy_coins_with() -> None:
    bench, account = one("1000")
    bench.order(account, "buy", "0.1", mode=CROSSED)  # 500.001 of margin
    bench.move(BTC, 48_000)  # 200.01 lost, not realised
    free = bench.engine.funds(account).free
    assert D(290) < free < D(300)
    with pytest.raises(Refused):
        bench.buy(account, "0.006", "50000")
    bench.buy(account, "0.005", "50000")
    bench.move(BTC, 52_000)
    assert (
        bench.engine.funds(account).free == D(1000) - D("3.000006") - D("500.001") - 250
    )  # no profit counts


def test_spot_locks_are_equity_in_liquidation() -> None:
    bench, account = one("1000")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    order = bench.buy(account, "0.009", "50000")  # 450 locked
    bench.move(BTC, 42_000)  # 800 lost: without the locked money it would be over
    assert bench.held(account).size == D("0.1")
    assert order.live
    bench.move(BTC, 40_100)  # 990 lost
    assert bench.position(account) is None
    assert (order.state, order.cancel_reason) == (State.CANCELED, "liquidation")
    assert account.spot.locked == {}
    assert 0 <= account.record.wallet < 10


def test_a_resting_buy_that_losses_have_eaten_is_cancelled_when_it_is_met() -> None:
    bench, account = one("1000")
    order = bench.buy(account, "0.008", "49000")  # 392 locked
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.move(BTC, 43_000)
    bench.order(account, "sell", "0.1", mode=CROSSED, reduce=True)  # 700 lost
    assert account.record.wallet < order.locked
    bench.to(48_990)
    assert (order.state, order.cancel_reason, order.filled) == (State.CANCELED, "insufficient_margin", ZERO)
    assert account.record.wallet > 0


def test_a_waiting_buy_that_losses_have_eaten_is_cancelled_when_it_is_triggered() -> None:
    bench, account = one("1000")
    order = bench.buy(account, "400", trigger="51000")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.move(BTC, 43_000)
    bench.order(account, "sell", "0.1", mode=CROSSED, reduce=True)
    bench.to(51_000)
    assert (order.state, order.cancel_reason, order.filled) == (State.CANCELED, "insufficient_margin", ZERO)
    assert account.spot.locked == {}


def test_a_loss_that_spares_the_locked_money_lets_the_buy_fill() -> None:
    bench, account = one("1000")
    order = bench.buy(account, "0.008", "49000")
    bench.order(account, "buy", "0.1", mode=CROSSED)
    bench.move(BTC, 45_000)
    bench.order(account, "sell", "0.1", mode=CROSSED, reduce=True)
    bench.to(48_990)
    assert order.state is State.FILLED


def test_selling_coins_makes_margin() -> None:
    bench, account = one("0", BTC="0.1")
    with pytest.raises(Refused):
        bench.order(account, "buy", "0.01", mode=CROSSED)  # coins are not collateral
    bench.sell(account, "0.1")
    assert account.record.wallet == D(5000) * D("0.999")
    bench.order(account, "buy", "0.5", mode=CROSSED)
    assert bench.held(account).size == D("0.5")


def test_the_statement_of_both_markets_together_is_the_wallet() -> None:
    bench, account = one("10000", BTC="1")
    bench.sell(account, "0.3")
    bench.order(account, "buy", "0.2", mode=CROSSED)
    bench.buy(account, "1000")
    bench.order(account, "sell", "0.2", mode=CROSSED, reduce=True)
    lines = bench.engine.bills(account, Query(limit=100))
    spot = [
        line
        for line in bench.engine.spot.store.bills(account.id, SpotQuery(limit=100))
        if line.coin == "USDT"
    ]
    assert (len(lines), len(spot)) == (3, 2)
    assert spot[0].balance == spot[1].balance + spot[0].size + lines[1].amount + lines[1].fee
    total = sum((line.amount + line.fee for line in lines), ZERO)
    assert total + sum((line.size + line.fee for line in spot), ZERO) == account.record.wallet


def test_a_restart_keeps_the_wallet_and_what_is_locked() -> None:
    bench, account = one("1000", BTC="1")
    bench.order(account, "buy", "0.05", mode=CROSSED)
    bench.buy(account, "0.005", "50000")
    bench.sell(account, "0.4", "51000")
    before, funds = bench.everything(), bench.engine.funds(account)
    bench.restart()
    assert bench.everything() == before
    assert bench.engine.funds(bench.engine.accounts[0]) == funds


Step = Callable[[SpotBench], None]


STEP = st.one_of(
    contracts.orders(),
    contracts.moves(),
    contracts.settings_changes(),
    coins.quotes(),
    coins.trades(),
    coins.orders(),
    coins.moves(),
    coins.plans(),
    coins.others(),
)


def fresh() -> SpotBench:
    bench = SpotBench()
    bench.rich("20000", kind=UNIFIED, USDT="2000", BTC="1.5", ETH="10")
    bench.rich("777.77", kind=UNIFIED, BTC="0.05")
    bench.rich("3000", USDT="3000", BTC="0.2", ETH="3")
    return bench


def check(bench: SpotBench) -> None:
    sums: dict[str, Decimal] = {}
    for account in bench.engine.accounts:
        running: dict[tuple[str, str], Decimal] = {}
        for number, entry in enumerate(bench.ledger(account), 1):
            key = (entry.wallet, entry.coin)
            running[key] = plus(running.get(key, ZERO), entry.amount)
            assert (entry.seq, entry.balance) == (number, running[key])
            sums[entry.coin] = plus(sums.get(entry.coin, ZERO), entry.amount)
        assert account.record.spot == {
            coin: total for (name, coin), total in running.items() if name == "spot"
        }
        assert account.record.wallet == running.get(("futures", "USDT"), ZERO)
        if account.record.unified:
            assert "USDT" not in account.record.spot
        for coin, locked in account.spot.locked.items():
            orders = account.spot.orders.values()
            assert locked == sum((order.locked for order in orders if order.pays == coin), ZERO) > 0
            assert locked <= account.spot.total(coin) or (account.record.unified and coin == "USDT")
    for (_, coin), amount in bench.engine.core.totals.items():
        sums[coin] = plus(sums.get(coin, ZERO), amount)
    assert set(sums.values()) <= {ZERO}
    contracts.check_solvency(bench)


@given(st.lists(STEP, min_size=15, max_size=40))
@settings(max_examples=60, deadline=None)
def test_whatever_both_markets_do_the_money_adds_up(steps: list[Step]) -> None:
    bench = fresh()
    for step in steps:
        before = bench.everything()
        try:
            step(bench)
        except Refused:
            assert bench.everything() == before
            assert not bench.engine.core.batch
    check(bench)
    before = bench.everything()
    bench.restart()
    assert bench.everything() == before


def test_a_buy_beside_hedged_positions_uses_what_both_leave() -> None:
    bench, account = one("1000")
    bench.order(account, "buy", "0.05", mode=MarginMode.ISOLATED)
    assert bench.held(account, side=PositionSide.LONG).margin == D("125.00025")
    left = bench.engine.funds(account).free
    with pytest.raises(Refused):
        bench.buy(account, left + 1)
    bench.buy(account, left.quantize(D("0.0001"), rounding="ROUND_DOWN"))
    assert bench.engine.funds(account).free < 6
