"""The venue's limits: request weight per address and minute, orders per account in a minute and in ten seconds.

Windows begin on whole minutes (and tens of seconds) of the wall clock, as on the venue. Who goes on after
a 429 is banned for a while, longer each time.
"""

from __future__ import annotations

import msgspec

from shared import clock
from trader.paper.faces.bitget.limits import VenueLimits

MINUTE_S = 60
TEN_S = 10
_MOST_KEYS = 10_000
#: So many more requests within the minute of a 429 bring a ban.
_PATIENCE = 20
_FIRST_BAN_S = 120
_LONGEST_BAN_S = 3 * 86_400


class Window:
    """How much each key has used of the present window of ``seconds``."""

    def __init__(self, seconds: int) -> None:
        self._span_ns = seconds * clock.SECOND
        self._window = -1
        self._used: dict[object, int] = {}

    def used(self, key: object) -> int:
        self._roll()
        return self._used.get(key, 0)

    def add(self, key: object, amount: int) -> int:
        """What is used after it. Keys beyond a bound make the window begin anew."""
        self._roll()
        if len(self._used) >= _MOST_KEYS and key not in self._used:
            self._used.clear()
        used = self._used[key] = self._used.get(key, 0) + amount
        return used

    def left_s(self) -> int:
        """Whole seconds until the next window, at least 1."""
        rest = self._span_ns - clock.now_ns() % self._span_ns
        return max(1, -(-rest // clock.SECOND))

    def _roll(self) -> None:
        window = clock.now_ns() // self._span_ns
        if window != self._window:
            self._window = window
            self._used.clear()


class Verdict(msgspec.Struct, frozen=True):
    """``code`` is 0 when the request may pass, else what refuses it."""

    code: int = 0
    detail: str = ""
    retry_after_s: int = 0


_PASS = Verdict()


class Weights:
    """Request weight of addresses. ``limit`` 0 counts only."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute = Window(MINUTE_S)
        self._over = Window(MINUTE_S)
        self._banned: dict[object, int] = {}
        self._bans: dict[object, int] = {}

    def used(self, address: object) -> int:
        return self._minute.used(address)

    def take(self, address: object, weight: int) -> Verdict:
        """Count a request; whether it passes."""
        until = self._banned.get(address, 0) if self._banned else 0
        if until:
            now = clock.now_ns()
            if now < until:
                return _ban(until, now)
            del self._banned[address]
        used = self._minute.add(address, weight)
        if not self.limit or used <= self.limit:
            return _PASS
        if self._over.add(address, 1) > _PATIENCE:
            return self._ban(address)
        return Verdict(-1003, str(self.limit), self._minute.left_s())

    def _ban(self, address: object) -> Verdict:
        if len(self._bans) >= _MOST_KEYS:
            self._bans.clear()
            self._banned.clear()
        times = self._bans[address] = self._bans.get(address, 0) + 1
        now = clock.now_ns()
        seconds = min(_LONGEST_BAN_S, _FIRST_BAN_S << min(times - 1, 12))
        self._banned[address] = until = now + seconds * clock.SECOND
        return _ban(until, now)


def _ban(until: int, now: int) -> Verdict:
    return Verdict(-1004, str(until // clock.MILLISECOND), max(1, -(-(until - now) // clock.SECOND)))


class OrderCounts:
    """Orders of accounts; a limit of 0 counts only."""

    def __init__(self, per_minute: int, per_ten_s: int) -> None:
        self.per_minute = per_minute
        self.per_ten_s = per_ten_s
        self._minute = Window(MINUTE_S)
        self._ten = Window(TEN_S)

    def used(self, account: int) -> tuple[int, int]:
        """(in this minute, in these ten seconds)."""
        return self._minute.used(account), self._ten.used(account)

    def take(self, account: int, orders: int) -> Verdict:
        """Count the orders of one request, all or none; whether they pass."""
        if not orders:
            return _PASS
        minute, ten = self.used(account)
        if self.per_ten_s and ten + orders > self.per_ten_s:
            return Verdict(-1015, f"{self.per_ten_s} orders per 10 SECONDS", self._ten.left_s())
        if self.per_minute and minute + orders > self.per_minute:
            return Verdict(-1015, f"{self.per_minute} orders per MINUTE", self._minute.left_s())
        self._minute.add(account, orders)
        self._ten.add(account, orders)
        return _PASS


def address_weights(limits: VenueLimits) -> Weights:
    return Weights(limits.binance_weight_per_minute)


def order_counts(limits: VenueLimits) -> OrderCounts:
    return OrderCounts(limits.binance_orders_per_minute, limits.binance_orders_per_10s)


def rate_limits(weights: Weights, orders: OrderCounts) -> list[dict[str, object]]:
    """As ``exchangeInfo`` lists them; a limit that is lifted is shown as the venue's own."""
    return [
        {
            "rateLimitType": kind,
            "interval": interval,
            "intervalNum": number,
            "limit": limit or venue,
        }
        for kind, interval, number, limit, venue in (
            ("REQUEST_WEIGHT", "MINUTE", 1, weights.limit, 2400),
            ("ORDERS", "MINUTE", 1, orders.per_minute, 1200),
            ("ORDERS", "SECOND", 10, orders.per_ten_s, 300),
        )
    ]
