"""One account of a trader in this process, on a real paper exchange in this process, over real sockets.

The parts are wired as :mod:`trader.app` and :mod:`trader.desk` wire them; Postgres alone is missing. A kill is what a
SIGKILL leaves: the journal's file, and nothing of what was in memory. Waits of the trader are shortened in
proportion (:data:`WAITS`), so that a script of faults ends soon.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection
from contextvars import ContextVar
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from shared import clock
from shared.domain.account import Account, AccountKind, AccountState, Mode
from shared.domain.ids import client_id, installation_of
from shared.domain.instrument import Instrument, Venue
from shared.domain.order import RANK, TERMINAL, OrderState, OrderType, Side, Step
from shared.errors import JournalError, KestrelError
from shared.rules.listing import take_profit_price
from shared.rules.preferences import ListingPreferences
from shared.vault import Credentials
from tests.trader.paper.client import Client
from trader.directory import Member
from trader.lane import Lane
from trader.market import MarketData, MarketHost
from trader.member import ActiveMember
from trader.net.feed import Heard
from trader.net.response import Response
from trader.orders import protector, reconciler, records, settler
from trader.orders.gateway import Gateway
from trader.orders.journal import Journal
from trader.orders.tracker import Tracked, Tracker
from trader.paper.control.accounts import make_account
from trader.paper.engine.batch import Query
from trader.paper.engine.model import AccountKind as PaperKind
from trader.paper.faults.rules import NewFault
from trader.paper.server import Options, PaperServer
from trader.positions.rows import AccountSnapshot, Held
from trader.venues.model import Call, MarginMode
from trader.venues.registry import PUBLIC_SIDES

PREFIX = "Ab3z"
COINS = ("AAUSDT", "BBUSDT", "CCUSDT", "DDUSDT")
RESTING = "BTCUSDT"
LEVERAGE = 10
TAKE_PROFIT = Decimal(100)
KINDS = {
    "classic": (Venue.BITGET, AccountKind.CLASSIC, PaperKind.CLASSIC),
    "unified": (Venue.BITGET, AccountKind.UNIFIED, PaperKind.UNIFIED),
    "binance": (Venue.BINANCE, AccountKind.USDM, PaperKind.BINANCE),
}
#: The trader's waits, shortened; what is waited for, how often and in which order stays.
WAITS: tuple[tuple[Any, str, Any], ...] = (
    (settler, "LOOKS_S", (0.0, 0.01, 0.02, 0.05, 0.1)),
    (settler, "SETTLE_NS", 300 * clock.MILLISECOND),
    (settler, "CONTRADICTED_S", 0.3),
    (settler, "LATE_S", 0.3),
    (reconciler, "YOUNG_NS", 150 * clock.MILLISECOND),
    (protector, "ATTACHED_SETTLE_NS", 60 * clock.MILLISECOND),
    (protector, "OWN_SETTLE_NS", 300 * clock.MILLISECOND),
    (protector, "FLAT_SETTLE_S", 0.25),
    (protector, "RETRY_S", (0.0, 0.02, 0.05, 0.1)),
    (protector, "_LOOKS_S", (0.0, 0.02, 0.05, 0.1)),
)
_reading: ContextVar[bool] = ContextVar("reading", default=False)


class Exchange:
    """The paper exchange, its market read by the trader's own market data, for one dialect."""

    def __init__(self, kind: str) -> None:
        self.venue, self.kind, self.paper_kind = KINDS[kind]
        self.server = PaperServer(Options(port=0, tape="manual", limits=False))
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> Exchange:
        ready: dict[str, Any] = await self.server.start()
        self._tasks.append(asyncio.create_task(self.server.run()))
        self.control = await Client(ready).__aenter__()
        for symbol in COINS:
            body: dict[str, object] = {
                "symbol": symbol,
                "market": "futures",
                "price": "2.5",
                "open_time_ms": clock.now_ms(),
            }
            await self.control.control("/symbols", body)
        self.url = str(ready["rest"])
        ws = self.url.replace("http", "ws", 1)
        public = ws if self.venue is Venue.BINANCE else str(ready["ws_public"])
        self.ws_private = {
            AccountKind.CLASSIC: str(ready["ws_private"]),
            AccountKind.UNIFIED: str(ready["ws_v3_private"]),
            AccountKind.USDM: ws,
        }[self.kind]
        self.market = MarketData(
            PUBLIC_SIDES[self.venue](),
            MarketHost(self.url, public),
            refresh_s=1,
            on_instruments=lambda _: None,
        )
        self._tasks.append(asyncio.create_task(self.market.run()))
        await self.market.loaded.wait()
        return self

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.control.__aexit__(None, None, None)
        await self.server.stop()

    async def price(self, symbol: str, price: str) -> None:
        await self.control.price(symbol, price)


class _Gone:
    """The journal of a killed process: nothing reaches it any more."""

    starved = ""
    first_seq = 0
    seq = 0

    def append(self, record: records.Record, *, protective: bool = False) -> int:
        raise JournalError("killed")


class _Member(ActiveMember):
    """Keeps the frames that it heard."""

    frames: list[bytes]

    def _heard(self, message: memoryview, received_ns: int) -> Heard | str | None:
        if len(self.frames) < 200:
            self.frames.append(bytes(message))
        return super()._heard(message, received_ns)

    def hear_again(self, frame: bytes) -> None:
        super()._heard(memoryview(frame), clock.now_ns())


class Books:
    """The account's orders here and there. What must never happen is collected in ``broken``."""

    def __init__(self, exchange: Exchange, folder: Path) -> None:
        self.exchange = exchange
        self._folder = folder
        self._numbers = itertools.count(1)
        self.broken: list[str] = []
        self.frames: list[bytes] = []
        self.entries: dict[str, records.Intent] = {}
        self._ranks: dict[str, tuple[OrderState, str]] = {}
        self.paper = make_account(
            exchange.server.engine,
            kind=exchange.paper_kind,
            balance=Decimal(1_000_000),
            label="books",
        )
        record = self.paper.record
        account = Account(
            id=self.paper.id,
            user_id=1,
            user_name="anna",
            venue=exchange.venue,
            kind=exchange.kind,
            mode=Mode.PAPER,
            label="main",
            state=AccountState.ARMED,
        )
        listing = ListingPreferences(
            enabled=True,
            amount=Decimal(100),
            leverage=LEVERAGE,
            take_profit=TAKE_PROFIT,
            market_additions=True,
            without_krw=True,
        )
        credentials = Credentials(record.key, record.secret, record.passphrase)
        self._who = Member(account=account, credentials=credentials, listing=listing)

    # Life

    async def start(self) -> None:
        """As :class:`trader.app.Trader` starts: replay the journal, then let the account work."""
        self.tracker = Tracker()
        self.journal = Journal(self._folder, segment_bytes=1 << 20, on_entry=self.tracker.replay)
        self.tracker.attach(self.journal)
        self.gateway = Gateway(
            self.tracker, live_enabled=False, timeout_s=2.0, patience_s=0.3, on_settle=self._changed
        )
        lane = Lane(self._who, self.exchange.market.origin, ssl_context=None, timeout_s=2.0)
        lane.dialect.pace_s = lambda call: 0.0  # type: ignore[method-assign]  # the exchange has no limits here
        lane.dialect.rest_s = lambda answer: 0.0  # type: ignore[method-assign]
        self.lane = lane
        self.member = _Member(
            lane,
            self.exchange.market,
            self.tracker,
            self.gateway,
            prefix=PREFIX,
            ws_private_url=self.exchange.ws_private,
            positions_s=0.5,
            on_snapshot=self._read,
            recall=self._held_before,
            recall_orders=self._known_elsewhere,
        )
        self.member.frames = self.frames
        self.tracker.on_change = self._changed
        self._watch()
        for order in self.tracker.all():
            self._judge(order)
        self.member.start()

    async def kill(self) -> None:
        """End like a killed process: the journal stays as it is."""
        self.tracker.attach(_Gone())  # type: ignore[arg-type]
        self.tracker.on_change = self.gateway._on_settle = lambda _: None
        await self.gateway.stop()
        await self.member.stop()
        self.journal.close()

    async def arm(self) -> None:
        """Wait until an order could be sent."""
        async with asyncio.timeout(20):
            while not (self.lane.position_mode is not None and self.lane.road() is not None):
                await asyncio.sleep(0.005)

    def _changed(self, order: Tracked) -> None:
        self._judge(order)
        self.member.order_changed(order)

    def _read(self, snapshot: AccountSnapshot) -> None:
        del snapshot

    async def _held_before(self, account_id: int) -> list[Held]:
        del account_id
        return []

    async def _known_elsewhere(self, account_id: int, ids: Collection[str]) -> int:
        self.broken.append(f"ids of ours that nobody knows on account {account_id}: {ids}")
        return 0

    # What must never happen

    def _watch(self) -> None:
        """Note every order and every other change that is sent while somebody only wants to read."""
        submit, ask = self.gateway.submit, self.lane.ask
        reconcile, settle = self.member.reconciler.reconcile, self.member.settler._settle

        def watched_submit(lane: Lane, intent: records.Intent, call: Call, step: str = "gateway") -> Tracked:
            if _reading.get():
                self.broken.append(f"{intent.step.value} {intent.client_id} sent by a reading")
            return submit(lane, intent, call, step)

        async def watched_ask(call: Call) -> Response:
            if _reading.get() and (call.method or ("GET" if call.body is None else "POST")) != "GET":
                self.broken.append(f"{call.method} {call.path} sent by a reading")
            return await ask(call)

        async def watched_reconcile() -> None:
            token = _reading.set(True)
            try:
                await reconcile()
            finally:
                _reading.reset(token)

        async def watched_settle(case: Any) -> None:
            token = _reading.set(True)
            try:
                await settle(case)
            finally:
                _reading.reset(token)

        self.gateway.submit = watched_submit  # type: ignore[method-assign]
        self.lane.ask = watched_ask  # type: ignore[method-assign]
        self.member.reconciler.reconcile = watched_reconcile  # type: ignore[method-assign]
        self.member.settler._settle = watched_settle  # type: ignore[method-assign]

    def _judge(self, order: Tracked) -> None:
        """States go forward; a presumed end alone yields, to proof."""
        name = order.intent.client_id
        before, code = self._ranks.get(name, (OrderState.INTENDED, ""))
        presumed = before in (OrderState.REJECTED, OrderState.DENIED) and code in ("absent", "not_sent")
        if RANK[order.state] < RANK[before] and not presumed:
            self.broken.append(f"{name} went back from {before.value} to {order.state.value}")
        if before in TERMINAL and order.state not in (before, OrderState.FILLED) and not presumed:
            self.broken.append(f"{name} ended as {before.value} and as {order.state.value}")
        self._ranks[name] = (order.state, order.code)

    def executions(self) -> dict[str, list[Any]]:
        """The exchange's own orders by client id, ended and resting."""
        found: dict[str, list[Any]] = {}
        ended = self.exchange.server.engine.orders(self.paper, Query(limit=1000))
        for order in [*ended, *self.paper.orders.values()]:
            if order.client_id:
                found.setdefault(order.client_id, []).append(order)
        return found

    def check(self) -> None:
        """What holds after every step."""
        for name, orders in self.executions().items():
            numbers = {order.id for order in orders}
            if len(numbers) > 1:
                self.broken.append(f"{name} is there {len(numbers)} times")
            if name in self.entries and orders[0].filled > self.entries[name].size:
                self.broken.append(f"{name} filled {orders[0].filled} of {self.entries[name].size}")
            if installation_of(name) and self.tracker.get(name) is None:
                self.broken.append(f"{name} is not in our books")
        assert not self.broken, self.broken

    # What a script can do

    def instrument(self, symbol: str) -> Instrument:
        return self.exchange.market.instruments[symbol]

    def free(self, symbol: str) -> bool:
        """Neither side has anything on the symbol: a listing never adds to what is there."""
        busy = any(each.intent.instrument.symbol == symbol for each in self.tracker.unfinished(self.paper.id))
        return not busy and not self.paper.busy(symbol)

    def enter(self, symbol: str, *, attached: bool) -> None:
        """A market entry as the sniper sends it, with a take profit that rides on it or follows the fill."""
        instrument, price = self.instrument(symbol), Decimal("2.5")
        target = take_profit_price(price, TAKE_PROFIT, LEVERAGE, instrument.tick)
        rides = attached and self.lane.dialect.attaches
        self._submit(instrument, Decimal(100), reference=price, target=target, attached=rides)

    def rest(self, below: int) -> None:
        """A limit buy below the market."""
        price = Decimal(60_000 - 100 * below)
        self._submit(self.instrument(RESTING), Decimal("0.01"), reference=price, price=price)

    def _submit(
        self,
        instrument: Instrument,
        size: Decimal,
        *,
        reference: Decimal,
        price: Decimal | None = None,
        target: Decimal | None = None,
        attached: bool = False,
    ) -> None:
        mode = self.lane.position_mode
        if mode is None:
            return  # nothing is known of the account yet: the sniper would not send either
        order_type = OrderType.MARKET if price is None else OrderType.LIMIT
        now, cause = clock.now_ns(), f"listing:upbit:{next(self._numbers)}:NEW"
        account = self._who.account
        intent = records.Intent(
            client_id=client_id(PREFIX, account.id, cause, 0, Step.ENTRY),
            user_id=1,
            account_id=account.id,
            mode=Mode.PAPER,
            strategy_id="listing",
            instrument=instrument,
            cause=cause,
            leg=0,
            step=Step.ENTRY,
            attempt=0,
            side=Side.BUY,
            order_type=order_type,
            size=size,
            price=price,
            reference_price=reference,
            margin=size * reference / LEVERAGE,
            leverage=LEVERAGE,
            take_profit=target,
            take_profit_percent=TAKE_PROFIT if target else Decimal(0),
            attached=attached,
            stop=None,
            reduce_only=False,
            seen_ns=now,
            decoded_ns=now,
            decided_ns=now,
            created_ns=now,
        )
        call = self.lane.dialect.place_order(
            instrument,
            side=Side.BUY,
            size=size,
            client_id=intent.client_id,
            position_mode=mode,
            margin_mode=MarginMode.ISOLATED,
            order_type=order_type,
            price=price,
            take_profit=target if attached else None,
        )
        self.entries[intent.client_id] = intent
        try:
            self.gateway.submit(self.lane, intent, call)
        except KestrelError as refusal:
            self.gateway.deny(intent, "refused", str(refusal))

    async def cancel(self, number: int) -> None:
        """Cancel one of our resting entries; the answer may be lost or say that it is gone."""
        names = [name for name, intent in self.entries.items() if intent.price is not None]
        if names:
            name = names[number % len(names)]
            call = self.lane.dialect.cancel_order(RESTING, client_id=name)
            try:
                await self.lane.ask(call)
            except KestrelError:
                return

    def trade(self, below: int, size: str) -> None:
        """A public trade at a price: what rests there is filled, in part or whole."""
        hub = self.exchange.server.hub
        state = hub.states["futures", RESTING]
        price = Decimal(60_000 - 100 * below)
        now = hub.clock.now_ns()
        hub.feed_trade(state, price, Decimal(size), "sell", now)
        hub.feed_trade(state, Decimal(60_000), Decimal("0.001"), "buy", now + 1)

    def close_by_hand(self) -> None:
        """The user closes everything on the exchange's own page."""
        if self.paper.positions:
            self.exchange.server.engine.close_positions(self.paper)

    def cancel_by_hand(self) -> None:
        """The user cancels what rests on the exchange's own page."""
        for order in list(self.paper.orders.values()):
            self.exchange.server.engine.cancel(self.paper, order)

    def fault(self, do: str, path: bool, nth: list[int], args: dict[str, Any]) -> None:
        match: dict[str, Any] = {"account": self.paper.id, "path" if path else "channel": "*"}
        if nth:
            match["nth"] = nth
        new = msgspec.convert({"do": do, "match": match, "args": args}, NewFault)
        self.exchange.server.door.faults.add(new)

    def stop_faults(self) -> None:
        self.exchange.server.door.faults.clear()

    def hear_again(self, numbers: list[int]) -> None:
        """Frames of before, once more and in another order."""
        for number in numbers:
            if self.frames:
                try:
                    self.member.hear_again(self.frames[number % len(self.frames)])
                except KestrelError:
                    continue  # a frame that a fault had spoiled

    # Whether both sides say the same

    def differences(self) -> list[str]:
        """How the books differ from the exchange: nothing, when all is well."""
        there = self.executions()
        found: list[str] = []
        for order in self.tracker.all():
            if order.intent.step is Step.TAKE_PROFIT:
                found += self._of_take_profit(order)
            elif real := there.get(order.intent.client_id):
                found += self._of_order(order, real[0])
            elif order.state not in (OrderState.REJECTED, OrderState.DENIED):
                found.append(f"{order.intent.client_id}: {order.state.value} here, unknown there")
        return found + self._of_protection() + self._of_positions()

    def _of_take_profit(self, order: Tracked) -> list[str]:
        name = order.intent.client_id
        rests = name in {plan.client_id for plan in self.paper.plans.values()}
        if order.open is rests:
            return []
        return [f"take profit {name}: {order.state.value} here, resting there: {rests}"]

    def _of_order(self, order: Tracked, real: Any) -> list[str]:
        name, found = order.intent.client_id, []
        if order.state.value != real.state.value:
            found.append(f"{name}: {order.state.value} here, {real.state.value} there")
        if not order.filled_size == order.fills_size == real.filled:
            found.append(f"{name}: {order.filled_size}/{order.fills_size} here, {real.filled} there")
        fills = self.exchange.server.engine.fills(self.paper, Query(order_id=real.id))
        same = len(order.fill_ids) == len(fills)
        if self.exchange.venue is not Venue.BINANCE:  # it names its fills by shorter numbers
            same = order.fill_ids == {str(fill.id) for fill in fills}
        if not same:
            found.append(f"{name}: fills {order.fill_ids} here, {[fill.id for fill in fills]} there")
        if order.needs_take_profit:
            found.append(f"{name}: not known to be protected")
        return found

    def _of_protection(self) -> list[str]:
        """Every position that an entry with a take profit opened has one that rests on the exchange."""
        wanted = {
            each.intent.instrument.symbol
            for each in self.tracker.all()
            if each.intent.take_profit is not None
        }
        resting = [plan.symbol for plan in self.paper.plans.values()]
        return [
            f"{each.symbol}: {resting.count(each.symbol)} take profits rest"
            for each in self.paper.positions.values()
            if each.symbol in wanted and resting.count(each.symbol) != 1
        ]

    def _of_positions(self) -> list[str]:
        last = self.member.book.last
        here = (
            {(each.instrument.symbol, each.side.value, each.size) for each in last.positions}
            if last
            else None
        )
        there = {(each.symbol, each.side.value, each.size) for each in self.paper.positions.values()}
        return [] if here == there else [f"positions: {here} here, {there} there"]

    async def one_beat(self) -> list[str]:
        """Faults stop, the beat comes; what still differs when the next one would be due."""
        self.stop_faults()
        self.member.reconciler.wake()
        self.member.book.hint()
        differences = ["not looked at"]
        try:
            async with asyncio.timeout(reconciler.BEAT_S):
                while differences:
                    await asyncio.sleep(0.01)
                    differences = self.differences()
        except TimeoutError:
            pass
        return differences
