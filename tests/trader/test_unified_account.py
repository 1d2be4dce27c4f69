"""Accounts of both kinds at Bitget side by side, between real processes."""

from __future__ import annotations

import signal
from decimal import Decimal

import pytest

from tests.trader.world import Person, World, eventually, total

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"


def resting(world: World, person: Person) -> bool:
    return bool(
        world.rows(
            "select 1 from orders o join intents i using (client_id) where step = 'take_profit'"
            f" and o.state = 'live' and o.account_id = {person.account_id}"
        )
    )


def prepared(world: World, symbol: str, people: tuple[Person, ...]) -> bool:
    """Whether a listing of the symbol would be traded by them at once."""
    health = world.health()
    if health.get("state") != "armed" or symbol not in health["prices"]:
        return False
    done = health["prepared"]
    return all(symbol in done.get(str(person.account_id), ()) for person in people)


def result(world: World, person: Person) -> Decimal:
    """The stored result of the person's position, as soon as it is there."""
    eventually(lambda: world.account(person)["positions"] == [], 5, f"{person.name} is out")
    query = f"select realised from positions where account_id = {person.account_id} and closed_ns > 0"
    rows = eventually(lambda: world.rows(f"{query} and realised is not null"), 15, "the result is stored")
    found: Decimal = rows[0][0]
    return found


def test_a_listing_from_the_notice_to_the_take_profit(world: World) -> None:
    """Anna's take profit rides on the entry, Ben's is near the market and placed on the fill; Carl is classic.

    Two keys are of another kind than we believe: their accounts are blocked with a word, the others trade.
    """
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", kind="unified", amount="100", leverage="10", take_profit="100")
    ben = world.person("ben", kind="unified", amount="100", leverage="50", take_profit="100")
    carl = world.person("carl", amount="20", leverage="5", take_profit="100")
    world.by_hand(ben, "/api/v3/account/set-hold-mode", holdMode="hedge_mode")
    good = (anna, ben, carl)
    wrong = {
        world.person("dora", kind="unified", stored="classic"): "unified",
        world.person("emil", kind="classic", stored="unified"): "classic",
    }
    world.start_trader()
    eventually(lambda: prepared(world, "NEWUSDT", good), 30, "those with the right kind could trade")
    world.notice(TITLE)
    for person in good:
        world.filled(person)
    world.settled()
    eventually(lambda: resting(world, ben), 10, "Ben's take profit rests")

    assert [world.entries(person) for person in world.people] == [1, 1, 1, 0, 0]
    for person, leverage in ((anna, "10"), (ben, "50"), (carl, "5")):
        (position,) = world.account(person)["positions"]
        assert (position["marginMode"], position["leverage"]) == ("isolated", leverage)
        assert [plan["planType"] for plan in world.account(person)["plans"]] == ["pos_profit"]
    stored = world.rows("select account_id, state, reason from orders where side = 'buy'")
    assert {row[0] for row in stored if row[1] == "filled"} == {person.account_id for person in good}
    reasons = {row[0]: row[2] for row in stored if row[1] == "denied"}
    assert reasons.keys() == {person.account_id for person in wrong}
    assert all(f"--kind {kind}" in reasons[person.account_id] for person, kind in wrong.items())

    world.price("NEWUSDT", "3.2")
    for person in good:
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
    corrected(world, wrong)


def corrected(world: World, wrong: dict[Person, str]) -> None:
    """Each wrong key was told once; when its kind is set right, the running trader takes it up."""
    told = [line for line in world.log() if "lane.blocked" in line]
    for person, kind in wrong.items():
        mine = [line for line in told if f"--kind {kind}" in line]
        assert 1 <= len(mine) <= 2  # once on the console, once in the file
        world.rows_changed(f"update accounts set kind = '{kind}' where id = {person.account_id}")
    world.rows_changed("notify kestrel_config")
    eventually(lambda: world.health()["ready"] == len(world.people), 30, "all could trade")


@pytest.mark.soak
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
