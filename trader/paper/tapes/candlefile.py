"""Reading candle files: feather (Arrow) and csv, row after row in bounded memory.

Feather files have columns ``date, open, high, low, close, volume`` (freqtrade's naming and layout, as
in ``BTC_USDT_USDT-1m-futures.feather``). A csv has a header with those names (``open_time``,
``timestamp`` and ``time`` are known for ``date``; ISO 8601 or a number in s, ms, us or ns), or no header
and Binance's column order. Prices become decimals through their shortest text, so 95505.4 is exact.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc

from shared import clock
from shared.errors import TapeError
from trader.paper.contract import FUTURES, SPOT, Market, places

MAX_DAMAGED = 1000
MAX_PLACES = 10
_SCANNED = 2000
_COLUMNS = ("open", "high", "low", "close", "volume")
_DATES = ("date", "open_time", "timestamp", "time", "datetime")
_FREQTRADE = re.compile(r"([0-9A-Z]+)_([0-9A-Z]+)(_[0-9A-Z]+)?-")
_PLAIN = re.compile(r"([0-9A-Z]{4,40})(?=[-_.]|$)")


class Row(NamedTuple):
    """One candle: opening time in UTC nanoseconds, prices, volume in base coin."""

    ns: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class CandleFile:
    """One symbol's candles. Making it reads the file once: what is wrong is said now, not later.

    ``period_ns`` is the most frequent distance of rows; ``tick`` and ``step`` follow from the digits seen.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.symbol, self.market = _name(path)
        self.damaged = 0
        self.first_damage = ""
        self._examine()

    def rows(self) -> Iterator[Row]:
        """Sound rows in order of time; a damaged one is counted and stepped over.

        ``TapeError`` naming file and line when the file cannot be read or too much of it is damaged.
        """
        self.damaged = 0
        last = 0
        for line, raw in self._raw_rows():
            try:
                row = _row(raw, last)
            except (ValueError, ArithmeticError) as error:
                self._damage(line, str(error) if isinstance(error, ValueError) else "holds what is no number")
                continue
            last = row.ns
            yield row

    def _examine(self) -> None:
        price_places = size_places = count = 0
        gaps: Counter[int] = Counter()
        self.first_ns = self.last_ns = 0
        for row in self.rows():
            for price in row[1:5]:
                price_places = _more_places(price, price_places)
            size_places = _more_places(row.volume, size_places)
            if count == 0:
                self.first = row
                self.first_ns = row.ns
            elif count < _SCANNED:
                gaps[row.ns - self.last_ns] += 1
            self.last_ns = row.ns
            count += 1
        if count < 2:
            raise TapeError(
                f"tape {self.path}: {count} usable candles in it, two at least are needed {self.first_damage}"
            )
        self.count = count
        self.period_ns = gaps.most_common(1)[0][0]
        self.tick = Decimal(1).scaleb(-min(price_places, MAX_PLACES))
        self.step = Decimal(1).scaleb(-min(size_places, MAX_PLACES))
        if self.period_ns % (60 * clock.SECOND):
            raise TapeError(
                f"tape {self.path}: candles of whole minutes are needed, these are {self.period_ns} ns apart"
            )

    def _raw_rows(self) -> Iterator[tuple[int, tuple[object, ...]]]:
        yield from (_csv_rows if self.path.suffix.lower() == ".csv" else feather_rows)(self.path)

    def _damage(self, line: int, why: str) -> None:
        self.damaged += 1
        if self.damaged == 1:
            self.first_damage = f"(row {line} {why})"
        if self.damaged > MAX_DAMAGED:
            raise TapeError(
                f"tape {self.path}: {self.damaged} damaged rows, first {self.first_damage}: not usable"
            )


def feather_rows(path: Path) -> Iterator[tuple[int, tuple[object, ...]]]:
    """``(row number from 1, (date, open, high, low, close, volume))``, batch by batch."""
    number = 0
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_file(source) as reader:
            names = reader.schema.names
            missing = [name for name in ("date", *_COLUMNS) if name not in names]
            if missing:
                raise TapeError(f"tape {path}: no column {', '.join(missing)}; it has {', '.join(names)}")
            for index in range(reader.num_record_batches):
                batch = reader.get_batch(index)
                columns = [
                    _dates(batch.column("date")),
                    *(batch.column(name).to_pylist() for name in _COLUMNS),
                ]
                for row in zip(*columns, strict=True):
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TapeError(f"tape {path}: cannot be read as feather from row {number + 1} on: {why}") from None


def _dates(column: pa.Array) -> list[int | None]:
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", tz=column.type.tz))
    dates: list[int | None] = column.cast(pa.int64()).to_pylist()
    return dates


def _csv_rows(path: Path) -> Iterator[tuple[int, tuple[object, ...]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            order: list[int] | None = None
            for fields in reader:
                if order is None:
                    order = _order(fields, path)
                    if not _is_number(fields[order[0]]):
                        continue  # that was the header
                if fields:
                    yield (
                        reader.line_num,
                        tuple(fields[index] if index < len(fields) else None for index in order),
                    )
    except (csv.Error, UnicodeDecodeError, OSError) as error:
        raise TapeError(f"tape {path}: cannot be read as csv: {error}") from None


def _order(fields: list[str], path: Path) -> list[int]:
    """Where date, open, high, low, close and volume stand in a row."""
    if len(fields) >= 6 and _is_number(fields[0]):
        return [0, 1, 2, 3, 4, 5]
    names = [field.strip().lower() for field in fields]
    date = next((name for name in _DATES if name in names), None)
    missing = [name for name in _COLUMNS if name not in names]
    if date is None or missing:
        raise TapeError(
            f"tape {path}: line 1: a header with date, open, high, low, close, volume is needed; "
            f"missing: {', '.join(missing if date else ['date', *missing])}"
        )
    return [names.index(date), *(names.index(name) for name in _COLUMNS)]


def _row(raw: tuple[object, ...], after_ns: int) -> Row:
    ns = _time(raw[0])
    if ns <= after_ns:
        raise ValueError("is not later than the row before")
    first, high, low, last, volume = (_number(value) for value in raw[1:6])
    if not 0 < low <= min(first, last) or high < max(first, last) or volume < 0:
        raise ValueError("has a high, low or volume that cannot be")
    return Row(ns, first, high, low, last, volume)


def _more_places(number: Decimal, known: int) -> int:
    """Decimals that ``number`` needs, or ``known`` when that is more. Most rows need no closer look."""
    exponent = number.as_tuple().exponent
    return max(known, places(number)) if isinstance(exponent, int) and -exponent > known else known


def _number(value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise ValueError(f"holds {value!r} where a number is needed")
    return number


def _time(value: object) -> int:
    """Nanoseconds from nanoseconds, or from csv text: ISO 8601, or a number whose size tells its unit."""
    if isinstance(value, int):
        return value
    text = str(value).strip()
    if not _is_number(text):
        moment = datetime.fromisoformat(text)
        return clock.from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    number = Decimal(text)
    for limit, factor in ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3)):
        if number < limit:
            return int(number * factor)
    return int(number)


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"\s*\d+(\.\d+)?\s*", text))


def _name(path: Path) -> tuple[str, Market]:
    """Symbol and market from a file's name."""
    stem = path.stem
    if "funding_rate" in stem or stem.endswith("-mark"):
        raise TapeError(
            f"tape {path}: funding and mark files are read beside their candles: name the candle file"
        )
    if found := _FREQTRADE.match(stem):
        spot = found[3] is None and "futures" not in stem
        return found[1] + found[2], SPOT if spot else FUTURES
    if found := _PLAIN.match(stem):
        return found[1], SPOT if "spot" in stem.lower() else FUTURES
    raise TapeError(
        f"tape {path}: the name does not say which symbol: call it like BTC_USDT_USDT-1m-futures{path.suffix}"
    )
