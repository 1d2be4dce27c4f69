"""Shows latency on a real exchange: what was asked for against what the stamps of orders say.

    python -m tests.verify.latency [--orders 2000]

1. In lock-step the clock stands still whenever the client runs, so both ways are measured to the microsecond: from
   the send to the fill's ledger line, and from there to the answer.
2. At the speed of the wall clock with constant delays, measured from outside.
3. A limit order meets the price of its arrival, not of its sending.

Ends non-zero when a figure is off: medians by 5 %, 99th percentiles by 15 % (their sampling error at 2000 orders; more with fewer).
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import statistics
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

from shared import clock
from tests.trader.paper.client import Client
from tests.trader.paper.process import Process

MS = clock.MILLISECOND
THERE, BACK = (5.0, 20.0), (3.0, 15.0)
#: What a busy machine may add to a delay of the wall clock, ms.
SLACK_MS = 40.0
WALL_ORDERS = 20


class Check:
    def __init__(self) -> None:
        self.wrong = 0

    def near(self, what: str, found: float, expected: float, most: float) -> None:
        self.line(f"{what}: {found:.2f} ms (asked {expected:g})", abs(found - expected) <= most * expected)

    def line(self, text: str, holds: bool) -> None:
        self.wrong += not holds
        print(f"{'ok ' if holds else 'NOT'} {text}")


class Stepped:
    """One account in lock-step on a manual tape, and a driver that moves the clock."""

    def __init__(self, control: Client, client: Client) -> None:
        self.control = control
        self.client = client
        self.number = int(client.account["id"])

    async def now(self) -> int:
        return int((await self.control.control("/state"))["clock"]["now_ns"])

    async def acknowledge(self) -> int:
        return int((await self.client.control("/lockstep/ack", {"account": self.number}))["now_ns"])

    async def advance(self, ms: int) -> None:
        await self.control.control("/clock", {"advance_ms": ms})

    async def idle(self) -> None:
        """Nothing more to do: say so at every step, until the seats are taken away."""
        status = 200
        while status == 200:
            status, _ = await self.client.try_control("/lockstep/ack", {"account": self.number})

    async def stop(self) -> None:
        async with self.client.session.delete(self.client.ready["control"] + "/lockstep") as response:
            assert response.status == 200


async def new(ready: dict[str, Any], control: Client) -> Client:
    return Client(ready, await control.control("/accounts", {"balance": "1000000"}))


async def first(step: Coroutine[Any, Any, None], trading: asyncio.Task[None]) -> None:
    """Take a step of the clock; what goes wrong with the trading meanwhile is raised at once."""
    stepping = asyncio.create_task(step)
    await asyncio.wait({stepping, trading}, return_when=asyncio.FIRST_COMPLETED)
    if trading.done():
        trading.result()
    await stepping


def ways(there: tuple[float, float], back: tuple[float, float]) -> dict[str, object]:
    return {
        "request": {"median_ms": there[0], "p99_ms": there[1]},
        "answer": {"median_ms": back[0], "p99_ms": back[1]},
    }


async def distribution(ready: dict[str, Any], check: Check, orders: int) -> None:
    async with Client(ready) as control, await new(ready, control) as client:
        stepped = Stepped(control, client)
        there, back = list[float](), list[float]()
        await control.control("/latency", ways(THERE, BACK))
        await control.control("/lockstep", {"accounts": [stepped.number]})

        async def trade() -> None:
            after = (await client.control(f"/accounts/{stepped.number}/ledger"))[-1]["seq"]
            for count in range(orders):
                sent = await stepped.acknowledge()
                assert (await client.order("buy" if count % 2 == 0 else "sell", "0.001")).code == "00000"
                answered = await stepped.now()
                rows = await client.control(f"/accounts/{stepped.number}/ledger?after={after}")
                after, arrived = rows[-1]["seq"], int(rows[0]["ns"])
                there.append((arrived - sent) / MS)
                back.append((answered - arrived) / MS)
            await stepped.idle()

        trading = asyncio.create_task(trade())
        while len(back) < orders:
            await first(stepped.advance(200), trading)
        await stepped.stop()
        await trading
    for name, asked, found in (("there", THERE, there), ("back", BACK, back)):
        wider = max(1.0, 2000 / orders) ** 0.5
        check.near(f"{name}, median of {orders}", statistics.median(found), asked[0], 0.05 * wider)
        check.near(f"{name}, 99th percentile", sorted(found)[int(0.99 * len(found))], asked[1], 0.15 * wider)


async def arrival(ready: dict[str, Any], check: Check) -> None:
    """100 ms on the way; after 50 the price moves."""
    async with Client(ready) as control, await new(ready, control) as client:
        stepped = Stepped(control, client)
        await control.control("/latency", ways((100, 100), (1, 1)))
        await control.control("/lockstep", {"accounts": [stepped.number]})

        async def send(limit: str, moved: str) -> dict[str, Any]:
            await client.price("BTCUSDT", "60000")

            async def order() -> str:
                await stepped.acknowledge()
                answer = await client.order("buy", "0.01", limit)
                number = str(answer.data["orderId"])
                waiting.set_result(number)
                await stepped.idle()
                return number

            waiting: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            asked = asyncio.create_task(order())
            await stepped.advance(50)  # the order leaves at its end
            await stepped.advance(50)
            await client.price("BTCUSDT", moved)
            await stepped.advance(50)
            await stepped.advance(50)
            await waiting
            # what belongs to no seat is answered at once
            rows = (await control.control(f"/accounts/{stepped.number}"))["orders"]
            ledger = await client.control(f"/accounts/{stepped.number}/ledger")
            await stepped.stop()
            await asked
            return {
                "resting": [row["price"] for row in rows],
                "fees": [r["kind"] for r in ledger].count("open_fee"),
            }

        risen = await send("60010", "60100")
        check.line(
            f"a buy at 60010 sent at 60000, arriving at 60100: rests {risen}",
            risen == {"resting": ["60010"], "fees": 0},
        )
        await control.control("/latency", ways((0, 0), (0, 0)))
        await client.post("/api/v2/mix/order/cancel-all-orders", productType="USDT-FUTURES")
        await control.control("/latency", ways((100, 100), (1, 1)))
        await control.control("/lockstep", {"accounts": [stepped.number]})
        fallen = await send("59990", "59900")
        await control.control("/latency", ways((0, 0), (0, 0)))
        query: dict[str, object] = {"symbol": "BTCUSDT", "productType": "USDT-FUTURES"}
        fill = (await client.get("/api/v2/mix/order/fills", **query)).data["fillList"][0]
        check.line(
            f"a buy at 59990 sent at 60000, arriving at 59900: {fill['tradeScope']} at {fill['price']}",
            fill["tradeScope"] == "taker" and Decimal(fill["price"]) < 59_910 and not fallen["resting"],
        )


async def wall(ready: dict[str, Any], check: Check) -> None:
    """At speed 1 tape time is wall time: stamps of an order against this process's own clock."""
    async with Client(ready) as control, await new(ready, control) as client:
        await control.control("/latency", ways((50, 50), (30, 30)))
        there, back = list[float](), list[float]()
        for count in range(WALL_ORDERS):
            sent = clock.now_ms()
            order = (await client.order("buy" if count % 2 == 0 else "sell", "0.001")).data["orderId"]
            answered = clock.now_ms()
            row = (
                await client.get(
                    "/api/v2/mix/order/detail", symbol="BTCUSDT", productType="USDT-FUTURES", orderId=order
                )
            ).data
            there.append(int(row["cTime"]) - sent)
            back.append(answered - int(row["cTime"]))
    for name, asked, found in (("there", 50, there), ("back", 30, back)):
        least, middle = min(found), statistics.median(found)
        check.line(
            f"running clock, {name}: least {least:.0f}, median {middle:.0f} ms (asked {asked})",
            asked - 2 <= least and middle <= asked + SLACK_MS,
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--orders", type=int, default=2000)
    given, check = parser.parse_args(), Check()

    async def stepped(ready: dict[str, Any]) -> None:
        await distribution(ready, check, given.orders)
        await arrival(ready, check)

    for arguments, act in ((("--speed", "0"), stepped), ((), lambda ready: wall(ready, check))):
        process = Process(*arguments)
        try:
            asyncio.run(act(process.ready))
        finally:
            process.end(signal.SIGTERM)
    print("holds" if not check.wrong else f"DOES NOT HOLD: {check.wrong} figures are off")
    return 1 if check.wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
