"""Numbers on which REST and the streams must agree: update ids of a book, numbers of trades.

A book change takes several ids, as on the venue. A snapshot carries the first id of the change that comes
next, which the book does not show yet: so the first event after any snapshot spans it
(U <= lastUpdateId <= u), however seldom the book changes.
"""

from __future__ import annotations

from shared.clock import MILLISECOND
from trader.paper.market import MarketState

#: Ids of one book change.
SPAN = 4
#: Ids go on growing after a restart: room for as many per millisecond.
_PER_MS = 1000


def update_id(state: MarketState) -> int:
    """The last id that the book shows."""
    return state.started_ns // MILLISECOND * _PER_MS + state.seq * SPAN


def snapshot_id(state: MarketState) -> int:
    """``lastUpdateId`` of a snapshot taken now."""
    return update_id(state) + 1


def trade_number(state: MarketState, back: int = 0) -> int:
    """The number of the newest trade, or of the one ``back`` trades before it. An aggregate is one trade."""
    return state.started_ns // MILLISECOND * _PER_MS + state.trade_count - back
