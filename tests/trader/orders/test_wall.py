from __future__ import annotations

import pytest

from shared.domain.account import Mode
from shared.errors import RefusedError
from trader.orders import wall

LOOPBACK = ["127.0.0.1", "127.8.9.1", "localhost", "::1", "[::1]"]
OUTSIDE = [
    "api.bitget.com",
    "10.0.0.1",
    "0.0.0.0",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "",
    "2001:db8::1",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_paper_stays_on_this_machine_and_live_never_comes_here(host: str) -> None:
    wall.check(Mode.PAPER, host, live_enabled=False)
    for enabled in (False, True):
        with pytest.raises(RefusedError, match="paper exchange"):
            wall.check(Mode.LIVE, host, live_enabled=enabled)


@pytest.mark.parametrize("host", OUTSIDE)
def test_paper_never_leaves_and_live_needs_the_switch(host: str) -> None:
    for enabled in (False, True):
        with pytest.raises(RefusedError, match="only trade on this machine"):
            wall.check(Mode.PAPER, host, live_enabled=enabled)
    wall.check(Mode.LIVE, host, live_enabled=True)
    with pytest.raises(RefusedError, match="KESTREL_LIVE=1"):
        wall.check(Mode.LIVE, host, live_enabled=False)
