"""The whole event stream of a recorded sample, digit for digit: making playback faster must not change it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import random
from decimal import Decimal
from pathlib import Path

from shared import clock
from trader.paper.market import MarketEvent, MarketHub, Traded
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.recorded import RecordedTape

START = 1_800_000_000 * clock.SECOND
FIRST = 1_723_161_255_000_000_000
FRAMES = 4000

#: Computed with the first, plain version of book and reader.
FINGERPRINT = "2957794b41551338a8cee7d59aa139a4763d6291a6bcaabbaf2f0d974013840d"


def sample() -> list[str]:
    """A walk with every frame kind: depth, best prices ahead of it, trades, marks, a snapshot, a gap,
    zero sizes, prices that get finer on the way, sizes with trailing zeros, levels the best prices hide."""
    rng = random.Random(20240808)
    lines: list[str] = []
    ns, number, middle = FIRST, 1000, 600_000  # in tenths

    def price(tenths: int) -> str:
        fine = "5" if len(lines) > 2500 and rng.random() < 0.05 else ""
        return f"{tenths // 10}.{tenths % 10}0{fine}"

    def size() -> str:
        return "0.000" if rng.random() < 0.3 else f"{rng.random() * 4:.3f}"

    def add(stream: str, data: dict[str, object]) -> None:
        nonlocal ns
        ns += int(rng.random() * 3e7)
        lines.append(f"{ns} " + json.dumps({"stream": f"btcusdt@{stream}", "data": {**data, "s": "BTCUSDT"}}))

    while len(lines) < FRAMES:
        middle += rng.randrange(-4, 5)
        draw = rng.random()
        if len(lines) == 700:
            levels = [[[price(middle + way * (1 + step)), "3.500"] for step in range(300)] for way in (-1, 1)]
            lines.append(
                f"{ns} "
                + json.dumps(
                    {"lastUpdateId": number, "bids": levels[0], "asks": levels[1], "symbol": "BTCUSDT"}
                )
            )
        elif draw < 0.25:
            before, first = number, number + (1 if len(lines) != 1900 else 50)
            number = first + rng.randrange(1, 9)
            pu = before if first == before + 1 else first - 1
            bids = [[price(middle - 1 - rng.randrange(60)), size()] for _ in range(rng.randrange(0, 30))]
            asks = [[price(middle + 1 + rng.randrange(60)), size()] for _ in range(rng.randrange(0, 30))]
            add("depth@0ms", {"e": "depthUpdate", "U": first, "u": number, "pu": pu, "b": bids, "a": asks})
        elif draw < 0.75:
            ahead = number + rng.randrange(-2, 12)
            tops = {
                "b": price(middle - 1),
                "B": f"{1 + rng.random():.3f}",
                "a": price(middle + 1),
                "A": "2.500",
            }
            add("bookTicker", {"e": "bookTicker", "u": ahead, **tops})
        elif draw < 0.95:
            kind = "MARKET" if rng.random() < 0.97 else "INSURANCE_FUND"
            data = {
                "t": 10**9 + len(lines),
                "p": price(middle),
                "q": f"{0.001 + rng.random():.3f}",
                "X": kind,
            }
            add("trade", {"e": "trade", **data, "m": rng.random() < 0.5})
        else:
            marks = {"p": f"{middle / 10 + 1:.8f}", "i": f"{middle / 10:.8f}", "r": "0.00010000", "T": 0}
            if len(lines) > 3000:
                add("markPrice", {"e": "markPriceUpdate", **marks})
    return lines


class Stream:
    """A hash over all that a listener can see at every event."""

    def __init__(self) -> None:
        self.events = 0
        self._hash = hashlib.sha256()

    def hear(self, event: MarketEvent) -> None:
        self.events += 1
        state, minutes = event.state, event.state.minutes
        seen: list[object] = [type(event).__name__, state.seq, state.ts_ns, state.last, state.mark]
        seen += [state.index, state.book.best_bid, state.book.best_ask, state.book.mid, state.funding_rate]
        seen += [minutes.base_volume, minutes.quote_volume, state.high_24h, state.low_24h]
        if isinstance(event, Traded):
            seen += [event.price, event.size, event.side, event.trade_id, event.ts_ns]
        if self.events % 50 == 0:
            book = state.book
            seen += [book.depth(200), book.checksum(), book.crossed]
            seen += [book.walk("buy", Decimal(20)), book.walk("sell", Decimal("0.7"), state.last - 1)]
            seen += [book.size_at("buy", book.bids(5)[-1][0]) if book.bids(1) else None]
        self._hash.update(repr(seen).encode())

    @property
    def fingerprint(self) -> str:
        return self._hash.hexdigest()


async def fingerprint(path: Path) -> tuple[str, int, int]:
    """``(hash, frames, gaps)`` of one pass, played in leaps on a clock that stands still."""
    tape_clock = TapeClock(0.0, start_ns=START)
    hub = MarketHub(tape_clock)
    tape = RecordedTape(hub, tape_clock, path)
    tape.prepare()
    stream = Stream()
    hub.subscribe(stream.hear)
    running = asyncio.create_task(tape.run())
    try:
        await tape.settled()
        tape_clock.advance(tape.measure_ns() // clock.MILLISECOND + 1)
        await tape.settled()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return stream.fingerprint, tape.frames, tape.gaps


async def test_every_digit_of_the_event_stream_stays(tmp_path: Path) -> None:
    path = tmp_path / "sample.gz"
    with gzip.open(path, "wt") as file:
        file.write("\n".join(sample()) + "\n")
    assert await fingerprint(path) == (FINGERPRINT, FRAMES, 1)
