"""A lost answer is unknown, never no: one order at most, and what happened is found out.

Between trader and exchange stands a proxy that loses requests and answers. Judged by the ledger.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.trader.proxy import Proxy
from tests.trader.world import World, eventually

TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
PLACE = "/api/v2/mix/order/place-order"
PROTECT = "/api/v2/mix/order/place-tpsl-order"


@pytest.fixture(autouse=True)
def listed(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")


def start(world: World, proxy: Proxy) -> None:
    world.start_trader(KESTREL_PAPER__URL=proxy.url, KESTREL_TRADER__ORDER_TIMEOUT_S="1")
    world.armed("NEWUSDT")


def entry_state(world: World) -> tuple[str, str]:
    ((state, code),) = world.rows(
        "select o.state, o.reason_code from orders o join intents i using (client_id) where i.step = 'entry'"
    )
    return state, code


@pytest.mark.parametrize("fault", ["lose_answer", "hold_answer"])
def test_an_entry_whose_answer_is_lost_is_found_and_never_sent_again(
    world: World, proxy: Proxy, fault: str
) -> None:
    anna = world.person("anna")
    start(world, proxy)
    proxy.arm(fault, PLACE)
    world.notice(TITLE)
    world.filled(anna)
    world.settled()
    assert proxy.struck == 1
    assert world.entries(anna) == 1
    assert entry_state(world) == ("filled", "")
    eventually(lambda: len(world.account(anna)["plans"]) == 1, 5, "its take profit rests")


def test_an_entry_whose_request_is_lost_ends_as_never_placed(world: World, proxy: Proxy) -> None:
    anna = world.person("anna")
    start(world, proxy)
    proxy.arm("lose_request", PLACE)
    world.notice(TITLE)
    eventually(
        lambda: world.rows("select 1 from orders where state = 'unknown'"), 5, "the outcome is unknown first"
    )
    world.settled(40)
    assert proxy.struck == 1
    assert world.ledger(anna, "open_fee") == []
    assert entry_state(world) == ("rejected", "absent")


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request"])
def test_a_take_profit_whose_answer_or_request_is_lost_rests_once(
    world: World, proxy: Proxy, fault: str
) -> None:
    anna = world.person("anna", leverage="50", take_profit="100")
    start(world, proxy)
    proxy.arm(fault, PROTECT)
    world.notice(TITLE)
    eventually(lambda: proxy.struck == 1, 10, "the fault strikes")
    eventually(lambda: len(world.account(anna)["plans"]) == 1, 30, "one take profit rests")
    world.settled(30)
    assert len(world.account(anna)["plans"]) == 1
    assert world.entries(anna) == 1


def test_entries_go_on_while_postgres_is_away_and_are_stored_once_it_is_back(
    world: World, proxy: Proxy
) -> None:
    """Postgres is reached through a proxy of its own that is closed and opened again."""
    parts = urlsplit(world.database_url)
    assert parts.port is not None
    database = Proxy(parts.port)
    away = world.database_url.replace(f":{parts.port}/", f":{urlsplit(database.url).port}/")
    anna = world.person("anna")
    world.start_trader(KESTREL_DATABASE_URL=away)
    world.armed("NEWUSDT")
    port = urlsplit(database.url).port
    assert port is not None
    database.close()
    world.notice(TITLE)
    world.filled(anna)
    assert world.rows("select 1 from orders") == []
    back = Proxy(parts.port, listen=port)
    eventually(lambda: world.rows("select 1 from orders where state = 'filled'"), 20, "it is stored")
    world.settled()
    assert world.entries(anna) == 1
    assert world.rows("select count(*) from fills f join orders using (client_id)")[0][0] >= 1
    assert world.trader is not None
    world.trader.end()
    back.close()
