from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.trader.paper.client import Client
from tests.trader.paper.process import Processes
from tests.verify.fault_probes import Bench
from trader.paper.server import Options, PaperServer


class Exchanges:
    """Starts exchanges inside the test and stops them after it."""

    def __init__(self) -> None:
        self.running: dict[PaperServer, asyncio.Task[None]] = {}
        self.clients: list[Client] = []

    async def start(self, **changes: object) -> PaperServer:
        options: dict[str, object] = {"port": 0, "tape": "manual", "accounts": 2, "limits": False}
        server = PaperServer(Options(**(options | changes)))  # type: ignore[arg-type]  # checked by Options
        await server.start()
        self.running[server] = asyncio.create_task(server.run())
        return server

    async def client(self, server: PaperServer, number: int = 0) -> Client:
        accounts = server.ready["accounts"]
        assert isinstance(accounts, list)
        client = Client(server.ready, accounts[number] if accounts else None)
        self.clients.append(await client.__aenter__())
        return client

    async def stop(self, server: PaperServer) -> None:
        tape = self.running.pop(server)
        tape.cancel()
        await asyncio.wait({tape})
        await server.stop()

    async def stop_all(self) -> None:
        for client in self.clients:
            await client.__aexit__(None, None, None)
        for server in list(self.running):
            await self.stop(server)


@pytest.fixture
async def exchanges() -> AsyncIterator[Exchanges]:
    made = Exchanges()
    yield made
    await made.stop_all()


@pytest.fixture
async def server(exchanges: Exchanges) -> PaperServer:
    """A manual tape, two accounts with 10000 USDT, no request limits."""
    return await exchanges.start()


@pytest.fixture
async def client(exchanges: Exchanges, server: PaperServer) -> Client:
    return await exchanges.client(server)


@pytest.fixture
async def bench(client: Client) -> AsyncIterator[Bench]:
    """Raw connections to the same exchange."""
    made = Bench(client)
    yield made
    await made.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    made = Processes()
    yield made
    made.stop_all()
