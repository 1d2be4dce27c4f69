"""Recorded frames: sequence, book, loops, damage, and the real recordings."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from shared import clock
from shared.errors import TapeError
from trader.paper.market import BookChanged, MarketEvent, MarketHub, Traded
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.recorded import RecordedTape

D = Decimal
START = 1_800_000_000 * clock.SECOND
FIRST = 1_723_161_255_000_000_000
BOOKS = Path(__file__).resolve().parents[4] / "shared" / "data" / "market" / "raw_books"

Frame = tuple[int, str, dict[str, object]]


def top(ns: int, number: int, bid: str, ask: str) -> Frame:
    return ns, "bookTicker", {"e": "bookTicker", "u": number, "b": bid, "B": "1.000", "a": ask, "A": "2.000"}


def depth(ns: int, ids: tuple[int, int, int], bids: list[list[str]], asks: list[list[str]]) -> Frame:
    """``ids`` are first, last, and the last one of the frame before."""
    first, last, before = ids
    data: dict[str, object] = {"e": "depthUpdate", "U": first, "u": last, "pu": before, "b": bids, "a": asks}
    return ns, "depth@0ms", data


def trade(ns: int, number: int, price: str, size: str, *, maker: bool = False) -> Frame:
    data: dict[str, object] = {"e": "trade", "t": number, "p": price, "q": size, "X": "MARKET", "m": maker}
    return ns, "trade", data


GOOD = [
    depth(0, (1, 10, 0), [["100.10", "1.000"], ["100.00", "2.000"]], [["100.30", "1.500"]]),
    top(1_000, 12, "100.10", "100.30"),
    trade(2_000, 501, "100.30", "0.250"),
    depth(3_000, (11, 20, 10), [["100.20", "3.000"]], [["100.30", "0.000"], ["100.40", "4.000"]]),
    trade(4_000, 502, "100.20", "0.500", maker=True),
]


def lines(frames: list[Frame], symbol: str = "BTCUSDT") -> list[str]:
    return [
        f"{FIRST + ns} {json.dumps({'stream': f'{symbol.lower()}@{stream}', 'data': {**data, 's': symbol}})}"
        for ns, stream, data in frames
    ]


def write(path: Path, text: list[str]) -> Path:
    with gzip.open(path, "wt") as file:
        file.write("\n".join(text) + "\n")
    return path


@asynccontextmanager
async def playing(path: Path) -> AsyncIterator[tuple[RecordedTape, MarketHub, list[MarketEvent]]]:
    """A started tape on a clock that stands still."""
    tape_clock = TapeClock(0.0, start_ns=START)
    hub = MarketHub(tape_clock)
    tape = RecordedTape(hub, tape_clock, path)
    tape.prepare()
    events: list[MarketEvent] = []
    hub.subscribe(events.append)
    running = asyncio.create_task(tape.run())
    try:
        await settled(tape, running)
        yield tape, hub, events
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def settled(tape: RecordedTape, running: asyncio.Task[None] | None = None) -> None:
    waiting = asyncio.create_task(tape.settled())
    await asyncio.wait({waiting, *([running] if running else [])}, return_when=asyncio.FIRST_COMPLETED)
    if running is not None and running.done():
        waiting.cancel()
        running.result()
    await waiting


async def advance(tape: RecordedTape, ms: int) -> None:
    tape.clock.advance(ms)
    await tape.settled()


async def test_frames_become_book_trades_and_filters(tmp_path: Path) -> None:
    async with playing(write(tmp_path / "a.gz", lines(GOOD))) as (tape, hub, events):
        state = hub.states["futures", "BTCUSDT"]
        assert (state.spec.tick, state.spec.step) == (D("0.1"), D("0.01"))
        await advance(tape, 1)
        assert state.book.depth() == (
            [(D("100.20"), D(3)), (D("100.10"), D(1)), (D("100.00"), D(2))],
            [(D("100.40"), D(4))],
        )
        assert [(item.price, item.size, item.side, item.trade_id) for item in state.trades] == [
            (D("100.30"), D("0.25"), "buy", "501"),
            (D("100.20"), D("0.5"), "sell", "502"),
        ]
        assert state.last == D("100.20")
        traded = [event.ts_ns for event in events if isinstance(event, Traded)]
        assert traded == [START + 2_000, START + 4_000]
        assert tape.gaps == 0


async def test_the_best_prices_lead_the_depth_and_leave_no_trace(tmp_path: Path) -> None:
    frames = [
        *GOOD[:2],
        top(2_000, 14, "100.00", "100.50"),
        depth(3_000, (11, 13, 10), [], [["100.60", "1"]]),
    ]
    async with playing(write(tmp_path / "a.gz", lines(frames))) as (tape, hub, _):
        book = hub.states["futures", "BTCUSDT"]
        tape.clock.advance(1)
        await tape.settled()
        # the depth frame is older than the best prices: those still lead
        assert book.book.depth() == (
            [(D("100.00"), D(1))],
            [(D("100.50"), D(2)), (D("100.60"), D(1))],
        )


async def test_a_gap_starts_the_book_anew(tmp_path: Path) -> None:
    broken = depth(3_000, (31, 40, 30), [["99.00", "7.000"]], [["101.00", "8.000"]])
    frames = [*GOOD[:3], broken, top(3_500, 41, "99.00", "101.00")]
    async with playing(write(tmp_path / "a.gz", lines(frames))) as (tape, hub, _):
        await advance(tape, 1)
        assert tape.gaps == 1
        assert hub.states["futures", "BTCUSDT"].book.depth() == ([(D(99), D(1))], [(D(101), D(2))])


async def test_a_snapshot_in_the_recording_completes_the_book(tmp_path: Path) -> None:
    text = lines(GOOD[:2])
    text.append(
        f"{FIRST + 2_500} "
        + json.dumps(
            {"lastUpdateId": 5, "bids": [["90.00", "9"], ["100.00", "1"]], "asks": [["110.00", "9"]]}
        )
    )
    async with playing(write(tmp_path / "a.gz", text)) as (tape, hub, _):
        await advance(tape, 1)
        bids, asks = hub.states["futures", "BTCUSDT"].book.depth()
        assert bids == [(D("100.10"), D(1)), (D("100.00"), D(2)), (D("90.00"), D(9))]
        assert asks == [(D("100.30"), D(2)), (D("110.00"), D(9))]


async def test_it_plays_again_with_time_going_on(tmp_path: Path) -> None:
    async with playing(write(tmp_path / "a.gz", lines(GOOD))) as (tape, hub, events):
        await advance(tape, 5)
        assert tape.passes >= 3
        stamps = [event.ts_ns for event in events if isinstance(event, Traded)]
        assert stamps == sorted(set(stamps))
        assert len(stamps) >= 8
        assert not hub.states["futures", "BTCUSDT"].book.crossed
        assert tape.gaps == 0


async def test_microsecond_stamps_are_noticed(tmp_path: Path) -> None:
    text = [
        f"{(FIRST + ns * 1000) // 1000} {line.partition(' ')[2]}"
        for (ns, _, _), line in zip(GOOD, lines(GOOD), strict=True)
    ]
    async with playing(write(tmp_path / "a.gz", text)) as (tape, _, events):
        await advance(tape, 5)
        stamps = [event.ts_ns - START for event in events if isinstance(event, Traded)]
        assert stamps == [2_000_000, 4_000_000]


async def test_spot_streams_are_spot_and_have_their_own_sequence_rule(tmp_path: Path) -> None:
    frames: list[Frame] = [
        (
            0,
            "depth@100ms",
            {"e": "depthUpdate", "U": 1, "u": 5, "b": [["10.00", "1"]], "a": [["10.10", "1"]]},
        ),
        (1, "bookTicker", {"u": 6, "b": "10.00", "B": "1", "a": "10.10", "A": "1"}),
        (2, "depth@100ms", {"e": "depthUpdate", "U": 6, "u": 9, "b": [["9.90", "1"]], "a": []}),
        (3, "depth@100ms", {"e": "depthUpdate", "U": 11, "u": 12, "b": [["9.80", "1"]], "a": []}),
    ]
    async with playing(write(tmp_path / "a.gz", lines(frames, "ETHUSDT"))) as (tape, hub, _):
        assert ("spot", "ETHUSDT") in hub.states
        tape.clock.advance(1)
        await tape.settled()
        assert tape.gaps == 1


async def test_damaged_lines_are_counted_and_stepped_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = lines(GOOD)
    text[2:2] = ["not a number {}", f"{FIRST + 1_500} {{broken", f"{FIRST + 1_600} [1,2]"]
    text.append(lines([top(5_000, 99, "NaN", "100.30")])[0])
    async with playing(write(tmp_path / "a.gz", text)) as (tape, hub, _):
        await advance(tape, 2)
        assert tape.damaged == 4
        assert len(hub.states["futures", "BTCUSDT"].trades) >= 2
        assert "line 3" in caplog.text


async def test_a_file_that_is_cut_plays_what_is_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gz", lines(GOOD * 40)[:200])
    path.write_bytes(path.read_bytes()[:-12])
    async with playing(path) as (tape, _, events):
        await advance(tape, 1)
        assert any(isinstance(event, BookChanged) for event in events)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"this is no gzip", "gzip"),
        (b"", "not one readable frame"),
        (gzip.compress(b""), "not one readable frame"),
        (gzip.compress(b"rubbish\n" * 50), "line 20"),
        (gzip.compress(b'1723161255030314667 {"channel":"x"}\n'), "no frames of a Binance"),
        (gzip.compress(b"1" * 4000)[:20], "line 1"),
    ],
    ids=["no gzip", "empty", "empty gzip", "rubbish", "another stream", "cut"],
)
def test_an_unusable_file_is_one_clear_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    tape_clock = TapeClock()
    with pytest.raises(TapeError, match=says) as caught:
        RecordedTape(MarketHub(tape_clock), tape_clock, path).prepare()
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_coin_margined_recordings_are_refused(tmp_path: Path) -> None:
    frame = top(0, 1, "100.0", "100.1")
    frame[2]["ps"] = "BTCUSD"
    path = write(tmp_path / "a.gz", lines([frame], "BTCUSD_PERP"))
    tape_clock = TapeClock()
    with pytest.raises(TapeError, match="coin-margined"):
        RecordedTape(MarketHub(tape_clock), tape_clock, path).prepare()


def recording(name: str) -> Path:
    path = BOOKS / name
    if not path.exists():
        pytest.skip(f"{path} is not there: ../shared/data is a separate download")
    return path


async def play_whole(path: Path) -> tuple[RecordedTape, MarketHub, str, int]:
    """One pass; tape, hub, digest of all events, crossed books seen."""
    digest = hashlib.sha256()
    crossed = 0
    async with playing(path) as (tape, hub, events):
        events.clear()

        def see(event: MarketEvent) -> None:
            nonlocal crossed
            book = event.state.book
            crossed += book.crossed
            digest.update(
                repr((type(event).__name__, event.state.ts_ns, book.best_bid, book.best_ask)).encode()
            )

        hub.subscribe(see)
        hub._listeners.remove(events.append)
        await advance(tape, tape.measure_ns() // clock.MILLISECOND + 1)
        return tape, hub, digest.hexdigest(), crossed


@pytest.mark.data
async def test_the_recorded_perpetual_plays_whole_without_a_gap() -> None:
    tape, hub, digest, crossed = await play_whole(recording("usdm_btcusdt_20240808.gz"))
    state = hub.states["futures", "BTCUSDT"]
    assert tape.frames == 93_954
    assert (tape.gaps, tape.damaged, crossed) == (0, 0, 0)
    assert (state.spec.tick, state.spec.step) == (D("0.1"), D("0.001"))
    assert 60_000 < state.last < 63_000
    bids, asks = state.book.depth(50)
    assert len(bids) == len(asks) == 50
    assert bids[0][0] < asks[0][0] <= bids[0][0] + 5
    again = await play_whole(recording("usdm_btcusdt_20240808.gz"))
    assert again[2] == digest


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "market", "frames"),
    [("usdm_btcusdt_20230404.dat.gz", "futures", 13_384), ("spot_btcusdt_20240808.gz", "spot", 41_249)],
)
async def test_the_other_recordings_play_whole(name: str, market: str, frames: int) -> None:
    tape, hub, _, crossed = await play_whole(recording(name))
    assert tape.frames == frames
    assert (tape.gaps, tape.damaged, crossed) == (0, 0, 0)
    assert (market, "BTCUSDT") in hub.states
    assert 90 < tape.measure_ns() / clock.SECOND < 400


@pytest.mark.data
@pytest.mark.parametrize("name", ["cm_btcusd_perp_20240808.gz", "hyperliquid_btcusd_20250126.gz"])
def test_recordings_of_other_kinds_are_refused(name: str) -> None:
    tape_clock = TapeClock()
    with pytest.raises(TapeError):
        RecordedTape(MarketHub(tape_clock), tape_clock, recording(name)).prepare()
