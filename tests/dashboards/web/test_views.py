from decimal import Decimal
from typing import Any

import msgspec
import pytest

from dashboards.web import data, views
from dashboards.web.reader import Away, PriceRings, Reading
from shared import clock

NOW = 1_795_132_800 * clock.SECOND + 12 * 3600 * clock.SECOND
S = clock.SECOND


def account(number: int = 1, name: str = "alice", label: str = "main") -> data.AccountRow:
    return data.AccountRow(
        id=number,
        user_name=name,
        venue="bitget",
        kind="classic",
        mode="paper",
        label=label,
        state="armed",
        state_reason="",
    )


def equity(
    number: int = 1, value: str = "10010", base: str | None = "10000", moved: str = "0"
) -> data.EquityRow:
    return data.EquityRow(
        account_id=number,
        currency="USDT",
        equity=Decimal(value),
        available=Decimal(5),
        unrealised=Decimal(1),
        taken_ns=NOW,
        base=Decimal(base) if base else None,
        transferred=Decimal(moved),
    )


def trader(age_s: float = 0, state: str = "armed", **detail: Any) -> data.HeartbeatRow:
    return beat("trader", age_s, state, **detail)


def beat(service: str, age_s: float = 0, state: str = "running", **detail: Any) -> data.HeartbeatRow:
    return data.HeartbeatRow(
        service=service, state=state, detail=detail, started_ns=0, at_ns=NOW - int(age_s * S)
    )


def snapshot(**parts: Any) -> data.Snapshot:
    return data.Snapshot(taken_ns=NOW, **parts)


def names(found: tuple[views.Banner, ...]) -> list[str]:
    return [banner.name for banner in found]


def page(made: data.Snapshot | None, away: Away | None = None) -> views.Page:
    return views.page(Reading(snapshot=made, series={}, prices={}, away=away), NOW)


def test_the_day_leaves_out_what_was_transferred() -> None:
    (card,) = views.cards(snapshot(accounts=[account()], equity=[equity(value="10210", moved="200")]), {})
    assert card.day_change == Decimal(10)
    assert card.day_fraction == Decimal(10) / Decimal(10200)


def test_a_withdrawal_is_no_loss() -> None:
    (card,) = views.cards(snapshot(accounts=[account()], equity=[equity(value="9000", moved="-1000")]), {})
    assert card.day_change == 0


def test_an_account_without_a_reading_shows_no_number() -> None:
    (card,) = views.cards(snapshot(accounts=[account()]), {})
    assert (card.equity, card.available, card.day_change, card.day_fraction) == (None, None, None, None)


def test_an_account_that_began_with_nothing_has_no_percentage() -> None:
    (card,) = views.cards(snapshot(accounts=[account()], equity=[equity(value="5", base="0")]), {})
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
    assert views.account_name(account(label="alice")) == "alice"
    assert views.account_name(account(label="")) == "alice"
    assert views.account_name(account(label="swing")) == "alice · swing"


@pytest.mark.parametrize(
    ("symbol", "parts"),
    [("BTCUSDT", ("BTC", "USDT")), ("ETHBTC", ("ETH", "BTC")), ("USDT", ("USDT", "")), ("ODD", ("ODD", ""))],
)
def test_symbols_are_split_at_a_known_quote(symbol: str, parts: tuple[str, str]) -> None:
    assert views.split(symbol) == parts


def test_tiles_show_what_is_held_first_and_twelve_at_most() -> None:
    prices = {f"C{number:02}USDT": [(1, Decimal(1)), (2, Decimal("1.1"))] for number in range(30)}
    prices["BTCUSDT"] = [(1, Decimal("97000.5"))]
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
    assert len(rings.copy()["A"]) == 120
    assert rings.copy()["A"][-1] == (300, Decimal(300))
    rings.feed([msgspec.structs.replace(trader(prices={"D": "1"}), at_ns=400)])
    assert list(rings.copy()) == ["D"]


def test_a_heartbeat_is_counted_once() -> None:
    rings = PriceRings()
    for _ in range(3):
        rings.feed([trader(prices={"A": "1"})])
    assert rings.copy() == {"A": [(NOW, Decimal(1))]}


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


def test_an_order_that_stays_unknown_is_said(order_row: data.OrderRow) -> None:
    fresh = msgspec.structs.replace(order_row, written_ns=NOW - S)
    lost = msgspec.structs.replace(order_row, written_ns=NOW - 3 * S, client_id="lost1")
    assert names(views.banners(snapshot(unknown_orders=[fresh]), None, NOW)) == []
    (banner,) = views.banners(snapshot(unknown_orders=[fresh, lost]), None, NOW)
    assert banner.name == "unknown"
    assert "lost1" in banner.text


@pytest.mark.parametrize(
    ("side", "average", "worse"), [("buy", "101", True), ("sell", "101", False), ("sell", "99", True)]
)
def test_slippage_is_positive_when_it_is_worse_for_us(
    order_row: data.OrderRow, side: str, average: str, worse: bool
) -> None:
    row = msgspec.structs.replace(
        order_row, side=side, average_price=Decimal(average), reference_price=Decimal(100)
    )
    notice = data.NoticeRow(
        key="upbit:1",
        source="upbit",
        title="t",
        category="c",
        kind="new_listing",
        symbols=["KITE"],
        markets=[],
        first_listed_ns=NOW,
        first_seen_ns=NOW,
        decision="acted",
        reason="",
    )
    (acted,) = page(snapshot(accounts=[account()], notices=[notice], orders=[row])).acted
    slippage = acted.orders[0].slippage
    assert slippage is not None
    assert abs(slippage) == Decimal("0.01")
    assert (slippage > 0) is worse


@pytest.fixture
def order_row() -> data.OrderRow:
    return data.OrderRow(
        client_id="c1",
        account_id=1,
        cause="listing:upbit:1:KITE",
        step="entry",
        instrument_id="bitget:perp:KITE-USDT",
        symbol="KITEUSDT",
        tick=Decimal("0.00001"),
        side="buy",
        order_type="market",
        state="unknown",
        size=Decimal(1),
        filled_size=Decimal(0),
        average_price=None,
        reference_price=Decimal(1),
        take_profit_price=None,
        margin=Decimal(1),
        leverage=1,
        fee=Decimal(0),
        reason_code="",
        reason="",
        seen_ns=NOW - 10 * S,
        decoded_ns=0,
        decided_ns=0,
        signed_ns=0,
        journaled_ns=0,
        written_ns=0,
        acknowledged_ns=0,
        filled_ns=0,
    )
