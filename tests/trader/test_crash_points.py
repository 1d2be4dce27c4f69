"""The trader is killed at every step between a notice and its last record, and started again.

What counts is the exchange's ledger: never two entries for one account, none lost that left, each with
its take profit; and Postgres ends up saying the same.
"""

from __future__ import annotations

import signal
from decimal import Decimal

import pytest

from tests.trader.world import Person, World, eventually

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
#: Those that two accounts certainly pass; all of them: the crash matrix.
POINTS = (
    *(f"{step}.{word}" for step in ("gateway", "protect") for word in ("journaled", "written", "answered")),
    "gateway.decided",
    "tracker.recorded",
    "recorder.applied",
    "recorder.committed",
)
#: Killed before its bytes left, an entry may not exist; from here on it must.
BEFORE_THE_WRITE = {"gateway.decided", "gateway.journaled"}


def protected(world: World, person: Person) -> bool:
    """A position without a resting take profit is what must never remain."""
    account = world.account(person)
    held = [position for position in account["positions"] if Decimal(position["total"]) > 0]
    resting = [plan for plan in account["plans"] if plan["planType"] == "pos_profit"]
    return not held or len(resting) == 1


@pytest.mark.parametrize("point", POINTS)
def test_killed_at(world: World, point: str) -> None:
    world.symbol("NEWUSDT", "2.5")
    far = world.person("far", amount="100", leverage="10", take_profit="100")
    near = world.person("near", amount="100", leverage="50", take_profit="100")
    # The recorder passes its points with the first batch that holds an intent: armed, after the notice.
    world.start_trader(TRADER_FAULT_POINT=f"{point}:1")
    world.armed("NEWUSDT")
    assert world.rows("select 1 from intents") == []
    world.notice(TITLE)
    killed = world.trader
    assert killed is not None
    assert killed.wait(20) == -signal.SIGKILL, f"{point} was never reached"
    if point == "recorder.applied":
        assert world.rows("select 1 from intents") == []  # all of it, or nothing
    elif point == "recorder.committed":
        assert world.rows("select 1 from intents")

    world.start_trader()
    world.armed(timeout_s=60)  # a symbol with a position is not prepared again
    eventually(lambda: protected(world, far) and protected(world, near), 20, "every position is protected")
    world.settled(40)

    counts = [world.entries(person) for person in (far, near)]
    assert max(counts) <= 1, f"doubled: {counts}"
    if point.startswith("recorder"):
        assert counts == [1, 1], "both were written before anything was recorded"
    elif point not in BEFORE_THE_WRITE:
        assert counts[0] == 1, f"lost: {counts}"
    stored = world.rows(
        "select o.account_id, o.state, o.filled_size, count(f.id), coalesce(sum(f.size), 0)"
        " from orders o join intents i using (client_id) left join fills f using (client_id)"
        " where i.step = 'entry' group by 1, 2, 3"
    )
    for person, count in zip((far, near), counts, strict=True):
        mine = [row for row in stored if row[0] == person.account_id]
        filled = [row for row in mine if row[1] == "filled"]
        assert len(filled) == count
        for _, _, size, fills, summed in filled:
            assert fills >= 1
            assert size == summed == Decimal(world.account(person)["positions"][0]["total"])
        assert all(row[1] in ("filled", "denied", "rejected") for row in mine)
