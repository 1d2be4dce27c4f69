"""What a probe of faults must know of a face: paths, signatures, words and streams, from the venues' documents."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import urllib.parse
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import aiohttp

from shared import clock
from tests.trader.paper.client import FUTURES, Client

SYMBOL = "BTCUSDT"
SOON_S = 5.0


class Request(NamedTuple):
    """A signed request, ready to be written."""

    method: str
    target: str
    body: str
    headers: dict[str, str]


class Answer(NamedTuple):
    """``code`` is "" for a success; ``data`` is what it tells."""

    status: int
    code: str
    data: Any
    body: Any


class Event(NamedTuple):
    """A push about an order."""

    client_id: str
    status: str


class Ear(ABC):
    """A private stream of orders. Pushes that are about something else are passed over."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw

    async def text(self) -> str:
        return await self.raw.receive_str(timeout=SOON_S)

    async def event(self) -> Event:
        while (found := self.read(json.loads(await self.text()))) is None:
            pass
        return found

    @abstractmethod
    def read(self, message: Any) -> Event | None: ...

    @abstractmethod
    async def settled(self) -> list[Event]:
        """What came until the exchange has answered a question of now."""


class Face(ABC):
    """One face as its user sees it."""

    kind = ""
    time = ""
    handshake = ""
    place = ""
    detail = ""
    pending = ""
    positions = ""
    ticker: tuple[str, str] = ("", "")
    #: Of an order: where its status stands in detail, and which price is null by default, by name, and never.
    status_field = ""
    prices: tuple[str, str, str] = ("", "", "")
    #: What faults call the pushes about orders.
    channel = ""
    absent = ""
    late = ""
    throttled = ""
    maintenance = ""

    def __init__(self, client: Client) -> None:
        self.client = client

    @property
    def account(self) -> dict[str, Any]:
        return self.client.account

    @abstractmethod
    def request(
        self, method: str, path: str, fields: dict[str, object], *, stamp_ms: int | None = None
    ) -> Request: ...

    @abstractmethod
    def read(self, status: int, body: Any) -> Answer: ...

    @abstractmethod
    def resting(self, client_id: str) -> dict[str, object]:
        """A limit order far below the market."""

    @abstractmethod
    def market(self) -> dict[str, object]: ...

    @abstractmethod
    def named(self, client_id: str) -> dict[str, object]:
        """What names an order in a question."""

    @abstractmethod
    async def cancel(self, client_id: str) -> Answer: ...

    @abstractmethod
    async def clean(self) -> None:
        """Nothing rests and nothing is held."""

    @abstractmethod
    async def ear(self) -> Ear: ...

    def code(self, body: bytes) -> str:
        return self.read(400, json.loads(body)).code

    def quote(self, text: bytes) -> dict[str, Any]:
        """The row of the ticker."""
        row: dict[str, Any] = json.loads(text)["data"][0]
        return row

    async def send(self, request: Request) -> Answer:
        url = self.client.ready["rest"] + request.target
        options: dict[str, Any] = {"data": request.body or None, "headers": request.headers}
        async with self.client.session.request(request.method, url, **options) as response:
            return self.read(response.status, json.loads(await response.text()))

    async def ask(self, method: str, path: str, fields: dict[str, object] | None = None) -> Answer:
        return await self.send(self.request(method, path, fields or {}))

    async def rest(self, client_id: str) -> Answer:
        """Place a resting order."""
        return await self.ask("POST", self.place, self.resting(client_id))

    async def look(self, client_id: str) -> Answer:
        return await self.ask("GET", self.detail, self.named(client_id))

    async def resting_now(self) -> list[dict[str, Any]]:
        return rows((await self.ask("GET", self.pending, self.scope)).data)

    async def held(self) -> list[dict[str, Any]]:
        return rows((await self.ask("GET", self.positions, self.scope)).data)

    @property
    def scope(self) -> dict[str, object]:
        """What a list is asked for."""
        return {}

    async def server_ms(self) -> int:
        return int((await self.ask("GET", self.time)).data["serverTime"])


def rows(data: Any) -> list[dict[str, Any]]:
    """The rows of a list, whatever it is wrapped in."""
    if isinstance(data, dict):
        data = data.get("entrustedList", data.get("list"))
    return data or []


class BitgetEar(Ear):
    """Rows with their status in ``field``."""

    def __init__(self, raw: aiohttp.ClientWebSocketResponse, channel: str, field: str) -> None:
        super().__init__(raw)
        self.channel, self.field = channel, field

    def read(self, message: Any) -> Event | None:
        arg = message.get("arg", {}) if isinstance(message, dict) else {}
        if "action" not in message or self.channel not in (arg.get("channel"), arg.get("topic")):
            return None
        row = message["data"][0]
        return Event(row["clientOid"], row[self.field])

    async def settled(self) -> list[Event]:
        await self.raw.send_str("ping")
        found = []
        while (text := await self.text()) != "pong":
            found.append(self.read(json.loads(text)))
        return [event for event in found if event is not None]


class BitgetFace(Face):
    time = "/api/v2/public/time"
    late, throttled, maintenance = "40008", "429", "40725"

    def request(
        self, method: str, path: str, fields: dict[str, object], *, stamp_ms: int | None = None
    ) -> Request:
        body = json.dumps(fields) if method == "POST" else ""
        query = urllib.parse.urlencode({k: str(v) for k, v in fields.items()}) if method == "GET" else ""
        target = f"{path}?{query}" if query else path
        stamp = None if stamp_ms is None else str(stamp_ms)
        return Request(method, target, body, self.client.headers(method, target, body, stamp=stamp))

    def read(self, status: int, body: Any) -> Answer:
        code = str(body["code"])
        return Answer(status, "" if code == "00000" else code, body["data"], body)

    async def listening(self, socket: str, arg: dict[str, object], field: str) -> BitgetEar:
        """Logged in and subscribed, and what the subscription brought is behind us."""
        made = await self.client.socket(socket)
        assert int((await made.login())["code"]) == 0
        await made.send("subscribe", arg)
        ear = BitgetEar(made.raw, str(arg.get("channel", arg.get("topic"))), field)
        await ear.settled()
        return ear


class ClassicFace(BitgetFace):
    kind = "classic"
    handshake = "/v2/ws/public"
    place = "/api/v2/mix/order/place-order"
    detail = "/api/v2/mix/order/detail"
    pending = "/api/v2/mix/order/orders-pending"
    positions = "/api/v2/mix/position/all-position"
    ticker = ("/api/v2/mix/market/ticker", f"symbol={SYMBOL}&productType={FUTURES}")
    status_field, prices, channel = "state", ("lastPr", "indexPrice", "high24h"), "orders"
    absent = "40109"

    @property
    def scope(self) -> dict[str, object]:
        return {"productType": FUTURES}

    def _order(self) -> dict[str, object]:
        return {
            "symbol": SYMBOL, "productType": FUTURES, "marginMode": "isolated", "marginCoin": "USDT", "side": "buy",
            "size": "0.001",
        }  # fmt: skip

    def resting(self, client_id: str) -> dict[str, object]:
        return self._order() | {"orderType": "limit", "price": "30000", "clientOid": client_id}

    def market(self) -> dict[str, object]:
        return self._order() | {"orderType": "market"}

    def named(self, client_id: str) -> dict[str, object]:
        return {"symbol": SYMBOL, "productType": FUTURES, "clientOid": client_id}

    async def cancel(self, client_id: str) -> Answer:
        return await self.ask("POST", "/api/v2/mix/order/cancel-order", self.named(client_id))

    async def clean(self) -> None:
        for path in ("cancel-all-orders", "close-positions"):
            await self.ask("POST", f"/api/v2/mix/order/{path}", self.scope)

    async def ear(self) -> Ear:
        arg: dict[str, object] = {"instType": FUTURES, "channel": "orders", "instId": "default"}
        return await self.listening("ws_private", arg, "status")


class UnifiedFace(BitgetFace):
    kind = "unified"
    handshake = "/v3/ws/public"
    place = "/api/v3/trade/place-order"
    detail = "/api/v3/trade/order-info"
    pending = "/api/v3/trade/unfilled-orders"
    positions = "/api/v3/position/current-position"
    ticker = ("/api/v3/market/tickers", f"symbol={SYMBOL}&category={FUTURES}")
    status_field, prices, channel = "orderStatus", ("lastPrice", "indexPrice", "highPrice24h"), "order"
    absent = "25204"

    @property
    def scope(self) -> dict[str, object]:
        return {"category": FUTURES}

    def _order(self) -> dict[str, object]:
        return {"category": FUTURES, "symbol": SYMBOL, "side": "buy", "qty": "0.001"}

    def resting(self, client_id: str) -> dict[str, object]:
        return self._order() | {"orderType": "limit", "price": "30000", "clientOid": client_id}

    def market(self) -> dict[str, object]:
        return self._order() | {"orderType": "market"}

    def named(self, client_id: str) -> dict[str, object]:
        return {"clientOid": client_id}

    async def cancel(self, client_id: str) -> Answer:
        return await self.ask("POST", "/api/v3/trade/cancel-order", self.named(client_id))

    async def clean(self) -> None:
        for path in ("cancel-symbol-order", "close-positions"):
            await self.ask("POST", f"/api/v3/trade/{path}", self.scope)

    async def ear(self) -> Ear:
        return await self.listening("ws_v3_private", {"instType": "UTA", "topic": "order"}, "orderStatus")


class BinanceEar(Ear):
    def read(self, message: Any) -> Event | None:
        if not isinstance(message, dict) or message.get("e") != "ORDER_TRADE_UPDATE":
            return None
        return Event(message["o"]["c"], message["o"]["X"])

    async def settled(self) -> list[Event]:
        await self.raw.send_str(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 1}))
        found = []
        while "result" not in (message := json.loads(await self.text())):
            found.append(self.read(message))
        return [event for event in found if event is not None]


class BinanceFace(Face):
    kind = "binance"
    time = "/fapi/v1/time"
    handshake = "/market/ws"
    place = detail = "/fapi/v1/order"
    pending = "/fapi/v1/openOrders"
    positions = "/fapi/v3/positionRisk"
    ticker = ("/fapi/v1/premiumIndex", f"symbol={SYMBOL}")
    status_field, prices = "status", ("markPrice", "indexPrice", "lastFundingRate")
    channel = "ORDER_TRADE_UPDATE"
    absent, late, throttled, maintenance = "-2013", "-1021", "-1003", "-1016"

    def request(
        self, method: str, path: str, fields: dict[str, object], *, stamp_ms: int | None = None
    ) -> Request:
        if path in (self.time, self.ticker[0]):
            return Request(method, f"{path}?{urllib.parse.urlencode(fields)}", "", {})
        stamped = fields | {"timestamp": clock.now_ms() if stamp_ms is None else stamp_ms}
        query = urllib.parse.urlencode(stamped)
        sign = hmac.new(self.account["secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": self.account["key"]}
        return Request(method, f"{path}?{query}&signature={sign}", "", headers)

    def read(self, status: int, body: Any) -> Answer:
        code = str(body["code"]) if isinstance(body, dict) and int(body.get("code", 0)) < 0 else ""
        return Answer(status, code, None if code else body, body)

    def _order(self) -> dict[str, object]:
        return {"symbol": SYMBOL, "side": "BUY", "quantity": "0.001"}

    def resting(self, client_id: str) -> dict[str, object]:
        limit = {"type": "LIMIT", "price": "30000", "timeInForce": "GTC"}
        return self._order() | limit | {"newClientOrderId": client_id}

    def market(self) -> dict[str, object]:
        return self._order() | {"type": "MARKET"}

    def named(self, client_id: str) -> dict[str, object]:
        return {"symbol": SYMBOL, "origClientOrderId": client_id}

    async def cancel(self, client_id: str) -> Answer:
        return await self.ask("DELETE", "/fapi/v1/order", self.named(client_id))

    async def clean(self) -> None:
        await self.ask("DELETE", "/fapi/v1/allOpenOrders", {"symbol": SYMBOL})
        for row in await self.held():
            sent = self.market() | {"side": "SELL", "quantity": row["positionAmt"], "reduceOnly": "true"}
            await self.ask("POST", self.place, sent)

    def quote(self, text: bytes) -> dict[str, Any]:
        row: dict[str, Any] = json.loads(text)
        return row

    async def held(self) -> list[dict[str, Any]]:
        return [row for row in await super().held() if float(row["positionAmt"])]

    async def ear(self) -> Ear:
        key = (await self.ask("POST", "/fapi/v1/listenKey")).data["listenKey"]
        url = f"{self.client.ready['binance']['streams']}/private/ws?listenKey={key}"
        ear = BinanceEar(await self.client.session.ws_connect(url))
        await ear.settled()
        return ear


FACES: dict[str, type[Face]] = {face.kind: face for face in (ClassicFace, UnifiedFace, BinanceFace)}


async def account_of(client: Client, kind: str) -> dict[str, Any]:
    """A new account of a kind."""
    made: dict[str, Any] = await client.control("/accounts", {"kind": kind, "balance": "10000"})
    return made


async def settled(ear: Ear) -> list[str]:
    """Client ids of what was heard, in order."""
    return [event.client_id for event in await asyncio.wait_for(ear.settled(), SOON_S)]


class Trader(ABC):
    """Orders over a face's websocket. ``path`` is what faults call the operation."""

    path = ""

    def __init__(self, face: Face, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.face = face
        self.raw = raw

    @abstractmethod
    def frame(self, client_id: str) -> dict[str, object]:
        """Place the resting order of that name."""

    @abstractmethod
    def code(self, answer: Any) -> str:
        """ "" for a success."""

    async def place(self, client_id: str) -> None:
        await self.raw.send_str(json.dumps(self.frame(client_id)))

    async def text(self) -> str | None:
        """The next text; ``None`` when the socket has ended."""
        message = await asyncio.wait_for(self.raw.receive(), SOON_S)
        return message.data if message.type is aiohttp.WSMsgType.TEXT else None

    async def silent(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self.raw.receive(), seconds)
        except TimeoutError:
            return True
        return False


class BitgetTrader(Trader):
    def code(self, answer: Any) -> str:
        return "" if str(answer["code"]) in {"0", "00000"} else str(answer["code"])


class ClassicTrader(BitgetTrader):
    path = "/v2/ws/private/place-order"

    def frame(self, client_id: str) -> dict[str, object]:
        params = self.face.resting(client_id)
        arg = {
            "instType": FUTURES,
            "instId": SYMBOL,
            "channel": "place-order",
            "id": client_id,
            "params": params,
        }
        return {"op": "trade", "args": [arg]}


class UnifiedTrader(BitgetTrader):
    path = "/v3/ws/private/place-order"

    def frame(self, client_id: str) -> dict[str, object]:
        order = self.face.resting(client_id)
        named = {"op": "trade", "id": client_id, "topic": "place-order", "category": order.pop("category")}
        return named | {"args": [order]}


class BinanceTrader(Trader):
    path = "/ws-fapi/v1/order.place"

    def frame(self, client_id: str) -> dict[str, object]:
        account = self.face.account
        params = self.face.resting(client_id) | {"apiKey": account["key"], "timestamp": clock.now_ms()}
        text = "&".join(f"{name}={params[name]}" for name in sorted(params))
        sign = hmac.new(account["secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        return {"id": client_id, "method": "order.place", "params": params | {"signature": sign}}

    def code(self, answer: Any) -> str:
        return "" if answer["status"] == 200 else str(answer["error"]["code"])


async def trader(face: Face) -> Trader:
    """Logged in, where that is needed."""
    if isinstance(face, BinanceFace):
        return BinanceTrader(
            face, await face.client.session.ws_connect(face.client.ready["binance"]["ws_api"])
        )
    unified = isinstance(face, UnifiedFace)
    socket = await face.client.socket("ws_v3_private" if unified else "ws_private")
    assert int((await socket.login())["code"]) == 0
    return UnifiedTrader(face, socket.raw) if unified else ClassicTrader(face, socket.raw)
