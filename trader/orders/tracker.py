"""Where each of our orders stands. States never go back; a fill counts once; what changes is journaled.

The tracker is fed from three sides (answers, pushes, queries) in any order and with doubles, and
ends in the same state: an update of a lower rank is stale, a fill id that is known is a double.
The one move against the rank: an end that we only presumed yields to proof that the order exists
(:class:`~shared.domain.order.OrderState`).

Whoever brings news never fails because of a full disk: what could not be journaled is remembered
and written with the next append that succeeds. Only :meth:`Tracker.intend` fails, before anything
is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import structlog

from shared import clock
from shared.domain.order import PROOF, RANK, OrderState, Step
from shared.errors import JournalError
from trader.faultpoints import fault_point
from trader.orders import records
from trader.orders.journal import Entry, Journal
from trader.orders.tracked import Tracked, assign, news, standing, take_fill, take_sent
from trader.orders.unfinished import Index

__all__ = ["Tracked", "Tracker"]

log = structlog.get_logger(__name__)

#: Finished orders kept in memory for late pushes; the ids of older ones stay known by the journal.
KEEP_FINISHED = 20_000
#: Fills of one order that wait for the disk; the venue is asked again for what is beyond.
KEEP_FILLS = 1_000
#: Orders restated by one call after the disk is usable again; the beat does the rest.
RESTATE_AT_ONCE = 50


class Tracker:
    """All orders of this process. ``on_change`` is called after each change.

    What a change is journaled as comes first; while the disk is full ``unjournaled`` counts the orders
    whose news wait for it, and ``on_change`` is called all the same.
    """

    def __init__(self) -> None:
        self._orders: dict[str, Tracked] = {}
        self._groups: dict[tuple[int, str, int], list[str]] = {}
        self._index = Index()
        self._dirty: dict[str, list[records.Record]] = {}
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
                self._replay_intent(record, entry.seq)
                return
            case records.Sent() | records.Update() | records.Fill() | records.Protected():
                order = self._orders.get(record.client_id)
            case _:
                return
        if order is None:
            return
        match record:
            case records.Sent():
                take_sent(order, record)
            case records.Update():
                assign(order, record)
            case records.Fill():
                take_fill(order, record)
            case records.Protected():
                order.protected = record.resting
        self._index.put(order)

    def _replay_intent(self, intent: records.Intent, seq: int) -> None:
        if known := self._orders.get(intent.client_id):
            self._move(known, seq)
        else:
            self._add(Tracked(intent=intent, seq=seq))
            self.forget_finished()

    def __contains__(self, client_id: str) -> bool:
        return client_id in self._orders

    def get(self, client_id: str) -> Tracked | None:
        return self._orders.get(client_id)

    def all(self) -> Iterator[Tracked]:
        """Every order in memory: O(all of them), not for a path that runs often."""
        return iter(list(self._orders.values()))

    def unfinished(self, account_id: int) -> list[Tracked]:
        """Orders of one account about which the venue still has something to say, oldest first."""
        return self._index.unfinished(account_id)

    def oldest_needed(self) -> int:
        """The journal must be kept from here on: the record before the oldest unfinished order."""
        return self._index.oldest_seq() - 1

    def in_flight(self) -> int:
        """Orders whose outcome is not known yet."""
        return self._index.in_flight

    @property
    def unjournaled(self) -> int:
        """Orders whose latest news are not in the journal: the disk refuses them."""
        return len(self._dirty)

    def intend(self, intent: records.Intent) -> Tracked:
        """Journal an intent. Raises ``JournalError``; then there is no order and none may be sent."""
        assert self._journal is not None
        protective = intent.step is not Step.ENTRY
        if self._journal.starved and not protective:
            raise JournalError(f"{self._journal.starved}: free some, entries stop until then")
        order = Tracked(intent=intent, seq=self._journal.append(intent, protective=protective))
        self._add(order)
        if self._dirty:
            self.restate()
        return order

    def adopt(
        self,
        intent: records.Intent,
        sent: records.Sent | None,
        standing: records.Update,
        fills: list[records.Fill],
        *,
        protected: bool,
    ) -> None:
        """Take over an order that Postgres knew and this journal did not. Raises ``JournalError``.

        One whose bytes may have left is unknown until the venue says more; what ended stays ended.
        """
        if intent.client_id in self._orders:
            return
        assert self._journal is not None
        order = Tracked(intent=intent, seq=self._journal.append(intent, protective=True))
        self._add(order)
        if sent is not None:
            self.sent(sent)
        if standing.state in (OrderState.INTENDED, OrderState.SENT):
            standing = msgspec.structs.replace(standing, state=OrderState.UNKNOWN)
        self.update(standing)
        for fill in fills:
            self.fill(fill)
        if protected:
            self.protect(intent.client_id)

    def sent(self, record: records.Sent) -> None:
        """The request's bytes were handed to the kernel."""
        order = self._orders.get(record.client_id)
        if order is not None and take_sent(order, record):
            self._index.put(order)
            self._record(order, record)

    def update(self, update: records.Update) -> bool:
        """Move an order forward; returns whether anything changed. Stale updates are counted."""
        order = self._orders.get(update.client_id)
        if order is None or not self._apply_update(order, update):
            return False
        self._index.put(order)
        self._record(order, standing(order, update.ns or clock.now_ns()))
        fault_point("tracker.recorded")
        self.on_change(order)
        return True

    def fill(self, fill: records.Fill) -> bool:
        """Count a fill once; returns False for a double."""
        order = self._orders.get(fill.client_id)
        if order is None:
            return False
        if not take_fill(order, fill):
            self.duplicate_fills += 1
            return False
        self._index.put(order)
        self._record(order, fill)
        self.on_change(order)
        return True

    def protect(self, client_id: str) -> None:
        """The venue confirmed that the order's take profit rests with it."""
        self._set_protected(client_id, True)

    def unprotect(self, client_id: str) -> None:
        """The order's take profit no longer rests on the venue: it wants one again."""
        self._set_protected(client_id, False)

    def _set_protected(self, client_id: str, resting: bool) -> None:
        order = self._orders.get(client_id)
        if order is None or order.protected is resting:
            return
        order.protected = resting
        self._index.put(order)
        assert self._journal is not None
        if not resting:
            self._write_anew(order.group)
        self._record(order, records.Protected(client_id, clock.now_ns(), resting))
        self.on_change(order)

    def _write_anew(self, group: tuple[int, str, int]) -> None:
        """What is wanted again, although its records were forgotten meanwhile: a restart must find it.

        Fills are with Postgres; after a restart the venue is asked for them once more.
        """
        assert self._journal is not None
        for client_id in self._groups[group]:
            order = self._orders[client_id]
            if order.seq >= self._journal.first_seq:
                continue
            self._record(order, order.intent)
            if order.sent is not None:
                self._record(order, order.sent)
            self._record(order, records.Protected(client_id, clock.now_ns(), order.protected))
            self._record(order, standing(order, clock.now_ns()))

    def _move(self, order: Tracked, seq: int) -> None:
        """The order was restated as a whole: what lies before that place is no longer needed for it."""
        order.seq = seq
        members = [self._orders[client_id] for client_id in self._groups[order.group]]
        since = min(each.seq for each in members)
        for each in members:
            if each.since != since:
                each.since = since
                self._index.moved(each)

    def forget_finished(self) -> None:
        """Bound the memory: drop the oldest orders of which nothing is needed.

        An entry and what protects it go together or not at all: which attempts there were must be
        known for as long as another one may follow.
        """
        if len(self._orders) <= KEEP_FINISHED:
            return
        surplus = len(self._orders) - (KEEP_FINISHED - KEEP_FINISHED // 10)
        dropped: list[tuple[int, str, int]] = []
        for group, members in self._groups.items():
            if surplus <= 0:
                break
            if not any(
                self._index.is_unfinished(group[0], client_id) or client_id in self._dirty
                for client_id in members
            ):
                dropped.append(group)
                surplus -= len(members)
        for group in dropped:
            for client_id in self._groups.pop(group):
                del self._orders[client_id]

    def tidy(self) -> None:
        """What must not run while an order is on its way: for the recorder's beat."""
        self.restate()
        self.forget_finished()

    def restate(self, limit: int = RESTATE_AT_ONCE) -> None:
        """Write what waits for the disk, if it takes it now."""
        for client_id in list(self._dirty)[:limit]:
            if not self._flush(self._orders[client_id]):
                return

    def _add(self, order: Tracked) -> None:
        members = self._groups.setdefault(order.group, [])
        order.since = self._orders[members[0]].since if members else order.seq
        members.append(order.intent.client_id)
        self._orders[order.intent.client_id] = order
        self._index.put(order)

    def _append(self, order: Tracked, record: records.Record) -> None:
        assert self._journal is not None
        seq = self._journal.append(record, protective=order.intent.step is not Step.ENTRY)
        if isinstance(record, records.Intent):
            self._move(order, seq)

    def _record(self, order: Tracked, record: records.Record) -> None:
        """Journal news of an order, or remember that it must be."""
        client_id = order.intent.client_id
        if client_id not in self._dirty:
            try:
                self._append(order, record)
            except JournalError as error:
                if not self._dirty:
                    log.error("tracker.not_journaled", client_id=client_id, error=str(error))
                self._dirty[client_id] = _waiting([], record)
            else:
                if self._dirty:
                    self.restate()
            return
        self._dirty[client_id] = _waiting(self._dirty[client_id], record)
        self.restate()

    def _flush(self, order: Tracked) -> bool:
        """Journal what waits of one order, and last how it stands; False when the disk refuses."""
        client_id = order.intent.client_id
        waiting = self._dirty[client_id]
        try:
            while waiting:
                self._append(order, waiting[0])
                del waiting[0]
            self._append(order, standing(order, clock.now_ns()))
        except JournalError:
            return False
        del self._dirty[client_id]
        if not self._dirty:
            log.warning("tracker.journaled_again")
        return True

    def _apply_update(self, order: Tracked, update: records.Update) -> bool:
        before = news(order)
        proof = (
            order.presumed
            and update.state in PROOF
            and (
                update.filled_size > order.filled_size
                or (bool(update.venue_order_id) and not order.venue_order_id)
            )
        )
        order.venue_order_id = order.venue_order_id or update.venue_order_id
        order.acknowledged_ns = order.acknowledged_ns or update.acknowledged_ns
        if not proof and (
            RANK[update.state] < RANK[order.state]
            or (not order.open and update.state is not OrderState.FILLED and update.state is not order.state)
        ):
            # A push may overtake the answer: its stamps count all the same.
            self.stale_updates += 1
            return before != news(order)
        if update.state is not order.state:
            order.code, order.text = update.code, update.text
        order.state = update.state
        if update.filled_size >= order.filled_size:
            order.filled_size = update.filled_size
            order.average_price = update.average_price or order.average_price
        order.filled_ns = order.filled_ns or update.filled_ns
        return before != news(order)


def _waiting(waiting: list[records.Record], record: records.Record) -> list[records.Record]:
    """What waits for the disk with one more; a standing need not, the last one is written anyway."""
    if isinstance(record, records.Update):
        return waiting
    kept = [each for each in waiting if not isinstance(each, records.Protected)]
    return [*(kept if isinstance(record, records.Protected) else waiting), record][-KEEP_FILLS:]
