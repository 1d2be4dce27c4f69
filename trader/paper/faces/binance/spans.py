"""``startTime`` and ``endTime`` of calls about the past."""

from __future__ import annotations

from shared.clock import MILLISECOND
from trader.paper.faces.binance.calls import Call
from trader.paper.faces.binance.errors import refusal

_DAY_NS = 86_400_000 * MILLISECOND


def span(call: Call, most_days: int, default_days: int) -> tuple[int, int]:
    """(since, until) in nanoseconds, both inclusive; until 0 = up to now.

    Without a start the last ``default_days`` (before the end, when one is named); 0 days = ever. -4165
    when the two are further apart than ``most_days`` (0 = any span), -1130 when they are the wrong way round.
    """
    since, until = call.params.time("startTime"), call.params.time("endTime")
    if since and until:
        if since > until:
            raise refusal(-1130, "startTime")
        if most_days and (until - since) * MILLISECOND > most_days * _DAY_NS:
            raise refusal(-4165, most_days)
    until_ns = until * MILLISECOND + MILLISECOND - 1 if until else 0
    if since or not default_days:
        return since * MILLISECOND, until_ns
    now_ns = max(call.engine.core.now_ns, call.hub.clock.now_ns())
    return max(0, (until * MILLISECOND or now_ns) - default_days * _DAY_NS), until_ns
