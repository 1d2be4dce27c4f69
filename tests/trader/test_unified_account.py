"""Accounts of both kinds at Bitget side by side, between real processes."""

from __future__ import annotations

import signal
from decimal import Decimal

from tests.trader.world import Person, World, eventually, total

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


def resting(world: World, person: Person) -> bool:
    return bool(
        world.rows(
            "select 1 from orders o join intents i using (client_id) where step = 'take_profit'"
            f" and o.state = 'live' and o.account_id = {person.account_id}"
        )
    )


def result(world: World, person: Person) -> Decimal:
    """The stored result of the person's position, as soon as it is there."""
    eventually(lambda: world.account(person)["positions"] == [], 5, f"{person.name} is out")
    query = f"select realised from positions where account_id = {person.account_id} and closed_ns > 0"
    rows = eventually(lambda: world.rows(f"{query} and realised is not null"), 15, "the result is stored")
    found: Decimal = rows[0][0]
    return found


def test_a_listing_from_the_notice_to_the_take_profit(world: World) -> None:
    """Anna's take profit rides on the entry, Ben's is near the market and placed on the fill; Carl is classic."""
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", kind="unified", amount="100", leverage="10", take_profit="100")
    ben = world.person("ben", kind="unified", amount="100", leverage="50", take_profit="100")
    carl = world.person("carl", amount="20", leverage="5", take_profit="100")
    world.by_hand(ben, "/api/v3/account/set-hold-mode", holdMode="hedge_mode")
    world.start_trader()
    world.armed("NEWUSDT")
    world.notice(TITLE)
    for person in (anna, ben, carl):
        world.filled(person)
    world.settled()
    eventually(lambda: resting(world, ben), 10, "Ben's take profit rests")

    assert [world.entries(person) for person in world.people] == [1, 1, 1]
    for person, leverage in ((anna, "10"), (ben, "50"), (carl, "5")):
        (position,) = world.account(person)["positions"]
        assert (position["marginMode"], position["leverage"]) == ("isolated", leverage)
        assert [plan["planType"] for plan in world.account(person)["plans"]] == ["pos_profit"]
    stored = world.rows("select state, filled_size from orders where side = 'buy'")
    assert [state for state, _ in stored] == ["filled"] * 3

    world.price("NEWUSDT", "3.2")
    for person in (anna, ben, carl):
        assert result(world, person) == total(world.ledger(person)) - Decimal(10000)
    eventually(
        lambda: world.rows(
            f"select 1 from orders where state = 'filled' and side = 'sell' and account_id = {ben.account_id}"
        ),
        10,
        "Ben's take profit is told",
    )
    fees = world.rows(f"select sum(fee) from fills where account_id = {ben.account_id}")[0][0]
    assert fees == -total(world.ledger(ben, "open_fee")) - total(world.ledger(ben, "close_fee"))


def test_a_kill_right_after_the_fill_leaves_one_entry_and_one_take_profit(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", kind="unified", amount="100", leverage="50", take_profit="100")
    world.start_trader()
    world.armed("NEWUSDT")
    world.notice(TITLE)
    world.filled(anna)
    assert world.trader is not None
    world.trader.end(signal.SIGKILL)
    world.start_trader()
    eventually(lambda: resting(world, anna), 20, "the take profit rests")
    world.settled()
    assert world.entries(anna) == 1
    assert len(world.account(anna)["plans"]) == 1


def test_a_key_of_the_wrong_kind_blocks_its_account_and_no_other(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    ben = world.person("ben")
    wrong = {
        world.person("anna", kind="unified", stored="classic"): "unified",
        world.person("dora", kind="classic", stored="unified"): "classic",
    }
    world.start_trader()
    eventually(lambda: world.health().get("state") == "armed", 30, "the trader is armed")
    eventually(lambda: "NEWUSDT" in str(world.health()["prepared"]), 30, "Ben is prepared")
    world.notice(TITLE)
    world.filled(ben)
    world.settled()
    told = [line for line in world.log() if "lane.blocked" in line]
    for person, kind in wrong.items():
        assert world.entries(person) == 0
        mine = [line for line in told if f"--kind {kind}" in line]
        assert 1 <= len(mine) <= 2  # once on the console, once in the file
        # Its kind is corrected: the running trader takes it up.
        world.rows_changed(f"update accounts set kind = '{kind}' where id = {person.account_id}")
    world.rows_changed("notify kestrel_config")
    eventually(lambda: world.health()["ready"] == 3, 30, "all three could trade")
