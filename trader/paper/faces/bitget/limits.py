"""Requests per second: one bucket per endpoint and caller, refilled evenly; and the limits that can be set."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from shared import clock
from shared.errors import UsageError

_MOST_BUCKETS = 50_000
_MOST_ADDRESSES = 10_000
_CONNECT_WINDOW_S = 300.0
_MINUTE_S = 60.0


class VenueLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set, with the venue's values; 0 = no such limit.

    Limits per address are off unless they are set: all users of a machine share one address here. On the venue
    they are 6000 requests a minute (then nothing for 300 s), 300 connects in five minutes, 100 connections.
    ``binance_*`` are of the other venue's face, where the weight per address is what clients watch: it holds.
    """

    ip_requests_per_minute: int = 0
    ip_recovery_s: float = 300.0
    ws_connects_per_5min: int = 0
    ws_connections_per_ip: int = 0
    ws_subscribes_per_hour: int = 240
    ws_channels: int = 1000
    ws_messages_per_s: int = 10
    ws_frame_bytes: int = 4096
    ws_idle_s: float = 120.0
    ws_life_s: float = 86_400.0
    binance_weight_per_minute: int = 2400
    binance_orders_per_minute: int = 1200
    binance_orders_per_10s: int = 300
    binance_listen_key_s: float = 3600.0
    binance_ws_streams: int = 1024
    binance_ws_messages_per_s: int = 10
    binance_ws_ping_s: float = 180.0
    binance_ws_pong_s: float = 600.0
    binance_ws_life_s: float = 86_400.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if not 0 <= getattr(self, name) <= 10**9:
                raise ValueError(f"{name} is 0 (no limit) or more")

    def unpaced(self) -> VenueLimits:
        """Without limits of pace, for benches."""
        return msgspec.structs.replace(
            self,
            ip_requests_per_minute=0,
            ws_connects_per_5min=0,
            ws_subscribes_per_hour=0,
            ws_messages_per_s=0,
            binance_weight_per_minute=0,
            binance_orders_per_minute=0,
            binance_orders_per_10s=0,
            binance_ws_messages_per_s=0,
        )


LIMIT_NAMES = ", ".join(VenueLimits.__struct_fields__)


def read_limits(given: Sequence[str]) -> VenueLimits:
    """``NAME=VALUE`` of the command line; ``UsageError`` names the limits there are."""
    values: dict[str, str] = {}
    for item in given:
        name, mark, value = item.partition("=")
        name = name.strip().replace("-", "_")
        if not mark or name not in VenueLimits.__struct_fields__:
            raise UsageError(f"--limit {item[:80]}: give NAME=VALUE, NAME is one of {LIMIT_NAMES}")
        values[name] = value.strip()
    try:
        return msgspec.convert(values, VenueLimits, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"--limit: {error}") from None


class Paces:
    """At most so many events in a window per key; a full window can bring a longer pause."""

    def __init__(self, most: int, window_s: float, pause_s: float = 0.0) -> None:
        self._most = most
        self._window_ns = int(window_s * clock.SECOND)
        self._pause_ns = int(pause_s * clock.SECOND)
        self._times: dict[object, deque[int]] = {}
        self._until: dict[object, int] = {}

    def over(self, key: object) -> bool:
        """Count one event; whether it is one too many. Without a limit nothing is counted."""
        if not self._most:
            return False
        now = clock.monotonic_ns()
        if self._until.get(key, 0) > now:
            return True
        times = self._times.get(key)
        if times is None:
            self._make_room(now)
            times = self._times[key] = deque(maxlen=self._most)
        if len(times) == self._most and now - times[0] < self._window_ns:
            if self._pause_ns:
                self._until[key] = now + self._pause_ns
            return True
        times.append(now)
        return False

    def _make_room(self, now: int) -> None:
        if len(self._times) >= _MOST_ADDRESSES:
            fresh = now - self._window_ns
            self._times = {key: times for key, times in self._times.items() if times[-1] > fresh}
            self._until = {key: until for key, until in self._until.items() if until > now}


def address_pace(limits: VenueLimits) -> Paces:
    """Requests of an address, all calls together."""
    return Paces(limits.ip_requests_per_minute, _MINUTE_S, limits.ip_recovery_s)


def connect_pace(limits: VenueLimits) -> Paces:
    """Websocket connects of an address."""
    return Paces(limits.ws_connects_per_5min, _CONNECT_WINDOW_S)


class Limits:
    """Token buckets that hold one second's worth. ``enabled`` off lets everything pass."""

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled
        self._buckets: dict[tuple[object, str], tuple[float, int]] = {}

    def take(self, caller: object, path: str, per_second: int) -> int:
        """Tokens left after this request, or -1 when it is one too many."""
        if not self.enabled:
            return per_second
        now = clock.monotonic_ns()
        bucket = (caller, path)
        known = self._buckets.get(bucket)
        if known is None:
            self._make_room(now)
            left = float(per_second)
        else:
            left = min(per_second, known[0] + (now - known[1]) * per_second / clock.SECOND)
        if left < 1:
            self._buckets[bucket] = (left, now)
            return -1
        self._buckets[bucket] = (left - 1, now)
        return int(left - 1)

    def _make_room(self, now: int) -> None:
        """A bucket that was not used for a second is full again: forget it."""
        if len(self._buckets) >= _MOST_BUCKETS:
            fresh = now - clock.SECOND
            self._buckets = {key: item for key, item in self._buckets.items() if item[1] > fresh}
