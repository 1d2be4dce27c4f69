"""A scripted story of many clients in lock-step on a started exchange, and what is left of it.

What a client does follows from the story's number and from the answers it gets; when it does it, within a step of
the clock, is noise of the real machine (``noise``), which must not show in the ledger.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import Any, NamedTuple

from tests.trader.paper.client import FUTURES, Answer, Client

START = "2026-01-01T00:00:00Z"
LATENCY = "5~20/3~15"
STEP_MS = 200
SIZES = {"BTCUSDT": Decimal("0.01"), "ETHUSDT": Decimal("0.2"), "SOLUSDT": Decimal(4)}
TICKS = {"BTCUSDT": Decimal("0.1"), "ETHUSDT": Decimal("0.01"), "SOLUSDT": Decimal("0.001")}
ARGUMENTS = ("--speed", "0", "--start", START, "--latency", LATENCY)


class Played(NamedTuple):
    """``sha256`` of the ledger with its ``entries``; how often each call was answered with which code."""

    sha256: str
    entries: int
    answers: Counter[tuple[str, str]]
    steps: int


class Actor:
    """One client. Its choices come from ``choice`` alone, its pauses from ``noise`` alone."""

    def __init__(self, client: Client, choice: random.Random, noise: random.Random, most_s: float) -> None:
        self.client = client
        self.choice = choice
        self.noise = noise
        self.most_s = most_s
        self.answers: Counter[tuple[str, str]] = Counter()
        self.placed: list[tuple[str, str]] = []

    async def act(self) -> None:
        symbol = self.choice.choice(list(SIZES))
        what = self.choice.choices(
            (self.market, self.limit, self.cancel, self.protect, self.leverage, self.close),
            (4, 5, 2, 2, 1, 1),
        )[0]
        await asyncio.sleep(self.noise.random() * self.most_s)
        await what(symbol)

    async def post(self, path: str, symbol: str, **body: object) -> Answer:
        full = {"symbol": symbol, "productType": FUTURES, "marginCoin": "USDT"} | body
        answer = await self.client.post(f"/api/v2/mix/{path}", **full)
        self.answers[path, answer.code] += 1
        return answer

    async def last(self, symbol: str) -> Decimal:
        query: dict[str, object] = {"symbol": symbol, "productType": FUTURES}
        rows = (await self.client.get("/api/v2/mix/market/ticker", **query)).data
        return Decimal(rows[0]["lastPr"])

    async def order(self, symbol: str, **body: object) -> None:
        size = SIZES[symbol] * self.choice.randint(1, 5)
        side = self.choice.choice(("buy", "sell"))
        full = {"marginMode": "crossed", "side": side, "size": str(size)} | body
        answer = await self.post("order/place-order", symbol, **full)
        if answer.code == "00000":
            self.placed.append((symbol, answer.data["orderId"]))

    async def market(self, symbol: str) -> None:
        await self.order(symbol, orderType="market")

    async def limit(self, symbol: str) -> None:
        last = await self.last(symbol)
        away = Decimal(self.choice.randint(-4, 4)) / 10_000
        price = (last * (1 + away) / TICKS[symbol]).to_integral_value() * TICKS[symbol]
        force = self.choice.choice(("gtc", "gtc", "gtc", "ioc", "fok", "post_only"))
        await self.order(symbol, orderType="limit", force=force, price=str(price))

    async def cancel(self, symbol: str) -> None:
        if not self.placed:
            return await self.market(symbol)
        symbol, number = self.placed.pop(self.choice.randrange(len(self.placed)))
        await self.post("order/cancel-order", symbol, orderId=number)
        return None

    async def protect(self, symbol: str) -> None:
        last, side = await self.last(symbol), self.choice.choice(("buy", "sell"))
        plan = self.choice.choice(("pos_profit", "pos_loss"))
        up = (side == "buy") == (plan == "pos_profit")
        price = (last * (Decimal("1.0005") if up else Decimal("0.9995")) / TICKS[symbol]).to_integral_value()
        await self.post(
            "order/place-tpsl-order",
            symbol,
            planType=plan,
            triggerPrice=str(price * TICKS[symbol]),
            triggerType="fill_price",
            holdSide=side,
        )

    async def leverage(self, symbol: str) -> None:
        await self.post("account/set-leverage", symbol, leverage=str(self.choice.choice((5, 10, 20))))

    async def close(self, symbol: str) -> None:
        await self.post("order/close-positions", symbol)


async def play(
    ready: dict[str, Any],
    *,
    noise: int,
    clients: int = 10,
    rounds: int = 30,
    most_s: float = 0.01,
    story: int = 1,
) -> Played:
    """Everybody acts once or twice in each of ``rounds`` steps of the clock; the ledger of it."""
    async with Client(ready) as control:
        accounts = [
            await control.control("/accounts", {"balance": "20000", "label": f"actor-{number}"})
            for number in range(clients)
        ]
        numbers = [int(account["id"]) for account in accounts]
        await control.control("/lockstep", {"accounts": numbers})
        ended: set[int] = set()

        async def live(account: dict[str, Any]) -> Counter[tuple[str, str]]:
            number = int(account["id"])
            seeds = random.Random(f"{story}/{number}"), random.Random(f"{noise}/{number}")
            async with Client(ready, account) as client:
                actor = Actor(client, *seeds, most_s)
                for _ in range(rounds):
                    await client.control("/lockstep/ack", {"account": number})
                    for _ in range(actor.choice.randint(1, 2)):
                        await actor.act()
                ended.add(number)
                while (await control.control("/lockstep"))["accounts"]:
                    # who has nothing more to do still says so; refused once the seats are gone
                    await client.try_control("/lockstep/ack", {"account": number})
                return actor.answers

        tasks = [
            asyncio.create_task(live(account)) for account in random.Random(noise).sample(accounts, clients)
        ]
        while len(ended) < clients:
            await control.control("/clock", {"advance_ms": STEP_MS})
        steps = (await control.control("/lockstep"))["steps"]
        hashed = await control.control("/ledger/hash")
        async with control.session.delete(ready["control"] + "/lockstep") as response:
            assert response.status == 200
        answers: Counter[tuple[str, str]] = Counter()
        for counted in await asyncio.gather(*tasks):
            answers += counted
        return Played(hashed["sha256"], hashed["entries"], answers, steps)
