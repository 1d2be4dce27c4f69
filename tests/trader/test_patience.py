"""A Postgres that takes a question and never answers: the connection ends, and so does the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from psycopg import AsyncConnection, OperationalError

from tests.trader.road import Road
from trader.lease import Leases
from trader.patience import answered


@pytest.fixture
def road(postgres_url: str) -> Iterator[Road]:
    made = Road(postgres_url)
    yield made
    made.close()


async def test_a_question_without_an_answer_ends_with_its_connection(road: Road) -> None:
    connection = await AsyncConnection.connect(road.url, autocommit=True)
    with answered(connection):
        await connection.execute("select 1")
    road.cut(silent=True)
    with pytest.raises(OperationalError), answered(connection, 0.05):
        await connection.execute("select 1")
    assert connection.closed


async def test_an_answer_in_time_keeps_the_connection(road: Road) -> None:
    connection = await AsyncConnection.connect(road.url, autocommit=True)
    with answered(connection, 30):
        row = await (await connection.execute("select 7")).fetchone()
    assert row == (7,)
    assert not connection.closed
    await connection.close()


async def test_a_closed_connection_has_nothing_to_hang_up(road: Road) -> None:
    connection = await AsyncConnection.connect(road.url, autocommit=True)
    with answered(connection, 0):
        await connection.close()
        await asyncio.sleep(0.01)


async def test_leases_are_renewed_again_after_a_silence(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trader.lease.ANSWER_S", 0.2)
    leases = Leases(road.url, "aaaa", wanted=lambda: [1], on_change=lambda: None, ttl_s=60, renew_s=0.02)
    task = asyncio.create_task(leases.run())
    await asyncio.wait_for(leases.asked.wait(), 10)
    road.cut(silent=True)
    async with asyncio.timeout(10):
        while not leases.last_error:
            await asyncio.sleep(0.01)
    road.mend()
    before = leases.renewals
    async with asyncio.timeout(10):
        while leases.renewals == before:
            await asyncio.sleep(0.01)
    leases.stop()
    await asyncio.wait_for(task, 10)
