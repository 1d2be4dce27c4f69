"""One Binance account between a venue that says what the test wants and the parts that work for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from shared import clock
from shared.domain.account import AccountKind, Mode
from shared.domain.instrument import Venue
from shared.domain.order import OrderState, Step
from shared.rules.listing import EntryPlan
from shared.rules.preferences import ListingPreferences
from shared.settings import Settings
from shared.vault import Credentials
from tests.trader.scripted import ACCOUNT, INSTRUMENT, D, intent, until
from tests.trader.venues.binance_samples import REST, held, trade
from trader import hosts
from trader.directory import Member
from trader.lane import Lane
from trader.market import MarketData, MarketHost
from trader.net.http import Origin
from trader.orders import records
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.protector import Protector
from trader.orders.tracker import Tracked, Tracker
from trader.preparation import Preparation
from trader.sniper import Sniper
from trader.venues.binance import requests
from trader.venues.binance.market import BinanceMarket
from trader.venues.model import PositionMode, Price

PREFIX = "Ab3z"
S = "NEWUSDT"
ALGO = "/fapi/v1/algoOrder"
NEW = msgspec.structs.replace(INSTRUMENT, id="binance:perp:NEW-USDT", venue=Venue.BINANCE, max_leverage=125)


class Scripted:
    """``says`` by method and path: data, a whole answer, or a function of the query that gives one of them."""

    def __init__(self) -> None:
        self.says: dict[str, Any] = {
            "GET /fapi/v1/time": {"serverTime": 1},
            "GET /fapi/v3/positionRisk": [],
            "GET /fapi/v1/symbolConfig": [{"symbol": S, "marginType": "ISOLATED", "leverage": 10}],
            "GET /fapi/v1/openAlgoOrders": [],
            "GET /fapi/v1/userTrades": [],
            "GET /fapi/v3/account": REST["GET /fapi/v3/account"],
            "GET /fapi/v1/accountConfig": {"dualSidePosition": False},
        }
        self.asked: list[tuple[str, dict[str, str]]] = []
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
        name, query = f"{request.method} {request.path}", dict(request.query)
        said = self.says.get(name, web.Response(status=404))
        if callable(said):
            said = said(query)
        self.asked.append((name, query))
        return said if isinstance(said, web.Response) else web.Response(body=msgspec.json.encode(said))

    def times(self, name: str) -> int:
        return sum(asked == name for asked, _ in self.asked)


def refused(code: int, status: int = 400, **headers: str) -> web.Response:
    body = msgspec.json.encode({"code": code, "msg": "no"})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=body, status=status, headers=named)


def order_row(order_id: int, status: str, filled: str) -> dict[str, Any]:
    row: dict[str, Any] = REST["GET /fapi/v1/order"]
    more = {"symbol": S, "orderId": order_id, "origQty": "10", "type": "MARKET", "positionSide": "BOTH"}
    return row | more | {"status": status, "executedQty": filled, "avgPrice": "5", "side": "SELL"}


class Bench:
    """Everything around one account, without tasks but the lane's."""

    def __init__(self, venue: Scripted, folder: Path) -> None:
        self.venue = venue
        account = msgspec.structs.replace(ACCOUNT, venue=Venue.BINANCE, kind=AccountKind.USDM)
        listing = ListingPreferences(
            enabled=True,
            amount=D(100),
            leverage=50,
            take_profit=D(100),
            market_additions=True,
            without_krw=True,
        )
        member = Member(account=account, credentials=Credentials("key", "secret"), listing=listing)
        self.lane = Lane(member, Origin.parse(venue.url), ssl_context=None, timeout_s=5.0)
        self.lane.position_mode = PositionMode.ONE_WAY
        self.changed: list[list[str]] = []
        self.market = MarketData(
            BinanceMarket(),
            MarketHost(venue.url, "ws://127.0.0.1:9"),
            refresh_s=60,
            on_instruments=lambda found: self.changed.append([each.symbol for each in found]),
        )
        self.market.instruments = {S: NEW}
        self.tracker = Tracker()
        self.journal = Journal(folder, segment_bytes=1 << 20, on_entry=lambda _: None)
        self.tracker.attach(self.journal)
        self.gateway = Gateway(
            self.tracker, live_enabled=False, timeout_s=5, patience_s=1, on_settle=lambda *_: None
        )
        self.protector = Protector(self.lane, self.tracker, self.gateway, self.market, PREFIX)
        self.tracker.on_change = lambda _: self.protector.wake()

    def filled_entry(self) -> Tracked:
        entry = self.tracker.intend(
            intent(
                self.protector._id(intent(), Step.ENTRY, 0),
                instrument=NEW,
                take_profit=D("2.75"),
                take_profit_percent=D(100),
            )
        )
        now = clock.now_ns()
        self.tracker.update(
            records.Update(
                client_id=entry.intent.client_id,
                state=OrderState.FILLED,
                venue_order_id="1",
                filled_size=D(10),
                average_price=D("2.5"),
                filled_ns=now,
                ns=now,
            )
        )
        return entry

    def hold(self, amount: str) -> None:
        now = clock.now_ms()
        row = held(amount, now, symbol=S, entryPrice="2.5", markPrice="2.5")
        self.venue.says["GET /fapi/v3/positionRisk"] = [row] if D(amount) else []
        self.venue.says["GET /fapi/v1/userTrades"] = [
            trade(1, "BUY", amount if D(amount) else "10", now, symbol=S, orderId=1)
        ]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    venue = Scripted()
    await venue.start()
    made = Bench(venue, tmp_path / "journal")
    made.lane.start()
    await made.lane.slow.wait_ready(5)
    await made.lane.hot.wait_ready(5)
    yield made
    await made.gateway.stop()
    await made.lane.stop()
    made.journal.close()
    await venue.stop()


class Algos:
    """The venue's second order namespace: what is placed rests until the test ends it."""

    def __init__(self, venue: Scripted) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        venue.says[f"POST {ALGO}"] = self.place
        venue.says[f"GET {ALGO}"] = self.find
        venue.says["GET /fapi/v1/openAlgoOrders"] = lambda _: [
            row for row in self.rows.values() if row["algoStatus"] == "NEW"
        ]

    def place(self, query: dict[str, str]) -> Any:
        row = REST["GET /fapi/v1/algoOrder"] | {
            "algoId": 100 + len(self.rows),
            "clientAlgoId": query["clientAlgoId"],
            "orderType": query["type"],
            "symbol": S,
            "side": query["side"],
            "quantity": "0",
            "algoStatus": "NEW",
            "actualOrderId": "",
            "triggerPrice": query["triggerPrice"],
            "closePosition": query["closePosition"] == "true",
        }
        self.rows[query["clientAlgoId"]] = row
        return row

    def find(self, query: dict[str, str]) -> Any:
        return self.rows.get(query["clientAlgoId"]) or refused(-2013)


async def protecting(bench: Bench, work: Callable[[], Any]) -> None:
    task = asyncio.create_task(bench.protector.run())
    try:
        await work()
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_the_take_profit_is_placed_on_the_fill_as_an_algo_order(bench: Bench) -> None:
    algos = Algos(bench.venue)
    bench.hold("10")
    entry = bench.filled_entry()

    async def work() -> None:
        await until(lambda: entry.protected, "the entry is protected")

    await protecting(bench, work)
    (row,) = algos.rows.values()
    assert (row["orderType"], row["triggerPrice"], row["closePosition"]) == (
        "TAKE_PROFIT_MARKET",
        "2.75",
        True,
    )
    assert bench.venue.times(f"POST {ALGO}") == 1


async def test_a_take_profit_that_found_no_counterparty_is_placed_again(bench: Bench) -> None:
    algos = Algos(bench.venue)
    bench.hold("10")
    entry = bench.filled_entry()

    async def work() -> None:
        await until(lambda: entry.protected, "the entry is protected")
        (first,) = algos.rows.values()
        own = bench.tracker.get(first["clientAlgoId"])
        assert own is not None
        await until(lambda: own.state is OrderState.LIVE, "it rests")
        bench.venue.says["GET /fapi/v1/order"] = order_row(7, "EXPIRED", "4")
        bench.venue.says["GET /fapi/v1/userTrades"] = [
            trade(1, "BUY", "10", clock.now_ms(), symbol=S, orderId=1),
            trade(2, "SELL", "4", clock.now_ms(), symbol=S, orderId=7),
        ]
        bench.venue.says["GET /fapi/v3/positionRisk"] = [
            held("6", clock.now_ms(), symbol=S, entryPrice="2.5")
        ]
        first |= {"algoStatus": "FINISHED", "actualOrderId": "7"}
        bench.protector.wake()
        await until(lambda: len(algos.rows) == 2, "another one is placed")
        assert (own.state, own.filled_size, own.fills_size) == (OrderState.REJECTED, D(4), D(4))
        await until(lambda: entry.protected, "the rest is protected")

    await protecting(bench, work)


async def test_a_lost_answer_to_protection_is_looked_up_and_never_doubled(bench: Bench) -> None:
    algos = Algos(bench.venue)
    place = algos.place

    def lose(query: dict[str, str]) -> Any:
        place(query)
        return refused(-1007, 503)

    bench.venue.says[f"POST {ALGO}"] = lose
    bench.hold("10")
    entry = bench.filled_entry()

    async def work() -> None:
        await until(lambda: entry.protected, "what rests is recognised")

    await protecting(bench, work)
    assert bench.venue.times(f"POST {ALGO}") == 1


async def test_questions_rest_when_the_venue_says_so_and_orders_do_not(bench: Bench) -> None:
    bench.venue.says["GET /fapi/v1/accountConfig"] = refused(-1003, 429, Retry_After="1")
    await bench.lane.ask(requests.account_config())
    began = asyncio.get_running_loop().time()
    await bench.lane.ask(requests.account())
    assert asyncio.get_running_loop().time() - began > 0.9
    assert bench.lane.road() is not None


async def test_leverage_is_limited_by_what_the_account_is_told(bench: Bench) -> None:
    venue = bench.venue
    venue.says["GET /fapi/v1/leverageBracket"] = [{"symbol": S, "brackets": [{"initialLeverage": 20}]}]
    venue.says["POST /fapi/v1/marginType"] = refused(-4046)
    venue.says["POST /fapi/v1/leverage"] = lambda query: {"symbol": S, "leverage": int(query["leverage"])}
    preparation = Preparation(bench.lane, bench.market, frozenset)
    await preparation.prepare(NEW)
    assert bench.lane.prepared == {S: 20}
    assert preparation.ready_for(NEW)
    assert bench.market.instruments[S].max_leverage == 20
    assert bench.changed == [[S]]
    await preparation._pass()
    assert venue.times("GET /fapi/v1/leverageBracket") == 1


async def test_multi_assets_mode_stops_entries_with_a_word(bench: Bench) -> None:
    bench.venue.says["GET /fapi/v1/leverageBracket"] = []
    bench.venue.says["POST /fapi/v1/marginType"] = refused(-4168)
    preparation = Preparation(bench.lane, bench.market, frozenset)
    with pytest.raises(Exception, match="-4168"):
        await preparation.prepare(NEW)
    assert "-4168" in bench.lane.blocked


async def test_no_take_profit_rides_on_an_entry(bench: Bench) -> None:
    sniper = Sniper(
        None,  # type: ignore[arg-type]
        bench.gateway,
        bench.journal,
        prefix=PREFIX,
        attach_from=D(0),
        patience_s=1,
    )
    price = Price(symbol=S, last=D("2.5"), bid=None, ask=D("2.5"), mark=None, ns=1)
    plan = sniper._plan(bench.lane, NEW, price)
    assert isinstance(plan, EntryPlan)
    assert (plan.attach, plan.take_profit) == (False, D("2.55"))


def test_paper_accounts_of_both_venues_trade_on_one_address() -> None:
    settings = Settings(_env_file=None)
    assert hosts.of(settings, live=False).keys() == {(Mode.PAPER, Venue.BITGET), (Mode.PAPER, Venue.BINANCE)}
    found = hosts.of(settings, live=True)
    paper, live = found[Mode.PAPER, Venue.BINANCE], found[Mode.LIVE, Venue.BINANCE]
    assert (paper.rest_url, paper.ws_private_url) == ("http://127.0.0.1:9500", "ws://127.0.0.1:9500")
    assert (live.rest_url, live.ws_public_url) == ("https://fapi.binance.com", "wss://fstream.binance.com")
    assert found[Mode.LIVE, Venue.BITGET].rest_url == "https://api.bitget.com"
