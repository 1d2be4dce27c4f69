"""Whether an order that the venue's detail does not know was certainly never placed.

One silent endpoint proves nothing: venues show a new order late, and drop finished ones from the detail.
"Never placed" is said only when everything that would show a trace of it was read and shows none:

1. the venue never confirmed the order (we hold no order id of its own for it);
2. it is not in the history by its client id, not among the resting orders, and not among the orders of
   its symbol since it left (minus :data:`SKEW_NS`, because the venue's clock is another);
3. every fill of its symbol and trade side since then belongs to an order that is known to be another
   one: fills name no client id, so each order id must be listed with another client id, or be another
   order of ours;
4. for an order that opens: no position in its direction began since then that is larger than those
   fills explain.

When a list is too long to be read whole, or rows come that cannot be explained, the order is *not*
proven absent. A failed question proves nothing either: it raises.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

from shared import clock
from trader.lane import Lane
from trader.orders.tracker import Tracked, Tracker
from trader.venues.model import FillReport, OrderReport, position_of

#: What the venue's clock may be off ours; it refuses requests that are further off than 30 seconds.
SKEW_NS = 60 * clock.SECOND


class Evidence(msgspec.Struct, frozen=True):
    """What was found: the order itself, or what speaks ``against`` its absence, or nothing of both."""

    report: OrderReport | None = None
    heard_ns: int = 0
    against: str = ""


async def examine(lane: Lane, tracker: Tracker, order: Tracked) -> Evidence:
    """Ask the venue for every trace of an order. Raises ``VenueError`` when a question fails."""
    intent = order.intent
    symbol = intent.instrument.symbol
    if order.venue_order_id:
        return Evidence(against="the exchange had confirmed it")
    venue = lane.dialect
    if ended := await venue.ended_order(lane.ask, symbol, intent.client_id):
        return Evidence(*ended)
    since_ns = order.left_ns - SKEW_NS
    # Fills before orders: an order placed in between is then in the later list.
    traded, all_fills = await venue.recent_fills(lane.ask, symbol, since_ns // clock.MILLISECOND)
    orders, all_orders = await venue.recent_orders(lane.ask, symbol, since_ns // clock.MILLISECOND)
    if mine := _mine(order, orders):
        return Evidence(mine, clock.now_ns())
    if not all_fills or not all_orders:
        return Evidence(against="too many orders or fills since then to look at all of them")
    same_side = [fill for fill in traded if fill.side is intent.side]
    known = {report.order_id for report in orders} | {
        other.venue_order_id
        for other in tracker.all()
        if other.intent.account_id == intent.account_id and other is not order
    }
    if stray := next((fill for fill in same_side if fill.order_id not in known), None):
        return Evidence(against=f"fill {stray.fill_id} belongs to no order that is known")
    return Evidence(against=await _unexplained_position(lane, order, same_side, since_ns))


def _mine(order: Tracked, reports: list[OrderReport]) -> OrderReport | None:
    return next((report for report in reports if report.client_id == order.intent.client_id), None)


async def _unexplained_position(
    lane: Lane, order: Tracked, same_side: list[FillReport], since_ns: int
) -> str:
    intent = order.intent
    if intent.reduce_only:
        return ""
    direction = position_of(intent.side, reduce_only=False)
    explained = sum((fill.size for fill in same_side), start=Decimal(0))
    for position in await lane.dialect.positions(lane.ask, intent.instrument.symbol):
        if position.side is direction and position.created_ns >= since_ns and position.size > explained:
            return f"a {direction.value} position of {position.size} began then, other orders explain {explained}"
    return ""
