"""A venue that answers what the test tells it to, over real HTTP, and rows of the documented shape.

The paper exchange never lies, lags or forgets; real venues do. This one says exactly what a test needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from shared import clock
from shared.domain.account import Account, AccountKind, AccountState, Mode
from shared.domain.instrument import Instrument, Market, Venue
from shared.domain.order import OrderType, Side, Step
from shared.rules.preferences import ListingPreferences
from shared.vault import Credentials
from trader.directory import Member
from trader.lane import Lane
from trader.net.http import Origin
from trader.orders import records

D = Decimal
DETAIL = "/api/v2/mix/order/detail"
PENDING = "/api/v2/mix/order/orders-pending"
HISTORY = "/api/v2/mix/order/orders-history"
FILLS = "/api/v2/mix/order/fills"
POSITION = "/api/v2/mix/position/single-position"
POSITIONS = "/api/v2/mix/position/all-position"
ENDED = "/api/v2/mix/position/history-position"
PLANS = "/api/v2/mix/order/orders-plan-pending"
ACCOUNTS = "/api/v2/mix/account/accounts"
TIME = "/api/v2/public/time"

ACCOUNT = Account(
    id=2,
    user_id=1,
    user_name="anna",
    venue=Venue.BITGET,
    kind=AccountKind.CLASSIC,
    mode=Mode.PAPER,
    label="main",
    state=AccountState.ARMED,
)
INSTRUMENT = Instrument(
    id="bitget:perp:NEW-USDT",
    venue=Venue.BITGET,
    market=Market.PERP,
    symbol="NEWUSDT",
    base="NEW",
    quote="USDT",
    tick=D("0.001"),
    step=D("0.1"),
    min_size=D("0.1"),
    min_notional=D(5),
)


class No(msgspec.Struct, frozen=True):
    """A refusal."""

    code: str
    status: int = 400


NOT_FOUND = No("40109")


class ScriptedVenue:
    """``says`` by path: data, a :class:`No`, or a function of the query that gives either."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {
            TIME: {"serverTime": "1"},
            DETAIL: NOT_FOUND,
            PENDING: {"entrustedList": None, "endId": None},
            HISTORY: {"entrustedList": None, "endId": None},
            FILLS: {"fillList": [], "endId": None},
            POSITION: [],
            POSITIONS: [],
            ENDED: {"list": [], "endId": None},
            PLANS: {"entrustedList": None, "endId": None},
            ACCOUNTS: [{"marginCoin": "USDT", "available": "90", "accountEquity": "100"}],
        }
        self.asked: list[str] = []
        self.news = asyncio.Condition()
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        said = self.says.get(request.path, No("40404", 404))
        if callable(said):
            said = said(dict(request.query))
        async with self.news:
            self.asked.append(request.path)
            self.news.notify_all()
        if isinstance(said, No):
            body = {"code": said.code, "msg": "no", "requestTime": 1, "data": None}
            return web.Response(body=msgspec.json.encode(body), status=said.status)
        body = {"code": "00000", "msg": "success", "requestTime": 1, "data": said}
        return web.Response(body=msgspec.json.encode(body))

    async def asked_again(self, path: str, times: int = 1) -> None:
        """Wait for so many more questions of a kind."""
        wanted = self.asked.count(path) + times
        async with asyncio.timeout(20), self.news:
            await self.news.wait_for(lambda: self.asked.count(path) >= wanted)

    def lane(self) -> Lane:
        preferences = ListingPreferences(
            enabled=True,
            amount=D(100),
            leverage=10,
            take_profit=D(100),
            market_additions=True,
            without_krw=True,
        )
        member = Member(
            account=ACCOUNT, credentials=Credentials("key", "secret", "passphrase"), listing=preferences
        )
        return Lane(member, Origin.parse(self.url), ssl_context=None, timeout_s=5.0)


class Hands:
    """The monotonic clock's hands, moved by the test alone."""

    def __init__(self) -> None:
        self.now_ns = clock.monotonic_ns()

    def __call__(self) -> int:
        return self.now_ns

    def forward(self, seconds: float) -> None:
        self.now_ns += int(seconds * clock.SECOND)


async def until(check: Callable[[], Any], what: str) -> None:
    """Let other tasks work until something is so."""
    try:
        async with asyncio.timeout(20):
            while not check():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"not in time: {what}") from None


def ms(ns: int) -> str:
    return str(ns // clock.MILLISECOND)


def intent(client_id: str = "c1", **changes: Any) -> records.Intent:
    """A market entry of ten coins."""
    now = clock.now_ns()
    plain = records.Intent(
        client_id=client_id,
        user_id=1,
        account_id=2,
        mode=Mode.PAPER,
        strategy_id="listing",
        instrument=INSTRUMENT,
        cause="listing:upbit:1:NEW",
        leg=0,
        step=Step.ENTRY,
        attempt=0,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        size=D(10),
        price=None,
        reference_price=D("2.5"),
        margin=D("2.5"),
        leverage=10,
        take_profit=None,
        take_profit_percent=D(0),
        attached=False,
        stop=None,
        reduce_only=False,
        seen_ns=now,
        decoded_ns=now,
        decided_ns=now,
        created_ns=now,
    )
    return msgspec.structs.replace(plain, **changes)


def order_row(order_id: str, client_id: str, filled: str = "10", **changes: str) -> dict[str, str]:
    """A buy of ten coins in one-way mode; detail says ``state``, lists say ``status``."""
    row = {
        "symbol": "NEWUSDT",
        "size": "10",
        "orderId": order_id,
        "clientOid": client_id,
        "baseVolume": filled,
        "price": "",
        "priceAvg": "2.5" if D(filled) else "",
        "state": "filled",
        "status": "filled",
        "side": "buy",
        "posSide": "net",
        "tradeSide": "buy_single",
        "posMode": "one_way_mode",
        "orderType": "market",
        "reduceOnly": "NO",
        "cTime": ms(clock.now_ns()),
        "uTime": ms(clock.now_ns()),
    }
    return row | changes


def fill_row(number: int, order_id: str, size: str, side: str = "buy") -> dict[str, Any]:
    return {
        "tradeId": str(number),
        "symbol": "NEWUSDT",
        "orderId": order_id,
        "price": "2.5",
        "baseVolume": size,
        "feeDetail": [{"deduction": "no", "feeCoin": "USDT", "totalDeductionFee": "0", "totalFee": "-0.01"}],
        "side": side,
        "profit": "0",
        "tradeSide": f"{side}_single",
        "posMode": "one_way_mode",
        "tradeScope": "taker",
        "cTime": ms(clock.now_ns()),
    }


def position_row(size: str = "10", *, opened_ns: int, symbol: str = "NEWUSDT", side: str = "long") -> Any:
    return {
        "marginCoin": "USDT",
        "symbol": symbol,
        "holdSide": side,
        "total": size,
        "available": size,
        "openPriceAvg": "2.5",
        "markPrice": "2.6",
        "marginSize": "2.5",
        "marginMode": "isolated",
        "posMode": "one_way_mode",
        "leverage": "10",
        "unrealizedPL": "1",
        "achievedProfits": "0",
        "liquidationPrice": "2.3",
        "cTime": ms(opened_ns),
        "uTime": ms(opened_ns),
    }


def ended_row(*, opened_ns: int, closed_ns: int, symbol: str = "NEWUSDT", net: str = "7.5") -> dict[str, str]:
    return {
        "positionId": "1",
        "symbol": symbol,
        "holdSide": "long",
        "closeAvgPrice": "3.25",
        "netProfit": net,
        "ctime": ms(opened_ns),
        "utime": ms(closed_ns),
    }
