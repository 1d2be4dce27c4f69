"""One order of ours as it stands, and how one record changes that. Who may change it, and when, is the tracker's."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared.domain.order import PRESUMED_CODES, RANK, TERMINAL, OrderState
from trader.orders import records


class Tracked(msgspec.Struct, kw_only=True):
    """One order of ours. Stamps are UTC nanoseconds by this machine's clock, 0 = not reached.

    Only the tracker changes it.
    """

    intent: records.Intent
    seq: int = 0
    """The intent's place in the journal."""
    since: int = 0
    """The journal is kept from here for as long as it is unfinished: the first intent of its group."""
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

    @property
    def unfinished(self) -> bool:
        """The venue has something to say about it, or it wants a take profit."""
        return not self.complete or self.needs_take_profit

    @property
    def presumed(self) -> bool:
        """Ended by our own conclusion that it was never placed; proof of the contrary is accepted."""
        return self.state in (OrderState.REJECTED, OrderState.DENIED) and self.code in PRESUMED_CODES

    @property
    def left_ns(self) -> int:
        """When its bytes left, at the earliest (UTC)."""
        return self.sent.written_ns if self.sent else self.intent.created_ns

    @property
    def group(self) -> tuple[int, str, int]:
        """The entry and everything that belongs to it."""
        return self.intent.account_id, self.intent.cause, self.intent.leg


def take_sent(order: Tracked, record: records.Sent) -> bool:
    """Count what left; returns False for a double."""
    if order.sent is not None:
        return False
    order.sent = record
    if RANK[order.state] < RANK[OrderState.SENT]:
        order.state = OrderState.SENT
    return True


def take_fill(order: Tracked, fill: records.Fill) -> bool:
    """Count a fill once; returns False for a double."""
    if fill.venue_fill_id in order.fill_ids:
        return False
    order.fill_ids.add(fill.venue_fill_id)
    order.fills_size += fill.size
    return True


def standing(order: Tracked, ns: int) -> records.Update:
    """All that an update can change, as it is now."""
    return records.Update(
        client_id=order.intent.client_id,
        state=order.state,
        venue_order_id=order.venue_order_id,
        filled_size=order.filled_size,
        average_price=order.average_price,
        code=order.code,
        text=order.text,
        acknowledged_ns=order.acknowledged_ns,
        filled_ns=order.filled_ns,
        ns=ns,
    )


def assign(order: Tracked, standing: records.Update) -> None:
    """Take over a standing from the journal: it was judged when it was written."""
    order.state = standing.state
    order.venue_order_id = standing.venue_order_id
    order.filled_size = standing.filled_size
    order.average_price = standing.average_price
    order.code, order.text = standing.code, standing.text
    order.acknowledged_ns = standing.acknowledged_ns
    order.filled_ns = standing.filled_ns


def news(order: Tracked) -> tuple[object, ...]:
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
