"""What the status of a symbol admits. Orders that rest already go on trading while the market does."""

from __future__ import annotations

from trader.paper.engine.refusals import Reason, Refused
from trader.paper.market import MarketState

_SHUT = {
    "pre_open": Reason.NOT_OPEN,
    "maintain": Reason.MAINTENANCE,
    "off": Reason.DELISTED,
}


def admit(state: MarketState, *, closing: bool) -> None:
    """Raise :class:`Refused` when a client's order may not come in.

    ``limit_open`` takes only orders that close; ``restricted`` none at all over an API, while the
    market, protection and liquidation go on.
    """
    if state.status in _SHUT:
        raise Refused(_SHUT[state.status], state.symbol)
    if state.status == "limit_open" and not closing:
        raise Refused(Reason.OPENING_CLOSED, state.symbol)
    if state.status == "restricted":
        raise Refused(Reason.API_MAY_NOT_CLOSE if closing else Reason.API_MAY_NOT_OPEN, state.symbol)
