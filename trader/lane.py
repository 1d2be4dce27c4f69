"""One account's road to its venue: two warm connections, a signer, and what is known of the account.

``hot`` carries orders and nothing else, so that it is free when a notice arrives; ``slow`` carries
questions. Either can stand in for the other.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import structlog

from shared import clock
from shared.domain.account import Account
from shared.errors import VenueRefusedError
from trader.directory import Member
from trader.net.http import Origin, Response, WarmConnection
from trader.venues.model import AccountReport, Call, PositionMode
from trader.venues.registry import dialect_of

log = structlog.get_logger(__name__)

KEEPALIVE_S = 12.0


class Lane:
    """Everything between one member and the venue. :meth:`start` needs a running loop."""

    def __init__(
        self,
        member: Member,
        origin: Origin,
        *,
        ssl_context: ssl.SSLContext | None,
        timeout_s: float,
    ) -> None:
        self.member = member
        self.origin = origin
        self.timeout_s = timeout_s
        self.ssl_context = ssl_context
        self.dialect = dialect_of(member.account)
        self.signer = self.dialect.signer(member.credentials, origin.authority)
        self.position_mode: PositionMode | None = None
        self.report: AccountReport | None = None
        self.prepared: dict[str, int] = {}
        """Effective leverage by symbol, where margin mode and leverage are known to be set."""
        self.on_stale: Callable[[], None] = lambda: None
        """Called when modes and leverages must be prepared again."""
        self.blocked = ""
        """Why no request of this account can succeed until its user acts; empty = it may trade."""
        self._blocked_writing = False
        self.rival = ""
        """What shows that somebody else trades here with our form of ids; entries stop meanwhile."""
        self.neighbours: Callable[[], int] = lambda: 1
        """How many accounts ask the same host from this address."""
        self._lock = asyncio.Lock()
        self._next_free: dict[str, float] = {}
        self._rest_until = 0.0
        name = f"account {member.account.id}"
        ping = self.dialect.public(self.dialect.keepalive, origin.authority)
        self.hot, self.slow = (
            WarmConnection(
                origin,
                ssl_context=ssl_context,
                keepalive=lambda: ping,
                keepalive_s=KEEPALIVE_S,
                name=f"{name} {road}",
            )
            for road in ("orders", "questions")
        )
        # Each keeps the other's keepalive away while it is the only free one.
        self.hot.spare, self.slow.spare = self.slow, self.hot

    @property
    def account(self) -> Account:
        return self.member.account

    @property
    def ready(self) -> bool:
        """Whether an entry could be written now."""
        return (
            not self.blocked
            and not self.rival
            and self.position_mode is not None
            and (self.hot.ready or self.slow.ready)
        )

    def update(self, member: Member) -> None:
        """Take over a changed state or changed preferences; what was blocked is tried again."""
        if member.account.state is not self.member.account.state:
            self.unblock()
        self.member = member

    def forget_modes(self) -> None:
        """The venue contradicts what we believe of modes and leverages: read and set them again."""
        self.position_mode = None
        self.prepared.clear()
        self.on_stale()

    def start(self) -> None:
        self.hot.start()
        self.slow.start()

    async def stop(self) -> None:
        await asyncio.gather(self.hot.stop(), self.slow.stop())

    def road(self) -> WarmConnection | None:
        """The connection an order can be written on now, if any."""
        if self.hot.ready:
            return self.hot
        if self.slow.ready and not self._lock.locked():
            return self.slow
        return None

    async def ask(self, call: Call) -> Response:
        """Send a question and wait for its answer, within the venue's pace and limits.

        Raises ``NotSentError`` or ``OutcomeUnknownError``.
        """
        path = call.path.partition("?")[0]
        loop = asyncio.get_running_loop()
        start = max(loop.time(), self._rest_until, self._next_free.get(path, 0.0))
        self._next_free[path] = start + self.dialect.pace_s(call)
        if start > loop.time():
            await asyncio.sleep(start - loop.time())
        async with self._lock:
            await self.slow.wait_ready(self.timeout_s)
            answer = await self.slow.request(self.signer.request(call, clock.now_ms()), self.timeout_s)
        self.heard(answer)
        return answer

    def heard(self, answer: Response) -> None:
        """Let questions wait when the venue says that too much was asked of it. Orders never wait."""
        rest_s = self.dialect.rest_s(answer)
        if rest_s:
            log.warning("lane.rests", account=self.account.id, status=answer.status, seconds=rest_s)
            self._rest_until = max(self._rest_until, asyncio.get_running_loop().time() + rest_s)

    def stretched_s(self, beat_s: float) -> float:
        """A beat of readings that leaves room for all accounts within the venue's limit for one address."""
        return max(beat_s, 60.0 * self.neighbours() / self.dialect.readings_per_minute)

    def second_writer(self, complaint: str) -> None:
        """Entries stop while there is a complaint; "" ends it."""
        if complaint and not self.rival:
            log.error("lane.second_writer", account=self.account.id, reason=complaint)
        elif self.rival and not complaint:
            log.info("lane.second_writer_gone", account=self.account.id)
        self.rival = complaint

    def block(self, reason: str, *, reading: bool = False) -> None:
        """Stop entries of this account until it answers again; protection goes on.

        ``reading``: a question was refused. Whoever may ask may not always trade: what was refused to an
        order or a setting is disproved by another one only.
        """
        if not self.blocked:
            log.error("lane.blocked", account=self.account.id, reason=reason)
        self._blocked_writing |= not reading
        news, self.blocked = not self.blocked, reason
        if news and not reading:
            self.on_stale()

    def refused(self, refusal: VenueRefusedError, *, reading: bool = False) -> None:
        """Block, in the venue's own words and with what the user can do about it."""
        advice = self.dialect.advice(refusal.code).replace("NUMBER", str(self.account.id))
        said = f"{refusal.text} (code {refusal.code})"
        self.block(f"{said}: {advice}" if advice else said, reading=reading)

    def answered(self) -> None:
        """A question was answered: the key works, at least for reading."""
        if not self._blocked_writing:
            self.unblock()

    def unblock(self) -> None:
        """The account takes orders or settings again, or its user acted."""
        if self.blocked:
            log.info("lane.unblocked", account=self.account.id)
        self.blocked, self._blocked_writing = "", False
