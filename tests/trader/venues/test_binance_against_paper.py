"""The Binance dialect and the transports against the paper exchange, which reads the venue's pages on its own.

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

import msgspec
import pytest

from shared import clock
from shared.domain.instrument import Instrument
from shared.domain.order import OrderState, OrderType, PositionSide, Side
from shared.errors import VenueRefusedError
from trader.net.feed import Heard
from trader.net.http import Origin, Response, WarmConnection, build_get, build_post
from trader.net.stream import Stream
from trader.net.tls import client_context
from trader.venues.binance import requests
from trader.venues.binance.market import BinanceMarket
from trader.venues.binance.usdm import Usdm
from trader.venues.dialect import Told
from trader.venues.model import (
    Call,
    MarginMode,
    OrderAck,
    PlanEnd,
    PositionMode,
    Price,
    Protection,
    Trigger,
)
from trader.venues.outcome import Kind, Outcome

D = Decimal
S = "BTCUSDT"


class Keys(NamedTuple):
    key: str
    secret: str
    passphrase: str = ""


class Venue:
    """A running paper exchange, one account there, and a warm connection to it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.context = client_context(Path(ready["ca_file"]))
        self.origin = Origin.parse(ready["rest"])
        self.usdm = Usdm()
        self.market = BinanceMarket()
        ping = self.usdm.public(self.usdm.keepalive, self.origin.authority)
        self.warm = WarmConnection(self.origin, ssl_context=self.context, keepalive=lambda: ping)
        self.account_id = 0
        self.ws = f"wss://{self.origin.authority}"

    async def open_account(self) -> None:
        made = await self.control("accounts", kind="binance", balance="10000", label="test")
        self.account_id = made["id"]
        self.signer = self.usdm.signer(Keys(made["key"], made["secret"]), self.origin.authority)

    async def control(self, path: str, **body: Any) -> Any:
        request = build_post(
            self.origin.authority,
            f"/control/{path}",
            {"Content-Type": "application/json"},
            msgspec.json.encode(body),
        )
        await self.warm.wait_ready(5.0)
        answer = await self.warm.request(request, 5.0)
        assert answer.status < 400, answer.body
        return json.loads(answer.body)

    async def ask(self, call: Call) -> Response:
        await self.warm.wait_ready(5.0)
        return await self.warm.request(self.signer.request(call, clock.now_ms()), 5.0)

    async def ask_public(self, call: Call) -> Response:
        await self.warm.wait_ready(5.0)
        return await self.warm.request(self.market.request(call, self.origin.authority), 5.0)

    async def do(self, call: Call) -> None:
        answer = await self.ask(call)
        self.usdm.check(answer.body, answer.status)

    async def instrument(self) -> Instrument:
        contracts = await self.market.contracts(self.ask_public)
        assert contracts.problems == []
        return next(each for each in contracts.instruments if each.symbol == S)

    async def ledger(self) -> list[dict[str, Any]]:
        request = build_get(self.origin.authority, f"/control/accounts/{self.account_id}/ledger")
        rows: list[dict[str, Any]] = json.loads((await self.warm.request(request, 5.0)).body)
        return rows


@pytest.fixture(scope="module")
def exchange() -> Iterator[dict[str, Any]]:
    """What the paper exchange says of itself when it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-m", "trader.paper", "--port", "0", "--tape", "manual", "--accounts", "0", "--tls"],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[3],
    )
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait()
    process.stdout.close()


@pytest.fixture
async def venue(exchange: dict[str, Any]) -> AsyncIterator[Venue]:
    """An account of its own for each test."""
    found = Venue(exchange)
    found.warm.start()
    await found.open_account()
    yield found
    await found.warm.stop()


class Listener:
    """Collects what the private stream tells."""

    def __init__(self, venue: Venue) -> None:
        self.told: list[Told] = []
        self.news = asyncio.Event()
        self.active = asyncio.Event()
        self._venue = venue
        events = venue.usdm.private_stream(venue.signer, venue.ask)
        self.stream = Stream(
            venue.ws,
            on_message=self.on_message,
            login=events.login,
            subscriptions=events.subscriptions,
            address=events.address,
            renew=events.renew,
            renew_s=events.renew_s,
            ping=events.ping,
            on_active=self.active.set,
            ssl_context=venue.context,
        )

    def on_message(self, payload: memoryview, _: int) -> Heard | str | None:
        told = self._venue.usdm.parse_private(payload)
        self.told.append(told)
        self.news.set()
        return told.heard

    async def until(self, check: Any) -> None:
        async with asyncio.timeout(10):
            while not check(self.told):
                self.news.clear()
                await self.news.wait()


class Trader:
    """Places orders on BTCUSDT and checks what is said of them."""

    def __init__(self, venue: Venue, btc: Instrument, mode: PositionMode) -> None:
        self.venue, self.btc, self.mode = venue, btc, mode

    async def order(self, client_id: str, side: Side, size: str, *, reduce_only: bool = False) -> OrderAck:
        usdm = self.venue.usdm
        call = usdm.place_order(
            self.btc,
            side=side,
            size=D(size),
            client_id=client_id,
            position_mode=self.mode,
            margin_mode=MarginMode.ISOLATED,
            reduce_only=reduce_only,
        )
        answer = await self.venue.ask(call)
        ack = usdm.parse_ack(answer.body, answer.status, client_id)
        report, _ = await usdm.order(self.venue.ask, S, client_id=client_id)
        assert (report.client_id, report.order_id, report.state) == (
            client_id,
            ack.order_id,
            OrderState.FILLED,
        )
        assert (report.side, report.reduce_only, report.order_type) == (side, reduce_only, OrderType.MARKET)
        return ack

    async def protect(self, client_id: str, kind: Protection, price: str) -> OrderAck:
        usdm = self.venue.usdm
        answer = await self.venue.ask(
            usdm.place_protection(
                self.btc,
                kind=kind,
                position=PositionSide.LONG,
                position_mode=self.mode,
                trigger_price=D(price),
                client_id=client_id,
                trigger=Trigger.LAST,
            )
        )
        return usdm.parse_ack(answer.body, answer.status, client_id)


@pytest.mark.parametrize("mode", PositionMode)
async def test_a_position_from_its_entry_to_its_end(venue: Venue, mode: PositionMode) -> None:
    usdm, ask = venue.usdm, venue.ask
    btc = await venue.instrument()
    (price,) = [each for each in (await venue.market.prices(venue.ask_public))[0] if each.symbol == S]
    listener = Listener(venue)
    listener.stream.start()
    await listener.active.wait()
    if mode is PositionMode.HEDGE:
        await venue.do(requests.set_position_mode(mode))
    for call in usdm.settings(S, 7, margin_mode=MarginMode.ISOLATED, position_mode=mode):
        await venue.do(call)
    before = await usdm.account(ask, S)
    assert (before.position_mode, before.margin_mode, before.long_leverage) == (mode, MarginMode.ISOLATED, 7)
    assert before.equity == before.available == 10_000
    assert (await usdm.leverage_limits(ask))[S] >= 7

    trader = Trader(venue, btc, mode)
    began_ns = clock.now_ns()
    await trader.order("abcd1", Side.BUY, "0.01239")
    (position,) = await usdm.positions(ask, S)
    assert (position.side, position.leverage, position.position_mode) == (PositionSide.LONG, 7, mode)
    assert position.size == D("0.0123") // btc.step * btc.step
    assert position.margin_mode is MarginMode.ISOLATED
    assert abs(position.created_ns - began_ns) < 5 * clock.SECOND

    take_profit = await trader.protect("abcd2", Protection.TAKE_PROFIT, str(price.last * 2))
    with pytest.raises(VenueRefusedError) as caught:
        await trader.protect("abcd3", Protection.TAKE_PROFIT, str(price.last / 2))
    assert usdm.reason(caught.value.code) is Kind.TRIGGER_PRICE
    stop = await trader.protect("abcd4", Protection.STOP, str(price.last / 2))
    plans = {plan.client_id: plan for plan in await usdm.resting_protection(ask, S)}
    assert (plans["abcd2"].protects, plans["abcd2"].order_id) == (
        Protection.TAKE_PROFIT,
        take_profit.order_id,
    )
    assert {plan.position for plan in plans.values()} == {PositionSide.LONG}
    assert plans["abcd4"].order_id == stop.order_id
    await venue.do(usdm.cancel_protection(plans["abcd4"]))
    await trader.order("abcd5", Side.SELL, "0.004", reduce_only=True)
    (again,) = await usdm.positions(ask)
    assert again.created_ns == position.created_ns

    await venue.control("price", symbol=S, price=str(price.last * 2 + 10))
    await listener.until(lambda told: sum(len(each.orders) for each in told if each.orders) >= 3)
    async with asyncio.timeout(5):
        while await usdm.positions(ask, S):
            await asyncio.sleep(0.02)
    assert await usdm.resting_protection(ask) == []
    cancelled = await usdm.ended_protection(ask, S, "abcd4")
    assert cancelled is not None
    assert (cancelled.end, cancelled.executed_as) == (PlanEnd.CANCELED, "")
    assert await usdm.ended_protection(ask, S, "nothing") is None
    taken = await usdm.ended_protection(ask, S, "abcd2")
    assert taken is not None
    assert taken.end is PlanEnd.EXECUTED
    became, _ = await usdm.order(ask, S, order_id=taken.executed_as)
    assert (became.state, became.side, became.reduce_only) == (OrderState.FILLED, Side.SELL, True)
    fills = await usdm.order_fills(ask, S, taken.executed_as, wanted=became.filled_size)
    assert sum(fill.size for fill in fills) == became.filled_size

    start_ms = began_ns // clock.MILLISECOND - 60_000
    orders, complete = await usdm.recent_orders(ask, S, start_ms)
    assert complete
    assert {"abcd1", "abcd5"} <= {order.client_id for order in orders}
    recent, complete = await usdm.recent_fills(ask, S, start_ms)
    assert complete
    bought = sum(fill.size for fill in recent if fill.side is Side.BUY)
    assert bought == sum(fill.size for fill in recent if fill.side is Side.SELL) == position.size
    (ended,) = await usdm.ended_positions(ask, S, start_ms)
    after = await usdm.account(ask, S)
    ledger = await venue.ledger()
    assert sum(D(row["amount"]) for row in ledger) == D(ledger[-1]["balance"])
    assert abs(D(ledger[-1]["balance"]) - after.equity) < D("1e-7")
    assert (ended.side, ended.created_ns) == (PositionSide.LONG, position.created_ns)
    assert abs(ended.net - (after.equity - before.equity)) < D("1e-6")

    pushed = [order for told in listener.told for order in told.orders if order.fill]
    assert {order.fill.fill_id for order in pushed if order.fill} == {fill.fill_id for fill in recent}
    assert listener.stream.counters.malformed == 0
    await listener.stream.stop()


async def test_refusals_carry_documented_codes(venue: Venue) -> None:
    usdm = venue.usdm
    with pytest.raises(VenueRefusedError) as caught:
        await usdm.order(venue.ask, S, client_id="nothing")
    assert usdm.classify(caught.value.code, caught.value.status) is Outcome.NOT_FOUND
    with pytest.raises(VenueRefusedError) as caught:
        await venue.do(requests.cancel_order(S, client_id="nothing"))
    assert usdm.classify(caught.value.code, caught.value.status) is Outcome.NOT_FOUND
    call = requests.set_margin_mode(S, MarginMode.CROSSED)
    if (await usdm.account(venue.ask, S)).margin_mode is not MarginMode.CROSSED:
        await venue.do(call)
    with pytest.raises(VenueRefusedError) as caught:
        await venue.do(call)
    assert usdm.classify(caught.value.code, caught.value.status) is Outcome.NO_CHANGE
    trader = Trader(venue, await venue.instrument(), PositionMode.HEDGE)
    with pytest.raises(VenueRefusedError) as caught:
        await trader.order("mode", Side.BUY, "0.01")
    assert usdm.reason(caught.value.code) is Kind.MODE
    stranger = usdm.signer(Keys("nobody", "x" * 64), venue.origin.authority)
    answer = await venue.warm.request(stranger.request(requests.account(), clock.now_ms()), 5.0)
    with pytest.raises(VenueRefusedError) as caught:
        usdm.check(answer.body, answer.status)
    assert usdm.classify(caught.value.code, caught.value.status) is Outcome.FATAL_ACCOUNT
    assert usdm.advice(caught.value.code)


async def test_prices_follow_the_book(venue: Venue) -> None:
    prices, problems = await venue.market.prices(venue.ask_public)
    assert problems == []
    known: dict[str, Price] = {price.symbol: price for price in prices}
    before = known[S]
    moved, active = asyncio.Event(), asyncio.Event()

    def heard(payload: memoryview, _: int) -> Heard | str | None:
        quotes = venue.market.parse(payload, known)
        for price in quotes.prices:
            known[price.symbol] = price
            moved.set()
        return quotes.heard

    stream = Stream(
        venue.ws + venue.market.path,
        on_message=heard,
        subscriptions=venue.market.subscriptions(sorted(known)),
        ping=venue.market.ping,
        on_active=active.set,
        ssl_context=venue.context,
    )
    stream.start()
    await active.wait()
    await venue.control("price", symbol=S, price=str(before.last + 500))
    async with asyncio.timeout(5):
        while (known[S].ask or 0) <= before.last + 400:
            moved.clear()
            await moved.wait()
    after = known[S]
    assert after.bid is not None
    assert after.ask is not None
    assert after.bid <= after.last <= after.ask
    assert (stream.counters.malformed, stream.counters.refused) == (0, 0)
    await stream.stop()
