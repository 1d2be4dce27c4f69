"""Real processes around the trader: a small world, and a proxy that misbehaves between trader and exchange."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.trader.proxy import Proxy
from tests.trader.world import World


@pytest.fixture
def world(home: Path, postgres_url: str) -> Iterator[World]:
    """A started paper exchange with prices by hand, a fresh database, and no trader yet."""
    made = World(home, postgres_url).open()
    yield made
    made.close()


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    """Stands between the exchange of ``world`` and whoever uses ``proxy.url``."""
    port = urlsplit(world.url).port
    assert port is not None
    made = Proxy(port)
    yield made
    made.close()
