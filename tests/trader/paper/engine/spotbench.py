"""A bench with a spot market beside the contracts: BTCUSDT at 50000 (tick 0.1, step 0.0001), fees 0.1 %."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from shared.domain.order import OrderType, Side
from tests.trader.paper.bench import BTC, Bench, spec
from trader.paper.book import Book
from trader.paper.engine.accounts import Account
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import AccountKind, AccountRecord, Force, Preset, SelfTrade
from trader.paper.engine.spot_model import NewSpotOrder, NewSpotPlan, PlanUnit, SpotOrder, SpotPlan
from trader.paper.market import MarketState
from trader.paper.state import SqliteStore

D = Decimal
FEE = D("0.001")
ETHBTC = "ETHBTC"


class SpotBench(Bench):
    """``to`` moves the spot price: bid = price, ask one tick above, 1000 coins on both."""

    def __init__(self, store: SqliteStore | None = None) -> None:
        super().__init__(store)
        for symbol, base, quote, tick, step, price in (
            (BTC, "BTC", "USDT", "0.1", "0.0001", D(50_000)),
            (ETHBTC, "ETH", "BTC", "0.00001", "0.001", D("0.04")),
        ):
            rules = spec(symbol, tick, step, market="spot", base=base, quote=quote, min_notional=D(1),
                         taker_fee=FEE, maker_fee=FEE)  # fmt: skip
            self.hub.add(rules, price, book=Book(rules.tick))
            self.to(price, symbol)

    def restart(self) -> None:
        """A new engine from what was stored; the market stands as it stood.

        What orders took from its levels is not stored (the tape shows a new book); here it stays taken.
        """
        self.hub.unsubscribe(self.engine._on_market)
        before = self.engine.core.spot.symbols
        self.engine = Engine(self.hub, self.store)
        for symbol, index in before.items():
            self.engine.core.spot.index(symbol).depth = index.depth
        self.engine.arm()

    def spot(self, symbol: str = BTC) -> MarketState:
        return self.hub.states["spot", symbol]

    def to(self, price: Decimal | int | str, symbol: str = BTC) -> None:
        state, price = self.spot(symbol), D(price)
        state.last = price
        levels = [(format(price, "f"), "1000")], [(format(price + state.spec.tick, "f"), "1000")]
        state.tape_book.snapshot(*levels)
        self.hub.feed_book(state, self.now())

    def levels(self, bids: list[tuple[str, str]], asks: list[tuple[str, str]], symbol: str = BTC) -> None:
        self.spot(symbol).tape_book.snapshot(bids, asks)
        self.hub.feed_book(self.spot(symbol), self.now())

    def rich(self, futures: str = "0", *, kind: AccountKind = AccountKind.CLASSIC, **coins: str) -> Account:
        number = len(self.engine.accounts) + 1
        record = AccountRecord(
            id=0,
            key=f"key{number}",
            secret="s",
            passphrase="p",
            kind=kind,
            label="",
            created_ns=0,
        )
        return self.engine.open_account(record, D(futures), {c: D(v) for c, v in coins.items()})

    def buy(
        self, account: Account, size: str | Decimal, price: str | Decimal | None = None, **more: Any
    ) -> SpotOrder:
        """At market ``size`` is what is spent, in quote currency."""
        return self.trade_spot(account, Side.BUY, size, price, **more)

    def sell(
        self, account: Account, size: str | Decimal, price: str | Decimal | None = None, **more: Any
    ) -> SpotOrder:
        return self.trade_spot(account, Side.SELL, size, price, **more)

    def trade_spot(
        self,
        account: Account,
        side: Side,
        size: str | Decimal,
        price: str | Decimal | None,
        *,
        symbol: str = BTC,
        force: Force = Force.GTC,
        client: str = "",
        trigger: str | Decimal | None = None,
        tp: str | Decimal | None = None,
        sl: str | Decimal | None = None,
        stp: SelfTrade = SelfTrade.NONE,
    ) -> SpotOrder:
        new = NewSpotOrder(
            symbol=symbol,
            side=side,
            type=OrderType.MARKET if price is None else OrderType.LIMIT,
            size=D(size),
            price=None if price is None else D(price),
            force=force,
            client_id=client,
            self_trade=stp,
            by_value=price is None and side is Side.BUY,
            trigger=None if trigger is None else D(trigger),
            preset=Preset(take_profit=None if tp is None else D(tp), stop_loss=None if sl is None else D(sl)),
        )
        return self.engine.spot.place(account, new)

    def spot_plan(
        self,
        account: Account,
        side: str,
        size: str | Decimal,
        trigger: str | Decimal,
        execute: str | Decimal | None = None,
        *,
        unit: PlanUnit = PlanUnit.BASE,
        symbol: str = BTC,
    ) -> SpotPlan:
        new = NewSpotPlan(
            symbol=symbol,
            side=Side(side),
            trigger=D(trigger),
            size=D(size),
            unit=unit,
            execute=None if execute is None else D(execute),
        )
        return self.engine.spot.place_plan(account, new)

    def coins(self, account: Account) -> dict[str, tuple[str, str]]:
        """coin -> (total, frozen), plain text."""
        return {
            coin: (format(total.normalize(), "f"), format(account.spot.frozen(coin).normalize(), "f"))
            for coin, total in account.record.spot.items()
        }

    def everything(self) -> tuple[object, ...]:
        """The whole memory of the engine, spot included, comparable."""
        floor = self.engine.core.spot
        return (
            self.picture(),
            {a.id: (dict(a.spot.locked), dict(a.spot.clients), dict(a.spot.plan_clients))
             for a in self.engine.accounts},
            {n: repr(o) for n, o in floor.orders.items()},
            {n: repr(p) for n, p in floor.plans.items()},
            sorted(floor.resting),
            {s: [len(i.buys), len(i.sells), len(i.rising), len(i.falling)]
             for s, i in floor.symbols.items() if len(i.buys) + len(i.sells) + len(i.rising) + len(i.falling)},
        )  # fmt: skip
