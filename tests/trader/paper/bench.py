"""An engine on a bench: a market that only the test moves, accounts, and a look at everything inside."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.book import Book
from trader.paper.contract import ContractSpec, Tier
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import (
    AccountKind,
    AccountRecord,
    Entry,
    Force,
    MarginMode,
    NewOrder,
    Order,
    PlanKind,
    Position,
    Preset,
    Reference,
    SelfTrade,
)
from trader.paper.engine.protection import NewPlan
from trader.paper.market import MarketHub, MarketState
from trader.paper.state import SqliteStore
from trader.paper.tapeclock import TapeClock

D = Decimal
BTC, ETH = "BTCUSDT", "ETHUSDT"
START_NS = 1_790_000_000_000_000_000

TIERS = (
    Tier(start=D(0), end=D(150_000), leverage=125, keep_margin_rate=D("0.004")),
    Tier(start=D(150_000), end=D(600_000), leverage=50, keep_margin_rate=D("0.01")),
    Tier(start=D(600_000), end=D(3_000_000), leverage=10, keep_margin_rate=D("0.05")),
)


def spec(symbol: str, tick: str, step: str, **changes: object) -> ContractSpec:
    plain = ContractSpec(
        symbol=symbol,
        market="futures",
        base=symbol.removesuffix("USDT"),
        quote="USDT",
        tick=D(tick),
        step=D(step),
        min_size=D(step),
        max_market_size=D(100),
        max_size=D(1000),
        max_leverage=125,
        tiers=TIERS,
    )
    return msgspec.structs.replace(plain, **changes)


SPECS = (spec(BTC, "0.1", "0.001"), spec(ETH, "0.01", "0.01"))
PRICES = {BTC: D(50_000), ETH: D(2_000)}


class Bench:
    """``move`` sets price, mark and a deep one-tick book; ``book`` sets exact levels."""

    def __init__(
        self,
        store: SqliteStore | None = None,
        specs: tuple[ContractSpec, ...] = SPECS,
        start_ns: int = START_NS,
    ) -> None:
        self.clock = TapeClock(0, start_ns=start_ns)
        self.hub = MarketHub(self.clock)
        self.store = store or SqliteStore(None)
        for one in specs:
            self.hub.add(one, PRICES.get(one.symbol, D(100)), book=Book(one.tick))
        self.engine = Engine(self.hub, self.store)
        self.engine.arm()
        for one in specs:
            self.move(one.symbol, PRICES.get(one.symbol, D(100)))

    def state(self, symbol: str = BTC) -> MarketState:
        return self.hub.states["futures", symbol]

    def now(self) -> int:
        return self.clock.advance(1)

    def move(self, symbol: str, price: Decimal | int | str, mark: Decimal | int | str | None = None) -> None:
        """Last, mark, bid = ``price``, ask one tick above; 1000 coins on both."""
        state, price = self.state(symbol), D(price)
        state.tape_book.snapshot([(str(price), "1000")], [(str(price + state.spec.tick), "1000")])
        state.last = price
        mark = D(price if mark is None else mark)
        self.hub.feed_marks(state, mark, mark, self.now())

    def book(self, symbol: str, bids: list[tuple[str, str]], asks: list[tuple[str, str]]) -> None:
        state = self.state(symbol)
        state.tape_book.snapshot(bids, asks)
        self.hub.feed_book(state, self.now())

    def trade(self, symbol: str, price: str, size: str = "1", taker: Literal["buy", "sell"] = "buy") -> None:
        """A public trade; the book stays as it is."""
        self.hub.feed_trade(self.state(symbol), D(price), D(size), taker, self.now())

    def account(
        self, balance: Decimal | int | str = 10_000, kind: AccountKind | str = AccountKind.CLASSIC
    ) -> Account:
        number = len(self.engine.accounts) + 1
        record = AccountRecord(
            id=0,
            key=f"key{number}",
            secret="s",
            passphrase="p",
            kind=AccountKind(kind),
            label="",
            created_ns=0,
        )
        return self.engine.open_account(record, D(balance))

    def order(
        self,
        account: Account,
        side: str,
        size: str | Decimal,
        price: str | Decimal | None = None,
        *,
        symbol: str = BTC,
        mode: MarginMode = MarginMode.ISOLATED,
        force: Force = Force.GTC,
        reduce: bool = False,
        close: bool | None = None,
        tp: str | Decimal | None = None,
        sl: str | Decimal | None = None,
        client: str = "",
        stp: SelfTrade = SelfTrade.NONE,
    ) -> Order:
        new = NewOrder(
            symbol=symbol,
            side=Side(side),
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            size=D(size),
            margin_mode=mode,
            price=None if price is None else D(price),
            force=force,
            client_id=client,
            self_trade=stp,
            hedge_close=close,
            reduce_only=reduce,
            preset=Preset(take_profit=None if tp is None else D(tp), stop_loss=None if sl is None else D(sl)),
        )
        return self.engine.place(account, new).order

    def plan(
        self,
        kind: PlanKind,
        trigger: str | Decimal,
        *,
        side: PositionSide = PositionSide.LONG,
        symbol: str = BTC,
        size: str | Decimal = "0",
        reference: Reference = Reference.LAST,
        execute: str | None = None,
        client: str = "",
    ) -> NewPlan:
        return NewPlan(
            symbol=symbol,
            kind=kind,
            side=side,
            trigger=D(trigger),
            reference=reference,
            execute=None if execute is None else D(execute),
            size=D(size),
            client_id=client,
        )

    def position(
        self, account: Account, symbol: str = BTC, side: PositionSide = PositionSide.LONG
    ) -> Position | None:
        return account.positions.get((symbol, side))

    def held(self, account: Account, symbol: str = BTC, side: PositionSide = PositionSide.LONG) -> Position:
        return account.positions[symbol, side]

    def ledger(self, account: Account) -> list[Entry]:
        return self.engine.entries(account)

    def amounts(self, account: Account) -> list[tuple[str, str]]:
        return [(entry.kind.value, format(entry.amount.normalize(), "f")) for entry in self.ledger(account)]

    def picture(self) -> bytes:
        """Everything that the engine holds in memory, byte for byte."""
        core = self.engine.core
        return msgspec.json.encode(
            {
                "accounts": [
                    [
                        a.record,
                        list(a.orders.values()),
                        list(a.plans.values()),
                        list(a.positions.values()),
                        a.locked.normalize(),
                        a.clients,
                    ]
                    for a in core.accounts.values()
                ],
                "totals": {f"{kind}/{coin}": amount for (kind, coin), amount in core.totals.items()},
                "liquidations": sorted(core.liquidation_prices.items()),
                "resting": sorted(core.resting),
            },
            order="sorted",
        )
