"""Which orders still need something, ready at any time: the hot loop never looks at all of them."""

from __future__ import annotations

import heapq

from shared.domain.order import OrderState
from trader.orders.tracked import Tracked

WAITING = frozenset({OrderState.INTENDED, OrderState.SENT, OrderState.UNKNOWN})
NEVER = 1 << 62


class Index:
    """Which orders are unfinished or in flight, kept up with every change; equal to a full scan."""

    def __init__(self) -> None:
        self._unfinished: dict[int, dict[str, Tracked]] = {}
        self._count = 0
        self._in_flight: set[str] = set()
        #: A heap of (since, id, order); what is finished by now is dropped when it comes up.
        self._oldest: list[tuple[int, str, Tracked]] = []

    def put(self, order: Tracked) -> None:
        """The order is new, or has changed."""
        client_id = order.intent.client_id
        if order.state in WAITING:
            self._in_flight.add(client_id)
        else:
            self._in_flight.discard(client_id)
        mine = self._unfinished.setdefault(order.intent.account_id, {})
        known = client_id in mine
        if known and not order.unfinished:
            del mine[client_id]
            self._count -= 1
        elif not known and order.unfinished:
            mine[client_id] = order
            self._count += 1
            self._push(order)

    def moved(self, order: Tracked) -> None:
        """The order's ``since`` has changed."""
        if order.unfinished:
            self._push(order)

    def _push(self, order: Tracked) -> None:
        heapq.heappush(self._oldest, (order.since, order.intent.client_id, order))
        if len(self._oldest) > 1000 + 4 * self._count:
            self._oldest = [
                (each.since, client_id, each)
                for mine in self._unfinished.values()
                for client_id, each in mine.items()
            ]
            heapq.heapify(self._oldest)

    def unfinished(self, account_id: int) -> list[Tracked]:
        return sorted(self._unfinished.get(account_id, {}).values(), key=_by_seq)

    def is_unfinished(self, account_id: int, client_id: str) -> bool:
        return client_id in self._unfinished.get(account_id, ())

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    def oldest_seq(self) -> int:
        """The lowest ``since`` of an unfinished order; ``NEVER`` without one."""
        while self._oldest:
            since, _, order = self._oldest[0]
            if order.since == since and order.unfinished:
                return since
            heapq.heappop(self._oldest)
        return NEVER


def _by_seq(order: Tracked) -> int:
    return order.seq
