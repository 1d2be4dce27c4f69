"""Lists that are longer than a page are read whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared import clock
from shared.errors import ProtocolError
from tests.trader.scripted import PLANS, ScriptedVenue, ms
from trader.lane import Lane
from trader.venues.bitget.forms import PAGE


def plan(number: int) -> dict[str, str]:
    return {
        "symbol": "NEWUSDT",
        "orderId": str(number),
        "clientOid": f"c{number}",
        "planType": "pos_profit",
        "posSide": "net",
        "triggerPrice": "3",
        "size": "",
        "cTime": ms(clock.now_ns()),
    }


@pytest.fixture
async def venue() -> AsyncIterator[ScriptedVenue]:
    made = ScriptedVenue()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def lane(venue: ScriptedVenue) -> AsyncIterator[Lane]:
    made = venue.lane()
    made.start()
    yield made
    await made.stop()


async def test_waiting_trigger_orders_of_several_pages(venue: ScriptedVenue, lane: Lane) -> None:
    count = 2 * PAGE + 7

    def page(query: dict[str, str]) -> Any:
        first = int(query.get("idLessThan") or count + 1) - 1
        rows = [plan(number) for number in range(first, max(0, first - PAGE), -1)]
        return {"entrustedList": rows or None, "endId": rows[-1]["orderId"] if rows else None}

    venue.says[PLANS] = page
    found = await lane.dialect.resting_protection(lane.ask)
    assert sorted(int(each.order_id) for each in found) == list(range(1, count + 1))


async def test_a_list_that_comes_again_and_again_is_not_taken_for_whole(
    venue: ScriptedVenue, lane: Lane
) -> None:
    rows = [plan(number) for number in range(PAGE)]
    venue.says[PLANS] = {"entrustedList": rows, "endId": "0"}
    with pytest.raises(ProtocolError, match="cannot be read whole"):
        await lane.dialect.resting_protection(lane.ask)
