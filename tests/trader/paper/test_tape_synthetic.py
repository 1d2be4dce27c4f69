"""The invented market and the two tapes without input; how tapes are named."""

from __future__ import annotations

import asyncio
import hashlib
import statistics
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from shared import clock
from shared.errors import TapeError
from trader.paper.contract import default_spec
from trader.paper.market import BookChanged, FundingDue, MarketEvent, MarketHub, Traded
from trader.paper.minutes import MINUTE
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes import Tape, open_tape
from trader.paper.tapes.synthetic import COINS, Market

START = 1_700_006_400 * clock.SECOND
HOUR_MS = 3_600_000


@asynccontextmanager
async def playing(
    spec: str, start_ns: int = START
) -> AsyncIterator[tuple[Tape, MarketHub, list[MarketEvent]]]:
    tape_clock = TapeClock(0.0, start_ns=start_ns)
    hub = MarketHub(tape_clock)
    tape = open_tape(spec, hub, tape_clock)
    tape.prepare()
    events: list[MarketEvent] = []
    hub.subscribe(events.append)
    running = asyncio.create_task(tape.run())
    try:
        await tape.settled()
        yield tape, hub, events
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def advance(tape: Tape, ms: int) -> None:
    tape.clock.advance(ms)
    await tape.settled()


async def digest(spec: str, start_ns: int, leaps: list[int]) -> str:
    """Hash of everything that happens, with times relative to the start."""
    made = hashlib.sha256()
    async with playing(spec, start_ns) as (tape, hub, events):
        for state in hub.states.values():
            made.update(repr([(candle.close, candle.base_volume) for candle in state.candles()]).encode())
        for ms in leaps:
            await advance(tape, ms)
        for event in events:
            state = event.state
            if isinstance(event, Traded):
                what: object = (event.price, event.size, event.side, event.trade_id, event.ts_ns - start_ns)
            else:
                what = type(event).__name__
            made.update(repr((event.symbol, what)).encode())
        for state in hub.states.values():
            made.update(repr((state.book.depth(), state.last, state.ts_ns - start_ns)).encode())
    return made.hexdigest()


async def test_a_seed_is_a_market_bit_for_bit_whatever_the_wall_clock_says() -> None:
    one = await digest("synthetic:7", START, [20_000])
    assert await digest("synthetic:7", START, [1, 999, 4_000, 15_000]) == one
    assert await digest("synthetic:7", START + 123 * MINUTE, [20_000]) == one
    assert await digest("synthetic:8", START, [20_000]) != one


async def test_every_symbol_visibly_moves() -> None:
    async with playing("synthetic:1") as (tape, hub, events):
        assert Counter(state.market for state in hub.states.values()) == {"futures": 30, "spot": 2}
        assert {("futures", "BTCUSDT"), ("spot", "BTCUSDT"), ("spot", "ETHUSDT")} <= hub.states.keys()
        first = {state.symbol: state.last for state in hub.states.values()}
        await advance(tape, 60_000)
        books = Counter(event.symbol for event in events if isinstance(event, BookChanged))
        trades = Counter(event.symbol for event in events if isinstance(event, Traded))
        assert min(books.values()) >= 60
        assert min(trades.values()) >= 60
        assert len(books) == len(trades) == 30
        moved = [state.symbol for state in hub.states.values() if state.last != first[state.symbol]]
        assert len(moved) >= 25
        assert hub.states["spot", "BTCUSDT"].last == hub.states["futures", "BTCUSDT"].last
        for state in hub.states.values():
            assert not state.book.crossed
            assert abs(state.last / first[state.symbol] - 1) < Decimal("0.05")
            assert state.last % state.spec.tick == 0
            assert len(state.candles()) == 1000
            assert state.base_volume > 0


def test_prices_stay_near_home_and_move_together() -> None:
    market = Market(3)
    closes = [[candle.close for candle in candles] for candles in market.history(3000)]
    for coin, path in zip(COINS, closes, strict=True):
        assert Decimal("0.5") < min(path) / Decimal(coin.price)
        assert max(path) / Decimal(coin.price) < 2
    changes = [
        [float(after / before - 1) for before, after in zip(path[::5], path[5::5], strict=False)]
        for path in closes
    ]
    btc = changes[0]
    correlations = [statistics.correlation(btc, other) for other in changes[1:]]
    assert statistics.mean(correlations) > 0.35
    daily = statistics.pstdev(btc) * (1440 / 5) ** 0.5
    assert 0.01 < daily < 0.08


async def test_a_symbol_without_a_tape_gets_funding_and_opening_on_a_silent_tape() -> None:
    async with playing("manual") as (tape, hub, events):
        assert {symbol for _, symbol in hub.states} == {"BTCUSDT", "ETHUSDT"}
        later = (START // clock.MILLISECOND) + 5 * HOUR_MS
        state = hub.add(default_spec("NEWUSDT", Decimal(2), open_time_ms=later), Decimal(2))
        await advance(tape, 5 * HOUR_MS - 1)
        assert state.status == "pre_open"
        await advance(tape, 1)
        assert state.trading
        await advance(tape, 4 * HOUR_MS)
        due = [(event.symbol, event.ns) for event in events if isinstance(event, FundingDue)]
        assert due == [
            (name, START + 8 * HOUR_MS * clock.MILLISECOND) for name in ("BTCUSDT", "ETHUSDT", "NEWUSDT")
        ]


async def test_a_running_clock_notices_an_opening_by_itself() -> None:
    tape_clock = TapeClock(50.0)
    hub = MarketHub(tape_clock)
    tape = open_tape("manual", hub, tape_clock)
    tape.prepare()
    opened = asyncio.Event()
    running = asyncio.create_task(tape.run())
    await tape.settled()
    opens = tape_clock.now_ns() // clock.MILLISECOND + 5_000
    state = hub.add(default_spec("NEWUSDT", Decimal(2), open_time_ms=opens), Decimal(2))
    hub.subscribe(lambda event: opened.set() if event.state is state else None)
    await asyncio.wait_for(opened.wait(), 5)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert state.trading


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("", "no tape given"),
        ("nonsense", "one of: manual"),
        ("synthetic:x", "whole number"),
        ("synthetic:-1", "whole number"),
        ("/nowhere/BTCUSDT-1m.feather", "does not exist"),
        ("/nowhere/a.feather,/nowhere/b.feather", "/nowhere/a.feather does not exist"),
        (str(Path(__file__).parent), "is a directory"),
        (__file__, "not a kind of tape"),
    ],
)
def test_an_unknown_tape_is_one_clear_line(spec: str, says: str) -> None:
    tape_clock = TapeClock()
    with pytest.raises(TapeError, match=says) as caught:
        open_tape(spec, MarketHub(tape_clock), tape_clock)
    assert "\n" not in str(caught.value)


def test_two_recordings_at_once_are_refused(tmp_path: Path) -> None:
    for name in ("a.gz", "b.gz"):
        (tmp_path / name).touch()
    tape_clock = TapeClock()
    with pytest.raises(TapeError, match="play alone"):
        open_tape(f"{tmp_path}/a.gz,{tmp_path}/b.gz", MarketHub(tape_clock), tape_clock)


async def test_nobody_waits_for_a_tape_that_has_ended() -> None:
    tape_clock = TapeClock(0.0)
    hub = MarketHub(tape_clock)
    tape = open_tape("synthetic:1", hub, tape_clock)
    tape.prepare()
    running = asyncio.create_task(tape.run())
    await tape.settled()
    tape_clock.advance(30 * 24 * HOUR_MS)
    waiting = asyncio.create_task(tape.settled())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with asyncio.timeout(2):
        await waiting
        await tape.settled()
