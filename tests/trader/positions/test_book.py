"""What an account holds, when the venue lags, refuses or forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared import clock
from shared.domain.order import PositionSide
from tests.trader.scripted import (
    ACCOUNTS,
    ENDED,
    INSTRUMENT,
    POSITIONS,
    Hands,
    No,
    ScriptedVenue,
    ended_row,
    position_row,
    until,
)
from trader.market import MarketData, MarketHost
from trader.orders.tracker import Tracker
from trader.positions.book import RETRIES_S, PositionBook
from trader.positions.rows import AccountSnapshot, ClosedPosition, Held
from trader.venues.bitget.market import BitgetMarket

OPENED_NS = 1_790_000_000_000_000_000
CLOSED_NS = OPENED_NS + 60 * clock.SECOND
REFUSED = No("40808")


class Bench:
    """A position book at work, its snapshots, and the hands of monotonic time."""

    def __init__(self, venue: ScriptedVenue, hands: Hands) -> None:
        self.venue = venue
        self.hands = hands
        self.lane = venue.lane()
        self.market = MarketData(
            BitgetMarket(),
            MarketHost(venue.url, "ws://127.0.0.1:9"),
            refresh_s=60,
            on_instruments=lambda _: None,
        )
        self.market.instruments = {"NEWUSDT": INSTRUMENT}
        self.market.loaded.set()
        self.snapshots: list[AccountSnapshot] = []
        self.held: list[Held] = []
        self.book = PositionBook(
            self.lane,
            self.market,
            Tracker(),
            every_s=300,
            on_snapshot=self.snapshots.append,
            recall=self._recall,
        )
        self.task: asyncio.Task[None] | None = None

    async def _recall(self, _: int) -> list[Held]:
        return self.held

    def start(self) -> None:
        self.lane.start()
        self.task = asyncio.create_task(self.book.run())

    async def stop(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})
        await self.lane.stop()

    async def read(self) -> AccountSnapshot:
        """One more complete reading."""
        known = len(self.snapshots)
        if self.task is None:
            self.start()
        else:
            self.book.hint()
        await until(lambda: len(self.snapshots) > known, "a snapshot")
        return self.snapshots[-1]

    async def fails(self) -> None:
        """One more reading, and it fails."""
        known = self.book.errors
        self.book.hint()
        await until(lambda: self.book.errors > known, "a failure")

    def results(self) -> list[ClosedPosition]:
        return [result for snapshot in self.snapshots for result in snapshot.closed]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    venue = ScriptedVenue()
    await venue.start()
    hands = Hands()
    with clock.use(monotonic=hands):
        made = Bench(venue, hands)
        yield made
        await made.stop()
    await venue.stop()


async def test_a_position_with_its_money(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    snapshot = await bench.read()
    (position,) = snapshot.positions
    assert (position.key, position.opened_ns) == ("bitget:perp:NEW-USDT/long", OPENED_NS)
    assert str(snapshot.equity.equity) == "100"
    assert snapshot.symbols == {"NEWUSDT"}


async def test_a_result_that_the_venue_shows_late_is_not_lost(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    await bench.read()
    bench.venue.says[POSITIONS] = []
    assert (await bench.read()).positions == ()
    for pause_s in RETRIES_S[:5]:
        bench.hands.forward(pause_s)
        await bench.read()
    assert bench.results() == []
    bench.venue.says[ENDED] = {"list": [ended_row(opened_ns=OPENED_NS, closed_ns=CLOSED_NS)], "endId": "1"}
    bench.hands.forward(RETRIES_S[5])
    await bench.read()
    (result,) = bench.results()
    assert (result.instrument_id, result.side) == (INSTRUMENT.id, PositionSide.LONG)
    assert (str(result.realised), result.opened_ns, result.closed_ns) == ("7.5", OPENED_NS, CLOSED_NS)
    await bench.read()
    assert len(bench.results()) == 1


async def test_the_history_is_not_asked_for_ever_nor_too_often(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    await bench.read()
    bench.venue.says[POSITIONS] = []
    for _ in range(3):
        await bench.read()
    assert bench.venue.asked.count(ENDED) == 1
    for _ in range(len(RETRIES_S) + 3):
        bench.hands.forward(60)
        await bench.read()
    assert bench.venue.asked.count(ENDED) == 1 + len(RETRIES_S)


async def test_the_beat_is_sooner_while_a_result_is_due(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    await bench.read()
    bench.venue.says[POSITIONS] = []
    await bench.read()
    known = len(bench.snapshots)
    bench.hands.forward(60)
    bench.venue.says[ENDED] = {"list": [ended_row(opened_ns=OPENED_NS, closed_ns=CLOSED_NS)], "endId": "1"}
    await until(bench.results, "it is read without a hint, long before the beat of 300 s")
    assert len(bench.snapshots) == known + 1


async def test_a_history_that_is_refused_stops_neither_money_nor_other_symbols(bench: Bench) -> None:
    """A position of an earlier run whose symbol the venue does not know any more."""
    bench.held = [
        Held(symbol=f"{coin}USDT", instrument_id=coin, side=PositionSide.LONG, opened_ns=OPENED_NS)
        for coin in ("GONE", "OLD")
    ]

    def ended(query: dict[str, str]) -> Any:
        if query["symbol"] == "GONEUSDT":
            return REFUSED
        row = ended_row(opened_ns=OPENED_NS, closed_ns=CLOSED_NS, symbol=query["symbol"])
        return {"list": [row], "endId": "1"}

    bench.venue.says[ENDED] = ended
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    snapshot = await bench.read()
    assert len(snapshot.positions) == 1
    assert str(snapshot.equity.equity) == "100"
    assert [result.instrument_id for result in snapshot.closed] == ["OLD"]
    for _ in range(len(RETRIES_S) + 2):
        bench.hands.forward(60)
        await bench.read()
    assert bench.venue.asked.count(ENDED) == 2 + len(RETRIES_S)


async def test_a_position_closed_and_opened_again_between_two_readings_has_its_result(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    await bench.read()
    bench.venue.says[POSITIONS] = [position_row(opened_ns=CLOSED_NS + clock.SECOND)]
    bench.venue.says[ENDED] = {"list": [ended_row(opened_ns=OPENED_NS, closed_ns=CLOSED_NS)], "endId": "1"}
    snapshot = await bench.read()
    assert [result.opened_ns for result in snapshot.closed] == [OPENED_NS]
    assert [position.opened_ns for position in snapshot.positions] == [CLOSED_NS + clock.SECOND]


async def test_an_instrument_missing_from_one_list_keeps_its_position(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    await bench.read()
    bench.market.instruments = {}
    for _ in range(2):
        snapshot = await bench.read()
        assert [position.key for position in snapshot.positions] == ["bitget:perp:NEW-USDT/long"]
    assert ENDED not in bench.venue.asked


async def test_a_position_without_a_known_instrument_is_open_all_the_same(bench: Bench) -> None:
    bench.market.instruments = {}
    bench.held = [
        Held(symbol="NEWUSDT", instrument_id=INSTRUMENT.id, side=PositionSide.LONG, opened_ns=OPENED_NS)
    ]
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    for _ in range(2):
        snapshot = await bench.read()
        assert snapshot.positions == ()
        assert snapshot.unnamed == ("NEWUSDT/long",)
        assert snapshot.symbols == {"NEWUSDT"}
    assert ENDED not in bench.venue.asked
    # It is known again, and ends: its result is found as for any other.
    bench.venue.says[POSITIONS] = []
    bench.venue.says[ENDED] = {"list": [ended_row(opened_ns=OPENED_NS, closed_ns=CLOSED_NS)], "endId": "1"}
    assert len((await bench.read()).closed) == 1


async def test_a_failed_reading_is_not_flat(bench: Bench) -> None:
    bench.venue.says[POSITIONS] = [position_row(opened_ns=OPENED_NS)]
    await bench.read()
    bench.venue.says[POSITIONS] = REFUSED
    await bench.fails()
    assert len(bench.snapshots) == 1
    assert bench.book.last is bench.snapshots[0]


async def test_an_answer_without_our_coin_is_an_error_that_the_book_survives(bench: Bench) -> None:
    await bench.read()
    bench.venue.says[ACCOUNTS] = [{"marginCoin": "BTC", "available": "1", "accountEquity": "1"}]
    await bench.fails()
    assert "USDT" in bench.book.last_error
    bench.venue.says[ACCOUNTS] = [{"marginCoin": "USDT", "available": "90", "accountEquity": "100"}]
    await bench.read()
