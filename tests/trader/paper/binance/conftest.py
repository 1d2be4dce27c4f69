from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

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
def account(binance: PaperServer) -> Account:
    return binance.engine.accounts[0]
