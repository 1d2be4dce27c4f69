"""Plays the recorded BTC tape at a multiple of its pace in a real exchange and says whether it keeps its time.

    python -m tests.verify.tape_speed [--speed 20] [--most-lag 250]

Ten accounts, two of them with resting orders, and three websocket clients that read books, books15,
ticker, trade and candles. Wall time counts, nothing else: on a busy machine this may fail. Ends
non-zero when a frame was lost, or fed later than the allowed milliseconds after its moment.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
from pathlib import Path

import aiohttp
import psutil

from shared import clock
from tests.verify.exchange import Exchange, load, recorded, started

SYMBOL = "BTCUSDT"
CHANNELS = ("books", "books15", "ticker", "trade", "candle1m")
READERS = 3


def measure(path: Path) -> tuple[int, float]:
    """(frames in the file, seconds from the first to the last)."""
    with gzip.open(path, "rt") as file:
        stamps = [int(line.partition(" ")[0]) for line in file if line.strip()]
    return len(stamps), (max(stamps) - min(stamps)) / clock.SECOND


async def read(url: str, heard: list[int], at: int) -> None:
    args = [{"instType": "USDT-FUTURES", "channel": channel, "instId": SYMBOL} for channel in CHANNELS]
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0) as socket:
        await socket.send_str(json.dumps({"op": "subscribe", "args": args}))
        async for _ in socket:
            heard[at] += 1


async def play(
    exchange: Exchange, speed: float, length_s: float, most_lag_ms: float
) -> tuple[dict[str, float], list[int]]:
    """What the exchange says of its tape when one pass must be over, and what each reader heard."""
    heard = [0] * READERS
    readers = [
        asyncio.create_task(read(exchange.ready["ws_public"], heard, number)) for number in range(READERS)
    ]
    await asyncio.sleep(0.5)
    process = psutil.Process(exchange.process.pid)
    busy = sum(process.cpu_times()[:2])
    begun = clock.monotonic_ns()
    await asyncio.to_thread(exchange.control, "/clock", {"speed": speed})
    allowed_s = length_s / speed + most_lag_ms / 1000
    while (left := allowed_s - (clock.monotonic_ns() - begun) / clock.SECOND) > 0:
        await asyncio.sleep(min(1.0, left))
    at = await asyncio.to_thread(exchange.control, "/state")
    took = (clock.monotonic_ns() - begun) / clock.SECOND
    busy = sum(process.cpu_times()[:2]) - busy
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    return {**at["playback"], "took_s": took, "processor_s": busy, "dropped": at["dropped"]}, heard


def rest_something(exchange: Exchange) -> None:
    """Two accounts with orders far from the market: the engine must look at every event."""
    state = exchange.control("/state")["symbols"][0]
    last = float(state["last"])
    for account in exchange.accounts[:2]:
        exchange.market(account, SYMBOL, "buy", "0.010", f"{last * 0.97:.1f}")
        exchange.market(account, SYMBOL, "sell", "0.010", f"{last * 1.03:.1f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--speed", type=float, default=20.0)
    parser.add_argument("--most-lag", type=float, default=250.0, help="milliseconds of wall time")
    given = parser.parse_args()
    path = recorded("raw_books", "usdm_btcusdt_20240808.gz")
    frames, length_s = measure(path)
    with started("--tape", str(path), "--speed", "0", "--accounts", "10") as exchange:
        rest_something(exchange)
        told, heard = asyncio.run(play(exchange, given.speed, length_s, given.most_lag))
    told["lost"] = max(0, frames - told["frames"])
    print(f"{path.name}: {frames} frames, {length_s:.1f} s of market, at {given.speed:g}x; {load()}")
    print(f"time allowed      {length_s / given.speed:8.2f} s, asked after {told['took_s']:.2f} s")
    print(f"processor time    {told['processor_s']:8.2f} s of the exchange")
    print(f"frames fed        {told['frames']:8.0f}, lost {told['lost']:.0f}, gaps {told['gaps']:.0f}")
    print(f"lag               {told['lag_ms']:8.3f} ms at the end, worst {told['worst_lag_ms']:.3f} ms")
    print(f"readers heard     {heard} messages, {told['dropped']:.0f} dropped for slow readers")
    late = told["worst_lag_ms"] > given.most_lag
    if told["lost"] or told["gaps"] or told["damaged"] or late:
        print(f"fails: {'late' if late else 'frames are missing'} ({load()})")
        return 1
    print("holds")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
