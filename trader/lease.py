"""Who trades an account: one installation at a time, by a lease in Postgres.

It is good for :data:`TTL_S` and renewed every :data:`RENEW_S`. Postgres compares times by its own clock; here
it counts from before the question, by the monotonic clock, so that it always ends sooner on this side.

- Held: everything. Run out because Postgres is away: entries stop, what is open is protected on.
- Another installation's, by Postgres' own word: nothing of the account is done here.

An installation finds its own lease again after a restart at once, and gives it back when it stops in order.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Collection
from typing import Any

import msgspec
import structlog
from psycopg import AsyncConnection, Error

from shared import clock
from trader.patience import ANSWER_S, answered

log = structlog.get_logger(__name__)

TTL_S = 90.0
RENEW_S = 15.0
_CONNECT_S = 5
_RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)

_NOW = "(extract(epoch from clock_timestamp()) * 1e9)::bigint"
CLAIM = f"""
insert into account_leases as lease (account_id, holder, host, token, until_ns, renewed_ns)
select id, %(holder)s, %(host)s, 1, {_NOW} + %(ttl_ns)s, {_NOW} from accounts where id = any(%(accounts)s)
on conflict (account_id) do update set
    token = lease.token + (lease.holder <> excluded.holder)::int,
    holder = excluded.holder, host = excluded.host, until_ns = excluded.until_ns, renewed_ns = excluded.renewed_ns
where lease.holder = excluded.holder or lease.until_ns <= {_NOW}
returning account_id
"""  # noqa: S608  (constants)
OTHERS = """
select account_id, host from account_leases where account_id = any(%(accounts)s) and holder <> %(holder)s
"""
RELEASE = (
    "update account_leases set until_ns = 0 where account_id = any(%(accounts)s) and holder = %(holder)s"
)

STATEMENTS = {"claim": CLAIM, "others": OTHERS, "release": RELEASE}


class Other(msgspec.Struct, frozen=True):
    """Who else has an account."""

    host: str

    @property
    def text(self) -> str:
        return f"another Kestrel on {self.host} trades this account: stop one of the two"


class Leases:
    """One task, one connection. ``wanted`` gives the accounts; ``on_change`` is told when any's standing changed."""

    def __init__(
        self,
        url: str,
        holder: str,
        *,
        wanted: Callable[[], Collection[int]],
        on_change: Callable[[], None],
        ttl_s: float = TTL_S,
        renew_s: float = RENEW_S,
    ) -> None:
        self._url = url
        self._holder = holder
        self._wanted = wanted
        self._on_change = on_change
        self._ttl_ns = int(ttl_s * clock.SECOND)
        self._renew_s = renew_s
        self._until: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._over = asyncio.Event()
        self.others: dict[int, Other] = {}
        self.asked = asyncio.Event()
        """Set when Postgres has answered for the first time."""
        self.last_error = ""
        self.renewals = 0

    def claim(self) -> None:
        """The wanted accounts changed: ask now."""
        self._wake.set()

    def known(self, account_id: int) -> bool:
        """Whether the account was ours once in this run, so that what is open of it is ours to protect."""
        return account_id in self._until

    def why_not(self, account_id: int) -> str:
        """Why no entry of the account may be sent; "" = it may."""
        other = self.others.get(account_id)
        if other is not None:
            return other.text
        if clock.monotonic_ns() < self._until.get(account_id, 0):
            return ""
        return "the lease of this account ran out, for Postgres cannot be reached: entries stop until it can"

    async def run(self) -> None:
        """Hold the leases until cancelled or stopped; survives Postgres going away and coming back."""
        failures = 0
        while not self._over.is_set():
            try:
                async with await AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=_CONNECT_S
                ) as connection:
                    while not self._over.is_set():
                        self._wake.clear()
                        with answered(connection, ANSWER_S):
                            await self._renew(connection)
                        failures, self.last_error = 0, ""
                        await self._sleep(self._renew_s)
                    with answered(connection, ANSWER_S):
                        await self._release(connection)
            except (Error, OSError, TimeoutError) as error:
                if not failures:
                    log.warning("leases.postgres_away", error=type(error).__name__)
                self.last_error = type(error).__name__
                if not self._over.is_set():
                    self._wake.clear()  # a claim cannot be served now: it must not take the pauses away
                await self._sleep(_RETRY_S[min(failures, len(_RETRY_S) - 1)])
                failures += 1

    def stop(self) -> None:
        """Give all leases back, then :meth:`run` returns."""
        self._over.set()
        self._wake.set()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _renew(self, connection: AsyncConnection[Any]) -> None:
        accounts = sorted(self._wanted())
        if not accounts:
            self.asked.set()
            return
        asked = clock.monotonic_ns()
        values = {
            "accounts": accounts,
            "holder": self._holder,
            "host": platform.node()[:80] or "an unnamed machine",
            "ttl_ns": self._ttl_ns,
        }
        rows = await (await connection.execute(CLAIM, values)).fetchall()
        mine = {row[0] for row in rows}
        others: dict[int, Other] = {}
        if len(mine) < len(accounts):
            rows = await (await connection.execute(OTHERS, values)).fetchall()
            others = {row[0]: Other(row[1]) for row in rows if row[0] not in mine}
        self.renewals += 1
        self._take(mine, others, asked + self._ttl_ns)

    def _take(self, mine: set[int], others: dict[int, Other], until_ns: int) -> None:
        now = clock.monotonic_ns()
        changed = others.keys() != self.others.keys()
        for account_id in others.keys() - self.others.keys():
            log.error("leases.another_trader", account=account_id, host=others[account_id].host)
        for account_id in mine:
            changed |= self._until.get(account_id, 0) <= now
            self._until[account_id] = until_ns
        for account_id in others:
            self._until.pop(account_id, None)
        self.others = others
        if changed:
            self._on_change()
        self.asked.set()

    async def _release(self, connection: AsyncConnection[Any]) -> None:
        await connection.execute(RELEASE, {"accounts": sorted(self._until), "holder": self._holder})
