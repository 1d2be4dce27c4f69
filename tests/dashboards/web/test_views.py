from decimal import Decimal
from typing import Any

import msgspec
import pytest

from dashboards.web import data, notice_markup, views
from dashboards.web.reader import Away, PriceRings, Reading
from shared import clock
from shared.db.rows import OrderRow
from tests.dashboards.rows import NOW, account, beat, equity, notice, order, trader

S = clock.SECOND


def snapshot(**parts: Any) -> data.Snapshot:
    return data.Snapshot(taken_ns=NOW, **parts)


def day(base: str = "10000", moved: str = "0") -> data.DayRow:
    return data.DayRow(account_id=1, base=Decimal(base), transferred=Decimal(moved))


def names(found: tuple[views.Banner, ...]) -> list[str]:
    return [banner.name for banner in found]


def page(made: data.Snapshot | None, away: Away | None = None) -> views.Page:
    return views.page(Reading(snapshot=made, series={}, prices={}, away=away), NOW)


def test_the_day_leaves_out_what_was_transferred() -> None:
    (card,) = views.cards(
        snapshot(accounts=[account()], equity=[equity(value="10210")], days=[day(moved="200")]), {}
    )
    assert card.day_change == Decimal(10)
    assert card.day_fraction == Decimal(10) / Decimal(10200)


def test_a_withdrawal_is_no_loss() -> None:
    (card,) = views.cards(
        snapshot(accounts=[account()], equity=[equity(value="9000")], days=[day(moved="-1000")]), {}
    )
    assert card.day_change == 0


def test_an_account_without_a_reading_shows_no_number() -> None:
    (card,) = views.cards(snapshot(accounts=[account()]), {})
    assert (card.equity, card.available, card.day_change, card.day_fraction) == (None, None, None, None)


def test_a_card_says_why_its_account_does_not_trade() -> None:
    told = trader(
        blocked={"1": "leverage cannot be set"}, left_out={"2": "its key cannot be opened", "x": None}
    )
    paused = msgspec.structs.replace(account(2, "bob"), state="paused", state_reason="by hand")
    armed = msgspec.structs.replace(account(3, "cleo"), state_reason="an old reason")
    made = snapshot(accounts=[account(), paused, armed], heartbeats=[told])
    whys = [card.why for card in views.cards(made, {})]
    assert whys == ["leverage cannot be set", "by hand; its key cannot be opened", ""]


def test_an_account_that_began_with_nothing_has_no_percentage() -> None:
    (card,) = views.cards(snapshot(accounts=[account()], equity=[equity(value="5")], days=[day("0")]), {})
    assert (card.day_change, card.day_fraction) == (Decimal(5), None)


@pytest.mark.parametrize(("age_s", "said"), [(0, []), (10, []), (10.1, ["stale"]), (3600, ["stale"])])
def test_a_silent_trader_is_said_after_ten_seconds(age_s: float, said: list[str]) -> None:
    assert names(views.banners(snapshot(heartbeats=[trader(age_s)]), None, NOW)) == said


def test_the_stale_banner_says_since_when() -> None:
    (banner,) = views.banners(snapshot(heartbeats=[trader(75)]), None, NOW)
    assert "11:58:45 UTC" in banner.text
    assert "1\u202fmin ago" in banner.text


def test_a_database_that_is_away_explains_the_silence_of_the_trader() -> None:
    away = Away(NOW - 30 * S, "Postgres is away")
    assert names(views.banners(snapshot(heartbeats=[trader(40)]), away, NOW)) == ["away"]


def test_the_demo_says_that_it_is_one_only_while_it_runs() -> None:
    said = [beat("up", 3, demo=True, tape="synthetic:1")]
    assert names(views.banners(snapshot(heartbeats=said), None, NOW)) == ["demo"]
    assert names(views.banners(snapshot(heartbeats=[beat("up", 61, demo=True)]), None, NOW)) == []
    assert names(views.banners(snapshot(heartbeats=[beat("up", 3, "stopped", demo=True)]), None, NOW)) == []
    assert names(views.banners(snapshot(heartbeats=[beat("up", 3, demo=False)]), None, NOW)) == []


def test_pills_name_trader_market_and_database() -> None:
    made = snapshot(heartbeats=[trader(), beat("up", tape="synthetic:1")])
    assert [(pill.value, pill.tone) for pill in views.pills(made, None, NOW)] == [
        ("armed", "good"),
        ("synthetic:1", "good"),
        ("ok", "good"),
    ]
    silent = snapshot(heartbeats=[trader(60)])
    assert [pill.value for pill in views.pills(silent, Away(NOW, "x"), NOW)] == ["silent", "no tape", "away"]
    assert views.pills(snapshot(), None, NOW)[0].value == "not started"
    assert views.pills(snapshot(heartbeats=[trader(state="starting")]), None, NOW)[0].tone == "warning"


def test_the_page_is_empty_only_when_the_database_said_so() -> None:
    assert page(snapshot()).empty
    assert not page(snapshot(accounts=[account()])).empty
    assert not page(None, Away(NOW, "Postgres is away")).empty


def test_an_account_is_named_once_when_its_label_repeats_the_user() -> None:
    assert views.account_name("alice", "alice") == "alice"
    assert views.account_name("alice", "") == "alice"
    assert views.account_name("alice", "swing") == "alice · swing"


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [("BTCUSDT", ("BTC", "USDT")), ("ETHBTC", ("ETH", "BTC")), ("USDT", ("USDT", "")), ("ODD", ("ODD", ""))],
)
def test_symbols_are_split_at_a_known_quote(symbol: str, parts: tuple[str, str]) -> None:
    assert views.split(symbol) == parts


def test_tiles_show_what_is_held_first_and_twelve_at_most() -> None:
    prices = {f"C{number:02}USDT": [Decimal(1), Decimal("1.1")] for number in range(30)}
    prices["BTCUSDT"] = [Decimal("97000.5")]
    found = views.tiles(prices, ["C29USDT", "GONEUSDT"])
    assert [tile.symbol for tile in found[:3]] == ["C29USDT", "BTCUSDT", "C00USDT"]
    assert len(found) == views.MAX_TILES
    assert found[0].change == Decimal("0.1")
    assert found[1].change is None
    assert found[1].places == 1


def test_thinning_keeps_both_ends() -> None:
    points = [float(number) for number in range(1000)]
    found = views.thin(points, 60)
    assert (len(found), found[0], found[-1]) == (60, 0.0, 999.0)
    assert views.thin(points[:3], 60) == (0.0, 1.0, 2.0)


def test_prices_are_kept_in_short_rings_and_only_while_they_are_told() -> None:
    rings = PriceRings()
    for number in range(300):
        rings.feed(
            [
                msgspec.structs.replace(
                    trader(prices={"A": str(number + 1), "B": "nan", "C": "-1"}), at_ns=number + 1
                )
            ]
        )
    assert list(rings.copy()) == ["A"]
    assert len(rings.copy()["A"]) == 90
    assert rings.copy()["A"][-1] == Decimal(300)
    rings.feed([msgspec.structs.replace(trader(prices={"D": "1"}), at_ns=400)])
    assert list(rings.copy()) == ["D"]


def test_a_heartbeat_is_counted_once() -> None:
    rings = PriceRings()
    for _ in range(3):
        rings.feed([trader(prices={"A": "1"})])
    assert rings.copy() == {"A": [Decimal(1)]}


@pytest.mark.parametrize("told", [None, [], "text", {"A": None}, {"A": {}}])
def test_prices_that_are_no_prices_are_left_out(told: object) -> None:
    rings = PriceRings()
    rings.feed([trader(prices=told)])
    assert rings.copy() == {}


def test_the_sum_holds_each_last_value_and_starts_when_all_have_begun() -> None:
    first = [(1, Decimal(10)), (3, Decimal(11)), (5, Decimal(12))]
    second = [(2, Decimal(100)), (5, Decimal(90))]
    assert views.total([first, second]) == [(2, Decimal(110)), (3, Decimal(111)), (5, Decimal(102))]


def test_percent_lines_leave_out_transfers() -> None:
    line = views.Line(
        "alice",
        [(10, Decimal(100)), (20, Decimal(250)), (30, Decimal(255))],
        [(5, Decimal(9)), (20, Decimal(150))],
    )
    assert views.relative([line])[0].points == [(10, Decimal(0)), (20, Decimal(0)), (30, Decimal(5))]


def test_many_accounts_become_one_line() -> None:
    accounts = [account(number, f"user{number}") for number in range(1, 12)]
    series = {row.id: data.Series([(NOW - S, Decimal(1)), (NOW, Decimal(2))]) for row in accounts}
    made = snapshot(accounts=accounts, equity=[equity(row.id) for row in accounts])
    (line,) = views.lines(made, series)
    assert line.points == [(NOW - S, Decimal(11)), (NOW, Decimal(22))]
    assert len(views.lines(snapshot(accounts=accounts[:8]), series)) == 8


def test_an_order_that_stays_unknown_is_said() -> None:
    fresh, lost = order(written_ns=NOW - S), order(written_ns=NOW - 3 * S, client_id="lost1")
    assert names(views.banners(snapshot(unknown_orders=[fresh]), None, NOW)) == []
    (banner,) = views.banners(snapshot(unknown_orders=[fresh, lost]), None, NOW)
    assert banner.name == "unknown"
    assert "lost1" in banner.text


@pytest.mark.parametrize(
    ("side", "average", "worse"), [("buy", "101", True), ("sell", "101", False), ("sell", "99", True)]
)
def test_slippage_is_positive_when_it_is_worse_for_us(side: str, average: str, worse: bool) -> None:
    row = order(side=side, average_price=Decimal(average), reference_price=Decimal(100))
    (acted,) = page(snapshot(accounts=[account()], notices=[notice(orders=[row])])).acted
    slippage = acted.orders[0].slippage
    assert slippage is not None
    assert abs(slippage) == Decimal("0.01")
    assert (slippage > 0) is worse


def test_the_reaction_is_that_of_the_slowest_entry() -> None:
    def sent(took_ns: int, step: str, client_id: str) -> OrderRow:
        return order(seen_ns=NOW, written_ns=NOW + took_ns, step=step, client_id=client_id)

    orders = [sent(139, "entry", "a"), sent(200, "entry", "b"), sent(9_000, "take_profit", "c")]
    (acted,) = page(snapshot(notices=[notice(orders=orders)])).acted
    assert acted.reaction_ns == 200


def test_a_notice_that_led_to_an_order_is_never_among_those_left_alone() -> None:
    shown = page(
        snapshot(notices=[notice(decision="seeded", orders=[order()]), notice(key="b", decision="ignored")])
    )
    assert [view.row.key for view in shown.acted] == ["upbit:1"]
    assert [view.row.key for view in shown.other] == ["b"]


def test_a_price_is_shown_with_the_step_of_its_instrument() -> None:
    made = snapshot(notices=[notice(orders=[order()])], ticks={"bitget:perp:KITE-USDT": Decimal("0.001")})
    assert page(made).acted[0].orders[0].tick == Decimal("0.001")


def test_a_flood_of_orders_is_cut_and_counted() -> None:
    orders = [order(client_id=f"c{number}") for number in range(views.MAX_SHOWN_ORDERS + 7)]
    (acted,) = page(snapshot(notices=[notice(orders=orders)])).acted
    assert (len(acted.orders), acted.total) == (views.MAX_SHOWN_ORDERS, len(orders))
    assert "and 7 more" in notice_markup.orders(acted)
