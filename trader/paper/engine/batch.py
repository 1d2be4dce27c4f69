"""What one command or one market event changed: written as one transaction, then pushed."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from decimal import Decimal
from typing import Protocol

import msgspec

from shared.errors import KestrelError
from trader.paper.engine.model import (
    AccountRecord,
    Bill,
    Entry,
    Fill,
    Kind,
    Order,
    Plan,
    PlanKind,
    PlanState,
    Position,
)
from trader.paper.engine.spot_batch import SpotBatch, SpotRestored, SpotStore

PositionKey = tuple[int, str, str]


class OrderStep(msgspec.Struct, frozen=True):
    """One push of the ``orders`` channel: the order as it was then, and the fill that changed it.

    ``amended``: its price or size was changed, and nothing else.
    """

    order: Order
    fill: Fill | None = None
    amended: bool = False


class Batch(msgspec.Struct):
    """Entities are kept once each in their latest form; steps, fills and entries in their order."""

    accounts: dict[int, AccountRecord] = {}
    orders: dict[int, Order] = {}
    positions: dict[PositionKey, Position] = {}
    plans: dict[int, Plan] = {}
    fills: list[Fill] = []
    entries: list[Entry] = []
    closed: list[Position] = []
    steps: list[OrderStep] = []
    plan_steps: list[Plan] = []
    totals: dict[tuple[Kind, str], Decimal] = {}
    bills: list[Bill] = []
    spot: SpotBatch = msgspec.field(default_factory=SpotBatch)

    def __bool__(self) -> bool:
        return bool(
            self.accounts or self.orders or self.positions or self.plans or self.entries or self.spot.accounts
        )

    def order(self, order: Order, fill: Fill | None = None, *, amended: bool = False) -> None:
        self.orders[order.id] = order
        self.steps.append(OrderStep(copy(order), fill, amended))

    def plan(self, plan: Plan) -> None:
        self.plans[plan.id] = plan
        self.plan_steps.append(copy(plan))

    def position(self, position: Position) -> None:
        self.positions[(position.account, position.symbol, position.side.value)] = position


class StateLostError(KestrelError):
    """A change could not be stored; the engine does nothing more."""


def merged(batches: list[Batch]) -> Batch:
    """What several batches leave behind: entities in their latest form, everything else in its order."""
    whole = Batch()
    for batch in batches:
        whole.accounts.update(batch.accounts)
        whole.orders.update(batch.orders)
        whole.positions.update(batch.positions)
        whole.plans.update(batch.plans)
        whole.totals.update(batch.totals)
        whole.fills += batch.fills
        whole.entries += batch.entries
        whole.closed += batch.closed
        whole.bills += batch.bills
    return whole


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A page of history, newest first: ids below ``before``, created inside the times (ns).

    ``kind`` is for bills only. ``first``: ids from here on; ``upward``: oldest first.
    """

    symbol: str = ""
    order_id: int = 0
    before: int = 0
    first: int = 0
    upward: bool = False
    since_ns: int = 0
    until_ns: int = 0
    limit: int = 100
    kind: str = ""


class PlanQuery(Query, frozen=True, kw_only=True):
    """A page of finished plans; empty = any."""

    client_id: str = ""
    kinds: tuple[PlanKind, ...] = ()
    state: PlanState | None = None


class Restored(msgspec.Struct):
    """What a store brings back at start."""

    accounts: list[AccountRecord] = []
    orders: list[Order] = []
    positions: list[Position] = []
    plans: list[Plan] = []
    totals: dict[tuple[Kind, str], Decimal] = {}
    last_id: int = 0
    spot: SpotRestored = msgspec.field(default_factory=SpotRestored)


class Store(Protocol):
    """Where batches go. ``on_stored`` hears of them when a killed process can no longer lose them.

    What was written and not stored yet is part of every answer. ``write`` raises ``StateLostError`` when
    an earlier batch could not be stored.
    """

    failed: bool
    on_stored: Callable[[list[Batch]], None]

    @property
    def spot(self) -> SpotStore: ...
    def write(self, batch: Batch) -> None: ...
    def load(self) -> Restored: ...
    def order(self, account: int, number: int) -> Order | None: ...
    def order_by_client(self, account: int, client_id: str) -> Order | None: ...
    def orders(self, account: int, query: Query) -> list[Order]: ...
    def fills(self, account: int, query: Query) -> list[Fill]: ...
    def plan(self, account: int, number: int) -> Plan | None: ...
    def plans(self, account: int, query: Query) -> list[Plan]: ...
    def closed(self, account: int, query: Query) -> list[Position]: ...
    def entries(self, account: int, after: int, limit: int) -> list[Entry]: ...
    def bills(self, account: int, query: Query) -> list[Bill]: ...
