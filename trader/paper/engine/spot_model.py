"""What the engine keeps of spot trading: orders, fills, plans, bills, transfers, and a wallet of coins.

Sizes are in base coin unless a name says otherwise, money is exact ``Decimal``, times are UTC
nanoseconds of the tape's clock. Symbols live on a market of their own: ``BTCUSDT`` here is not the
contract of that name.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

import msgspec

from shared.domain.order import OrderType, PositionSide, Side
from trader.paper.contract import SPOT
from trader.paper.engine.model import (
    QUOTE_COIN,
    AccountRecord,
    Force,
    MarginMode,
    Order,
    PositionMode,
    Preset,
    SelfTrade,
)
from trader.paper.engine.money import ZERO, minus, plus


class Origin(StrEnum):
    """What made a spot order."""

    CLIENT = "normal"
    PLAN = "plan"
    TRIGGER = "tpsl"


class PlanUnit(StrEnum):
    """What a plan's size counts: base coin or quote currency."""

    BASE = "amount"
    QUOTE = "total"


class SpotPlanState(StrEnum):
    LIVE = "live"
    EXECUTED = "executed"
    FAILED = "fail_trigger"
    CANCELLED = "cancelled"


class NewSpotOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as a face hands it in. ``by_value``: ``size`` is what a market buy spends, in quote currency.

    ``filled`` is what an order that is changed has traded of its ``size``.

    ``trigger`` makes it a take-profit or stop-loss order that waits, with its money locked, until the
    last price comes to it.
    """

    symbol: str
    side: Side
    type: OrderType
    size: Decimal
    price: Decimal | None = None
    force: Force = Force.GTC
    self_trade: SelfTrade = SelfTrade.NONE
    client_id: str = ""
    by_value: bool = False
    trigger: Decimal | None = None
    preset: Preset = Preset()
    point: str = "API"
    origin: Origin = Origin.CLIENT
    filled: Decimal = ZERO


class SpotOrder(Order, kw_only=True):
    """An order of the spot market; what only contracts have stands still.

    ``locked`` is in the coin it pays with. ``budget`` is what a market buy may spend (its ``size`` is
    then what that buys); ``waiting`` orders have a ``trigger`` that the price has not come to yet.
    ``turn`` is the place of one that waited among those at its price: behind who rested before it.
    """

    base: str
    quote: str
    market: str = SPOT
    position_side: PositionSide = PositionSide.LONG
    margin_mode: MarginMode = MarginMode.CROSSED
    leverage: int = 1
    mode: PositionMode = PositionMode.ONE_WAY
    closing: bool = False
    reduce_only: bool = False
    budget: Decimal = ZERO
    trigger: Decimal = ZERO
    waiting: bool = False
    rising: bool = False
    origin: Origin = Origin.CLIENT

    @property
    def pays(self) -> str:
        """The coin that it gives away, and locks while it waits."""
        return self.quote if self.side is Side.BUY else self.base

    @property
    def gets(self) -> str:
        """The coin that it is given, and pays its fee in."""
        return self.base if self.side is Side.BUY else self.quote


class SpotFill(msgspec.Struct, frozen=True, kw_only=True):
    """One trade of one order. ``fee`` is negative when paid, in ``fee_coin``."""

    id: int
    order_id: int
    account: int
    symbol: str
    client_id: str
    side: Side
    type: OrderType
    price: Decimal
    size: Decimal
    value: Decimal
    fee: Decimal
    fee_coin: str
    taker: bool
    ns: int


class NewSpotPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A trigger order as a face hands it in. ``execute`` ``None`` = at market."""

    symbol: str
    side: Side
    trigger: Decimal
    size: Decimal
    unit: PlanUnit = PlanUnit.BASE
    execute: Decimal | None = None
    by_mark: bool = False
    client_id: str = ""


class SpotPlan(msgspec.Struct, kw_only=True):
    """A trigger order: locks nothing, becomes an order when the last price comes to ``trigger``.

    ``rising``: it waits for a rise. ``sibling`` is the other half of a take profit and stop loss that
    came with one order: when one is executed the other is cancelled.
    """

    id: int
    account: int
    symbol: str
    client_id: str
    side: Side
    trigger: Decimal
    size: Decimal
    unit: PlanUnit
    execute: Decimal | None
    by_mark: bool
    rising: bool
    created_ns: int
    updated_ns: int
    state: SpotPlanState = SpotPlanState.LIVE
    sibling: int = 0
    execute_order_id: int = 0


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the spot statement: ``size`` came or went, ``fee`` (negative) with it; ``balance`` after both.

    ``symbol`` is that of a trade.
    """

    id: int
    account: int
    coin: str
    group: str
    business: str
    size: Decimal
    fee: Decimal
    balance: Decimal
    ns: int
    symbol: str = ""


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """Money moved between the wallets of one account."""

    id: int
    account: int
    client_id: str
    coin: str
    amount: Decimal
    source: str
    target: str
    ns: int


class SpotHoldings:
    """The spot side of one account in memory: its coins, its live orders and plans.

    ``locked`` is per coin what resting and waiting orders have set aside. A unified account's USDT is
    its one wallet; margins bind it too, so what it can spend is :func:`trader.paper.engine.spot.free`.
    """

    __slots__ = ("clients", "locked", "orders", "plan_clients", "plans", "record")

    def __init__(self, record: AccountRecord) -> None:
        self.record = record
        self.orders: dict[int, SpotOrder] = {}
        self.clients: dict[str, int] = {}
        self.plans: dict[int, SpotPlan] = {}
        self.plan_clients: dict[str, int] = {}
        self.locked: dict[str, Decimal] = {}

    def total(self, coin: str) -> Decimal:
        record = self.record
        return record.wallet if record.unified and coin == QUOTE_COIN else record.spot.get(coin, ZERO)

    def frozen(self, coin: str) -> Decimal:
        return self.locked.get(coin, ZERO)

    def available(self, coin: str) -> Decimal:
        """What no spot order locks."""
        return minus(self.total(coin), self.frozen(coin))

    def lock(self, coin: str, amount: Decimal) -> None:
        """Set aside more, or with a negative amount give back. What is not locked has no entry."""
        now = plus(self.frozen(coin), amount)
        if now:
            self.locked[coin] = now
        else:
            self.locked.pop(coin, None)
