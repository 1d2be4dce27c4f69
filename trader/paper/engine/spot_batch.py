"""The spot part of a batch, and of the store that it goes to."""

from __future__ import annotations

from copy import copy
from typing import Protocol

import msgspec

from trader.paper.engine.model import AccountRecord
from trader.paper.engine.spot_model import Bill, SpotFill, SpotOrder, SpotPlan, SpotPlanState, Transfer


class SpotStep(msgspec.Struct, frozen=True):
    """One push of the spot ``orders`` channel: the order as it was then, and the fill that changed it."""

    order: SpotOrder
    fill: SpotFill | None = None


class SpotBatch(msgspec.Struct):
    """``accounts`` are those with a spot change; ``coins`` which of their coins moved or were locked."""

    accounts: dict[int, AccountRecord] = {}
    coins: dict[int, dict[str, None]] = {}
    orders: dict[int, SpotOrder] = {}
    plans: dict[int, SpotPlan] = {}
    fills: list[SpotFill] = []
    bills: list[Bill] = []
    transfers: list[Transfer] = []
    steps: list[SpotStep] = []
    plan_steps: list[SpotPlan] = []

    def touch(self, record: AccountRecord, *coins: str) -> None:
        self.accounts[record.id] = record
        self.coins.setdefault(record.id, {}).update(dict.fromkeys(coins))

    def order(self, order: SpotOrder, fill: SpotFill | None = None) -> None:
        self.orders[order.id] = order
        self.steps.append(SpotStep(copy(order), fill))

    def plan(self, plan: SpotPlan) -> None:
        self.plans[plan.id] = plan
        self.plan_steps.append(copy(plan))


class SpotQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of spot history, newest first. Empty text and 0 do not filter.

    ``coin``, ``group`` and ``business`` are for bills and transfers, ``source`` for transfers,
    ``waited`` for orders: with or without a trigger.
    """

    symbol: str = ""
    order_id: int = 0
    before: int = 0
    since_ns: int = 0
    until_ns: int = 0
    limit: int = 100
    coin: str = ""
    group: str = ""
    business: str = ""
    source: str = ""
    client_id: str = ""
    waited: bool | None = None


class SpotRestored(msgspec.Struct):
    orders: list[SpotOrder] = []
    plans: list[SpotPlan] = []
    last_id: int = 0


class SpotStore(Protocol):
    """The questions that spot calls ask about what is over."""

    def order(self, account: int, number: int) -> SpotOrder | None: ...
    def order_by_client(self, account: int, client_id: str) -> SpotOrder | None: ...
    def orders(self, account: int, query: SpotQuery) -> list[SpotOrder]: ...
    def fills(self, account: int, query: SpotQuery) -> list[SpotFill]: ...
    def plan(self, account: int, number: int) -> SpotPlan | None: ...
    def plans(self, account: int, query: SpotQuery) -> list[SpotPlan]: ...
    def bills(self, account: int, query: SpotQuery) -> list[Bill]: ...
    def transfers(self, account: int, query: SpotQuery) -> list[Transfer]: ...


def live(plan: SpotPlan) -> bool:
    return plan.state is SpotPlanState.LIVE
