from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from tests.trader.paper.client import Answer, Client
from tests.trader.paper.conftest import Exchanges
from trader.paper.server import PaperServer

CATEGORY = "USDT-FUTURES"


class Unified(Client):
    """A unified account, in v3's words."""

    async def v3(self, path: str, **query: object) -> Answer:
        return await self.get(f"/api/v3/{path}", **query)

    async def call(self, path: str, **body: object) -> Answer:
        return await self.post(f"/api/v3/{path}", **body)

    async def batch(self, path: str, *items: dict[str, object]) -> Answer:
        text, path = json.dumps(items), f"/api/v3/{path}"
        return await self.send("POST", path, text, self.headers("POST", path, text))

    async def place(self, side: str, qty: str, price: str | None = None, /, **more: object) -> Answer:
        """A BTCUSDT contract order, isolated."""
        body: dict[str, object] = {
            "category": CATEGORY,
            "symbol": "BTCUSDT",
            "side": side,
            "qty": qty,
            "orderType": "market" if price is None else "limit",
            "marginMode": "isolated",
        }
        if price is not None:
            body["price"] = price
        return await self.call("trade/place-order", **(body | more))

    async def info(self, **which: object) -> dict[str, Any]:
        found: dict[str, Any] = (await self.v3("trade/order-info", **which)).data
        return found

    async def held(self) -> list[dict[str, Any]]:
        found = (await self.v3("position/current-position", category=CATEGORY)).data["list"]
        return found or []

    async def strategies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            await self.v3("trade/unfilled-strategy-orders", category=CATEGORY)
        ).data
        return found

    async def past(self, path: str, **query: object) -> list[dict[str, Any]]:
        return (await self.v3(path, **({"category": CATEGORY} | query))).data["list"] or []

    async def usdt(self) -> dict[str, str]:
        rows = (await self.v3("account/assets")).data["assets"]
        found: dict[str, str] = next(row for row in rows if row["coin"] == "USDT")
        return found

    async def adds_up(self) -> None:
        """The ledger's balances follow from its amounts, and end at what the account shows."""
        coins: dict[str, Decimal] = {}
        for line in await self.ledger():
            coins[line["coin"]] = coins.get(line["coin"], Decimal(0)) + Decimal(line["amount"])
            assert coins[line["coin"]] == Decimal(line["balance"]), line
        for row in (await self.v3("account/assets")).data["assets"]:
            assert coins.get(row["coin"], 0) == Decimal(row["balance"]), row


async def unified(exchanges: Exchanges, server: PaperServer, **more: object) -> Unified:
    first = await exchanges.client(server)
    made = await first.control("/accounts", {"kind": "unified", "balance": 10_000} | more)
    client = Unified(server.ready, made)
    exchanges.clients.append(await client.__aenter__())
    return client


@pytest.fixture
async def client(exchanges: Exchanges, server: PaperServer) -> Unified:
    """10000 USDT; BTCUSDT at 60000 and ETHUSDT at 3000 stand still on both markets."""
    return await unified(exchanges, server)


@pytest.fixture
async def hedged(client: Unified) -> Unified:
    assert (await client.call("account/set-hold-mode", holdMode="hedge_mode")).data == "success"
    return client
