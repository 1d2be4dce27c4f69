from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.trader.paper.binance.rest import Market, Rest
from tests.trader.paper.binance.sockets import Sockets
from trader.paper.engine.accounts import Account
from trader.paper.engine.model import AccountKind
from trader.paper.server import Options, PaperServer


@pytest.fixture
async def binance() -> AsyncIterator[PaperServer]:
    """A market that stands still until the test moves it; two accounts with 10,000 USDT; no limits of pace."""
    server = PaperServer(
        Options(port=0, tape="manual", accounts=2, kind=AccountKind.BINANCE, limits=False, speed=1.0)
    )
    await server.start()
    tape = asyncio.create_task(server.run())
    yield server
    tape.cancel()
    await asyncio.wait({tape})
    await server.stop()


@pytest.fixture
async def sockets(binance: PaperServer) -> AsyncIterator[Sockets]:
    made = Sockets(binance)
    yield made
    await made.close()


@pytest.fixture
async def rest(binance: PaperServer) -> AsyncIterator[Rest]:
    """The first account over REST."""
    async with aiohttp.ClientSession() as session:
        yield Rest(binance, session, binance.engine.accounts[0])


@pytest.fixture
def market(binance: PaperServer) -> Market:
    return Market(binance)


@pytest.fixture
def account(binance: PaperServer) -> Account:
    return binance.engine.accounts[0]
