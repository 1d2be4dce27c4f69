"""What users and venues do besides what we expect; each case was dangerous once. Judged by the exchange."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.db import accounts
from shared.db.engine import engine
from shared.db.engine import session as session_of
from tests.trader.proxy import Proxy
from tests.trader.world import World, eventually, total

D = Decimal
TITLE = "뉴코인(NEW) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)"
PLACE = "/api/v2/mix/order/place-order"
PROTECT = "/api/v2/mix/order/place-tpsl-order"
LEVERAGE = "/api/v2/mix/account/set-leverage"
MARGIN_MODE = "/api/v2/mix/account/set-margin-mode"
POSITION_MODE = "/api/v2/mix/account/set-position-mode"
FUTURES = {"productType": "USDT-FUTURES", "marginCoin": "USDT"}


@pytest.fixture(autouse=True)
def listed(world: World) -> None:
    world.symbol("NEWUSDT", "2.5")


def plans(world: World, number: int = 0) -> list[str]:
    found = world.account(world.people[number])["plans"]
    return [plan["triggerPrice"] for plan in found if plan["planType"] == "pos_profit"]


@pytest.mark.parametrize(("code", "status"), [("429", "429 Too Many Requests"), ("40725", "400 Bad Request")])
def test_a_take_profit_refused_for_a_while_rests_in_the_end(
    world: World, proxy: Proxy, code: str, status: str
) -> None:
    anna = world.person("anna", leverage="50", take_profit="100")
    world.start_trader(KESTREL_PAPER__URL=proxy.url)
    world.armed("NEWUSDT")
    proxy.refuse(PROTECT, code, status)
    world.notice(TITLE)
    world.filled(anna)
    eventually(lambda: proxy.struck >= 3, 30, "it is tried again")
    assert plans(world) == []
    assert proxy.struck < 15, "without a pause between the attempts"
    proxy.accept(PROTECT)
    eventually(lambda: len(plans(world)) == 1, 40, "it rests")


@pytest.mark.parametrize(("leverage", "attached"), [("50", False), ("10", True)])
def test_the_target_follows_from_what_was_paid(
    world: World, proxy: Proxy, leverage: str, attached: bool
) -> None:
    """The price jumps 4 % between decision and fill: the user asked for a percentage of the real margin."""
    anna = world.person("anna", leverage=leverage, take_profit="100")
    world.start_trader(KESTREL_PAPER__URL=proxy.url)
    world.armed("NEWUSDT")
    proxy.before(PLACE, lambda: world.price("NEWUSDT", "2.6"))
    world.notice(TITLE)
    world.filled(anna)
    (position,) = world.account(anna)["positions"]
    entry = D(position["openPriceAvg"])
    assert entry > D("2.59")
    wanted = entry * (1 + 1 / D(leverage))
    eventually(
        lambda: [p for p in plans(world) if abs(D(p) - wanted) < entry * D("0.0006")],
        15,
        f"a target near {wanted}",
    )
    assert len(plans(world)) == 1
    assert world.account(anna)["positions"] != []
    assert world.entries(anna) == 1
    del attached


def test_a_target_that_was_passed_is_taken_at_market(world: World, proxy: Proxy) -> None:
    anna = world.person("anna", leverage="50", take_profit="100")
    world.start_trader(KESTREL_PAPER__URL=proxy.url)
    world.armed("NEWUSDT")
    proxy.before(PROTECT, lambda: world.price("NEWUSDT", "2.8"))
    world.notice(TITLE)
    world.filled(anna)
    eventually(lambda: world.account(anna)["positions"] == [], 15, "the profit is taken")
    assert total(world.ledger(anna)) > 10_000
    eventually(lambda: ("close", "filled", "") in world.orders(), 10, "and told")


def test_the_leverage_of_a_position_the_user_holds_is_left_alone(world: World) -> None:
    anna = world.person("anna", leverage="10")
    world.by_hand(anna, MARGIN_MODE, symbol="BTCUSDT", marginMode="isolated", **FUTURES)
    world.by_hand(anna, LEVERAGE, symbol="BTCUSDT", leverage="2", **FUTURES)
    order = {
        "symbol": "BTCUSDT",
        "marginMode": "isolated",
        "side": "buy",
        "size": "0.05",
        "orderType": "market",
    }
    world.by_hand(anna, PLACE, **order, **FUTURES)
    world.start_trader()
    world.armed("NEWUSDT")
    eventually(
        lambda: "ETHUSDT" in world.health()["prepared"][str(anna.account_id)], 10, "the rest is prepared"
    )
    (position,) = world.account(anna)["positions"]
    assert position["leverage"] == "2"


@pytest.mark.parametrize("side", ["sell", "buy"])
def test_a_listing_never_touches_a_position_the_user_holds(world: World, side: str) -> None:
    anna = world.person("anna", leverage="10", amount="100")
    order = {
        "symbol": "NEWUSDT",
        "marginMode": "isolated",
        "side": side,
        "size": "400",
        "orderType": "market",
    }
    world.by_hand(anna, PLACE, **order, **FUTURES)
    before = world.account(anna)["positions"]
    world.start_trader()
    world.armed()
    eventually(lambda: world.rows("select 1 from positions"), 10, "the position is known")
    world.notice(TITLE)
    eventually(lambda: world.orders() == [("entry", "denied", "position")], 10, "the user is told")
    after = world.account(anna)["positions"]
    assert [(p["holdSide"], p["total"]) for p in after] == [(p["holdSide"], p["total"]) for p in before]
    assert world.account(anna)["plans"] == []


def test_no_order_goes_out_at_a_leverage_that_could_not_be_set(world: World, proxy: Proxy) -> None:
    anna = world.person("anna", leverage="10", amount="100")
    proxy.refuse(LEVERAGE, "40920", containing="NEWUSDT")
    world.start_trader(KESTREL_PAPER__URL=proxy.url)
    world.armed()
    eventually(lambda: proxy.struck > 0, 10, "preparation was refused")
    world.notice(TITLE)
    eventually(lambda: world.orders() == [("entry", "denied", "prepared")], 10, "the user is told")
    assert world.ledger(anna, "open_fee") == []


def test_a_changed_position_mode_is_noticed(world: World) -> None:
    anna = world.person("anna")
    world.start_trader()
    world.armed("NEWUSDT")
    assert world.account(anna)["position_mode"] == "one_way_mode"
    world.by_hand(anna, POSITION_MODE, productType="USDT-FUTURES", posMode="hedge_mode")
    world.notice(TITLE)
    eventually(
        lambda: world.orders() == [("entry", "rejected", "40774")], 10, "the venue refuses the old form"
    )
    world.symbol("OTHERUSDT", "1.5")
    world.armed("OTHERUSDT")
    world.notice("다른코인(OTHER) 신규 거래지원 안내 (KRW, BTC, USDT 마켓)")
    world.filled(anna)
    eventually(lambda: len(plans(world)) == 1, 10, "its take profit rests")


def test_an_account_disabled_in_flight_is_looked_after_to_the_end(world: World, proxy: Proxy) -> None:
    anna = world.person("anna", leverage="50", take_profit="100")
    world.start_trader(KESTREL_PAPER__URL=proxy.url, KESTREL_TRADER__ORDER_TIMEOUT_S="1")
    world.armed("NEWUSDT")
    source = engine(world.database_url, pooled=False)

    def disable() -> None:
        with session_of(source) as session:
            accounts.set_state(session, anna.account_id, "disabled", actor="test")

    proxy.before(PLACE, disable)
    proxy.arm("lose_answer", PLACE)
    world.notice(TITLE)
    world.filled(anna)
    source.dispose()
    eventually(lambda: len(plans(world)) == 1, 30, "its take profit rests all the same")
    world.settled(30)
    assert ("entry", "filled", "") in world.orders()
    world.price("NEWUSDT", "2.7")
    eventually(lambda: world.account(anna)["positions"] == [], 10, "its take profit fills")
    eventually(lambda: world.health().get("accounts") == 0, 30, "then it is let go")


def test_a_wrong_preference_stops_entries_of_that_account_only(world: World) -> None:
    anna = world.person("anna")
    ben = world.person("ben")
    world.start_trader()
    world.armed("NEWUSDT")
    world.rows_changed(
        "insert into scoped_settings (scope, user_id, account_id, name, value, updated_ns, updated_by)"
        f" select 'account', user_id, id, 'listing.amount', 'many', 1, 'test' from accounts where id = {anna.account_id}"
    )
    eventually(lambda: world.health()["left_out"], 10, "it is noticed")
    world.notice(TITLE)
    world.filled(ben)
    world.settled()
    assert world.ledger(anna, "open_fee") == []
    assert "listing.amount" in world.health()["left_out"][str(anna.account_id)]


def test_a_paper_account_on_a_foreign_host_is_not_even_asked_for(world: World) -> None:
    world.person("anna")
    world.start_trader(KESTREL_PAPER__URL="http://192.0.2.1:9")
    eventually(lambda: any("only trade on this machine" in line for line in world.log()), 20, "it is refused")
    assert not any("/api/v2/mix/account" in line for line in world.log())


def test_an_exchange_that_is_away_does_not_keep_the_others_from_arming(world: World) -> None:
    """With live trading on and no live account, a missing live market holds up nobody."""
    anna = world.person("anna")
    world.start_trader(KESTREL_LIVE="1", KESTREL_BITGET__REST_URL="http://127.0.0.1:9")
    world.armed("NEWUSDT")
    world.notice(TITLE)
    world.filled(anna)
