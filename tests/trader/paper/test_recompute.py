"""The short forms of ``tests.verify.taker_price`` and ``tests.verify.equity_curve``, on data made up here."""

from __future__ import annotations

import gzip
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.feather

from tests.verify.equity_curve import Month, Source
from tests.verify.taker_price import play

FIRST_NS = 1_723_161_255_000_000_000
FIRST = datetime(2025, 5, 4, 13, 30, tzinfo=UTC)
Columns = dict[str, list[float]]


def recording(path: Path, length_s: int) -> None:
    """Depth differences and best prices that run ahead of them, fifty frames a second, no gap."""
    rng = random.Random(7)
    middle, number, ns = 600_000, 1000, FIRST_NS  # the middle in tenths

    def text(tenths: int) -> str:
        return f"{tenths // 10}.{tenths % 10}0"

    with gzip.open(path, "wt") as file:

        def add(stream: str, data: dict[str, object]) -> None:
            frame = {"stream": f"btcusdt@{stream}", "data": {**data, "s": "BTCUSDT"}}
            file.write(f"{ns} {json.dumps(frame)}\n")

        for count in range(length_s * 50):
            ns += rng.randrange(10_000_000, 30_000_000)
            levels: dict[str, list[list[str]]] = {"b": [], "a": []}
            for side, way in (("b", -1), ("a", 1)):
                deep = range(400) if count == 0 else rng.sample(range(120), 12)
                levels[side] = [
                    [text(middle + way * (1 + step)), f"{rng.choice((0.5, 0.002, 1.25, 3)):.3f}"]
                    for step in deep
                    if count == 0 or rng.random() < 0.8
                ]
            begins, before = number + 1, number
            number += rng.randrange(1, 9)
            ids = {"e": "depthUpdate", "U": begins, "u": number, "pu": before}
            add("depth@0ms", {**ids, **levels})
            tops = {"b": text(middle - 1), "B": "0.700", "a": text(middle + 1), "A": "0.350"}
            add("bookTicker", {"e": "bookTicker", "u": number + rng.randrange(-1, 3), **tops})


def test_taker_prices_are_those_of_the_raw_frames(tmp_path: Path) -> None:
    path = tmp_path / "usdm_btcusdt.gz"
    recording(path, 20)
    one = play(path, 19_000, random.Random(3), large="60", sizes=("0.01", "0.4", "2.5"), count=25)
    assert one.placed == 26
    assert one.failed == 0


def write(path: Path, dates: list[datetime], columns: Columns) -> None:
    nothing = [0.0] * len(dates)
    stamps = pa.array(dates, pa.timestamp("ns", tz="UTC"))
    names = ("open", "high", "low", "close", "volume")
    table = pa.table({"date": stamps, **{name: columns.get(name, nothing) for name in names}})
    pyarrow.feather.write_feather(table, str(path), chunksize=1000)


def candles(folder: Path, coin: str, price: float, hours: int, settled: list[int]) -> None:
    """A random walk with funding ``settled`` at these hours after 00:00, marks at every eighth hour only."""
    rng = random.Random(coin)
    columns: Columns = {name: [] for name in ("open", "high", "low", "close", "volume")}
    dates = [FIRST + timedelta(minutes=minute) for minute in range(60 * hours)]
    for _ in dates:
        close = round(price * (1 + rng.gauss(0, 0.0012)), 2)
        high, low = max(price, close) + 0.03, min(price, close) - 0.03
        row = (price, round(high, 2), round(low, 2), close, round(rng.uniform(200, 3000), 1))
        for name, value in zip(columns, row, strict=True):
            columns[name].append(value)
        price = close
    write(folder / f"{coin}_USDT_USDT-1m-futures.feather", dates, columns)
    day = FIRST.replace(hour=0, minute=0)
    due = [day + timedelta(hours=hour) for hour in settled]
    rates = [round(rng.uniform(-0.0004, 0.0006), 8) for _ in due]
    write(folder / f"{coin}_USDT_USDT-8h-funding_rate.feather", due, {"open": rates})
    eighth = [date for date in due if date.hour % 8 == 0]
    marks = [round(columns["open"][0] * rng.uniform(0.98, 1.02), 8) for _ in eighth]
    write(folder / f"{coin}_USDT_USDT-8h-mark.feather", eighth, {"open": marks})


def test_equity_is_that_of_a_second_computation(tmp_path: Path) -> None:
    """A day and a half: one symbol with 8 h funding, one that goes from 4 h to 1 h."""
    candles(tmp_path, "OAK", 61.5, 38, [0, 8, 16, 24, 32, 40])
    candles(tmp_path, "ELM", 9.25, 38, [8, 12, 16, 20, 24, *range(25, 45)])
    month = Month([Source.read(tmp_path, coin) for coin in ("OAK", "ELM")], 36, seed=4)
    month.run()
    assert month.wrong == []
    assert month.intervals() == "OAKUSDT 8 h, ELMUSDT 4 h then 1 h"
    for what, least in {
        "equities": 108,
        "fills": 60,
        "maker fills": 5,
        "partial closes": 10,
        "flips": 1,
        "short entries": 3,
        "settled at a mark of the file": 5,
        "settled at a mark shown": 20,
    }.items():
        assert month.report.get(what, 0) >= least, month.report
