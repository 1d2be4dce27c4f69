"""A plain REST client of the Binance face, written from the documents: it shares no code with the server."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

from shared import clock
from trader.paper.book import Book
from trader.paper.engine.accounts import Account
from trader.paper.server import PaperServer

BTC = "BTCUSDT"


class Market:
    """BTC with a deep book of one-tick levels (1000 coins each) that only the test moves."""

    def __init__(self, server: PaperServer) -> None:
        self.server = server
        self.hub, self.clock = server.hub, server.clock
        self.state = server.hub.states["futures", BTC]
        self.book = Book(self.state.spec.tick)
        self.hub.attach_book(self.state, self.book)
        self.move(60_000)

    def move(self, price: int | str, mark: int | str | None = None) -> None:
        """Last and best ask at ``price``, best bid a tick below, mark there too unless it is named."""
        ask, tick = Decimal(price), self.state.spec.tick
        self.book.snapshot(
            [(str(ask - tick * at), "1000") for at in range(1, 21)],
            [(str(ask + tick * at), "1000") for at in range(20)],
        )
        self.state.last = ask
        held = ask if mark is None else Decimal(mark)
        self.hub.feed_marks(self.state, held, held, self.clock.now_ns())

    def thin(self, asks: list[tuple[str, str]]) -> None:
        """Other asks (price, size); bids, last and mark stay."""
        self.book.snapshot([("59999.9", "1000")], asks)
        self.hub.feed_book(self.state, self.clock.now_ns())

    async def wait(self, ms: int) -> None:
        """Let so much tape time pass."""
        self.clock.advance(ms)
        await self.server.tape.settled()


class Rest:
    """Signs with an account's key; ``status`` and ``headers`` are those of the last answer."""

    def __init__(self, server: PaperServer, session: aiohttp.ClientSession, account: Account) -> None:
        ready = server.ready["binance"]
        assert isinstance(ready, dict)
        self.server = server
        self.base = str(ready["rest"])
        self.session = session
        self.key, self.secret = account.record.key, account.record.secret
        self.account = account
        self.status = 0
        self.headers: CIMultiDictProxy[str]

    async def raw(
        self, method: str, path: str, query: str = "", body: str = "", key: str | None = None
    ) -> Any:
        """A request as it is written."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if key != "":
            headers["X-MBX-APIKEY"] = key or self.key
        url = self.base + path + (f"?{query}" if query else "")
        async with self.session.request(
            method, URL(url, encoded=True), data=body.encode() or None, headers=headers
        ) as answer:
            self.status, self.headers = answer.status, answer.headers
            return json.loads(await answer.read(), parse_float=Decimal)

    def sign(self, text: str) -> str:
        return hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    async def call(self, method: str, path: str, **params: object) -> Any:
        """Signed, everything in the query."""
        query = urlencode(params | {"timestamp": clock.now_ms()})
        return await self.raw(method, path, f"{query}&signature={self.sign(query)}")

    async def get(self, path: str, **params: object) -> Any:
        return await self.call("GET", path, **params)

    async def post(self, path: str, **params: object) -> Any:
        return await self.call("POST", path, **params)

    async def put(self, path: str, **params: object) -> Any:
        return await self.call("PUT", path, **params)

    async def delete(self, path: str, **params: object) -> Any:
        return await self.call("DELETE", path, **params)

    async def order(self, side: str, quantity: object, price: object = None, **more: object) -> Any:
        """At market with the final answer, or a limit order."""
        params: dict[str, object] = {"symbol": BTC, "side": side, "quantity": quantity}
        if price is None:
            params |= {"type": "MARKET", "newOrderRespType": "RESULT"}
        else:
            params |= {"type": "LIMIT", "timeInForce": "GTC", "price": price}
        return await self.post("/fapi/v1/order", **params | more)

    def ledger(self) -> list[tuple[str, str]]:
        return [
            (entry.kind.value, format(entry.amount.normalize(), "f"))
            for entry in self.server.engine.entries(self.account)
        ]
