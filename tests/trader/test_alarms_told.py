"""What a user is told when something stands in the way, and how it ends: real processes, one message each."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest

from shared.domain.ids import client_id
from tests.trader.world import Person, World, eventually

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
PLACE = "/api/v2/mix/order/place-order"
LEVERAGE = "/api/v2/mix/account/set-leverage"
FUTURES = {"productType": "USDT-FUTURES", "marginCoin": "USDT", "symbol": "NEWUSDT"}
#: The venue's own text, with what a careless hand might change on the way.
REFUSED = "Incorrect permissions, need  {0} 合约 'write' \"permissions\" %s <b>"
REVOKED = "Invalid API-key, IP, or permissions for action."


def told(world: World, person: Person) -> list[tuple[str, bool, str]]:
    """Kind, whether it is the all-clear, and text of every alarm of a person."""
    rows = world.rows(
        f"select body from outbox where kind = 'alarm' and account_id = {person.account_id} order by id"
    )
    return [(body["kind"], body["over"], body["text"]) for (body,) in rows]


def kinds(world: World, person: Person) -> list[tuple[str, bool]]:
    return [(kind, over) for kind, over, _ in told(world, person)]


def becomes(world: World, person: Person, wanted: list[tuple[str, bool]]) -> None:
    eventually(lambda: sorted(kinds(world, person)) == sorted(wanted), 20, f"{person.name} is told {wanted}")


@pytest.mark.soak
def test_each_trouble_ends_in_one_clear_message_and_the_right_state(world: World, tmp_path: Path) -> None:
    world.symbol("NEWUSDT", "2.5")
    closed = world.person("anna", leverage="5", take_profit="100")
    reduced = world.person("ben", kind="unified", leverage="5", take_profit="100")
    liquidated = world.person("carl", leverage="20", take_profit="100")
    unharmed = world.person("dora", leverage="2", take_profit="100")
    powerless = world.person("emil")
    rivalled = world.person("hal")
    wrong = world.person("fay", kind="unified", stored="classic")
    burst = world.person("gus", venue="binance", kind="usdm", leverage="20", take_profit="100")
    revoked = world.person("ivy", venue="binance", kind="usdm")
    gone = {"status": 401, "code": "-2015", "message": REVOKED}
    everything = {"path": "/fapi/*", "account": int(revoked.paper_id)}
    world.control("POST", "faults", match=everything, do="status", args=gone)
    fault = {"match": {"path": PLACE, "account": int(powerless.paper_id)}, "do": "status"}
    args = {"status": 400, "code": "40014", "message": REFUSED}
    world.control("POST", "faults", **fault, args=args)
    world.by_hand(
        rivalled,
        PLACE,
        **FUTURES,
        marginMode="crossed",
        side="buy",
        orderType="limit",
        price="1.5",
        size="10",
        clientOid=client_id("zzzz", 1, "listing:else:NEW", 0, "entry"),
    )
    world.start_trader()
    eventually(lambda: kinds(world, wrong) == [("key", False)], 30, "the wrong kind is told")
    eventually(lambda: kinds(world, revoked) == [("key", False)], 10, "the revoked key is told")
    eventually(lambda: kinds(world, rivalled) == [("second_writer", False)], 10, "the rival is told")
    well = [closed, reduced, liquidated, unharmed, burst, powerless]
    eventually(
        lambda: all("NEWUSDT" in world.health()["prepared"].get(str(p.account_id), ()) for p in well),
        30,
        "prepared",
    )
    world.control(
        "POST",
        "faults",
        match={"path": LEVERAGE, "account": int(powerless.paper_id)},
        do="status",
        args=args,
    )
    world.notice(TITLE)
    for person in (closed, reduced, liquidated, unharmed, burst):
        world.filled(person)
    eventually(lambda: kinds(world, powerless) == [("key", False)], 10, "no permission is told")
    eventually(
        lambda: len(world.rows("select 1 from positions where take_profit_price is not null")) == 5,
        10,
        "all five are protected",
    )

    # The user's own hand, and the market.
    world.by_hand(closed, "/api/v2/mix/order/close-positions", **FUTURES)
    world.by_hand(
        reduced,
        "/api/v3/trade/place-order",
        category="USDT-FUTURES",
        symbol="NEWUSDT",
        side="sell",
        orderType="market",
        qty="10",
        reduceOnly="yes",
    )
    world.price("NEWUSDT", "2.37")
    eventually(lambda: kinds(world, closed) == [("hand", False)], 10, "closed by hand is told")
    eventually(lambda: kinds(world, reduced) == [("hand", False)], 10, "reduced by hand is told")
    for person in (liquidated, burst):
        becomes(world, person, [("forced", False)])
    # What happens while the trader is down is told by the next one, and nothing is told again.
    assert world.trader is not None
    world.settled()
    world.trader.end(signal.SIGKILL)
    world.by_hand(unharmed, "/api/v2/mix/order/close-positions", **FUTURES)

    # What stood in the way goes away.
    world.control("DELETE", "faults")
    world.by_hand(rivalled, "/api/v2/mix/order/cancel-all-orders", productType="USDT-FUTURES")
    world.rows_changed(f"update accounts set kind = 'unified' where id = {wrong.account_id}")
    world.rows_changed("notify kestrel_config")
    # Meanwhile a second Kestrel on the same accounts says for each of them why it does nothing.
    other = tmp_path / "other"
    shutil.copytree(world.home / "keys", other / "keys")
    first = world.start_trader()
    eventually(lambda: world.health().get("ready"), 30, "the trader is back")
    second = world.start_trader(KESTREL_HOME=str(other))
    world.trader = first
    for person, before in (
        (wrong, [("key", False), ("key", True)]),
        (powerless, [("key", False), ("key", True)]),
        (revoked, [("key", False), ("key", True)]),
        (unharmed, [("hand", False)]),
        (burst, [("forced", False)]),
        (closed, [("hand", False)]),
    ):
        becomes(world, person, [*before, ("lease", False)])
    eventually(lambda: ("second_writer", True) in kinds(world, rivalled), 40, "the rival is gone")
    second.end()
    world.settled()

    texts = {kind: text for person in world.people for kind, over, text in told(world, person) if not over}
    assert f"{REFUSED} (code 40014)" in told(world, powerless)[0][2]
    assert f"kestrel accounts set {wrong.account_id} --kind unified" in told(world, wrong)[0][2]
    assert f"{REVOKED} (code -2015)" in told(world, revoked)[0][2]
    assert "stop one of the two" in texts["lease"]
    assert "was closed by an order that is not Kestrel's" in told(world, closed)[0][2]
    assert "was reduced by an order that is not Kestrel's" in told(world, reduced)[0][2]
    assert "the exchange liquidated" in texts["forced"]
    # One line each, however many turns there were; the venue's refusal of the order as well, unchanged.
    doubles = world.rows("select dedupe_key from outbox group by dedupe_key having count(*) > 1")
    assert doubles == []
    assert world.rows(
        "select body->>'text' from outbox where kind = 'order' and body->>'state' = 'rejected'"
    ) == [(REFUSED,)]
    # The right state: one entry each and none where it must not be; what is left is protected.
    assert [world.entries(person) for person in well] == [1, 1, 1, 1, 1, 0]
    assert [world.entries(person) for person in (rivalled, wrong, revoked)] == [0, 0, 0]
    for person in (closed, liquidated, unharmed, burst):
        assert world.account(person)["positions"] == world.account(person)["plans"] == []
    assert [plan["planType"] for plan in world.account(reduced)["plans"]] == ["pos_profit"]
    assert world.health()["ready"] == len(world.people)
