"""One trader an account: by a lease in a real Postgres, with the road to it cut and other traders about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from trader.lease import Leases

ACCOUNT = """
insert into accounts (user_id, venue, kind, mode, label, sealed_credentials, key_tail, created_ns, updated_ns)
values (1, 'bitget', 'classic', 'paper', %s, '', 'tail', 1, 1) returning id
"""
TTL_S = 1.0


class Road:
    """A TCP road to Postgres that can be cut and mended."""

    def __init__(self, url: str) -> None:
        self._to = urlsplit(url)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._port = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        user = (self._to.netloc.rpartition("@")[0] + "@") if "@" in self._to.netloc else ""
        return urlunsplit(self._to._replace(netloc=f"{user}127.0.0.1:{self._port}"))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(self._to.hostname, self._to.port)
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    @staticmethod
    async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()


@pytest.fixture
def accounts(postgres_url: str) -> list[int]:
    """Two accounts that exist."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "insert into users (id, name, created_ns) overriding system value values (1, 'anna', 1)"
        )
        rows = [connection.execute(ACCOUNT, (label,)).fetchone() for label in ("a", "b")]
    return [row[0] for row in rows if row]


@pytest.fixture
async def road(postgres_url: str) -> AsyncIterator[Road]:
    made = Road(postgres_url)
    await made.mend()
    yield made
    await made.cut()


class Trader:
    """A holder of leases, and what it was told."""

    def __init__(self, url: str, holder: str, accounts: list[int]) -> None:
        self.changes = 0
        self.accounts = accounts
        self.news = asyncio.Event()
        self.leases = Leases(
            url,
            holder,
            wanted=lambda: self.accounts,
            on_change=self._changed,
            ttl_s=TTL_S,
            renew_s=0.05,
        )

    def _changed(self) -> None:
        self.changes += 1

    def may(self) -> list[bool]:
        return [not self.leases.why_not(account_id) for account_id in self.accounts]


@asynccontextmanager
async def at_work(trader: Trader, *, orderly: bool = True) -> AsyncIterator[Trader]:
    task = asyncio.create_task(trader.leases.run())
    try:
        await asyncio.wait_for(trader.leases.asked.wait(), 10)
        yield trader
    finally:
        if orderly:
            trader.leases.stop()
            await asyncio.wait_for(task, 10)
        else:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not check():
            await asyncio.sleep(0.005)


async def test_one_holds_and_the_other_is_told_who(postgres_url: str, accounts: list[int]) -> None:
    first, second = Trader(postgres_url, "aaaa", accounts), Trader(postgres_url, "bbbb", accounts)
    async with at_work(first):
        assert first.may() == [True, True]
        async with at_work(second):
            assert second.may() == [False, False]
            assert "trades this account: stop one of the two" in second.leases.why_not(accounts[0])
            assert not second.leases.known(accounts[0])
            renewals = first.leases.renewals
            await until(lambda: first.leases.renewals > renewals + 3)
            assert first.may() == [True, True]
    assert second.changes == 1


async def test_given_back_at_an_orderly_stop_and_found_again_after_a_kill(
    postgres_url: str, accounts: list[int]
) -> None:
    async with at_work(Trader(postgres_url, "aaaa", accounts), orderly=False):
        pass
    async with at_work(Trader(postgres_url, "aaaa", accounts)) as again:
        assert again.may() == [True, True]
    async with at_work(Trader(postgres_url, "bbbb", accounts)) as other:
        assert other.may() == [True, True]
    with psycopg.connect(postgres_url) as connection:
        tokens = connection.execute("select distinct token from account_leases").fetchall()
    assert tokens == [(2,)]  # as many owners as there were, however often each renewed


async def test_while_postgres_is_away_entries_go_on_until_the_lease_runs_out(
    road: Road, postgres_url: str, accounts: list[int]
) -> None:
    cut_off, other = Trader(road.url, "aaaa", accounts), Trader(postgres_url, "bbbb", accounts)
    async with at_work(cut_off, orderly=False):
        await road.cut()
        assert cut_off.may() == [True, True]
        async with at_work(other):
            assert other.may() == [False, False]
            while not any(other.may()):
                await asyncio.sleep(0.005)
            # The other one took over; at that moment the first had stopped by itself.
            assert cut_off.may() == [False, False]
            assert "Postgres cannot be reached" in cut_off.leases.why_not(accounts[0])
            assert cut_off.leases.known(accounts[0])  # what is open is protected all the same
            await road.mend()
            await until(lambda: bool(cut_off.leases.others))
            assert cut_off.may() == [False, False]
            assert not cut_off.leases.known(accounts[0])
        await until(lambda: all(cut_off.may()))
    assert cut_off.changes >= 3


async def test_an_account_that_comes_later_is_claimed_when_it_is_told(
    postgres_url: str, accounts: list[int]
) -> None:
    trader = Trader(postgres_url, "aaaa", [])
    async with at_work(trader):
        trader.accounts = accounts
        trader.leases.claim()
        await until(lambda: all(trader.may()))
        assert trader.changes == 1


async def test_a_claim_while_postgres_is_away_does_not_take_the_pauses_away(
    road: Road, accounts: list[int]
) -> None:
    pauses: list[bool] = []
    enough = asyncio.Event()

    class Watched(Leases):
        async def _sleep(self, seconds: float) -> None:
            pauses.append(self._wake.is_set())
            if len(pauses) == 3:
                enough.set()
            await asyncio.sleep(0)

    url = road.url
    await road.cut()
    leases = Watched(url, "aaaa", wanted=lambda: accounts, on_change=lambda: None)
    leases.claim()
    task = asyncio.create_task(leases.run())
    await asyncio.wait_for(enough.wait(), 10)
    leases.stop()
    await asyncio.wait_for(task, 10)
    await road.mend()
    assert pauses[:3] == [False, False, False]
