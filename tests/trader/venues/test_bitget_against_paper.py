"""The dialect and the transports against the paper exchange, which reads the venue's pages on its own.

What our side believes at the end is held against the exchange's ledger.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shared import clock
from shared.domain.order import OrderState, PositionSide, Side
from shared.errors import VenueRefusedError
from trader.net.feed import Heard, Liveness
from trader.net.http import Origin, Response, WarmConnection, build_get
from trader.net.stream import Stream
from trader.net.tls import client_context
from trader.venues import bitget
from trader.venues.bitget import history
from trader.venues.model import Call, MarginMode, PositionMode, Protection
from trader.venues.outcome import Kind, Outcome


class Keys(NamedTuple):
    key: str
    secret: str
    passphrase: str


class Venue:
    """A running paper exchange, and a warm connection to it."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self.context = client_context(Path(ready["ca_file"]))
        account = ready["accounts"][0]
        self.account_id = account["id"]
        self.origin = Origin.parse(ready["rest"])
        self.signer = bitget.Signer(
            Keys(account["key"], account["secret"], account["passphrase"]), self.origin.authority
        )
        ping = bitget.public(bitget.server_time(), self.origin.authority)
        self.warm = WarmConnection(self.origin, ssl_context=self.context, keepalive=lambda: ping)

    async def ask(self, call: Call) -> Response:
        await self.warm.wait_ready(5.0)
        return await self.warm.request(self.signer.request(call, clock.now_ms()), 5.0)

    async def ledger(self) -> list[dict[str, Any]]:
        request = build_get(self.origin.authority, f"/control/accounts/{self.account_id}/ledger")
        rows: list[dict[str, Any]] = json.loads((await self.warm.request(request, 5.0)).body)
        return rows


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "trader.paper", "--port", "0", "--tape", "manual", "--accounts", "1", "--tls",
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    found = Venue(json.loads(await process.stdout.readline()))
    found.warm.start()
    yield found
    await found.warm.stop()
    process.terminate()
    await process.wait()


class Listener:
    """Collects what a private stream tells."""

    def __init__(self, venue: Venue) -> None:
        self.events: list[bitget.Event] = []
        self.news = asyncio.Event()
        self.active = asyncio.Event()
        self.stream = Stream(
            venue.ready["ws_private"],
            on_message=self.on_message,
            login=lambda: venue.signer.login(clock.now_ms()),
            subscriptions=bitget.private_subscriptions(("account", "positions", "orders", "fill")),
            channels={"account": Liveness(first_s=5.0), "positions": Liveness(first_s=5.0)},
            on_active=self.active.set,
            ssl_context=venue.context,
        )

    def on_message(self, payload: memoryview, _: int) -> Heard | str:
        event = bitget.parse_push(payload)
        self.events.append(event)
        self.news.set()
        return event.heard

    async def until_flat(self) -> None:
        while True:
            self.news.clear()
            lists = [event.positions for event in self.events if isinstance(event, bitget.PositionUpdate)]
            if len(lists) > 2 and lists[-1] == []:
                return
            await self.news.wait()


@pytest.mark.parametrize("mode", PositionMode)
async def test_a_position_from_its_entry_to_its_end(venue: Venue, mode: PositionMode) -> None:
    answer = await venue.ask(bitget.contracts())
    contracts = bitget.parse_contracts(answer.body, answer.status)
    assert contracts.problems == []
    btc = next(each for each in contracts.instruments if each.symbol == "BTCUSDT")
    listener = Listener(venue)
    listener.stream.start()
    await listener.active.wait()
    settings = (
        bitget.set_position_mode(mode),
        bitget.set_margin_mode("BTCUSDT", MarginMode.ISOLATED),
        bitget.set_leverage("BTCUSDT", 7, margin_mode=MarginMode.ISOLATED, position_mode=mode),
    )
    for call in settings:
        answer = await venue.ask(call)
        bitget.check(answer.body, answer.status)
    answer = await venue.ask(bitget.account("BTCUSDT"))
    account = bitget.parse_account(answer.body, answer.status)
    assert (account.position_mode, account.margin_mode, account.long_leverage) == (
        mode,
        MarginMode.ISOLATED,
        7,
    )

    async def order(client_id: str, side: Side, size: str, *, reduce_only: bool = False) -> None:
        placed = await venue.ask(
            bitget.place_order(
                btc,
                side=side,
                size=Decimal(size),
                client_id=client_id,
                position_mode=mode,
                margin_mode=MarginMode.ISOLATED,
                reduce_only=reduce_only,
                take_profit=None if reduce_only else Decimal(1_000_000),
            )
        )
        assert bitget.parse_ack(placed.body, placed.status, client_id).order_id
        asked = await venue.ask(bitget.order_detail("BTCUSDT", client_id=client_id))
        report = bitget.parse_order(asked.body, asked.status)
        assert (report.client_id, report.state) == (client_id, OrderState.FILLED)
        assert (report.side, report.reduce_only) == (side, reduce_only)

    await order("abcd1", Side.BUY, "0.01239")
    answer = await venue.ask(bitget.all_positions())
    (position,) = bitget.parse_positions(answer.body, answer.status)
    assert (position.side, position.size, position.leverage) == (PositionSide.LONG, Decimal("0.0123"), 7)
    answer = await venue.ask(bitget.protection_pending(symbol="BTCUSDT"))
    (plan,) = bitget.parse_plans(answer.body, answer.status).plans
    assert (plan.protects, plan.trigger_price) == (Protection.TAKE_PROFIT, Decimal(1_000_000))
    await order("abcd2", Side.SELL, "0.004", reduce_only=True)
    answer = await venue.ask(bitget.close_positions("BTCUSDT"))
    assert len(bitget.parse_closed(answer.body, answer.status).order_ids) == 1
    await listener.until_flat()

    answer = await venue.ask(bitget.fills(symbol="BTCUSDT"))
    asked_fills = bitget.parse_fills(answer.body, answer.status).fills
    pushed = [
        fill for event in listener.events if isinstance(event, bitget.FillUpdate) for fill in event.fills
    ]
    sides = {fill.fill_id: fill.side for fill in asked_fills}
    assert {fill.fill_id for fill in pushed} == set(sides)
    bought = sum(fill.size for fill in asked_fills if fill.side is Side.BUY)
    sold = sum(fill.size for fill in asked_fills if fill.side is Side.SELL)
    assert bought == sold == Decimal("0.0123")
    answer = await venue.ask(history.positions_history(symbol="BTCUSDT", start_ms=0))
    (ended,) = history.parse_positions_history(answer.body, answer.status)
    answer = await venue.ask(bitget.accounts())
    (money,) = bitget.parse_accounts(answer.body, answer.status)
    ledger = await venue.ledger()
    assert sum(Decimal(row["amount"]) for row in ledger) == Decimal(ledger[-1]["balance"]) == money.equity
    assert ended.side is PositionSide.LONG
    assert abs(ended.net - (money.equity - account.equity)) < Decimal("1e-8")
    assert listener.stream.counters.malformed == 0
    await listener.stream.stop()


async def test_refusals_carry_documented_codes(venue: Venue) -> None:
    answer = await venue.ask(bitget.order_detail("BTCUSDT", client_id="nothing"))
    with pytest.raises(VenueRefusedError) as caught:
        bitget.parse_order(answer.body, answer.status)
    assert bitget.classify(caught.value.code, caught.value.status) is Outcome.NOT_FOUND
    answer = await venue.ask(bitget.close_positions("BTCUSDT"))
    with pytest.raises(VenueRefusedError) as caught:
        bitget.parse_closed(answer.body, answer.status)
    assert bitget.kind(caught.value.code) is Kind.NO_POSITION
    stranger = bitget.Signer(Keys("nobody", "x" * 64, "y"), venue.origin.authority)
    answer = await venue.warm.request(stranger.request(bitget.accounts(), clock.now_ms()), 5.0)
    with pytest.raises(VenueRefusedError) as caught:
        bitget.check(answer.body, answer.status)
    assert bitget.classify(caught.value.code, caught.value.status) is Outcome.FATAL_ACCOUNT
