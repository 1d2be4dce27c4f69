"""How fast recorded frames become a market, against reading the same file with json and gzip alone.

Usage: ``.venv/bin/python benchmarks/tape_playback.py [FILE.gz]``
"""

from __future__ import annotations

import asyncio
import gzip
import json
import sys
from pathlib import Path

from shared import clock
from trader.paper.market import MarketEvent, MarketHub
from trader.paper.tapeclock import TapeClock
from trader.paper.tapes.recorded import RecordedTape

DEFAULT = (
    Path(__file__).resolve().parents[2]
    / "shared"
    / "data"
    / "market"
    / "raw_books"
    / "usdm_btcusdt_20240808.gz"
)


def read_plainly(path: Path) -> int:
    count = 0
    with gzip.open(path, "rt") as file:
        for line in file:
            json.loads(line.partition(" ")[2])
            count += 1
    return count


async def play(path: Path) -> tuple[int, int, RecordedTape]:
    """``(events, nanoseconds, tape)`` of one pass, as fast as it goes."""
    tape_clock = TapeClock(0.0, start_ns=clock.now_ns())
    hub = MarketHub(tape_clock)
    tape = RecordedTape(hub, tape_clock, path)
    tape.prepare()
    seen = 0

    def count(_: MarketEvent) -> None:
        nonlocal seen
        seen += 1

    hub.subscribe(count)
    running = asyncio.create_task(tape.run())
    await tape.settled()
    length_ms = tape.measure_ns() // clock.MILLISECOND + 1
    begun = clock.monotonic_ns()
    tape_clock.advance(length_ms)
    await tape.settled()
    took = clock.monotonic_ns() - begun
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return seen, took, tape


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT
    begun = clock.monotonic_ns()
    lines = read_plainly(path)
    plain_s = (clock.monotonic_ns() - begun) / clock.SECOND
    events, took, tape = asyncio.run(play(path))
    play_s = took / clock.SECOND
    length_s = tape.measure_ns() / clock.SECOND
    print(f"{path.name}: {lines} lines, {length_s:.0f} s of market")
    print(f"json + gzip alone  {plain_s:6.2f} s  {lines / plain_s:10,.0f} lines/s")
    print(
        f"played             {play_s:6.2f} s  {tape.frames / play_s:10,.0f} frames/s, {events} events, gaps {tape.gaps}"
    )
    print(f"ratio              {plain_s / play_s:6.2f}    {length_s / play_s:10,.0f} times real time")


if __name__ == "__main__":
    main()
