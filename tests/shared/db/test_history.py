"""What pages and scripts are told, checked against rows written by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest
from sqlalchemy.orm import Session

from shared import clock
from shared.db import history, users
from shared.db.tables import (
    Account,
    Base,
    EquitySnapshot,
    Fill,
    Instrument,
    Intent,
    Notice,
    NoticeArrival,
    Order,
    Position,
)
from shared.errors import NotFoundError

NOW = 1_800_000_000 * clock.SECOND
US, MS = clock.MICROSECOND, clock.MILLISECOND
D = Decimal


T = TypeVar("T", bound=Base)


class World:
    """Two users with an account each, one instrument, and short words for rows."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.owners: dict[str, dict[str, Any]] = {}
        for name in ("ada", "ben"):
            user = users.add(session, name, actor="test")
            account = self.add(
                Account(
                    user_id=user.id,
                    venue="bitget",
                    kind="classic",
                    mode="paper",
                    label="main",
                    sealed_credentials=b"",
                    key_tail="",
                    created_ns=NOW,
                    updated_ns=NOW,
                )
            )
            self.owners[name] = {
                "user_id": user.id,
                "account_id": account.id,
                "mode": "paper",
                "strategy_id": "listing",
            }
        self.add(
            Instrument(
                id="bitget:perp:NMR-USDT",
                venue="bitget",
                market="perp",
                symbol="NMRUSDT",
                base="NMR",
                quote="USDT",
                tick=D("0.001"),
                step=D("0.1"),
                min_size=D("0.1"),
                min_notional=D(5),
                max_market_size=D(0),
                max_leverage=50,
                taker_fee=D("0.0006"),
                maker_fee=D("0.0002"),
                status="trading",
                updated_ns=NOW,
            )
        )

    def add(self, row: T) -> T:
        self.session.add(row)
        self.session.flush()
        return row

    def order(self, owner: str, client_id: str, cause: str, at_ns: int, **order: Any) -> None:
        own = self.owners[owner]
        self.add(
            Intent(
                **own,
                client_id=client_id,
                instrument_id="bitget:perp:NMR-USDT",
                cause=cause,
                leg=0,
                step="entry",
                attempt=0,
                side="buy",
                order_type="market",
                size=D("12.3"),
                price=None,
                reference_price=D("40.5"),
                margin=D(50),
                leverage=10,
                take_profit_price=D("44.55"),
                stop_price=None,
                reduce_only=False,
                created_ns=at_ns,
            )
        )
        stamps = dict.fromkeys(history.STAMPS, 0)
        self.add(
            Order(
                **own,
                client_id=client_id,
                instrument_id="bitget:perp:NMR-USDT",
                side="buy",
                size=D("12.3"),
                **{
                    "state": "intended",
                    "filled_size": D(0),
                    "fee": D(0),
                    "updated_ns": at_ns,
                    **stamps,
                    **order,
                },
            )
        )

    def notice(self, key: str, at_ns: int, decision: str = "acted") -> None:
        self.add(
            Notice(
                key=key,
                source="upbit",
                title="뉴메레르(NMR) 신규 거래지원 안내",
                category="trade",
                kind="new_listing",
                symbols=["NMR"],
                markets=["KRW"],
                amended=False,
                first_listed_ns=at_ns,
                first_seen_ns=at_ns,
                decision=decision,
                reason="",
            )
        )


@pytest.fixture
def world(session: Session) -> World:
    return World(session)


def test_an_order_comes_with_its_timeline(world: World) -> None:
    world.order(
        "ada",
        "A" * 30,
        "listing:upbit:1:NMR",
        NOW,
        state="filled",
        filled_size=D("12.3"),
        average_price=D("40.61"),
        fee=D("0.2997"),
        seen_ns=NOW,
        decoded_ns=NOW + 21_500,
        decided_ns=NOW + 30_000,
        signed_ns=NOW + 42_000,
        journaled_ns=NOW + 50_000,
        written_ns=NOW + 61_250,
        acknowledged_ns=NOW + 61_250 + 15 * MS,
        filled_ns=NOW + 61_250 + 20 * MS,
    )
    found = history.order(world.session, "A" * 30)
    assert found is not None
    assert (found.user_name, found.symbol, found.size, found.reference_price) == (
        "ada",
        "NMRUSDT",
        D("12.3"),
        D("40.5"),
    )
    assert msgspec.to_builtins(found.timeline) == {
        "decode_us": 21.5,
        "decide_us": 8.5,
        "sign_us": 12.0,
        "journal_us": 8.0,
        "write_us": 11.25,
        "total_us": 61.25,
        "acknowledge_ms": 15.0,
        "fill_ms": 20.0,
    }
    assert history.order(world.session, "none") is None
    shown = msgspec.json.decode(msgspec.json.encode(found))
    assert (shown["size"], shown["average_price"]) == ("12.3", "40.61")  # money stays exact in JSON


def test_a_stage_that_was_not_reached_has_no_duration(world: World) -> None:
    world.order(
        "ada", "B" * 30, "listing:upbit:1:NMR", NOW, state="unknown", seen_ns=NOW, written_ns=NOW + 50 * US
    )
    found = history.order(world.session, "B" * 30)
    assert found is not None
    assert (found.timeline.total_us, found.timeline.decode_us, found.timeline.acknowledge_ms) == (
        50.0,
        None,
        None,
    )


def test_one_user_never_sees_another(world: World) -> None:
    for name, client_id in (("ada", "A" * 30), ("ben", "B" * 30)):
        world.order(name, client_id, "listing:upbit:1:NMR", NOW)
        own = world.owners[name]
        world.add(
            Position(
                **own,
                instrument_id="bitget:perp:NMR-USDT",
                side="long",
                state="ACTIVE",
                size=D(1),
                entry_price=D(1),
                mark_price=D(1),
                margin=D(1),
                leverage=1,
                unrealised=D(0),
                realised=D(0),
                opened_ns=NOW,
                updated_ns=NOW,
            )
        )
        world.add(
            EquitySnapshot(**own, currency="USDT", equity=D(7), available=D(7), unrealised=D(0), taken_ns=NOW)
        )
        world.add(
            Fill(
                **own,
                client_id=client_id,
                instrument_id="bitget:perp:NMR-USDT",
                venue_fill_id="1",
                side="buy",
                price=D(1),
                size=D(1),
                fee=D(0),
                fee_currency="USDT",
                slippage=D(0),
                liquidity="taker",
                filled_ns=NOW,
            )
        )
    world.notice("upbit:1", NOW)
    session, ben = world.session, world.owners["ben"]["account_id"]
    limits: tuple[dict[str, Any], ...] = ({"user": "ben"}, {"accounts": [ben]})
    for limit in limits:
        for ask in (history.orders, history.positions, history.fills, history.equity):
            assert [row.user_name for row in ask(session, **limit)] == ["ben"]
        assert [row.user_name for row in history.notices(session, **limit)[0].orders] == ["ben"]
    assert history.orders(session, accounts=[]) == []
    assert history.orders(session, user="ada", accounts=[ben]) == []
    assert len(history.orders(session)) == 2
    with pytest.raises(NotFoundError, match="no user 'eve'"):
        history.orders(session, user="eve")


def test_a_notice_knows_its_own_orders_and_arrivals(world: World) -> None:
    world.notice("upbit:1", NOW)
    world.notice("upbit:10", NOW + 1)
    world.notice("upbit:2", NOW + 2, decision="seeded")
    world.order("ada", "A" * 30, "listing:upbit:1:NMR", NOW)
    world.order("ben", "B" * 30, "listing:upbit:10:NMR", NOW)
    world.order("ben", "C" * 30, "listing:upbit:1:NMR", NOW + 5)
    for host, late in (("slow", 30), ("fast", 0), ("slow", 90)):
        world.add(
            NoticeArrival(
                notice_key="upbit:1",
                source="upbit",
                host=host,
                title="",
                received_ns=NOW + late * MS,
                decoded_ns=NOW + late * MS + 1,
                first=late == 0,
            )
        )
    found = {row.key: row for row in history.notices(world.session)}
    assert list(found) == ["upbit:2", "upbit:10", "upbit:1"]
    assert [row.client_id[0] for row in found["upbit:1"].orders] == ["C", "A"]
    assert [row.client_id[0] for row in found["upbit:10"].orders] == ["B"]
    assert found["upbit:2"].orders == []
    assert [(row.host, row.behind_ms, row.first) for row in found["upbit:1"].arrivals] == [
        ("fast", 0.0, True),
        ("slow", 30.0, False),
    ]
    assert [row.key for row in history.notices(world.session, decision="seeded")] == ["upbit:2"]
    assert [row.key for row in history.notices(world.session, limit=1)] == ["upbit:2"]


def test_a_percent_sign_in_a_key_is_only_a_letter(world: World) -> None:
    world.notice("upbit:%", NOW)
    world.order("ada", "A" * 30, "listing:upbit:1:NMR", NOW)
    assert history.notices(world.session)[0].orders == []
    assert len(history.orders(world.session, cause="listing:upbit:1:")) == 1
    assert history.orders(world.session, cause="listing:upbit:_:") == []


def test_orders_are_filtered_by_state_and_newest_first(world: World) -> None:
    for number, state in enumerate(("filled", "unknown", "filled")):
        world.order("ada", str(number) * 30, "x", NOW + number, state=state)
    assert [row.client_id[0] for row in history.orders(world.session)] == ["2", "1", "0"]
    assert [row.client_id[0] for row in history.orders(world.session, states=["unknown"])] == ["1"]
    assert [row.client_id[0] for row in history.orders(world.session, limit=1)] == ["2"]


def test_closed_positions_come_after_open_ones_when_asked_for(world: World) -> None:
    for opened, closed in ((1, 0), (2, 9), (3, 0)):
        world.add(
            Position(
                **world.owners["ada"],
                instrument_id="bitget:perp:NMR-USDT",
                side="long" if opened == 1 else "short",
                state="CLOSED" if closed else "ACTIVE",
                size=D(opened),
                entry_price=D(1),
                mark_price=D(1),
                margin=D(1),
                leverage=1,
                unrealised=D(0),
                realised=D(0),
                opened_ns=NOW + opened,
                updated_ns=NOW,
                closed_ns=closed,
            )
        )
    assert [row.size for row in history.positions(world.session)] == [3, 1]
    assert [row.size for row in history.positions(world.session, closed=True)] == [3, 1, 2]


def test_equity_is_the_newest_and_the_series_is_thinned(world: World) -> None:
    own = world.owners["ada"]
    for second in range(100):
        world.add(
            EquitySnapshot(
                **own,
                currency="USDT",
                equity=D(1000 + second),
                available=D(1),
                unrealised=D("0.5"),
                taken_ns=NOW + second * clock.SECOND,
            )
        )
    assert [(row.user_name, row.equity) for row in history.equity(world.session)] == [("ada", D(1099))]
    until = NOW + 100 * clock.SECOND - 1
    series = history.equity_series(world.session, own["account_id"], since_ns=NOW, until_ns=until, points=10)
    assert [point.equity for point in series] == [D(1000 + second) for second in range(9, 100, 10)]
    every = history.equity_series(
        world.session, own["account_id"], since_ns=NOW + 98 * clock.SECOND, until_ns=until
    )
    assert [point.equity for point in every] == [D(1098), D(1099)]
    assert history.equity_series(world.session, world.owners["ben"]["account_id"], since_ns=0) == []


def test_heartbeats_are_renewed(session: Session) -> None:
    with clock.use(lambda: NOW):
        history.beat(session, "trader", 7, "starting", {}, NOW)
    with clock.use(lambda: NOW + 5):
        history.beat(session, "trader", 7, "armed", {"accounts": 3}, NOW)
        history.beat(session, "up", 8, "running", {}, NOW)
    first, second = history.heartbeats(session)
    assert (first.service, first.state, first.detail, first.at_ns) == (
        "trader",
        "armed",
        {"accounts": 3},
        NOW + 5,
    )
    assert second.service == "up"
