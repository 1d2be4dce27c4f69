"""Snapshots in Postgres: what is closed, what is not, and where a result goes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection

from shared import clock
from shared.domain.order import PositionSide
from tests.trader.scripted import ACCOUNT, INSTRUMENT
from trader.positions import rows
from trader.positions.rows import AccountSnapshot, ClosedPosition, Equity, OpenPosition

D = Decimal
OPENED_NS = 1_790_000_000_000_000_000
MONEY = Equity(currency="USDT", equity=D(100), available=D(90), unrealised=D(1))


@pytest.fixture
def account_rows(postgres_url: str) -> str:
    """The user and the account that the rows point to."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "insert into users (id, name, created_ns) overriding system value values (1, 'anna', 1)"
        )
        connection.execute(
            "insert into accounts (id, user_id, venue, kind, mode, label, sealed_credentials, key_tail,"
            " created_ns, updated_ns) overriding system value"
            " values (2, 1, 'bitget', 'classic', 'paper', 'main', '', '1234', 1, 1)"
        )
    return postgres_url


def position(opened_ns: int = OPENED_NS, **changes: Any) -> OpenPosition:
    plain = OpenPosition(
        instrument=INSTRUMENT,
        side=PositionSide.LONG,
        size=D(10),
        entry_price=D("2.5"),
        mark_price=D("2.6"),
        margin=D("2.5"),
        leverage=10,
        unrealised=D(1),
        realised=D(0),
        liquidation_price=None,
        take_profit_price=None,
        stop_price=None,
        opened_ns=opened_ns,
        strategy_id="listing",
    )
    return msgspec.structs.replace(plain, **changes)


def result(opened_ns: int = OPENED_NS, net: str = "7.5") -> ClosedPosition:
    return ClosedPosition(
        instrument_id=INSTRUMENT.id,
        side=PositionSide.LONG,
        opened_ns=opened_ns,
        close_price=D("3.25"),
        realised=D(net),
        closed_ns=opened_ns + 9 * clock.SECOND,
    )


def snapshot(
    after_s: int,
    *positions: OpenPosition,
    closed: tuple[ClosedPosition, ...] = (),
    unnamed: tuple[str, ...] = (),
) -> AccountSnapshot:
    return AccountSnapshot(
        account=ACCOUNT,
        positions=positions,
        equity=MONEY,
        closed=closed,
        taken_ns=OPENED_NS + after_s * clock.SECOND,
        unnamed=unnamed,
    )


async def stored(url: str, *snapshots: AccountSnapshot) -> list[tuple[int, str, int, str]]:
    """Opened (s after the first), state, closed (same, 0 = open) and result of every row, oldest first."""
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        for each in snapshots:
            await rows.write(connection, each)
        cursor = await connection.execute(
            "select (opened_ns - %(zero)s) / 1000000000, state,"
            " case when closed_ns = 0 then 0 else (closed_ns - %(zero)s) / 1000000000 end, realised::float8::text"
            " from positions order by id",
            {"zero": OPENED_NS},
        )
        return await cursor.fetchall()


async def test_a_position_that_is_gone_is_closed_and_gets_its_result_later(account_rows: str) -> None:
    assert await stored(account_rows, snapshot(1, position()), snapshot(5)) == [(0, "CLOSED", 5, "0")]
    assert await stored(account_rows, snapshot(60, closed=(result(),))) == [(0, "CLOSED", 9, "7.5")]


async def test_a_position_whose_instrument_has_no_name_now_stays_open(account_rows: str) -> None:
    found = await stored(account_rows, snapshot(1, position()), snapshot(5, unnamed=("NEWUSDT/long",)))
    assert found == [(0, "ACTIVE", 0, "0")]
    assert (await stored(account_rows, snapshot(6, unnamed=("NEWUSDT/short",))))[0][1] == "CLOSED"


async def test_a_position_opened_again_is_another_row_and_each_has_its_own_result(account_rows: str) -> None:
    again = OPENED_NS + 20 * clock.SECOND
    found = await stored(account_rows, snapshot(1, position()), snapshot(25, position(again)))
    assert found == [(0, "CLOSED", 25, "0"), (20, "ACTIVE", 0, "0")]
    found = await stored(account_rows, snapshot(40), snapshot(41, closed=(result(again, "-1"),)))
    assert found == [(0, "CLOSED", 25, "0"), (20, "CLOSED", 29, "-1")]
    found = await stored(account_rows, snapshot(50, closed=(result(),)))
    assert found == [(0, "CLOSED", 9, "7.5"), (20, "CLOSED", 29, "-1")]


async def test_a_result_never_touches_an_open_position(account_rows: str) -> None:
    found = await stored(account_rows, snapshot(1, position()), snapshot(2, position(), closed=(result(),)))
    assert found == [(0, "ACTIVE", 0, "0")]


def test_results_of_a_snapshot_that_was_not_stored_go_with_the_next() -> None:
    other = result(OPENED_NS + 1)
    newest = rows.merged(snapshot(1, closed=(result(),)), snapshot(2, closed=(other,)))
    assert newest.closed == (result(), other)
    assert newest.taken_ns == snapshot(2).taken_ns
    assert rows.merged(newest, snapshot(3, closed=(other,))).closed == (result(), other)
    assert rows.merged(None, snapshot(1)) == snapshot(1)
