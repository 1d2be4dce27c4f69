"""A real paper exchange for the commands that show its figures beside figures worked out by hand."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

from tests.trader.paper.client import FUTURES, Client
from tests.trader.paper.process import Process

SYMBOL = {"symbol": "BTCUSDT", "productType": FUTURES, "marginCoin": "USDT"}


class Show:
    """One account on a started exchange; ``same`` prints a figure and what it has to be."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.wrong = 0

    def same(self, what: str, found: object, expected: object) -> None:
        """Numbers are compared as numbers, the rest as it is."""
        holds = _plain(found) == _plain(expected)
        self.wrong += not holds
        print(f"{'ok ' if holds else 'NOT'} {what}: {found} (by hand {expected})")

    async def get(self, path: str, **query: object) -> Any:
        return (await self.client.get(f"/api/v2/mix/{path}", **(SYMBOL | query))).data

    async def post(self, path: str, **body: object) -> Any:
        return (await self.client.post(f"/api/v2/mix/{path}", **(SYMBOL | body))).data

    async def refused(self, path: str, **body: object) -> str:
        return (await self.client.post(f"/api/v2/mix/{path}", **(SYMBOL | body))).code

    async def order(self, side: str, size: str, **more: object) -> Any:
        return (await self.client.order(side, size, **more)).data

    async def price(self, price: str, mark: str | None = None, symbol: str = "BTCUSDT") -> None:
        await self.client.control("/price", {"symbol": symbol, "price": price, "mark": mark or price})

    async def position(self, symbol: str = "BTCUSDT") -> dict[str, Any]:
        rows: list[dict[str, Any]] = await self.get("position/single-position", symbol=symbol)
        return rows[0] if rows else {}

    async def bills(self) -> list[dict[str, Any]]:
        """Oldest first."""
        rows: list[dict[str, Any]] = (await self.get("account/bill", limit=100))["bills"]
        return rows[::-1]

    async def wallet(self) -> Decimal:
        """The sum of the ledger."""
        return sum((Decimal(row["amount"]) for row in await self.client.ledger()), Decimal(0))

    async def advance(self, ms: int) -> None:
        await self.client.control("/clock", {"advance_ms": ms})


def _plain(value: object) -> object:
    try:
        return Decimal(str(value)).normalize()
    except ArithmeticError:
        return value


def run(act: Callable[[Show], Awaitable[None]], balance: str = "1000") -> int:
    """Start an exchange, act, say whether all figures hold; the exit code."""

    async def acted(ready: dict[str, Any]) -> int:
        async with Client(ready) as control:
            account = await control.control("/accounts", {"balance": balance})
            async with Client(ready, account) as client:
                show = Show(client)
                await act(show)
                return show.wrong

    process = Process()
    try:
        wrong = asyncio.run(acted(process.ready))
    finally:
        process.end(signal.SIGTERM)
    print("holds" if not wrong else f"DOES NOT HOLD: {wrong} figures differ")
    return 1 if wrong else 0
