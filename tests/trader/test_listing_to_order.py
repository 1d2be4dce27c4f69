"""The whole way, between real processes: a notice becomes one order per account with its take profit."""

from __future__ import annotations

import signal
from decimal import Decimal

from tests.trader.world import World, eventually, total

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


def test_a_listing_fills_everybody_once_with_a_take_profit(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", amount="100", leverage="10", take_profit="100")
    ben = world.person("ben", amount="20", leverage="5", take_profit="200")
    world.person("carl", enabled="off")
    world.start_trader()
    world.armed("NEWUSDT")

    world.notice(TITLE)
    for person in (anna, ben):
        world.filled(person)
    world.settled()

    assert [world.entries(person) for person in world.people] == [1, 1, 0]
    position = world.account(anna)["positions"][0]
    orders = world.rows(
        "select state, filled_size, average_price, take_profit_price, i.size, i.reference_price, i.leverage,"
        " seen_ns, decoded_ns, decided_ns, signed_ns, journaled_ns, written_ns, acknowledged_ns, filled_ns"
        f" from orders o join intents i using (client_id) where o.account_id = {anna.account_id}"
    )
    assert len(orders) == 1
    state, filled, average, take_profit, size, reference, leverage, *timeline = orders[0]
    assert (state, leverage) == ("filled", 10)
    assert size == filled == Decimal(position["total"])
    assert round(average, 8) == round(Decimal(position["openPriceAvg"]), 8)
    assert Decimal(100 * 10) - size * reference < reference  # as much as the margin buys, not more
    assert take_profit >= reference * Decimal("1.1")
    *before_the_write, written, acknowledged, known_filled = timeline
    assert before_the_write == sorted(before_the_write)
    assert 0 < before_the_write[0] <= before_the_write[-1] <= written < acknowledged
    assert written < known_filled
    fees = world.rows(f"select sum(fee) from fills where account_id = {anna.account_id}")[0][0]
    assert fees == -total(world.ledger(anna, "open_fee"))

    world.price("NEWUSDT", "2.9")
    eventually(lambda: world.ledger(anna, "close_fee"), 5, "the take profit fills")
    eventually(lambda: world.account(anna)["positions"] == [], 5, "the position is closed")
    eventually(
        lambda: world.rows(
            f"select 1 from positions where account_id = {anna.account_id} and closed_ns > 0 and realised > 0"
        ),
        10,
        "the closed position and its result are stored",
    )
    realised = world.rows(f"select realised from positions where account_id = {anna.account_id}")[0][0]
    deposit = Decimal(10000)
    assert realised == total(world.ledger(anna)) - deposit


def test_a_take_profit_near_the_market_is_placed_on_the_fill(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", amount="100", leverage="50", take_profit="100")
    world.start_trader()
    world.armed("NEWUSDT")
    world.notice(TITLE)
    world.filled(anna)
    eventually(
        lambda: world.rows(
            "select 1 from orders o join intents i using (client_id) where step = 'take_profit'"
            " and o.state = 'live'"
        ),
        10,
        "the take profit rests",
    )
    plans = world.account(anna)["plans"]
    assert [plan["planType"] for plan in plans] == ["pos_profit"]
    world.price("NEWUSDT", "2.7")
    eventually(lambda: world.account(anna)["positions"] == [], 5, "the position is closed at its target")
    eventually(
        lambda: world.rows("select 1 from orders where state = 'filled' and side = 'sell'"), 10, "it is told"
    )
    fees = world.rows("select sum(fee) from fills")[0][0]
    assert fees == -total(world.ledger(anna, "open_fee")) - total(world.ledger(anna, "close_fee"))


def test_what_was_there_before_never_trades_and_what_comes_later_does(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna")
    world.notice(TITLE)
    world.start_trader()
    world.armed("NEWUSDT")
    world.notice("다른코인(OTHER) 거래지원 종료 안내")
    world.notice("또코인(OTHER2) 신규 거래지원 안내 (BTC, USDT 마켓)")
    eventually(
        lambda: len(world.rows("select 1 from notices where title like '%OTHER%'")) == 2, 5, "both are seen"
    )
    (decision,) = world.rows(f"select decision, reason from notices where title = '{TITLE}'")
    assert decision[0] == "seeded"
    assert world.ledger(anna, "open_fee") == []


def test_a_restart_neither_forgets_nor_repeats(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna")
    world.start_trader()
    world.armed("NEWUSDT")
    world.notice(TITLE)
    world.filled(anna)
    world.settled()
    assert world.trader is not None
    assert world.trader.end(signal.SIGTERM) == 0
    world.start_trader()
    world.armed()
    world.settled()
    assert world.entries(anna) == 1
    assert world.rows("select count(*) from orders where state = 'filled'") == [(1,)]
    assert world.rows("select count(*) from notices where decision = 'acted'") == [(1,)]


def test_a_position_that_closed_while_nobody_looked_gets_its_result(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna")
    world.start_trader()
    world.armed("NEWUSDT")
    world.notice(TITLE)
    world.filled(anna)
    eventually(lambda: world.rows("select 1 from positions where closed_ns = 0"), 5, "the position is stored")
    assert world.trader is not None
    world.trader.end(signal.SIGKILL)
    world.price("NEWUSDT", "2.9")
    eventually(lambda: world.account(anna)["positions"] == [], 5, "the take profit fills")
    world.start_trader()
    eventually(lambda: world.rows("select 1 from positions where closed_ns > 0"), 20, "it is noticed")
    ((realised,),) = world.rows("select realised from positions")
    assert realised == total(world.ledger(anna)) - Decimal(10000)
