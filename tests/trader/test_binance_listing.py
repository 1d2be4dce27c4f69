"""The whole way on Binance, between real processes: a notice, one order, its take profit as an algo order."""

from __future__ import annotations

import signal
from decimal import Decimal

from tests.trader.world import Person, World, eventually, total

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


def resting(world: World) -> bool:
    return bool(
        world.rows(
            "select 1 from orders o join intents i using (client_id) where step = 'take_profit'"
            " and o.state = 'live'"
        )
    )


def start(world: World) -> Person:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", venue="binance", kind="usdm", amount="100", leverage="10", take_profit="100")
    world.start_trader()
    world.armed("NEWUSDT")
    return anna


def test_a_listing_becomes_an_order_and_a_take_profit_that_ends_it(world: World) -> None:
    anna = start(world)
    ben = world.person("ben")  # the other venue trades beside it
    world.armed("NEWUSDT")
    world.notice(TITLE)
    for person in (anna, ben):
        world.filled(person)
    eventually(lambda: resting(world), 10, "the take profit rests")
    world.settled()
    assert [world.entries(person) for person in world.people] == [1, 1]
    position = world.account(anna)["positions"][0]
    ((state, filled, target, leverage, attached),) = world.rows(
        "select o.state, o.filled_size, i.take_profit_price, i.leverage, i.instrument_id from orders o"
        f" join intents i using (client_id) where o.account_id = {anna.account_id} and step = 'entry'"
    )
    assert (state, filled, leverage) == ("filled", Decimal(position["total"]), 10)
    assert attached == "binance:perp:NEW-USDT"
    assert target >= Decimal("2.75")

    world.price("NEWUSDT", "2.9")
    eventually(lambda: world.account(anna)["positions"] == [], 5, "the take profit fills")
    eventually(
        lambda: world.rows(
            f"select 1 from positions where account_id = {anna.account_id} and closed_ns > 0 and realised > 0"
        ),
        10,
        "the closed position and its result are stored",
    )
    ((realised,),) = world.rows(f"select realised from positions where account_id = {anna.account_id}")
    assert abs(realised - (total(world.ledger(anna)) - Decimal(10000))) < Decimal("1e-6")
    eventually(
        lambda: world.rows(
            "select 1 from orders o join intents i using (client_id) where step = 'take_profit'"
            f" and o.state = 'filled' and o.account_id = {anna.account_id}"
        ),
        10,
        "its order is told as filled",
    )
    assert world.rows("select body from outbox where kind = 'alarm'") == []
    fees = world.rows(f"select sum(fee) from fills where account_id = {anna.account_id}")[0][0]
    assert abs(
        fees + total(world.ledger(anna, "open_fee")) + total(world.ledger(anna, "close_fee"))
    ) < Decimal("1e-6")


def test_a_kill_after_the_fill_leaves_nobody_unprotected(world: World) -> None:
    anna = start(world)
    world.notice(TITLE)
    world.filled(anna)
    assert world.trader is not None
    world.trader.end(signal.SIGKILL)
    world.start_trader()
    eventually(lambda: resting(world), 20, "the take profit rests")
    world.settled()
    assert world.entries(anna) == 1
    assert (
        len(world.rows("select 1 from orders o join intents i using (client_id) where step = 'take_profit'"))
        == 1
    )
