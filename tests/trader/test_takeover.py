"""Another machine, or one whose journal is gone, goes on where the last one stopped; two at once do not trade."""

from __future__ import annotations

import shutil
import signal
from decimal import Decimal
from pathlib import Path

import pytest

from tests.trader.road import Road
from tests.trader.world import World, eventually

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
PLACE = "/api/v2/mix/order/place-order"
PROTECT = "/api/v2/mix/order/place-tpsl-order"


def test_without_its_journal_an_order_in_flight_is_found_and_protected(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", leverage="50", take_profit="100")
    world.start_trader(KESTREL_TRADER__ORDER_TIMEOUT_S="60")
    world.armed("NEWUSDT")
    for path in (PLACE, PROTECT):
        world.control("POST", "faults", match={"path": path}, do="answer_lost", args={"then": "hang"})
    world.notice(TITLE)
    world.filled(anna)
    eventually(lambda: world.rows("select 1 from intents"), 10, "Postgres knows the intent")
    assert world.trader is not None
    world.trader.end(signal.SIGKILL)
    world.control("DELETE", "faults")
    shutil.rmtree(world.home / "journal")

    world.start_trader()
    world.armed(timeout_s=60)
    eventually(lambda: len(world.account(anna)["plans"]) == 1, 30, "its take profit rests")
    world.settled(40)
    assert world.entries(anna) == 1
    assert world.rows(
        "select state, reason_code from orders o join intents i using (client_id) where step = 'entry'"
    ) == [("filled", "")]
    (size,) = world.rows(
        "select filled_size from orders o join intents i using (client_id) where step = 'entry'"
    )[0]
    assert size == Decimal(world.account(anna)["positions"][0]["total"])


@pytest.mark.soak
def test_of_two_traders_on_one_account_one_trades_and_the_other_says_why(
    world: World, tmp_path: Path
) -> None:
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna")
    world.start_trader()
    world.armed("NEWUSDT")
    first = world.trader
    assert first is not None
    # Another machine with the same keys: its home is a copy, without journal and prefix.
    other = tmp_path / "other"
    shutil.copytree(world.home / "keys", other / "keys")
    second = world.start_trader(KESTREL_HOME=str(other))
    log = other / "logs" / "trader.log"
    eventually(
        lambda: log.exists() and "leases.another_trader" in log.read_text(),
        30,
        "the second one says why it waits",
    )
    world.notice(TITLE)
    world.filled(anna)
    eventually(lambda: len(world.account(anna)["plans"]) == 1, 10, "the first one protects it")
    assert world.entries(anna) == 1
    # The first one stops in order: the second takes the account over, and what is open with it.
    first.end(signal.SIGTERM)
    eventually(lambda: "trader.taken_over" in log.read_text(), 30, "the second one takes over")
    assert second.alive
    assert world.entries(anna) == 1
    assert len(world.account(anna)["plans"]) == 1


@pytest.mark.soak
def test_what_a_trader_that_was_cut_off_tells_late_is_protected_by_its_successor(
    world: World, tmp_path: Path
) -> None:
    """It entered without Postgres, died before the take profit, and is started again under another's lease."""
    world.symbol("NEWUSDT", "2.5")
    anna = world.person("anna", leverage="50", take_profit="100")
    road = Road(world.database_url)
    other = tmp_path / "other"
    shutil.copytree(world.home / "keys", other / "keys")
    log = other / "logs" / "trader.log"
    first = world.start_trader(KESTREL_DATABASE_URL=road.url, KESTREL_TRADER__LEASE_S="5")
    world.armed("NEWUSDT")
    world.settled()
    fault = world.control("POST", "faults", match={"path": PROTECT}, do="drop_request")["id"]
    road.cut()
    world.notice(TITLE)
    world.filled(anna)
    first.end(signal.SIGKILL)
    assert world.rows("select 1 from intents") == []

    second = world.start_trader(KESTREL_HOME=str(other), KESTREL_TRADER__LEASE_S="5")
    eventually(lambda: log.exists() and "trader.taken_over" in log.read_text(), 30, "the second takes over")
    world.control("DELETE", f"faults/{fault}")
    road.mend()
    third = world.start_trader(KESTREL_DATABASE_URL=road.url, KESTREL_TRADER__LEASE_S="5")
    eventually(lambda: "takeover.adopted" in log.read_text(), 30, "the second learns of the entry")
    eventually(lambda: len(world.account(anna)["plans"]) == 1, 30, "and protects it")
    assert world.entries(anna) == 1
    third.end()
    second.end()
    road.close()
