from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from flows.sources import http
from tests.flows.socrata_server import SocrataServer


@pytest.fixture
async def server() -> AsyncIterator[SocrataServer]:
    async with SocrataServer() as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Without the proxy that the machine of the tests may be behind."""
    async with http.client(5, trust_env=False) as opened:
        yield opened
