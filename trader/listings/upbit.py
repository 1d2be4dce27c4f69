"""Watch Upbit's notices: each host on its own connection, conditional, punctual and polite.

What Upbit serves is undocumented and limited to about one request per 2-5 s and address, so: one connection per
host, ``If-None-Match`` with that host's own ETag (a shared one would hide a change from the others), polls spread
evenly over the interval, an honest User-Agent, 30 s of silence after 429 and 10 min after the next one, and no more
requests at all to a host that answers 403. Nothing is ever retried faster than the schedule.

A page that cannot be read is *no page*: it is counted and logged, its ETag is not kept, and the callback is not
called, so that it neither seeds nor triggers anything.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec
import structlog

from shared import clock
from shared.domain.notice import Notice
from shared.errors import ProtocolError, VenueError
from trader.listings import upbit_page
from trader.net.http import Backoff, HttpConnection, Origin, Response, build_get

PATH: Final = "/api/v1/announcements?os=web&page=1&per_page=20&category=all"
USER_AGENT: Final = "Kestrel/0.1 (notice watcher; one connection per host, conditional GET)"
HEADERS: Final = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Language": "ko",
    "Accept-Encoding": "identity",
}

MAX_BODY: Final = 1 << 20
CONNECT_TIMEOUT_S: Final = 5.0
LIMITED_S: Final = 30.0
LIMITED_AGAIN_S: Final = 600.0
ODD_ANSWER_S: Final = 600.0
"""After a redirect or a 4xx that asking again cannot change."""
FULL_EVERY_S: Final = 600.0
"""So often the page is asked for without its ETag, in case a cache's comparison is broken."""
_REFUSED: Final = frozenset({401, 403, 418, 451})
_ETAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e]{0,256}"')

log = structlog.get_logger(__name__)

OnPage = Callable[[str, list[Notice], int], None]
"""Called with host, notices in the page's order, and when the last byte of the page arrived (UTC ns)."""


class HostState(StrEnum):
    STARTING = "starting"
    OK = "ok"
    LIMITED = "limited"  # 429
    FAILING = "failing"  # no answer, 5xx, unreadable page
    ODD = "odd"  # redirect or another 4xx: the address has probably moved
    STOPPED = "stopped"  # refused (403): no more requests in this run


class HostStats(msgspec.Struct):
    """What happened on one host since the start. Times are UTC ns, 0 = never."""

    host: str
    state: HostState = HostState.STARTING
    polls: int = 0
    pages: int = 0
    unchanged: int = 0
    limited: int = 0
    refused: int = 0
    redirects: int = 0
    failures: int = 0
    unreadable: int = 0
    faults: int = 0
    """The page was good and handling it failed here."""
    connects: int = 0
    last_poll_ns: int = 0
    last_success_ns: int = 0
    last_change_ns: int = 0
    last_took_ns: int = 0
    """Request written to answer complete."""
    last_error: str = ""


class UpbitSource:
    """Polls all hosts until cancelled.

    :param hosts: URLs; only scheme, host and port are used, doubles are dropped.
    :param poll_s: seconds between two polls of one host; the hosts take turns within it.
    :param on_page: called synchronously for each new readable page.
    :param on_state: called when a host's state changes, for alarms.
    :param timeout_s: seconds an answer may take.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        poll_s: float,
        on_page: OnPage,
        *,
        on_state: Callable[[HostStats], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout_s: float = 5.0,
        limited_s: tuple[float, float] = (LIMITED_S, LIMITED_AGAIN_S),
        odd_s: float = ODD_ANSWER_S,
        full_every_s: float = FULL_EVERY_S,
        failure_cap_s: float = 60.0,
    ) -> None:
        origins = dict.fromkeys(Origin.parse(url) for url in hosts)
        self._hosts = [
            _Host(
                origin,
                HttpConnection(origin, ssl_context=ssl_context, max_body=MAX_BODY, name=f"upbit {origin}"),
                on_page,
                on_state,
                timeout_s=timeout_s,
                limited_s=limited_s,
                odd_s=odd_s,
                full_every_s=full_every_s,
                backoff=Backoff(min(max(poll_s, 0.05), failure_cap_s), failure_cap_s),
            )
            for origin in origins
        ]
        self.poll_s = poll_s

    @property
    def stats(self) -> list[HostStats]:
        return [host.stats for host in self._hosts]

    async def run(self) -> None:
        """Poll until cancelled; returns when every host has refused us (state ``stopped``)."""
        share_s = self.poll_s / max(len(self._hosts), 1)
        async with asyncio.TaskGroup() as group:
            for index, host in enumerate(self._hosts):
                group.create_task(host.run(self.poll_s, index * share_s), name=f"upbit {host.stats.host}")
        log.error("no notices: every host has refused", hosts=[stats.host for stats in self.stats])


class _Host:
    """One host: its connection, its ETag, its statistics."""

    def __init__(
        self,
        origin: Origin,
        connection: HttpConnection,
        on_page: OnPage,
        on_state: Callable[[HostStats], None] | None,
        *,
        timeout_s: float,
        limited_s: tuple[float, float],
        odd_s: float,
        full_every_s: float,
        backoff: Backoff,
    ) -> None:
        self.stats = HostStats(host=str(origin))
        self._connection = connection
        self._on_page = on_page
        self._on_state = on_state
        self._timeout_s = timeout_s
        self._limited_s = limited_s
        self._odd_s = odd_s
        self._full_every_ns = int(full_every_s * clock.SECOND)
        self._backoff = backoff
        self._plain = build_get(origin.authority, PATH, HEADERS)
        self._origin = origin
        self._conditional: bytes | None = None
        self._full_ns = 0
        self._limited_in_a_row = 0

    async def run(self, poll_s: float, offset_s: float) -> None:
        """Poll at ``start + offset + k * poll_s``; missed times are skipped, never caught up."""
        loop = asyncio.get_running_loop()
        first = due = loop.time() + offset_s
        try:
            while True:
                await asyncio.sleep(max(due - loop.time(), 0.0))
                wait_s = await self._poll()
                if self.stats.state is HostState.STOPPED:
                    return
                earliest = loop.time() + wait_s
                due = first + max(int((earliest - first) / poll_s) + 1, 1) * poll_s
        finally:
            self._connection.close()

    async def _poll(self) -> float:
        """Ask once; returns how many seconds to stay silent besides the schedule."""
        stats = self.stats
        stats.polls += 1
        stats.last_poll_ns = clock.now_ns()
        began_ns = clock.monotonic_ns()
        if began_ns - self._full_ns > self._full_every_ns:
            self._conditional = None
        try:
            if not self._connection.connected:
                await self._connection.connect(CONNECT_TIMEOUT_S)
                stats.connects += 1
                began_ns = clock.monotonic_ns()
            response = await self._connection.request(self._conditional or self._plain, self._timeout_s)
            stats.last_took_ns = clock.monotonic_ns() - began_ns
            return self._answer(response)
        except VenueError as error:
            return self._no_answer(str(error))
        except Exception as error:
            stats.faults += 1
            log.exception("handling a page of notices failed", host=stats.host)
            return self._failed(f"{type(error).__name__} while handling a page")

    def _answer(self, response: Response) -> float:
        stats, status = self.stats, response.status
        if status == 200:
            return self._page(response)
        if status == 304 and self._conditional is not None:
            stats.unchanged += 1
            return self._succeeded()
        if status == 429:
            return self._limited(response.headers.get("retry-after", ""))
        if status == 304 or not 300 <= status < 500:
            return self._no_answer(f"answered {status}, which means nothing here")
        return self._odd(response)

    def _odd(self, response: Response) -> float:
        """Refused, moved or gone: nothing that asking again soon would change."""
        stats, status = self.stats, response.status
        if status in _REFUSED:
            stats.refused += 1
            self._change(HostState.STOPPED, f"refused with {status}: no more requests to this host")
        elif status < 400:
            stats.redirects += 1
            where = response.headers.get("location", "nowhere")[:200]
            self._change(HostState.ODD, f"answered {status} to {where}, not followed: check the host list")
        else:
            stats.failures += 1
            self._change(HostState.ODD, f"answered {status}: the address may have moved, check the host list")
        return self._odd_s

    def _page(self, response: Response) -> float:
        stats = self.stats
        encoding = response.headers.get("content-encoding", "identity")
        if encoding != "identity":
            stats.unreadable += 1
            return self._failed(f"{stats.host}: the page came as {encoding[:40]}, which was not asked for")
        try:
            notices = upbit_page.read(response.body, stats.host, response.received_ns)
        except ProtocolError as error:
            stats.unreadable += 1
            return self._failed(str(error))
        self._on_page(stats.host, notices, response.received_ns)
        stats.pages += 1
        stats.last_change_ns = response.received_ns
        etag = response.headers.get("etag", "")
        self._conditional = None
        self._full_ns = clock.monotonic_ns()
        if _ETAG.fullmatch(etag):
            self._conditional = build_get(self._origin.authority, PATH, HEADERS | {"If-None-Match": etag})
        return self._succeeded()

    def _succeeded(self) -> float:
        self.stats.last_success_ns = clock.now_ns()
        self._limited_in_a_row = 0
        self._backoff.reset()
        self._change(HostState.OK, "")
        return 0.0

    def _limited(self, retry_after: str) -> float:
        self.stats.limited += 1
        wait_s = self._limited_s[min(self._limited_in_a_row, 1)]
        self._limited_in_a_row += 1
        if retry_after.isascii() and retry_after.isdigit() and len(retry_after) <= 4:
            wait_s = max(wait_s, float(retry_after))
        self._change(HostState.LIMITED, f"answered 429: silent for {wait_s:g} s")
        return wait_s

    def _no_answer(self, error: str) -> float:
        self.stats.failures += 1
        return self._failed(error)

    def _failed(self, error: str) -> float:
        wait_s = self._backoff.next()
        self._change(HostState.FAILING, error)
        return wait_s

    def _change(self, state: HostState, error: str) -> None:
        """Note the state; log and report a change of it once."""
        stats = self.stats
        if error:
            stats.last_error = error
        if state is stats.state:
            return
        before, stats.state = stats.state, state
        say = log.info if state is HostState.OK else log.warning
        say("notice host", host=stats.host, state=str(state), before=str(before), reason=error)
        if self._on_state is not None:
            try:
                self._on_state(stats)
            except Exception:
                stats.faults += 1
                log.exception("reporting a host's state failed", host=stats.host)
