"""Where each of our orders stands. States never go back; a fill counts once; what changes is journaled.

The tracker is fed from three sides (answers, pushes, queries) in any order and with doubles, and
ends in the same state: an update of a lower rank is stale, a fill id that is known is a double.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec

from shared import clock
from shared.domain.order import RANK, TERMINAL, OrderState
from trader.faultpoints import fault_point
from trader.orders import records
from trader.orders.journal import Entry, Journal

#: Finished orders kept in memory for late pushes; the ids of older ones stay known by the journal.
KEEP_FINISHED = 20_000


class Tracked(msgspec.Struct, kw_only=True):
    """One order of ours. Stamps are UTC nanoseconds by this machine's clock, 0 = not reached."""

    intent: records.Intent
    seq: int = 0
    """The intent's place in the journal: what lies before the oldest unfinished one may be forgotten."""
    state: OrderState = OrderState.INTENDED
    venue_order_id: str = ""
    filled_size: Decimal = Decimal(0)
    average_price: Decimal | None = None
    code: str = ""
    text: str = ""
    sent: records.Sent | None = None
    acknowledged_ns: int = 0
    filled_ns: int = 0
    fill_ids: set[str] = msgspec.field(default_factory=set)
    fills_size: Decimal = Decimal(0)
    protected: bool = False

    @property
    def open(self) -> bool:
        """Whether the venue may still change it."""
        return self.state not in TERMINAL

    @property
    def complete(self) -> bool:
        """Finished, and every fill is known."""
        return not self.open and self.fills_size >= self.filled_size

    @property
    def needs_take_profit(self) -> bool:
        """Filled (in part), and its take profit is not known to rest on the venue."""
        return self.filled_size > 0 and self.intent.take_profit is not None and not self.protected


class Tracker:
    """All orders of this process. ``on_change`` is called after each journaled change."""

    def __init__(self) -> None:
        self._orders: dict[str, Tracked] = {}
        self._journal: Journal | None = None
        self.on_change: Callable[[Tracked], None] = lambda _: None
        self.stale_updates = 0
        self.duplicate_fills = 0

    def attach(self, journal: Journal) -> None:
        """From now on changes are journaled (before, the journal itself was replayed)."""
        self._journal = journal

    def replay(self, entry: Entry) -> None:
        """Take over one record of the journal at start."""
        record = entry.record
        match record:
            case records.Intent():
                self._orders[record.client_id] = Tracked(intent=record, seq=entry.seq)
                self._forget_oldest()
            case records.Sent():
                self._apply_sent(record)
            case records.Update():
                self._apply_update(record)
            case records.Fill():
                self._apply_fill(record)
            case records.Protected():
                if order := self._orders.get(record.client_id):
                    order.protected = True
            case _:
                pass

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._orders

    def get(self, client_id: str) -> Tracked | None:
        return self._orders.get(client_id)

    def all(self) -> Iterator[Tracked]:
        return iter(list(self._orders.values()))

    def unfinished(self, account_id: int) -> list[Tracked]:
        """Orders of one account about which the venue still has something to say."""
        return [
            order
            for order in self._orders.values()
            if order.intent.account_id == account_id
            and (order.open or not order.complete or order.needs_take_profit)
        ]

    def oldest_needed(self) -> int:
        """The journal must be kept from here on: the record before the oldest unfinished order."""
        needed = [order.seq for order in self._orders.values() if order.open or not order.complete]
        return min(needed) - 1 if needed else 1 << 62

    def in_flight(self) -> int:
        """Orders whose outcome is not known yet."""
        waiting = (OrderState.INTENDED, OrderState.SENT, OrderState.UNKNOWN)
        return sum(order.state in waiting for order in self._orders.values())

    def intend(self, intent: records.Intent) -> Tracked:
        """Journal an intent. Raises ``JournalError``; then there is no order and none may be sent."""
        assert self._journal is not None
        seq = self._journal.append(intent)
        order = self._orders[intent.client_id] = Tracked(intent=intent, seq=seq)
        self._forget_oldest()
        return order

    def sent(self, record: records.Sent) -> None:
        if self._apply_sent(record):
            self._record(record)

    def update(self, update: records.Update) -> bool:
        """Move an order forward; returns whether anything changed. Stale updates are counted."""
        order = self._orders.get(update.client_id)
        if order is None or not self._apply_update(update):
            return False
        self._record(
            records.Update(
                client_id=update.client_id,
                state=order.state,
                venue_order_id=order.venue_order_id,
                filled_size=order.filled_size,
                average_price=order.average_price,
                code=order.code,
                text=order.text,
                acknowledged_ns=order.acknowledged_ns,
                filled_ns=order.filled_ns,
                ns=update.ns or clock.now_ns(),
            )
        )
        fault_point("tracker.recorded")
        self.on_change(order)
        return True

    def fill(self, fill: records.Fill) -> bool:
        """Count a fill once; returns False for a double."""
        order = self._orders.get(fill.client_id)
        if order is None or not self._apply_fill(fill):
            return False
        self._record(fill)
        self.on_change(order)
        return True

    def protect(self, client_id: str) -> None:
        """The venue confirmed that the order's take profit rests with it."""
        order = self._orders[client_id]
        if not order.protected:
            order.protected = True
            self._record(records.Protected(client_id, clock.now_ns()))
            self.on_change(order)

    def _record(self, record: records.Record) -> None:
        assert self._journal is not None
        self._journal.append(record)

    def _apply_sent(self, record: records.Sent) -> bool:
        order = self._orders.get(record.client_id)
        if order is None or order.sent is not None:
            return False
        order.sent = record
        if RANK[order.state] < RANK[OrderState.SENT]:
            order.state = OrderState.SENT
        return True

    def _apply_update(self, update: records.Update) -> bool:
        order = self._orders.get(update.client_id)
        if order is None:
            return False
        before = _news(order)
        order.venue_order_id = order.venue_order_id or update.venue_order_id
        order.acknowledged_ns = order.acknowledged_ns or update.acknowledged_ns
        if RANK[update.state] < RANK[order.state] or (
            order.state in TERMINAL and update.state is not OrderState.FILLED and update.state != order.state
        ):
            # A push may overtake the answer: its stamps count all the same.
            self.stale_updates += 1
            return before != _news(order)
        if update.state is not order.state:
            order.code, order.text = update.code, update.text
        order.state = update.state
        if update.filled_size >= order.filled_size:
            order.filled_size = update.filled_size
            order.average_price = update.average_price or order.average_price
        order.filled_ns = order.filled_ns or update.filled_ns
        return before != _news(order)

    def _apply_fill(self, fill: records.Fill) -> bool:
        order = self._orders.get(fill.client_id)
        if order is None:
            return False
        if fill.venue_fill_id in order.fill_ids:
            self.duplicate_fills += 1
            return False
        order.fill_ids.add(fill.venue_fill_id)
        order.fills_size += fill.size
        return True

    def _forget_oldest(self) -> None:
        """Bound the memory: drop the oldest finished orders."""
        if len(self._orders) <= KEEP_FINISHED:
            return
        for client_id, order in list(self._orders.items())[: KEEP_FINISHED // 10]:
            if order.complete and not order.needs_take_profit:
                del self._orders[client_id]


def _news(order: Tracked) -> tuple[object, ...]:
    """What an update can change."""
    return (
        order.state,
        order.venue_order_id,
        order.filled_size,
        order.average_price,
        order.code,
        order.acknowledged_ns,
        order.filled_ns,
    )
