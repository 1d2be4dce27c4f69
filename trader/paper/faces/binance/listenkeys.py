"""Listen keys: what opens an account's user data stream. One per account, valid for an hour."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

from shared import clock

_LETTERS = string.ascii_letters + string.digits
_LENGTH = 64


class ListenKeys:
    """In memory: after a restart of the exchange clients must ask for new ones, as after an expiry.

    The hour is one of real time, as every lifetime of a connection here: clients keep their keys alive by
    their own clocks, however fast the tape runs. ``on_end`` hears every key that is deleted or found
    expired: the key, the account's number, whether it expired.
    """

    def __init__(self, valid_s: float = 3600.0) -> None:
        self._valid_ns = int(valid_s * clock.SECOND)
        self._keys: dict[str, int] = {}
        self._until: dict[int, tuple[str, int]] = {}
        self.on_end: Callable[[str, int, bool], None] | None = None

    def start(self, account: int) -> str:
        """The account's key, the same one while it is valid; its hour begins anew."""
        self.expire()
        known = self._until.get(account)
        key = known[0] if known else "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
        self._keys[key] = account
        self._until[account] = (key, clock.monotonic_ns() + self._valid_ns)
        return key

    def keep(self, account: int) -> str:
        """Another hour for the account's key, which is returned; "" when it has none."""
        self.expire()
        known = self._until.get(account)
        if known is None:
            return ""
        self._until[account] = (known[0], clock.monotonic_ns() + self._valid_ns)
        return known[0]

    def close(self, account: int) -> bool:
        """End the account's key; False when it has none."""
        self.expire()
        return self._end(account, expired=False)

    def account(self, key: str) -> int | None:
        """Whose key it is, ``None`` for what is none (any more)."""
        self.expire()
        return self._keys.get(key)

    @property
    def all(self) -> list[str]:
        """Every key that is valid, or was when somebody last looked."""
        return list(self._keys)

    def soonest_s(self) -> float:
        """Seconds until the next key expires, an hour's worth when there is none."""
        until = min((until for _, until in self._until.values()), default=None)
        left = self._valid_ns if until is None else until - clock.monotonic_ns()
        return max(0.0, left / clock.SECOND)

    def expire(self) -> None:
        """End what is over; called before every use, and by who pushes the streams, now and then."""
        now = clock.monotonic_ns()
        for account in [account for account, (_, until) in self._until.items() if until <= now]:
            self._end(account, expired=True)

    def _end(self, account: int, *, expired: bool) -> bool:
        known = self._until.pop(account, None)
        if known is None:
            return False
        del self._keys[known[0]]
        if self.on_end is not None:
            self.on_end(known[0], account, expired)
        return True
