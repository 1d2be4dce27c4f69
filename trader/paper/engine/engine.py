"""The engine as the faces see it: commands, questions, and its ear on the market.

Every command either does everything and is stored before it returns, or raises ``Refused`` and has
changed nothing. All is synchronous; who calls it decides what happens at the same time as what.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from shared.domain.order import PositionSide, Side
from trader.paper.contract import FUTURES, SPOT
from trader.paper.engine import (
    algos,
    checks,
    conditional,
    estimates,
    expiry,
    liquidation,
    margins,
    matching,
    modifying,
    orders,
    placing,
    plans,
    positions,
    protection,
    settings,
    transfers,
    triggers,
)
from trader.paper.engine.accounts import Account, Funds
from trader.paper.engine.batch import Batch, PlanQuery, Query, Store
from trader.paper.engine.core import Core
from trader.paper.engine.model import (
    AccountKind,
    AccountRecord,
    Bill,
    ClientIds,
    Entry,
    Fill,
    Kind,
    MarginMode,
    NewOrder,
    Order,
    Plan,
    PlanKind,
    PlanState,
    Position,
    PositionMode,
    SymbolSettings,
)
from trader.paper.engine.money import ZERO
from trader.paper.engine.refusals import Reason, Refused
from trader.paper.engine.spot_desk import SpotDesk
from trader.paper.market import FundingDue, MarketEvent, MarketHub, MarketState, SymbolAdded, Traded

#: A market event settles in a few rounds; this bounds a chain of fills that set off each other.
_MOST_ROUNDS = 50


class Engine:
    """One engine for all accounts and faces."""

    def __init__(self, hub: MarketHub, store: Store) -> None:
        self.core = Core(hub, store)
        self.spot = SpotDesk(self.core)
        self._restore()
        hub.subscribe(self._on_market)

    # accounts

    def open_account(
        self, record: AccountRecord, balance: Decimal, spot: Mapping[str, Decimal] | None = None
    ) -> Account:
        """A new account with its first deposits: USDT for futures, coins for spot (zero is none)."""
        checks.number(balance, "balance")
        for coin, amount in (spot or {}).items():
            transfers.check_deposit(None, "spot", coin, amount)
        core = self.core
        core.command_time()
        record.id = max(core.accounts, default=0) + 1
        record.created_ns = core.now_ns
        account = core.adopt(record)
        core.touch(account)
        core.post(account, Kind.DEPOSIT, record.id, "", balance)
        self.spot.open_with(account, spot or {})
        core.commit()
        return account

    def account(self, number: int) -> Account | None:
        return self.core.accounts.get(number)

    def by_key(self, key: str, *kinds: AccountKind) -> Account | None:
        """The account that a key opens; with ``kinds`` only one of these, as for a venue that knows no other."""
        account = self.core.by_key.get(key)
        return account if account is None or not kinds or account.record.kind in kinds else None

    @property
    def accounts(self) -> list[Account]:
        return list(self.core.accounts.values())

    def funds(self, account: Account) -> Funds:
        return account.funds(self.core.mark)

    def entries(self, account: Account, after: int = 0, limit: int = 100_000) -> list[Entry]:
        """The ledger from ``after`` on, oldest first."""
        return self.core.store.entries(account.id, after, limit)

    # settings

    def set_leverage(
        self, account: Account, symbol: str, value: int | settings.Leverage, side: PositionSide | None = None
    ) -> SymbolSettings:
        self.core.command_time()
        if isinstance(value, int):
            mode = account.settings(self.core.spec(symbol)).margin_mode
            hedge = account.record.position_mode is PositionMode.HEDGE
            value = settings.leverage_for(mode, hedge, value, side)
        changed = settings.set_leverage(self.core, account, symbol, value)
        self._finish(symbol)
        return changed

    def set_client_ids(self, account: Account, rule: ClientIds) -> None:
        """Among what the client ids of this account's orders must be unique."""
        self.core.command_time()
        account.record.client_ids = rule
        self.core.touch(account)
        self.core.commit()

    def set_margin_mode(self, account: Account, symbol: str, mode: MarginMode) -> SymbolSettings:
        self.core.command_time()
        changed = settings.set_margin_mode(self.core, account, symbol, mode)
        self.core.commit()
        return changed

    def set_position_mode(self, account: Account, mode: PositionMode) -> None:
        self.core.command_time()
        settings.set_position_mode(self.core, account, mode)
        self.core.commit()

    def adjust_margin(
        self, account: Account, symbol: str, side: PositionSide | None, amount: Decimal
    ) -> Position:
        """Add margin to an isolated position, or (negative) take it back."""
        self.core.command_time()
        position = margins.isolated(self.core, account, symbol, side)
        margins.adjust(self.core, account, position, amount)
        self._finish(symbol)
        return position

    def set_auto_margin(self, account: Account, symbol: str, side: PositionSide | None, on: bool) -> None:
        self.core.command_time()
        margins.set_auto(self.core, account, margins.isolated(self.core, account, symbol, side), on)
        self._finish(symbol)

    def respecified(self, symbol: str) -> None:
        """The tiers, fees or status of a futures symbol were changed: judge its positions anew."""
        core = self.core
        index = core.symbols.get((FUTURES, symbol))
        if index is not None:
            core.command_time()
            for position in list(index.held.values()):
                positions.watch(core, core.accounts[position.account], position)
            self._finish(symbol)

    # orders

    def place(self, account: Account, new: NewOrder) -> placing.Placed:
        self.core.command_time()
        placed = placing.place(self.core, account, new)
        self._finish(new.symbol)
        return placed

    def judge(self, account: Account, new: NewOrder) -> tuple[NewOrder, placing.Ticket]:
        """What an order would do if it were placed now (with the price that it would get); nothing is changed."""
        self.core.command_time()
        new = placing.priced(self.core.state(new.symbol), new)
        return new, placing.check(self.core, account, new)

    def modify(self, account: Account, order: Order, change: modifying.Change) -> Order:
        """The changed order; with a new size or price a new one."""
        self.core.command_time()
        changed = modifying.modify(self.core, account, order, change)
        self._finish(order.symbol)
        return changed

    def amend(self, account: Account, order: Order, size: Decimal, price: Decimal) -> Order:
        """The same order with another size and price; it may have traded or ended by it."""
        self.core.command_time()
        modifying.amend(self.core, account, order, size, price)
        self._finish(order.symbol)
        return order

    def reverse(
        self, account: Account, position: Position, size: Decimal | None = None, client_id: str = ""
    ) -> Order:
        """Close a position at market, open the opposite one; the order that opened it."""
        self.core.command_time()
        order = modifying.reverse(self.core, account, position, size, client_id)
        self._finish(position.symbol)
        return order

    def cancel(self, account: Account, order: Order) -> None:
        self.core.command_time()
        orders.cancel(self.core, account, order)
        self._commit()

    def countdown(self, account: Account, symbol: str, ns: int) -> None:
        """Cancel all orders of the symbol in ``ns`` nanoseconds, unless this is called again before; 0 stops it."""
        self.core.command_time()
        expiry.countdown(self.core, account, symbol, ns)
        self._commit()

    def cancel_all(self, account: Account, symbol: str = "") -> list[Order]:
        """Cancel every resting order (of one symbol); those that were."""
        self.core.command_time()
        found = [order for order in account.orders.values() if symbol in ("", order.symbol)]
        for order in found:
            orders.cancel(self.core, account, order)
        self._commit()
        return found

    def close_positions(
        self, account: Account, symbol: str = "", side: PositionSide | None = None
    ) -> tuple[list[Order], list[tuple[Position, Refused]]]:
        """Close at market; (orders, what could not be closed and why). Nothing held is a refusal."""
        self.core.command_time()
        found = [
            position
            for position in account.positions.values()
            if symbol in ("", position.symbol) and side in (None, position.side)
        ]
        if not found:
            raise Refused(Reason.NO_POSITION, symbol)
        done: list[Order] = []
        failed: list[tuple[Position, Refused]] = []
        for position in found:
            try:
                done.append(placing.close_position(self.core, account, position))
            except Refused as refused:
                failed.append((position, refused))
        for name in {position.symbol for position in found}:
            self._settle(self.core.state(name))
        self._commit()
        return done, failed

    def pending(self, account: Account, number: int = 0, client_id: str = "") -> Order | None:
        """A resting order by id or client id."""
        return account.orders.get(number or account.clients.get(client_id, 0))

    def order(self, account: Account, number: int = 0, client_id: str = "") -> Order | None:
        """Any order of the account; of several with one client id the pending, else the newest."""
        found = self.pending(account, number, client_id)
        if found is not None:
            return found
        store = self.core.store
        return store.order(account.id, number) if number else store.order_by_client(account.id, client_id)

    def orders(self, account: Account, query: Query) -> list[Order]:
        """Finished orders, newest first."""
        return self.core.store.orders(account.id, query)

    def fills(self, account: Account, query: Query) -> list[Fill]:
        return self.core.store.fills(account.id, query)

    # protection

    def place_plan(self, account: Account, new: protection.NewPlan) -> Plan:
        self.core.command_time()
        plan = protection.place(self.core, account, new)
        self._finish(new.symbol)
        return plan

    def place_plans(
        self, account: Account, wanted: list[protection.NewPlan], *, paired: bool = False
    ) -> list[Plan]:
        """All or none. ``paired``: two of them are the halves of one."""
        self.core.command_time()
        for new in wanted:
            protection.check(self.core, account, new)
        named = [new.client_id for new in wanted if new.client_id]
        if len(set(named)) < len(named):
            raise Refused(Reason.DUPLICATE_CLIENT_ID, named[0])
        placed = [protection.place(self.core, account, new) for new in wanted]
        if paired and len(placed) == 2:
            plans.pair(self.core, placed[0], placed[1])
        for symbol in {new.symbol for new in wanted}:
            self._settle(self.core.state(symbol))
        self.core.commit()
        return placed

    def place_trigger(self, account: Account, new: conditional.NewTrigger) -> Plan:
        """A conditional order: a trigger order or a trailing entry."""
        self.core.command_time()
        plan = conditional.place(self.core, account, new)
        self._finish(new.symbol)
        return plan

    def place_algo(self, account: Account, new: algos.NewAlgo) -> Plan:
        """An algo order; an immediate trigger is refused, so it always waits first."""
        self.core.command_time()
        plan = algos.place(self.core, account, new)
        self._finish(new.symbol)
        return plan

    def cancel_algos(self, account: Account, symbol: str) -> list[Plan]:
        """Cancel every waiting algo order of a symbol; those that were."""
        self.core.command_time()
        found = [plan for plan in account.plans.values() if plan.kind.algo and plan.symbol == symbol]
        for plan in found:
            plans.end(self.core, account, plan, PlanState.CANCELLED)
        self._commit()
        return found

    def modify_trigger(self, account: Account, plan: Plan, wanted: conditional.Change) -> None:
        self.core.command_time()
        conditional.modify(self.core, account, plan, wanted)
        self._finish(plan.symbol)

    def modify_protection(self, account: Account, plan: Plan, wanted: protection.Change) -> None:
        self.core.command_time()
        protection.modify(self.core, account, plan, wanted)
        self._finish(plan.symbol)

    def modify_pair(
        self,
        account: Account,
        changes: list[tuple[Plan, protection.Change]],
        added: protection.NewPlan | None = None,
    ) -> None:
        """Change one or both halves of a protection, and add the one that is missing: all or nothing."""
        core = self.core
        core.command_time()
        for plan, wanted in changes:
            protection.check_change(core, account, plan, wanted)
        if added is not None:
            protection.check(core, account, added)
        for plan, wanted in changes:
            protection.modify(core, account, plan, wanted)
        if added is not None:
            plans.pair(core, changes[0][0], protection.place(core, account, added))
        self._finish(changes[0][0].symbol)

    def cancel_plan(self, account: Account, plan: Plan) -> None:
        self.core.command_time()
        plans.end(self.core, account, plan, PlanState.CANCELLED)
        self._commit()

    def fired_plan(self, account: Account, number: int = 0, client_id: str = "") -> Plan | None:
        """A triggered algo order whose order has not ended."""
        if number:
            return account.fired.get(number)
        return next((plan for plan in account.fired.values() if plan.client_id == client_id), None)

    def live_plan(self, account: Account, number: int = 0, client_id: str = "") -> Plan | None:
        return account.plans.get(number or account.plan_clients.get(client_id, 0))

    def plan(self, account: Account, number: int = 0, client_id: str = "") -> Plan | None:
        """Any plan of the account; of several with one client id the live, else the newest."""
        found = self.live_plan(account, number, client_id) or self.fired_plan(account, number, client_id)
        if found is not None:
            return found
        if number:
            return self.core.store.plan(account.id, number)
        ended = self.plans(account, PlanQuery(client_id=client_id, limit=1)) if client_id else []
        return ended[0] if ended else None

    def plans(self, account: Account, query: Query) -> list[Plan]:
        """Finished plans, newest first; a :class:`PlanQuery` may narrow them further."""
        return self.core.store.plans(account.id, query)

    def keep_trails(self) -> None:
        """Before an orderly stop: store how far the trailing plans have followed."""
        if not self.core.store.failed:
            plans.keep_all(self.core)
            self.core.commit()

    # positions

    def liquidation_price(self, account: Account, position: Position, funds: Funds) -> Decimal:
        return liquidation.price_of(self.core, account, position, funds)

    def crossed_margins(self, account: Account, funds: Funds) -> tuple[Decimal, Decimal]:
        """(equity behind the crossed positions, their maintenance)."""
        return liquidation.crossed_margins(self.core, account, funds)

    def guard(self, account: Account, position: Position, kind: PlanKind) -> Plan | None:
        return account.protection(position, kind)

    def closed(self, account: Account, query: Query) -> list[Position]:
        """Positions that were closed, newest first."""
        return self.core.store.closed(account.id, query)

    def max_open(self, account: Account, wanted: estimates.Wanted) -> Decimal:
        return estimates.max_open(self.core, account, wanted)

    def estimated_liquidation(self, account: Account, wanted: estimates.Wanted, size: Decimal) -> Decimal:
        return estimates.liquidation_price(self.core, account, wanted, size)

    def open_interest(self, symbol: str) -> Decimal:
        """What the accounts of this exchange hold of a symbol, long and short together, in base coin."""
        index = self.core.symbols.get((FUTURES, symbol))
        return sum((p.size for p in index.held.values()), ZERO) if index else ZERO

    def bills(self, account: Account, query: Query) -> list[Bill]:
        """The statement, newest first."""
        return self.core.store.bills(account.id, query)

    # outside

    def listen(self, listener: Callable[[list[Batch]], None]) -> None:
        """Called after every stored change, in the order of the changes."""
        self.core.listeners.append(listener)

    def unheard(self) -> list[tuple[str, Decimal]]:
        """Symbols with orders or positions that the hub does not carry, with a price of theirs."""
        core = self.core
        used = {order.symbol: order.price for order in core.live_orders.values() if order.market == FUTURES}
        used |= {plan.symbol: plan.trigger for plan in core.live_plans.values()}
        used |= {position.symbol: position.entry for position in core.open_positions.values()}
        return sorted(item for item in used.items() if (FUTURES, item[0]) not in core.hub.states)

    def _finish(self, symbol: str) -> None:
        self._settle(self.core.state(symbol))
        self._commit()

    def _commit(self) -> None:
        """Hand on what changed, and be called when the next thing falls due."""
        core = self.core
        core.commit()
        core.hub.set_alarm(core.timers.next_ns, self._on_alarm)

    def _on_alarm(self) -> None:
        core = self.core
        core.event_time()
        for symbol in expiry.run(core):
            self._settle(core.state(symbol))
        self._commit()

    def _settle(self, state: MarketState, *, moved: bool = False) -> None:
        """Let the present price do what it must, until quiet: fills, protection, liquidation.

        Resting orders are looked at only when the market ``moved``. Accounts whose money changed are
        judged whatever the symbol: also by funding while it does not trade.
        """
        core = self.core
        lively = state.trading and (state.market, state.symbol) in core.symbols
        for _ in range(_MOST_ROUNDS):
            busy = False
            if lively:
                busy |= matching.FuturesPit(core, state).touched() if moved else False
                busy |= triggers.fire(core, state)
                busy |= liquidation.check(core, state)
            busy |= liquidation.judge(core)
            if not busy:
                return

    def _on_market(self, event: MarketEvent) -> None:
        state = event.state
        if state.market == SPOT:
            self.spot.on_market(event)
            return
        if (state.market, state.symbol) not in self.core.symbols or isinstance(event, SymbolAdded):
            return
        self.core.event_time()
        if isinstance(event, FundingDue):
            positions.fund(self.core, state.symbol, event.rate, event.mark, event.ns)
        if isinstance(event, Traded) and state.trading:
            matching.FuturesPit(self.core, state).traded(event.price, event.size, Side(event.side))
        self._settle(state, moved=True)
        self._commit()

    def _restore(self) -> None:
        restored = self.core.store.load()
        core = self.core
        core.last_id = restored.last_id
        core.totals = dict(restored.totals)
        for record in restored.accounts:
            core.adopt(record)
        for position in restored.positions:
            core.accounts[position.account].positions[(position.symbol, position.side)] = position
            core.open_positions[position.id] = position
        for order in restored.orders:
            account = core.accounts[order.account]
            account.orders[order.id] = order
            account.clients[order.client_id] = order.id
            core.live_orders[order.id] = order
        for plan in restored.plans:
            account = core.accounts[plan.account]
            if plan.state is PlanState.TRIGGERED:
                account.fired[plan.id] = plan
                continue
            account.plans[plan.id] = plan
            account.plan_clients[plan.client_id] = plan.id
            core.live_plans[plan.id] = plan
        self.spot.restore(restored.spot)

    def arm(self) -> None:
        """After a restart, when the market stands: put what was restored back into the indexes."""
        core = self.core
        for position in core.open_positions.values():
            positions.watch(core, core.accounts[position.account], position)
        for order in core.live_orders.values():
            orders.index_again(core, core.accounts[order.account], order)
        for plan in core.live_plans.values():
            plans.watch(core, plan)
        core.command_time()
        expiry.arm(core)
        expiry.run(core)
        core.doubtful.clear()  # each is judged with its symbols, after their protection had its turn
        for market, symbol in list(core.symbols):
            core.command_time()
            self._settle(core.state(symbol, market), moved=True)
        self._commit()
        self.spot.arm()
