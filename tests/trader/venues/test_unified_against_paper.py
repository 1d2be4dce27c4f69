"""The unified dialect and the transports against the paper exchange, which reads the venue's pages on its own.

What our side believes at the end is held against the exchange's ledger.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shared import clock
from shared.domain.account import AccountKind
from shared.domain.instrument import Instrument
from shared.domain.order import OrderState, OrderType, PositionSide, Side
from shared.errors import VenueRefusedError
from trader.net.feed import Heard
from trader.net.http import Origin, Response, WarmConnection, build_get, build_post
from trader.net.stream import Stream
from trader.venues import bitget
from trader.venues.bitget import kinds
from trader.venues.bitget.unified import UNIFIED, requests
from trader.venues.dialect import Told
from trader.venues.model import Call, MarginMode, PlanEnd, PositionMode, Protection, Trigger
from trader.venues.outcome import Kind, Outcome

D = Decimal
SYMBOL = "NEWUSDT"


class Keys(NamedTuple):
    key: str
    secret: str
    passphrase: str


class Venue:
    """A unified account on a running paper exchange, and a warm connection to it."""

    def __init__(self, url: str) -> None:
        self.origin = Origin.parse(url)
        self.warm = WarmConnection(self.origin)
        self.account: dict[str, Any] = {}
        self.instrument: Instrument

    async def control(self, path: str, **body: object) -> Any:
        name, prefix = self.origin.authority, "/control/"
        if body:
            headers = {"Content-Type": "application/json"}
            request = build_post(name, prefix + path, headers, json.dumps(body).encode())
        else:
            request = build_get(name, prefix + path)
        return json.loads((await self.warm.request(request, 5.0)).body)

    async def key(self, kind: str) -> dict[str, Any]:
        made: dict[str, Any] = await self.control("accounts", kind=kind, balance="10000")
        return made

    def use(self, account: dict[str, Any]) -> None:
        self.account = account
        keys = Keys(account["key"], account["secret"], account["passphrase"])
        self.signer = UNIFIED.signer(keys, self.origin.authority)

    async def ask(self, call: Call) -> Response:
        await self.warm.wait_ready(5.0)
        return await self.warm.request(self.signer.request(call, clock.now_ms()), 5.0)

    async def done(self, call: Call) -> None:
        answer = await self.ask(call)
        UNIFIED.check(answer.body, answer.status)

    async def ledger(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = await self.control(f"accounts/{self.account['id']}/ledger")
        return rows

    async def price(self, price: str) -> None:
        await self.control("price", symbol=SYMBOL, price=price)


@pytest.fixture(scope="module")
def exchange() -> Iterator[str]:
    """The address of a paper exchange."""
    with subprocess.Popen(
        [sys.executable, "-m", "trader.paper", "--port", "0", "--tape", "manual"],
        cwd=Path(__file__).resolve().parents[3],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address: str = json.loads(process.stdout.readline())["rest"]
        yield address
        process.terminate()


@pytest.fixture
async def venue(exchange: str) -> AsyncIterator[Venue]:
    """A new account; the coin is at 2.5."""
    found = Venue(exchange)
    found.warm.start()
    await found.warm.wait_ready(5.0)
    symbol = {"symbol": SYMBOL, "market": "futures", "price": "2.5", "open_time_ms": clock.now_ms()}
    await found.control("symbols", **symbol)
    await found.price("2.5")
    found.use(await found.key("unified"))
    answer = await found.ask(bitget.contracts())
    contracts = bitget.parse_contracts(answer.body, answer.status)
    found.instrument = next(each for each in contracts.instruments if each.symbol == SYMBOL)
    yield found
    await found.warm.stop()


class Listener:
    """Collects what the private stream tells."""

    def __init__(self, venue: Venue) -> None:
        self.told: list[Told] = []
        self.news = asyncio.Event()
        self.active = asyncio.Event()
        events = UNIFIED.private_stream(venue.signer, venue.ask)
        self.stream = Stream(
            f"ws://{venue.origin.authority}/v3/ws/private",
            on_message=self._heard,
            login=events.login,
            subscriptions=events.subscriptions,
            ping=events.ping,
            on_active=self.active.set,
        )

    def _heard(self, payload: memoryview, _: int) -> Heard | str | None:
        told = UNIFIED.parse_private(payload)
        self.told.append(told)
        self.news.set()
        return told.heard

    async def until_traded(self, size: Decimal) -> None:
        """Wait until fills of so much were pushed."""
        async with asyncio.timeout(5):
            while sum((fill.size for told in self.told for fill in told.fills), start=D(0)) < size:
                self.news.clear()
                await self.news.wait()


@pytest.mark.parametrize("mode", PositionMode)
async def test_a_position_from_its_entry_to_its_take_profit(venue: Venue, mode: PositionMode) -> None:
    began_ms = clock.now_ms() - 60_000
    listener = Listener(venue)
    listener.stream.start()
    await listener.active.wait()
    await venue.done(requests.set_hold_mode(mode))
    for call in UNIFIED.settings(SYMBOL, 7, margin_mode=MarginMode.ISOLATED, position_mode=mode):
        await venue.done(call)
    account = await UNIFIED.account(venue.ask, SYMBOL)
    assert (account.position_mode, account.equity, account.available) == (mode, D(10000), D(10000))
    assert account.margin_mode is not MarginMode.ISOLATED or account.long_leverage == 7

    async def order(client_id: str, side: Side, size: str, **more: Any) -> None:
        call = UNIFIED.place_order(
            venue.instrument,
            side=side,
            size=D(size),
            client_id=client_id,
            position_mode=mode,
            margin_mode=MarginMode.ISOLATED,
            **more,
        )
        answer = await venue.ask(call)
        ack = UNIFIED.parse_ack(answer.body, answer.status, client_id)
        report, _ = await UNIFIED.order(venue.ask, SYMBOL, client_id=client_id)
        assert (report.order_id, report.side, report.reduce_only) == (
            ack.order_id,
            side,
            bool(more.get("reduce_only")),
        )

    # the entry with its take profit, a part closed, an order that rests
    await order("abcdE", Side.BUY, "100", take_profit=D("3"))
    await order("abcdC", Side.SELL, "40", reduce_only=True)
    await order("abcdL", Side.BUY, "10", order_type=OrderType.LIMIT, price=D("2.4"))
    (position,) = await UNIFIED.positions(venue.ask, SYMBOL)
    assert (position.side, position.size, position.leverage) == (PositionSide.LONG, D(60), 7)
    assert (position.position_mode, position.margin_mode) == (mode, MarginMode.ISOLATED)
    (resting,), complete = await UNIFIED.resting_orders(venue.ask, SYMBOL)
    assert complete
    assert (resting.client_id, resting.state, resting.price) == ("abcdL", OrderState.LIVE, D("2.4"))
    await venue.done(UNIFIED.cancel_order(SYMBOL, client_id="abcdL"))
    orders, complete = await UNIFIED.recent_orders(venue.ask, SYMBOL, began_ms)
    assert complete
    assert {each.client_id: each.state for each in orders} == {
        "abcdE": OrderState.FILLED,
        "abcdC": OrderState.FILLED,
        "abcdL": OrderState.CANCELED,
    }

    # what rode on the entry makes room for one of ours
    (attached,) = await UNIFIED.resting_protection(venue.ask, SYMBOL)
    assert (attached.protects, attached.trigger_price) == (Protection.TAKE_PROFIT, D(3))
    assert attached.whole or attached.size == position.size
    await venue.done(UNIFIED.cancel_protection(attached))

    def protect(client_id: str, kind: Protection, price: str) -> Call:
        return UNIFIED.place_protection(
            venue.instrument,
            kind=kind,
            position=PositionSide.LONG,
            position_mode=mode,
            trigger_price=D(price),
            client_id=client_id,
            trigger=Trigger.LAST,
        )

    for client_id, kind, price in (
        ("abcdS", Protection.STOP, "2"),
        ("abcdT", Protection.TAKE_PROFIT, "2.9"),
    ):
        answer = await venue.ask(protect(client_id, kind, price))
        assert UNIFIED.parse_ack(answer.body, answer.status, client_id).order_id
    rested = {plan.client_id: plan.protects for plan in await UNIFIED.resting_protection(venue.ask, SYMBOL)}
    assert rested == {"abcdS": Protection.STOP, "abcdT": Protection.TAKE_PROFIT}
    assert await UNIFIED.ended_protection(venue.ask, SYMBOL, "abcdT") is None

    # the take profit fills, the stop dies with the position
    await venue.price("2.95")
    await listener.until_traded(D(200))
    end = await UNIFIED.ended_protection(venue.ask, SYMBOL, "abcdT")
    assert end is not None
    assert end.end is PlanEnd.EXECUTED
    became, _ = await UNIFIED.order(venue.ask, SYMBOL, order_id=end.executed_as)
    assert (became.side, became.state, became.filled_size) == (Side.SELL, OrderState.FILLED, D(60))
    closing = await UNIFIED.order_fills(venue.ask, SYMBOL, end.executed_as, wanted=D(60))
    assert sum(fill.size for fill in closing) == 60
    assert await UNIFIED.resting_protection(venue.ask) == []
    assert await UNIFIED.positions(venue.ask) == []
    stop = await UNIFIED.ended_protection(venue.ask, SYMBOL, "abcdS")
    assert stop is not None
    assert stop.end is PlanEnd.CANCELED

    # the books agree
    fills, complete = await UNIFIED.recent_fills(venue.ask, SYMBOL, began_ms)
    assert complete
    pushed = {fill.fill_id: fill for told in listener.told for fill in told.fills}
    assert pushed.keys() == {fill.fill_id for fill in fills}
    assert all(pushed[fill.fill_id].fee == fill.fee > 0 for fill in fills)
    assert any(told.heard == "strategy-order" for told in listener.told)
    (ended,) = await UNIFIED.ended_positions(venue.ask, SYMBOL, began_ms)
    money = await UNIFIED.money(venue.ask)
    ledger = await venue.ledger()
    assert sum(D(row["amount"]) for row in ledger) == money.equity
    assert abs(ended.net - (money.equity - 10000)) < D("1e-8")
    assert listener.stream.counters.malformed == 0
    await listener.stream.stop()


async def test_refusals_and_kinds(venue: Venue) -> None:
    async def refused(call: Call) -> VenueRefusedError:
        answer = await venue.ask(call)
        with pytest.raises(VenueRefusedError) as caught:
            UNIFIED.check(answer.body, answer.status)
        return caught.value

    missing = await refused(requests.order_info(client_id="nothing"))
    assert UNIFIED.classify(missing.code, missing.status) is Outcome.NOT_FOUND
    alone = await refused(
        requests.place_protection(
            venue.instrument,
            kind=Protection.STOP,
            position=PositionSide.LONG,
            trigger_price=D(2),
            client_id="a",
        )
    )
    assert UNIFIED.reason(alone.code) is Kind.TRIGGER_POSITION
    wrong = await refused(
        UNIFIED.place_order(
            venue.instrument,
            side=Side.BUY,
            size=D(10),
            client_id="b",
            position_mode=PositionMode.HEDGE,
            margin_mode=MarginMode.ISOLATED,
        )
    )
    assert UNIFIED.reason(wrong.code) is Kind.MODE
    other_kind = await refused(bitget.accounts())
    assert other_kind.code == "40085"
    assert await kinds.probe(venue.ask) is AccountKind.UNIFIED
    venue.use(await venue.key("classic"))
    assert (await refused(requests.assets())).code == "40084"
    assert await kinds.probe(venue.ask) is AccountKind.CLASSIC
    venue.use({"key": "nobody", "secret": "x" * 64, "passphrase": "y"})
    with pytest.raises(VenueRefusedError) as caught:
        await kinds.probe(venue.ask)
    assert UNIFIED.classify(caught.value.code, caught.value.status) is Outcome.FATAL_ACCOUNT
