"""The spot side of the engine as the faces see it. Same promise: all done and stored, or refused and unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from shared.domain.order import Side
from trader.paper.contract import SPOT
from trader.paper.engine import liquidation, spot_orders, spot_plans, spot_triggers, transfers
from trader.paper.engine.accounts import Account
from trader.paper.engine.core import Core
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_batch import SpotRestored, SpotStore
from trader.paper.engine.spot_model import (
    NewSpotOrder,
    NewSpotPlan,
    SpotOrder,
    SpotPlan,
    SpotPlanState,
    Transfer,
)
from trader.paper.market import MarketEvent, MarketState, SymbolAdded, Traded

#: A chain of orders that set off each other ends here.
_MOST_ROUNDS = 50


class SpotDesk:
    """Commands and questions of spot calls."""

    def __init__(self, core: Core) -> None:
        self.core = core

    @property
    def store(self) -> SpotStore:
        """What is over: orders, fills, plans, bills, transfers."""
        return self.core.store.spot

    # money

    def open_with(self, account: Account, coins: Mapping[str, Decimal]) -> None:
        """The first spot deposits of an account, inside the command that opens it."""
        for coin, amount in coins.items():
            transfers.deposit(self.core, account, "spot", coin, amount)

    def deposit(self, account: Account, wallet: str, coin: str, amount: Decimal) -> None:
        self.core.command_time()
        transfers.check_deposit(account, wallet, coin, amount)
        transfers.deposit(self.core, account, wallet, coin, amount)
        liquidation.judge(self.core)
        self.core.commit()

    def transfer(
        self, account: Account, source: str, target: str, amount: Decimal, client_id: str = ""
    ) -> Transfer:
        self.core.command_time()
        done = transfers.transfer(self.core, account, source, target, amount, client_id=client_id)
        liquidation.judge(self.core)
        self.core.commit()
        return done

    # orders

    def place(self, account: Account, new: NewSpotOrder) -> SpotOrder:
        self.core.command_time()
        order = spot_orders.place(self.core, account, new)
        self._finish(new.symbol)
        return order

    def replace(
        self, account: Account, order: SpotOrder, price: Decimal, size: Decimal, **changes: object
    ) -> SpotOrder:
        """Cancel a limit order and place it anew; when the new one is refused the old one stays."""
        self.core.command_time()
        new = NewSpotOrder(
            symbol=order.symbol, side=order.side, type=order.type, force=order.force, size=size, price=price
        )
        new = msgspec.structs.replace(new, **changes)
        placed = spot_orders.place(self.core, account, new, replacing=order)
        self._finish(new.symbol)
        return placed

    def amend(self, account: Account, order: SpotOrder, size: Decimal, price: Decimal) -> None:
        """The same order with another size and price; it may have traded or ended by it."""
        self.core.command_time()
        spot_orders.amend(self.core, account, order, size, price)
        self._finish(order.symbol)

    def cancel(self, account: Account, order: SpotOrder) -> None:
        self.core.command_time()
        spot_orders.cancel(self.core, account, order)
        self.core.commit()

    def cancel_all(self, account: Account, symbol: str = "") -> list[SpotOrder]:
        """Cancel every live order (of one symbol); those that were."""
        self.core.command_time()
        found = [order for order in account.spot.orders.values() if symbol in {"", order.symbol}]
        for order in found:
            spot_orders.cancel(self.core, account, order)
        self.core.commit()
        return found

    def pending(self, account: Account, number: int = 0, client_id: str = "") -> SpotOrder | None:
        """A live order by id or client id."""
        return account.spot.orders.get(number or account.spot.clients.get(client_id, 0))

    def order(self, account: Account, number: int = 0, client_id: str = "") -> SpotOrder | None:
        """Any order; of several with one client id the pending, else the newest."""
        found = self.pending(account, number, client_id)
        if found is not None:
            return found
        return (
            self.store.order(account.id, number)
            if number
            else self.store.order_by_client(account.id, client_id)
        )

    # plans

    def place_plan(self, account: Account, new: NewSpotPlan) -> SpotPlan:
        self.core.command_time()
        plan = spot_plans.place(self.core, account, new)
        self._finish(new.symbol)
        return plan

    def modify_plan(self, account: Account, plan: SpotPlan, new: NewSpotPlan) -> None:
        self.core.command_time()
        spot_plans.modify(self.core, account, plan, new)
        self._finish(new.symbol)

    def cancel_plans(self, account: Account, plans: list[SpotPlan]) -> None:
        self.core.command_time()
        for plan in plans:
            spot_plans.end(self.core, account, plan, SpotPlanState.CANCELLED)
        self.core.commit()

    def live_plan(self, account: Account, number: int = 0, client_id: str = "") -> SpotPlan | None:
        return account.spot.plans.get(number or account.spot.plan_clients.get(client_id, 0))

    # outside

    def unheard(self) -> list[tuple[str, Decimal]]:
        """Symbols with live orders or plans that the hub does not carry, with a price of theirs."""
        floor = self.core.spot
        used = {plan.symbol: plan.trigger for plan in floor.plans.values()}
        used |= {order.symbol: order.price or order.trigger for order in floor.orders.values()}
        return sorted(item for item in used.items() if (SPOT, item[0]) not in self.core.hub.states)

    def on_market(self, event: MarketEvent) -> None:
        if event.state.symbol not in self.core.spot.symbols or isinstance(event, SymbolAdded):
            return
        self.core.event_time()
        if isinstance(event, Traded) and event.state.trading:
            pit = spot_orders.SpotPit(self.core, event.state)
            pit.traded(event.price, event.size, Side(event.side))
        self._settle(event.state, moved=True)
        self.core.commit()

    def _finish(self, symbol: str) -> None:
        state = self.core.hub.states.get((SPOT, symbol))
        if state is None:
            raise Refused(Reason.UNKNOWN_SYMBOL, symbol)
        self._settle(state)
        self.core.commit()

    def _settle(self, state: MarketState, *, moved: bool = False) -> None:
        core = self.core
        if not state.trading or state.symbol not in core.spot.symbols:
            return
        for _ in range(_MOST_ROUNDS):
            busy = spot_orders.SpotPit(core, state).touched() if moved else False
            busy |= spot_triggers.fire(core, state)
            busy |= liquidation.judge(core)
            if not busy:
                return

    def restore(self, restored: SpotRestored) -> None:
        core = self.core
        for order in restored.orders:
            holdings = core.accounts[order.account].spot
            holdings.orders[order.id] = order
            holdings.clients[order.client_id] = order.id
            holdings.lock(order.pays, order.locked)
            core.spot.orders[order.id] = order
        for plan in restored.plans:
            holdings = core.accounts[plan.account].spot
            holdings.plans[plan.id] = plan
            holdings.plan_clients[plan.client_id] = plan.id
            core.spot.plans[plan.id] = plan

    def arm(self) -> None:
        """After a restart, when the market stands."""
        core = self.core
        for order in core.spot.orders.values():
            spot_orders.index_again(core, order)
        for plan in core.spot.plans.values():
            spot_plans.watch(core, plan)
        for symbol in list(core.spot.symbols):
            core.command_time()
            self._settle(core.hub.states[(SPOT, symbol)], moved=True)
        core.commit()
