"""Candle tapes: the path inside a candle, timelines, funding files, damage."""

from __future__ import annotations

import asyncio
import csv
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import clock
from shared.errors import TapeError
from trader.paper.market import BookChanged, FundingDue, MarketEvent, MarketHub, Traded
from trader.paper.minutes import MINUTE
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.candlefile import CandleFile, Row
from trader.paper.tapes.candles import POINTS, CandleTape, path

D = Decimal
DAY = 86_400 * clock.SECOND
BEGIN = clock.from_datetime(datetime(2025, 5, 4, 15, 33, tzinfo=UTC))
CANDLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "market" / "perp_1m"

Ohlcv = tuple[float, float, float, float, float]
RISING: Ohlcv = (100.0, 103.5, 99.5, 102.0, 36.125)
FALLING: Ohlcv = (102.0, 102.5, 98.0, 98.5, 12.125)
SILENT: Ohlcv = (98.5, 98.5, 98.5, 98.5, 0.0)


def write(folder: Path, name: str, rows: list[Ohlcv], *, begin: int = BEGIN, step: int = MINUTE) -> Path:
    """A feather file like the real ones."""
    dates = pa.array([begin + index * step for index in range(len(rows))], pa.timestamp("ns", tz="UTC"))
    columns = [pa.array([row[index] for row in rows], pa.float64()) for index in range(5)]
    table = pa.table([dates, *columns], names=["date", "open", "high", "low", "close", "volume"])
    pyarrow.feather.write_feather(table, str(folder / name))
    return folder / name


def write_csv(file: Path, header: list[str], rows: list[list[object]]) -> Path:
    with file.open("w", newline="") as out:
        csv.writer(out).writerows([header, *rows] if header else rows)
    return file


@asynccontextmanager
async def playing(
    *paths: Path, start_ns: int = BEGIN
) -> AsyncIterator[tuple[CandleTape, MarketHub, list[MarketEvent]]]:
    tape_clock = TapeClock(0.0, start_ns=start_ns)
    hub = MarketHub(tape_clock)
    tape = CandleTape(hub, tape_clock, list(paths))
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


async def advance(tape: CandleTape, ns: int) -> None:
    tape.clock.advance(ns // clock.MILLISECOND)
    await tape.settled()


PRICE = st.integers(1, 5000)


@given(
    st.tuples(PRICE, PRICE, PRICE, PRICE),
    st.integers(0, 10_000),
    st.sampled_from([1, 5, 60]),
    st.integers(0, 99),
)
def test_the_trades_of_a_candle_give_the_candle_back(
    prices: tuple[int, int, int, int], steps: int, minutes: int, odd: int
) -> None:
    low, high = min(prices), max(prices)
    tick, step = D("0.5"), D("0.01")
    volume = steps * step + D(odd) / 10_000
    row = Row(BEGIN, prices[0] * tick, high * tick, low * tick, prices[1] * tick, volume)
    points = path(row, tick, step, minutes * MINUTE)
    assert len(points) == POINTS * minutes
    assert points[0].price == row.open
    assert points[-1].price == row.close
    assert max(point.price for point in points) == row.high
    assert min(point.price for point in points) == row.low
    assert sum(point.size for point in points) == volume
    assert all(point.size >= 0 for point in points)
    assert all(point.price % tick == 0 for point in points)
    times = [point.after_ns for point in points]
    assert times == sorted(set(times))
    assert 0 == times[0] < times[-1] < minutes * MINUTE


def test_the_direction_decides_which_end_comes_first() -> None:
    def order(row: Ohlcv) -> list[Decimal]:
        first, high, low, last, volume = (D(str(value)) for value in row)
        prices = [point.price for point in path(Row(0, first, high, low, last, volume), D("0.5"), D("0.001"))]
        return sorted((high, low), key=prices.index)

    assert order(RISING) == [D("99.5"), D("103.5")]
    assert order(FALLING) == [D("102.5"), D("98.0")]


async def test_candles_come_back_from_the_hub_as_they_were(tmp_path: Path) -> None:
    file = write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", [RISING, FALLING, SILENT, RISING])
    async with playing(file) as (tape, hub, events):
        state = hub.states["futures", "ABCUSDT"]
        assert (state.spec.tick, state.spec.step) == (D("0.1"), D("0.001"))
        await advance(tape, 4 * MINUTE - clock.MILLISECOND)
        made = [
            (
                candle.open_ns,
                *(float(value) for value in (candle.open, candle.high, candle.low, candle.close)),
            )
            for candle in state.candles()
        ]
        assert made == [
            (BEGIN + index * MINUTE, *row[:4]) for index, row in enumerate((RISING, FALLING, SILENT, RISING))
        ]
        assert [float(candle.base_volume) for candle in state.candles()] == [36.125, 12.125, 0.0, 36.125]
        traded = [event for event in events if isinstance(event, Traded)]
        assert len(traded) == 36
        assert all(event.size > 0 for event in traded)
        assert not any(event.state.book.crossed for event in events if isinstance(event, BookChanged))


async def test_it_plays_again_with_time_and_minutes_going_on(tmp_path: Path) -> None:
    file = write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", [RISING, FALLING])
    async with playing(file, start_ns=BEGIN + 400 * DAY + 17) as (tape, hub, events):
        await advance(tape, 7 * MINUTE)
        assert tape.passes == 3
        candles = hub.states["futures", "ABCUSDT"].candles()
        assert [candle.open_ns for candle in candles[:6]] == [
            BEGIN + 400 * DAY + index * MINUTE for index in range(6)
        ]
        assert [float(candle.close) for candle in candles[:6]] == [102.0, 98.5] * 3
        stamps = [event.ts_ns for event in events if isinstance(event, Traded)]
        assert stamps == sorted(set(stamps))


async def test_several_files_play_where_all_have_candles(tmp_path: Path) -> None:
    first = write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", [RISING] * 5)
    other = write(tmp_path, "XYZ_USDT_USDT-1m-futures.feather", [FALLING] * 5, begin=BEGIN + 2 * MINUTE)
    async with playing(first, other, start_ns=BEGIN + 2 * MINUTE) as (tape, _, events):
        assert (tape.start_ns, tape.end_ns) == (BEGIN + 2 * MINUTE, BEGIN + 4 * MINUTE)
        await advance(tape, 3 * MINUTE - clock.MILLISECOND)
        seen = [(event.ts_ns, event.symbol) for event in events if isinstance(event, Traded)]
        assert [stamp for stamp, _ in seen] == sorted(stamp for stamp, _ in seen)
        assert [symbol for _, symbol in seen].count("ABCUSDT") == 36
        assert [symbol for _, symbol in seen].count("XYZUSDT") == 36


def test_files_without_common_time_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", [RISING] * 5)
    other = write(tmp_path, "XYZ_USDT_USDT-1m-futures.feather", [FALLING] * 5, begin=BEGIN + DAY)
    tape_clock = TapeClock()
    with pytest.raises(TapeError, match="no time in common"):
        CandleTape(MarketHub(tape_clock), tape_clock, [first, other]).prepare()


async def test_funding_and_mark_files_beside_are_followed(tmp_path: Path) -> None:
    hour = 60 * MINUTE
    begin = BEGIN - 33 * MINUTE  # 15:00
    file = write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", [RISING] * 400, begin=begin)
    four_hourly = [(rate, 0.0, 0.0, 0.0, 0.0) for rate in (0.0001, 0.0002, 0.0003)]
    write(
        tmp_path,
        "ABC_USDT_USDT-8h-funding_rate.feather",
        four_hourly,
        begin=begin - 7 * hour + 1_000_000,
        step=4 * hour,
    )
    marks: list[Ohlcv] = [(111.25, 112.0, 110.0, 111.0, 0.0)] * 3
    write(tmp_path, "ABC_USDT_USDT-8h-mark.feather", marks, begin=begin - 7 * hour, step=8 * hour)
    async with playing(file, start_ns=begin) as (tape, hub, events):
        state = hub.states["futures", "ABCUSDT"]
        assert state.next_funding_ns == begin + hour
        assert (state.funding_interval_h, state.funding_rate) == (4, D("0.0003"))
        await advance(tape, 6 * hour)
        due = [event for event in events if isinstance(event, FundingDue)]
        # recorded at 16:00 with its mark price; after the file's end the interval goes on
        assert [(event.ns, event.rate) for event in due] == [
            (begin + hour, D("0.0003")),
            (begin + 5 * hour, D("0.0003")),
        ]
        assert due[0].mark == D("111.25")
        assert 98 < due[1].mark < 104


@pytest.mark.parametrize(
    ("header", "first"),
    [
        (["date", "open", "high", "low", "close", "volume"], "2025-05-04T15:33:00+00:00"),
        (["open_time", "open", "high", "low", "close", "volume", "more"], BEGIN // 10**6),
        (["Timestamp", "Open", "High", "Low", "Close", "Volume"], BEGIN // 10**9),
        ([], BEGIN // 10**6),
    ],
)
def test_csv_in_several_dialects(tmp_path: Path, header: list[str], first: object) -> None:
    second = first + 60 * (1000 if first > 10**11 else 1) if isinstance(first, int) else "2025-05-04 15:34:00"
    rows: list[list[object]] = [[first, *RISING, 0], [second, "102.00000000", *FALLING[1:], 0]]
    file = CandleFile(write_csv(tmp_path / "ABCUSDT-1m-2025-05.csv", header, rows))
    assert (file.symbol, file.market, file.count, file.period_ns) == ("ABCUSDT", "futures", 2, MINUTE)
    assert (file.first_ns, file.tick) == (BEGIN, D("0.1"))


@pytest.mark.parametrize(
    ("name", "symbol", "market"),
    [
        ("BTC_USDT_USDT-1m-futures.feather", "BTCUSDT", "futures"),
        ("ETH_BTC-5m.feather", "ETHBTC", "spot"),
        ("BTCUSDT.feather", "BTCUSDT", "futures"),
        ("BTCUSDT-spot-1m.feather", "BTCUSDT", "spot"),
    ],
)
def test_the_name_says_symbol_and_market(tmp_path: Path, name: str, symbol: str, market: str) -> None:
    file = CandleFile(write(tmp_path, name, [RISING, FALLING]))
    assert (file.symbol, file.market) == (symbol, market)


def test_damaged_rows_are_counted_and_stepped_over(tmp_path: Path) -> None:
    nan = float("nan")
    rows: list[Ohlcv] = [RISING, (nan, nan, nan, nan, nan), (100.0, 90.0, 95.0, 99.0, 1.0), FALLING]
    file = CandleFile(write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", rows))
    assert [row.ns for row in file.rows()] == [BEGIN, BEGIN + 3 * MINUTE]
    assert file.damaged == 2
    assert "row 2" in file.first_damage


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("A_USDT_USDT-1m-futures.feather", b"rubbish", "feather"),
        ("A_USDT_USDT-1m-futures.feather", b"", "feather"),
        ("ABCUSDT.csv", b"", "0 usable candles"),
        ("ABCUSDT.csv", b"a,b,c\n1,2,3\n", "line 1"),
        ("ABCUSDT.csv", b"date,open,high,low,close,volume\n2025-05-04,1,1,1,1,1\n", "1 usable"),
        ("ABCUSDT.csv", b"\xff\xfe\x00\x01", "csv"),
        ("notes.csv", b"", "which symbol"),
        ("A_USDT_USDT-8h-funding_rate.feather", b"", "name the candle file"),
    ],
)
def test_an_unusable_file_is_one_clear_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TapeError, match=says) as caught:
        CandleFile(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_feather_file_says_so(tmp_path: Path) -> None:
    file = write(tmp_path, "ABC_USDT_USDT-1m-futures.feather", [RISING] * 5000)
    file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(TapeError, match="cannot be read"):
        CandleFile(file)


def test_seconds_are_no_candles_for_this_tape(tmp_path: Path) -> None:
    file = write(tmp_path, "ABC_USDT_USDT-1s-futures.feather", [RISING] * 5, step=clock.SECOND)
    with pytest.raises(TapeError, match="whole minutes"):
        CandleFile(file)


def real(*symbols: str) -> list[Path]:
    paths = [CANDLES / f"{symbol}_USDT_USDT-1m-futures.feather" for symbol in symbols]
    for file in paths:
        if not file.exists():
            pytest.skip(f"{file} is not there: ../shared/data is a separate download")
    return paths


@pytest.mark.data
async def test_a_day_of_real_candles_of_four_symbols_comes_back_exactly() -> None:
    paths = real("BTC", "ETH", "ENA", "LAYER")
    start = max(CandleFile(file).first_ns for file in paths)

    async def play(hours: int) -> tuple[str, int, MarketHub]:
        """Digest of the first two hours' events, LAYER's settlements, the hub."""
        digest = hashlib.sha256()
        funding = 0
        async with playing(*paths, start_ns=start) as (tape, hub, events):
            for hour in range(hours):
                await advance(tape, 60 * MINUTE)
                funding += sum(
                    isinstance(event, FundingDue) and event.symbol == "LAYERUSDT" for event in events
                )
                for event in events if hour < 2 else ():
                    digest.update(
                        f"{type(event).__name__}{event.symbol}{getattr(event, 'price', '')}".encode()
                    )
                events.clear()
        return digest.hexdigest(), funding, hub

    digest, funding, hub = await play(24)
    assert funding == 6  # LAYER settled every 4 h then
    assert (await play(2))[0] == digest
    for file in paths:
        source = CandleFile(file)
        made = {candle.open_ns: candle for candle in hub.states["futures", source.symbol].candles(900)[:-1]}
        rows = [row for row in source.rows() if row.ns in made]
        assert len(rows) > 890
        for row in rows:
            candle = made[row.ns]
            assert (candle.open, candle.high, candle.low, candle.close) == row[1:5]
            assert candle.base_volume == row.volume
