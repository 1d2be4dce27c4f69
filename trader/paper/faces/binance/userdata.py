"""User data: what stored batches look like to each of the accounts that listen.

Per batch: algo orders whose price came, orders with their trades, what became of wallet and positions (one
ACCOUNT_UPDATE for each reason, with the entries that changed), the other algo orders, settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

import msgspec

from trader.paper.contract import ContractSpec
from trader.paper.engine.accounts import Account
from trader.paper.engine.batch import Batch
from trader.paper.engine.engine import Engine
from trader.paper.engine.model import BillKind, Entry, Kind, MarginMode, Plan, Position
from trader.paper.engine.money import ZERO
from trader.paper.faces.binance import algoevents, userevents
from trader.paper.faces.binance.userevents import Event, Leg, Row

_REASONS = {
    Kind.OPEN_FEE: "ORDER",
    Kind.CLOSE_FEE: "ORDER",
    Kind.REALISED_PNL: "ORDER",
    Kind.FUNDING: "FUNDING_FEE",
    Kind.DEPOSIT: "DEPOSIT",
    Kind.TRANSFER_IN: "DEPOSIT",
    Kind.TRANSFER_OUT: "WITHDRAW",
    Kind.LIQUIDATION_FEE: "INSURANCE_CLEAR",
    Kind.INSURANCE: "INSURANCE_CLEAR",
}
#: What ``bc`` leaves out.
_OF_TRADES = frozenset({Kind.OPEN_FEE, Kind.CLOSE_FEE, Kind.REALISED_PNL})
_MOVES = frozenset({BillKind.ADD_MARGIN, BillKind.REMOVE_MARGIN, BillKind.AUTO_MARGIN})

LegKey = tuple[str, str]


class Told(msgspec.Struct):
    """What an account's listeners know: its legs, its cross wallet, its settings by symbol."""

    legs: dict[LegKey, Leg]
    crossed: Decimal
    settings: dict[str, tuple[int, MarginMode]]


class Chronicle:
    """``begin`` when an account gets its first listener, ``end`` when the last one has gone."""

    def __init__(self, engine: Engine, now: Callable[[], int]) -> None:
        self._engine = engine
        self._core = engine.core
        self._now = now
        self._told: dict[int, Told] = {}

    def begin(self, number: int) -> None:
        if number not in self._told:
            account = self._core.accounts[number]
            self._told[number] = Told(_legs(account), _crossed(account), self._settings(account))

    def end(self, number: int) -> None:
        self._told.pop(number, None)

    def of(self, batches: list[Batch]) -> dict[int, list[Event]]:
        """The events of every account that listens, in their order. The state is that after all batches."""
        found: dict[int, list[Event]] = {}
        if not self._told:
            return found
        for batch in batches:
            for number in self._concerned(batch):
                events = list(self._of_account(batch, self._core.accounts[number], self._told[number]))
                if events:
                    found.setdefault(number, []).extend(events)
        return found

    def _concerned(self, batch: Batch) -> Iterable[int]:
        numbers: dict[int, None] = dict.fromkeys(batch.accounts)
        numbers.update(dict.fromkeys(order.account for order in batch.orders.values()))
        numbers.update(dict.fromkeys(key[0] for key in batch.positions))
        numbers.update(dict.fromkeys(plan.account for plan in batch.plan_steps))
        return [number for number in numbers if number in self._told]

    def _of_account(self, batch: Batch, account: Account, told: Told) -> Iterator[Event]:
        now = self._now()
        plans = [plan for plan in batch.plan_steps if plan.account == account.id and plan.kind.algo]
        yield from self._plans((plan for plan in plans if plan.state in algoevents.BEFORE), now)
        for step in batch.steps:
            if step.order.account == account.id:
                yield from userevents.of_step(self._core, account, step, now)
        yield from self._money(batch, account, told, now)
        yield from self._plans((plan for plan in plans if plan.state not in algoevents.BEFORE), now)
        if account.id in batch.accounts:
            yield from self._changed_settings(account, told, now)

    def _plans(self, plans: Iterable[Plan], now: int) -> Iterator[Event]:
        for plan in plans:
            yield from algoevents.of_plan(self._core.spec(plan.symbol), plan, now)

    # wallet and positions

    def _money(self, batch: Batch, account: Account, told: Told, now: int) -> Iterator[Event]:
        legs, before = _legs(account), told.legs
        moved = [key for key in {**before, **legs} if before.get(key) != legs.get(key)]
        crossed = _crossed(account)
        told.legs = legs
        groups = _groups(entry for entry in batch.entries if entry.account == account.id)
        if not groups and (moved or crossed != told.crossed):
            groups = [(_reason(batch, account), [])]
        closed = {userevents.leg_key(p): p for p in batch.closed if p.account == account.id}
        told.crossed = crossed
        for reason, entries in groups:
            shown = [] if reason in {"DEPOSIT", "WITHDRAW", "INSURANCE_CLEAR"} else moved
            if reason == "FUNDING_FEE":
                shown = [key for key in moved if key in legs and legs[key].mode is MarginMode.ISOLATED]
            rows = [self._leg_row(account, legs.get(key) or _gone(before, closed, key), key) for key in shown]
            wallet = entries[-1].balance if entries else account.record.wallet
            change = sum((entry.amount for entry in entries if entry.kind not in _OF_TRADES), ZERO)
            isolated = account.record.wallet - crossed
            balance = userevents.balance_row(wallet, wallet - isolated, change)
            yield userevents.account_update(reason, now, self._core.now_ns, [balance], rows)

    def _leg_row(self, account: Account, leg: Leg, key: LegKey) -> Row:
        held = (p for p in account.held(leg.symbol) if userevents.leg_key(p) == key)
        return userevents.leg_row(self._core, leg, next(held, None))

    # settings

    def _settings(self, account: Account) -> dict[str, tuple[int, MarginMode]]:
        return {
            symbol: (one.cross_leverage, one.margin_mode) for symbol, one in account.record.settings.items()
        }

    def _changed_settings(self, account: Account, told: Told, now: int) -> Iterator[Event]:
        settings, before = self._settings(account), told.settings
        if settings == before:
            return
        told.settings = settings
        ns = self._core.now_ns
        for symbol, (leverage, mode) in settings.items():
            was_leverage, was_mode = before.get(symbol) or _default(account, self._core.spec(symbol))
            if leverage != was_leverage:
                yield userevents.leverage_update(now, ns, symbol, leverage)
            if mode is not was_mode:
                row = userevents.empty_leg(account, symbol, mode)
                yield userevents.account_update("MARGIN_TYPE_CHANGE", now, ns, [], [row])


def _groups(entries: Iterable[Entry]) -> list[tuple[str, list[Entry]]]:
    """Ledger entries by what they are told as, in the order in which each reason first came."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(_REASONS.get(entry.kind, "ADJUSTMENT"), []).append(entry)
    return list(found.items())


def _legs(account: Account) -> dict[LegKey, Leg]:
    return {userevents.leg_key(held): userevents.leg(held) for held in account.positions.values()}


def _gone(before: dict[LegKey, Leg], closed: dict[LegKey, Position], key: LegKey) -> Leg:
    """A position that is no more, with all that it made."""
    last = closed.get(key)
    leg = userevents.leg(last) if last is not None else before[key]
    return msgspec.structs.replace(leg, amount=ZERO, entry=ZERO, wallet=ZERO)


def _reason(batch: Batch, account: Account) -> str:
    """Why positions moved when no money did."""
    if any(fill.account == account.id for fill in batch.fills):
        return "ORDER"
    by_hand = any(bill.account == account.id and bill.kind in _MOVES for bill in batch.bills)
    return "MARGIN_TRANSFER" if by_hand else "ADJUSTMENT"


def _default(account: Account, spec: ContractSpec) -> tuple[int, MarginMode]:
    """The settings of a symbol for which none were made."""
    plain = Account(msgspec.structs.replace(account.record, settings={})).settings(spec)
    return plain.cross_leverage, plain.margin_mode


def _crossed(account: Account) -> Decimal:
    """The wallet without what isolated positions bind."""
    bound = (p.margin for p in account.positions.values() if p.margin_mode is MarginMode.ISOLATED)
    return account.record.wallet - sum(bound, ZERO)
