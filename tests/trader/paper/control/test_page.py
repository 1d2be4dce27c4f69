"""The table of control calls, kinds of faults and limits, and the server, are one list."""

from __future__ import annotations

import re
from pathlib import Path

from aiohttp import web

from tests.trader.paper.conftest import Exchanges
from trader.paper.faces.bitget.limits import VenueLimits
from trader.paper.faults.kinds import CHANNEL_KINDS, PATH_KINDS

PAGE = (Path(__file__).resolve().parents[4] / "docs" / "paper-exchange.md").read_text("utf-8")
ROW = re.compile(r"^\| `(GET|POST|DELETE) (/control/\S+)` \|", re.MULTILINE)


async def test_every_control_call_is_on_the_page_and_nothing_else_is(exchanges: Exchanges) -> None:
    server = await exchanges.start()
    runner = server._runner
    assert runner is not None
    routes: list[web.AbstractRoute] = list(runner.app.router.routes())
    served = {
        (route.method, route.resource.canonical)
        for route in routes
        if route.resource is not None and route.method not in {"HEAD", "*"}
    }
    assert set(ROW.findall(PAGE)) == {call for call in served if call[1].startswith("/control/")}


def test_every_fault_and_every_limit_is_on_the_page() -> None:
    faults = PAGE.partition("## Faults")[2]
    assert PATH_KINDS.keys() | CHANNEL_KINDS.keys() <= set(re.findall(r"`(\w+)`", faults))
    limits = PAGE.partition("### Limits")[2].partition("\n## ")[0]
    assert set(VenueLimits.__struct_fields__) <= set(re.findall(r"`(\w+)`", limits))
