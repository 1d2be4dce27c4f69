"""Candles of every granularity, put together from the hub's one-minute candles."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.clock import MILLISECOND
from trader.paper.engine.money import text
from trader.paper.minutes import MINUTE, Candle

#: Granularity -> minutes. The ``utc`` forms differ only where days begin; here all begin at 00:00 UTC.
MINUTES = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "4H": 240, "6H": 360, "12H": 720,
    "1D": 1440, "3D": 4320, "1W": 10080, "1M": 43200,
    "6Hutc": 360, "12Hutc": 720, "1Dutc": 1440, "3Dutc": 4320, "1Wutc": 10080, "1Mutc": 43200,
}  # fmt: skip


def merged(candles: list[Candle], minutes: int) -> list[Candle]:
    """Oldest first, like the input."""
    if minutes == 1:
        return candles
    width = minutes * MINUTE
    out: list[Candle] = []
    for candle in candles:
        start = candle.open_ns // width * width
        if out and out[-1].open_ns == start:
            last = out[-1]
            last.high, last.low = max(last.high, candle.high), min(last.low, candle.low)
            last.close = candle.close
            last.base_volume += candle.base_volume
            last.quote_volume += candle.quote_volume
            last.trades += candle.trades
            last.taker_base += candle.taker_base
            last.taker_quote += candle.taker_quote
        else:
            out.append(msgspec.structs.replace(candle, open_ns=start))
    return out


def row(candle: Candle) -> list[str]:
    """[openMs, o, h, l, c, baseVolume, quoteVolume]."""
    numbers: tuple[Decimal, ...] = (
        candle.open, candle.high, candle.low, candle.close, candle.base_volume, candle.quote_volume
    )  # fmt: skip
    return [str(candle.open_ns // MILLISECOND), *(text(number) for number in numbers)]
